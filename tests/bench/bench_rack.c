/*
 * A rack of 256 boards that are all plugged in at once, against one board alone, in virtual time at 115,200
 * baud: the station with its slots, a simulated board in each, and a played ledger.
 *
 * The ledger's times are fixed, so that the figures are the same on every machine: the store takes what has
 * queued up, as the daemon's does, and answers 2 ms later; keys answer one message after the other, each
 * after 20 us (two credentials opened and hashed). As keys are the one thing that boards queue for one by
 * one, the rack is also run with keys ten times as slow.
 *
 * Then the same with slots whose boards never say a word: what they cost the others.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pki/init.h"
#include "station/station.h"
#include "support/rig.h"
#include "support/testpki.h"

#define SLOTS      256
#define STORE_US   2000
#define KEYS_US    20
#define MEMORY_AIM 65536.0

struct actor {
    struct ledger_msg *waiting[SLOTS];
    uint32_t n, n_taken; /* the first n_taken are being answered */
    int64_t answer_us;
};

struct seat {
    struct rig rig; /* its board, product and ledger; its job is the station's */
    uint32_t generation;
    bool opens, is_open, is_refused;
    int64_t done_us; /* 0: no verdict yet */
    bool has_passed;
};

struct rack {
    struct clock clock; /* first: found by it */
    int64_t now_us;
    int64_t keys_us; /* how long keys take for a message */
    uint32_t n;
    struct seat *seats;
    struct station *station;
    struct actor store, keys;
    double memory; /* octets a slot, of the station */
};

static void must(bool is_good, const char *what)
{
    if (!is_good) {
        fprintf(stderr, "bench_rack: %s\n", what);
        exit(1);
    }
}

static int64_t rack_now(const struct clock *clock)
{
    return ((const struct rack *)clock)->now_us;
}

/* ---- what the station asks for */

static void env_open(void *ctx, uint32_t slot, uint32_t generation)
{
    struct seat *seat = &((struct rack *)ctx)->seats[slot];
    seat->generation = generation;
    seat->opens = true;
}

static void env_close(void *ctx, uint32_t slot, uint32_t generation)
{
    (void)generation;
    ((struct rack *)ctx)->seats[slot].is_open = false;
}

static int env_write(void *ctx, uint32_t slot, uint32_t generation, struct span octets)
{
    struct rack *rack = ctx;
    struct seat *seat = &rack->seats[slot];
    (void)generation;
    size_t taken = simboard_from_host(seat->rig.board, octets.at, octets.len, rack->now_us);
    seat->is_refused = taken < octets.len;
    return (int)taken;
}

static int env_post(void *ctx, struct ledger_msg *msg)
{
    struct rack *rack = ctx;
    bool is_for_keys = msg->kind == LEDGER_DIGEST || msg->kind == LEDGER_EXPLAIN;
    struct actor *actor = is_for_keys ? &rack->keys : &rack->store;
    must(actor->n < SLOTS, "a slot has two messages under way");
    actor->waiting[actor->n++] = msg;
    return 0;
}

static void env_publish(void *ctx, uint32_t slot, const struct slot_view *view)
{
    struct rack *rack = ctx;
    struct seat *seat = &rack->seats[slot];
    if (view->has_verdict && view->state == SLOT_DONE && seat->done_us == 0) {
        seat->done_us = rack->now_us;
        seat->has_passed = view->verdict.outcome == OUTCOME_PASS;
    }
}

static void env_random(void *ctx, uint8_t out[10])
{
    static uint64_t turn;
    (void)ctx;
    turn++;
    memset(out, 0, 10);
    memcpy(out, &turn, sizeof(turn));
}

/* ---- time */

static void run_actor(struct rack *rack, struct actor *actor, int64_t takes_us, uint32_t most)
{
    if (actor->n_taken > 0 && rack->now_us >= actor->answer_us) {
        struct ledger_msg *msgs[SLOTS];
        uint32_t n = actor->n_taken;
        memcpy(msgs, actor->waiting, n * sizeof(msgs[0]));
        memmove(actor->waiting, actor->waiting + n, (actor->n - n) * sizeof(msgs[0]));
        actor->n -= n;
        actor->n_taken = 0;
        for (uint32_t i = 0; i < n; i++) {
            int slot = station_find_slot(rack->station, msgs[i]->slot);
            must(slot >= 0, "a message of no slot");
            rig_play(&rack->seats[slot].rig, msgs[i]);
            station_ledger_answer(rack->station, msgs[i], rack->now_us);
        }
    }
    if (actor->n_taken == 0 && actor->n > 0) {
        actor->n_taken = actor->n < most ? actor->n : most;
        actor->answer_us = rack->now_us + takes_us;
    }
}

static void run_seat(struct rack *rack, uint32_t slot)
{
    struct seat *seat = &rack->seats[slot];
    if (seat->opens) {
        seat->opens = false;
        seat->is_open = true;
        station_port_opened(rack->station, slot, seat->generation, 0, "", rack->now_us);
    }
    if (simboard_next_us(seat->rig.board) > rack->now_us) {
        return;
    }
    char octets[512];
    for (size_t n = 1; n > 0;) {
        n = simboard_to_host(seat->rig.board, octets, sizeof(octets), rack->now_us);
        if (n > 0 && seat->is_open) {
            station_port_bytes(rack->station, slot, seat->generation, span_of(octets, n), rack->now_us);
        }
    }
    if (seat->is_refused) {
        seat->is_refused = false;
        station_port_writable(rack->station, slot, seat->generation, rack->now_us);
    }
}

static int64_t next_us(const struct rack *rack)
{
    int64_t at = station_deadline(rack->station);
    for (uint32_t i = 0; i < rack->n; i++) {
        at = time_min(at, rack->seats[i].opens ? rack->now_us : simboard_next_us(rack->seats[i].rig.board));
    }
    at = rack->store.n_taken > 0 ? time_min(at, rack->store.answer_us) : at;
    return rack->keys.n_taken > 0 ? time_min(at, rack->keys.answer_us) : at;
}

static void step(struct rack *rack)
{
    int64_t at = next_us(rack);
    must(at != TIME_NEVER, "the rack stands still");
    rack->now_us = at > rack->now_us ? at : rack->now_us;
    for (uint32_t i = 0; i < rack->n; i++) {
        run_seat(rack, i);
    }
    run_actor(rack, &rack->store, STORE_US, SLOTS);
    run_actor(rack, &rack->keys, rack->keys_us, 1);
    if (station_deadline(rack->station) <= rack->now_us) {
        station_tick(rack->station, rack->now_us);
    }
    run_actor(rack, &rack->store, STORE_US, SLOTS); /* what the tick has posted starts now */
    run_actor(rack, &rack->keys, rack->keys_us, 1);
}

/* ---- a run */

static size_t heap_octets(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void init_seat(struct seat *seat, uint32_t slot, const struct testpki_bundle *bundle, bool is_silent)
{
    struct simboard_config config = SIMBOARD_CONFIG_DEFAULT;
    config.number = slot + 1;
    sim_imei_make("35146580000000", slot, config.imei);
    rig_init_board(&seat->rig, &config);
    seat->rig.contents[1] = bundle->client_cert;
    seat->rig.contents[2] = bundle->private_key;
    must(!is_silent || simboard_add_fault(seat->rig.board, "hang@any", NULL, 0) == 0, "no such fault");
}

static void init_rack(struct rack *rack, struct station_env *env, uint32_t n, uint32_t n_silent,
                      int64_t keys_us, const struct testpki_bundle *bundle)
{
    static struct slot_config slots[SLOTS];
    *rack = (struct rack){.clock = {.mono_us = rack_now, .wall_ms = rack_now}, .n = n, .keys_us = keys_us};
    rack->seats = calloc(n, sizeof(*rack->seats));
    must(rack->seats != NULL, "no memory");
    for (uint32_t i = 0; i < n; i++) {
        init_seat(&rack->seats[i], i, bundle, i >= n - n_silent);
        slots[i] = (struct slot_config){.fixture = "rack"};
        (void)snprintf(slots[i].id, sizeof(slots[i].id), "rack/%03u", i + 1);
        (void)snprintf(slots[i].name, sizeof(slots[i].name), "%03u", i + 1);
    }
    rack->now_us = rack->seats[0].rig.now_us;
    *env =
        (struct station_env){rack, env_open, env_close, env_write, env_post, env_publish, env_random, NULL};
    size_t before = heap_octets();
    rack->station = station_new(slots, n, env, &rack->clock, NULL);
    must(rack->station != NULL, "no station");
    rack->memory = (double)(heap_octets() - before) / n;
}

struct result {
    double mean_us, worst_us, memory;
};

/* How long the boards that speak took from plug to verdict. */
static struct result run(uint32_t n, uint32_t n_silent, int64_t keys_us, const struct testpki_bundle *bundle)
{
    struct rack rack;
    struct station_env env;
    struct result result = {0};
    init_rack(&rack, &env, n, n_silent, keys_us, bundle);
    struct station_order order = {.id = "WO-1", .fixture = "rack", .product = &rack.seats[0].rig.product};
    int64_t start = rack.now_us;
    station_set_orders(rack.station, &order, 1, start);
    for (uint32_t i = 0; i < n; i++) {
        station_port_arrived(rack.station, i, &(struct station_port){.name = "port", .is_fresh = true},
                             start);
    }
    for (uint32_t n_left = 1; n_left > 0;) {
        step(&rack);
        n_left = 0;
        for (uint32_t i = 0; i < n - n_silent; i++) {
            n_left += rack.seats[i].done_us == 0;
        }
        must(rack.now_us - start < 600 * US_PER_S, "boards have no verdict");
    }
    for (uint32_t i = 0; i < n - n_silent; i++) {
        const struct seat *seat = &rack.seats[i];
        must(seat->has_passed && rig_board_is_right(&seat->rig), "a good board did not pass");
        double took = (double)(seat->done_us - start);
        result.mean_us += took / (n - n_silent);
        result.worst_us = took > result.worst_us ? took : result.worst_us;
    }
    result.memory = rack.memory;
    station_free(rack.station);
    for (uint32_t i = 0; i < n; i++) {
        rig_done(&rack.seats[i].rig);
    }
    free(rack.seats);
    return result;
}

int main(void)
{
    must(pki_init() == 0, "OpenSSL does not start");
    struct testpki *pki = testpki_new(1);
    struct testpki_bundle bundle;
    testpki_bundle(pki, 1, TESTPKI_P256, &bundle);

    struct result one = run(1, 0, KEYS_US, &bundle), all = run(SLOTS, 0, KEYS_US, &bundle);
    struct result slow = run(SLOTS, 0, 10 * KEYS_US, &bundle);
    printf("count board_alone %.1f ms\n", one.worst_us / 1000);
    printf("count board_of_%d_slowest %.1f ms\n", SLOTS, all.worst_us / 1000);
    printf("ratio rack_%d_slowest_to_one %.3f 1.05\n", SLOTS, all.worst_us / one.worst_us);
    printf("ratio rack_%d_mean_to_one %.3f 1.05\n", SLOTS, all.mean_us / one.worst_us);
    printf("count rack_%d_slowest_to_one_with_slow_keys %.3f ratio\n", SLOTS, slow.worst_us / one.worst_us);
    static const uint32_t silent[] = {1, 16, 128};
    for (size_t i = 0; i < sizeof(silent) / sizeof(*silent); i++) {
        struct result some = run(SLOTS, silent[i], KEYS_US, &bundle);
        printf("ratio rack_%d_with_%u_silent_to_none %.3f 1.00\n", SLOTS, silent[i],
               some.worst_us / all.worst_us);
    }
    printf("ratio station_memory_per_slot_to_64_kib %.3f 1.00\n", all.memory / MEMORY_AIM);
    printf("count station_memory_per_slot %.0f octets\n", all.memory);

    testpki_bundle_done(&bundle);
    testpki_free(pki);
    return 0;
}
