/*
 * The resources, as a table: method, pattern, who may, what it takes, where it runs, which function answers.
 * Finding a route is pure; so are the handlers, but for what they ask of struct api_sources.
 *
 * To add a resource: a row in route.c, a handler in the handle_*.c of its kind, its shape in the API's
 * description.
 */
#ifndef CERTLINE_API_ROUTE_H
#define CERTLINE_API_ROUTE_H

#include "api/api.h"
#include "api/guard.h"
#include "api/request.h"
#include "api/response.h"

/* Where a handler runs. Each has its own threads, so that no abort waits behind a long query or an import. */
enum where {
    RUN_INLINE,  /* on the HTTP thread: from published snapshots only, never blocks, `reader` is NULL */
    RUN_QUERY,   /* on a worker with a `reader` of its own: SQL, and operations of the store */
    RUN_COMMAND, /* on the worker of commands to the line: `reader` is NULL */
    RUN_IMPORT,  /* on the worker of imports, and the body goes piece by piece into an import session
                    (exchange.h) */
    RUN_STREAM,  /* the connection stays and is told what changes (stream.h) */
};

/* What a handler may use. Borrowed for the call. */
struct env {
    const struct api_sources *sources;
    const struct clock *clock;
    struct store_reader *reader;
    struct remember *remember; /* HTTP thread only */
    struct audit *audit;
};

typedef void handler(const struct env *env, const struct request *r, struct response *out);

struct route {
    enum method method; /* GET serves HEAD as well */
    /* Segments in their order; "{id}" stands for one segment, "{slot}" for fixture and name: one segment with
     * an escaped slash or two without. */
    const char *pattern;
    handler *handle;  /* NULL with RUN_IMPORT and RUN_STREAM */
    unsigned roles;   /* who may, of enum role */
    unsigned content; /* what it takes, of enum content_kind; 0: no body */
    size_t body_max;  /* octets */
    enum where where;
    const char *const *params; /* the query's parameters, NULL-terminated; NULL: none */
};

/* What stands for every embedded file (asset.h). */
extern const struct route asset_route;

/*
 * The route for r's method and segments; sets r->id from the pattern. NULL with *problem: PROBLEM_NOT_FOUND,
 * or PROBLEM_METHOD and in `allow` what this resource knows.
 */
const struct route *route_find(struct request *r, enum problem *problem, char allow[40]);

/* Whether the caller may, and the parameters and the body's announced type and size fit: PROBLEM_NONE or what
 * is wrong, with a text for the client. */
enum problem route_check(const struct route *route, const struct request *r, const struct head *head,
                         struct err_info *reterr);

/* All rows, for tests and for the API's description. */
extern const struct route routes[];
extern const size_t n_routes;

#endif
