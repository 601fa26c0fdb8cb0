/*
 * Migrations. Version 1 is the first released one, so an older is invented here: version 0 knew no lots. It
 * is upgraded to version 1, the result is compared with a fresh database, the upgrade is killed at every
 * statement, and a newer one is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/json.h"
#include "store/migrate.h"
#include "store/read.h"
#include "support/storekit.h"

extern const char store_schema_sql[];

/* Version 0's bundle: no lot, no was_claimed. */
static const char old_bundle[] =
    "PRAGMA foreign_keys = OFF;"
    "DROP TABLE bundle; DROP TABLE bundle_stock;"
    "CREATE TABLE bundle (no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, product TEXT NOT NULL, imei TEXT,"
    " is_made_for INTEGER NOT NULL, state TEXT NOT NULL, retired_why TEXT, content BLOB NOT NULL) STRICT;"
    "INSERT INTO bundle VALUES (1, 'a', 'tracker', NULL, 0, 'free', NULL, zeroblob(32)),"
    " (2, 'b', 'tracker', '351465800000001', 1, 'bound', NULL, zeroblob(32)),"
    " (7, 'c', 'meter', '351465800000001', 0, 'installed', NULL, zeroblob(32));"
    "INSERT INTO credential (bundle, type, sealed) VALUES (1, 2, x'01'), (2, 2, x'02'), (7, 2, x'03');"
    "PRAGMA user_version = 0;";

static const char copy_rows[] =
    "INSERT INTO bundle_stock SELECT product, '', state, count(*) FROM bundle GROUP BY product, state;"
    "INSERT INTO new_bundle (no, id, product, imei, is_made_for, state, retired_why, content)"
    " SELECT no, id, product, imei, is_made_for, state, retired_why, content FROM bundle;"
    "DROP TABLE bundle; ALTER TABLE new_bundle RENAME TO bundle;";

/* The schema's own statements from one line's beginning to another's. */
static void add_part(FILE *out, const char *from, const char *to)
{
    const char *begin = strstr(store_schema_sql, from), *end = strstr(store_schema_sql, to);
    assert_true(begin && end && begin < end);
    fprintf(out, "%.*s\n", (int)(end - begin), begin);
}

/* What a row of the released table would hold; made of the schema, so that the two cannot differ. */
static char *upgrade_sql(void)
{
    char *sql = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&sql, &size);
    fprintf(out, "CREATE TABLE new_");
    add_part(out, "bundle (\n    no ", "-- A board has at most one bundle");
    add_part(out, "CREATE TABLE bundle_stock", "CREATE TRIGGER bundle_is_stocked");
    fprintf(out, "%s\n", copy_rows);
    add_part(out, "CREATE UNIQUE INDEX bundle_of_board", "-- How many bundles are in which state");
    add_part(out, "CREATE TRIGGER bundle_is_stocked", "CREATE TABLE credential");
    fclose(out);
    return sql;
}

static void path_in(const struct kit *kit, char *path, size_t size)
{
    snprintf(path, size, "%s/%s", kit->dir, STORE_DB_NAME);
}

static void make_old(struct kit *kit)
{
    kit_init(kit);
    char path[192];
    path_in(kit, path, sizeof(path));
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    char *trouble = NULL;
    sqlite3_exec(db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
    sqlite3_exec(db, store_schema_sql, NULL, NULL, &trouble);
    assert_null(trouble);
    sqlite3_exec(db, old_bundle, NULL, NULL, &trouble);
    assert_null(trouble);
    sqlite3_close(db);
}

static int upgrade(const struct kit *kit, struct err_info *err)
{
    char path[192];
    path_in(kit, path, sizeof(path));
    char *sql = upgrade_sql();
    const struct migration table[] = {{.from = 0, .sql = sql}};
    struct sql db;
    int r = sql_open(&db, path, NULL, false, err);
    if (r == 0) {
        r = migrate_by(&db, table, 1, 1, err);
    }
    sql_close(&db);
    free(sql);
    return r;
}

static void expect_upgraded(struct kit *kit)
{
    assert_string_equal(kit_query(kit, "PRAGMA user_version"), "1");
    assert_string_equal(
        kit_query(kit, "SELECT group_concat(no || id || lot || state || is_made_for, ' ') FROM bundle"),
        "1afree0 2bbound1 7cinstalled0");
    assert_string_equal(kit_query(kit, "SELECT sum(n) FROM bundle_stock"), "3");
    assert_string_equal(kit_query(kit, "SELECT count(*) FROM pragma_foreign_key_check"), "0");
    assert_string_equal(kit_query(kit, "PRAGMA integrity_check"), "ok");
}

static void an_older_database_becomes_todays(void **state)
{
    (void)state;
    struct kit kit, fresh;
    make_old(&kit);
    assert_int_equal(upgrade(&kit, NULL), 0);
    expect_upgraded(&kit);
    assert_int_equal(upgrade(&kit, NULL), 0); /* again: nothing to do */

    /* The same tables, indexes and triggers as a new one. Renaming puts quotes around the name. */
    kit_init(&fresh);
    assert_int_equal(kit_open(&fresh), 0);
    static const char schema[] =
        "SELECT count(*) || group_concat(replace(sql, '\"', ''), ';') FROM"
        " (SELECT sql FROM sqlite_schema WHERE tbl_name LIKE 'bundle%%' ORDER BY name)";
    char *expected = strdup(kit_query(&fresh, schema));
    assert_string_equal(kit_query(&kit, schema), expected);
    free(expected);
    kit_done(&fresh);
    kit_done(&kit);
}

/* Version 3 kept steps and entries in tables of their own as well; version 1 knew no keys of boards' own
 * making. */
static const char to_version_1[] =
    "ALTER TABLE job DROP COLUMN ending;"
    "CREATE TABLE step (job TEXT NOT NULL REFERENCES job (id), n INTEGER NOT NULL, name TEXT NOT NULL,"
    " PRIMARY KEY (job, n)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE job_entry (job TEXT NOT NULL REFERENCES job (id), n INTEGER NOT NULL,"
    " sec_tag INTEGER NOT NULL, PRIMARY KEY (job, n)) STRICT, WITHOUT ROWID;"
    "INSERT INTO step SELECT id, 0, 'contact' FROM job;"
    "INSERT INTO job_entry SELECT id, 0, 1 FROM job;"
    "DROP INDEX job_by_outcome; CREATE INDEX job_by_outcome ON job (outcome, started);"
    "DROP INDEX job_by_reason; CREATE INDEX job_by_reason ON job (reason, started);"
    "DROP TABLE keygen; DROP TABLE certificate; DROP TABLE attestation; DROP TABLE slot_quarantine;"
    "PRAGMA user_version = 1";

/* What its upgrade adds is what a new database has. */
static void version_1_becomes_todays(void **state)
{
    (void)state;
    struct kit kit;
    kit_init(&kit);
    assert_int_equal(kit_open(&kit), 0);
    static const char columns[] =
        "SELECT group_concat(x, ' ') FROM (SELECT m.name || c.cid || c.name || c.type || c.\"notnull\" || "
        "c.pk "
        "AS x FROM sqlite_schema m, pragma_table_xinfo(m.name) c WHERE m.name IN ('attestation', 'keygen', "
        "'certificate', 'slot_quarantine', 'job') ORDER BY m.name, c.cid)";
    static const char indexes[] =
        "SELECT group_concat(name || ifnull(sql, ''), ';') FROM (SELECT name, sql FROM "
        "sqlite_schema WHERE type = 'index' AND tbl_name IN ('keygen', 'certificate', 'job') "
        "ORDER BY name)";
    char *wanted = strdup(kit_query(&kit, columns)), *wanted_indexes = strdup(kit_query(&kit, indexes));
    assert_int_equal(kit_meddle(&kit, to_version_1), 0);
    kit_close(&kit);
    assert_int_equal(kit_open(&kit), 0);
    assert_int_equal(atoi(kit_query(&kit, "PRAGMA user_version")), STORE_VERSION);
    assert_int_equal(store_upgraded_from(kit.store), 1);
    struct store_op started = {.kind = STORE_STATION_STARTED};
    assert_int_equal(kit_run(&kit, &started), 0);
    assert_string_equal(
        kit_query(&kit, "SELECT data ->> 'upgraded_from' FROM event ORDER BY seq DESC LIMIT 1"), "1");
    assert_string_equal(kit_query(&kit, columns), wanted);
    assert_string_equal(kit_query(&kit, indexes), wanted_indexes);
    free(wanted);
    free(wanted_indexes);
    kit_done(&kit);
}

/* Version 3: steps and entries apart, and of the stock only the states that ever were. */
static const char to_version_3[] =
    "ALTER TABLE job DROP COLUMN ending;"
    "CREATE TABLE step (job TEXT NOT NULL REFERENCES job (id), n INTEGER NOT NULL, name TEXT NOT NULL,"
    " PRIMARY KEY (job, n)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE job_entry (job TEXT NOT NULL REFERENCES job (id), n INTEGER NOT NULL,"
    " sec_tag INTEGER NOT NULL, PRIMARY KEY (job, n)) STRICT, WITHOUT ROWID;"
    "DROP INDEX job_by_outcome; CREATE INDEX job_by_outcome ON job (outcome, started);"
    "DROP INDEX job_by_reason; CREATE INDEX job_by_reason ON job (reason, started);"
    "DELETE FROM bundle_stock WHERE n = 0;"
    "DROP TRIGGER bundle_is_stocked; DROP TRIGGER bundle_changes_state;"
    "CREATE TRIGGER bundle_is_stocked AFTER INSERT ON bundle BEGIN"
    " INSERT INTO bundle_stock VALUES (new.product, new.lot, new.state, 1)"
    " ON CONFLICT DO UPDATE SET n = n + 1; END;"
    "CREATE TRIGGER bundle_changes_state AFTER UPDATE OF state ON bundle WHEN old.state <> new.state BEGIN"
    " UPDATE bundle_stock SET n = n - 1 WHERE product = old.product AND lot = old.lot AND state = old.state;"
    " INSERT INTO bundle_stock VALUES (new.product, new.lot, new.state, 1)"
    " ON CONFLICT DO UPDATE SET n = n + 1; END;"
    "PRAGMA user_version = 3";

/* A board that passed, one whose daemon died (its ending has neither steps nor entries), one at work, one
 * that claimed in vain, an order that was closed, bundles in two lots and in every state. */
static void make_history(struct kit *kit, struct kit_job jobs[4])
{
    static const char *const pool[] = {"pool-1", "pool-2", "pool-3", "pool-4", "pool-5"};
    kit_init(kit);
    kit_open_line(kit, 8);
    for (size_t i = 0; i < sizeof(pool) / sizeof(*pool); i++) {
        assert_int_equal(kit_import(kit, pool[i], KIT_POOL, NULL, i == 4 ? "L1" : NULL), 0);
    }
    assert_int_equal(kit_import(kit, "for-9", KIT_POOL, kit_imei(9), NULL), 0);
    for (unsigned i = 1; i <= 3; i++) {
        kit_job(kit, &jobs[i], i, kit_imei(i), "WO-1", KIT_POOL);
    }
    kit_pass(kit, &jobs[1]);
    assert_int_equal(kit_send(kit, &jobs[2], LEDGER_CLAIM), LEDGER_OK);
    assert_int_equal(kit_send(kit, &jobs[2], LEDGER_EXPOSE), LEDGER_OK);
    struct store_op started = {.kind = STORE_STATION_STARTED};
    assert_int_equal(kit_run(kit, &started), 0);
    assert_int_equal(started.ended, 1);
    assert_int_equal(kit_send(kit, &jobs[3], LEDGER_CLAIM), LEDGER_OK);
    struct store_op retire = {.kind = STORE_BUNDLE_RETIRE, .named = {.id = "pool-4", .why = "lost"}};
    assert_int_equal(kit_run(kit, &retire), 0);
    struct store_op close = {.kind = STORE_ORDER_CLOSE, .named = {.id = "WO-1"}};
    assert_int_equal(kit_run(kit, &close), 0);
}

static void expect_steps(struct kit *kit, unsigned job, size_t steps, size_t entries)
{
    struct store_reader *reader = NULL;
    struct json *tree = NULL;
    assert_int_equal(store_reader_open(&reader, kit->dir, NULL, NULL), 0);
    assert_int_equal(store_read_job(reader, kit_job_id(job), &tree, NULL), 0);
    assert_int_equal(json_count(json_get(tree, "steps")), steps);
    assert_int_equal(json_count(json_get(tree, "entries")), entries);
    json_free(tree);
    store_reader_close(reader);
}

/* What version 4 makes of a history equals what it would have written itself; and goes on from there. */
static void a_history_of_version_3_is_whole_in_todays(void **state)
{
    (void)state;
    static struct kit_job jobs[4];
    struct kit kit;
    make_history(&kit, jobs);
    char *before = kit_dump(&kit);
    assert_int_equal(kit_meddle(&kit, to_version_3), SQLITE_OK);
    kit_close(&kit);
    assert_int_equal(kit_open(&kit), 0);
    assert_int_equal(store_upgraded_from(kit.store), 3);
    char *after = kit_dump(&kit);
    assert_string_equal(after, before);
    free(before);
    free(after);
    expect_steps(&kit, 1, jobs[1].msg.n_steps, 3);
    expect_steps(&kit, 2, 0, 0);
    expect_steps(&kit, 3, 0, 0);

    assert_int_equal(kit_record(&kit, &jobs[3], OUTCOME_FAIL, REASON_digest_mismatch), LEDGER_OK);
    assert_int_equal(kit_import(&kit, "new-lot", KIT_POOL, NULL, "L2"), 0);
    assert_int_equal(kit_import(&kit, "old-lot", KIT_POOL, NULL, "L1"), 0);
    kit_check(&kit);
    assert_int_equal(kit_meddle(&kit, "VACUUM"), SQLITE_OK); /* moves rows; what names them stays true */
    expect_steps(&kit, 1, jobs[1].msg.n_steps, 3);
    kit_check(&kit);
    kit_done(&kit);
}

/* ---- killed at every statement */

struct killer {
    int countdown; /* statements until death; negative: never */
    int n;
};

static int on_statement(unsigned event, void *ctx, void *statement, void *text)
{
    (void)event;
    (void)statement;
    (void)text;
    struct killer *killer = ctx;
    killer->n++;
    if (killer->countdown > 0 && --killer->countdown == 0) {
        _exit(9); /* no destructors, no close: as SIGKILL leaves it */
    }
    return 0;
}

/* Runs the upgrade and dies before its k-th statement; k = 0 only counts. Returns how many there were. */
static int upgrade_until(const struct kit *kit, int k)
{
    char path[192];
    path_in(kit, path, sizeof(path));
    char *sql = upgrade_sql();
    const struct migration table[] = {{.from = 0, .sql = sql}};
    struct sql db;
    assert_int_equal(sql_open(&db, path, NULL, false, NULL), 0);
    struct killer killer = {.countdown = k ? k : -1};
    sqlite3_trace_v2(db.handle, SQLITE_TRACE_STMT, on_statement, &killer);
    migrate_by(&db, table, 1, 1, NULL);
    sql_close(&db);
    free(sql);
    return killer.n;
}

static void a_kill_at_any_statement_leaves_the_old_or_the_new(void **state)
{
    (void)state;
    struct kit kit;
    make_old(&kit);
    int opportunities = upgrade_until(&kit, 0), fired = 0, n_old = 0, n_new = 0;
    kit_done(&kit);

    for (int k = 1; k <= opportunities; k++) {
        make_old(&kit);
        pid_t child = fork();
        if (child == 0) {
            upgrade_until(&kit, k);
            _exit(0);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        fired += WIFEXITED(status) && WEXITSTATUS(status) == 9;

        bool is_old = strcmp(kit_query(&kit, "PRAGMA user_version"), "0") == 0;
        bool has_lot =
            atoi(kit_query(&kit, "SELECT count(*) FROM pragma_table_info('bundle') WHERE name = 'lot'"));
        assert_int_equal(is_old, !has_lot);
        assert_string_equal(kit_query(&kit, "SELECT count(*) FROM bundle"), "3");
        *(is_old ? &n_old : &n_new) += 1;
        kit_close(&kit);

        assert_int_equal(upgrade(&kit, NULL), 0);
        expect_upgraded(&kit);
        kit_done(&kit);
    }
    printf("killed in an upgrade: opportunities %d fired %d (old %d, new %d)\n", opportunities, fired, n_old,
           n_new);
    assert_int_equal(fired, opportunities);
    assert_true(n_old > 0 && n_new > 0);
}

/* The same for this program's own upgrade, and for whatever else opening a store does to its database:
 * statements of any connection count. */
static struct killer of_any;

static int watch(sqlite3 *db, char **ret_why, const struct sqlite3_api_routines *api)
{
    (void)ret_why;
    (void)api;
    return sqlite3_trace_v2(db, SQLITE_TRACE_STMT, on_statement, &of_any);
}

/* Opens the store in a process that dies before the k-th statement, or (k = 0) tells how many there were. */
static int open_until(struct kit *kit, int k)
{
    int told[2], status, n = 0;
    assert_int_equal(pipe(told), 0);
    pid_t child = fork();
    if (child == 0) {
        of_any = (struct killer){.countdown = k ? k : -1};
        sqlite3_auto_extension((void (*)(void))watch);
        kit_open(kit);
        _exit(write(told[1], &of_any.n, sizeof(of_any.n)) == sizeof(of_any.n) ? 0 : 1);
    }
    close(told[1]);
    (void)!read(told[0], &n, sizeof(n));
    close(told[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), k ? 9 : 0);
    return n;
}

/* A database with a board's story in it, closed, as `meddle` leaves it. */
static void make_meddled(struct kit *kit, const char *meddle)
{
    static struct kit_job job;
    kit_init(kit);
    kit_open_line(kit, 1);
    assert_int_equal(kit_import(kit, "pool-1", KIT_POOL, NULL, NULL), 0);
    kit_job(kit, &job, 1, kit_imei(1), "WO-1", KIT_POOL);
    kit_pass(kit, &job);
    assert_int_equal(kit_meddle(kit, meddle), 0);
    kit_close(kit);
}

/* What each version has, or has no more, that the one before had. */
static const char new_tables[] =
    "SELECT group_concat(name) FROM (SELECT name FROM sqlite_schema WHERE name IN"
    " ('keygen', 'certificate', 'attestation', 'slot_quarantine', 'step') ORDER BY name)";
static const char *const tables_of_version[STORE_VERSION + 1] = {
    [1] = "step",
    [2] = "attestation,certificate,keygen,step",
    [3] = "attestation,certificate,keygen,slot_quarantine,step",
    [4] = "attestation,certificate,keygen,slot_quarantine",
};

static void a_kill_in_this_programs_own_upgrades_leaves_one_version_or_another(void **state)
{
    (void)state;
    struct kit kit;
    make_meddled(&kit, to_version_1);
    int opportunities = open_until(&kit, 0), seen[STORE_VERSION + 1] = {0};
    kit_done(&kit);

    for (int k = 1; k <= opportunities; k++) {
        make_meddled(&kit, to_version_1);
        open_until(&kit, k);
        int version = atoi(kit_query(&kit, "PRAGMA user_version"));
        assert_in_range(version, 1, STORE_VERSION);
        assert_string_equal(kit_query(&kit, new_tables), tables_of_version[version]);
        seen[version]++;
        kit_close(&kit);
        assert_int_equal(kit_open(&kit), 0);
        assert_int_equal(atoi(kit_query(&kit, "PRAGMA user_version")), STORE_VERSION);
        assert_string_equal(kit_query(&kit, new_tables), tables_of_version[STORE_VERSION]);
        assert_string_equal(kit_query(&kit, "SELECT id || state FROM bundle"), "pool-1installed");
        assert_string_equal(kit_query(&kit, "SELECT kind FROM event JOIN job ON ending = seq"), "job_ended");
        kit_check(&kit);
        kit_done(&kit);
    }
    printf("killed in an open that upgrades: opportunities %d\n", opportunities);
    for (int version = 1; version <= STORE_VERSION; version++) {
        assert_true(seen[version] > 0);
    }
}

/* ---- what is refused */

static void a_newer_database_is_refused_and_left_alone(void **state)
{
    (void)state;
    struct kit kit;
    kit_init(&kit);
    assert_int_equal(kit_open(&kit), 0);
    assert_int_equal(kit_meddle(&kit, "PRAGMA user_version = 99"), 0);
    kit_close(&kit);
    assert_int_equal(kit_open(&kit), ERR_NEWER);
    assert_non_null(strstr(kit.err.text, "version 99"));
    assert_string_equal(kit_query(&kit, "PRAGMA user_version"), "99");
    kit_done(&kit);
}

static void a_kill_while_a_newer_one_is_refused_changes_nothing(void **state)
{
    (void)state;
    static const char newer[] =
        "CREATE TABLE tomorrow (x); INSERT INTO tomorrow VALUES (1); PRAGMA user_version = 99";
    static const char content[] =
        "SELECT group_concat(name || ifnull(sql, ''), ';') || (SELECT x FROM tomorrow) ||"
        " (SELECT max(seq) FROM event) FROM sqlite_schema";
    struct kit kit;
    make_meddled(&kit, newer);
    int opportunities = open_until(&kit, 0);
    char *before = strdup(kit_query(&kit, content));
    assert_true(opportunities > 0 && *before);
    for (int k = 1; k <= opportunities; k++) {
        kit_close(&kit);
        open_until(&kit, k);
        assert_string_equal(kit_query(&kit, "PRAGMA user_version"), "99");
        assert_string_equal(kit_query(&kit, content), before);
    }
    kit_close(&kit);
    assert_int_equal(kit_open(&kit), ERR_NEWER);
    free(before);
    kit_done(&kit);
}

static void an_unknown_older_one_is_refused(void **state)
{
    (void)state;
    struct kit kit;
    make_old(&kit);
    assert_int_equal(kit_open(&kit), ERR_CORRUPT);
    assert_non_null(strstr(kit.err.text, "version 0, from which no upgrade is known"));
    kit_done(&kit);
}

static void dangling_rows_stop_an_upgrade(void **state)
{
    (void)state;
    struct kit kit;
    make_old(&kit);
    assert_int_equal(kit_meddle(&kit, "PRAGMA foreign_keys = OFF; DELETE FROM bundle WHERE no = 2"), 0);
    kit_close(&kit);
    struct err_info err = {0};
    assert_int_equal(upgrade(&kit, &err), ERR_CORRUPT);
    assert_string_equal(kit_query(&kit, "PRAGMA user_version"), "0");
    kit_done(&kit);
}

static void a_file_that_is_no_database_is_refused(void **state)
{
    (void)state;
    struct kit kit;
    kit_init(&kit);
    char path[192];
    path_in(&kit, path, sizeof(path));
    FILE *file = fopen(path, "wb");
    for (int i = 0; i < 500; i++) {
        fputs("this is not a database\n", file);
    }
    fclose(file);
    assert_int_equal(kit_open(&kit), ERR_CORRUPT);
    assert_non_null(strstr(kit.err.text, "is no database"));
    kit_done(&kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_older_database_becomes_todays),
        cmocka_unit_test(version_1_becomes_todays),
        cmocka_unit_test(a_history_of_version_3_is_whole_in_todays),
        cmocka_unit_test(a_kill_at_any_statement_leaves_the_old_or_the_new),
        cmocka_unit_test(a_kill_in_this_programs_own_upgrades_leaves_one_version_or_another),
        cmocka_unit_test(a_newer_database_is_refused_and_left_alone),
        cmocka_unit_test(a_kill_while_a_newer_one_is_refused_changes_nothing),
        cmocka_unit_test(an_unknown_older_one_is_refused),
        cmocka_unit_test(dangling_rows_stop_an_upgrade),
        cmocka_unit_test(a_file_that_is_no_database_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
