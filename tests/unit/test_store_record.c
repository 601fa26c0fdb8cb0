/* What becomes of a job and its bundle: exposure, endings, restarts; and the order of events that tells it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/storekit.h"

static int setup(void **state)
{
    static struct kit kit;
    kit_init(&kit);
    kit_open_line(&kit, 10);
    for (unsigned i = 1; i <= 5; i++) {
        char id[32];
        snprintf(id, sizeof(id), "pool-%03u", i);
        assert_int_equal(kit_import(&kit, id, KIT_POOL, NULL, NULL), 0);
    }
    *state = &kit;
    return 0;
}

static int teardown(void **state)
{
    struct kit *kit = *state;
    kit_check(kit);
    kit_done(kit);
    return 0;
}

static const char *state_of(struct kit *kit, const char *bundle)
{
    return kit_query(kit, "SELECT state FROM bundle WHERE id = '%s'", bundle);
}

/* design: what is right after a crash or a cut, as far as it concerns the store. Each row: how far the job
 * came before the daemon died; what the bundle is then, and what the next contact gets and leaves. */
static void a_killed_daemons_jobs_end_once_and_their_boards_go_on(void **state)
{
    static const struct {
        const char *name;
        bool is_exposed;
        enum bundle_state after_crash;
    } rows[] = {
        {"claimed, nothing sent", false, BUNDLE_BOUND},
        {"in the middle of the private key", true, BUNDLE_EXPOSED},
        {"proven, not committed", true, BUNDLE_EXPOSED},
    };
    struct kit *kit = *state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct kit_job job;
        kit_job(kit, &job, i, kit_imei(i), "WO-1", KIT_POOL);
        assert_int_equal(kit_send(kit, &job, LEDGER_CLAIM), LEDGER_OK);
        if (rows[i].is_exposed) {
            assert_int_equal(kit_send(kit, &job, LEDGER_EXPOSE), LEDGER_OK);
        }
        char bundle[BUNDLE_ID_SIZE];
        snprintf(bundle, sizeof(bundle), "%s", job.msg.bundle);

        kit_close(kit);
        assert_int_equal(kit_open(kit), 0);
        struct store_op op = {.kind = STORE_STATION_STARTED};
        assert_int_equal(kit_run(kit, &op), 0);
        assert_int_equal(op.ended, 1);
        assert_string_equal(
            kit_query(kit, "SELECT outcome || ' ' || fault || ' ' || reason FROM job WHERE id = '%s'",
                      kit_job_id(i)),
            "ERROR station station_restarted");
        assert_string_equal(state_of(kit, bundle), bundle_state_name(rows[i].after_crash));

        kit_job(kit, &job, 100 + i, kit_imei(i), "WO-1", KIT_POOL);
        assert_int_equal(kit_send(kit, &job, LEDGER_CLAIM), LEDGER_OK);
        assert_string_equal(job.msg.bundle, bundle);
        assert_int_equal(job.msg.bundle_state, rows[i].after_crash);
        assert_int_equal(kit_record(kit, &job, OUTCOME_PASS, REASON_already_right), LEDGER_OK);
        assert_string_equal(state_of(kit, bundle), "installed");

        op = (struct store_op){.kind = STORE_STATION_STARTED};
        assert_int_equal(kit_run(kit, &op), 0);
        assert_int_equal(op.ended, 0);
    }
}

/* A board moved to another slot meanwhile: the old job ends first, the new one goes on with the same bundle.
 */
static void a_moved_board_keeps_its_bundle(void **state)
{
    struct kit *kit = *state;
    struct kit_job first, second;
    kit_job(kit, &first, 1, kit_imei(1), "WO-1", KIT_POOL);
    assert_int_equal(kit_send(kit, &first, LEDGER_CLAIM), LEDGER_OK);
    assert_int_equal(kit_send(kit, &first, LEDGER_EXPOSE), LEDGER_OK);

    kit_job(kit, &second, 2, kit_imei(1), "WO-1", KIT_POOL);
    snprintf(second.msg.slot, sizeof(second.msg.slot), "rack1/002");
    assert_int_equal(kit_send(kit, &second, LEDGER_CLAIM), LEDGER_NO);
    assert_int_equal(second.msg.reason, REASON_duplicate_imei);

    assert_int_equal(kit_record(kit, &first, OUTCOME_LOST, REASON_unplugged), LEDGER_OK);
    kit_pass(kit, &second);
    assert_string_equal(second.msg.bundle, first.msg.bundle);
}

static void exposure_is_committed_once_and_with_its_digests(void **state)
{
    struct kit *kit = *state;
    struct kit_job job;
    kit_job(kit, &job, 1, kit_imei(1), "WO-1", KIT_POOL);
    assert_int_equal(kit_send(kit, &job, LEDGER_CLAIM), LEDGER_OK);
    assert_int_equal(kit_send(kit, &job, LEDGER_EXPOSE), LEDGER_OK);
    int64_t seq = store_last_seq(kit->store);
    assert_int_equal(kit_send(kit, &job, LEDGER_EXPOSE), LEDGER_OK);
    assert_int_equal(store_last_seq(kit->store), seq);
    assert_string_equal(kit_query(kit, "SELECT count(*) FROM credential WHERE sha256 IS NOT NULL"), "2");
    assert_string_equal(kit_query(kit, "SELECT count(*) FROM exposure WHERE bundle = 'pool-001'"), "2");
    assert_string_equal(kit_query(kit, "SELECT was_exposed FROM job"), "1");

    /* The next job exposes it again, the state does not go back from INSTALLED, and both digests stay known.
     */
    assert_int_equal(kit_record(kit, &job, OUTCOME_PASS, REASON_ok), LEDGER_OK);
    kit_job(kit, &job, 2, kit_imei(1), "WO-1", KIT_POOL);
    assert_int_equal(kit_send(kit, &job, LEDGER_CLAIM), LEDGER_OK);
    kit_prepare(&job, LEDGER_EXPOSE, OUTCOME_NONE, REASON_ok);
    job.msg.entries[2].expected.octets[0] ^= 1; /* other line ends, say */
    struct store_op op = {.kind = STORE_LEDGER, .ledger = &job.msg};
    assert_int_equal(kit_run(kit, &op), 0);
    assert_string_equal(state_of(kit, "pool-001"), "installed");
    assert_string_equal(kit_query(kit, "SELECT count(*) FROM exposure WHERE bundle = 'pool-001'"), "3");
}

static void exposure_is_refused_to_whom_it_does_not_belong(void **state)
{
    struct kit *kit = *state;
    struct kit_job job, other;
    kit_job(kit, &job, 1, kit_imei(1), "WO-1", KIT_POOL);
    kit_job(kit, &other, 2, kit_imei(2), "WO-1", KIT_POOL);
    assert_int_equal(kit_send(kit, &other, LEDGER_CLAIM), LEDGER_OK);
    assert_int_equal(kit_send(kit, &job, LEDGER_CLAIM), LEDGER_OK);

    static const struct {
        const char *name;
        const char *job, *imei, *bundle;
        bool no_digest;
        enum reason reason;
    } rows[] = {
        {"a job that never claimed", "01JTEST0000000000000000099", NULL, NULL, false, REASON_internal},
        {"another board's bundle", NULL, NULL, "pool-001", false, REASON_bundle_not_for_board},
        {"another board", NULL, "351465800000099", NULL, false, REASON_bundle_not_for_board},
        {"a bundle that is not there", NULL, NULL, "pool-999", false, REASON_bundle_not_for_board},
        {"no digest computed", NULL, NULL, NULL, true, REASON_internal},
    };
    const struct kit_job good = job;
    int64_t seq = store_last_seq(kit->store);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct kit_job bad = good;
        bad.msg.content = bad.content;
        kit_prepare(&bad, LEDGER_EXPOSE, OUTCOME_NONE, REASON_ok);
        snprintf(bad.msg.job, sizeof(bad.msg.job), "%s", rows[i].job ? rows[i].job : good.msg.job);
        snprintf(bad.msg.imei, sizeof(bad.msg.imei), "%s", rows[i].imei ? rows[i].imei : good.msg.imei);
        snprintf(bad.msg.bundle, sizeof(bad.msg.bundle), "%s",
                 rows[i].bundle ? rows[i].bundle : good.msg.bundle);
        if (rows[i].no_digest) {
            bad.msg.entries[2].expected = (struct digest){{0}};
        }
        struct store_op op = {.kind = STORE_LEDGER, .ledger = &bad.msg};
        kit_run(kit, &op);
        if (bad.msg.status != LEDGER_NO || bad.msg.reason != rows[i].reason) {
            fail_msg("%s: %d %d %s", rows[i].name, (int)bad.msg.status, (int)bad.msg.reason, bad.msg.detail);
        }
    }
    assert_int_equal(store_last_seq(kit->store), seq);

    assert_int_equal(kit_record(kit, &job, OUTCOME_ABORTED, REASON_aborted), LEDGER_OK);
    assert_int_equal(kit_send(kit, &job, LEDGER_EXPOSE), LEDGER_NO); /* ended */
    assert_string_equal(state_of(kit, "pool-002"), "bound");
}

static void a_job_has_exactly_one_ending(void **state)
{
    struct kit *kit = *state;
    struct kit_job job;
    kit_job(kit, &job, 1, kit_imei(1), "WO-1", KIT_POOL);
    kit_pass(kit, &job);
    int64_t seq = store_last_seq(kit->store);
    assert_int_equal(kit_record(kit, &job, OUTCOME_PASS, REASON_ok), LEDGER_OK); /* told twice */
    assert_int_equal(kit_record(kit, &job, OUTCOME_FAIL, REASON_no_answer), LEDGER_NO);
    assert_string_equal(job.msg.detail, "job 01JTEST0000000000000000001 has ended already as PASS ok");
    assert_int_equal(kit_send(kit, &job, LEDGER_CLAIM), LEDGER_NO);
    assert_int_equal(store_last_seq(kit->store), seq);
}

static void a_job_that_never_claimed_is_on_record_all_the_same(void **state)
{
    struct kit *kit = *state;
    struct kit_job job;
    kit_job(kit, &job, 1, "", NULL, KIT_POOL);
    job.msg.product = NULL;
    assert_int_equal(kit_record(kit, &job, OUTCOME_FAIL, REASON_no_answer), LEDGER_OK);
    assert_string_equal(
        kit_query(kit, "SELECT reason || ' ' || (imei IS NULL) || (product IS NULL) FROM job"),
        "no_answer 11");

    /* The second board of one IMEI is held while the first one's job is open. */
    struct kit_job first;
    kit_job(kit, &first, 2, kit_imei(1), "WO-1", KIT_POOL);
    assert_int_equal(kit_send(kit, &first, LEDGER_CLAIM), LEDGER_OK);
    kit_job(kit, &job, 3, kit_imei(1), "WO-1", KIT_POOL);
    assert_int_equal(kit_record(kit, &job, OUTCOME_ERROR, REASON_duplicate_imei), LEDGER_OK);
    assert_int_equal(kit_record(kit, &first, OUTCOME_PASS, REASON_ok), LEDGER_OK);
}

static void proven_is_installed_whatever_the_verdict(void **state)
{
    struct kit *kit = *state;
    struct kit_job job;
    kit_job(kit, &job, 1, kit_imei(1), "WO-1", KIT_POOL);
    assert_int_equal(kit_send(kit, &job, LEDGER_CLAIM), LEDGER_OK);
    assert_int_equal(kit_send(kit, &job, LEDGER_EXPOSE), LEDGER_OK);
    kit_prepare(&job, LEDGER_RECORD, OUTCOME_TIMEOUT, REASON_timeout);
    job.msg.bundle_effect = BUNDLE_INSTALLED;
    struct store_op op = {.kind = STORE_LEDGER, .ledger = &job.msg};
    assert_int_equal(kit_run(kit, &op), 0);
    assert_string_equal(state_of(kit, "pool-001"), "installed");
    assert_string_equal(kit_query(kit, "SELECT passed FROM work_order"), "0");
}

/* Only where the product says so, only what is secret, and only once it is proven that the board has it. */
static void keys_are_erased_once_a_board_has_them(void **state)
{
    (void)state;
    static const struct {
        bool erases;
        enum entry_proof proof;
        const char *left; /* types that are still sealed */
    } rows[] = {
        {false, ENTRY_DIGEST, "1,2"},
        {true, ENTRY_PRESENCE, "1,2"},
        {true, ENTRY_DIGEST, "1"},
        {true, ENTRY_POSSESSION, "1"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct kit kit;
        struct kit_job job, again;
        kit_init(&kit);
        kit.products[KIT_POOL].erases_keys = rows[i].erases;
        kit_open_line(&kit, 3);
        assert_int_equal(kit_import(&kit, "a", KIT_POOL, NULL, NULL), 0);
        kit_job(&kit, &job, 1, kit_imei(1), "WO-1", KIT_POOL);
        assert_int_equal(kit_send(&kit, &job, LEDGER_CLAIM), LEDGER_OK);
        assert_int_equal(kit_send(&kit, &job, LEDGER_EXPOSE), LEDGER_OK);
        kit_prepare(&job, LEDGER_RECORD, OUTCOME_PASS, REASON_ok);
        job.msg.proof = rows[i].proof;
        struct store_op op = {.kind = STORE_LEDGER, .ledger = &job.msg};
        job.msg.kind = LEDGER_RECORD;
        assert_int_equal(kit_run(&kit, &op), 0);
        assert_string_equal(
            kit_query(&kit, "SELECT group_concat(type) FROM credential WHERE length(sealed) > 0"),
            rows[i].left);

        /* The board comes again: what it should hold is still known. */
        bool is_erased = strcmp(rows[i].left, "1") == 0;
        kit_job(&kit, &again, 2, kit_imei(1), "WO-1", KIT_POOL);
        again.msg.kind = LEDGER_CLAIM;
        struct store_op claim = {.kind = STORE_LEDGER, .ledger = &again.msg};
        assert_int_equal(kit_run(&kit, &claim), 0);
        assert_int_equal(again.msg.entries[2].is_erased, is_erased);
        if (is_erased) {
            assert_true(digest_eq(&again.msg.entries[2].expected, &job.msg.entries[2].expected));
            assert_int_equal(again.msg.entries[2].sealed_len, 0);
        }
        kit_check(&kit);
        kit_done(&kit);
    }
}

static void what_a_board_says_cannot_break_a_record(void **state)
{
    struct kit *kit = *state;
    struct kit_job job;
    kit_job(kit, &job, 1, kit_imei(1), "WO-1", KIT_POOL);
    snprintf(job.msg.model, sizeof(job.msg.model), "\xFF\"'\x01\\\n\xC3");
    assert_int_equal(kit_send(kit, &job, LEDGER_CLAIM), LEDGER_OK);
    kit_prepare(&job, LEDGER_RECORD, OUTCOME_FAIL, REASON_unexpected_answer);
    static const char noise[] = "1 < \x00\xFE\xFF\r\n";
    job.msg.dialogue = span_of(noise, sizeof(noise) - 1);
    struct store_op op = {.kind = STORE_LEDGER, .ledger = &job.msg};
    assert_int_equal(kit_run(kit, &op), 0);
    assert_string_equal(kit_query(kit, "SELECT hex(text) FROM dialogue"), "31203C2000FEFF0D0A");
}

static void a_pruned_dialogue_is_no_change_of_the_record(void **state)
{
    struct kit *kit = *state;
    struct kit_job job;
    kit_job(kit, &job, 1, kit_imei(1), "WO-1", KIT_POOL);
    kit_pass(kit, &job);
    assert_int_equal(kit_meddle(kit, "DELETE FROM dialogue"), 0);
    assert_int_equal(store_verify(kit->store, NULL), 0);
}

/* ---- the chain */

static void events_are_neither_changed_nor_removed(void **state)
{
    struct kit *kit = *state;
    static const char *const attempts[] = {
        "UPDATE event SET kind = 'x' WHERE seq = 2",
        "DELETE FROM event WHERE seq = 2",
        "UPDATE OR REPLACE event SET seq = 2 WHERE seq = 3",
    };
    for (size_t i = 0; i < sizeof(attempts) / sizeof(*attempts); i++) {
        assert_int_not_equal(kit_meddle(kit, attempts[i]), 0);
    }
}

/* Somebody who removes the triggers first. */
static void a_changed_record_shows(void **state)
{
    (void)state;
    static const struct {
        const char *change;
        const char *finding;
    } rows[] = {
        {"UPDATE event SET kind = 'x' WHERE seq = 5", "event 5 does not fit"},
        {"UPDATE event SET data = replace(data, 'tracker', 'Tracker') WHERE seq = 2", "event 2 does not fit"},
        {"UPDATE event SET data = ' ' || data WHERE seq = 5", "event 5 does not fit"},
        {"UPDATE event SET imei = '351465800000001' WHERE seq = 3", "event 3 does not fit"},
        {"UPDATE event SET at = '2026-01-01T00:00:00.000Z' WHERE seq = 3", "event 3 does not fit"},
        {"DELETE FROM event WHERE seq = 4", "event 5 does not fit"},
        {"DELETE FROM event WHERE seq > 4", "the chain ends at event 4"},
        {"UPDATE event SET hash = randomblob(32) WHERE seq = 4", "event 4 does not fit"},
        {"UPDATE event SET data = 'no JSON' WHERE seq = 4", "event 4 does not fit"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct kit kit;
        kit_init(&kit);
        kit_open_line(&kit, 3);
        assert_int_equal(store_verify(kit.store, NULL), 0);
        assert_int_equal(
            kit_meddle(&kit, "DROP TRIGGER event_is_not_changed; DROP TRIGGER event_is_not_removed"), 0);
        assert_int_equal(kit_meddle(&kit, rows[i].change), 0);
        struct err_info err = {0};
        assert_int_equal(store_verify(kit.store, &err), ERR_CORRUPT);
        if (!strstr(err.text, rows[i].finding)) {
            fail_msg("%s: %s", rows[i].change, err.text);
        }
        kit_done(&kit);
    }
}

static void projections_are_what_the_events_say(void **state)
{
    struct kit *kit = *state;
    struct kit_job job;
    for (unsigned i = 0; i < 4; i++) {
        kit_job(kit, &job, i, kit_imei(i), "WO-1", KIT_POOL);
        kit_pass(kit, &job);
    }
    assert_int_equal(kit_import(kit, "mine", KIT_BOUND, kit_imei(7), NULL), 0);
    struct store_op op = {.kind = STORE_BUNDLE_RETIRE, .named = {"mine", "anna", "lost"}};
    assert_int_equal(kit_run(kit, &op), 0);
    assert_int_equal(kit_import(kit, "mine-2", KIT_BOUND, kit_imei(7), NULL),
                     0); /* the same board, made anew */
    kit_check(kit);

    /* And a row changed behind the chain's back comes right again. */
    assert_int_equal(kit_meddle(kit, "UPDATE job SET outcome = 'PASS', imei = '1' WHERE id = "
                                     "'01JTEST0000000000000000002'"),
                     0);
    assert_int_equal(store_rebuild(kit->store, NULL), 0);
    assert_string_equal(kit_query(kit, "SELECT imei FROM job WHERE id = '%s'", kit_job_id(2)), kit_imei(2));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_killed_daemons_jobs_end_once_and_their_boards_go_on),
        CASE(a_moved_board_keeps_its_bundle),
        CASE(exposure_is_committed_once_and_with_its_digests),
        CASE(exposure_is_refused_to_whom_it_does_not_belong),
        CASE(a_job_has_exactly_one_ending),
        CASE(a_job_that_never_claimed_is_on_record_all_the_same),
        CASE(proven_is_installed_whatever_the_verdict),
        cmocka_unit_test(keys_are_erased_once_a_board_has_them),
        CASE(what_a_board_says_cannot_break_a_record),
        CASE(a_pruned_dialogue_is_no_change_of_the_record),
        CASE(events_are_neither_changed_nor_removed),
        cmocka_unit_test(a_changed_record_shows),
        CASE(projections_are_what_the_events_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
