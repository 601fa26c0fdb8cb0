/*
 * The mailbox. A lock around a ring: messages here are few (a job's facts, a request), so that a lock-free
 * queue would buy nothing and cost the proof. The descriptor's readiness is state, not a count: it is raised
 * when the ring stops being empty and lowered when it becomes so, both under the lock, and stays up after
 * close. A receiver may therefore take as much or as little as it likes in one turn and still be woken for
 * the rest.
 */
#include "base/mailbox.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"

#define CAPACITY_MAX 1000000

struct mailbox {
    int fd;
    size_t capacity;
    pthread_mutex_t lock; /* guards what follows, and the descriptor's readiness */
    bool is_closed;
    size_t first, count;
    void *ring[];
};

struct mailbox *mailbox_new(size_t capacity)
{
    if (capacity == 0 || capacity > CAPACITY_MAX) {
        return NULL;
    }
    struct mailbox *box = calloc(1, sizeof(*box) + capacity * sizeof(box->ring[0]));
    if (!box) {
        return NULL;
    }
    box->capacity = capacity;
    box->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (box->fd < 0) {
        free(box);
        return NULL;
    }
    pthread_mutex_init(&box->lock, NULL); /* cannot fail with default attributes */
    return box;
}

void mailbox_free(struct mailbox *box)
{
    if (!box) {
        return;
    }
    pthread_mutex_destroy(&box->lock);
    close(box->fd);
    free(box);
}

/* With the lock held. Neither call can fail: the counter only ever goes between 0 and 2. */
static void raise_fd(struct mailbox *box)
{
    int r = eventfd_write(box->fd, 1);
    assert(r == 0);
    (void)r;
}

static void lower_fd(struct mailbox *box)
{
    eventfd_t count;
    int r = eventfd_read(box->fd, &count);
    assert(r == 0);
    (void)r;
}

int mailbox_send(struct mailbox *box, void *message)
{
    assert(message);
    int r = 0;
    pthread_mutex_lock(&box->lock);
    if (box->is_closed) {
        r = ERR_CLOSED;
    } else if (box->count == box->capacity) {
        r = ERR_FULL;
    } else {
        box->ring[(box->first + box->count) % box->capacity] = message;
        if (box->count++ == 0) {
            raise_fd(box);
        }
    }
    pthread_mutex_unlock(&box->lock);
    return r;
}

size_t mailbox_take(struct mailbox *box, void **out, size_t max)
{
    pthread_mutex_lock(&box->lock);
    size_t n = box->count < max ? box->count : max;
    for (size_t i = 0; i < n; i++) {
        out[i] = box->ring[box->first];
        box->first = (box->first + 1) % box->capacity;
    }
    box->count -= n;
    if (n > 0 && box->count == 0 && !box->is_closed) {
        lower_fd(box);
    }
    pthread_mutex_unlock(&box->lock);
    return n;
}

/* poll() may be interrupted; what is left of the time-out is then waited again. */
void mailbox_wait(struct mailbox *box, int timeout_ms)
{
    struct pollfd p = {.fd = box->fd, .events = POLLIN};
    int64_t end_us =
        timeout_ms < 0 ? TIME_NEVER : clock_system.mono_us(&clock_system) + timeout_ms * US_PER_MS;
    int left_ms = timeout_ms;
    while (poll(&p, 1, left_ms) < 0 && errno == EINTR) {
        if (timeout_ms >= 0) {
            int64_t left_us = end_us - clock_system.mono_us(&clock_system);
            left_ms = left_us > 0 ? (int)((left_us + US_PER_MS - 1) / US_PER_MS) : 0;
        }
    }
}

int mailbox_fd(const struct mailbox *box)
{
    return box->fd;
}

void mailbox_close(struct mailbox *box)
{
    pthread_mutex_lock(&box->lock);
    if (!box->is_closed) {
        box->is_closed = true;
        raise_fd(box);
    }
    pthread_mutex_unlock(&box->lock);
}

bool mailbox_is_closed(struct mailbox *box)
{
    pthread_mutex_lock(&box->lock);
    bool is_closed = box->is_closed;
    pthread_mutex_unlock(&box->lock);
    return is_closed;
}
