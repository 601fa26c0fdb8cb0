/*
 * A serial port in two halves. Opening and closing can block for half a minute on a wedged USB bridge, so
 * they are plain functions for the opener's threads (io/opener.h): port_open tells by the device whether it
 * is a pseudo-terminal (io/port_pty.c) or a real port (io/port_serial.c) and hands back a descriptor;
 * port_discard drops what was not sent and closes it. Between the two, `struct port` reads and writes that
 * descriptor in the loop of one thread and never blocks.
 *
 * The kinds differ only in how they are opened: afterwards both are 8N1, raw, without echo, non-blocking,
 * close-on-exec, locked (flock), with VMIN = 1, CLOCAL and without HUPCL.
 */
#ifndef CERTLINE_IO_PORT_H
#define CERTLINE_IO_PORT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "io/loop.h"

#define PORT_PATH_SIZE    256
#define PORT_BAUD_DEFAULT 115200

/* X(ENUM, name in the configuration) */
#define PORT_FLOW_LIST(X)                                                                                    \
    X(PORT_FLOW_RTSCTS, "rtscts")                                                                            \
    X(PORT_FLOW_XONXOFF, "xonxoff")                                                                          \
    X(PORT_FLOW_NONE, "none")

enum port_flow {
#define X(name, text) name,
    PORT_FLOW_LIST(X)
#undef X
};

struct port_config {
    char path[PORT_PATH_SIZE]; /* a device or a link to one */
    uint32_t baud;             /* 0: PORT_BAUD_DEFAULT. Pseudo-terminals have none */
    enum port_flow flow;       /* pseudo-terminals have none */
};

/* "rtscts" → PORT_FLOW_RTSCTS; ERR_FORMAT for another word. */
int port_parse_flow(const char *text, enum port_flow *ret);

/* Blocks. Opens, locks, configures, raises DTR and RTS and flushes both directions. Returns a descriptor, or
 * a negative code: -ENOENT, -EACCES, ERR_LOCKED (another program holds the lock), ERR_REFUSED (not a
 * terminal), another errno. */
int port_open(const struct port_config *config, struct err_info *reterr);

/* Blocks. Discards output that is not on the wire yet, so that no octet for one board reaches the next, and
 * closes. Never drains. */
void port_discard(int fd);

/* For the two kinds: opens `device` and takes the lock, before anything about it is changed. As port_open. */
int port_open_locked(const char *device, struct err_info *reterr);
/* For the two kinds: what libserialport leaves otherwise or cannot do; flushes at last. 0 or a negative
 * errno. */
int port_finish(int fd, struct err_info *reterr);

/* --- in the loop
 * ------------------------------------------------------------------------------------------------- */

/* May call any function of the port, port_detach included, but not free it. */
struct port_events {
    void (*bytes)(void *ctx, struct span octets); /* borrowed for the call */
    void (*writable)(void *ctx);                  /* after a write that took less than it was given */
    void (*closed)(void *ctx,
                   int error); /* hang-up (-EIO) or another negative errno; exactly once, the last call */
};

struct port {
    struct loop *loop; /* all private. Starts as {.fd = -1} */
    const struct port_events *events;
    void *ctx;
    struct loop_fd watch;
    struct loop_deferred failed;
    char *memory;
    size_t memory_size;
    int fd; /* -1: detached */
    int error;
    bool waits_to_write;
};

/* Takes over `fd`. `memory` is where octets are read to, one read of at most its size per turn and port;
 * several ports of one loop may share it. Everything given is borrowed until port_detach. Returns 0 or a
 * negative errno (`fd` stays the caller's then). */
int port_attach(struct port *port, struct loop *loop, int fd, char *memory, size_t memory_size,
                const struct port_events *events, void *ctx);

/* How many octets the kernel took: all, some, or 0 when its queue is full (`writable` follows); or a negative
 * errno when the port is gone (`closed` follows, from the loop, not from here). Never allocates or blocks. */
int port_write(struct port *port, struct span octets);

/* No callback comes any more. Returns the descriptor, which is the caller's again, or -1 when detached
 * already. */
int port_detach(struct port *port);

#endif
