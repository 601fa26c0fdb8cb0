/*
 * Certificates and EC private keys as OpenSSL's ASN.1 engine reads them, without OpenSSL's decoders: private
 * to pki/. In OpenSSL 3.0 d2i_X509 and EVP_PKCS82PKEY hand every key to a chain of providers, which costs
 * some 500 µs a bundle and is thirty times what reading the DER takes. The templates here are those of RFC
 * 5280 and RFC 5915 with the keys left as bit strings; the engine, its strictness and its memory are the
 * same.
 */
#ifndef CERTLINE_PKI_ASN1_H
#define CERTLINE_PKI_ASN1_H

#include <openssl/x509.h>

#include "base/span.h"

/* SubjectPublicKeyInfo */
struct asn1_spki {
    X509_ALGOR *algor;
    ASN1_BIT_STRING *key;
};

struct asn1_tbs {
    ASN1_INTEGER *version;
    ASN1_INTEGER *serial;
    X509_ALGOR *signature;
    X509_NAME *issuer;
    X509_VAL *validity;
    X509_NAME *subject;
    struct asn1_spki *spki;
    ASN1_BIT_STRING *issuer_uid, *subject_uid;
    STACK_OF(X509_EXTENSION) * extensions;
};

struct asn1_cert {
    struct asn1_tbs *tbs;
    X509_ALGOR *algor;
    ASN1_BIT_STRING *signature;
};

/* ECPrivateKey */
struct asn1_ec_key {
    ASN1_INTEGER *version;
    ASN1_OCTET_STRING *scalar; /* secret */
    ASN1_TYPE *parameters;     /* NULL: not there */
    ASN1_BIT_STRING *point;    /* NULL: not there */
};

/* The whole of `der` and nothing behind it, or NULL. */
struct asn1_cert *asn1_cert_read(struct span der);
void asn1_cert_free(struct asn1_cert *cert); /* NULL is allowed */

struct asn1_ec_key *asn1_ec_key_read(struct span der);
void asn1_ec_key_free(struct asn1_ec_key *key);

/* The SubjectPublicKeyInfo written again: its length, and in *ret memory for OPENSSL_free; or negative. */
int asn1_spki_write(const struct asn1_spki *spki, unsigned char **ret);

#endif
