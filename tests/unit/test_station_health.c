/* Slot health: what is blamed on a slot, and what takes it back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "station/health.h"

static const struct verdict pass = {.outcome = OUTCOME_PASS, .reason = REASON_ok};

static void run(struct health *h, enum outcome outcome, enum fault fault, const char *imei)
{
    struct verdict v = {.outcome = outcome, .fault = fault, .reason = REASON_digest_mismatch};
    struct health_run r = {.verdict = &v, .imei = imei, .wrote = true};
    health_note(h, &r);
}

static void run_lossy(struct health *h, uint32_t damaged, bool was_chunked)
{
    struct health_run r = {.verdict = &pass,
                           .imei = "",
                           .wrote = true,
                           .was_chunked = was_chunked,
                           .damaged = damaged,
                           .written = 3};
    health_note(h, &r);
}

static void test_quarantine(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        enum outcome outcome;
        enum fault fault;
        bool same_board;
        unsigned failures, neighbours;
        bool is_quarantined;
    } cases[] = {
        {"fails while others pass", OUTCOME_FAIL, FAULT_BOARD, false, 3, 3, true},
        {"the fixture's fault", OUTCOME_FAIL, FAULT_FIXTURE, false, 3, 3, true},
        {"two are no evidence", OUTCOME_FAIL, FAULT_BOARD, false, 2, 9, false},
        {"the others do not pass either", OUTCOME_FAIL, FAULT_BOARD, false, 9, 2, false},
        {"one board again and again", OUTCOME_FAIL, FAULT_BOARD, true, 9, 9, false},
        {"the credential's fault", OUTCOME_FAIL, FAULT_CREDENTIAL, false, 9, 9, false},
        {"the station's own trouble", OUTCOME_ERROR, FAULT_STATION, false, 9, 9, false},
        {"pulled cables", OUTCOME_LOST, FAULT_OPERATOR, false, 9, 9, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct health h = {0};
        for (unsigned k = 0; k < cases[i].failures; k++) {
            char imei[IMEI_SIZE];
            snprintf(imei, sizeof(imei), "%015u", cases[i].same_board ? 7 : k + 1);
            run(&h, cases[i].outcome, cases[i].fault, imei);
        }
        for (unsigned k = 0; k < cases[i].neighbours; k++) {
            health_note_neighbour(&h);
        }
        if (h.is_quarantined != cases[i].is_quarantined) {
            fail_msg("%s", cases[i].what);
        }
        assert_int_equal(h.why[0] != '\0', h.is_quarantined);
        health_release(&h);
        assert_false(h.is_quarantined);
    }
}

static void test_pass_ends_the_row(void **state)
{
    (void)state;
    struct health h = {0};
    for (unsigned k = 0; k < 10; k++) {
        char imei[IMEI_SIZE];
        snprintf(imei, sizeof(imei), "%015u", k + 1);
        run(&h, k % 3 == 2 ? OUTCOME_PASS : OUTCOME_FAIL, FAULT_BOARD, imei);
        health_note_neighbour(&h);
        health_note_neighbour(&h);
    }
    assert_false(h.is_quarantined);
}

static void test_chunks_until_a_clean_run(void **state)
{
    (void)state;
    struct health h = {0};
    for (int k = 0; k < HEALTH_LOSSY_BOARDS; k++) {
        assert_false(health_wants_chunks(&h));
        run_lossy(&h, 1, false);
    }
    assert_non_null(strstr(h.why, "RTS/CTS suspected"));
    unsigned chunked = 0;
    while (health_wants_chunks(&h)) { /* a clean run in chunks proves nothing about plain writing */
        run_lossy(&h, 0, true);
        assert_true(++chunked < 100);
    }
    assert_int_equal(chunked, HEALTH_TRIAL_EVERY - 1);
    assert_non_null(strstr(h.why, "RTS/CTS suspected"));
    run_lossy(&h, 0, false); /* the trial was clean */
    assert_string_equal(h.why, "");
    assert_false(health_wants_chunks(&h));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quarantine),
        cmocka_unit_test(test_pass_ends_the_row),
        cmocka_unit_test(test_chunks_until_a_clean_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
