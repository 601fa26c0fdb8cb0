/*
 * A path that nobody has is 404 and a method that nobody has there is 405, whoever asks: the list of
 * resources is no secret. What a caller may do is looked at next, then the query, then the body's type and
 * size, so that nothing is read from those who may not.
 */
#include "api/route.h"

#include <stdio.h>
#include <string.h>

#include "api/asset.h"
#include "api/handle.h"

#define BODY_SMALL    ((size_t)16 * 1024)
#define BODY_TEMPLATE ((size_t)256 * 1024)
#define BODY_IMPORT   ((size_t)512 * 1024 * 1024) /* 100,000 bundles with RSA keys are half of that */

#define ROLE_RACK     (ROLE_OPERATOR | ROLE_ENGINEER | ROLE_MES | ROLE_ADMIN)
#define ROLE_PLAN     (ROLE_ENGINEER | ROLE_MES | ROLE_ADMIN)
#define ROLE_EXPORT   (ROLE_PLAN | ROLE_AUDITOR)
#define ROLE_REPAIR   (ROLE_ENGINEER | ROLE_ADMIN)

static const char *const order_params[] = {"state", "limit", "cursor", NULL};
static const char *const job_params[] = {"work_order", "slot", "imei",  "outcome", "reason",
                                         "from",       "to",   "limit", "cursor",  NULL};
static const char *const yield_params[] = {"from", "to", NULL};
static const char *const stock_params[] = {"product", "lot", NULL};
static const char *const import_params[] = {"dry_run", NULL};
static const char *const export_params[] = {"work_order", "product", "from",    "to",
                                            "limit",      "cursor",  "skipped", NULL};
static const char *const event_params[] = {"after", "limit", NULL};

const struct route routes[] = {
    {METHOD_GET, "/healthz", handle_healthz, ROLE_ANY, 0, 0, RUN_INLINE, NULL},
    {METHOD_GET, "/readyz", handle_readyz, ROLE_ANY, 0, 0, RUN_INLINE, NULL},
    {METHOD_GET, "/metrics", handle_metrics, ROLE_ANY, 0, 0, RUN_QUERY, NULL},
    {METHOD_GET, "/problems/{id}", handle_problem, ROLE_ANY, 0, 0, RUN_INLINE, NULL},

    {METHOD_GET, "/api/v1/openapi.json", handle_openapi, ROLE_ANY, 0, 0, RUN_INLINE, NULL},
    {METHOD_GET, "/api/v1/station", handle_station, ROLE_ANY, 0, 0, RUN_INLINE, NULL},
    {METHOD_GET, "/api/v1/products", handle_products, ROLE_ANY, 0, 0, RUN_INLINE, NULL},
    {METHOD_GET, "/api/v1/reasons", handle_reasons, ROLE_ANY, 0, 0, RUN_INLINE, NULL},
    {METHOD_GET, "/api/v1/slots", handle_slots, ROLE_ANY, 0, 0, RUN_INLINE, NULL},
    {METHOD_GET, "/api/v1/slots/{slot}", handle_slot, ROLE_ANY, 0, 0, RUN_INLINE, NULL},
    {METHOD_POST, "/api/v1/slots/{slot}/start", handle_slot_start, ROLE_RACK, CONTENT_JSON, BODY_SMALL,
     RUN_COMMAND, NULL},
    {METHOD_POST, "/api/v1/slots/{slot}/abort", handle_slot_abort, ROLE_RACK, CONTENT_JSON, BODY_SMALL,
     RUN_COMMAND, NULL},
    {METHOD_POST, "/api/v1/slots/{slot}/release", handle_slot_release, ROLE_RACK, CONTENT_JSON, BODY_SMALL,
     RUN_COMMAND, NULL},
    {METHOD_POST, "/api/v1/slots/{slot}/retry", handle_slot_retry, ROLE_RACK, CONTENT_JSON, BODY_SMALL,
     RUN_COMMAND, NULL},
    {METHOD_POST, "/api/v1/fixtures/{id}/start", handle_fixture_start, ROLE_RACK, CONTENT_JSON, BODY_SMALL,
     RUN_COMMAND, NULL},

    {METHOD_GET, "/api/v1/work-orders", handle_orders, ROLE_ANY, 0, 0, RUN_QUERY, order_params},
    {METHOD_GET, "/api/v1/work-orders/{id}", handle_order, ROLE_ANY, 0, 0, RUN_QUERY, NULL},
    {METHOD_PUT, "/api/v1/work-orders/{id}", handle_order_put, ROLE_PLAN, CONTENT_JSON, BODY_SMALL, RUN_QUERY,
     NULL},
    {METHOD_GET, "/api/v1/work-orders/{id}/yield", handle_order_yield, ROLE_ANY, 0, 0, RUN_QUERY, NULL},
    {METHOD_POST, "/api/v1/work-orders/{id}/close", handle_order_close, ROLE_PLAN, CONTENT_JSON, BODY_SMALL,
     RUN_QUERY, NULL},

    {METHOD_POST, "/api/v1/bundles", NULL, ROLE_PLAN, CONTENT_NDJSON, BODY_IMPORT, RUN_IMPORT, import_params},
    {METHOD_POST, "/api/v1/imports", handle_import_file, ROLE_PLAN, CONTENT_JSON, BODY_SMALL, RUN_QUERY,
     NULL},
    {METHOD_GET, "/api/v1/bundles/stock", handle_stock, ROLE_ANY, 0, 0, RUN_QUERY, stock_params},
    {METHOD_POST, "/api/v1/bundles/{id}/release", handle_bundle_release, ROLE_REPAIR, CONTENT_JSON,
     BODY_SMALL, RUN_QUERY, NULL},
    {METHOD_POST, "/api/v1/bundles/{id}/retire", handle_bundle_retire, ROLE_REPAIR, CONTENT_JSON, BODY_SMALL,
     RUN_QUERY, NULL},

    {METHOD_POST, "/api/v1/exports/template", handle_export_template, ROLE_EXPORT, CONTENT_JSON,
     BODY_TEMPLATE, RUN_QUERY, export_params},
    {METHOD_GET, "/api/v1/exports/{id}", handle_export, ROLE_EXPORT, 0, 0, RUN_QUERY, export_params},

    {METHOD_GET, "/api/v1/jobs", handle_jobs, ROLE_ANY, 0, 0, RUN_QUERY, job_params},
    {METHOD_GET, "/api/v1/yield", handle_yield, ROLE_ANY, 0, 0, RUN_QUERY, yield_params},
    {METHOD_GET, "/api/v1/jobs/{id}", handle_job, ROLE_ANY, 0, 0, RUN_QUERY, NULL},
    {METHOD_GET, "/api/v1/boards/{id}", handle_board, ROLE_ANY, 0, 0, RUN_QUERY, NULL},
    {METHOD_GET, "/api/v1/events", handle_events, ROLE_ANY, 0, 0, RUN_QUERY, event_params},
    {METHOD_GET, "/api/v1/audit", handle_audit, ROLE_ANY, 0, 0, RUN_QUERY, NULL},
    {METHOD_POST, "/api/v1/audit/verify", handle_audit_verify, ROLE_ANY, CONTENT_JSON, BODY_SMALL, RUN_QUERY,
     NULL},
    {METHOD_GET, "/api/v1/stream", NULL, ROLE_ANY, 0, 0, RUN_STREAM, NULL},
};
const size_t n_routes = sizeof(routes) / sizeof(routes[0]);

const struct route asset_route = {METHOD_GET, "(file)", handle_asset, ROLE_ANY, 0, 0, RUN_INLINE, NULL};

/* Takes the next word of a pattern; false at its end. */
static bool next_word(struct span *pattern, struct span *word)
{
    *pattern = span_skip(*pattern, 1);
    if (pattern->len == 0) {
        return false;
    }
    const char *slash = memchr(pattern->at, '/', pattern->len);
    *word = span_of(pattern->at, slash != NULL ? (size_t)(slash - pattern->at) : pattern->len);
    *pattern = span_skip(*pattern, word->len);
    return true;
}

/* How many segments from `at` on the word takes, 0 when it does not match; what stands for {…} goes into id.
 */
static size_t match_word(struct span word, const struct request *r, size_t at, char id[REQUEST_ID_SIZE])
{
    const char *segment = r->segments[at];
    int n = 0;

    if (span_is(word, "{id}")) {
        n = snprintf(id, REQUEST_ID_SIZE, "%s", segment);
        return n > 0 && n < REQUEST_ID_SIZE ? 1 : 0;
    }
    if (span_is(word, "{slot}")) {
        size_t takes = strchr(segment, '/') != NULL ? 1 : 2;
        if (at + takes > r->n_segments || (takes == 2 && strchr(r->segments[at + 1], '/') != NULL)) {
            return 0;
        }
        n = snprintf(id, REQUEST_ID_SIZE, "%s%s%s", segment, takes == 2 ? "/" : "",
                     takes == 2 ? r->segments[at + 1] : "");
        return n < REQUEST_ID_SIZE ? takes : 0;
    }
    return span_is(word, segment) ? 1 : 0;
}

static bool matches(const struct route *route, const struct request *r, char id[REQUEST_ID_SIZE])
{
    struct span pattern = span_str(route->pattern), word;
    size_t at = 0;

    id[0] = '\0';
    while (next_word(&pattern, &word)) {
        size_t takes = at < r->n_segments ? match_word(word, r, at, id) : 0;
        if (takes == 0) {
            return false;
        }
        at += takes;
    }
    return at == r->n_segments;
}

static void add_allowed(char allow[40], enum method method)
{
    size_t n = strlen(allow);

    snprintf(allow + n, 40 - n, "%s%s%s", n > 0 ? ", " : "", method_name(method),
             method == METHOD_GET ? ", HEAD" : "");
}

const struct route *route_find(struct request *r, enum problem *problem, char allow[40])
{
    enum method method = r->method == METHOD_HEAD ? METHOD_GET : r->method;
    char id[REQUEST_ID_SIZE];

    allow[0] = '\0';
    r->id[0] = '\0';
    if (asset_of(r) != NULL) {
        if (method == METHOD_GET) {
            return &asset_route;
        }
        add_allowed(allow, METHOD_GET);
        *problem = PROBLEM_METHOD;
        return NULL;
    }
    for (size_t i = 0; i < n_routes; i++) {
        if (!matches(&routes[i], r, id)) {
            continue;
        }
        if (routes[i].method == method) {
            memcpy(r->id, id, sizeof(r->id));
            allow[0] = '\0';
            return &routes[i];
        }
        add_allowed(allow, routes[i].method);
    }
    *problem = allow[0] != '\0' ? PROBLEM_METHOD : PROBLEM_NOT_FOUND;
    return NULL;
}

enum problem route_check(const struct route *route, const struct request *r, const struct head *head,
                         struct err_info *reterr)
{
    if ((route->roles & r->roles) == 0) {
        err_set(reterr, ERR_REFUSED, "whoever asks by this way may not do this");
        return PROBLEM_FORBIDDEN;
    }
    if (request_check_params(r, route->params, reterr) < 0) {
        return PROBLEM_BAD_PARAMETER;
    }
    if (!head_has_body(head)) {
        return PROBLEM_NONE;
    }
    if (route->content == 0) {
        err_set(reterr, ERR_REFUSED, "this resource takes no body");
        return PROBLEM_BAD_BODY;
    }
    if ((route->content & head->content) == 0) {
        err_set(reterr, ERR_REFUSED, "send %s",
                route->content == CONTENT_NDJSON ? "application/x-ndjson" : "application/json");
        return PROBLEM_MEDIA_TYPE;
    }
    if (head->content_length > route->body_max) {
        err_set(reterr, ERR_RANGE, "at most %zu octets", route->body_max);
        return PROBLEM_TOO_LARGE;
    }
    return PROBLEM_NONE;
}
