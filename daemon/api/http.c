/*
 * libmicrohttpd runs without threads of its own, in its external epoll mode: one thread of ours turns all
 * listen addresses, so nothing here needs a lock, deadlines are ours, and a stop is a sequence and not a
 * race. What the library (0.9.75, Debian 12) does otherwise than one would wish, and what is done about it:
 *
 * - Its time-out counts inactivity only. Each connection has a deadline here, for the request as a whole; one
 * that misses it gets a 408 if it had begun to ask, and its socket is shut down, which the library sees as
 * the client leaving. The library's own time-out is off.
 * - It does not notice a client that leaves while its connection is suspended, nor one whose goodbye comes
 *   together with octets that it has not read yet: its epoll is edge-triggered and it waits for another edge.
 * So an epoll set of ours hears of every goodbye, and a client that has left before its request was whole is
 *   closed from our side. One that has only closed its own direction still gets an answer that is ready at
 * once; after a rest the library takes such a half goodbye for a whole one.
 * - It aborts when it is stopped with suspended connections. http_stop lets every one of them be answered
 * first.
 * - It picks one of several readings of an ambiguous frame: guard.c refuses them.
 * - Over its limit of connections it logs each attempt, and so it gets no log; at the limit it stops
 * accepting.
 * - Octets of a body lie in its own buffer, which it neither locks nor wipes. It hands them out in place and
 * does not look at them again once they are taken, so they are wiped there. The buffer is one mapping for
 * each connection (the library maps what is larger than 32 KiB, and unmaps it at the end), so that nothing is
 * left in the heap.
 * - What breaks HTTP's own syntax, and more than some 32 KiB of headers, it answers by itself: with the right
 * status, in HTML, and closes. Nothing of its interface lets us say it otherwise, so the API's description
 * says that.
 * - An answer that is queued before the end of the request makes it close the connection, which is meant for
 * requests that must not be read on.
 */
#include "api/http.h"

#include <limits.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/exchange.h"
#include "api/peer.h"
#include "api/stream.h"
#include "base/log.h"
#include "base/secret.h"

#define LISTENERS_MAX     (API_LISTEN_MAX + 1)
#define STREAM_PIECE      ((size_t)8 * 1024)
#define STREAM_SNDBUF     (64 * 1024)         /* what the kernel keeps for a viewer that does not read */
#define CONNECTION_MEM    ((size_t)36 * 1024) /* headers must fit into half of it */

/* A body that keeps coming at 64 KiB/s or faster earns the time that it takes. */
#define US_PER_BODY_OCTET 16

struct listener {
    struct http *http;
    struct MHD_Daemon *daemon;
    struct guard guard;
    unsigned roles;
    int fd; /* ours to close once the library has let go of it; -1 before */
};

struct connection {
    struct peer peer; /* first: a peer is its connection */
    struct listener *listener;
    struct MHD_Connection *mhd;
    struct exchange *exchange; /* the request under way */
    int64_t left_us;           /* of the deadline, kept while a worker has the request */
    struct viewer viewer;      /* once is_viewer */
    bool is_viewer;
    bool is_suspended;
    bool has_begun;   /* headers were looked at */
    bool must_answer; /* the answer is ready: queue it when the library calls next */
};

struct http {
    struct http_config config;
    struct listener listeners[LISTENERS_MAX];
    size_t n_listeners;
    struct peers peers;
    unsigned n_imports;
    unsigned n_abandoned; /* exchanges whose connection is gone and whose work is not back */
    bool is_stopping;
    int64_t grace_us; /* while stopping: for whoever is still there to take an answer */
};

static int64_t now_us(const struct http *http)
{
    const struct clock *clock = http->config.env->clock;
    return clock->mono_us(clock);
}

static void set_deadline(struct connection *c, int64_t deadline_us)
{
    peers_set_deadline(&c->listener->http->peers, &c->peer, deadline_us);
}

/* ---- life of a connection */

static struct connection *connection_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

static void open_connection(struct listener *l, struct MHD_Connection *mhd, void **context)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct connection *c = info != NULL ? calloc(1, sizeof(*c)) : NULL;

    *context = c;
    if (c == NULL) {
        return; /* it gets no answer: see on_request */
    }
    c->listener = l;
    c->mhd = mhd;
    peers_add(&l->http->peers, &c->peer, info->connect_fd, now_us(l->http) + l->http->config.request_us);
}

/* Only what has a route that does not run inline gets here. */
static struct pool *pool_of(const struct http *http, const struct exchange *ex)
{
    return http->config.pools[ex->route->where - RUN_QUERY];
}

/* The request is over, answered or not. */
static void drop_exchange(struct connection *c)
{
    struct http *http = c->listener->http;
    struct exchange *ex = c->exchange;

    c->exchange = NULL;
    c->peer.is_asking = c->peer.is_owed = c->has_begun = c->must_answer = false;
    if (c->is_viewer) {
        c->is_viewer = false;
        stream_leave(http->config.stream, &c->viewer);
    }
    if (ex == NULL) {
        return;
    }
    if (exchange_abandon(ex)) {
        http->n_abandoned++;
        pool_post(pool_of(http, ex), &ex->work);
    } else {
        exchange_free(ex);
    }
}

static void close_connection(struct connection *c)
{
    drop_exchange(c);
    peers_remove(&c->listener->http->peers, &c->peer);
    free(c);
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    switch (code) {
    case MHD_CONNECTION_NOTIFY_STARTED:
        open_connection(cls, mhd, context);
        return;
    case MHD_CONNECTION_NOTIFY_CLOSED:
        if (*context != NULL) {
            close_connection(*context);
            *context = NULL;
        }
        return;
    }
}

static void on_completed(void *cls, struct MHD_Connection *mhd, void **context,
                         enum MHD_RequestTerminationCode code)
{
    struct connection *c = connection_of(mhd);

    (void)cls, (void)code;
    *context = NULL;
    if (c != NULL) {
        struct http *http = c->listener->http;
        drop_exchange(c);
        c->peer.quiet_turns = 0;
        http->peers.must_turn |= c->peer.has_left;
        set_deadline(c, now_us(http) + (http->is_stopping ? 0 : http->config.idle_us));
    }
}

/* ---- a request */

/* Called with the request line, before the headers: the target as it was sent. What is returned becomes the
 * request's context, which is not used. */
static void *on_target(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    struct listener *l = cls;
    struct connection *c = connection_of(mhd);

    if (c == NULL || c->exchange != NULL) {
        return NULL;
    }
    c->exchange = exchange_new(l->http->config.env, l->roles, &l->http->n_imports, span_str(uri));
    if (c->exchange != NULL) {
        c->exchange->owner = c;
    }
    c->peer.is_asking = true;
    c->peer.quiet_turns = 0;
    /* The first request's time has run since the connection was opened. */
    set_deadline(c, time_min(c->peer.deadline_us, now_us(l->http) + l->http->config.request_us));
    return NULL;
}

/* The library would decode targets in place; ours are decoded elsewhere, once. */
static size_t leave_escaped(void *cls, struct MHD_Connection *mhd, char *text)
{
    (void)cls, (void)mhd;
    return strlen(text);
}

struct collected {
    struct header headers[GUARD_HEADERS_MAX + 1]; /* one more than allowed, so that it shows */
    size_t n;
    bool waits;
};

static enum MHD_Result collect(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_len,
                               const char *value, size_t value_len)
{
    struct collected *all = cls;

    (void)kind;
    if (all->n <= GUARD_HEADERS_MAX) {
        all->headers[all->n++] = (struct header){span_of(name, name_len), span_of(value, value_len)};
    }
    if (name_len == strlen("Expect") && strncasecmp(name, "Expect", name_len) == 0) {
        all->waits = true;
    }
    return MHD_YES;
}

static void add_header(void *mhd, const char *name, const char *value)
{
    MHD_add_response_header(mhd, name, value);
}

static enum MHD_Result answer(struct connection *c)
{
    struct http *http = c->listener->http;
    struct response *r = &c->exchange->response;
    struct MHD_Response *mhd;

    if (r->text != NULL) {
        mhd = MHD_create_response_from_buffer(r->len, (void *)(uintptr_t)r->text, MHD_RESPMEM_PERSISTENT);
    } else if (r->is_secret) {
        mhd = MHD_create_response_from_buffer_with_free_callback(r->len, r->body, secret_free);
    } else {
        mhd = MHD_create_response_from_buffer(r->len, r->body, MHD_RESPMEM_MUST_FREE);
    }
    if (mhd == NULL) {
        return MHD_NO;
    }
    if (r->text == NULL) {
        r->body = NULL; /* the library's now */
    }
    if (r->status == 500) {
        const struct route *route = c->exchange->route;
        log_sys("http", LOG_LEVEL_ERROR, "a request failed here: %s %s",
                method_name(c->exchange->request.method), route != NULL ? route->pattern : "(no resource)");
    }
    response_headers(r, add_header, mhd);
    if (r->must_close || http->is_stopping) {
        add_header(mhd, "Connection", "close");
    }
    enum MHD_Result result = MHD_queue_response(c->mhd, (unsigned)r->status, mhd);
    MHD_destroy_response(mhd);
    c->peer.is_asking = false;
    c->peer.is_owed = true;
    set_deadline(c, now_us(http) + (http->is_stopping ? http->grace_us : http->config.idle_us));
    return result;
}

static enum MHD_Result rest(struct connection *c)
{
    struct http *http = c->listener->http;
    struct exchange *ex = c->exchange;

    if (http->is_stopping) { /* nothing new goes to the workers */
        exchange_refuse(ex, PROBLEM_STOPPING);
        return ex->is_complete ? answer(c) : MHD_YES;
    }
    c->left_us = c->peer.deadline_us - now_us(http);
    set_deadline(c, TIME_NEVER);
    c->is_suspended = c->peer.is_owed = true;
    MHD_suspend_connection(c->mhd);
    pool_post(pool_of(http, ex), &ex->work);
    return MHD_YES;
}

/* ---- the live stream */

static struct connection *connection_of_viewer(struct viewer *v)
{
    return (struct connection *)(void *)((char *)v - offsetof(struct connection, viewer));
}

/* Called by the library whenever it has sent what it got before. */
static ssize_t on_stream(void *cls, uint64_t at, char *to, size_t max)
{
    struct connection *c = cls;
    struct http *http = c->listener->http;

    (void)at;
    if (c->viewer.is_over) {
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    size_t n = stream_fill(http->config.stream, &c->viewer, to, max);
    if (n == 0) {
        c->is_suspended = true;
        set_deadline(c, TIME_NEVER);
        MHD_suspend_connection(c->mhd);
        return 0;
    }
    /* Until then it must have taken this much, or it is no viewer. */
    set_deadline(c, now_us(http) + (http->is_stopping ? http->grace_us : http->config.idle_us));
    return (ssize_t)n;
}

static enum MHD_Result begin_stream(struct connection *c)
{
    struct http *http = c->listener->http;
    struct exchange *ex = c->exchange;
    bool is_head = ex->request.method == METHOD_HEAD;

    if (http->is_stopping ||
        (!is_head && !stream_join(http->config.stream, &c->viewer, ex->head.last_event_id))) {
        exchange_refuse(ex, http->is_stopping ? PROBLEM_STOPPING : PROBLEM_BUSY);
        return answer(c);
    }
    c->is_viewer = !is_head;
    struct MHD_Response *mhd =
        is_head ? MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT)
                : MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_PIECE, on_stream, c, NULL);
    if (mhd == NULL) {
        return MHD_NO;
    }
    struct response head = {.status = 200, .content_type = "text/event-stream"};
    response_headers(&head, add_header, mhd);
    add_header(mhd, "X-Accel-Buffering", "no");
    enum MHD_Result result = MHD_queue_response(c->mhd, 200, mhd);
    MHD_destroy_response(mhd);
    int room = STREAM_SNDBUF;
    (void)setsockopt(c->peer.fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)); /* with less it works as well */
    c->peer.is_asking = false;
    c->peer.is_owed = true;
    set_deadline(c, now_us(http) + http->config.idle_us);
    return result;
}

/* Lets viewers go on for whom there is something, and those end who have left: the library would not notice
 * while they are suspended. */
static void resume_viewers(struct http *http)
{
    for (struct viewer *v = stream_viewers(http->config.stream); v != NULL; v = v->next) {
        struct connection *c = connection_of_viewer(v);
        v->is_over |= c->peer.has_left || c->peer.is_cut || http->is_stopping;
        if (c->is_suspended && (v->is_woken || v->is_over)) {
            c->is_suspended = false;
            MHD_resume_connection(c->mhd);
            http->peers.must_turn = true;
        }
    }
}

static enum MHD_Result follow(struct connection *c, enum next next)
{
    switch (next) {
    case NEXT_READ:
        return MHD_YES;
    case NEXT_WORK:
        return rest(c);
    case NEXT_ANSWER:
        return answer(c);
    case NEXT_STREAM:
        return begin_stream(c);
    case NEXT_CUT:
        break;
    }
    return MHD_NO;
}

static enum MHD_Result begin(struct connection *c, const char *method, const char *version)
{
    struct collected all = {.n = 0};

    c->has_begun = true;
    MHD_get_connection_values_n(c->mhd, MHD_HEADER_KIND, collect, &all);
    return follow(
        c, exchange_begin(c->exchange, &c->listener->guard, method, version, all.headers, all.n, all.waits));
}

/* An import may take longer than the deadline, but only as long as it keeps coming. */
static void earn_time(struct connection *c, size_t octets)
{
    const struct http *http = c->listener->http;
    const struct route *route = c->exchange->route;

    if (route != NULL && route->where == RUN_IMPORT) {
        set_deadline(c, time_min(c->peer.deadline_us + (int64_t)octets * US_PER_BODY_OCTET,
                                 now_us(http) + http->config.request_us));
    }
}

/* Called for the headers, for each piece of body, at its end, and once more after a rest. */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *upload_len, void **context)
{
    struct connection *c = connection_of(mhd);

    (void)cls, (void)url, (void)context;
    if (c == NULL || c->exchange == NULL) {
        return MHD_NO; /* there was no memory for it */
    }
    if (c->peer.is_cut) {
        return MHD_NO; /* the library had read some of it before */
    }
    c->peer.quiet_turns = 0;
    if (!c->has_begun) {
        return begin(c, method, version);
    }
    if (*upload_len > 0) {
        size_t n = *upload_len;
        enum next next = exchange_take(c->exchange, span_of(upload, n));
        secret_wipe((void *)(uintptr_t)upload, n);
        *upload_len = 0;
        earn_time(c, n);
        return follow(c, next);
    }
    return c->must_answer ? answer(c) : follow(c, exchange_end(c->exchange));
}

/* ---- what comes back from the workers */

static void take_back(struct http *http, struct exchange *ex)
{
    struct connection *c = ex->owner;

    if (c == NULL) {
        http->n_abandoned--;
        exchange_free(ex);
        return;
    }
    c->must_answer = c->peer.is_owed = exchange_worked(ex) == NEXT_ANSWER;
    c->peer.quiet_turns = 0;
    c->is_suspended = false;
    set_deadline(c, now_us(http) + (http->is_stopping ? http->grace_us : c->left_us));
    MHD_resume_connection(c->mhd);
}

static void take_back_all(struct http *http)
{
    struct work *work;

    for (size_t i = 0; i < HTTP_POOLS; i++) {
        while ((work = pool_take_done(http->config.pools[i])) != NULL) {
            take_back(http, (struct exchange *)work);
        }
    }
}

/* ---- the server */

struct http *http_new(const struct http_config *config)
{
    struct http *http = calloc(1, sizeof(*http));

    if (http == NULL) {
        return NULL;
    }
    http->config = *config;
    if (peers_init(&http->peers) < 0) {
        free(http);
        return NULL;
    }
    return http;
}

int http_listen(struct http *http, int fd, const struct guard *guard, unsigned roles)
{
    struct listener *l = &http->listeners[http->n_listeners];
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;

    *l = (struct listener){.http = http, .guard = *guard, .roles = roles, .fd = -1};
    l->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, l, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)http->config.connections_max, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        (unsigned)http->config.per_address_max, MHD_OPTION_CONNECTION_TIMEOUT, 0u,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEM, MHD_OPTION_NOTIFY_CONNECTION, on_connection, l,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, l, MHD_OPTION_URI_LOG_CALLBACK, on_target, l,
        MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, l, MHD_OPTION_END);
    if (l->daemon == NULL) {
        close(fd);
        return ERR_INTERNAL;
    }
    http->n_listeners++;
    return 0;
}

static int ms_until(int64_t deadline_us, int64_t now)
{
    if (deadline_us == TIME_NEVER) {
        return -1;
    }
    if (deadline_us <= now) {
        return 0;
    }
    int64_t ms = (deadline_us - now + US_PER_MS - 1) / US_PER_MS;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

size_t http_wait_for(struct http *http, struct pollfd *fds, size_t max, int *ret_timeout_ms)
{
    size_t n = 0;

    const struct stream *stream = http->config.stream;
    int64_t deadline_us = time_min(http->peers.next_deadline_us, stream_deadline(stream));

    *ret_timeout_ms = http->peers.must_turn ? 0 : ms_until(deadline_us, now_us(http));
    for (size_t i = 0; i < HTTP_POOLS; i++) {
        fds[n++] = (struct pollfd){.fd = pool_fd(http->config.pools[i]), .events = POLLIN};
    }
    fds[n++] = (struct pollfd){.fd = http->peers.fd, .events = POLLIN};
    fds[n++] = (struct pollfd){.fd = http->config.stream_fds[0], .events = POLLIN};
    if (stream_listens(stream)) {
        fds[n++] = (struct pollfd){.fd = http->config.stream_fds[1], .events = POLLIN};
    }
    for (size_t i = 0; i < http->n_listeners && n < max; i++) {
        struct MHD_Daemon *daemon = http->listeners[i].daemon;
        const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
        MHD_UNSIGNED_LONG_LONG ms;
        fds[n++] = (struct pollfd){.fd = info->epoll_fd, .events = POLLIN};
        if (MHD_get_timeout(daemon, &ms) == MHD_YES && ms == 0) {
            *ret_timeout_ms = 0;
        }
    }
    return n;
}

void http_turn(struct http *http)
{
    int64_t begun_us = now_us(http);

    http->peers.must_turn = false;
    take_back_all(http);
    peers_cut_late(&http->peers, begun_us);
    stream_turn(http->config.stream, begun_us);
    resume_viewers(http);
    for (size_t i = 0; i < http->n_listeners; i++) {
        MHD_run(http->listeners[i].daemon);
    }
    peers_close_left(&http->peers);
    stream_spend(http->config.stream, now_us(http) - begun_us);
}

/* What no worker has begun is answered now. */
static void refuse_waiting(struct http *http)
{
    struct work *work;

    for (size_t i = 0; i < HTTP_POOLS; i++) {
        while ((work = pool_take_back(http->config.pools[i])) != NULL) {
            struct exchange *ex = (struct exchange *)work;
            if (ex->owner != NULL) {
                exchange_refuse(ex, PROBLEM_STOPPING);
            } else {
                work->run(work, NULL); /* a session to cancel */
            }
            take_back(http, ex);
        }
    }
}

void http_stop(struct http *http, int64_t grace_us)
{
    int64_t end = now_us(http) + grace_us;

    http->is_stopping = true;
    http->grace_us = grace_us;
    for (size_t i = 0; i < http->n_listeners; i++) {
        http->listeners[i].fd = MHD_quiesce_daemon(http->listeners[i].daemon);
    }
    refuse_waiting(http);
    for (struct peer *p = http->peers.first; p != NULL; p = p->next) {
        struct connection *c = (struct connection *)p;
        if (!p->is_owed) {
            peer_cut(p, PROBLEM_STOPPING);
        } else if (!c->is_suspended) {
            set_deadline(c, time_min(p->deadline_us, end));
        }
    }
}

bool http_is_over(const struct http *http)
{
    return http->peers.first == NULL && http->n_abandoned == 0 && stream_busy(http->config.stream) == 0;
}

void http_free(struct http *http)
{
    if (http == NULL) {
        return;
    }
    for (size_t i = 0; i < http->n_listeners; i++) {
        MHD_stop_daemon(http->listeners[i].daemon);
        if (http->listeners[i].fd >= 0) {
            close(http->listeners[i].fd);
        }
    }
    peers_done(&http->peers);
    free(http);
}
