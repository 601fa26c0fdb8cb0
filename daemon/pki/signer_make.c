/* `certlined ca create`: a CA for those who have none. */
#include <errno.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "pki/digest.h"
#include "pki/init.h"
#include "pki/signer.h"

#define SERIAL_BITS 128

static bool add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool is_good = extension != NULL && X509_add_ext(cert, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return is_good;
}

static bool fill(X509 *cert, EVP_PKEY *key, const struct signer_new_ca *wanted)
{
    X509_NAME *name = X509_get_subject_name(cert);
    BIGNUM *serial = BN_new();
    bool is_good =
        serial != NULL && BN_rand(serial, SERIAL_BITS, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
        BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(cert)) != NULL && X509_set_version(cert, 2) == 1 &&
        X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, (const unsigned char *)wanted->name,
                                   (int)strlen(wanted->name), -1, 0) == 1 &&
        X509_set_issuer_name(cert, name) == 1 && X509_set_pubkey(cert, key) == 1 &&
        ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)wanted->now_s) != NULL &&
        ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)(wanted->now_s + (int64_t)wanted->days * 86400)) !=
            NULL &&
        add_extension(cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
        add_extension(cert, NID_key_usage, "critical,keyCertSign,cRLSign") &&
        add_extension(cert, NID_subject_key_identifier, "hash");
    BN_free(serial);
    return is_good;
}

static bool keep(BIO *bio, char out[SIGNER_PEM_MAX])
{
    char *text = NULL;
    long len = BIO_get_mem_data(bio, &text);
    if (len <= 0 || len >= SIGNER_PEM_MAX) {
        return false;
    }
    memcpy(out, text, (size_t)len);
    out[len] = '\0';
    return true;
}

static bool write_both(X509 *cert, EVP_PKEY *key, struct span passphrase, char certificate[SIGNER_PEM_MAX],
                       char key_text[SIGNER_PEM_MAX])
{
    BIO *one = BIO_new(BIO_s_mem()), *other = BIO_new(BIO_s_mem());
    bool is_good = one != NULL && other != NULL && PEM_write_bio_X509(one, cert) == 1 &&
                   PEM_write_bio_PKCS8PrivateKey(other, key, EVP_aes_256_cbc(), passphrase.at,
                                                 (int)passphrase.len, NULL, NULL) == 1 &&
                   keep(one, certificate) && keep(other, key_text);
    BIO_free(one);
    BIO_free(other);
    return is_good;
}

int signer_make_ca(const struct signer_new_ca *wanted, char certificate[SIGNER_PEM_MAX],
                   char key_text[SIGNER_PEM_MAX], struct err_info *reterr)
{
    size_t name_len = strlen(wanted->name);
    if (wanted->passphrase.len < SIGNER_PASSPHRASE_MIN || wanted->passphrase.len > SIGNER_PASSPHRASE_MAX) {
        return err_set(reterr, ERR_RANGE, "the passphrase must have %d to %d characters",
                       SIGNER_PASSPHRASE_MIN, SIGNER_PASSPHRASE_MAX);
    }
    if (name_len == 0 || name_len > 64) {
        return err_set(reterr, ERR_RANGE, "the CA's name must have 1 to 64 characters");
    }
    EVP_PKEY *key = EVP_EC_gen(wanted->kind == KEY_P384 ? "P-384" : "P-256");
    X509 *cert = X509_new();
    bool is_good = key != NULL && cert != NULL && fill(cert, key, wanted) &&
                   X509_sign(cert, key, wanted->kind == KEY_P384 ? EVP_sha384() : EVP_sha256()) > 0 &&
                   write_both(cert, key, wanted->passphrase, certificate, key_text);
    X509_free(cert);
    EVP_PKEY_free(key);
    ERR_clear_error();
    pki_scrub_stack();
    return is_good ? 0 : err_set(reterr, ERR_CRYPTO, "OpenSSL cannot make the CA");
}
