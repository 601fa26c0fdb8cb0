/*
 * Products with native TLS against Serial LTE Modem: written by AT#XCMNG, proven where the modem lists it,
 * and what becomes of boards that cannot take it. No failure of AT#XCMNG has a reason, so what the job makes
 * of one is shown for every cause that the simulator knows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "job/place.h"
#include "support/rigcheck.h"

#define CA_PLACE   (RIG_TAG * 10)
#define KEY_PLACE  (RIG_TAG * 10 + 2)
#define NOBODYS    (RIG_TAG * 10 + 4) /* a pre-shared key's identity, which the product has not */
#define CERT_WORDS "«client_cert 1188 octets»"

/* ---- places */

static void test_places(void **state)
{
    (void)state;
    static const struct {
        uint32_t sec_tag, type, listed;
    } rows[] = {{321, 0, 3210},
                {321, 2, 3212},
                {RIG_TAG, 1, 168427531},
                {0, 4, 4},
                {PLACE_NATIVE_TAG_MAX, 4, 2147483644u}};
    const struct product native = {.native_tls = true}, plain = {.native_tls = false};
    struct place origin;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct place at = place_of(&native, rows[i].sec_tag, rows[i].type);
        assert_int_equal(at.sec_tag, rows[i].listed);
        assert_int_equal(at.type, 0);
        assert_true(place_origin(&native, at, &origin));
        assert_int_equal(origin.sec_tag, rows[i].sec_tag);
        assert_int_equal(origin.type, rows[i].type);
        at = place_of(&plain, rows[i].sec_tag, rows[i].type);
        assert_int_equal(at.sec_tag, rows[i].sec_tag);
        assert_int_equal(at.type, rows[i].type);
    }
    static const struct place nobodys[] = {{3215, 0}, {3219, 0}, {3212, 2}, {RIG_TAG, 2}, {4294967293u, 0}};
    for (size_t i = 0; i < sizeof(nobodys) / sizeof(nobodys[0]); i++) {
        assert_false(place_origin(&native, nobodys[i], &origin));
        assert_true(place_origin(&plain, nobodys[i], &origin));
    }
}

/* ---- boards that pass */

static void test_passes(void **state)
{
    (void)state;
    static const struct {
        enum sim_family family;
        bool is_fresh;
        enum product_proof proof;
        enum reason reason;
    } cases[] = {
        {SIM_F1_3B, true, PROOF_DIGEST, REASON_ok},
        {SIM_F1_3B, false, PROOF_DIGEST, REASON_ok},
        {SIM_F2A, true, PROOF_DIGEST, REASON_ok},
        {SIM_F1_3A, true, PROOF_PRESENCE, REASON_presence_only},
        {SIM_F1, false, PROOF_PRESENCE, REASON_presence_only},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rig rig;
        rig_init_native(&rig, cases[i].family);
        rig.product.proof = cases[i].proof;
        rig_provision(&rig, cases[i].is_fresh);
        assert_verdict(&rig, OUTCOME_PASS, cases[i].reason);
        assert_true(rig_board_is_right(&rig));
        assert_int_equal(simboard_entry_count(rig.board), 3);
        assert_int_equal(rig.exposes, 1);
        assert_int_equal(rig.exposed_at_write, 0);
        assert_int_equal(rig_writes(&rig, CRED_PRIVATE_KEY), 1);
        assert_says(&rig, "> AT#XCMNG=0,16842753,1,\"" CERT_WORDS "\"");
        assert_null(strstr(rig.dialogue, "AT%CMNG=0"));

        rig.records = 0;
        rig_provision(&rig, false);
        assert_verdict(&rig, OUTCOME_PASS,
                       cases[i].proof == PROOF_DIGEST ? REASON_already_right : REASON_presence_only);
        assert_int_equal(count_words(rig.dialogue, "> AT%CMNG"), 1);
        assert_null(strstr(rig.dialogue, "#XCMNG"));
        rig_done(&rig);
    }
}

/* The record speaks of the product's tags, and the proof is the modem's. */
static void test_record(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_native(&rig, SIM_F1_3B);
    rig_provision(&rig, true);
    assert_verdict(&rig, OUTCOME_PASS, REASON_ok);
    assert_int_equal(rig.recorded.proof, ENTRY_DIGEST);
    assert_int_equal(rig.recorded.n_entries, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(rig.recorded.entries[i].sec_tag, RIG_TAG);
        assert_int_equal(rig.recorded.entries[i].type, i);
        assert_int_equal(rig.recorded.entries[i].proof, ENTRY_DIGEST);
    }
    assert_says(&rig, "%CMNG: 168427532,0,\"");
    rig_done(&rig);
}

/* ---- what stands there already */

/* A key of %KEYGEN under the same tag is another thing and stays; what AT#XCMNG put under the product's tag
 * and is none of it goes, in its own words. */
static void test_entries_there(void **state)
{
    (void)state;
    struct rig rig;
    struct simboard_entry e;
    rig_init_native(&rig, SIM_F1_3B);
    assert_int_equal(simboard_entry_put(rig.board, RIG_TAG, 2, "made on the board", 17), 0);
    assert_int_equal(simboard_entry_put(rig.board, 7, 0, "another's", 9), 0);
    assert_int_equal(simboard_entry_put(rig.board, NOBODYS, 0, "old identity", 12), 0);
    assert_int_equal(simboard_entry_put(rig.board, NOBODYS, 4, "the modem's own way", 19), 0);
    assert_int_equal(simboard_entry_put(rig.board, CA_PLACE, 0, "old CA", 6), 0);
    rig_provision(&rig, true);
    assert_verdict(&rig, OUTCOME_PASS, REASON_ok);
    assert_true(rig_board_is_right(&rig));
    assert_true(simboard_entry_find(rig.board, RIG_TAG, 2, &e));
    assert_true(simboard_entry_find(rig.board, 7, 0, &e));
    assert_true(simboard_entry_find(rig.board, NOBODYS, 4, &e));
    assert_false(simboard_entry_find(rig.board, NOBODYS, 0, &e));
    assert_says(&rig, "> AT#XCMNG=3,16842753,4\n");
    assert_null(strstr(rig.dialogue, "AT%CMNG=3"));
    rig_done(&rig);
}

static void test_policy_for_entries_there(void **state)
{
    (void)state;
    static const struct {
        uint32_t listed;
        enum product_on_existing policy;
        enum reason reason;
    } cases[] = {
        {NOBODYS, EXISTING_REFUSE, REASON_foreign_entry},
        {CA_PLACE, EXISTING_REFUSE, REASON_foreign_entry},
        {KEY_PLACE, EXISTING_REPLACE, REASON_foreign_key}, /* when the product has no key there */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rig rig;
        rig_init_native(&rig, SIM_F1_3B);
        rig.product.on_existing = cases[i].policy;
        if (cases[i].reason == REASON_foreign_key) {
            rig.product.n_entries = 2;
        }
        assert_int_equal(simboard_entry_put(rig.board, cases[i].listed, 0, "whose is this", 13), 0);
        rig_provision(&rig, true);
        assert_verdict(&rig, OUTCOME_FAIL, cases[i].reason);
        assert_int_equal(rig.exposes, 0);
        assert_int_equal(simboard_wear_count(rig.board), 0);
        rig_done(&rig);
    }
}

/* More rows than Serial LTE Modem has room for in an answer: each place is asked for by itself. */
static void test_long_list(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_native(&rig, SIM_F1_3B);
    for (uint32_t i = 0; i < 52; i++) {
        assert_int_equal(simboard_entry_put(rig.board, 90000000 + i, 4, "another's", 9), 0);
    }
    assert_int_equal(simboard_entry_put(rig.board, NOBODYS, 0, "old identity", 12), 0);
    rig_provision(&rig, true);
    assert_verdict(&rig, OUTCOME_PASS, REASON_ok);
    assert_true(rig_board_is_right(&rig));
    assert_int_equal(simboard_entry_count(rig.board), 55);
    assert_says(&rig, "> AT%CMNG=1,168427530,0\n");
    assert_says(&rig, "> AT%CMNG=1,168427534,0\n");
    rig_done(&rig);
}

/* ---- boards that cannot take it */

static void test_other_firmware(void **state)
{
    (void)state;
    static const struct {
        enum sim_front front;
        enum sim_terminator term;
        enum sim_family family;
        enum reason reason;
        uint32_t claims;
    } cases[] = {
        {SIM_FRONT_AT_HOST, SIM_TERM_CR, SIM_F1_3B, REASON_wrong_front_end, 1},
        {SIM_FRONT_SERIAL_MODEM, SIM_TERM_CR, SIM_F1_3B, REASON_wrong_front_end, 1},
        {SIM_FRONT_SLM, SIM_TERM_CRLF, SIM_F1_3B, REASON_wrong_front_end, 1},
        {SIM_FRONT_SHELL, SIM_TERM_CR, SIM_F1_3B, REASON_wrong_front_end, 0},
        {SIM_FRONT_CERTLINE, SIM_TERM_CR, SIM_F1_3B, REASON_wrong_front_end, 0},
        {SIM_FRONT_SLM_TLS, SIM_TERM_CRLF, SIM_F2B, REASON_firmware_not_allowed, 0},
        {SIM_FRONT_SLM_TLS, SIM_TERM_CRLF, SIM_FN, REASON_firmware_not_allowed, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct simboard_config config = SIMBOARD_CONFIG_DEFAULT;
        config.front = cases[i].front;
        config.term = cases[i].term;
        config.family = cases[i].family;
        struct rig rig;
        rig_init_board(&rig, &config);
        rig.product.native_tls = true;
        rig_provision(&rig, true);
        assert_verdict(&rig, OUTCOME_FAIL, cases[i].reason);
        assert_int_equal(rig.job.verdict.fault, FAULT_BOARD);
        assert_int_equal(rig.claims, cases[i].claims);
        assert_int_equal(rig.exposes, 0); /* the bundle can still be given to another board */
        assert_int_equal(simboard_entry_count(rig.board), 0);
        rig_done(&rig);
    }
}

/* What native TLS could store and would never load. */
static void test_too_much_for_a_tag(void **state)
{
    (void)state;
    static char longer[4000];
    for (size_t over = 0; over <= 1; over++) {
        struct rig rig;
        rig_init_native(&rig, SIM_F1_3B);
        size_t rest =
            PLACE_NATIVE_ROOM + over - 3 - rig.product.entries[0].content.len - strlen(rig.contents[1]);
        memset(longer, 'k', rest);
        longer[rest] = '\0';
        rig.contents[2] = longer;
        rig_provision(&rig, true);
        assert_verdict(&rig, over ? OUTCOME_FAIL : OUTCOME_PASS, over ? REASON_too_long : REASON_ok);
        assert_int_equal(rig.job.verdict.fault, over ? FAULT_CREDENTIAL : FAULT_NONE);
        assert_int_equal(rig.exposes, !over);
        rig_done(&rig);
    }
}

/* ---- faults */

static void test_faults(void **state)
{
    (void)state;
    static const struct {
        const char *fault;
        enum outcome outcome;
        enum fault whose;
        enum reason reason;
        bool is_right;
    } cases[] = {
        {"lost_reply@write", OUTCOME_PASS, FAULT_NONE, REASON_ok, true},
        {"lost_reply@command:14", OUTCOME_PASS, FAULT_NONE, REASON_ok, true},
        {"hang@write", OUTCOME_FAIL, FAULT_BOARD, REASON_no_answer, false},
        {"stored_wrong:1", OUTCOME_FAIL, FAULT_BOARD, REASON_digest_mismatch, false},
        {"memory_full", OUTCOME_FAIL, FAULT_BOARD, REASON_wrong_front_end, false},
        {"supply_low", OUTCOME_FAIL, FAULT_FIXTURE, REASON_supply_low, false},
        {"active", OUTCOME_PASS, FAULT_NONE, REASON_ok, true},
        {"stray_entry:168427533.0", OUTCOME_PASS, FAULT_NONE, REASON_ok, true},
        {"stray_entry:16842753.2", OUTCOME_PASS, FAULT_NONE, REASON_ok, true},
        {"urc:1", OUTCOME_PASS, FAULT_NONE, REASON_ok, true},
        {"reboot@command:1", OUTCOME_PASS, FAULT_NONE, REASON_ok, true},
        {"reboot@command:11", OUTCOME_PASS, FAULT_NONE, REASON_ok, true},
        {"reboot@command:13", OUTCOME_PASS, FAULT_NONE, REASON_ok, true},
        {"unplug@byte:700", OUTCOME_LOST, FAULT_OPERATOR, REASON_unplugged, false},
        {"newline:crlf", OUTCOME_FAIL, FAULT_BOARD, REASON_digest_mismatch, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rig rig;
        rig_init_native(&rig, SIM_F1_3B);
        assert_int_equal(simboard_add_fault(rig.board, cases[i].fault, NULL, 0), 0);
        print_message("fault %s\n", cases[i].fault);
        rig_provision(&rig, true);
        assert_verdict(&rig, cases[i].outcome, cases[i].reason);
        assert_int_equal(rig.job.verdict.fault, cases[i].whose);
        assert_int_equal(rig_board_is_right(&rig), cases[i].is_right);
        assert_in_range(rig_writes(&rig, CRED_PRIVATE_KEY), 0, 2);
        rig_done(&rig);
    }
}

/* 515 behind AT#XCMNG: the others went in, so it is not the build. */
static void test_memory_that_fills(void **state)
{
    (void)state;
    struct simboard_config config = SIMBOARD_CONFIG_DEFAULT;
    config.family = SIM_F1_3B;
    config.front = SIM_FRONT_SLM_TLS;
    config.term = SIM_TERM_CRLF;
    config.store_size = 2 * 1188 + 100;
    struct rig rig;
    rig_init_board(&rig, &config);
    rig.product.native_tls = true;
    rig_provision(&rig, true);
    assert_verdict(&rig, OUTCOME_FAIL, REASON_memory_full);
    assert_non_null(strstr(rig.job.verdict.detail, "write_private_key: AT#XCMNG: ERROR"));
    rig_done(&rig);
}

/* The warning that stayed latched has no number here, and is cleared all the same. */
static void test_latched_warning(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_native(&rig, SIM_F1_3B);
    assert_int_equal(simboard_add_fault(rig.board, "supply_low", NULL, 0), 0);
    simboard_clear_faults(rig.board);
    rig_provision(&rig, true);
    assert_verdict(&rig, OUTCOME_PASS, REASON_ok);
    assert_says(&rig, "> AT%XPOFWARN=1,30\n");
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_passes),
        cmocka_unit_test(test_record),
        cmocka_unit_test(test_entries_there),
        cmocka_unit_test(test_policy_for_entries_there),
        cmocka_unit_test(test_long_list),
        cmocka_unit_test(test_other_firmware),
        cmocka_unit_test(test_too_much_for_a_tag),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_memory_that_fills),
        cmocka_unit_test(test_latched_warning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
