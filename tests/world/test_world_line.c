/*
 * A line over days: a hundred slots that a thousand boards or more go through, with the shifts of people who
 * swap them, faults by chance, and a daemon that is stopped, killed and started meanwhile. In the end every
 * board must pass, with its own bundle.
 *
 * Without arguments the two runs that belong to every test; with them, any: --boards N --days D --seed
 * S[-LAST]. A failing run prints the arguments that repeat it.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/world.h"

#define BOARDS_MAX 24000 /* of whom each has an identity of the test's own PKI */
#define MS_A_BOARD 16    /* how long the hands are at the racks, for each board there is */

/* Shares of the boards in per cent; the last rack takes what is left. */
static const struct {
    struct world_rack rack;
    uint32_t percent;
} racks[] = {
    {{.name = "pool", .slots = 40, .source = SOURCE_POOL, .second_visit = SECOND_AGAIN}, 45},
    {{.name = "made", .slots = 30, .source = SOURCE_BOUND, .is_crlf = true}, 30},
    {{.name = "old", .slots = 10, .source = SOURCE_POOL, .proof = PROOF_PRESENCE, .start = START_SCAN}, 10},
    {{.name = "own", .slots = 20, .source = SOURCE_KEYGEN, .second_visit = SECOND_AGAIN}, 0},
};

struct line {
    uint32_t boards, days;
    uint64_t seed;
};

static struct world_config config_of(const struct line *line)
{
    struct world_config c = {.seed = line->seed,
                             .trouble = {.days = line->days,
                                         .pull = 400,
                                         .faults = 800,
                                         .noise = 400,
                                         .commands = 150,
                                         .reboots = 150,
                                         .damage = 300,
                                         .store = 20,
                                         .orders = 3,
                                         .stops = 2,
                                         .kills = 3}};
    uint32_t stretches = line->days > 0 ? 3 * line->days : 1;
    c.trouble.seconds = 1 + line->boards * MS_A_BOARD / 1000 / stretches;
    uint32_t left = line->boards;
    for (size_t i = 0; i < sizeof(racks) / sizeof(*racks); i++) {
        struct world_rack *rack = &c.racks[c.n_racks++];
        *rack = racks[i].rack;
        rack->boards = racks[i].percent > 0 ? line->boards * racks[i].percent / 100 : left;
        left -= rack->boards;
    }
    return c;
}

static bool run(const struct line *line)
{
    struct world_config config = config_of(line);
    struct world *w = world_new(&config);
    world_chaos(w);
    uint64_t passes = world_numbers(w).passes;
    world_calm(w);
    const char *violation = world_check(w, true);
    struct world_numbers n = world_numbers(w);
    print_message("--boards %" PRIu32 " --days %" PRIu32 " --seed %" PRIu64 " %s: %" PRIu64 " jobs, %" PRIu64
                  " passes under faults and %" PRIu64 " in the calm, %" PRIu64 " faults, %" PRIu64
                  " kills, %" PRIu64 " steps, %" PRId64 " s, the line allocated %" PRIu64 " times\n",
                  line->boards, line->days, line->seed, violation ? "FAILED" : "holds", n.jobs, passes,
                  n.passes - passes, n.faults, n.kills, n.steps, world_now_us(w) / US_PER_S, n.allocations);
    if (violation) {
        print_message("%s\n%s", violation, world_dialogue(w));
    }
    bool is_good = violation == NULL;
    world_free(w);
    return is_good;
}

static void test_a_thousand_boards_in_two_days(void **state)
{
    (void)state;
    assert_true(run(&(struct line){.boards = 1000, .days = 2, .seed = 1}));
}

/* ---- by hand */

static int usage(const char *program)
{
    fprintf(stderr, "usage: %s [--boards 1..%d] [--days D] [--seed S[-LAST]]\n", program, BOARDS_MAX);
    return 2;
}

int main(int argc, char **argv)
{
    if (argc == 1) {
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_thousand_boards_in_two_days)};
        return cmocka_run_group_tests(tests, NULL, NULL);
    }
    struct line line = {.boards = 1000, .days = 2, .seed = 1};
    uint64_t last = 0;
    for (int i = 1; i < argc; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        bool is_good = strcmp(argv[i], "--boards") == 0 ? sscanf(value, "%" SCNu32, &line.boards) == 1
                       : strcmp(argv[i], "--days") == 0 ? sscanf(value, "%" SCNu32, &line.days) == 1
                       : strcmp(argv[i], "--seed") == 0
                           ? sscanf(value, "%" SCNu64 "-%" SCNu64, &line.seed, &last) >= 1
                           : false;
        if (!is_good || line.boards < 10 || line.boards > BOARDS_MAX || line.days > 365) {
            return usage(argv[0]);
        }
    }
    int bad = 0;
    for (last = last > line.seed ? last : line.seed; line.seed <= last; line.seed++) {
        bad += !run(&line);
    }
    return bad > 0;
}
