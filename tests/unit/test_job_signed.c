/*
 * Products that sign their commands: the simulated modem checks the signatures, the real issuer makes them.
 * Whatever is wrong with keys, the right verdict stands and nothing of a bundle was spent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "job/check.h"
#include "support/rigcheck.h"

#define PUBLIC_KEY 5
#define OTHER_KEY                                                                                            \
    "-----BEGIN PUBLIC KEY-----\n"                                                                           \
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE0hFbFkKzORGXw5UCyFV6McEsQlH/\n"                                     \
    "SA+5OPTg5ff1DwQDj9LQJJ4dkcgdGI46bVho3YU7RQTVc9LojyUFNHNEew==\n"                                         \
    "-----END PUBLIC KEY-----\n"

static void put_public_key(struct rig *rig, const char *pem, uint32_t sec_tag)
{
    assert_int_equal(simboard_entry_put(rig->board, sec_tag, PUBLIC_KEY, pem, strlen(pem)), 0);
}

static const char *our_public_key(const struct rig *rig)
{
    static char pem[SIGNER_PUBLIC_SIZE];
    assert_int_equal(signer_public_pem(rig->signer, pem, NULL), 0);
    return pem;
}

/* Nothing but signed commands changed anything. */
static void assert_all_signed(const struct rig *rig)
{
    assert_null(strstr(rig->dialogue, "> AT%CMNG=0"));
    assert_null(strstr(rig->dialogue, "> AT%CMNG=3,16842753"));
    assert_int_equal(count_words(rig->dialogue, ",\"«cut 96 octets»\";%CMNG"),
                     count_words(rig->dialogue, "AT%XSUDO="));
}

/* ---- boards that pass */

static void test_passes(void **state)
{
    (void)state;
    static const struct {
        enum sim_family family;
        enum sim_front front;
        enum sim_terminator term;
        enum product_proof proof;
        enum reason reason;
    } cases[] = {
        {SIM_F2B, SIM_FRONT_AT_HOST, SIM_TERM_CR, PROOF_DIGEST, REASON_ok},
        {SIM_F1_3B, SIM_FRONT_AT_HOST, SIM_TERM_CR, PROOF_DIGEST, REASON_ok},
        {SIM_F2B, SIM_FRONT_SERIAL_MODEM, SIM_TERM_CR, PROOF_DIGEST, REASON_ok},
        {SIM_F1_3B, SIM_FRONT_SLM, SIM_TERM_CRLF, PROOF_DIGEST, REASON_ok},
        {SIM_F2B, SIM_FRONT_SHELL, SIM_TERM_CR, PROOF_DIGEST, REASON_ok},
        {SIM_F1, SIM_FRONT_AT_HOST, SIM_TERM_CR, PROOF_PRESENCE, REASON_presence_only},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rig rig;
        struct simboard_config config = SIMBOARD_CONFIG_DEFAULT;
        config.family = cases[i].family;
        config.front = cases[i].front;
        config.term = cases[i].term;
        rig_init_signed_board(&rig, &config);
        rig.product.proof = cases[i].proof;
        print_message("family %d, front end %d\n", (int)cases[i].family, (int)cases[i].front);
        rig_provision(&rig, true);
        assert_verdict(&rig, OUTCOME_PASS, cases[i].reason);
        assert_true(rig_board_is_right(&rig));
        assert_all_signed(&rig);
        assert_int_equal(count_words(rig.dialogue, "> AT%XPMNG=0"), 1);
        assert_int_equal(rig.exposed_at_write, 0);

        rig.records = 0;
        rig_provision(&rig, false);
        assert_int_equal(rig.job.verdict.outcome, OUTCOME_PASS);
        assert_int_equal(count_words(rig.dialogue, "XSUDO") + count_words(rig.dialogue, "XPMNG"), 0);
        rig_done(&rig);
    }
}

/* A board that has our key already, on one line or on several, keeps it. */
static void test_our_key_is_there(void **state)
{
    (void)state;
    for (int has_lines = 0; has_lines <= 1; has_lines++) {
        struct rig rig;
        char pem[SIGNER_PUBLIC_SIZE + 4];
        rig_init_signed(&rig, SIM_F2B);
        const char *key = our_public_key(&rig);
        snprintf(pem, sizeof(pem), has_lines ? "%.26s\r\n%s\n" : "%.26s%s", key, key + 26);
        put_public_key(&rig, pem, 4);
        rig_provision(&rig, true);
        assert_verdict(&rig, OUTCOME_PASS, REASON_ok);
        assert_all_signed(&rig);
        assert_null(strstr(rig.dialogue, "AT%XPMNG=0"));
        rig_done(&rig);
    }
}

/* Strays and entries that must be seen gone are deleted by signed commands. */
static void test_deletions_are_signed(void **state)
{
    (void)state;
    struct rig rig;
    struct simboard_entry e;
    rig_init_signed(&rig, SIM_F1);
    rig.product.proof = PROOF_PRESENCE;
    assert_int_equal(simboard_entry_put(rig.board, RIG_TAG, CRED_PSK_IDENTITY, "old", 3), 0);
    assert_int_equal(simboard_entry_put(rig.board, RIG_TAG, CRED_CA, "old", 3), 0);
    rig_provision(&rig, true);
    assert_verdict(&rig, OUTCOME_PASS, REASON_presence_only);
    assert_true(rig_board_is_right(&rig));
    assert_false(simboard_entry_find(rig.board, RIG_TAG, CRED_PSK_IDENTITY, &e));
    assert_all_signed(&rig);
    assert_says(&rig, ";%CMNG=3,16842753,4\n");
    assert_says(&rig, ";%CMNG=3,16842753,0\n");
    rig_done(&rig);
}

/* ---- another's key */

static void test_another_key(void **state)
{
    (void)state;
    static const uint32_t tags[] = {0, 4, 9};
    for (int replaces = 0; replaces <= 1; replaces++) {
        for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
            struct rig rig;
            rig_init_signed(&rig, SIM_F2B);
            rig.product.replaces_public_key = replaces;
            put_public_key(&rig, OTHER_KEY, tags[i]);
            rig_provision(&rig, true);
            assert_verdict(&rig, replaces ? OUTCOME_PASS : OUTCOME_FAIL,
                           replaces ? REASON_ok : REASON_authentication_failed);
            assert_int_equal(rig.exposes, replaces);
            assert_int_equal(rig_board_is_right(&rig), replaces);
            if (!replaces) {
                assert_int_equal(rig.job.verdict.fault, FAULT_BOARD);
                assert_int_equal(simboard_wear_count(rig.board), 0);
                assert_non_null(strstr(rig.job.verdict.detail, "another public key"));
            }
            rig_done(&rig);
        }
    }
}

/* The modem says that a key is there, by either number, and shows none. */
static void test_a_key_that_is_not_shown(void **state)
{
    (void)state;
    static const uint16_t codes[] = {519, 520};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        struct simboard_config config = SIMBOARD_CONFIG_DEFAULT;
        config.public_key_exists = codes[i];
        struct rig rig;
        rig_init_signed_board(&rig, &config);
        put_public_key(&rig, "", 3);
        rig_provision(&rig, true);
        assert_verdict(&rig, OUTCOME_FAIL, REASON_authentication_failed);
        assert_int_equal(rig.exposes, 0);
        rig_done(&rig);
    }
}

/* ---- our own trouble */

static void test_no_signer(void **state)
{
    (void)state;
    struct rig rig;
    rig_init_signed(&rig, SIM_F2B);
    issuer_free(rig.issuer);
    rig.issuer = issuer_new(&(struct issuer_config){.clock = &rig.clock, .why = "the token is not there"});
    rig_provision(&rig, true);
    assert_verdict(&rig, OUTCOME_ERROR, REASON_signer_failed);
    assert_non_null(strstr(rig.job.verdict.detail, "the token is not there"));
    assert_int_equal(rig.exposes, 0);
    assert_int_equal(simboard_wear_count(rig.board), 0);
    rig_done(&rig);
}

static void test_own_firmware_has_no_signatures(void **state)
{
    (void)state;
    struct simboard_config config = SIMBOARD_CONFIG_DEFAULT;
    config.front = SIM_FRONT_CERTLINE;
    struct rig rig;
    rig_init_signed_board(&rig, &config);
    rig_provision(&rig, true);
    assert_verdict(&rig, OUTCOME_FAIL, REASON_wrong_front_end);
    assert_int_equal(rig.claims, 0);
    rig_done(&rig);
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
    } cases[] = {
        {"lost_reply@write", OUTCOME_PASS, FAULT_NONE, REASON_ok},
        {"active", OUTCOME_PASS, FAULT_NONE, REASON_ok},
        {"memory_full", OUTCOME_FAIL, FAULT_BOARD, REASON_memory_full},
        {"supply_low", OUTCOME_FAIL, FAULT_FIXTURE, REASON_supply_low},
        {"urc:1", OUTCOME_PASS, FAULT_NONE, REASON_ok},
        {"reboot@command:14", OUTCOME_PASS, FAULT_NONE, REASON_ok},
        {"newline:crlf", OUTCOME_FAIL, FAULT_FIXTURE, REASON_bytes_lost}, /* not what was signed */
        {"stored_wrong:1", OUTCOME_FAIL, FAULT_BOARD, REASON_digest_mismatch},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rig rig;
        rig_init_signed(&rig, SIM_F2B);
        if (strcmp(cases[i].fault, "stored_wrong:1") == 0) {
            put_public_key(&rig, our_public_key(&rig), 0);
        }
        assert_int_equal(simboard_add_fault(rig.board, cases[i].fault, NULL, 0), 0);
        print_message("fault %s\n", cases[i].fault);
        rig_provision(&rig, true);
        assert_verdict(&rig, cases[i].outcome, cases[i].reason);
        assert_int_equal(rig.job.verdict.fault, cases[i].whose);
        assert_int_equal(rig_board_is_right(&rig), cases[i].outcome == OUTCOME_PASS);
        rig_done(&rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_passes),
        cmocka_unit_test(test_our_key_is_there),
        cmocka_unit_test(test_deletions_are_signed),
        cmocka_unit_test(test_another_key),
        cmocka_unit_test(test_a_key_that_is_not_shown),
        cmocka_unit_test(test_no_signer),
        cmocka_unit_test(test_own_firmware_has_no_signatures),
        cmocka_unit_test(test_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
