/*
 * Power, plug and the order of events. A board is a handful of things that may be under way: an octet on each
 * wire, a command, a boot, an octet in the FIFO. simboard_run takes the earliest until none is due; each is
 * handled at its own time, so nothing depends on how often the owner calls.
 *
 * Of things due in the same microsecond the FIFO goes first and the host's octet last: a board that has just
 * become free is free for it.
 */
#include "sim/board_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define US_PER_MS INT64_C(1000)

enum event { EVENT_TAKE, EVENT_OUT, EVENT_FINISH, EVENT_BOOT, EVENT_FRONT, EVENT_IN, EVENT_NONE };

/* -- Power -- */

static void power_off(struct simboard *b)
{
    if (b->state == BOARD_EXECUTING)
        modem_abort(&b->modem);
    b->state = BOARD_IDLE;
    uart_clear(b);
    b->is_booting = b->is_powered = false;
}

/* Also a reset: whatever was under way is gone. */
void simboard_power_up(struct simboard *b)
{
    power_off(b);
    modem_reset(&b->modem);
    b->fired.active += b->modem.boots_active;
    b->front.vt->reset(&b->front, b->now_us);
    b->boots++;
    b->is_powered = b->is_booting = true;
    b->boot_done_us = b->now_us + b->config.boot_ms * US_PER_MS;
}

static void boot_ended(struct simboard *b)
{
    b->is_booting = false;
    if (!b->config.is_silent_at_boot)
        b->front.vt->banner(&b->front, b->now_us);
}

bool board_takes(const struct simboard *b)
{
    bool is_held = b->front.vt->holds && b->front.vt->holds(&b->front);
    if (!b->is_powered || b->is_booting || is_held)
        return false;
    switch (b->front.vt->takes) {
    case FRONT_TAKES_WHEN_ANSWERED:
        return b->state == BOARD_IDLE && !b->answer.is_sending;
    case FRONT_TAKES_WHEN_EXECUTED:
        return b->state == BOARD_IDLE;
    case FRONT_TAKES_ALWAYS:
        break;
    }
    return true;
}

static int64_t front_time(const struct simboard *b)
{
    bool is_up = b->is_powered && !b->is_booting && b->front.vt->when;
    int64_t us = is_up ? b->front.vt->when(&b->front) : SIM_NEVER;
    return us > b->now_us ? us : b->now_us;
}

/* -- Events -- */

static int64_t event_time(const struct simboard *b, enum event event)
{
    switch (event) {
    case EVENT_TAKE:
        if (b->fifo.len == 0 || !board_takes(b))
            return SIM_NEVER;
        return b->drain_us ? b->fifo_next_us : b->now_us;
    case EVENT_OUT:
        return b->out.is_on_wire ? wire_ceil(b->out.end) : SIM_NEVER;
    case EVENT_FINISH:
        return b->state == BOARD_EXECUTING ? b->exec_done_us : SIM_NEVER;
    case EVENT_BOOT:
        return b->is_booting ? b->boot_done_us : SIM_NEVER;
    case EVENT_FRONT:
        return front_time(b);
    case EVENT_IN:
        return b->in.is_on_wire ? wire_ceil(b->in.end) : SIM_NEVER;
    case EVENT_NONE:
        break;
    }
    return SIM_NEVER;
}

static void handle(struct simboard *b, enum event event)
{
    switch (event) {
    case EVENT_TAKE:
        uart_take(b);
        break;
    case EVENT_OUT:
        uart_out_ended(b);
        break;
    case EVENT_FINISH:
        simboard_command_finish(b);
        break;
    case EVENT_BOOT:
        boot_ended(b);
        break;
    case EVENT_FRONT:
        b->front.vt->due(&b->front, b->now_us);
        break;
    case EVENT_IN:
        uart_in_ended(b);
        break;
    case EVENT_NONE:
        break;
    }
    uart_start_out(b);
    uart_start_in(b);
}

static enum event earliest(const struct simboard *b, int64_t *ret_us)
{
    enum event found = EVENT_NONE;

    *ret_us = SIM_NEVER;
    for (enum event event = EVENT_TAKE; event < EVENT_NONE; event++) {
        int64_t us = event_time(b, event);
        if (us < *ret_us) {
            *ret_us = us;
            found = event;
        }
    }
    return found;
}

void simboard_run(struct simboard *b, int64_t now_us)
{
    int64_t us;
    enum event event;

    while ((event = earliest(b, &us)) != EVENT_NONE && us <= now_us) {
        if (us > b->now_us)
            b->now_us = us;
        handle(b, event);
    }
    if (now_us > b->now_us)
        b->now_us = now_us;
}

/* -- When to come back -- */

/* End of the n-th octet from the one on the wire on, if no gap comes between. */
static int64_t run_end(const struct simboard *b, struct wire_time first, size_t n)
{
    return wire_ceil(wire_add(first, n - 1, b->config.baud));
}

static int64_t next_in(const struct simboard *b, bool is_fine)
{
    size_t n = b->in.queue.len;

    if (!b->in.is_on_wire)
        return SIM_NEVER;
    if (is_fine)
        n = 1;
    else if (b->in.was_refused && n > SIM_LINK_SIZE / 2)
        n -= SIM_LINK_SIZE / 2;
    return run_end(b, b->in.end, n);
}

static int64_t next_out(const struct simboard *b, bool is_fine)
{
    if (!b->out.is_on_wire)
        return SIM_NEVER;

    size_t n = 1 + b->notice.len + b->answer.len - b->answer.at;
    size_t room = b->out.arrived.len < SIM_LINK_SIZE ? SIM_LINK_SIZE - b->out.arrived.len : 1;
    return run_end(b, b->out.end, is_fine ? 1 : n < room ? n : room);
}

static int64_t lesser(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t simboard_next_us(const struct simboard *b)
{
    bool is_fine = exact_waits_for_octet(b);
    int64_t next = lesser(next_in(b, is_fine), next_out(b, is_fine));

    next = lesser(next, event_time(b, EVENT_TAKE));
    next = lesser(next, event_time(b, EVENT_FINISH));
    next = lesser(next, event_time(b, EVENT_FRONT));
    return lesser(next, event_time(b, EVENT_BOOT));
}

/* -- The host's side -- */

size_t simboard_from_host(struct simboard *b, const void *octets, size_t n, int64_t now_us)
{
    simboard_run(b, now_us);
    if (!b->is_open)
        return 0;

    size_t room = SIM_LINK_SIZE - b->in.queue.len;
    size_t taken = n < room ? n : room;
    for (size_t i = 0; i < taken; i++)
        ring_push(&b->in.queue, ((const char *)octets)[i]);
    b->in.was_refused = taken < n;
    uart_start_in(b);
    return taken;
}

size_t simboard_to_host(struct simboard *b, void *out, size_t max, int64_t now_us)
{
    simboard_run(b, now_us);

    size_t n = b->out.arrived.len < max ? b->out.arrived.len : max;
    for (size_t i = 0; i < n; i++)
        ((char *)out)[i] = ring_pop(&b->out.arrived);
    if (n > 0)
        uart_start_out(b); /* it may have waited for room */
    return n;
}

int simboard_port_open(struct simboard *b, int64_t now_us)
{
    simboard_run(b, now_us);
    if (!b->is_plugged)
        return -1;
    b->is_open = true;
    return 0;
}

void simboard_port_close(struct simboard *b, int64_t now_us)
{
    simboard_run(b, now_us);
    b->is_open = false;
    b->in.was_refused = false;
    b->out.arrived.len = 0;
    uart_start_out(b);
}

bool simboard_is_plugged(const struct simboard *b)
{
    return b->is_plugged;
}

void simboard_pull(struct simboard *b)
{
    b->is_plugged = b->is_open = false;
    b->in.queue.len = b->out.arrived.len = 0;
    b->in.is_on_wire = b->in.was_refused = false;
    b->in.end = b->out.end = (struct wire_time){b->now_us, 0};
    if (b->config.is_bus_powered)
        power_off(b);
    uart_start_out(b);
}

void simboard_unplug(struct simboard *b, int64_t now_us)
{
    simboard_run(b, now_us);
    if (b->is_plugged)
        simboard_pull(b);
}

void simboard_plug(struct simboard *b, int64_t now_us)
{
    simboard_run(b, now_us);
    if (b->is_plugged)
        return;
    b->is_plugged = true;
    if (!b->is_powered)
        simboard_power_up(b);
}

void simboard_reboot(struct simboard *b, int64_t now_us)
{
    simboard_run(b, now_us);
    if (b->is_powered)
        simboard_power_up(b);
}

/* -- Life -- */

/* A version 4 UUID out of the board's dice, so that the same seed gives the same device. */
static void make_uuid(struct rng *rng, char out[37])
{
    uint64_t a = rng_next(rng), b = rng_next(rng);
    snprintf(out, 37, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(a >> 32), (unsigned)(a >> 16) & 0xffffu,
             (unsigned)a & 0xfffu, ((unsigned)(b >> 48) & 0x3fffu) | 0x8000u,
             (unsigned long long)(b & UINT64_C(0xffffffffffff)));
}

static bool is_valid(const struct simboard_config *c)
{
    return c->baud >= 300 && c->baud <= 4000000 && c->fifo >= 1 && c->fifo <= SIM_LINK_SIZE &&
           c->line_max <= FRONT_LINE_MAX && c->store_size <= SIM_STORE_SIZE && c->family <= SIM_FN &&
           c->front <= SIM_FRONT_CERTLINE;
}

struct simboard *simboard_new(const struct simboard_config *config)
{
    if (!is_valid(config))
        return NULL;
    struct simboard *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;

    b->config = *config;
    b->family = sim_family_get(config->family);
    b->rng.state = config->seed ^ (config->number * UINT64_C(0xd1342543de82ef95));
    if (b->config.uuid[0] == '\0')
        make_uuid(&b->rng, b->config.uuid);
    if (b->config.twin_imei[0] == '\0')
        sim_imei_make("35146580000000", 0, b->config.twin_imei);
    if (front_init(&b->front, b) < 0) {
        free(b);
        return NULL;
    }
    uint32_t line_max = b->front.vt->line_max ? b->front.vt->line_max : b->family->line_max;
    if (b->config.line_max == 0 || b->config.line_max > line_max)
        b->config.line_max = line_max;
    memcpy(b->own_imei, b->config.imei, sizeof b->own_imei);
    b->own_flow = config->flow;
    b->own_fifo = config->fifo;
    b->own_nvm_ms = config->nvm_ms;
    modem_init(&b->modem, &b->config, &b->rng);
    b->is_plugged = true;
    simboard_power_up(b);
    return b;
}

void simboard_free(struct simboard *b)
{
    if (b)
        front_done(&b->front);
    free(b);
}
