/*
 * OpenSSL parses; here its answers become plain data. Octets behind a complete structure are refused: OpenSSL
 * ignores them, a modem stores them.
 */
#include "pki/x509.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "base/buf.h"
#include "base/secret.h"
#include "pki/digest.h"
#include "pki/init.h"

#define RSA_CHECKED_BITS 4096

struct key {
    EVP_PKEY *pkey;
    enum key_kind kind;
    unsigned bits;
    struct digest fingerprint;
};

const char *key_kind_name(enum key_kind kind)
{
    static const char *const names[] = {
#define X(name, text, usable) [name] = text,
        KEY_KIND_LIST(X)
#undef X
    };
    return names[kind];
}

bool key_kind_is_usable(enum key_kind kind)
{
    static const bool is_usable[] = {
#define X(name, text, usable) [name] = usable,
        KEY_KIND_LIST(X)
#undef X
    };
    return is_usable[kind];
}

static enum key_kind kind_of(const EVP_PKEY *pkey)
{
    char group[32] = "";
    switch (EVP_PKEY_get_base_id(pkey)) {
    case EVP_PKEY_RSA:
        return KEY_RSA;
    case EVP_PKEY_ED25519:
        return KEY_ED25519;
    case EVP_PKEY_EC:
        (void)EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL);
        return strcmp(group, SN_X9_62_prime256v1) == 0 ? KEY_P256
               : strcmp(group, SN_secp384r1) == 0      ? KEY_P384
                                                       : KEY_OTHER;
    default: /* OpenSSL's numbers, not ours */
        return KEY_OTHER;
    }
}

/* Returns 0, or ERR_FORMAT for a key that OpenSSL cannot write. Changes the form in which `pkey` is written.
 */
static int fingerprint_of(EVP_PKEY *pkey, struct digest *ret)
{
    unsigned char *spki = NULL;
    if (EVP_PKEY_get_base_id(pkey) == EVP_PKEY_EC) {
        (void)EVP_PKEY_set_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                             OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED);
    }
    int len = i2d_PUBKEY(pkey, &spki);
    if (len <= 0) {
        return ERR_FORMAT;
    }
    sha256(span_of((const char *)spki, (size_t)len), ret);
    OPENSSL_free(spki);
    return 0;
}

/* ---- certificates */

/* The whole DER and nothing behind it, or NULL. */
static X509 *parse_x509(struct span der)
{
    const unsigned char *at = (const unsigned char *)der.at;
    X509 *x509 = der.len > 0 && der.len <= PEM_TEXT_MAX ? d2i_X509(NULL, &at, (long)der.len) : NULL;
    if (x509 != NULL && at != (const unsigned char *)der.at + der.len) {
        X509_free(x509);
        x509 = NULL;
    }
    return x509;
}

static int seconds_of(const ASN1_TIME *time, int64_t *ret)
{
    struct tm tm;
    if (time == NULL || ASN1_TIME_to_tm(time, &tm) != 1) {
        return ERR_FORMAT;
    }
    *ret = (int64_t)timegm(&tm);
    return 0;
}

static void copy_printable(char *to, size_t size, struct span text)
{
    buf_copy(to, size, text);
    for (; *to != '\0'; to++) {
        if ((unsigned char)*to < ' ' || *to == 0x7F) {
            *to = '?';
        }
    }
}

static void read_names(const X509 *x509, struct cert *ret)
{
    const X509_NAME *subject = X509_get_subject_name(x509);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    unsigned char *text = NULL;
    int len =
        at < 0 ? 0 : ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (len > 0) {
        copy_printable(ret->subject_cn, sizeof(ret->subject_cn), span_of((const char *)text, (size_t)len));
    }
    OPENSSL_free(text);

    char *issuer = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio != NULL && X509_NAME_print_ex(bio, X509_get_issuer_name(x509), 0, XN_FLAG_RFC2253) >= 0) {
        long n = BIO_get_mem_data(bio, &issuer);
        copy_printable(ret->issuer, sizeof(ret->issuer), span_of(issuer, n > 0 ? (size_t)n : 0));
    }
    BIO_free(bio);
}

/* Serial number as text, and the digest over issuer and serial number, each with its length so that no two
 * pairs run together to the same octets. */
static int read_identity(X509 *x509, struct cert *ret)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(x509);
    unsigned char *issuer = NULL, *number = NULL;
    int issuer_len = i2d_X509_NAME(X509_get_issuer_name(x509), &issuer);
    int number_len = i2d_ASN1_INTEGER(serial, &number);
    int err = issuer_len <= 0 || number_len <= 0 ? ERR_FORMAT : 0;
    if (err == 0) {
        struct buf text;
        buf_init(&text, ret->serial, sizeof(ret->serial));
        if (ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER) {
            buf_add_char(&text, '-');
        }
        buf_add_hex(&text, ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial));

        struct sha256 h;
        const uint8_t len[4] = {(uint8_t)(issuer_len >> 24), (uint8_t)(issuer_len >> 16),
                                (uint8_t)(issuer_len >> 8), (uint8_t)issuer_len};
        sha256_init(&h);
        sha256_add(&h, span_of((const char *)len, sizeof(len)));
        sha256_add(&h, span_of((const char *)issuer, (size_t)issuer_len));
        sha256_add(&h, span_of((const char *)number, (size_t)number_len));
        sha256_finish(&h, &ret->identity);
    }
    OPENSSL_free(issuer);
    OPENSSL_free(number);
    return err;
}

static int read_public_key(X509 *x509, struct cert *ret)
{
    EVP_PKEY *pkey = X509_get_pubkey(x509);
    if (pkey == NULL) {
        return ERR_FORMAT;
    }
    ret->kind = kind_of(pkey);
    ret->key_bits = (unsigned)EVP_PKEY_get_bits(pkey);
    int err = fingerprint_of(pkey, &ret->fingerprint);
    EVP_PKEY_free(pkey);
    return err;
}

int cert_parse(struct span der, struct cert *ret, struct err_info *reterr)
{
    struct cert cert = {0};
    X509 *x509 = parse_x509(der);
    int err = 0;
    if (x509 == NULL) {
        err = err_set(reterr, ERR_FORMAT, "the content is no X.509 certificate, or not a whole one");
    } else if (seconds_of(X509_get0_notBefore(x509), &cert.not_before_s) != 0 ||
               seconds_of(X509_get0_notAfter(x509), &cert.not_after_s) != 0) {
        err = err_set(reterr, ERR_FORMAT, "the certificate's validity dates cannot be read");
    } else if (read_identity(x509, &cert) != 0) {
        err = err_set(reterr, ERR_FORMAT, "the certificate's issuer or serial number cannot be read");
    } else if (read_public_key(x509, &cert) != 0) {
        err = err_set(reterr, ERR_FORMAT, "the certificate's public key cannot be read");
    } else {
        read_names(x509, &cert);
        cert.is_ca = X509_check_ca(x509) > 0;
        *ret = cert;
    }
    X509_free(x509);
    ERR_clear_error();
    return err;
}

/* ---- private keys */

static EVP_PKEY *parse_pkcs8(const unsigned char **at, size_t len)
{
    PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, at, (long)len);
    EVP_PKEY *pkey = info != NULL ? EVP_PKCS82PKEY(info) : NULL;
    PKCS8_PRIV_KEY_INFO_free(info);
    return pkey;
}

static EVP_PKEY *parse_pkey(const struct pem_block *block)
{
    const unsigned char *at = (const unsigned char *)block->der.at, *end = at + block->der.len;
    EVP_PKEY *pkey = NULL;
    switch (block->label) {
    case PEM_PKCS8:
        pkey = parse_pkcs8(&at, block->der.len);
        break;
    case PEM_PKCS1:
        pkey = d2i_PrivateKey(EVP_PKEY_RSA, NULL, &at, (long)block->der.len);
        break;
    case PEM_SEC1:
        pkey = d2i_PrivateKey(EVP_PKEY_EC, NULL, &at, (long)block->der.len);
        break;
    case PEM_CERTIFICATE:
    case PEM_PKCS8_ENCRYPTED:
    case PEM_OTHER:
        break;
    }
    if (pkey != NULL && at != end) {
        EVP_PKEY_free(pkey);
        pkey = NULL;
    }
    return pkey;
}

/* ---- RSA: the parts of one key */

enum rsa_part { RSA_N, RSA_E, RSA_D, RSA_P, RSA_Q, RSA_DP, RSA_DQ, RSA_QINV, RSA_PARTS };

static const char *const rsa_names[RSA_PARTS] = {
    [RSA_N] = OSSL_PKEY_PARAM_RSA_N,          [RSA_E] = OSSL_PKEY_PARAM_RSA_E,
    [RSA_D] = OSSL_PKEY_PARAM_RSA_D,          [RSA_P] = OSSL_PKEY_PARAM_RSA_FACTOR1,
    [RSA_Q] = OSSL_PKEY_PARAM_RSA_FACTOR2,    [RSA_DP] = OSSL_PKEY_PARAM_RSA_EXPONENT1,
    [RSA_DQ] = OSSL_PKEY_PARAM_RSA_EXPONENT2, [RSA_QINV] = OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
};

/* e * d = 1, modulo what is one less than this factor; and the exponent for it is d modulo the same. */
static bool exponents_fit(BIGNUM *const part[RSA_PARTS], enum rsa_part factor, enum rsa_part exponent,
                          BN_CTX *ctx)
{
    BIGNUM *less = BN_dup(part[factor]), *x = BN_new();
    bool is_good = less != NULL && x != NULL && BN_sub_word(less, 1) == 1 &&
                   BN_mod(x, part[RSA_D], less, ctx) == 1 && BN_cmp(x, part[exponent]) == 0 &&
                   BN_mod_mul(x, x, part[RSA_E], less, ctx) == 1 && BN_is_one(x);
    BN_clear_free(less);
    BN_clear_free(x);
    return is_good;
}

/* n = p * q, and qinv * q = 1 modulo p. */
static bool factors_fit(BIGNUM *const part[RSA_PARTS], BN_CTX *ctx)
{
    BIGNUM *x = BN_new();
    bool is_good = x != NULL && BN_mul(x, part[RSA_P], part[RSA_Q], ctx) == 1 &&
                   BN_cmp(x, part[RSA_N]) == 0 &&
                   BN_mod_mul(x, part[RSA_QINV], part[RSA_Q], part[RSA_P], ctx) == 1 && BN_is_one(x);
    BN_clear_free(x);
    return is_good;
}

/* A damaged part goes unnoticed here, since OpenSSL signs without it when the result is wrong; a modem may
 * not. Whether the factors are prime is not asked: nobody damages a prime into another one with the same
 * product. */
static bool rsa_parts_fit(const EVP_PKEY *pkey)
{
    BIGNUM *part[RSA_PARTS] = {0};
    BN_CTX *ctx = BN_CTX_new();
    bool is_good = ctx != NULL;
    for (int i = 0; i < RSA_PARTS && is_good; i++) {
        is_good = EVP_PKEY_get_bn_param(pkey, rsa_names[i], &part[i]) == 1;
    }
    is_good = is_good && factors_fit(part, ctx) && exponents_fit(part, RSA_P, RSA_DP, ctx) &&
              exponents_fit(part, RSA_Q, RSA_DQ, ctx);
    for (int i = 0; i < RSA_PARTS; i++) {
        BN_clear_free(part[i]);
    }
    BN_CTX_free(ctx);
    return is_good;
}

static bool is_sound(EVP_PKEY *pkey)
{
    bool is_small =
        EVP_PKEY_get_bits(pkey) <= RSA_CHECKED_BITS; /* larger ones are refused for their size anyway */
    return EVP_PKEY_get_base_id(pkey) != EVP_PKEY_RSA || !is_small || rsa_parts_fit(pkey);
}

int key_parse(const struct pem_block *block, struct key **ret, struct err_info *reterr)
{
    if (block->is_encrypted) {
        return err_set_at(
            reterr, ERR_FORMAT, block->line, 1,
            "the key is encrypted, and a modem cannot decrypt it: decrypt it with \"openssl pkey\" first");
    }
    struct key *key = secret_alloc(sizeof(*key));
    if (key == NULL) {
        return err_set(reterr, -ENOMEM, "no memory for a key");
    }
    key->pkey = block->der.len > 0 ? parse_pkey(block) : NULL;
    bool is_good =
        key->pkey != NULL && fingerprint_of(key->pkey, &key->fingerprint) == 0 && is_sound(key->pkey);
    pki_scrub_stack();
    if (!is_good) {
        key_free(key);
        ERR_clear_error();
        return err_set_at(reterr, ERR_FORMAT, block->line, 1,
                          "the content is no private key, or not a whole one");
    }
    key->kind = kind_of(key->pkey);
    key->bits = (unsigned)EVP_PKEY_get_bits(key->pkey);
    *ret = key;
    return 0;
}

void key_free(struct key *key)
{
    if (key != NULL) {
        EVP_PKEY_free(key->pkey);
        secret_free(key);
    }
}

enum key_kind key_kind(const struct key *key)
{
    return key->kind;
}

unsigned key_bits(const struct key *key)
{
    return key->bits;
}

const struct digest *key_fingerprint(const struct key *key)
{
    return &key->fingerprint;
}

/* A signature over a constant, by one key, verified by the other. */
static bool signs_for(EVP_PKEY *private_key, EVP_PKEY *public_key)
{
    static const unsigned char text[] = "certline: does this key belong to this certificate?";
    const char *digest = EVP_PKEY_get_base_id(private_key) == EVP_PKEY_ED25519 ? NULL : "SHA256";
    unsigned char signature[1024]; /* RSA of up to 8,192 bits */
    size_t len = sizeof(signature);
    EVP_MD_CTX *sign = EVP_MD_CTX_new(), *verify = EVP_MD_CTX_new();
    bool is_good = sign != NULL && verify != NULL &&
                   EVP_DigestSignInit_ex(sign, NULL, digest, NULL, NULL, private_key, NULL) == 1 &&
                   EVP_DigestSign(sign, signature, &len, text, sizeof(text)) == 1 &&
                   EVP_DigestVerifyInit_ex(verify, NULL, digest, NULL, NULL, public_key, NULL) == 1 &&
                   EVP_DigestVerify(verify, signature, len, text, sizeof(text)) == 1;
    EVP_MD_CTX_free(sign);
    EVP_MD_CTX_free(verify);
    return is_good;
}

int key_belongs_to(struct key *key, struct span cert_der)
{
    X509 *x509 = parse_x509(cert_der);
    EVP_PKEY *public_key = x509 != NULL ? X509_get_pubkey(x509) : NULL;
    struct digest fingerprint;
    int result = ERR_FORMAT;
    if (public_key != NULL && fingerprint_of(public_key, &fingerprint) == 0) {
        result = digest_eq(&fingerprint, &key->fingerprint) && signs_for(key->pkey, public_key);
    }
    EVP_PKEY_free(public_key);
    X509_free(x509);
    ERR_clear_error();
    pki_scrub_stack();
    return result;
}
