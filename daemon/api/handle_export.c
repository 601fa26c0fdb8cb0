/*
 * Exports: one part of a file for a cloud (exchange/export.h behind api_sources). The body is the file
 * itself; where the next part begins and how many boards were left out stand in headers, and `skipped=true`
 * answers with the boards that were left out of this very part, a line each, in place of the file.
 *
 * Who may read what is on record may not therefore have attestation tokens: an auditor sees that they were
 * delivered, and to whom.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/handle.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/secret.h"

static bool wants_skipped(const struct request *r)
{
    return request_param_is_true(r, "skipped");
}

static int read_time(const struct request *r, const char *name, int64_t *ret, struct err_info *reterr)
{
    const char *text = request_param(r, name);
    if (text != NULL && clock_parse_rfc3339(text, ret) < 0) {
        return err_set(reterr, ERR_FORMAT, "%s must be a time like 2026-11-20T08:00:00Z", name);
    }
    return 0;
}

static int read_question(const struct request *r, struct api_export *what, struct err_info *reterr)
{
    int64_t limit = 0;
    what->work_order = request_param(r, "work_order");
    what->product = request_param(r, "product");
    what->cursor = request_param(r, "cursor");
    int rc = read_time(r, "from", &what->from_wall_ms, reterr);
    rc = rc < 0 ? rc : read_time(r, "to", &what->to_wall_ms, reterr);
    rc = rc < 0 ? rc : request_param_i64(r, "limit", 1, 1000, &limit, reterr);
    what->limit = (uint32_t)limit;
    what->may_have_secrets = (r->roles & ~(unsigned)ROLE_AUDITOR) != 0;
    what->is_for_skipped = wants_skipped(r) || r->method == METHOD_HEAD;
    what->who = who_of(r);
    return rc;
}

static void answer_failure(struct response *out, int rc, const struct err_info *err)
{
    switch (rc) {
    case ERR_NOT_FOUND:
        response_problem(out, PROBLEM_NOT_FOUND, err->text);
        return;
    case ERR_FORMAT:
    case ERR_RANGE:
        response_problem(out, PROBLEM_BAD_PARAMETER, err->text);
        return;
    case -EACCES:
        response_problem(out, PROBLEM_FORBIDDEN, err->text);
        return;
    case ERR_REFUSED:
    case ERR_CRYPTO:
        response_reason(out, 503, REASON_key_locked, err->text);
        return;
    default: /* whatever else went wrong is the database's */
        response_reason(out, 503, REASON_store_failed, err->text);
        return;
    }
}

static void answer_part(const struct request *r, struct api_export_part *part, struct response *out)
{
    bool is_skipped = wants_skipped(r);
    response_text(out, 200, is_skipped ? "text/plain; charset=utf-8" : part->content_type,
                  is_skipped ? part->skipped : part->body, is_skipped ? part->skipped_len : part->body_len);
    out->is_secret = part->is_secret && !is_skipped;
    if (is_skipped && part->is_secret) {
        secret_free(part->body);
    } else {
        free(is_skipped ? part->body : part->skipped);
    }
    out->is_part = true;
    memcpy(out->next, part->next, sizeof(out->next));
    out->rows = part->rows;
    out->skipped = part->n_skipped;
}

static void export(const struct env *env, const struct request *r, struct api_export *what,
                   struct response *out)
{
    const struct api_sources *s = env->sources;
    struct api_export_part part = {0};
    struct err_info err = {0};
    int rc = read_question(r, what, &err);
    rc = rc < 0 ? rc : s->export_part(s->ctx, env->reader, what, &part, &err);
    if (rc < 0) {
        answer_failure(out, rc, &err);
    } else {
        answer_part(r, &part, out);
    }
}

void handle_export(const struct env *env, const struct request *r, struct response *out)
{
    struct api_export what = {.format = r->id};
    if (strcmp(r->id, "template") == 0) {
        response_problem(out, PROBLEM_BAD_PARAMETER, "a template is sent with POST, as {\"template\":\"…\"}");
        return;
    }
    export(env, r, &what, out);
}

void handle_export_template(const struct env *env, const struct request *r, struct response *out)
{
    static const char *const members[] = {"template", NULL};
    struct err_info err = {0};
    const char *text = NULL;
    struct json *body = body_object(r, members, out);
    if (body == NULL) {
        return;
    }
    if (json_get_text(body, "template", &text, &err) < 0) {
        response_problem(out, PROBLEM_BAD_BODY, err.text);
    } else {
        struct api_export what = {.format = "template", .template = span_str(text)};
        export(env, r, &what, out);
    }
    json_free(body);
}
