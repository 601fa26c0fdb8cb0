/*
 * at/chat against a host that prints notifications from another thread: an unsolicited line is put into a
 * complete answer at each octet. The answer must be what it is without it, and the unsolicited line must come
 * out once.
 *
 * A failure names answer, notification and octet; the same three go to `check`.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "at/chat.h"
#include "base/buf.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define LINE_SIZE    4096
#define SPLICE_SIZE  160
#define TOLD_SIZE    16384

#define SHA          "2C43952EE9E000FF2ACC4E2ED0897C0A72AD5FA72C3D934E81741CBD54F05BD1"

/* Two lines of base64 are enough to have ends and middles; among them a line that looks like a result. */
#define PEM(end)                                                                                             \
    "-----BEGIN CERTIFICATE-----" end "MIIDQTCCAimgAwIBAgITBmyfz5m/jAo54vB4ikPmljZbyjANBgkqhkiG9w0BAQsF" end \
    "OK" end "A+c%d/ODA5MQ8wDQYDVQQKEwZBbWF6b24xGTAXBgNVBAMTEEFtYXpv+==" end "-----END CERTIFICATE-----" end

struct answer {
    const char *what;
    const char *prefix;
    bool is_quoted;
    const char *octets;
    int rows; /* a list row that comes so often before `octets` */
};

static const struct answer answers[] = {
    {"AT", NULL, false, "OK\r\n", 0},
    {"refusal", "%CMNG:", false, "+CME ERROR: 513\r\n", 0},
    {"refusal without number", "%CMNG:", false, "ERROR\r\n", 0},
    {"CGMR", "", false, "mfw_nrf91x1_2.0.2\r\nOK\r\n", 0},
    {"CGSN=1", "+CGSN:", false, "+CGSN: \"352656100367872\"\r\nOK\r\n", 0},
    {"list of 3", "%CMNG:", false, "OK\r\n", 3},
    {"list of 3, read as texts", "%CMNG:", true, "OK\r\n", 3},
    {"list of 60", "%CMNG:", false, "OK\r\n", 60},
    {"read, LF", "%CMNG:", true, "%CMNG: 7,0,\"" SHA "\",\"" PEM("\n") "\"\r\nOK\r\n", 0},
    {"read, CRLF", "%CMNG:", true, "%CMNG: 7,0,\"" SHA "\",\"" PEM("\r\n") "\"\r\nOK\r\n", 0},
    {"read, text on its own line", "%CMNG:", true, "%CMNG: 7, 0, \"" SHA "\",\r\n\"" PEM("\n") "\"\r\nOK\r\n",
     0},
    {"read, refused", "%CMNG:", true, "+CME ERROR: 514\r\n", 0},
    {"as Serial Modem wraps it", "+CGSN:", false, "\r\n+CGSN: \"3\"\r\n\r\nOK\r\n", 0},
};

static const struct intruder {
    const char *octets;
    const char *told;
} intruders[] = {
    {"%CESQ: 59,2,16,2\r\n", "urc %CESQ: 59,2,16,2|"},
    {"+CEREG: 2,\"0001\",\"0000000A\",7\r\n", "urc +CEREG: 2,\"0001\",\"0000000A\",7|"},
    {"+CGEV: ME BATTERY LOW\r\n%MDMEV: SEARCH STATUS 2\r\n",
     "urc +CGEV: ME BATTERY LOW|urc %MDMEV: SEARCH STATUS 2|"},
};

static char octets[8192];
static char plain[TOLD_SIZE];

static struct span octets_of(const struct answer *a)
{
    struct buf b;

    buf_init(&b, octets, sizeof(octets));
    for (int i = 0; i < a->rows; i++) {
        buf_add_str(&b, "%CMNG: ");
        buf_add_i64(&b, 16842753 + i);
        buf_add_str(&b, ",0,\"" SHA "\"\r\n");
    }
    buf_add_str(&b, a->octets);
    assert_false(b.is_cut);
    return buf_span(&b);
}

/* Answer and unsolicited lines are noted apart: their order among each other is free. */
struct told {
    struct buf answer, urcs;
    char answer_text[TOLD_SIZE], urcs_text[512];
};

static void note(struct told *t, const struct chat_event *ev)
{
    struct buf *b = ev->kind == CHAT_URC ? &t->urcs : &t->answer;

    if (ev->kind == CHAT_URC) {
        buf_add_str(b, "urc ");
    } else {
        buf_add_i64(b, ev->kind);
        buf_add_char(b, ev->kind == CHAT_DONE ? (char)('a' + (int)ev->end) : ' ');
        buf_add_i64(b, ev->code);
    }
    buf_add(b, ev->line);
    buf_add_char(b, ev->is_overlong ? '~' : '|');
    assert_false(b->is_cut);
}

static void feed(struct chat *c, struct span in, size_t step, struct told *t)
{
    struct chat_event ev;

    while (in.len > 0) {
        struct span piece = span_of(in.at, step < in.len ? step : in.len);

        in = span_skip(in, piece.len);
        do {
            piece = span_skip(piece, chat_feed(c, piece, 1, &ev));
            if (ev.kind != CHAT_NONE)
                note(t, &ev);
        } while (ev.kind != CHAT_NONE);
    }
}

/* The answer's octets with intruders before octet k and octet m (k <= m). */
static void run(const struct answer *a, struct span in, size_t k, const char *at_k, size_t m,
                const char *at_m, size_t step, struct told *t)
{
    static char line[LINE_SIZE], splice[SPLICE_SIZE];
    struct chat c;
    struct chat_command command = {
        .prefix = a->prefix, .is_quoted = a->is_quoted, .is_raw = true, .timeout_us = 1};

    buf_init(&t->answer, t->answer_text, sizeof(t->answer_text));
    buf_init(&t->urcs, t->urcs_text, sizeof(t->urcs_text));
    chat_init(&c, line, sizeof(line), splice, sizeof(splice));
    chat_submit(&c, &command, 0, 0);
    feed(&c, span_of(in.at, k), step, t);
    feed(&c, span_str(at_k), step, t);
    feed(&c, span_of(in.at + k, m - k), step, t);
    feed(&c, span_str(at_m), step, t);
    feed(&c, span_of(in.at + m, in.len - m), step, t);
    assert_int_equal(line_partial(&c.line).len, 0);
}

static struct told told;

static void learn_plain(const struct answer *a, struct span in)
{
    run(a, in, 0, "", 0, "", in.len, &told);
    assert_string_equal(told.urcs_text, "");
    memcpy(plain, told.answer_text, told.answer.len + 1);
}

static void check(const struct answer *a, struct span in, const struct intruder *u, size_t k, size_t step)
{
    run(a, in, k, u->octets, k, "", step, &told);
    if (strcmp(told.answer_text, plain) != 0 || strcmp(told.urcs_text, u->told) != 0)
        print_error("answer \"%s\", octet %zu, pieces of %zu, %s", a->what, k, step, u->octets);
    assert_string_equal(told.answer_text, plain);
    assert_string_equal(told.urcs_text, u->told);
}

static void at_each_octet(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        struct span in = octets_of(&answers[i]);
        /* A long list takes the square of its length. Its rows are all alike, 86 octets each, so every
         * seventh octet is each octet of a row in some row or other. */
        size_t every = in.len > 1000 ? 7 : 1;

        print_message("  %s: %zu octets\n", answers[i].what, in.len);
        learn_plain(&answers[i], in);
        for (size_t n = 0; n < COUNT(intruders); n++) {
            for (size_t k = n % every; k <= in.len; k += every) {
                check(&answers[i], in, &intruders[n], k, 100000);
                if (in.len < 1000 || k % 13 == 0)
                    check(&answers[i], in, &intruders[n], k, 1);
            }
        }
    }
}

/* Two of them, at any two octets of an answer that is not too long for all pairs. */
static void at_each_two_octets(void **state)
{
    (void)state;
    static const char both[] = "urc %CESQ: 59,2,16,2|urc +CEREG: 2,\"0001\",\"0000000A\",7|";

    for (size_t i = 0; i < COUNT(answers); i++) {
        struct span in = octets_of(&answers[i]);
        size_t every = in.len > 100 ? 17 : 1;

        learn_plain(&answers[i], in);
        for (size_t k = 0; in.len < 1000 && k <= in.len; k += every) {
            for (size_t m = k; m <= in.len; m++) {
                run(&answers[i], in, k, intruders[0].octets, m, intruders[1].octets, 100000, &told);
                if (strcmp(told.answer_text, plain) != 0 || strcmp(told.urcs_text, both) != 0)
                    print_error("answer \"%s\", octets %zu and %zu", answers[i].what, k, m);
                assert_string_equal(told.answer_text, plain);
                assert_string_equal(told.urcs_text, both);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_each_octet),
        cmocka_unit_test(at_each_two_octets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
