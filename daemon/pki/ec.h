/*
 * The two curves that an nRF91 knows, by their numbers: which curve an algorithm identifier names, the public
 * point of a private scalar, and whether some octets are a point. Private to pki/.
 *
 * The point is computed and never taken from a key file, so that a comparison with a certificate's says who
 * owns the certificate, as a signature would, for a tenth of the time. All functions are safe on every
 * thread.
 */
#ifndef CERTLINE_PKI_EC_H
#define CERTLINE_PKI_EC_H

#include <openssl/x509.h>
#include <stdint.h>

#include "base/span.h"
#include "pki/cred.h"
#include "pki/x509.h"

#define EC_POINT_SIZE_MAX 97 /* 04, x, y on P-384 */

struct ec_point {
    size_t len; /* 65 or 97 */
    uint8_t octets[EC_POINT_SIZE_MAX];
};

/* KEY_P256, KEY_P384, or KEY_OTHER for everything else, curves written out in numbers among them. */
enum key_kind ec_kind_of(const X509_ALGOR *algor);
enum key_kind ec_kind_of_curve(const ASN1_TYPE *parameters);

/* The public point of a scalar, whose octets are secret. Constant in time. Returns 0; ERR_FORMAT for a scalar
 * that the curve does not have; -ENOMEM. */
int ec_public_of(enum key_kind kind, struct span scalar, struct ec_point *ret);

/* A point in any form that X9.62 knows → uncompressed. 0, or ERR_FORMAT when it is not on the curve. */
int ec_point_read(enum key_kind kind, struct span octets, struct ec_point *ret);

/* SHA-256 over the SubjectPublicKeyInfo with this point. */
void ec_fingerprint(enum key_kind kind, const struct ec_point *point, struct digest *ret);

#endif
