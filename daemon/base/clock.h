/*
 * Time. Two kinds, never mixed: monotonic microseconds drive deadlines and durations; wall milliseconds since
 * 1970 UTC are for records only. Code below station/ gets `now_us` as an argument and never asks a clock.
 *
 * A clock is passed in, so that the world test can stand a virtual one in its place.
 */
#ifndef CERTLINE_BASE_CLOCK_H
#define CERTLINE_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define US_PER_MS  INT64_C(1000)
#define US_PER_S   INT64_C(1000000)
#define TIME_NEVER INT64_MAX /* as a deadline: none is set */

struct clock {
    int64_t (*mono_us)(const struct clock *clock); /* never runs backwards */
    int64_t (*wall_ms)(const struct clock *clock); /* may jump when somebody sets the time */
};

/* The machine's own clocks (CLOCK_MONOTONIC, CLOCK_REALTIME). Constant, usable from every thread. */
extern const struct clock clock_system;

/* "2026-11-20T08:00:00.000Z" (24 characters and NUL) for a wall time from 1970 to 9999; earlier and later are
 * clamped. */
#define CLOCK_RFC3339_SIZE 25
void clock_rfc3339(int64_t wall_ms, char out[CLOCK_RFC3339_SIZE]);

/* The reverse: date, "T", time, up to three digits of a second and "Z"; a day that exists, from 1970 on.
 * Returns 0 or ERR_FORMAT. */
int clock_parse_rfc3339(const char *text, int64_t *ret_wall_ms);

static inline int64_t time_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

#endif
