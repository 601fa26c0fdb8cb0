/* at/chat: one command at a time, told from what else is said; dialogues as tables, under every split. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "at/chat.h"
#include "base/buf.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define LINE_SIZE    1024
#define SPLICE_SIZE  160

#define ROW_1        "%CMNG: 16842753,0,\"2C43952EE9E000FF2ACC4E2ED0897C0A72AD5FA72C3D934E81741CBD54F05BD1\""
#define ROW_2        "%CMNG: 16842753,1,\"0101010101010101010101010101010101010101010101010101010101010101\""
#define TEXT         "-----BEGIN CERTIFICATE-----\r\nOK\r\nMIIB\n\r\n-----END CERTIFICATE-----\r\n"
#define X100                                                                                                 \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X1000 X100 X100 X100 X100 X100 X100 X100 X100 X100 X100

struct fixture {
    struct chat chat;
    char line[LINE_SIZE], splice[SPLICE_SIZE];
    struct buf told; /* events so far, one line each */
    char text[8192];
    struct chat_event last;
};

static void setup(struct fixture *f)
{
    buf_init(&f->told, f->text, sizeof(f->text));
    chat_init(&f->chat, f->line, sizeof(f->line), f->splice, sizeof(f->splice));
}

/* "info:…|", "urc:…|", "banner:…|", "stray:…|" and "ok|", "error|", "cme n|", "timeout|"; '~' before '|' for
 * a cut one */
static void note(struct fixture *f, const struct chat_event *ev)
{
    static const char *const kinds[] = {
        [CHAT_INFO] = "info:",
        [CHAT_URC] = "urc:",
        [CHAT_BANNER] = "banner:",
        [CHAT_STRAY] = "stray:",
    };
    static const char *const ends[] = {
        [CHAT_END_OK] = "ok",
        [CHAT_END_ERROR] = "error",
        [CHAT_END_CME] = "cme ",
        [CHAT_END_TIMEOUT] = "timeout",
    };

    if (ev->kind == CHAT_DONE) {
        buf_add_str(&f->told, ends[ev->end]);
        if (ev->end == CHAT_END_CME)
            buf_add_i64(&f->told, ev->code);
        f->last = *ev;
    } else {
        buf_add_str(&f->told, kinds[ev->kind]);
        buf_add(&f->told, ev->line);
    }
    if (ev->is_overlong)
        buf_add_char(&f->told, '~');
    buf_add_char(&f->told, '|');
    assert_false(f->told.is_cut);
}

static void feed(struct fixture *f, struct span in, int64_t now_us)
{
    struct chat_event ev;

    do {
        size_t used = chat_feed(&f->chat, in, now_us, &ev);

        assert_in_range(used, 0, in.len);
        in = span_skip(in, used);
        if (ev.kind != CHAT_NONE)
            note(f, &ev);
    } while (ev.kind != CHAT_NONE);
    assert_int_equal(in.len, 0);
}

static void tick(struct fixture *f, int64_t now_us)
{
    struct chat_event ev;

    chat_tick(&f->chat, now_us, &ev);
    if (ev.kind != CHAT_NONE)
        note(f, &ev);
}

static void send_all(struct fixture *f, int64_t now_us)
{
    struct span out;

    while ((out = chat_output(&f->chat)).len > 0)
        chat_sent(&f->chat, out.len, now_us);
}

static struct chat_command command(const char *head, const char *prefix, bool is_quoted)
{
    return (struct chat_command){
        .head = span_str(head), .prefix = prefix, .is_quoted = is_quoted, .timeout_us = US_PER_S};
}

static void ask(struct fixture *f, const char *prefix, bool is_quoted)
{
    struct chat_command c = command("AT", prefix, is_quoted);

    chat_submit(&f->chat, &c, 0, 0);
    send_all(f, 0);
}

static void assert_told(struct fixture *f, const char *expected)
{
    assert_string_equal(f->text, expected);
    buf_init(&f->told, f->text, sizeof(f->text));
}

/* ---- Dialogues
 * ------------------------------------------------------------------------------------------------ */

struct dialogue {
    const char *what;
    const char *prefix;
    bool is_quoted;
    struct span in;
    const char *told;
};

#define IN(text)                                                                                             \
    {                                                                                                        \
        text, sizeof(text) - 1                                                                               \
    }

static const struct dialogue dialogues[] = {
    {"AT", NULL, false, IN("OK\r\n"), "ok|"},
    {"leading LF, NUL behind", NULL, false, IN("\nOK\r\n\0"), "ok|"},
    {"as Serial Modem wraps it", "+CGSN:", false, IN("\r\n+CGSN: \"35\"\r\n\r\nOK\r\n"),
     "info:+CGSN: \"35\"|ok|"},
    {"refused, no number", "%CMNG:", false, IN("ERROR\r\n"), "error|"},
    {"refused, number", "%CMNG:", false, IN("+CME ERROR: 527\r\n"), "cme 527|"},
    {"refused, words", "%CMNG:", false, IN("+CME ERROR: no memory\r\n"), "cme -1|"},
    {"no prefix", "", false, IN("mfw_nrf9160_1.3.5\r\nOK\r\n"), "info:mfw_nrf9160_1.3.5|ok|"},
    {"no prefix, noise", "", false, IN("\xff\x81\r\n351465800000002\r\nOK\r\n"),
     "stray:\xff\x81|info:351465800000002|ok|"},
    {"no prefix, echo", "", false, IN("AT+CGMR\r\nmfw\r\nOK\r\n"), "stray:AT+CGMR|info:mfw|ok|"},
    {"no prefix, lower case echo", "", false, IN("at+cgmr\r\nmfw\r\nOK\r\n"), "stray:at+cgmr|info:mfw|ok|"},
    {"nothing expected", NULL, false, IN("mfw\r\nOK\r\n"), "stray:mfw|ok|"},
    {"another's answer", "+CGSN:", false, IN("+CFUN: 4\r\nOK\r\n"), "stray:+CFUN: 4|ok|"},
    {"own prefix is no URC", "+CEREG:", false, IN("+CEREG: 0,4\r\nOK\r\n"), "info:+CEREG: 0,4|ok|"},
    {"other prefixes are", "%CMNG:", false, IN("+CEREG: 0\r\nOK\r\n+CEREG: 4\r\n"),
     "urc:+CEREG: 0|ok|urc:+CEREG: 4|"},
    {"an answer nobody waits for", NULL, false, IN("OK\r\nOK\r\nERROR\r\n+CME ERROR: 5\r\nx\r\n"),
     "ok|stray:OK|stray:ERROR|stray:+CME ERROR: 5|stray:x|"},
    {"reboot", "%CMNG:", false,
     IN("*** Booting nRF Connect SDK v3.4.1 ***\r\n*** Using Zephyr OS v4.4.2 ***\r\nThe AT host sample "
        "started\r\n"
        "Ready\r\n"),
     "banner:*** Booting nRF Connect SDK v3.4.1 ***|banner:*** Using Zephyr OS v4.4.2 ***|"
     "banner:The AT host sample started|banner:Ready|"},
    {"reboot of 2019", NULL, false, IN("***** Booting Zephyr OS v1.14.99-ncs1 *****\r\n"),
     "banner:***** Booting Zephyr OS v1.14.99-ncs1 *****|"},
    {"reboot in the middle of a row", "%CMNG:", false,
     IN("%CMNG: 1,0,\"A\xff*** Booting nRF ***\r\nReady\r\n"),
     "stray:%CMNG: 1,0,\"A\xff|banner:*** Booting nRF ***|banner:Ready|"},
    {"reboot in quotes", "%CMNG:", true, IN("%CMNG: 1,0,\"A\",\"b\r\nc\x01*** Booting nRF ***\r\nReady\r\n"),
     "stray:%CMNG: 1,0,\"A\",\"b\r\nc\x01|banner:*** Booting nRF ***|banner:Ready|"},
    {"list", "%CMNG:", false, IN(ROW_1 "\r\n" ROW_2 "\r\nOK\r\n"), "info:" ROW_1 "|info:" ROW_2 "|ok|"},
    {"a list row without its second quote", "%CMNG:", false, IN("%CMNG: 1,0,\"2C\r\nOK\r\n"),
     "info:%CMNG: 1,0,\"2C|ok|"},
    {"read", "%CMNG:", true, IN(ROW_1 ",\"" TEXT "\"\r\nOK\r\n"), "info:" ROW_1 ",\"" TEXT "\"|ok|"},
    {"read, text on its own line", "%CMNG:", true, IN(ROW_1 ",\r\n\"" TEXT "\"\r\nOK\r\n"),
     "info:" ROW_1 ",\r\n\"" TEXT "\"|ok|"},
    {"read, the text never comes", "%CMNG:", true, IN(ROW_1 ",\r\nOK\r\n"), "info:" ROW_1 ",|ok|"},
    {"read, refused in the middle", "%CMNG:", true, IN(ROW_1 ",\r\n+CME ERROR: 513\r\n"),
     "info:" ROW_1 ",|cme 513|"},
    {"read, three rows of one", "%CMNG:", true, IN("%CMNG: 1,\r\n%CMNG: 2,\r\n%CMNG: 3\r\nOK\r\n"),
     "info:%CMNG: 1,|info:%CMNG: 2,|info:%CMNG: 3|ok|"},
    {"overlong information", "%CMNG:", false, IN("%CMNG: " X1000 X100 "\r\nOK\r\n"),
     "info:%CMNG: " X1000 "xxxxxxxxxxxxxxxxx~|ok|"},
    {"overlong noise", "+CGSN:", false, IN(X1000 X100 "\r\nOK\r\n"),
     "stray:" X1000 "xxxxxxxxxxxxxxxxxxxxxxxx~|ok|"},
    {"cut into OK", NULL, false, IN("O%CESQ: 59,2\r\nK\r\n"), "urc:%CESQ: 59,2|ok|"},
    {"cut into OK twice in a row", NULL, false, IN("O%CESQ: 5\r\n+CEREG: 2\r\nK\r\n"),
     "urc:%CESQ: 5|urc:+CEREG: 2|ok|"},
    {"cut into an error at three places", NULL, false,
     IN("+CME%CESQ: 5\r\n ERROR: 5+CEREG: 2\r\n1%CESQ: 6\r\n3\r\n"),
     "urc:%CESQ: 5|urc:+CEREG: 2|urc:%CESQ: 6|cme 513|"},
    {"a row's end lost before a URC", "%CMNG:", false, IN("%CMNG: 1,0%CESQ: 5\r\nOK\r\n"),
     "urc:%CESQ: 5|info:%CMNG: 1,0|ok|"},
    {"the same before another row", "%CMNG:", false, IN("%CMNG: 1,0%CESQ: 5\r\n%CMNG: 2,0\r\nOK\r\n"),
     "urc:%CESQ: 5|info:%CMNG: 1,0|info:%CMNG: 2,0|ok|"},
    {"the same before an overlong row", "%CMNG:", false,
     IN("%CMNG: 1,0%CESQ: 5\r\n%CMNG: " X1000 X100 "\r\nOK\r\n"),
     "urc:%CESQ: 5|info:%CMNG: 1,0|info:%CMNG: " X1000 "xxxxxxx~|ok|"},
    {"noise before a URC", "%CMNG:", false, IN("\xff%CESQ: 5\r\nOK\r\n"), "urc:%CESQ: 5|stray:\xff|ok|"},
    {"a seam is that of its own line", NULL, false, IN("x%CESQ: 5\r\ny\r\nxOK\r\nOK\r\n"),
     "urc:%CESQ: 5|stray:xy|stray:xOK|ok|"},
    {"a URC's end lost", NULL, false, IN("%CESQ: 5+CEREG: 2\r\nOK\r\n"), "urc:%CESQ: 5+CEREG: 2|ok|"},
    {"the rest makes no sense", NULL, false, IN("O%CESQ: 5\r\nX\r\nOK\r\n"), "urc:%CESQ: 5|stray:OX|ok|"},
    {"a first part longer than the splice memory", "", false, IN(X100 X100 "%CESQ: 5\r\nOK\r\n"),
     "urc:%CESQ: 5|info:" X100 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx~|ok|"},
};

static void check(const struct dialogue *d, size_t first, size_t step, unsigned seed)
{
    struct fixture f;

    setup(&f);
    ask(&f, d->prefix, d->is_quoted);
    feed(&f, span_of(d->in.at, first), 1);
    for (size_t at = first; at < d->in.len; at += step) {
        if (seed != 0) {
            seed = seed * 1103515245u + 12345u;
            step = (seed >> 16) % 7 + 1;
        }
        feed(&f, span_of(d->in.at + at, step < d->in.len - at ? step : d->in.len - at), 1);
    }
    assert_told(&f, d->told);
}

static void same_events_for_every_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(dialogues); i++) {
        print_message("  %s\n", dialogues[i].what);
        for (size_t first = 0; first <= dialogues[i].in.len; first++)
            check(&dialogues[i], first, 100000, 0);
        check(&dialogues[i], 0, 1, 0);
        for (unsigned seed = 1; seed <= 50; seed++)
            check(&dialogues[i], 0, 1, seed);
    }
}

/* ---- What is sent
 * --------------------------------------------------------------------------------------------- */

static size_t collect(struct chat *c, size_t most, struct buf *out)
{
    size_t content = 0;
    struct span part;

    while ((part = chat_output(c)).len > 0) {
        if (part.len > most)
            part.len = most;
        if (chat_output_is_content(c))
            content += part.len;
        buf_add(out, part);
        chat_sent(c, part.len, 7);
    }
    return content;
}

static void sends_all_parts_in_any_pieces(void **state)
{
    (void)state;
    static const struct {
        enum chat_terminator terminator;
        bool is_raw;
        struct span end;
    } rows[] = {{CHAT_CR, false, {"\r", 1}},
                {CHAT_LF, false, {"\n", 1}},
                {CHAT_CRLF, false, {"\r\n", 2}},
                {CHAT_NUL, false, {"", 1}},
                {CHAT_CR, true, {"", 0}}};
    char expected[1024], text[1024];

    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t most = 1; most < 700; most = most * 3 + 1) {
            struct fixture f;
            struct buf want, got;
            struct chat_command c = {.fill = 0x08,
                                     .fill_len = 600,
                                     .head = span_str("AT%CMNG=0,1,2,\""),
                                     .content = span_str("key\nkey"),
                                     .tail = span_str("\""),
                                     .is_raw = rows[i].is_raw,
                                     .timeout_us = 10};

            buf_init(&want, expected, sizeof(expected));
            buf_init(&got, text, sizeof(text));
            for (int n = 0; n < 600; n++)
                buf_add_char(&want, 0x08);
            buf_add_str(&want, "AT%CMNG=0,1,2,\"key\nkey\"");
            buf_add(&want, rows[i].end);

            setup(&f);
            chat_set_terminator(&f.chat, rows[i].terminator);
            assert_int_equal(chat_command_len(&f.chat, &c), want.len);
            chat_submit(&f.chat, &c, 100, 5);
            assert_int_equal(chat_deadline(&f.chat), 115);
            assert_int_equal(collect(&f.chat, most, &got), 7);
            assert_int_equal(got.len, want.len);
            assert_memory_equal(text, expected, want.len);
            assert_int_equal(chat_deadline(&f.chat), 17);
            assert_int_equal(chat_output(&f.chat).len, 0);
            assert_false(chat_output_is_content(&f.chat));
        }
    }
}

static void tells_times_and_octets(void **state)
{
    (void)state;
    struct fixture f;
    struct chat_command c = command("AT+CFUN=4", NULL, false);

    setup(&f);
    assert_int_equal(chat_deadline(&f.chat), TIME_NEVER);
    chat_submit(&f.chat, &c, 50, 1000);
    assert_int_equal(chat_deadline(&f.chat), 1000 + 50 + US_PER_S);
    chat_sent(&f.chat, 4, 1100);
    assert_int_equal(chat_deadline(&f.chat), 1000 + 50 + US_PER_S);
    chat_sent(&f.chat, 6, 1200);
    assert_int_equal(chat_deadline(&f.chat), 1200 + US_PER_S);
    feed(&f, span_str("\r\nOK\r"), 1300);
    assert_told(&f, "ok|");
    assert_true(f.last.sent_us == 1200 && f.last.end_us == 1300);
    assert_true(f.last.tx_octets == 10 && f.last.rx_octets == 5);
    assert_int_equal(chat_deadline(&f.chat), TIME_NEVER);

    feed(&f, span_str("\n+CEREG: 2\r\n"), 1400);
    ask(&f, NULL, false);
    feed(&f, span_str("ERROR\r\n"), 1500);
    assert_told(&f, "urc:+CEREG: 2|error|");
    assert_true(f.last.tx_octets == 3 && f.last.rx_octets == 6);
}

/* ---- Time and order
 * ------------------------------------------------------------------------------------------- */

static void times_out_once(void **state)
{
    (void)state;
    struct fixture f;

    setup(&f);
    ask(&f, NULL, false);
    tick(&f, US_PER_S - 1);
    assert_told(&f, "");
    tick(&f, US_PER_S);
    tick(&f, US_PER_S + 1);
    assert_told(&f, "timeout|");
    assert_true(f.last.sent_us == 0 && f.last.end_us == US_PER_S && f.last.line.len == 0);
}

static void times_out_when_nothing_can_be_sent(void **state)
{
    (void)state;
    struct fixture f;
    struct chat_command c = command("AT", NULL, false);

    setup(&f);
    chat_submit(&f.chat, &c, 500, 100);
    chat_sent(&f.chat, 2, 200);
    tick(&f, 100 + US_PER_S + 499);
    assert_told(&f, "");
    tick(&f, 100 + US_PER_S + 500);
    assert_told(&f, "timeout|");
    assert_true(f.last.sent_us == 100 && f.last.tx_octets == 2);
}

/* The answer to a command that has timed out comes while the next one goes out: counting it would shift every
 * answer from there on by one. */
static void a_late_answer_is_not_the_next_commands(void **state)
{
    (void)state;
    struct fixture f;
    struct chat_command c = command("AT+CGMR", "", false);

    setup(&f);
    ask(&f, NULL, false);
    feed(&f, span_str("O"), 1);
    tick(&f, US_PER_S);
    feed(&f, span_str("K\r\n"), US_PER_S);
    assert_told(&f, "timeout|stray:K|");

    chat_submit(&f.chat, &c, 0, US_PER_S);
    chat_sent(&f.chat, 7, US_PER_S);
    feed(&f, span_str("mfw\r\nOK\r\n"), US_PER_S);
    assert_told(&f, "stray:mfw|stray:OK|");
    send_all(&f, US_PER_S);
    feed(&f, span_str("mfw\r\nOK\r\n"), US_PER_S);
    assert_told(&f, "info:mfw|ok|");
}

/* A front end that ends commands with CR has answered before the LF has left. */
static void the_lf_of_a_crlf_need_not_have_left(void **state)
{
    (void)state;
    struct fixture f;
    struct chat_command c = command("AT", NULL, false);

    setup(&f);
    chat_set_terminator(&f.chat, CHAT_CRLF);
    chat_submit(&f.chat, &c, 0, 5);
    chat_sent(&f.chat, 2, 5);
    feed(&f, span_str("OK\r\n"), 6);
    assert_told(&f, "stray:OK|");
    chat_sent(&f.chat, 1, 6);
    feed(&f, span_str("OK\r\n"), 6);
    assert_told(&f, "ok|");
    assert_int_equal(f.last.sent_us, 5);
}

static void a_raw_command_of_nothing_waits_for_a_line(void **state)
{
    (void)state;
    struct fixture f;
    struct chat_command c = {.is_raw = true, .timeout_us = 100};

    setup(&f);
    chat_submit(&f.chat, &c, 0, 1000);
    assert_int_equal(chat_output(&f.chat).len, 0);
    assert_int_equal(chat_deadline(&f.chat), 1100);
    feed(&f, span_str("Ready\r\n"), 1050);
    tick(&f, 1100);
    assert_told(&f, "banner:Ready|timeout|");
}

/* What stood on the line when the command was given is no part of its answer; a half notification is still
 * one. */
static void half_a_line_before_the_command(void **state)
{
    (void)state;
    static const struct {
        const char *before, *prefix, *after, *told;
    } rows[] = {
        {"mosh:~$ ", NULL, "OK\r\n", "stray:mosh:~$ |ok|"},
        {"mosh:~$ ", "", "Ready\r\nmfw\r\nOK\r\n", "stray:mosh:~$ |banner:Ready|info:mfw|ok|"},
        {"\xfe", "+CGSN:", "+CGSN: 1\r\nOK\r\n", "stray:\xfe|info:+CGSN: 1|ok|"},
        {"+CER", NULL, "EG: 2\r\nOK\r\n", "urc:+CEREG: 2|ok|"},
        {"+CEREG: 2", NULL, "OK\r\n", "urc:+CEREG: 2|ok|"},
        {"*** Boo", NULL, "ting nRF ***\r\n", "banner:*** Booting nRF ***|"},
        {"%CESQ: 2", NULL, "OK\r\n", "urc:%CESQ: 2|ok|"},
        {"x%CESQ: 2", NULL, "OK\r\n", "stray:x%CESQ: 2|ok|"},
        {"+CME ERROR: 51", NULL, "OK\r\n", "stray:+CME ERROR: 51|ok|"},
        {"O", NULL, "K\r\nOK\r\n", "stray:OK|ok|"},
        {"+CER", "+CEREG:", "EG: 2\r\n+CEREG: 0,2\r\nOK\r\n", "urc:+CEREG: 2|info:+CEREG: 0,2|ok|"},
        {X1000 X100, NULL, "x\r\nOK\r\n", "stray:x|ok|"},
        {"x", "", "%CESQ: 1\r\nOK\r\n", "urc:%CESQ: 1|stray:x|ok|"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture f;

        setup(&f);
        feed(&f, span_str(rows[i].before), 0);
        ask(&f, rows[i].prefix, false);
        feed(&f, span_str(rows[i].after), 0);
        assert_told(&f, rows[i].told);
    }
}

static void cancel_and_reset_leave_no_trace(void **state)
{
    (void)state;
    for (int is_reset = 0; is_reset < 2; is_reset++) {
        struct fixture f;

        setup(&f);
        ask(&f, "%CMNG:", true);
        feed(&f, span_str("%CMNG: 1,0,\"A\",\"b\r\n"), 0);
        if (is_reset)
            chat_reset(&f.chat);
        else
            chat_cancel(&f.chat);
        assert_int_equal(chat_deadline(&f.chat), TIME_NEVER);
        assert_int_equal(chat_output(&f.chat).len, 0);
        tick(&f, INT64_MAX - 1);
        ask(&f, NULL, false);
        feed(&f, span_str("OK\r\n"), 0);
        assert_told(&f, "ok|");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_events_for_every_split),
        cmocka_unit_test(sends_all_parts_in_any_pieces),
        cmocka_unit_test(tells_times_and_octets),
        cmocka_unit_test(times_out_once),
        cmocka_unit_test(times_out_when_nothing_can_be_sent),
        cmocka_unit_test(a_late_answer_is_not_the_next_commands),
        cmocka_unit_test(the_lf_of_a_crlf_need_not_have_left),
        cmocka_unit_test(a_raw_command_of_nothing_waits_for_a_line),
        cmocka_unit_test(half_a_line_before_the_command),
        cmocka_unit_test(cancel_and_reset_leave_no_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
