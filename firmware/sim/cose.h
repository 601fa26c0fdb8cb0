/* What modems sign: a CBOR message and a COSE_Sign1 of it, both base64url without padding, as
 * "<message>.<COSE>" or, where the message travels inside, "<other>.<COSE>". */
#ifndef CERTLINE_SIM_COSE_H
#define CERTLINE_SIM_COSE_H

#include "sim/modem.h"
#include "sim/octets.h"
#include "sim/p256.h"

#define UUID_SIZE  16
#define NONCE_SIZE 16

/* Messages by their number, the first item of the array. */
enum cose_message {
    COSE_DEVICE_IDENTITY = 1,
    COSE_PUBLIC_KEY = 8,
    COSE_CSR = 9,
};

/* The device's own key: the same for a board as long as its seed, number and UUID are. */
int cose_identity_key(const struct modem *m, struct p256_key *ret);

/* Text of a UUID as its octets; what is no hexadecimal digit is skipped. */
void cose_uuid(const char *text, uint8_t out[UUID_SIZE]);
void cose_nonce(struct rng *rng, uint8_t out[NONCE_SIZE]);

/* Begins a message: the mark of CBOR, an array of five, its number, the device's UUID. */
void cose_message(struct octets *out, const struct modem *m, enum cose_message number);

/* Signs `payload`; `is_detached`: it is left out of the structure. -1 when memory is short. */
int cose_sign(struct octets *out, const struct octets *payload, bool is_detached, const struct p256_key *key,
              struct rng *rng);

/* Adds the octets to the answer in base64url. */
void cose_reply(struct modem_reply *reply, const uint8_t *at, size_t len);

#endif
