/* at/line: line ends, quotes that span them, bounds; the same lines for every split. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "at/line.h"
#include "base/buf.h"

#define SIZE 128

#define X10  "xxxxxxxxxx"
#define X40  X10 X10 X10 X10
#define X120 X40 X40 X40

struct row {
    const char *what;
    const char *quoted_prefix;
    struct span in;
    const char *lines;   /* each followed by '|', an overlong one by '~' */
    const char *partial; /* what is left */
};

#define IN(text)                                                                                             \
    {                                                                                                        \
        text, sizeof(text) - 1                                                                               \
    }

static const struct row rows[] = {
    {"CRLF", NULL, IN("OK\r\n"), "OK|", ""},
    {"CR alone", NULL, IN("OK\rA\r"), "OK|A|", ""},
    {"LF alone", NULL, IN("OK\nA\n"), "OK|A|", ""},
    {"leading LF", NULL, IN("\nmfw\r\nOK\r\n"), "mfw|OK|", ""},
    {"wrapped as Serial Modem does", NULL, IN("\r\n+CGSN: \"3\"\r\n\r\nOK\r\n"), "+CGSN: \"3\"|OK|", ""},
    {"NUL behind the reply and inside", NULL, IN("O\0K\r\0\n\0ERROR\r\n\0"), "OK|ERROR|", ""},
    {"no end yet", NULL, IN("mosh:~$ "), "", "mosh:~$ "},
    {"a blank line is a line", NULL, IN(" \r\n"), " |", ""},
    {"quotes mean nothing without prefix", NULL, IN("%CMNG: 1,0,\"a\r\nOK\r\n"), "%CMNG: 1,0,\"a|OK|", ""},
    {"nor on another line", "%CMNG:", IN("x\"a\r\nOK\r\n"), "x\"a|OK|", ""},
    {"text over lines", "%CMNG:", IN("%CMNG: 1,0,\"A\",\"b\nOK\r\n\rc\"\r\nOK\r\n"),
     "%CMNG: 1,0,\"A\",\"b\nOK\r\n\rc\"|OK|", ""},
    {"text on the next line", "%CMNG:", IN("%CMNG: 1,0,\"A\",\r\n\"b\r\nc\"\r\nOK\r\n"),
     "%CMNG: 1,0,\"A\",\r\n\"b\r\nc\"|OK|", ""},
    {"a comma ends other lines", "%CMNG:", IN("+CGSN: 1,\r\nOK\r\n"), "+CGSN: 1,|OK|", ""},
    {"a comma without prefix asked for", NULL, IN("%CMNG: 1,\r\nOK\r\n"), "%CMNG: 1,|OK|", ""},
    {"a quote that stays open", "%CMNG:", IN("%CMNG: \"a\r\nOK\r\n"), "", "%CMNG: \"a\r\nOK\r\n"},
    {"as long as the memory", NULL, IN(X120 "12345678\r\nOK\r\n"), X120 "12345678|OK|", ""},
    {"one longer", NULL, IN(X120 "123456789\r\nOK\r\n"), X120 "12345678~OK|", ""},
    {"cut behind a comma", "%C", IN("%Cxxxxx" X120 ",z\r\nOK\r\n"), "%Cxxxxx" X120 ",~OK|", ""},
    {"much longer", NULL, IN(X120 X120 X120 "\r\nOK\r\n"), X120 "xxxxxxxx~OK|", ""},
    {"overlong in quotes", "%C", IN("%C\"" X120 X120 "\r\nOK\r\n\"\r\nOK\r\n"), "%C\"" X120 "xxxxx~OK|", ""},
    {"overlong behind a comma", "%C", IN("%C,\r\n" X120 X120 ",\r\nOK\r\n"), "%C,\r\n" X120 "xxx~OK|", ""},
};

static size_t feed(struct line *l, struct span in, struct buf *out)
{
    size_t count = 0, used;
    struct span line;

    while (in.len > 0) {
        enum line_result result = line_feed(l, in, &used, &line);

        assert_in_range(used, 1, in.len);
        in = span_skip(in, used);
        if (result == LINE_UNSURE) {
            assert_int_equal(in.len, 0);
            break;
        }
        buf_add(out, line);
        buf_add_char(out, result == LINE_OVERLONG ? '~' : '|');
        count++;
    }
    return count;
}

static void check(const struct row *row, size_t split, size_t step)
{
    char memory[SIZE], text[4096];
    struct line l;
    struct buf out;

    buf_init(&out, text, sizeof(text));
    line_init(&l, memory, sizeof(memory));
    line_set_quoted_prefix(&l, row->quoted_prefix);
    feed(&l, span_of(row->in.at, split), &out);
    for (size_t at = split; at < row->in.len; at += step)
        feed(&l, span_of(row->in.at + at, step < row->in.len - at ? step : row->in.len - at), &out);

    assert_string_equal(text, row->lines);
    assert_true(span_is(line_partial(&l), row->partial));
}

static void same_lines_for_every_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        print_message("  %s\n", rows[i].what);
        for (size_t split = 0; split <= rows[i].in.len; split++)
            check(&rows[i], split, 100000);
        for (size_t step = 1; step < 5; step++)
            check(&rows[i], 0, step);
    }
}

static void reset_forgets_an_open_quote(void **state)
{
    (void)state;
    char memory[SIZE], text[64];
    struct line l;
    struct buf out;

    buf_init(&out, text, sizeof(text));
    line_init(&l, memory, sizeof(memory));
    line_set_quoted_prefix(&l, "%CMNG:");
    assert_int_equal(feed(&l, span_str("%CMNG: 1,0,\"a\r\nb"), &out), 0);
    line_reset(&l);
    assert_int_equal(feed(&l, span_str("OK\r\n"), &out), 1);
    assert_string_equal(text, "OK|");
}

/* The prefix is gone before the text has ended: the text goes on to its own end. */
static void an_open_quote_outlives_its_prefix(void **state)
{
    (void)state;
    char memory[SIZE], text[64];
    struct line l;
    struct buf out;

    buf_init(&out, text, sizeof(text));
    line_init(&l, memory, sizeof(memory));
    line_set_quoted_prefix(&l, "%CMNG:");
    feed(&l, span_str("%CMNG: \"a\r\n"), &out);
    line_set_quoted_prefix(&l, NULL);
    feed(&l, span_str("OK\"\r\nOK\r\n"), &out);
    assert_string_equal(text, "%CMNG: \"a\r\nOK\"|OK|");
}

static void resumes_what_was_cut(void **state)
{
    (void)state;
    static const struct {
        const char *prefix, *torn, *rest, *lines;
        size_t n;
    } cases[] = {
        {NULL, "O+X: 1\r\n", "K\r\n", "O+X: 1|OK|", 1},
        {"%C", "%+X: 1\r\n", "C\"\r\n\"\r\n", "%+X: 1|%C\"\r\n\"|", 1},
        {"%C", "%C\"a\"+X: 1\r\n", ",\"b\r\nc\"\r\n", "%C\"a\"+X: 1|%C\"a\",\"b\r\nc\"|", 5},
        {"%C", "%C,\r+X: 1\r\n", "\n\"b\r\n\"\r\n", "%C,\r+X: 1|%C,\r\n\"b\r\n\"|", 4},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char memory[SIZE], text[256];
        struct line l;
        struct buf out;
        size_t used;
        struct span line, torn = span_str(cases[i].torn);

        buf_init(&out, text, sizeof(text));
        line_init(&l, memory, sizeof(memory));
        line_set_quoted_prefix(&l, cases[i].prefix);
        assert_int_equal(line_feed(&l, torn, &used, &line), LINE_READY);
        buf_add(&out, line);
        buf_add_char(&out, '|');
        line_resume(&l, cases[i].n);
        feed(&l, span_skip(torn, used), &out);
        feed(&l, span_str(cases[i].rest), &out);
        assert_string_equal(text, cases[i].lines);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_lines_for_every_split),
        cmocka_unit_test(reset_forgets_an_open_quote),
        cmocka_unit_test(an_open_quote_outlives_its_prefix),
        cmocka_unit_test(resumes_what_was_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
