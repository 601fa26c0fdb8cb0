/* Listening sockets: loopback TCP for browsers and the MES, a Unix socket for the command line. */
#ifndef CERTLINE_API_LISTEN_H
#define CERTLINE_API_LISTEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/*
 * Listens on "127.0.0.1:8080", "[::1]:8080" or "localhost:8080" (which is 127.0.0.1), port 0 for any free
 * one. Returns the descriptor and *ret_port, or: ERR_FORMAT; ERR_REFUSED for an address that is not loopback,
 * since anybody who reaches the port may command the station; -errno.
 */
int listen_tcp(const char *address, uint16_t *ret_port, struct err_info *reterr);

/* Looks at a listening socket that somebody else has bound: the same rules hold. 0 with *ret_port, or
 * *ret_is_local for a Unix socket; ERR_REFUSED; -errno. */
int listen_given(int fd, uint16_t *ret_port, bool *ret_is_local, struct err_info *reterr);

/* Listens on a path, mode 0660. What lies there is removed when it is a socket: the caller holds the state's
 * lock, so nobody can be using it. Returns the descriptor or -errno. */
int listen_unix(const char *path, struct err_info *reterr);

#endif
