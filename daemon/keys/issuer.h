/*
 * The issuer: the actor that signs. A synchronous core like keys, on a thread of its own, since a token may
 * take its time and must hold up neither the unsealing of other boards' keys nor the store.
 *
 * It answers LEDGER_SIGN: builds the certificate of a board's new key by the product's rules, has the CA's
 * key sign it, and seals it. It refuses while the clock cannot be trusted, since a certificate's dates are
 * its own.
 */
#ifndef CERTLINE_KEYS_ISSUER_H
#define CERTLINE_KEYS_ISSUER_H

#include "base/clock.h"
#include "job/ledger.h"
#include "keys/keys.h"
#include "pki/signer.h"

#define ISSUER_CLOCK_SLACK_MS 60000 /* what a clock that is being set right may move at once */

struct issuer; /* opaque */

struct issuer_config {
    struct signer
        *signer; /* borrowed, and from now on used by the issuer's thread only; NULL: none could be opened */
    const char *why;         /* then: why not, for people. Borrowed */
    const struct keys *keys; /* seals; borrowed */
    const struct clock *clock;
    int64_t last_wall_ms; /* of the last event on record: the clock must not be before it */
    uint32_t validity_days;
};

/* NULL without memory. */
struct issuer *issuer_new(const struct issuer_config *config);
void issuer_free(struct issuer *issuer); /* NULL is allowed; the signer is the caller's */

/*
 * LEDGER_SIGN. In: product, imei, uuid, bundle, entries, keygen.spki and keygen.serial, content_size. Out:
 * the sealed certificate in `content` (content_len) and its place in the entry of the client certificate;
 * keygen.issuer and keygen.not_after_ms. LEDGER_NO: clock_wrong, signer_failed, key_locked. LEDGER_FAILED:
 * the key could not sign now; nothing was changed.
 *
 * LEDGER_AUTHORIZE. In: commands. Out: their signatures, and public_key. LEDGER_NO: signer_failed, when there
 * is no CA or its key is not P-256. LEDGER_FAILED as above.
 */
void issuer_answer(struct issuer *issuer, struct ledger_msg *msg);

#endif
