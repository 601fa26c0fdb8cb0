/*
 * The answer to %KEYGEN: "<request>.<signed message>", both base64url without padding.
 *
 *   request         a PKCS#10 certificate request for a P-256 key, self-signed. Modem firmware 1.3 to 2.0.x
 *                   writes a NULL parameter behind ecdsa-with-SHA256, which RFC 5758 (3.2) forbids and strict
 *                   readers refuse
 *   signed message  pki/cose.h: says under which tag of which device the key was made, and holds SHA-256 of
 * the request as it was sent, NULL included
 *
 * So the digest is compared before anything is normalised. The checks tell a request that came over whole
 * from one that lost an octet, and one board's from another's.
 */
#ifndef CERTLINE_PKI_CSR_H
#define CERTLINE_PKI_CSR_H

#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "pki/cose.h"
#include "pki/cred.h"

#define CSR_DER_MAX  1024
#define CSR_SPKI_MAX 128
#define CSR_CN_SIZE  129

struct csr {
    struct digest fingerprint;  /* of its public key, as struct cert has it */
    uint8_t spki[CSR_SPKI_MAX]; /* SubjectPublicKeyInfo in DER */
    size_t spki_len;
    char subject_cn[CSR_CN_SIZE]; /* "" when it has none */
};

/* A request by itself: DER, P-256, its own signature. 0; ERR_FORMAT with what is wrong; -ENOMEM. */
int csr_parse(struct span der, struct csr *ret, struct err_info *reterr);

/* The same request as RFC 5758 has it, without the NULL. Its digest is another one. Returns the length, or
 * ERR_FORMAT, ERR_FULL, -ENOMEM. */
int64_t csr_normalise(struct span der, uint8_t *out, size_t size);

struct csr_reply {
    struct csr csr;
    struct cose_key key;
    char uuid[COSE_UUID_TEXT];
    uint8_t der[CSR_DER_MAX]; /* the request as it was sent */
    size_t der_len;
};

/*
 * Reads an answer and holds it against what was asked for: a request for a key under this tag, from the
 * device with this UUID (NULL or "": not known). 0; ERR_FORMAT when it is not whole; ERR_CONFLICT when it is
 * whole and says something else; -ENOMEM. *reterr says what.
 */
int csr_read_reply(struct span text, uint32_t sec_tag, const char *uuid, struct csr_reply *ret,
                   struct err_info *reterr);

#endif
