/* base/clock: the one text form of a time, both ways, and the order of the system clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const struct {
    int64_t wall_ms;
    const char *text;
} both_ways[] = {
    {0, "1970-01-01T00:00:00.000Z"},
    {1, "1970-01-01T00:00:00.001Z"},
    {999, "1970-01-01T00:00:00.999Z"},
    {951782399999, "2000-02-28T23:59:59.999Z"},
    {951782400000, "2000-02-29T00:00:00.000Z"},
    {1795161600000, "2026-11-20T08:00:00.000Z"},
    {2147483648000, "2038-01-19T03:14:08.000Z"},
    {4107542400000, "2100-03-01T00:00:00.000Z"},
    {253402300799999, "9999-12-31T23:59:59.999Z"},
};

static void writes_and_reads_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(both_ways); i++) {
        char text[CLOCK_RFC3339_SIZE];
        int64_t back = -1;
        clock_rfc3339(both_ways[i].wall_ms, text);
        assert_string_equal(text, both_ways[i].text);
        assert_int_equal(clock_parse_rfc3339(text, &back), 0);
        assert_int_equal(back, both_ways[i].wall_ms);
    }
}

static void clamps_what_has_no_text(void **state)
{
    (void)state;
    static const int64_t times[][2] = {
        {-1, 0}, {INT64_MIN, 0}, {253402300800000, 253402300799999}, {INT64_MAX, 253402300799999}};
    for (size_t i = 0; i < COUNT(times); i++) {
        char text[CLOCK_RFC3339_SIZE], clamped[CLOCK_RFC3339_SIZE];
        clock_rfc3339(times[i][0], text);
        clock_rfc3339(times[i][1], clamped);
        assert_string_equal(text, clamped);
    }
}

static void reads_fewer_digits(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t wall_ms;
    } rows[] = {
        {"1970-01-01T00:00:01Z", 1000},
        {"1970-01-01T00:00:01.5Z", 1500},
        {"1970-01-01T00:00:01.25Z", 1250},
        {"1970-01-01T00:00:01.007Z", 1007},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t wall_ms = -1;
        assert_int_equal(clock_parse_rfc3339(rows[i].text, &wall_ms), 0);
        assert_int_equal(wall_ms, rows[i].wall_ms);
    }
}

static void refuses_what_is_no_time(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "now",
        "2026-11-20",
        "2026-11-20T08:00Z",
        "2026-11-20T08:00:00",
        "2026-11-20 08:00:00Z",
        "2026-11-20T08:00:00+01:00",
        "2026-11-20T08:00:00.Z",
        "2026-11-20T08:00:00.1234Z",
        "2026-11-20T08:00:00.000Zx",
        "2026-13-20T08:00:00.000Z",
        "2026-11-32T08:00:00.000Z",
        "2026-11-20T24:00:00.000Z",
        "2026-02-30T08:00:00.000Z",
        "2026-11-31T08:00:00.000Z",
        "2100-02-29T00:00:00.000Z",
        "2026-11-20T08:00:60.000Z",
        "  2026-11-20T08:00:00.000Z",
        "2026-1-2T3:4:5Z",
        "1969-12-31T23:59:59.999Z",
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        int64_t wall_ms = -7;
        if (clock_parse_rfc3339(texts[i], &wall_ms) != ERR_FORMAT) {
            fail_msg("taken: %s", texts[i]);
        }
        assert_int_equal(wall_ms, -7);
    }
}

static void the_system_clock_runs_forwards(void **state)
{
    (void)state;
    int64_t before = clock_system.mono_us(&clock_system);
    for (int i = 0; i < 1000; i++) {
        int64_t now = clock_system.mono_us(&clock_system);
        assert_true(now >= before);
        before = now;
    }
    assert_true(clock_system.wall_ms(&clock_system) > both_ways[4].wall_ms);
    assert_int_equal(time_min(3, TIME_NEVER), 3);
    assert_int_equal(time_min(TIME_NEVER, -3), -3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_and_reads_the_same),
        cmocka_unit_test(clamps_what_has_no_text),
        cmocka_unit_test(reads_fewer_digits),
        cmocka_unit_test(refuses_what_is_no_time),
        cmocka_unit_test(the_system_clock_runs_forwards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
