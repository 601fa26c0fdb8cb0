/*
 * SHA-256: what the modem lists for a credential, what a product's version and the event chain are made of.
 *
 * None of these calls can fail: they work in the caller's memory. Usable from every thread; one struct sha256
 * belongs to one thread at a time.
 */
#ifndef CERTLINE_PKI_DIGEST_H
#define CERTLINE_PKI_DIGEST_H

#include "base/span.h"
#include "pki/cred.h"

/* Of the whole text at once. */
void sha256(struct span text, struct digest *ret);

/* HMAC-SHA-256 (RFC 2104) under a key of a digest's size. */
void sha256_hmac(const uint8_t key[DIGEST_SIZE], struct span text, struct digest *ret);

/* Piece by piece. Secrets may pass through: the state is wiped at the end. */
struct sha256 {
    _Alignas(uint64_t) uint8_t state[112]; /* OpenSSL's */
};

void sha256_init(struct sha256 *h);
void sha256_add(struct sha256 *h, struct span text);

/* The digest of what was added so far, without ending: the digests of all prefixes of a text cost one pass.
 */
void sha256_peek(const struct sha256 *h, struct digest *ret);

/* The digest, and the state is wiped. `h` may be initialised again. */
void sha256_finish(struct sha256 *h, struct digest *ret);

/* Wipes the state without a digest. Harmless on a finished or zeroed one. */
void sha256_done(struct sha256 *h);

#endif
