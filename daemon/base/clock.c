/* The system's clocks and the one text form of a time that Certline uses. No time zones: records are UTC. */
#define _GNU_SOURCE
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/err.h"

#define DATE_TIME_LEN 19                       /* up to the seconds */
#define WALL_MS_LAST  INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

static int64_t system_mono_us(const struct clock *clock)
{
    (void)clock;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * US_PER_S + t.tv_nsec / 1000;
}

static int64_t system_wall_ms(const struct clock *clock)
{
    (void)clock;
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

const struct clock clock_system = {.mono_us = system_mono_us, .wall_ms = system_wall_ms};

void clock_rfc3339(int64_t wall_ms, char out[CLOCK_RFC3339_SIZE])
{
    if (wall_ms < 0) {
        wall_ms = 0;
    }
    if (wall_ms > WALL_MS_LAST) {
        wall_ms = WALL_MS_LAST;
    }
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    char date[24];
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out, CLOCK_RFC3339_SIZE, "%.19s.%03uZ", date, (unsigned)(wall_ms % 1000) % 1000u);
}

/* "Z", ".5Z", ".25Z" or ".125Z" → milliseconds, or -1. */
static int parse_fraction(const char *text)
{
    int ms = 0;
    if (*text == '.') {
        int weight = 100;
        for (text++; *text >= '0' && *text <= '9' && weight > 0; text++, weight /= 10) {
            ms += (*text - '0') * weight;
        }
        if (weight == 100) {
            return -1;
        }
    }
    return strcmp(text, "Z") == 0 ? ms : -1;
}

int clock_parse_rfc3339(const char *text, int64_t *ret_wall_ms)
{
    struct tm tm = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (!rest) {
        return ERR_FORMAT;
    }
    int ms = parse_fraction(rest);
    if (ms < 0) {
        return ERR_FORMAT;
    }
    int64_t wall_ms = (int64_t)timegm(&tm) * 1000 + ms;
    /* strptime takes blanks, single digits and second 60, and timegm makes 2 March of 30 February: only what
     * would be written the same way is a time of ours. */
    char again[CLOCK_RFC3339_SIZE];
    clock_rfc3339(wall_ms, again);
    if (strncmp(again, text, DATE_TIME_LEN) != 0) {
        return ERR_FORMAT;
    }
    *ret_wall_ms = wall_ms;
    return 0;
}
