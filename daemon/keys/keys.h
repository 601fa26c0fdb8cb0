/*
 * Keys: the only part that opens what is sealed. A synchronous core: a message in, the same message answered,
 * nothing kept between two. Its actor's thread runs it, so that neither the line nor the store waits for
 * cryptography.
 *
 * It answers LEDGER_DIGEST, LEDGER_EXPLAIN, LEDGER_CSR, LEDGER_POSSESSION and LEDGER_ATTEST of job/ledger.h,
 * and seals what is imported. Signing is another actor's (keys/issuer.h), since a token may take its time.
 */
#ifndef CERTLINE_KEYS_KEYS_H
#define CERTLINE_KEYS_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "job/ledger.h"
#include "pki/cred.h"
#include "pki/seal.h"

struct keys; /* opaque: scratch in secret memory */

struct keys_config {
    const struct seal_key
        *wrapping_key; /* borrowed for the life of the keys; NULL: locked, DIGEST is refused */
};

/* NULL without memory. */
struct keys *keys_new(const struct keys_config *config);
void keys_free(struct keys *keys); /* NULL is allowed */

/*
 * Answers a message: fills `status`, and `reason` and `detail` unless that is LEDGER_OK. Keys' own thread
 * only.
 *
 * LEDGER_DIGEST. In: product, bundle, entries (sealed_at, sealed_len for those from_bundle) and the sealed
 * octets in `content`. Out: `expected` of every entry; for those from_bundle clear_at and clear_len, with
 * sealed_len 0; in `content` the canonical contents one behind the other (content_len octets) and zeros
 * behind them. With `stores_crlf` all contents, those of the product's files too, have CR LF at the end of
 * every line whatever the product says, and stand in `content` with clear_at and clear_len. LEDGER_NO:
 * key_locked when another key sealed them or there is none, too_long. LEDGER_FAILED: what is stored is
 * damaged, or memory. Nothing in the message but the answer is changed then, and it may be sent again.
 *
 * LEDGER_EXPLAIN. In: explain_entry, explain_seen, and `content` as DIGEST left it. Out: explain_mangling
 * and, for MANGLING_CUT, explain_cut_at: how many octets arrived. Always LEDGER_OK for an entry that exists.
 *
 * An entry that is_made_on_board has nothing sealed and keeps its `expected`. Where the product asks for
 * possession, DIGEST makes keygen.nonce as well.
 *
 * LEDGER_CSR. In: keygen.reply, the made entry's tag, uuid (may be empty). Out: keygen.is_good, and then
 * csr_sha256, key_sha256, spki, and uuid if it was empty; else `detail` says what is wrong with the answer.
 *
 * LEDGER_ATTEST. In: keygen.reply, uuid, imei. Out: `token`, sealed, or token_len 0 when it was no token of
 * this device; keygen.reply is wiped. Always LEDGER_OK but for a missing wrapping key or memory.
 *
 * LEDGER_POSSESSION. In: keygen.reply, keygen.nonce, `content` as DIGEST left it. Out: keygen.is_good, else
 * `detail`.
 */
void keys_answer(struct keys *keys, struct ledger_msg *msg);

/* One credential to be sealed. */
struct keys_item {
    enum cred_type type;
    struct span clear;  /* in: content_write's canonical form with KEYS_STYLE; borrowed */
    struct span sealed; /* out: in the caller's `out` */
};

/* How contents are kept while sealed: line feeds, and one behind the last line. The product's own style is
 * made of it when a board asks. */
#define KEYS_STYLE ((struct pem_style){.is_crlf = false, .final_line_end = true})

/*
 * Seals a bundle's credentials, each bound to the bundle's id and its type, one behind the other into `out`,
 * which has room for `size` octets (SEAL_OVERHEAD more than each is long). Any thread, since it only reads
 * the wrapping key. Returns 0, or ERR_REFUSED (locked), ERR_FULL, ERR_CRYPTO with *reterr.
 */
int keys_seal_bundle(const struct keys *keys, struct span bundle, struct keys_item *items, size_t n,
                     uint8_t *out, size_t size, struct err_info *reterr);

/*
 * Opens what is no secret (ca, client_cert, psk_identity), for exports: its octets as KEYS_STYLE has them go
 * to `out`, and their number is returned. Any thread. ERR_REFUSED for a private key or PSK, and when locked
 * or sealed by another key; ERR_CORRUPT; ERR_FULL when `size` is too small.
 */
int64_t keys_open_public(const struct keys *keys, struct span bundle, enum cred_type type, struct span sealed,
                         char *out, size_t size, struct err_info *reterr);

/* Opens a board's attestation token, as LEDGER_ATTEST sealed it: secret, the caller wipes it. Returns its
 * length, or negative as keys_open_public. Tokens are sealed as belonging to KEYS_TOKEN_PLACE and the IMEI,
 * type 0. */
#define KEYS_TOKEN_PLACE "attestation of "
int64_t keys_open_token(const struct keys *keys, const char *imei, struct span sealed, char *out, size_t size,
                        struct err_info *reterr);

/* A digest under the wrapping key (seal_digest): of what must be compared later, but told to nobody. Any
 * thread. Returns 0, or ERR_REFUSED when locked. */
int keys_digest(const struct keys *keys, const char *label, struct span text, struct digest *ret);

#endif
