/*
 * OpenSSL parses; here its answers become plain data. Octets behind a complete structure are refused: OpenSSL
 * ignores them, a modem stores them.
 *
 * Two ways lead through this file. Certificates, and keys on the curves that boards have, are read with
 * pki/asn1.h and pki/ec.h, at a tenth of the cost; every other kind of key takes OpenSSL's general way.
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
#include "pki/asn1.h"
#include "pki/digest.h"
#include "pki/ec.h"
#include "pki/init.h"

#define RSA_CHECKED_BITS 4096

struct key {
    EVP_PKEY *pkey; /* NULL for P-256 and P-384 */
    bool is_proven; /* the fingerprint is that of the private part, whatever public part the file holds */
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

static void read_common_name(const X509_NAME *subject, struct cert *ret)
{
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    unsigned char *text = NULL;
    int len =
        at < 0 ? 0 : ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (len > 0) {
        copy_printable(ret->subject_cn, sizeof(ret->subject_cn), span_of((const char *)text, (size_t)len));
    }
    OPENSSL_free(text);
}

static void read_issuer(const X509_NAME *issuer, struct cert *ret)
{
    char *text = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio != NULL && X509_NAME_print_ex(bio, issuer, 0, XN_FLAG_RFC2253) >= 0) {
        long n = BIO_get_mem_data(bio, &text);
        copy_printable(ret->issuer, sizeof(ret->issuer), span_of(text, n > 0 ? (size_t)n : 0));
    }
    BIO_free(bio);
}

/* Serial number as text, and the digest over issuer and serial number, each with its length so that no two
 * pairs run together to the same octets. */
static int read_identity(const struct asn1_tbs *tbs, struct cert *ret)
{
    unsigned char *issuer = NULL, *number = NULL;
    int issuer_len = i2d_X509_NAME(tbs->issuer, &issuer);
    int number_len = i2d_ASN1_INTEGER(tbs->serial, &number);
    int err = issuer_len <= 0 || number_len <= 0 ? ERR_FORMAT : 0;
    if (err == 0) {
        struct buf text;
        buf_init(&text, ret->serial, sizeof(ret->serial));
        if (ASN1_STRING_type(tbs->serial) == V_ASN1_NEG_INTEGER) {
            buf_add_char(&text, '-');
        }
        buf_add_hex(&text, ASN1_STRING_get0_data(tbs->serial), (size_t)ASN1_STRING_length(tbs->serial));

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

/* A public key of any kind that OpenSSL knows. NULL: it is none. */
static EVP_PKEY *decode_spki(const struct asn1_spki *spki)
{
    unsigned char *der = NULL;
    int len = asn1_spki_write(spki, &der);
    const unsigned char *at = der;
    EVP_PKEY *pkey = len > 0 ? d2i_PUBKEY(NULL, &at, len) : NULL;
    OPENSSL_free(der);
    return pkey;
}

static int read_public_key(const struct asn1_spki *spki, struct cert *ret)
{
    ret->kind = ec_kind_of(spki->algor);
    if (ret->kind != KEY_OTHER) {
        struct ec_point point;
        struct span octets =
            span_of((const char *)ASN1_STRING_get0_data(spki->key), (size_t)ASN1_STRING_length(spki->key));
        int err = ec_point_read(ret->kind, octets, &point);
        if (err == 0) {
            ec_fingerprint(ret->kind, &point, &ret->fingerprint);
            ret->key_bits = ret->kind == KEY_P256 ? 256 : 384;
        }
        return err;
    }
    EVP_PKEY *pkey = decode_spki(spki);
    if (pkey == NULL) {
        return ERR_FORMAT;
    }
    ret->kind = kind_of(pkey);
    ret->key_bits = (unsigned)EVP_PKEY_get_bits(pkey);
    int err = fingerprint_of(pkey, &ret->fingerprint);
    EVP_PKEY_free(pkey);
    return err;
}

/* RFC 5280 4.2.1.9; certificates of version 1 cannot say so, and a root among them is its own issuer. */
static bool may_issue(const struct asn1_tbs *tbs)
{
    BASIC_CONSTRAINTS *constraints = X509V3_get_d2i(tbs->extensions, NID_basic_constraints, NULL, NULL);
    bool is_ca = constraints != NULL
                     ? constraints->ca != 0
                     : tbs->extensions == NULL && X509_NAME_cmp(tbs->issuer, tbs->subject) == 0;
    BASIC_CONSTRAINTS_free(constraints);
    return is_ca;
}

static int read_cert(const struct asn1_tbs *tbs, struct cert *ret, struct err_info *reterr)
{
    if (seconds_of(tbs->validity->notBefore, &ret->not_before_s) != 0 ||
        seconds_of(tbs->validity->notAfter, &ret->not_after_s) != 0) {
        return err_set(reterr, ERR_FORMAT, "the certificate's validity dates cannot be read");
    }
    if (read_identity(tbs, ret) != 0) {
        return err_set(reterr, ERR_FORMAT, "the certificate's issuer or serial number cannot be read");
    }
    if (read_public_key(tbs->spki, ret) != 0) {
        return err_set(reterr, ERR_FORMAT, "the certificate's public key cannot be read");
    }
    read_common_name(tbs->subject, ret);
    read_issuer(tbs->issuer, ret);
    ret->is_ca = may_issue(tbs);
    return 0;
}

int cert_parse(struct span der, struct cert *ret, struct err_info *reterr)
{
    uint64_t shortages = pki_shortages();
    struct cert cert = {0};
    struct err_info why = {0};
    struct asn1_cert *parsed = asn1_cert_read(der);
    int err = parsed == NULL
                  ? err_set(&why, ERR_FORMAT, "the content is no X.509 certificate, or not a whole one")
                  : read_cert(parsed->tbs, &cert, &why);
    asn1_cert_free(parsed);
    ERR_clear_error();
    if (pki_shortages() != shortages) { /* whatever was found out */
        return err_set(reterr, -ENOMEM, "no memory to read a certificate");
    }
    if (err == 0) {
        *ret = cert;
    }
    return err == 0 ? 0 : err_set(reterr, err, "%s", why.text);
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

/* ---- private keys on the curves of the boards */

/* The public part that stands beside the scalar, if any, must be the scalar's: a board would show one and
 * sign with the other. */
static bool point_fits(enum key_kind kind, const ASN1_BIT_STRING *stored, const struct ec_point *computed)
{
    if (stored == NULL) {
        return true;
    }
    struct ec_point point;
    struct span octets =
        span_of((const char *)ASN1_STRING_get0_data(stored), (size_t)ASN1_STRING_length(stored));
    return ec_point_read(kind, octets, &point) == 0 && point.len == computed->len &&
           memcmp(point.octets, computed->octets, point.len) == 0;
}

static int take_ec_key(enum key_kind kind, const struct asn1_ec_key *ec, struct key *key)
{
    struct ec_point point;
    struct span scalar =
        span_of((const char *)ASN1_STRING_get0_data(ec->scalar), (size_t)ASN1_STRING_length(ec->scalar));
    bool is_named_twice = ec->parameters != NULL && ec_kind_of_curve(ec->parameters) != kind;
    if (is_named_twice || ASN1_INTEGER_get(ec->version) != 1) {
        return ERR_FORMAT;
    }
    int err = ec_public_of(kind, scalar, &point);
    if (err != 0) {
        return err;
    }
    if (!point_fits(kind, ec->point, &point)) {
        return ERR_CONFLICT;
    }
    ec_fingerprint(kind, &point, &key->fingerprint);
    key->kind = kind;
    key->bits = kind == KEY_P256 ? 256 : 384;
    key->is_proven = true;
    return 0;
}

/* Reads "PRIVATE KEY" and "EC PRIVATE KEY" on P-256 and P-384. Returns 0; 1 when it is another kind of key or
 * none at all; ERR_FORMAT; ERR_CONFLICT when its public part is another key's; -ENOMEM. */
static int parse_ec_key(const struct pem_block *block, struct key *key)
{
    enum key_kind kind = KEY_OTHER;
    struct asn1_ec_key *ec = NULL;
    PKCS8_PRIV_KEY_INFO *info = NULL;
    const unsigned char *at = (const unsigned char *)block->der.at, *end = at + block->der.len;
    if (block->label == PEM_SEC1) {
        ec = asn1_ec_key_read(block->der);
        kind = ec != NULL ? ec_kind_of_curve(ec->parameters) : KEY_OTHER;
    } else if (block->label == PEM_PKCS8) {
        const unsigned char *inner = NULL;
        const X509_ALGOR *algor = NULL;
        int len = 0;
        info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)block->der.len);
        if (info != NULL && at == end && PKCS8_pkey_get0(NULL, &inner, &len, &algor, info) == 1) {
            kind = ec_kind_of(algor);
            ec = kind != KEY_OTHER ? asn1_ec_key_read(span_of((const char *)inner, (size_t)len)) : NULL;
        }
    }
    int err = kind == KEY_OTHER ? 1 : ec == NULL ? ERR_FORMAT : take_ec_key(kind, ec, key);
    asn1_ec_key_free(ec);
    PKCS8_PRIV_KEY_INFO_free(info);
    return err;
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

/* Every other kind. Returns 0 or ERR_FORMAT. */
static int parse_other_key(const struct pem_block *block, struct key *key)
{
    key->pkey = block->der.len > 0 ? parse_pkey(block) : NULL;
    if (key->pkey == NULL || fingerprint_of(key->pkey, &key->fingerprint) != 0) {
        return ERR_FORMAT;
    }
    key->kind = kind_of(key->pkey);
    key->bits = (unsigned)EVP_PKEY_get_bits(key->pkey);
    bool is_checked = key->kind == KEY_RSA && key->bits <= RSA_CHECKED_BITS; /* larger ones are refused */
    key->is_proven = is_checked && rsa_parts_fit(key->pkey);
    return is_checked && !key->is_proven ? ERR_FORMAT : 0;
}

int key_parse(const struct pem_block *block, struct key **ret, struct err_info *reterr)
{
    if (block->is_encrypted) {
        return err_set_at(reterr, ERR_FORMAT, block->line, 1,
                          "the key is encrypted, and a modem cannot decrypt it: decrypt it with \"certlined "
                          "lint --fix\" first");
    }
    struct key *key = secret_alloc(sizeof(*key));
    if (key == NULL) {
        return err_set(reterr, -ENOMEM, "no memory for a key");
    }
    uint64_t shortages = pki_shortages();
    int err = parse_ec_key(block, key);
    err = err == 1 ? parse_other_key(block, key) : err;
    err = pki_shortages() != shortages ? -ENOMEM
                                       : err; /* no is no only with memory, and yes may be half of one */
    pki_scrub_stack();
    if (err == 0) {
        *ret = key;
        return 0;
    }
    key_free(key);
    ERR_clear_error();
    switch (err) {
    case -ENOMEM:
        return err_set(reterr, err, "no memory for a key");
    case ERR_CONFLICT:
        return err_set_at(reterr, ERR_FORMAT, block->line, 1,
                          "the key's public part is another key's: two files were mixed");
    default: /* whatever it was, it is no key */
        return err_set_at(reterr, ERR_FORMAT, block->line, 1,
                          "the content is no private key, or not a whole one");
    }
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

/* For kinds whose public part is taken from the file as it stands. */
static bool signs_for_certificate(const struct key *key, struct span cert_der)
{
    struct asn1_cert *parsed = asn1_cert_read(cert_der);
    EVP_PKEY *public_key = parsed != NULL ? decode_spki(parsed->tbs->spki) : NULL;
    bool is_good = public_key != NULL && signs_for(key->pkey, public_key);
    EVP_PKEY_free(public_key);
    asn1_cert_free(parsed);
    ERR_clear_error();
    pki_scrub_stack();
    return is_good;
}

bool key_belongs_to(const struct key *key, const struct cert *cert, struct span cert_der)
{
    return digest_eq(&key->fingerprint, &cert->fingerprint) &&
           (key->is_proven || signs_for_certificate(key, cert_der));
}
