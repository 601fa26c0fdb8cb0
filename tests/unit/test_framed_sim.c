/* The checked transfer through the simulated board, link and faults included: firmware/core as certline-sim
 * runs it, with the reference host in front. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/words.h"
#include "sim/board.h"
#include "support/framed_host.h"

#define TAG     16842753
#define BOARDS  24
#define SECOND  INT64_C(1000000)
#define CONTENT 1400

struct link {
    struct simboard *board;
    int64_t now_us;
    char heard[8192];
    size_t len;
};

static char content[CONTENT], burst[FRAMED_BURST_MAX];
static struct framed host;

/* A line out of what was heard; false: none is whole. */
static bool next_line(struct link *l, char *line, size_t size)
{
    char *end = memchr(l->heard, '\n', l->len);
    if (!end)
        return false;
    size_t n = (size_t)(end - l->heard), kept = n < size - 1 ? n : size - 1;
    memcpy(line, l->heard, kept);
    line[kept] = '\0';
    line[strcspn(line, "\r")] = '\0';
    l->len -= n + 1;
    memmove(l->heard, end + 1, l->len);
    return true;
}

static bool is_final(const char *line, int *ret_code)
{
    if (strcmp(line, "OK") == 0)
        *ret_code = 0;
    else if (strcmp(line, "ERROR") == 0)
        *ret_code = -1;
    else
        return sscanf(line, "+CME ERROR: %d", ret_code) == 1;
    return true;
}

static void hear(struct link *l)
{
    l->len += simboard_to_host(l->board, l->heard + l->len, sizeof l->heard - l->len, l->now_us);
}

/* One exchange: the code of its final result, -2 for none. */
static int exchange(struct link *l, const char *octets, size_t n, int64_t timeout_us)
{
    char line[1024];
    size_t sent = 0;
    int64_t until_us = l->now_us + timeout_us + (int64_t)n * 87;
    int code;

    l->len = 0;
    while (l->now_us < until_us) {
        sent += simboard_from_host(l->board, octets + sent, n - sent, l->now_us);
        hear(l);
        while (next_line(l, line, sizeof line)) {
            if (is_final(line, &code))
                return code;
            framed_line(&host, line);
        }
        int64_t next_us = simboard_next_us(l->board);
        l->now_us = next_us < until_us ? next_us : until_us;
    }
    return -2;
}

static int say(struct link *l, const char *words)
{
    char octets[64];
    return exchange(l, octets, (size_t)snprintf(octets, sizeof octets, "%s\r", words), 2 * SECOND);
}

static enum framed_state transfer(struct link *l, uint32_t type, bool is_behind)
{
    framed_start(&host, TAG, type, content, sizeof content);
    host.is_behind = is_behind;
    while (host.state != FRAMED_DONE && host.state != FRAMED_FAILED)
        framed_end(&host, exchange(l, burst, framed_next(&host, burst), SECOND));
    return host.state;
}

static bool holds_content(const struct simboard *b, uint32_t type)
{
    struct simboard_entry entry;
    return simboard_entry_find(b, TAG, type, &entry) && entry.len == sizeof content &&
           memcmp(entry.content, content, sizeof content) == 0;
}

static struct link plug(unsigned number, const char *fault)
{
    struct simboard_config config = SIMBOARD_CONFIG_DEFAULT;
    char line[64];

    config.number = number;
    config.front = SIM_FRONT_CERTLINE;
    config.flow = SIM_FLOW_NONE;
    struct link l = {.board = simboard_new(&config), .now_us = SECOND};
    assert_non_null(l.board);
    assert_int_equal(simboard_port_open(l.board, l.now_us), 0);
    hear(&l);
    while (next_line(&l, line, sizeof line)) {
    }
    if (fault)
        assert_int_equal(simboard_add_fault(l.board, fault, NULL, 0), 0);
    for (size_t i = 0; i < sizeof content; i++)
        content[i] = i % 65 == 64 ? '\n' : words_digit64((uint32_t)(i * 7 + number));
    return l;
}

static const char *const faults[] = {NULL, "drop:0.005", "garble:0.005", "dup:0.005", "urc:0.5"};

/* A private key and a PSK identity, which no family reads. Every board at the first attempt, one write each.
 */
static void test_spoilt_links(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        for (unsigned number = 1; number <= BOARDS; number++) {
            struct link l = plug(number, faults[i]);
            for (int tries = 0; tries < 20 && say(&l, "AT+CMEE=1") != 0; tries++) {
            }
            host.frame_units = 0;
            assert_int_equal(transfer(&l, 4, true), FRAMED_DONE);
            assert_int_equal(transfer(&l, 2, false), FRAMED_DONE);
            assert_true(holds_content(l.board, 4) && holds_content(l.board, 2));
            assert_int_equal(simboard_nvm_writes(l.board, TAG, 4), 1);
            assert_int_equal(simboard_nvm_writes(l.board, TAG, 2), 1);
            assert_int_equal(simboard_entry_count(l.board), 2);
            simboard_free(l.board);
        }
    }
}

/* What the modem says no to reaches the host as it is. */
static void test_refused_by_the_modem(void **state)
{
    (void)state;
    struct link l = plug(1, "memory_full");
    assert_int_equal(say(&l, "AT+CMEE=1"), 0);
    assert_int_equal(transfer(&l, 2, false), FRAMED_FAILED);
    assert_int_equal(host.code, 515);
    assert_int_equal(transfer(&l, 0, false), FRAMED_FAILED);
    assert_int_equal(host.code, 527); /* no certificate */
    assert_int_equal(simboard_entry_count(l.board), 0);
    simboard_free(l.board);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spoilt_links),
        cmocka_unit_test(test_refused_by_the_modem),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
