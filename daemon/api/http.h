/*
 * The HTTP server proper: connections, their deadlines, and their requests' way to exchange.h and back. The
 * only door to libmicrohttpd. It owns no thread: whoever has it calls http_turn when a descriptor is ready or
 * time has come.
 */
#ifndef CERTLINE_API_HTTP_H
#define CERTLINE_API_HTTP_H

#include <poll.h>

#include "api/guard.h"
#include "api/pool.h"
#include "api/route.h"

struct http; /* opaque */
struct stream;

/* One pool for each kind of work: RUN_QUERY, RUN_COMMAND, RUN_IMPORT. */
#define HTTP_POOLS 3

struct http_config {
    int64_t request_us, idle_us;
    uint32_t connections_max, per_address_max;
    const struct env *env;          /* borrowed */
    struct pool *pools[HTTP_POOLS]; /* who works on what; borrowed */
    struct stream *stream;          /* borrowed */
    int stream_fds[2];              /* its pool's and the bell's */
};

/* NULL without memory or descriptors. */
struct http *http_new(const struct http_config *config);

/* Takes a listening socket over, also when it fails. `roles` are those of whoever comes in here. 0 or
 * ERR_INTERNAL. */
int http_listen(struct http *http, int fd, const struct guard *guard, unsigned roles);

/* What to wait for: fills up to `max` descriptors, returns how many; *ret_timeout_ms is how long at most. */
size_t http_wait_for(struct http *http, struct pollfd *fds, size_t max, int *ret_timeout_ms);

/* Does what there is to do, without waiting. */
void http_turn(struct http *http);

/* Begins the end: no more connections; idle ones and those that are still asking are closed, what waits for a
 * worker is answered 503. Go on with http_turn until http_is_over; a client that does not take its answer is
 * cut after `grace_us`. */
void http_stop(struct http *http, int64_t grace_us);
bool http_is_over(const struct http *http);

/* Only when http_is_over, or before the first turn. NULL is allowed. */
void http_free(struct http *http);

#endif
