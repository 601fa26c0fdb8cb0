/*
 * OpenSSL signs with a random number of its own, and DER shortens a signature by chance, so that two runs
 * with one seed would differ in length and with it in time. Hence ECDSA is done here over its curve
 * arithmetic: k from the dice, r = (kG).x, s = (z + r d) / k, all modulo the order. Repeatable k is fatal for
 * real keys and the point of these.
 */
#include "sim/p256.h"

#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

/* DER around the numbers of a key. */
static const uint8_t spki_head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                    0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                    0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
static const uint8_t pkcs8_head[] = {0x30, 0x81, 0x87, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86,
                                     0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d,
                                     0x03, 0x01, 0x07, 0x04, 0x6d, 0x30, 0x6b, 0x02, 0x01, 0x01, 0x04, 0x20};
static const uint8_t pkcs8_middle[] = {0xa1, 0x44, 0x03, 0x42, 0x00};

_Static_assert(sizeof spki_head + P256_POINT == P256_SPKI, "a public key's DER");

/* What a computation needs, all or nothing. */
struct math {
    EC_GROUP *group;
    EC_POINT *point;
    BN_CTX *ctx;
    BIGNUM *d, *k, *r, *s, *z;
};

static void math_done(struct math *m)
{
    BIGNUM *numbers[] = {m->d, m->k, m->r, m->s, m->z};

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        BN_free(numbers[i]);
    EC_POINT_free(m->point);
    EC_GROUP_free(m->group);
    BN_CTX_free(m->ctx);
}

static bool math_init(struct math *m)
{
    *m = (struct math){.group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1),
                       .ctx = BN_CTX_new(),
                       .d = BN_new(),
                       .k = BN_new(),
                       .r = BN_new(),
                       .s = BN_new(),
                       .z = BN_new()};
    if (m->group)
        m->point = EC_POINT_new(m->group);
    return m->point && m->ctx && m->d && m->k && m->r && m->s && m->z;
}

/* A number from 1 to the order less one: the bias of reducing 256 bits is below 2^-32 and does not matter. */
static bool draw(const struct math *m, struct rng *rng, BIGNUM *ret)
{
    uint8_t octets[32];

    for (size_t i = 0; i < sizeof octets; i += 8) {
        uint64_t x = rng_next(rng);
        memcpy(octets + i, &x, sizeof x);
    }
    return BN_bin2bn(octets, sizeof octets, ret) &&
           BN_nnmod(ret, ret, EC_GROUP_get0_order(m->group), m->ctx) && (!BN_is_zero(ret) || BN_one(ret));
}

int p256_make(struct p256_key *key, struct rng *rng)
{
    struct math m;

    bool is_made =
        math_init(&m) && draw(&m, rng, m.d) && EC_POINT_mul(m.group, m.point, m.d, NULL, NULL, m.ctx) &&
        BN_bn2binpad(m.d, key->d, sizeof key->d) == sizeof key->d &&
        EC_POINT_point2oct(m.group, m.point, POINT_CONVERSION_UNCOMPRESSED, key->q, sizeof key->q, m.ctx) ==
            sizeof key->q;
    math_done(&m);
    return is_made ? 0 : -1;
}

static bool sign(struct math *m, const struct p256_key *key, const uint8_t *digest, struct rng *rng)
{
    const BIGNUM *order = EC_GROUP_get0_order(m->group);

    do {
        if (!draw(m, rng, m->k) || !EC_POINT_mul(m->group, m->point, m->k, NULL, NULL, m->ctx) ||
            !EC_POINT_get_affine_coordinates(m->group, m->point, m->r, NULL, m->ctx) ||
            !BN_nnmod(m->r, m->r, order, m->ctx) || !BN_bin2bn(key->d, sizeof key->d, m->d) ||
            !BN_bin2bn(digest, SIM_SHA256_SIZE, m->z) || !BN_mod_mul(m->s, m->r, m->d, order, m->ctx) ||
            !BN_mod_add(m->s, m->s, m->z, order, m->ctx) || !BN_mod_inverse(m->k, m->k, order, m->ctx) ||
            !BN_mod_mul(m->s, m->s, m->k, order, m->ctx))
            return false;
    } while (BN_is_zero(m->r) || BN_is_zero(m->s));
    return true;
}

int p256_sign(const struct p256_key *key, const uint8_t digest[SIM_SHA256_SIZE], struct rng *rng,
              uint8_t out[P256_SIGN])
{
    struct math m;

    bool is_signed = math_init(&m) && sign(&m, key, digest, rng) && BN_bn2binpad(m.r, out, 32) == 32 &&
                     BN_bn2binpad(m.s, out + 32, 32) == 32;
    math_done(&m);
    return is_signed ? 0 : -1;
}

/* An INTEGER has no leading zero but the one that keeps it positive. */
static size_t put_integer(uint8_t *out, const uint8_t number[32])
{
    size_t skip = 0;
    while (skip < 31 && number[skip] == 0)
        skip++;
    size_t pad = number[skip] >> 7;
    out[0] = 0x02;
    out[1] = (uint8_t)(32 - skip + pad);
    out[2] = 0;
    memcpy(out + 2 + pad, number + skip, 32 - skip);
    return 2 + pad + 32 - skip;
}

size_t p256_sign_der(const uint8_t sign[P256_SIGN], uint8_t out[P256_DER_MAX])
{
    size_t n = put_integer(out + 2, sign);
    n += put_integer(out + 2 + n, sign + 32);
    out[0] = 0x30;
    out[1] = (uint8_t)n;
    return n + 2;
}

static bool is_p256(EVP_PKEY *pkey)
{
    char group[32] = "";
    size_t len;

    return pkey && EVP_PKEY_get_base_id(pkey) == EVP_PKEY_EC &&
           EVP_PKEY_get_group_name(pkey, group, sizeof group, &len) && strcmp(group, "prime256v1") == 0;
}

/* A PEM asks for no password here: an encrypted one is simply not read. */
static int no_password(char *buffer, int size, int is_writing, void *user)
{
    (void)buffer;
    (void)size;
    (void)is_writing;
    (void)user;
    return -1;
}

int p256_read(struct p256_key *ret, const char *pem, size_t len)
{
    BIO *bio = BIO_new_mem_buf(pem, (int)len);
    EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
    BIGNUM *d = NULL;
    size_t q_len = 0;

    bool is_read =
        is_p256(pkey) && EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_PRIV_KEY, &d) &&
        BN_bn2binpad(d, ret->d, sizeof ret->d) == sizeof ret->d &&
        EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, ret->q, sizeof ret->q, &q_len) &&
        q_len == sizeof ret->q;
    BN_clear_free(d);
    EVP_PKEY_free(pkey);
    BIO_free(bio);
    return is_read ? 0 : -1;
}

/* The body between the marks, line ends or none. */
static EVP_PKEY *read_public(const char *pem, size_t len)
{
    static const char begin[] = "-----BEGIN PUBLIC KEY-----";
    char body[256];
    uint8_t der[192];
    size_t n = 0;

    if (len < sizeof begin || memcmp(pem, begin, sizeof begin - 1) != 0)
        return NULL;
    for (size_t i = sizeof begin - 1; i < len && pem[i] != '-'; i++) {
        if ((unsigned char)pem[i] <= ' ')
            continue;
        if (n == sizeof body)
            return NULL;
        body[n++] = pem[i];
    }
    int der_len = EVP_DecodeBlock(der, (const unsigned char *)body, (int)n);
    const uint8_t *at = der;
    return der_len >= P256_SPKI ? d2i_PUBKEY(NULL, &at, der_len) : NULL;
}

int p256_verify(const char *pem, size_t pem_len, const void *octets, size_t len, const uint8_t *der,
                size_t der_len)
{
    EVP_PKEY *pkey = read_public(pem, pem_len);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int result = -1;

    if (is_p256(pkey) && ctx)
        result = EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, pkey) == 1 &&
                 EVP_DigestVerify(ctx, der, der_len, octets, len) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    return result;
}

void p256_spki(const struct p256_key *key, uint8_t out[P256_SPKI])
{
    memcpy(out, spki_head, sizeof spki_head);
    memcpy(out + sizeof spki_head, key->q, sizeof key->q);
}

static size_t write_pem(char out[P256_PEM_SIZE], const char *label, const uint8_t *der, size_t len)
{
    char body[200];
    int n = EVP_EncodeBlock((unsigned char *)body, der, (int)len);
    size_t made = (size_t)sprintf(out, "-----BEGIN %s-----\n", label);

    for (int at = 0; at < n; at += 64)
        made += (size_t)sprintf(out + made, "%.64s\n", body + at);
    return made + (size_t)sprintf(out + made, "-----END %s-----\n", label);
}

size_t p256_private_pem(const struct p256_key *key, char out[P256_PEM_SIZE])
{
    uint8_t der[sizeof pkcs8_head + sizeof key->d + sizeof pkcs8_middle + P256_POINT];
    uint8_t *at = der;

    memcpy(at, pkcs8_head, sizeof pkcs8_head);
    memcpy(at += sizeof pkcs8_head, key->d, sizeof key->d);
    memcpy(at += sizeof key->d, pkcs8_middle, sizeof pkcs8_middle);
    memcpy(at + sizeof pkcs8_middle, key->q, sizeof key->q);
    return write_pem(out, "PRIVATE KEY", der, sizeof der);
}

size_t p256_public_pem(const struct p256_key *key, char out[P256_PEM_SIZE])
{
    uint8_t der[P256_SPKI];

    p256_spki(key, der);
    return write_pem(out, "PUBLIC KEY", der, sizeof der);
}
