/* Claims: who gets which bundle, who gets none and why, and that asking twice changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pki/digest.h"
#include "support/storekit.h"

static int setup(void **state)
{
    static struct kit kit;
    kit_init(&kit);
    kit_open_line(&kit, 3);
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

static void import_pool(struct kit *kit, unsigned n)
{
    for (unsigned i = 1; i <= n; i++) {
        char id[32];
        snprintf(id, sizeof(id), "pool-%03u", i);
        assert_int_equal(kit_import(kit, id, KIT_POOL, NULL, NULL), 0);
    }
}

static void a_claim_binds_the_next_free_bundle_and_hands_out_its_contents(void **state)
{
    struct kit *kit = *state;
    import_pool(kit, 2);
    struct kit_job job;
    kit_job(kit, &job, 1, kit_imei(1), "WO-1", KIT_POOL);
    assert_int_equal(kit_send(kit, &job, LEDGER_CLAIM), LEDGER_OK);

    assert_string_equal(job.msg.bundle, "pool-001");
    assert_int_equal(job.msg.bundle_state, BUNDLE_BOUND);
    assert_false(job.msg.passed_before);
    assert_int_equal(job.msg.n_entries, 3);

    const struct ledger_entry *ca = &job.msg.entries[0], *key = &job.msg.entries[2];
    assert_int_equal(ca->type, CRED_CA);
    assert_false(ca->from_bundle);
    assert_true(digest_eq(&ca->expected, &kit->products[KIT_POOL].entries[0].sha256));
    assert_int_equal(key->type, CRED_PRIVATE_KEY);
    assert_int_equal(key->sec_tag, 16842753);
    assert_true(key->from_bundle);
    static const char sealed[] = "sealed private_key of pool-001";
    assert_int_equal(key->sealed_len, strlen(sealed));
    assert_memory_equal(job.content + key->sealed_at, sealed, strlen(sealed));
    assert_int_equal(job.msg.content_len, key->sealed_at + key->sealed_len);

    assert_string_equal(kit_query(kit, "SELECT state || ' ' || imei FROM bundle WHERE id = 'pool-001'"),
                        "bound 351465800000001");
    assert_string_equal(kit_query(kit,
                                  "SELECT group_concat(kind) FROM (SELECT kind FROM event ORDER BY seq DESC"
                                  " LIMIT 2)"),
                        "job_started,bundle_bound");
}

static void the_same_message_twice_is_one_claim(void **state)
{
    struct kit *kit = *state;
    import_pool(kit, 2);
    struct kit_job first, again;
    kit_job(kit, &first, 1, kit_imei(1), "WO-1", KIT_POOL);
    assert_int_equal(kit_send(kit, &first, LEDGER_CLAIM), LEDGER_OK);
    int64_t seq = store_last_seq(kit->store);

    kit_job(kit, &again, 1, kit_imei(1), "WO-1", KIT_POOL);
    assert_int_equal(kit_send(kit, &again, LEDGER_CLAIM), LEDGER_OK);
    assert_int_equal(store_last_seq(kit->store), seq);
    assert_string_equal(again.msg.bundle, first.msg.bundle);
    assert_int_equal(again.msg.content_len, first.msg.content_len);
    assert_memory_equal(again.content, first.content, first.msg.content_len);
    assert_int_equal(again.msg.bundle_state, BUNDLE_BOUND);
}

/* Whatever state the bundle is in, the board keeps it: failed before and after exposure, passed. */
static void a_board_gets_its_own_bundle_again(void **state)
{
    struct kit *kit = *state;
    import_pool(kit, 3);
    static const struct {
        bool is_exposed, is_passed;
        enum bundle_state state;
    } rows[] = {
        {false, false, BUNDLE_BOUND},
        {true, false, BUNDLE_EXPOSED},
        {true, true, BUNDLE_INSTALLED_STATE},
    };
    for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct kit_job job;
        kit_job(kit, &job, 10 + i, kit_imei(1), "WO-1", KIT_POOL);
        assert_int_equal(kit_send(kit, &job, LEDGER_CLAIM), LEDGER_OK);
        assert_string_equal(job.msg.bundle, "pool-001");
        if (rows[i].is_exposed) {
            assert_int_equal(kit_send(kit, &job, LEDGER_EXPOSE), LEDGER_OK);
        }
        enum outcome outcome = rows[i].is_passed ? OUTCOME_PASS : OUTCOME_FAIL;
        enum reason reason = rows[i].is_passed ? REASON_ok : REASON_digest_mismatch;
        assert_int_equal(kit_record(kit, &job, outcome, reason), LEDGER_OK);

        kit_job(kit, &job, 20 + i, kit_imei(1), "WO-1", KIT_POOL);
        assert_int_equal(kit_send(kit, &job, LEDGER_CLAIM), LEDGER_OK);
        assert_string_equal(job.msg.bundle, "pool-001");
        assert_int_equal(job.msg.bundle_state, rows[i].state);
        assert_int_equal(job.msg.passed_before, rows[i].is_passed);
        assert_string_equal(job.msg.earlier_job, rows[i].is_passed ? kit_job_id(10 + i) : "");
        assert_int_equal(kit_record(kit, &job, OUTCOME_LOST, REASON_unplugged), LEDGER_OK);
    }
    assert_string_equal(kit_query(kit, "SELECT count(*) FROM bundle WHERE state = 'free'"), "2");
}

#define UUID_1 "50503041-3539-47eb-807b-102dbb423b9a"
#define UUID_2 "50363154-3931-44f0-8022-121b6401627d"

/* The same IMEI on another device: what it was given must not be given twice. Who says of himself less than
 * before is not another one for that. */
static void another_device_with_the_same_imei_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *uuid, *hardware, *later_uuid, *later_hardware;
        bool is_exposed, is_other;
    } rows[] = {
        {"the same", UUID_1, "A0A", UUID_1, "A0A", true, false},
        {"the same in capitals", "50503041-3539-47EB-807B-102DBB423B9A", "A0A", UUID_1, "A0A", true, false},
        {"another one", UUID_1, "A0A", UUID_2, "A0A", true, true},
        {"nothing had left", UUID_1, "A0A", UUID_2, "A0A", false, false},
        {"tells none now", UUID_1, "A0A", "", "A0A", true, false},
        {"told none then", "", "A0A", UUID_1, "A0A", true, false},
        {"firmware without UUID", "", "SICA B0A", "", "SICA B0A", true, false},
        {"without UUID, other hardware", "", "SICA B0A", "", "SICA B1A", true, true},
        {"UUID is more than hardware", UUID_1, "A0A", UUID_1, "A0B", true, false},
        {"says nothing of itself", "", "", "", "A0A", true, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct kit kit;
        kit_init(&kit);
        kit_open_line(&kit, 3);
        import_pool(&kit, 2);
        struct kit_job job;
        kit_job(&kit, &job, 1, kit_imei(1), "WO-1", KIT_POOL);
        snprintf(job.msg.uuid, sizeof(job.msg.uuid), "%s", rows[i].uuid);
        snprintf(job.msg.hardware, sizeof(job.msg.hardware), "%s", rows[i].hardware);
        assert_int_equal(kit_send(&kit, &job, LEDGER_CLAIM), LEDGER_OK);
        if (rows[i].is_exposed) {
            assert_int_equal(kit_send(&kit, &job, LEDGER_EXPOSE), LEDGER_OK);
        }
        assert_int_equal(kit_record(&kit, &job, OUTCOME_FAIL, REASON_bytes_lost), LEDGER_OK);
        for (unsigned visit = 2; visit <= 3; visit++) { /* a refusal does not make it the known one */
            kit_job(&kit, &job, visit, kit_imei(1), "WO-1", KIT_POOL);
            snprintf(job.msg.uuid, sizeof(job.msg.uuid), "%s", rows[i].later_uuid);
            snprintf(job.msg.hardware, sizeof(job.msg.hardware), "%s", rows[i].later_hardware);
            enum ledger_status status = kit_send(&kit, &job, LEDGER_CLAIM);
            bool is_refused = status == LEDGER_NO && job.msg.reason == REASON_duplicate_imei;
            if (is_refused != rows[i].is_other || job.msg.is_other_device != rows[i].is_other) {
                fail_msg("%s, visit %u: status %d (%s)", rows[i].name, visit, (int)status, job.msg.detail);
            }
            assert_int_equal(kit_record(&kit, &job, OUTCOME_FAIL, REASON_duplicate_imei), LEDGER_OK);
        }
        kit_check(&kit);
        kit_done(&kit);
    }
}

/* The module was replaced: what was on the old one is retired, and the new one gets a bundle of its own. */
static void a_retired_bundle_lets_another_device_in(void **state)
{
    struct kit *kit = *state;
    import_pool(kit, 2);
    struct kit_job job;
    kit_job(kit, &job, 1, kit_imei(1), "WO-1", KIT_POOL);
    snprintf(job.msg.uuid, sizeof(job.msg.uuid), "%s", UUID_1);
    kit_pass(kit, &job);
    kit_job(kit, &job, 2, kit_imei(1), "WO-1", KIT_POOL);
    snprintf(job.msg.uuid, sizeof(job.msg.uuid), "%s", UUID_2);
    assert_int_equal(kit_send(kit, &job, LEDGER_CLAIM), LEDGER_NO);
    assert_string_equal(job.msg.detail,
                        "it was device " UUID_1 " in job 01JTEST0000000000000000001, and this is " UUID_2);
    struct store_op op = {.kind = STORE_BUNDLE_RETIRE, .named = {"pool-001", "anna", "module replaced"}};
    assert_int_equal(kit_run(kit, &op), 0);
    assert_int_equal(kit_send(kit, &job, LEDGER_CLAIM), LEDGER_OK);
    assert_string_equal(job.msg.bundle, "pool-002");
    assert_false(job.msg.is_other_device);
}

static void a_retired_bundle_is_not_given_again(void **state)
{
    struct kit *kit = *state;
    import_pool(kit, 2);
    struct kit_job job;
    kit_job(kit, &job, 1, kit_imei(1), "WO-1", KIT_POOL);
    kit_pass(kit, &job);
    struct store_op op = {.kind = STORE_BUNDLE_RETIRE, .named = {"pool-001", "anna", "board repaired"}};
    assert_int_equal(kit_run(kit, &op), 0);

    kit_job(kit, &job, 2, kit_imei(1), "WO-1", KIT_POOL);
    assert_int_equal(kit_send(kit, &job, LEDGER_CLAIM), LEDGER_OK);
    assert_string_equal(job.msg.bundle, "pool-002");
}

static void the_order_of_import_is_the_order_of_use_and_a_lot_is_kept_to(void **state)
{
    struct kit *kit = *state;
    assert_int_equal(kit_import(kit, "a", KIT_POOL, NULL, "W46"), 0);
    assert_int_equal(kit_import(kit, "c", KIT_POOL, NULL, "W47"), 0);
    assert_int_equal(kit_import(kit, "b", KIT_POOL, NULL, "W47"), 0);
    assert_int_equal(kit_order(kit, "WO-2", KIT_POOL, 5, "rack2", "W47"), 0);
    static const struct {
        const char *order, *fixture, *bundle;
    } rows[] = {{"WO-2", "rack2", "c"}, {"WO-1", "rack1", "a"}, {"WO-1", "rack1", "b"}};
    for (unsigned i = 0; i < 3; i++) {
        struct kit_job job;
        kit_job(kit, &job, i, kit_imei(i), rows[i].order, KIT_POOL);
        snprintf(job.msg.fixture, sizeof(job.msg.fixture), "%s", rows[i].fixture);
        assert_int_equal(kit_send(kit, &job, LEDGER_CLAIM), LEDGER_OK);
        assert_string_equal(job.msg.bundle, rows[i].bundle);
    }
    struct kit_job job;
    kit_job(kit, &job, 9, kit_imei(9), "WO-2", KIT_POOL);
    snprintf(job.msg.fixture, sizeof(job.msg.fixture), "rack2");
    assert_int_equal(kit_send(kit, &job, LEDGER_CLAIM), LEDGER_NO);
    assert_int_equal(job.msg.reason, REASON_no_bundle);
    assert_string_equal(job.msg.detail, "the pool of product tracker, lot W47 has no free bundle");
    assert_string_equal(job.msg.bundle, "");
    assert_int_equal(job.msg.n_entries, 0);
}

static void a_board_made_for_comes_before_the_pool(void **state)
{
    struct kit *kit = *state;
    import_pool(kit, 1);
    assert_int_equal(kit_import(kit, "mine", KIT_POOL, kit_imei(5), NULL), 0);
    struct kit_job job;
    kit_job(kit, &job, 1, kit_imei(5), "WO-1", KIT_POOL);
    assert_int_equal(kit_send(kit, &job, LEDGER_CLAIM), LEDGER_OK);
    assert_string_equal(job.msg.bundle, "mine");
}

/* ---- refusals, one row each */

enum prepared {
    NOTHING,
    CLOSED,        /* the order */
    FULL,          /* three boards passed */
    FULL_AT_WORK,  /* three boards at work */
    AT_WORK,       /* this board, in another slot */
    PASSED_ONCE,   /* this board, product "once" on rack1 */
    OTHER_PRODUCT, /* this board's bundle is for another product */
};

struct refusal {
    const char *name;
    enum prepared prepared;
    const char *order, *fixture;
    enum kit_product product;
    bool is_other_version;
    uint32_t content_size;
    enum reason reason;
    const char *detail;
};

static const struct refusal refusals[] = {
    {"unknown order", NOTHING, "WO-9", "rack1", KIT_POOL, false, 0, REASON_no_order,
     "there is no order WO-9"},
    {"closed order", CLOSED, "WO-1", "rack1", KIT_POOL, false, 0, REASON_no_order, "order WO-1 is closed"},
    {"other fixture", NOTHING, "WO-1", "rack7", KIT_POOL, false, 0, REASON_no_order,
     "order WO-1 does not run on rack7"},
    {"other product", NOTHING, "WO-1", "rack1", KIT_BOUND, false, 0, REASON_order_conflict,
     "order WO-1 is for product tracker, not meter"},
    {"other version", NOTHING, "WO-1", "rack1", KIT_POOL, true, 0, REASON_order_conflict,
     "order WO-1 was opened for another version of product tracker: close it and open a new one"},
    {"full", FULL, "WO-1", "rack1", KIT_POOL, false, 0, REASON_order_full,
     "order WO-1: as many boards as ordered have passed or are at work"},
    {"full with boards at work", FULL_AT_WORK, "WO-1", "rack1", KIT_POOL, false, 0, REASON_order_full, NULL},
    {"in another slot", AT_WORK, "WO-1", "rack1", KIT_POOL, false, 0, REASON_duplicate_imei,
     "351465800000077 is at work in slot rack1/001 (job 01JTEST0000000000000000500)"},
    {"passed already", PASSED_ONCE, "WO-3", "rack3", KIT_ONCE, false, 0, REASON_already_passed,
     "passed in job 01JTEST0000000000000000500"},
    {"no bundle for it", NOTHING, "WO-2", "rack2", KIT_BOUND, false, 0, REASON_no_bundle,
     "no bundle of product meter for 351465800000077 was imported"},
    {"bundle of another product", OTHER_PRODUCT, "WO-2", "rack2", KIT_BOUND, false, 0,
     REASON_bundle_not_for_board, "the bundle of 351465800000077 (other) is for product tracker, not meter"},
    {"too long", NOTHING, "WO-1", "rack1", KIT_POOL, false, 40, REASON_too_long,
     "the credentials of bundle pool-001 are longer than 40 octets together"},
};

static void prepare(struct kit *kit, enum prepared prepared)
{
    struct kit_job job;
    struct store_op op = {.kind = STORE_ORDER_CLOSE, .named = {.id = "WO-1"}};
    switch (prepared) {
    case NOTHING:
        break;
    case CLOSED:
        assert_int_equal(kit_run(kit, &op), 0);
        break;
    case FULL:
    case FULL_AT_WORK:
        for (unsigned i = 0; i < 3; i++) {
            kit_job(kit, &job, 500 + i, kit_imei(500 + i), "WO-1", KIT_POOL);
            if (prepared == FULL) {
                kit_pass(kit, &job);
            } else {
                assert_int_equal(kit_send(kit, &job, LEDGER_CLAIM), LEDGER_OK);
            }
        }
        break;
    case AT_WORK:
        kit_job(kit, &job, 500, kit_imei(77), "WO-1", KIT_POOL);
        assert_int_equal(kit_send(kit, &job, LEDGER_CLAIM), LEDGER_OK);
        break;
    case PASSED_ONCE:
        kit_job(kit, &job, 500, kit_imei(77), "WO-3", KIT_ONCE);
        snprintf(job.msg.fixture, sizeof(job.msg.fixture), "rack3");
        kit_pass(kit, &job);
        break;
    case OTHER_PRODUCT:
        assert_int_equal(kit_import(kit, "other", KIT_POOL, kit_imei(77), NULL), 0);
        break;
    }
}

static void refusals_say_why_and_change_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
        const struct refusal *row = &refusals[i];
        struct kit kit;
        kit_init(&kit);
        kit_open_line(&kit, 3);
        import_pool(&kit, 5);
        assert_int_equal(kit_import(&kit, "once-1", KIT_ONCE, NULL, NULL), 0);
        assert_int_equal(kit_order(&kit, "WO-2", KIT_BOUND, 3, "rack2", NULL), 0);
        assert_int_equal(kit_order(&kit, "WO-3", KIT_ONCE, 3, "rack3", NULL), 0);
        prepare(&kit, row->prepared);

        struct product other = kit.products[row->product];
        snprintf(other.version, sizeof(other.version), "sha256:changed");
        struct kit_job job;
        kit_job(&kit, &job, 900, kit_imei(77), row->order, row->product);
        snprintf(job.msg.fixture, sizeof(job.msg.fixture), "%s", row->fixture);
        job.msg.product = row->is_other_version ? &other : job.msg.product;
        job.msg.content_size = row->content_size ? row->content_size : job.msg.content_size;

        int64_t seq = store_last_seq(kit.store);
        enum ledger_status status = kit_send(&kit, &job, LEDGER_CLAIM);
        if (status != LEDGER_NO || job.msg.reason != row->reason ||
            (row->detail && strcmp(job.msg.detail, row->detail) != 0)) {
            fail_msg("%s: status %d, reason %d, \"%s\"", row->name, (int)status, (int)job.msg.reason,
                     job.msg.detail);
        }
        assert_int_equal(store_last_seq(kit.store), seq);
        assert_string_equal(job.msg.bundle, "");
        assert_int_equal(job.msg.n_entries, 0);
        kit_check(&kit);
        kit_done(&kit);
    }
}

static void a_board_that_passed_does_not_count_twice(void **state)
{
    struct kit *kit = *state;
    import_pool(kit, 4);
    struct kit_job job;
    for (unsigned i = 1; i <= 3; i++) {
        kit_job(kit, &job, i, kit_imei(i), "WO-1", KIT_POOL);
        kit_pass(kit, &job);
    }
    kit_job(kit, &job, 4, kit_imei(2), "WO-1",
            KIT_POOL); /* the order is full, but this one is in it already */
    kit_pass(kit, &job);
    assert_string_equal(kit_query(kit, "SELECT passed FROM work_order WHERE id = 'WO-1'"), "3");
}

static void a_failed_board_gives_its_place_back(void **state)
{
    struct kit *kit = *state;
    import_pool(kit, 4);
    struct kit_job job;
    for (unsigned i = 1; i <= 3; i++) {
        kit_job(kit, &job, i, kit_imei(i), "WO-1", KIT_POOL);
        assert_int_equal(kit_send(kit, &job, LEDGER_CLAIM), LEDGER_OK);
        if (i == 3) {
            assert_int_equal(kit_record(kit, &job, OUTCOME_FAIL, REASON_memory_full), LEDGER_OK);
        }
    }
    kit_job(kit, &job, 4, kit_imei(4), "WO-1", KIT_POOL);
    assert_int_equal(kit_send(kit, &job, LEDGER_CLAIM), LEDGER_OK);
    assert_string_equal(job.msg.bundle, "pool-004"); /* the failed board's stays bound to it */
    assert_string_equal(kit_query(kit, "SELECT state FROM bundle WHERE id = 'pool-003'"), "bound");
}

static void a_product_of_files_needs_no_bundle(void **state)
{
    struct kit *kit = *state;
    assert_int_equal(kit_order(kit, "WO-4", KIT_FILES, 5, "rack4", NULL), 0);
    struct kit_job job;
    kit_job(kit, &job, 1, kit_imei(1), "WO-4", KIT_FILES);
    snprintf(job.msg.fixture, sizeof(job.msg.fixture), "rack4");
    kit_pass(kit, &job);
    assert_string_equal(job.msg.bundle, "");
    assert_int_equal(job.msg.n_entries, 1);
}

static void a_bundles_own_ca_stands_in_for_the_file(void **state)
{
    struct kit *kit = *state;
    struct store_op op;
    kit_bundle(kit, &op, "with-ca", KIT_POOL, NULL, NULL);
    op.import.credentials[2] = (struct store_credential){.type = CRED_CA, .sealed = span_str("sealed ca")};
    op.import.n_credentials = 3;
    assert_int_equal(kit_run(kit, &op), 0);

    struct kit_job job;
    kit_job(kit, &job, 1, kit_imei(1), "WO-1", KIT_POOL);
    assert_int_equal(kit_send(kit, &job, LEDGER_CLAIM), LEDGER_OK);
    assert_int_equal(job.msg.entries[0].type, CRED_CA);
    assert_true(job.msg.entries[0].from_bundle);
    assert_memory_equal(job.content + job.msg.entries[0].sealed_at, "sealed ca", 9);
    assert_int_equal(kit_send(kit, &job, LEDGER_EXPOSE), LEDGER_OK);
    assert_string_equal(kit_query(kit, "SELECT count(*) FROM exposure"), "2"); /* a CA tells no clone */
}

static void a_bundle_without_what_the_product_asks_for_is_refused(void **state)
{
    struct kit *kit = *state;
    struct store_op op;
    kit_bundle(kit, &op, "half", KIT_POOL, NULL, NULL);
    op.import.n_credentials = 1;
    assert_int_equal(kit_run(kit, &op), 0);
    struct kit_job job;
    kit_job(kit, &job, 1, kit_imei(1), "WO-1", KIT_POOL);
    assert_int_equal(kit_send(kit, &job, LEDGER_CLAIM), LEDGER_NO);
    assert_int_equal(job.msg.reason, REASON_bundle_not_for_board);
    assert_string_equal(kit_query(kit, "SELECT state FROM bundle"), "free");
}

static void a_clone_is_told_from_its_original(void **state)
{
    struct kit *kit = *state;
    import_pool(kit, 2);
    struct kit_job original, job;
    kit_job(kit, &original, 1, kit_imei(1), "WO-1", KIT_POOL);
    kit_pass(kit, &original);

    kit_job(kit, &job, 2, kit_imei(2), "WO-1", KIT_POOL);
    job.msg.rows[0] = (struct cmng_row){.sec_tag = 4, .type = 0, .has_digest = true};
    job.msg.rows[0].sha256 = kit->products[KIT_POOL].entries[0].sha256; /* the shared CA: no alarm */
    job.msg.rows[1] = (struct cmng_row){.sec_tag = 4, .type = 2, .has_digest = true};
    job.msg.rows[1].sha256 = original.msg.entries[2].expected;
    job.msg.n_rows = 2;
    assert_int_equal(kit_send(kit, &job, LEDGER_CLAIM), LEDGER_NO);
    assert_int_equal(job.msg.reason, REASON_duplicate_key);
    assert_string_equal(job.msg.detail,
                        "the board holds the private_key of board 351465800000001 (bundle pool-001, tag 4)");

    job.msg.n_rows = 1;
    assert_int_equal(kit_send(kit, &job, LEDGER_CLAIM), LEDGER_OK);

    kit_job(kit, &job, 3, kit_imei(1), "WO-1", KIT_POOL); /* the original itself holds it rightly */
    job.msg.rows[0] = (struct cmng_row){.sec_tag = 16842753, .type = 2, .has_digest = true};
    job.msg.rows[0].sha256 = original.msg.entries[2].expected;
    job.msg.n_rows = 1;
    assert_int_equal(kit_send(kit, &job, LEDGER_CLAIM), LEDGER_OK);
}

static void one_refusal_in_a_batch_leaves_the_others_alone(void **state)
{
    struct kit *kit = *state;
    import_pool(kit, 4);
    struct kit_job jobs[4];
    struct store_op ops[4];
    struct store_op *batch[4];
    for (unsigned i = 0; i < 4; i++) {
        kit_job(kit, &jobs[i], i, kit_imei(i == 1 ? 0 : i), "WO-1",
                KIT_POOL); /* the second is the first's board */
        kit_prepare(&jobs[i], LEDGER_CLAIM, OUTCOME_NONE, REASON_ok);
        ops[i] = (struct store_op){.kind = STORE_LEDGER, .ledger = &jobs[i].msg};
        batch[i] = &ops[i];
    }
    assert_int_equal(store_batch(kit->store, batch, 4), 0);
    static const enum ledger_status expected[] = {LEDGER_OK, LEDGER_NO, LEDGER_OK, LEDGER_OK};
    static const char *const bundles[] = {"pool-001", "", "pool-002", "pool-003"};
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(jobs[i].msg.status, expected[i]);
        assert_string_equal(jobs[i].msg.bundle, bundles[i]);
    }
    assert_int_equal(jobs[1].msg.reason, REASON_duplicate_imei);
}

/* Claims of one group see one another: as many as the order has room for, whatever was refused between them.
 */
static void a_group_of_claims_keeps_the_quota(void **state)
{
    struct kit *kit = *state;
    import_pool(kit, 6);
    static const struct {
        unsigned board;
        uint32_t room; /* 0: enough */
        enum reason reason;
    } rows[] = {{0, 0, REASON_NONE},      {0, 0, REASON_duplicate_imei}, {1, 0, REASON_NONE},
                {2, 40, REASON_too_long}, {3, 0, REASON_NONE},           {4, 0, REASON_order_full},
                {5, 0, REASON_order_full}};
    enum { ROWS = sizeof(rows) / sizeof(*rows) };
    static struct kit_job jobs[ROWS];
    static struct store_op ops[ROWS];
    struct store_op *list[ROWS];
    for (unsigned i = 0; i < ROWS; i++) {
        kit_job(kit, &jobs[i], i, kit_imei(rows[i].board), "WO-1", KIT_POOL);
        kit_prepare(&jobs[i], LEDGER_CLAIM, OUTCOME_PASS, REASON_ok);
        jobs[i].msg.content_size = rows[i].room > 0 ? rows[i].room : jobs[i].msg.content_size;
        ops[i] = (struct store_op){.kind = STORE_LEDGER, .ledger = &jobs[i].msg};
        list[i] = &ops[i];
    }
    assert_int_equal(store_batch(kit->store, list, ROWS), 0);
    for (unsigned i = 0; i < ROWS; i++) {
        assert_int_equal(ops[i].reason, rows[i].reason);
        assert_int_equal(ops[i].result == 0, rows[i].reason == REASON_NONE);
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_claim_binds_the_next_free_bundle_and_hands_out_its_contents),
        CASE(the_same_message_twice_is_one_claim),
        CASE(a_board_gets_its_own_bundle_again),
        cmocka_unit_test(another_device_with_the_same_imei_is_refused),
        CASE(a_retired_bundle_lets_another_device_in),
        CASE(a_retired_bundle_is_not_given_again),
        CASE(the_order_of_import_is_the_order_of_use_and_a_lot_is_kept_to),
        CASE(a_board_made_for_comes_before_the_pool),
        cmocka_unit_test(refusals_say_why_and_change_nothing),
        CASE(a_board_that_passed_does_not_count_twice),
        CASE(a_failed_board_gives_its_place_back),
        CASE(a_product_of_files_needs_no_bundle),
        CASE(a_bundles_own_ca_stands_in_for_the_file),
        CASE(a_bundle_without_what_the_product_asks_for_is_refused),
        CASE(a_clone_is_told_from_its_original),
        CASE(one_refusal_in_a_batch_leaves_the_others_alone),
        CASE(a_group_of_claims_keeps_the_quota),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
