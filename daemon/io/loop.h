/*
 * The event loop of one thread: descriptors, deadlines, deferred calls and signals. libsystemd's sd-event
 * does the waiting; nobody outside loop.c knows its types.
 *
 * One turn: wait → callbacks of ready descriptors and due timers, in the order in which they became so → the
 * deferred calls → sleep. Everything here belongs to the thread that runs the loop; other threads wake it
 * through a mailbox, whose descriptor is watched like any other.
 *
 * Watches, timers and deferred calls are embedded in their owner, which removes them before it goes away. A
 * callback may add, change and remove any of them, its own included; what it removes is not called any more,
 * even when it was ready in the same turn. It may not free the loop.
 */
#ifndef CERTLINE_IO_LOOP_H
#define CERTLINE_IO_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

struct loop;     /* opaque */
struct sd_event; /* libsystemd's, opaque here */
struct sd_event_source;

/* Returns NULL without memory or descriptors. */
struct loop *loop_new(void);

/* What is still registered must not be touched afterwards, other than by its own remove or cancel. NULL is
 * allowed. */
void loop_free(struct loop *loop);

/* Turns until loop_quit. Returns 0, or a negative errno when waiting itself failed. */
int loop_run(struct loop *loop);

/* From any callback: the present turn is finished, deferred calls included, then loop_run returns. */
void loop_quit(struct loop *loop);

/* One turn that waits for at most `wait_us` (TIME_NEVER: no bound). Returns how many callbacks of
 * descriptors, timers and signals ran (0: the bound was reached or only deferred calls ran), or a negative
 * errno. For tests and for shutdown. */
int loop_turn(struct loop *loop, int64_t wait_us);

/* Monotonic microseconds, read once per wake-up: the same within a callback, never behind a deadline that has
 * fired. */
int64_t loop_now_us(struct loop *loop);

/* For what libsystemd itself wants to attach to a loop (io/hotplug_usb.c), and nothing else. Borrowed. What
 * is attached is dispatched like a descriptor and is detached before loop_free. */
struct sd_event *loop_event(struct loop *loop);

/* --- descriptors
 * ------------------------------------------------------------------------------------------------- */

/* Level-triggered: a callback that leaves octets behind is called again, after the other ready ones had their
 * turn. */
#define LOOP_READ   1u
#define LOOP_WRITE  2u
#define LOOP_HANGUP 4u /* hang-up or error; reported whether asked for or not */

typedef void loop_fd_fn(void *ctx, unsigned ready);

struct loop_fd {
    struct sd_event_source *source; /* private; NULL: not watched. Starts as {0} */
    loop_fd_fn *fn;
    void *ctx;
};

/* Watches `fd` for LOOP_READ and LOOP_WRITE in `interest`. The descriptor stays the caller's and must outlive
 * the watch. Allocates. Returns 0 or a negative errno (-EPERM: a file that cannot be waited for). */
int loop_fd_add(struct loop *loop, struct loop_fd *watch, int fd, unsigned interest, loop_fd_fn *fn,
                void *ctx);
/* Changes the interest; one system call when it differs, so callers ask for LOOP_WRITE only while they wait
 * for it. */
int loop_fd_set(struct loop_fd *watch, unsigned interest);
/* Before the descriptor is closed. Harmless when nothing is watched. */
void loop_fd_remove(struct loop_fd *watch);

/* --- deadlines
 * --------------------------------------------------------------------------------------------------- */

struct loop_link {
    struct loop_link *prev, *next; /* private; NULL: in no list */
};

typedef void loop_fn(void *ctx);

/* One shot, at an absolute time of CLOCK_MONOTONIC, to the microsecond as far as the kernel goes. Due timers
 * run in the order of their deadlines, and of their setting when those are equal. Setting neither allocates
 * nor fails; it searches the list of set timers, which is meant for dozens: the station keeps one for all of
 * its boards. */
struct loop_timer {
    struct loop_link link; /* private. Starts as {0} with fn and ctx filled in */
    int64_t deadline_us;
    loop_fn *fn;
    void *ctx;
};

/* (Re)arms for `deadline_us`; a time that has passed is due in the next turn, TIME_NEVER disarms. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t deadline_us);
void loop_timer_cancel(struct loop_timer *timer);

/* --- deferred calls
 * ---------------------------------------------------------------------------------------------- */

/* Run once before the loop sleeps, in the order of asking; asking again before it ran changes nothing. What
 * is deferred by a deferred call runs in the next turn, which then does not sleep. A turn of very many ready
 * descriptors runs them in between, so that they cannot starve. */
struct loop_deferred {
    struct loop_link link; /* private. Starts as {0} with fn and ctx filled in */
    loop_fn *fn;
    void *ctx;
};

void loop_defer(struct loop *loop, struct loop_deferred *deferred);
void loop_defer_cancel(struct loop_deferred *deferred);

/* --- signals
 * ----------------------------------------------------------------------------------------------------- */

/* Calls `fn` in the loop for each delivery of `signo` and blocks the signal in the calling thread: call it
 * before other threads start, so that they inherit the block. Lasts as long as the loop. Returns 0 or a
 * negative errno. */
int loop_on_signal(struct loop *loop, int signo, loop_fn *fn, void *ctx);

#endif
