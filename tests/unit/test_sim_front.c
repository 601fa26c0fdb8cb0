/* Front ends other than Nordic's at_host, which test_sim_board.c is about: Serial Modem, Serial LTE Modem
 * with and without TLS of its own, and the shell. */
#include "unit/test_sim_host.h"

#define OK       "\r\nOK\r\n"
#define ERROR    "\r\nERROR\r\n"
#define PROMPT   "\x1b[1;32mmosh:~$ \x1b[m"
#define CA_LF    "2C43952EE9E000FF2ACC4E2ED0897C0A72AD5FA72C3D934E81741CBD54F05BD1"
#define CA_CRLF  "56AE01E6773BDAEC4BFB216D4005ADB06E4F680BD8BFB8BE4C683CE921681897"
#define LONG_ONE 9000

static struct host *front_host(const char *front, enum sim_family family)
{
    struct simboard_config c = SIMBOARD_CONFIG_DEFAULT;
    c.family = family;
    assert_int_equal(sim_front_parse(front, &c.front, &c.term), 0);
    struct host *h = host_new(&c);
    host_settle(h);
    host_clear(h);
    return h;
}

struct dialogue {
    const char *send;
    const char *answer;
};

static void run_dialogue(struct host *h, const struct dialogue *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        expect(h, rows[i].send, rows[i].answer);
}

#define RUN(h, rows) run_dialogue((h), (rows), sizeof(rows) / sizeof(rows)[0])

static void test_banners(void **state)
{
    (void)state;
    static const struct {
        const char *front;
        enum sim_family family;
        const char *begins, *ends;
    } rows[] = {
        {"at_host", SIM_F2B, "*** Booting nRF Connect SDK v", "***\r\nThe AT host sample started\r\n"},
        {"at_host", SIM_F0, "***** Booting Zephyr OS v1.14.99-ncs1 *****\r\n",
         "The AT host sample started\r\n"},
        {"serial_modem", SIM_F2B, "Ready\r\n", "Ready\r\n"},
        {"slm", SIM_F1_3B, "Ready\r\n", "Ready\r\n"},
        {"certline", SIM_F2B, "Ready\r\n", "Ready\r\n"},
        {"slm:native_tls", SIM_F1_3B, "Ready\r\n", "Ready\r\n"},
        {"shell", SIM_F2A, "*** Booting nRF Connect SDK v", PROMPT},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct host *h = front_host(rows[i].front, rows[i].family);
        simboard_reboot(h->b, h->now_us);
        host_settle(h);
        assert_int_equal(strncmp(h->answer, rows[i].begins, strlen(rows[i].begins)), 0);
        assert_string_equal(h->answer + h->len - strlen(rows[i].ends), rows[i].ends);
        host_free(h);
    }
}

/* -- Serial Modem -- */

static void test_serial_modem(void **state)
{
    (void)state;
    static const struct dialogue rows[] = {
        {"AT\r", OK},
        {"at\r", OK},
        {"\r\r\n", ""},
        {"junk before AT\r", OK},
        {"\"AT\r", OK}, /* a quote before AT is forgotten */
        {"AAT\r", ""},  /* the second A is no T: both are forgotten, and the T stands alone */
        {"AT+CGMI\r", "\r\nNordic Semiconductor ASA\r\n\r\nOK\r\n"},
        {"AT+CGSN=1\r\n", "\r\n+CGSN: \"351465800000002\"\r\n\r\nOK\r\n"},
        {"ATI\r", ERROR},
        {"AT+\r", ERROR},
        {"AT=5\r", ERROR},
        {"AT+CGMR?x\r", ERROR},
        {"AT+NOSUCH\r", ERROR},
        {"AT+CMEE=1\r", OK},
        {"AT%CMNG=2,4567,0\r", "\r\n+CME ERROR: 513\r\n"},
        {"AT%CMNG=1\r",
         "\r\n%CMNG: 4294967293,10,\"2C43952EE9E000FF2ACC4E2ED0897C0A72AD5FA72C3D934E81741CBD54F05BD1\"\r\n"},
        {"ATX\b\r", OK},
        {"AT\"\b\r", OK}, /* a backspace over a quote ends the quote */
        {"AT+CGMX\bM\r", "\r\nnRF9151-LACA\r\n\r\nOK\r\n"},
        {"A\b\b\b\bAT\r", OK},
        {"AT#XSMVER\r", "\r\n#XSMVER: \"1.0.0\",\"3.1.0\"\r\n\r\nOK\r\n"},
        {"AT#XNOSUCH\r", ERROR},
        {"AT+IPR?\r", "\r\n+IPR: 115200\r\n\r\nOK\r\n"},
        {"AT+IPR=9600\r", ERROR},
    };
    struct host *h = front_host("serial_modem", SIM_F2B);

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *got = host_ask(h, rows[i].send);
        if (strncmp(rows[i].answer, "\r\n%CMNG", 7) == 0)
            assert_int_equal(strncmp(got, rows[i].answer, strlen(rows[i].answer)), 0);
        else
            assert_string_equal(got, rows[i].answer);
    }
    expect(h, "AT+IPR=1000000\r", OK);
    assert_int_equal(simboard_info(h->b).config->baud, 1000000);
    assert_string_equal(host_ask(h, "AT#XRESET\r"), OK "Ready\r\n");
    expect(h, "AT+CMEE?\r", "\r\n+CMEE: 0\r\n\r\nOK\r\n");
    host_free(h);
}

static void test_serial_modem_echo(void **state)
{
    (void)state;
    static const struct dialogue rows[] = {
        {"ATE1\r", OK},
        {"AT\r", "AT\r" OK},
        {"xAT+CGMM\r", "xAT+CGMM\r\r\nnRF9151-LACA\r\n\r\nOK\r\n"},
        {"ATE0\r", "ATE0\r" OK},
        {"AT\r", OK},
    };
    struct host *h = front_host("serial_modem", SIM_F2B);
    char *line = malloc(LONG_ONE);

    RUN(h, rows);
    assert_non_null(line);
    expect(h, "ATE1\r", OK);
    snprintf(line, LONG_ONE, "AT%%CMNG=0,1,4,\"%05000d\"\r", 0);
    host_ask(h, line);
    assert_int_equal(h->len, 4095 + 1 + strlen(OK)); /* what is longer is not echoed, but its end */
    free(line);
    host_free(h);
}

/* Longer than at_host takes; and one that is too long is refused at once, its rest looked at for AT. */
static void test_serial_modem_length(void **state)
{
    (void)state;
    struct host *h = front_host("serial_modem", SIM_F2B);
    char *line = malloc(LONG_ONE);
    struct simboard_entry e;

    assert_non_null(line);
    int n = snprintf(line, LONG_ONE, "AT%%CMNG=0,1,2,\"%0*d\"", 8189 - 16, 0);
    assert_int_equal(n, 8189);
    strcat(line, "\r");
    assert_string_equal(host_ask(h, line), OK);
    assert_true(simboard_entry_find(h->b, 1, 2, &e));
    assert_int_equal(e.len, 8189 - 16);

    snprintf(line, LONG_ONE, "AT%%CMNG=0,1,2,\"%0*dx\nAT\nx\"\r", 8189 - 15, 0);
    assert_string_equal(host_ask(h, line), ERROR);
    assert_true(simboard_info(h->b).lost_overflow > 0);
    expect(h, "\r", ""); /* the closing quote of the rest has opened one behind its "AT" */
    expect(h, "\"\r", ERROR);
    expect(h, "AT\r", OK);
    free(line);
    host_free(h);
}

/* An answer that does not fit into 4,096 octets is an error. */
static void test_serial_modem_reply(void **state)
{
    (void)state;
    struct host *h = front_host("serial_modem", SIM_F1);

    for (unsigned i = 0; i < 47; i++)
        assert_string_equal(host_store(h, 10000000 + i, 4, "x"), OK);
    host_ask(h, "AT%CMNG=1\r");
    assert_int_equal(h->len, 2 + 47 * 86 + 2 + 4);
    assert_string_equal(host_store(h, 10000047, 4, "x"), OK);
    expect(h, "AT%CMNG=1\r", ERROR);
    host_free(h);
}

/* The purge for at_host and the resynchronising of a client for this firmware both leave it well. */
static void test_serial_modem_purge(void **state)
{
    (void)state;
    struct host *h = front_host("serial_modem", SIM_F2B);
    char purge[8300];

    memset(purge, '\b', 8192);
    memcpy(purge + 8192, "\"\b\r", 4);
    expect(h, "AT%CMNG=0,1,4,\"half\r", "");
    expect(h, "AT\r", "");
    expect(h, purge, "");
    expect(h, "AT\r", OK);
    expect(h, purge, "");
    expect(h, "AT\r", OK);
    assert_int_equal(simboard_entry_count(h->b), 0);
    expect(h, "\r+++\"\rAT\r", OK);
    host_free(h);
}

/* Unsolicited lines wait: for the end of the answer, and while a command is typed for a tenth of a second. */
static void test_serial_modem_urc(void **state)
{
    (void)state;
    struct host *h = front_host("serial_modem", SIM_F2B);

    for (unsigned k = 1; k <= 6; k++) {
        simboard_exact_reset(h->b);
        simboard_exact_add(h->b, &(struct sim_exact){.kind = SIM_EXACT_URC, .k = k, .answer = 1});
        const char *got = host_ask(h, "AT\r");
        assert_int_equal(strncmp(got, OK "\r\n", 8), 0);
        assert_true(got[8] == '+' || got[8] == '%');
        assert_string_equal(got + strlen(got) - 2, "\r\n");
        assert_int_equal(simboard_exact_fired(h->b, SIM_EXACT_URC), 1);
    }

    /* The next command is typed while the answer with the line still goes out. */
    simboard_exact_reset(h->b);
    simboard_exact_add(h->b, &(struct sim_exact){.kind = SIM_EXACT_URC, .k = 2, .answer = 1});
    host_clear(h);
    host_write(h, "AT+CGMI\rAT", 10);
    host_settle(h);
    const char *end = strstr(h->answer, "OK\r\n") + 4;
    assert_int_equal(strncmp(end, "\r\n", 2), 0);
    assert_true(end[2] == '+' || end[2] == '%');
    expect(h, "\r", OK);
    host_free(h);
}

/* Its driver keeps what comes while a command runs, without flow control too. */
static void test_serial_modem_busy(void **state)
{
    (void)state;
    struct simboard_config c = SIMBOARD_CONFIG_DEFAULT;
    c.front = SIM_FRONT_SERIAL_MODEM;
    c.flow = SIM_FLOW_NONE;
    struct host *h = host_new(&c);

    host_settle(h);
    expect(h, "AT%CMNG=0,1,4,\"x\"\rAT+CGMM\rAT\r", OK "\r\nnRF9151-LACA\r\n\r\nOK\r\n" OK);
    assert_int_equal(simboard_info(h->b).lost_busy, 0);
    simboard_add_fault(h->b, "fifo:4", NULL, 0);
    expect(h, "AT%CMNG=0,1,4,\"x\"\rAT+CGMM\r", OK);
    assert_int_equal(simboard_info(h->b).lost_busy, 4);
    host_free(h);
}

/* -- Serial LTE Modem -- */

static void test_slm(void **state)
{
    (void)state;
    static const struct dialogue rows[] = {
        {"AT\r\n", OK},
        {"AT\r", ""},
        {"\n", OK},
        {"\r\n", ""},
        {"junk AT\r\n", OK},
        {"ATE1\r\n", ERROR},
        {"hello\r\n", ERROR},
        {"AT+CMEE=1\r\n", OK},
        {"AT%CMNG=3,1,0\r\n", "\r\n+CME ERROR: 513\r\n"},
        {"AT\"\b\r\n", OK},
        {"AT+CGMM\r\n", "\r\nnRF9160-SICA\r\n\r\nOK\r\n"},
        {"AT#XSLMVER\r\n", "\r\n#XSLMVER: \"2.6.0\",\"2.6.0\"\r\n\r\nOK\r\n"},
        {"AT#XCMNG=0,1,0,\"x\"\r\n", ERROR},
        {"AT+IPR?\r\n", ERROR},
        {"AT#XRESET\r\n", OK "Ready\r\n"},
    };
    struct host *h = front_host("slm", SIM_F1_3B);
    char line[4300];

    RUN(h, rows);
    /* Too long: noticed at the end, and no wedge. */
    snprintf(line, sizeof line, "AT%%CMNG=0,1,2,\"%0*d\"\r\n", 4096 - 16, 0);
    assert_string_equal(host_ask(h, line), OK);
    snprintf(line, sizeof line, "AT%%CMNG=0,1,2,\"%0*d\"\r\n", 4097 - 16, 0);
    assert_string_equal(host_ask(h, line), ERROR);
    expect(h, "AT\r\n", OK);
    host_free(h);

    h = front_host("slm:cr", SIM_F1_3B);
    expect(h, "AT\r", OK);
    host_free(h);
}

static void test_native_tls(void **state)
{
    (void)state;
    static const struct dialogue rows[] = {
        {"AT#XCMNG=0,321,3,\"6e7266393174657374\"\r\n", OK},
        {"AT#XCMNG=0, 321, 4, \"identity\"\r\n", OK},
        {"AT#XCMNG=0,0,4,\"none\"\r\n", OK},
        {"AT#XCMNG=1\r\n", ERROR},
        {"AT#XCMNG=1,321\r\n", ERROR},
        {"AT#XCMNG=2,321,3\r\n", ERROR},
        {"AT#XCMNG=2,321,1\r\n", ERROR},
        {"AT#XCMNG=2,321,4\r\n", "\r\n%CMNG: 321,4,\"\",\"identity\"\r\n\r\nOK\r\n"},
        {"AT#XCMNG=2,999,4\r\n", ERROR},
        {"AT#XCMNG=3,999,4\r\n", ERROR},
        {"AT#XCMNG=3,321,3\r\n", OK},
        {"AT#XCMNG=0,214748364,0,\"x\"\r\n", OK},
        {"AT#XCMNG=0,214748365,0,\"x\"\r\n", ERROR},
        {"AT#XCMNG=0,1,5,\"x\"\r\n", OK}, /* types are not looked at */
        {"AT#XCMNG=0,1,27,\"y\"\r\n", OK},
        {"AT#XCMNG=0,1,65536,\"x\"\r\n", ERROR},
        {"AT#XCMNG=0,214748364,8,\"x\"\r\n", ERROR}, /* beyond the modem's tags */
        {"AT#XCMNG=0,1,0\r\n", ERROR},
        {"AT#XCMNG=4,1,0\r\n", ERROR},
        {"AT#XCMNG\r\n", ERROR},
        {"AT#XCMNG?\r\n", ERROR},
        {"AT+CMEE=1\r\n", OK},
        {"AT%CMNG=3,7,0\r\n", "\r\n+CME ERROR: 513\r\n"}, /* beside it the modem's own command works */
    };
    struct host *h = front_host("slm:native_tls", SIM_F1_3B);
    struct simboard_entry e;

    RUN(h, rows);
    assert_int_equal(simboard_entry_count(h->b), 5);
    assert_true(simboard_entry_find(h->b, 15, 0, &e));
    assert_true(simboard_entry_find(h->b, 37, 0, &e));
    assert_true(simboard_entry_find(h->b, 3214, 0, &e));
    assert_memory_equal(e.content, "identity", 8);
    assert_true(simboard_entry_find(h->b, 4, 0, &e));
    assert_true(simboard_entry_find(h->b, 2147483640, 0, &e));

    char *ca = read_ca(AMAZON_CA, false, true), *line = malloc(2048);
    assert_non_null(line);
    sprintf(line, "AT#XCMNG=0,55,0,\"%s\"\r\n", ca);
    expect(h, line, OK);
    expect(h, "AT%CMNG=1,550,0\r\n", "\r\n%CMNG: 550,0,\"" CA_LF "\"\r\n\r\nOK\r\n");
    sprintf(line, "\r\n%%CMNG: 55,0,\"\",\"%s\"\r\n\r\nOK\r\n", ca);
    expect(h, "AT#XCMNG=2,55,0\r\n", line);
    free(ca), free(line);
    host_free(h);

    /* A checking modem sees a private key where only certificates may stand. */
    h = front_host("slm:native_tls", SIM_F2B);
    expect(h, "AT#XCMNG=0,55,2,\"-----BEGIN PRIVATE KEY-----\"\r\n", ERROR);
    host_free(h);
}

/* -- Shell -- */

static const char *typed(struct host *h, const char *line)
{
    static char wanted[16384];
    host_ask(h, line);
    size_t len = strcspn(line, "\r\n");
    assert_memory_equal(h->answer, line, len); /* the echo */
    assert_memory_equal(h->answer + len, "\r\n", 2);
    snprintf(wanted, sizeof wanted, "%s", h->answer + len + 2);
    return wanted;
}

static void test_shell(void **state)
{
    (void)state;
    static const struct dialogue rows[] = {
        {"at AT\r", "OK\r\n\r\n" PROMPT},
        {"at AT+CGSN\n", "351465800000002\r\nOK\r\n\r\n" PROMPT},
        {"  at  'AT+CGMM'  \r\n", "nRF9161-LACA\r\nOK\r\n\r\n" PROMPT},
        {"at AT+CMEE=1\r", "OK\r\n\r\n" PROMPT},
        {"at AT%CMNG=2,4567,0\r", "+CME ERROR: 513\r\n\r\n" PROMPT},
        {"at AT%CMNG=0,1,4,\"x\"\r", "ERROR\r\n\r\n" PROMPT}, /* the quotes were the shell's */
        {"at 'AT%CMNG=0,1,4,\"a\\nb\"'\r", "OK\r\n\r\n" PROMPT},
        {"AT\r", "\x1b[1;31mAT: command not found\r\n\x1b[m\r\n" PROMPT},
        {"at 'AT\r", "\x1b[1;31mnot terminated: '\r\n\x1b[m\r\n" PROMPT},
        {"at\r", "Usage: at <subcommand>\r\n\r\n" PROMPT},
        {"\r", PROMPT},
        {"at events_enable\r", "AT command event handler enabled\r\n\r\n" PROMPT},
    };
    struct host *h = front_host("shell", SIM_F2A);
    struct simboard_entry e;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(typed(h, rows[i].send), rows[i].answer);
    assert_true(simboard_entry_find(h->b, 1, 4, &e));
    assert_int_equal(e.len, 4);
    assert_memory_equal(e.content, "a\r\nb", 4);
    assert_string_equal(host_ask(h, "ax\bt AT\r"), "ax\x1b[1D\x1b[Kt AT\r\nOK\r\n\r\n" PROMPT);
    assert_string_equal(host_ask(h, "junk\x03"), "junk\r\n" PROMPT);
    assert_string_equal(host_ask(h, "ju\x15"
                                    "at AT\r"),
                        "ju\x1b[1D\x1b[K\x1b[1D\x1b[Kat AT\r\nOK\r\n\r\n" PROMPT);
    assert_string_equal(host_ask(h, "\x1b[Aat\x1bOP AT\r"), "at AT\r\nOK\r\n\r\n" PROMPT);
    host_free(h);
}

/* A PEM in one line of the shell is stored with CR LF, and the digest is that of what is stored. */
static void test_shell_pem(void **state)
{
    (void)state;
    struct host *h = front_host("shell", SIM_F2B);
    char *ca = read_ca(AMAZON_CA, false, true), *line = calloc(1, 4096);

    assert_non_null(line);
    size_t n = (size_t)sprintf(line, "at 'AT%%CMNG=0,5,0,\"");
    for (const char *at = ca; *at; at++)
        n += (size_t)sprintf(line + n, *at == '\n' ? "\\n" : "%c", *at);
    strcpy(line + n, "\"'\r\n");
    assert_string_equal(typed(h, line), "OK\r\n\r\n" PROMPT);
    assert_string_equal(typed(h, "at AT%CMNG=1,5,0\r\n"), "%CMNG: 5,0,\"" CA_CRLF "\"\r\nOK\r\n\r\n" PROMPT);
    free(ca), free(line);
    host_free(h);
}

/* 2,700 octets of an answer at most; unsolicited lines only once asked for. */
static void test_shell_limits(void **state)
{
    (void)state;
    struct host *h = front_host("shell", SIM_F1);
    char line[64];

    for (unsigned i = 0; i < 31; i++) {
        snprintf(line, sizeof line, "at 'AT%%CMNG=0,%u,4,\"x\"'\r", 10000000 + i);
        assert_string_equal(typed(h, line), "OK\r\n\r\n" PROMPT);
    }
    assert_int_equal(strlen(typed(h, "at AT%CMNG=1\r")), 31 * 86 + 4 + 2 + strlen(PROMPT));
    typed(h, "at 'AT%CMNG=0,10000031,4,\"x\"'\r");
    assert_string_equal(typed(h, "at AT%CMNG=1\r"),
                        "Sending AT command failed with error code -7\r\n\r\n" PROMPT);

    simboard_add_fault(h->b, "urc:1", NULL, 0);
    assert_string_equal(typed(h, "at AT\r"), "OK\r\n\r\n" PROMPT);
    host_ask(h, "at events_enable\r");
    assert_non_null(strstr(typed(h, "at AT\r"), "AT event handler:\r\n"));
    host_free(h);
}

/* -- Our own firmware: only that it runs here as on a board; what it does is tested with the core -- */

static void test_certline(void **state)
{
    (void)state;
    static const struct dialogue rows[] = {
        {"AT\r", "OK\r\n"},
        {"AT\n", "OK\r\n"},
        {"AT+CMEE=1\r\n", "OK\r\n"},
        {"AT%CMNG=3,1,4\r", "+CME ERROR: 513\r\n"},
        {"AT%CMNG=0,1,4,\"two\nlines\"\r", "OK\r\n"},
        {"AT+CGMM\rAT+CGMI\rAT\r", "nRF9151-LACA\r\nOK\r\nNordic Semiconductor ASA\r\nOK\r\nOK\r\n"},
    };
    struct host *h = front_host("certline", SIM_F2B);

    RUN(h, rows);
    assert_memory_equal(simboard_entry_at(h->b, 0).content, "two\nlines", 9);
    host_ask(h, "AT#IDENT\r");
    assert_non_null(strstr(h->answer, "351465800000002"));
    assert_non_null(strstr(h->answer, "mfw_nrf91x1_2.0.2"));
    assert_string_equal(h->answer + h->len - 4, "OK\r\n");

    /* A quote that stays open ends by itself, with an error. */
    assert_non_null(strstr(host_ask(h, "AT%CMNG=0,1,4,\"half\r"), "+CME ERROR: "));
    expect(h, "AT\r", "OK\r\n");

    /* An unsolicited line never cuts into an answer. */
    simboard_add_fault(h->b, "urc:1", NULL, 0);
    for (int i = 0; i < 10; i++) {
        host_ask(h, "AT+CGMR\r");
        assert_non_null(strstr(h->answer, "mfw_nrf91x1_2.0.2\r\nOK\r\n"));
        assert_true(h->len > strlen("mfw_nrf91x1_2.0.2\r\nOK\r\n"));
    }
    host_free(h);
}

/* A modem that never answers: the firmware says so in the end and starts anew, and reset faults reach it in
 * the middle of a command. */
static void test_certline_faults(void **state)
{
    (void)state;
    struct host *h = front_host("certline", SIM_F2B);

    simboard_add_fault(h->b, "reboot@command:1", NULL, 0);
    assert_string_equal(host_ask(h, "AT+CGMM\r"), "Ready\r\n");
    simboard_add_fault(h->b, "lost_reply@command:1", NULL, 0);
    expect(h, "AT+CGMM\r", "");
    expect(h, "AT+CGMM\r", "nRF9151-LACA\r\nOK\r\n");
    simboard_add_fault(h->b, "hang@command:1", NULL, 0);
    host_ask(h, "AT+CGMM\r");
    assert_non_null(strstr(h->answer, "ERROR"));
    assert_non_null(strstr(h->answer, "Ready\r\n"));
    assert_int_equal(simboard_info(h->b).boots, 3);
    expect(h, "AT+CGMM\r", "nRF9151-LACA\r\nOK\r\n");
    host_free(h);
}

/* -- All of them -- */

/* A command for each, in its own way of speaking; what the store holds in the end is the same. */
static void test_same_work(void **state)
{
    (void)state;
    static const struct {
        const char *front, *format;
    } rows[] = {
        {"at_host", "%s\r"},      {"at_host:lf", "%s\n"},      {"at_host:crlf", "%s\r\n"},
        {"serial_modem", "%s\r"}, {"serial_modem:lf", "%s\n"}, {"serial_modem:crlf", "%s\r\n"},
        {"slm", "%s\r\n"},        {"slm:lf", "%s\n"},          {"slm:native_tls", "%s\r\n"},
        {"shell", "at '%s'\r\n"}, {"certline", "%s\r"},
    };
    static const char *const commands[] = {"AT+CMEE=1", "AT+CFUN=4", "AT%CMNG=0,1,4,\"abc\"",
                                           "AT%CMNG=0,2,4,\"def\"", "AT%CMNG=3,1,4"};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct host *h = front_host(rows[i].front, SIM_F2B);
        char line[128];
        for (size_t k = 0; k < sizeof commands / sizeof commands[0]; k++) {
            snprintf(line, sizeof line, rows[i].format, commands[k]);
            if (!strstr(host_ask(h, line), "OK\r\n"))
                fail_msg("%s: %s: %s", rows[i].front, line, h->answer);
        }
        assert_int_equal(simboard_entry_count(h->b), 1);
        assert_int_equal(simboard_entry_at(h->b, 0).sec_tag, 2);
        assert_int_equal(simboard_executed_total(h->b), 5);
        host_free(h);
    }
}

/* Faults that wait for a command or an answer mean the same behind every front end. */
static void test_same_faults(void **state)
{
    (void)state;
    static const char *const fronts[] = {"at_host:crlf", "serial_modem:crlf", "slm", "slm:native_tls"};

    for (size_t i = 0; i < sizeof fronts / sizeof fronts[0]; i++) {
        struct host *h = front_host(fronts[i], SIM_F2B);
        simboard_add_fault(h->b, "lost_reply@command:2", NULL, 0);
        simboard_add_fault(h->b, "reboot@command:3", NULL, 0);
        simboard_add_fault(h->b, "hang@command:4", NULL, 0);
        assert_non_null(strstr(host_ask(h, "AT\r\n"), "OK\r\n"));
        expect(h, "AT\r\n", "");
        assert_true(strlen(host_ask(h, "AT\r\n")) > 0);
        assert_null(strstr(h->answer, "OK"));
        assert_int_equal(simboard_info(h->b).boots, 2);
        expect(h, "AT\r\n", "");
        assert_true(simboard_info(h->b).is_hung);
        expect(h, "AT\r\n", "");
        simboard_reboot(h->b, h->now_us);
        host_settle(h);
        simboard_clear_faults(h->b);
        assert_non_null(strstr(host_ask(h, "AT\r\n"), "OK\r\n"));
        host_free(h);
    }
}

/* Anything in any pieces: whatever was typed, a reset leads back; to our own firmware a pause does. */
static void test_noise(void **state)
{
    (void)state;
    static const char *const fronts[] = {"serial_modem",    "slm",     "slm:native_tls", "shell",
                                         "serial_modem:lf", "certline"};
    static const char *const pieces[] = {"AT",
                                         "at '",
                                         "'",
                                         "\"",
                                         "\\n",
                                         "\r",
                                         "\n",
                                         "\b",
                                         "#XCMNG=0,1,",
                                         "2,",
                                         "\"x\"",
                                         "%CMNG=1",
                                         "%CMNG=0,",
                                         "E1\r",
                                         "+IPR=",
                                         "1000000",
                                         "\x1b[",
                                         "\x03",
                                         "#XRESET\r\n",
                                         "%KEYGEN=1,2\r\n",
                                         "=?",
                                         "\xff",
                                         "events_enable\r"};
    static const char *const last[] = {"AT\r", "AT\r\n", "AT\r\n", "at AT\r", "AT\n", "AT\r"};
    uint64_t dice = 7;

    for (unsigned round = 0; round < 30; round++) {
        struct host *h = front_host(fronts[round % 6], (enum sim_family)(round % 7));
        simboard_add_fault(h->b, "urc:0.3", NULL, 0);
        for (int i = 0; i < 600; i++) {
            dice = dice * 6364136223846793005u + 1442695040888963407u;
            const char *piece = pieces[(dice >> 33) % (sizeof pieces / sizeof pieces[0])];
            simboard_from_host(h->b, piece, strlen(piece), h->now_us);
            h->now_us += (int64_t)(dice >> 50);
            host_clear(h);
            host_read(h);
            assert_true(simboard_next_us(h->b) > h->now_us);
        }
        simboard_clear_faults(h->b);
        host_settle(h);
        if (strcmp(fronts[round % 6], "certline") != 0) {
            simboard_reboot(h->b, h->now_us);
            host_settle(h);
        }
        assert_non_null(strstr(host_ask(h, last[round % 6]), "OK\r\n"));
        host_free(h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_banners),
        cmocka_unit_test(test_serial_modem),
        cmocka_unit_test(test_serial_modem_echo),
        cmocka_unit_test(test_serial_modem_length),
        cmocka_unit_test(test_serial_modem_reply),
        cmocka_unit_test(test_serial_modem_purge),
        cmocka_unit_test(test_serial_modem_urc),
        cmocka_unit_test(test_serial_modem_busy),
        cmocka_unit_test(test_slm),
        cmocka_unit_test(test_native_tls),
        cmocka_unit_test(test_shell),
        cmocka_unit_test(test_shell_pem),
        cmocka_unit_test(test_shell_limits),
        cmocka_unit_test(test_certline),
        cmocka_unit_test(test_certline_faults),
        cmocka_unit_test(test_same_work),
        cmocka_unit_test(test_same_faults),
        cmocka_unit_test(test_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
