/*
 * The token that holds the CA's key takes its time, or goes away in the middle: boards that need nothing of
 * it, and the people at the rack, do not notice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/world.h"

#define BOARDS 4 /* of each rack; those with keys of their own come first */

static struct world *two_racks(void)
{
    struct world_config config = {
        .seed = 11,
        .n_racks = 2,
        .racks = {{.name = "own", .slots = BOARDS, .boards = BOARDS, .source = SOURCE_KEYGEN},
                  {.name = "pool", .slots = BOARDS, .boards = BOARDS, .source = SOURCE_POOL}},
    };
    struct world *w = world_new(&config);
    for (uint32_t i = 0; i < 2 * BOARDS; i++) {
        world_plug(w, i, i);
    }
    return w;
}

static void expect(struct world *w, uint32_t slot, enum outcome outcome, enum reason reason)
{
    const struct slot_view *v = world_view(w, slot);
    assert_true(v->has_verdict);
    assert_string_equal(outcome_name(v->verdict.outcome), outcome_name(outcome));
    assert_string_equal(reason_text(v->verdict.reason)->name, reason_text(reason)->name);
}

static void expect_passes(struct world *w, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        assert_int_equal(world_view(w, i)->state, SLOT_DONE);
        expect(w, i, OUTCOME_PASS, REASON_ok);
    }
}

static void settle(struct world *w)
{
    if (!world_run_settled(w, 120)) {
        fail_msg("the world does not settle: %s", world_check(w, false));
    }
}

static void end(struct world *w)
{
    for (uint32_t i = 0; i < 2 * BOARDS; i++) {
        if (world_slot_of(w, i) != WORLD_NOWHERE) {
            world_pull(w, i);
        }
    }
    world_run_for(w, US_PER_S);
    assert_true(world_calm(w));
    const char *violation = world_check(w, true);
    if (violation) {
        fail_msg("%s\n%s", violation, world_dialogue(w));
    }
    world_free(w);
}

static void retry(struct world *w, uint32_t slot)
{
    struct err_info why = {0};
    assert_int_equal(station_retry(world_station(w), slot, 0, &why, world_now_us(w)), 0);
}

/* Everybody else is done; those that wait are shown as being at work, and ask for nothing. */
static void hang(struct world *w)
{
    world_set_token(w, TOKEN_HANGS);
    world_run_for(w, 20 * US_PER_S);
    expect_passes(w, BOARDS, 2 * BOARDS);
    for (uint32_t i = 0; i < BOARDS; i++) {
        assert_false(world_view(w, i)->has_verdict);
        assert_string_equal(world_view(w, i)->step, "sign");
    }
}

static void a_slow_token_holds_up_those_that_need_it(void **state)
{
    (void)state;
    struct world *w = two_racks();
    hang(w);
    world_set_token(w, TOKEN_IS_THERE);
    settle(w);
    expect_passes(w, 0, 2 * BOARDS);
    assert_int_equal(world_ask(w, "SELECT count(*) FROM job", NULL), 2 * BOARDS);
    end(w);
}

/* The first one's message is in the token's hands, the second one's is behind it. */
static void a_person_need_not_wait_for_it(void **state)
{
    (void)state;
    struct world *w = two_racks();
    hang(w);
    for (uint32_t i = 0; i < 2; i++) {
        struct err_info why = {0};
        assert_int_equal(station_abort(world_station(w), i, 0, &why, world_now_us(w)), 0);
    }
    world_run_for(w, 2 * US_PER_S); /* the modem is asked to go on line again, and answers */
    expect(w, 0, OUTCOME_ABORTED, REASON_aborted);
    expect(w, 1, OUTCOME_ABORTED, REASON_aborted);
    assert_false(world_view(w, 2)->has_verdict);
    retry(w, 0);
    world_set_token(w, TOKEN_IS_THERE);
    settle(w);
    expect_passes(w, 2, BOARDS);
    expect(w, 0, OUTCOME_PASS, REASON_ok);
    expect(w, 1, OUTCOME_ABORTED, REASON_aborted);
    end(w);
}

/* It is the token's fault, and neither the board's nor the slot's. */
static void a_token_that_hangs_for_good_is_told(void **state)
{
    (void)state;
    struct world *w = two_racks();
    hang(w);
    world_run_for(w, 60 * US_PER_S);
    for (uint32_t i = 0; i < BOARDS; i++) {
        expect(w, i, OUTCOME_ERROR, REASON_signer_failed);
        assert_int_equal(world_view(w, i)->verdict.fault, FAULT_STATION);
        assert_string_equal(world_view(w, i)->verdict.detail, "no answer within the job's limit");
    }
    world_set_token(w, TOKEN_IS_THERE);
    settle(w);
    for (uint32_t i = 0; i < BOARDS; i++) {
        retry(w, i);
    }
    settle(w);
    expect_passes(w, 0, BOARDS);
    end(w);
}

/* Boards that wait are pulled, and others are put in their places. */
static void boards_come_and_go_meanwhile(void **state)
{
    (void)state;
    struct world *w = two_racks();
    hang(w);
    world_pull(w, 0);
    world_pull(w, 1);
    world_run_for(w, 5 * US_PER_S);
    world_plug(w, 1, 0);
    world_plug(w, 0, 1);
    world_run_for(w, 5 * US_PER_S);
    world_set_token(w, TOKEN_IS_THERE);
    settle(w);
    expect_passes(w, 0, BOARDS);
    end(w);
}

static void a_token_that_is_gone_is_told_and_comes_back(void **state)
{
    (void)state;
    struct world *w = two_racks();
    world_set_token(w, TOKEN_IS_GONE);
    settle(w);
    expect_passes(w, BOARDS, 2 * BOARDS);
    for (uint32_t i = 0; i < BOARDS; i++) {
        expect(w, i, OUTCOME_ERROR, REASON_signer_failed);
        assert_non_null(strstr(world_view(w, i)->verdict.detail, "the token is gone"));
    }
    world_set_token(w, TOKEN_IS_THERE);
    for (uint32_t i = 0; i < BOARDS; i++) {
        retry(w, i);
    }
    settle(w);
    expect_passes(w, 0, BOARDS);
    end(w);
}

/* As a token that is restarted: nobody hears of it. */
static void a_token_that_is_gone_for_a_moment_is_no_verdict(void **state)
{
    (void)state;
    struct world *w = two_racks();
    hang(w);
    world_set_token(w, TOKEN_IS_GONE);
    world_run_for(w, US_PER_S);
    world_set_token(w, TOKEN_IS_THERE);
    settle(w);
    expect_passes(w, 0, 2 * BOARDS);
    assert_int_equal(world_ask(w, "SELECT count(*) FROM job", NULL), 2 * BOARDS);
    end(w);
}

/* The daemon dies while a board waits: the key that the board has made is not made twice for it. */
static void a_daemon_that_dies_meanwhile(void **state)
{
    (void)state;
    struct world *w = two_racks();
    hang(w);
    world_kill(w);
    world_set_token(w, TOKEN_IS_THERE);
    world_run_for(w, US_PER_S);
    world_start(w);
    settle(w);
    expect_passes(w, 0, BOARDS);
    end(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slow_token_holds_up_those_that_need_it),
        cmocka_unit_test(a_person_need_not_wait_for_it),
        cmocka_unit_test(a_token_that_hangs_for_good_is_told),
        cmocka_unit_test(boards_come_and_go_meanwhile),
        cmocka_unit_test(a_token_that_is_gone_is_told_and_comes_back),
        cmocka_unit_test(a_token_that_is_gone_for_a_moment_is_no_verdict),
        cmocka_unit_test(a_daemon_that_dies_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
