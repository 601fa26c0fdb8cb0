/*
 * sd-event does the waiting, the signals and the descriptors. Two things are ours, because its promises are
 * weaker than what the line needs:
 *
 * - Timers. Of two timers found due by the same wait, sd-event runs either first; here they run by deadline.
 * So it gets one time source, set to the head of a sorted list. Its accuracy is one microsecond: the default
 * of 250 ms would put a silent slot's 3 s, and every pause on the wire, wherever that suits the power supply
 * of a laptop.
 * - Deferred calls. A defer source of lower priority could starve behind a chatty port, and one of equal
 * priority could run between two callbacks of one turn. So a turn dispatches what is ready, TURN_MAX
 * callbacks at most, then runs the list.
 *
 * sd-event dispatches one source per call and, between sources of one priority, the one that has been ready
 * for longest; this is what makes reading a bounded piece per callback fair.
 */
#include "io/loop.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include <systemd/sd-event.h>

#define TURN_MAX 64

struct loop {
    sd_event *event;
    sd_event_source *alarm;
    int64_t alarm_us;          /* what the alarm is set to; TIME_NEVER: off */
    struct loop_link timers;   /* sorted by deadline */
    struct loop_link deferred; /* in the order of asking */
    bool is_quitting;
};

/* --- lists: circular, with the head as sentinel; links are first members, so that a cast leads back
 * --------------- */

static_assert(offsetof(struct loop_timer, link) == 0 && offsetof(struct loop_deferred, link) == 0,
              "see above");

static void list_init(struct loop_link *head)
{
    head->prev = head->next = head;
}

static bool list_is_empty(const struct loop_link *head)
{
    return head->next == head;
}

static void link_before(struct loop_link *link, struct loop_link *place)
{
    link->prev = place->prev;
    link->next = place;
    link->prev->next = link->next->prev = link;
}

static void unlink_it(struct loop_link *link)
{
    if (link->next) {
        link->prev->next = link->next;
        link->next->prev = link->prev;
        link->prev = link->next = NULL;
    }
}

/* Moves everything to `to`, so that what is added meanwhile waits for its own turn. */
static void list_move(struct loop_link *from, struct loop_link *to)
{
    list_init(to);
    while (!list_is_empty(from)) {
        struct loop_link *link = from->next;
        unlink_it(link);
        link_before(link, to);
    }
}

/* What is linked in `head` is told that it is not any more. */
static void list_drop(struct loop_link *head)
{
    while (!list_is_empty(head)) {
        unlink_it(head->next);
    }
}

/* --- life
 * ----------------------------------------------------------------------------------------------------------
 */

static int on_alarm(sd_event_source *source, uint64_t usec, void *ctx);

struct loop *loop_new(void)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    if (!loop) {
        return NULL;
    }
    list_init(&loop->timers);
    list_init(&loop->deferred);
    loop->alarm_us = TIME_NEVER;
    if (sd_event_new(&loop->event) < 0 ||
        sd_event_add_time(loop->event, &loop->alarm, CLOCK_MONOTONIC, UINT64_MAX, 1, on_alarm, loop) < 0) {
        loop_free(loop);
        return NULL;
    }
    return loop;
}

void loop_free(struct loop *loop)
{
    if (!loop) {
        return;
    }
    list_drop(&loop->timers);
    list_drop(&loop->deferred);
    sd_event_source_disable_unref(loop->alarm);
    sd_event_unref(loop->event);
    free(loop);
}

int64_t loop_now_us(struct loop *loop)
{
    uint64_t now = 0;
    int r = sd_event_now(loop->event, CLOCK_MONOTONIC, &now);
    assert(r >= 0); /* fails for clocks that it does not know, or after a fork */
    return (int64_t)now;
}

struct sd_event *loop_event(struct loop *loop)
{
    return loop->event;
}

/* --- a turn
 * -------------------------------------------------------------------------------------------------------- */

static struct loop_timer *first_timer(struct loop *loop)
{
    return list_is_empty(&loop->timers) ? NULL : (struct loop_timer *)loop->timers.next;
}

/* Once a turn instead of at each change: a timer that is moved by every octet costs a list walk, not a system
 * call. */
static int set_alarm(struct loop *loop)
{
    struct loop_timer *first = first_timer(loop);
    int64_t wanted = first ? first->deadline_us : TIME_NEVER;
    if (wanted == loop->alarm_us) {
        return 0;
    }
    loop->alarm_us = wanted;
    if (wanted == TIME_NEVER) {
        return sd_event_source_set_enabled(loop->alarm, SD_EVENT_OFF);
    }
    int r = sd_event_source_set_time(loop->alarm, wanted > 0 ? (uint64_t)wanted : 0);
    return r < 0 ? r : sd_event_source_set_enabled(loop->alarm, SD_EVENT_ONESHOT);
}

static int on_alarm(sd_event_source *source, uint64_t usec, void *ctx)
{
    (void)source, (void)usec;
    struct loop *loop = ctx;
    loop->alarm_us = TIME_NEVER; /* it was a one-shot */

    int64_t now_us = loop_now_us(loop);
    struct loop_link due;
    list_init(&due);
    for (struct loop_timer *t = first_timer(loop); t && t->deadline_us <= now_us; t = first_timer(loop)) {
        unlink_it(&t->link);
        link_before(&t->link, &due);
    }
    while (!list_is_empty(&due)) {
        struct loop_timer *t = (struct loop_timer *)due.next;
        unlink_it(&t->link);
        t->fn(t->ctx);
    }
    return 0;
}

static void run_deferred(struct loop *loop)
{
    struct loop_link now;
    list_move(&loop->deferred, &now);
    while (!list_is_empty(&now)) {
        struct loop_deferred *d = (struct loop_deferred *)now.next;
        unlink_it(&d->link);
        d->fn(d->ctx);
    }
}

static uint64_t longest_wait(const struct loop *loop, int64_t wait_us)
{
    if (!list_is_empty(&loop->deferred) || wait_us <= 0) {
        return 0;
    }
    return wait_us == TIME_NEVER ? UINT64_MAX : (uint64_t)wait_us;
}

int loop_turn(struct loop *loop, int64_t wait_us)
{
    int r = set_alarm(loop);
    uint64_t wait = longest_wait(loop, wait_us);
    int n = 0;
    while (r >= 0 && n < TURN_MAX) {
        r = sd_event_run(loop->event, wait);
        if (r == 0) {
            break;
        }
        n++;
        wait = 0;
    }
    if (r < 0) {
        return r;
    }
    run_deferred(loop);
    return n;
}

int loop_run(struct loop *loop)
{
    int r = 0;
    while (!loop->is_quitting && r >= 0) {
        r = loop_turn(loop, TIME_NEVER);
    }
    loop->is_quitting = false;
    return r < 0 ? r : 0;
}

void loop_quit(struct loop *loop)
{
    loop->is_quitting = true;
}

/* --- descriptors
 * --------------------------------------------------------------------------------------------------- */

static uint32_t to_epoll(unsigned interest)
{
    return (interest & LOOP_READ ? (uint32_t)EPOLLIN : 0) | (interest & LOOP_WRITE ? (uint32_t)EPOLLOUT : 0);
}

static int on_fd(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
    (void)source, (void)fd;
    struct loop_fd *watch = ctx;
    watch->fn(watch->ctx, (events & EPOLLIN ? LOOP_READ : 0) | (events & EPOLLOUT ? LOOP_WRITE : 0) |
                              (events & (EPOLLHUP | EPOLLERR) ? LOOP_HANGUP : 0));
    return 0;
}

int loop_fd_add(struct loop *loop, struct loop_fd *watch, int fd, unsigned interest, loop_fd_fn *fn,
                void *ctx)
{
    assert(!watch->source);
    watch->fn = fn;
    watch->ctx = ctx;
    int r = sd_event_add_io(loop->event, &watch->source, fd, to_epoll(interest), on_fd, watch);
    return r < 0 ? r : 0;
}

/* sd-event compares with what is set and spares the system call itself. */
int loop_fd_set(struct loop_fd *watch, unsigned interest)
{
    int r = sd_event_source_set_io_events(watch->source, to_epoll(interest));
    return r < 0 ? r : 0;
}

void loop_fd_remove(struct loop_fd *watch)
{
    watch->source = sd_event_source_disable_unref(watch->source);
}

/* --- timers, deferred calls, signals
 * ------------------------------------------------------------------------------- */

void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t deadline_us)
{
    unlink_it(&timer->link);
    timer->deadline_us = deadline_us;
    if (deadline_us == TIME_NEVER) {
        return;
    }
    struct loop_link *place = loop->timers.next;
    while (place != &loop->timers && ((struct loop_timer *)place)->deadline_us <= deadline_us) {
        place = place->next;
    }
    link_before(&timer->link, place);
}

void loop_timer_cancel(struct loop_timer *timer)
{
    unlink_it(&timer->link);
}

void loop_defer(struct loop *loop, struct loop_deferred *deferred)
{
    if (!deferred->link.next) {
        link_before(&deferred->link, &loop->deferred);
    }
}

void loop_defer_cancel(struct loop_deferred *deferred)
{
    unlink_it(&deferred->link);
}

struct signal_call {
    loop_fn *fn;
    void *ctx;
};

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *ctx)
{
    (void)source, (void)info;
    const struct signal_call *call = ctx;
    call->fn(call->ctx);
    return 0;
}

/* The source belongs to the event from here on (floating), and the call to the source. */
int loop_on_signal(struct loop *loop, int signo, loop_fn *fn, void *ctx)
{
    struct signal_call *call = malloc(sizeof(*call));
    if (!call) {
        return -ENOMEM;
    }
    *call = (struct signal_call){fn, ctx};
    sd_event_source *source = NULL;
    int r = sd_event_add_signal(loop->event, &source, signo | SD_EVENT_SIGNAL_PROCMASK, on_signal, call);
    if (r < 0) {
        free(call);
        return r;
    }
    sd_event_source_set_destroy_callback(source, free);
    sd_event_source_set_floating(source, true);
    sd_event_source_unref(source);
    return 0;
}
