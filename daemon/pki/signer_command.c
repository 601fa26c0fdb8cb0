/* Signatures over AT commands: the CA's P-256 key, the digest SHA-256, DER in base64 as %XSUDO takes it. */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "pki/signer_impl.h"

#define SIGNATURE_MAX 72 /* DER of two numbers below 2^256 */

_Static_assert(4 * (SIGNATURE_MAX / 3) + 1 <= SIGNER_COMMAND_SIZE, "base64 and its NUL fit");

static int check_kind(const struct signer *signer, struct err_info *reterr)
{
    return signer->algorithm == SIGNER_ECDSA_SHA256
               ? 0
               : err_set(reterr, ERR_REFUSED, "commands are signed with P-256, and the CA's key is %s",
                         key_kind_name(signer->cert.kind));
}

int signer_sign_command(struct signer *signer, struct span text, char out[SIGNER_COMMAND_SIZE],
                        struct err_info *reterr)
{
    uint8_t signature[SIGNER_SIGNATURE_MAX];
    int err = check_kind(signer, reterr);
    int64_t len = err == 0 ? signer_sign(signer, text, signature, reterr) : err;
    if (len < 0) {
        return (int)len;
    }
    if (len > SIGNATURE_MAX ||
        !signer_verifies(signer, text, span_of((const char *)signature, (size_t)len))) {
        return err_set(reterr, ERR_CRYPTO, "what signed is not the CA's key");
    }
    (void)EVP_EncodeBlock((unsigned char *)out, signature, (int)len);
    return 0;
}

int signer_public_pem(const struct signer *signer, char out[SIGNER_PUBLIC_SIZE], struct err_info *reterr)
{
    int err = check_kind(signer, reterr);
    BIO *bio = err == 0 ? BIO_new(BIO_s_mem()) : NULL;
    char *text = NULL;
    long len = bio != NULL && PEM_write_bio_PUBKEY(bio, X509_get0_pubkey(signer->x509)) == 1
                   ? BIO_get_mem_data(bio, &text)
                   : 0;
    if (err == 0 && (len <= 0 || len >= SIGNER_PUBLIC_SIZE)) {
        err = err_set(reterr, ERR_CRYPTO, "OpenSSL cannot write the CA's public key");
    }
    size_t n = 0;
    for (long i = 0; err == 0 && i < len; i++) {
        if (text[i] != '\n') {
            out[n++] = text[i];
        }
    }
    if (err == 0) {
        out[n] = '\0';
    }
    BIO_free(bio);
    ERR_clear_error();
    return err;
}
