/* Every fault does what it says, is counted, and ends; exact faults fire exactly once at every place there
 * is. */
#include "unit/test_sim_host.h"

static void add(struct host *h, const char *spec)
{
    char why[SIM_FAULT_WHY] = "";
    if (simboard_add_fault(h->b, spec, why, sizeof why) < 0)
        fail_msg("%s: %s", spec, why);
}

static struct host *host_settled(enum sim_family family)
{
    struct host *h = host_new_family(family);
    host_settle(h);
    host_clear(h);
    return h;
}

/* A day's work in short: identity, a write, a list, a read, a delete. Plugs and resets the board when a fault
 * made that necessary. */
static void work(struct host *h)
{
    static const char *const commands[] = {
        "AT\r",
        "AT+CMEE=1\r",
        "AT+CGSN\r",
        "AT+CFUN=4\r",
        "AT%CMNG=0,1,4,\"two\nlines\r\nmore\"\r",
        "AT%CMNG=1,1\r",
        "AT%CMNG=2,1,4\r",
        "AT%CMNG=3,1,4\r",
        "AT+CGMR\r",
        "AT%XVBAT\r",
    };

    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (!simboard_is_plugged(h->b)) {
            simboard_plug(h->b, h->now_us);
            simboard_port_open(h->b, h->now_us);
        }
        if (simboard_info(h->b).is_hung)
            simboard_reboot(h->b, h->now_us);
        host_ask(h, commands[i]);
    }
}

static void test_grammar(void **state)
{
    (void)state;
    static const struct {
        const char *spec;
        bool is_good;
    } rows[] = {
        {"drop:0.005", true},
        {"drop:1", true},
        {"drop", false},
        {"drop:0", false},
        {"drop:1.1", false},
        {"drop:x", false},
        {"drop:0.1x", false},
        {"drop:0.1@write", false},
        {"garble:0.1", true},
        {"dup:0.1", true},
        {"cut:1792", true},
        {"cut:0", false},
        {"cut", false},
        {"fifo:6", true},
        {"fifo:4097", false},
        {"drain:100", true},
        {"newline:crlf", true},
        {"newline:lf", true},
        {"newline:cr", true},
        {"newline:nel", false},
        {"newline", false},
        {"hang@write", true},
        {"hang", true},
        {"hang@command:3", true},
        {"hang@command:0", false},
        {"hang@later", false},
        {"hang:0.5@list", true},
        {"lost_reply@write", true},
        {"lost_reply@any", true},
        {"lost_reply:2@any", false},
        {"unplug@byte:500", true},
        {"unplug@byte:0", false},
        {"unplug", false},
        {"unplug@command:1", false},
        {"reboot@command:5", true},
        {"reboot@byte:5", false},
        {"urc:0.5", true},
        {"stored_wrong:1", true},
        {"supply_low", true},
        {"supply_low:1", false},
        {"memory_full", true},
        {"active", true},
        {"stray_entry", true},
        {"stray_entry:5.1", true},
        {"stray_entry:5", false},
        {"stray_entry:5.9", false},
        {"same_imei", true},
        {"duplicate_imei", true},
        {"wrong_family", true},
        {"wrong_family:F1.3b", true},
        {"wrong_family:F9", false},
        {"slow_nvm:500", true},
        {"slow_nvm", false},
        {"slow_nvm:0", false},
        {"delay:100", true},
        {"delay:1000001", false},
        {"newline_all:lf", true},
        {"newline_all", false},
        {"keygen_failed", true},
        {"keygen_failed:0.5", true},
        {"keygen_failed:2", false},
        {"hang@keygen", true},
        {"no_tokens", true},
        {"no_tokens:1", false},
        {"drop:0.1/3", true},
        {"drop:0.1/1-4", true},
        {"drop:0.1/4-1", false},
        {"drop:0.1/0", false},
        {"drop:0.1/x", false},
        {"drop:0.1/", false},
        {"bogus", false},
        {"", false},
        {"/3", false},
        {"drop:2/9", false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char why[SIM_FAULT_WHY] = "";
        int result = simboard_check_fault(rows[i].spec, why, sizeof why);
        if ((result == 0) != rows[i].is_good)
            fail_msg("%s: %s", rows[i].spec, why);
        assert_int_equal(why[0] != '\0', !rows[i].is_good);
    }
    assert_int_equal(simboard_check_fault("bogus", NULL, 0), -1);
}

/* One after the other on a board of its own: each is seen to have done something, and nothing after clearing.
 */
static void test_each_fires_and_ends(void **state)
{
    (void)state;
    static const char *const specs[] = {
        "drop:0.05",        "garble:0.05",          "dup:0.05",       "cut:12",           "fifo:1",
        "newline:crlf",     "newline:lf",           "newline:cr",     "hang@write",       "hang@read",
        "lost_reply@list",  "lost_reply@delete",    "unplug@byte:40", "reboot@command:3", "urc:1",
        "stored_wrong:1",   "supply_low",           "memory_full",    "active",           "stray_entry",
        "same_imei",        "duplicate_imei",       "wrong_family",   "slow_nvm:900",     "delay:50",
        "newline_all:crlf", "keygen_failed",        "no_tokens",      "hang@keygen",      "lost_reply@keygen",
        "hang@command:4",   "lost_reply@command:2", "lost_reply:0.5",
    };

    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        struct host *h = host_settled(SIM_F2B);
        char kind[32];
        snprintf(kind, sizeof kind, "%.*s", (int)strcspn(specs[i], ":@"), specs[i]);
        add(h, specs[i]);
        if (strcmp(kind, "fifo") == 0)
            host_ask(h, "AT+CGMM\rAT+CGMM\r");
        host_ask(h, "AT%KEYGEN=9,2,0\r");
        host_ask(h, "AT%JWT\r");
        work(h);
        if (simboard_fault_fired(h->b, kind) == 0)
            fail_msg("%s never fired", specs[i]);

        simboard_clear_faults(h->b);
        if (!simboard_is_plugged(h->b))
            simboard_plug(h->b, h->now_us);
        simboard_reboot(h->b, h->now_us);
        simboard_port_open(h->b, h->now_us);
        host_settle(h);
        expect(h, "AT+CFUN=4\r", "OK\r\n");
        expect(h, "AT%XPOFWARN=1,30\r", "OK\r\n");
        uint64_t before = simboard_fault_fired(h->b, kind);
        expect(h, "AT%CMNG=0,1,4,\"a\nb\r\nc\rd\"\r", "OK\r\n");
        struct simboard_entry e;
        assert_true(simboard_entry_find(h->b, 1, 4, &e));
        assert_int_equal(e.len, 8);
        assert_memory_equal(e.content, "a\nb\r\nc\rd", 8);
        expect(h, "AT+CGSN\r", "351465800000002\r\nOK\r\n");
        assert_int_equal(simboard_fault_fired(h->b, kind), before);
        host_free(h);
    }
}

static void test_board_suffix(void **state)
{
    (void)state;
    for (unsigned number = 1; number <= 5; number++) {
        struct simboard_config c = SIMBOARD_CONFIG_DEFAULT;
        c.number = number;
        struct host *h = host_new(&c);
        host_settle(h);
        add(h, "memory_full/2-4");
        assert_string_equal(host_ask(h, "AT%CMNG=0,1,4,\"x\"\r"),
                            number >= 2 && number <= 4 ? "ERROR\r\n" : "OK\r\n");
        host_free(h);
    }
}

static void check_newline(const char *spec, const char *sent, const char *stored)
{
    struct host *h = host_settled(SIM_F2B);
    struct simboard_entry e;

    if (spec)
        add(h, spec);
    assert_string_equal(host_store(h, 1, 4, sent), "OK\r\n");
    assert_true(simboard_entry_find(h->b, 1, 4, &e));
    assert_int_equal(e.len, strlen(stored));
    assert_memory_equal(e.content, stored, e.len);
    host_free(h);
}

static void test_newline(void **state)
{
    (void)state;
    check_newline(NULL, "a\nb\r\nc\rd", "a\nb\r\nc\rd");
    check_newline("newline:crlf", "a\nb\r\nc\n", "a\r\nb\r\nc\r\n");
    check_newline("newline:lf", "a\nb\r\nc\rd", "a\nb\nc\nd");
    check_newline("newline:cr", "a\nb\r\nc\r", "a\rb\rc\r");
}

/* An old bridge: the line's end is gone, so the board is wedged; the purge comes through, short lines do as
 * well. */
static void test_cut(void **state)
{
    (void)state;
    struct host *h = host_settled(SIM_F1);
    char content[301], backspaces[4100];

    memset(content, 'x', 300);
    content[300] = '\0';
    add(h, "cut:200");
    assert_string_equal(host_store(h, 1, 4, content), "");
    memset(backspaces, '\b', 4096);
    memcpy(backspaces + 4096, "\"\b\r", 4);
    assert_string_equal(host_ask(h, backspaces), "");
    assert_string_equal(host_ask(h, "AT\r"), "OK\r\n");
    content[100] = '\0';
    assert_string_equal(host_store(h, 1, 4, content), "OK\r\n");
    assert_int_equal(simboard_entry_count(h->b), 1);
    host_free(h);
}

/* A slow board with a small FIFO loses from long lines, and nothing from pieces with pauses. */
static void test_fifo(void **state)
{
    (void)state;
    struct host *h = host_settled(SIM_F1);
    char line[300], content[257];

    memset(content, 'x', 256);
    content[256] = '\0';
    snprintf(line, sizeof line, "AT%%CMNG=0,1,4,\"%s\"\r", content);
    add(h, "fifo:6");
    add(h, "drain:120");
    host_ask(h, line);
    assert_true(simboard_info(h->b).lost_busy > 0);

    simboard_reboot(h->b, h->now_us);
    host_settle(h);
    host_clear(h);
    uint64_t lost = simboard_info(h->b).lost_busy;
    for (size_t at = 0; at < strlen(line); at += 10) {
        size_t n = strlen(line) - at;
        host_write(h, line + at, n < 10 ? n : 10);
        host_settle(h);
    }
    assert_string_equal(h->answer, "OK\r\n");
    assert_int_equal(simboard_info(h->b).lost_busy, lost);
    assert_int_equal(simboard_entry_at(h->b, 0).len, 256);
    host_free(h);
}

static void test_hang_and_lost_reply(void **state)
{
    (void)state;
    struct host *h = host_settled(SIM_F2B);

    add(h, "lost_reply@write");
    assert_string_equal(host_store(h, 1, 4, "x"), "");
    assert_int_equal(simboard_entry_count(h->b), 1);
    assert_string_equal(host_ask(h, "AT\r"), "OK\r\n");
    add(h, "hang@write");
    assert_string_equal(host_store(h, 2, 4, "x"), "");
    assert_true(simboard_info(h->b).is_hung);
    assert_int_equal(simboard_entry_count(h->b), 1);
    assert_int_equal(simboard_next_us(h->b), SIM_NEVER);
    assert_string_equal(host_ask(h, "AT\r"), "");
    simboard_clear_faults(h->b);
    assert_string_equal(host_ask(h, "AT\r"), "");
    simboard_reboot(h->b, h->now_us);
    assert_non_null(strstr(host_ask(h, ""), "The AT host sample started\r\n"));
    host_free(h);
}

static void test_wrong_family(void **state)
{
    (void)state;
    struct host *h = host_settled(SIM_F2B);

    add(h, "wrong_family:F1.3b");
    expect(h, "AT+CGMR\r", "mfw_nrf9160_1.3.5\r\nOK\r\n");
    expect(h, "AT+CGMM\r", "nRF9160-SICA\r\nOK\r\n");
    expect(h, "AT%HWVERSION\r", "%HWVERSION: nRF9160 SICA B1A\r\nOK\r\n");
    expect(h, "AT+CMEE=1\r", "OK\r\n");
    expect(h, "AT%CMNG=0,1,0,\"junk\"\r", "+CME ERROR: 527\r\n"); /* it is what it was */
    simboard_clear_faults(h->b);
    expect(h, "AT+CGMR\r", "mfw_nrf91x1_2.0.2\r\nOK\r\n");
    host_free(h);
}

/* A slow store takes just its time, and the usual one once the fault is over. */
static void test_slow_nvm(void **state)
{
    (void)state;
    static const int64_t wanted_us[] = {30000, 900000, 30000};
    struct host *h = host_settled(SIM_F2B);

    for (size_t i = 0; i < 3; i++) {
        if (i == 1)
            add(h, "slow_nvm:900");
        int64_t before = simboard_info(h->b).modem_us;
        assert_string_equal(host_store(h, 1, 4, "x"), "OK\r\n");
        assert_int_equal(simboard_info(h->b).modem_us - before, wanted_us[i]);
        simboard_clear_faults(h->b);
    }
    host_free(h);
}

/* Every octet there and back comes so much later than the one before. */
static void test_delay(void **state)
{
    (void)state;
    int64_t took[2];

    for (int is_slow = 0; is_slow < 2; is_slow++) {
        struct host *h = host_settled(SIM_F2B);
        if (is_slow)
            add(h, "delay:250");
        int64_t begun = h->now_us;
        assert_string_equal(host_ask(h, "AT+CGMM\r"), "nRF9151-LACA\r\nOK\r\n");
        took[is_slow] = h->last_us - begun;
        host_free(h);
    }
    assert_int_equal(took[1] - took[0], 250 * (8 + 18));
}

/* A terminal that turns all line ends into LF: a board that waits for CR hears no end, one that waits for LF
 * does. */
static void test_newline_all(void **state)
{
    (void)state;
    for (int is_lf = 0; is_lf < 2; is_lf++) {
        struct simboard_config c = SIMBOARD_CONFIG_DEFAULT;
        c.term = is_lf ? SIM_TERM_LF : SIM_TERM_CR;
        struct host *h = host_new(&c);
        host_settle(h);
        add(h, "newline_all:lf");
        expect(h, "AT\r", is_lf ? "OK\r\n" : "");
        expect(h, "AT\r\n", is_lf ? "OK\r\n" : "");
        simboard_clear_faults(h->b);
        expect(h, "\r\n", is_lf ? "" : "ERROR\r\n"); /* both tries in one line */
        host_free(h);
    }
}

static void test_stored_wrong(void **state)
{
    (void)state;
    struct host *h = host_settled(SIM_F2B);

    add(h, "stored_wrong:1");
    assert_string_equal(host_store(h, 1, 4, "abc"), "OK\r\n");
    struct simboard_entry e = simboard_entry_at(h->b, 0);
    assert_int_equal(e.len, 3);
    assert_memory_equal(e.content, "acc", 3);
    host_free(h);
}

static void test_active_and_twin(void **state)
{
    (void)state;
    struct host *h = host_settled(SIM_F2B);

    add(h, "active");
    expect(h, "AT+CFUN?\r", "+CFUN: 1\r\nOK\r\n");
    expect(h, "AT+CMEE=1\r", "OK\r\n");
    expect(h, "AT%CMNG=3,1,4\r", "+CME ERROR: 518\r\n");
    expect(h, "AT+CFUN=4\r", "OK\r\n");
    expect(h, "AT%CMNG=3,1,4\r", "+CME ERROR: 513\r\n");
    simboard_reboot(h->b, h->now_us);
    host_settle(h);
    expect(h, "AT+CFUN?\r", "+CFUN: 1\r\nOK\r\n");
    host_free(h);

    struct simboard_config c = SIMBOARD_CONFIG_DEFAULT;
    c.number = 2;
    memcpy(c.imei, "351465800000010", 16);
    h = host_new(&c);
    host_settle(h);
    add(h, "same_imei");
    expect(h, "AT+CGSN\r", "351465800000002\r\nOK\r\n");
    host_free(h);
}

/* A line inside an answer may stand anywhere; without it the answer is what it was. */
static void test_urc(void **state)
{
    (void)state;
    const char *plain = "mfw_nrf91x1_2.0.2\r\nOK\r\n";

    for (uint64_t k = 1; k <= strlen(plain); k++) {
        struct host *h = host_settled(SIM_F2B);
        host_ask(h, "AT\r");
        struct sim_exact f = {.kind = SIM_EXACT_URC, .k = k, .answer = 2};
        assert_int_equal(simboard_exact_add(h->b, &f), 0);
        const char *got = host_ask(h, "AT+CGMR\r");
        assert_int_equal(simboard_exact_fired(h->b, SIM_EXACT_URC), 1);
        assert_memory_equal(got, plain, k - 1);
        size_t extra = strlen(got) - strlen(plain);
        assert_true(extra > 4);
        assert_memory_equal(got + k - 1 + extra - 2, "\r\n", 2);
        assert_string_equal(got + k - 1 + extra, plain + k - 1);
        host_free(h);
    }
}

/* Which answer is meant counts from the last reset; in every answer means in every one. */
static void test_urc_in_answers(void **state)
{
    (void)state;
    struct host *h = host_settled(SIM_F2B);

    host_ask(h, "AT\r");
    simboard_exact_reset(h->b);
    simboard_exact_add(h->b, &(struct sim_exact){.kind = SIM_EXACT_URC, .k = 2, .answer = 1});
    assert_true(strlen(host_ask(h, "AT\r")) > 4);
    expect(h, "AT\r", "OK\r\n");
    simboard_exact_add(h->b, &(struct sim_exact){.kind = SIM_EXACT_URC, .k = 4, .answer = SIM_EVERY_ANSWER});
    for (int i = 0; i < 5; i++) {
        host_ask(h, "AT\r");
        assert_memory_equal(h->answer, "OK\r", 3);
        assert_true(h->len > 4);
    }
    assert_int_equal(simboard_exact_fired(h->b, SIM_EXACT_URC), 6);
    simboard_exact_reset(h->b);
    expect(h, "AT\r", "OK\r\n");
    host_free(h);
}

/* Anything at all from the host, with every fault at once: time goes on, nothing breaks, a purge or a reset
 * helps. */
static void test_noise(void **state)
{
    (void)state;
    static const char *const faults[] = {
        "drop:0.02",    "garble:0.02",      "dup:0.02", "urc:0.3",          "lost_reply:0.1",  "cut:900",
        "newline:crlf", "stored_wrong:0.2", "fifo:6",   "unplug@byte:3000", "reboot@command:9"};
    static const char *const pieces[] = {"AT%CMNG=0,",
                                         "AT%CMNG=1",
                                         "AT%CMNG=2,1,4",
                                         "AT%CMNG=3,",
                                         "1,",
                                         "4,",
                                         "\"",
                                         "\r",
                                         "\n",
                                         "\"text\"\r",
                                         "\b",
                                         "AT+CFUN=1\r",
                                         "AT+CFUN=4\r",
                                         "AT%XPMNG=0,\"k\"\r",
                                         "x",
                                         ",",
                                         "\xff",
                                         "AT+CMEE=1\r",
                                         "-----BEGIN CERTIFICATE-----\n",
                                         "99999999999"};
    uint64_t dice = 1;

    for (unsigned round = 0; round < 60; round++) {
        struct simboard_config c = SIMBOARD_CONFIG_DEFAULT;
        c.family = (enum sim_family)(round % 7);
        c.term = (enum sim_terminator)(round % 4);
        c.number = round + 1;
        c.store_size = 64;
        struct host *h = host_new(&c);
        for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
            if (round >> (i % 6) & 1)
                add(h, faults[i]);
        }
        for (int i = 0; i < 800; i++) {
            dice = dice * 6364136223846793005u + 1442695040888963407u;
            const char *piece = pieces[(dice >> 33) % (sizeof pieces / sizeof pieces[0])];
            simboard_from_host(h->b, piece, strlen(piece), h->now_us);
            h->now_us += (int64_t)(dice >> 50);
            host_clear(h);
            host_read(h);
            int64_t next = simboard_next_us(h->b);
            assert_true(next > h->now_us);
        }
        simboard_clear_faults(h->b);
        simboard_unplug(h->b, h->now_us);
        simboard_plug(h->b, h->now_us);
        simboard_port_open(h->b, h->now_us);
        host_settle(h);
        static const char *const at[] = {"AT\r", "AT\n", "AT\r\n"};
        host_clear(h);
        host_write(h, c.term == SIM_TERM_NUL ? "AT" : at[c.term],
                   c.term == SIM_TERM_NUL ? 3 : strlen(at[c.term]));
        host_settle(h);
        assert_string_equal(h->answer, "OK\r\n");
        host_free(h);
    }
}

/* The sweep: count, then fail every single place. */
static void test_exact_everywhere(void **state)
{
    (void)state;
    for (enum sim_exact_kind kind = 0; kind < SIM_EXACT_KINDS; kind++) {
        struct host *h = host_settled(SIM_F2B);
        simboard_exact_reset(h->b);
        work(h);
        uint64_t opportunities = simboard_exact_opportunities(h->b, kind), fired = 0;
        assert_true(opportunities >= 10);
        host_free(h);

        for (uint64_t k = 1; k <= opportunities; k++) {
            h = host_settled(SIM_F2B);
            simboard_exact_reset(h->b);
            struct sim_exact f = {.kind = kind, .k = k, .delay_us = 70000};
            assert_int_equal(simboard_exact_add(h->b, &f), 0);
            work(h);
            fired += simboard_exact_fired(h->b, kind);
            host_free(h);
        }
        assert_int_equal(fired, opportunities);
    }
}

static void test_exact_effects(void **state)
{
    (void)state;
    static const struct {
        enum sim_exact_kind kind;
        uint64_t k;
        const char *answer; /* to AT+CGMI after a settled start */
    } rows[] = {
        {SIM_EXACT_IN_LOSE, 3, "ERROR\r\n"},
        {SIM_EXACT_IN_GARBLE, 7, "ERROR\r\n"},
        {SIM_EXACT_IN_DOUBLE, 8, "Nordic Semiconductor ASA\r\nOK\r\n"},
        {SIM_EXACT_IN_DELAY, 2, "Nordic Semiconductor ASA\r\nOK\r\n"},
        {SIM_EXACT_OUT_LOSE, 1, "ordic Semiconductor ASA\r\nOK\r\n"},
        {SIM_EXACT_OUT_GARBLE, 1, "Lordic Semiconductor ASA\r\nOK\r\n"},
        {SIM_EXACT_OUT_DOUBLE, 1, "NNordic Semiconductor ASA\r\nOK\r\n"},
        {SIM_EXACT_OUT_DELAY, 5, "Nordic Semiconductor ASA\r\nOK\r\n"},
        {SIM_EXACT_UNPLUG_IN, 8, ""},
        {SIM_EXACT_LOST_ANSWER, 1, ""},
        {SIM_EXACT_HANG, 1, ""},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct host *h = host_settled(SIM_F2B);
        simboard_exact_reset(h->b);
        struct sim_exact f = {.kind = rows[i].kind, .k = rows[i].k, .delay_us = 5000};
        assert_int_equal(simboard_exact_add(h->b, &f), 0);
        assert_int_equal(simboard_exact_add(h->b, &(struct sim_exact){.kind = rows[i].kind, .k = 0}), -1);
        expect(h, "AT+CGMI\r", rows[i].answer);
        assert_int_equal(simboard_exact_fired(h->b, rows[i].kind), 1);
        assert_int_equal(simboard_exact_add(h->b, &f), -1); /* its place is past */
        host_free(h);
    }

    /* A delay moves what follows by just so much. */
    int64_t took[2];
    for (int is_late = 0; is_late < 2; is_late++) {
        struct host *h = host_settled(SIM_F2B);
        simboard_exact_reset(h->b);
        struct sim_exact f = {.kind = SIM_EXACT_IN_DELAY, .k = 2, .delay_us = 5000};
        if (is_late)
            simboard_exact_add(h->b, &f);
        int64_t begun = h->now_us;
        host_ask(h, "AT+CGMI\r");
        took[is_late] = h->last_us - begun;
        host_free(h);
    }
    assert_int_equal(took[1] - took[0], 5000);
}

/* The same seed gives the same history, another one another. */
static void test_deterministic(void **state)
{
    (void)state;
    char *answers[3];
    static const uint64_t seeds[] = {7, 7, 8};

    for (size_t i = 0; i < 3; i++) {
        struct simboard_config c = SIMBOARD_CONFIG_DEFAULT;
        c.seed = seeds[i];
        struct host *h = host_new(&c);
        host_settle(h);
        add(h, "urc:0.5");
        add(h, "lost_reply:0.3");
        answers[i] = calloc(1, 65536);
        assert_non_null(answers[i]);
        for (int n = 0; n < 40; n++)
            strcat(answers[i], host_ask(h, "AT+CGSN\r"));
        host_free(h);
    }
    assert_string_equal(answers[0], answers[1]);
    assert_string_not_equal(answers[0], answers[2]);
    for (size_t i = 0; i < 3; i++)
        free(answers[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grammar),
        cmocka_unit_test(test_each_fires_and_ends),
        cmocka_unit_test(test_board_suffix),
        cmocka_unit_test(test_newline),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_fifo),
        cmocka_unit_test(test_hang_and_lost_reply),
        cmocka_unit_test(test_stored_wrong),
        cmocka_unit_test(test_wrong_family),
        cmocka_unit_test(test_slow_nvm),
        cmocka_unit_test(test_delay),
        cmocka_unit_test(test_newline_all),
        cmocka_unit_test(test_active_and_twin),
        cmocka_unit_test(test_urc),
        cmocka_unit_test(test_exact_everywhere),
        cmocka_unit_test(test_exact_effects),
        cmocka_unit_test(test_deterministic),
        cmocka_unit_test(test_urc_in_answers),
        cmocka_unit_test(test_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
