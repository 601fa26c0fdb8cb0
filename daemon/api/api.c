/* The HTTP thread: builds the server's parts, turns them until told to stop, and takes them apart in order.
 */
#include "api/api.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "api/audit.h"
#include "api/http.h"
#include "api/listen.h"
#include "api/pool.h"
#include "api/remember.h"
#include "api/route.h"
#include "api/stream.h"
#include "base/bell.h"

#define FDS_MAX         (API_LISTEN_MAX + HTTP_POOLS + 5) /* and the Unix socket, goodbyes, stream, bell, wake-up */
#define REQUEST_MS      15000
#define IDLE_MS         60000
#define CONNECTIONS_MAX 512
#define PER_ADDRESS_MAX 384
#define STOP_GRACE_MS   2000

/* Nobody has to say who he is on loopback yet; what that allows is everything but administration. */
#define ROLES_LOOPBACK  (ROLE_OPERATOR | ROLE_ENGINEER | ROLE_MES | ROLE_AUDITOR)

struct api {
    struct api_config config; /* defaults filled in */
    struct env env;
    struct pool *pools[HTTP_POOLS], *stream_pool;
    struct stream *stream;
    struct http *http;
    uint16_t ports[API_LISTEN_MAX];
    char *unix_path; /* to be removed; NULL: none */
    int wake_fd;
    atomic_bool must_stop;
    bool has_thread;
    pthread_t thread;
};

static void turn_until_over(struct api *api)
{
    struct pollfd fds[FDS_MAX];
    bool is_stopping = false;

    while (!is_stopping || !http_is_over(api->http)) {
        int timeout_ms;
        size_t n = http_wait_for(api->http, fds + 1, FDS_MAX - 1, &timeout_ms);
        fds[0] = (struct pollfd){.fd = is_stopping ? -1 : api->wake_fd, .events = POLLIN};
        (void)poll(fds, n + 1, timeout_ms);
        if (!is_stopping && atomic_load(&api->must_stop)) {
            is_stopping = true;
            http_stop(api->http, STOP_GRACE_MS * US_PER_MS);
        }
        http_turn(api->http);
    }
}

static void *run_thread(void *arg)
{
    turn_until_over(arg);
    return NULL;
}

static void fill_defaults(struct api_config *config)
{
    config->request_ms = config->request_ms > 0 ? config->request_ms : REQUEST_MS;
    config->idle_ms = config->idle_ms > 0 ? config->idle_ms : IDLE_MS;
    config->connections_max = config->connections_max > 0 ? config->connections_max : CONNECTIONS_MAX;
    config->per_address_max = config->per_address_max > 0 ? config->per_address_max : PER_ADDRESS_MAX;
}

static int serve(struct api *api, int fd, const struct guard *guard, unsigned roles, const char *name,
                 struct err_info *reterr)
{
    return http_listen(api->http, fd, guard, roles) < 0
               ? err_set(reterr, ERR_INTERNAL, "cannot serve HTTP on %s", name)
               : 0;
}

static int listen_on_given(struct api *api, struct err_info *reterr)
{
    int rc = 0;

    for (size_t i = 0; i < api->config.n_given && rc == 0; i++) {
        struct guard guard = {.port = 0};
        rc = listen_given(api->config.given[i], &guard.port, &guard.is_local, reterr);
        api->ports[i] = guard.port;
        if (rc == 0) {
            rc = serve(api, api->config.given[i], &guard, guard.is_local ? ROLE_ANY : ROLES_LOOPBACK,
                       "a socket that was handed over", reterr);
        }
    }
    return rc;
}

static int listen_on_own(struct api *api, struct err_info *reterr)
{
    int rc = 0;

    for (size_t i = 0; i < api->config.n_listen && rc == 0; i++) {
        int fd = listen_tcp(api->config.listen[i], &api->ports[i], reterr);
        struct guard guard = {.port = api->ports[i]};
        rc = fd < 0 ? fd : serve(api, fd, &guard, ROLES_LOOPBACK, api->config.listen[i], reterr);
    }
    return rc;
}

static int listen_on_all(struct api *api, struct err_info *reterr)
{
    static const struct guard local = {.is_local = true};

    int rc = api->config.n_given > 0 ? listen_on_given(api, reterr) : listen_on_own(api, reterr);
    if (rc < 0 || api->config.unix_path == NULL) {
        return rc;
    }
    int fd = listen_unix(api->config.unix_path, reterr);
    if (fd < 0) {
        return fd;
    }
    api->unix_path = strdup(api->config.unix_path);
    return serve(api, fd, &local, ROLE_ANY, api->config.unix_path, reterr);
}

static int start_pools(struct api *api, struct err_info *reterr)
{
    static const struct {
        size_t n_workers;
        bool reads;
    } rows[HTTP_POOLS] = {
        [RUN_QUERY - RUN_QUERY] = {.n_workers = 2, .reads = true},
        [RUN_COMMAND - RUN_QUERY] = {.n_workers = 1},
        [RUN_IMPORT - RUN_QUERY] = {.n_workers = 1},
    };

    for (size_t i = 0; i < HTTP_POOLS; i++) {
        api->pools[i] = pool_new(rows[i].n_workers, rows[i].reads ? &api->config.sources : NULL, reterr);
        if (api->pools[i] == NULL) {
            return ERR_STORE;
        }
    }
    api->stream_pool = pool_new(1, &api->config.sources, reterr);
    return api->stream_pool != NULL ? 0 : ERR_STORE;
}

static int make_stream(struct api *api, struct err_info *reterr)
{
    struct stream_config config = {
        .sources = &api->config.sources, .clock = api->config.clock, .pool = api->stream_pool};

    api->stream = stream_new(&config);
    return api->stream != NULL ? 0 : err_set(reterr, -ENOMEM, "out of memory");
}

static int build(struct api *api, struct err_info *reterr)
{
    const struct api_config *config = &api->config;

    api->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (api->wake_fd < 0) {
        return err_set(reterr, -errno, "cannot make an eventfd: %s", strerror(errno));
    }
    api->env = (struct env){.sources = &config->sources,
                            .clock = config->clock,
                            .remember = remember_new(config->clock),
                            .audit = audit_new()};
    if (api->env.remember == NULL || api->env.audit == NULL) {
        return err_set(reterr, -ENOMEM, "out of memory");
    }
    int rc = start_pools(api, reterr);
    if (rc == 0) {
        rc = make_stream(api, reterr);
    }
    if (rc < 0) {
        return rc;
    }
    struct http_config http = {
        .request_us = config->request_ms * US_PER_MS,
        .idle_us = config->idle_ms * US_PER_MS,
        .connections_max = config->connections_max,
        .per_address_max = config->per_address_max,
        .env = &api->env,
        .stream = api->stream,
        .stream_fds = {pool_fd(api->stream_pool), bell_fd(config->sources.bell)},
    };
    memcpy(http.pools, api->pools, sizeof(http.pools));
    api->http = http_new(&http);
    if (api->http == NULL) {
        return err_set(reterr, -ENOMEM, "out of memory");
    }
    rc = listen_on_all(api, reterr);
    if (rc < 0) {
        return rc;
    }
    rc = pthread_create(&api->thread, NULL, run_thread, api);
    if (rc != 0) {
        return err_set(reterr, -rc, "cannot start the HTTP thread: %s", strerror(rc));
    }
    api->has_thread = true;
    return 0;
}

struct api *api_start(const struct api_config *config, struct err_info *reterr)
{
    struct api *api = calloc(1, sizeof(*api));

    if (api == NULL) {
        err_set(reterr, -ENOMEM, "out of memory");
        return NULL;
    }
    api->config = *config;
    api->wake_fd = -1;
    fill_defaults(&api->config);

    /* The threads inherit this: signals are for those who wait for them, and a peer's end of a socket is an
     * error code and no SIGPIPE. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = build(api, reterr);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc < 0) {
        api_stop(api);
        return NULL;
    }
    return api;
}

uint16_t api_port(const struct api *api, size_t i)
{
    return api->ports[i];
}

void api_stop(struct api *api)
{
    uint64_t one = 1;

    if (api == NULL) {
        return;
    }
    if (api->has_thread) {
        atomic_store(&api->must_stop, true);
        ssize_t n = write(api->wake_fd, &one, sizeof(one));
        (void)n;
        pthread_join(api->thread, NULL);
    }
    http_free(api->http);
    for (size_t i = 0; i < HTTP_POOLS; i++) {
        pool_free(api->pools[i]);
    }
    pool_free(api->stream_pool);
    stream_free(api->stream);
    remember_free(api->env.remember);
    audit_free(api->env.audit);
    if (api->unix_path != NULL) {
        unlink(api->unix_path);
        free(api->unix_path);
    }
    if (api->wake_fd >= 0) {
        close(api->wake_fd);
    }
    free(api);
}
