/* Keys made on the board: every line about them in the tables of job/rows_key.c, against the simulated modem.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "job/plan.h"
#include "pki/attest.h"
#include "support/rigcheck.h"

static void fault(struct rig *rig, const char *spec)
{
    char why[SIM_FAULT_WHY];
    if (simboard_add_fault(rig->board, spec, why, sizeof(why)) < 0) {
        fail_msg("%s: %s", spec, why);
    }
}

static uint32_t keys_made(const struct rig *rig)
{
    return simboard_nvm_writes(rig->board, RIG_TAG, CRED_PRIVATE_KEY);
}

static uint32_t certs_written(const struct rig *rig)
{
    return simboard_nvm_writes(rig->board, RIG_TAG, CRED_CLIENT_CERT);
}

static void again(struct rig *rig)
{
    rig->records = 0;
    simboard_clear_faults(rig->board);
}

static void test_every_family(void **state)
{
    (void)state;
    static const enum sim_family families[] = {SIM_F1_3B, SIM_F2A, SIM_F2B, SIM_FN};
    for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++) {
        struct rig rig;
        rig_init_keygen(&rig, families[i]);
        rig_provision(&rig, true);
        assert_verdict(&rig, OUTCOME_PASS, REASON_ok);
        assert_true(rig_key_is_right(&rig));
        assert_int_equal(rig.intents, 1);
        assert_int_equal(rig.issues, 1);
        assert_int_equal(rig.exposes, 1);
        assert_int_equal(keys_made(&rig), 1);
        assert_int_equal(certs_written(&rig), 1);
        assert_int_equal(rig.recorded.bundle_effect, BUNDLE_INSTALLED);
        assert_int_equal(rig.recorded.proof, ENTRY_DIGEST);
        assert_int_equal(strlen(rig.recorded.uuid), UUID_SIZE - 1);

        /* And once more: nothing is done. */
        again(&rig);
        rig_provision(&rig, true);
        assert_verdict(&rig, OUTCOME_PASS, REASON_already_right);
        assert_int_equal(keys_made(&rig), 1);
        assert_int_equal(rig.issues, 1);
        rig_done(&rig);
    }
}

static void test_old_families_are_not_let_in(void **state)
{
    (void)state;
    static const enum sim_family families[] = {SIM_F0, SIM_F1, SIM_F1_3A};
    for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++) {
        struct rig rig;
        rig_init_keygen(&rig, families[i]);
        rig_provision(&rig, true);
        assert_verdict(&rig, OUTCOME_FAIL, REASON_firmware_not_allowed);
        assert_int_equal(keys_made(&rig), 0);
        rig_done(&rig);
    }
}

static void test_attributes(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_keygen(&rig, SIM_F2B);
    snprintf(rig.product.attributes, sizeof(rig.product.attributes), "O=Acme,C=no");
    rig_provision(&rig, true);
    assert_verdict(&rig, OUTCOME_PASS, REASON_ok);
    assert_non_null(strstr(rig.dialogue, "AT%KEYGEN=16842753,2,0,\"O=Acme,C=no\""));
    rig_done(&rig);
}

static void test_possession(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_keygen(&rig, SIM_F2B);
    rig.product.possession = true;
    rig_provision(&rig, true);
    assert_verdict(&rig, OUTCOME_PASS, REASON_ok);
    assert_int_equal(rig.recorded.entries[2].proof, ENTRY_POSSESSION);
    assert_int_equal(rig.recorded.entries[1].proof, ENTRY_DIGEST);
    assert_null(strstr(rig.dialogue, "%JWT: ")); /* a token is worth something */
    assert_non_null(strstr(rig.dialogue, "AT%JWT=0,0,"));
    again(&rig);
    rig_provision(&rig, true);
    assert_verdict(&rig, OUTCOME_PASS, REASON_already_right);
    assert_int_equal(rig.recorded.entries[2].proof, ENTRY_POSSESSION);

    again(&rig);
    fault(&rig, "no_tokens");
    rig_provision(&rig, true);
    assert_verdict(&rig, OUTCOME_FAIL, REASON_possession_failed);
    rig_done(&rig);
}

/* Sealed on its way to the record, and in no dialogue; a board that gives none passes all the same. */
static void test_attestation(void **state)
{
    (void)state;
    static const struct {
        enum sim_family family;
        bool has_token;
    } rows[] = {{SIM_F2B, true}, {SIM_F2A, true}, {SIM_F1_3B, false}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct rig rig;
        char token[LEDGER_TOKEN_SIZE];
        struct attest attest;
        rig_init_keygen(&rig, rows[i].family);
        rig.product.attestation = true;
        rig_provision(&rig, true);
        assert_verdict(&rig, OUTCOME_PASS, REASON_ok);
        assert_null(strstr(rig.dialogue, "%ATTESTTOKEN: "));
        assert_null(strstr(rig.dialogue, "2dn3hQFQ")); /* what every token begins with */
        assert_int_equal(rig.recorded.token_len > 0, rows[i].has_token);
        if (rows[i].has_token) {
            struct span sealed = span_of((const char *)rig.recorded.token, rig.recorded.token_len);
            int64_t len = keys_open_token(rig.keys, rig.recorded.imei, sealed, token, sizeof(token), NULL);
            assert_true(len > 0);
            assert_int_equal(attest_parse(span_of(token, (size_t)len), rig.recorded.uuid, &attest, NULL), 0);
            assert_int_equal(keys_open_token(rig.keys, "351465800000010", sealed, token, sizeof(token), NULL),
                             ERR_CORRUPT);
        }
        rig_done(&rig);
    }
}

/* A key that nobody at this station had made is never deleted, whatever the product says of other entries. */
static void test_foreign_key(void **state)
{
    (void)state;
    static const char content[] = "-----BEGIN PRIVATE KEY-----\nsomebody's\n-----END PRIVATE KEY-----\n";
    static const enum product_on_existing policies[] = {EXISTING_REPLACE, EXISTING_KEEP_EQUAL,
                                                        EXISTING_REFUSE};
    for (size_t i = 0; i < 3; i++) {
        struct rig rig;
        rig_init_keygen(&rig, SIM_F2B);
        rig.product.on_existing = policies[i];
        simboard_entry_put(rig.board, RIG_TAG, CRED_PRIVATE_KEY, content, sizeof(content) - 1);
        rig_provision(&rig, true);
        assert_verdict(&rig, OUTCOME_FAIL, REASON_foreign_key);
        struct simboard_entry e;
        assert_true(simboard_entry_find(rig.board, RIG_TAG, CRED_PRIVATE_KEY, &e));
        assert_memory_equal(e.content, content, e.len);
        assert_int_equal(rig.intents, 0);
        rig_done(&rig);
    }
}

/* Lost or damaged, the request is gone: the key is deleted and made again, twice in all. */
static void test_lost_request(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_keygen(&rig, SIM_F2B);
    fault(&rig, "lost_reply@keygen");
    rig_provision(&rig, true);
    assert_verdict(&rig, OUTCOME_FAIL, REASON_keygen_failed);
    assert_int_equal(keys_made(&rig), 2);
    assert_int_equal(rig.issues, 0);

    /* The next job finds our orphan, and knows it. */
    again(&rig);
    rig_provision(&rig, false);
    assert_verdict(&rig, OUTCOME_PASS, REASON_ok);
    assert_true(rig_key_is_right(&rig));
    assert_int_equal(keys_made(&rig), 3);
    assert_int_equal(rig.issues, 1);
    rig_done(&rig);
}

static void test_generation_fails(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_keygen(&rig, SIM_F2B);
    fault(&rig, "keygen_failed:1");
    rig_provision(&rig, true);
    assert_verdict(&rig, OUTCOME_FAIL, REASON_keygen_failed);
    assert_int_equal(keys_made(&rig), 0);
    again(&rig);
    rig_provision(&rig, true);
    assert_verdict(&rig, OUTCOME_PASS, REASON_ok);
    rig_done(&rig);
}

static void test_hung(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_keygen(&rig, SIM_F2B);
    fault(&rig, "hang@keygen");
    rig_provision(&rig, true);
    assert_verdict(&rig, OUTCOME_FAIL, REASON_no_answer);
    rig_done(&rig);
}

/* Runs a job until a message of this kind has been answered; then the daemon dies and another one begins. */
static void crash_after(struct rig *rig, enum ledger_kind kind)
{
    rig_start(rig, true);
    while (!(rig->out && rig->out->kind == kind)) {
        assert_true(rig_step(rig));
    }
    while (rig->out && rig->out->kind == kind) {
        assert_true(rig_step(rig));
    }
    rig->out = NULL; /* the next message dies with its daemon */
    rig->answer_us = INT64_MAX;
    simboard_port_close(rig->board, rig->now_us);
    simboard_port_open(rig->board, rig->now_us);
    rig->job = (struct job){0};
    job_init(&rig->job, &rig->memory);
    rig->records = 0;
}

static void test_crashes(void **state)
{
    (void)state;
    static const struct {
        enum ledger_kind kind;
        uint32_t keys, issues;
    } cases[] = {
        {LEDGER_CLAIM, 1, 1},  {LEDGER_INTEND, 2, 1}, /* the command was on its way */ {LEDGER_CSR, 2, 1},
        {LEDGER_SIGN, 2, 1},   {LEDGER_ISSUE, 1, 1}, /* the same certificate is written */
        {LEDGER_EXPOSE, 1, 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct rig rig;
        rig_init_keygen(&rig, SIM_F2B);
        crash_after(&rig, cases[i].kind);
        rig_provision(&rig, false);
        assert_verdict(&rig, OUTCOME_PASS, REASON_ok);
        assert_true(rig_key_is_right(&rig));
        if (keys_made(&rig) != cases[i].keys || rig.issues != cases[i].issues) {
            fail_msg("case %zu: %u keys, %u certificates", i, keys_made(&rig), rig.issues);
        }
        assert_in_range(certs_written(&rig), 1, 2);
        rig_done(&rig);
    }
}

/* The board lost its key before it ever passed: another key, another certificate. One that passed fails. */
static void test_lost_key(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_keygen(&rig, SIM_F2B);
    crash_after(&rig, LEDGER_ISSUE);
    int64_t now = rig.now_us;
    struct simboard_config config = *simboard_info(rig.board).config;
    simboard_free(rig.board);
    config.seed = 77; /* another modem's random numbers: its first key is another one */
    rig.board = simboard_new(&config);
    simboard_run(rig.board, now);
    simboard_port_open(rig.board, now);
    rig_provision(&rig, false);
    assert_verdict(&rig, OUTCOME_PASS, REASON_ok);
    assert_int_equal(rig.issues, 2);
    assert_true(rig_key_is_right(&rig));

    simboard_free(rig.board);
    rig.board = simboard_new(&config);
    simboard_run(rig.board, rig.now_us);
    simboard_port_open(rig.board, rig.now_us);
    again(&rig);
    rig_provision(&rig, false);
    assert_verdict(&rig, OUTCOME_FAIL, REASON_digest_mismatch);
    assert_int_equal(rig.issues, 2);
    rig_done(&rig);
}

/* Somebody made another key under the tag since. */
static void test_other_key(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_keygen(&rig, SIM_F2B);
    crash_after(&rig, LEDGER_ISSUE);
    static const char content[] = "-----BEGIN PRIVATE KEY-----\nanother\n-----END PRIVATE KEY-----\n";
    simboard_entry_put(rig.board, RIG_TAG, CRED_PRIVATE_KEY, content, sizeof(content) - 1);
    rig_provision(&rig, false);
    assert_verdict(&rig, OUTCOME_FAIL, REASON_foreign_key);
    assert_int_equal(rig.issues, 1);
    assert_int_equal(certs_written(&rig), 0);
    rig_done(&rig);
}

/* What the station itself refuses is no board's fault. */
static void test_station_refuses(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_keygen(&rig, SIM_F2B);
    issuer_free(rig.issuer);
    rig.issuer = issuer_new(&(struct issuer_config){
        .why = "the passphrase does not open the key", .keys = rig.keys, .clock = &rig.clock});
    rig_provision(&rig, true);
    assert_verdict(&rig, OUTCOME_ERROR, REASON_signer_failed);
    assert_non_null(strstr(rig.job.verdict.detail, "passphrase"));

    again(&rig);
    issuer_free(rig.issuer);
    rig.issuer = issuer_new(&(struct issuer_config){.signer = rig.signer,
                                                    .keys = rig.keys,
                                                    .clock = &rig.clock,
                                                    .last_wall_ms = INT64_C(1895000000000),
                                                    .validity_days = 365});
    rig_provision(&rig, true);
    assert_verdict(&rig, OUTCOME_ERROR, REASON_clock_wrong);
    rig_done(&rig);
}

/* A wall clock that somebody sets while the station runs, forwards or back; what a time server corrects is
 * none. */
static int64_t wall_offset_ms;
static int64_t (*wall_of_rig)(const struct clock *);

static int64_t set_wall_ms(const struct clock *clock)
{
    return wall_of_rig(clock) + wall_offset_ms;
}

static void test_clock_jumps(void **state)
{
    (void)state;
    static const struct {
        int64_t offset_ms;
        enum outcome outcome;
        enum reason reason;
    } rows[] = {
        {30000, OUTCOME_PASS, REASON_ok},
        {-30000, OUTCOME_PASS, REASON_ok},
        {INT64_C(3600000), OUTCOME_ERROR, REASON_clock_wrong},
        {INT64_C(-3600000), OUTCOME_ERROR, REASON_clock_wrong},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct rig rig;
        rig_init_keygen(&rig, SIM_F2B);
        wall_of_rig = rig.clock.wall_ms;
        wall_offset_ms = 0;
        rig.clock.wall_ms = set_wall_ms;
        issuer_free(rig.issuer);
        rig.issuer = issuer_new(&(struct issuer_config){
            .signer = rig.signer, .keys = rig.keys, .clock = &rig.clock, .validity_days = 365});
        wall_offset_ms = rows[i].offset_ms;
        rig_provision(&rig, true);
        assert_verdict(&rig, rows[i].outcome, rows[i].reason);
        assert_int_equal(certs_written(&rig), rows[i].outcome == OUTCOME_PASS);
        rig_done(&rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_family),
        cmocka_unit_test(test_old_families_are_not_let_in),
        cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_possession),
        cmocka_unit_test(test_attestation),
        cmocka_unit_test(test_foreign_key),
        cmocka_unit_test(test_lost_request),
        cmocka_unit_test(test_generation_fails),
        cmocka_unit_test(test_hung),
        cmocka_unit_test(test_crashes),
        cmocka_unit_test(test_lost_key),
        cmocka_unit_test(test_other_key),
        cmocka_unit_test(test_station_refuses),
        cmocka_unit_test(test_clock_jumps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
