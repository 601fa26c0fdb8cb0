/* Deprecated parts of OpenSSL are avoided; what EVP cannot derive from a seed is built from numbers by
 * OSSL_PARAM. */
#include "support/testpki.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pki/signer.h"

#define PRIMES_MAX   448 /* 448 * 447 / 2 pairs */
#define PRIME_BITS   1024
#define PRIME_OCTETS (PRIME_BITS / 8)

struct testpki {
    unsigned seed;
    EC_GROUP *p256;
    BN_CTX *numbers;
    unsigned n_primes;
    BIGNUM *primes[PRIMES_MAX];
    EVP_PKEY *ca_key;
    X509 *ca;
    char *ca_pem;
};

static void must(bool ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "testpki: %s failed\n", what);
        abort();
    }
}
#define MUST(call) must((call), #call)

/* `n` octets that follow from the seed, a word and a number: SHA-256 in counter mode. */
static void derive(const struct testpki *pki, const char *word, unsigned number, unsigned char *out, size_t n)
{
    for (unsigned block = 0; n > 0; block++) {
        char text[64];
        unsigned char octets[32];
        int len = snprintf(text, sizeof(text), "%s %u %u %u", word, pki->seed, number, block);
        MUST(EVP_Digest(text, (size_t)len, octets, NULL, EVP_sha256(), NULL) == 1);
        size_t take = n < sizeof(octets) ? n : sizeof(octets);
        memcpy(out, octets, take);
        out += take;
        n -= take;
    }
}

/* Primes are found in order, so that each follows from the seed alone. The top two bits are set: a product of
 * two has all of its 2,048 bits. */
static const BIGNUM *prime(struct testpki *pki, unsigned number)
{
    while (pki->n_primes <= number) {
        unsigned char octets[PRIME_OCTETS];
        derive(pki, "prime", pki->n_primes, octets, sizeof(octets));
        octets[0] |= 0xC0;
        octets[PRIME_OCTETS - 1] |= 1;
        BIGNUM *p = BN_bin2bn(octets, PRIME_OCTETS, NULL);
        OPENSSL_cleanse(octets, sizeof(octets));
        MUST(p != NULL);
        /* p - 1 must not be a multiple of the public exponent 65537. */
        while (BN_mod_word(p, 65537) == 1 || BN_check_prime(p, pki->numbers, NULL) != 1) {
            MUST(BN_add_word(p, 2) == 1);
        }
        pki->primes[pki->n_primes++] = p;
    }
    return pki->primes[number];
}

static EVP_PKEY *from_params(const char *kind, OSSL_PARAM_BLD *build)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
    EVP_PKEY *key = NULL;
    MUST(params != NULL && ctx != NULL);
    MUST(EVP_PKEY_fromdata_init(ctx) == 1);
    MUST(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) == 1);
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    return key;
}

static EVP_PKEY *rsa_of(struct testpki *pki, const BIGNUM *p, const BIGNUM *q)
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *n = BN_new(), *e = BN_new(), *d = BN_new(), *p1 = BN_dup(p), *q1 = BN_dup(q), *phi = BN_new();
    BIGNUM *dp = BN_new(), *dq = BN_new(), *qinv = BN_new();

    MUST(BN_mul(n, p, q, pki->numbers) == 1 && BN_set_word(e, 65537) == 1);
    MUST(BN_sub_word(p1, 1) == 1 && BN_sub_word(q1, 1) == 1 && BN_mul(phi, p1, q1, pki->numbers) == 1);
    MUST(BN_mod_inverse(d, e, phi, pki->numbers) != NULL);
    MUST(BN_mod(dp, d, p1, pki->numbers) == 1 && BN_mod(dq, d, q1, pki->numbers) == 1);
    MUST(BN_mod_inverse(qinv, q, p, pki->numbers) != NULL);

    const struct {
        const char *name;
        const BIGNUM *value;
    } parts[] = {
        {OSSL_PKEY_PARAM_RSA_N, n},          {OSSL_PKEY_PARAM_RSA_E, e},
        {OSSL_PKEY_PARAM_RSA_D, d},          {OSSL_PKEY_PARAM_RSA_FACTOR1, p},
        {OSSL_PKEY_PARAM_RSA_FACTOR2, q},    {OSSL_PKEY_PARAM_RSA_EXPONENT1, dp},
        {OSSL_PKEY_PARAM_RSA_EXPONENT2, dq}, {OSSL_PKEY_PARAM_RSA_COEFFICIENT1, qinv},
    };
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        MUST(OSSL_PARAM_BLD_push_BN(build, parts[i].name, parts[i].value) == 1);
    }
    EVP_PKEY *key = from_params("RSA", build);

    BIGNUM *all[] = {n, e, d, p1, q1, phi, dp, dq, qinv};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
        BN_clear_free(all[i]);
    }
    return key;
}

/* The pair of primes with this number: (1,0), (2,0), (2,1), (3,0)… */
static EVP_PKEY *rsa_key(struct testpki *pki, unsigned number)
{
    unsigned high = 1;
    while (number >= high) {
        number -= high++;
    }
    MUST(high < PRIMES_MAX);
    const BIGNUM *p = prime(pki, high), *q = prime(pki, number);
    return BN_cmp(p, q) > 0 ? rsa_of(pki, p, q) : rsa_of(pki, q, p);
}

static EVP_PKEY *p256_key(struct testpki *pki, unsigned index)
{
    unsigned char scalar[32], point[65];
    derive(pki, "p256", index, scalar, sizeof(scalar));
    scalar[0] &= 0x7F; /* below the group's order */
    scalar[31] |= 1;   /* never 0 */

    BIGNUM *d = BN_bin2bn(scalar, sizeof(scalar), NULL);
    EC_POINT *public_point = EC_POINT_new(pki->p256);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    MUST(EC_POINT_mul(pki->p256, public_point, d, NULL, NULL, pki->numbers) == 1);
    MUST(EC_POINT_point2oct(pki->p256, public_point, POINT_CONVERSION_UNCOMPRESSED, point, sizeof(point),
                            pki->numbers) == sizeof(point));
    MUST(OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1);
    MUST(OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)) == 1);
    MUST(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, d) == 1);
    EVP_PKEY *key = from_params("EC", build);

    OPENSSL_cleanse(scalar, sizeof(scalar));
    EC_POINT_free(public_point);
    BN_clear_free(d);
    return key;
}

static void set_name(X509_NAME *name, const char *cn)
{
    const struct {
        const char *field, *value;
    } parts[] = {{"C", "NO"}, {"O", "Certline Test"}, {"CN", cn}};
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        MUST(X509_NAME_add_entry_by_txt(name, parts[i].field, MBSTRING_ASC,
                                        (const unsigned char *)parts[i].value, -1, -1, 0) == 1);
    }
}

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    MUST(extension != NULL);
    MUST(X509_add_ext(cert, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

/* A certificate for `key`, not yet signed; the serial number has 126 bits of the seed's. */
static X509 *certificate(const struct testpki *pki, const char *word, unsigned index, const char *cn,
                         EVP_PKEY *key)
{
    X509 *cert = X509_new();
    unsigned char serial[16];
    derive(pki, word, index, serial, sizeof(serial));
    serial[0] = (unsigned char)((serial[0] & 0x3F) | 0x40);
    BIGNUM *number = BN_bin2bn(serial, sizeof(serial), NULL);
    MUST(cert != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL);
    BN_free(number);

    MUST(X509_set_version(cert, X509_VERSION_3) == 1);
    MUST(ASN1_TIME_set_string_X509(X509_getm_notBefore(cert), "20240101000000Z") == 1);
    MUST(ASN1_TIME_set_string_X509(X509_getm_notAfter(cert), "20491231235959Z") == 1);
    MUST(X509_set_pubkey(cert, key) == 1);
    set_name(X509_get_subject_name(cert), cn);
    return cert;
}

/* The text of a memory BIO, which is wiped and freed. */
static char *text_of(BIO *bio)
{
    char *data;
    long len = BIO_get_mem_data(bio, &data);
    MUST(len > 0);
    char *text = malloc((size_t)len + 1);
    MUST(text != NULL);
    memcpy(text, data, (size_t)len);
    text[len] = '\0';
    OPENSSL_cleanse(data, (size_t)len);
    BIO_free(bio);
    return text;
}

static char *cert_pem(X509 *cert)
{
    BIO *bio = BIO_new(BIO_s_mem());
    MUST(PEM_write_bio_X509(bio, cert) == 1);
    return text_of(bio);
}

static char *key_pem(EVP_PKEY *key, enum testpki_key kind)
{
    BIO *bio = BIO_new(BIO_s_mem());
    if (kind == TESTPKI_P256_SEC1 || kind == TESTPKI_RSA2048_PKCS1) {
        MUST(PEM_write_bio_PrivateKey_traditional(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
    } else {
        MUST(PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
    }
    return text_of(bio);
}

struct testpki *testpki_new(unsigned seed)
{
    struct testpki *pki = calloc(1, sizeof(*pki));
    MUST(pki != NULL);
    pki->seed = seed;
    pki->p256 = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    pki->numbers = BN_CTX_new();
    MUST(pki->p256 != NULL && pki->numbers != NULL);

    pki->ca_key = rsa_key(pki, 0);
    pki->ca = certificate(pki, "ca", 0, "Certline Test CA", pki->ca_key);
    MUST(X509_set_issuer_name(pki->ca, X509_get_subject_name(pki->ca)) == 1);
    add_extension(pki->ca, pki->ca, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(pki->ca, pki->ca, NID_subject_key_identifier, "hash");
    MUST(X509_sign(pki->ca, pki->ca_key, EVP_sha256()) > 0);
    pki->ca_pem = cert_pem(pki->ca);
    return pki;
}

void testpki_free(struct testpki *pki)
{
    if (pki == NULL) {
        return;
    }
    for (unsigned i = 0; i < pki->n_primes; i++) {
        BN_clear_free(pki->primes[i]);
    }
    free(pki->ca_pem);
    X509_free(pki->ca);
    EVP_PKEY_free(pki->ca_key);
    BN_CTX_free(pki->numbers);
    EC_GROUP_free(pki->p256);
    free(pki);
}

struct signer *testpki_signer(const struct testpki *pki)
{
    static const char passphrase[] = "a passphrase for tests";
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    struct signer *signer = NULL;
    MUST(PEM_write_bio_PKCS8PrivateKey(bio, pki->ca_key, EVP_aes_256_cbc(), passphrase,
                                       sizeof(passphrase) - 1, NULL, NULL) == 1);
    long len = BIO_get_mem_data(bio, &text);
    MUST(signer_open_file(span_str(pki->ca_pem), span_of(text, (size_t)len), span_str(passphrase), &signer,
                          NULL) == 0);
    BIO_free(bio);
    return signer;
}

const char *testpki_ca(const struct testpki *pki)
{
    return pki->ca_pem;
}

static EVP_PKEY *bundle_key(struct testpki *pki, unsigned index, enum testpki_key kind)
{
    switch (kind) {
    case TESTPKI_P256:
    case TESTPKI_P256_SEC1:
        return p256_key(pki, index);
    case TESTPKI_RSA2048:
    case TESTPKI_RSA2048_PKCS1:
        return rsa_key(pki, index + 1); /* 0 is the CA's */
    case TESTPKI_P384:
        return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
    case TESTPKI_ED25519:
        return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    }
    return NULL;
}

void testpki_bundle(struct testpki *pki, unsigned index, enum testpki_key kind, struct testpki_bundle *ret)
{
    static const char *const words[] = {
        [TESTPKI_P256] = "p256-serial",   [TESTPKI_P256_SEC1] = "p256-serial",
        [TESTPKI_RSA2048] = "rsa-serial", [TESTPKI_RSA2048_PKCS1] = "rsa-serial",
        [TESTPKI_P384] = "p384-serial",   [TESTPKI_ED25519] = "ed-serial",
    };
    char cn[48];
    (void)snprintf(cn, sizeof(cn), "nrf-%u-%u", pki->seed, index);
    EVP_PKEY *key = bundle_key(pki, index, kind);
    MUST(key != NULL);

    X509 *cert = certificate(pki, words[kind], index, cn, key);
    MUST(X509_set_issuer_name(cert, X509_get_subject_name(pki->ca)) == 1);
    add_extension(cert, pki->ca, NID_basic_constraints, "critical,CA:FALSE");
    add_extension(cert, pki->ca, NID_key_usage, "critical,digitalSignature");
    add_extension(cert, pki->ca, NID_subject_key_identifier, "hash");
    add_extension(cert, pki->ca, NID_authority_key_identifier, "keyid");
    MUST(X509_sign(cert, pki->ca_key, EVP_sha256()) > 0);
    *ret = (struct testpki_bundle){.client_cert = cert_pem(cert), .private_key = key_pem(key, kind)};
    X509_free(cert);
    EVP_PKEY_free(key);
}

void testpki_text_free(char *text)
{
    if (text != NULL) {
        OPENSSL_cleanse(text, strlen(text));
        free(text);
    }
}

void testpki_bundle_done(struct testpki_bundle *bundle)
{
    testpki_text_free(bundle->client_cert);
    testpki_text_free(bundle->private_key);
    *bundle = (struct testpki_bundle){0};
}

/* Appends a member; a line feed becomes the escape that JSON asks for, and nothing else needs one. */
static size_t add_member(char *out, size_t at, const char *name, const char *value)
{
    if (value == NULL) {
        return at;
    }
    at += (size_t)sprintf(out + at, "%s\"%s\":\"", at == 1 ? "" : ",", name);
    for (; *value != '\0'; value++) {
        if (*value == '\n') {
            out[at++] = '\\';
            out[at++] = 'n';
        } else {
            out[at++] = *value;
        }
    }
    out[at++] = '"';
    return at;
}

char *testpki_row(struct testpki *pki, unsigned index, enum testpki_key key, const char *id, const char *imei,
                  const char *product, const char *lot)
{
    struct testpki_bundle bundle;
    testpki_bundle(pki, index, key, &bundle);
    const struct {
        const char *name, *value;
    } members[] = {
        {"id", id},
        {"imei", imei},
        {"product", product},
        {"lot", lot},
        {"client_cert", bundle.client_cert},
        {"private_key", bundle.private_key},
    };
    size_t size = 8;
    for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
        size += members[i].value != NULL ? 2 * strlen(members[i].value) + 32 : 0;
    }

    char *row = malloc(size);
    MUST(row != NULL);
    size_t at = 0;
    row[at++] = '{';
    for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
        at = add_member(row, at, members[i].name, members[i].value);
    }
    memcpy(row + at, "}\n", 3);
    testpki_bundle_done(&bundle);
    return row;
}
