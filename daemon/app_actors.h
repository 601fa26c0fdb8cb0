/*
 * The thread shells of store and keys: each takes messages from its mailbox, gives them to its synchronous
 * core, and hands them back. The cores know nothing of threads; this is the only place that does for them.
 */
#ifndef CERTLINE_APP_ACTORS_H
#define CERTLINE_APP_ACTORS_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "app_state.h"
#include "base/mailbox.h"
#include "job/ledger.h"
#include "store/store.h"

struct store_reader;

/* Operations for the store. Lent from app_store_send until `done`, which the store's thread calls. */
struct app_item {
    struct store_op **ops;
    size_t n;
    void (*done)(struct app_item *item,
                 int result); /* result: of the batch; negative: not run, or not known to be */
};

/* What the store says without being asked. Called on its thread. */
struct app_store_events {
    void *ctx;
    void (*orders_changed)(void *ctx); /* read them (store_read_open_orders) */
    /* Whether claims must be refused: REASON_NONE, store_failed or mark_ahead. Told when it changes. */
    void (*blocked)(void *ctx, enum reason reason, const char *detail);
    /* The record has grown: `seq` is the number of its last event. */
    void (*recorded)(void *ctx, int64_t seq);
};

struct app_store {
    struct store *store;
    struct mailbox *box;
    struct app_store_events events;
    pthread_t thread;
    bool is_running;
    enum reason block; /* as told last */
    int64_t seq;       /* as told last */
    /* Jobs that went on record since the start. Written on its thread, read by any. */
    atomic_ullong jobs[OUTCOMES][REASON_COUNT], duration_ms, wire_ms, modem_ms;
};

int app_store_start(struct app_store *actor, struct store *store, const struct app_store_events *events,
                    struct err_info *reterr);
/* What was sent before is still carried out. */
void app_store_stop(struct app_store *actor);

/* 0, or ERR_FULL, ERR_CLOSED: not lent. Any thread. */
int app_store_send(struct app_store *actor, struct app_item *item);

/* Sends and waits. 0: every operation was answered. Any thread but the store's and the line's. */
int app_store_submit(struct app_store *actor, struct store_op **ops, size_t n);
/* The same in two steps: what was begun (0) must be waited for, by any thread. */
int app_store_begin(struct app_store *actor, struct store_op **ops, size_t n, void **ret_ticket);
void app_store_wait(void *ticket);

/* A ledger message on its way to keys, or to the issuer, and back. */
struct app_errand {
    struct ledger_msg *msg;
    void (*done)(struct app_errand *errand); /* called on the actor's thread */
};

/* Keys and the issuer, each on a thread of its own: one core that answers one message at a time. */
struct app_keys {
    void *core;
    void (*answer)(void *core, struct ledger_msg *msg);
    struct mailbox *box;
    pthread_t thread;
    sem_t ended; /* posted by the thread, at its end */
    bool is_running;
};

struct issuer; /* keys/issuer.h */
int app_keys_start(struct app_keys *actor, struct keys *keys, struct err_info *reterr);
int app_issuer_start(struct app_keys *actor, struct issuer *issuer, struct err_info *reterr);
/* Takes nothing any more, answers what it has, and waits for that at most so long. False: a token hangs, and
 * all that the thread may touch must stay where it is; it may be called again. */
bool app_keys_stop(struct app_keys *actor, int limit_s);
int app_keys_send(struct app_keys *actor, struct app_errand *errand);

#endif
