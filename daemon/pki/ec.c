/* Groups are made once: making one costs more than using it. OpenSSL only reads them afterwards. */
#include "pki/ec.h"

#include <assert.h>
#include <errno.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/objects.h>
#include <pthread.h>
#include <string.h>

#include "base/err.h"
#include "pki/digest.h"

static const struct curve {
    int nid;
    size_t point_len;
    struct span spki; /* the SubjectPublicKeyInfo up to the point */
} curves[] = {
    [KEY_P256] = {NID_X9_62_prime256v1,
                  65,
                  {"\x30\x59\x30\x13\x06\x07\x2A\x86\x48\xCE\x3D\x02\x01"
                   "\x06\x08\x2A\x86\x48\xCE\x3D\x03\x01\x07\x03\x42\x00",
                   26}},
    [KEY_P384] = {NID_secp384r1,
                  97,
                  {"\x30\x76\x30\x10\x06\x07\x2A\x86\x48\xCE\x3D\x02\x01"
                   "\x06\x05\x2B\x81\x04\x00\x22\x03\x62\x00",
                   23}},
};

static EC_GROUP *groups[sizeof(curves) / sizeof(*curves)];

static void make_groups(void)
{
    groups[KEY_P256] = EC_GROUP_new_by_curve_name(curves[KEY_P256].nid);
    groups[KEY_P384] = EC_GROUP_new_by_curve_name(curves[KEY_P384].nid);
}

static const EC_GROUP *group_of(enum key_kind kind)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    assert(kind == KEY_P256 || kind == KEY_P384);
    pthread_once(&once, make_groups);
    return groups[kind];
}

enum key_kind ec_kind_of_curve(const ASN1_TYPE *parameters)
{
    if (parameters == NULL || parameters->type != V_ASN1_OBJECT) {
        return KEY_OTHER;
    }
    int nid = OBJ_obj2nid(parameters->value.object);
    return nid == curves[KEY_P256].nid ? KEY_P256 : nid == curves[KEY_P384].nid ? KEY_P384 : KEY_OTHER;
}

enum key_kind ec_kind_of(const X509_ALGOR *algor)
{
    const ASN1_OBJECT *object;
    int type;
    const void *value;
    X509_ALGOR_get0(&object, &type, &value, algor);
    if (OBJ_obj2nid(object) != NID_X9_62_id_ecPublicKey || type != V_ASN1_OBJECT) {
        return KEY_OTHER;
    }
    const ASN1_TYPE parameters = {.type = type, .value.object = (ASN1_OBJECT *)(uintptr_t)value};
    return ec_kind_of_curve(&parameters);
}

static int write_point(enum key_kind kind, const EC_POINT *point, BN_CTX *ctx, struct ec_point *ret)
{
    size_t len = EC_POINT_point2oct(group_of(kind), point, POINT_CONVERSION_UNCOMPRESSED, ret->octets,
                                    sizeof(ret->octets), ctx);
    ret->len = len;
    return len == curves[kind].point_len ? 0 : ERR_FORMAT;
}

int ec_public_of(enum key_kind kind, struct span scalar, struct ec_point *ret)
{
    const EC_GROUP *group = group_of(kind);
    if (scalar.len == 0 || scalar.len > 2 * EC_POINT_SIZE_MAX || group == NULL) {
        return ERR_FORMAT;
    }
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *number = BN_bin2bn((const unsigned char *)scalar.at, (int)scalar.len, NULL);
    EC_POINT *point = EC_POINT_new(group);
    int rc = ctx == NULL || number == NULL || point == NULL ? -ENOMEM : 0;
    if (rc == 0) {
        BN_set_flags(number, BN_FLG_CONSTTIME);
        bool is_in_range = !BN_is_zero(number) && BN_cmp(number, EC_GROUP_get0_order(group)) < 0;
        rc = is_in_range && EC_POINT_mul(group, point, number, NULL, NULL, ctx) == 1
                 ? write_point(kind, point, ctx, ret)
                 : ERR_FORMAT;
    }
    EC_POINT_clear_free(point);
    BN_clear_free(number);
    BN_CTX_free(ctx);
    return rc;
}

int ec_point_read(enum key_kind kind, struct span octets, struct ec_point *ret)
{
    const EC_GROUP *group = group_of(kind);
    BN_CTX *ctx = BN_CTX_new();
    EC_POINT *point = group != NULL ? EC_POINT_new(group) : NULL;
    int rc = ERR_FORMAT;
    if (ctx != NULL && point != NULL && octets.len > 1 && /* one octet: the point at infinity */
        EC_POINT_oct2point(group, point, (const unsigned char *)octets.at, octets.len, ctx) == 1) {
        rc = write_point(kind, point, ctx, ret);
    }
    EC_POINT_free(point);
    BN_CTX_free(ctx);
    return rc;
}

void ec_fingerprint(enum key_kind kind, const struct ec_point *point, struct digest *ret)
{
    char spki[32 + EC_POINT_SIZE_MAX];
    struct span prefix = curves[kind].spki;
    memcpy(spki, prefix.at, prefix.len);
    memcpy(spki + prefix.len, point->octets, point->len);
    sha256(span_of(spki, prefix.len + point->len), ret);
}
