/*
 * Claims out of a large stock against claims out of a small one, and how many durable events the store makes
 * in a second when it commits by the group, with either behind it.
 *
 * usage: bench_claim [BUNDLES]    the large stock: 1,000,000 unless given; the aim is meant for 10,000,000
 *
 * Half of a stock has been used up by boards that passed: with their jobs, digests and places in an order,
 * but without their events, steps and dialogues, which are only ever appended to. It is written with SQL of
 * the test's own, straight into the tables, with credentials of the true size and under all constraints of
 * the schema: an import of ten million is another benchmark.
 *
 * Claims of both stocks take turns, so that a machine that is slow for a while is slow for both, and the
 * median counts. Everything lies on a disk: TMPDIR, or /var/tmp. Ten million need 25 GB there.
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

#define LARGE         1000000u
#define CLAIMS        500
#define EVENTS_GROUP  256
#define GROUPS        8
#define STEPS         24
#define DIALOGUE_SIZE 3000

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* {used} of {n} bundles are on boards. Digests count up, so that their indexes are written in order; no claim
 * reads those. */
static const char stock[] =
    "PRAGMA journal_mode = DELETE; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
    "PRAGMA cache_size = -400000; PRAGMA foreign_keys = ON; BEGIN;"
    "CREATE TEMP TABLE size (n, used); INSERT INTO size VALUES (%u, %u);"
    "CREATE TEMP VIEW used AS WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r"
    " WHERE n < (SELECT used FROM size)) SELECT n, printf('86%%013d', n) imei, printf('pool-%%010d', n) "
    "bundle"
    " FROM r;"
    "INSERT INTO bundle (id, product, lot, imei, is_made_for, state, was_claimed, content)"
    " SELECT bundle, 'tracker', '', imei, 0, 'installed', 1, zeroblob(32) FROM used;"
    "INSERT INTO bundle (id, product, lot, imei, is_made_for, state, content)"
    " WITH RECURSIVE r(n) AS (SELECT used + 1 FROM size UNION ALL SELECT n + 1 FROM r"
    " WHERE n < (SELECT n FROM size))"
    " SELECT printf('pool-%%010d', n), 'tracker', '', NULL, 0, 'free', zeroblob(32) FROM r;"
    "INSERT INTO credential (bundle, type, sealed, key_sha256)"
    " SELECT no, t.type, zeroblob(t.size), CAST(printf('%%032d', no) AS BLOB)"
    " FROM bundle, (SELECT 1 type, 640 size UNION ALL SELECT 2, 290) t ORDER BY no, t.type;"
    "INSERT INTO work_order SELECT 'WO-0', product, product_version, (SELECT n FROM size), '', 'closed', 0, "
    "1,"
    " (SELECT used FROM size) FROM work_order;"
    "INSERT INTO order_board SELECT 'WO-0', imei, bundle, 'passed' FROM used;"
    "INSERT INTO board SELECT imei, NULL, 'nRF9151-LACA', 'mfw_nrf91x1_2.0.2', NULL, n, n FROM used;"
    "INSERT INTO exposure SELECT CAST(printf('%%032d', n) AS BLOB), bundle, 2 FROM used;"
    "INSERT INTO job (id, slot, fixture, imei, model, modem_firmware, supply_mv, work_order, product,"
    " product_version, bundle, was_exposed, started, ended, duration_ms, wire_ms, modem_ms, outcome, fault,"
    " reason, proof, program, config_digest, dialogue)"
    " SELECT printf('01JHISTORY%%016d', n), printf('rack1/%%03d', 1 + n %% 256), 'rack1', imei,"
    " 'nRF9151-LACA', 'mfw_nrf91x1_2.0.2', 3700, 'WO-0', 'tracker', (SELECT product_version FROM work_order"
    " LIMIT 1), bundle, 1, 1600000000000 + n * 1000, 1600000000000 + n * 1000 + 900, 900, 700, 150, 'PASS',"
    " 'none', 'ok', 'digest', '0.1.0', 'sha256:config', CAST(printf('%%032d', n) AS BLOB) FROM used;"
    "COMMIT;";

static void fill(struct kit *kit, unsigned n)
{
    char sql[sizeof(stock) + 32];
    double start = now_us();
    kit_init(kit);
    kit_open_line(kit, STORE_QUANTITY_MAX);
    kit_close(kit); /* so that the stock need not go through a journal */
    (void)snprintf(sql, sizeof(sql), stock, n, n / 2);
    if (kit_meddle(kit, sql) != SQLITE_OK) {
        fail_msg("the stock cannot be written: %s", sqlite3_errmsg(kit->look));
    }
    kit_close(kit);
    assert_int_equal(kit_open(kit), 0);
    printf("count stock_%u_made %.1f s\n", n, (now_us() - start) / 1e6);
    (void)fflush(stdout);
}

struct took {
    double us[CLAIMS], cpu_us[CLAIMS];
};

static void claim(struct kit *kit, unsigned n, struct took *took)
{
    struct kit_job job;
    kit_job(kit, &job, n, kit_imei(n), "WO-1", KIT_POOL);
    kit_prepare(&job, LEDGER_CLAIM, OUTCOME_PASS, REASON_ok);
    struct store_op op = {.kind = STORE_LEDGER, .ledger = &job.msg};
    double start = now_us(), cpu = cpu_us();
    kit_run(kit, &op);
    took->cpu_us[n] = cpu_us() - cpu;
    took->us[n] = now_us() - start;
    assert_int_equal(job.msg.status, LEDGER_OK);
    /* Ended outside of the measured time: one board after the other, none left under way. */
    assert_int_equal(kit_send(kit, &job, LEDGER_EXPOSE), LEDGER_OK);
    assert_int_equal(kit_record(kit, &job, OUTCOME_PASS, REASON_ok), LEDGER_OK);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct kit kits[2];
static unsigned sizes[] = {10000, LARGE};

static double median(double values[CLAIMS])
{
    qsort(values, CLAIMS, sizeof(double), by_value);
    return values[CLAIMS / 2];
}

/* What the disk takes to sync is most of a claim, so the processor's share is compared as well. */
static void bench_claims(void **state)
{
    (void)state;
    static struct took took[2];
    double us[2], cpu[2];
    for (unsigned i = 0; i < CLAIMS; i++) {
        for (unsigned k = 0; k < 2; k++) {
            claim(&kits[k], i, &took[k]);
        }
    }
    for (unsigned k = 0; k < 2; k++) {
        us[k] = median(took[k].us);
        cpu[k] = median(took[k].cpu_us);
        printf("count claim_of_%u %.1f us\n", sizes[k], us[k]);
        printf("count cpu_of_claim_of_%u %.1f us\n", sizes[k], cpu[k]);
    }
    printf("ratio claim_of_%u_to_%u %.3f 1.20\n", sizes[1], sizes[0], us[1] / us[0]);
    printf("ratio cpu_of_claim_of_%u_to_%u %.3f 1.20\n", sizes[1], sizes[0], cpu[1] / cpu[0]);
}

/* ---- events */

static const enum ledger_kind kinds[] = {LEDGER_CLAIM, LEDGER_EXPOSE, LEDGER_RECORD};

/* What a job of a plain board records: as many steps, and as much of a dialogue. */
static void make_record(struct ledger_msg *msg)
{
    static char dialogue[DIALOGUE_SIZE];
    static unsigned turn;
    for (uint32_t i = 0; i < STEPS; i++) {
        msg->steps[i] = (struct ledger_step){"write_private_key", 40 * i, 39, 1, 0, "ok"};
    }
    msg->n_steps = STEPS;
    memset(dialogue, '.', sizeof(dialogue));
    (void)snprintf(dialogue, sizeof(dialogue), "%u > AT+CGSN", turn++); /* no two are the same */
    msg->dialogue = span_of(dialogue, sizeof(dialogue));
}

struct group {
    struct kit *kit;
    struct kit_job jobs[EVENTS_GROUP];
    struct store_op ops[EVENTS_GROUP];
    struct store_op *list[EVENTS_GROUP];
    double spent[LEDGER_RECORD + 1], cpu_us;
    int64_t events;
};

/* One group commit of one kind: records have dialogues of their own, so they are made one by one. */
static void run_kind(struct group *group, enum ledger_kind kind)
{
    for (unsigned i = 0; i < EVENTS_GROUP; i++) {
        kit_prepare(&group->jobs[i], kind, OUTCOME_PASS, REASON_ok);
        group->ops[i] = (struct store_op){.kind = STORE_LEDGER, .ledger = &group->jobs[i].msg};
        group->list[i] = &group->ops[i];
        if (kind == LEDGER_RECORD) {
            make_record(&group->jobs[i].msg);
        }
    }
    int64_t before = store_last_seq(group->kit->store);
    double start = now_us(), cpu = cpu_us();
    assert_int_equal(store_batch(group->kit->store, group->list, EVENTS_GROUP), 0);
    group->spent[kind] += now_us() - start;
    group->cpu_us += cpu_us() - cpu;
    group->events += store_last_seq(group->kit->store) - before;
    for (unsigned i = 0; i < EVENTS_GROUP; i++) {
        assert_int_equal(group->ops[i].result, 0);
    }
}

static void bench_events_of(struct kit *kit, unsigned size)
{
    static struct group group;
    group = (struct group){.kit = kit};
    for (unsigned g = 0; g < GROUPS; g++) {
        for (unsigned i = 0; i < EVENTS_GROUP; i++) {
            unsigned n = CLAIMS + g * EVENTS_GROUP + i;
            kit_job(kit, &group.jobs[i], n, kit_imei(n), "WO-1", KIT_POOL);
        }
        for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
            run_kind(&group, kinds[k]);
        }
    }
    double n = (double)EVENTS_GROUP * GROUPS * 1e6;
    double all = group.spent[LEDGER_CLAIM] + group.spent[LEDGER_EXPOSE] + group.spent[LEDGER_RECORD];
    printf("count claims_with_%u %.0f per_s\n", size, n / group.spent[LEDGER_CLAIM]);
    printf("count exposes_with_%u %.0f per_s\n", size, n / group.spent[LEDGER_EXPOSE]);
    printf("count records_with_%u %.0f per_s\n", size, n / group.spent[LEDGER_RECORD]);
    printf("count whole_jobs_with_%u %.0f per_s\n", size, n / all);
    printf("count durable_events_with_%u %.0f per_s\n", size, (double)group.events * 1e6 / all);
    printf("count cpu_of_an_event_with_%u %.1f us\n", size, group.cpu_us / (double)group.events);
    printf("ratio durable_events_with_%u_to_20000 %.3f 1.00\n", size,
           (double)group.events * 1e6 / all / 20000);
}

static void bench_events(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 2; k++) {
        bench_events_of(&kits[k], sizes[k]);
    }
}

static int make_stocks(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 2; k++) {
        fill(&kits[k], sizes[k]);
    }
    return 0;
}

static int remove_stocks(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 2; k++) {
        kit_done(&kits[k]);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        sizes[1] = (unsigned)strtoul(argv[1], NULL, 10);
    }
    if (sizes[1] < sizes[0] || setenv("TMPDIR", "/var/tmp", 0) != 0) {
        (void)fprintf(stderr, "usage: bench_claim [BUNDLES]   at least %u\n", sizes[0]);
        return 2;
    }
    const struct CMUnitTest runs[] = {cmocka_unit_test(bench_claims), cmocka_unit_test(bench_events)};
    return cmocka_run_group_tests(runs, make_stocks, remove_stocks);
}
