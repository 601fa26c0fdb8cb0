/* The command line of certline-sim: what it makes of each board. */
#include "unit/test_sim_host.h"

#include "sim/options.h"

#define WORDS_MAX 16

/* Splits at blanks; the words live in `copy`. */
static enum sim_options_result parse(struct sim_options *o, char *copy)
{
    static char program[] = "certline-sim";
    char *words[WORDS_MAX] = {program}, *rest = NULL;
    int n = 1;

    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        assert_true(n < WORDS_MAX - 1);
        words[n++] = word;
    }
    return sim_options_parse(o, n, words);
}

static void test_boards(void **state)
{
    (void)state;
    struct sim_options o;
    char line[] = "--dir d --boards 9 --family F1.3b,3=F1,5-8=F2a --front-end at_host:lf,2=at_host --baud "
                  "1000000 --seed 7";

    assert_int_equal(parse(&o, line), OPTIONS_RUN);
    static const enum sim_family families[] = {SIM_F1_3B, SIM_F1_3B, SIM_F1,  SIM_F1_3B, SIM_F2A,
                                               SIM_F2A,   SIM_F2A,   SIM_F2A, SIM_F1_3B};
    for (unsigned number = 1; number <= 9; number++) {
        struct simboard_config c = sim_options_board(&o, number);
        assert_int_equal(c.family, families[number - 1]);
        assert_int_equal(c.term, number == 2 ? SIM_TERM_CR : SIM_TERM_LF);
        assert_int_equal(c.number, number);
        assert_int_equal(c.baud, 1000000);
        assert_int_equal(c.seed, 7);
        assert_int_equal(c.nvm_ms, 30);
    }
    assert_string_equal(sim_options_board(&o, 1).imei, "351465800000002");
    assert_string_equal(sim_options_board(&o, 2).imei, "351465800000010");
    assert_string_equal(sim_options_board(&o, 2).twin_imei, "351465800000002");
}

/* Every name of a front end, with what ends its commands. */
static void test_fronts(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum sim_front front;
        enum sim_terminator term;
    } rows[] = {
        {"at_host", SIM_FRONT_AT_HOST, SIM_TERM_CR},
        {"at_host:nul", SIM_FRONT_AT_HOST, SIM_TERM_NUL},
        {"serial_modem", SIM_FRONT_SERIAL_MODEM, SIM_TERM_CR},
        {"serial_modem:crlf", SIM_FRONT_SERIAL_MODEM, SIM_TERM_CRLF},
        {"slm", SIM_FRONT_SLM, SIM_TERM_CRLF},
        {"slm:cr", SIM_FRONT_SLM, SIM_TERM_CR},
        {"slm:native_tls", SIM_FRONT_SLM_TLS, SIM_TERM_CRLF},
        {"shell", SIM_FRONT_SHELL, SIM_TERM_CR},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sim_options o;
        char line[96];
        snprintf(line, sizeof line, "--dir d --boards 3 --front-end at_host:lf,2=%s", rows[i].name);
        assert_int_equal(parse(&o, line), OPTIONS_RUN);
        assert_int_equal(sim_options_board(&o, 2).front, rows[i].front);
        assert_int_equal(sim_options_board(&o, 2).term, rows[i].term);
        assert_int_equal(sim_options_board(&o, 3).term, SIM_TERM_LF);
    }
}

static void test_quirks(void **state)
{
    (void)state;
    struct sim_options o;
    char line[] =
        "--dir d --boards 2 --quirk keygen_kept,xpmng_520 --quirk parameter_50,check_psk,reset_keeps "
        "--quirk torn_writes,read_crash,list_sorted,list_short --quirk sim_card,no_imei,ready";
    char last[] = "--dir d --boards 2 --quirk silent_boot,leading_lf,nul_after,list_reversed --keygen-ms 7 "
                  "--store-size 9";

    assert_int_equal(parse(&o, line), OPTIONS_RUN);
    struct simboard_config c = sim_options_board(&o, 2);
    assert_true(c.keeps_generated && c.checks_psk && c.keeps_credentials && c.tears_writes);
    assert_true(c.crashes_on_long_read && c.hides_reserved && c.says_ready);
    assert_int_equal(c.public_key_exists, 520);
    assert_int_equal(c.bad_parameter, 50);
    assert_int_equal(c.list_order, SIM_LIST_SORTED);
    assert_string_equal(c.iccid, "8901234567012345678F");
    assert_string_equal(c.imei, "");
    assert_int_equal(parse(&o, last), OPTIONS_RUN);
    c = sim_options_board(&o, 1);
    assert_true(c.is_silent_at_boot && c.leads_with_lf && c.ends_with_nul && !c.keeps_generated);
    assert_int_equal(c.list_order, SIM_LIST_REVERSED);
    assert_int_equal(c.keygen_ms, 7);
    assert_int_equal(c.store_size, 9);
    assert_string_equal(c.imei, "351465800000002");
}

static void test_lines(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum sim_options_result result;
    } rows[] = {
        {"--dir d --boards 1", OPTIONS_RUN},
        {"--dir d --boards 999 --flow none --nvm-ms 0 --keygen-ms 400 --self-powered", OPTIONS_RUN},
        {"--dir d --boards 1 --fault drop:0.1 --fault hang@write/1", OPTIONS_RUN},
        {"--help", OPTIONS_DONE},
        {"", OPTIONS_WRONG},
        {"--dir d", OPTIONS_WRONG},
        {"--boards 3", OPTIONS_WRONG},
        {"--dir d --boards 0", OPTIONS_WRONG},
        {"--dir d --boards 1000", OPTIONS_WRONG},
        {"--dir d --boards x", OPTIONS_WRONG},
        {"--dir d --boards 1 more", OPTIONS_WRONG},
        {"--dir d --boards 1 --family F9", OPTIONS_WRONG},
        {"--dir d --boards 1 --family x=F1", OPTIONS_WRONG},
        {"--dir d --boards 1 --front-end modem", OPTIONS_WRONG},
        {"--dir d --boards 1 --front-end slm:tls", OPTIONS_WRONG},
        {"--dir d --boards 1 --quirk none", OPTIONS_WRONG},
        {"--dir d --boards 1 --store-size 32769", OPTIONS_WRONG},
        {"--dir d --boards 1 --line-max 8192", OPTIONS_RUN},
        {"--dir d --boards 1 --line-max 8193", OPTIONS_WRONG},
        {"--dir d --boards 1 --flow xonxoff", OPTIONS_WRONG},
        {"--dir d --boards 1 --baud 5000000", OPTIONS_WRONG},
        {"--dir d --boards 1 --imei0 351", OPTIONS_WRONG},
        {"--dir d --boards 1 --fault what", OPTIONS_WRONG},
        {"--dir d --boards 1 --what", OPTIONS_WRONG},
        {"--dir", OPTIONS_WRONG},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sim_options o;
        char copy[256];
        snprintf(copy, sizeof copy, "%s", rows[i].line);
        if (parse(&o, copy) != rows[i].result)
            fail_msg("%s", rows[i].line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_boards), cmocka_unit_test(test_fronts),
                                       cmocka_unit_test(test_quirks), cmocka_unit_test(test_lines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
