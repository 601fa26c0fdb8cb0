/*
 * Two loops of the same kind: wait, take what there is, work, hand back. The store takes as much at once as
 * is there, which makes the group commit: while one batch is being synced the next one gathers.
 */
#include "app_actors.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "keys/issuer.h"
#include "keys/keys.h"

#define BOX_SIZE 16384
#define BATCH_MAX                                                                                            \
    512 /* operations in one transaction: bounds how long the first of them waits for the last */
#define ITEMS_MAX 256
#define RETRY_MS  500 /* how often a failed store is tried when nobody asks for anything */

static int start_thread(pthread_t *thread, const char *name, void *(*run)(void *), void *ctx,
                        struct err_info *reterr)
{
    /* Signals are the line's: it reads them from a descriptor. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(thread, NULL, run, ctx);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r != 0) {
        return err_set(reterr, -r, "cannot start the thread %s: %s", name, err_text(-r));
    }
    pthread_setname_np(*thread, name);
    return 0;
}

/* ---- store ---- */

static void tell_block(struct app_store *actor, int result)
{
    enum reason now = REASON_NONE;
    const char *detail = "";
    if (result < 0) {
        now = REASON_store_failed;
        detail = store_failure(actor->store);
    } else if (store_mark_state(actor->store) != STORE_MARK_GOOD) {
        now = REASON_mark_ahead;
        detail = store_mark_text(store_mark_state(actor->store));
    }
    if (now != actor->block) {
        actor->block = now;
        actor->events.blocked(actor->events.ctx, now, detail);
    }
}

static void tell_recorded(struct app_store *actor)
{
    int64_t seq = store_last_seq(actor->store);
    if (seq != actor->seq) {
        actor->seq = seq;
        actor->events.recorded(actor->events.ctx, seq);
    }
}

static bool changes_orders(const struct store_op *op)
{
    return (op->kind == STORE_ORDER_PUT || op->kind == STORE_ORDER_CLOSE) && op->result == 0;
}

static void log_verdict(const struct ledger_msg *msg)
{
    const struct reason_text *text = reason_text(msg->verdict.reason);
    bool is_good = msg->verdict.outcome == OUTCOME_PASS;
    struct log_subject subject = {.module = "line",
                                  .slot = msg->slot,
                                  .imei = msg->imei[0] ? msg->imei : NULL,
                                  .job = msg->job,
                                  .reason = text->name};
    log_line(is_good ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, &subject, "%s %s%s%s%s%s",
             outcome_name(msg->verdict.outcome), text->name, msg->verdict.detail[0] ? ": " : "",
             msg->verdict.detail, is_good ? "" : ". ", is_good ? "" : text->remedy);
}

/* A slot that leaves use, or comes back into it, is news for whoever reads the log at night. */
static void log_slot(const struct store_slot *slot)
{
    struct log_subject subject = {.module = "line", .slot = slot->slot, .reason = "quarantined"};
    if (slot->is_quarantined) {
        log_line(LOG_LEVEL_WARNING, &subject, "in quarantine: %s", slot->why);
    } else {
        log_line(LOG_LEVEL_NOTICE, &subject, "released from quarantine by %s", slot->who);
    }
}

static void count_verdict(struct app_store *actor, const struct ledger_msg *msg)
{
    atomic_fetch_add(&actor->jobs[msg->verdict.outcome][msg->verdict.reason], 1);
    atomic_fetch_add(&actor->duration_ms, msg->duration_ms);
    atomic_fetch_add(&actor->wire_ms, msg->wire_ms);
    atomic_fetch_add(&actor->modem_ms, msg->modem_ms);
}

static bool is_new_record(const struct store_op *op)
{
    return op->kind == STORE_LEDGER && op->result == 0 && op->ledger->kind == LEDGER_RECORD;
}

/* Runs the items' operations, at most BATCH_MAX of them and at least one item; returns how many items that
 * were. */
static size_t run_batch(struct app_store *actor, void **items, size_t n)
{
    struct store_op *ops[BATCH_MAX];
    size_t n_ops = 0, taken = 0;
    for (; taken < n; taken++) {
        const struct app_item *item = items[taken];
        if (taken > 0 && n_ops + item->n > BATCH_MAX) {
            break;
        }
        memcpy(ops + n_ops, item->ops, item->n * sizeof(ops[0]));
        n_ops += item->n;
    }
    int result = store_batch(actor->store, ops, n_ops);
    tell_recorded(actor);
    bool orders = false;
    for (size_t i = 0; result == 0 && i < n_ops; i++) {
        orders = orders || changes_orders(ops[i]);
        if (is_new_record(ops[i])) {
            log_verdict(ops[i]->ledger); /* before it is handed back */
            count_verdict(actor, ops[i]->ledger);
        } else if (ops[i]->kind == STORE_SLOT && ops[i]->result == 0) {
            log_slot(&ops[i]->slot);
        }
    }
    for (size_t i = 0; i < taken; i++) {
        struct app_item *item = items[i];
        item->done(item, result);
    }
    if (orders) {
        actor->events.orders_changed(actor->events.ctx);
    }
    tell_block(actor, result);
    return taken;
}

static void *run_store(void *ctx)
{
    struct app_store *actor = ctx;
    tell_block(actor, 0);
    actor->events.orders_changed(actor->events.ctx);
    for (;;) {
        void *items[ITEMS_MAX];
        size_t n = mailbox_take(actor->box, items, ITEMS_MAX);
        if (n == 0 && mailbox_is_closed(actor->box)) {
            return NULL;
        }
        for (size_t at = 0; at < n;) {
            at += run_batch(actor, items + at, n - at);
        }
        if (n == 0) {
            bool is_down = actor->block == REASON_store_failed;
            if (is_down) {
                tell_block(actor, store_batch(actor->store, NULL, 0));
            }
            mailbox_wait(actor->box, actor->block == REASON_store_failed ? RETRY_MS : -1);
        }
    }
}

int app_store_start(struct app_store *actor, struct store *store, const struct app_store_events *events,
                    struct err_info *reterr)
{
    *actor = (struct app_store){.store = store, .events = *events, .block = REASON_NONE};
    actor->box = mailbox_new(BOX_SIZE);
    if (!actor->box) {
        return err_set(reterr, ERR_FULL, "no memory or descriptors for the store's mailbox");
    }
    int r = start_thread(&actor->thread, "store", run_store, actor, reterr);
    actor->is_running = r == 0;
    return r;
}

void app_store_stop(struct app_store *actor)
{
    if (actor->is_running) {
        mailbox_close(actor->box);
        pthread_join(actor->thread, NULL);
    }
    mailbox_free(actor->box);
    actor->box = NULL;
    actor->is_running = false;
}

int app_store_send(struct app_store *actor, struct app_item *item)
{
    return mailbox_send(actor->box, item);
}

struct waiter {
    struct app_item item;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool is_done;
    int result;
};

static void wake_waiter(struct app_item *item, int result)
{
    struct waiter *w = (struct waiter *)item; /* its first member */
    pthread_mutex_lock(&w->lock);
    w->is_done = true;
    w->result = result;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

static void await(struct waiter *w)
{
    pthread_mutex_lock(&w->lock);
    while (!w->is_done) {
        pthread_cond_wait(&w->wake, &w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
}

int app_store_begin(struct app_store *actor, struct store_op **ops, size_t n, void **ret_ticket)
{
    struct waiter *w = malloc(sizeof(*w));
    if (w == NULL) {
        return -ENOMEM;
    }
    *w = (struct waiter){
        .item = {.ops = ops, .n = n, .done = wake_waiter},
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .wake = PTHREAD_COND_INITIALIZER,
    };
    int r = app_store_send(actor, &w->item);
    if (r < 0) {
        free(w);
        return r;
    }
    *ret_ticket = w;
    return 0;
}

void app_store_wait(void *ticket)
{
    await(ticket);
    free(ticket);
}

int app_store_submit(struct app_store *actor, struct store_op **ops, size_t n)
{
    struct waiter w = {
        .item = {.ops = ops, .n = n, .done = wake_waiter},
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .wake = PTHREAD_COND_INITIALIZER,
    };
    int r = app_store_send(actor, &w.item);
    if (r < 0) {
        return r;
    }
    await(&w);
    return 0; /* a failed batch stands in every operation's result */
}

/* ---- keys ---- */

static void *run_keys(void *ctx)
{
    struct app_keys *actor = ctx;
    for (;;) {
        void *errands[ITEMS_MAX];
        size_t n = mailbox_take(actor->box, errands, ITEMS_MAX);
        for (size_t i = 0; i < n; i++) {
            struct app_errand *errand = errands[i];
            actor->answer(actor->core, errand->msg);
            errand->done(errand);
        }
        if (n == 0) {
            if (mailbox_is_closed(actor->box)) {
                sem_post(&actor->ended);
                return NULL;
            }
            mailbox_wait(actor->box, -1);
        }
    }
}

static void ask_keys(void *core, struct ledger_msg *msg)
{
    keys_answer(core, msg);
}

static void ask_issuer(void *core, struct ledger_msg *msg)
{
    issuer_answer(core, msg);
}

static int start_answering(struct app_keys *actor, const char *name, struct err_info *reterr)
{
    actor->box = mailbox_new(BOX_SIZE);
    if (!actor->box) {
        return err_set(reterr, ERR_FULL, "no memory or descriptors for the mailbox of %s", name);
    }
    sem_init(&actor->ended, 0, 0);
    int r = start_thread(&actor->thread, name, run_keys, actor, reterr);
    actor->is_running = r == 0;
    return r;
}

int app_keys_start(struct app_keys *actor, struct keys *keys, struct err_info *reterr)
{
    *actor = (struct app_keys){.core = keys, .answer = ask_keys};
    return start_answering(actor, "keys", reterr);
}

int app_issuer_start(struct app_keys *actor, struct issuer *issuer, struct err_info *reterr)
{
    *actor = (struct app_keys){.core = issuer, .answer = ask_issuer};
    return start_answering(actor, "issuer", reterr);
}

static bool await_end(sem_t *ended, int limit_s)
{
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += limit_s;
    int r;
    do {
        r = sem_clockwait(ended, CLOCK_MONOTONIC, &end);
    } while (r < 0 && errno == EINTR);
    return r == 0;
}

bool app_keys_stop(struct app_keys *actor, int limit_s)
{
    if (actor->is_running) {
        mailbox_close(actor->box);
        if (!await_end(&actor->ended, limit_s)) {
            return false;
        }
        pthread_join(actor->thread, NULL);
        sem_destroy(&actor->ended);
    }
    mailbox_free(actor->box);
    actor->box = NULL;
    actor->is_running = false;
    return true;
}

int app_keys_send(struct app_keys *actor, struct app_errand *errand)
{
    return mailbox_send(actor->box, errand);
}
