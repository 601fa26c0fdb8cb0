/* The AT host of core/: lines, faults of other AT hosts that it must not have, its own small commands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "support/corekit.h"

#define BAUD 115200

static struct corekit kit;

static void reset(void)
{
    corekit_init(&kit, BAUD, 1);
}

/* All lines heard so far, each with "|" behind it. */
static const char *heard(char *all, size_t size)
{
    char line[512];
    struct words text = {all, size - 1, 0, false};

    while (corekit_line(&kit, line, sizeof line)) {
        words_add(&text, line);
        words_add(&text, "|");
    }
    all[text.len] = '\0';
    return all;
}

/* -- Lines -- */

struct line_case {
    const char *say, *heard;
};

static const struct line_case lines[] = {
    {"AT\r", "OK|"},
    {"AT\n", "OK|"},
    {"AT\r\n", "OK|"},
    {"at\r", "OK|"},
    {"\r\n\r\nAT\r", "OK|"},
    {"   \r", ""},
    {" \tAT\r", "OK|"},
    {"AT\rAT\nAT\r\nAT\r", "OK|OK|OK|OK|"},
    {"AT+CGMR\r", "mfw_nrf91x1_2.0.0|OK|"},
    {"AT+CGSN\r\nAT+CMEE=1\r\nAT+CFUN?\r\n", COREKIT_IMEI "|OK|OK|+CFUN: 0|OK|"},
    {"AT+NONSENSE\r", "ERROR|"},
    {"hello\r", "ERROR|"},
    {"hello\rdear\rboard\rAT\r", "ERROR|OK|"},
    {"AT+CMEE=1\rhello\r", "OK|+CME ERROR: 707|"},
    {"AT+CMEE=1\rAT+CMEE=0\rhello\r", "OK|OK|ERROR|"},
    {"AT+CMEE=2\rAT%CMNG=3,1,1\r", "ERROR|ERROR|"},
    {"AT+CMEE=1\rAT%CMNG=3,1,1\r", "OK|+CME ERROR: 513|"},
    {"ATX\bT\b\r", "OK|"},
    {"AT%CMNG=0,1,4,\"a\rb\"\r", "OK|"},
    {"AT%CMNG=0,1,4,\"a\"\"\b\b\b\"\r", "ERROR|"},
    {"AT%CMNG=0,1,4,\"a\x7f\x7f\x7f\r", "ERROR|"},
    {"AT%CMNG=0,1,4,\"ab\b\b\bx\r", "ERROR|"},
    {"AT%CMNG=0,1,4,\"ab\"\b\"\r", "OK|"},
    {"AT#BLINK=\r", "ERROR|"},
    {"AT#BLINK=1000000\r", "ERROR|"},
    {"AT#BLINK=600000\rAT#BLINK=0\r", "OK|OK|"},
    {"AT#IDENTITY\r", "ERROR|"},
    {"AT#CRED=\r", "ERROR|"},
    {"AT+CMEE=1\rAT#CRED=9\rAT#CRED=2\rAT#CRED=2,AAAAAA\rAT#CRED=3\rAT#CRED=0\r",
     "OK|+CME ERROR: 50|+CME ERROR: 50|+CME ERROR: 702|OK|OK|"},
};

static void test_lines(void **state)
{
    char all[1024];

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        reset();
        corekit_say(&kit, lines[i].say);
        corekit_run_ms(&kit, 1000);
        assert_string_equal(heard(all, sizeof all), lines[i].heard);
    }
}

static void test_nul_is_ignored(void **state)
{
    char all[64];

    (void)state;
    reset();
    corekit_send(&kit, "\0A\0T\0\r\0", 7);
    corekit_run_ms(&kit, 100);
    assert_string_equal(heard(all, sizeof all), "OK|");
}

/* -- What others lose -- */

static void fill(char octet, size_t n)
{
    for (; n > 0; n--)
        corekit_send(&kit, &octet, 1);
}

static void test_long_lines(void **state)
{
    static const size_t room = CORE_LINE_MAX - sizeof "AT%CMNG=0,16842753,0,\"\"" + 1;
    char all[256];

    (void)state;
    for (size_t extra = 0; extra < 2; extra++) {
        reset();
        corekit_say(&kit, "AT%CMNG=0,16842753,0,\"");
        fill('x', room + extra);
        corekit_say(&kit, "\"\rAT\r");
        corekit_run_ms(&kit, 2000);
        assert_string_equal(heard(all, sizeof all), extra ? "ERROR|OK|" : "OK|OK|");
        assert_int_equal(kit.modem.writes, extra ? 0 : 1);
    }
}

static void test_too_long_is_told_at_once(void **state)
{
    char all[64];

    (void)state;
    reset();
    corekit_say(&kit, "AT%CMNG=0,16842753,0,\"");
    fill('x', CORE_LINE_MAX);
    corekit_run_ms(&kit, 720);
    assert_string_equal(heard(all, sizeof all), "ERROR|");
    fill('"', 3);
    fill('y', 3000); /* the rest, with its quotes gone wrong, and no end */
    corekit_run_ms(&kit, 700);
    assert_string_equal(heard(all, sizeof all), "");
    assert_int_equal(corekit_ask(&kit, "AT", all, sizeof all, 1000), 0);
    assert_int_equal(kit.modem.writes, 0);
}

static void test_open_quote_ends(void **state)
{
    char all[64];

    (void)state;
    reset();
    corekit_say(&kit, "AT+CMEE=1\rAT%CMNG=0,1,2,\"-----BEGIN PRIV\r");
    corekit_run_ms(&kit, INPUT_QUOTE_MS - 100);
    assert_string_equal(heard(all, sizeof all), "OK|");
    corekit_run_ms(&kit, 300);
    assert_string_equal(heard(all, sizeof all), "+CME ERROR: 707|");
    assert_int_equal(corekit_ask(&kit, "AT", all, sizeof all, 1000), 0);
    assert_int_equal(kit.modem.writes, 0);
    for (size_t i = 0; i < sizeof kit.memory_line; i++)
        assert_int_equal(kit.memory_line[i], 0);
}

/* What a host does that does not know who listens; nothing that was left is executed. */
static void test_purge(void **state)
{
    static const char *const left[] = {"", "AT%CMNG=0,1,2,\"half a key", "AT+CFUN=1", "\"", "x"};
    char all[64];

    (void)state;
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        reset();
        corekit_say(&kit, left[i]);
        fill('\b', 4096);
        corekit_say(&kit, "AT\r");
        corekit_run_ms(&kit, 1000);
        assert_string_equal(heard(all, sizeof all), "OK|");
        assert_int_equal(kit.modem.writes + kit.modem.cfun, 0);
    }
}

static void test_stale_text_goes(void **state)
{
    char all[64];

    (void)state;
    reset();
    corekit_say(&kit, "AT+CF");
    corekit_run_ms(&kit, 10000); /* a person thinks */
    corekit_say(&kit, "UN=4\r");
    corekit_run_ms(&kit, 100);
    assert_string_equal(heard(all, sizeof all), "OK|");
    assert_int_equal(kit.modem.cfun, 4);
    corekit_say(&kit, "AT+CFUN=1");
    corekit_run_ms(&kit, INPUT_STALE_MS + 100);
    corekit_say(&kit, "\r");
    corekit_run_ms(&kit, 100);
    assert_string_equal(heard(all, sizeof all), "");
    assert_int_equal(kit.modem.cfun, 4);
}

/* -- While a command runs -- */

static void test_nothing_is_lost_meanwhile(void **state)
{
    char all[512];

    (void)state;
    reset();
    kit.modem.write_ms = 5000;
    corekit_say(&kit, "AT%CMNG=0,7,4,\"one\"\rAT%CMNG=0,8,4,\"two\"\rAT+CGSN\rAT%CMNG=2,7,4\r");
    corekit_run_ms(&kit, 11000);
    assert_string_equal(
        heard(all, sizeof all),
        "OK|OK|" COREKIT_IMEI
        "|OK|%CMNG: 7,4,\"7692C3AD3540BB803C020B3AEE66CD8887123234EA0C6E7143C0ADD73FF431ED\",\"one\"|OK|");
    assert_int_equal(kit.holds, 0);
}

static void test_a_full_queue_holds_the_host(void **state)
{
    char all[512];

    (void)state;
    reset();
    kit.modem.write_ms = 1000;
    corekit_say(&kit, "AT%CMNG=0,7,4,\"one\"\r");
    corekit_run_ms(&kit, 10);
    corekit_say(&kit, "AT%CMNG=0,7,4,\"");
    fill('x', CORE_QUEUE_SIZE - CORE_QUEUE_SIZE / 8);
    corekit_run_ms(&kit, 500);
    assert_true(kit.is_held);
    corekit_run_ms(&kit, 1000);
    assert_false(kit.is_held);
    corekit_say(&kit, "\"\r");
    corekit_run_ms(&kit, 2000);
    assert_string_equal(heard(all, sizeof all), "OK|OK|");
    assert_int_equal(kit.modem.entries[0].len, CORE_QUEUE_SIZE - CORE_QUEUE_SIZE / 8);
}

/* A host that does not listen to RTS: the line that lost octets is answered and not executed. */
static void test_an_overflow_is_told(void **state)
{
    char all[512];

    (void)state;
    reset();
    kit.modem.write_ms = 1000;
    corekit_say(&kit, "AT%CMNG=0,7,4,\"one\"\rAT%CMNG=0,7,4,\"");
    fill('x', CORE_QUEUE_SIZE + 10);
    corekit_say(&kit, "\"\r");
    corekit_run_ms(&kit, 3000);
    assert_string_equal(heard(all, sizeof all), "OK|ERROR|");
    assert_int_equal(kit.modem.writes, 1);
    assert_int_equal(corekit_ask(&kit, "AT", all, sizeof all, 1000), 0);
}

/* The UART overran: the line under way is answered and not executed; between lines it means noise. */
static void test_a_port_that_lost_octets(void **state)
{
    char all[64];

    (void)state;
    reset();
    corekit_say(&kit, "AT+CFUN=1");
    corekit_run_ms(&kit, 10);
    core_rx_lost(&kit.core, kit.now_ns / COREKIT_MS);
    corekit_say(&kit, "\r");
    corekit_run_ms(&kit, 100);
    assert_string_equal(heard(all, sizeof all), "ERROR|");
    assert_int_equal(kit.modem.cfun, 0);
    assert_int_equal(corekit_ask(&kit, "AT", all, sizeof all, 1000), 0);
}

static void test_a_modem_that_does_not_answer(void **state)
{
    char all[64];

    (void)state;
    reset();
    kit.is_modem_dead = true;
    corekit_say(&kit, "AT+CMEE=1\r");
    corekit_run_ms(&kit, CORE_MODEM_MS + 1000);
    assert_string_equal(heard(all, sizeof all), "ERROR|");
    assert_int_equal(kit.restarts, 1);
    reset();
    kit.is_modem_away = true;
    assert_int_equal(corekit_ask(&kit, "AT", all, sizeof all, 1000), -1);
}

/* -- Unsolicited lines -- */

static void test_notices_never_cut_in(void **state)
{
    static const char notice[] = "%CESQ: 59,2,15,2\r\n";
    char line[256];
    unsigned notices = 0, rows = 0, oks = 0;

    (void)state;
    reset();
    kit.tx_max = 7;
    corekit_say(&kit, "AT%CMNG=0,16842753,4,\"x\"\rAT%CMNG=0,16842753,0,\"x\"\rAT%CMNG=1\r");
    for (int i = 0; i < 120; i++) {
        corekit_run_ms(&kit, 1);
        core_notice(&kit.core, notice, sizeof notice - 1, kit.now_ns / COREKIT_MS);
    }
    corekit_run_ms(&kit, 1000);
    while (corekit_line(&kit, line, sizeof line)) {
        bool is_row = strncmp(line, "%CMNG: ", 7) == 0 && strlen(line) == 84;
        notices += strcmp(line, "%CESQ: 59,2,15,2") == 0;
        rows += is_row;
        oks += strcmp(line, "OK") == 0;
    }
    assert_int_equal(notices + kit.core.output.dropped, 120);
    assert_int_equal(rows, 2);
    assert_int_equal(oks, 3);
    assert_true(notices > 100);
}

static void test_notices_beyond_the_room_are_dropped_whole(void **state)
{
    static const char notice[] = "+CEREG: 2\r\n";
    char line[64];
    unsigned n = 0;

    (void)state;
    reset();
    for (int i = 0; i < 1000; i++)
        core_notice(&kit.core, notice, sizeof notice - 1, 0);
    corekit_run_ms(&kit, 2000);
    while (corekit_line(&kit, line, sizeof line)) {
        assert_string_equal(line, "+CEREG: 2");
        n++;
    }
    assert_true(n > 100);
    assert_int_equal(n + kit.core.output.dropped, 1000);
}

/* -- Own commands -- */

static void test_ident(void **state)
{
    char all[1024];

    (void)state;
    reset();
    corekit_say(&kit, "AT#ident\r");
    corekit_run_ms(&kit, 200);
    assert_string_equal(heard(all, sizeof all), "#IDENT: firmware,certline-0.1.0|"
                                                "#IDENT: hardware,corekit|"
                                                "#IDENT: line_max,8192|"
                                                "#IDENT: transfer,1,8192,2048|"
                                                "#IDENT: modem,mfw_nrf91x1_2.0.0|"
                                                "#IDENT: model,nRF9151-LACA|"
                                                "#IDENT: soc,nRF9151 LACA A0A|"
                                                "#IDENT: imei," COREKIT_IMEI "|"
                                                "#IDENT: uuid,50363154-3931-44f0-8022-121b6401627d|"
                                                "#IDENT: supply_mv,3700|OK|");
    kit.is_modem_away = true;
    assert_int_equal(corekit_ask(&kit, "AT#IDENT", all, sizeof all, 1000), 0);
    assert_null(strstr(all, "imei"));
}

static void test_blink(void **state)
{
    char all[64];

    (void)state;
    reset();
    assert_int_equal(corekit_ask(&kit, "AT#BLINK=1000", all, sizeof all, 100), 0);
    corekit_run_ms(&kit, 2000);
    assert_int_equal(kit.blinks, 4);
    assert_false(kit.is_lit);
    corekit_ask(&kit, "AT#BLINK=60000", all, sizeof all, 100);
    corekit_run_ms(&kit, 130);
    corekit_ask(&kit, "AT#BLINK=0", all, sizeof all, 100);
    corekit_run_ms(&kit, 10);
    assert_false(kit.is_lit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_nul_is_ignored),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_too_long_is_told_at_once),
        cmocka_unit_test(test_open_quote_ends),
        cmocka_unit_test(test_purge),
        cmocka_unit_test(test_stale_text_goes),
        cmocka_unit_test(test_nothing_is_lost_meanwhile),
        cmocka_unit_test(test_a_full_queue_holds_the_host),
        cmocka_unit_test(test_an_overflow_is_told),
        cmocka_unit_test(test_a_port_that_lost_octets),
        cmocka_unit_test(test_a_modem_that_does_not_answer),
        cmocka_unit_test(test_notices_never_cut_in),
        cmocka_unit_test(test_notices_beyond_the_room_are_dropped_whole),
        cmocka_unit_test(test_ident),
        cmocka_unit_test(test_blink),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
