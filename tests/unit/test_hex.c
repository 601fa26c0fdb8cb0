/* base/hex: both ways, and what is not hexadecimal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/hex.h"

static void encodes_upper_case(void **state)
{
    (void)state;
    static const struct {
        uint8_t octets[4];
        size_t n;
        const char *text;
    } rows[] = {
        {{0}, 0, ""},
        {{0x00}, 1, "00"},
        {{0xAB, 0xCD}, 2, "ABCD"},
        {{0x01, 0x9F, 0xF0, 0xFF}, 4, "019FF0FF"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char text[9];
        hex_encode(rows[i].octets, rows[i].n, text);
        assert_string_equal(text, rows[i].text);
    }
}

static void decodes_either_case(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t n;
        int result;
        uint8_t octets[2];
    } rows[] = {
        {"", 0, 0, {0}},
        {"0aF9", 2, 0, {0x0A, 0xF9}},
        {"ffFF", 2, 0, {0xFF, 0xFF}},
        {"0aF", 2, ERR_FORMAT, {0}},
        {"0aF99", 2, ERR_FORMAT, {0}},
        {"0g", 1, ERR_FORMAT, {0}},
        {"/0", 1, ERR_FORMAT, {0}},
        {":0", 1, ERR_FORMAT, {0}},
        {"@0", 1, ERR_FORMAT, {0}},
        {"`0", 1, ERR_FORMAT, {0}},
        {" 0", 1, ERR_FORMAT, {0}},
        {"0x", 1, ERR_FORMAT, {0}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        uint8_t octets[2] = {0};
        assert_int_equal(hex_decode(span_str(rows[i].text), octets, rows[i].n), rows[i].result);
        if (rows[i].result == 0) {
            assert_memory_equal(octets, rows[i].octets, rows[i].n);
        }
    }
}

static void every_octet_survives_the_round_trip(void **state)
{
    (void)state;
    for (unsigned value = 0; value < 256; value++) {
        uint8_t octet = (uint8_t)value, back = 0;
        char text[3];
        hex_encode(&octet, 1, text);
        assert_int_equal(hex_decode(span_str(text), &back, 1), 0);
        assert_int_equal(back, octet);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodes_upper_case),
        cmocka_unit_test(decodes_either_case),
        cmocka_unit_test(every_octet_survives_the_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
