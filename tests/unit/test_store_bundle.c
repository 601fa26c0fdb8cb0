/* Bundles in, released, retired; work orders and versions of products. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/mixedbatch.h"

static int setup(void **state)
{
    static struct kit kit;
    kit_init(&kit);
    kit_open_line(&kit, 10);
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

static void change_nothing(struct store_import *in)
{
    (void)in;
}

static void change_content(struct store_import *in)
{
    in->content.octets[0] ^= 1;
}

static void change_id(struct store_import *in)
{
    strcpy(in->id, "b");
}

static void change_id_and_keys(struct store_import *in)
{
    change_id(in);
    in->credentials[0].key_sha256.octets[0] ^= 1;
    in->credentials[1].key_sha256.octets[0] ^= 1;
}

static void change_all_but_identity(struct store_import *in)
{
    change_id_and_keys(in);
    in->credentials[0].serial[0] = 'x';
}

static void change_all(struct store_import *in)
{
    change_all_but_identity(in);
    in->credentials[2].identity_sha256.octets[0] ^= 1;
}

static void change_all_but_board(struct store_import *in)
{
    change_all(in);
    strcpy(in->imei, "351465800000001");
}

static void an_import_is_taken_once(void **state)
{
    (void)state;
    static const struct {
        void (*change)(struct store_import *in);
        int result;
        enum store_import_result outcome;
        enum reason reason;
        const char *detail;
    } rows[] = {
        {change_nothing, 0, STORE_DUPLICATE, REASON_NONE, ""},
        {change_content, ERR_REFUSED, STORE_REFUSED, REASON_duplicate_identity,
         "other content is stored already as bundle a"},
        {change_id, ERR_REFUSED, STORE_REFUSED, REASON_duplicate_identity,
         "for this board and product there is bundle a"},
        {change_id_and_keys, ERR_REFUSED, STORE_REFUSED, REASON_duplicate_identity, NULL},
        {change_all_but_board, ERR_REFUSED, STORE_REFUSED, REASON_duplicate_identity,
         "for this board and product there is bundle a"},
    };
    static const struct {
        void (*change)(struct store_import *in);
        int result;
        enum store_import_result outcome;
        enum reason reason;
        const char *detail;
    } pool_rows[] = {
        {change_nothing, 0, STORE_DUPLICATE, REASON_NONE, ""},
        {change_id, ERR_REFUSED, STORE_REFUSED, REASON_duplicate_key, "the same key is in bundle a"},
        {change_id_and_keys, ERR_REFUSED, STORE_REFUSED, REASON_duplicate_identity,
         "a certificate with this serial number is in bundle a"},
        {change_all_but_identity, ERR_REFUSED, STORE_REFUSED, REASON_duplicate_identity,
         "the same PSK identity is in bundle a"},
        {change_all, 0, STORE_TAKEN, REASON_NONE, ""},
    };
    for (int is_pool = 0; is_pool < 2; is_pool++) {
        for (size_t i = 0; i < 5; i++) {
            struct kit kit;
            kit_init(&kit);
            kit_open_line(&kit, 1);
            struct store_op op;
            kit_bundle(&kit, &op, "a", KIT_POOL, is_pool ? NULL : kit_imei(1), NULL);
            op.import.credentials[2] = (struct store_credential){
                .type = CRED_PSK_IDENTITY, .sealed = span_str("sealed identity"), .has_identity = true};
            op.import.n_credentials = 3;
            struct store_op again = op;
            assert_int_equal(kit_run(&kit, &op), 0);
            assert_int_equal(op.import.outcome, STORE_TAKEN);

            const char *detail = is_pool ? pool_rows[i].detail : rows[i].detail;
            (is_pool ? pool_rows[i].change : rows[i].change)(&again.import);
            int64_t seq = store_last_seq(kit.store);
            assert_int_equal(kit_run(&kit, &again), is_pool ? pool_rows[i].result : rows[i].result);
            assert_int_equal(again.import.outcome, is_pool ? pool_rows[i].outcome : rows[i].outcome);
            assert_int_equal(again.reason, is_pool ? pool_rows[i].reason : rows[i].reason);
            if (detail) {
                assert_string_equal(again.detail, detail);
            }
            assert_int_equal(store_last_seq(kit.store) - seq, again.import.outcome == STORE_TAKEN);
            kit_done(&kit);
        }
    }
}

static void stock_counts_itself(void **state)
{
    struct kit *kit = *state;
    assert_int_equal(kit_import(kit, "a", KIT_POOL, NULL, "L1"), 0);
    assert_int_equal(kit_import(kit, "b", KIT_POOL, NULL, "L1"), 0);
    assert_int_equal(kit_import(kit, "c", KIT_POOL, kit_imei(3), NULL), 0);
    struct kit_job job;
    kit_job(kit, &job, 1, kit_imei(1), "WO-1", KIT_POOL);
    kit_pass(kit, &job);
    static const char counted[] =
        "SELECT group_concat(t, ';') FROM (SELECT lot || ' ' || state || ' ' || %s AS t"
        " FROM %s ORDER BY 1)";
    char real[256];
    snprintf(real, sizeof(real), "%s", kit_query(kit, counted, "count(*)", "bundle GROUP BY lot, state"));
    assert_string_equal(real, " bound 1;L1 free 1;L1 installed 1");
    assert_string_equal(kit_query(kit, counted, "n", "bundle_stock WHERE n <> 0"), real);
}

/* ---- release and retire */

static void only_what_never_left_becomes_free_again(void **state)
{
    struct kit *kit = *state;
    assert_int_equal(kit_import(kit, "a", KIT_POOL, NULL, NULL), 0);
    assert_int_equal(kit_import(kit, "b", KIT_POOL, NULL, NULL), 0);
    assert_int_equal(kit_import(kit, "made-for", KIT_POOL, kit_imei(9), NULL), 0);
    struct kit_job job;
    kit_job(kit, &job, 1, kit_imei(1), "WO-1", KIT_POOL);
    assert_int_equal(kit_send(kit, &job, LEDGER_CLAIM), LEDGER_OK);

    struct store_op release = {.kind = STORE_BUNDLE_RELEASE, .named = {"a", "anna", "board scrapped"}};
    assert_int_equal(kit_run(kit, &release), ERR_CONFLICT); /* at work */
    assert_string_equal(release.detail,
                        "351465800000001 is at work with it in slot rack1/001: abort that job first");
    assert_int_equal(kit_record(kit, &job, OUTCOME_ABORTED, REASON_aborted), LEDGER_OK);
    assert_int_equal(kit_run(kit, &release), 0);
    assert_int_equal(kit_run(kit, &release), 0); /* again: it is free already */

    /* Somebody else gets it, and the first board another one. */
    kit_job(kit, &job, 2, kit_imei(2), "WO-1", KIT_POOL);
    kit_pass(kit, &job);
    assert_string_equal(job.msg.bundle, "a");
    kit_job(kit, &job, 3, kit_imei(1), "WO-1", KIT_POOL);
    kit_pass(kit, &job);
    assert_string_equal(job.msg.bundle, "b");

    assert_int_equal(kit_run(kit, &release), ERR_CONFLICT);
    assert_string_equal(release.detail,
                        "it is installed: only a bundle of which nothing has left the station becomes"
                        " free again");
    struct store_op made_for = {.kind = STORE_BUNDLE_RELEASE, .named = {.id = "made-for"}};
    assert_int_equal(kit_run(kit, &made_for), ERR_CONFLICT);
    struct store_op unknown = {.kind = STORE_BUNDLE_RELEASE, .named = {.id = "nobody"}};
    assert_int_equal(kit_run(kit, &unknown), ERR_NOT_FOUND);
}

static void retiring_needs_a_reason_and_no_job(void **state)
{
    struct kit *kit = *state;
    assert_int_equal(kit_import(kit, "a", KIT_POOL, NULL, NULL), 0);
    struct kit_job job;
    kit_job(kit, &job, 1, kit_imei(1), "WO-1", KIT_POOL);
    assert_int_equal(kit_send(kit, &job, LEDGER_CLAIM), LEDGER_OK);

    struct store_op op = {.kind = STORE_BUNDLE_RETIRE, .named = {"a", "anna", ""}};
    assert_int_equal(kit_run(kit, &op), ERR_RANGE);
    snprintf(op.named.why, sizeof(op.named.why), "key leaked");
    assert_int_equal(kit_run(kit, &op), ERR_CONFLICT);
    assert_int_equal(kit_record(kit, &job, OUTCOME_LOST, REASON_unplugged), LEDGER_OK);
    assert_int_equal(kit_run(kit, &op), 0);
    int64_t seq = store_last_seq(kit->store);
    assert_int_equal(kit_run(kit, &op), 0);
    assert_int_equal(store_last_seq(kit->store), seq);
    assert_string_equal(kit_query(kit, "SELECT state || ' ' || imei || ' ' || retired_why FROM bundle"),
                        "retired 351465800000001 key leaked");
}

/* ---- orders */

static void an_order_is_put_once(void **state)
{
    struct kit *kit = *state;
    int64_t seq = store_last_seq(kit->store);
    assert_int_equal(kit_order(kit, "WO-1", KIT_POOL, 10, "rack1", NULL), 0); /* the same body */
    assert_int_equal(store_last_seq(kit->store), seq);

    struct product *product = &kit->products[KIT_POOL];
    const struct product original = *product;
    static const struct {
        const char *id, *fixture, *lot;
        enum kit_product product;
        uint32_t quantity;
        bool is_other_version;
        int result;
    } rows[] = {
        {"WO-1", "rack1", NULL, KIT_POOL, 11, false, ERR_CONFLICT},  /* quantity */
        {"WO-1", "rack1", "L1", KIT_POOL, 10, false, ERR_CONFLICT},  /* lot */
        {"WO-1", "rack2", NULL, KIT_POOL, 10, false, ERR_CONFLICT},  /* fixture */
        {"WO-1", "rack1", NULL, KIT_BOUND, 10, false, ERR_CONFLICT}, /* product */
        {"WO-1", "rack1", NULL, KIT_POOL, 10, true, ERR_CONFLICT},   /* version */
        {"WO-2", "rack1", NULL, KIT_POOL, 10, false, ERR_CONFLICT},  /* the fixture is taken */
        {"WO-2", "rack2", NULL, KIT_POOL, 0, false, ERR_RANGE},
        {"", "rack2", NULL, KIT_POOL, 1, false, ERR_RANGE},
        {"WO-2", "rack2", NULL, KIT_POOL, 10, false, 0},
    };
    struct product changed = original;
    snprintf(changed.version, sizeof(changed.version), "sha256:changed");
    struct store_op op = {.kind = STORE_PRODUCT, .product = &changed};
    assert_int_equal(kit_run(kit, &op), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        *product = rows[i].is_other_version ? changed : original;
        int r = kit_order(kit, rows[i].id, rows[i].product, rows[i].quantity, rows[i].fixture, rows[i].lot);
        if (r != rows[i].result) {
            fail_msg("row %zu: %d and not %d", i, r, rows[i].result);
        }
    }
    *product = original;
}

static void an_unknown_product_has_no_orders(void **state)
{
    struct kit *kit = *state;
    snprintf(kit->products[KIT_FILES].version, sizeof(kit->products[KIT_FILES].version), "sha256:never");
    assert_int_equal(kit_order(kit, "WO-5", KIT_FILES, 1, "rack5", NULL), ERR_NOT_FOUND);
}

static void a_closed_order_frees_its_fixture_and_stays_closed(void **state)
{
    struct kit *kit = *state;
    struct store_op op = {.kind = STORE_ORDER_CLOSE, .named = {"WO-1", "anna", ""}};
    assert_int_equal(kit_run(kit, &op), 0);
    int64_t seq = store_last_seq(kit->store);
    assert_int_equal(kit_run(kit, &op), 0);
    assert_int_equal(kit_order(kit, "WO-1", KIT_POOL, 10, "rack1", NULL),
                     0); /* a late repeat opens nothing */
    assert_int_equal(store_last_seq(kit->store), seq);
    assert_string_equal(kit_query(kit, "SELECT state FROM work_order"), "closed");
    assert_int_equal(kit_order(kit, "WO-1", KIT_POOL, 12, "rack1", NULL), ERR_CONFLICT);
    assert_int_equal(kit_order(kit, "WO-2", KIT_POOL, 10, "rack1", NULL), 0);

    struct store_op unknown = {.kind = STORE_ORDER_CLOSE, .named = {.id = "WO-9"}};
    assert_int_equal(kit_run(kit, &unknown), ERR_NOT_FOUND);
}

/* A dry run says what would be, and the record does not move; a file's name and digest go on record. */
static void a_dry_run_leaves_no_trace(void **state)
{
    struct kit *kit = *state;
    struct store_op op;
    for (int again = 0; again < 2; again++) {
        int64_t seq = store_last_seq(kit->store);
        kit_bundle(kit, &op, "dry", KIT_POOL, NULL, NULL);
        op.import.is_dry_run = true;
        assert_int_equal(kit_run(kit, &op), 0);
        assert_int_equal(op.import.outcome, STORE_TAKEN);
        assert_int_equal(store_last_seq(kit->store), seq);
    }
    op.import.is_dry_run = false;
    assert_int_equal(kit_run(kit, &op), 0);
    assert_int_equal(op.import.outcome, STORE_TAKEN);
    op.import.is_dry_run = true;
    assert_int_equal(kit_run(kit, &op), 0);
    assert_int_equal(op.import.outcome, STORE_DUPLICATE);
}

static void a_file_goes_on_record(void **state)
{
    struct kit *kit = *state;
    int64_t seq = store_last_seq(kit->store);
    struct store_op op = {.kind = STORE_IMPORT_FILE,
                          .import_file = {.format = "csv", .taken = 2, .duplicate = 1, .refused = 3}};
    assert_int_equal(kit_run(kit, &op), ERR_RANGE);
    strcpy(op.import_file.name, "lot 7.csv");
    assert_int_equal(kit_run(kit, &op), 0);
    assert_int_equal(store_last_seq(kit->store), seq + 1);
    assert_int_equal(store_verify(kit->store, NULL), 0);
    assert_int_equal(store_rebuild(kit->store, NULL), 0);
}

static void delivered_secrets_go_on_record(void **state)
{
    struct kit *kit = *state;
    struct store_op op = {.kind = STORE_EXPORT,
                          .export_file = {.format = "claim",
                                          .boards = 2,
                                          .first = "351465800000002",
                                          .last = "351465800000010",
                                          .who = "kim"}};
    assert_int_equal(kit_run(kit, &op), 0);
    assert_string_equal(
        kit_query(kit, "SELECT data FROM event WHERE kind = 'secrets_exported'"),
        "{\"boards\":2,\"first\":\"351465800000002\",\"format\":\"claim\","
        "\"last\":\"351465800000010\",\"sha256\":"
        "\"0000000000000000000000000000000000000000000000000000000000000000\",\"who\":\"kim\"}");
    assert_int_equal(store_verify(kit->store, NULL), 0);
    assert_int_equal(store_rebuild(kit->store, NULL), 0);
}

/* Of three operations in one batch the second has changed something when it fails. */
static void one_that_fails_half_way_leaves_nothing_and_its_neighbours_alone(void **state)
{
    struct kit *kit = *state;
    assert_int_equal(kit_import(kit, "before", KIT_POOL, NULL, NULL), 0);
    char *sealed = strdup(kit_query(kit, "SELECT group_concat(hex(sealed)) FROM credential"));
    struct kit_half half;
    kit_half_done(&half);
    struct store_op ops[3] = {[1] = half.op};
    kit_bundle(kit, &ops[0], "first", KIT_POOL, NULL, NULL);
    kit_bundle(kit, &ops[2], "last", KIT_POOL, NULL, NULL);
    int64_t events = store_last_seq(kit->store);
    assert_int_equal(store_batch(kit->store, (struct store_op *[]){&ops[0], &ops[1], &ops[2]}, 3), 0);

    assert_int_equal(half.asked, 4); /* twice each time: the batch was run again */
    assert_int_equal(ops[0].result, 0);
    assert_int_equal(ops[0].import.outcome, STORE_TAKEN);
    assert_int_equal(ops[1].result, ERR_REFUSED);
    assert_non_null(strstr(ops[1].detail, "not this one"));
    assert_int_equal(ops[2].result, 0);
    assert_int_equal(ops[2].import.outcome, STORE_TAKEN);
    assert_int_equal(store_last_seq(kit->store), events + 2);
    assert_string_equal(
        kit_query(kit, "SELECT group_concat(hex(sealed)) FROM credential JOIN bundle ON no = bundle"
                       " WHERE id = 'before'"),
        sealed);
    assert_string_equal(kit_query(kit, "SELECT count(*) FROM meta WHERE key = 'wrapping_key'"), "0");
    free(sealed);
    kit_check(kit);
}

/* A mixed batch that has run, and what it left. */
struct run {
    struct mixed all;
    char *rows;
    char chain[2 * DIGEST_SIZE + 1];
};

/* Runs them in one batch; with `at` below their number, one that fails half-way stands before that one. */
static void run_mixed(struct run *run, size_t at)
{
    struct mixed *m = &run->all;
    struct kit *kit = &m->kit;
    mixed_make(m, 1);
    struct kit_half half;
    kit_half_done(&half);
    struct store_op *ops[MIXED_OPS + 1];
    size_t n = 0;
    for (size_t i = 0; i <= MIXED_OPS; i++) {
        if (i == at) {
            ops[n++] = &half.op;
        }
        if (i < MIXED_OPS) {
            ops[n++] = &m->ops[i];
        }
    }
    kit->wall_ms += 7;
    assert_int_equal(store_batch(kit->store, ops, n), 0);
    assert_int_equal(half.asked, at <= MIXED_OPS ? 4 : 0);
    run->rows = kit_dump(kit);
    (void)snprintf(run->chain, sizeof(run->chain), "%s",
                   kit_query(kit, "SELECT hex(hash) FROM event ORDER BY seq DESC LIMIT 1"));
    kit_check(kit);
    kit_done(kit);
}

static void expect_same_message(const struct ledger_msg *a, const struct ledger_msg *b)
{
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->reason, b->reason);
    assert_string_equal(a->detail, b->detail);
    assert_string_equal(a->bundle, b->bundle);
    assert_int_equal(a->bundle_state, b->bundle_state);
    assert_int_equal(a->n_entries, b->n_entries);
    assert_memory_equal(a->entries, b->entries, a->n_entries * sizeof(a->entries[0]));
    assert_int_equal(a->content_len, b->content_len);
    assert_memory_equal(a->content, b->content, a->content_len);
}

/* What the first run left in an operation, in its message or in the store does not show after the second. */
static void a_batch_that_is_run_again_says_what_it_would_have_said(void **state)
{
    static struct run plain, again;
    (void)state;
    run_mixed(&plain, SIZE_MAX);
    assert_int_equal(plain.all.ops[0].import.outcome, STORE_DUPLICATE);
    assert_int_equal(plain.all.jobs[1].msg.status, LEDGER_OK);
    assert_int_equal(plain.all.jobs[2].msg.status, LEDGER_NO);
    assert_int_equal(plain.all.ops[8].ended, 2);
    for (size_t at = 0; at <= MIXED_OPS; at++) {
        run_mixed(&again, at);
        for (size_t i = 0; i < MIXED_OPS; i++) {
            assert_int_equal(again.all.ops[i].result, plain.all.ops[i].result);
            assert_int_equal(again.all.ops[i].reason, plain.all.ops[i].reason);
            assert_string_equal(again.all.ops[i].detail, plain.all.ops[i].detail);
        }
        assert_int_equal(again.all.ops[0].import.outcome, plain.all.ops[0].import.outcome);
        assert_int_equal(again.all.ops[1].import.outcome, plain.all.ops[1].import.outcome);
        assert_int_equal(again.all.ops[2].order_put.outcome, plain.all.ops[2].order_put.outcome);
        assert_int_equal(again.all.ops[8].ended, plain.all.ops[8].ended);
        for (size_t i = 1; i <= 4; i++) {
            expect_same_message(&again.all.jobs[i].msg, &plain.all.jobs[i].msg);
        }
        assert_string_equal(again.rows, plain.rows);
        assert_string_equal(again.chain, plain.chain);
        free(again.rows);
    }
    free(plain.rows);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_import_is_taken_once),
        CASE(a_dry_run_leaves_no_trace),
        CASE(a_file_goes_on_record),
        CASE(delivered_secrets_go_on_record),
        CASE(stock_counts_itself),
        CASE(one_that_fails_half_way_leaves_nothing_and_its_neighbours_alone),
        cmocka_unit_test(a_batch_that_is_run_again_says_what_it_would_have_said),
        CASE(only_what_never_left_becomes_free_again),
        CASE(retiring_needs_a_reason_and_no_job),
        CASE(an_order_is_put_once),
        CASE(an_unknown_product_has_no_orders),
        CASE(a_closed_order_frees_its_fixture_and_stays_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
