/*
 * How much work the news make is bounded by time, not by how much happens: after each look at the slots and
 * the record comes a pause, eight times as long as what the last look and its delivery took, 50 ms at least
 * and a second at most. So a rack of 256 that two hundred browsers watch takes a ninth of one processor from
 * the HTTP thread, and whatever changed twice within a pause is told once.
 *
 * Slots hang in a list by the time at which their last change was noticed. A viewer remembers how far along
 * that list it has come; a slot that changes moves to the end, so that each viewer meets it once more,
 * however late. Nothing is stored for a viewer.
 *
 * Records are read by a worker, a page at a time, and stay in a ring for whoever comes back soon. Behind the
 * ring's end a viewer's own pages are read from the table, up to a bound; behind that it is told to ask.
 */
#include "api/stream.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/frame.h"
#include "api/slot_json.h"
#include "api/stream_read.h"
#include "base/bell.h"
#include "base/json.h"
#include "base/log.h"

#define PAUSE_MIN_US (50 * US_PER_MS)
#define PAUSE_MAX_US US_PER_S
#define PAUSE_FACTOR 8
#define NOBODY       UINT32_MAX /* end of the slots' list */

struct slot_news {
    uint64_t version; /* of the published view; UINT64_MAX: never looked at */
    uint64_t change;  /* this slot's place in the order of changes */
    uint32_t older, newer;
    struct frame *frame;
};

struct stream {
    struct stream_config config;

    struct viewer *viewers;
    size_t n_viewers;

    struct slot_news *slots;
    uint32_t n_slots, oldest, newest;
    uint64_t slot_seq; /* as seen at the last look */
    uint64_t changes;  /* of slots, counted as they were noticed */

    struct frame *ring[STREAM_RING];
    uint64_t head, tail;     /* frames ever put in, ever taken out */
    int64_t told;            /* the ring's readings have come up to here */
    int64_t ring_after;      /* what is on record behind this one is in the ring or not read yet */
    struct reading *reading; /* under way, for the ring */

    struct frame *hello, *beat;
    unsigned n_busy; /* readings under way */
    bool is_failing; /* the record could not be read: said once */
    bool must_look;  /* whether the bell has rung or not */
    bool is_pausing; /* until next_look_us */
    int64_t next_look_us, next_beat_us, spent_us;
};

static void wake(struct viewer *v)
{
    v->is_woken = true;
}

static void wake_all(struct stream *s)
{
    for (struct viewer *v = s->viewers; v != NULL; v = v->next) {
        wake(v);
    }
}

static int64_t event_seq(const struct stream *s)
{
    return s->config.sources->event_seq(s->config.sources->ctx);
}

/* ---- slots */

static void unlink_slot(struct stream *s, uint32_t i)
{
    struct slot_news *slot = &s->slots[i];

    *(slot->older != NOBODY ? &s->slots[slot->older].newer : &s->oldest) = slot->newer;
    *(slot->newer != NOBODY ? &s->slots[slot->newer].older : &s->newest) = slot->older;
}

static void link_newest(struct stream *s, uint32_t i)
{
    struct slot_news *slot = &s->slots[i];

    slot->older = s->newest;
    slot->newer = NOBODY;
    *(s->newest != NOBODY ? &s->slots[s->newest].newer : &s->oldest) = i;
    s->newest = i;
    slot->change = ++s->changes;
}

static bool grow_slots(struct stream *s, uint32_t count)
{
    if (count <= s->n_slots) {
        return true;
    }
    struct slot_news *slots = realloc(s->slots, count * sizeof(*slots));
    if (slots == NULL) {
        return false;
    }
    s->slots = slots;
    for (; s->n_slots < count; s->n_slots++) {
        slots[s->n_slots] = (struct slot_news){.version = UINT64_MAX};
        link_newest(s, s->n_slots);
    }
    return true;
}

/* Without memory the old frame stays, and the next look tries again. */
static bool look_at_slot(struct stream *s, uint32_t i)
{
    const struct api_sources *sources = s->config.sources;
    struct slot_news *slot = &s->slots[i];
    struct slot_view view;

    uint64_t version = sources->slot_read(sources->ctx, i, &view);
    if (version == slot->version) {
        return false;
    }
    struct json *tree = slot_json(&view);
    struct frame *frame = frame_new("slot", 0, 0, tree);
    json_free(tree);
    if (frame == NULL) {
        return false;
    }
    frame_unref(slot->frame);
    slot->frame = frame;
    slot->version = version;
    unlink_slot(s, i);
    link_newest(s, i);
    return true;
}

static void look_at_slots(struct stream *s)
{
    const struct api_sources *sources = s->config.sources;
    uint64_t seq = sources->slot_seq(sources->ctx);
    uint32_t count = sources->slot_count(sources->ctx);
    bool is_new = false;

    if ((seq == s->slot_seq && count == s->n_slots) || !grow_slots(s, count)) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        is_new |= look_at_slot(s, i);
    }
    s->slot_seq = seq;
    if (is_new) {
        wake_all(s);
    }
}

/* The oldest change that the viewer has not seen, or NULL. */
static struct frame *next_slot(struct stream *s, struct viewer *v)
{
    uint32_t i = v->slot_last;

    if (i < s->n_slots && s->slots[i].change == v->slots_seen) {
        i = s->slots[i].newer;
    } else { /* it has changed since: look from the end */
        uint32_t before = s->newest;
        for (i = NOBODY; before != NOBODY && s->slots[before].change > v->slots_seen;
             before = s->slots[before].older) {
            i = before;
        }
    }
    while (i != NOBODY && s->slots[i].frame == NULL) {
        i = s->slots[i].newer;
    }
    if (i == NOBODY) {
        return NULL;
    }
    v->slot_last = i;
    v->slots_seen = s->slots[i].change;
    return frame_ref(s->slots[i].frame);
}

/* ---- what is on record */

/* What a fresh start of the record's side looks like: nothing in the ring, everything so far counts as told.
 */
static void start_over(struct stream *s)
{
    for (; s->tail < s->head; s->tail++) {
        frame_unref(s->ring[s->tail % STREAM_RING]);
    }
    s->told = s->ring_after = event_seq(s);
}

static void put_into_ring(struct stream *s, struct frame *frame)
{
    if (s->head - s->tail == STREAM_RING) {
        struct frame *last = s->ring[s->tail++ % STREAM_RING];
        s->ring_after = last->seq;
        frame_unref(last);
    }
    s->ring[s->head++ % STREAM_RING] = frame_ref(frame);
}

static void post(struct stream *s, struct reading *reading)
{
    s->n_busy++;
    pool_post(s->config.pool, &reading->work);
}

static void read_for_ring(struct stream *s)
{
    int64_t last = event_seq(s);

    if (s->reading != NULL || last == s->told) {
        return;
    }
    if (last < s->told || last - s->told > STREAM_REPLAY_MAX) { /* faster than anybody reads */
        start_over(s);
        for (struct viewer *v = s->viewers; v != NULL; v = v->next) {
            v->wants_resync = true;
        }
        wake_all(s);
        return;
    }
    s->reading = reading_new(s->told);
    if (s->reading != NULL) {
        s->reading->is_for_ring = true;
        post(s, s->reading);
    }
}

static void take_for_ring(struct stream *s, struct reading *reading)
{
    s->reading = NULL;
    if (reading->result < 0 || reading->after != s->told) {
        if (reading->result < 0 && !s->is_failing) {
            log_sys("http", LOG_LEVEL_ERROR, "the stream cannot read the record: %s", reading->why.text);
        }
        s->is_failing |= reading->result < 0;
        s->must_look = true;
        reading_free(reading);
        return;
    }
    s->is_failing = false;
    for (size_t i = 0; i < reading->n; i++) {
        put_into_ring(s, reading->frames[i]);
    }
    if (reading->n > 0) {
        wake_all(s);
    }
    s->told = reading->last;
    bool is_full = reading->events == STORE_CHANGES_EVENTS_MAX;
    reading_free(reading);
    if (is_full) {
        read_for_ring(s);
    }
}

static void take_back(struct stream *s)
{
    struct work *work;

    while ((work = pool_take_done(s->config.pool)) != NULL) {
        struct reading *reading = (struct reading *)work;
        s->n_busy--;
        if (reading->is_for_ring) {
            take_for_ring(s, reading);
        } else if (reading->viewer == NULL) {
            reading_free(reading);
        } else {
            reading->is_back = true;
            wake(reading->viewer);
        }
    }
}

/* ---- one viewer's way through the record */

static struct frame *resync(struct stream *s, struct viewer *v)
{
    struct json *tree = json_new_object();
    int failed = json_put_i64(tree, "seq", s->told);
    struct frame *frame = failed == 0 ? frame_new("resync", s->told, s->told, tree) : NULL;

    json_free(tree);
    if (frame != NULL) {
        v->wants_resync = false;
        v->told = s->told;
        v->at = s->head;
        v->is_attached = true;
    }
    return frame;
}

static void drop_reading(struct viewer *v)
{
    if (v->reading == NULL) {
        return;
    }
    if (v->reading->is_back) {
        reading_free(v->reading);
    } else {
        v->reading->viewer = NULL;
    }
    v->reading = NULL;
}

/* The next frame of the viewer's own page, or NULL when there is none now. */
static struct frame *next_replayed(struct viewer *v)
{
    struct reading *reading = v->reading;

    if (reading == NULL || !reading->is_back) {
        return NULL;
    }
    if (reading->result == 0 && reading->next < reading->n) {
        return frame_ref(reading->frames[reading->next++]);
    }
    if (reading->result < 0 || reading->events == 0) {
        v->wants_resync = true; /* it will hear why when it asks */
    } else {
        v->told = reading->last;
    }
    drop_reading(v);
    return NULL;
}

/* Finds the viewer's place in the ring, or has a page read for it. */
static void attach(struct stream *s, struct viewer *v)
{
    int64_t last = event_seq(s);

    if (v->told >= s->ring_after && v->told <= last) {
        for (v->at = s->tail; v->at < s->head && s->ring[v->at % STREAM_RING]->seq <= v->told; v->at++) {
        }
        v->is_attached = true;
        return;
    }
    if (v->told > last || s->told - v->told > STREAM_REPLAY_MAX) {
        v->wants_resync = true;
        return;
    }
    v->reading = reading_new(v->told);
    if (v->reading == NULL) {
        v->wants_resync = true;
        return;
    }
    v->reading->viewer = v;
    post(s, v->reading);
}

static struct frame *next_recorded(struct stream *s, struct viewer *v)
{
    if (!v->is_attached && !v->wants_resync) {
        struct frame *frame = next_replayed(v);
        if (frame != NULL) {
            return frame;
        }
        if (v->reading == NULL && !v->wants_resync) {
            attach(s, v);
        }
    }
    if (v->is_attached && v->at < s->tail) {
        v->wants_resync = true;
    }
    if (v->wants_resync) {
        return resync(s, v);
    }
    return v->is_attached && v->at < s->head ? frame_ref(s->ring[v->at++ % STREAM_RING]) : NULL;
}

/* ---- viewers */

static struct frame *next_frame(struct stream *s, struct viewer *v)
{
    if (v->wants_hello) {
        v->wants_hello = false;
        return frame_ref(s->hello);
    }
    struct frame *frame = next_recorded(s, v);
    if (frame == NULL) {
        frame = next_slot(s, v);
    }
    if (frame == NULL && v->wants_beat && v->is_attached) {
        v->wants_beat = false;
        frame = frame_ref(s->beat);
    }
    return frame;
}

size_t stream_fill(struct stream *s, struct viewer *v, char *to, size_t max)
{
    size_t n = 0;

    v->is_woken = false;
    while (n < max) {
        if (v->out == NULL) {
            v->out = next_frame(s, v);
            v->out_at = 0;
        }
        if (v->out == NULL) {
            break;
        }
        size_t left = v->out->len - v->out_at, piece = left < max - n ? left : max - n;
        memcpy(to + n, v->out->octets + v->out_at, piece);
        n += piece;
        v->out_at += piece;
        if (v->out_at == v->out->len) {
            frame_unref(v->out);
            v->out = NULL;
        }
    }
    return n;
}

bool stream_join(struct stream *s, struct viewer *v, int64_t last_id)
{
    if (s->n_viewers == STREAM_VIEWERS_MAX) {
        return false;
    }
    if (s->n_viewers == 0) { /* nobody has looked for a while */
        s->must_look = true;
        if (s->reading == NULL) {
            start_over(s);
        }
    }
    *v = (struct viewer){.wants_hello = true, .wants_beat = true, .slot_last = NOBODY, .told = last_id};
    v->wants_resync = last_id < 0;
    v->next = s->viewers;
    if (v->next != NULL) {
        v->next->previous = v;
    }
    s->viewers = v;
    s->n_viewers++;
    return true;
}

void stream_leave(struct stream *s, struct viewer *v)
{
    *(v->previous != NULL ? &v->previous->next : &s->viewers) = v->next;
    if (v->next != NULL) {
        v->next->previous = v->previous;
    }
    frame_unref(v->out);
    drop_reading(v);
    s->n_viewers--;
}

/* ---- turns */

static void look(struct stream *s, int64_t now_us)
{
    int64_t pause = s->is_failing ? PAUSE_MAX_US : s->spent_us * PAUSE_FACTOR;

    pause = pause < PAUSE_MIN_US ? PAUSE_MIN_US : time_min(pause, PAUSE_MAX_US);
    s->must_look = false;
    s->spent_us = 0;
    s->is_pausing = true;
    s->next_look_us = now_us + pause;
    look_at_slots(s);
    read_for_ring(s);
}

static void beat(struct stream *s, int64_t now_us)
{
    s->next_beat_us = now_us + STREAM_BEAT_US;
    for (struct viewer *v = s->viewers; v != NULL; v = v->next) {
        v->wants_beat = true;
        wake(v);
    }
}

void stream_turn(struct stream *s, int64_t now_us)
{
    take_back(s);
    if (s->n_viewers == 0) {
        return;
    }
    if (now_us >= s->next_look_us) {
        s->is_pausing = false;
        if (bell_hear(s->config.sources->bell) || s->must_look) {
            look(s, now_us);
        }
    }
    if (now_us >= s->next_beat_us) {
        beat(s, now_us);
    }
}

int64_t stream_deadline(const struct stream *s)
{
    if (s->n_viewers == 0) {
        return TIME_NEVER;
    }
    return s->is_pausing ? time_min(s->next_look_us, s->next_beat_us) : s->next_beat_us;
}

bool stream_listens(const struct stream *s)
{
    return s->n_viewers > 0 && !s->is_pausing;
}

void stream_spend(struct stream *s, int64_t us)
{
    s->spent_us += us;
}

struct viewer *stream_viewers(const struct stream *s)
{
    return s->viewers;
}

size_t stream_count(const struct stream *s)
{
    return s->n_viewers;
}

unsigned stream_busy(const struct stream *s)
{
    return s->n_busy;
}

/* ---- life */

struct stream *stream_new(const struct stream_config *config)
{
    struct stream *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        return NULL;
    }
    s->config = *config;
    s->oldest = s->newest = NOBODY;
    s->hello = frame_new_text("retry: 1000\n\n");
    s->beat = frame_new_text(": \n\n");
    if (s->hello == NULL || s->beat == NULL) {
        stream_free(s);
        return NULL;
    }
    return s;
}

void stream_free(struct stream *s)
{
    if (s == NULL) {
        return;
    }
    assert(s->n_viewers == 0 && s->n_busy == 0);
    for (; s->tail < s->head; s->tail++) {
        frame_unref(s->ring[s->tail % STREAM_RING]);
    }
    for (uint32_t i = 0; i < s->n_slots; i++) {
        frame_unref(s->slots[i].frame);
    }
    free(s->slots);
    frame_unref(s->hello);
    frame_unref(s->beat);
    free(s);
}
