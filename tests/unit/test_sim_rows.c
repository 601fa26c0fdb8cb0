/*
 * What a faithful simulated modem must do, row by row, and the test that shows it. A test without a file
 * stands here; the others in tests/unit/test_sim_<file>.c.
 *
 * Framing
 *   front ends at_host, serial_modem, slm, shell   front: test_same_work, test_serial_modem, test_slm,
 *                                                  test_shell
 *   quotes, backspace without toggle, overflow     board: test_wedge_by_quote, test_wedge_by_length
 *   silent empty lines, NUL ignored, no echo       board: test_terminators
 *   stuck in quotes until reset or recovery        board: test_wedge_by_quote; transcript: "! silence"
 *   a busy board: six octets, or back-pressure     board: test_busy_board; front: test_serial_modem_busy
 *   an answer longer than the host's buffer        modem: test_long_list; front: test_serial_modem_reply,
 *                                                  test_shell_limits
 *   injectors: loss, line ends, lines, cut         fault: test_each_fires_and_ends, test_newline, test_urc,
 *                                                  test_cut
 *   banner and Ready; NUL, leading LF; wrapping    front: test_banners; test_legacy_answers;
 *                                                  front: test_serial_modem
 *   ERROR or +CME ERROR                            modem: test_error_format
 *
 * General commands
 *   case, blanks, unknown, ATI, +CMEE=2            modem: test_identity, test_error_format,
 *                                                  test_cmng_parameters
 *   identity per family, +CFUN, boot in 0          test_family_table, test_since; modem: test_cfun,
 *                                                  test_identity
 *   +CIMI and %XICCID without UICC                 test_uicc
 *   %XVBAT, %XPOFWARN, 528                         test_power_warning_everywhere;
 *                                                  modem: test_power_warning
 *
 * %CMNG
 *   parameters and their code                      modem: test_cmng_parameters
 *   order of a write's checks; replacing; 519      test_check_order; modem: test_replaced_and_refused;
 *                                                  keys: test_written_over
 *   527 by reading the certificate                 modem: test_validation
 *   types 2 and 4 unchecked, type 3 by choice      test_psk; modem: test_families
 *   list: digests, placeholder, own rows, order    modem: test_families, test_digests; test_list_order
 *   a generated key's digest                       keys: test_key_stays
 *   read: types, 513, octet for octet, too long    modem: test_cmng_types, test_digests; test_long_read
 *   delete: 513, 514                               modem: test_cmng_types; keys: test_other_pairs
 *   wear, persistence, power cut                   test_wear; board: test_unplug, test_torn_write;
 *                                                  test_power_cut
 *
 * Keys and tokens
 *   %KEYGEN                                        keys: test_keygen and what follows it
 *   %ATTESTTOKEN, %JWT, %XPMNG, %XSUDO, …          keys: test_attesttoken, test_jwt, test_xsudo,
 *                                                  test_other_pairs, test_certexpiry, test_keyinject;
 *                                                  test_public_keys; test_factory_reset, test_trace
 *
 * Families                                         test_family_table, test_since
 */
#include "unit/test_sim_host.h"

static struct host *rows_host(const struct simboard_config *config)
{
    struct host *h = host_new(config);
    host_settle(h);
    expect(h, "AT+CMEE=1\r", "OK\r\n");
    return h;
}

static struct host *family_host(enum sim_family family)
{
    struct simboard_config c = SIMBOARD_CONFIG_DEFAULT;
    c.family = family;
    return rows_host(&c);
}

static void add(struct host *h, const char *spec)
{
    char why[SIM_FAULT_WHY] = "";
    if (simboard_add_fault(h->b, spec, why, sizeof why) < 0)
        fail_msg("%s: %s", spec, why);
}

static void test_legacy_answers(void **state)
{
    (void)state;
    struct simboard_config c = SIMBOARD_CONFIG_DEFAULT;
    c.leads_with_lf = c.ends_with_nul = true;
    struct host *h = host_new(&c);
    host_settle(h);
    host_ask(h, "AT\r");
    assert_int_equal(h->len, 6);
    assert_memory_equal(h->answer, "\nOK\r\n\0", 6);
    host_free(h);
}

static void test_uicc(void **state)
{
    (void)state;
    static const struct {
        const char *modes;
        bool is_on;
    } rows[] = {{"0", false},  {"4", false},     {"1", true},    {"41", true}, {"1 4", false}, {"1 44", true},
                {"31", false}, {"41 40", false}, {"1 20", true}, {"21", true}, {"1 30", true}};
    struct simboard_config c = SIMBOARD_CONFIG_DEFAULT;
    snprintf(c.iccid, sizeof c.iccid, "8901234567012345678F");
    snprintf(c.imsi, sizeof c.imsi, "001010123456789");

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct host *h = rows_host(&c);
        char modes[16], command[32], *rest = NULL;
        snprintf(modes, sizeof modes, "%s", rows[i].modes);
        for (char *mode = strtok_r(modes, " ", &rest); mode; mode = strtok_r(NULL, " ", &rest)) {
            snprintf(command, sizeof command, "AT+CFUN=%s\r", mode);
            expect(h, command, "OK\r\n");
        }
        expect(h, "AT%XICCID\r", rows[i].is_on ? "%XICCID: 8901234567012345678F\r\nOK\r\n" : "ERROR\r\n");
        expect(h, "AT+CIMI\r", rows[i].is_on ? "001010123456789\r\nOK\r\n" : "ERROR\r\n");
        host_free(h);
    }
    struct host *h = family_host(SIM_F2B); /* no card at all */
    expect(h, "AT+CFUN=1\r", "OK\r\n");
    expect(h, "AT%XICCID\r", "ERROR\r\n");
    host_free(h);
}

/* 528 for all that changes the store, on families that know it; armed after boot, once latched it stays. */
static void test_power_warning_everywhere(void **state)
{
    (void)state;
    static const char *const commands[] = {"AT%CMNG=0,1,4,\"x\"\r",  "AT%CMNG=3,1,4\r",
                                           "AT%KEYGEN=1,2,0\r",      "AT%XPMNG=0,\"k\"\r",
                                           "AT%KEYINJECT=\"a.b\"\r", "AT%XFACTORYRESET=0\r"};

    for (enum sim_family family = SIM_F0; family <= SIM_FN; family++) {
        struct host *h = family_host(family);
        add(h, "supply_low");
        for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
            host_ask(h, commands[i]);
            assert_int_equal(strcmp(h->answer, "+CME ERROR: 528\r\n") == 0, family >= SIM_F1_3B);
        }
        host_ask(h, "AT%CMNG=1\r");
        assert_string_equal(h->answer + h->len - 4, "OK\r\n");

        /* Switched off it does not hinder, however low the supply is. */
        expect(h, "AT%XPOFWARN=0\r", "OK\r\n");
        expect(h, "AT%CMNG=0,1,4,\"x\"\r", "OK\r\n");
        host_free(h);
    }
}

/* All that is wrong with one write, healed one by one: each refusal hides those behind it. */
static void test_check_order(void **state)
{
    (void)state;
    struct host *h = family_host(SIM_F2B);
    char *ca = read_ca(AMAZON_CA, false, true);

    add(h, "supply_low");
    add(h, "memory_full");
    add(h, "active");
    expect(h, "AT%CMNG=0,1,8,\"x\"\r", "+CME ERROR: 518\r\n");
    expect(h, "AT+CFUN=4\r", "OK\r\n");
    expect(h, "AT%CMNG=0,1,8,\"x\"\r", "+CME ERROR: 528\r\n");
    expect(h, "AT%XPOFWARN=0\r", "OK\r\n");
    expect(h, "AT%CMNG=0,1,8,\"x\"\r", "+CME ERROR: 514\r\n");
    expect(h, "AT%CMNG=0,1,0,\"x\"\r", "+CME ERROR: 527\r\n");
    assert_string_equal(host_store(h, 1, 0, ca), "+CME ERROR: 515\r\n");
    simboard_clear_faults(h->b);
    assert_string_equal(host_store(h, 1, 0, ca), "OK\r\n");
    free(ca);
    host_free(h);
}

static void test_psk(void **state)
{
    (void)state;
    for (int is_checking = 0; is_checking < 2; is_checking++) {
        struct simboard_config c = SIMBOARD_CONFIG_DEFAULT;
        c.checks_psk = is_checking;
        struct host *h = rows_host(&c);
        const char *wrong = is_checking ? "+CME ERROR: 527\r\n" : "OK\r\n";
        expect(h, "AT%CMNG=0,1,3,\"6e7266393174657374\"\r", "OK\r\n");
        expect(h, "AT%CMNG=0,1,3,\"6e726\"\r", wrong);
        expect(h, "AT%CMNG=0,1,3,\"nrf91test.\"\r", wrong);
        host_free(h);
    }
}

static void test_list_order(void **state)
{
    (void)state;
    static const struct {
        enum sim_list_order order;
        const char *tags;
    } rows[] = {{SIM_LIST_STORED, "9,4 5,4 7,4 5,3 "},
                {SIM_LIST_REVERSED, "5,3 7,4 5,4 9,4 "},
                {SIM_LIST_SORTED, "5,3 5,4 7,4 9,4 "}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct simboard_config c = SIMBOARD_CONFIG_DEFAULT;
        char seen[256] = "";
        c.list_order = rows[i].order;
        c.hides_reserved = true;
        struct host *h = rows_host(&c);
        host_store(h, 9, 4, "a"), host_store(h, 5, 4, "b"), host_store(h, 7, 4, "c"),
            host_store(h, 5, 3, "dd");
        host_ask(h, "AT%CMNG=1\r");
        for (const char *at = h->answer; (at = strstr(at, "%CMNG: ")); at += 7)
            snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%.3s ", at + 7);
        assert_string_equal(seen, rows[i].tags);
        host_free(h);
    }
}

/* Longer than 4,096 octets: the answer has no end, or the board goes down. */
static void test_long_read(void **state)
{
    (void)state;
    for (int is_crashing = 0; is_crashing < 2; is_crashing++) {
        struct simboard_config c = SIMBOARD_CONFIG_DEFAULT;
        static char content[5279];
        c.crashes_on_long_read = is_crashing;
        c.says_ready = true;
        struct host *h = rows_host(&c);
        memset(content, 'x', sizeof content);
        assert_int_equal(simboard_entry_put(h->b, 1, 0, content, 4096), 0);
        host_ask(h, "AT%CMNG=2,1,0\r");
        assert_int_equal(simboard_info(h->b).boots, 1);
        assert_int_equal(simboard_entry_put(h->b, 1, 0, content, sizeof content), 0);
        host_ask(h, "AT%CMNG=2,1,0\r");
        assert_int_equal(simboard_info(h->b).boots, 1 + is_crashing);
        assert_int_equal(strstr(h->answer, "Ready\r\n") != NULL, is_crashing);
        assert_null(strstr(h->answer, "OK\r\n"));
        host_free(h);
    }
}

static unsigned deletes_of(const struct host *h, unsigned tag, unsigned type)
{
    for (size_t i = 0; i < simboard_wear_count(h->b); i++) {
        struct simboard_wear wear = simboard_wear_at(h->b, i);
        if (wear.sec_tag == tag && wear.type == type)
            return wear.deletes;
    }
    return 0;
}

/* Each write and delete that is done counts, per tag and type; none that is refused. */
static void test_wear(void **state)
{
    (void)state;
    struct host *h = family_host(SIM_F2B);

    for (int i = 0; i < 3; i++)
        assert_string_equal(host_store(h, 1, 4, "x"), "OK\r\n");
    assert_string_equal(host_store(h, 1, 3, "x"), "OK\r\n");
    expect(h, "AT%CMNG=3,1,4\r", "OK\r\n");
    expect(h, "AT%CMNG=3,1,4\r", "+CME ERROR: 513\r\n");
    expect(h, "AT%CMNG=0,1,0,\"junk\"\r", "+CME ERROR: 527\r\n");
    host_ask(h, "AT%KEYGEN=1,2,0\r");
    expect(h, "AT%XPMNG=0,\"k\",3\r", "OK\r\n");
    simboard_reboot(h->b, h->now_us);
    assert_int_equal(simboard_nvm_writes(h->b, 1, 4), 3);
    assert_int_equal(deletes_of(h, 1, 4), 1);
    assert_int_equal(simboard_nvm_writes(h->b, 1, 3), 1);
    assert_int_equal(simboard_nvm_writes(h->b, 1, 0), 0);
    assert_int_equal(simboard_nvm_writes(h->b, 1, 2), 1);
    assert_int_equal(simboard_nvm_writes(h->b, 3, 5), 1);
    assert_int_equal(simboard_entry_count(h->b), 3);
    host_free(h);
}

/* At any moment of a write: before its end the old content stands, or none, and never half of one. */
static void test_power_cut(void **state)
{
    (void)state;
    static const char write[] = "AT%CMNG=0,1,4,\"newer\"\r";

    for (int is_torn = 0; is_torn < 2; is_torn++) {
        unsigned kept = 0, gone = 0, written = 0;
        for (int64_t cut_us = 0; cut_us < 40000; cut_us += 997) {
            struct simboard_config c = SIMBOARD_CONFIG_DEFAULT;
            struct simboard_entry e;
            c.tears_writes = is_torn;
            struct host *h = rows_host(&c);
            assert_string_equal(host_store(h, 1, 4, "old"), "OK\r\n");
            simboard_from_host(h->b, write, sizeof write - 1, h->now_us);
            simboard_unplug(h->b, h->now_us + cut_us);
            if (!simboard_entry_find(h->b, 1, 4, &e))
                gone++;
            else if (e.len == 3 && memcmp(e.content, "old", 3) == 0)
                kept++;
            else if (e.len == 5 && memcmp(e.content, "newer", 5) == 0)
                written++;
            else
                fail_msg("%.*s", (int)e.len, e.content);
            host_free(h);
        }
        assert_int_equal(gone > 0, is_torn);
        assert_true(kept > 0 && written > 0);
    }
}

static void test_public_keys(void **state)
{
    (void)state;
    static const struct {
        uint16_t code;
        const char *answer;
    } rows[] = {{0, "+CME ERROR: 519\r\n"}, {519, "+CME ERROR: 519\r\n"}, {520, "+CME ERROR: 520\r\n"}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct simboard_config c = SIMBOARD_CONFIG_DEFAULT;
        c.public_key_exists = rows[i].code;
        struct host *h = rows_host(&c);
        add(h, "memory_full");
        expect(h, "AT%XPMNG=0,\"k\"\r", "+CME ERROR: 515\r\n");
        simboard_clear_faults(h->b);
        expect(h, "AT%XPMNG=0,\"k\",10\r", "ERROR\r\n");
        expect(h, "AT%XPMNG=0,\"\"\r", "ERROR\r\n");
        expect(h, "AT%XPMNG=0,\"k\",9\r", "OK\r\n");
        expect(h, "AT%XPMNG=0,\"k\"\r", rows[i].answer);
        expect(h, "AT+CFUN=1\r", "OK\r\n");
        expect(h, "AT%XPMNG=0,\"k\"\r", "+CME ERROR: 518\r\n");
        expect(h, "AT%XPMNG=2\r", "%XPMNG: \"k\"\r\nOK\r\n");
        host_free(h);
    }
}

static void test_factory_reset(void **state)
{
    (void)state;
    for (int is_kept = 0; is_kept < 2; is_kept++) {
        struct simboard_config c = SIMBOARD_CONFIG_DEFAULT;
        c.keeps_credentials = is_kept;
        struct host *h = rows_host(&c);
        assert_string_equal(host_store(h, 1, 4, "x"), "OK\r\n");
        expect(h, "AT%XFACTORYRESET=1\r", "OK\r\n");
        assert_int_equal(simboard_entry_count(h->b), 1);
        expect(h, "AT%XFACTORYRESET=2\r", "ERROR\r\n");
        expect(h, "AT+CFUN=1\r", "OK\r\n");
        expect(h, "AT%XFACTORYRESET=0\r", "+CME ERROR: 518\r\n");
        expect(h, "AT+CFUN=0\r", "OK\r\n");
        expect(h, "AT%XFACTORYRESET=0\r", "OK\r\n");
        assert_int_equal(simboard_entry_count(h->b), is_kept);
        host_free(h);
    }
    struct host *h = family_host(SIM_F1);
    expect(h, "AT%XFACTORYRESET=0\r", "ERROR\r\n");
    host_free(h);
}

static void test_trace(void **state)
{
    (void)state;
    struct host *h = family_host(SIM_F2B);

    expect(h, "AT%XMODEMTRACE=1,2\r", "OK\r\n");
    expect(h, "AT%XMODEMTRACE=0\r", "OK\r\n");
    expect(h, "AT%XMODEMTRACE=2\r", "ERROR\r\n");
    expect(h, "AT%XMODEMTRACE\r", "ERROR\r\n");
    host_free(h);
}

/* One row per family, one column per difference. */
static void test_family_table(void **state)
{
    (void)state;
    static const struct {
        enum sim_family family;
        const char *firmware, *model, *list_of_2; /* first octets of a type 2 "x" in the list */
        const char *checked, *owner_again, *keygen, *uuid, *read_8, *list_own;
        unsigned line_max;
    } rows[] = {
        {SIM_F0, "mfw_nrf9160_0.7.0", "nRF9160-SICA", "02020202", "OK", "ERROR", "ERROR", "ERROR", "ERROR",
         "OK", 1792},
        {SIM_F1, "mfw_nrf9160_1.2.", "nRF9160-SICA", "02020202", "OK", "ERROR", "ERROR", "ERROR", "ERROR",
         "OK", 4095},
        {SIM_F1_3A, "mfw_nrf9160_1.3.0", "nRF9160-SICA", "02020202", "OK", "+CME ERROR: 514", "%KEYGEN",
         "ERROR", "+CME ERROR: 513", "%CMNG: 4294967293,10,\"0A0A0A0A", 4095},
        {SIM_F1_3B, "mfw_nrf9160_1.3.5", "nRF9160-SICA", "2D711642", "OK", "+CME ERROR: 519", "%KEYGEN",
         "ERROR", "+CME ERROR: 513", "%CMNG: 4294967293,10,\"2C43952E", 4095},
        {SIM_F2A, "mfw_nrf91x1_2.0.0", "nRF9161-LACA", "2D711642", "OK", "+CME ERROR: 519", "%KEYGEN",
         "%DEVICEUUID", "+CME ERROR: 513", "%CMNG: 4294967293,10,\"2C43952E", 4095},
        {SIM_F2B, "mfw_nrf91x1_2.0.2", "nRF9151-LACA", "2D711642", "+CME ERROR: 527", "+CME ERROR: 519",
         "%KEYGEN", "%DEVICEUUID", "+CME ERROR: 513", "%CMNG: 4294967293,10,\"2C43952E", 4095},
        {SIM_FN, "mfw_nrf9151-ntn_1.0.0", "nRF9151-LACA", "2D711642", "+CME ERROR: 527", "+CME ERROR: 519",
         "%KEYGEN", "%DEVICEUUID", "+CME ERROR: 513", "%CMNG: 4294967293,10,\"2C43952E", 4095},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct host *h = family_host(rows[i].family);
        char wanted[64];
        const struct {
            const char *ask, *begins;
        } steps[] = {
            {"AT%CMNG=1\r", rows[i].list_own},
            {"AT+CFUN?\r", "+CFUN: 0"},
            {"AT+CGMR\r", rows[i].firmware},
            {"AT+CGMM\r", rows[i].model},
            {"AT%DEVICEUUID\r", rows[i].uuid},
            {"AT%CMNG=0,1,0,\"junk\"\r", rows[i].checked},
            {"AT%CMNG=0,1,1,\"junk\"\r", rows[i].checked},
            {"AT%CMNG=0,1,2,\"x\"\r", "OK"},
            {"AT%CMNG=1,1,2\r", wanted},
            {"AT%CMNG=0,1,9,\"x\"\r", rows[i].family >= SIM_F1_3A ? "OK" : "ERROR"},
            {"AT%CMNG=0,1,9,\"y\"\r", rows[i].owner_again},
            {"AT%CMNG=2,1,8\r", rows[i].read_8},
            {"AT%CMNG=2,1,2\r", "+CME ERROR: 514"},
            {"AT%CMNG=2,1,1\r", "+CME ERROR: 514"},
            {"AT%CMNG=2,1,3\r", "+CME ERROR: 514"},
            {"AT%KEYGEN=3,2,0\r", rows[i].keygen},
            {"AT%XPMNG=0,\"k\"\r", "OK"},
            {"AT%XPMNG=0,\"k\"\r", "+CME ERROR: 519"},
            {"AT%XSUDO=1,\"AAAA\";%XVBAT\r", "+CME ERROR: 514"},
        };
        snprintf(wanted, sizeof wanted, "%%CMNG: 1,2,\"%s", rows[i].list_of_2);
        assert_int_equal(simboard_info(h->b).config->line_max, rows[i].line_max);
        for (size_t k = 0; k < sizeof steps / sizeof steps[0]; k++) {
            const char *got = host_ask(h, steps[k].ask);
            if (strncmp(got, steps[k].begins, strlen(steps[k].begins)) != 0)
                fail_msg("%s: %s gave %s", sim_family_name(rows[i].family), steps[k].ask, got);
        }
        host_free(h);
    }
}

/* A command that a family does not know yet is an ERROR without a number. */
static void test_since(void **state)
{
    (void)state;
    static const struct {
        const char *ask;
        enum sim_family since;
        const char *answer; /* its beginning, from then on */
    } rows[] = {
        {"AT%ATTESTTOKEN\r", SIM_F1_3A, "%ATTESTTOKEN: \""},
        {"AT%JWT\r", SIM_F1_3A, "%JWT: \""},
        {"AT%KEYGEN=1,2,0\r", SIM_F1_3A, "%KEYGEN: \""},
        {"AT%KEYINJECT=\"a.b\"\r", SIM_F1_3A, "+CME ERROR: 513"},
        {"AT%XFACTORYRESET=1\r", SIM_F1_3A, "OK"},
        {"AT%CLAIMTOKEN=1\r", SIM_F1_3B, "+CME ERROR: 529"}, /* 1.3.4 and later */
        {"AT%CERTEXPIRY=1,0\r", SIM_F1_3B, "+CME ERROR: 513"},
        {"AT%DEVICEUUID\r", SIM_F2A, "%DEVICEUUID: "},
        {"AT+CFUN=2\r", SIM_F2A, "OK"},
        {"AT%XMODEMUUID\r", SIM_F0, "%XMODEMUUID: "},
        {"AT%SHORTSWVER\r", SIM_F0, "%SHORTSWVER: nrf91"},
        {"AT%HWVERSION\r", SIM_F0, "%HWVERSION: nRF91"},
        {"AT%XPOFWARN=1,33\r", SIM_F0, "OK"},
    };

    for (enum sim_family family = SIM_F0; family <= SIM_FN; family++) {
        struct host *h = family_host(family);
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            const char *wanted = family >= rows[i].since ? rows[i].answer : "ERROR";
            const char *got = host_ask(h, rows[i].ask);
            if (strncmp(got, wanted, strlen(wanted)) != 0)
                fail_msg("%s: %s gave %s", sim_family_name(family), rows[i].ask, got);
        }
        host_free(h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_legacy_answers),
        cmocka_unit_test(test_uicc),
        cmocka_unit_test(test_power_warning_everywhere),
        cmocka_unit_test(test_check_order),
        cmocka_unit_test(test_psk),
        cmocka_unit_test(test_list_order),
        cmocka_unit_test(test_long_read),
        cmocka_unit_test(test_wear),
        cmocka_unit_test(test_power_cut),
        cmocka_unit_test(test_public_keys),
        cmocka_unit_test(test_factory_reset),
        cmocka_unit_test(test_trace),
        cmocka_unit_test(test_family_table),
        cmocka_unit_test(test_since),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
