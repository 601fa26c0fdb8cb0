/*
 * Logging. Functions in base, at, job, io and store never log above debug: they return; station, api and app
 * log each failure once, where the story is known. The object is an argument, so that slot and board stand on
 * every line.
 *
 * The sink is a hook: standard error by default, the journal under systemd, an array in a test. A sink may be
 * called from every thread; one line is one call.
 */
#ifndef CERTLINE_BASE_LOG_H
#define CERTLINE_BASE_LOG_H

#include <stdint.h>

/* Syslog's own numbers, so that the journal takes them as they are. */
enum log_level {
    LOG_LEVEL_ERROR = 3,
    LOG_LEVEL_WARNING = 4,
    LOG_LEVEL_NOTICE = 5,
    LOG_LEVEL_INFO = 6,
    LOG_LEVEL_DEBUG = 7,
};

/* Whom a line is about. Every member may be NULL or empty. Borrowed for the call. */
struct log_subject {
    const char *module; /* "store", "http": the token by which lines are filtered */
    const char *slot;   /* "rack1/001" */
    const char *imei;
    const char *job;
    const char *reason; /* a stable name of job/verdict.h */
};

typedef void log_sink(void *ctx, enum log_level level, const struct log_subject *subject, const char *text);

/* Sets the sink and the highest level that is passed on. Call before the first thread starts. */
void log_set_sink(log_sink *sink, void *ctx);
void log_set_level(enum log_level level);

/* Never holds a secret: callers pass identifiers and reasons, not contents. Cut at 1,000 octets. */
void log_line(enum log_level level, const struct log_subject *subject, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_sys(module_name, level, ...)                                                                     \
    log_line((level), &(struct log_subject){.module = (module_name)}, __VA_ARGS__)

#endif
