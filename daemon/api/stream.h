/*
 * The live stream: what changes in the rack and on record, told to any number of viewers. Pure but for the
 * questions it asks of struct api_sources and of its pool; knows nothing of sockets. HTTP thread only.
 *
 * Two kinds of news travel together:
 *   - what is on record: `job` and `order`, each the resource as it is now, with an `id`, the number in the
 *     event table up to which everything has been told once this one has arrived;
 *   - how the slots look: `slot`, without an id, since a slot's state is never history. Whoever comes gets
 * all of them first. `resync` (with an id) says: what was on record before this cannot be told any more, ask
 * for it; it is the first that a viewer without a Last-Event-ID gets.
 *
 * Nobody waits for a viewer. Slots are never queued: a viewer that comes back late gets the last state of
 * each that has changed. Records lie in one ring for all; who falls out of it gets a resync.
 */
#ifndef CERTLINE_API_STREAM_H
#define CERTLINE_API_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/pool.h"
#include "api/route.h"

#define STREAM_VIEWERS_MAX 256
#define STREAM_RING        512  /* records that a viewer may be behind */
#define STREAM_REPLAY_MAX  2000 /* events that a returning viewer is told from the table */
#define STREAM_BEAT_US     (4 * US_PER_S)

struct frame;
struct stream; /* opaque */
struct reading;

/* Embedded in a connection; all members are the stream's but those named. */
struct viewer {
    struct viewer *next, *previous;
    bool is_woken; /* there may be something for it: its connection should call stream_fill; reset there */
    bool is_over;  /* set by the connection's owner: nothing more is given */

    struct frame *out; /* under way, up to out_at */
    size_t out_at;
    bool wants_hello, wants_resync, wants_beat;
    bool is_attached;        /* `at` is valid */
    int64_t told;            /* everything on record up to here */
    uint64_t at;             /* its next frame of the ring */
    uint64_t slots_seen;     /* changes of slots up to here */
    uint32_t slot_last;      /* the slot given last */
    struct reading *reading; /* its replay: under way, or being given */
};

struct stream_config {
    const struct api_sources *sources; /* borrowed */
    const struct clock *clock;         /* borrowed */
    struct pool *pool;                 /* one worker with a reader, for nobody else; borrowed */
};

/* NULL without memory. */
struct stream *stream_new(const struct stream_config *config);

/* When no viewer is left and the pool is idle or has ended. NULL is allowed. */
void stream_free(struct stream *stream);

/* A viewer comes. `last_id` is its Last-Event-ID, negative when it has none. False when there are too many.
 */
bool stream_join(struct stream *stream, struct viewer *viewer, int64_t last_id);
void stream_leave(struct stream *stream, struct viewer *viewer);

/* Fills up to `max` octets for the viewer; 0: nothing now, sleep until is_woken. */
size_t stream_fill(struct stream *stream, struct viewer *viewer, char *to, size_t max);

/* Looks at what has changed, when it is time to, and wakes viewers. */
void stream_turn(struct stream *stream, int64_t now_us);

/* When stream_turn has something to do at the latest, and whether it should also be called when the bell
 * rings: while a pause after a look lasts, it need not. */
int64_t stream_deadline(const struct stream *stream);
bool stream_listens(const struct stream *stream);

/* What a turn of the server has cost; the more it is, the longer the pause before the next look. */
void stream_spend(struct stream *stream, int64_t us);

/* All viewers, for their connections' owner. */
struct viewer *stream_viewers(const struct stream *stream);
size_t stream_count(const struct stream *stream);

/* What its pool works on: 0 before stream_free. */
unsigned stream_busy(const struct stream *stream);

#endif
