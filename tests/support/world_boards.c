/*
 * The rack half: boards, the hands that plug and pull them, and everything that goes wrong by chance. The
 * hands look at the slots' views as an operator would and know nothing else of the daemon.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/world_internal.h"

#define CHANCE_US    (150 * US_PER_MS) /* something happens about so often */
#define SHIFTS_A_DAY 3
#define SHIFT_US     (8 * 3600 * US_PER_S)

static enum sim_family family_of_board(const struct world_rack *rack, uint32_t i)
{
    static const enum sim_family real[] = {SIM_F2B, SIM_F2A, SIM_F1_3B};
    return rack->proof == PROOF_PRESENCE ? SIM_F1 : real[i % 3];
}

/* Most are Nordic's AT host, in one build or another. */
static void choose_front(struct world *w, uint32_t i, struct simboard_config *c)
{
    static const char *const hosts[] = {"at_host", "at_host:lf", "at_host:crlf", "at_host:nul"};
    static const char *const others[] = {"serial_modem",      "slm",    "shell", "certline",
                                         "serial_modem:crlf", "slm:cr", "shell"};
    const char *name = hosts[world_dice(w, sizeof(hosts) / sizeof(*hosts))];
    if (i % 5 >= 3) {
        name = others[(i / 5 * 2 + i % 5 - 3) % (sizeof(others) / sizeof(*others))];
    }
    if (sim_front_parse(name, &c->front, &c->term) < 0) {
        abort();
    }
}

static void init_board(struct world *w, uint32_t i, uint32_t rack)
{
    static const enum sim_list_order orders[] = {SIM_LIST_STORED, SIM_LIST_REVERSED, SIM_LIST_SORTED};
    struct world_board *b = &w->boards[i];
    *b = (struct world_board){.rack = rack, .slot = WORLD_NOWHERE};
    struct simboard_config c = SIMBOARD_CONFIG_DEFAULT;
    c.number = i + 1;
    sim_imei_make("35146580000000", i, c.imei);
    c.family = family_of_board(&w->config.racks[rack], i);
    choose_front(w, i, &c);
    c.nvm_ms = 5 + (uint32_t)world_dice(w, 60);
    c.boot_ms = (uint32_t)world_dice(w, 800);
    c.is_bus_powered = world_dice(w, 3) > 0;
    c.tears_writes = world_dice(w, 2) > 0;
    c.says_ready = world_dice(w, 2) > 0;
    c.is_silent_at_boot = world_dice(w, 4) == 0;
    c.list_order = orders[world_dice(w, 3)];
    c.seed = w->config.seed + i;
    memcpy(b->imei, c.imei, sizeof(b->imei));
    b->sim = simboard_new(&c);
    if (!b->sim) {
        abort();
    }
    simboard_unplug(b->sim, 0);
}

void world_boards_init(struct world *w)
{
    for (uint32_t r = 0; r < w->config.n_racks; r++) {
        w->n_boards += w->config.racks[r].boards;
    }
    w->boards = calloc(w->n_boards, sizeof(*w->boards));
    uint32_t n = 0;
    for (uint32_t r = 0; r < w->config.n_racks; r++) {
        for (uint32_t i = 0; i < w->config.racks[r].boards; i++) {
            init_board(w, n++, r);
        }
    }
}

void world_boards_done(struct world *w)
{
    for (uint32_t i = 0; i < w->n_boards; i++) {
        simboard_free(w->boards[i].sim);
    }
    free(w->boards);
}

uint32_t world_board_count(const struct world *w)
{
    return w->n_boards;
}

struct simboard *world_board(struct world *w, uint32_t board)
{
    return w->boards[board].sim;
}

const char *world_imei(const struct world *w, uint32_t board)
{
    return w->boards[board].imei;
}

uint32_t world_slot_of(const struct world *w, uint32_t board)
{
    return w->boards[board].slot;
}

/* ---- hands */

void world_plug(struct world *w, uint32_t board, uint32_t slot)
{
    struct world_board *b = &w->boards[board];
    assert(b->slot == WORLD_NOWHERE && w->slots[slot].board == WORLD_NOWHERE);
    b->slot = slot;
    w->slots[slot].board = board;
    simboard_plug(b->sim, w->now_us);
    if (w->is_up) {
        /* Hot-plug cannot know that a board with its own supply kept half a line over a pulled cable. */
        world_announce(w, slot, true);
    }
}

void world_pull(struct world *w, uint32_t board)
{
    struct world_board *b = &w->boards[board];
    uint32_t slot = b->slot;
    assert(slot != WORLD_NOWHERE);
    simboard_run(b->sim, w->now_us);
    bool was_in = simboard_is_plugged(b->sim) || w->slots[slot].is_open;
    simboard_unplug(b->sim, w->now_us);
    if (was_in && w->is_up) {
        world_cut(w, slot);
    }
    b->slot = WORLD_NOWHERE;
    w->slots[slot].board = WORLD_NOWHERE;
}

void world_clear_board(struct world *w, uint32_t board)
{
    struct world_board *b = &w->boards[board];
    simboard_run(b->sim, w->now_us);
    simboard_clear_faults(b->sim);
    b->has_fault = false;
    b->must_fail = NULL;
    simboard_reboot(b->sim, w->now_us); /* one that hung, and a latched warning */
}

uint32_t world_empty_slot(struct world *w, uint32_t rack)
{
    uint32_t found = WORLD_NOWHERE, n = 0;
    for (uint32_t i = 0; i < w->n_slots; i++) {
        if (w->slots[i].rack == rack && w->slots[i].board == WORLD_NOWHERE && world_dice(w, ++n) == 0) {
            found = i;
        }
    }
    return found;
}

/* A board of chance that lies about (`is_in`: is in a slot); WORLD_NOWHERE when there is none. */
static uint32_t some_board(struct world *w, bool is_in)
{
    for (uint32_t tries = 0; tries < 8; tries++) {
        uint32_t i = (uint32_t)world_dice(w, w->n_boards);
        if ((w->boards[i].slot != WORLD_NOWHERE) == is_in) {
            return i;
        }
    }
    return WORLD_NOWHERE;
}

static void plug_somewhere(struct world *w, uint32_t board)
{
    uint32_t rack = w->boards[board].rack;
    /* A wrong rack only where it can do no more than be refused: in one whose bundles are made for others. */
    uint32_t wrong = (uint32_t)world_dice(w, w->config.n_racks);
    if (world_hits(w, 40) && w->config.racks[wrong].source == SOURCE_BOUND &&
        w->config.racks[rack].source == SOURCE_POOL) {
        rack = wrong;
    }
    uint32_t slot = world_empty_slot(w, rack);
    if (slot != WORLD_NOWHERE) {
        world_plug(w, board, slot);
    }
}

/* An operator who lifts out what is done and puts in what lies about. */
static void serve_racks(struct world *w)
{
    for (uint32_t i = 0; w->is_up && i < w->n_slots; i++) {
        uint32_t board = w->slots[i].board;
        if (board == WORLD_NOWHERE || !world_hits(w, 300)) {
            continue;
        }
        bool is_dead = !simboard_is_plugged(w->boards[board].sim);
        enum slot_state state = world_view(w, i)->state;
        if (state == SLOT_DONE || state == SLOT_QUARANTINED || is_dead) {
            world_pull(w, board);
        }
    }
    for (uint32_t n = 0; n < 1 + w->n_slots / 8; n++) {
        uint32_t board = some_board(w, false);
        if (board != WORLD_NOWHERE) {
            plug_somewhere(w, board);
        }
    }
}

/* ---- what goes wrong */

static void pull_or_move(struct world *w)
{
    uint32_t board = some_board(w, true);
    if (board == WORLD_NOWHERE) {
        return;
    }
    world_pull(w, board);
    if (world_dice(w, 2) == 0) {
        plug_somewhere(w, board);
    }
}

/* Under these a job that has written anything cannot pass, whatever it does. */
static const char *const fatal[] = {"stored_wrong:1", "memory_full", "hang@write", "cut:60", "newline:cr"};

static void note_fatal(struct world *w, struct world_board *b, const char *spec)
{
    for (size_t i = 0; i < sizeof(fatal) / sizeof(*fatal) && !b->must_fail; i++) {
        if (strcmp(fatal[i], spec) == 0) {
            b->must_fail = fatal[i];
            b->must_fail_us = w->now_us;
        }
    }
}

static void add_fault(struct world *w, uint32_t board, const char *spec)
{
    struct world_board *b = &w->boards[board];
    note_fatal(w, b, spec);
    char why[SIM_FAULT_WHY];
    simboard_run(b->sim, w->now_us);
    if (simboard_add_fault(b->sim, spec, why, sizeof(why)) < 0) {
        world_blame(w, "fault %s: %s", spec, why);
    }
    b->has_fault = true;
    w->numbers.faults++;
}

/* Somebody wrote an entry under the product's tag before the board came here. Afterwards it would be damage,
 * which a second visit must report and not repair. */
static void add_stray(struct world *w)
{
    uint32_t board = some_board(w, false);
    if (board != WORLD_NOWHERE &&
        world_ask(w, "SELECT count(*) FROM job WHERE imei = ?", w->boards[board].imei) == 0) {
        add_fault(w, board, "stray_entry");
    }
}

/* Chance leaves one board alone or frees it of its faults as often as it gives it one. */
static uint32_t board_for_fault(struct world *w)
{
    uint32_t board = (uint32_t)world_dice(w, w->n_boards);
    if (w->boards[board].has_fault && world_dice(w, 3) > 0) {
        world_clear_board(w, board);
        return WORLD_NOWHERE;
    }
    return board;
}

static void stop_something(struct world *w)
{
    uint32_t board = board_for_fault(w);
    if (w->is_up && world_dice(w, 12) == 0) {
        add_stray(w);
        return;
    }
    if (board == WORLD_NOWHERE) {
        return;
    }
    char spec[64];
    unsigned at = 1 + (unsigned)world_dice(w, 25), octet = 1 + (unsigned)world_dice(w, 6000);
    static const char *const plain[] = {"lost_reply@write", "lost_reply:0.2@any", "lost_reply@delete",
                                        "hang@write",       "hang:0.1@any",       "urc:0.5",
                                        "supply_low",       "memory_full",        "active",
                                        "lost_reply@list",  "stray_entry:7.4"};
    const unsigned n_plain = sizeof(plain) / sizeof(*plain);
    unsigned pick = (unsigned)world_dice(w, n_plain + 4);
    if (pick < n_plain) {
        snprintf(spec, sizeof(spec), "%s", plain[pick]);
    } else if (pick < n_plain + 2) {
        snprintf(spec, sizeof(spec), "unplug@byte:%u", octet);
    } else {
        snprintf(spec, sizeof(spec), pick == n_plain + 2 ? "reboot@command:%u" : "hang@command:%u", at);
    }
    add_fault(w, board, spec);
}

static void change_octets(struct world *w)
{
    uint32_t board = board_for_fault(w);
    if (board == WORLD_NOWHERE) {
        return;
    }
    struct world_board *b = &w->boards[board];
    if (w->config.racks[b->rack].proof == PROOF_PRESENCE) {
        return; /* presence proves nothing about the content, and nobody says that it did */
    }
    static const char *const specs[] = {"drop:0.0005",  "drop:0.01",        "garble:0.0005", "garble:0.01",
                                        "dup:0.0005",   "dup:0.01",         "cut:700",       "cut:60",
                                        "newline:crlf", "newline:lf",       "newline:cr",    "fifo:16",
                                        "fifo:200",     "stored_wrong:0.5", "stored_wrong:1"};
    b->has_noise = true;
    add_fault(w, board, specs[world_dice(w, sizeof(specs) / sizeof(*specs))]);
}

static void command_something(struct world *w)
{
    if (!w->is_up) {
        return;
    }
    uint32_t slot = (uint32_t)world_dice(w, w->n_slots);
    struct err_info why = {0};
    switch (world_dice(w, 4)) {
    case 0:
        LINE((void)station_abort(w->station, slot, 0, &why, w->now_us));
        break;
    case 1:
        LINE((void)station_retry(w->station, slot, 0, &why, w->now_us));
        break;
    case 2:
        LINE((void)station_start(w->station, slot, 0, "eve", "SN-1", &why, w->now_us));
        break;
    default:
        LINE((void)station_release(w->station, slot, 0, "eve", &why, w->now_us));
        break;
    }
}

/* Another hand wrote to a board that lies about: where a second visit provisions again, it gets its own
 * bundle back. Not so where boards make their keys: another one there is nobody's to delete. */
static void damage_something(struct world *w)
{
    uint32_t board = some_board(w, false);
    const struct world_rack *rack = board == WORLD_NOWHERE ? NULL : &w->config.racks[w->boards[board].rack];
    if (rack && rack->second_visit == SECOND_AGAIN && rack->source != SOURCE_KEYGEN) {
        struct simboard *sim = w->boards[board].sim;
        char other[32];
        int len = snprintf(other, sizeof(other), "other %llu", (unsigned long long)w->turn++);
        simboard_run(sim, w->now_us);
        if (simboard_entry_put(sim, WORLD_TAG, (unsigned)world_dice(w, 3), other, (size_t)len) < 0) {
            world_blame(w, "no room for damage");
        }
    }
}

static void reboot_something(struct world *w)
{
    uint32_t board = some_board(w, true);
    if (board != WORLD_NOWHERE) {
        simboard_reboot(w->boards[board].sim, w->now_us);
    }
}

static void trouble_store(struct world *w)
{
    switch (world_dice(w, 4)) {
    case 0:
        world_break_store(w, true, false);
        break;
    case 1:
        world_break_store(w, true, true);
        break;
    case 2:
        w->store_slow_us = (int64_t)world_dice(w, 2000000);
        break;
    default:
        w->keys_slow_us = (int64_t)world_dice(w, 500000);
        break;
    }
    world_at(w, (int64_t)world_dice(w, 8000000), HAPPENS_STORE_HEALS, 0, 0, 0);
}

static void trouble_orders(struct world *w)
{
    if (!w->is_up) {
        return;
    }
    if (world_dice(w, 2) == 0) {
        world_renew_order(w, (uint32_t)world_dice(w, w->config.n_racks));
    } else {
        world_set_orders(w, false);
        world_at(w, (int64_t)world_dice(w, 3000000), HAPPENS_ORDERS_BACK, 0, 0, 0);
    }
}

static void kill_daemon(struct world *w)
{
    if (w->is_up) {
        world_kill(w);
        world_at(w, (int64_t)world_dice(w, 3000000), HAPPENS_START, 0, 0, 0);
    }
}

/* A stop runs the world on; it is asked for outside of a step (world_chaos). */
static void stop_daemon(struct world *w)
{
    w->wants_stop = w->is_up;
}

void world_chance(struct world *w)
{
    if (!w->is_troubled) {
        return; /* what was arranged before the calm */
    }
    const struct world_trouble *t = &w->config.trouble;
    const struct {
        uint32_t permille;
        void (*act)(struct world *w);
    } acts[] = {
        {t->damage, damage_something},  {t->pull, pull_or_move},     {t->faults, stop_something},
        {t->noise, change_octets},      {t->store, trouble_store},   {t->commands, command_something},
        {t->reboots, reboot_something}, {t->orders, trouble_orders}, {t->stops, stop_daemon},
        {t->kills, kill_daemon},
    };
    for (size_t i = 0; i < sizeof(acts) / sizeof(*acts); i++) {
        if (world_hits(w, acts[i].permille)) {
            acts[i].act(w);
        }
    }
    serve_racks(w);
    world_at(w, 1 + (int64_t)world_dice(w, 2 * CHANCE_US), HAPPENS_CHANCE, 0, 0, 0);
}

static void stop_and_start(struct world *w)
{
    world_stop(w);
    world_at(w, (int64_t)world_dice(w, 3000000), HAPPENS_START, 0, 0, 0);
}

/* The hands are at the racks. */
static void work(struct world *w)
{
    int64_t until = w->now_us + w->config.trouble.seconds * US_PER_S;
    w->is_troubled = true;
    world_at(w, 1, HAPPENS_CHANCE, 0, 0, 0);
    while (w->now_us < until && world_step(w)) {
        if (w->wants_stop && w->is_up) {
            stop_and_start(w);
        }
        w->wants_stop = false;
    }
    w->is_troubled = false;
}

static void change_shift(struct world *w)
{
    world_run_for(w, SHIFT_US - w->now_us % SHIFT_US); /* and what was arranged has long arrived */
    if (!w->is_up) {
        return;
    }
    switch (world_dice(w, 4)) {
    case 0:
        stop_and_start(w);
        break;
    case 1:
        kill_daemon(w);
        break;
    case 2:
        world_renew_order(w, (uint32_t)world_dice(w, w->config.n_racks));
        break;
    default:
        break;
    }
}

void world_chaos(struct world *w)
{
    uint32_t shifts = w->config.trouble.days * SHIFTS_A_DAY;
    for (uint32_t i = 0; i < shifts && !w->violation[0]; i++) {
        work(w);
        change_shift(w);
    }
    if (shifts == 0) {
        work(w);
    }
    world_check(w, false);
}

/* ---- calm */

static void end_trouble(struct world *w)
{
    world_break_store(w, false, false);
    w->store_slow_us = w->keys_slow_us = 0;
    for (uint32_t i = 0; i < w->n_boards; i++) {
        if (w->boards[i].slot != WORLD_NOWHERE) {
            world_pull(w, i);
        }
        world_clear_board(w, i);
    }
    world_run_for(w, 5 * US_PER_S); /* what was on its way arrives: a start, the news of the empty racks */
    if (!w->is_up) {
        world_start(w);
    }
    world_set_orders(w, true);
}

/* A board that has its verdict: out with it, or once more. */
static void serve_calm(struct world *w, uint32_t slot)
{
    const struct slot_view *view = world_view(w, slot);
    uint32_t board = w->slots[slot].board;
    struct world_board *b = board == WORLD_NOWHERE ? NULL : &w->boards[board];
    if (b && view->state == SLOT_WAITING && w->config.racks[b->rack].start != START_PLUG) {
        struct err_info why = {0};
        LINE((void)station_start(w->station, slot, view->generation, "eve", "SN-1", &why, w->now_us));
        return;
    }
    if (b && view->state == SLOT_QUARANTINED) { /* somebody has looked at the slot's wiring */
        struct err_info why = {0};
        LINE((void)station_release(w->station, slot, view->generation, "eve", &why, w->now_us));
        return;
    }
    if (!b || view->state != SLOT_DONE || view->generation == w->slots[slot].seen_generation) {
        return;
    }
    w->slots[slot].seen_generation = view->generation;
    b->is_done = view->verdict.outcome == OUTCOME_PASS && strcmp(view->imei, b->imei) == 0;
    if (!b->is_done) {
        world_blame(w, "board %s does not pass in the calm: %s %s (%s) in job %s", b->imei,
                    outcome_name(view->verdict.outcome), reason_text(view->verdict.reason)->name,
                    view->verdict.detail, view->job);
        world_keep_dialogue(w, view->job);
    }
    w->n_done += b->is_done;
    world_pull(w, board);
}

static void blame_endless(struct world *w)
{
    for (uint32_t i = 0; w->is_up && i < w->n_slots; i++) {
        const struct slot_view *v = world_view(w, i);
        if (w->slots[i].board != WORLD_NOWHERE) {
            world_blame(
                w, "the calm does not end: slot %s is %s, board %s, generation %u, step %s, waits for %s",
                v->id, slot_state_name(v->state), w->boards[w->slots[i].board].imei, v->generation, v->step,
                v->waiting_for == REASON_NONE ? "-" : reason_text(v->waiting_for)->name);
        }
    }
    world_blame(w, "the calm does not end");
}

/* Boards that lie about go into empty slots, in their order; in the calm each comes once. */
static void fill_slot(struct world *w, uint32_t slot)
{
    uint32_t rack = w->slots[slot].rack, *next = &w->next_in_calm[rack];
    while (*next < w->n_boards && (w->boards[*next].rack != rack || w->boards[*next].slot != WORLD_NOWHERE)) {
        (*next)++;
    }
    if (*next < w->n_boards && world_view(w, slot)->state == SLOT_ABSENT) {
        world_plug(w, (*next)++, slot);
    }
}

bool world_calm(struct world *w)
{
    end_trouble(w);
    memset(w->next_in_calm, 0, sizeof(w->next_in_calm));
    w->n_done = 0;
    for (uint32_t i = 0; i < w->n_boards; i++) {
        w->boards[i].is_done = false;
    }
    int64_t until = w->now_us + (120 + 30 * (int64_t)w->n_boards) * US_PER_S;
    while (w->n_done < w->n_boards && !w->violation[0]) {
        for (uint32_t i = 0; w->is_up && i < w->n_slots; i++) {
            if (w->slots[i].board == WORLD_NOWHERE) {
                fill_slot(w, i);
            } else {
                serve_calm(w, i);
            }
        }
        if (!world_step(w) || w->now_us > until) {
            blame_endless(w);
        }
    }
    world_run_for(w, 2 * US_PER_S);
    return !w->violation[0];
}
