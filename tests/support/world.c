/*
 * Time and the order of things. What falls due at the same microsecond happens in the order in which it was
 * arranged, boards' octets after that slot by slot, the line's own timers last: nothing depends on addresses
 * or on the machine.
 */
#include "support/world.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/world_internal.h"

#define WALL_AT_ZERO_MS INT64_C(1795161600000) /* 2026-11-20T08:00:00Z */
#define STILL_MAX       200000                 /* steps without the clock moving: something runs in circles */

static int64_t mono_us(const struct clock *clock)
{
    return ((const struct world *)(const void *)clock)->now_us;
}

static int64_t wall_ms(const struct clock *clock)
{
    return WALL_AT_ZERO_MS + ((const struct world *)(const void *)clock)->now_us / US_PER_MS;
}

/* ---- chance */

uint64_t world_dice(struct world *w, uint64_t below)
{
    return rng_below(&w->chance, below);
}

bool world_hits(struct world *w, uint32_t permille)
{
    return world_dice(w, 1000) < permille;
}

/* ---- events: a heap, the earliest on top */

static bool is_before(const struct world_event *a, const struct world_event *b)
{
    return a->at_us < b->at_us || (a->at_us == b->at_us && a->turn < b->turn);
}

static void swap_events(struct world *w, uint32_t a, uint32_t b)
{
    struct world_event kept = w->events[a];
    w->events[a] = w->events[b];
    w->events[b] = kept;
}

static void push_event(struct world *w, const struct world_event *event)
{
    uint32_t at = w->n_events++;
    w->events[at] = *event;
    for (; at > 0 && is_before(&w->events[at], &w->events[(at - 1) / 2]); at = (at - 1) / 2) {
        swap_events(w, at, (at - 1) / 2);
    }
}

static struct world_event pop_event(struct world *w)
{
    struct world_event first = w->events[0];
    w->events[0] = w->events[--w->n_events];
    for (uint32_t at = 0, child = 1; child < w->n_events; at = child, child = 2 * at + 1) {
        bool is_right = child + 1 < w->n_events && is_before(&w->events[child + 1], &w->events[child]);
        child += is_right;
        if (!is_before(&w->events[child], &w->events[at])) {
            break;
        }
        swap_events(w, at, child);
    }
    return first;
}

void world_at(struct world *w, int64_t delay_us, enum happening kind, uint32_t slot, uint32_t generation,
              int value)
{
    if (w->n_events == WORLD_EVENTS_MAX) {
        world_blame(w, "events pile up");
        return;
    }
    push_event(w, &(struct world_event){.at_us = w->now_us + delay_us,
                                        .turn = w->turn++,
                                        .kind = kind,
                                        .slot = slot,
                                        .generation = generation,
                                        .value = value});
}

void world_forget_daemon_events(struct world *w)
{
    uint32_t n = w->n_events;
    w->n_events = 0;
    for (uint32_t i = 0; i < n; i++) { /* those that stay move to the front of where they stand */
        struct world_event event = w->events[i];
        if (event.kind > HAPPENS_LAST_OF_DAEMON) {
            push_event(w, &event);
        }
    }
}

static int64_t next_time(struct world *w)
{
    int64_t at = w->n_events > 0 ? w->events[0].at_us : TIME_NEVER;
    if (w->is_up) {
        at = time_min(at, station_deadline(w->station));
    }
    for (uint32_t i = 0; i < w->n_slots; i++) {
        if (w->slots[i].is_open) {
            at = time_min(at, simboard_next_us(w->boards[w->slots[i].board].sim));
        }
    }
    return at;
}

/* ---- a step */

static void die_if_due(struct world *w)
{
    if (w->is_dying) {
        world_kill(w);
        world_at(w, US_PER_S, HAPPENS_START, 0, 0, 0);
    }
}

static void happen(struct world *w, const struct world_event *e)
{
    switch (e->kind) {
    case HAPPENS_START:
        if (!w->is_up) {
            world_start(w);
        }
        return;
    case HAPPENS_CHANCE:
        world_chance(w);
        return;
    case HAPPENS_STORE_HEALS:
        world_break_store(w, false, false);
        w->store_slow_us = w->keys_slow_us = 0;
        return;
    case HAPPENS_ORDERS_BACK:
        if (w->is_up) {
            world_set_orders(w, true);
        }
        return;
    case HAPPENS_ARRIVED:
    case HAPPENS_LEFT:
    case HAPPENS_HANGUP:
    case HAPPENS_OPENED:
    case HAPPENS_WRITABLE:
    case HAPPENS_READ:
    case HAPPENS_STORE:
    case HAPPENS_STORE_TELLS:
    case HAPPENS_KEYS:
    case HAPPENS_KEYS_TELL:
    case HAPPENS_ISSUER:
    case HAPPENS_ISSUER_TELLS:
    case HAPPENS_NOTE:
        world_daemon_happens(w, e);
        die_if_due(w);
        return;
    }
}

static void run_events(struct world *w)
{
    while (w->n_events > 0 && w->events[0].at_us <= w->now_us) {
        struct world_event e = pop_event(w);
        happen(w, &e);
    }
}

bool world_step(struct world *w)
{
    int64_t at = next_time(w);
    if (at == TIME_NEVER || w->violation[0]) {
        return false;
    }
    w->still = at > w->now_us ? 0 : w->still + 1;
    if (w->still > STILL_MAX) {
        world_blame(w, "time stands still");
        return false;
    }
    w->now_us = at > w->now_us ? at : w->now_us;
    w->numbers.steps++;
    run_events(w);
    for (uint32_t i = 0; i < w->n_slots; i++) {
        const struct world_slot *s = &w->slots[i];
        if (s->is_open && simboard_next_us(w->boards[s->board].sim) <= w->now_us) {
            world_read(w, i);
            die_if_due(w);
        }
    }
    if (w->is_up && station_deadline(w->station) <= w->now_us) {
        LINE(station_tick(w->station, w->now_us));
        die_if_due(w);
    }
    return true;
}

void world_run_for(struct world *w, int64_t us)
{
    int64_t until = w->now_us + us;
    while (!w->violation[0] && next_time(w) <= until && world_step(w)) {
    }
    w->now_us = w->now_us > until ? w->now_us : until;
}

static bool is_settled(struct world *w, uint32_t slot)
{
    uint32_t board = w->slots[slot].board;
    enum slot_state state = world_view(w, slot)->state;
    if (board == WORLD_NOWHERE) {
        return state == SLOT_ABSENT;
    }
    return state == SLOT_DONE || state == SLOT_HELD || state == SLOT_QUARANTINED || state == SLOT_WAITING;
}

bool world_run_settled(struct world *w, uint32_t limit_s)
{
    int64_t until = w->now_us + limit_s * US_PER_S;
    for (;;) {
        bool is_all = w->is_up;
        for (uint32_t i = 0; is_all && i < w->n_slots; i++) {
            is_all = is_settled(w, i);
        }
        if (is_all) {
            return true;
        }
        if (w->now_us > until || !world_step(w)) {
            return false;
        }
    }
}

/* ---- whole */

static void init_slots(struct world *w)
{
    for (uint32_t r = 0; r < w->config.n_racks; r++) {
        const struct world_rack *rack = &w->config.racks[r];
        for (uint32_t i = 0; i < rack->slots; i++) {
            assert(w->n_slots < WORLD_SLOTS_MAX);
            w->slots[w->n_slots] = (struct world_slot){.rack = r, .board = WORLD_NOWHERE};
            struct slot_config *c = &w->slot_configs[w->n_slots++];
            c->start = rack->start;
            snprintf(c->fixture, sizeof(c->fixture), "%s", rack->name);
            snprintf(c->name, sizeof(c->name), "%03u", i + 1);
            snprintf(c->id, sizeof(c->id), "%s/%03u", rack->name, i + 1);
        }
    }
}

struct world *world_new(const struct world_config *config)
{
    struct world *w = calloc(1, sizeof(*w));
    if (!w) {
        abort();
    }
    w->clock = (struct clock){.mono_us = mono_us, .wall_ms = wall_ms};
    w->config = *config;
    w->now_us = US_PER_S;
    w->chance.state = config->seed;
    w->ids.state = config->seed ^ 0x1d5;
    w->allocations_before = malloc_count();
    init_slots(w);
    world_boards_init(w);
    world_products_init(w);
    world_daemon_init(w);
    return w;
}

void world_free(struct world *w)
{
    if (w) {
        world_daemon_done(w);
        world_products_done(w);
        world_boards_done(w);
        free(w);
    }
}

/* ---- small doors */

int64_t world_now_us(const struct world *w)
{
    return w->now_us;
}

bool world_is_up(const struct world *w)
{
    return w->is_up;
}

void world_kill_at(struct world *w, enum world_point point, uint64_t k)
{
    w->kills_at = true;
    w->kill_point = point;
    w->kill_k = k;
}

uint64_t world_opportunities(const struct world *w, enum world_point point)
{
    return w->points[point];
}

uint64_t world_kills_fired(const struct world *w, enum world_point point)
{
    return w->fired[point];
}

struct station *world_station(struct world *w)
{
    return w->station;
}

const struct slot_view *world_view(struct world *w, uint32_t slot)
{
    return station_view(w->station, slot);
}

void world_break_store(struct world *w, bool is_broken, bool is_lost)
{
    w->store_is_broken = is_broken;
    w->store_is_lost = is_lost;
    if (w->is_up) { /* as the daemon does when a commit fails, and when one succeeds again */
        LINE(station_set_block(w->station, is_broken ? REASON_store_failed : REASON_NONE, NULL, w->now_us));
        die_if_due(w);
    }
}

void world_renew_order(struct world *w, uint32_t rack)
{
    struct store_op op = {.kind = STORE_ORDER_CLOSE};
    snprintf(op.named.id, sizeof(op.named.id), "%s", w->products[rack].order.id);
    snprintf(op.named.who, sizeof(op.named.who), "world");
    if (world_op(w, &op) < 0) {
        world_blame(w, "close order: %s", op.detail);
        return;
    }
    const char *why = world_put_order(w, rack);
    if (why) {
        world_blame(w, "order: %s", why);
    }
    world_set_orders(w, true);
}

void world_blame(struct world *w, const char *format, ...)
{
    if (w->violation[0]) {
        return;
    }
    int at = snprintf(w->violation, sizeof(w->violation), "at %lld us: ", (long long)w->now_us);
    va_list args;
    va_start(args, format);
    vsnprintf(w->violation + at, sizeof(w->violation) - (size_t)at, format, args);
    va_end(args);
}

struct world_numbers world_numbers(struct world *w)
{
    w->numbers.allocations = malloc_count() - w->allocations_before;
    return w->numbers;
}
