/* Stock, and what a person may do with a bundle by hand. Import streams and is in exchange.c. */
#include <string.h>

#include "api/handle.h"
#include "base/buf.h"
#include "base/json.h"
#include "store/read.h"
#include "store/store.h"

static const char *const members[] = {"reason", "operator", NULL};

static int64_t sum_of(const struct json *stock)
{
    struct json_member m = {0};
    int64_t sum = 0, n;

    while (json_next(stock, &m)) {
        sum += json_as_i64(m.value, &n) ? n : 0;
    }
    return sum;
}

/* A product that is neither configured nor any bundle's is a mistake, and no empty stock. */
static int check_product(const struct env *env, const char *product, struct err_info *reterr)
{
    struct json *all = NULL;

    if (product == NULL || *product == '\0' || find_product(env->sources->station, product) != NULL) {
        return 0;
    }
    int rc = store_read_stock(env->reader, product, NULL, &all, reterr);
    if (rc == 0 && sum_of(all) == 0) {
        rc = err_set(reterr, ERR_FORMAT, "there is no product of that name, and no bundle of it");
    }
    json_free(all);
    return rc;
}

void handle_stock(const struct env *env, const struct request *r, struct response *out)
{
    const char *product = request_param(r, "product");
    struct err_info err = {0};
    struct json *tree = NULL;

    int rc = check_product(env, product, &err);
    if (rc == 0) {
        rc = store_read_stock(env->reader, product, request_param(r, "lot"), &tree, &err);
    }
    answer_read(out, rc, tree, &err);
}

static int read_named(const struct json *body, const struct request *r, struct store_named *named,
                      struct err_info *reterr)
{
    if (strlen(r->id) >= sizeof(named->id)) {
        return err_set(reterr, ERR_RANGE, "a bundle's id has at most %zu octets", sizeof(named->id) - 1);
    }
    buf_copy(named->id, sizeof(named->id), span_str(r->id));
    int rc = body_text(body, "reason", named->why, sizeof(named->why), reterr);
    if (rc == 0 && *named->why == '\0') {
        return err_set(reterr, ERR_NOT_FOUND, "reason is missing: say why, it goes on record");
    }
    if (rc == 0) {
        rc = body_text(body, "operator", named->who, sizeof(named->who), reterr);
    }
    if (rc == 0 && *named->who == '\0') {
        buf_copy(named->who, sizeof(named->who), span_str(who_of(r)));
    }
    return rc;
}

static void change(const struct env *env, const struct request *r, enum store_op_kind kind,
                   enum bundle_state state, struct response *out)
{
    struct store_op op = {.kind = kind};
    struct err_info err = {0};

    struct json *body = body_object(r, members, out);
    if (body == NULL) {
        return;
    }
    int rc = read_named(body, r, &op.named, &err);
    json_free(body);
    if (rc < 0) {
        response_problem(out, PROBLEM_BAD_BODY, err.text);
        return;
    }
    if (!submit(env, &op, out)) {
        return;
    }
    struct json *tree = json_new_object();
    int failed = json_put_text(tree, "id", r->id);
    failed |= json_put_text(tree, "state", bundle_state_name(state));
    if (failed != 0) {
        json_free(tree);
        tree = NULL;
    }
    response_json(out, 200, tree);
}

void handle_bundle_release(const struct env *env, const struct request *r, struct response *out)
{
    change(env, r, STORE_BUNDLE_RELEASE, BUNDLE_FREE, out);
}

void handle_bundle_retire(const struct env *env, const struct request *r, struct response *out)
{
    change(env, r, STORE_BUNDLE_RETIRE, BUNDLE_RETIRED, out);
}
