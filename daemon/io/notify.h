/*
 * The service manager's side: readiness, stopping, status and watchdog (sd_notify), sockets it hands over,
 * and the journal as a sink of base/log. Without systemd every call does nothing and succeeds. Callable from
 * any thread, but for notify_take_sockets.
 */
#ifndef CERTLINE_IO_NOTIFY_H
#define CERTLINE_IO_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

/* READY=1 and STOPPING=1, each with a line of status for `systemctl status`. */
void notify_ready(const char *status);
void notify_stopping(const char *status);
void notify_status(const char *status);

/* A sign of life. Send one at half of notify_watchdog_us, from the line's own loop, so that a stuck line is
 * noticed. */
void notify_watchdog(void);

/* The manager's limit in microseconds; 0 = it does not watch. */
int64_t notify_watchdog_us(void);

/* Listening stream sockets handed over by socket activation: up to `max` descriptors, close-on-exec, the
 * caller's from now on. Others are closed. Call once, before threads start: it takes the variables out of the
 * environment. Returns how many, or a negative errno. */
int notify_take_sockets(int *out, size_t max);

/* Whether lines belong in the journal: standard error is its stream, or the service manager listens to us. */
bool notify_has_journal(void);

/* log_sink: one entry with MESSAGE, PRIORITY and, where known, MODULE, SLOT, IMEI, JOB and REASON as fields
 * of their own, so that `journalctl SLOT=rack1/007` works. ctx is not used. */
void notify_journal_sink(void *ctx, enum log_level level, const struct log_subject *subject,
                         const char *text);

/* The fields of such an entry, each "NAME=value" in memory of the caller. Returns how many. For the sink, and
 * for tests. */
#define NOTIFY_FIELDS     8
#define NOTIFY_FIELD_SIZE 1152
size_t notify_journal_fields(char fields[NOTIFY_FIELDS][NOTIFY_FIELD_SIZE], enum log_level level,
                             const struct log_subject *subject, const char *text);

#endif
