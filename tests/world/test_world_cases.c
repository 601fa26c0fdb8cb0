/*
 * Stories of the world that chance would tell too seldom: the same IMEI twice, orders and their quota, second
 * visits, a restart under a full rack, a PASS that cannot be stored, a database from yesterday.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/world.h"

static struct world *rack_of(struct world_rack rack)
{
    struct world_config config = {.seed = 3, .n_racks = 1, .racks = {rack}};
    return world_new(&config);
}

static void settle(struct world *w)
{
    if (!world_run_settled(w, 120)) {
        fail_msg("the world does not settle: %s", world_check(w, false));
    }
}

static void check(struct world *w, bool is_final)
{
    const char *violation = world_check(w, is_final);
    if (violation) {
        fail_msg("%s\n%s", violation, world_dialogue(w));
    }
}

static void assert_verdict(struct world *w, uint32_t slot, enum outcome outcome, enum reason reason)
{
    const struct slot_view *v = world_view(w, slot);
    assert_int_equal(v->state, SLOT_DONE);
    assert_true(v->has_verdict);
    assert_string_equal(outcome_name(v->verdict.outcome), outcome_name(outcome));
    assert_string_equal(reason_text(v->verdict.reason)->name, reason_text(reason)->name);
}

static uint32_t writes_of(struct world *w, uint32_t board)
{
    uint32_t n = 0;
    for (size_t i = 0; i < simboard_wear_count(world_board(w, board)); i++) {
        n += simboard_wear_at(world_board(w, board), i).writes;
    }
    return n;
}

static void plug_all(struct world *w)
{
    for (uint32_t i = 0; i < world_board_count(w); i++) {
        world_plug(w, i, i);
    }
}

/* Out of the rack and in again. */
static void revisit(struct world *w, uint32_t board)
{
    uint32_t slot = world_slot_of(w, board);
    world_pull(w, board);
    world_run_for(w, US_PER_S);
    world_plug(w, board, slot);
    settle(w);
}

/* ---- commands */

/* An ABORTED shows before it is on record, and says "press retry": whoever does so at once is heard. */
static void test_retry_as_soon_as_it_shows(void **state)
{
    (void)state;
    struct world *w =
        rack_of((struct world_rack){.name = "pool", .source = SOURCE_POOL, .slots = 1, .boards = 1});
    struct err_info why = {0};
    world_plug(w, 0, 0);
    while (writes_of(w, 0) == 0) {
        assert_true(world_step(w));
    }
    assert_int_equal(station_abort(world_station(w), 0, 0, &why, world_now_us(w)), 0);
    while (!world_view(w, 0)->has_verdict) {
        assert_true(world_step(w));
    }
    assert_int_equal(world_ask(w, "SELECT count(*) FROM job WHERE outcome = ?", "ABORTED"), 0);
    assert_verdict(w, 0, OUTCOME_ABORTED, REASON_aborted);
    assert_int_equal(station_retry(world_station(w), 0, 0, &why, world_now_us(w)), 0);
    settle(w);
    assert_verdict(w, 0, OUTCOME_PASS, REASON_ok);
    assert_int_equal(world_ask(w, "SELECT count(*) FROM job WHERE outcome = ?", "ABORTED"), 1);
    check(w, true);
    world_free(w);
}

/* ---- the same IMEI twice */

static void give_twin(struct world *w)
{
    char why[SIM_FAULT_WHY];
    assert_int_equal(simboard_add_fault(world_board(w, 1), "same_imei", why, sizeof(why)), 0);
}

static void start(struct world *w, uint32_t slot)
{
    struct err_info why = {0};
    assert_int_equal(station_start(world_station(w), slot, 0, "eve", "SN-1", &why, world_now_us(w)), 0);
    settle(w);
}

static void test_twins_are_held(void **state)
{
    (void)state;
    struct world *w = rack_of((struct world_rack){
        .name = "pool", .source = SOURCE_POOL, .slots = 2, .boards = 2, .start = START_SCAN});
    give_twin(w);
    plug_all(w);
    settle(w);
    for (uint32_t i = 0; i < 2; i++) {
        struct err_info why = {0};
        assert_string_equal(slot_state_name(world_view(w, i)->state), "held");
        assert_int_equal(world_view(w, i)->waiting_for, REASON_duplicate_imei);
        assert_int_equal(station_start(world_station(w), i, 0, "eve", "SN-1", &why, world_now_us(w)),
                         ERR_CONFLICT);
    }
    assert_int_equal(world_ask(w, "SELECT count(*) FROM job", NULL), 0);

    /* A person looks, and lets one of them go on: the other one stays. */
    struct err_info why = {0};
    assert_int_equal(station_release(world_station(w), 0, 0, "eve", &why, world_now_us(w)), 0);
    start(w, 0);
    assert_verdict(w, 0, OUTCOME_PASS, REASON_ok);
    assert_string_equal(slot_state_name(world_view(w, 1)->state), "held");
    assert_int_equal(writes_of(w, 1), 0);

    world_pull(w, 1); /* and its IMEI is put right */
    simboard_clear_faults(world_board(w, 1));
    world_run_for(w, US_PER_S);
    assert_true(world_calm(w));
    check(w, true);
    world_free(w);
}

/* The second one comes while the first is at work: that job is brought to a safe end, and nothing goes on
 * before a person has released it. */
static void test_twin_comes_later(void **state)
{
    (void)state;
    struct world *w =
        rack_of((struct world_rack){.name = "pool", .source = SOURCE_POOL, .slots = 2, .boards = 2});
    char why_not[SIM_FAULT_WHY];
    give_twin(w);
    /* A job that takes its time. */
    assert_int_equal(simboard_add_fault(world_board(w, 0), "lost_reply@write", why_not, sizeof(why_not)), 0);
    world_plug(w, 0, 0);
    while (writes_of(w, 0) == 0) {
        assert_true(world_step(w));
    }
    world_plug(w, 1, 1);
    world_run_for(w, 60 * US_PER_S);
    for (uint32_t i = 0; i < 2; i++) {
        assert_string_equal(slot_state_name(world_view(w, i)->state), "held");
    }
    assert_int_equal(world_ask(w, "SELECT count(*) FROM job WHERE reason = ?", "duplicate_imei"), 1);
    assert_int_equal(writes_of(w, 1), 0);
    simboard_clear_faults(world_board(w, 0));
    struct err_info why = {0};
    assert_int_equal(station_release(world_station(w), 0, 0, "eve", &why, world_now_us(w)), 0);
    settle(w);
    assert_verdict(w, 0, OUTCOME_PASS, REASON_ok);
    assert_string_equal(slot_state_name(world_view(w, 1)->state), "held");
    assert_int_equal(writes_of(w, 1), 0);
    world_pull(w, 1);
    simboard_clear_faults(world_board(w, 1));
    assert_true(world_calm(w));
    check(w, true);
    world_free(w);
}

/* One after the other, when nobody can see both: the device's UUID tells. A person who replaced the module
 * retires what the old one holds, and the new one begins anew. */
static void test_twin_comes_when_the_first_is_gone(void **state)
{
    (void)state;
    struct world *w =
        rack_of((struct world_rack){.name = "pool", .source = SOURCE_POOL, .slots = 2, .boards = 2});
    give_twin(w);
    world_plug(w, 0, 0);
    settle(w);
    assert_verdict(w, 0, OUTCOME_PASS, REASON_ok);
    world_pull(w, 0);
    world_run_for(w, US_PER_S);
    for (int visit = 0; visit < 2; visit++) {
        world_plug(w, 1, 1);
        settle(w);
        assert_verdict(w, 1, OUTCOME_FAIL, REASON_duplicate_imei);
        assert_int_equal(world_view(w, 1)->verdict.fault, FAULT_BOARD);
        assert_int_equal(writes_of(w, 1), 0);
        world_pull(w, 1);
        world_run_for(w, US_PER_S);
    }
    world_plug(w, 0, 0); /* the first one is still itself */
    settle(w);
    assert_verdict(w, 0, OUTCOME_PASS, REASON_already_right);
    world_pull(w, 0);
    world_run_for(w, US_PER_S);
    check(w, false);

    simboard_clear_faults(world_board(w, 1)); /* its IMEI is put right */
    assert_true(world_calm(w));
    check(w, true);
    world_free(w);
}

/* ---- quarantine */

/* Five slots, of which the first spoils what is written to whatever board stands there. */
static void fail_three_boards(struct world *w)
{
    for (uint32_t i = 0; i < 3; i++) {
        char why[SIM_FAULT_WHY];
        assert_int_equal(simboard_add_fault(world_board(w, i), "stored_wrong:1", why, sizeof(why)), 0);
        world_plug(w, i, 0);
        settle(w);
        assert_verdict(w, 0, OUTCOME_FAIL, REASON_digest_mismatch);
        world_pull(w, i);
        world_plug(w, 3 + i, 1 + i);
        settle(w);
        assert_verdict(w, 1 + i, OUTCOME_PASS, REASON_ok);
    }
}

static const char *last_event(struct world *w)
{
    return world_ask_text(
        w,
        "SELECT kind || ' ' || slot || ' ' || json_extract(data, '$.who') FROM event WHERE kind"
        " LIKE 'slot_%' ORDER BY seq DESC",
        NULL);
}

/* It is on record with its evidence, outlives the daemon however that ends, and ends when a person says so,
 * who is on record as well. */
static void test_quarantine_outlives_the_daemon(void **state)
{
    (void)state;
    struct world *w =
        rack_of((struct world_rack){.name = "pool", .source = SOURCE_POOL, .slots = 5, .boards = 7});
    fail_three_boards(w);
    world_plug(w, 6, 0);
    settle(w);
    assert_string_equal(slot_state_name(world_view(w, 0)->state), "quarantined");
    char warning[sizeof(world_view(w, 0)->warning)];
    memcpy(warning, world_view(w, 0)->warning, sizeof(warning));
    assert_non_null(strstr(warning, "3 boards in a row"));
    assert_string_equal(last_event(w), "slot_quarantined pool/001 station");
    for (int is_killed = 0; is_killed <= 1; is_killed++) {
        is_killed ? world_kill(w) : world_stop(w);
        world_start(w);
        settle(w);
        assert_string_equal(slot_state_name(world_view(w, 0)->state), "quarantined");
        assert_string_equal(world_view(w, 0)->warning, warning);
        assert_int_equal(writes_of(w, 6), 0);
    }
    assert_int_equal(world_ask(w, "SELECT count(*) FROM event WHERE kind = 'slot_quarantined'", NULL), 1);

    /* The store fails just then: the release holds, and is on record as soon as that can be. */
    world_break_store(w, true, false);
    struct err_info why = {0};
    assert_int_equal(station_release(world_station(w), 0, 0, "eve", &why, world_now_us(w)), 0);
    world_run_for(w, 3 * US_PER_S);
    assert_string_equal(last_event(w), "slot_quarantined pool/001 station");
    world_break_store(w, false, false);
    world_run_for(w, 3 * US_PER_S);
    settle(w);
    assert_string_equal(last_event(w), "slot_released pool/001 eve");
    assert_verdict(w, 0, OUTCOME_PASS, REASON_ok);
    world_stop(w);
    world_start(w);
    settle(w);
    assert_verdict(w, 0, OUTCOME_PASS, REASON_already_right);
    check(w, false);
    world_free(w);
}

/* ---- orders */

static void test_two_fixtures_two_orders(void **state)
{
    (void)state;
    struct world_config config = {
        .seed = 4,
        .n_racks = 2,
        .racks = {{.name = "left", .source = SOURCE_POOL, .slots = 3, .boards = 3},
                  {.name = "right", .source = SOURCE_POOL, .slots = 3, .boards = 3}}};
    struct world *w = world_new(&config);
    plug_all(w);
    settle(w);
    assert_int_equal(world_ask(w, "SELECT passed FROM work_order WHERE id = ?", "WO-left-1"), 3);
    assert_int_equal(world_ask(w, "SELECT passed FROM work_order WHERE id = ?", "WO-right-1"), 3);
    assert_int_equal(
        world_ask(w, "SELECT count(*) FROM job WHERE work_order <> 'WO-' || fixture || '-1'", NULL), 0);
    assert_true(world_calm(w));
    check(w, true);
    world_free(w);
}

static void test_quota(void **state)
{
    (void)state;
    struct world *w = rack_of((struct world_rack){
        .name = "pool", .source = SOURCE_POOL, .slots = 5, .boards = 5, .quantity = 3, .spare = 2});
    plug_all(w);
    settle(w);
    uint32_t passed = 0, full = 0, refused = 0;
    for (uint32_t i = 0; i < 5; i++) {
        const struct verdict *v = &world_view(w, i)->verdict;
        passed += v->outcome == OUTCOME_PASS;
        full += v->reason == REASON_order_full;
        refused = v->reason == REASON_order_full ? i : refused;
    }
    assert_int_equal(passed, 3);
    assert_int_equal(full, 2);
    assert_int_equal(writes_of(w, refused), 0);
    check(w, false);

    world_renew_order(w, 0); /* another three: those two, by themselves, and one that has passed */
    settle(w);
    assert_verdict(w, refused, OUTCOME_PASS, REASON_ok);
    uint32_t twice = 0;
    for (uint32_t i = 0; i < 5; i++) {
        assert_verdict(w, i, OUTCOME_PASS, REASON_ok);
        twice += writes_of(w, i) > writes_of(w, refused);
    }
    assert_int_equal(twice, 0);
    check(w, false);
    world_free(w);
}

/* ---- second visits */

static void test_second_visit_compares(void **state)
{
    (void)state;
    struct world *w =
        rack_of((struct world_rack){.name = "pool", .source = SOURCE_POOL, .slots = 1, .boards = 1});
    world_plug(w, 0, 0);
    settle(w);
    assert_verdict(w, 0, OUTCOME_PASS, REASON_ok);
    uint32_t writes = writes_of(w, 0);
    char first[JOB_ID_SIZE];
    memcpy(first, world_view(w, 0)->job, sizeof(first));

    revisit(w, 0);
    assert_verdict(w, 0, OUTCOME_PASS, REASON_already_right);
    assert_string_equal(world_view(w, 0)->earlier_job, first);
    assert_int_equal(writes_of(w, 0), writes);
    check(w, false);

    assert_int_equal(simboard_entry_put(world_board(w, 0), WORLD_TAG, CRED_CLIENT_CERT, "other", 5), 0);
    revisit(w, 0);
    assert_verdict(w, 0, OUTCOME_FAIL, REASON_digest_mismatch);
    assert_int_equal(writes_of(w, 0), writes);
    assert_int_equal(world_ask(w, "SELECT count(*) FROM bundle WHERE state = 'installed'", NULL), 1);
    check(w, false);
    world_free(w);
}

static void test_second_visit_refuses(void **state)
{
    (void)state;
    struct world *w = rack_of((struct world_rack){
        .name = "pool", .source = SOURCE_POOL, .slots = 1, .boards = 1, .second_visit = SECOND_REFUSE});
    world_plug(w, 0, 0);
    settle(w);
    assert_verdict(w, 0, OUTCOME_PASS, REASON_ok);
    revisit(w, 0);
    assert_verdict(w, 0, OUTCOME_ERROR, REASON_already_passed);
    check(w, false);
    world_free(w);
}

static void test_second_visit_again(void **state)
{
    (void)state;
    struct world *w = rack_of((struct world_rack){
        .name = "pool", .source = SOURCE_POOL, .slots = 1, .boards = 1, .second_visit = SECOND_AGAIN});
    world_plug(w, 0, 0);
    settle(w);
    uint32_t writes = writes_of(w, 0);
    assert_int_equal(simboard_entry_put(world_board(w, 0), WORLD_TAG, CRED_CLIENT_CERT, "other", 5), 0);
    revisit(w, 0);
    assert_verdict(w, 0, OUTCOME_PASS, REASON_ok);
    assert_int_equal(writes_of(w, 0), writes + 1); /* only what differed, from the bundle it had */
    assert_true(world_calm(w));
    check(w, true);
    world_free(w);
}

/* ---- restarts */

static void restart_under_full_rack(bool is_killed)
{
    struct world_config config = {
        .seed = 6,
        .n_racks = 2,
        .racks = {{.name = "pool", .source = SOURCE_POOL, .slots = 3, .boards = 3},
                  {.name = "made", .slots = 3, .boards = 3, .source = SOURCE_BOUND}}};
    struct world *w = world_new(&config);
    plug_all(w);
    settle(w);
    uint32_t writes = 0, writes_after = 0;
    for (uint32_t i = 0; i < 6; i++) {
        assert_verdict(w, i, OUTCOME_PASS, REASON_ok);
        writes += writes_of(w, i);
    }
    if (is_killed) {
        world_kill(w);
    } else {
        world_stop(w);
    }
    world_start(w);
    settle(w);
    for (uint32_t i = 0; i < 6; i++) {
        assert_verdict(w, i, OUTCOME_PASS, REASON_already_right);
        assert_true(world_view(w, i)->earlier_job[0] != '\0');
        writes_after += writes_of(w, i);
    }
    assert_int_equal(writes_after, writes);
    assert_true(world_calm(w));
    check(w, true);
    world_free(w);
}

static void test_restart_under_full_rack(void **state)
{
    (void)state;
    restart_under_full_rack(false);
    restart_under_full_rack(true);
}

/* The identity is the board's, not the slot's. */
static void test_moved_in_mid_job(void **state)
{
    (void)state;
    struct world *w = rack_of(
        (struct world_rack){.name = "pool", .source = SOURCE_POOL, .slots = 2, .boards = 1, .spare = 1});
    world_plug(w, 0, 0);
    while (simboard_nvm_writes(world_board(w, 0), WORLD_TAG, CRED_CLIENT_CERT) == 0) {
        assert_true(world_step(w));
    }
    world_pull(w, 0);
    world_plug(w, 0, 1);
    settle(w);
    assert_verdict(w, 1, OUTCOME_PASS, REASON_ok);
    assert_int_equal(world_ask(w, "SELECT count(*) FROM job WHERE outcome = ?", "LOST"), 1);
    assert_int_equal(world_ask(w, "SELECT count(DISTINCT bundle) FROM job", NULL), 1);
    assert_true(world_calm(w));
    check(w, true);
    world_free(w);
}

/* ---- a PASS that cannot be stored */

/* Up to its last write, whose proof nobody can put on record from then on. */
static void prove_without_a_store(struct world *w, uint32_t board, bool is_lost)
{
    world_plug(w, board, board);
    while (simboard_nvm_writes(world_board(w, board), WORLD_TAG, CRED_PRIVATE_KEY) == 0) {
        assert_true(world_step(w));
    }
    world_break_store(w, true, is_lost);
    world_run_for(w, 90 * US_PER_S);
    assert_string_equal(slot_state_name(world_view(w, board)->state), "recording");
    assert_false(world_view(w, board)->has_verdict);
}

/* The board stands proven, nobody hears of a PASS, the next one gets nothing; all by itself it comes right.
 * `is_lost`: it was stored all along, and only the store's word of it did not come through. */
static void recorded_later(bool is_lost)
{
    struct world *w =
        rack_of((struct world_rack){.name = "pool", .source = SOURCE_POOL, .slots = 2, .boards = 2});
    prove_without_a_store(w, 0, is_lost);
    assert_int_equal(world_ask(w, "SELECT count(*) FROM job WHERE outcome = 'PASS'", NULL), is_lost);

    world_plug(w, 1, 1);
    world_run_for(w, 30 * US_PER_S);
    assert_string_equal(slot_state_name(world_view(w, 1)->state), "waiting");
    assert_int_equal(world_view(w, 1)->waiting_for, REASON_store_failed);
    assert_int_equal(writes_of(w, 1), 0);
    assert_string_equal(slot_state_name(world_view(w, 0)->state), "recording");

    world_break_store(w, false, false);
    settle(w);
    assert_verdict(w, 0, OUTCOME_PASS, REASON_ok);
    assert_verdict(w, 1, OUTCOME_PASS, REASON_ok);
    assert_int_equal(world_ask(w, "SELECT count(*) FROM job", NULL), 2);
    assert_true(world_calm(w));
    check(w, true);
    world_free(w);
}

static void test_recorded_later(void **state)
{
    (void)state;
    recorded_later(false);
    recorded_later(true);
}

/* Somebody did not leave it in: what was proven is put on record all the same. */
static void test_lifted_out_before_it_is_recorded(void **state)
{
    (void)state;
    struct world *w =
        rack_of((struct world_rack){.name = "pool", .source = SOURCE_POOL, .slots = 1, .boards = 1});
    prove_without_a_store(w, 0, false);
    world_pull(w, 0);
    world_run_for(w, 30 * US_PER_S);
    assert_int_equal(world_ask(w, "SELECT count(*) FROM job WHERE outcome IS NOT NULL", NULL), 0);
    world_break_store(w, false, false);
    world_run_for(w, 30 * US_PER_S);
    assert_int_equal(world_ask(w, "SELECT count(*) FROM job WHERE outcome = 'PASS'", NULL), 1);
    assert_int_equal(world_ask(w, "SELECT count(*) FROM job", NULL), 1);
    assert_int_equal(world_ask(w, "SELECT count(*) FROM bundle WHERE state = 'installed'", NULL), 1);
    assert_true(world_calm(w));
    check(w, true);
    world_free(w);
}

/* ---- yesterday's database */

static void test_restored_database(void **state)
{
    (void)state;
    struct world_config config = {
        .seed = 8,
        .may_retire = true,
        .n_racks = 1,
        .racks = {{.name = "pool", .source = SOURCE_POOL, .slots = 4, .boards = 4, .quantity = 8}}};
    struct world *w = world_new(&config);
    world_keep_copy(w);
    world_plug(w, 0, 0);
    world_plug(w, 1, 1);
    settle(w);
    assert_verdict(w, 0, OUTCOME_PASS, REASON_ok);
    world_stop(w);
    world_restore_copy(w);
    world_start(w);

    /* What the copy calls free stands on two boards: nobody gets anything. */
    world_plug(w, 2, 2);
    world_plug(w, 3, 3);
    settle(w);
    for (uint32_t i = 0; i < 4; i++) {
        assert_verdict(w, i, OUTCOME_ERROR, REASON_mark_ahead);
    }
    assert_int_equal(writes_of(w, 2) + writes_of(w, 3), 0);
    assert_int_equal(world_ask(w, "SELECT count(*) FROM bundle WHERE state <> 'free'", NULL), 0);

    /* A person accepts the copy; what it calls unspent is not to be trusted, and new bundles come. */
    struct store_op op = {.kind = STORE_RECONCILE,
                          .reconcile = {.who = "ann", .why = "disk replaced", .retire_unspent = true}};
    assert_int_equal(world_op(w, &op), 0);
    assert_int_equal(op.reconcile.retired, 4);
    world_import_more(w, 0, 4);
    for (uint32_t i = 0; i < 4; i++) {
        revisit(w, i);
        assert_verdict(w, i, OUTCOME_PASS, REASON_ok);
    }
    check(w, false);
    assert_true(world_calm(w));
    check(w, true);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_twins_are_held),
        cmocka_unit_test(test_twin_comes_later),
        cmocka_unit_test(test_twin_comes_when_the_first_is_gone),
        cmocka_unit_test(test_quarantine_outlives_the_daemon),
        cmocka_unit_test(test_two_fixtures_two_orders),
        cmocka_unit_test(test_quota),
        cmocka_unit_test(test_second_visit_compares),
        cmocka_unit_test(test_second_visit_refuses),
        cmocka_unit_test(test_second_visit_again),
        cmocka_unit_test(test_restart_under_full_rack),
        cmocka_unit_test(test_moved_in_mid_job),
        cmocka_unit_test(test_recorded_later),
        cmocka_unit_test(test_lifted_out_before_it_is_recorded),
        cmocka_unit_test(test_restored_database),
        cmocka_unit_test(test_retry_as_soon_as_it_shows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
