/* The mark: restored, cloned and lost databases are found out, crashes are not mistaken for them; and the
 * lock. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/mark.h"
#include "support/storekit.h"

/* Stands before libc's: the mark's own sync fails when the test says so. SQLite's goes through here as well.
 */
static bool mark_sync_fails;

int fdatasync(int fd)
{
    static int (*real)(int);
    if (!real) {
        *(void **)&real = dlsym(RTLD_NEXT, "fdatasync");
    }
    char link[64], path[256];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof(path) - 1);
    if (mark_sync_fails && n > 5 && memcmp(path + n - 5, "/mark", 5) == 0) {
        errno = EIO;
        return -1;
    }
    return real(fd);
}

static int setup(void **state)
{
    static struct kit kit;
    kit_init(&kit);
    kit_open_line(&kit, 10);
    for (unsigned i = 1; i <= 4; i++) {
        char id[32];
        snprintf(id, sizeof(id), "pool-%03u", i);
        assert_int_equal(kit_import(&kit, id, KIT_POOL, NULL, NULL), 0);
    }
    *state = &kit;
    return 0;
}

static int teardown(void **state)
{
    struct kit *kit = *state;
    mark_sync_fails = false;
    kit_check(kit);
    kit_done(kit);
    return 0;
}

static const char *path_of(const struct kit *kit, const char *name)
{
    static char path[2][192];
    static unsigned next;
    next = !next;
    snprintf(path[next], sizeof(path[next]), "%s/%s", kit->dir, name);
    return path[next];
}

static void copy(const char *from, const char *to)
{
    char octets[4096];
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    assert_non_null(in);
    assert_non_null(out);
    size_t n;
    while ((n = fread(octets, 1, sizeof(octets), in)) > 0) {
        assert_int_equal(fwrite(octets, 1, n, out), n);
    }
    fclose(in);
    fclose(out);
}

static void overwrite(const char *path, long at, const char *octets, size_t n)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, octets, n, at), n);
    close(fd);
}

/* A backup of the closed database is taken, one more board passes, and the backup is put back. */
static void go_back_in_time(struct kit *kit)
{
    struct kit_job job;
    kit_job(kit, &job, 1, kit_imei(1), "WO-1", KIT_POOL);
    kit_pass(kit, &job);
    kit_close(kit);
    copy(path_of(kit, STORE_DB_NAME), path_of(kit, "backup"));

    assert_int_equal(kit_open(kit), 0);
    assert_int_equal(store_mark_state(kit->store), STORE_MARK_GOOD);
    kit_job(kit, &job, 2, kit_imei(2), "WO-1", KIT_POOL);
    kit_pass(kit, &job); /* pool-002 is on a board now, and the backup knows nothing of it */
    kit_close(kit);
    rename(path_of(kit, "backup"), path_of(kit, STORE_DB_NAME));
}

/* The batch that accepts a mark is rolled back and run again, whichever side of that stands what fails. */
static void a_mark_accepted_in_a_batch_that_is_run_again_is_accepted_once(void **state)
{
    struct kit *kit = *state;
    go_back_in_time(kit);
    assert_int_equal(kit_open(kit), 0);
    int64_t lost = strtoll(kit_query(kit, "SELECT max(seq) FROM event"), NULL, 10);
    struct kit_half halves[2];
    kit_half_done(&halves[0]);
    kit_half_done(&halves[1]);
    struct store_op accept = {.kind = STORE_RECONCILE, .reconcile = {.who = "anna", .why = "seen"}};
    assert_int_equal(store_batch(kit->store, (struct store_op *[]){&halves[0].op, &accept, &halves[1].op}, 3),
                     0);
    assert_int_equal(halves[0].op.result, ERR_REFUSED);
    assert_int_equal(halves[1].op.result, ERR_REFUSED);
    assert_int_equal(accept.result, 0);
    assert_int_equal(halves[0].asked + halves[1].asked, 6);
    assert_int_equal(store_mark_state(kit->store), STORE_MARK_GOOD);
    assert_string_equal(
        kit_query(kit, "SELECT group_concat(kind) FROM event WHERE seq > %lld", (long long)lost),
        "mark_behind,mark_accepted");
    struct kit_job job;
    kit_job(kit, &job, 3, kit_imei(3), "WO-1", KIT_POOL);
    kit_pass(kit, &job);
}

static void a_restored_database_gives_nothing_out_until_a_person_says_so(void **state)
{
    struct kit *kit = *state;
    go_back_in_time(kit);
    assert_int_equal(kit_open(kit), 0);
    assert_int_equal(store_mark_state(kit->store), STORE_MARK_BEHIND);

    struct kit_job job;
    kit_job(kit, &job, 3, kit_imei(3), "WO-1", KIT_POOL);
    assert_int_equal(kit_send(kit, &job, LEDGER_CLAIM), LEDGER_NO);
    assert_int_equal(job.msg.reason, REASON_mark_ahead);
    assert_int_equal(kit_send(kit, &job, LEDGER_EXPOSE), LEDGER_NO);
    assert_int_equal(job.msg.reason, REASON_mark_ahead);
    assert_int_equal(kit_record(kit, &job, OUTCOME_ERROR, REASON_mark_ahead),
                     LEDGER_OK); /* a record is no gift */

    kit_close(kit);
    assert_int_equal(kit_open(kit), 0); /* and it stays so */
    assert_int_equal(store_mark_state(kit->store), STORE_MARK_BEHIND);
    kit_job(kit, &job, 4, kit_imei(3), "WO-1", KIT_POOL);
    assert_int_equal(kit_send(kit, &job, LEDGER_CLAIM), LEDGER_NO);

    struct store_op op = {.kind = STORE_RECONCILE, .reconcile = {.who = "anna"}};
    assert_int_equal(kit_run(kit, &op), ERR_RANGE);
    snprintf(op.reconcile.why, sizeof(op.reconcile.why), "disk replaced, backup of Friday");
    op.reconcile.retire_unspent = true;
    assert_int_equal(kit_run(kit, &op), 0);
    assert_int_equal(op.reconcile.retired, 3);
    assert_int_equal(store_mark_state(kit->store), STORE_MARK_GOOD);
    assert_string_equal(kit_query(kit, "SELECT group_concat(state) FROM bundle"),
                        "installed,retired,retired,retired");

    assert_int_equal(kit_import(kit, "fresh", KIT_POOL, NULL, NULL), 0);
    kit_job(kit, &job, 5, kit_imei(3), "WO-1", KIT_POOL);
    kit_pass(kit, &job);
    assert_string_equal(job.msg.bundle, "fresh");

    kit_close(kit);
    assert_int_equal(kit_open(kit), 0);
    assert_int_equal(store_mark_state(kit->store), STORE_MARK_GOOD);
}

/* Whoever follows the events by their numbers must not take new ones for lost ones. */
static void numbers_of_lost_events_are_not_given_again(void **state)
{
    struct kit *kit = *state;
    go_back_in_time(kit);
    int64_t lost;
    {
        struct mark mark;
        struct mark_file file;
        int dir = open(kit->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(mark_open(&file, dir, &mark), 0);
        mark_close(&file);
        close(dir);
        lost = mark.seq;
    }
    assert_int_equal(kit_open(kit), 0);
    int64_t before = store_last_seq(kit->store);
    assert_true(before < lost);
    struct store_op op = {.kind = STORE_STATION_STARTED};
    assert_int_equal(kit_run(kit, &op), 0);
    assert_int_equal(store_last_seq(kit->store), lost + 2); /* mark_behind, station_started */
    assert_string_equal(kit_query(kit, "SELECT kind FROM event WHERE seq = %lld", (long long)lost + 1),
                        "mark_behind");
    assert_int_equal(store_verify(kit->store, NULL), 0);
}

static void remove_mark(struct kit *kit)
{
    unlink(path_of(kit, MARK_NAME));
}

static void damage_mark(struct kit *kit)
{
    overwrite(path_of(kit, MARK_NAME), 20, "x", 1);
    overwrite(path_of(kit, MARK_NAME), 532, "x", 1);
}

static void empty_mark(struct kit *kit)
{
    assert_int_equal(truncate(path_of(kit, MARK_NAME), 0), 0);
}

static void remove_database(struct kit *kit)
{
    unlink(path_of(kit, STORE_DB_NAME));
}

static void swap_database(struct kit *kit)
{
    struct kit other;
    kit_init(&other);
    other.random_state = 1;
    kit_open_line(&other, 1);
    kit_close(&other);
    copy(path_of(&other, STORE_DB_NAME), path_of(kit, STORE_DB_NAME));
    kit_done(&other);
}

static void damage_first(struct kit *kit)
{
    overwrite(path_of(kit, MARK_NAME), 100, "x", 1);
}

static void damage_second(struct kit *kit)
{
    overwrite(path_of(kit, MARK_NAME), 612, "x", 1);
}

static void leave_temporary(struct kit *kit)
{
    copy(path_of(kit, MARK_NAME), path_of(kit, MARK_NAME ".new"));
}

static void what_happened_to_the_files_is_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*happen)(struct kit *kit);
        enum store_mark_state state;
    } rows[] = {
        {"mark removed", remove_mark, STORE_MARK_MISSING},
        {"both records damaged", damage_mark, STORE_MARK_DAMAGED},
        {"mark empty", empty_mark, STORE_MARK_DAMAGED},
        {"database removed", remove_database, STORE_MARK_OTHER},
        {"database of another station", swap_database, STORE_MARK_OTHER},
        {"first record torn", damage_first, STORE_MARK_GOOD},
        {"second record torn", damage_second, STORE_MARK_GOOD},
        {"killed before the rename", leave_temporary, STORE_MARK_GOOD},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct kit kit;
        kit_init(&kit);
        kit_open_line(&kit, 3);
        kit_close(&kit);
        rows[i].happen(&kit);
        assert_int_equal(kit_open(&kit), 0);
        if (store_mark_state(kit.store) != rows[i].state) {
            fail_msg("%s: %s", rows[i].name, store_mark_text(store_mark_state(kit.store)));
        }
        struct store_op op = {.kind = STORE_RECONCILE, .reconcile = {.who = "anna", .why = "seen"}};
        assert_int_equal(kit_run(&kit, &op), 0);
        assert_int_equal(store_mark_state(kit.store), STORE_MARK_GOOD);
        kit_check(&kit);
        kit_close(&kit);
        assert_int_equal(kit_open(&kit), 0);
        assert_int_equal(store_mark_state(kit.store), STORE_MARK_GOOD);
        kit_done(&kit);
    }
}

/* A power cut in the middle of a record: however much of it arrived, the other one tells. */
static void a_torn_record_is_no_restored_database(void **state)
{
    struct kit *kit = *state;
    char records[1024];
    kit_close(kit);
    FILE *file = fopen(path_of(kit, MARK_NAME), "rb");
    assert_int_equal(fread(records, 1, sizeof(records), file), sizeof(records));
    fclose(file);
    for (size_t n = 1; n < 512; n += 30) {
        for (long slot = 0; slot < 2; slot++) {
            overwrite(path_of(kit, MARK_NAME), 0, records, sizeof(records));
            char torn[512];
            memset(torn, 'Z', n);
            overwrite(path_of(kit, MARK_NAME), slot * 512, torn, n);
            assert_int_equal(kit_open(kit), 0);
            assert_int_equal(store_mark_state(kit->store), STORE_MARK_GOOD);
            kit_close(kit);
        }
    }
    assert_int_equal(kit_open(kit), 0);
}

/* Killed after the mark and before the database was made: nothing to explain, and the id is the mark's. */
static void a_crash_while_everything_is_new_needs_nobody(void **state)
{
    (void)state;
    struct kit kit;
    kit_init(&kit);
    struct mark mark = {.database = "0123456789ABCDEF0123456789ABCDEF"};
    struct mark_file file = {.fd = -1};
    int dir = open(kit.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(mark_create(&file, dir, &mark), 0);
    mark_close(&file);
    close(dir);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(kit_open(&kit), 0);
        assert_int_equal(store_mark_state(kit.store), STORE_MARK_GOOD);
        assert_string_equal(kit_query(&kit, "SELECT value FROM meta WHERE key = 'database'"), mark.database);
        kit_close(&kit);
        if (i == 0) { /* and the same with an empty file already there */
            unlink(path_of(&kit, STORE_DB_NAME));
            unlink(path_of(&kit, MARK_NAME));
            dir = open(kit.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            assert_int_equal(mark_create(&file, dir, &mark), 0);
            mark_close(&file);
            close(dir);
            fclose(fopen(path_of(&kit, STORE_DB_NAME), "wb"));
        }
    }
    kit_done(&kit);
}

/* On record, but nothing may be told until the mark is as far: the same message again finds its claim. */
static void without_its_mark_nothing_is_told(void **state)
{
    struct kit *kit = *state;
    struct kit_job job;
    kit_job(kit, &job, 1, kit_imei(1), "WO-1", KIT_POOL);
    kit_prepare(&job, LEDGER_CLAIM, OUTCOME_NONE, REASON_ok);
    struct store_op op = {.kind = STORE_LEDGER, .ledger = &job.msg};
    struct store_op *ops[] = {&op};

    mark_sync_fails = true;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(store_batch(kit->store, ops, 1), -EIO);
        assert_int_equal(job.msg.status, LEDGER_FAILED);
        assert_int_equal(job.msg.reason, REASON_store_failed);
        assert_non_null(strstr(job.msg.detail, "mark"));
        assert_string_equal(job.msg.bundle, "");
    }
    mark_sync_fails = false;
    assert_int_equal(store_batch(kit->store, ops, 1), 0);
    assert_int_equal(job.msg.status, LEDGER_OK);
    assert_string_equal(job.msg.bundle, "pool-001");
    assert_string_equal(kit_query(kit, "SELECT count(*) FROM event WHERE kind = 'job_started'"), "1");
}

/* Killed between COMMIT and the mark: the database is ahead, which is as it should be. */
static void a_database_ahead_of_its_mark_is_right(void **state)
{
    struct kit *kit = *state;
    copy(path_of(kit, MARK_NAME), path_of(kit, "older"));
    struct kit_job job;
    kit_job(kit, &job, 1, kit_imei(1), "WO-1", KIT_POOL);
    kit_pass(kit, &job);
    kit_close(kit);
    rename(path_of(kit, "older"), path_of(kit, MARK_NAME));
    assert_int_equal(kit_open(kit), 0);
    assert_int_equal(store_mark_state(kit->store), STORE_MARK_GOOD);
}

static void one_state_directory_has_one_store(void **state)
{
    struct kit *kit = *state;
    struct kit second = *kit;
    second.store = NULL;
    second.look = NULL;
    assert_int_equal(kit_open(&second), ERR_LOCKED);
    assert_non_null(strstr(second.err.text, "in use by another process"));
    kit_close(kit);
    assert_int_equal(kit_open(&second), 0);
    kit_close(&second);
    assert_int_equal(kit_open(kit), 0);
}

static void somebody_elses_transaction_is_named_and_survived(void **state)
{
    struct kit *kit = *state;
    struct kit_job job;
    kit_job(kit, &job, 1, kit_imei(1), "WO-1", KIT_POOL);
    kit_prepare(&job, LEDGER_CLAIM, OUTCOME_NONE, REASON_ok);
    struct store_op op = {.kind = STORE_LEDGER, .ledger = &job.msg};
    struct store_op *ops[] = {&op};
    assert_int_equal(kit_meddle(kit, "BEGIN IMMEDIATE"), 0);
    assert_int_equal(store_batch(kit->store, ops, 1), ERR_STORE);
    assert_int_equal(job.msg.status, LEDGER_FAILED);
    assert_non_null(strstr(job.msg.detail, "another program holds the database"));
    assert_string_equal(store_failure(kit->store), job.msg.detail);
    assert_int_equal(store_batch(kit->store, NULL, 0), ERR_STORE); /* asking alone shows it as well */
    assert_int_equal(kit_meddle(kit, "COMMIT"), 0);
    assert_int_equal(store_batch(kit->store, NULL, 0), 0);
    assert_int_equal(store_batch(kit->store, ops, 1), 0);
    assert_int_equal(job.msg.status, LEDGER_OK);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_restored_database_gives_nothing_out_until_a_person_says_so),
        CASE(a_mark_accepted_in_a_batch_that_is_run_again_is_accepted_once),
        CASE(numbers_of_lost_events_are_not_given_again),
        cmocka_unit_test(what_happened_to_the_files_is_told_apart),
        CASE(a_torn_record_is_no_restored_database),
        cmocka_unit_test(a_crash_while_everything_is_new_needs_nobody),
        CASE(without_its_mark_nothing_is_told),
        CASE(a_database_ahead_of_its_mark_is_right),
        CASE(one_state_directory_has_one_store),
        CASE(somebody_elses_transaction_is_named_and_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
