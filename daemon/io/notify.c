/*
 * Thin on purpose: libsystemd already does nothing, successfully, when no service manager is there. What is
 * added here is that a status line cannot smuggle a second assignment into the datagram, and that a line of
 * the log becomes fields.
 */
#include "io/notify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION /* the sink's own file and line would say nothing */
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>

/* `first` and a status line in one datagram; control characters in the status become blanks. */
static void send_status(const char *first, const char *status)
{
    char line[512];
    snprintf(line, sizeof(line), "%s", status);
    for (char *c = line; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7F) {
            *c = ' ';
        }
    }
    (void)sd_notifyf(0, "%sSTATUS=%s", first, line); /* a manager that does not listen is not our trouble */
}

void notify_ready(const char *status)
{
    send_status("READY=1\n", status);
}

void notify_stopping(const char *status)
{
    send_status("STOPPING=1\n", status);
}

void notify_status(const char *status)
{
    send_status("", status);
}

void notify_watchdog(void)
{
    (void)sd_notify(0, "WATCHDOG=1");
}

int64_t notify_watchdog_us(void)
{
    uint64_t limit_us = 0;
    return sd_watchdog_enabled(0, &limit_us) > 0 ? (int64_t)limit_us : 0;
}

int notify_take_sockets(int *out, size_t max)
{
    int n = sd_listen_fds(1);
    if (n < 0) {
        return n;
    }
    int taken = 0;
    for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + n; fd++) {
        if ((size_t)taken < max && sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) > 0) {
            out[taken++] = fd;
        } else {
            close(fd);
        }
    }
    return taken;
}

/* JOURNAL_STREAM alone proves nothing: children inherit it, also when somebody has redirected their standard
 * error. It names device and inode of the stream for that reason. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;
    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
           st.st_dev == device && st.st_ino == inode;
}

bool notify_has_journal(void)
{
    return stderr_is_journal() || getenv("NOTIFY_SOCKET");
}

static size_t add_field(char *field, const char *name, const char *value)
{
    if (!value || !*value) {
        return 0;
    }
    snprintf(field, NOTIFY_FIELD_SIZE, "%s=%s", name, value);
    return 1;
}

size_t notify_journal_fields(char fields[NOTIFY_FIELDS][NOTIFY_FIELD_SIZE], enum log_level level,
                             const struct log_subject *subject, const char *text)
{
    static const struct log_subject nobody;
    const struct log_subject *s = subject ? subject : &nobody;
    const char *slot = s->slot ? s->slot : "";
    size_t n = 0;
    /* The slot stands in the text as well, since plain journalctl shows no other field. */
    snprintf(fields[n++], NOTIFY_FIELD_SIZE, "MESSAGE=%s%s%s", slot, *slot ? ": " : "", text);
    snprintf(fields[n++], NOTIFY_FIELD_SIZE, "PRIORITY=%d", (int)level);
    n += add_field(fields[n], "MODULE", s->module);
    n += add_field(fields[n], "SLOT", s->slot);
    n += add_field(fields[n], "IMEI", s->imei);
    n += add_field(fields[n], "JOB", s->job);
    n += add_field(fields[n], "REASON", s->reason);
    return n;
}

void notify_journal_sink(void *ctx, enum log_level level, const struct log_subject *subject, const char *text)
{
    (void)ctx;
    char fields[NOTIFY_FIELDS][NOTIFY_FIELD_SIZE];
    struct iovec iov[NOTIFY_FIELDS];
    size_t n = notify_journal_fields(fields, level, subject, text);
    for (size_t i = 0; i < n; i++) {
        iov[i] = (struct iovec){.iov_base = fields[i], .iov_len = strlen(fields[i])};
    }
    (void)sd_journal_sendv(iov, (int)n); /* a log that cannot be written has nowhere to say so */
}
