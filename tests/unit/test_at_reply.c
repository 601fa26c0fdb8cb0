/* at/reply: what a line is, where something cut into it, and its fields. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "at/reply.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void classifies(void **state)
{
    (void)state;
    static const struct {
        const char *line, *prefix;
        enum reply_class class;
        int code;
    } rows[] = {
        {"OK", NULL, REPLY_OK, 0},
        {"OK", "", REPLY_OK, 0},
        {"OKAY", NULL, REPLY_TEXT, 0},
        {"OK ", NULL, REPLY_TEXT, 0},
        {"ok", NULL, REPLY_TEXT, 0},
        {"ERROR", "%CMNG:", REPLY_ERROR, 0},
        {"ERRORS", NULL, REPLY_TEXT, 0},
        {"+CME ERROR: 513", "%CMNG:", REPLY_CME, 513},
        {"+CME ERROR:513", NULL, REPLY_CME, 513},
        {"+CME ERROR: 0", NULL, REPLY_CME, 0},
        {"+CMS ERROR: 304", NULL, REPLY_CME, 304},
        {"+CME ERROR: not found", NULL, REPLY_CME, -1},
        {"+CME ERROR: 51x", NULL, REPLY_CME, -1},
        {"+CME ERROR: ", NULL, REPLY_CME, -1},
        {"+CME ERROR", NULL, REPLY_CME, -1},
        {"+CME ERROR: 99999999999999999999", NULL, REPLY_CME, -1},
        {"+CME ERROR: -5", NULL, REPLY_CME, -1},
        {"+CME ERROR: 513", "+CME", REPLY_CME, 513}, /* no prefix hides the end of a command */
        {"%CMNG: 1,0,\"00\"", "%CMNG:", REPLY_INFO, 0},
        {"%CMNG: 1,0,\"00\"", NULL, REPLY_TEXT, 0},
        {"%CMNG: 1,0,\"00\"", "", REPLY_TEXT, 0},
        {"mfw_nrf9160_1.3.5", "", REPLY_TEXT, 0},
        {"", "", REPLY_TEXT, 0},
        {"+CEREG: 2", NULL, REPLY_URC, 0},
        {"+CEREG: 2", "", REPLY_URC, 0},
        {"+CEREG: 2", "%CMNG:", REPLY_URC, 0},
        {"+CEREG: 5,1", "+CEREG:", REPLY_INFO, 0},
        {"+CEREG", NULL, REPLY_TEXT, 0},
        {"%CESQ: 59,2,16,2", NULL, REPLY_URC, 0},
        {"+CGEV: ME BATTERY LOW", NULL, REPLY_URC, 0},
        {"%MDMEV: SEARCH STATUS 2", NULL, REPLY_URC, 0},
        {"%XTIME: ,\"02908091619240\",\"00\"", NULL, REPLY_URC, 0},
        {"%NCELLMEAS: 1", NULL, REPLY_URC, 0},
        {"%XMODEMSLEEP: 4", NULL, REPLY_URC, 0},
        {"*** Booting nRF Connect SDK v3.4.1-abc ***", NULL, REPLY_BANNER, 0},
        {"***** Booting Zephyr OS v1.14.99-ncs1 *****", "", REPLY_BANNER, 0},
        {"*** Using Zephyr OS v4.4.2-abc ***", NULL, REPLY_BANNER, 0},
        {"The AT host sample started", "", REPLY_BANNER, 0},
        {"Ready", "", REPLY_BANNER, 0},
        {"Ready to go", "", REPLY_TEXT, 0},
        {"INIT ERROR", "", REPLY_BANNER, 0},
        {"[Sec Thread] Secure image initializing!", NULL, REPLY_BANNER, 0},
        {"Booting TF-M v2.1.0", NULL, REPLY_BANNER, 0},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        int code = 0;

        print_message("  %s\n", rows[i].line);
        assert_int_equal(reply_classify(span_str(rows[i].line), rows[i].prefix, &code), rows[i].class);
        assert_int_equal(code, rows[i].code);
    }
}

static void finds_what_cut_in(void **state)
{
    (void)state;
    static const struct {
        const char *line, *prefix;
        size_t urc, banner;
    } rows[] = {
        {"O%CESQ: 59,2,16,2", NULL, 1, 0},
        {"%CESQ: 59,2,16,2", NULL, 0, 0},
        {"%%CESQ: 59", "%CMNG:", 1, 0},
        {"+C+CEREG: 2", "+CGSN:", 2, 0},
        {"+CEREG: 2+CEREG: 5", "+CEREG:", 0, 0},
        {"+CEREG: 2%CESQ: 5", "+CEREG:", 9, 0},
        {"%CMNG: 1,0,\"AB+CEREG:CD\"", "%CMNG:", 0, 0},
        {"MIIB+CGEVxx%CESQ", "%CMNG:", 0, 0},
        {"%CMNG: 1,0,\"A*** Booting nRF", "%CMNG:", 0, 13},
        {"\xff\xf0***** Booting Zephyr", "", 0, 2},
        {"Not Ready", "", 0, 0},
        {"", NULL, 0, 0},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        print_message("  %s\n", rows[i].line);
        assert_int_equal(reply_find_urc(span_str(rows[i].line), rows[i].prefix), rows[i].urc);
        assert_int_equal(reply_find_banner(span_str(rows[i].line)), rows[i].banner);
    }
}

/* A list row as modems send it and as Nordic's book prints it. */
static void reads_a_list_row(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "%CMNG: 4294967294,6,\"0A\"",
        "%CMNG: 4294967294, 6, \"0A\"",
        "%CMNG:4294967294 , 6 ,\r\n\"0A\" ",
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct cursor c = cursor_begin(span_str(rows[i]), "%CMNG:");
        uint32_t tag = 0, type = 0;
        struct span digest;

        assert_true(cursor_u32(&c, &tag));
        assert_true(cursor_has_more(&c));
        assert_true(cursor_u32(&c, &type));
        assert_false(cursor_end(&c));
        assert_true(cursor_string(&c, &digest));
        assert_true(cursor_end(&c));
        assert_false(cursor_has_more(&c));
        assert_int_equal(tag, 4294967294u);
        assert_int_equal(type, 6);
        assert_true(span_is(digest, "0A"));
    }
}

static void reads_a_text_over_lines(void **state)
{
    (void)state;
    struct cursor c = cursor_begin(span_str("%CMNG: 1,0,\"0A\",\r\n\"a\r\nOK\n\"\r\n"), "%CMNG:");
    struct span text;

    assert_true(cursor_skip(&c));
    assert_true(cursor_skip(&c));
    assert_true(cursor_skip(&c));
    assert_true(cursor_string(&c, &text));
    assert_true(span_is(text, "a\r\nOK\n"));
    assert_true(cursor_end(&c));
}

/* One field kind per letter: u, i, s, w, k(ip). `good` fields are read, then `c` is bad or at its end. */
static void reads_as_far_as_asked(void **state)
{
    (void)state;
    static const struct {
        const char *line, *prefix, *kinds;
        size_t good;
        bool is_end;
    } rows[] = {
        {"+CFUN: 4", "+CFUN:", "u", 1, true},
        {"+CFUN: 4,1", "+CFUN:", "u", 1, false},
        {"+CFUN: ", "+CFUN:", "u", 0, false},
        {"+CFUN: ", "+CFUN:", "", 0, true},
        {"+CFUN: 4", "%XVBAT:", "u", 0, false},
        {"+CFUN: 4x", "+CFUN:", "u", 0, false},
        {"+CFUN: 4 5", "+CFUN:", "u", 0, false},
        {"+CFUN: 4", "+CFUN:", "uu", 1, false},
        {"+CFUN: 4,", "+CFUN:", "uu", 1, false},
        {"+CFUN: 4294967295", "+CFUN:", "u", 1, true},
        {"+CFUN: 4294967296", "+CFUN:", "u", 0, false},
        {"+CFUN: 99999999999999999999999", "+CFUN:", "u", 0, false},
        {"+CFUN: -1", "+CFUN:", "u", 0, false},
        {"-44,9223372036854775807", "", "ii", 2, true},
        {"9223372036854775808", "", "i", 0, false},
        {"-", "", "i", 0, false},
        {"a,\"b,c\",d e ", "", "wsw", 3, true},
        {"a,,b", "", "www", 3, true},
        {"a,,b", "", "wkw", 3, true},
        {"\"a\"", "", "w", 0, false},
        {"\"a", "", "s", 0, false},
        {"\"a\"b", "", "s", 0, false},
        {"a", "", "s", 0, false},
        {"", "", "w", 1, true},
        {"", "", "s", 0, false},
        {"1,\"a\",b", "", "kkk", 3, true},
        {"1,\"a", "", "kk", 1, false},
        {"1 2,3", "", "uu", 0, false},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct cursor c = cursor_begin(span_str(rows[i].line), rows[i].prefix);
        size_t good = 0;

        print_message("  %s as %s\n", rows[i].line, rows[i].kinds);
        for (const char *kind = rows[i].kinds; *kind; kind++) {
            uint32_t u = 77;
            int64_t n = 77;
            struct span text = span_str("77");
            bool is_read = *kind == 'u'   ? cursor_u32(&c, &u)
                           : *kind == 'i' ? cursor_int(&c, &n)
                           : *kind == 's' ? cursor_string(&c, &text)
                           : *kind == 'w' ? cursor_word(&c, &text)
                                          : cursor_skip(&c);

            good += is_read;
            if (!is_read)
                assert_true(u == 77 && n == 77 && span_is(text, "77"));
        }
        assert_int_equal(good, rows[i].good);
        assert_int_equal(cursor_end(&c), rows[i].is_end);
    }
}

static void the_first_failure_sticks(void **state)
{
    (void)state;
    struct cursor c = cursor_begin(span_str("x,1,\"a\""), "");
    uint32_t value = 77;
    struct span text = span_str("77");

    assert_false(cursor_u32(&c, &value));
    assert_false(cursor_u32(&c, &value));
    assert_false(cursor_word(&c, &text));
    assert_false(cursor_string(&c, &text));
    assert_false(cursor_skip(&c));
    assert_false(cursor_has_more(&c));
    assert_false(cursor_end(&c));
    assert_int_equal(value, 77);
    assert_true(span_is(text, "77"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classifies),
        cmocka_unit_test(finds_what_cut_in),
        cmocka_unit_test(reads_a_list_row),
        cmocka_unit_test(reads_a_text_over_lines),
        cmocka_unit_test(reads_as_far_as_asked),
        cmocka_unit_test(the_first_failure_sticks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
