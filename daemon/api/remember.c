/* A thousand short strings are compared in a few microseconds: no index, just a table in the order of coming.
 */
#include "api/remember.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/request.h"

#define KEYS_MAX   1024
#define ANSWER_MAX ((size_t)16 * 1024)
#define AGE_MAX_US (INT64_C(24) * 3600 * US_PER_S)

struct row {
    char key[REQUEST_KEY_SIZE]; /* empty: a free row */
    bool is_answered;
    int64_t begun_us;
    struct digest request;
    int status;
    const char *content_type; /* static */
    char etag[sizeof(((struct response *)0)->etag)];
    char *body;
    size_t len;
};

struct remember {
    const struct clock *clock;
    size_t next; /* the row that is used next, if it is not under way */
    struct row rows[KEYS_MAX];
};

struct remember *remember_new(const struct clock *clock)
{
    struct remember *m = calloc(1, sizeof(*m));

    if (m != NULL) {
        m->clock = clock;
    }
    return m;
}

static void clear(struct row *row)
{
    free(row->body);
    *row = (struct row){.key = ""};
}

void remember_free(struct remember *m)
{
    if (m == NULL) {
        return;
    }
    for (size_t i = 0; i < KEYS_MAX; i++) {
        clear(&m->rows[i]);
    }
    free(m);
}

static int64_t now_us(const struct remember *m)
{
    return m->clock->mono_us(m->clock);
}

static const struct row *find(const struct remember *m, const char *key)
{
    for (size_t i = 0; i < KEYS_MAX; i++) {
        const struct row *row = &m->rows[i];
        if (strcmp(row->key, key) == 0) {
            bool is_old = row->is_answered && now_us(m) - row->begun_us > AGE_MAX_US;
            return is_old ? NULL : row;
        }
    }
    return NULL;
}

bool remember_knows(const struct remember *m, const char *key)
{
    return find(m, key) != NULL;
}

bool remember_begin(struct remember *m, const char *key)
{
    for (size_t i = 0; i < KEYS_MAX; i++) { /* one that has become too old */
        if (strcmp(m->rows[i].key, key) == 0) {
            clear(&m->rows[i]);
        }
    }
    for (size_t tries = 0; tries < KEYS_MAX; tries++) {
        struct row *row = &m->rows[m->next++ % KEYS_MAX];
        if (*row->key == '\0' || row->is_answered) {
            clear(row);
            memcpy(row->key, key, strlen(key) + 1);
            row->begun_us = now_us(m);
            return true;
        }
    }
    return false;
}

void remember_answer(const struct remember *m, const char *key, const struct digest *request,
                     struct response *out)
{
    const struct row *row = find(m, key);

    if (row == NULL || !row->is_answered) {
        response_problem(out, PROBLEM_UNDER_WAY, "a request with this Idempotency-Key is being carried out");
        return;
    }
    if (!digest_eq(&row->request, request)) {
        response_problem(out, PROBLEM_KEY_REUSED, "this Idempotency-Key came with another request before");
        return;
    }
    char *body = malloc(row->len + 1);
    if (body == NULL) {
        response_problem(out, PROBLEM_INTERNAL, "out of memory");
        return;
    }
    memcpy(body, row->body, row->len);
    response_text(out, row->status, row->content_type, body, row->len);
    memcpy(out->etag, row->etag, sizeof(out->etag));
    out->is_repeated = true;
}

void remember_end(struct remember *m, const char *key, const struct digest *request,
                  const struct response *out)
{
    struct row *row = (struct row *)(uintptr_t)find(m, key);

    if (row == NULL) {
        return;
    }
    bool is_kept =
        out != NULL && out->status < 500 && out->len <= ANSWER_MAX && !out->must_close && !out->is_part;
    row->body = is_kept ? malloc(out->len + 1) : NULL;
    if (row->body == NULL) {
        clear(row);
        return;
    }
    if (out->len > 0) {
        memcpy(row->body, out->text != NULL ? out->text : out->body, out->len);
    }
    row->len = out->len;
    row->status = out->status;
    row->content_type = out->content_type;
    memcpy(row->etag, out->etag, sizeof(row->etag));
    row->request = *request;
    row->is_answered = true;
}
