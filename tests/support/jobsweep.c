/* See jobsweep.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/jobsweep.h"

enum after { PASSES, IS_LOST };

static const struct kind {
    const char *name;
    enum sim_exact_kind kind;
    enum after after;
} kinds[] = {
    {"in_lose", SIM_EXACT_IN_LOSE, PASSES},         {"in_garble", SIM_EXACT_IN_GARBLE, PASSES},
    {"in_double", SIM_EXACT_IN_DOUBLE, PASSES},     {"in_delay", SIM_EXACT_IN_DELAY, PASSES},
    {"out_lose", SIM_EXACT_OUT_LOSE, PASSES},       {"out_garble", SIM_EXACT_OUT_GARBLE, PASSES},
    {"out_double", SIM_EXACT_OUT_DOUBLE, PASSES},   {"out_delay", SIM_EXACT_OUT_DELAY, PASSES},
    {"unplug_in", SIM_EXACT_UNPLUG_IN, IS_LOST},    {"unplug_out", SIM_EXACT_UNPLUG_OUT, IS_LOST},
    {"reboot", SIM_EXACT_REBOOT, PASSES},           {"reboot_done", SIM_EXACT_REBOOT_DONE, PASSES},
    {"lost_answer", SIM_EXACT_LOST_ANSWER, PASSES}, {"urc", SIM_EXACT_URC, PASSES},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const struct jobsweep *subject; /* the program's only one */

/* The rack and the board of each case are the same; the fault comes on top. */
static void begin(struct rig *rig)
{
    subject->init(rig);
    simboard_exact_reset(rig->board);
}

static void require(bool holds, const struct rig *rig, const struct kind *kind, uint64_t k, const char *what)
{
    if (!holds) {
        const struct verdict *v = &rig->job.verdict;
        /* cmocka's own printing ends after a kilobyte */
        fprintf(stderr, "%s:%llu: %s; %s %s %s\n%s", kind->name, (unsigned long long)k, what,
                outcome_name(v->outcome), v->outcome == OUTCOME_NONE ? "" : reason_text(v->reason)->name,
                v->detail, rig->dialogue);
        fail();
    }
}

static void require_order(const struct rig *rig, const struct kind *kind, uint64_t k)
{
    require(rig->records <= 1, rig, kind, k, "told more than once");
    require(strstr(rig->dialogue, "RealOneBut") == NULL, rig, kind, k, "a secret stands in the dialogue");
    require(rig->issues <= 1, rig, kind, k, "a second certificate was issued");
    require(rig->exposed_at_write == 0, rig, kind, k, "written before it was exposed");
    for (uint32_t i = 0; i < rig->recorded.n_entries; i++) {
        require(rig->recorded.entries[i].writes <= 2, rig, kind, k, "written more than twice");
    }
    bool may_stray = subject->takes_any && kind->kind == SIM_EXACT_IN_GARBLE;
    for (size_t i = 0; i < simboard_wear_count(rig->board); i++) {
        require(simboard_wear_at(rig->board, i).writes <= (may_stray ? 3u : 2u), rig, kind, k,
                "worn too often");
    }
}

/* The cable goes back in: the same bundle, and at most what was missing is written. */
static void finish_lost(struct rig *rig, const struct kind *kind, uint64_t k)
{
    require(rig->job.verdict.outcome == OUTCOME_LOST || rig->job.verdict.outcome == OUTCOME_PASS, rig, kind,
            k, "neither lost nor passed");
    simboard_clear_faults(rig->board);
    simboard_plug(rig->board, rig->now_us);
    simboard_port_open(rig->board, rig->now_us);
    rig->records = 0;
    rig_provision(rig, true);
}

static unsigned keys_on_board(const struct rig *rig)
{
    unsigned n = 0;
    for (size_t i = 0; i < simboard_entry_count(rig->board); i++) {
        n += simboard_entry_at(rig->board, i).type == CRED_PRIVATE_KEY;
    }
    return n;
}

/* One octet made a write of type 0 one of type 2: the key is gone, and the next job makes another. */
static void replace_key(struct rig *rig)
{
    rig->records = rig->issues = 0;
    rig_provision(rig, true);
}

static void require_right(const struct rig *rig, const struct kind *kind, uint64_t k)
{
    require(rig->job.verdict.outcome == OUTCOME_PASS, rig, kind, k, "did not pass");
    require(subject->makes_key ? rig_key_is_right(rig) : rig_board_is_right(rig), rig, kind, k,
            "the board is not right");
    require(!subject->makes_key || keys_on_board(rig) == 1, rig, kind, k, "another key is left behind");
    require(rig->claims <= 2, rig, kind, k, "claimed too often");
}

static uint64_t run(const struct kind *kind, uint64_t k)
{
    struct rig rig;
    begin(&rig);
    struct sim_exact fault = {.kind = kind->kind, .k = k, .delay_us = 700000};
    assert_int_equal(simboard_exact_add(rig.board, &fault), 0);
    rig_provision(&rig, true);
    uint64_t fired = simboard_exact_fired(rig.board, kind->kind);
    require_order(&rig, kind, k);
    if (kind->after == IS_LOST) {
        finish_lost(&rig, kind, k);
        require_order(&rig, kind, k);
    }
    if (subject->makes_key && kind->kind == SIM_EXACT_IN_GARBLE &&
        rig.job.verdict.reason == REASON_bytes_lost) {
        replace_key(&rig);
    }
    require_right(&rig, kind, k);
    rig_done(&rig);
    return fired;
}

static uint64_t count(const struct kind *kind)
{
    struct rig rig;
    begin(&rig);
    rig_provision(&rig, true);
    uint64_t n = simboard_exact_opportunities(rig.board, kind->kind);
    rig_done(&rig);
    return n;
}

static void sweep_by(const struct kind *kind, uint64_t step)
{
    uint64_t n = count(kind), fired = 0, taken = 0;
    for (uint64_t k = 1 + (uint64_t)(kind - kinds) % step; k <= n; k += step) {
        taken++;
        fired += run(kind, k);
    }
    print_message("%s: %llu opportunities, %llu taken, %llu fired\n", kind->name, (unsigned long long)n,
                  (unsigned long long)taken, (unsigned long long)fired);
    assert_true(n > 0);
    assert_int_equal(fired, taken);
}

static void sweep(void **state)
{
    const struct kind *kind = *state;
    sweep_by(kind, count(kind) > 200 ? subject->step : 1);
}

static int repeat(const char *id)
{
    const char *colon = strchr(id, ':');
    for (size_t i = 0; colon && i < KINDS; i++) {
        if (strlen(kinds[i].name) != (size_t)(colon - id) ||
            strncmp(kinds[i].name, id, (size_t)(colon - id)) != 0) {
            continue;
        }
        if (strcmp(colon, ":all") == 0) {
            sweep_by(&kinds[i], 1);
            return 0;
        }
        return run(&kinds[i], strtoull(colon + 1, NULL, 10)) == 1 ? 0 : 1;
    }
    fprintf(stderr, "no such case: %s\n", id);
    return 2;
}

int jobsweep_main(const struct jobsweep *sweep_of, int argc, char **argv)
{
    subject = sweep_of;
    if (argc > 1) {
        return repeat(argv[1]);
    }
    struct CMUnitTest tests[KINDS];
    for (size_t i = 0; i < KINDS; i++) {
        tests[i] = (struct CMUnitTest){
            .name = kinds[i].name, .test_func = sweep, .initial_state = (void *)(uintptr_t)&kinds[i]};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
