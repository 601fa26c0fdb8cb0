/* What does not change while the station runs: products, reasons, problems, the API's own description. These
 * run on the HTTP thread. */
#include <stdio.h>
#include <string.h>

#include "api/handle.h"
#include "base/json.h"

/* openapi.json, embedded by the build. */
extern const char api_openapi_json[], api_openapi_json_etag[];
extern const size_t api_openapi_json_len;

/* Gives `tree` back, or frees it and gives NULL when something failed on the way. */
static struct json *unless(int failed, struct json *tree)
{
    if (failed != 0) {
        json_free(tree);
        return NULL;
    }
    return tree;
}

/* The product's canonical text with its version: what is told is what was hashed. */
static struct json *product_json(const struct api_product *product)
{
    struct json *tree = NULL;

    if (json_parse(span_str(product->canonical), JSON_DEPTH_USUAL, &tree, NULL) < 0) {
        return NULL;
    }
    int failed = json_put_text(tree, "name", product->name);
    failed |= json_put_text(tree, "version", product->version);
    return unless(failed, tree);
}

void handle_products(const struct env *env, const struct request *r, struct response *out)
{
    const struct api_station *station = env->sources->station;
    struct json *tree = json_new_object(), *list = json_new_array();
    int failed = 0;

    (void)r;
    for (size_t i = 0; i < station->n_products; i++) {
        failed |= json_append(list, product_json(&station->products[i]));
    }
    failed |= json_put(tree, "products", list);
    response_json(out, 200, unless(failed, tree));
}

static struct json *reason_json(enum reason reason)
{
    const struct reason_text *text = reason_text(reason);
    struct json *tree = json_new_object();
    int failed = 0;

    failed |= json_put_text(tree, "name", text->name);
    failed |= json_put_text(tree, "fault", fault_name(text->fault));
    failed |= json_put_text(tree, "title", text->title);
    failed |= json_put_text(tree, "cause", text->cause);
    failed |= json_put_text(tree, "remedy", text->remedy);
    return unless(failed, tree);
}

void handle_reasons(const struct env *env, const struct request *r, struct response *out)
{
    struct json *tree = json_new_object(), *list = json_new_array();
    int failed = 0;

    (void)env, (void)r;
    for (int reason = 0; reason < REASON_COUNT; reason++) {
        failed |= json_append(list, reason_json((enum reason)reason));
    }
    failed |= json_put(tree, "reasons", list);
    response_json(out, 200, unless(failed, tree));
}

/* What the `type` of a problem document leads to. */
void handle_problem(const struct env *env, const struct request *r, struct response *out)
{
    int reason = reason_from_name(r->id);
    struct json *tree = json_new_object();
    const struct problem_text *text = problem_text(r->id);
    int failed = 0;

    (void)env;
    if (text != NULL) {
        failed |= json_put_text(tree, "name", text->name);
        failed |= json_put_text(tree, "title", text->title);
        failed |= json_put_i64(tree, "status", text->status);
        failed |= json_put_text(tree, "remedy", text->remedy);
        response_json(out, 200, unless(failed, tree));
    } else if (reason >= 0) {
        json_free(tree);
        response_json(out, 200, reason_json((enum reason)reason));
    } else {
        json_free(tree);
        response_problem(out, PROBLEM_NOT_FOUND, "there is no problem of that name");
    }
}

void handle_openapi(const struct env *env, const struct request *r, struct response *out)
{
    (void)env;
    if (strcmp(r->if_none_match, api_openapi_json_etag) == 0) {
        response_octets(out, 304, "application/json", "", 0); /* as it was kept: handle_asset.c */
    } else {
        response_octets(out, 200, "application/json", api_openapi_json, api_openapi_json_len);
    }
    snprintf(out->etag, sizeof(out->etag), "%s", api_openapi_json_etag);
    out->may_be_kept = true;
}
