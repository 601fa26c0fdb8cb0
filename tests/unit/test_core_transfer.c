/* The checked transfer: its exchanges by hand, its limits, and what it promises on links that spoil octets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/crc32.h"
#include "support/corekit.h"
#include "support/framed_host.h"

#define BAUD 115200
#define TAG  16842753

static struct corekit kit;
static struct framed host;
static char content[TRANSFER_CONTENT_MAX], burst[FRAMED_BURST_MAX];

/* Text in lines of 64, as PEM has them. */
static void make_content(size_t n, uint32_t seed)
{
    for (size_t i = 0; i < n; i++)
        content[i] = i % 65 == 64 ? '\n' : words_digit64((uint32_t)(i * 7 + seed + i / 13));
}

static void reset(void)
{
    char all[64];

    corekit_init(&kit, BAUD, 1);
    memset(&host, 0, sizeof host);
    assert_int_equal(corekit_ask(&kit, "AT+CMEE=1", all, sizeof all, 1000), 0);
}

static void take_line(void *arg, const char *line)
{
    (void)arg;
    framed_line(&host, line);
}

/* One exchange of the reference host. */
static void exchange(int64_t timeout_ms)
{
    size_t n = framed_next(&host, burst);

    framed_end(&host, corekit_exchange(&kit, burst, n, take_line, NULL, timeout_ms));
}

static enum framed_state provision(uint32_t type, size_t n, bool is_behind)
{
    framed_start(&host, TAG, type, content, n);
    host.is_behind = is_behind;
    while (host.state != FRAMED_DONE && host.state != FRAMED_FAILED)
        exchange(1000);
    return host.state;
}

static bool holds_content(uint32_t type, size_t n)
{
    const struct minimodem_entry *entry = minimodem_find(&kit.modem, TAG, type);
    return entry && entry->len == n && memcmp(kit.modem.store + entry->at, content, n) == 0;
}

/* -- Pieces -- */

static void test_crc32(void **state)
{
    (void)state;
    assert_int_equal(crc32_add(0, "123456789", 9), 0xCBF43926);
    assert_int_equal(crc32_add(crc32_add(0, "1234", 4), "56789", 5), 0xCBF43926);
    assert_int_equal(crc32_add(0, "", 0), 0);
}

/* Octets of the next exchange, without sending them. */
static size_t next(void)
{
    return framed_next(&host, burst);
}

static void add_line(void *arg, const char *line)
{
    struct words *text = arg;

    words_add(text, line);
    words_add(text, "\n");
}

static int send_and_hear(const char *octets, size_t n, char *lines, size_t size)
{
    struct words text = {lines, size - 1, 0, false};
    int code = corekit_exchange(&kit, octets, n, add_line, &text, 3000);

    lines[text.len] = '\0';
    return code;
}

/* The dialogue of firmware/README.md, word for word; its numbers were computed by another program. */
struct dialogue_row {
    const char *say, *lines;
    int code;
};

static const struct dialogue_row dialogue[] = {
    {"AT#CRED=1,42,4,12,zdsfVTvFGL_A-5riOVUit333pAKt8UVi9TJjhSoFaZg,CF75Zb\r", "", 0},
    {"AT#CRED=2,Dm6dnn\r", "#CRED: missing,0\n", 703},
    {"AT#CRED=0\r", "#CRED: open,42,4,CF75Zb\n#CRED: missing,0\n", 0},
    {"#AAAnB3d7F9hello, modemAT#CRED=2,Dm6dnn\r", "", 0},
    {"AT#CRED=0\r", "#CRED: written,42,4,0,CF75Zb\n", 0},
    {"AT#CRED=2,Dm6dnn\r", "", 702},
    {"AT#CRED=4,42,4,BqO-cO\r", "", 0},
    {"AT#CRED=4,42,4,BqO-cP\r", "", 701},
    {"AT#CRED=1,42,4,12,zdsfVTvFGL_A-5riOVUit333pAKt8UVi9TJjhSoFaZg,CF75Zb\r", "", 0},
    {"#AAAnB3d7F9hello, modemAT#CRED=2,1,DHBpDZ\r", "", 0},
    {"AT#CRED=3\r", "", 0},
    {"AT%CMNG=2,42,4\r",
     "%CMNG: 42,4,\"CDDB1F553BC518BFC0FB9AE2395522B77DF7A402ADF14562F53263852A056998\",\"hello, modem\"\n",
     0},
};

static void test_the_dialogue_of_the_readme(void **state)
{
    char lines[256];

    (void)state;
    reset();
    for (size_t i = 0; i < sizeof dialogue / sizeof *dialogue; i++) {
        const char *say = dialogue[i].say;
        assert_int_equal(send_and_hear(say, strlen(say), lines, sizeof lines), dialogue[i].code);
        assert_string_equal(lines, dialogue[i].lines);
    }
}

/* The reference host says the same. */
static void test_the_lines_of_the_host(void **state)
{
    (void)state;
    reset();
    framed_start(&host, 42, 4, "hello, modem", 12);
    assert_int_equal(framed_next(&host, burst), strlen(dialogue[0].say));
    assert_memory_equal(burst, dialogue[0].say, strlen(dialogue[0].say));
    framed_end(&host, 0);
    assert_int_equal(framed_next(&host, burst), strlen(dialogue[3].say));
    assert_memory_equal(burst, dialogue[3].say, strlen(dialogue[3].say));
    assert_int_equal(framed_delete_line(burst, 42, 4), strlen(dialogue[6].say));
    assert_memory_equal(burst, dialogue[6].say, strlen(dialogue[6].say));
}

static void test_sizes(void **state)
{
    static const size_t sizes[] = {1, 31, 32, 33, 591, 1188, 2047, 2048, 2049, 4096, 8100};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        reset();
        make_content(sizes[i], (uint32_t)i);
        assert_int_equal(provision(1, sizes[i], false), FRAMED_DONE);
        assert_int_equal(host.tries, 2);
        assert_true(holds_content(1, sizes[i]));
        assert_int_equal(kit.modem.writes, 1);
    }
}

static void test_octets_of_any_kind(void **state)
{
    (void)state;
    reset();
    for (int i = 0; i < 255; i++)
        content[i] = (char)(i + 1 == '"' ? '\'' : i + 1);
    memcpy(content + 100, "AT#CRED=3\r#AAAA\nAT+CFUN=1\r", 26);
    assert_int_equal(provision(4, 255, false), FRAMED_DONE);
    assert_true(holds_content(4, 255));
    assert_int_equal(kit.modem.cfun, 0);
    content[7] = '"';
    assert_int_equal(provision(4, 255, false), FRAMED_FAILED);
    assert_int_equal(host.code, CORE_ERROR_UNWRITABLE);
    assert_int_equal(kit.modem.writes, 1);
}

/* -- Exchanges by hand -- */

/* The commit alone. */
static size_t next_commit(void)
{
    memset(host.missing, 0, sizeof host.missing);
    host.state = FRAMED_BURST;
    return framed_next(&host, burst);
}

static void begin_by_hand(size_t n)
{
    char all[64];

    make_content(n, 3);
    framed_start(&host, TAG, 0, content, n);
    host.frame_units = 8;
    assert_int_equal(send_and_hear(burst, next(), all, sizeof all), 0);
    framed_end(&host, 0);
}

static void test_missing_frames_are_named(void **state)
{
    char lines[256];

    (void)state;
    reset();
    begin_by_hand(1188); /* 38 units in 5 frames */
    size_t n = next();
    burst[300] ^= 1;                            /* in the second frame */
    memmove(burst + 900, burst + 901, n - 901); /* lost out of the fourth */
    assert_int_equal(send_and_hear(burst, n - 1, lines, sizeof lines), CORE_ERROR_INCOMPLETE);
    assert_string_equal(lines, "#CRED: missing,8-15,24-31\n");
    framed_line(&host, "#CRED: missing,8-15,24-31");
    framed_end(&host, CORE_ERROR_INCOMPLETE);
    n = next();
    assert_true(n < 2 * (256 + 11) + 16 * 11);
    assert_int_equal(send_and_hear(burst, n, lines, sizeof lines), 0);
    assert_true(holds_content(0, 1188));
}

static void test_a_lost_commit_is_asked_for(void **state)
{
    char lines[256];

    (void)state;
    reset();
    begin_by_hand(500);
    size_t n = next();
    assert_int_equal(send_and_hear(burst, n - FRAMED_COMMIT, lines, sizeof lines), CORE_ERROR_INCOMPLETE);
    assert_string_equal(lines, "#CRED: missing,\n");
    assert_int_equal(kit.modem.writes, 0);
    assert_int_equal(send_and_hear(burst + n - FRAMED_COMMIT, FRAMED_COMMIT, lines, sizeof lines), 0);
    assert_true(holds_content(0, 500));
}

static void test_status_and_resuming(void **state)
{
    char lines[256], again[256];

    (void)state;
    reset();
    begin_by_hand(500);
    size_t n = next();
    corekit_send(&kit, burst, 11 + 256); /* the first of two frames, and the cable is pulled */
    corekit_run_ms(&kit, 1000);
    while (corekit_line(&kit, lines, sizeof lines)) {
    }
    assert_int_equal(corekit_ask(&kit, "AT#CRED=0", lines, sizeof lines, 1000), 0);
    assert_non_null(strstr(lines, "#CRED: open,16842753,0,"));
    assert_non_null(strstr(lines, "#CRED: missing,8-15\n"));
    host.state = FRAMED_BEGIN; /* another host, or the same one, begins anew: it goes on */
    n = next();
    assert_int_equal(send_and_hear(burst, n, lines, sizeof lines), 0);
    assert_int_equal(corekit_ask(&kit, "AT#CRED=0", again, sizeof again, 1000), 0);
    assert_non_null(strstr(again, "#CRED: missing,8-15\n"));
    make_content(500, 4); /* another content begins from nothing */
    framed_start(&host, TAG, 0, content, 500);
    assert_int_equal(send_and_hear(burst, next(), lines, sizeof lines), 0);
    assert_int_equal(corekit_ask(&kit, "AT#CRED=0", again, sizeof again, 1000), 0);
    assert_non_null(strstr(again, "#CRED: missing,0-15\n"));
}

static bool is_wiped(const struct corekit *k)
{
    for (size_t i = 0; i < TRANSFER_SLOT_SIZE; i++)
        if (k->memory_slots[0][i] != 0 || k->memory_slots[1][i] != 0)
            return false;
    for (size_t i = 0; i < sizeof k->core.scan.window; i++)
        if (k->core.scan.window[i] != 0)
            return false;
    return true;
}

static void test_abort_writes_nothing(void **state)
{
    char lines[256];

    (void)state;
    reset();
    begin_by_hand(500);
    size_t n = next();
    corekit_send(&kit, burst, n - FRAMED_COMMIT);
    assert_int_equal(corekit_ask(&kit, "AT#CRED=3", lines, sizeof lines, 1000), 0);
    assert_int_equal(corekit_ask(&kit, "AT#CRED=2,AAAAAA", lines, sizeof lines, 1000),
                     CORE_ERROR_NO_TRANSFER);
    assert_int_equal(kit.modem.writes, 0);
    assert_true(is_wiped(&kit));
}

static void test_an_open_transfer_ends_by_itself(void **state)
{
    char lines[256];

    (void)state;
    reset();
    begin_by_hand(500);
    size_t n = next();
    corekit_send(&kit, burst, n - FRAMED_COMMIT);
    corekit_run_ms(&kit, CORE_OPEN_MS + 1000);
    assert_true(is_wiped(&kit));
    while (corekit_line(&kit, lines, sizeof lines)) {
    }
    assert_int_equal(corekit_ask(&kit, "AT#CRED=0", lines, sizeof lines, 1000), 0);
    assert_string_equal(lines, "");
}

static void test_another_digest_writes_nothing(void **state)
{
    char lines[256];

    (void)state;
    reset();
    begin_by_hand(500);
    content[77] ^= 2; /* the frames' CRCs are right, the announced digest is another's */
    assert_int_equal(send_and_hear(burst, next(), lines, sizeof lines), CORE_ERROR_DIGEST);
    assert_int_equal(kit.modem.writes, 0);
}

struct begin_case {
    const char *line; /* its CRC is put behind it */
    bool is_damaged;
    int code;
};

#define SHA "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static const struct begin_case begins[] = {
    {"1,1,1,1," SHA, false, 0},
    {"1,2147483647,99,8192," SHA, false, 0},
    {"1,1,1,1," SHA, true, CORE_ERROR_DAMAGED},
    {"1,2147483648,1,1," SHA, false, CORE_ERROR_PARAMETER},
    {"1,1,100,1," SHA, false, CORE_ERROR_PARAMETER},
    {"1,1,1,0," SHA, false, CORE_ERROR_PARAMETER},
    {"1,1,1,8193," SHA, false, CORE_ERROR_NO_MEMORY},
    {"1,1,1,1," SHA "A", false, CORE_ERROR_PARAMETER},
    {"1,1,1,1,AA", false, CORE_ERROR_PARAMETER},
    {"1,1,1,1", false, CORE_ERROR_PARAMETER},
    {"1,1,1", false, CORE_ERROR_PARAMETER},
    {"1,1,1,1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB", false, CORE_ERROR_PARAMETER},
    {"1,1,1,1," SHA ",1", false, CORE_ERROR_PARAMETER},
    {"4,1", false, CORE_ERROR_PARAMETER},
    {"4,1,1", false, 513},
    {"4,1,1", true, CORE_ERROR_DAMAGED},
};

static void test_begin_and_delete_lines(void **state)
{
    char line[256], lines[256];

    (void)state;
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) {
        struct words t = {line, sizeof line - 1, 0, false};
        uint32_t crc = crc32_add(0, begins[i].line, strlen(begins[i].line));
        words_add(&t, "AT#CRED=");
        words_add(&t, begins[i].line);
        words_add(&t, ",");
        for (int shift = 30; shift >= 0; shift -= 6)
            words_octets(&t, (const char[]){words_digit64(crc >> shift)}, 1);
        line[t.len] = '\0';
        if (begins[i].is_damaged)
            line[10] ^= 1;
        reset();
        assert_int_equal(corekit_ask(&kit, line, lines, sizeof lines, 1000), begins[i].code);
    }
}

/* -- With the modem -- */

static void test_the_next_one_travels_while_the_modem_writes(void **state)
{
    char lines[256];

    (void)state;
    reset();
    kit.modem.write_ms = 200;
    for (uint32_t type = 0; type < 3; type++) {
        make_content(600, type);
        assert_int_equal(provision(type, 600, type < 2), FRAMED_DONE);
    }
    assert_int_equal(kit.modem.writes, 3);
    assert_true(kit.now_ns / COREKIT_MS < 3 * 200 + 80); /* one transfer of 60 ms, the others meanwhile */
    assert_int_equal(corekit_ask(&kit, "AT%CMNG=1,16842753", lines, sizeof lines, 1000), 0);
    assert_true(is_wiped(&kit));
}

static void test_a_command_waits_for_the_write(void **state)
{
    char lines[256];

    (void)state;
    reset();
    kit.modem.write_ms = 500;
    make_content(100, 0);
    assert_int_equal(provision(0, 100, true), FRAMED_DONE);
    assert_int_equal(kit.modem.writes, 0);
    assert_int_equal(corekit_ask(&kit, "AT#CRED=0", lines, sizeof lines, 1000), 0);
    assert_non_null(strstr(lines, "#CRED: writing,16842753,0,"));
    assert_int_equal(corekit_ask(&kit, "AT%CMNG=1", lines, sizeof lines, 1000), 0);
    assert_non_null(strstr(lines, "%CMNG: 16842753,0,"));
    assert_int_equal(corekit_ask(&kit, "AT#CRED=0", lines, sizeof lines, 1000), 0);
    assert_non_null(strstr(lines, "#CRED: written,16842753,0,0,"));
}

static void test_refusals(void **state)
{
    char lines[256];

    (void)state;
    reset();
    kit.modem.cfun = 1;
    make_content(100, 0);
    assert_int_equal(provision(0, 100, false), FRAMED_FAILED);
    assert_int_equal(host.code, 518);
    assert_int_equal(provision(0, 100, true), FRAMED_DONE); /* told by the next one */
    assert_int_equal(provision(1, 100, true), FRAMED_FAILED);
    assert_int_equal(host.code, CORE_ERROR_EARLIER);
    assert_int_equal(corekit_ask(&kit, "AT+CFUN=4", lines, sizeof lines, 1000), 0);
    host.is_behind = false;
    assert_int_equal(send_and_hear(burst, next_commit(), lines, sizeof lines), 0); /* it is still there */
    assert_true(holds_content(1, 100));
    assert_null(minimodem_find(&kit.modem, TAG, 0));
}

/* A failure that nobody asked about is no business of the next host. */
static void test_a_failure_is_told_once(void **state)
{
    static const char *const asked[] = {"AT#CRED=0", "AT#CRED=3"};
    char lines[256];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        reset();
        make_content(100, 0);
        kit.modem.fails_with = 515;
        assert_int_equal(provision(0, 100, true), FRAMED_DONE);
        corekit_run_ms(&kit, 100);
        kit.modem.fails_with = 0;
        assert_int_equal(corekit_ask(&kit, asked[i], lines, sizeof lines, 1000), 0);
        assert_true(i == 1 || strstr(lines, "#CRED: written,16842753,0,515,"));
        assert_int_equal(provision(1, 100, false), FRAMED_DONE);
    }
}

static void test_checked_delete(void **state)
{
    char line[64], lines[64];

    (void)state;
    reset();
    make_content(100, 0);
    assert_int_equal(provision(0, 100, true), FRAMED_DONE);
    size_t n = framed_delete_line(line, TAG, 0); /* waits for the write */
    assert_int_equal(send_and_hear(line, n, lines, sizeof lines), 0);
    assert_null(minimodem_find(&kit.modem, TAG, 0));
    assert_int_equal(send_and_hear(line, n, lines, sizeof lines), 513);
}

static void test_other_commands_in_an_open_transfer(void **state)
{
    char lines[256];

    (void)state;
    reset();
    begin_by_hand(500);
    size_t n = next();
    assert_int_equal(corekit_ask(&kit, "AT+CGSN", lines, sizeof lines, 1000), 0); /* right behind an answer */
    corekit_run_ms(&kit, CORE_PAUSE_MS);
    assert_int_equal(corekit_ask(&kit, "AT%CMNG=0,5,4,\"#AAAA\"", lines, sizeof lines, 1000), 0);
    corekit_send(&kit, burst, 50);
    assert_int_equal(corekit_ask(&kit, "AT", lines, sizeof lines, 1000), CORE_ERROR_INCOMPLETE);
    assert_int_equal(corekit_ask(&kit, "AT", lines, sizeof lines, 1000), 0);
    assert_int_equal(send_and_hear(burst, n, lines, sizeof lines), 0);
    assert_true(holds_content(0, 500));
}

/* -- Links -- */

struct link_case {
    struct corekit_faults to_board, to_host;
};

static const struct link_case links[] = {
    {{100, 0, 0}, {0, 0, 0}},     {{1000, 0, 0}, {0, 0, 0}},    {{5000, 0, 0}, {0, 0, 0}},
    {{0, 5000, 0}, {0, 0, 0}},    {{0, 0, 5000}, {0, 0, 0}},    {{3000, 3000, 3000}, {0, 0, 0}},
    {{5000, 0, 0}, {5000, 0, 0}}, {{0, 0, 5000}, {0, 0, 5000}}, {{2000, 2000, 2000}, {2000, 2000, 2000}},
};

/* Whatever happens, what the modem holds is what was sent, or nothing. */
static void test_spoilt_links(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        for (uint64_t seed = 1; seed <= 12; seed++) {
            reset();
            kit.dice = seed * UINT64_C(0x9E3779B97F4A7C15);
            kit.to_board = links[i].to_board;
            kit.to_host = links[i].to_host;
            size_t n = 200 + (size_t)corekit_random(&kit, 1500);
            make_content(n, (uint32_t)seed);
            assert_int_equal(provision(1, n, false), FRAMED_DONE);
            assert_true(holds_content(1, n));
            assert_int_equal(kit.modem.n_entries, 1);
        }
    }
}

/* So bad that nothing gets through in time: then there is nothing. */
static void test_hopeless_links(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        reset();
        kit.dice = seed * UINT64_C(0x9E3779B97F4A7C15);
        kit.to_board = (struct corekit_faults){30000, 10000, 30000};
        make_content(900, (uint32_t)seed);
        bool is_done = provision(1, 900, false) == FRAMED_DONE;
        assert_true(is_done || kit.modem.n_entries == 0 || holds_content(1, 900));
        assert_true(!is_done || holds_content(1, 900));
        assert_true(kit.modem.n_entries <= 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc32),
        cmocka_unit_test(test_the_dialogue_of_the_readme),
        cmocka_unit_test(test_the_lines_of_the_host),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_octets_of_any_kind),
        cmocka_unit_test(test_missing_frames_are_named),
        cmocka_unit_test(test_a_lost_commit_is_asked_for),
        cmocka_unit_test(test_status_and_resuming),
        cmocka_unit_test(test_abort_writes_nothing),
        cmocka_unit_test(test_an_open_transfer_ends_by_itself),
        cmocka_unit_test(test_another_digest_writes_nothing),
        cmocka_unit_test(test_begin_and_delete_lines),
        cmocka_unit_test(test_the_next_one_travels_while_the_modem_writes),
        cmocka_unit_test(test_a_command_waits_for_the_write),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_a_failure_is_told_once),
        cmocka_unit_test(test_checked_delete),
        cmocka_unit_test(test_other_commands_in_an_open_transfer),
        cmocka_unit_test(test_spoilt_links),
        cmocka_unit_test(test_hopeless_links),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
