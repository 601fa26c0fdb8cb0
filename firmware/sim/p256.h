/*
 * P-256 keys of simulated modems. Keys and signatures come out of a board's own dice, so that a run repeats
 * octet for octet; they protect nothing. OpenSSL does the arithmetic, allocates and frees within each call.
 */
#ifndef CERTLINE_SIM_P256_H
#define CERTLINE_SIM_P256_H

#include "sim/board.h"
#include "sim/rng.h"

#define P256_POINT    65 /* 04, x, y */
#define P256_SIGN     64 /* r, s */
#define P256_DER_MAX  72 /* of a signature as SEQUENCE of two INTEGERs */
#define P256_SPKI     91
#define P256_PEM_SIZE 256 /* enough for either PEM, NUL included */

struct p256_key {
    uint8_t d[32];
    uint8_t q[P256_POINT];
};

/* A new key. Returns 0, or -1 when memory is short. */
int p256_make(struct p256_key *key, struct rng *rng);

/* The key of a PEM of any form that OpenSSL reads; -1 if it is not a P-256 private key. */
int p256_read(struct p256_key *ret, const char *pem, size_t len);

/* ECDSA over a SHA-256 digest. Returns 0, or -1 when memory is short. */
int p256_sign(const struct p256_key *key, const uint8_t digest[SIM_SHA256_SIZE], struct rng *rng,
              uint8_t out[P256_SIGN]);
size_t p256_sign_der(const uint8_t sign[P256_SIGN], uint8_t out[P256_DER_MAX]);

/* Whether `der` signs the octets under the public key in `pem`, which may stand on one line. 1, 0, or -1 if
 * the PEM is no P-256 public key. */
int p256_verify(const char *pem, size_t pem_len, const void *octets, size_t len, const uint8_t *der,
                size_t der_len);

void p256_spki(const struct p256_key *key, uint8_t out[P256_SPKI]);
size_t p256_private_pem(const struct p256_key *key, char out[P256_PEM_SIZE]); /* PKCS#8 */
size_t p256_public_pem(const struct p256_key *key, char out[P256_PEM_SIZE]);

#endif
