/*
 * What both kinds of port share. Policy on the unexpected:
 *
 * - A hang-up is what poll says (EPOLLHUP) or EIO, never a read of nothing: with VMIN = 1 an idle tty says
 * EAGAIN, but another program may have set VMIN = 0, and then nothing means nothing.
 * - What a board said before it was pulled is still delivered, piece by piece, before `closed`.
 * - A write that fails does not call back: its caller is in the middle of something. The watch is removed and
 * the loop tells afterwards, so that `closed` comes exactly once whoever noticed first.
 * - The lock is flock: TIOCEXCL would stop other users but not root, and outlives a crash on a tty that
 * somebody else holds open. It is taken before anything about the tty is changed.
 */
#include "io/port.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <termios.h>
#include <unistd.h>

#include "io/port_pty.h"
#include "io/port_serial.h"

int port_parse_flow(const char *text, enum port_flow *ret)
{
    static const struct {
        const char *text;
        enum port_flow flow;
    } rows[] = {
#define X(name, text) {text, name},
        PORT_FLOW_LIST(X)
#undef X
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        if (strcmp(text, rows[i].text) == 0) {
            *ret = rows[i].flow;
            return 0;
        }
    }
    return ERR_FORMAT;
}

/* --- opening and closing: the opener's threads
 * --------------------------------------------------------------------- */

/* The first row whose prefix begins the resolved device's name. */
static const struct {
    const char *prefix;
    int (*open)(const char *device, const struct port_config *config, struct err_info *reterr);
} kinds[] = {
    {"/dev/pts/", port_pty_open},
    {"/dev/", port_serial_open},
};

int port_open(const struct port_config *config, struct err_info *reterr)
{
    char device[PATH_MAX];
    if (!realpath(config->path, device)) {
        return err_set(reterr, -errno, "%s cannot be opened: %s", config->path, strerror(errno));
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        if (strncmp(device, kinds[i].prefix, strlen(kinds[i].prefix)) == 0) {
            return kinds[i].open(device, config, reterr);
        }
    }
    return err_set(reterr, ERR_REFUSED, "%s leads to %s, which is not a device below /dev", config->path,
                   device);
}

int port_open_locked(const char *device, struct err_info *reterr)
{
    int fd = open(device, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return err_set(reterr, -errno, "%s cannot be opened: %s", device, strerror(errno));
    }
    int r = 0;
    if (!isatty(fd)) {
        r = err_set(reterr, ERR_REFUSED, "%s is not a terminal", device);
    } else if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        r = errno == EWOULDBLOCK
                ? err_set(reterr, ERR_LOCKED, "%s is in use: another program holds its lock", device)
                : err_set(reterr, -errno, "%s cannot be locked: %s", device, strerror(errno));
    }
    if (r < 0) {
        close(fd);
        return r;
    }
    return fd;
}

int port_finish(int fd, struct err_info *reterr)
{
    struct termios t;
    if (tcgetattr(fd, &t) < 0) {
        return err_set(reterr, -errno, "terminal settings cannot be read: %s", strerror(errno));
    }
    t.c_cflag &= ~(tcflag_t)HUPCL; /* closing must not drop DTR: some boards take that for a reset */
    t.c_cflag |= CLOCAL | CREAD;
    t.c_cc[VMIN] = 1;
    t.c_cc[VTIME] = 0;
    if (tcsetattr(fd, TCSANOW, &t) < 0 || tcflush(fd, TCIOFLUSH) < 0) {
        return err_set(reterr, -errno, "terminal settings cannot be changed: %s", strerror(errno));
    }
    return 0;
}

void port_discard(int fd)
{
    tcflush(fd, TCOFLUSH); /* fails on a line that has hung up, where nothing is left to flush */
    close(fd);
}

/* --- in the loop
 * --------------------------------------------------------------------------------------------------- */

/* The end, told once: from here on there is neither a watch nor a deferred call that could lead here again.
 */
static void tell_closed(struct port *port, int error)
{
    loop_fd_remove(&port->watch);
    loop_defer_cancel(&port->failed);
    port->error = error;
    port->events->closed(port->ctx, error);
}

static void on_failed(void *ctx)
{
    struct port *port = ctx;
    tell_closed(port, port->error);
}

/* One piece at most. */
static void take_octets(struct port *port, unsigned ready)
{
    ssize_t n = read(port->fd, port->memory, port->memory_size);
    if (n > 0) {
        port->events->bytes(port->ctx, span_of(port->memory, (size_t)n));
    } else if (ready & LOOP_HANGUP) {
        tell_closed(port, -EIO);
    } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
        tell_closed(port, -errno);
    }
}

static unsigned interest(const struct port *port)
{
    return LOOP_READ | (port->waits_to_write ? LOOP_WRITE : 0);
}

static void on_ready(void *ctx, unsigned ready)
{
    struct port *port = ctx;
    if (ready & (LOOP_READ | LOOP_HANGUP)) {
        take_octets(port, ready);
    }
    /* The callback may have detached the port, or the line may have hung up. */
    if (ready & LOOP_WRITE && port->watch.source && port->waits_to_write) {
        port->waits_to_write = false;
        loop_fd_set(&port->watch, interest(port));
        port->events->writable(port->ctx);
    }
}

int port_attach(struct port *port, struct loop *loop, int fd, char *memory, size_t memory_size,
                const struct port_events *events, void *ctx)
{
    assert(port->fd < 0 && fd >= 0 && memory_size > 0);
    *port = (struct port){
        .loop = loop,
        .events = events,
        .ctx = ctx,
        .failed = {.fn = on_failed, .ctx = port},
        .memory = memory,
        .memory_size = memory_size,
        .fd = -1,
    };
    int r = loop_fd_add(loop, &port->watch, fd, LOOP_READ, on_ready, port);
    if (r == 0) {
        port->fd = fd;
    }
    return r;
}

static int fail_later(struct port *port, int error)
{
    loop_fd_remove(&port->watch);
    port->error = error;
    loop_defer(port->loop, &port->failed);
    return error;
}

int port_write(struct port *port, struct span octets)
{
    if (port->fd < 0 || port->error < 0) {
        return port->error < 0 ? port->error : ERR_CLOSED;
    }
    size_t len = octets.len < INT_MAX ? octets.len : INT_MAX;
    ssize_t n = len > 0 ? write(port->fd, octets.at, len) : 0;
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        return fail_later(port, -errno);
    }
    if (n < 0) {
        n = 0;
    }
    if ((size_t)n < len && !port->waits_to_write) {
        port->waits_to_write = true;
        loop_fd_set(&port->watch, interest(port));
    }
    return (int)n;
}

int port_detach(struct port *port)
{
    int fd = port->fd;
    if (fd >= 0) {
        loop_fd_remove(&port->watch);
        loop_defer_cancel(&port->failed);
        port->fd = -1;
    }
    return fd;
}
