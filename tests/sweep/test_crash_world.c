/*
 * The daemon killed at everything that can be seen of it from outside: each commit of the store, each chunk
 * for a port, each answer read from one, each verdict shown, once just before it takes effect and once just
 * after. A first run counts the opportunities; then each is taken in turn, the daemon starts again a second
 * later, and every board must pass with its own bundle. Nothing is sampled: as many kills must fire as there
 * are opportunities.
 *
 * With arguments "point k" one of them is repeated: the ids that a failing run prints.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/world.h"

/* All sources, digests and placeholders, and a front end of each kind; octets in pieces as large as they
 * come, for the sake of few events. */
static const struct world_config scenario = {
    .seed = 5,
    .is_coarse = true,
    .n_racks = 4,
    .racks = {{.name = "pool", .slots = 2, .boards = 2, .source = SOURCE_POOL},
              {.name = "made", .slots = 2, .boards = 2, .source = SOURCE_BOUND, .is_crlf = true},
              {.name = "old", .slots = 1, .boards = 1, .source = SOURCE_POOL, .proof = PROOF_PRESENCE},
              {.name = "own", .slots = 1, .boards = 1, .source = SOURCE_KEYGEN}},
};

struct count {
    uint64_t opportunities, fired, bad;
};

/* A crash costs no credential more than one further write. */
static void check_writes(struct world *w)
{
    for (uint32_t i = 0; i < world_board_count(w); i++) {
        for (unsigned type = CRED_CA; type <= CRED_PRIVATE_KEY; type++) {
            uint32_t writes = simboard_nvm_writes(world_board(w, i), WORLD_TAG, type);
            if (writes > 2) {
                world_blame(w, "board %s: type %u was written %u times", world_imei(w, i), type, writes);
            }
        }
    }
}

/* One life of the scenario. Returns how often the kill fired. */
static uint64_t run(enum world_point point, uint64_t k, uint64_t opportunities[WORLD_POINTS], bool *ret_good)
{
    struct world *w = world_new(&scenario);
    if (k > 0) {
        world_kill_at(w, point, k);
    }
    world_calm(w);
    check_writes(w);
    const char *violation = world_check(w, true);
    if (violation) {
        print_message("%d %llu (%s): %s\n%s", point, (unsigned long long)k, world_point_name(point),
                      violation, world_dialogue(w));
    }
    for (int i = 0; i < WORLD_POINTS && opportunities; i++) {
        opportunities[i] = world_opportunities(w, (enum world_point)i);
    }
    uint64_t fired = world_kills_fired(w, point);
    *ret_good = violation == NULL;
    world_free(w);
    return fired;
}

static void test_killed_everywhere(void **state)
{
    (void)state;
    uint64_t opportunities[WORLD_POINTS];
    bool is_good = false;
    (void)run(POINT_BEFORE_COMMIT, 0, opportunities, &is_good);
    assert_true(is_good);
    struct count all = {0};
    for (int p = 0; p < WORLD_POINTS; p++) {
        struct count one = {.opportunities = opportunities[p]};
        assert_true(opportunities[p] > 0);
        for (uint64_t k = 1; k <= opportunities[p]; k++) {
            one.fired += run((enum world_point)p, k, NULL, &is_good);
            one.bad += !is_good;
        }
        print_message("%-16s opportunities %4llu fired %4llu violations %llu\n",
                      world_point_name((enum world_point)p), (unsigned long long)one.opportunities,
                      (unsigned long long)one.fired, (unsigned long long)one.bad);
        all.opportunities += one.opportunities;
        all.fired += one.fired;
        all.bad += one.bad;
    }
    print_message("%-16s opportunities %4llu fired %4llu violations %llu\n", "all",
                  (unsigned long long)all.opportunities, (unsigned long long)all.fired,
                  (unsigned long long)all.bad);
    assert_int_equal(all.fired, all.opportunities);
    assert_int_equal(all.bad, 0);
}

int main(int argc, char **argv)
{
    if (argc == 3) {
        bool is_good = false;
        uint64_t fired = run((enum world_point)atoi(argv[1]), strtoull(argv[2], NULL, 10), NULL, &is_good);
        print_message("fired %llu, %s\n", (unsigned long long)fired, is_good ? "holds" : "FAILED");
        return is_good && fired == 1 ? 0 : 1;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_killed_everywhere)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
