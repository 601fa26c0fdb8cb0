/*
 * A wrapping key that takes a token to make. The key file holds random octets that are no secret by
 * themselves; a key on a PKCS#11 token, which never leaves it, makes the wrapping key of them. So files and
 * backups open nothing without the token, and the key is changed like any other: by another file.
 *
 * The token is asked once at start: what it makes stays in locked memory, and no board ever waits for a
 * token.
 *
 * The key on the token is AES or a generic secret; the wrapping key is that of NIST SP 800-108's counter mode
 * with CMAC or HMAC-SHA-256: PRF(key, [i] || "certline wrapping key 1" || 0 || the file's octets || [256]),
 * with [i] and [256] of four octets.
 */
#ifndef CERTLINE_PKI_SEAL_TOKEN_H
#define CERTLINE_PKI_SEAL_TOKEN_H

#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "pki/seal.h"
#include "pki/token.h"

struct seal_token;

/* Errors as signer_open_token. One thread at a time. */
int seal_token_open(const struct token_place *place, struct span pin, struct seal_token **ret,
                    struct err_info *reterr);
void seal_token_close(struct seal_token *token); /* NULL is allowed */

/* 0, or ERR_CRYPTO; ERR_REFUSED when the key is of a kind that cannot. `out` is secret. */
int seal_token_make(struct seal_token *token, const uint8_t seed[SEAL_KEY_SIZE], uint8_t out[SEAL_KEY_SIZE],
                    struct err_info *reterr);

#endif
