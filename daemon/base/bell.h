/*
 * Wakes one sleeper from any number of threads without ever waiting. However often it rings until it is
 * heard, that counts as once and costs one system call: whoever rings says "look", not "this happened".
 */
#ifndef CERTLINE_BASE_BELL_H
#define CERTLINE_BASE_BELL_H

#include <stdbool.h>

struct bell; /* opaque: an eventfd and a flag */

/* NULL without memory or descriptors. */
struct bell *bell_new(void);

/* Once nobody rings any more. NULL is allowed. */
void bell_free(struct bell *bell);

/* Any thread. What was written before is seen by the sleeper after it has heard. */
void bell_ring(struct bell *bell);

/* Readable while it has rung and was not heard; for an event loop. Owned by the bell. */
int bell_fd(const struct bell *bell);

/* The sleeper only, before it looks: whether it rang since the last time. */
bool bell_hear(struct bell *bell);

#endif
