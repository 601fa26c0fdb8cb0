/* What is on record: jobs, boards, events. A filter with a word that nobody knows is a mistake and not an
 * empty list. */
#include <string.h>

#include "api/handle.h"
#include "base/clock.h"
#include "base/json.h"
#include "store/read.h"

/* An RFC 3339 time; 0 stays when it was not given. */
static int param_time(const struct request *r, const char *name, int64_t *ret_wall_ms,
                      struct err_info *reterr)
{
    const char *text = request_param(r, name);

    if (text != NULL && clock_parse_rfc3339(text, ret_wall_ms) < 0) {
        return err_set(reterr, ERR_FORMAT, "%s must be a time like 2026-11-20T08:00:00Z", name);
    }
    return 0;
}

static int read_filter(const struct request *r, struct store_job_filter *filter, struct err_info *reterr)
{
    int64_t limit = STORE_LIMIT_USUAL;

    *filter = (struct store_job_filter){
        .work_order = request_param(r, "work_order"),
        .slot = request_param(r, "slot"),
        .imei = request_param(r, "imei"),
        .outcome = request_param(r, "outcome"),
        .reason = request_param(r, "reason"),
        .cursor = request_param(r, "cursor"),
    };
    if (filter->outcome != NULL && *filter->outcome != '\0' && outcome_from_name(filter->outcome) < 0) {
        return err_set(reterr, ERR_FORMAT,
                       "outcome must be PASS, FAIL, ERROR, TIMEOUT, ABORTED, LOST or NONE");
    }
    if (filter->reason != NULL && *filter->reason != '\0' && reason_from_name(filter->reason) < 0) {
        return err_set(reterr, ERR_FORMAT, "there is no reason of that name");
    }
    int rc = param_time(r, "from", &filter->from_wall_ms, reterr);
    if (rc == 0) {
        rc = param_time(r, "to", &filter->to_wall_ms, reterr);
    }
    if (rc == 0) {
        rc = request_param_i64(r, "limit", 1, STORE_LIMIT_MAX, &limit, reterr);
    }
    filter->limit = (uint32_t)limit;
    return rc;
}

void handle_jobs(const struct env *env, const struct request *r, struct response *out)
{
    struct store_job_filter filter;
    struct err_info err = {0};
    struct json *tree = NULL;

    int rc = read_filter(r, &filter, &err);
    if (rc == 0) {
        rc = store_read_jobs(env->reader, &filter, &tree, &err);
    }
    answer_read(out, rc, tree, &err);
}

void handle_yield(const struct env *env, const struct request *r, struct response *out)
{
    int64_t from_wall_ms = 0, to_wall_ms = 0;
    struct err_info err = {0};
    struct json *tree = NULL;

    int rc = param_time(r, "from", &from_wall_ms, &err);
    if (rc == 0) {
        rc = param_time(r, "to", &to_wall_ms, &err);
    }
    if (rc == 0) {
        rc = store_read_yield_between(env->reader, from_wall_ms, to_wall_ms, &tree, &err);
    }
    answer_read(out, rc, tree, &err);
}

void handle_job(const struct env *env, const struct request *r, struct response *out)
{
    struct err_info err = {0};
    struct json *tree = NULL;

    int rc = store_read_job(env->reader, r->id, &tree, &err);
    answer_one(out, rc, tree, &err, "no job has this id");
}

void handle_board(const struct env *env, const struct request *r, struct response *out)
{
    struct err_info err = {0};
    struct json *tree = NULL;

    int rc = store_read_board(env->reader, r->id, &tree, &err);
    answer_one(out, rc, tree, &err, "no board with this IMEI was seen here, and no bundle is for it");
}

void handle_events(const struct env *env, const struct request *r, struct response *out)
{
    int64_t after = 0, limit = STORE_LIMIT_USUAL;
    struct err_info err = {0};
    struct json *tree = NULL;

    int rc = request_param_i64(r, "after", 0, INT64_MAX, &after, &err);
    if (rc == 0) {
        rc = request_param_i64(r, "limit", 1, STORE_LIMIT_MAX, &limit, &err);
    }
    if (rc == 0) {
        rc = store_read_events(env->reader, after, (uint32_t)limit, &tree, &err);
    }
    answer_read(out, rc, tree, &err);
}
