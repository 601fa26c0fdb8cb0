/*
 * SQLite behind a narrow face. What each of its codes means to a person is said here, once: the texts end up
 * on the operator's screen ("store_failed: …"), so they name the thing to do and not the library's symbol.
 *
 * Constraint violations are answers, not failures: claims and imports lean on unique indexes, so they come
 * back as ERR_DUPLICATE and ERR_CONFLICT without touching db->failure.
 */
#include "store/sql.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* SQLite counts its memory under a lock of the whole process, a tenth of the writer's time; nobody asks. It
 * must be said before its first use, by whomever. */
__attribute__((constructor)) static void count_no_memory(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static const struct {
    int code;
    int result;
    const char *text;
} failures[] = {
    {SQLITE_BUSY, ERR_STORE, "another program holds the database: close it; the station tries again"},
    {SQLITE_LOCKED, ERR_STORE, "the database is locked within this program; the station tries again"},
    {SQLITE_FULL, ERR_STORE,
     "the disk with the station's records is full: free space; the station tries again"},
    {SQLITE_IOERR, ERR_STORE,
     "reading or writing the station's records failed: check the disk; the station tries again"},
    {SQLITE_READONLY, ERR_STORE,
     "the station's records cannot be written: check permissions and mount options"},
    {SQLITE_CANTOPEN, ERR_STORE, "the database file cannot be opened: check the state directory"},
    {SQLITE_PERM, ERR_STORE,
     "access to the database was denied: check owner and mode of the state directory"},
    {SQLITE_NOMEM, -ENOMEM, "out of memory in the database"},
    {SQLITE_CORRUPT, ERR_CORRUPT, "the database is damaged: stop the station and restore it from a backup"},
    {SQLITE_NOTADB, ERR_CORRUPT, "the file in the database's place is no database: restore it from a backup"},
};

/* Keeps the first failure; returns our code for it. */
static int fail(struct sql *db, int code)
{
    int result = ERR_STORE;
    const char *text = "the database refused";
    /* The index of the WAL could not be made as large as it is to be. */
    int plain = code == SQLITE_IOERR_SHMSIZE ? SQLITE_FULL : code & 0xFF;
    for (size_t i = 0; i < sizeof(failures) / sizeof(*failures); i++) {
        if (failures[i].code == plain) {
            result = failures[i].result;
            text = failures[i].text;
            break;
        }
    }
    if (db->failure.code == 0) {
        db->failed_code = code;
        err_set(&db->failure, result, "%s (%s, %d)", text,
                db->handle ? sqlite3_errmsg(db->handle) : "not open", code);
    }
    return result;
}

static int constraint(int code)
{
    return code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY ||
                   code == SQLITE_CONSTRAINT_ROWID
               ? ERR_DUPLICATE
               : ERR_CONFLICT;
}

/* The failure as the caller's, for the calls that report at once. */
static int report(const struct sql *db, int result, struct err_info *reterr)
{
    return result < 0 ? err_set(reterr, result, "%s", db->failure.text) : result;
}

/* The writer's recovery of a WAL may keep a reader out for a moment. */
static const char reader_settings[] =
    "PRAGMA busy_timeout = 2000; PRAGMA query_only = ON; PRAGMA temp_store = MEMORY";

int sql_open(struct sql *db, const char *path, const char *vfs, bool is_reader, struct err_info *reterr)
{
    *db = (struct sql){0};
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                (is_reader ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    int code = sqlite3_open_v2(path, &db->handle, flags, vfs);
    if (code != SQLITE_OK) {
        return report(db, fail(db, code), reterr);
    }
    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    return is_reader ? report(db, sql_exec(db, reader_settings), reterr) : 0;
}

int sql_prepare(struct sql *db, const char *const *texts, size_t n, struct err_info *reterr)
{
    db->statements = calloc(n, sizeof(struct sqlite3_stmt *));
    if (!db->statements) {
        return err_set(reterr, -ENOMEM, "no memory for the database's statements");
    }
    db->texts = texts;
    db->n_statements = n;
    int64_t unused;
    return report(db, sql_exec_i64(db, "PRAGMA schema_version", 0, &unused), reterr);
}

void sql_close(struct sql *db)
{
    for (size_t i = 0; i < db->n_statements; i++) {
        sqlite3_finalize(db->statements[i]);
    }
    free(db->statements);
    sqlite3_close_v2(db->handle);
    db->statements = NULL;
    db->n_statements = 0;
    db->handle = NULL;
}

int sql_exec(struct sql *db, const char *text)
{
    int code = sqlite3_exec(db->handle, text, NULL, NULL, NULL);
    return code == SQLITE_OK ? 0 : fail(db, code);
}

int sql_exec_i64(struct sql *db, const char *text, int64_t otherwise, int64_t *ret)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db->handle, text, -1, &statement, NULL);
    int64_t value = otherwise;
    if (code == SQLITE_OK) {
        code = sqlite3_step(statement);
        if (code == SQLITE_ROW) {
            value = sqlite3_column_int64(statement, 0);
        }
    }
    int result = code == SQLITE_ROW || code == SQLITE_DONE ? 0 : fail(db, code);
    sqlite3_finalize(statement);
    if (result == 0) {
        *ret = value;
    }
    return result;
}

bool sql_is_in_transaction(const struct sql *db)
{
    return db->handle && sqlite3_get_autocommit(db->handle) == 0;
}

int64_t sql_changes(const struct sql *db)
{
    return sqlite3_changes64(db->handle);
}

int64_t sql_total_changes(const struct sql *db)
{
    return sqlite3_total_changes64(db->handle);
}

void sql_forget(struct sql *db)
{
    db->failure = (struct err_info){0};
    db->failed_code = 0;
}

struct query sql_start(struct sql *db, size_t statement)
{
    struct query q = {.db = db};
    if (!db->statements[statement]) {
        int code = sqlite3_prepare_v3(db->handle, db->texts[statement], -1, SQLITE_PREPARE_PERSISTENT,
                                      &db->statements[statement], NULL);
        q.result = code == SQLITE_OK ? 0 : fail(db, code);
    }
    q.statement = db->statements[statement];
    return q;
}

/* Of a query without a statement SQLite says MISUSE, and the first failure is kept. */
static void put(struct query *q, int code)
{
    if (code != SQLITE_OK && q->result == 0) {
        q->result = fail(q->db, code);
    }
}

void sql_put_text(struct query *q, const char *text)
{
    put(q, sqlite3_bind_text(q->statement, ++q->n_put, text, -1, SQLITE_STATIC));
}

void sql_put_text_or_null(struct query *q, const char *text)
{
    if (text && *text) {
        sql_put_text(q, text);
    } else {
        sql_put_null(q);
    }
}

void sql_put_i64(struct query *q, int64_t value)
{
    put(q, sqlite3_bind_int64(q->statement, ++q->n_put, value));
}

void sql_put_blob(struct query *q, struct span octets)
{
    const char *at = octets.len > 0 ? octets.at : ""; /* a NULL pointer would be null, not empty */
    put(q, sqlite3_bind_blob64(q->statement, ++q->n_put, at, octets.len, SQLITE_STATIC));
}

void sql_put_digest(struct query *q, const struct digest *digest)
{
    if (digest) {
        sql_put_blob(q, span_of((const char *)digest->octets, DIGEST_SIZE));
    } else {
        sql_put_null(q);
    }
}

void sql_put_null(struct query *q)
{
    put(q, sqlite3_bind_null(q->statement, ++q->n_put));
}

int sql_step(struct query *q)
{
    if (q->result != 0) {
        return q->result;
    }
    int code = sqlite3_step(q->statement);
    if (code == SQLITE_ROW) {
        return 1;
    }
    if (code == SQLITE_DONE) {
        return 0;
    }
    q->result = (code & 0xFF) == SQLITE_CONSTRAINT ? constraint(code) : fail(q->db, code);
    return q->result;
}

int sql_end(struct query *q)
{
    if (q->statement) {
        sqlite3_reset(q->statement); /* repeats the step's code, which we have */
        sqlite3_clear_bindings(q->statement);
    }
    return q->result;
}

int sql_run(struct query *q)
{
    while (sql_step(q) > 0) {
    }
    return sql_end(q);
}

bool sql_is_null(const struct query *q, int column)
{
    return sqlite3_column_type(q->statement, column) == SQLITE_NULL;
}

/* Nothing came out of a column: it is null or empty, or SQLite had no memory to hand it out. */
static void look_for_shortage(const struct query *q)
{
    if (sqlite3_errcode(q->db->handle) == SQLITE_NOMEM) {
        fail(q->db, SQLITE_NOMEM);
    }
}

const char *sql_text(const struct query *q, int column)
{
    const unsigned char *text = sqlite3_column_text(q->statement, column);
    if (!text) {
        look_for_shortage(q);
    }
    return text ? (const char *)text : "";
}

int64_t sql_i64(const struct query *q, int column)
{
    return sqlite3_column_int64(q->statement, column);
}

struct span sql_blob(const struct query *q, int column)
{
    const char *at = sqlite3_column_blob(q->statement, column);
    int len = sqlite3_column_bytes(q->statement, column);
    if (!at) {
        look_for_shortage(q);
    }
    return span_of(at, at && len > 0 ? (size_t)len : 0);
}

bool sql_digest(const struct query *q, int column, struct digest *ret)
{
    struct span octets = sql_blob(q, column);
    if (octets.len != DIGEST_SIZE) {
        return false;
    }
    memcpy(ret->octets, octets.at, DIGEST_SIZE);
    return true;
}

void sql_copy(const struct query *q, int column, char *to, size_t size)
{
    snprintf(to, size, "%s", sql_text(q, column));
}
