/*
 * Fixtures whose USB bridge stays: a slot whose port never leaves, boards that are exchanged behind it. Who
 * is there is found out by asking, and nothing is written to a board that was not asked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "station/station.h"
#include "support/rig.h"

/* Two boards for one seat; `seated` is the one whose UART the bridge leads to, or NULL. The rig lends its
 * product, its ledger and its first board. */
struct seat {
    struct rig rig;
    struct simboard *boards[2], *seated;
    struct station *station;
    struct ledger_msg *out;
    uint32_t generation;
    bool opens;
    struct slot_view view;
};

static void env_open(void *ctx, uint32_t slot, uint32_t generation)
{
    (void)slot;
    ((struct seat *)ctx)->generation = generation;
    ((struct seat *)ctx)->opens = true;
}

static void env_close(void *ctx, uint32_t slot, uint32_t generation)
{
    (void)ctx;
    (void)slot;
    (void)generation;
}

static int env_write(void *ctx, uint32_t slot, uint32_t generation, struct span octets)
{
    struct seat *s = ctx;
    (void)slot;
    (void)generation;
    return s->seated ? (int)simboard_from_host(s->seated, octets.at, octets.len, s->rig.now_us)
                     : (int)octets.len;
}

static int env_post(void *ctx, struct ledger_msg *msg)
{
    ((struct seat *)ctx)->out = msg;
    return 0;
}

static void env_publish(void *ctx, uint32_t slot, const struct slot_view *view)
{
    (void)slot;
    ((struct seat *)ctx)->view = *view;
}

static void env_random(void *ctx, uint8_t out[10])
{
    memset(out, (int)((struct seat *)ctx)->generation, 10);
}

static int64_t clock_mono(const struct clock *clock)
{
    (void)clock;
    return 0;
}

static const struct clock fixed_clock = {.mono_us = clock_mono, .wall_ms = clock_mono};

static void setup(struct seat *s, bool says_nothing_at_boot)
{
    *s = (struct seat){0};
    rig_init(&s->rig, SIM_F2B, SIM_TERM_CR);
    s->boards[0] = s->rig.board;
    struct simboard_config config = SIMBOARD_CONFIG_DEFAULT;
    config.number = 2;
    config.is_silent_at_boot = says_nothing_at_boot;
    sim_imei_make("35146580000000", 1, config.imei);
    s->boards[1] = simboard_new(&config);
    simboard_run(s->boards[1], s->rig.now_us);
    simboard_port_open(s->boards[1], s->rig.now_us);
    static const struct station_env calls = {NULL,     env_open,    env_close,  env_write,
                                             env_post, env_publish, env_random, NULL};
    static struct station_env env;
    env = calls;
    env.ctx = s;
    struct slot_config slot = {.id = "bed/1", .fixture = "bed", .name = "1", .is_polled = true};
    s->station = station_new(&slot, 1, &env, &fixed_clock, NULL);
    struct station_order order = {.id = "WO-1", .fixture = "bed", .product = &s->rig.product};
    station_set_orders(s->station, &order, 1, s->rig.now_us);
    station_port_arrived(s->station, 0, &(struct station_port){.name = "/dev/ttyACM0"}, s->rig.now_us);
}

static void teardown(struct seat *s)
{
    station_free(s->station);
    simboard_free(s->boards[1]);
    rig_done(&s->rig);
}

static void read_board(struct seat *s)
{
    char octets[512];
    for (size_t n = 1; s->seated && n > 0;) {
        n = simboard_to_host(s->seated, octets, sizeof(octets), s->rig.now_us);
        if (n > 0) {
            station_port_bytes(s->station, 0, s->generation, span_of(octets, n), s->rig.now_us);
        }
    }
}

static void step(struct seat *s)
{
    if (s->opens) {
        s->opens = false;
        station_port_opened(s->station, 0, s->generation, 0, "", s->rig.now_us);
    }
    int64_t next = station_deadline(s->station);
    if (s->seated) {
        next = time_min(next, simboard_next_us(s->seated));
    }
    if (s->out) {
        next = time_min(next, s->rig.now_us + 1000);
    }
    assert_true(next != TIME_NEVER);
    s->rig.now_us = next > s->rig.now_us ? next : s->rig.now_us;
    for (int i = 0; i < 2; i++) {
        simboard_run(s->boards[i], s->rig.now_us);
    }
    read_board(s);
    if (s->out) {
        struct ledger_msg *msg = s->out;
        s->out = NULL;
        if (msg->kind == LEDGER_CLAIM && strcmp(msg->imei, s->rig.recorded.imei) != 0) {
            s->rig.passed_before = false; /* what the ledger knows is about the other board */
            s->rig.state = BUNDLE_BOUND;
        }
        rig_play(&s->rig, msg);
        station_ledger_answer(s->station, msg, s->rig.now_us);
    }
    station_tick(s->station, s->rig.now_us);
    station_port_writable(s->station, 0, s->generation, s->rig.now_us);
}

/* Runs for so long. */
static void pass_time(struct seat *s, int64_t seconds)
{
    int64_t end = s->rig.now_us + seconds * US_PER_S;
    while (s->rig.now_us < end) {
        step(s);
    }
}

static void test_boards_come_and_go(void **state)
{
    (void)state;
    struct seat s;
    setup(&s, false);
    pass_time(&s, 10);
    assert_int_equal(s.view.state, SLOT_ABSENT);
    assert_int_equal(s.rig.records, 0); /* an empty seat is no failed board */

    s.seated = s.boards[0];
    pass_time(&s, 10);
    assert_int_equal(s.view.state, SLOT_DONE);
    assert_int_equal(s.view.verdict.outcome, OUTCOME_PASS);
    assert_int_equal(s.rig.records, 1);
    uint32_t first = s.view.generation;
    pass_time(&s, 30);
    assert_int_equal(s.rig.records, 1); /* it stays, and is only asked whether it is there */
    assert_int_equal(s.view.state, SLOT_DONE);

    s.seated = NULL;
    pass_time(&s, 10);
    assert_int_equal(s.view.state, SLOT_ABSENT);
    assert_false(s.view.has_verdict);

    s.seated = s.boards[1];
    pass_time(&s, 10);
    assert_int_equal(s.view.verdict.outcome, OUTCOME_PASS);
    assert_string_equal(s.view.imei, simboard_info(s.boards[1]).config->imei);
    assert_true(s.view.generation > first);
    assert_int_equal(s.rig.records, 2);
    teardown(&s);
}

/* Exchanged in one grip, between two polls, without a word from the new board. */
static void test_exchange_is_noticed(void **state)
{
    (void)state;
    struct seat s;
    setup(&s, true);
    s.seated = s.boards[0];
    pass_time(&s, 10);
    assert_int_equal(s.rig.records, 1);
    s.seated = s.boards[1];
    pass_time(&s, 10);
    assert_string_equal(s.view.imei, simboard_info(s.boards[1]).config->imei);
    assert_int_equal(s.rig.records, 2);
    teardown(&s);
}

/* Exchanged while it waits for an order: what is written goes to the board that is there. And at each moment
 * of a job: the second board gets nothing of the first one's. */
static void test_exchange_in_mid_job_writes_nothing_to_the_other(void **state)
{
    (void)state;
    for (int k = 1; k < 200; k++) {
        struct seat s;
        setup(&s, true);
        s.seated = s.boards[0];
        for (int i = 0; i < k; i++) {
            step(&s);
        }
        bool had_ended = s.rig.records > 0;
        s.seated = NULL; /* no hand is faster than half a second */
        int64_t back = s.rig.now_us + 500 * US_PER_MS;
        while (s.rig.now_us < back) {
            step(&s);
        }
        s.seated = s.boards[1];
        uint32_t claims = s.rig.claims;
        pass_time(&s, 40);
        assert_string_equal(s.view.imei, simboard_info(s.boards[1]).config->imei);
        if (s.view.verdict.outcome != OUTCOME_PASS) {
            fail_msg("exchanged after %d events: %s %s\n%s", k, reason_text(s.view.verdict.reason)->name,
                     s.view.verdict.detail, s.rig.dialogue);
        }
        assert_true(s.rig.claims > claims || simboard_wear_count(s.boards[1]) == 0);
        teardown(&s);
        if (had_ended) {
            return;
        }
    }
    fail_msg("the job has more moments than were tried");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_boards_come_and_go),
        cmocka_unit_test(test_exchange_is_noticed),
        cmocka_unit_test(test_exchange_in_mid_job_writes_nothing_to_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
