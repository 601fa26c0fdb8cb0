/* One program runs one sweep, so what is going on is static. */
#include "support/sweep.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY_S 86400

static const struct sweep *running;
static bool takes_all;
static const char *case_to_repeat;

bool sweep_takes_all(void)
{
    return takes_all;
}

struct sweep_thinned sweep_thin(uint64_t n, uint64_t wanted)
{
    uint64_t stride = takes_all || n <= wanted ? 1 : n / wanted;
    return (struct sweep_thinned){.first = 1 + (uint64_t)time(NULL) / DAY_S % stride, .stride = stride};
}

static void run_one(void **state)
{
    running->run((size_t)(uintptr_t)*state);
}

static void repeat_one(void **state)
{
    (void)state;
    running->repeat(case_to_repeat);
}

int sweep_main(int argc, char **argv, const struct sweep *sweep)
{
    running = sweep;
    if (argc > 1 && strcmp(argv[1], "all") != 0) {
        case_to_repeat = argv[1];
        const struct CMUnitTest one[] = {cmocka_unit_test(repeat_one)};
        return cmocka_run_group_tests(one, sweep->set_up, sweep->tear_down);
    }
    takes_all = argc > 1;
    struct CMUnitTest *tests = calloc(sweep->n, sizeof(*tests));
    if (!tests) {
        return 1;
    }
    for (size_t i = 0; i < sweep->n; i++) {
        tests[i] = (struct CMUnitTest){
            .name = sweep->names[i], .test_func = run_one, .initial_state = (void *)(uintptr_t)i};
    }
    int failed = _cmocka_run_group_tests("sweep", tests, sweep->n, sweep->set_up, sweep->tear_down);
    free(tests);
    return failed;
}
