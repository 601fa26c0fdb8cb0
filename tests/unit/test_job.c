/* The job against the simulated board: what a person would see in the record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "job/contact.h"
#include "job/plan.h"
#include "support/rigcheck.h"

static void test_tables_are_sound(void **state)
{
    (void)state;
    const char *bad = plan_check();
    if (bad) {
        print_error("%s\n", bad);
    }
    assert_null(bad);
}

static void test_every_family_and_terminator(void **state)
{
    (void)state;
    static const struct {
        enum sim_family family;
        enum sim_terminator term;
        bool is_fresh;
        enum product_proof proof;
        enum reason reason;
    } cases[] = {
        {SIM_F2B, SIM_TERM_CR, true, PROOF_DIGEST, REASON_ok},
        {SIM_F2B, SIM_TERM_CR, false, PROOF_DIGEST, REASON_ok},
        {SIM_F2B, SIM_TERM_LF, true, PROOF_DIGEST, REASON_ok},
        {SIM_F2B, SIM_TERM_LF, false, PROOF_DIGEST, REASON_ok},
        {SIM_F2B, SIM_TERM_CRLF, true, PROOF_DIGEST, REASON_ok},
        {SIM_F2B, SIM_TERM_CRLF, false, PROOF_DIGEST, REASON_ok},
        {SIM_F2B, SIM_TERM_NUL, true, PROOF_DIGEST, REASON_ok},
        {SIM_F2B, SIM_TERM_NUL, false, PROOF_DIGEST, REASON_ok},
        {SIM_F2A, SIM_TERM_CR, true, PROOF_DIGEST, REASON_ok},
        {SIM_F1_3B, SIM_TERM_CR, true, PROOF_DIGEST, REASON_ok},
        {SIM_FN, SIM_TERM_CR, true, PROOF_DIGEST, REASON_ok},
        {SIM_F1, SIM_TERM_CR, true, PROOF_PRESENCE, REASON_presence_only},
        {SIM_F1_3A, SIM_TERM_CR, true, PROOF_PRESENCE, REASON_presence_only},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rig rig;
        rig_init(&rig, cases[i].family, cases[i].term);
        rig.product.proof = cases[i].proof;
        rig_provision(&rig, cases[i].is_fresh);
        assert_verdict(&rig, OUTCOME_PASS, cases[i].reason);
        assert_true(rig_board_is_right(&rig));
        assert_int_equal(rig.recorded.bundle_effect, BUNDLE_INSTALLED);
        assert_int_equal(rig.exposes, 1);
        assert_int_equal(rig.exposed_at_write, 0);
        assert_int_equal(simboard_nvm_writes(rig.board, RIG_TAG, CRED_PRIVATE_KEY), 1);
        assert_int_equal(simboard_info(rig.board).cfun, 0);
        rig_done(&rig);
    }
}

/* What is behind the port is found out, fresh or not, and in the middle of somebody's half a write. */
static void test_every_front_end(void **state)
{
    (void)state;
    static const struct {
        enum sim_front front;
        enum sim_terminator term;
    } fronts[] = {
        {SIM_FRONT_AT_HOST, SIM_TERM_CR},      {SIM_FRONT_AT_HOST, SIM_TERM_NUL},
        {SIM_FRONT_SERIAL_MODEM, SIM_TERM_CR}, {SIM_FRONT_SLM, SIM_TERM_CRLF},
        {SIM_FRONT_SHELL, SIM_TERM_CR},        {SIM_FRONT_CERTLINE, SIM_TERM_CR},
    };
    static const char *const left[] = {"", "AT%CMNG=0,16842753,0,\"-----BEGIN CERTI", "AT+CFU"};
    for (size_t i = 0; i < sizeof(fronts) / sizeof(fronts[0]); i++) {
        for (size_t k = 0; k < sizeof(left) / sizeof(left[0]); k++) {
            struct simboard_config config = SIMBOARD_CONFIG_DEFAULT;
            config.front = fronts[i].front;
            config.term = fronts[i].term;
            struct rig rig;
            rig_init_board(&rig, &config);
            simboard_from_host(rig.board, left[k], strlen(left[k]), rig.now_us);
            rig.now_us += US_PER_S;
            simboard_run(rig.board, rig.now_us);
            print_message("front %d, left behind '%s'\n", (int)fronts[i].front, left[k]);
            rig_provision(&rig, left[k][0] == '\0');
            assert_verdict(&rig, OUTCOME_PASS, REASON_ok);
            assert_true(rig_board_is_right(&rig));
            assert_int_equal(rig.stores_crlf, fronts[i].front == SIM_FRONT_SHELL);
            rig_done(&rig);
        }
    }
}

/* Our own firmware is recognised and gets its credentials in checked frames: one write each, whatever the
 * link loses. */
static void test_checked_transfer(void **state)
{
    (void)state;
    static const char *const losses[] = {NULL, "drop:0.001", "drop:0.005", "garble:0.005", "dup:0.005"};
    for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++) {
        for (unsigned seed = 1; seed <= 60; seed++) {
            struct simboard_config config = SIMBOARD_CONFIG_DEFAULT;
            config.front = SIM_FRONT_CERTLINE;
            config.seed = seed;
            struct rig rig;
            rig_init_board(&rig, &config);
            if (losses[i]) {
                assert_int_equal(simboard_add_fault(rig.board, losses[i], NULL, 0), 0);
            }
            rig_provision(&rig, true);
            if (rig.job.verdict.outcome != OUTCOME_PASS) {
                print_error("%s, seed %u\n", losses[i] ? losses[i] : "no loss", seed);
            }
            assert_verdict(&rig, OUTCOME_PASS, REASON_ok);
            assert_true(rig.job.has_transfer);
            assert_true(rig_board_is_right(&rig));
            assert_int_equal(simboard_nvm_writes(rig.board, RIG_TAG, CRED_PRIVATE_KEY), 1);
            rig_done(&rig);
            if (!losses[i]) {
                break;
            }
        }
    }
}

/* A write longer than the AT host's buffer: small commands work, the write never ends, and the cure is found
 * twice. */
static void test_small_buffer_is_named(void **state)
{
    (void)state;
    struct simboard_config config = SIMBOARD_CONFIG_DEFAULT;
    config.family = SIM_F0;
    config.line_max = 1000;
    struct rig rig;
    rig_init_board(&rig, &config);
    rig.product.proof = PROOF_PRESENCE;
    rig_provision(&rig, true);
    assert_verdict(&rig, OUTCOME_FAIL, REASON_line_wedged);
    assert_non_null(strstr(rig.job.verdict.detail, "1212"));
    assert_int_equal(simboard_wear_count(rig.board), 0);
    rig_done(&rig);
}

/* A board that has its key is right although the station has it no more; one that lost it is told what helps.
 */
static void test_erased_key(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, SIM_F2B, SIM_TERM_CR);
    rig_provision(&rig, true);
    rig.records = 0;
    rig.is_erased = true;
    rig_provision(&rig, true);
    assert_verdict(&rig, OUTCOME_PASS, REASON_already_right);

    static const char other[] = "-----BEGIN PRIVATE KEY-----\nanother\n-----END PRIVATE KEY-----\n";
    simboard_entry_put(rig.board, RIG_TAG, CRED_PRIVATE_KEY, other, sizeof(other) - 1);
    rig.passed_before = false;
    rig.records = 0;
    rig_provision(&rig, true);
    assert_verdict(&rig, OUTCOME_FAIL, REASON_digest_mismatch);
    assert_non_null(strstr(rig.job.verdict.detail, "erased"));
    assert_int_equal(simboard_nvm_writes(rig.board, RIG_TAG, CRED_PRIVATE_KEY), 1);
    rig_done(&rig);
}

static void test_placeholder_firmware_is_no_proof(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, SIM_F1, SIM_TERM_CR);
    rig_provision(&rig, true);
    assert_verdict(&rig, OUTCOME_FAIL, REASON_firmware_not_allowed);
    assert_int_equal(rig.claims, 0);
    rig_done(&rig);
}

static void test_right_board_is_left_alone(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, SIM_F2B, SIM_TERM_CR);
    rig_provision(&rig, true);
    uint64_t before = simboard_executed_total(rig.board);
    rig.records = 0;
    rig_provision(&rig, true);
    assert_verdict(&rig, OUTCOME_PASS, REASON_already_right);
    uint32_t lists = 0;
    for (size_t i = simboard_executed_count(rig.board) - (simboard_executed_total(rig.board) - before);
         i < simboard_executed_count(rig.board); i++) {
        lists += strncmp(simboard_executed_at(rig.board, i), "AT%CMNG=1", 9) == 0;
    }
    assert_int_equal(lists, 1);
    assert_int_equal(simboard_nvm_writes(rig.board, RIG_TAG, CRED_PRIVATE_KEY), 1);
    rig_done(&rig);
}

/* A fault of the simulator and how the job must end with it. */
static void test_faults(void **state)
{
    (void)state;
    static const struct {
        const char *fault;
        enum outcome outcome;
        enum reason reason;
        bool is_right; /* the board, afterwards */
    } cases[] = {
        {"lost_reply@write", OUTCOME_PASS, REASON_ok, true},
        {"lost_reply@command:14", OUTCOME_PASS, REASON_ok, true},
        {"hang@write", OUTCOME_FAIL, REASON_no_answer, false},
        {"hang@list", OUTCOME_FAIL, REASON_no_answer, false},
        {"stored_wrong:1", OUTCOME_FAIL, REASON_digest_mismatch, false},
        {"memory_full", OUTCOME_FAIL, REASON_memory_full, false},
        {"supply_low", OUTCOME_FAIL, REASON_supply_low, false},
        {"active", OUTCOME_PASS, REASON_ok, true},
        {"stray_entry", OUTCOME_PASS, REASON_ok, true},
        {"stray_entry:16842753.2", OUTCOME_PASS, REASON_ok, true},
        {"stray_entry:77.0", OUTCOME_PASS, REASON_ok, true},
        {"urc:1", OUTCOME_PASS, REASON_ok, true},
        {"urc:0.3", OUTCOME_PASS, REASON_ok, true},
        {"reboot@command:1", OUTCOME_PASS, REASON_ok, true},
        {"reboot@command:5", OUTCOME_PASS, REASON_ok, true},
        {"reboot@command:11", OUTCOME_PASS, REASON_ok, true},
        {"reboot@command:13", OUTCOME_PASS, REASON_ok, true},
        {"unplug@byte:700", OUTCOME_LOST, REASON_unplugged, false},
        {"cut:400", OUTCOME_FAIL, REASON_line_wedged, false},
        {"cut:1100", OUTCOME_FAIL, REASON_line_wedged, false},
        {"newline:crlf", OUTCOME_FAIL, REASON_digest_mismatch, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rig rig;
        rig_init(&rig, SIM_F2B, SIM_TERM_CR);
        char why[SIM_FAULT_WHY] = "";
        if (simboard_add_fault(rig.board, cases[i].fault, why, sizeof(why)) != 0) {
            print_error("%s: %s\n", cases[i].fault, why);
            fail();
        }
        print_message("fault %s\n", cases[i].fault);
        rig_provision(&rig, true);
        assert_verdict(&rig, cases[i].outcome, cases[i].reason);
        assert_int_equal(rig_board_is_right(&rig), cases[i].is_right);
        assert_in_range(simboard_nvm_writes(rig.board, RIG_TAG, CRED_PRIVATE_KEY), 0, 2);
        rig_done(&rig);
    }
}

/* A UART without RTS/CTS that takes octets more slowly than they come: the first write arrives damaged,
 * chunks do not; and a slot that is known for it starts with chunks. */
static void test_overrun_is_worked_around(void **state)
{
    (void)state;
    for (int is_known = 0; is_known <= 1; is_known++) {
        struct rig rig;
        rig_init(&rig, SIM_F2B, SIM_TERM_CR);
        assert_int_equal(simboard_add_fault(rig.board, "fifo:64", NULL, 0), 0);
        assert_int_equal(simboard_add_fault(rig.board, "drain:100", NULL, 0), 0);
        rig.is_chunked = is_known;
        rig_provision(&rig, true);
        assert_verdict(&rig, OUTCOME_PASS, REASON_ok);
        assert_true(rig_board_is_right(&rig));
        assert_int_equal(rig.job.damaged > 0, !is_known);
        assert_int_equal(strstr(rig.job.verdict.detail, "RTS/CTS") != NULL, !is_known);
        rig_done(&rig);
    }
}

/* A chain that a host of 2019 or an old bridge cuts: the shorter certificates and the key pass, so the
 * lengths name the limit. Chunks change nothing about it, and no key is spent on such a path before the
 * chain. */
static void test_cut_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *fault;
        uint32_t line_max, octets;
        const char *wanted; /* NULL: passes */
    } cases[] = {
        {NULL, 1792, 1760, NULL},
        {NULL, 1792, 1900, "; 1,792 is what AT hosts of 2019 keep"},
        {NULL, 1792, 2500, "; 1,792 is what AT hosts of 2019 keep, 2,048 is what old bridges pass"},
        {"cut:1792", 0, 1900, "; 1,792 is what AT hosts of 2019 keep"},
        {"cut:2048", 0, 2020, NULL},
        {"cut:2048", 0, 2500, "2,048 is what old bridges pass"},
        {"cut:3000", 0, 3500, "octets were answered, one of 3524 was not"},
        {NULL, 0, 4071, NULL},
        {NULL, 0, 4073, "longer than the 4,095 characters that the AT host takes"},
    };
    static char chain[5000];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct simboard_config config = SIMBOARD_CONFIG_DEFAULT;
        config.family = SIM_F2A; /* takes what is no certificate */
        config.line_max = cases[i].line_max;
        struct rig rig;
        rig_init_board(&rig, &config);
        memset(chain, 'A', cases[i].octets);
        chain[cases[i].octets] = '\0';
        rig.contents[1] = chain;
        if (cases[i].fault) {
            assert_int_equal(simboard_add_fault(rig.board, cases[i].fault, NULL, 0), 0);
        }
        rig_provision(&rig, true);
        const struct verdict *v = &rig.job.verdict;
        assert_int_equal(v->outcome, cases[i].wanted ? OUTCOME_FAIL : OUTCOME_PASS);
        if (cases[i].wanted) {
            assert_string_equal(reason_text(v->reason)->name,
                                cases[i].octets > 4072 ? "too_long" : "line_wedged");
            assert_int_equal(simboard_nvm_writes(rig.board, RIG_TAG, CRED_PRIVATE_KEY), 0);
            if (!strstr(v->detail, cases[i].wanted)) {
                fail_msg("%s, %u octets: %s", cases[i].fault, cases[i].octets, v->detail);
            }
        }
        rig_done(&rig);
    }
}

/* A port that the board's USB identity speaks against: named when nobody answers there, whatever else the
 * port may say, and no hindrance to custom firmware that does answer. */
static void test_wrong_port(void **state)
{
    (void)state;
    static const struct {
        const char *fault, *wrong_port;
        enum outcome outcome;
        enum fault owner;
        enum reason reason;
        const char *detail;
    } cases[] = {
        {"hang@any", NULL, OUTCOME_FAIL, FAULT_BOARD, REASON_no_answer, ""},
        {"hang@any", "its first port does", OUTCOME_FAIL, FAULT_FIXTURE, REASON_wrong_port,
         "its first port does"},
        {NULL, "its first port does", OUTCOME_PASS, FAULT_NONE, REASON_ok, ""},
        {"hang@write", "its first port does", OUTCOME_FAIL, FAULT_BOARD, REASON_no_answer, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rig rig;
        rig_init(&rig, SIM_F2B, SIM_TERM_CR);
        rig.wrong_port = cases[i].wrong_port;
        if (cases[i].fault) {
            assert_int_equal(simboard_add_fault(rig.board, cases[i].fault, NULL, 0), 0);
        }
        rig_provision(&rig, true);
        assert_verdict(&rig, cases[i].outcome, cases[i].reason);
        assert_int_equal(rig.job.verdict.fault, cases[i].owner);
        if (cases[i].detail) {
            assert_string_equal(rig.job.verdict.detail, cases[i].detail);
        }
        rig_done(&rig);
    }
}

/* Without USB the board's own log tells, once nobody answers there; one whose log shares the port is fine. */
static void test_log_of_the_other_port(void **state)
{
    (void)state;
    static const char *const logs[] = {"[Sec Thread] Secure image initializing!\r\n",
                                       "Booting TF-M v2.1.0\r\n", "\xff\x00[Sec Thread] Secure\r\n"};
    for (size_t i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
        for (int is_silent = 0; is_silent <= 1; is_silent++) {
            struct rig rig;
            rig_init(&rig, SIM_F2B, SIM_TERM_CR);
            if (is_silent) {
                assert_int_equal(simboard_add_fault(rig.board, "hang@any", NULL, 0), 0);
            }
            rig_start(&rig, true);
            job_rx(&rig.job, span_of(logs[i], i < 2 ? strlen(logs[i]) : 23), rig.now_us);
            assert_true(rig_run(&rig, 120));
            assert_verdict(&rig, is_silent ? OUTCOME_FAIL : OUTCOME_PASS,
                           is_silent ? REASON_wrong_port : REASON_ok);
            rig_done(&rig);
        }
    }
}

static void test_supply_is_measured(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, SIM_F2B, SIM_TERM_CR);
    assert_int_equal(simboard_add_fault(rig.board, "supply_low", NULL, 0), 0);
    rig_provision(&rig, true);
    assert_verdict(&rig, OUTCOME_FAIL, REASON_supply_low);
    assert_int_equal(rig.job.verdict.fault, FAULT_FIXTURE);
    assert_non_null(strstr(rig.job.verdict.detail, " mV"));
    rig_done(&rig);
}

/* A warning that stayed latched after the supply had recovered: armed anew, written, passed. */
static void test_latched_warning_is_cleared(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, SIM_F2B, SIM_TERM_CR);
    assert_int_equal(simboard_add_fault(rig.board, "supply_low", NULL, 0), 0);
    simboard_clear_faults(rig.board);
    rig_provision(&rig, true);
    assert_verdict(&rig, OUTCOME_PASS, REASON_ok);
    rig_done(&rig);
}

/* Whatever prefix of whatever command a dead session left in the board's buffer: contact never runs it. */
static void test_purge_runs_nothing(void **state)
{
    (void)state;
    static const char *const left[] = {
        "AT%CMNG=0,16842753,0,\"-----BEGIN CERTIFICATE-----\nMIID",
        "AT%CMNG=0,16842753,0,\"x\"",
        "AT%CMNG=3,16842753,2",
        "AT+CFUN=1",
        "\"",
        "AT%CMNG=1\"\"",
    };
    for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
        for (size_t n = 1; n <= strlen(left[i]); n++) {
            struct rig rig;
            rig_init(&rig, SIM_F2A, SIM_TERM_CR);
            simboard_from_host(rig.board, left[i], n, rig.now_us);
            rig.now_us += US_PER_S;
            simboard_run(rig.board, rig.now_us);
            rig_provision(&rig, false);
            assert_verdict(&rig, OUTCOME_PASS, REASON_ok);
            for (size_t k = 0; k < simboard_executed_count(rig.board); k++) {
                assert_null(strstr(simboard_executed_at(rig.board, k), "CFUN=1"));
                assert_null(strstr(simboard_executed_at(rig.board, k), "=3,"));
            }
            assert_int_equal(simboard_nvm_writes(rig.board, RIG_TAG, CRED_CA), 1);
            rig_done(&rig);
        }
    }
}

static void test_refused_claim_writes_nothing(void **state)
{
    (void)state;
    static const enum reason reasons[] = {REASON_no_bundle, REASON_order_full, REASON_mark_ahead,
                                          REASON_duplicate_key};
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        struct rig rig;
        rig_init(&rig, SIM_F2B, SIM_TERM_CR);
        rig.refuse_claim = reasons[i];
        rig_provision(&rig, true);
        assert_verdict(&rig, reasons[i] == REASON_duplicate_key ? OUTCOME_FAIL : OUTCOME_ERROR, reasons[i]);
        assert_int_equal(simboard_wear_count(rig.board), 0);
        rig_done(&rig);
    }
}

/* What this IMEI was given is on another device, the store says: the board is asked for its UUID once more,
 * since one damaged octet makes another device of it. */
static void test_other_device_is_asked_twice(void **state)
{
    (void)state;
    for (int is_damaged = 0; is_damaged <= 1; is_damaged++) {
        struct rig rig;
        rig_init(&rig, SIM_F2B, SIM_TERM_CR);
        char known[UUID_SIZE];
        rig_start(&rig, true);
        while (rig.job.msg.uuid[0] == '\0') {
            assert_true(rig_step(&rig));
        }
        memcpy(known, rig.job.msg.uuid, sizeof(known));
        (is_damaged ? rig.job.msg.uuid : known)[3] ^= 1;
        rig.known_uuid = known;
        assert_true(rig_run(&rig, 60));
        if (is_damaged) {
            assert_verdict(&rig, OUTCOME_PASS, REASON_ok);
            assert_string_equal(rig.recorded.uuid, known);
        } else {
            assert_verdict(&rig, OUTCOME_FAIL, REASON_duplicate_imei);
            assert_int_equal(rig.recorded.verdict.fault, FAULT_BOARD);
            assert_int_equal(simboard_wear_count(rig.board), 0);
        }
        assert_int_equal(rig.other_devices, is_damaged ? 1 : 2);
        rig_done(&rig);
    }
}

static void test_failing_ledger_is_asked_again(void **state)
{
    (void)state;
    for (int failures = 1; failures <= 12; failures++) {
        struct rig rig;
        rig_init(&rig, SIM_F2B, SIM_TERM_CR);
        rig.failures = failures;
        rig_provision(&rig, true);
        if (failures < 10) {
            assert_verdict(&rig, OUTCOME_PASS, REASON_ok);
        } else {
            assert_verdict(&rig, OUTCOME_ERROR, REASON_store_failed);
        }
        rig_done(&rig);
    }
}

static void test_abort_at_every_step(void **state)
{
    (void)state;
    for (int k = 0; k < 400; k++) {
        struct rig rig;
        rig_init(&rig, SIM_F2B, SIM_TERM_CR);
        rig_start(&rig, true);
        for (int i = 0; i < k && job_phase(&rig.job) != JOB_ENDED; i++) {
            rig_step(&rig);
        }
        bool had_ended = rig.job.verdict.outcome != OUTCOME_NONE;
        job_abort(&rig.job, REASON_aborted, NULL, rig.now_us);
        assert_true(rig_run(&rig, 60));
        assert_int_equal(rig.job.verdict.outcome, had_ended ? OUTCOME_PASS : OUTCOME_ABORTED);
        assert_int_equal(rig.records, 1);
        rig_done(&rig);
        if (had_ended) {
            return;
        }
    }
    fail_msg("the job has more steps than the sweep");
}

/* Our own firmware, stopped wherever it is; from there on it hears nothing when `is_deaf`. False: the job had
 * its verdict before step `k`, counted from where the first transfer begins. */
static bool end_of_framed(int k, bool is_deaf, bool is_aborted)
{
    struct simboard_config config = SIMBOARD_CONFIG_DEFAULT;
    config.front = SIM_FRONT_CERTLINE;
    struct rig rig;
    rig_init_board(&rig, &config);
    rig_start(&rig, true);
    for (int i = 0; (i < k || !rig.job.is_framing) && job_phase(&rig.job) != JOB_ENDED;) {
        i += rig.job.is_framing || i > 0;
        rig_step(&rig);
    }
    bool was_framing = rig.job.is_framing;
    if (was_framing) {
        if (is_deaf) {
            assert_int_equal(simboard_add_fault(rig.board, "drop:1", NULL, 0), 0);
        }
        if (is_aborted) {
            job_abort(&rig.job, REASON_aborted, NULL, rig.now_us);
        }
        unsigned tries = rig.job.frames.tries;
        assert_true(rig_run(&rig, 60));
        if (is_aborted) {
            assert_in_range(rig.job.frames.tries, tries, tries + 1);
            assert_verdict(&rig, OUTCOME_ABORTED, REASON_aborted);
        } else {
            assert_verdict(&rig, OUTCOME_FAIL, REASON_no_answer);
        }
        assert_int_equal(rig.records, 1);
    }
    bool is_over = job_phase(&rig.job) == JOB_ENDED && !was_framing;
    rig_done(&rig);
    return !is_over;
}

/* A board that falls silent in a checked transfer is found out as in any other command, not by the limit of
 * the whole job; and a stop waits for the exchange under way and not for all that the transfer would try. */
static void test_checked_transfer_always_ends(void **state)
{
    (void)state;
    int k = 0;
    while (end_of_framed(k, true, false) && end_of_framed(k, true, true) && end_of_framed(k, false, true)) {
        k++;
        assert_in_range(k, 1, 4000);
    }
    assert_true(k > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables_are_sound),
        cmocka_unit_test(test_every_family_and_terminator),
        cmocka_unit_test(test_every_front_end),
        cmocka_unit_test(test_checked_transfer),
        cmocka_unit_test(test_small_buffer_is_named),
        cmocka_unit_test(test_erased_key),
        cmocka_unit_test(test_placeholder_firmware_is_no_proof),
        cmocka_unit_test(test_right_board_is_left_alone),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_overrun_is_worked_around),
        cmocka_unit_test(test_cut_is_named),
        cmocka_unit_test(test_wrong_port),
        cmocka_unit_test(test_log_of_the_other_port),
        cmocka_unit_test(test_supply_is_measured),
        cmocka_unit_test(test_latched_warning_is_cleared),
        cmocka_unit_test(test_purge_runs_nothing),
        cmocka_unit_test(test_refused_claim_writes_nothing),
        cmocka_unit_test(test_other_device_is_asked_twice),
        cmocka_unit_test(test_failing_ledger_is_asked_again),
        cmocka_unit_test(test_abort_at_every_step),
        cmocka_unit_test(test_checked_transfer_always_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
