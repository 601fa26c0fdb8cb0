/* The keys and identities of one import, to find what stands in it twice. */
#ifndef CERTLINE_EXCHANGE_SEEN_H
#define CERTLINE_EXCHANGE_SEEN_H

#include <stddef.h>
#include <stdint.h>

#include "pki/cred.h"

struct seen_item {
    struct digest digest; /* of the key or identity */
    struct digest row;    /* of the row it stands in */
    uint32_t number;      /* of that row, from 1; 0: the place is free */
};

/* Zeroed is empty. */
struct seen {
    struct seen_item *items; /* open addressing; a power of two of them, at most half in use */
    size_t size, used;
};

/*
 * Remembers that `digest` stands in this row. Returns 0 when it is new or stands in the very same row again
 * (equal `row`); the number of the other row it stood in first (it stays that row's); or -ENOMEM.
 */
int64_t seen_add(struct seen *seen, const struct digest *digest, const struct digest *row, uint32_t number);

void seen_done(struct seen *seen);

#endif
