/*
 * Recorded dialogues, read by the daemon's own parser: every answer in tests/transcripts must come out of the
 * chat as the person at the board saw it, and every list row must be understood. What a file says of its
 * contents is asked of the PEM reader.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dirent.h>

#include <cmocka.h>

#include "at/chat.h"
#include "job/check.h"
#include "pki/pem.h"

#define TEXT_MAX 65536

struct transcript {
    const char *name;
    char *text;
    char sent[TEXT_MAX];     /* the present command, its lines joined with LF */
    char received[TEXT_MAX]; /* its answer, lines with CR LF */
    bool is_silent;
    bool names_lint; /* the file's assert line speaks of lint */
    unsigned answers, rows, lints, names;
};

static const char *prefix_of(const char *command)
{
    static const char *const rows[][2] = {
        {"AT%CMNG=1", "%CMNG:"},
        {"AT%CMNG=2", "%CMNG:"},
        {"AT%CMNG", NULL},
        {"AT+CGSN=1", "+CGSN:"},
        {"AT+CGMR", ""},
        {"AT+CGMM", ""},
        {"AT+CGMI", ""},
        {"AT+CGSN", ""},
        {"AT%HWVERSION", "%HWVERSION:"},
        {"AT%XVBAT", "%XVBAT:"},
        {"AT%DEVICEUUID", "%DEVICEUUID:"},
        {"AT+CFUN?", "+CFUN:"},
        {"AT+CMEE?", "+CMEE:"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strncmp(command, rows[i][0], strlen(rows[i][0])) == 0) {
            return rows[i][1];
        }
    }
    return NULL;
}

static void expect_row(struct transcript *d, struct span line)
{
    struct cmng_row row;
    if (!check_parse_row(line, &row)) {
        fail_msg("%s: row not understood: %.*s", d->name, (int)line.len, line.at);
    }
    d->rows++;
}

/* The command must end as the last line of its answer says. */
static void replay(struct transcript *d)
{
    char line[TEXT_MAX], splice[256];
    struct chat chat;
    chat_init(&chat, line, sizeof(line), splice, sizeof(splice));
    const char *prefix = prefix_of(d->sent);
    struct chat_command command = {.head = span_str(d->sent),
                                   .prefix = prefix,
                                   .is_quoted = strncmp(d->sent, "AT%CMNG=2", 9) == 0,
                                   .timeout_us = US_PER_S};
    chat_submit(&chat, &command, 0, 0);
    chat_sent(&chat, chat_command_len(&chat, &command), 0);
    struct span in = span_str(d->received);
    bool is_done = false;
    for (;;) {
        struct chat_event event;
        in = span_skip(in, chat_feed(&chat, in, 1, &event));
        if (event.kind == CHAT_NONE) {
            break;
        }
        bool is_row =
            event.kind == CHAT_INFO && prefix && strcmp(prefix, "%CMNG:") == 0 && !command.is_quoted;
        if (is_row) {
            expect_row(d, event.line);
        }
        is_done = is_done || event.kind == CHAT_DONE || event.kind == CHAT_BANNER;
    }
    if (is_done == d->is_silent) {
        fail_msg("%s: '%.60s' %s", d->name, d->sent, d->is_silent ? "was answered" : "has no end:");
    }
    d->answers++;
}

/* What the files' assert lines want lint to name; every content of such a file must be refused. */
static const struct {
    const char *file;
    enum pem_fault fault;
} named[] = {
    {"nrf9151-2.0.2-ca-literal-backslash-n.at", PEM_LITERAL_N},
    {"nrf9151-2.0.2-ca-on-one-line.at", PEM_BLANKS_FOR_BREAKS},
    {"nrf9151-2.0.2-ca-on-one-line.at", PEM_LEADING_BLANK},
    {"nrf9151-sma-2.0.4-fake-certificate.at", PEM_LITERAL_N},
};

static bool has_fault(const struct pem *pem, enum pem_fault fault)
{
    for (size_t i = 0; i < pem->n_findings; i++) {
        if (pem->findings[i].fault == fault) {
            return true;
        }
    }
    return false;
}

/* Each content that a person typed, where the file says what lint must name. */
static void lint(struct transcript *d)
{
    const char *begin = strchr(d->sent, '"'), *end = strrchr(d->sent, '"');
    if (!d->names_lint || strncmp(d->sent, "AT%CMNG=0", 9) != 0 || !begin || begin == end) {
        return;
    }
    struct pem pem;
    assert_int_equal(pem_parse(span_of(begin + 1, (size_t)(end - begin - 1)), &pem), 0);
    if (!pem_refusal(&pem)) {
        fail_msg("%s: lint takes a content that no modem takes", d->name);
    }
    for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
        if (strcmp(named[i].file, d->name) == 0) {
            if (!has_fault(&pem, named[i].fault)) {
                fail_msg("%s: lint does not name %s", d->name, pem_fault_text(named[i].fault)->name);
            }
            d->names++;
        }
    }
    pem_done(&pem);
    d->lints++;
}

static void finish_exchange(struct transcript *d)
{
    if (d->sent[0] != '\0' && (d->received[0] != '\0' || d->is_silent)) {
        replay(d);
        lint(d);
    }
    if (d->received[0] != '\0' || d->is_silent) {
        d->sent[0] = d->received[0] = '\0';
        d->is_silent = false;
    }
}

static void add(char *to, const char *text, const char *end)
{
    assert_true(strlen(to) + strlen(text) + strlen(end) < TEXT_MAX);
    strcat(to, text);
    strcat(to, end);
}

static void take_line(struct transcript *d, const char *line)
{
    if (line[0] == '#') {
        d->names_lint = d->names_lint || strstr(line, "lint") != NULL;
    } else if (line[0] == '>') {
        if (d->received[0] != '\0' || d->is_silent) {
            finish_exchange(d);
        }
        add(d->sent, d->sent[0] ? "\n" : "", line[1] ? line + 2 : "");
    } else if (line[0] == '<') {
        add(d->received, line[1] ? line + 2 : "", "\r\n");
    } else if (strncmp(line, "! silence", 9) == 0) {
        d->is_silent = true;
    }
}

static bool is_read_by_host(const char *text)
{
    /* A dialogue through a shell, or with times and faults in it, is judged where a board can be played: the
     * simulator. */
    return strstr(text, "front-end: shell") == NULL && strstr(text, "\n! +") == NULL &&
           strstr(text, "\n! r") == NULL;
}

/* Adds what it counted to `sum`. */
static void replay_file(const char *name, struct transcript *sum)
{
    static struct transcript d;
    static char text[TEXT_MAX];
    char path[512];
    snprintf(path, sizeof(path), "%s/transcripts/%s", TESTS_DIR, name);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    size_t n = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[n] = '\0';
    if (!is_read_by_host(text)) {
        return;
    }
    memset(&d, 0, sizeof(d));
    d.name = name;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        take_line(&d, line);
    }
    finish_exchange(&d);
    sum->answers += d.answers;
    sum->rows += d.rows;
    sum->lints += d.lints;
    sum->names += d.names;
}

static void test_all(void **state)
{
    (void)state;
    char path[512];
    snprintf(path, sizeof(path), "%s/transcripts", TESTS_DIR);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    static struct transcript sum;
    unsigned files = 0;
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        size_t len = strlen(e->d_name);
        if (len > 3 && strcmp(e->d_name + len - 3, ".at") == 0) {
            files++;
            replay_file(e->d_name, &sum);
        }
    }
    closedir(dir);
    print_message("%u files, %u answers, %u list rows, %u contents judged\n", files, sum.answers, sum.rows,
                  sum.lints);
    assert_true(files >= 8 && sum.answers >= 20 && sum.rows >= 6 && sum.lints >= 4);
    assert_int_equal(sum.names, sizeof(named) / sizeof(named[0]) + 1); /* one file has two contents */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
