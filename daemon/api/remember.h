/*
 * Answers to requests that carried an Idempotency-Key, so that one which is sent again, because its answer
 * was lost, is answered as it was and not carried out twice.
 *
 * In memory, bounded, and honest about it: the last 1,024 keys for a day; an answer of more than 16 KiB (an
 * import with many refused rows) is not kept, nor is a part of an export, and a restart forgets them all.
 * Nothing is lost by that but the wording: what these requests do is recorded in such a way that doing it
 * again changes nothing or is refused. HTTP thread only.
 */
#ifndef CERTLINE_API_REMEMBER_H
#define CERTLINE_API_REMEMBER_H

#include <stdbool.h>
#include <stddef.h>

#include "api/response.h"
#include "base/clock.h"
#include "pki/cred.h"

struct remember; /* opaque */

/* NULL without memory. */
struct remember *remember_new(const struct clock *clock);

/* NULL is allowed. */
void remember_free(struct remember *m);

/* Whether the key is under way or answered. */
bool remember_knows(const struct remember *m, const char *key);

/* Begins a request under a key that is not known. False when too many are under way: it goes on unremembered.
 */
bool remember_begin(struct remember *m, const char *key);

/* How a request with a known key is answered: as it was when `request` is the same; or a problem, when it is
 * another one or the first is still under way. */
void remember_answer(const struct remember *m, const char *key, const struct digest *request,
                     struct response *out);

/* The request under a key that was begun has been answered: kept, unless the trouble was ours or the answer
 * is too large; then, or with `out` NULL, the key is forgotten. */
void remember_end(struct remember *m, const char *key, const struct digest *request,
                  const struct response *out);

#endif
