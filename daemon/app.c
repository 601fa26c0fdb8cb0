/*
 * The daemon: parts built in the order in which they depend on one another, taken down in reverse.
 *
 * Stopping is a conversation. The line hears the signal and brings its jobs to a safe point; HTTP is closed
 * meanwhile by a thread of its own, since requests under way may still need the store and the line for their
 * answer; only when both are done does the line's loop end, then the store's and keys' threads, then the
 * state.
 */
#include "app.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "app_actors.h"
#include "app_export.h"
#include "app_line.h"
#include "app_signer.h"
#include "app_state.h"
#include "base/bell.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"
#include "base/secret.h"
#include "exchange/import.h"
#include "io/notify.h"
#include "keys/issuer.h"
#include "pki/init.h"
#include "store/read.h"
#include "version.h"

#define TRIM_OCTETS  (128 * 1024) /* of free memory at the heap's end */
#define ACTOR_STOP_S 5            /* then a token hangs, and the end waits for nobody */
#define STOP_MS                                                                                              \
    20000 /* a write under way ends within 15 s, its deadline, and then the board is left in order */

struct app {
    const struct config *config;
    struct app_state state;
    struct app_store store;
    struct app_keys keys, issuer;
    struct signer *signer; /* NULL: none, or it could not be opened */
    struct err_info signer_why;
    struct issuer *issuer_core;
    struct app_quarantine *quarantined; /* as the last run left them; for the line */
    uint32_t n_quarantined;
    struct app_line *line;
    struct api *api;
    struct api_station station;
    struct api_fixture *fixtures;
    const char **slot_names; /* of all fixtures that name them, one behind the other */
    struct api_product *products;
    struct store_reader *orders_reader; /* the store's thread reads the open orders through it */
    pthread_t stopper;
    bool has_stopper;
    int sockets[API_LISTEN_MAX]; /* handed over by the service manager */
    size_t n_sockets;
    struct bell *bell;      /* rings when a slot's view or the record has changed */
    atomic_llong event_seq; /* of the last event on record */
    atomic_bool store_failed, mark_ahead, key_locked, draining;
};

/* ---- what the store says ---- */

static void tell_orders(void *ctx)
{
    struct app *app = ctx;
    struct err_info why = {0};
    struct store_open_order *open = NULL;
    struct station_order *orders = NULL;
    int n = store_read_open_orders(app->orders_reader, NULL, 0, &why);
    if (n > 0) { /* nobody but this thread opens one meanwhile */
        open = calloc((size_t)n, sizeof(*open));
        orders = calloc((size_t)n, sizeof(*orders));
        n = open && orders ? store_read_open_orders(app->orders_reader, open, (size_t)n, &why) : -ENOMEM;
    }
    if (n < 0) {
        log_sys("store", LOG_LEVEL_ERROR, "the open orders cannot be read: %s", why.text);
    }
    uint32_t known = 0;
    for (int i = 0; i < n; i++) {
        const struct product *product = config_find_product(app->config, open[i].product);
        if (!product || strcmp(product->version, open[i].version) != 0) {
            log_sys("store", LOG_LEVEL_WARNING,
                    "order %s is for product %s in a version that is not configured any more: close it and "
                    "open a new one",
                    open[i].id, open[i].product);
            continue;
        }
        memcpy(orders[known].id, open[i].id, sizeof(orders[known].id));
        memcpy(orders[known].fixture, open[i].fixture, sizeof(orders[known].fixture));
        orders[known++].product = product;
    }
    if (n >= 0) {
        app_line_set_orders(app->line, orders, known);
    }
    free(open);
    free(orders);
}

static void tell_recorded(void *ctx, int64_t seq)
{
    struct app *app = ctx;
    atomic_store(&app->event_seq, seq);
    bell_ring(app->bell);
}

static void tell_block(void *ctx, enum reason reason, const char *detail)
{
    struct app *app = ctx;
    atomic_store(&app->store_failed, reason == REASON_store_failed);
    atomic_store(&app->mark_ahead, reason == REASON_mark_ahead);
    if (reason == REASON_NONE && atomic_load(&app->key_locked)) {
        reason = REASON_key_locked;
        detail = app->state.key_why.text;
    }
    if (reason == REASON_NONE) {
        log_sys("store", LOG_LEVEL_NOTICE, "new boards are taken");
    } else {
        log_sys("store", LOG_LEVEL_ERROR, "no new board is taken: %s: %s. %s", reason_text(reason)->name,
                detail, reason_text(reason)->remedy);
    }
    app_line_set_block(app->line, reason, detail);
}

/* ---- what HTTP asks ---- */

static uint32_t source_slot_count(void *ctx)
{
    return app_line_slot_count(((struct app *)ctx)->line);
}

static uint64_t source_slot_read(void *ctx, uint32_t i, struct slot_view *out)
{
    return app_line_slot_read(((struct app *)ctx)->line, i, out);
}

static int64_t source_event_seq(void *ctx)
{
    return atomic_load(&((struct app *)ctx)->event_seq);
}

static uint64_t source_slot_seq(void *ctx)
{
    return app_line_seq(((struct app *)ctx)->line);
}

static void source_counters(void *ctx, struct api_counters *out)
{
    struct app_store *store = &((struct app *)ctx)->store;
    for (int outcome = 0; outcome < OUTCOMES; outcome++) {
        for (int reason = 0; reason < REASON_COUNT; reason++) {
            out->jobs[outcome][reason] = atomic_load(&store->jobs[outcome][reason]);
        }
    }
    out->duration_ms = atomic_load(&store->duration_ms);
    out->wire_ms = atomic_load(&store->wire_ms);
    out->modem_ms = atomic_load(&store->modem_ms);
}

static void source_ready(void *ctx, struct api_ready *out)
{
    struct app *app = ctx;
    *out = (struct api_ready){
        .store_failed = atomic_load(&app->store_failed),
        .mark_ahead = atomic_load(&app->mark_ahead),
        .key_locked = atomic_load(&app->key_locked),
        .draining = atomic_load(&app->draining),
    };
    if (out->key_locked) {
        buf_copy(out->detail, sizeof(out->detail), span_str(app->state.key_why.text));
    }
}

static int source_command(void *ctx, const struct api_command *command, struct err_info *reterr)
{
    return app_line_command(((struct app *)ctx)->line, command, reterr);
}

static int source_submit(void *ctx, struct store_op *op)
{
    return app_store_submit(&((struct app *)ctx)->store, &op, 1);
}

static struct store_reader *source_reader_open(void *ctx, struct err_info *reterr)
{
    struct store_reader *reader = NULL;
    return store_reader_open(&reader, ((struct app *)ctx)->config->state_dir, NULL, reterr) < 0 ? NULL
                                                                                                : reader;
}

static void source_reader_close(void *ctx, struct store_reader *reader)
{
    (void)ctx;
    store_reader_close(reader);
}

static int source_export_part(void *ctx, struct store_reader *reader, const struct api_export *what,
                              struct api_export_part *ret, struct err_info *reterr)
{
    const struct app_export_door door = {.submit = source_submit, .ctx = ctx};
    return app_export_part(&((struct app *)ctx)->state, &door, reader, what, ret, reterr);
}

static int import_submit(void *ctx, struct store_op **ops, size_t n)
{
    return app_store_submit(&((struct app *)ctx)->store, ops, n);
}

static int import_begin(void *ctx, struct store_op **ops, size_t n, void **ret_ticket)
{
    return app_store_begin(&((struct app *)ctx)->store, ops, n, ret_ticket);
}

static void import_wait(void *ctx, void *ticket)
{
    (void)ctx;
    app_store_wait(ticket);
}

static const struct product *find_product(void *ctx, const char *name)
{
    return config_find_product(ctx, name);
}

static struct import_config import_config_of(const struct app_state *state)
{
    return (struct import_config){
        .rows = {.keys = state->keys,
                 .find_product = find_product,
                 .ctx = (void *)(uintptr_t)state->config,
                 .now_s = clock_system.wall_ms(&clock_system) / 1000},
    };
}

static void *source_import_open(void *ctx, bool is_dry_run, struct err_info *reterr)
{
    struct app *app = ctx;
    struct import_config config = import_config_of(&app->state);
    config.submit = import_submit;
    config.begin = import_begin;
    config.wait = import_wait;
    config.is_dry_run = is_dry_run;
    config.ctx = app;
    struct import *import = import_new(&config);
    if (!import) {
        err_set(reterr, -ENOMEM, "no memory for the import");
    }
    return import;
}

static int source_import_feed(void *ctx, void *session, struct span octets, struct err_info *reterr)
{
    (void)ctx;
    return import_feed(session, octets, reterr);
}

/* What it took would stay with the thread that read it. */
static void end_import(struct import *import)
{
    import_free(import);
    (void)malloc_trim(0);
}

static int source_import_finish(void *ctx, void *session, struct json **ret, struct err_info *reterr)
{
    (void)ctx;
    int r = import_finish(session, ret, reterr);
    end_import(session);
    return r;
}

static void source_import_cancel(void *ctx, void *session)
{
    (void)ctx;
    end_import(session);
}

static size_t count_named(const struct config *c)
{
    size_t n = 0;
    for (uint32_t i = 0; i < c->n_fixtures; i++) {
        n += c->fixtures[i].n_slots;
    }
    return n;
}

static int describe_station(struct app *app, struct err_info *reterr)
{
    static const char *const starts[] = {
        [START_PLUG] = "plug", [START_SCAN] = "scan", [START_MANUAL] = "manual"};
    const struct config *c = app->config;
    app->fixtures = calloc(c->n_fixtures + 1, sizeof(*app->fixtures));
    app->products = calloc(c->n_products + 1, sizeof(*app->products));
    app->slot_names = calloc(count_named(c) + 1, sizeof(*app->slot_names));
    if (!app->fixtures || !app->products || !app->slot_names) {
        return err_set(reterr, -ENOMEM, "no memory");
    }
    const char **name = app->slot_names;
    for (uint32_t i = 0; i < c->n_fixtures; i++) {
        const struct config_fixture *f = &c->fixtures[i];
        app->fixtures[i] = (struct api_fixture){.name = f->name,
                                                .columns = f->columns,
                                                .start = starts[f->start],
                                                .named = f->ports ? NULL : name,
                                                .n_named = f->n_slots};
        for (uint32_t k = 0; k < f->n_slots; k++) {
            *name++ = f->slots[k].name;
        }
    }
    for (uint32_t i = 0; i < c->n_products; i++) {
        app->products[i] =
            (struct api_product){c->products[i].name, c->products[i].version, c->products[i].canonical};
    }
    app->station = (struct api_station){
        .name = c->station,
        .version = CERTLINE_VERSION,
        .config_digest = c->digest,
        .started_wall_ms = clock_system.wall_ms(&clock_system),
        .fixtures = app->fixtures,
        .n_fixtures = c->n_fixtures,
        .products = app->products,
        .n_products = c->n_products,
    };
    return 0;
}

static int start_api(struct app *app, struct err_info *reterr)
{
    struct api_config config = {
        .n_listen = app->config->n_listen,
        .unix_path = app->config->socket_path,
        .clock = &clock_system,
        .sources =
            {
                .ctx = app,
                .station = &app->station,
                .slot_count = source_slot_count,
                .slot_read = source_slot_read,
                .slot_seq = source_slot_seq,
                .event_seq = source_event_seq,
                .bell = app->bell,
                .counters = source_counters,
                .ready = source_ready,
                .command = source_command,
                .submit = source_submit,
                .reader_open = source_reader_open,
                .reader_close = source_reader_close,
                .export_part = source_export_part,
                .import_open = source_import_open,
                .import_feed = source_import_feed,
                .import_finish = source_import_finish,
                .import_cancel = source_import_cancel,
            },
    };
    for (uint32_t i = 0; i < app->config->n_listen && i < API_LISTEN_MAX; i++) {
        config.listen[i] = app->config->listen[i];
    }
    memcpy(config.given, app->sockets, sizeof(config.given));
    config.n_given = app->n_sockets;
    app->api = api_start(&config, reterr);
    return app->api ? 0 : ERR_REFUSED;
}

/* ---- stopping ---- */

static void *run_stopper(void *ctx)
{
    struct app *app = ctx;
    api_stop(app->api);
    app->api = NULL;
    app_line_finish(app->line);
    return NULL;
}

static void on_stopping(void *ctx)
{
    struct app *app = ctx;
    atomic_store(&app->draining, true);
    app->has_stopper = pthread_create(&app->stopper, NULL, run_stopper, app) == 0;
    if (!app->has_stopper) {
        app_line_finish(app->line); /* HTTP then ends behind the line, its last requests unanswered */
    }
}

static void take_down(struct app *app)
{
    if (app->has_stopper) {
        pthread_join(app->stopper, NULL);
    }
    api_stop(app->api);
    app_store_stop(&app->store);
    if (!app_keys_stop(&app->keys, ACTOR_STOP_S) || !app_keys_stop(&app->issuer, ACTOR_STOP_S)) {
        log_sys("issuer", LOG_LEVEL_ERROR, "the token does not answer: ending without it");
        return; /* what its thread may touch ends with the process; what is on record is whole */
    }
    app_line_free(app->line);
    free(app->quarantined);
    store_reader_close(app->orders_reader);
    issuer_free(app->issuer_core);
    signer_close(app->signer);
    app_state_close(&app->state);
    bell_free(app->bell);
    free(app->fixtures);
    free(app->slot_names);
    free(app->products);
    free(app);
}

/* ---- serving ---- */

static int end_open_jobs(struct app *app, struct err_info *reterr)
{
    struct store_op op = {.kind = STORE_STATION_STARTED};
    struct store_op *ops[] = {&op};
    int r = store_batch(app->state.store, ops, 1);
    r = r < 0 ? r : op.result;
    if (r < 0) {
        return err_set(reterr, r, "the start cannot be recorded: %s", op.detail);
    }
    if (op.ended > 0) {
        log_sys("store", LOG_LEVEL_NOTICE,
                "%u jobs were open when the station stopped: ended as station_restarted", op.ended);
    }
    return 0;
}

/* A CA that cannot be opened stops no other product: boards that make their own keys are told why. */
static int start_issuer(struct app *app, struct err_info *reterr)
{
    const struct config *config = app->config;
    if (config->signer.is_there && app_signer_open(config, &app->signer, &app->signer_why) < 0) {
        log_sys("issuer", LOG_LEVEL_ERROR, "no certificates are issued: %s", app->signer_why.text);
    }
    struct issuer_config issuer = {
        .signer = app->signer,
        .why = app->signer_why.text,
        .keys = app->state.keys,
        .clock = &clock_system,
        .last_wall_ms = store_last_wall_ms(app->state.store),
        .validity_days = config->signer.validity_days,
    };
    app->issuer_core = issuer_new(&issuer);
    return app->issuer_core ? app_issuer_start(&app->issuer, app->issuer_core, reterr)
                            : err_set(reterr, -ENOMEM, "no memory for the issuer");
}

static void keep_quarantined(void *ctx, const char *slot, const char *why)
{
    struct app *app = ctx;
    struct app_quarantine *grown =
        realloc(app->quarantined, (app->n_quarantined + 1) * sizeof(*app->quarantined));
    if (!grown) {
        log_sys("store", LOG_LEVEL_ERROR, "no memory to keep slot %s in quarantine", slot);
        return;
    }
    app->quarantined = grown;
    struct app_quarantine *q = &app->quarantined[app->n_quarantined++];
    buf_copy(q->slot, sizeof(q->slot), span_str(slot));
    buf_copy(q->why, sizeof(q->why), span_str(why));
}

static int build(struct app *app, struct err_info *reterr)
{
    int r = app_state_open(&app->state, app->config, reterr);
    if (r < 0) {
        return r;
    }
    atomic_store(&app->key_locked, app->state.key == NULL);
    if ((r = end_open_jobs(app, reterr)) < 0 || (r = describe_station(app, reterr)) < 0 ||
        (r = store_reader_open(&app->orders_reader, app->config->state_dir, NULL, reterr)) < 0) {
        return r;
    }
    app->bell = bell_new();
    if (!app->bell) {
        return err_set(reterr, -ENOMEM, "no memory or descriptors");
    }
    atomic_store(&app->event_seq, store_last_seq(app->state.store));
    if ((r = store_quarantined(app->state.store, keep_quarantined, app)) < 0) {
        return err_set(reterr, r, "the slots in quarantine cannot be read");
    }
    struct app_line_config line = {app->config, &app->store, &app->keys,       &app->issuer,      app->bell,
                                   on_stopping, app,         app->quarantined, app->n_quarantined};
    app->line = app_line_new(&line, reterr);
    if (!app->line) {
        return ERR_INTERNAL;
    }
    struct app_store_events events = {app, tell_orders, tell_block, tell_recorded};
    if ((r = app_keys_start(&app->keys, app->state.keys, reterr)) < 0 ||
        (r = start_issuer(app, reterr)) < 0 ||
        (r = app_store_start(&app->store, app->state.store, &events, reterr)) < 0) {
        return r;
    }
    if (app->state.key == NULL) {
        log_sys("keys", LOG_LEVEL_ERROR, "no new board is taken: %s", app->state.key_why.text);
        app_line_set_block(app->line, REASON_key_locked, app->state.key_why.text);
    }
    return start_api(app, reterr);
}

static void tell_ready(struct app *app)
{
    char status[160];
    snprintf(status, sizeof(status), "station %s, %u fixtures, %u products", app->config->station,
             app->config->n_fixtures, app->config->n_products);
    log_sys("app", LOG_LEVEL_NOTICE, "certlined %s: %s", CERTLINE_VERSION, status);
    size_t n = app->n_sockets > 0 ? app->n_sockets : app->config->n_listen;
    for (size_t i = 0; i < n; i++) {
        log_sys("app", LOG_LEVEL_NOTICE, "dashboard and API on %s (port %u)",
                app->n_sockets > 0 ? "a socket of the service manager" : app->config->listen[i],
                (unsigned)api_port(app->api, i));
    }
    notify_ready(status);
}

int app_serve(const struct config *config, struct err_info *reterr)
{
    if (notify_has_journal()) {
        log_set_sink(notify_journal_sink, NULL);
    }
    int r = pki_init();
    if (r < 0) {
        return err_set(reterr, r, "OpenSSL was used before its memory could be made to wipe");
    }
    r = secret_harden_process();
    if (r < 0) {
        return err_set(reterr, r, "the process cannot be kept from being dumped: %s", err_text(r));
    }
    /* Said aloud, so that it stays: otherwise one large block that is given back raises the size from which
     * blocks go back to the system at all, and an import's memory is kept for good. */
    (void)mallopt(M_TRIM_THRESHOLD, TRIM_OCTETS);
    struct app *app = calloc(1, sizeof(*app)); /* not on the stack: a thread that hangs still knows it */
    if (!app) {
        return err_set(reterr, -ENOMEM, "no memory");
    }
    app->config = config;
    int sockets = notify_take_sockets(app->sockets, API_LISTEN_MAX); /* before there are threads */
    app->n_sockets = sockets > 0 ? (size_t)sockets : 0;
    r = build(app, reterr);
    if (r >= 0) {
        (void)malloc_trim(0); /* what reading the configuration and opening the database took */
        tell_ready(app);
        r = app_line_run(app->line, STOP_MS);
        log_sys("app", LOG_LEVEL_NOTICE, "stopped");
    }
    take_down(app);
    return r < 0 ? err_set(reterr, r, "the line's loop failed: %s", err_text(r)) : 0;
}
