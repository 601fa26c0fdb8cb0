/* base/snapshot: records of odd sizes, counters, and readers that never see half a record. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/snapshot.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static void keeps_records_of_any_size(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 7, 8, 9, 56, 57, 64, 500, 4097};
    for (size_t k = 0; k < COUNT(sizes); k++) {
        struct snapshot *s = snapshot_new(3, sizes[k]);
        char in[4100], out[4100], zeroes[4100] = {0};
        assert_int_equal(snapshot_count(s), 3);
        memset(out, '#', sizeof(out));
        assert_int_equal(snapshot_read(s, 1, out), 0);
        assert_memory_equal(out, zeroes, sizes[k]);
        for (size_t i = 0; i < sizes[k]; i++) {
            in[i] = (char)(i * 31 + k);
        }
        snapshot_publish(s, 1, in);
        snapshot_publish(s, 1, in);
        assert_int_equal(snapshot_read(s, 1, out), 2);
        assert_memory_equal(out, in, sizes[k]);
        assert_int_equal(out[sizes[k]], '#'); /* not an octet more */
        assert_int_equal(snapshot_read(s, 0, out), 0);
        assert_int_equal(snapshot_read(s, 2, out), 0);
        assert_memory_equal(out, zeroes, sizes[k]);
        assert_int_equal(snapshot_changes(s), 2);
        snapshot_free(s);
    }
    snapshot_free(NULL);
}

static void refuses_nothing_and_too_much(void **state)
{
    (void)state;
    assert_null(snapshot_new(0, 8));
    assert_null(snapshot_new(8, 0));
    assert_null(snapshot_new(SIZE_MAX / 16, 64));
    assert_null(snapshot_new(1, SIZE_MAX));
}

/* ---- readers against the writer */

enum { RECORDS = 3, WORDS = 40, ROUNDS = 20000, READERS = 3 };

struct record {
    uint64_t words[WORDS]; /* all of one value */
};

struct readers {
    struct snapshot *s;
    atomic_bool is_over;
};

static const char *judge(const struct record *record, uint64_t version, uint64_t *last)
{
    for (size_t i = 1; i < WORDS; i++) {
        if (record->words[i] != record->words[0]) {
            return "half a record";
        }
    }
    if (record->words[0] != version) {
        return "a record under another's number";
    }
    if (version < *last) {
        return "an older record after a newer one";
    }
    *last = version;
    return NULL;
}

static void *read_all(void *ctx)
{
    struct readers *readers = ctx;
    uint64_t last[RECORDS] = {0};
    bool is_over;
    do {
        is_over = atomic_load(&readers->is_over); /* before the last look, which then must see the end */
        uint64_t changes = snapshot_changes(readers->s), versions = 0;
        for (size_t i = 0; i < RECORDS; i++) {
            struct record record;
            uint64_t version = snapshot_read(readers->s, i, &record);
            const char *complaint = judge(&record, version, &last[i]);
            if (complaint) {
                return (void *)complaint;
            }
            versions += version;
        }
        if (versions < changes) {
            return "a change that was counted and not seen";
        }
    } while (!is_over);
    return last[0] == ROUNDS ? NULL : "the end was not seen";
}

static void readers_see_whole_records(void **state)
{
    (void)state;
    struct readers readers = {.s = snapshot_new(RECORDS, sizeof(struct record))};
    pthread_t threads[READERS];
    for (size_t i = 0; i < READERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, read_all, &readers), 0);
    }
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        struct record record;
        for (size_t i = 0; i < WORDS; i++) {
            record.words[i] = round;
        }
        for (size_t i = 0; i < RECORDS; i++) {
            snapshot_publish(readers.s, i, &record);
        }
    }
    atomic_store(&readers.is_over, true);
    for (size_t i = 0; i < READERS; i++) {
        void *complaint;
        pthread_join(threads[i], &complaint);
        if (complaint) {
            fail_msg("%s", (const char *)complaint);
        }
    }
    assert_int_equal(snapshot_changes(readers.s), RECORDS * ROUNDS);
    snapshot_free(readers.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_records_of_any_size),
        cmocka_unit_test(refuses_nothing_and_too_much),
        cmocka_unit_test(readers_see_whole_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
