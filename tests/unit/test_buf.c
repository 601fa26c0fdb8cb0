/* base/buf: bounded text, whose first overflow sticks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static void builds_text(void **state)
{
    (void)state;
    char memory[64];
    struct buf b;
    buf_init(&b, memory, sizeof(memory));
    assert_string_equal(memory, "");
    buf_add_str(&b, "AT%CMNG=");
    buf_add_u64(&b, 0);
    buf_add_char(&b, ',');
    buf_add(&b, span_of("16842753xx", 8));
    buf_add(&b, span_of(NULL, 0));
    buf_add_hex(&b, (const uint8_t[]){0x0F, 0xA0}, 2);
    assert_string_equal(memory, "AT%CMNG=0,168427530FA0");
    assert_true(span_is(buf_span(&b), memory));
    assert_false(b.is_cut);
}

static void writes_every_size_of_number(void **state)
{
    (void)state;
    static const struct {
        int64_t value;
        const char *text;
    } rows[] = {
        {0, "0"},
        {7, "7"},
        {-7, "-7"},
        {10, "10"},
        {-100, "-100"},
        {INT64_MAX, "9223372036854775807"},
        {INT64_MIN, "-9223372036854775808"},
    };
    char memory[32];
    struct buf b;
    for (size_t i = 0; i < COUNT(rows); i++) {
        buf_init(&b, memory, sizeof(memory));
        buf_add_i64(&b, rows[i].value);
        assert_string_equal(memory, rows[i].text);
    }
    buf_init(&b, memory, sizeof(memory));
    buf_add_u64(&b, UINT64_MAX);
    assert_string_equal(memory, "18446744073709551615");
}

/* Whatever the size: what fits whole is there, the rest is not, nothing beyond the memory is touched. */
static void the_first_overflow_sticks(void **state)
{
    (void)state;
    for (size_t size = 1; size <= 12; size++) {
        char memory[16];
        memset(memory, '#', sizeof(memory));
        struct buf b;
        buf_init(&b, memory, size);
        buf_add_str(&b, "abcd");
        buf_add_str(&b, "efgh");
        buf_add_str(&b, "");
        bool first = size > 4, second = size > 8;
        assert_string_equal(memory, second ? "abcdefgh" : first ? "abcd" : "");
        assert_int_equal(b.is_cut, !second);
        buf_add_char(&b, 'i');
        assert_int_equal(b.is_cut, size <= 9);
        assert_int_equal(b.len, strlen(memory));
        for (size_t i = size; i < sizeof(memory); i++) {
            assert_int_equal(memory[i], '#');
        }
    }
}

static void copies_into_arrays(void **state)
{
    (void)state;
    char to[5];
    buf_copy(to, sizeof(to), span_str("abcd"));
    assert_string_equal(to, "abcd");
    buf_copy(to, sizeof(to), span_str("abcdef"));
    assert_string_equal(to, "abcd");
    buf_copy(to, sizeof(to), span_of(NULL, 0));
    assert_string_equal(to, "");
    buf_copy(to, 1, span_str("x"));
    assert_string_equal(to, "");
}

static void spans_compare(void **state)
{
    (void)state;
    assert_true(span_eq(span_of(NULL, 0), span_str("")));
    assert_true(span_is(span_of("OK\r", 2), "OK"));
    assert_false(span_is(span_str("OK"), "OKAY"));
    assert_true(span_starts(span_str("%CMNG: 1"), "%CMNG:"));
    assert_false(span_starts(span_str("%CMN"), "%CMNG:"));
    assert_true(span_starts(span_of(NULL, 0), ""));
    assert_true(span_is(span_skip(span_str("abc"), 1), "bc"));
    assert_int_equal(span_skip(span_str("abc"), 4).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builds_text),
        cmocka_unit_test(writes_every_size_of_number),
        cmocka_unit_test(the_first_overflow_sticks),
        cmocka_unit_test(copies_into_arrays),
        cmocka_unit_test(spans_compare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
