/*
 * Recorded dialogues of real boards: what the host said is said to a simulated board, which must answer what
 * the real one answered. A file with a line "# sim: family=F2b …" is one for the simulator:
 *
 *   family=NAME  cmee=1 (set before)  line_max=N (a build with a smaller buffer)  public_key=1 (one is
 * stored) banner=1 (the file begins with the boot)
 *
 * "> " is a line of the host and "< " one of the board. Following "> " lines are one command while a quote is
 * open. Empty
 * "< " lines come from what recorded the dialogue. "! silence": the board never answers, and nor does it to
 * AT; then the purge (backspaces, quote, backspace, terminator) must cure it.
 */
#include "unit/test_sim_host.h"

#include <glob.h>

#define PURGE_OCTETS 4096

struct replay {
    struct simboard_config config;
    bool has_cmee, has_public_key, has_banner;
    struct host *h;
    char command[16384];
    size_t command_len;
    size_t at; /* of the answer that is not yet compared */
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
    if (option(line, "line_max", value, sizeof value))
        r->config.line_max = (uint32_t)atoi(value);
    r->has_cmee = option(line, "cmee", value, sizeof value);
    r->has_public_key = option(line, "public_key", value, sizeof value);
    r->has_banner = option(line, "banner", value, sizeof value);
}

static void start(struct replay *r)
{
    if (r->h)
        return;
    r->h = host_new(&r->config);
    if (r->has_public_key)
        assert_int_equal(simboard_entry_put(r->h->b, 0, 5, "-----BEGIN PUBLIC KEY-----", 26), 0);
    if (r->has_cmee)
        assert_string_equal(host_ask(r->h, "AT+CMEE=1\r"), "OK\r\n");
    host_clear(r->h);
    if (r->has_banner) {
        simboard_reboot(r->h->b, r->h->now_us);
        host_settle(r->h);
    }
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
    int n = snprintf(r->command + r->command_len, sizeof r->command - r->command_len, "%s\n", text);
    r->command_len += (size_t)n;
    if (is_open_quote(r))
        return;
    r->command[r->command_len - 1] = '\r';
    r->at = 0;
    host_ask(r->h, r->command);
    r->command_len = 0;
}

static void board_line(struct replay *r, const char *text)
{
    char line[8192];

    start(r);
    if (text[0] == '\0')
        return;
    snprintf(line, sizeof line, "%s\r\n", text);
    const char *rest = r->h->answer + r->at;
    if (strncmp(rest, line, strlen(line)) != 0)
        fail_msg("wanted «%s», got «%s»", text, rest);
    r->at += strlen(line);
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
    r->compared++;
}

static void replay_line(struct replay *r, char *line)
{
    line[strcspn(line, "\n")] = '\0';
    if (strncmp(line, "> ", 2) == 0)
        host_line(r, line + 2);
    else if (strncmp(line, "< ", 2) == 0)
        board_line(r, line + 2);
    else if (strcmp(line, "! silence") == 0)
        expect_silence_and_cure(r);
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
    while (!is_ours && fgets(line, sizeof line, f))
        is_ours = strncmp(line, "# sim:", 6) == 0;
    if (is_ours)
        read_options(&r, line);
    rewind(f);
    while (is_ours && fgets(line, sizeof line, f))
        replay_line(&r, line);
    fclose(f);
    if (!is_ours)
        return false;
    assert_true(r.compared > 0);
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
    assert_true(replayed > 0);
    globfree(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_transcripts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
