/* The control socket: Unix stream, one command a line, one answer a line. Several clients at once, none can
 * hold the boards up: what a client does not read waits in its own memory. */
#ifndef CERTLINE_SIM_CONTROL_H
#define CERTLINE_SIM_CONTROL_H

#include <stdint.h>

#include "sim/server.h"

#define CONTROL_CLIENTS 8

struct control_client {
    int fd; /* -1: free */
    char line[256];
    size_t line_len;
    char *answer; /* what is still to be written; heap */
    size_t answer_at, answer_len;
};

struct control {
    int listen_fd; /* -1: no socket */
    const char *path;
    int epoll_fd;
    uint64_t first_id; /* epoll reports first_id for the listener, then one for each client */
    struct control_client clients[CONTROL_CLIENTS];
};

/* Returns 0 or -errno; a socket that nobody serves any more is replaced, one in use is -EADDRINUSE. */
int control_open(struct control *c, const char *path, int epoll_fd, uint64_t first_id);
void control_close(struct control *c);

/* An event of epoll with an id from first_id to first_id + CONTROL_CLIENTS. */
void control_event(struct control *c, struct sim_server *v, uint64_t id);

#endif
