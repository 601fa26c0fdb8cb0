#include "station/timers.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"

int timers_init(struct timers *t, uint32_t capacity)
{
    *t = (struct timers){0};
    t->at_us = calloc(capacity, sizeof(*t->at_us));
    t->heap = calloc(capacity, sizeof(*t->heap));
    t->place = calloc(capacity, sizeof(*t->place));
    return t->at_us && t->heap && t->place ? 0 : -ENOMEM;
}

void timers_done(struct timers *t)
{
    free(t->at_us);
    free(t->heap);
    free(t->place);
    *t = (struct timers){0};
}

static void put(struct timers *t, uint32_t place, uint32_t slot)
{
    t->heap[place] = slot;
    t->place[slot] = place;
}

static void sift_up(struct timers *t, uint32_t place)
{
    uint32_t slot = t->heap[place];
    while (place > 0) {
        uint32_t parent = (place - 1) / 2;
        if (t->at_us[t->heap[parent]] <= t->at_us[slot]) {
            break;
        }
        put(t, place, t->heap[parent]);
        place = parent;
    }
    put(t, place, slot);
}

static void sift_down(struct timers *t, uint32_t place)
{
    uint32_t slot = t->heap[place];
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child >= t->n) {
            break;
        }
        if (child + 1 < t->n && t->at_us[t->heap[child + 1]] < t->at_us[t->heap[child]]) {
            child++;
        }
        if (t->at_us[slot] <= t->at_us[t->heap[child]]) {
            break;
        }
        put(t, place, t->heap[child]);
        place = child;
    }
    put(t, place, slot);
}

void timers_add(struct timers *t)
{
    t->at_us[t->n] = TIME_NEVER;
    put(t, t->n, t->n);
    t->n++;
}

void timers_set(struct timers *t, uint32_t slot, int64_t at_us)
{
    assert(slot < t->n);
    int64_t before = t->at_us[slot];
    t->at_us[slot] = at_us;
    if (at_us < before) {
        sift_up(t, t->place[slot]);
    } else if (at_us > before) {
        sift_down(t, t->place[slot]);
    }
}

int64_t timers_next(const struct timers *t, uint32_t *ret_slot)
{
    if (t->n == 0) {
        return TIME_NEVER;
    }
    *ret_slot = t->heap[0];
    return t->at_us[t->heap[0]];
}
