/*
 * Issuing a board's certificate: version 3, 128 random bits of serial number, the CA's name and key id, and
 * the extensions of a TLS client: basic constraints (no CA, critical), key usage (digital signature,
 * critical), extended key usage (client authentication), subject and authority key identifier (RFC 5280; the
 * key id is that of RFC 7093, method 1).
 */
#ifndef CERTLINE_PKI_CERTIFY_H
#define CERTLINE_PKI_CERTIFY_H

#include "pki/signer.h"

#define CERTIFY_SERIAL_SIZE 16
#define CERTIFY_PEM_MAX     4096
#define CERTIFY_BACKDATE_S  300 /* clocks of clouds and stations differ by some minutes */

struct certify_request {
    struct span spki;       /* the board's key, SubjectPublicKeyInfo in DER */
    const uint8_t *serial;  /* CERTIFY_SERIAL_SIZE octets, most significant first; never used before */
    const char *subject_cn; /* UTF-8, 1 to 64 characters (RFC 5280 A.1: ub-common-name) */
    const char *attributes; /* further parts of the subject, "O=Acme,C=no", or "". A CN in it is left out */
    int64_t now_s;          /* since 1970 */
    uint32_t validity_days; /* ends with the CA's own validity at the latest */
};

/* Whether these are attributes that certify and %KEYGEN take: ID=value, separated by commas; C, ST, L, O, OU,
 * CN, T, SN, serialNumber; values without comma, quote and control character. "" is good. */
bool certify_attributes_are_valid(const char *text);

/*
 * Writes the certificate as PEM with line feeds and a NUL. Returns its length; ERR_REFUSED when the CA's own
 * validity has ended or not begun; ERR_RANGE for a subject that cannot be; ERR_CRYPTO when the key could not
 * sign, or signed something else. What is returned has been verified with the CA's public key.
 */
int64_t certify(struct signer *signer, const struct certify_request *request, char out[CERTIFY_PEM_MAX],
                struct err_info *reterr);

#endif
