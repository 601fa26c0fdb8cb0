/*
 * What other tools say to a board, and what they would then show: nrfcredstore, the nRF Cloud installers, the
 * Certificate Manager, a client on another microcontroller. Each is a host after its published sources: its
 * own line ends, its own idea of when an answer is over, its own blind spots, which are part of what is
 * tested.
 */
#include "unit/test_sim_host.h"

#include <openssl/sha.h>

#define TAG 16842753u

/* A host program on one port. */
struct tool {
    struct host *h;
    bool is_shell;
    size_t read_at;   /* lines before it were read */
    char shown[8192]; /* what its user sees */
};

static struct tool *tool_new(const char *front, enum sim_family family)
{
    struct simboard_config c = SIMBOARD_CONFIG_DEFAULT;
    struct tool *t = calloc(1, sizeof *t);

    assert_non_null(t);
    c.family = family;
    assert_int_equal(sim_front_parse(front, &c.front, &c.term), 0);
    t->h = host_new(&c);
    host_settle(t->h);
    return t;
}

static void tool_free(struct tool *t)
{
    host_free(t->h);
    free(t);
}

static void show(struct tool *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void show(struct tool *t, const char *format, ...)
{
    size_t len = strlen(t->shown);
    va_list list;

    va_start(list, format);
    vsnprintf(t->shown + len, sizeof t->shown - len, format, list);
    va_end(list);
}

static void send(struct tool *t, const char *text)
{
    host_clear(t->h);
    t->read_at = 0;
    host_write(t->h, text, strlen(text));
    host_settle(t->h);
}

/* The next line without blanks and colours around it; false when no more has come by the time-out. */
static bool next_line(struct tool *t, char *line, size_t size)
{
    const char *at = t->h->answer + t->read_at;
    size_t n = 0;

    if (*at == '\0')
        return false;
    size_t len = strcspn(at, "\n");
    t->read_at += len + (at[len] == '\n');
    for (size_t i = 0; i < len && n < size - 1; i++) {
        if (at[i] == '\x1b') {
            while (i < len && !(at[i] >= 'a' && at[i] <= 'z') && !(at[i] >= 'A' && at[i] <= 'Z'))
                i++;
            continue;
        }
        line[n++] = at[i];
    }
    while (n > 0 && (unsigned char)line[n - 1] <= ' ')
        n--;
    line[n] = '\0';
    size_t lead = strspn(line, " \t\r");
    memmove(line, line + lead, n - lead + 1);
    return true;
}

/* -- nrfcredstore -- */

/* Lines end with CR LF; in a shell the command stands in apostrophes, its line ends as backslash and n. */
static void credstore_send(struct tool *t, const char *command)
{
    char line[8192];
    size_t n = 0;

    if (!t->is_shell) {
        snprintf(line, sizeof line, "%s\r\n", command);
    } else {
        n = (size_t)sprintf(line, "at '");
        for (; *command; command++) {
            if (*command != '\r')
                n += (size_t)sprintf(line + n, *command == '\n' ? "\\n" : "%c", *command);
        }
        sprintf(line + n, "'\r\n");
    }
    send(t, line);
}

/* Success is a line "OK". Lines that hold `keep` are collected. A code is shown in words. */
static bool credstore_expect(struct tool *t, const char *keep, char *kept, size_t size)
{
    static const struct {
        int code;
        const char *words;
    } errors[] = {{513, "Not found"},      {514, "Not allowed"},
                  {515, "Memory full"},    {518, "Not allowed in active state"},
                  {519, "Already exists"}, {523, "Key generation failed"}};
    char line[4096];
    size_t n = 0;

    if (kept)
        kept[0] = '\0';
    while (next_line(t, line, sizeof line)) {
        if (strcmp(line, "OK") == 0)
            return true;
        if (strcmp(line, "ERROR") == 0)
            return false;
        if (strncmp(line, "+CME ERROR", 10) == 0) {
            const char *words = "Unknown error";
            for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
                if (errors[i].code == atoi(line + 12))
                    words = errors[i].words;
            }
            show(t, "AT command error: %s\n", words);
            return false;
        }
        if (keep && strstr(line, keep))
            n += (size_t)snprintf(kept + n, size - n, "%s\n", line);
    }
    show(t, "no answer\n");
    return false;
}

/* Tries the shell thrice, then plain commands thrice, by asking for the IMEI; then +CMEE and +CFUN. */
static bool credstore_open(struct tool *t)
{
    char line[256];

    send(t, "\r\n");
    for (int i = 0; i < 6; i++) {
        bool has_number = false;
        send(t, i < 3 ? "at AT+CGSN\r\n" : "AT+CGSN\r\n");
        while (next_line(t, line, sizeof line)) {
            has_number |= strlen(line) == 15 && strspn(line, "0123456789") == 15;
            if (strcmp(line, "OK") == 0 && has_number) {
                t->is_shell = i < 3;
                credstore_send(t, "AT+CMEE=1");
                if (!credstore_expect(t, NULL, NULL, 0))
                    return false;
                credstore_send(t, "AT+CFUN=4");
                return credstore_expect(t, NULL, NULL, 0);
            }
        }
    }
    show(t, "no device\n");
    return false;
}

static void credstore_list(struct tool *t, const char *filter)
{
    static const char *const types[] = {
        "ROOT_CA_CERT",    "CLIENT_CERT",   "CLIENT_KEY",        "PSK",
        "PSK_IDENTITY",    "PUBLIC_KEY",    "DEV_ID_PUB_KEY",    "RESERVED",
        "ENDORSEMENT_KEY", "OWNERSHIP_KEY", "NORDIC_ID_ROOT_CA", "NORDIC_PUB_KEY"};
    char rows[4096], command[64];

    snprintf(command, sizeof command, "AT%%CMNG=1%s", filter);
    credstore_send(t, command);
    if (!credstore_expect(t, "%CMNG: ", rows, sizeof rows))
        return;
    char *rest = NULL;
    for (char *row = strtok_r(rows, "\n", &rest); row; row = strtok_r(NULL, "\n", &rest)) {
        unsigned tag, type;
        char sha[65];
        assert_int_equal(sscanf(row, "%%CMNG: %u,%u,\"%64[0-9A-F]\"", &tag, &type, sha), 3);
        show(t, "%u %s %s\n", tag, types[type], sha);
    }
}

/* The file without white space at its end. */
static bool credstore_write(struct tool *t, unsigned tag, unsigned type, const char *file)
{
    char command[8192];
    size_t len = strlen(file);

    while (len > 0 && (unsigned char)file[len - 1] <= ' ')
        len--;
    snprintf(command, sizeof command, "AT%%CMNG=0,%u,%u,\"%.*s\"", tag, type, (int)len, file);
    credstore_send(t, command);
    return credstore_expect(t, NULL, NULL, 0);
}

static bool credstore_delete(struct tool *t, unsigned tag, unsigned type)
{
    char command[64];

    snprintf(command, sizeof command, "AT%%CMNG=3,%u,%u", tag, type);
    credstore_send(t, command);
    return credstore_expect(t, NULL, NULL, 0);
}

/* Everything in the list but the modem's own. */
static unsigned credstore_deleteall(struct tool *t)
{
    char rows[4096];
    unsigned deleted = 0;

    credstore_send(t, "AT%CMNG=1");
    assert_true(credstore_expect(t, "%CMNG: ", rows, sizeof rows));
    char *rest = NULL;
    for (char *row = strtok_r(rows, "\n", &rest); row; row = strtok_r(NULL, "\n", &rest)) {
        unsigned tag, type;
        assert_int_equal(sscanf(row, "%%CMNG: %u,%u", &tag, &type), 2);
        if (tag < 4294967292u)
            deleted += credstore_delete(t, tag, type);
    }
    return deleted;
}

/* Keeps the request, forgets the proof. Returns its length in characters. */
static size_t credstore_generate(struct tool *t, unsigned tag, const char *attributes)
{
    char command[256], line[2048];

    snprintf(command, sizeof command, "AT%%KEYGEN=%u,2,0%s", tag, attributes);
    credstore_send(t, command);
    if (!credstore_expect(t, "%KEYGEN: \"", line, sizeof line))
        return 0;
    return strcspn(strchr(line, '"') + 1, ".");
}

static const char *const credstore_fronts[] = {"at_host", "at_host:crlf", "serial_modem",
                                               "slm",     "shell",        "certline"};

static void test_credstore(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof credstore_fronts / sizeof credstore_fronts[0]; i++) {
        struct tool *t = tool_new(credstore_fronts[i], SIM_F1_3B);
        char *ca = read_ca(AMAZON_CA, false, true);
        bool is_shell = strcmp(credstore_fronts[i], "shell") == 0;

        assert_true(credstore_open(t));
        assert_int_equal(t->is_shell, is_shell);
        credstore_list(t, ",16842753");
        assert_string_equal(t->shown, "");
        assert_true(credstore_write(t, TAG, 0, ca));
        assert_true(credstore_generate(t, TAG, "") >= 350);
        assert_true(credstore_write(t, 42, 3, "6e7266393174657374\n"));
        credstore_list(t, ",16842753,0");
        /* without the last line end; the shell puts CR LF for each */
        assert_string_equal(t->shown,
                            is_shell ? "16842753 ROOT_CA_CERT "
                                       "A86D8BF8D75130765A6453960E0E4E5158E0F3E43F86699EFE36190C463A25CF\n"
                                     : "16842753 ROOT_CA_CERT "
                                       "AD6FB002E6B34C0559FA8F93A3794FF12C4E3F119BD77290C52525123FB9EA74\n");
        t->shown[0] = '\0';
        assert_int_equal(credstore_generate(t, TAG, ",\"CN=again\""), 0);
        assert_false(credstore_delete(t, 1, 0));
        assert_string_equal(t->shown, "AT command error: Already exists\nAT command error: Not found\n");
        t->shown[0] = '\0';
        credstore_list(t, "");
        assert_non_null(strstr(t->shown, "16842753 CLIENT_KEY "));
        assert_non_null(strstr(t->shown, "42 PSK "));
        assert_non_null(strstr(t->shown, "4294967293 NORDIC_ID_ROOT_CA 2C43952EE9E000FF"));
        assert_non_null(strstr(t->shown, "4294967294 DEV_ID_PUB_KEY "));
        assert_non_null(strstr(t->shown, "4294967292 NORDIC_PUB_KEY 2027C4699EAA90A4"));
        assert_int_equal(credstore_deleteall(t), 3);
        assert_int_equal(simboard_entry_count(t->h->b), 0);
        free(ca);
        tool_free(t);
    }
}

static void test_credstore_identity(void **state)
{
    (void)state;
    struct tool *t = tool_new("at_host", SIM_F2B);
    char line[512];

    assert_true(credstore_open(t));
    credstore_send(t, "AT+CGSN");
    assert_true(credstore_expect(t, "3514", line, sizeof line));
    assert_string_equal(line, "351465800000002\n");
    credstore_send(t, "AT%ATTESTTOKEN");
    assert_true(credstore_expect(t, "%ATTESTTOKEN: ", line, sizeof line));
    assert_int_equal(strcspn(strchr(line, '"') + 1, "\""), 180);
    tool_free(t);

    /* A board without an IMEI is not found, though it answers. */
    struct simboard_config c = SIMBOARD_CONFIG_DEFAULT;
    c.imei[0] = '\0';
    t = calloc(1, sizeof *t);
    assert_non_null(t);
    t->h = host_new(&c);
    host_settle(t->h);
    assert_false(credstore_open(t));
    assert_string_equal(t->shown, "no device\n");
    tool_free(t);
}

/* A checking modem refuses what is no certificate; the tool has no words for the code. */
static void test_credstore_refused(void **state)
{
    (void)state;
    struct tool *t = tool_new("at_host", SIM_F2B);

    assert_true(credstore_open(t));
    assert_false(
        credstore_write(t, TAG, 0, "-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----"));
    assert_true(credstore_write(t, TAG, 2, "-----BEGIN PRIVATE KEY-----\\nAAAA\\n-----END PRIVATE KEY-----"));
    simboard_add_fault(t->h->b, "active", NULL, 0);
    assert_false(credstore_delete(t, TAG, 2));
    assert_string_equal(t->shown,
                        "AT command error: Unknown error\nAT command error: Not allowed in active state\n");
    tool_free(t);
}

/* -- The nRF Cloud installer -- */

struct installer {
    bool does_delete, makes_key;
    const char *ca, *cert, *key;
};

static bool wait_ok(struct tool *t, const char *command, const char *keep, char *kept, size_t size)
{
    char line[8192];
    int n = snprintf(line, sizeof line, "%s\r\n", command);
    assert_in_range(n, 1, sizeof line - 1);
    send(t, line);
    return credstore_expect(t, keep, kept, size);
}

/* CR LF for every line end; its digest in upper case. */
static void to_crlf(const char *text, char *out)
{
    for (; *text; text++) {
        if (*text == '\n')
            *out++ = '\r';
        *out++ = *text;
    }
    *out = '\0';
}

static void digest_of(const char *text, char hex[65])
{
    uint8_t digest[32];
    SHA256((const uint8_t *)text, strlen(text), digest);
    for (size_t i = 0; i < 32; i++)
        sprintf(hex + 2 * i, "%02X", digest[i]);
}

/* Writes without looking at the result. */
static void installer_write(struct tool *t, unsigned type, const char *text)
{
    char command[8192];
    int n = snprintf(command, sizeof command, "AT%%CMNG=0,%u,%u,\"%s\"", TAG, type, text);
    assert_in_range(n, 1, sizeof command - 1);
    wait_ok(t, command, NULL, NULL, 0);
}

static void installer_verify(struct tool *t, unsigned type, const char *text)
{
    char command[64], row[256], wanted[65];

    snprintf(command, sizeof command, "AT%%CMNG=1,%u,%u", TAG, type);
    wait_ok(t, command, "%CMNG: ", row, sizeof row);
    const char *sha = strchr(row, '"');
    if (!sha)
        show(t, "%u: malformed response\n", type); /* what it says of an absent one */
    else if (!text)
        show(t, "%u: %.8s\n", type, sha + 1);
    else if (digest_of(text, wanted), strncmp(sha + 1, wanted, 64) != 0)
        show(t, "%u: mismatch\n", type);
    else
        show(t, "%u: verified\n", type);
}

static void install(struct tool *t, const struct installer *plan)
{
    char row[2048], version[128], ca[8192], cert[8192], key[8192];
    int major = 0, minor = 0, patch = 0;

    wait_ok(t, "AT+CFUN=4", NULL, NULL, 0);
    if (!wait_ok(t, "AT+CGSN", "35", row, sizeof row) ||
        !wait_ok(t, "AT+CGMR", "mfw", version, sizeof version)) {
        show(t, "no identity\n");
        return;
    }
    bool is_ntn = strstr(version, "ntn");
    const char *digits = strpbrk(strrchr(version, '_'), "0123456789");
    sscanf(digits, "%d.%d.%d", &major, &minor, &patch);
    int number = major * 10000 + minor * 100 + patch;
    if (!is_ntn && number < 10300) {
        show(t, "firmware too old\n");
        return;
    }
    for (unsigned type = 0; plan->does_delete && type < 3; type++) {
        char command[64];
        snprintf(command, sizeof command, "AT%%CMNG=3,%u,%u", TAG, type);
        wait_ok(t, command, NULL, NULL, 0);
    }
    if (plan->makes_key) {
        char command[64];
        snprintf(command, sizeof command, "AT%%KEYGEN=%u,2,0,\"CN=unit-1\"", TAG);
        if (!wait_ok(t, command, "%KEYGEN: ", row, sizeof row)) {
            show(t, "no CSR\n");
            return;
        }
    }
    to_crlf(plan->ca, ca), to_crlf(plan->cert, cert), to_crlf(plan->key ? plan->key : "", key);
    installer_write(t, 0, ca);
    installer_write(t, 1, cert);
    if (!plan->makes_key)
        installer_write(t, 2, key);
    if (!is_ntn && number < 10302) {
        show(t, "cannot verify\n");
        return;
    }
    installer_verify(t, 0, ca);
    installer_verify(t, 1, cert);
    installer_verify(t, 2, plan->makes_key ? NULL : key);
}

static void test_installer(void **state)
{
    (void)state;
    static const struct {
        enum sim_family family;
        const char *fault;
        const char *shown; /* with a key from the host */
    } rows[] = {
        {SIM_F1, NULL, "firmware too old\n"},
        {SIM_F1_3A, NULL, "cannot verify\n"},
        {SIM_F1_3B, NULL, "0: verified\n1: verified\n2: verified\n"},
        {SIM_F2A, NULL, "0: verified\n1: verified\n2: verified\n"},
        {SIM_F2B, NULL, "0: verified\n1: verified\n2: verified\n"},
        {SIM_FN, NULL, "0: verified\n1: verified\n2: verified\n"},
        {SIM_F2B, "newline:lf", "0: mismatch\n1: mismatch\n2: mismatch\n"},
        {SIM_F2B, "stored_wrong:1", "0: mismatch\n1: mismatch\n2: mismatch\n"},
        /* Refused writes are not noticed as such. */
        {SIM_F2B, "memory_full", "0: malformed response\n1: malformed response\n2: malformed response\n"},
        {SIM_F2B, "wrong_family:F1", "firmware too old\n"},
    };
    char *ca = read_ca(AMAZON_CA, false, true), *cert = read_ca(ISRG_CA, false, true);
    const struct installer plan = {.does_delete = true, .ca = ca, .cert = cert, .key = "some\nkey\n"};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tool *t = tool_new("at_host", rows[i].family);
        if (rows[i].fault)
            assert_int_equal(simboard_add_fault(t->h->b, rows[i].fault, NULL, 0), 0);
        install(t, &plan);
        assert_string_equal(t->shown, rows[i].shown);
        tool_free(t);
    }
    free(ca), free(cert);
}

/* With a key made on the board, as a transcript of the old tool shows it; twice is refused without deleting.
 */
static void test_installer_keygen(void **state)
{
    (void)state;
    char *ca = read_ca(AMAZON_CA, false, true), *cert = read_ca(ISRG_CA, false, true);
    struct installer plan = {.does_delete = true, .makes_key = true, .ca = ca, .cert = cert};
    struct tool *t = tool_new("at_host", SIM_F1_3B);

    install(t, &plan);
    assert_int_equal(strncmp(t->shown, "0: verified\n1: verified\n2: ", 27), 0);
    assert_int_equal(strspn(t->shown + 27, "0123456789ABCDEF"), 8);
    t->shown[0] = '\0';
    plan.does_delete = false;
    install(t, &plan);
    assert_string_equal(t->shown, "no CSR\n");
    t->shown[0] = '\0';
    plan.does_delete = true;
    install(t, &plan);
    assert_int_equal(strncmp(t->shown, "0: verified\n1: verified\n2: ", 27), 0);
    assert_int_equal(simboard_nvm_writes(t->h->b, TAG, 2), 2);
    free(ca), free(cert);
    tool_free(t);
}

/* The asset tracker's own: a factory reset, contents with CR LF, and back into the network. */
static void test_asset_tracker(void **state)
{
    (void)state;
    struct tool *t = tool_new("at_host", SIM_F1_3B);
    char *ca = read_ca(AMAZON_CA, true, true), command[4096];

    assert_int_equal(simboard_entry_put(t->h->b, 7, 4, "old", 3), 0);
    assert_true(wait_ok(t, "AT%XFACTORYRESET=0", NULL, NULL, 0));
    assert_int_equal(simboard_entry_count(t->h->b), 0);
    assert_true(wait_ok(t, "AT+CFUN=4", NULL, NULL, 0));
    snprintf(command, sizeof command, "AT%%CMNG=0,42,0,\"%s\"", ca);
    assert_true(wait_ok(t, command, NULL, NULL, 0));
    assert_true(wait_ok(t, "AT+CFUN=1", NULL, NULL, 0));
    assert_int_equal(simboard_entry_count(t->h->b), 1);
    assert_false(wait_ok(t, "AT%XFACTORYRESET=0", NULL, NULL, 0)); /* now it is active */
    assert_int_equal(simboard_entry_count(t->h->b), 1);
    free(ca);
    tool_free(t);
}

/* -- Certificate Manager -- */

/* Over when the text holds one of the words anywhere. */
static void manager_write(struct tool *t, unsigned type, const char *text)
{
    char command[8192];

    snprintf(command, sizeof command, "%sAT%%CMNG=0,%u,%u,\"%s\"%s\r\n", t->is_shell ? "at '" : "", TAG, type,
             text, t->is_shell ? "'" : "");
    send(t, command);
    const char *ok = strstr(t->h->answer, "OK"), *error = strstr(t->h->answer, "ERROR");
    if (ok && (!error || ok < error))
        show(t, "written\n");
    else if (error)
        show(t, "Unable to write TLS credential\n");
    else
        show(t, "no answer\n");
}

/* Which line end is answered with anything: CR or LF. (An AT host that waits for LF has the first try still
 * in its line when the second comes, and refuses both together.) */
static char manager_probe(struct tool *t)
{
    send(t, "at AT\r\n");
    t->is_shell = strstr(t->h->answer, "OK") != NULL;
    if (t->is_shell)
        return '\r';
    send(t, "AT\r");
    if (strstr(t->h->answer, "OK"))
        return '\r';
    send(t, "AT\n");
    return t->h->len > 0 ? '\n' : '\0';
}

static void test_certificate_manager(void **state)
{
    (void)state;
    static const struct {
        const char *front;
        enum sim_family family;
        const char *fault;
        const char *shown;
    } rows[] = {
        {"at_host", SIM_F2B, NULL, "written\nwritten\n"},
        {"at_host:lf", SIM_F2B, NULL, "written\nwritten\n"},
        {"serial_modem", SIM_F2A, NULL, "written\nwritten\n"},
        {"at_host", SIM_F2B, "active", "Unable to write TLS credential\nUnable to write TLS credential\n"},
        {"at_host", SIM_F2B, "supply_low",
         "Unable to write TLS credential\nUnable to write TLS credential\n"},
        {"at_host", SIM_F2B, "lost_reply@write", "no answer\nno answer\n"},
    };
    char *ca = read_ca(AMAZON_CA, true, false);

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tool *t = tool_new(rows[i].front, rows[i].family);
        if (rows[i].fault)
            assert_int_equal(simboard_add_fault(t->h->b, rows[i].fault, NULL, 0), 0);
        assert_int_equal(manager_probe(t), strcmp(rows[i].front, "at_host:lf") == 0 ? '\n' : '\r');
        manager_write(t, 0, ca);
        manager_write(t, 2, "a key");
        assert_string_equal(t->shown, rows[i].shown);
        tool_free(t);
    }

    /* What was pasted wrongly: refused by a checking modem, taken by an older one. */
    for (int is_checking = 0; is_checking < 2; is_checking++) {
        struct tool *t = tool_new("at_host", is_checking ? SIM_F2B : SIM_F2A);
        manager_probe(t);
        manager_write(t, 0, "-----BEGIN CERTIFICATE----- MIIB -----END CERTIFICATE-----");
        assert_string_equal(t->shown, is_checking ? "Unable to write TLS credential\n" : "written\n");
        tool_free(t);
    }

    /* Where the board echoes, the word may come out of the content: success before anything is stored. */
    struct tool *t = tool_new("shell", SIM_F2B);
    manager_probe(t);
    assert_true(t->is_shell);
    manager_write(t, 0, "MIIOKAAA");
    assert_string_equal(t->shown, "written\n");
    assert_int_equal(simboard_entry_count(t->h->b), 0);
    free(ca);
    tool_free(t);
}

/* -- A client on another microcontroller -- */

static void client_install(struct tool *t)
{
    char row[256], command[4096], wanted[65], *ca = read_ca(ISRG_CA, true, true);

    digest_of(ca, wanted);
    send(t, "\r+++\"\rAT\r");
    if (!strstr(t->h->answer, "OK")) {
        show(t, "no modem\n");
        free(ca);
        return;
    }
    static const char *const questions[] = {"AT+CGMM", "AT+CGMR", "AT+CGSN=2"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(command, sizeof command, "%s\r", questions[i]);
        send(t, command);
        assert_non_null(strstr(t->h->answer, "OK"));
    }
    for (int round = 0; round < 2; round++) {
        send(t, "AT%CMNG=1,0,0\r");
        assert_true(credstore_expect(t, "%CMNG: ", row, sizeof row));
        if (strstr(row, wanted)) {
            show(t, round ? "installed\n" : "there\n");
            break;
        }
        if (round) {
            show(t, "wrong, going on\n");
            break;
        }
        send(t, "AT+CFUN=4\r");
        send(t, "AT%CMNG=3,0,0\r");
        snprintf(command, sizeof command, "AT%%CMNG=0,0,0,\"%s\"\r", ca);
        send(t, command);
    }
    free(ca);
}

static void test_client(void **state)
{
    (void)state;
    struct tool *t = tool_new("serial_modem", SIM_F2B);
    client_install(t);
    client_install(t);
    assert_string_equal(t->shown, "installed\nthere\n");
    assert_int_equal(simboard_nvm_writes(t->h->b, 0, 0), 1);
    char *shown = strstr(host_ask(t->h, "AT%CMNG=1,0,0\r"), "4C99356C265EE06C");
    assert_non_null(shown);
    tool_free(t);

    t = tool_new("serial_modem", SIM_F2B);
    simboard_add_fault(t->h->b, "stored_wrong:1", NULL, 0);
    client_install(t);
    assert_string_equal(t->shown, "wrong, going on\n");
    assert_int_equal(simboard_nvm_writes(t->h->b, 0, 0), 1);
    tool_free(t);

    /* Its resynchronising wedges Nordic's AT host where that was healthy, and heals where a quote was open.
     */
    t = tool_new("at_host", SIM_F2B);
    client_install(t);
    assert_string_equal(t->shown, "no modem\n");
    client_install(t);
    assert_string_equal(t->shown, "no modem\ninstalled\n");
    tool_free(t);
}

/* As Serial Modem's own documentation has it: CFUN 0, a CA, a PSK and its identity, CFUN 1. */
static void test_serial_modem_document(void **state)
{
    (void)state;
    struct tool *t = tool_new("serial_modem", SIM_F2B);
    char *ca = read_ca(AMAZON_CA, false, true), command[4096];

    assert_true(wait_ok(t, "AT+CFUN=0", NULL, NULL, 0));
    snprintf(command, sizeof command, "AT%%CMNG=0,1000,0,\"%s\"", ca);
    assert_true(wait_ok(t, command, NULL, NULL, 0));
    assert_true(wait_ok(t, "AT%CMNG=0,1001,3,\"6e7266393174657374\"", NULL, NULL, 0));
    assert_true(wait_ok(t, "AT%CMNG=0,1001,4,\"nrf91test\"", NULL, NULL, 0));
    assert_true(wait_ok(t, "AT+CFUN=1", NULL, NULL, 0));
    assert_int_equal(simboard_entry_count(t->h->b), 3);
    free(ca);
    tool_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_credstore),
        cmocka_unit_test(test_credstore_identity),
        cmocka_unit_test(test_credstore_refused),
        cmocka_unit_test(test_installer),
        cmocka_unit_test(test_installer_keygen),
        cmocka_unit_test(test_asset_tracker),
        cmocka_unit_test(test_certificate_manager),
        cmocka_unit_test(test_client),
        cmocka_unit_test(test_serial_modem_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
