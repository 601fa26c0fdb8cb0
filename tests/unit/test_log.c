/* base/log: levels, the sink as a hook, cut lines, and the form on standard error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

struct seen {
    int lines;
    enum log_level level;
    char module[16], slot[16];
    char text[1100];
};

static void remember(void *ctx, enum log_level level, const struct log_subject *subject, const char *text)
{
    struct seen *seen = ctx;
    seen->lines++;
    seen->level = level;
    snprintf(seen->module, sizeof(seen->module), "%s", subject->module ? subject->module : "");
    snprintf(seen->slot, sizeof(seen->slot), "%s", subject->slot ? subject->slot : "");
    snprintf(seen->text, sizeof(seen->text), "%s", text);
}

static void passes_on_up_to_the_level(void **state)
{
    (void)state;
    static const enum log_level levels[] = {LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_NOTICE,
                                            LOG_LEVEL_INFO, LOG_LEVEL_DEBUG};
    struct seen seen;
    log_set_sink(remember, &seen);
    for (size_t most = 0; most < COUNT(levels); most++) {
        log_set_level(levels[most]);
        for (size_t i = 0; i < COUNT(levels); i++) {
            seen = (struct seen){0};
            log_sys("store", levels[i], "row %d", 7);
            assert_int_equal(seen.lines, i <= most);
            if (i <= most) {
                assert_int_equal(seen.level, levels[i]);
                assert_string_equal(seen.module, "store");
                assert_string_equal(seen.text, "row 7");
            }
        }
    }
    log_set_level(LOG_LEVEL_INFO);
    log_set_sink(NULL, NULL);
}

static void the_subject_reaches_the_sink(void **state)
{
    (void)state;
    struct seen seen = {0};
    log_set_sink(remember, &seen);
    log_line(LOG_LEVEL_ERROR, &(struct log_subject){.slot = "rack1/001"}, "gone");
    assert_string_equal(seen.slot, "rack1/001");
    assert_string_equal(seen.module, "");
    log_set_sink(NULL, NULL);
}

static void a_long_line_is_cut(void **state)
{
    (void)state;
    char text[2000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    struct seen seen = {0};
    log_set_sink(remember, &seen);
    log_sys("http", LOG_LEVEL_ERROR, "%s", text);
    assert_int_equal(strlen(seen.text), 999);
    log_set_sink(NULL, NULL);
}

/* What the default sink writes for a subject, caught in a pipe. */
static void catch_line(const struct log_subject *subject, const char *text, char *out, size_t size)
{
    int ends[2], saved = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    log_line(LOG_LEVEL_WARNING, subject, "%s", text);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);
    ssize_t n = read(ends[0], out, size - 1);
    close(ends[0]);
    out[n > 0 ? n : 0] = '\0';
}

static void standard_error_is_for_people(void **state)
{
    (void)state;
    static const struct {
        struct log_subject subject;
        const char *line;
    } rows[] = {
        {{0}, "certline: warning: it broke\n"},
        {{.module = "store"}, "certline: warning: store: it broke\n"},
        {{.slot = "rack1/001"}, "certline: warning: rack1/001 it broke\n"},
        {{.slot = "rack1/001", .imei = "351465800000002"},
         "certline: warning: rack1/001 351465800000002: it broke\n"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char line[200];
        catch_line(&rows[i].subject, "it broke", line, sizeof(line));
        assert_string_equal(line, rows[i].line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passes_on_up_to_the_level),
        cmocka_unit_test(the_subject_reaches_the_sink),
        cmocka_unit_test(a_long_line_is_cut),
        cmocka_unit_test(standard_error_is_for_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
