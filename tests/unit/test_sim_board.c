/* The link and the AT host: pacing, ports, power, busy boards, the wedge and its cure. */
#include "unit/test_sim_host.h"

static const uint32_t bauds[] = {9600, 115200, 921600, 1000000, 4000000};

/* The n-th of n octets handed over at once is there after n times ten bits, rounded up once and not once an
 * octet. */
static void test_pacing_in(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bauds / sizeof bauds[0]; i++) {
        struct simboard_config c = SIMBOARD_CONFIG_DEFAULT;
        c.baud = bauds[i];
        struct host *h = host_new(&c);
        char line[3001];
        memset(line, 'x', sizeof line);
        line[3000] = '\r';
        assert_int_equal(simboard_from_host(h->b, line, sizeof line, HOST_START), sizeof line);
        int64_t last = HOST_START + (int64_t)((3001 * UINT64_C(10000000) + bauds[i] - 1) / bauds[i]);
        assert_int_equal(simboard_next_us(h->b), last);
        simboard_run(h->b, last - 1);
        assert_int_equal(simboard_info(h->b).octets_in, 3000);
        assert_int_equal(simboard_executed_count(h->b), 0);
        simboard_run(h->b, last);
        assert_int_equal(simboard_executed_count(h->b), 1);
        host_free(h);
    }
}

/* The same in pieces: octets handed over while others are still on the wire follow without a gap. */
static void test_pacing_pieces(void **state)
{
    (void)state;
    struct host *h = host_new_family(SIM_F2B);
    int64_t now = HOST_START, end = HOST_START + (1000 * INT64_C(10000000) + 115199) / 115200;

    for (int i = 0; i < 100; i++) {
        assert_int_equal(simboard_from_host(h->b, "xxxxxxxxxx", 10, now), 10);
        now += 800; /* the wire needs 868 for ten */
    }
    assert_int_equal(simboard_next_us(h->b), end);

    /* After a pause the wire starts anew. */
    assert_int_equal(simboard_from_host(h->b, "x", 1, end + 500), 1);
    assert_int_equal(simboard_next_us(h->b), end + 500 + 87);
    host_free(h);
}

/* Command, modem, answer: every part takes exactly its own time. */
static void test_pacing_answer(void **state)
{
    (void)state;
    struct simboard_config c = SIMBOARD_CONFIG_DEFAULT;
    c.baud = 1000000; /* ten microseconds an octet */
    c.nvm_ms = 30;
    struct host *h = host_new(&c);
    host_settle(h);
    const char *write = "AT%CMNG=0,1,4,\"x\"\r";
    int64_t begun = h->now_us;

    assert_string_equal(host_ask(h, write), "OK\r\n");
    assert_int_equal(h->last_us - begun, 10 * (int64_t)strlen(write) + 30000 + 4 * 10);
    assert_int_equal(simboard_info(h->b).modem_us, 30000);
    host_free(h);
}

/* A long answer leaves no gaps either, at a rate at which an octet is no whole number of microseconds. */
static void test_pacing_long_answer(void **state)
{
    (void)state;
    struct host *h = host_new_family(SIM_F2B);
    host_settle(h);
    for (unsigned i = 0; i < 20; i++)
        assert_string_equal(host_store(h, 10000000 + i, 4, "x"), "OK\r\n");

    int64_t begun = h->now_us, modem_us = simboard_info(h->b).modem_us;
    host_ask(h, "AT%CMNG=1\r");
    modem_us = simboard_info(h->b).modem_us - modem_us;
    int64_t bits = 10 * INT64_C(1000000);
    int64_t sent = begun + (10 * bits + 115199) / 115200 + modem_us;
    assert_int_equal(h->last_us, sent + ((int64_t)h->len * bits + 115199) / 115200);
    assert_true(h->len > 20 * 86 + 4);
    host_free(h);
}

/* The link takes SIM_LINK_SIZE octets and says when there is room again. */
static void test_back_pressure(void **state)
{
    (void)state;
    struct host *h = host_new_family(SIM_F2B);
    char octets[SIM_LINK_SIZE + 100];

    memset(octets, ' ', sizeof octets);
    assert_int_equal(simboard_from_host(h->b, octets, sizeof octets, HOST_START), SIM_LINK_SIZE);
    assert_int_equal(simboard_from_host(h->b, octets, 100, HOST_START), 0);
    int64_t next = simboard_next_us(h->b);
    assert_int_equal(next, HOST_START + (SIM_LINK_SIZE / 2 * INT64_C(10000000) + 115199) / 115200);
    assert_int_equal(simboard_from_host(h->b, octets, sizeof octets, next), SIM_LINK_SIZE / 2);
    host_free(h);
}

/* Running late or often makes no difference to what the board does and when. */
static void test_late_is_same(void **state)
{
    (void)state;
    char answers[2][512];
    int64_t modem_us[2];

    for (int is_late = 0; is_late < 2; is_late++) {
        struct host *h = host_new_family(SIM_F2B);
        host_clear(h);
        for (int i = 0; i < 20; i++)
            simboard_from_host(h->b, "AT+CGMR\r", 8, h->now_us);
        int64_t end = HOST_START + 2000000;
        for (int64_t at = HOST_START; at <= end && !is_late; at += 37)
            simboard_run(h->b, at);
        h->now_us = end;
        host_read(h);
        memcpy(answers[is_late], h->answer, sizeof answers[0]);
        modem_us[is_late] = simboard_info(h->b).modem_us;
        host_free(h);
    }
    assert_string_equal(answers[0], answers[1]);
    assert_non_null(strstr(answers[0], "mfw_nrf91x1_2.0.2\r\nOK\r\n"));
    assert_int_equal(modem_us[0], 20 * 2000);
    assert_int_equal(modem_us[0], modem_us[1]);
}

static void test_busy_board(void **state)
{
    (void)state;
    struct simboard_config c = SIMBOARD_CONFIG_DEFAULT;

    /* With RTS/CTS the second command waits for the end of the first one's answer. */
    struct host *h = host_new(&c);
    host_settle(h);
    assert_string_equal(host_ask(h, "AT+CGMM\rAT+CGMI\r"),
                        "nRF9151-LACA\r\nOK\r\nNordic Semiconductor ASA\r\nOK\r\n");
    assert_int_equal(simboard_info(h->b).lost_busy, 0);
    host_free(h);

    /* Without, six octets of it are kept and the others are lost; what follows later completes the torso. */
    c.flow = SIM_FLOW_NONE;
    h = host_new(&c);
    host_settle(h);
    assert_string_equal(host_ask(h, "AT+CGMM\rAT+CGMI\r"), "nRF9151-LACA\r\nOK\r\n");
    assert_int_equal(simboard_info(h->b).lost_busy, 2);
    assert_string_equal(host_ask(h, "I\r"), "Nordic Semiconductor ASA\r\nOK\r\n");
    host_free(h);
}

static void test_terminators(void **state)
{
    (void)state;
    static const struct {
        const char *front;
        const char *send;
        size_t len;
        const char *answer;
    } rows[] = {
        {"at_host", "AT\r", 3, "OK\r\n"},      {"at_host", "AT\n", 3, ""},
        {"at_host", "AT\r\n", 4, "OK\r\n"},    {"at_host", "A\0T\r", 4, "OK\r\n"},
        {"at_host", "\r\r \r", 4, ""},         {"at_host", "AT+X\b\bCMEE?\b?\r", 14, "ERROR\r\n"},
        {"at_host", "AX\bT\r", 5, "OK\r\n"},   {"at_host", "AX\177T\r", 5, "OK\r\n"},
        {"at_host:lf", "AT\r", 3, ""},         {"at_host:lf", "AT\n", 3, "OK\r\n"},
        {"at_host:lf", "AT\r\n", 4, "OK\r\n"}, {"at_host:crlf", "AT\r", 3, ""},
        {"at_host:crlf", "AT\n", 3, ""},       {"at_host:crlf", "AT\r\n", 4, "OK\r\n"},
        {"at_host:nul", "AT\r\n", 4, ""},      {"at_host:nul", "AT\0", 3, "OK\r\n"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct simboard_config c = SIMBOARD_CONFIG_DEFAULT;
        assert_int_equal(sim_front_parse(rows[i].front, &c.front, &c.term), 0);
        struct host *h = host_new(&c);
        host_settle(h);
        host_clear(h);
        host_write(h, rows[i].send, rows[i].len);
        host_settle(h);
        assert_string_equal(h->answer, rows[i].answer);
        host_free(h);
    }
    enum sim_front front;
    enum sim_terminator term;
    assert_int_equal(sim_front_parse("at_host:tab", &front, &term), -1);
}

static void fill(char *content, size_t n)
{
    memset(content, 'x', n);
    content[n] = '\0';
}

static void purge(struct host *h, size_t n)
{
    char *octets = calloc(1, n + 4);

    assert_non_null(octets);
    memset(octets, '\b', n);
    memcpy(octets + n, "\"\b\r", 4);
    assert_string_equal(host_ask(h, octets), "");
    free(octets);
}

/* 4,095 characters are a command's limit: with an eight-digit tag 4,072 of content pass and one more wedges.
 */
static void test_wedge_by_length(void **state)
{
    (void)state;
    char content[4200];
    struct simboard_entry e;
    struct host *h = host_new_family(SIM_F2B);

    host_settle(h);
    fill(content, 4072);
    assert_string_equal(host_store(h, 16842753, 2, content), "OK\r\n");
    assert_true(simboard_entry_find(h->b, 16842753, 2, &e));
    assert_int_equal(e.len, 4072);

    fill(content, 4073);
    assert_string_equal(host_store(h, 16842753, 2, content), "");
    assert_true(simboard_info(h->b).lost_overflow > 0);
    assert_string_equal(host_ask(h, "AT\r"), "");
    purge(h, 4096);
    assert_string_equal(host_ask(h, "AT\r"), "OK\r\n");
    assert_int_equal(simboard_nvm_writes(h->b, 16842753, 2), 1);
    assert_int_equal(simboard_entry_at(h->b, 0).len, 4072);
    host_free(h);
}

/* A lost closing quote: everything after it is content, until a purge; on a healthy board the purge wedges,
 * and a second one cures that. */
static void test_wedge_by_quote(void **state)
{
    (void)state;
    struct host *h = host_new_family(SIM_F1);
    struct simboard_entry e;

    host_settle(h);
    assert_string_equal(host_ask(h, "AT%CMNG=0,1,4,\"half\r"), "");
    assert_string_equal(host_ask(h, "AT\r"), "");
    purge(h, 4096);
    assert_string_equal(host_ask(h, "AT\r"), "OK\r\n");
    assert_int_equal(simboard_entry_count(h->b), 0);

    purge(h, 4096);
    assert_string_equal(host_ask(h, "AT\r"), "");
    purge(h, 4096);
    assert_string_equal(host_ask(h, "AT\r"), "OK\r\n");

    /* Closing the quote runs what was collected: here it stores half of a content. */
    assert_string_equal(host_ask(h, "AT%CMNG=0,1,4,\"half\r"), "");
    assert_string_equal(host_ask(h, "\"\r"), "OK\r\n");
    assert_true(simboard_entry_find(h->b, 1, 4, &e));
    assert_memory_equal(e.content, "half\r", 5);

    /* A backspace over a quote leaves the flag: the line after it is swallowed. */
    assert_string_equal(host_ask(h, "AT\"\b\rAT\r"), "");
    host_free(h);
}

static void test_old_buffer(void **state)
{
    (void)state;
    char content[2000];
    struct host *h = host_new_family(SIM_F0);

    host_settle(h);
    fill(content, 1792 - strlen("AT%CMNG=0,16842753,2,\"\""));
    assert_string_equal(host_store(h, 16842753, 2, content), "OK\r\n");
    strcat(content, "x");
    assert_string_equal(host_store(h, 16842753, 2, content), "");
    host_free(h);
}

static void test_boot(void **state)
{
    (void)state;
    struct simboard_config c = SIMBOARD_CONFIG_DEFAULT;
    c.boot_ms = 2000;
    c.says_ready = true;
    struct host *h = calloc(1, sizeof *h);
    assert_non_null(h);
    h->b = simboard_new(&c);
    h->now_us = 500000; /* in the middle of the boot */
    assert_int_equal(simboard_port_open(h->b, h->now_us), 0);
    assert_int_equal(simboard_next_us(h->b), 2000000);
    const char *got = host_ask(h, "AT\r"); /* held back by RTS until the boot is over */
    assert_non_null(strstr(got, "*** Booting nRF Connect SDK v"));
    assert_non_null(strstr(got, "The AT host sample started\r\n"));
    assert_non_null(strstr(got, "Ready\r\n"));
    assert_non_null(strstr(got, "OK\r\n"));
    assert_int_equal(simboard_info(h->b).boots, 1);

    assert_string_equal(host_ask(h, "AT+CFUN=4\r"), "OK\r\n");
    assert_string_equal(host_store(h, 1, 4, "kept"), "OK\r\n");
    simboard_from_host(h->b, "AT%CM", 5, h->now_us);
    simboard_reboot(h->b, h->now_us + 500);
    h->now_us += 500;
    host_settle(h);
    assert_string_equal(host_ask(h, "\r"),
                        ""); /* half a line did not survive, its end comes to an empty one */
    assert_string_equal(host_ask(h, "AT+CFUN?\r"), "+CFUN: 0\r\nOK\r\n");
    assert_int_equal(simboard_entry_count(h->b), 1);
    assert_int_equal(simboard_info(h->b).boots, 2);
    host_free(h);
}

static void test_unplug(void **state)
{
    (void)state;
    struct host *h = host_new_family(SIM_F2B);

    host_settle(h);
    assert_string_equal(host_store(h, 1, 4, "old"), "OK\r\n");
    host_clear(h);
    host_write(h, "AT%CMNG=0,1,4,\"new\"\r", 20);
    h->now_us += 10000; /* the write has begun */
    simboard_unplug(h->b, h->now_us);
    assert_false(simboard_is_plugged(h->b));
    assert_int_equal(simboard_port_open(h->b, h->now_us), -1);
    assert_int_equal(simboard_from_host(h->b, "AT\r", 3, h->now_us), 0);
    assert_int_equal(simboard_next_us(h->b), SIM_NEVER);
    host_settle(h);
    assert_string_equal(h->answer, "");
    assert_memory_equal(simboard_entry_at(h->b, 0).content, "old", 3);

    simboard_plug(h->b, h->now_us);
    assert_int_equal(simboard_port_open(h->b, h->now_us), 0);
    assert_non_null(strstr(host_ask(h, "AT\r"), "OK\r\n"));
    assert_int_equal(simboard_info(h->b).boots, 2);
    host_free(h);

    /* With its own power the board goes on, and only the host does not see it. */
    struct simboard_config c = SIMBOARD_CONFIG_DEFAULT;
    c.is_bus_powered = false;
    h = host_new(&c);
    host_settle(h);
    host_write(h, "AT%CMNG=0,1,4,\"new\"\r", 20);
    h->now_us += 10000;
    simboard_unplug(h->b, h->now_us);
    host_settle(h);
    simboard_plug(h->b, h->now_us);
    assert_int_equal(simboard_port_open(h->b, h->now_us), 0);
    assert_string_equal(host_ask(h, "AT\r"), "OK\r\n");
    assert_int_equal(simboard_entry_count(h->b), 1);
    assert_int_equal(simboard_info(h->b).boots, 1);
    host_free(h);
}

static void test_torn_write(void **state)
{
    (void)state;
    struct simboard_config c = SIMBOARD_CONFIG_DEFAULT;
    c.tears_writes = true;
    struct host *h = host_new(&c);

    host_settle(h);
    assert_string_equal(host_store(h, 1, 4, "old"), "OK\r\n");
    host_write(h, "AT%CMNG=0,1,4,\"new\"\r", 20);
    simboard_unplug(h->b, h->now_us + 10000);
    assert_int_equal(simboard_entry_count(h->b), 0);
    host_free(h);
}

/* An answer that comes while nobody has the port open is lost; the board goes on. */
static void test_close(void **state)
{
    (void)state;
    struct host *h = host_new_family(SIM_F2B);

    host_settle(h);
    host_clear(h);
    host_write(h, "AT+CGMR\r", 8);
    simboard_port_close(h->b, h->now_us);
    host_settle(h);
    assert_int_equal(simboard_port_open(h->b, h->now_us), 0);
    host_settle(h);
    assert_string_equal(h->answer, "");
    assert_int_equal(simboard_executed_count(h->b), 1);
    assert_string_equal(host_ask(h, "AT\r"), "OK\r\n");

    /* So is one that had arrived and was not read. */
    host_clear(h);
    host_write(h, "AT+CGMR\r", 8);
    h->now_us += 1000000;
    simboard_port_close(h->b, h->now_us);
    assert_int_equal(simboard_port_open(h->b, h->now_us), 0);
    host_settle(h);
    assert_string_equal(h->answer, "");
    host_free(h);
}

/* A host that does not read makes a board with RTS/CTS wait; one without loses. */
static void test_slow_reader(void **state)
{
    (void)state;
    for (int is_wired = 0; is_wired < 2; is_wired++) {
        struct simboard_config c = SIMBOARD_CONFIG_DEFAULT;
        c.flow = is_wired ? SIM_FLOW_RTSCTS : SIM_FLOW_NONE;
        struct host *h = host_new(&c);
        host_settle(h);
        for (unsigned i = 0; i < 25; i++)
            assert_string_equal(host_store(h, 10000000 + i, 4, "x"), "OK\r\n");
        host_clear(h);
        for (int i = 0; i < 2; i++) {
            simboard_from_host(h->b, "AT%CMNG=1,\b\r", 12, h->now_us);
            h->now_us += 1000000;
            simboard_run(h->b, h->now_us);
        }
        host_settle(h);
        assert_int_equal(h->len > SIM_LINK_SIZE, is_wired);
        assert_int_equal(h->len >= SIM_LINK_SIZE, true);
        host_free(h);
    }
}

static void test_config_ranges(void **state)
{
    (void)state;
    struct simboard_config c = SIMBOARD_CONFIG_DEFAULT;
    c.baud = 299;
    assert_null(simboard_new(&c));
    c.baud = 300;
    c.fifo = 0;
    assert_null(simboard_new(&c));
    simboard_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pacing_in),
        cmocka_unit_test(test_pacing_pieces),
        cmocka_unit_test(test_pacing_answer),
        cmocka_unit_test(test_back_pressure),
        cmocka_unit_test(test_pacing_long_answer),
        cmocka_unit_test(test_late_is_same),
        cmocka_unit_test(test_busy_board),
        cmocka_unit_test(test_terminators),
        cmocka_unit_test(test_wedge_by_length),
        cmocka_unit_test(test_wedge_by_quote),
        cmocka_unit_test(test_old_buffer),
        cmocka_unit_test(test_boot),
        cmocka_unit_test(test_unplug),
        cmocka_unit_test(test_torn_write),
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_config_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
