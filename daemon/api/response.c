/*
 * Problem documents are built like every other answer. Only when even that fails, for want of memory, a
 * static text answers, so that a client is never left without a word.
 */
#include "api/response.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/secret.h"

#define TYPE_JSON    "application/json"
#define TYPE_PROBLEM "application/problem+json"

static const char no_memory[] =
    "{\"type\":\"/problems/internal\",\"title\":\"Something went wrong here\",\"status\":500,"
    "\"detail\":\"out of memory\",\"reason\":\"internal\",\"remedy\":\"Close what else uses this station's "
    "memory.\"}";

static const struct problem_text problems[] = {
#define X(problem, text, code, words, what_to_do)                                                            \
    [problem] = {.name = text, .status = code, .title = words, .remedy = what_to_do},
    PROBLEM_LIST(X)
#undef X
};

void response_done(struct response *r)
{
    if (r->is_secret) {
        secret_free(r->body);
    } else {
        free(r->body);
    }
    *r = (struct response){0};
}

void response_octets(struct response *r, int status, const char *content_type, const char *octets, size_t len)
{
    response_done(r);
    r->status = status;
    r->content_type = content_type;
    r->text = octets;
    r->len = len;
}

void response_static(struct response *r, int status, const char *content_type, const char *text)
{
    response_octets(r, status, content_type, text, strlen(text));
}

void response_text(struct response *r, int status, const char *content_type, char *body, size_t len)
{
    response_done(r);
    r->status = status;
    r->content_type = content_type;
    r->body = body;
    r->len = len;
}

static void put_json(struct response *r, int status, const char *content_type, struct json *tree)
{
    char *text = tree != NULL ? json_dump(tree, JSON_FORM_COMPACT) : NULL;

    json_free(tree);
    if (text == NULL) {
        response_static(r, 500, TYPE_PROBLEM, no_memory);
    } else {
        response_text(r, status, content_type, text, strlen(text));
    }
}

void response_json(struct response *r, int status, struct json *tree)
{
    put_json(r, status, TYPE_JSON, tree);
}

static void put_problem(struct response *r, int status, const char *name, const char *title,
                        const char *detail, const char *remedy)
{
    struct json *tree = json_new_object();
    char type[80] = "/problems/";
    int failed = 0;

    strncat(type, name, sizeof(type) - strlen(type) - 1);
    failed |= json_put_text(tree, "type", type);
    failed |= json_put_text(tree, "title", title);
    failed |= json_put_i64(tree, "status", status);
    if (detail != NULL && *detail != '\0') {
        failed |= json_put_text(tree, "detail", detail);
    }
    failed |= json_put_text(tree, "reason", name);
    if (remedy != NULL) {
        failed |= json_put_text(tree, "remedy", remedy);
    }
    if (failed != 0) {
        json_free(tree);
        tree = NULL;
    }
    put_json(r, status, TYPE_PROBLEM, tree);
}

void response_problem(struct response *r, enum problem problem, const char *detail)
{
    const struct problem_text *row = &problems[problem == PROBLEM_NONE ? PROBLEM_INTERNAL : problem];

    put_problem(r, row->status, row->name, row->title, detail, row->remedy);
    if (row->status == 503) {
        r->retry_after_s = 1;
    }
}

const struct problem_text *problem_text(const char *name)
{
    for (size_t i = PROBLEM_NONE + 1; i < sizeof(problems) / sizeof(problems[0]); i++) {
        if (strcmp(problems[i].name, name) == 0) {
            return &problems[i];
        }
    }
    return NULL;
}

void response_reason(struct response *r, int status, enum reason reason, const char *detail)
{
    const struct reason_text *text = reason_text(reason);

    put_problem(r, status, text->name, text->title, detail, text->remedy);
    if (status == 503) {
        r->retry_after_s = 1;
    }
}
