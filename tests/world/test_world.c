/*
 * The rack under chance: for each seed boards are plugged, pulled, moved and broken, the store fails, the
 * daemon is stopped and killed; then the faults end and every board must pass with its own bundle. A failing
 * run prints its id, and the program takes ids as arguments: "rack:7", or "rack:1-200" for many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"
#include "pki/digest.h"
#include "support/malloc_count.h"
#include "support/world.h"

#define RACKS                                                                                                \
    .n_racks = 3,                                                                                            \
    .racks = {                                                                                               \
        {.name = "pool", .slots = 9, .boards = 22, .source = SOURCE_POOL, .second_visit = SECOND_AGAIN},     \
        {.name = "made", .slots = 8, .boards = 20, .source = SOURCE_BOUND, .is_crlf = true},                 \
        {.name = "old",                                                                                      \
         .slots = 4,                                                                                         \
         .boards = 10,                                                                                       \
         .source = SOURCE_POOL,                                                                              \
         .proof = PROOF_PRESENCE,                                                                            \
         .start = START_SCAN},                                                                               \
    }

/* A step is a moment at which something happens. A shell echoes each octet when it has come in, so a board
 * behind one takes a step for each octet or two of what is written to it, thousands in a job, where any other
 * front end takes about fifty: six shells among the sixty boards of "still" make most of its steps. */
static const struct scenario {
    const char *name;
    struct world_config config;
} scenarios[] = {
    {"still",
     {.n_racks = 2,
      .racks = {{.name = "pool", .slots = 30, .boards = 30, .source = SOURCE_POOL},
                {.name = "made", .slots = 30, .boards = 30, .source = SOURCE_BOUND}}}},
    {"rack",
     {RACKS, .trouble = {.seconds = 40,
                         .pull = 150,
                         .faults = 200,
                         .noise = 100,
                         .commands = 150,
                         .damage = 300,
                         .reboots = 50,
                         .store = 30,
                         .orders = 10,
                         .stops = 5,
                         .kills = 10}}},
    {"hands", {RACKS, .trouble = {.seconds = 40, .pull = 700, .commands = 300, .orders = 30}}},
    {"noise", {RACKS, .trouble = {.seconds = 60, .pull = 30, .noise = 400, .damage = 400}}},
    {"broken", {RACKS, .trouble = {.seconds = 60, .pull = 30, .faults = 400, .damage = 300, .reboots = 100}}},
    {"disk", {RACKS, .trouble = {.seconds = 40, .pull = 100, .damage = 300, .store = 250}}},
    {"keygen",
     {.n_racks = 2,
      .racks =
          {{.name = "own", .slots = 8, .boards = 16, .source = SOURCE_KEYGEN, .second_visit = SECOND_AGAIN},
           {.name = "seen", .slots = 6, .boards = 12, .source = SOURCE_KEYGEN, .is_crlf = true}},
      .trouble = {.seconds = 40,
                  .pull = 200,
                  .faults = 200,
                  .commands = 150,
                  .reboots = 50,
                  .store = 40,
                  .orders = 10,
                  .stops = 10,
                  .kills = 30}}},
    {"killed",
     {RACKS, .trouble = {.seconds = 40, .pull = 100, .damage = 300, .store = 20, .stops = 30, .kills = 60}}},
};
#define SCENARIOS (sizeof(scenarios) / sizeof(*scenarios))

/* What a run leaves: its events, to be compared with those of another run. */
struct story {
    char *events;
    size_t len;
    struct world_numbers numbers;
};

static bool run(const struct scenario *s, uint64_t seed, struct story *ret)
{
    struct world_config config = s->config;
    config.seed = seed;
    struct world *w = world_new(&config);
    if (config.trouble.seconds > 0) {
        world_chaos(w);
    }
    world_calm(w);
    const char *violation = world_check(w, true);
    if (violation) {
        print_message("%s:%llu: %s\n%s", s->name, (unsigned long long)seed, violation, world_dialogue(w));
    }
    *ret = (struct story){.numbers = world_numbers(w)};
    ret->events = world_events(w, &ret->len);
    bool is_good = violation == NULL;
    world_free(w);
    return is_good;
}

static bool run_and_tell(const struct scenario *s, uint64_t seed)
{
    struct story story;
    bool is_good = run(s, seed, &story);
    const struct world_numbers *n = &story.numbers;
    struct digest digest;
    char hex[2 * DIGEST_SIZE + 1];
    sha256(span_of(story.events, story.len), &digest);
    hex_encode(digest.octets, DIGEST_SIZE, hex);
    print_message("%s:%llu %s: %llu jobs, %llu passes told, %llu faults, %llu kills, %llu "
                  "steps, events %zu octets %.16s\n",
                  s->name, (unsigned long long)seed, is_good ? "holds" : "FAILED",
                  (unsigned long long)n->jobs, (unsigned long long)n->passes, (unsigned long long)n->faults,
                  (unsigned long long)n->kills, (unsigned long long)n->steps, story.len, hex);
    free(story.events);
    return is_good;
}

static const struct scenario *find_scenario(const char *name, size_t len)
{
    for (size_t i = 0; i < SCENARIOS; i++) {
        if (strlen(scenarios[i].name) == len && memcmp(scenarios[i].name, name, len) == 0) {
            return &scenarios[i];
        }
    }
    return NULL;
}

/* "rack:7" or "rack:1-200". */
static int run_id(const char *id)
{
    const char *colon = strchr(id, ':');
    const struct scenario *s = colon ? find_scenario(id, (size_t)(colon - id)) : NULL;
    unsigned long long first = 0, last = 0;
    int n = s ? sscanf(colon + 1, "%llu-%llu", &first, &last) : 0;
    if (n < 1) {
        fprintf(stderr, "%s: not a run's id (scenario:seed or scenario:first-last)\n", id);
        return 2;
    }
    int bad = 0;
    for (unsigned long long seed = first; seed <= (n == 2 ? last : first); seed++) {
        bad += !run_and_tell(s, seed);
    }
    return bad > 0;
}

/* ---- tests */

static void test_counter_counts(void **state)
{
    (void)state;
    assert_true(malloc_count_works());
}

static void test_seeds(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t first, last;
    } list[] = {{"still", 1, 1},  {"rack", 1, 7}, {"hands", 1, 2},  {"noise", 1, 3},
                {"broken", 1, 3}, {"disk", 1, 2}, {"killed", 1, 2}, {"keygen", 1, 2}};
    int bad = 0;
    for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++) {
        const struct scenario *s = find_scenario(list[i].name, strlen(list[i].name));
        for (uint64_t seed = list[i].first; seed <= list[i].last; seed++) {
            bad += !run_and_tell(s, seed);
        }
    }
    assert_int_equal(bad, 0);
}

static void test_same_seed_same_story(void **state)
{
    (void)state;
    const struct scenario *s = find_scenario("rack", 4);
    struct story a, b;
    assert_true(run(s, 42, &a));
    assert_true(run(s, 42, &b));
    struct digest digest;
    char hex[2 * DIGEST_SIZE + 1];
    sha256(span_of(a.events, a.len), &digest);
    hex_encode(digest.octets, DIGEST_SIZE, hex);
    print_message("rack:42 twice: %zu octets of events, SHA-256 %s\n", a.len, hex);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.events, b.events, a.len);
    free(a.events);
    free(b.events);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        int worst = 0;
        for (int i = 1; i < argc; i++) {
            int r = run_id(argv[i]);
            worst = r > worst ? r : worst;
        }
        return worst;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counter_counts),
        cmocka_unit_test(test_seeds),
        cmocka_unit_test(test_same_seed_same_story),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
