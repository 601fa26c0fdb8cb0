/*
 * The flag is taken back before the sleeper looks, and set after whoever rings has written: a ring in between
 * is at worst one look too many, never one too few.
 */
#include "base/bell.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct bell {
    int fd;
    atomic_bool has_rung;
};

struct bell *bell_new(void)
{
    struct bell *bell = calloc(1, sizeof(*bell));

    if (bell == NULL) {
        return NULL;
    }
    bell->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (bell->fd < 0) {
        free(bell);
        return NULL;
    }
    return bell;
}

void bell_free(struct bell *bell)
{
    if (bell != NULL) {
        close(bell->fd);
        free(bell);
    }
}

void bell_ring(struct bell *bell)
{
    uint64_t one = 1;

    if (!atomic_exchange(&bell->has_rung, true)) {
        /* An eventfd refuses only when it counts 2^64 - 2. */
        ssize_t n = write(bell->fd, &one, sizeof(one));
        (void)n;
    }
}

int bell_fd(const struct bell *bell)
{
    return bell->fd;
}

bool bell_hear(struct bell *bell)
{
    uint64_t count;

    /* The descriptor first: were the flag first, a ring in between would leave it set and the descriptor
     * empty, and nobody would be woken again. */
    ssize_t n = read(bell->fd, &count, sizeof(count));
    (void)n;
    return atomic_exchange(&bell->has_rung, false);
}
