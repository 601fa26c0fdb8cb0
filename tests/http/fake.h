/*
 * A station that a test holds in its hands: slots, a line whose answers a gate can hold back, a store that
 * takes everything or nothing, an import that counts. Every member under `lock` once threads run.
 */
#ifndef CERTLINE_TESTS_HTTP_FAKE_H
#define CERTLINE_TESTS_HTTP_FAKE_H

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/bell.h"
#include "base/json.h"
#include "base/secret.h"
#include "store/store.h"

#define FAKE_SLOTS 3

struct fake {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct slot_view slots[FAKE_SLOTS];
    uint64_t versions[FAKE_SLOTS], changes; /* counted up by fake_change */
    int64_t event_seq;
    struct bell *bell;
    struct api_ready ready;

    bool gate_is_shut;    /* callbacks of workers wait in front of it … */
    bool spares_commands; /* … but not those to the line */
    unsigned n_waiting;   /* how many do */

    unsigned n_commands;
    struct api_command last_command;
    int command_rc;
    const char *command_text;

    unsigned n_submitted;
    int submit_rc;
    int op_result;
    enum reason op_reason;
    struct store_op last_op;

    unsigned n_delivered; /* files with secrets */
    unsigned n_sessions, n_feeds, n_finished, n_cancelled;
    size_t fed;        /* octets */
    uint32_t fed_sum;  /* over all of them, in their order */
    size_t fail_after; /* the feed that passes this many octets fails; 0: none */
};

static inline void fake_pass_gate(struct fake *f)
{
    f->n_waiting++;
    pthread_cond_broadcast(&f->changed);
    while (f->gate_is_shut) {
        pthread_cond_wait(&f->changed, &f->lock);
    }
    f->n_waiting--;
    pthread_cond_broadcast(&f->changed);
}

static inline uint32_t fake_slot_count(void *ctx)
{
    (void)ctx;
    return FAKE_SLOTS;
}

static inline uint64_t fake_slot_read(void *ctx, uint32_t i, struct slot_view *out)
{
    struct fake *f = ctx;

    pthread_mutex_lock(&f->lock);
    *out = f->slots[i];
    uint64_t version = f->versions[i];
    pthread_mutex_unlock(&f->lock);
    return version;
}

static inline uint64_t fake_slot_seq(void *ctx)
{
    struct fake *f = ctx;

    pthread_mutex_lock(&f->lock);
    uint64_t seq = 1234 + f->changes;
    pthread_mutex_unlock(&f->lock);
    return seq;
}

static inline int64_t fake_event_seq(void *ctx)
{
    struct fake *f = ctx;

    pthread_mutex_lock(&f->lock);
    int64_t seq = f->event_seq;
    pthread_mutex_unlock(&f->lock);
    return seq;
}

static inline void fake_counters(void *ctx, struct api_counters *out)
{
    (void)ctx;
    *out = (struct api_counters){.duration_ms = 1500};
    out->jobs[OUTCOME_PASS][REASON_ok] = 7;
}

static inline void fake_ready(void *ctx, struct api_ready *out)
{
    struct fake *f = ctx;

    pthread_mutex_lock(&f->lock);
    *out = f->ready;
    pthread_mutex_unlock(&f->lock);
}

static inline int fake_command(void *ctx, const struct api_command *command, struct err_info *reterr)
{
    struct fake *f = ctx;

    pthread_mutex_lock(&f->lock);
    f->n_commands++;
    f->last_command = *command;
    if (!f->spares_commands) {
        fake_pass_gate(f);
    }
    int rc = f->command_rc;
    pthread_mutex_unlock(&f->lock);
    return rc < 0 ? err_set(reterr, rc, "%s", f->command_text) : 0;
}

static inline int fake_submit(void *ctx, struct store_op *op)
{
    struct fake *f = ctx;

    pthread_mutex_lock(&f->lock);
    f->n_submitted++;
    f->last_op = *op;
    fake_pass_gate(f);
    op->result = f->op_result;
    op->reason = f->op_reason;
    snprintf(op->detail, sizeof(op->detail), "%s", f->op_result < 0 ? "the store says no" : "");
    int rc = f->submit_rc;
    pthread_mutex_unlock(&f->lock);
    return rc;
}

static inline struct store_reader *fake_reader_open(void *ctx, struct err_info *reterr)
{
    (void)reterr;
    return ctx; /* any address will do: nobody reads through it */
}

static inline void fake_reader_close(void *ctx, struct store_reader *reader)
{
    (void)ctx, (void)reader;
}

/* Two parts of the format "devinfo", a secret one of "claim", and none of any other. */
static inline int fake_export_part(void *ctx, struct store_reader *reader, const struct api_export *what,
                                   struct api_export_part *ret, struct err_info *reterr)
{
    struct fake *f = ctx;
    (void)reader;
    if (strcmp(what->format, "claim") == 0) {
        if (!what->may_have_secrets) {
            return err_set(reterr, -EACCES, "not for you");
        }
        f->n_delivered += !what->is_for_skipped;
        *ret = (struct api_export_part){.body = secret_alloc(8),
                                        .body_len = 8,
                                        .is_secret = true,
                                        .skipped = strdup("1: no\n"),
                                        .skipped_len = 6,
                                        .content_type = "text/csv",
                                        .rows = 1};
        memcpy(ret->body, "\"token\"\n", 8);
        return 0;
    }
    if (strcmp(what->format, "devinfo") != 0 && strcmp(what->format, "template") != 0) {
        return err_set(reterr, ERR_NOT_FOUND, "there is no export %.40s", what->format);
    }
    const char *text = what->template.len > 0 ? "by a template"
                       : what->cursor != NULL ? "second\n"
                                              : "first\n";
    *ret = (struct api_export_part){.body = strdup(text),
                                    .body_len = strlen(text),
                                    .skipped = strdup("1: no\n"),
                                    .skipped_len = 6,
                                    .content_type = "text/csv",
                                    .rows = 1,
                                    .n_skipped = 1};
    if (what->cursor == NULL) {
        strcpy(ret->next, "7.x");
    }
    return 0;
}

static inline void *fake_import_open(void *ctx, bool is_dry_run, struct err_info *reterr)
{
    (void)is_dry_run;
    struct fake *f = ctx;

    (void)reterr;
    pthread_mutex_lock(&f->lock);
    f->n_sessions++;
    f->fed = 0;
    f->fed_sum = 0;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    return malloc(1); /* so that a session that is lost is a leak */
}

static inline uint32_t fake_sum(uint32_t sum, const char *octets, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        sum = sum * 31 + (unsigned char)octets[i];
    }
    return sum;
}

static inline int fake_import_feed(void *ctx, void *session, struct span octets, struct err_info *reterr)
{
    struct fake *f = ctx;

    (void)session;
    pthread_mutex_lock(&f->lock);
    fake_pass_gate(f);
    f->fed += octets.len;
    f->fed_sum = fake_sum(f->fed_sum, octets.at, octets.len);
    bool fails = f->fail_after > 0 && f->fed > f->fail_after;
    f->n_feeds++;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    return fails ? err_set(reterr, ERR_STORE, "the disk is full") : 0;
}

static inline int fake_import_finish(void *ctx, void *session, struct json **ret, struct err_info *reterr)
{
    struct fake *f = ctx;
    struct json *tree = json_new_object();

    (void)reterr;
    free(session);
    pthread_mutex_lock(&f->lock);
    f->n_finished++;
    json_put_i64(tree, "taken", (int64_t)f->fed);
    json_put_i64(tree, "duplicate", 0);
    json_put_i64(tree, "refused", 0);
    json_put(tree, "rows", json_new_array());
    pthread_mutex_unlock(&f->lock);
    *ret = tree;
    return 0;
}

static inline void fake_import_cancel(void *ctx, void *session)
{
    struct fake *f = ctx;

    free(session);
    pthread_mutex_lock(&f->lock);
    f->n_cancelled++;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static const char *const fake_named[] = {"07", "05"};
static const struct api_fixture fake_fixtures[] = {
    {.name = "rack1", .columns = 4, .start = "plug"},
    {.name = "rack2", .start = "scan", .named = fake_named, .n_named = 2},
};
static const struct api_product fake_products[] = {{"tracker", "sha256:00", "{\"source\":\"pool\"}"}};
static const struct api_station fake_station = {
    .name = "SZ-<L3>",
    .version = "0.1.0",
    .config_digest = "sha256:11",
    .started_wall_ms = 1795161600000,
    .fixtures = fake_fixtures,
    .n_fixtures = 2,
    .products = fake_products,
    .n_products = 1,
};

/* `f` is static: all zeroes, or one that was used before. */
static inline void fake_init(struct fake *f)
{
    bell_free(f->bell);
    *f = (struct fake){.lock = PTHREAD_MUTEX_INITIALIZER,
                       .changed = PTHREAD_COND_INITIALIZER,
                       .command_text = "",
                       .bell = bell_new()};
    for (int i = 0; i < FAKE_SLOTS; i++) {
        struct slot_view *v = &f->slots[i];
        const char *fixture = i < 2 ? "rack1" : "rack2";
        snprintf(v->fixture, sizeof(v->fixture), "%s", fixture);
        snprintf(v->name, sizeof(v->name), "%03d", i + 1);
        snprintf(v->id, sizeof(v->id), "%s/%03d", fixture, i + 1);
        v->state = SLOT_ABSENT;
        v->waiting_for = REASON_NONE;
    }
}

static inline struct api_sources fake_sources(struct fake *f)
{
    return (struct api_sources){
        .ctx = f,
        .station = &fake_station,
        .slot_count = fake_slot_count,
        .slot_read = fake_slot_read,
        .slot_seq = fake_slot_seq,
        .event_seq = fake_event_seq,
        .bell = f->bell,
        .counters = fake_counters,
        .ready = fake_ready,
        .command = fake_command,
        .submit = fake_submit,
        .reader_open = fake_reader_open,
        .reader_close = fake_reader_close,
        .export_part = fake_export_part,
        .import_open = fake_import_open,
        .import_feed = fake_import_feed,
        .import_finish = fake_import_finish,
        .import_cancel = fake_import_cancel,
    };
}

/* The slot reports this step, as the line would publish it. */
static inline void fake_change(struct fake *f, int slot, const char *step)
{
    pthread_mutex_lock(&f->lock);
    snprintf(f->slots[slot].step, sizeof(f->slots[slot].step), "%s", step);
    f->versions[slot]++;
    f->changes++;
    pthread_mutex_unlock(&f->lock);
    bell_ring(f->bell);
}

static inline void fake_shut_gate(struct fake *f, bool is_shut)
{
    pthread_mutex_lock(&f->lock);
    f->gate_is_shut = is_shut;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

/* After an answer: what workers have written here may be read. */
static inline void fake_sync(struct fake *f)
{
    pthread_mutex_lock(&f->lock);
    pthread_mutex_unlock(&f->lock);
}

/* Until so many workers stand before the gate. */
static inline void fake_await_waiting(struct fake *f, unsigned n)
{
    pthread_mutex_lock(&f->lock);
    while (f->n_waiting != n) {
        pthread_cond_wait(&f->changed, &f->lock);
    }
    pthread_mutex_unlock(&f->lock);
}

static inline void fake_await(struct fake *f, const unsigned *counter, unsigned n)
{
    pthread_mutex_lock(&f->lock);
    while (*counter < n) {
        pthread_cond_wait(&f->changed, &f->lock);
    }
    pthread_mutex_unlock(&f->lock);
}

#endif
