/* The macros are OpenSSL's own way to say what a structure looks like; they make tables, not code. */
#include "pki/asn1.h"

#include <openssl/asn1t.h>

#include "pki/pem.h"

typedef struct asn1_spki SPKI;
typedef struct asn1_tbs TBS;
typedef struct asn1_cert CERT;
typedef struct asn1_ec_key EC_KEY_INFO;

/* clang-format off */
ASN1_SEQUENCE(SPKI) = {
    ASN1_SIMPLE(SPKI, algor, X509_ALGOR),
    ASN1_SIMPLE(SPKI, key, ASN1_BIT_STRING),
} static_ASN1_SEQUENCE_END(SPKI)

ASN1_SEQUENCE(TBS) = {
    ASN1_EXP_OPT(TBS, version, ASN1_INTEGER, 0),
    ASN1_SIMPLE(TBS, serial, ASN1_INTEGER),
    ASN1_SIMPLE(TBS, signature, X509_ALGOR),
    ASN1_SIMPLE(TBS, issuer, X509_NAME),
    ASN1_SIMPLE(TBS, validity, X509_VAL),
    ASN1_SIMPLE(TBS, subject, X509_NAME),
    ASN1_SIMPLE(TBS, spki, SPKI),
    ASN1_IMP_OPT(TBS, issuer_uid, ASN1_BIT_STRING, 1),
    ASN1_IMP_OPT(TBS, subject_uid, ASN1_BIT_STRING, 2),
    ASN1_EXP_SEQUENCE_OF_OPT(TBS, extensions, X509_EXTENSION, 3),
} static_ASN1_SEQUENCE_END(TBS)

ASN1_SEQUENCE(CERT) = {
    ASN1_SIMPLE(CERT, tbs, TBS),
    ASN1_SIMPLE(CERT, algor, X509_ALGOR),
    ASN1_SIMPLE(CERT, signature, ASN1_BIT_STRING),
} static_ASN1_SEQUENCE_END(CERT)

ASN1_SEQUENCE(EC_KEY_INFO) = {
    ASN1_SIMPLE(EC_KEY_INFO, version, ASN1_INTEGER),
    ASN1_SIMPLE(EC_KEY_INFO, scalar, ASN1_OCTET_STRING),
    ASN1_EXP_OPT(EC_KEY_INFO, parameters, ASN1_ANY, 0),
    ASN1_EXP_OPT(EC_KEY_INFO, point, ASN1_BIT_STRING, 1),
} static_ASN1_SEQUENCE_END(EC_KEY_INFO)
                            /* clang-format on */

                            static void *
                            read_whole(struct span der, const ASN1_ITEM *item)
{
    const unsigned char *at = (const unsigned char *)der.at;
    void *value =
        der.len > 0 && der.len <= PEM_TEXT_MAX ? ASN1_item_d2i(NULL, &at, (long)der.len, item) : NULL;
    if (value != NULL && at != (const unsigned char *)der.at + der.len) {
        ASN1_item_free((ASN1_VALUE *)value, item);
        value = NULL;
    }
    return value;
}

struct asn1_cert *asn1_cert_read(struct span der)
{
    return read_whole(der, ASN1_ITEM_rptr(CERT));
}

void asn1_cert_free(struct asn1_cert *cert)
{
    ASN1_item_free((ASN1_VALUE *)cert, ASN1_ITEM_rptr(CERT));
}

struct asn1_ec_key *asn1_ec_key_read(struct span der)
{
    return read_whole(der, ASN1_ITEM_rptr(EC_KEY_INFO));
}

void asn1_ec_key_free(struct asn1_ec_key *key)
{
    ASN1_item_free((ASN1_VALUE *)key, ASN1_ITEM_rptr(EC_KEY_INFO));
}

int asn1_spki_write(const struct asn1_spki *spki, unsigned char **ret)
{
    *ret = NULL;
    return ASN1_item_i2d((const ASN1_VALUE *)spki, ret, ASN1_ITEM_rptr(SPKI));
}
