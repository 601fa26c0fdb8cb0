/* A page of the record as frames, read on a worker: for the ring of the stream, or for one viewer's replay.
 */
#ifndef CERTLINE_API_STREAM_READ_H
#define CERTLINE_API_STREAM_READ_H

#include "api/frame.h"
#include "api/pool.h"
#include "store/read.h"

struct viewer;

#define READING_FRAMES_MAX (2 * STORE_CHANGES_EVENTS_MAX)

struct reading {
    struct work work;      /* first: the pool gives this back */
    struct viewer *viewer; /* whom it is for; NULL: the ring, or nobody any more */
    bool is_for_ring;
    bool is_back;    /* the pool has given it back */
    int64_t after;   /* in: events behind this one */
    int64_t last;    /* out: everything up to here was looked at */
    uint32_t events; /* out: how many that were */
    int result;      /* out: 0, or negative: nothing else is valid */
    size_t n, next;  /* frames, and the next one to be given */
    struct err_info why;
    struct frame *frames[READING_FRAMES_MAX];
};

/* NULL without memory. */
struct reading *reading_new(int64_t after);

/* Frees it with its frames. NULL is allowed. */
void reading_free(struct reading *reading);

#endif
