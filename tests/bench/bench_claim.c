/*
 * Claims out of a large stock against claims out of a small one, and how many durable events the store makes
 * in a second when it commits by the group.
 *
 * usage: bench_claim [BUNDLES]    the large stock: 1,000,000 unless given; the aim is meant for 10,000,000
 *
 * The stock is written with SQL of the test's own, straight into the tables, with digests and credentials of
 * the true size: an import of ten million is another benchmark. Claims of both stocks take turns, so that a
 * machine that is slow for a while is slow for both, and the median counts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "support/storekit.h"

#define SMALL        10000u
#define LARGE        1000000u
#define CLAIMS       500
#define EVENTS_GROUP 256
#define GROUPS       16

static unsigned large = LARGE;

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* Free bundles with sealed octets as large as those of a P-256 bundle. */
static void fill(struct kit *kit, unsigned n)
{
    char sql[1200];
    kit_open_line(kit, 1000000);
    (void)snprintf(sql, sizeof(sql),
                   "PRAGMA synchronous = OFF; PRAGMA cache_size = -200000; BEGIN;"
                   "INSERT INTO bundle (id, product, lot, imei, is_made_for, state, content)"
                   " WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < %u)"
                   " SELECT printf('pool-%%010d', n), 'tracker', '', NULL, 0, 'free', randomblob(32) FROM r;"
                   "INSERT INTO credential (bundle, type, sealed, key_sha256)"
                   " SELECT no, 1, zeroblob(640), randomblob(32) FROM bundle;"
                   "INSERT INTO credential (bundle, type, sealed, key_sha256)"
                   " SELECT no, 2, zeroblob(290), randomblob(32) FROM bundle;"
                   "COMMIT; PRAGMA wal_checkpoint(TRUNCATE);",
                   n);
    if (kit_meddle(kit, sql) != SQLITE_OK) {
        fail_msg("the stock cannot be written");
    }
}

static double claim(struct kit *kit, unsigned n)
{
    struct kit_job job;
    kit_job(kit, &job, n, kit_imei(n), "WO-1", KIT_POOL);
    kit_prepare(&job, LEDGER_CLAIM, OUTCOME_PASS, REASON_ok);
    struct store_op op = {.kind = STORE_LEDGER, .ledger = &job.msg};
    double start = now_us();
    kit_run(kit, &op);
    double took = now_us() - start;
    assert_int_equal(job.msg.status, LEDGER_OK);
    /* Ended outside of the measured time: one board after the other, none left under way. */
    assert_int_equal(kit_send(kit, &job, LEDGER_EXPOSE), LEDGER_OK);
    assert_int_equal(kit_record(kit, &job, OUTCOME_PASS, REASON_ok), LEDGER_OK);
    return took;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void bench_claims(void **state)
{
    (void)state;
    static struct kit kits[2];
    static double took[2][CLAIMS];
    const unsigned sizes[] = {SMALL, large};
    for (unsigned k = 0; k < 2; k++) {
        double start = now_us();
        kit_init(&kits[k]);
        fill(&kits[k], sizes[k]);
        printf("count stock_%u_made %.1f s\n", sizes[k], (now_us() - start) / 1e6);
    }
    for (unsigned i = 0; i < CLAIMS; i++) {
        for (unsigned k = 0; k < 2; k++) {
            took[k][i] = claim(&kits[k], i);
        }
    }
    for (unsigned k = 0; k < 2; k++) {
        qsort(took[k], CLAIMS, sizeof(double), by_value);
        printf("count claim_of_%u %.1f us\n", sizes[k], took[k][CLAIMS / 2]);
        kit_done(&kits[k]);
    }
    printf("ratio claim_of_%u_to_%u %.3f 1.20\n", sizes[1], sizes[0],
           took[1][CLAIMS / 2] / took[0][CLAIMS / 2]);
}

/* Each record is an event, with steps, entries and a dialogue: what a rack that is busy makes most of. */
static void bench_events(void **state)
{
    (void)state;
    static struct kit kit;
    static struct kit_job jobs[EVENTS_GROUP];
    static struct store_op ops[EVENTS_GROUP];
    static struct store_op *list[EVENTS_GROUP];
    static const enum ledger_kind kinds[] = {LEDGER_CLAIM, LEDGER_EXPOSE, LEDGER_RECORD};
    kit_init(&kit);
    fill(&kit, EVENTS_GROUP * GROUPS);
    double spent[LEDGER_RECORD + 1] = {0};
    for (unsigned group = 0; group < GROUPS; group++) {
        for (unsigned i = 0; i < EVENTS_GROUP; i++) {
            unsigned n = group * EVENTS_GROUP + i;
            kit_job(&kit, &jobs[i], n, kit_imei(n), "WO-1", KIT_POOL);
        }
        for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
            for (unsigned i = 0; i < EVENTS_GROUP; i++) {
                kit_prepare(&jobs[i], kinds[k], OUTCOME_PASS, REASON_ok);
                ops[i] = (struct store_op){.kind = STORE_LEDGER, .ledger = &jobs[i].msg};
                list[i] = &ops[i];
            }
            double start = now_us();
            assert_int_equal(store_batch(kit.store, list, EVENTS_GROUP), 0);
            spent[kinds[k]] += now_us() - start;
            for (unsigned i = 0; i < EVENTS_GROUP; i++) {
                assert_int_equal(ops[i].result, 0);
            }
        }
    }
    double n = (double)EVENTS_GROUP * GROUPS * 1e6;
    double all = 3 * n / (spent[LEDGER_CLAIM] + spent[LEDGER_EXPOSE] + spent[LEDGER_RECORD]);
    printf("count durable_claims %.0f events/s\n", n / spent[LEDGER_CLAIM]);
    printf("count durable_exposes %.0f events/s\n", n / spent[LEDGER_EXPOSE]);
    printf("count durable_records %.0f events/s\n", n / spent[LEDGER_RECORD]);
    printf("count durable_events %.0f events/s\n", all);
    printf("ratio durable_events_to_20000 %.3f 1.00\n", all / 20000);
    kit_done(&kit);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        large = (unsigned)strtoul(argv[1], NULL, 10);
    }
    if (large < CLAIMS) {
        fprintf(stderr, "usage: bench_claim [BUNDLES]   at least %d\n", CLAIMS);
        return 2;
    }
    const struct CMUnitTest runs[] = {cmocka_unit_test(bench_claims), cmocka_unit_test(bench_events)};
    return cmocka_run_group_tests(runs, NULL, NULL);
}
