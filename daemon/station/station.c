/*
 * All slots together: who is admitted, under which order, and what happens when one IMEI answers in two
 * slots.
 *
 * A slot in admission is looked at again whenever something it may wait for has changed: orders, a block, a
 * command, or the leaving of a board. That is a scan over the slots, but only then; octets and timers touch
 * one slot alone.
 */
#include "station/station.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/secret.h"
#include "station/device.h"
#include "station/timers.h"

struct station {
    struct device_host host;
    struct device **devices; /* by index; each with its memory, never moved: a lent message points into one */
    struct device_memory *memory;
    uint32_t n;
    struct timers timers;
    struct station_order *orders;
    uint32_t n_orders, orders_size;
    enum reason block;
    char block_detail[VERDICT_DETAIL_SIZE];
    bool is_closing;
    bool has_quarantined; /* a slot that is not being settled has changed: it is shown at the next chance */
};

static const char *const state_names[] = {
#define X(name, text) [name] = text,
    SLOT_STATE_LIST(X)
#undef X
};

const char *slot_state_name(enum slot_state state)
{
    return state_names[state];
}

/* ---- memory ---- */

static void free_memory(struct device_memory *m)
{
    secret_free(m->content); /* and the frames behind it */
    free(m->line);
    free(m->splice);
    free(m->dialogue);
    *m = (struct device_memory){0};
}

static int take_memory(struct device_memory *m)
{
    /* In one block: a block's beginning takes a page for itself, and few boards need the frames. */
    m->content = secret_alloc(JOB_CONTENT_SIZE + FRAMES_BURST_SIZE);
    m->line = malloc(JOB_LINE_SIZE);
    m->splice = malloc(JOB_SPLICE_SIZE);
    m->dialogue = malloc(JOB_DIALOGUE_SIZE);
    if (m->content && m->line && m->splice && m->dialogue) {
        m->frames = (char *)m->content + JOB_CONTENT_SIZE;
        return 0;
    }
    free_memory(m);
    return -ENOMEM;
}

int station_add_slot(struct station *st, const struct slot_config *slot)
{
    if (st->n == STATION_SLOTS_MAX) {
        return ERR_FULL;
    }
    if (station_find_slot(st, slot->id) >= 0) {
        return ERR_DUPLICATE;
    }
    struct device *d = malloc(sizeof(*d)); /* calloc would write to all of it */
    if (!d || take_memory(&st->memory[st->n]) < 0) {
        free(d);
        return -ENOMEM;
    }
    device_init(d, st->n, slot, &st->memory[st->n]);
    st->devices[st->n] = d;
    timers_add(&st->timers);
    return (int)st->n++;
}

/* A pass is also a word about the neighbours: boards of this lot do pass. */
static void on_job_ended(void *ctx, struct device *d)
{
    struct station *st = ctx;
    if (d->job.verdict.outcome != OUTCOME_PASS) {
        return;
    }
    for (uint32_t i = 0; i < st->n; i++) {
        struct device *other = st->devices[i];
        if (other != d && strcmp(other->config.fixture, d->config.fixture) == 0) {
            bool was_quarantined = other->health.is_quarantined;
            health_note_neighbour(&other->health);
            st->has_quarantined = st->has_quarantined || other->health.is_quarantined != was_quarantined;
        }
    }
}

struct station *station_new(const struct slot_config *slots, uint32_t n_slots, const struct station_env *env,
                            const struct clock *clock, struct err_info *reterr)
{
    struct station *st = calloc(1, sizeof(*st));
    if (!st) {
        err_set(reterr, -ENOMEM, "no memory for the station");
        return NULL;
    }
    st->host = (struct device_host){
        .env = env, .clock = clock, .ended = on_job_ended, .ctx = st, .waiting_for = REASON_NONE};
    st->block = REASON_NONE;
    st->devices = calloc(STATION_SLOTS_MAX, sizeof(*st->devices));
    st->memory = calloc(STATION_SLOTS_MAX, sizeof(*st->memory));
    if (!st->devices || !st->memory || timers_init(&st->timers, STATION_SLOTS_MAX) < 0) {
        err_set(reterr, -ENOMEM, "no memory for %u slots", n_slots);
        station_free(st);
        return NULL;
    }
    for (uint32_t i = 0; i < n_slots; i++) {
        int at = station_add_slot(st, &slots[i]);
        if (at < 0) {
            err_set(reterr, at, "slot %s: %s", slots[i].id, err_text(at));
            station_free(st);
            return NULL;
        }
    }
    return st;
}

void station_free(struct station *st)
{
    if (!st) {
        return;
    }
    for (uint32_t i = 0; i < st->n; i++) {
        free_memory(&st->memory[i]);
        free(st->devices[i]);
    }
    timers_done(&st->timers);
    free(st->devices);
    free(st->memory);
    free(st->orders);
    free(st);
}

int station_find_slot(const struct station *st, const char *id)
{
    for (uint32_t i = 0; i < st->n; i++) {
        if (strcmp(st->devices[i]->config.id, id) == 0) {
            return (int)i;
        }
    }
    return -1;
}

uint32_t station_slot_count(const struct station *st)
{
    return st->n;
}

const struct slot_view *station_view(const struct station *st, uint32_t slot)
{
    return &st->devices[slot]->view;
}

/* ---- admission ---- */

static const struct station_order *find_order(const struct station *st, const struct device *d)
{
    for (uint32_t i = 0; i < st->n_orders; i++) {
        if (strcmp(st->orders[i].fixture, d->config.fixture) == 0) {
            return &st->orders[i];
        }
    }
    return NULL;
}

/* Another slot in which a board with this IMEI still is, or whose job for it is not on record yet. */
static struct device *find_twin(struct station *st, const struct device *d)
{
    for (uint32_t i = 0; i < st->n; i++) {
        struct device *other = st->devices[i];
        bool counts = other != d && other->has_job && (device_has_board(other) || !device_is_idle(other));
        if (counts && strcmp(other->job.msg.imei, d->job.msg.imei) == 0) {
            return other;
        }
    }
    return NULL;
}

static void settle(struct station *st, struct device *d, int64_t now_us);

/* The same IMEI twice: neither goes on. A job under way is brought to its end first; one that has not begun
 * waits. A board that a person has let go on stays as it is. */
static void hold_twins(struct station *st, struct device *d, struct device *twin, int64_t now_us)
{
    d->is_held = true;
    if (twin->is_held || twin->hold_released) {
        return;
    }
    twin->is_held = true;
    if (!device_is_admitting(twin)) {
        job_abort(&twin->job, REASON_duplicate_imei, d->config.id, now_us);
    }
    settle(st, twin, now_us);
}

/* Why the slot must wait, or REASON_NONE when it may go on. */
static enum reason why_waiting(struct station *st, struct device *d, int64_t now_us)
{
    if (st->is_closing) {
        return REASON_aborted;
    }
    struct device *twin = d->hold_released ? NULL : find_twin(st, d);
    if (twin && device_has_board(twin)) {
        hold_twins(st, d, twin, now_us);
        return REASON_duplicate_imei;
    }
    if (twin) {
        return REASON_unplugged; /* this board's last job, in the slot it came from, is still being recorded
                                  */
    }
    d->is_held = false;
    if (d->health.is_quarantined) {
        return REASON_quarantined;
    }
    if (st->block != REASON_NONE) {
        return st->block;
    }
    if (!find_order(st, d)) {
        return REASON_no_order;
    }
    return d->config.start == START_PLUG || d->is_started ? REASON_NONE : REASON_aborted;
}

static void admit(struct station *st, struct device *d, int64_t now_us)
{
    const struct station_order *order = find_order(st, d);
    struct job_grant grant = {.product = order->product};
    memcpy(grant.order, order->id, sizeof(grant.order));
    memcpy(grant.operator_name, d->operator_name, sizeof(grant.operator_name));
    memcpy(grant.unit_serial, d->unit_serial, sizeof(grant.unit_serial));
    d->is_started = false;
    d->operator_name[0] = d->unit_serial[0] = '\0';
    job_admit(&d->job, &grant, now_us);
}

static void settle_quarantined(struct station *st, int64_t now_us)
{
    for (uint32_t i = 0; i < st->n; i++) {
        if (st->devices[i]->health.is_quarantined) {
            settle(st, st->devices[i], now_us);
        }
    }
}

/* After every input to a slot. */
static void settle(struct station *st, struct device *d, int64_t now_us)
{
    st->host.waiting_for = REASON_NONE;
    if (device_is_admitting(d)) {
        enum reason why = why_waiting(st, d, now_us);
        if (why == REASON_NONE) {
            admit(st, d, now_us);
        }
        st->host.waiting_for = why;
    } else if (d->health.is_quarantined) {
        st->host.waiting_for = REASON_quarantined;
    } else if (d->is_held) {
        st->host.waiting_for = REASON_duplicate_imei;
    }
    device_settle(d, &st->host, now_us);
    timers_set(&st->timers, d->index, device_deadline(d));
    if (st->has_quarantined) {
        st->has_quarantined = false;
        settle_quarantined(st, now_us);
    }
}

/* A board that came when its order was full goes on with the next one, as if it had come only now: it was
 * told to wait for that, and nothing has been done to it. */
static void take_up_refused(struct station *st, int64_t now_us)
{
    for (uint32_t i = 0; i < st->n; i++) {
        struct device *d = st->devices[i];
        const struct station_order *order = find_order(st, d);
        bool is_refused = d->port == PORT_OPEN && job_phase(&d->job) >= JOB_LEAVING &&
                          d->job.verdict.reason == REASON_order_full;
        if (is_refused && !st->is_closing && order && strcmp(order->id, d->job.msg.order) != 0) {
            d->wants_job = true; /* begins when the last one is on record */
            settle(st, d, now_us);
        }
    }
}

/* Something changed that slots in admission, or held ones, may have waited for. */
static void settle_waiting(struct station *st, int64_t now_us)
{
    for (uint32_t i = 0; i < st->n; i++) {
        struct device *d = st->devices[i];
        if (device_is_admitting(d) || d->is_held) {
            settle(st, d, now_us);
        }
    }
}

/* ---- ports ---- */

static struct device *at(const struct station *st, uint32_t slot, uint32_t generation)
{
    struct device *d = slot < st->n ? st->devices[slot] : NULL;
    return d && d->generation == generation ? d : NULL;
}

void station_port_arrived(struct station *st, uint32_t slot, const struct station_port *port, int64_t now_us)
{
    assert(slot < st->n);
    struct device *d = st->devices[slot];
    if (d->port == PORT_OPEN || d->port == PORT_OPENING) {
        device_left(d, &st->host, now_us); /* its leaving went unseen */
    }
    device_arrived(d, &st->host, port);
    settle(st, d, now_us);
}

void station_port_left(struct station *st, uint32_t slot, int64_t now_us)
{
    assert(slot < st->n);
    device_left(st->devices[slot], &st->host, now_us);
    settle(st, st->devices[slot], now_us);
    settle_waiting(st, now_us);
}

void station_port_opened(struct station *st, uint32_t slot, uint32_t generation, int result,
                         const char *detail, int64_t now_us)
{
    struct device *d = at(st, slot, generation);
    if (d && d->port == PORT_OPENING) {
        device_opened(d, result, detail, now_us);
        settle(st, d, now_us);
    }
}

void station_port_bytes(struct station *st, uint32_t slot, uint32_t generation, struct span octets,
                        int64_t now_us)
{
    struct device *d = at(st, slot, generation);
    if (d && d->port == PORT_OPEN) {
        device_bytes(d, octets, now_us);
        settle(st, d, now_us);
    }
}

void station_port_writable(struct station *st, uint32_t slot, uint32_t generation, int64_t now_us)
{
    struct device *d = at(st, slot, generation);
    if (d) {
        d->is_blocked = false;
        settle(st, d, now_us);
    }
}

void station_port_closed(struct station *st, uint32_t slot, uint32_t generation, int64_t now_us)
{
    struct device *d = at(st, slot, generation);
    if (d && d->port == PORT_OPEN) {
        device_closed(d, &st->host, now_us);
        settle(st, d, now_us);
        settle_waiting(st, now_us);
    }
}

/* ---- ledger, orders, blocks ---- */

void station_ledger_answer(struct station *st, struct ledger_msg *msg, int64_t now_us)
{
    struct device *d = st->devices[msg->slot_index];
    assert(msg == &d->job.msg);
    job_answer(&d->job, now_us);
    settle(st, d, now_us);
    if (device_is_idle(d)) {
        settle_waiting(st, now_us); /* its board may stand in another slot by now */
    }
}

void station_noted(struct station *st, uint32_t slot, int result, int64_t now_us)
{
    device_noted(st->devices[slot], result, now_us);
    settle(st, st->devices[slot], now_us);
}

void station_quarantine(struct station *st, uint32_t slot, const char *why, int64_t now_us)
{
    struct device *d = st->devices[slot];
    health_restore(&d->health, why);
    buf_copy(d->why, sizeof(d->why), span_str(why));
    d->is_on_record = true;
    settle(st, d, now_us);
}

void station_set_orders(struct station *st, const struct station_order *orders, uint32_t n, int64_t now_us)
{
    if (n > st->orders_size) {
        struct station_order *grown = realloc(st->orders, n * sizeof(*grown));
        if (!grown) {
            return; /* the orders known so far stay in force; the next change tries again */
        }
        st->orders = grown;
        st->orders_size = n;
    }
    if (n > 0) {
        memcpy(st->orders, orders, n * sizeof(*orders));
    }
    st->n_orders = n;
    take_up_refused(st, now_us);
    settle_waiting(st, now_us);
}

void station_set_block(struct station *st, enum reason reason, const char *detail, int64_t now_us)
{
    st->block = reason;
    buf_copy(st->block_detail, sizeof(st->block_detail), span_str(detail ? detail : ""));
    settle_waiting(st, now_us);
}

/* ---- commands ---- */

static int find_target(const struct station *st, uint32_t slot, uint32_t generation, struct device **ret,
                       struct err_info *reterr)
{
    if (slot >= st->n) {
        return err_set(reterr, ERR_NOT_FOUND, "there is no such slot");
    }
    struct device *d = st->devices[slot];
    if (generation != 0 && d->board != generation) {
        return err_set(reterr, ERR_CONFLICT, "another board is in slot %s by now", d->config.id);
    }
    *ret = d;
    return 0;
}

static int refuse(const struct device *d, const char *command, int64_t now_us, struct err_info *reterr)
{
    return err_set(reterr, ERR_CONFLICT, "cannot %s: slot %s is %s", command, d->config.id,
                   slot_state_name(device_state(d, now_us)));
}

int station_start(struct station *st, uint32_t slot, uint32_t generation, const char *operator_name,
                  const char *unit_serial, struct err_info *reterr, int64_t now_us)
{
    struct device *d = NULL;
    int r = find_target(st, slot, generation, &d, reterr);
    if (r < 0) {
        return r;
    }
    bool is_early = d->port == PORT_OPEN && !d->job.is_admitted && !device_is_idle(d);
    if (!is_early || d->is_held) {
        return refuse(d, "start", now_us, reterr);
    }
    d->is_started = true;
    buf_copy(d->operator_name, sizeof(d->operator_name), span_str(operator_name ? operator_name : ""));
    buf_copy(d->unit_serial, sizeof(d->unit_serial), span_str(unit_serial ? unit_serial : ""));
    settle(st, d, now_us);
    return 0;
}

int station_abort(struct station *st, uint32_t slot, uint32_t generation, struct err_info *reterr,
                  int64_t now_us)
{
    struct device *d = NULL;
    int r = find_target(st, slot, generation, &d, reterr);
    if (r < 0) {
        return r;
    }
    if (d->port != PORT_OPEN || device_is_idle(d) || job_phase(&d->job) >= JOB_LEAVING) {
        return refuse(d, "abort", now_us, reterr);
    }
    job_abort(&d->job, REASON_aborted, NULL, now_us);
    settle(st, d, now_us);
    return 0;
}

int station_release(struct station *st, uint32_t slot, uint32_t generation, const char *who,
                    struct err_info *reterr, int64_t now_us)
{
    struct device *d = NULL;
    int r = find_target(st, slot, generation, &d, reterr);
    if (r < 0) {
        return r;
    }
    if (!d->is_held && !d->health.is_quarantined) {
        return refuse(d, "release", now_us, reterr);
    }
    d->hold_released = d->is_held;
    if (d->is_held && device_is_idle(d) && d->job.verdict.reason == REASON_duplicate_imei) {
        device_retry(d); /* the hold has ended its job: it goes on with a new one */
    }
    d->is_held = false;
    buf_copy(d->released_by, sizeof(d->released_by), span_str(who));
    health_release(&d->health);
    settle(st, d, now_us);
    return 0;
}

int station_retry(struct station *st, uint32_t slot, uint32_t generation, struct err_info *reterr,
                  int64_t now_us)
{
    struct device *d = NULL;
    int r = find_target(st, slot, generation, &d, reterr);
    if (r < 0) {
        return r;
    }
    /* A verdict that may be told at once shows before it is on record; the new job begins after that. */
    bool is_over = device_is_idle(d) || device_state(d, now_us) == SLOT_DONE;
    if (d->port != PORT_OPEN || !is_over || d->is_held) {
        return refuse(d, "retry", now_us, reterr);
    }
    device_retry(d);
    settle(st, d, now_us);
    return 0;
}

/* ---- end and time ---- */

void station_shutdown(struct station *st, int64_t now_us)
{
    st->is_closing = true;
    for (uint32_t i = 0; i < st->n; i++) {
        struct device *d = st->devices[i];
        d->wants_job = false;
        if (device_is_admitting(d) || !d->job.is_admitted) {
            job_lost(&d->job, now_us); /* nothing was begun on it */
        } else {
            job_abort(&d->job, REASON_station_restarted, "the station is being stopped", now_us);
        }
        settle(st, d, now_us);
    }
}

bool station_is_idle(const struct station *st)
{
    for (uint32_t i = 0; i < st->n; i++) {
        const struct device *d = st->devices[i];
        if (!device_is_idle(d) || d->wants_job || d->note_is_out) {
            return false;
        }
    }
    return true;
}

int64_t station_deadline(const struct station *st)
{
    uint32_t slot = 0;
    return timers_next(&st->timers, &slot);
}

void station_tick(struct station *st, int64_t now_us)
{
    uint32_t slot = 0;
    while (timers_next(&st->timers, &slot) <= now_us) {
        device_tick(st->devices[slot], &st->host, now_us);
        settle(st, st->devices[slot], now_us);
    }
}
