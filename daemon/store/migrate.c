/*
 * Migrations are rows: from which version, and the statements. A released row is never edited; a new version
 * adds one and changes schema.sql, and the test of migrations compares both ways to the same tables.
 *
 * migrate_by takes the table as an argument, and its test brings one from an invented version 0.
 */
#include "store/migrate.h"

#include <stdint.h>
#include <stdio.h>

static const struct migration released[] = {
    /* Keys made on the board, the certificates issued for them, and attestation tokens. */
    {.from = 1,
     .sql = "CREATE TABLE keygen ("
            " bundle TEXT NOT NULL PRIMARY KEY REFERENCES bundle (id),"
            " imei TEXT NOT NULL,"
            " sec_tag INTEGER NOT NULL,"
            " state TEXT NOT NULL CHECK (state IN ('intended', 'issued')),"
            " serial TEXT NOT NULL UNIQUE,"
            " job TEXT NOT NULL,"
            " work_order TEXT"
            ") STRICT, WITHOUT ROWID;"
            "CREATE INDEX keygen_intended ON keygen (work_order) WHERE state = 'intended';"
            "CREATE TABLE certificate ("
            " serial TEXT NOT NULL,"
            " issuer TEXT NOT NULL,"
            " bundle TEXT NOT NULL REFERENCES bundle (id),"
            " imei TEXT NOT NULL,"
            " work_order TEXT,"
            " key_sha256 BLOB NOT NULL CHECK (length(key_sha256) = 32),"
            " issued INTEGER NOT NULL,"
            " not_after INTEGER NOT NULL,"
            " superseded INTEGER,"
            " PRIMARY KEY (serial, issuer)"
            ") STRICT, WITHOUT ROWID;"
            "CREATE INDEX certificate_of_order ON certificate (work_order);"
            "CREATE INDEX certificate_of_bundle ON certificate (bundle);"
            "CREATE TABLE attestation ("
            " imei TEXT NOT NULL PRIMARY KEY,"
            " sealed BLOB NOT NULL,"
            " taken INTEGER NOT NULL"
            ") STRICT, WITHOUT ROWID"},
    /* Slots in quarantine. */
    {.from = 2,
     .sql = "CREATE TABLE slot_quarantine ("
            " slot TEXT NOT NULL PRIMARY KEY,"
            " since INTEGER NOT NULL,"
            " why TEXT NOT NULL"
            ") STRICT, WITHOUT ROWID"},
    /* Steps and entries are read from the event that holds them; open jobs stand in no index of endings; each
     * state has its row in the stock. The checks of `bundle` are left as they were written, with IN, which
     * costs a little time: writing a station's largest table anew would cost more. */
    {.from = 3,
     .sql = "ALTER TABLE job ADD COLUMN ending INTEGER;"
            "UPDATE job SET ending = e.seq FROM (SELECT seq, data ->> 'job' AS id FROM event"
            " WHERE kind = 'job_ended') e WHERE job.id = e.id AND job.outcome IS NOT NULL;"
            "DROP TABLE step;"
            "DROP TABLE job_entry;"
            "DROP INDEX job_by_outcome;"
            "CREATE INDEX job_by_outcome ON job (outcome, started) WHERE outcome IS NOT NULL;"
            "DROP INDEX job_by_reason;"
            "CREATE INDEX job_by_reason ON job (reason, started) WHERE reason IS NOT NULL;"
            "INSERT OR IGNORE INTO bundle_stock SELECT DISTINCT s.product, s.lot, v.column1, 0"
            " FROM bundle_stock s, (VALUES ('free'), ('bound'), ('exposed'), ('installed'), ('retired')) v;"
            "DROP TRIGGER bundle_is_stocked;"
            "CREATE TRIGGER bundle_is_stocked AFTER INSERT ON bundle BEGIN"
            " INSERT INTO bundle_stock SELECT new.product, new.lot, column1, 0"
            " FROM (VALUES ('free'), ('bound'), ('exposed'), ('installed'), ('retired'))"
            " WHERE NOT EXISTS (SELECT 1 FROM bundle_stock WHERE product = new.product AND lot = new.lot);"
            " UPDATE bundle_stock SET n = n + 1"
            " WHERE product = new.product AND lot = new.lot AND state = new.state; END;"
            "DROP TRIGGER bundle_changes_state;"
            "CREATE TRIGGER bundle_changes_state AFTER UPDATE OF state ON bundle WHEN old.state <> new.state "
            "BEGIN"
            " UPDATE bundle_stock SET n = n - 1"
            " WHERE product = old.product AND lot = old.lot AND state = old.state;"
            " UPDATE bundle_stock SET n = n + 1"
            " WHERE product = new.product AND lot = new.lot AND state = new.state; END"},
};

int migrate_is_empty(struct sql *db)
{
    int64_t n = 0;
    int r = sql_exec_i64(db, "SELECT count(*) FROM sqlite_schema", 0, &n);
    return r < 0 ? r : n == 0;
}

static const struct migration *row_from(const struct migration *table, size_t n, int64_t version)
{
    for (size_t i = 0; i < n; i++) {
        if (table[i].from == version) {
            return &table[i];
        }
    }
    return NULL;
}

static int run(struct sql *db, const struct migration *row)
{
    char set_version[48];
    snprintf(set_version, sizeof(set_version), "PRAGMA user_version = %d", row->from + 1);

    int r = sql_exec(db, row->sql);
    int64_t dangling = 0;
    if (r == 0) {
        r = sql_exec_i64(db, "SELECT count(*) FROM pragma_foreign_key_check", 0, &dangling);
    }
    if (r == 0 && dangling > 0) {
        r = ERR_CORRUPT;
    }
    return r < 0 ? r : sql_exec(db, set_version);
}

static int step(struct sql *db, const struct migration *row)
{
    int r = sql_exec(db, "BEGIN IMMEDIATE");
    if (r == 0) {
        r = run(db, row);
        if (r == 0) {
            r = sql_exec(db, "COMMIT");
        }
        if (r < 0 && sql_is_in_transaction(db)) {
            sql_exec(db, "ROLLBACK");
        }
    }
    return r;
}

static int climb(struct sql *db, const struct migration *table, size_t n, int64_t from, int version,
                 struct err_info *reterr)
{
    for (int64_t at = from; at < version; at++) {
        const struct migration *row = row_from(table, n, at);
        if (!row) {
            return err_set(reterr, ERR_CORRUPT,
                           "the database has version %lld, from which no upgrade is known", (long long)at);
        }
        int r = step(db, row);
        if (r < 0) {
            return err_set(reterr, r, "the upgrade of the database from version %lld failed: %s",
                           (long long)at,
                           db->failure.code ? db->failure.text : "its rows do not fit together");
        }
    }
    return 0;
}

int migrate_by(struct sql *db, const struct migration *table, size_t n, int version, struct err_info *reterr)
{
    int64_t from = 0;
    int r = sql_exec_i64(db, "PRAGMA user_version", 0, &from);
    if (r < 0) {
        return err_set(reterr, r, "%s", db->failure.text);
    }
    if (from > version) {
        return err_set(
            reterr, ERR_NEWER,
            "the database has version %lld and this program knows version %d: install the newer program",
            (long long)from, version);
    }
    if (from == version) {
        return 0;
    }
    /* The pragma does nothing inside a transaction, so it is set around all of them. */
    r = sql_exec(db, "PRAGMA foreign_keys = OFF");
    if (r < 0) {
        return err_set(reterr, r, "%s", db->failure.text);
    }
    r = climb(db, table, n, from, version, reterr);
    int on = sql_exec(db, "PRAGMA foreign_keys = ON");
    return r < 0 ? r : on;
}

int migrate(struct sql *db, struct err_info *reterr)
{
    return migrate_by(db, released, sizeof(released) / sizeof(*released), STORE_VERSION, reterr);
}
