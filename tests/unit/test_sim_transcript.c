/*
 * Dialogues, recorded from real boards or constructed: what the host said is said to a simulated board, which
 * must answer what stands there. A file with a line "# sim: family=F2b …" is one for the simulator:
 *
 *   family=NAME   front=NAME (at_host)   line_max=N (a build with a smaller buffer)   cmee=1 (set before)
 *   public_key=1 (one is stored)   banner=1 (the file begins with the boot)   ready=1 (says Ready)
 *   short_list=1 (the list leaves out the modem's own rows)
 *
 * "# sim-entry: TAG,TYPE,DIGEST" puts an entry into the store of which only the digest is known.
 *
 * "> " is a line of the host and "< " one of the board. Following "> " lines are one command while a quote is
 * open. Empty "< " lines, and empty lines of an answer, do not count: some come from what recorded the
 * dialogue. Colours are left out. What a board sends must stand there to the last line.
 *
 * "! silence": the board never answers, and nor does it to AT; then the purge (backspaces, quote, backspace,
 * terminator) must cure it. "! fault SPEC" and "! clear" as in board.h. "! reboot": a reset in place of the
 * answer to the next command. "! urc K": an unsolicited line before the K-th octet of the next answer.
 */
#include "unit/test_sim_host.h"

#include <glob.h>

#define PURGE_OCTETS 4096
#define ENTRIES_MAX  8

struct replay {
    struct simboard_config config;
    bool has_cmee, has_public_key, has_banner;
    char entries[ENTRIES_MAX][128];
    size_t entry_count;
    struct host *h;
    char command[16384];
    size_t command_len;
    char seen[32768]; /* the answer without colours */
    size_t at;        /* of it that is not yet compared */
    unsigned compared;
};

static bool option(const char *line, const char *name, char *value, size_t size)
{
    char key[32];
    snprintf(key, sizeof key, " %s=", name);
    const char *at = strstr(line, key);
    if (!at)
        return false;
    at += strlen(key);
    snprintf(value, size, "%.*s", (int)strcspn(at, " \n"), at);
    return true;
}

static void read_options(struct replay *r, const char *line)
{
    char value[32];

    assert_true(option(line, "family", value, sizeof value));
    assert_int_equal(sim_family_parse(value, &r->config.family), 0);
    if (option(line, "front", value, sizeof value))
        assert_int_equal(sim_front_parse(value, &r->config.front, &r->config.term), 0);
    if (option(line, "line_max", value, sizeof value))
        r->config.line_max = (uint32_t)atoi(value);
    r->has_cmee = option(line, "cmee", value, sizeof value);
    r->has_public_key = option(line, "public_key", value, sizeof value);
    r->has_banner = option(line, "banner", value, sizeof value);
    r->config.says_ready = option(line, "ready", value, sizeof value);
    r->config.hides_reserved = option(line, "short_list", value, sizeof value);
}

static void put_entry(struct replay *r, const char *text)
{
    unsigned tag, type, octet;
    uint8_t digest[32];
    int at = 0;

    assert_int_equal(sscanf(text, " %u,%u,%n", &tag, &type, &at), 2);
    for (size_t i = 0; i < sizeof digest; i++) {
        assert_int_equal(sscanf(text + at + 2 * i, "%2x", &octet), 1);
        digest[i] = (uint8_t)octet;
    }
    assert_int_equal(simboard_entry_put_digest(r->h->b, tag, type, digest), 0);
}

/* What ends a command at this front end. */
static const char *line_end(const struct replay *r)
{
    static const char *const ends[] = {
        [SIM_TERM_CR] = "\r", [SIM_TERM_LF] = "\n", [SIM_TERM_CRLF] = "\r\n", [SIM_TERM_NUL] = ""};
    return ends[r->config.term];
}

/* The answer for comparing: without escape sequences. */
static void take_answer(struct replay *r)
{
    const char *from = r->h->answer;
    size_t n = 0;

    for (; *from; from++) {
        if (*from == '\x1b')
            from += strcspn(from, "mDJKABCH");
        else
            r->seen[n++] = *from;
    }
    r->seen[n] = '\0';
    r->at = 0;
}

static void ask(struct replay *r, const char *text)
{
    host_ask(r->h, text);
    take_answer(r);
}

static void start(struct replay *r)
{
    char line[32];

    if (r->h)
        return;
    r->h = host_new(&r->config);
    host_settle(r->h);
    host_clear(r->h);
    for (size_t i = 0; i < r->entry_count; i++)
        put_entry(r, r->entries[i]);
    if (r->has_public_key)
        assert_int_equal(simboard_entry_put(r->h->b, 0, 5, "-----BEGIN PUBLIC KEY-----", 26), 0);
    if (r->has_cmee) {
        snprintf(line, sizeof line, "AT+CMEE=1%s", line_end(r));
        assert_non_null(strstr(host_ask(r->h, line), "OK\r\n"));
    }
    host_clear(r->h);
    if (r->has_banner) {
        simboard_reboot(r->h->b, r->h->now_us);
        host_settle(r->h);
    }
    take_answer(r);
}

/* Nothing but line ends is left of the last answer. */
static void expect_all_seen(struct replay *r)
{
    const char *rest = r->seen + r->at;
    if (rest[strspn(rest, "\r\n")] != '\0')
        fail_msg("nobody expected «%s»", rest);
    r->at += strlen(rest);
}

static bool is_open_quote(const struct replay *r)
{
    size_t quotes = 0;
    for (size_t i = 0; i < r->command_len; i++)
        quotes += r->command[i] == '"';
    return quotes % 2 == 1;
}

static void host_line(struct replay *r, const char *text)
{
    start(r);
    if (r->command_len == 0)
        expect_all_seen(r);
    int n = snprintf(r->command + r->command_len, sizeof r->command - r->command_len, "%s\n", text);
    r->command_len += (size_t)n;
    if (is_open_quote(r))
        return;
    strcpy(r->command + r->command_len - 1, line_end(r));
    ask(r, r->command);
    r->command_len = 0;
}

static void board_line(struct replay *r, const char *text)
{
    start(r);
    if (text[0] == '\0')
        return;
    r->at += strspn(r->seen + r->at, "\r\n");
    const char *rest = r->seen + r->at;
    size_t len = strcspn(rest, "\r\n"), wanted = strlen(text);
    size_t shown = len;
    while (shown > 0 && rest[shown - 1] == ' ') /* of a prompt */
        shown--;
    if ((shown != wanted && len != wanted) || strncmp(rest, text, wanted) != 0)
        fail_msg("wanted «%s», got «%s»", text, rest);
    r->at += len;
    r->compared++;
}

static void expect_silence_and_cure(struct replay *r)
{
    struct host *h = r->h;
    char *purge = malloc(PURGE_OCTETS + 4);

    assert_non_null(purge);
    assert_string_equal(h->answer, "");
    expect(h, "AT\r", "");
    expect(h, "AT\r", "");
    memset(purge, '\b', PURGE_OCTETS);
    memcpy(purge + PURGE_OCTETS, "\"\b\r", 4);
    expect(h, purge, "");
    expect(h, "AT\r", "OK\r\n");
    assert_int_equal(simboard_entry_count(h->b), 0); /* nothing of the wedged write was run */
    free(purge);
    r->at = strlen(r->seen);
    r->compared++;
}

static void event(struct replay *r, const char *text)
{
    char why[SIM_FAULT_WHY];

    start(r);
    simboard_exact_reset(r->h->b);
    if (strcmp(text, "silence") == 0)
        expect_silence_and_cure(r);
    else if (strcmp(text, "clear") == 0)
        simboard_clear_faults(r->h->b);
    else if (strcmp(text, "reboot") == 0)
        simboard_exact_add(r->h->b, &(struct sim_exact){.kind = SIM_EXACT_REBOOT_DONE, .k = 1});
    else if (strncmp(text, "urc ", 4) == 0)
        simboard_exact_add(
            r->h->b,
            &(struct sim_exact){.kind = SIM_EXACT_URC, .k = strtoull(text + 4, NULL, 10), .answer = 1});
    else if (strncmp(text, "fault ", 6) != 0 || simboard_add_fault(r->h->b, text + 6, why, sizeof why) < 0)
        fail_msg("«%s» is no event of a transcript", text);
}

static void replay_line(struct replay *r, char *line)
{
    line[strcspn(line, "\n")] = '\0';
    if (strncmp(line, "> ", 2) == 0)
        host_line(r, line + 2);
    else if (strncmp(line, "< ", 2) == 0)
        board_line(r, line + 2);
    else if (strncmp(line, "! ", 2) == 0)
        event(r, line + 2);
    else if (line[0] != '#' && line[0] != '\0')
        fail_msg("«%s» is no line of a transcript", line);
}

/* Returns false if the file is none for the simulator. */
static bool replay_file(const char *path)
{
    struct replay r = {.config = SIMBOARD_CONFIG_DEFAULT};
    char line[8192];
    bool is_ours = false;
    FILE *f = fopen(path, "re");

    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        if (strncmp(line, "# sim:", 6) == 0) {
            is_ours = true;
            read_options(&r, line);
        } else if (strncmp(line, "# sim-entry:", 12) == 0) {
            assert_true(r.entry_count < ENTRIES_MAX);
            snprintf(r.entries[r.entry_count++], sizeof r.entries[0], "%.120s", line + 12);
        }
    }
    rewind(f);
    while (is_ours && fgets(line, sizeof line, f))
        replay_line(&r, line);
    fclose(f);
    if (!is_ours)
        return false;
    assert_true(r.compared > 0);
    expect_all_seen(&r);
    host_free(r.h);
    return true;
}

static void test_transcripts(void **state)
{
    (void)state;
    glob_t found;
    unsigned replayed = 0;

    assert_int_equal(glob(TESTS_DIR "/transcripts/*.at", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        bool is_ours = replay_file(found.gl_pathv[i]);
        print_message("%s %s\n", is_ours ? "replayed" : "not for the simulator:", found.gl_pathv[i]);
        replayed += is_ours;
    }
    assert_int_equal(replayed, found.gl_pathc);
    globfree(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_transcripts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
