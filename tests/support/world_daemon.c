/*
 * The daemon half at work: what the application wires with threads and mailboxes, here with a queue of
 * events. Commit latency, the time keys take and the time a port takes to open are drawn from the seed.
 *
 * A kill at a point is told to whoever passes it; from then on nothing of the daemon takes effect any more,
 * and as soon as the call under way has come back the daemon is dropped.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "support/world_internal.h"

const char *world_point_name(enum world_point point)
{
    static const char *const names[] = {
        [POINT_BEFORE_COMMIT] = "before a commit", [POINT_AFTER_COMMIT] = "after a commit",
        [POINT_BEFORE_CHUNK] = "before a chunk",   [POINT_AFTER_CHUNK] = "after a chunk",
        [POINT_BEFORE_READ] = "before a read",     [POINT_AFTER_READ] = "after a read",
        [POINT_BEFORE_TELL] = "before telling",    [POINT_AFTER_TELL] = "after telling",
    };
    return names[point];
}

bool world_passes(struct world *w, enum world_point point)
{
    if (w->is_dying) {
        return true;
    }
    if (w->life > 1) {
        return false;
    }
    w->points[point]++;
    if (w->kills_at && w->kill_point == point && w->kill_k == w->points[point]) {
        w->fired[point]++;
        w->is_dying = true;
    }
    return w->is_dying;
}

/* ---- what the station asks for */

static void env_open(void *ctx, uint32_t slot, uint32_t generation)
{
    struct world *w = ctx;
    bool was_on = malloc_count_switch(false);
    if (!w->is_dying) {
        w->slots[slot].generation = generation;
        bool is_slow = world_hits(w, 20);
        bool fails = w->is_troubled && world_hits(w, 15);
        int64_t latency = (int64_t)world_dice(w, is_slow ? 4000000 : 40000);
        world_at(w, latency, HAPPENS_OPENED, slot, generation, fails ? -EBUSY : 0);
    }
    malloc_count_switch(was_on);
}

void world_close_link(struct world *w, uint32_t slot)
{
    struct world_slot *s = &w->slots[slot];
    if (s->is_open && s->board != WORLD_NOWHERE) {
        simboard_port_close(w->boards[s->board].sim, w->now_us);
    }
    s->is_open = false;
    s->generation = 0;
    memset(s->tail, 0, sizeof(s->tail));
}

static void env_close(void *ctx, uint32_t slot, uint32_t generation)
{
    struct world *w = ctx;
    bool was_on = malloc_count_switch(false);
    if (!w->is_dying && w->slots[slot].generation == generation) {
        world_close_link(w, slot);
    }
    malloc_count_switch(was_on);
}

static int send_octets(struct world *w, uint32_t slot, uint32_t generation, struct span octets)
{
    struct world_slot *s = &w->slots[slot];
    if (w->is_dying || !s->is_open || s->generation != generation) {
        return -EIO;
    }
    struct simboard *sim = w->boards[s->board].sim;
    simboard_run(sim, w->now_us);
    if (!simboard_is_plugged(sim)) {
        world_cut(w, slot);
        return -EIO;
    }
    size_t n = octets.len;
    if (!w->config.is_coarse) {
        n = world_dice(w, 4) == 0 ? 1 + world_dice(w, octets.len) : n;
        n = world_dice(w, 100) == 0 ? 0 : n;
    }
    if (n > 0 && world_passes(w, POINT_BEFORE_CHUNK)) {
        return -EIO;
    }
    n = n == 0 ? 0 : simboard_from_host(sim, octets.at, n, w->now_us);
    if (n == 0) {
        world_at(w, 1 + (int64_t)world_dice(w, 8000), HAPPENS_WRITABLE, slot, generation, 0);
        return 0;
    }
    world_check_sent(w, slot, span_of(octets.at, n));
    (void)world_passes(w, POINT_AFTER_CHUNK);
    return (int)n;
}

static int env_write(void *ctx, uint32_t slot, uint32_t generation, struct span octets)
{
    bool was_on = malloc_count_switch(false);
    int r = send_octets(ctx, slot, generation, octets);
    malloc_count_switch(was_on);
    return r;
}

static struct world_actor *actor_for(struct world *w, const struct ledger_msg *msg)
{
    enum ledger_actor actor = ledger_actor_of(msg->kind);
    return actor == LEDGER_TO_KEYS ? &w->to_keys : actor == LEDGER_TO_ISSUER ? &w->to_issuer : &w->to_store;
}

static void wake(struct world *w, struct world_actor *actor, enum happening kind, int64_t delay_us)
{
    if (!actor->is_busy && actor->n_waiting > 0) {
        actor->is_busy = true;
        world_at(w, delay_us, kind, 0, 0, 0);
    }
}

static void wake_store(struct world *w)
{
    wake(w, &w->to_store, HAPPENS_STORE, (int64_t)world_dice(w, 3000));
}

static void wake_keys(struct world *w)
{
    wake(w, &w->to_keys, HAPPENS_KEYS, (int64_t)world_dice(w, 500));
}

static void wake_issuer(struct world *w)
{
    wake(w, &w->to_issuer, HAPPENS_ISSUER, (int64_t)world_dice(w, 500));
}

static int env_post(void *ctx, struct ledger_msg *msg)
{
    struct world *w = ctx;
    bool was_on = malloc_count_switch(false);
    int r = 0;
    if (w->is_dying || (w->is_troubled && world_hits(w, 30))) {
        r = -EAGAIN;
    } else {
        struct world_actor *actor = actor_for(w, msg);
        assert(actor->n_waiting < WORLD_SLOTS_MAX);
        actor->waiting[actor->n_waiting++] = msg;
        wake_store(w);
        wake_keys(w);
        wake_issuer(w);
    }
    malloc_count_switch(was_on);
    return r;
}

static void env_publish(void *ctx, uint32_t slot, const struct slot_view *view)
{
    struct world *w = ctx;
    bool was_on = malloc_count_switch(false);
    if (!view->has_verdict) {
        /* nothing that anybody would act on */
    } else if (!world_passes(w, POINT_BEFORE_TELL)) {
        world_check_told(w, slot, view);
        (void)world_passes(w, POINT_AFTER_TELL);
    }
    malloc_count_switch(was_on);
}

void world_random_octets(void *ctx, uint8_t *out, size_t n)
{
    struct world *w = ctx;
    for (size_t i = 0; i < n; i++) {
        out[i] = (uint8_t)rng_next(&w->ids);
    }
}

static void env_random(void *ctx, uint8_t out[10])
{
    world_random_octets(ctx, out, 10);
}

static int env_note(void *ctx, uint32_t slot, bool is_quarantined, const char *who, const char *why)
{
    struct world *w = ctx;
    bool was_on = malloc_count_switch(false);
    bool is_full = w->is_dying || (w->is_troubled && world_hits(w, 100));
    if (!is_full) {
        struct store_slot *note = &w->slots[slot].note;
        *note = (struct store_slot){.is_quarantined = is_quarantined};
        buf_copy(note->slot, sizeof(note->slot), span_str(w->slot_configs[slot].id));
        buf_copy(note->who, sizeof(note->who), span_str(who));
        buf_copy(note->why, sizeof(note->why), span_str(why));
        world_at(w, (int64_t)world_dice(w, 10000) + w->store_slow_us, HAPPENS_NOTE, slot, 0, 0);
    }
    malloc_count_switch(was_on);
    return is_full ? -EAGAIN : 0;
}

static void on_note(struct world *w, uint32_t slot)
{
    struct store_op op = {.kind = STORE_SLOT, .slot = w->slots[slot].note};
    int r = w->store_is_broken && !w->store_is_lost ? ERR_STORE : world_op(w, &op);
    r = w->store_is_broken ? ERR_STORE : r;
    LINE(station_noted(w->station, slot, r, w->now_us));
}

void world_env_init(struct world *w)
{
    w->env = (struct station_env){.ctx = w,
                                  .open = env_open,
                                  .close = env_close,
                                  .write = env_write,
                                  .post = env_post,
                                  .publish = env_publish,
                                  .random = env_random,
                                  .note = env_note};
}

/* ---- ports */

void world_announce(struct world *w, uint32_t slot, bool is_fresh)
{
    struct world_slot *s = &w->slots[slot];
    int64_t at = w->now_us + 1000 + (int64_t)world_dice(w, 60000);
    s->notice_us = at > s->notice_us ? at : s->notice_us + 1;
    world_at(w, s->notice_us - w->now_us, HAPPENS_ARRIVED, slot, 0, is_fresh);
}

void world_cut(struct world *w, uint32_t slot)
{
    struct world_slot *s = &w->slots[slot];
    if (s->is_open) {
        world_at(w, (int64_t)world_dice(w, 3000), HAPPENS_HANGUP, slot, s->generation, 0);
    }
    s->is_open = false;
    int64_t at = w->now_us + (int64_t)world_dice(w, 60000);
    s->notice_us = at > s->notice_us ? at : s->notice_us + 1;
    world_at(w, s->notice_us - w->now_us, HAPPENS_LEFT, slot, 0, 0);
}

/* Hands over what the board has said, piece by piece. */
void world_read(struct world *w, uint32_t slot)
{
    struct world_slot *s = &w->slots[slot];
    while (s->is_open && !w->is_dying) {
        char octets[512];
        struct simboard *sim = w->boards[s->board].sim;
        size_t most = w->config.is_coarse ? sizeof(octets) : 1 + world_dice(w, 48);
        size_t n = simboard_to_host(sim, octets, most, w->now_us);
        if (n == 0) {
            if (!simboard_is_plugged(sim)) {
                world_cut(w, slot);
            }
            return;
        }
        if (world_passes(w, POINT_BEFORE_READ)) {
            return;
        }
        LINE(station_port_bytes(w->station, slot, s->generation, span_of(octets, n), w->now_us));
        if (world_passes(w, POINT_AFTER_READ)) {
            return;
        }
        if (!w->config.is_coarse && world_dice(w, 8) == 0) {
            world_at(w, 1 + (int64_t)world_dice(w, 2000), HAPPENS_READ, slot, 0, 0);
            return;
        }
    }
}

static void on_opened(struct world *w, uint32_t slot, uint32_t generation, int result)
{
    struct world_slot *s = &w->slots[slot];
    if (s->generation != generation) {
        return; /* closed meanwhile */
    }
    if (result == 0 &&
        (s->board == WORLD_NOWHERE || simboard_port_open(w->boards[s->board].sim, w->now_us) < 0)) {
        result = -ENODEV;
    }
    s->is_open = result == 0;
    LINE(station_port_opened(w->station, slot, generation, result, result < 0 ? err_text(result) : NULL,
                             w->now_us));
}

/* ---- store and keys */

static void fail_message(struct ledger_msg *msg)
{
    msg->status = LEDGER_FAILED;
    buf_copy(msg->detail, sizeof(msg->detail), span_str("the disk is full"));
    if (msg->kind == LEDGER_CLAIM) { /* as the store leaves it */
        msg->bundle[0] = '\0';
        msg->bundle_state = BUNDLE_FREE;
        msg->n_entries = msg->content_len = 0;
    }
}

static void commit(struct world *w, struct ledger_msg **msgs, uint32_t n)
{
    static struct store_op ops[WORLD_BATCH];
    struct store_op *list[WORLD_BATCH];
    for (uint32_t i = 0; i < n; i++) {
        ops[i] = (struct store_op){.kind = STORE_LEDGER, .ledger = msgs[i]};
        list[i] = &ops[i];
    }
    if (store_batch(w->store, list, n) < 0) {
        world_blame(w, "the store failed: %s", store_failure(w->store));
    }
}

static void on_store(struct world *w)
{
    struct world_actor *a = &w->to_store;
    uint32_t n = a->n_waiting < WORLD_BATCH ? a->n_waiting : WORLD_BATCH;
    if (world_passes(w, POINT_BEFORE_COMMIT)) {
        return;
    }
    if (!w->store_is_broken || w->store_is_lost) {
        commit(w, a->waiting, n);
    }
    for (uint32_t i = 0; i < n && w->store_is_broken; i++) {
        fail_message(a->waiting[i]);
    }
    memcpy(a->answered, a->waiting, n * sizeof(a->waiting[0]));
    memmove(a->waiting, a->waiting + n, (a->n_waiting - n) * sizeof(a->waiting[0]));
    a->n_answered = n;
    a->n_waiting -= n;
    if (!world_passes(w, POINT_AFTER_COMMIT)) {
        world_at(w, 500 + (int64_t)world_dice(w, 10000) + w->store_slow_us, HAPPENS_STORE_TELLS, 0, 0, 0);
    }
}

/* The first message's answer is on its way. */
static void answer_first(struct world *w, struct world_actor *a, enum happening tells)
{
    a->answered[0] = a->waiting[0];
    a->n_answered = 1;
    memmove(a->waiting, a->waiting + 1, --a->n_waiting * sizeof(a->waiting[0]));
    world_at(w, 200 + (int64_t)world_dice(w, 10000) + w->keys_slow_us, tells, 0, 0, 0);
}

static void on_keys(struct world *w)
{
    keys_answer(w->keys, w->to_keys.waiting[0]);
    answer_first(w, &w->to_keys, HAPPENS_KEYS_TELL);
}

static void on_issuer(struct world *w)
{
    struct ledger_msg *msg = w->to_issuer.waiting[0];
    switch (w->token) {
    case TOKEN_HANGS:
        return; /* busy until world_set_token */
    case TOKEN_IS_GONE:
        msg->status = LEDGER_FAILED;
        msg->reason = REASON_signer_failed;
        buf_copy(msg->detail, sizeof(msg->detail), span_str("signing on the token: the token is gone"));
        break;
    case TOKEN_IS_THERE:
        issuer_answer(w->issuer, msg);
        break;
    }
    answer_first(w, &w->to_issuer, HAPPENS_ISSUER_TELLS);
}

void world_set_token(struct world *w, enum world_token token)
{
    bool has_hung = w->token == TOKEN_HANGS && w->to_issuer.is_busy && w->to_issuer.n_answered == 0;
    w->token = token;
    if (w->is_up && has_hung && token != TOKEN_HANGS) {
        world_at(w, 0, HAPPENS_ISSUER, 0, 0, 0);
    }
}

static void tell(struct world *w, struct world_actor *a)
{
    struct ledger_msg *msgs[WORLD_BATCH];
    uint32_t n = a->n_answered;
    memcpy(msgs, a->answered, n * sizeof(msgs[0]));
    a->n_answered = 0;
    a->is_busy = false;
    for (uint32_t i = 0; i < n && !w->is_dying; i++) {
        LINE(station_ledger_answer(w->station, msgs[i], w->now_us));
    }
    wake_store(w);
    wake_keys(w);
    wake_issuer(w);
}

void world_daemon_happens(struct world *w, const struct world_event *e)
{
    char name[32];
    struct station_port port = {.name = name, .is_fresh = e->value};
    switch (e->kind) {
    case HAPPENS_ARRIVED:
        snprintf(name, sizeof(name), "/dev/world/%u", e->slot);
        LINE(station_port_arrived(w->station, e->slot, &port, w->now_us));
        return;
    case HAPPENS_LEFT:
        LINE(station_port_left(w->station, e->slot, w->now_us));
        return;
    case HAPPENS_HANGUP:
        LINE(station_port_closed(w->station, e->slot, e->generation, w->now_us));
        return;
    case HAPPENS_OPENED:
        on_opened(w, e->slot, e->generation, e->value);
        return;
    case HAPPENS_WRITABLE:
        LINE(station_port_writable(w->station, e->slot, e->generation, w->now_us));
        return;
    case HAPPENS_READ:
        world_read(w, e->slot);
        return;
    case HAPPENS_STORE:
        on_store(w);
        return;
    case HAPPENS_STORE_TELLS:
        tell(w, &w->to_store);
        return;
    case HAPPENS_KEYS:
        on_keys(w);
        return;
    case HAPPENS_KEYS_TELL:
        tell(w, &w->to_keys);
        return;
    case HAPPENS_ISSUER:
        on_issuer(w);
        return;
    case HAPPENS_ISSUER_TELLS:
        tell(w, &w->to_issuer);
        return;
    case HAPPENS_NOTE:
        on_note(w, e->slot);
        return;
    case HAPPENS_START:
    case HAPPENS_CHANCE:
    case HAPPENS_STORE_HEALS:
    case HAPPENS_ORDERS_BACK:
        break;
    }
    assert(false);
}
