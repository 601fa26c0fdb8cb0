/*
 * A small pool of threads that opens and closes ttys, so that a bridge that hangs in open() or close() for
 * half a minute holds up nobody but its own slot. It starts with a few threads, adds one whenever all of them
 * are busy and work waits, up to a bound, and lets the added ones go when the work is done.
 *
 * A job is lent: its sender fills it in, posts it and leaves it alone until opener_take returns it. One
 * sender, which is also the receiver: the line. A slot has one job, so that its close is always finished
 * before its next open begins: two opens of one tty would meet at the lock, and a late flush would eat the
 * next board's first octets.
 */
#ifndef CERTLINE_IO_OPENER_H
#define CERTLINE_IO_OPENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "io/port.h"

#define OPENER_THREADS     4
#define OPENER_THREADS_MAX 16
#define OPENER_STOP_MS     2000

enum opener_kind { OPENER_OPEN, OPENER_CLOSE };

struct opener_job {
    enum opener_kind kind;
    uint32_t slot, generation; /* the sender's; carried along */
    struct port_config config; /* for OPENER_OPEN */
    int fd; /* OPENER_CLOSE: what to close. Answer: the descriptor or a negative code; -1 after a close */
    struct err_info why; /* answer: of an open that failed */

    struct opener_job *next; /* private */
    bool is_cancelled;       /* private */
};

struct opener_config {
    /* May block; called from several threads at once. NULL: port_open and port_discard. */
    int (*open)(void *ctx, const struct port_config *config, struct err_info *reterr);
    void (*close)(void *ctx, int fd);
    void *ctx;                     /* must live until the last call has returned, even past opener_free */
    unsigned threads, threads_max; /* 0: the defaults above */
    size_t jobs_max;               /* how many can be lent at a time: number of slots, at least 1 */
};

struct opener; /* opaque */

/* Starts the first threads with all signals blocked. NULL with *reterr when that fails. */
struct opener *opener_new(const struct opener_config *config, struct err_info *reterr);

/* Ends the pool: opens that wait are dropped, closes are still carried out, for at most `stop_ms`. Threads
 * that hang longer are left to themselves: they touch no job any more, close what they get and end. Jobs that
 * were lent are the caller's again. NULL is allowed. */
void opener_free(struct opener *opener, int stop_ms);

/* Lends a job. Closes go before opens. Never blocks. */
void opener_post(struct opener *opener, struct opener_job *job);

/* For a lent OPENER_OPEN: nothing will be handed over. It still comes back, with fd = -ECANCELED: at once
 * when no thread has begun, otherwise when its open returns, and then the pool itself has closed what was
 * opened. A job whose answer is under way already comes back with it: the caller checks the generation and
 * posts a close. */
void opener_cancel(struct opener *opener, struct opener_job *job);

/* Readable while answers wait. For the loop. */
int opener_fd(const struct opener *opener);

/* Up to `max` jobs that are done, in the order in which they were. Never waits. */
size_t opener_take(struct opener *opener, struct opener_job **out, size_t max);

/* How many threads there are now. For tests and metrics; any thread. */
unsigned opener_threads(struct opener *opener);

#endif
