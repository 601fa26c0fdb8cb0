/*
 * What both kinds of key share, and the key from a file. A key is believed to be the certificate's once a
 * signature of it has been verified, which is the one test that works the same for a key that nobody can
 * read.
 */
#include "pki/signer.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "pki/init.h"
#include "pki/pem.h"
#include "pki/signer_impl.h"

/* ---- the certificate */

const EVP_MD *signer_digest(enum signer_algorithm algorithm)
{
    static const char *const names[] = {
#define X(name, digest) [name] = digest,
        SIGNER_ALGORITHM_LIST(X)
#undef X
    };
    return EVP_get_digestbyname(names[algorithm]);
}

/* One certificate in canonical enough PEM; the first one when there are several. */
static int read_certificate(struct signer *signer, struct span text, struct err_info *reterr)
{
    struct pem pem;
    int err = pem_parse(text, &pem);
    if (err == 0 &&
        (pem_refusal(&pem) != NULL || pem.n_blocks == 0 || pem.blocks[0].label != PEM_CERTIFICATE)) {
        err = err_set(reterr, ERR_FORMAT, "the CA's certificate is not one in PEM");
    }
    if (err == 0) {
        err = cert_parse(pem.blocks[0].der, &signer->cert, reterr);
    }
    if (err == 0) {
        const unsigned char *at = (const unsigned char *)pem.blocks[0].der.at;
        signer->x509 = d2i_X509(NULL, &at, (long)pem.blocks[0].der.len);
        err = signer->x509 != NULL ? 0 : err_set(reterr, ERR_FORMAT, "the CA's certificate cannot be read");
    }
    pem_done(&pem);
    return err;
}

static int choose_algorithm(struct signer *signer, struct err_info *reterr)
{
    switch (signer->cert.kind) {
    case KEY_RSA:
        signer->algorithm = SIGNER_RSA_SHA256;
        return 0;
    case KEY_P256:
        signer->algorithm = SIGNER_ECDSA_SHA256;
        return 0;
    case KEY_P384:
        signer->algorithm = SIGNER_ECDSA_SHA384;
        return 0;
    case KEY_ED25519:
    case KEY_OTHER:
        break;
    }
    return err_set(reterr, ERR_REFUSED, "the CA's key is of the kind %s; it must be RSA, P-256 or P-384",
                   key_kind_name(signer->cert.kind));
}

int signer_init(struct signer *signer, const struct signer_kind *kind, struct span certificate,
                struct err_info *reterr)
{
    *signer = (struct signer){.kind = kind};
    int err = read_certificate(signer, certificate, reterr);
    if (err != 0) {
        return err;
    }
    bool may_sign =
        (X509_get_key_usage(signer->x509) & KU_KEY_CERT_SIGN) != 0; /* all bits where it says none */
    if (!signer->cert.is_ca || !may_sign) {
        return err_set(reterr, ERR_REFUSED, "the certificate of %s is not that of a CA",
                       signer->cert.subject_cn);
    }
    return choose_algorithm(signer, reterr);
}

void signer_done(struct signer *signer)
{
    X509_free(signer->x509);
    signer->x509 = NULL;
}

bool signer_verifies(const struct signer *signer, struct span text, struct span signature)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY *key = X509_get0_pubkey(signer->x509);
    bool is_good = ctx != NULL && key != NULL &&
                   EVP_DigestVerifyInit(ctx, NULL, signer_digest(signer->algorithm), NULL, key) == 1 &&
                   EVP_DigestVerify(ctx, (const unsigned char *)signature.at, signature.len,
                                    (const unsigned char *)text.at, text.len) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return is_good;
}

int signer_check_key(struct signer *signer, struct err_info *reterr)
{
    static const char text[] = "does this key belong to this certificate?";
    uint8_t signature[SIGNER_SIGNATURE_MAX];
    int64_t len = signer_sign(signer, span_str(text), signature, reterr);
    if (len < 0) {
        return (int)len;
    }
    return signer_verifies(signer, span_str(text), span_of((const char *)signature, (size_t)len))
               ? 0
               : err_set(reterr, ERR_REFUSED, "the private key is not that of the certificate");
}

void signer_close(struct signer *signer)
{
    if (signer != NULL) {
        signer_done(signer);
        signer->kind->close(signer);
        free(signer);
    }
}

const struct cert *signer_cert(const struct signer *signer)
{
    return &signer->cert;
}

int64_t signer_sign(struct signer *signer, struct span text, uint8_t out[SIGNER_SIGNATURE_MAX],
                    struct err_info *reterr)
{
    return signer->kind->sign(signer, text, out, reterr);
}

/* ---- a key from a file */

struct file_signer {
    struct signer signer;
    EVP_PKEY *key;
};

static int64_t file_sign(struct signer *signer, struct span text, uint8_t out[SIGNER_SIGNATURE_MAX],
                         struct err_info *reterr)
{
    struct file_signer *file = (struct file_signer *)signer;
    size_t len = SIGNER_SIGNATURE_MAX;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool is_good = ctx != NULL &&
                   EVP_DigestSignInit(ctx, NULL, signer_digest(signer->algorithm), NULL, file->key) == 1 &&
                   EVP_DigestSign(ctx, out, &len, (const unsigned char *)text.at, text.len) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    pki_scrub_stack();
    return is_good ? (int64_t)len : err_set(reterr, ERR_CRYPTO, "OpenSSL cannot sign with the CA's key");
}

static void file_close(struct signer *signer)
{
    EVP_PKEY_free(((struct file_signer *)signer)->key);
}

static const struct signer_kind file_kind = {.sign = file_sign, .close = file_close};

struct asked {
    struct span passphrase;
    bool is_used;
};

static int give_passphrase(char *out, int size, int is_writing, void *ctx)
{
    struct asked *asked = ctx;
    (void)is_writing;
    asked->is_used = true;
    if (size < 0 || asked->passphrase.len > (size_t)size) {
        return -1;
    }
    memcpy(out, asked->passphrase.at, asked->passphrase.len);
    return (int)asked->passphrase.len;
}

static int read_key(struct span text, struct span passphrase, EVP_PKEY **ret, struct err_info *reterr)
{
    struct asked asked = {.passphrase = passphrase};
    BIO *bio = text.len <= PEM_TEXT_MAX ? BIO_new_mem_buf(text.at, (int)text.len) : NULL;
    EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, &asked) : NULL;
    BIO_free(bio);
    ERR_clear_error();
    pki_scrub_stack();
    if (key != NULL && asked.is_used) {
        *ret = key;
        return 0;
    }
    EVP_PKEY_free(key);
    if (key != NULL) {
        return err_set(reterr, ERR_REFUSED,
                       "the CA's private key is not encrypted: encrypt it with openssl pkcs8 "
                       "-topk8 -v2 aes-256-cbc, and destroy the file in clear");
    }
    return asked.is_used ? err_set(reterr, ERR_REFUSED, "the passphrase does not open the CA's private key")
                         : err_set(reterr, ERR_FORMAT, "there is no private key in the CA's key file");
}

int signer_open_file(struct span certificate, struct span key, struct span passphrase, struct signer **ret,
                     struct err_info *reterr)
{
    struct file_signer *file = calloc(1, sizeof(*file));
    if (file == NULL) {
        return err_set(reterr, -ENOMEM, "no memory for the signer");
    }
    int err = signer_init(&file->signer, &file_kind, certificate, reterr);
    if (err == 0) {
        err = read_key(key, passphrase, &file->key, reterr);
    }
    if (err == 0) {
        err = signer_check_key(&file->signer, reterr);
    }
    if (err != 0) {
        signer_close(&file->signer);
        return err;
    }
    *ret = &file->signer;
    return 0;
}
