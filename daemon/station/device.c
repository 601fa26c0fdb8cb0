/*
 * One board's life in its slot.
 *
 * The wire. At most WINDOW_US of octets are handed to the port ahead of the wire, computed from time and baud
 * rate (asking a USB bridge what it still holds says nothing and may block). So a pulled board leaves next to
 * nothing behind in the kernel, and what is left is thrown away with the port: it never reaches the next
 * board.
 *
 * The job of a board that has left lives on until it is on record; a board that comes meanwhile waits for
 * that.
 */
#include "station/device.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "base/buf.h"

#define WINDOW_US      (20 * US_PER_MS)
#define REFILL_US      (10 * US_PER_MS) /* hand out more when the window is half empty: fewer, larger writes */
#define POLL_US        US_PER_S         /* how often a polled slot is asked who is there */
#define POLL_FAILED_US (30 * US_PER_S)
#define SILENCES_MAX   2    /* one answer may be lost; two are an empty slot */
#define POLL_LIMIT_MS  2500 /* one round of contact probes */
#define REOPEN_US      (2 * US_PER_S)
#define REPOST_US      (50 * US_PER_MS)
#define RENOTE_US      US_PER_S
#define BAUD_USUAL     115200

void device_init(struct device *d, uint32_t index, const struct slot_config *config,
                 const struct device_memory *memory)
{
    memset(d, 0, offsetof(struct device, job));
    d->config = *config;
    d->index = index;
    if (d->config.baud == 0) {
        d->config.baud = BAUD_USUAL;
    }
    d->reopen_us = d->pace_us = d->post_us = d->poll_us = d->note_us = TIME_NEVER;
    struct job_config job = {.content = memory->content,
                             .frames = memory->frames,
                             .line = memory->line,
                             .splice = memory->splice,
                             .dialogue = memory->dialogue};
    job_init(&d->job, &job);
    buf_copy(d->view.id, sizeof(d->view.id), span_str(config->id));
    buf_copy(d->view.fixture, sizeof(d->view.fixture), span_str(config->fixture));
    buf_copy(d->view.name, sizeof(d->view.name), span_str(config->name));
    d->view.waiting_for = REASON_NONE;
    d->shown = UINT64_MAX;
}

/* ---- what is known ---- */

bool device_is_idle(const struct device *d)
{
    enum job_phase phase = job_phase(&d->job);
    return (phase == JOB_IDLE || phase == JOB_ENDED) && !d->job.msg_is_out;
}

/* A polled slot in which nobody has answered yet, or any more. */
static bool is_seat_empty(const struct device *d)
{
    bool is_unknown = !job_has_identity(&d->job) && d->job.verdict.outcome == OUTCOME_NONE;
    return d->config.is_polled && (!d->has_job || d->job.is_lost || is_unknown);
}

bool device_has_board(const struct device *d)
{
    return d->port == PORT_OPEN && d->has_job && !d->job.is_lost && job_has_identity(&d->job);
}

bool device_is_admitting(const struct device *d)
{
    if (d->job.watch == WATCH_OUT) {
        return false; /* in a moment, when it is known that this is still the board */
    }
    return d->port == PORT_OPEN && d->has_job && job_phase(&d->job) == JOB_ADMITTING;
}

static enum slot_state state_of_job(const struct device *d, int64_t now_us)
{
    switch (job_phase(&d->job)) {
    case JOB_IDLE:
        break;
    case JOB_CONTACTING:
        return job_is_silent(&d->job, now_us) ? SLOT_SILENT : SLOT_CONTACTING;
    case JOB_IDENTIFYING:
        return SLOT_IDENTIFYING;
    case JOB_ADMITTING:
        return SLOT_WAITING;
    case JOB_RUNNING:
    case JOB_LEAVING:
        return SLOT_RUNNING;
    case JOB_RECORDING: /* a PASS is told when it is stored; other endings at once */
        return d->job.verdict.outcome == OUTCOME_PASS ? SLOT_RECORDING : SLOT_DONE;
    case JOB_ENDED:
        return SLOT_DONE;
    }
    return SLOT_OPENING;
}

enum slot_state device_state(const struct device *d, int64_t now_us)
{
    switch (d->port) {
    case PORT_ABSENT:
        return SLOT_ABSENT;
    case PORT_OPENING:
        return SLOT_OPENING;
    case PORT_FAILED:
        return SLOT_DONE;
    case PORT_OPEN:
        break;
    }
    if (is_seat_empty(d)) {
        return SLOT_ABSENT;
    }
    if (d->health.is_quarantined && (device_is_admitting(d) || device_is_idle(d))) {
        return SLOT_QUARANTINED;
    }
    if (d->is_held && (device_is_admitting(d) || device_is_idle(d))) {
        return SLOT_HELD;
    }
    return d->wants_job ? SLOT_OPENING : state_of_job(d, now_us);
}

/* ---- the port ---- */

static void open_port(struct device *d, struct device_host *host)
{
    d->port = PORT_OPENING;
    d->reopen_us = TIME_NEVER;
    d->is_blocked = false;
    d->wire_free_us = 0;
    d->pace_us = TIME_NEVER;
    host->env->open(host->env->ctx, d->index, d->generation);
}

/* The board is gone or out of reach. */
static void drop_port(struct device *d, struct device_host *host, int64_t now_us)
{
    if (d->port == PORT_OPENING || d->port == PORT_OPEN) {
        host->env->close(host->env->ctx, d->index, d->generation);
    }
    d->pace_us = d->poll_us = TIME_NEVER;
    d->wants_job = false;
    d->is_held = d->hold_released = d->is_started = false;
    if (d->has_job) {
        job_lost(&d->job, now_us);
    }
}

void device_arrived(struct device *d, struct device_host *host, const struct station_port *port)
{
    d->generation++;
    d->board++;
    d->is_fresh = port->is_fresh;
    buf_copy(d->port_name, sizeof(d->port_name), span_str(port->name ? port->name : ""));
    buf_copy(d->usb, sizeof(d->usb), span_str(port->usb ? port->usb : ""));
    buf_copy(d->wrong_port, sizeof(d->wrong_port), span_str(port->wrong_port ? port->wrong_port : ""));
    open_port(d, host);
}

void device_left(struct device *d, struct device_host *host, int64_t now_us)
{
    drop_port(d, host, now_us);
    d->port = PORT_ABSENT;
    d->reopen_us = TIME_NEVER;
}

void device_closed(struct device *d, struct device_host *host, int64_t now_us)
{
    drop_port(d, host, now_us);
    d->port = PORT_FAILED; /* the node may vanish in a moment (device_left), or the bridge comes back */
    d->is_fresh = false;
    d->port_verdict = (struct verdict){OUTCOME_LOST, FAULT_OPERATOR, REASON_unplugged, ""};
    d->reopen_us = now_us + REOPEN_US;
}

void device_opened(struct device *d, int result, const char *detail, int64_t now_us)
{
    if (result == 0) {
        d->port = PORT_OPEN;
        d->wants_job = true;
        return;
    }
    d->port = PORT_FAILED;
    d->port_verdict = (struct verdict){OUTCOME_ERROR, FAULT_FIXTURE, REASON_port_open_failed, ""};
    buf_copy(d->port_verdict.detail, sizeof(d->port_verdict.detail), span_str(detail ? detail : ""));
    d->reopen_us = now_us + REOPEN_US;
}

void device_bytes(struct device *d, struct span octets, int64_t now_us)
{
    if (!d->has_job) {
        return;
    }
    /* A board that was given up as silent and speaks now has come up late: once more, from the start. */
    bool is_late = !d->config.is_polled && job_phase(&d->job) == JOB_ENDED && !job_has_identity(&d->job) &&
                   device_is_idle(d);
    if (is_late) {
        d->wants_job = true;
        return;
    }
    job_rx(&d->job, octets, now_us);
}

void device_retry(struct device *d)
{
    d->wants_job = true;
    d->is_started = true;
    d->is_held = false;
}

/* ---- job ids ---- */

/* 48 bits of milliseconds and 80 random ones in Crockford's base32: ids sort by time. */
static void make_id(struct device_host *host, int64_t wall_ms, char out[JOB_ID_SIZE])
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    uint8_t octets[10];
    host->env->random(host->env->ctx, octets);
    uint64_t time = (uint64_t)wall_ms;
    for (int i = 9; i >= 0; i--, time >>= 5) {
        out[i] = digits[time & 31];
    }
    for (int half = 0; half < 2; half++) {
        uint64_t bits = 0;
        for (int i = 0; i < 5; i++) {
            bits = bits << 8 | octets[half * 5 + i];
        }
        for (int i = 7; i >= 0; i--, bits >>= 5) {
            out[10 + half * 8 + i] = digits[bits & 31];
        }
    }
    out[26] = '\0';
}

static void start_job(struct device *d, struct device_host *host, int64_t now_us)
{
    struct job_begin begin = {
        .is_fresh = d->is_fresh,
        .is_polled = d->config.is_polled,
        .contact_limit_ms = d->config.is_polled ? POLL_LIMIT_MS : 0,
        .baud = d->config.baud,
        .is_chunked = health_wants_chunks(&d->health),
    };
    begin.started_wall_ms = host->clock->wall_ms(host->clock);
    make_id(host, begin.started_wall_ms, begin.id);
    buf_copy(begin.slot, sizeof(begin.slot), span_str(d->config.id));
    buf_copy(begin.fixture, sizeof(begin.fixture), span_str(d->config.fixture));
    buf_copy(begin.wrong_port, sizeof(begin.wrong_port), span_str(d->wrong_port));
    d->wants_job = false;
    d->has_job = true;
    d->is_noted = false;
    job_start(&d->job, &begin, now_us);
    d->job.msg.slot_index = d->index;
    d->job.msg.generation = d->generation;
}

/* ---- polling ---- */

/* The board that was here is not here any more, though its port is. */
static void leave_seat(struct device *d, int64_t now_us)
{
    job_lost(&d->job, now_us);
    d->job.is_lost = true; /* also when its job had ended */
    d->is_held = d->hold_released = d->is_started = false;
    d->is_fresh = false;
    d->board++;
    d->silences = 0;
    d->wants_job = true;
}

static void take_watch(struct device *d, int64_t now_us)
{
    enum job_watch watch = d->job.watch;
    d->job.watch = WATCH_NONE;
    d->silences = watch == WATCH_SILENT ? (uint8_t)(d->silences + 1) : 0;
    if (watch == WATCH_OTHER || d->silences >= SILENCES_MAX) {
        leave_seat(d, now_us);
    }
}

/* Who is there? Asked while no job is under way; an empty seat is probed, a taken one asked for its IMEI. */
static void poll_seat(struct device *d, int64_t now_us)
{
    bool is_taken = d->has_job && !d->job.is_lost && job_has_identity(&d->job);
    d->poll_us = TIME_NEVER;
    if (is_taken) {
        job_watch(&d->job, now_us);
    } else {
        d->wants_job = true;
    }
}

static void settle_polling(struct device *d, int64_t now_us)
{
    if (!d->config.is_polled || d->port != PORT_OPEN) {
        return;
    }
    if (d->job.watch > WATCH_OUT) {
        take_watch(d, now_us);
    }
    bool is_resting = d->has_job && !d->wants_job && d->job.watch == WATCH_NONE &&
                      (device_is_idle(d) || job_phase(&d->job) == JOB_ADMITTING);
    if (!is_resting) {
        d->poll_us = TIME_NEVER;
    } else if (d->poll_us == TIME_NEVER) {
        /* Somebody who answers but has no identity fails again each time: not every second. */
        bool is_nobody = !job_has_identity(&d->job) && d->job.verdict.outcome != OUTCOME_NONE;
        d->poll_us = now_us + (is_nobody ? POLL_FAILED_US : POLL_US);
    }
}

/* ---- octets and messages out ---- */

static int64_t wire_us(const struct device *d, size_t octets)
{
    return (int64_t)(octets * 10 * (size_t)US_PER_S / d->config.baud);
}

/* How many octets fit into the window now. */
static size_t window(struct device *d, int64_t now_us)
{
    int64_t ahead = d->wire_free_us > now_us ? d->wire_free_us - now_us : 0;
    int64_t room_us = WINDOW_US - ahead;
    return room_us <= 0 ? 0 : (size_t)(room_us * d->config.baud / (10 * US_PER_S)) + 1;
}

static void pump(struct device *d, struct device_host *host, int64_t now_us)
{
    d->pace_us = TIME_NEVER;
    while (d->port == PORT_OPEN && !d->is_blocked) {
        struct span out = job_tx(&d->job, now_us);
        if (out.len == 0) {
            return;
        }
        int64_t ahead = d->wire_free_us > now_us ? d->wire_free_us - now_us : 0;
        size_t room = window(d, now_us);
        if (ahead > REFILL_US && room < out.len) {
            d->pace_us = d->wire_free_us - REFILL_US;
            return;
        }
        out.len = out.len < room ? out.len : room;
        int taken = host->env->write(host->env->ctx, d->index, d->generation, out);
        if (taken < 0) {
            return; /* station_port_closed follows */
        }
        if (taken == 0) {
            d->is_blocked = true;
            return;
        }
        d->wire_free_us = (d->wire_free_us > now_us ? d->wire_free_us : now_us) + wire_us(d, (size_t)taken);
        job_tx_done(&d->job, (size_t)taken, now_us);
    }
}

static void lend(struct device *d, struct device_host *host, int64_t now_us)
{
    d->post_us = TIME_NEVER;
    if (!d->job.msg_is_wanted) {
        return;
    }
    if (d->job.msg.kind == LEDGER_RECORD && d->job.msg.ended_wall_ms == 0) {
        job_stamp_end(&d->job, host->clock->wall_ms(host->clock), now_us);
    }
    struct ledger_msg *msg = job_take_msg(&d->job);
    if (host->env->post(host->env->ctx, msg) < 0) {
        job_give_back_msg(&d->job);
        d->post_us = now_us + REPOST_US;
    }
}

/* ---- showing ---- */

/* Everything the view depends on, in one number; a collision would only delay a change until the next one. */
static uint64_t fingerprint(const struct device *d, enum slot_state state, enum reason waiting_for)
{
    uint64_t mix = 1469598103934665603u;
    const uint64_t parts[] = {state,
                              d->generation,
                              d->board,
                              d->has_job,
                              d->job.row,
                              (uint64_t)job_phase(&d->job),
                              d->job.msg.imei[0] != '\0',
                              (uint64_t)d->job.verdict.outcome,
                              (uint64_t)d->job.verdict.reason,
                              (uint64_t)d->port_verdict.reason,
                              d->port,
                              (uint64_t)waiting_for,
                              (uint64_t)d->job.started_us,
                              (uint64_t)d->health.why[0] << 8 | d->health.is_quarantined};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        mix = (mix ^ parts[i]) * 1099511628211u;
    }
    return mix;
}

static void show_job(struct slot_view *v, const struct slot_view *before, const struct job *job)
{
    /* A lent message may be in another thread's hands: what its answer fills in is not ours to read. */
    bool is_same = strcmp(before->job, job->msg.job) == 0;
    const char *earlier = !job->msg_is_out ? job->msg.earlier_job : is_same ? before->earlier_job : "";
    buf_copy(v->earlier_job, sizeof(v->earlier_job), span_str(earlier));
    memcpy(v->imei, job->msg.imei, sizeof(v->imei));
    memcpy(v->uuid, job->msg.uuid, sizeof(v->uuid));
    memcpy(v->model, job->msg.model, sizeof(v->model));
    memcpy(v->modem_firmware, job->msg.modem_firmware, sizeof(v->modem_firmware));
    memcpy(v->order, job->msg.order, sizeof(v->order));
    memcpy(v->job, job->msg.job, sizeof(v->job));
    buf_copy(v->step, sizeof(v->step), span_str(job_step(job)));
    v->progress_permille = job_progress_permille(job);
    v->proof = job->msg.proof;
}

static void show_verdict(struct slot_view *v, const struct verdict *verdict, int64_t wall_ms)
{
    v->has_verdict = true;
    v->verdict = *verdict;
    v->verdict_wall_ms = wall_ms;
}

static bool job_tells(const struct device *d)
{
    enum job_phase phase = job_phase(&d->job);
    bool is_told = phase == JOB_ENDED || (phase == JOB_RECORDING && d->job.verdict.outcome != OUTCOME_PASS);
    return d->has_job && is_told && d->job.verdict.outcome != OUTCOME_NONE;
}

static void show(struct device *d, struct device_host *host, enum slot_state state, enum reason waiting_for)
{
    struct slot_view *v = &d->view;
    struct slot_view fresh = {.state = state, .generation = d->board, .waiting_for = waiting_for};
    memcpy(fresh.id, v->id, sizeof(fresh.id));
    memcpy(fresh.fixture, v->fixture, sizeof(fresh.fixture));
    memcpy(fresh.name, v->name, sizeof(fresh.name));
    memcpy(fresh.warning, d->health.why, sizeof(fresh.warning));
    memcpy(fresh.port, d->port_name, sizeof(fresh.port));
    memcpy(fresh.usb, d->usb, sizeof(fresh.usb));
    fresh.changed_wall_ms = host->clock->wall_ms(host->clock);
    /* A board that was pulled in the middle of its job stays on the tile, with what to do, until the next one
     * comes; one that left after its verdict takes it along. */
    bool was_pulled = d->has_job && d->job.is_admitted && d->job.verdict.outcome == OUTCOME_LOST;
    bool is_somebody = d->port != PORT_ABSENT && !is_seat_empty(d);
    if (is_somebody || was_pulled) {
        if (d->has_job && !d->wants_job && d->port != PORT_OPENING) {
            show_job(&fresh, v, &d->job);
            if (job_tells(d)) {
                show_verdict(&fresh, &d->job.verdict, d->job.msg.ended_wall_ms);
            }
        }
        if (d->port == PORT_FAILED && !fresh.has_verdict) {
            show_verdict(&fresh, &d->port_verdict, fresh.changed_wall_ms);
        }
    } else if (d->port == PORT_ABSENT) {
        fresh.port[0] = '\0';
    }
    *v = fresh;
    host->env->publish(host->env->ctx, d->index, v);
}

/* Once for each job: what it says about the slot. */
static void note_end(struct device *d, struct device_host *host)
{
    bool is_over = d->has_job && !d->is_noted && job_phase(&d->job) == JOB_ENDED;
    if (!is_over || d->job.verdict.outcome == OUTCOME_NONE) { /* an empty seat that was probed says nothing */
        return;
    }
    d->is_noted = true;
    struct health_run run = {
        .verdict = &d->job.verdict,
        .imei = d->job.msg.imei,
        .wrote = d->job.wrote_anything,
        .was_chunked = d->job.begin.is_chunked,
        .damaged = d->job.damaged,
        .written = d->job.written,
    };
    health_note(&d->health, &run);
    host->ended(host->ctx, d);
}

/* What stands on record about the slot follows what it is, one change at a time. */
static void note_quarantine(struct device *d, struct device_host *host, int64_t now_us)
{
    bool is_quarantined = d->health.is_quarantined;
    bool is_waiting = d->note_us != TIME_NEVER && now_us < d->note_us;
    if (!host->env->note || d->note_is_out || is_quarantined == d->is_on_record) {
        d->note_us = TIME_NEVER;
        return;
    }
    if (is_waiting) {
        return;
    }
    if (is_quarantined) {
        memcpy(d->why, d->health.why, sizeof(d->why));
    }
    int r = host->env->note(host->env->ctx, d->index, is_quarantined, is_quarantined ? "" : d->released_by,
                            d->why);
    d->note_is_out = r == 0;
    d->note_us = r == 0 ? TIME_NEVER : now_us + REPOST_US;
}

void device_noted(struct device *d, int result, int64_t now_us)
{
    d->note_is_out = false;
    if (result == 0) {
        d->is_on_record = !d->is_on_record;
    } else {
        d->note_us = now_us + RENOTE_US;
    }
}

void device_settle(struct device *d, struct device_host *host, int64_t now_us)
{
    note_end(d, host);
    note_quarantine(d, host, now_us);
    settle_polling(d, now_us);
    if (d->wants_job && d->port == PORT_OPEN && device_is_idle(d)) {
        start_job(d, host, now_us);
        d->is_fresh = false;
    }
    lend(d, host, now_us);
    pump(d, host, now_us);
    enum slot_state state = device_state(d, now_us);
    enum reason waiting_for = state == SLOT_WAITING || state == SLOT_HELD || state == SLOT_QUARANTINED
                                  ? host->waiting_for
                                  : REASON_NONE;
    /* A board that was pulled in mid-job stays on the tile while its empty seat is being probed. */
    bool keeps_lost = is_seat_empty(d) && d->view.has_verdict && d->view.verdict.outcome == OUTCOME_LOST &&
                      d->job.verdict.outcome == OUTCOME_NONE;
    if (keeps_lost) {
        return;
    }
    uint64_t now_shown = fingerprint(d, state, waiting_for);
    if (now_shown != d->shown) {
        d->shown = now_shown;
        show(d, host, state, waiting_for);
    }
}

/* ---- time ---- */

int64_t device_deadline(const struct device *d)
{
    int64_t at = time_min(time_min(d->reopen_us, d->poll_us), time_min(d->pace_us, d->post_us));
    at = time_min(at, d->note_us);
    if (!d->has_job) {
        return at;
    }
    at = time_min(at, job_deadline(&d->job));
    if (job_phase(&d->job) == JOB_CONTACTING && !d->job.has_heard && d->view.state != SLOT_SILENT) {
        at = time_min(at, d->job.started_us + 3 * US_PER_S); /* when it is to be shown as silent */
    }
    return at;
}

void device_tick(struct device *d, struct device_host *host, int64_t now_us)
{
    if (now_us >= d->reopen_us && d->port == PORT_FAILED) {
        d->generation++;
        open_port(d, host);
    }
    if (now_us >= d->poll_us) {
        poll_seat(d, now_us);
    }
    if (d->has_job) {
        job_tick(&d->job, now_us);
    }
}
