/* OpenSSL's PEM reader knows both forms and all ciphers, so that the text goes to it as it is. */
#include "pki/decrypt.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

#include "base/secret.h"
#include "pki/init.h"

struct asked {
    struct span password;
    bool is_used;
};

static int give_password(char *out, int size, int is_writing, void *ctx)
{
    struct asked *asked = ctx;
    (void)is_writing;
    asked->is_used = true;
    if (size < 0 || asked->password.len > (size_t)size) {
        return -1;
    }
    memcpy(out, asked->password.at, asked->password.len);
    return (int)asked->password.len;
}

static int keep(EVP_PKEY *pkey, struct pem *ret)
{
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(pkey);
    unsigned char *der = NULL;
    int len = info != NULL ? i2d_PKCS8_PRIV_KEY_INFO(info, &der) : -1;
    if (len > 0) {
        ret->memory = secret_alloc((size_t)len);
    }
    if (ret->memory != NULL) {
        memcpy(ret->memory, der, (size_t)len);
        ret->n_blocks = 1;
        ret->blocks[0] =
            (struct pem_block){.label = PEM_PKCS8, .line = 1, .der = span_of(ret->memory, (size_t)len)};
    }
    OPENSSL_clear_free(der, len > 0 ? (size_t)len : 0);
    PKCS8_PRIV_KEY_INFO_free(info);
    return ret->memory != NULL ? 0 : -ENOMEM;
}

int key_decrypt(struct span text, struct span password, struct pem *ret, struct err_info *reterr)
{
    *ret = (struct pem){0};
    struct asked asked = {.password = password};
    BIO *bio = text.len <= PEM_TEXT_MAX ? BIO_new_mem_buf(text.at, (int)text.len) : NULL;
    EVP_PKEY *pkey = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, give_password, &asked) : NULL;
    int err = 0;
    if (pkey != NULL) {
        err = keep(pkey, ret);
        if (err != 0) {
            (void)err_set(reterr, err, "no memory for a key");
        }
    } else if (asked.is_used) {
        err = err_set(reterr, ERR_REFUSED, "the password does not open the key");
    } else {
        err = err_set(reterr, ERR_FORMAT, "there is no private key in the text");
    }
    EVP_PKEY_free(pkey);
    BIO_free(bio);
    ERR_clear_error();
    pki_scrub_stack();
    return err;
}
