/*
 * One batch of many kinds of operations in which the k-th allocation fails: half-way through an operation,
 * after which the batch is rolled back and run again, in that second run, and anywhere else. Whoever was
 * answered "failed" sends the same thing again, and in the end there is what an untroubled batch leaves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/malloc_count.h"
#include "support/mixedbatch.h"
#include "support/sweep.h"

#define TRIES_MAX 4
#define CASES     300 /* of 2,800 or so; "all" takes all of them */

/* All but the last operation, which would end the jobs that are sent again. */
#define USED      (MIXED_OPS - 1)

/* Our own trouble, as against a no. */
static bool has_failed(const struct store_op *op)
{
    return op->kind == STORE_LEDGER ? op->ledger->status == LEDGER_FAILED : op->reason == REASON_store_failed;
}

/* The batch with one that fails half-way at its end, and what failed for want of memory once more. Returns
 * how many batches it took. */
static unsigned run_mixed(struct mixed *m, uint64_t k, uint64_t *ret_allocations)
{
    struct kit_half half;
    kit_half_done(&half);
    struct store_op *ops[USED + 1];
    size_t n = 0;
    for (size_t i = 0; i < USED; i++) {
        ops[n++] = &m->ops[i];
    }
    ops[n++] = &half.op;
    m->kit.wall_ms += 7;
    unsigned tries = 0;
    uint64_t before = malloc_count();
    malloc_fail_at(k, false);
    while (n > 0) {
        assert_in_range(++tries, 1, TRIES_MAX);
        malloc_count_switch(true);
        int r = store_batch(m->kit.store, ops, n);
        malloc_count_switch(false);
        size_t left = 0;
        for (size_t i = 0; i < n; i++) {
            assert_true(r == 0 || has_failed(ops[i]));
            if (has_failed(ops[i])) {
                assert_true(malloc_failed() > 0 && *ops[i]->detail != '\0');
                ops[left++] = ops[i];
            }
        }
        n = left;
    }
    *ret_allocations = malloc_count() - before;
    malloc_fail_at(0, false);
    assert_int_equal(half.op.result, ERR_REFUSED);
    return tries;
}

/* All rows, but for the numbers of events: what was sent again stands behind the rest. */
static char *rows_of(struct mixed *m)
{
    char *rows = kit_dump(&m->kit);
    for (char *at = rows; (at = strstr(at, " ending="));) {
        memset(at, ' ', strcspn(at, "\n"));
    }
    return rows;
}

static char *wanted; /* rows of an untroubled batch */
static uint64_t calls;

/* Whether it had to be sent again. */
static bool live(uint64_t k)
{
    static struct mixed m;
    mixed_make(&m, 3);
    bool is_again = run_mixed(&m, k, &calls) > 1;
    char *rows = rows_of(&m);
    if (wanted && strcmp(rows, wanted) != 0) {
        fail_msg("batch:%llu: it came out as\n%s\nnot as\n%s", (unsigned long long)k, rows, wanted);
    }
    assert_int_equal(store_mark_state(m.kit.store), STORE_MARK_GOOD);
    kit_check(&m.kit);
    kit_done(&m.kit);
    if (wanted) {
        free(rows);
    } else {
        wanted = rows;
    }
    return is_again;
}

static void sweep(size_t which)
{
    (void)which;
    (void)live(0); /* whatever is made once in a process is made now */
    (void)live(0);
    uint64_t n = calls, taken = 0, again = 0;
    struct sweep_thinned thinned = sweep_thin(n, CASES);
    for (uint64_t k = thinned.first; k <= n; k += thinned.stride) {
        taken++;
        again += live(k);
    }
    print_message("batch opportunities %llu taken %llu sent again %llu\n", (unsigned long long)n,
                  (unsigned long long)taken, (unsigned long long)again);
    assert_true(again > 0);
}

static void repeat(const char *id)
{
    const char *colon = strchr(id, ':');
    assert_non_null(colon);
    (void)live(0);
    (void)live(0);
    (void)live(strtoull(colon + 1, NULL, 10));
}

static int set_up(void **state)
{
    (void)state;
    return malloc_count_works() ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    free(wanted);
    return 0;
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"batch"};
    return sweep_main(argc, argv,
                      &(struct sweep){.names = names,
                                      .n = 1,
                                      .run = sweep,
                                      .repeat = repeat,
                                      .set_up = set_up,
                                      .tear_down = tear_down});
}
