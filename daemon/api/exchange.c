/*
 * Order of refusals: ambiguous framing first, since what follows may not be a request at all; then the names
 * under which we answer; then the target, the route, the role, the body.
 *
 * A refused request's body is read and thrown away when it is small, so that the client gets its answer and
 * may go on on this connection. When it is large, or its end is in doubt, the answer goes out at once and the
 * connection closes.
 */
#include "api/exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/remember.h"
#include "base/json.h"
#include "base/secret.h"

#define DRAIN_MAX ((uint64_t)256 * 1024) /* announced: read to the end for the answer's sake */
#define EXCESS_MAX                                                                                           \
    ((uint64_t)4 * 1024 * 1024)    /* chunked and beyond the limit: not read further than this               \
                                    */
#define PIECE ((size_t)128 * 1024) /* of an import, handed to a worker at a time */

static void run_handler(struct work *work, struct store_reader *reader);
static void run_import(struct work *work, struct store_reader *reader);
static void run_cancel(struct work *work, struct store_reader *reader);

struct exchange *exchange_new(const struct env *env, unsigned roles, unsigned *n_imports, struct span target)
{
    struct exchange *ex = calloc(1, sizeof(*ex));

    if (ex == NULL) {
        return NULL;
    }
    ex->env = env;
    ex->n_imports = n_imports;
    ex->request.roles = roles;
    ex->target_rc = request_set_target(&ex->request, target, &ex->target_error);
    return ex;
}

/* The session is over, or will be cancelled: another import may begin. */
static void leave_import(struct exchange *ex)
{
    if (ex->is_importing) {
        ex->is_importing = false;
        (*ex->n_imports)--;
    }
}

void exchange_free(struct exchange *ex)
{
    if (ex == NULL) {
        return;
    }
    leave_import(ex);
    if (ex->is_first) {
        remember_end(ex->env->remember, ex->request.idempotency_key, &ex->fingerprint, NULL);
    }
    sha256_done(&ex->sum);
    secret_free(ex->body);
    response_done(&ex->response);
    free(ex);
}

/* Finds out what is wanted and whether it may be: PROBLEM_NONE, or what is wrong. */
static enum problem judge(struct exchange *ex, const struct guard *guard, const char *version,
                          const struct header *headers, size_t n, struct err_info *err, char allow[40])
{
    struct request *r = &ex->request;

    enum problem problem = guard_check(guard, r->method, version, headers, n, &ex->head, err);
    if (problem != PROBLEM_NONE) {
        return problem;
    }
    memcpy(r->idempotency_key, ex->head.idempotency_key, sizeof(r->idempotency_key));
    memcpy(r->if_match, ex->head.if_match, sizeof(r->if_match));
    memcpy(r->if_none_match, ex->head.if_none_match, sizeof(r->if_none_match));
    if (ex->target_rc < 0) {
        *err = ex->target_error;
        return ex->target_rc == ERR_RANGE ? PROBLEM_TARGET_TOO_LONG : PROBLEM_BAD_REQUEST;
    }
    const struct route *route = route_find(r, &problem, allow);
    if (route == NULL) {
        if (problem == PROBLEM_METHOD) {
            err_set(err, ERR_REFUSED, "%s is not known here, but %s", method_name(r->method), allow);
        } else {
            err_set(err, ERR_NOT_FOUND, "no resource has this path");
        }
        return problem;
    }
    problem = route_check(route, r, &ex->head, err);
    if (problem == PROBLEM_NONE && route->where == RUN_IMPORT && *ex->n_imports >= EXCHANGE_IMPORTS_MAX) {
        err_set(err, ERR_FULL, "%d imports are under way", EXCHANGE_IMPORTS_MAX);
        return PROBLEM_BUSY;
    }
    if (problem == PROBLEM_NONE) {
        ex->route = route;
    }
    return problem;
}

/* ---- Idempotency-Key */

static void add_text(struct sha256 *sum, const char *text)
{
    sha256_add(sum, span_of(text, strlen(text) + 1));
}

/* A POST with a key is the first of its kind, or will be answered as the first one was. */
static void begin_key(struct exchange *ex)
{
    const struct request *r = &ex->request;

    if (r->method != METHOD_POST || *r->idempotency_key == '\0') {
        return;
    }
    ex->is_keyed = true;
    sha256_init(&ex->sum);
    for (size_t i = 0; i < r->n_segments; i++) {
        add_text(&ex->sum, r->segments[i]);
    }
    for (size_t i = 0; i < r->n_params; i++) {
        add_text(&ex->sum, r->params[i].name);
        add_text(&ex->sum, r->params[i].value);
    }
    ex->is_first = !remember_knows(ex->env->remember, r->idempotency_key) &&
                   remember_begin(ex->env->remember, r->idempotency_key);
}

/* Its body is read for comparison only. */
static bool is_repetition(const struct exchange *ex)
{
    return ex->is_keyed && !ex->is_first && remember_knows(ex->env->remember, ex->request.idempotency_key);
}

/* The answer is there. */
static enum next settle(struct exchange *ex)
{
    if (ex->is_first) {
        remember_end(ex->env->remember, ex->request.idempotency_key, &ex->fingerprint, &ex->response);
        ex->is_first = false;
    }
    return NEXT_ANSWER;
}

enum next exchange_begin(struct exchange *ex, const struct guard *guard, const char *method,
                         const char *version, const struct header *headers, size_t n, bool waits)
{
    struct err_info err = {0};
    char allow[40] = "";

    ex->request.method = method_from_name(method);
    enum problem problem = judge(ex, guard, version, headers, n, &err, allow);
    if (problem == PROBLEM_NONE) {
        begin_key(ex);
        if (ex->route->where == RUN_IMPORT) {
            ex->is_importing = true;
            (*ex->n_imports)++;
        }
        return NEXT_READ;
    }

    response_problem(&ex->response, problem, err.text);
    memcpy(ex->response.allow, allow, sizeof(allow));
    bool is_in_doubt = problem == PROBLEM_BAD_FRAMING || problem == PROBLEM_HEADERS_TOO_LARGE;
    bool is_large = ex->head.is_chunked || ex->head.content_length > DRAIN_MAX;
    if (is_in_doubt || is_large || (waits && head_has_body(&ex->head))) {
        ex->response.must_close = true;
        return NEXT_ANSWER;
    }
    return NEXT_READ;
}

/* Room for n more octets of body, at most `max` in all; false when there is none. */
static bool make_room(struct exchange *ex, size_t n, size_t max)
{
    if (n > max - ex->body_len) {
        return false;
    }
    if (ex->body_len + n > ex->body_size) {
        size_t size = (ex->body_len + n) * 2;
        size = size > max ? max : size;
        if (ex->body_size == 0 && ex->head.content_length >= n && ex->head.content_length <= max) {
            size = (size_t)ex->head.content_length;
        }
        char *body = secret_realloc(ex->body, size);
        if (body == NULL) {
            return false;
        }
        ex->body = body;
        ex->body_size = size;
    }
    return true;
}

/* One piece for a worker: what has come since the last one. */
static enum next hand_over(struct exchange *ex)
{
    ex->work.run = ex->route->where == RUN_IMPORT ? run_import : run_handler;
    return NEXT_WORK;
}

static bool is_refused(const struct exchange *ex)
{
    return ex->response.status != 0;
}

enum next exchange_take(struct exchange *ex, struct span octets)
{
    bool is_import = ex->route != NULL && ex->route->where == RUN_IMPORT;

    ex->received += octets.len;
    if (is_refused(ex)) {
        uint64_t limit = ex->route != NULL ? ex->route->body_max + EXCESS_MAX : DRAIN_MAX;
        return ex->received > limit ? NEXT_CUT : NEXT_READ;
    }
    if (ex->is_keyed) {
        sha256_add(&ex->sum, octets);
    }
    if (ex->received > ex->route->body_max) {
        char detail[64];
        snprintf(detail, sizeof(detail), "at most %zu octets", ex->route->body_max);
        response_problem(&ex->response, PROBLEM_TOO_LARGE, detail);
        return NEXT_READ;
    }
    if (is_repetition(ex)) {
        return NEXT_READ;
    }
    if (!make_room(ex, octets.len, is_import ? 2 * PIECE : ex->route->body_max)) {
        exchange_refuse(ex, PROBLEM_INTERNAL);
        return NEXT_READ;
    }
    memcpy(ex->body + ex->body_len, octets.at, octets.len);
    ex->body_len += octets.len;
    return is_import && ex->body_len >= PIECE ? hand_over(ex) : NEXT_READ;
}

enum next exchange_end(struct exchange *ex)
{
    ex->is_complete = true;
    if (is_refused(ex)) {
        return NEXT_ANSWER;
    }
    if (ex->is_keyed) {
        sha256_finish(&ex->sum, &ex->fingerprint);
    }
    if (is_repetition(ex)) {
        remember_answer(ex->env->remember, ex->request.idempotency_key, &ex->fingerprint, &ex->response);
        return NEXT_ANSWER;
    }
    switch (ex->route->where) {
    case RUN_INLINE:
        ex->route->handle(ex->env, &ex->request, &ex->response);
        return NEXT_ANSWER;
    case RUN_QUERY:
    case RUN_COMMAND:
    case RUN_IMPORT:
        return hand_over(ex);
    case RUN_STREAM:
        return NEXT_STREAM;
    }
    return NEXT_CUT;
}

enum next exchange_worked(struct exchange *ex)
{
    return ex->is_complete ? settle(ex) : NEXT_READ;
}

void exchange_refuse(struct exchange *ex, enum problem problem)
{
    response_problem(&ex->response, problem, NULL);
}

bool exchange_abandon(struct exchange *ex)
{
    ex->owner = NULL;
    ex->work.run = run_cancel;
    return ex->session != NULL;
}

/* ---- on a worker */

static void run_handler(struct work *work, struct store_reader *reader)
{
    struct exchange *ex = (struct exchange *)work;
    struct env env = *ex->env;

    env.reader = reader;
    ex->request.body = span_of(ex->body, ex->body_len);
    ex->route->handle(&env, &ex->request, &ex->response);
    ex->request.body = span_of(NULL, 0);
}

static void answer_import_failure(struct exchange *ex, int rc, const struct err_info *err)
{
    switch (rc) {
    case ERR_FULL:
        response_problem(&ex->response, PROBLEM_BUSY, err->text);
        return;
    case ERR_CLOSED:
        response_problem(&ex->response, PROBLEM_STOPPING, err->text);
        return;
    case ERR_REFUSED:
    case ERR_FORMAT:
        response_problem(&ex->response, PROBLEM_BAD_BODY, err->text);
        return;
    case ERR_CRYPTO:
        response_reason(&ex->response, 503, REASON_key_locked, err->text);
        return;
    case ERR_MARK:
        response_reason(&ex->response, 503, REASON_mark_ahead, err->text);
        return;
    default: /* whatever else went wrong is the database's */
        response_reason(&ex->response, 503, REASON_store_failed, err->text);
        return;
    }
}

static int feed(struct exchange *ex, struct err_info *err)
{
    const struct api_sources *s = ex->env->sources;

    if (ex->session == NULL) {
        ex->session = s->import_open(s->ctx, request_param_is_true(&ex->request, "dry_run"), err);
        if (ex->session == NULL) {
            return err->code != 0 ? err->code : ERR_INTERNAL;
        }
    }
    return ex->body_len > 0 ? s->import_feed(s->ctx, ex->session, span_of(ex->body, ex->body_len), err) : 0;
}

/* A failure ends the session at once; what still comes of the body is thrown away, and then the failure is
 * told. */
static void run_import(struct work *work, struct store_reader *reader)
{
    struct exchange *ex = (struct exchange *)work;
    const struct api_sources *s = ex->env->sources;
    struct err_info err = {0};
    struct json *tree = NULL;

    (void)reader;
    int rc = feed(ex, &err);
    secret_wipe(ex->body, ex->body_len);
    ex->body_len = 0;
    if (rc == 0 && ex->is_complete) {
        rc = s->import_finish(s->ctx, ex->session, &tree, &err);
        ex->session = NULL;
        if (rc == 0) {
            response_json(&ex->response, 200, tree);
        }
    }
    if (rc < 0) {
        answer_import_failure(ex, rc, &err);
        run_cancel(work, reader);
    }
}

static void run_cancel(struct work *work, struct store_reader *reader)
{
    struct exchange *ex = (struct exchange *)work;
    const struct api_sources *s = ex->env->sources;

    (void)reader;
    if (ex->session != NULL) {
        s->import_cancel(s->ctx, ex->session);
        ex->session = NULL;
    }
}
