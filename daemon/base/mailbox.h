/*
 * A bounded queue of pointers between actors: many senders, one receiver. The receiver waits on a descriptor
 * (eventfd) or blocks in mailbox_wait. A mailbox never allocates after mailbox_init and never drops: a full
 * one refuses, and its sender decides (the line keeps the message and tries on; HTTP answers 503).
 *
 * What a pointer points to changes hands with the message: the sender must not touch it until it comes back.
 */
#ifndef CERTLINE_BASE_MAILBOX_H
#define CERTLINE_BASE_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mailbox; /* opaque: a mutex, a ring, an eventfd */

/* Room for `capacity` messages (1 to 1,000,000). Returns NULL without memory or descriptors. */
struct mailbox *mailbox_new(size_t capacity);

/* The messages still in it are the caller's to drain first. NULL is allowed. */
void mailbox_free(struct mailbox *box);

/* 0; ERR_FULL when it has no room; ERR_CLOSED after mailbox_close. `message` is never NULL. Any thread. */
int mailbox_send(struct mailbox *box, void *message);

/* Takes up to `max` messages in the order they were sent; returns how many. Never waits. Receiver only. */
size_t mailbox_take(struct mailbox *box, void **out, size_t max);

/* Waits until there is a message, the box is closed, or `timeout_ms` (-1 = for ever) has passed. Receiver
 * only. */
void mailbox_wait(struct mailbox *box, int timeout_ms);

/* Readable while messages wait or after close; for an event loop. Owned by the box. */
int mailbox_fd(const struct mailbox *box);

/* No more sends. What is queued can still be taken. */
void mailbox_close(struct mailbox *box);
bool mailbox_is_closed(struct mailbox *box);

#endif
