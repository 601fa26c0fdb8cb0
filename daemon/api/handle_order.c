/*
 * Work orders. PUT is how the MES opens one: the same body again is a no-op, another body on an open order is
 * a conflict, and both are the store's to decide, in the transaction that opens it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/handle.h"
#include "base/buf.h"
#include "base/hex.h"
#include "base/json.h"
#include "pki/digest.h"
#include "store/read.h"
#include "store/store.h"

static const char no_order[] = "there is no work order of this name";

static const char *const put_members[] = {"product", "quantity", "fixtures", "lot", "operator", NULL};
static const char *const who_members[] = {"operator", NULL};

/* Ids come from other systems, so anything printable goes; what does not is no id but an accident. */
static bool is_order_id(const char *id)
{
    for (const char *p = id; *p != '\0'; p++) {
        if (*p <= ' ' || *p > '~') {
            return false;
        }
    }
    return *id != '\0' && strlen(id) < ORDER_ID_SIZE;
}

static int read_fixtures(const struct json *body, const struct api_station *station,
                         struct store_order_put *put, struct err_info *reterr)
{
    const struct json *list = NULL;

    int rc = json_get_array(body, "fixtures", &list, reterr);
    if (rc < 0) {
        return rc;
    }
    if (json_count(list) < 1 || json_count(list) > STORE_FIXTURES_MAX) {
        return err_set(reterr, ERR_RANGE, "fixtures must name 1 to %d of them", STORE_FIXTURES_MAX);
    }
    for (size_t i = 0; i < json_count(list); i++) {
        const char *name = json_as_text(json_at(list, i));
        size_t f = 0;
        while (name != NULL && f < station->n_fixtures && strcmp(station->fixtures[f].name, name) != 0) {
            f++;
        }
        if (name == NULL || f == station->n_fixtures || strlen(name) >= FIXTURE_SIZE) {
            return err_set(reterr, ERR_NOT_FOUND, "fixtures[%zu] is no fixture of this station", i);
        }
        for (uint32_t k = 0; k < put->n_fixtures; k++) {
            if (strcmp(put->fixtures[k], name) == 0) {
                return err_set(reterr, ERR_DUPLICATE, "fixtures names %s twice", name);
            }
        }
        buf_copy(put->fixtures[put->n_fixtures++], FIXTURE_SIZE, span_str(name));
    }
    return 0;
}

static int read_product(const struct json *body, const struct api_station *station,
                        struct store_order_put *put, struct err_info *reterr)
{
    const char *name;

    int rc = json_get_text(body, "product", &name, reterr);
    if (rc < 0) {
        return rc;
    }
    const struct api_product *product = find_product(station, name);
    if (product == NULL) {
        return err_set(reterr, ERR_NOT_FOUND, "this station has no product of that name");
    }
    buf_copy(put->product, sizeof(put->product), span_str(name));
    buf_copy(put->version, sizeof(put->version), span_str(product->version));
    return 0;
}

static int read_put(const struct json *body, const struct request *r, const struct api_station *station,
                    struct store_order_put *put, struct err_info *reterr)
{
    int64_t quantity;

    if (!is_order_id(r->id)) {
        return err_set(reterr, ERR_FORMAT, "an order's id is 1 to %d printable characters",
                       ORDER_ID_SIZE - 1);
    }
    buf_copy(put->id, sizeof(put->id), span_str(r->id));
    buf_copy(put->who, sizeof(put->who), span_str(who_of(r)));
    int rc = read_product(body, station, put, reterr);
    if (rc == 0) {
        rc = json_get_i64(body, "quantity", 1, STORE_QUANTITY_MAX, &quantity, reterr);
    }
    if (rc == 0) {
        put->quantity = (uint32_t)quantity;
        rc = read_fixtures(body, station, put, reterr);
    }
    if (rc == 0) {
        rc = body_text(body, "lot", put->lot, sizeof(put->lot), reterr);
    }
    if (rc == 0 && json_kind_of(json_get(body, "operator")) != JSON_KIND_NONE) {
        rc = body_text(body, "operator", put->who, sizeof(put->who), reterr);
    }
    return rc;
}

/* The tag of what people can edit about an order. Its counts are no part of it: they change with each board,
 * and would make every condition fail. */
static void order_tag(const struct json *order, char out[sizeof(((struct response *)0)->etag)])
{
    static const char *const members[] = {"id", "product_version", "quantity", "fixtures", "lot", "state"};
    struct json *part = json_new_object();
    int failed = 0;

    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        failed |= json_put(part, members[i], json_clone(json_get(order, members[i])));
    }
    char *text = failed == 0 ? json_dump(part, JSON_FORM_CANONICAL) : NULL;
    json_free(part);
    out[0] = '\0';
    if (text != NULL) {
        struct digest digest;
        char hex[2 * DIGEST_SIZE + 1];
        sha256(span_str(text), &digest);
        hex_encode(digest.octets, DIGEST_SIZE, hex);
        snprintf(out, sizeof(((struct response *)0)->etag), "\"%.32s\"", hex);
    }
    free(text);
}

/* Whether the request's conditions on the order hold; otherwise `out` is answered. */
static bool meets_conditions(const struct env *env, const struct request *r, struct response *out)
{
    char tag[sizeof(out->etag)] = "";
    struct err_info err = {0};
    struct json *tree = NULL;

    if (*r->if_match == '\0' && strcmp(r->if_none_match, "*") != 0) {
        return true;
    }
    int rc = store_read_order(env->reader, r->id, &tree, &err);
    if (rc < 0 && rc != ERR_NOT_FOUND) {
        answer_read(out, rc, NULL, &err);
        return false;
    }
    if (rc == 0) {
        order_tag(tree, tag);
    }
    json_free(tree);
    bool is_met = *r->if_match == '\0'
                      ? *tag == '\0'
                      : *tag != '\0' && (strcmp(r->if_match, "*") == 0 || strcmp(r->if_match, tag) == 0);
    if (!is_met) {
        response_problem(out, PROBLEM_PRECONDITION,
                         *tag == '\0' ? "there is no such order"
                         : *r->if_match == '\0'
                             ? "the order exists already"
                             : "the order is not as If-Match says; ETag has what it is now");
        memcpy(out->etag, tag, sizeof(tag));
    }
    return is_met;
}

void handle_order_put(const struct env *env, const struct request *r, struct response *out)
{
    struct store_op op = {.kind = STORE_ORDER_PUT};
    struct err_info err = {0};

    struct json *body = body_object(r, put_members, out);
    if (body == NULL) {
        return;
    }
    int rc = read_put(body, r, env->sources->station, &op.order_put, &err);
    json_free(body);
    if (rc < 0) {
        response_problem(out, PROBLEM_BAD_BODY, err.text);
        return;
    }
    if (!meets_conditions(env, r, out) || !submit(env, &op, out)) {
        return;
    }
    handle_order(env, r, out);
    if (out->status == 200 && op.order_put.outcome == STORE_CREATED) {
        out->status = 201;
    }
}

void handle_order_close(const struct env *env, const struct request *r, struct response *out)
{
    struct store_op op = {.kind = STORE_ORDER_CLOSE};
    struct err_info err = {0};

    struct json *body = body_object(r, who_members, out);
    if (body == NULL) {
        return;
    }
    int rc = body_text(body, "operator", op.named.who, sizeof(op.named.who), &err);
    json_free(body);
    if (rc < 0) {
        response_problem(out, PROBLEM_BAD_BODY, err.text);
        return;
    }
    if (*op.named.who == '\0') {
        buf_copy(op.named.who, sizeof(op.named.who), span_str(who_of(r)));
    }
    if (!is_order_id(r->id)) {
        response_problem(out, PROBLEM_NOT_FOUND, "no order has this id");
        return;
    }
    buf_copy(op.named.id, sizeof(op.named.id), span_str(r->id));
    if (meets_conditions(env, r, out) && submit(env, &op, out)) {
        handle_order(env, r, out);
    }
}

void handle_order(const struct env *env, const struct request *r, struct response *out)
{
    struct err_info err = {0};
    struct json *tree = NULL;

    char tag[sizeof(out->etag)] = "";

    int rc = store_read_order(env->reader, r->id, &tree, &err);
    if (rc == 0) {
        order_tag(tree, tag);
    }
    answer_one(out, rc, tree, &err, no_order);
    memcpy(out->etag, tag, sizeof(tag));
}

void handle_order_yield(const struct env *env, const struct request *r, struct response *out)
{
    struct err_info err = {0};
    struct json *tree = NULL;

    int rc = store_read_yield(env->reader, r->id, &tree, &err);
    answer_one(out, rc, tree, &err, no_order);
}

void handle_orders(const struct env *env, const struct request *r, struct response *out)
{
    const char *state = request_param(r, "state");
    int64_t limit = STORE_LIMIT_USUAL;
    struct err_info err = {0};
    struct json *tree = NULL;

    int rc = request_param_i64(r, "limit", 1, STORE_LIMIT_MAX, &limit, &err);
    if (rc == 0 && state != NULL && strcmp(state, "open") != 0 && strcmp(state, "closed") != 0) {
        rc = err_set(&err, ERR_FORMAT, "state is open or closed");
    }
    if (rc == 0) {
        rc = store_read_orders(env->reader, state, (uint32_t)limit, request_param(r, "cursor"), &tree, &err);
    }
    answer_read(out, rc, tree, &err);
}
