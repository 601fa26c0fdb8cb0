/* The station and its slots, from published snapshots only: these run on the HTTP thread. */
#include <string.h>

#include "api/handle.h"
#include "api/slot_json.h"
#include "base/json.h"
#include "base/secret.h"

void handle_healthz(const struct env *env, const struct request *r, struct response *out)
{
    (void)env, (void)r;
    response_static(out, 200, "application/json", "{\"status\":\"ok\"}");
}

static int add_if(bool is_so, struct json *reasons, const char *name)
{
    return is_so ? json_append_text(reasons, name) : 0;
}

void handle_readyz(const struct env *env, const struct request *r, struct response *out)
{
    struct json *tree = json_new_object(), *reasons = json_new_array();
    struct api_ready ready = {0};
    int failed = 0;

    (void)r;
    env->sources->ready(env->sources->ctx, &ready);
    failed |= add_if(ready.store_failed, reasons, reason_text(REASON_store_failed)->name);
    failed |= add_if(ready.mark_ahead, reasons, reason_text(REASON_mark_ahead)->name);
    failed |= add_if(ready.key_locked, reasons, reason_text(REASON_key_locked)->name);
    failed |= add_if(ready.clock_wrong, reasons, reason_text(REASON_clock_wrong)->name);
    failed |= add_if(ready.draining, reasons, "stopping");
    bool is_ready = json_count(reasons) == 0;

    failed |= json_put_bool(tree, "ready", is_ready);
    failed |= json_put(tree, "reasons", reasons);
    failed |= json_put_text(tree, "detail", *ready.detail != '\0' ? ready.detail : NULL);
    failed |= json_put_i64(tree, "unlocked_secret_octets", (int64_t)secret_unlocked_octets());
    if (failed != 0) {
        json_free(tree);
        tree = NULL;
    }
    response_json(out, is_ready ? 200 : 503, tree);
    out->retry_after_s = is_ready ? 0 : 1;
}

static uint32_t slots_of(const struct api_sources *s, const char *fixture)
{
    uint32_t n = 0, count = s->slot_count(s->ctx);
    struct slot_view view;

    for (uint32_t i = 0; i < count; i++) {
        s->slot_read(s->ctx, i, &view);
        n += strcmp(view.fixture, fixture) == 0;
    }
    return n;
}

static int put_named(struct json *one, const struct api_fixture *f)
{
    if (f->named == NULL) {
        return json_put_null(one, "named");
    }
    struct json *names = json_new_array();
    int failed = 0;
    for (size_t i = 0; i < f->n_named; i++) {
        failed |= json_append_text(names, f->named[i]);
    }
    return json_put(one, "named", names) | failed;
}

static struct json *fixtures_json(const struct api_sources *s)
{
    struct json *list = json_new_array();
    int failed = 0;

    for (size_t i = 0; i < s->station->n_fixtures; i++) {
        const struct api_fixture *f = &s->station->fixtures[i];
        struct json *one = json_new_object();
        failed |= json_put_text(one, "name", f->name);
        failed |= f->columns > 0 ? json_put_i64(one, "columns", f->columns) : json_put_null(one, "columns");
        failed |= json_put_text(one, "start", f->start);
        failed |= json_put_i64(one, "slots", slots_of(s, f->name));
        failed |= put_named(one, f);
        failed |= json_append(list, one);
    }
    if (failed != 0) {
        json_free(list);
        return NULL;
    }
    return list;
}

static struct json *products_json(const struct api_station *station)
{
    struct json *list = json_new_array();
    int failed = 0;

    for (size_t i = 0; i < station->n_products; i++) {
        struct json *one = json_new_object();
        failed |= json_put_text(one, "name", station->products[i].name);
        failed |= json_put_text(one, "version", station->products[i].version);
        failed |= json_append(list, one);
    }
    if (failed != 0) {
        json_free(list);
        return NULL;
    }
    return list;
}

void handle_station(const struct env *env, const struct request *r, struct response *out)
{
    const struct api_sources *s = env->sources;
    struct json *tree = json_new_object();
    int64_t now_ms = env->clock->wall_ms(env->clock);
    char text[CLOCK_RFC3339_SIZE];
    int failed = 0;

    (void)r;
    failed |= json_put_text(tree, "name", s->station->name);
    failed |= json_put_text(tree, "version", s->station->version);
    failed |= json_put_text(tree, "config", s->station->config_digest);
    clock_rfc3339(s->station->started_wall_ms, text);
    failed |= json_put_text(tree, "started", text);
    clock_rfc3339(now_ms, text);
    failed |= json_put_text(tree, "now", text);
    failed |= json_put_i64(tree, "slots", s->slot_count(s->ctx));
    failed |= json_put(tree, "fixtures", fixtures_json(s));
    failed |= json_put(tree, "products", products_json(s->station));
    if (failed != 0) {
        json_free(tree);
        tree = NULL;
    }
    response_json(out, 200, tree);
}

void handle_slots(const struct env *env, const struct request *r, struct response *out)
{
    const struct api_sources *s = env->sources;
    struct json *tree = json_new_object(), *list = json_new_array();
    uint64_t seq = s->slot_seq(s->ctx); /* before the slots: whoever asks on from here misses nothing */
    uint32_t count = s->slot_count(s->ctx);
    struct slot_view view;
    int failed = 0;

    (void)r;
    for (uint32_t i = 0; i < count; i++) {
        s->slot_read(s->ctx, i, &view);
        failed |= json_append(list, slot_json(&view));
    }
    failed |= json_put(tree, "slots", list);
    failed |= json_put_i64(tree, "seq", (int64_t)seq);
    if (failed != 0) {
        json_free(tree);
        tree = NULL;
    }
    response_json(out, 200, tree);
}

void handle_slot(const struct env *env, const struct request *r, struct response *out)
{
    struct slot_view view;

    if (find_slot(env->sources, r->id, &view) < 0) {
        response_problem(out, PROBLEM_NOT_FOUND, "no slot has this id");
    } else {
        response_json(out, 200, slot_json(&view));
    }
}
