/* One formatted line a call, handed to a sink. Standard error's form is for people: level, module, slot,
 * text. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static const char *level_name(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_ERROR:
        return "error";
    case LOG_LEVEL_WARNING:
        return "warning";
    case LOG_LEVEL_NOTICE:
        return "notice";
    case LOG_LEVEL_INFO:
        return "info";
    case LOG_LEVEL_DEBUG:
        return "debug";
    }
    return "?";
}

/* One write a line, so that lines of several threads do not cut into each other. */
static void stderr_sink(void *ctx, enum log_level level, const struct log_subject *subject, const char *text)
{
    (void)ctx;
    char line[1400];
    int n = snprintf(line, sizeof(line), "certline: %s: %s%s%s%s%s%s%s\n", level_name(level),
                     subject->module ? subject->module : "", subject->module ? ": " : "",
                     subject->slot ? subject->slot : "", subject->slot ? " " : "",
                     subject->imei ? subject->imei : "", subject->imei ? ": " : "", text);
    if (n > 0) {
        size_t len = (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1;
        ssize_t done = write(STDERR_FILENO, line, len);
        (void)done; /* a log that cannot be written has nowhere to say so */
    }
}

static log_sink *the_sink = stderr_sink;
static void *the_ctx;
static enum log_level the_level = LOG_LEVEL_INFO;

void log_set_sink(log_sink *sink, void *ctx)
{
    the_sink = sink ? sink : stderr_sink;
    the_ctx = ctx;
}

void log_set_level(enum log_level level)
{
    the_level = level;
}

void log_line(enum log_level level, const struct log_subject *subject, const char *format, ...)
{
    if (level > the_level) {
        return;
    }
    char text[1000];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    the_sink(the_ctx, level, subject, text);
}
