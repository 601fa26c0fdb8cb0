/*
 * What a modem signs: COSE_Sign1 (RFC 9052) around one of its messages. Both are parsed strictly, since they
 * have one form (nRF91, %KEYGEN and %ATTESTTOKEN; seen in three recorded key generations and one token):
 *
 *   tag 18, [ h'A10126' (ES256), { 4: h'21' } (by the identity key), payload or null, signature of 64 octets
 * ] message = tag 55799, [ number, UUID of 16 octets, three items more ]
 *
 * The signature can be checked only with the device's identity key, which none but Nordic's service knows;
 * what it protects is checked against other things that are known.
 */
#ifndef CERTLINE_PKI_COSE_H
#define CERTLINE_PKI_COSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "pki/cred.h"

#define COSE_UUID_SIZE  16
#define COSE_NONCE_SIZE 16
#define COSE_SIGN_SIZE  64
#define COSE_UUID_TEXT  37 /* lower case, 8-4-4-4-12, and NUL */

/* Messages by their number. */
enum cose_message {
    COSE_DEVICE_IDENTITY = 1,
    COSE_PUBLIC_KEY = 8,
    COSE_CSR = 9,
};

/* Points into the octets it was parsed from. */
struct cose_sign1 {
    bool is_detached;    /* the payload is elsewhere */
    struct span payload; /* empty when detached */
    struct span signature;
};

/* 0, or ERR_FORMAT with what is wrong. */
int cose_parse(struct span octets, struct cose_sign1 *ret, struct err_info *reterr);

/* The message that comes with a new key. */
struct cose_key {
    enum cose_message number; /* COSE_CSR or COSE_PUBLIC_KEY */
    uint8_t uuid[COSE_UUID_SIZE];
    uint32_t sec_tag;
    struct digest sha256; /* of the request, or of the public key, in DER as it was sent */
    uint8_t nonce[COSE_NONCE_SIZE];
};
int cose_read_key(struct span message, struct cose_key *ret, struct err_info *reterr);

/* The message of an attestation token. */
struct cose_identity {
    uint8_t uuid[COSE_UUID_SIZE];
    uint32_t device_type;
    uint8_t firmware[COSE_UUID_SIZE];
    uint8_t nonce[COSE_NONCE_SIZE];
};
int cose_read_identity(struct span message, struct cose_identity *ret, struct err_info *reterr);

void cose_uuid_text(const uint8_t uuid[COSE_UUID_SIZE], char out[COSE_UUID_TEXT]);

#endif
