/*
 * The dialogue of one job, as text: "<ms> > sent", "<ms> < received", "<ms> ! what happened", one line each,
 * bounded.
 *
 * Secrets are cut by content and not only by row. What we send of a secret stands as «private_key 241
 * octets». What comes back may repeat it (AT hosts print their buffer on errors, shells echo): from a
 * secret's first octet on, every run of DIALOGUE_RUN or more octets that stands in the secret is cut out of
 * what is received. And as long as the line has not been made clean (contact), a line that is not known by
 * its kind is kept as a count only: it can be the rest of a dead session's write, of whose secret this
 * process knows nothing.
 */
#ifndef CERTLINE_JOB_DIALOGUE_H
#define CERTLINE_JOB_DIALOGUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

#define DIALOGUE_RUN         6
#define DIALOGUE_SECRETS_MAX 40

struct dialogue {
    struct buf text;
    int64_t start_us;
    struct span secrets[DIALOGUE_SECRETS_MAX]; /* borrowed from the job's content memory */
    uint32_t n_secrets;
    uint32_t lines_lost; /* did not fit */
};

/* `memory` is the caller's, at least 1 KiB. */
void dialogue_begin(struct dialogue *d, char *memory, size_t size, int64_t now_us);

/* From now on `secret` is cut out of what is received. It must stay in place until dialogue_forget_secrets.
 */
void dialogue_add_secret(struct dialogue *d, struct span secret);
void dialogue_forget_secrets(struct dialogue *d);

/* `head` as it is; then, if `content_len` > 0, «what n octets»; then `tail`. `fill_len` backspaces show as a
 * count. */
void dialogue_sent(struct dialogue *d, int64_t now_us, uint32_t fill_len, struct span head, const char *what,
                   size_t content_len, struct span tail);
/* `is_known`: the line's kind is known, so that it may stand as it is (less what matches a secret). */
void dialogue_received(struct dialogue *d, int64_t now_us, struct span line, bool is_known);
void dialogue_note(struct dialogue *d, int64_t now_us, const char *text);

/* The whole text, valid until the next call. */
struct span dialogue_text(const struct dialogue *d);

#endif
