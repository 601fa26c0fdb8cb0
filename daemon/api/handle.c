/*
 * What handlers share: bodies in, store operations through, readers' answers out. How a store's "no" becomes
 * a status is decided here once, for all resources.
 */
#include "api/handle.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "store/store.h"

int64_t find_slot(const struct api_sources *s, const char *id, struct slot_view *out)
{
    uint32_t count = s->slot_count(s->ctx);

    for (uint32_t i = 0; i < count; i++) {
        s->slot_read(s->ctx, i, out);
        if (strcmp(out->id, id) == 0) {
            return i;
        }
    }
    return -1;
}

const struct api_product *find_product(const struct api_station *station, const char *name)
{
    for (size_t i = 0; i < station->n_products; i++) {
        if (strcmp(station->products[i].name, name) == 0) {
            return &station->products[i];
        }
    }
    return NULL;
}

struct json *body_object(const struct request *r, const char *const *known, struct response *out)
{
    struct err_info err = {0};
    struct json *body = NULL;

    if (r->body.len == 0) {
        body = json_new_object();
        if (body == NULL) {
            response_problem(out, PROBLEM_INTERNAL, "out of memory");
        }
        return body;
    }
    int rc = json_parse(r->body, JSON_DEPTH_USUAL, &body, &err);
    if (rc == 0) {
        rc = json_check_members(body, known, &err);
    }
    if (rc < 0) {
        json_free(body);
        response_problem(out, rc == -ENOMEM ? PROBLEM_INTERNAL : PROBLEM_BAD_BODY, err.text);
        return NULL;
    }
    return body;
}

int body_text(const struct json *body, const char *key, char *to, size_t size, struct err_info *reterr)
{
    const char *text = "";

    int rc = json_opt_text(body, key, &text, reterr);
    if (rc < 0) {
        return rc;
    }
    if (strlen(text) >= size) {
        return err_set(reterr, ERR_RANGE, "%s has more than %zu octets", key, size - 1);
    }
    memcpy(to, text, strlen(text) + 1);
    return 0;
}

/* The store's answer when it is no, or its trouble. */
static void answer_no(const struct store_op *op, struct response *out)
{
    bool has_reason = op->reason != REASON_NONE;

    switch (op->result) {
    case ERR_NOT_FOUND:
        response_problem(out, PROBLEM_NOT_FOUND, op->detail);
        return;
    case ERR_CONFLICT:
    case ERR_REFUSED:
        if (has_reason && reason_text(op->reason)->fault == FAULT_STATION) {
            response_reason(out, 503, op->reason, op->detail);
        } else if (has_reason) {
            response_reason(out, 409, op->reason, op->detail);
        } else {
            response_problem(out, PROBLEM_WRONG_STATE, op->detail);
        }
        return;
    case ERR_RANGE:
        response_problem(out, PROBLEM_BAD_BODY, op->detail);
        return;
    default: /* whatever else went wrong is the database's */
        response_reason(out, 503, has_reason ? op->reason : REASON_store_failed, op->detail);
        return;
    }
}

bool submit(const struct env *env, struct store_op *op, struct response *out)
{
    op->reason = REASON_NONE;
    int rc = env->sources->submit(env->sources->ctx, op);

    if (rc < 0) {
        response_problem(out, rc == ERR_CLOSED ? PROBLEM_STOPPING : PROBLEM_BUSY, NULL);
        return false;
    }
    if (op->result < 0) {
        answer_no(op, out);
        return false;
    }
    return true;
}

void answer_read(struct response *out, int rc, struct json *tree, const struct err_info *err)
{
    switch (rc) {
    case 0:
        response_json(out, 200, tree);
        return;
    case ERR_NOT_FOUND:
        response_problem(out, PROBLEM_NOT_FOUND, err->text);
        break;
    case ERR_FORMAT:
    case ERR_RANGE:
        response_problem(out, PROBLEM_BAD_PARAMETER, err->text);
        break;
    default:
        response_reason(out, 503, REASON_store_failed, err->text);
        break;
    }
    json_free(tree);
}

void answer_one(struct response *out, int rc, struct json *tree, const struct err_info *err,
                const char *missing)
{
    if (rc == ERR_NOT_FOUND) {
        json_free(tree);
        response_problem(out, PROBLEM_NOT_FOUND, missing);
    } else {
        answer_read(out, rc, tree, err);
    }
}

const char *who_of(const struct request *r)
{
    return (r->roles & ROLE_ADMIN) != 0 ? "api (command line)" : "api";
}
