/* The certificate request of %KEYGEN, as modems make it: with a NULL parameter in the signature's algorithm,
 * which strict readers refuse. */
#ifndef CERTLINE_SIM_CSR_H
#define CERTLINE_SIM_CSR_H

#include "sim/octets.h"
#include "sim/p256.h"

#define CSR_TEXT_MAX 256 /* of the attributes */

/* Whether "CN=x,O=y" can be read: known names, values of 1 to 64 characters. Likewise the bits of a key
 * usage, "101010000": 1 to 9 of them, one at least set. */
bool csr_is_subject(const char *text, size_t len);
bool csr_is_usage(const char *bits, size_t len);

/* Both texts must be good; a `text_len` of 0 is no attributes, and without CN the common name is `uuid`;
 * `bits_len` 0: the modem's own usage. Returns 0, or -1 when it becomes too long or memory is short. */
int csr_make(struct octets *out, const struct p256_key *key, const char *uuid, const char *text,
             size_t text_len, const char *bits, size_t bits_len, struct rng *rng);

#endif
