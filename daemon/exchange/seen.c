#include "exchange/seen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

#define SIZE_FIRST 1024

/* Digests are as good as random, so their first octets are the hash. */
static struct seen_item *place_of(const struct seen *seen, const struct digest *digest)
{
    size_t at;
    memcpy(&at, digest->octets, sizeof(at));
    for (;; at++) {
        struct seen_item *item = &seen->items[at & (seen->size - 1)];
        if (item->number == 0 || digest_eq(&item->digest, digest)) {
            return item;
        }
    }
}

static int grow(struct seen *seen)
{
    struct seen bigger = {.size = seen->size > 0 ? 2 * seen->size : SIZE_FIRST, .used = seen->used};
    bigger.items = calloc(bigger.size, sizeof(*bigger.items));
    if (bigger.items == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < seen->size; i++) {
        if (seen->items[i].number != 0) {
            *place_of(&bigger, &seen->items[i].digest) = seen->items[i];
        }
    }
    free(seen->items);
    *seen = bigger;
    return 0;
}

int64_t seen_add(struct seen *seen, const struct digest *digest, const struct digest *row, uint32_t number)
{
    if (2 * seen->used >= seen->size && grow(seen) != 0) {
        return -ENOMEM;
    }
    struct seen_item *item = place_of(seen, digest);
    if (item->number != 0) {
        return digest_eq(&item->row, row) ? 0 : (int64_t)item->number;
    }
    *item = (struct seen_item){.digest = *digest, .row = *row, .number = number};
    seen->used++;
    return 0;
}

void seen_done(struct seen *seen)
{
    if (seen->items != NULL) {
        secret_wipe(seen->items, seen->size * sizeof(*seen->items)); /* a short key's digest tells the key */
    }
    free(seen->items);
    *seen = (struct seen){0};
}
