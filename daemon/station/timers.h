/*
 * Deadlines of many slots: a binary heap over slot indices, so that the next one is known at once and
 * changing one costs a logarithm, whatever the number of boards. All memory is taken at init.
 */
#ifndef CERTLINE_STATION_TIMERS_H
#define CERTLINE_STATION_TIMERS_H

#include <stdint.h>

struct timers {
    uint32_t n;      /* slots */
    int64_t *at_us;  /* by slot; TIME_NEVER: none */
    uint32_t *heap;  /* slots, the earliest first */
    uint32_t *place; /* of each slot in the heap */
};

/* Room for `capacity` slots, none in use. 0 or -ENOMEM. timers_done accepts a zeroed object. */
int timers_init(struct timers *t, uint32_t capacity);
void timers_done(struct timers *t);

/* One slot more, with no deadline. Within the capacity. */
void timers_add(struct timers *t);

void timers_set(struct timers *t, uint32_t slot, int64_t at_us);

/* The earliest deadline, and whose; TIME_NEVER when there is none. */
int64_t timers_next(const struct timers *t, uint32_t *ret_slot);

#endif
