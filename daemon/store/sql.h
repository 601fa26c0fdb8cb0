/*
 * One SQLite connection with its prepared statements: the only place that calls SQLite. Statements come from
 * a const table of texts. Each is prepared when it is first used and kept: most connections need few of them,
 * and each takes up to 10 KiB. A test prepares them all, so that a typing error shows there and not at night.
 *
 * Running one:
 *     struct query q = sql_start(db, Q_JOB_BY_ID);
 *     sql_put_text(&q, id);
 *     while ((r = sql_step(&q)) > 0) { … sql_text(&q, 0) … }
 *     sql_end(&q);
 * Errors stick: after the first one every later call on the query is harmless and sql_step returns it.
 */
#ifndef CERTLINE_STORE_SQL_H
#define CERTLINE_STORE_SQL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "pki/cred.h"

struct sqlite3;
struct sqlite3_stmt;

struct sql {
    struct sqlite3 *handle;
    const char *const *texts;
    struct sqlite3_stmt **statements; /* NULL: not used yet */
    size_t n_statements;
    struct err_info failure; /* the first failure since sql_forget; code 0: none. Constraints are none */
    int failed_code;         /* SQLite's extended code of it */
};

struct query {
    struct sql *db;
    struct sqlite3_stmt *statement; /* NULL: it could not be prepared */
    int n_put;
    int result; /* 0, or the first failure */
};

/* Opens; a reader's connection cannot write. ERR_STORE, ERR_CORRUPT or -ENOMEM with *reterr; sql_close in any
 * case. */
int sql_open(struct sql *db, const char *path, const char *vfs, bool is_reader, struct err_info *reterr);

/* Takes texts[0 … n-1] on, which outlive the connection, and sees that the file can be read. */
int sql_prepare(struct sql *db, const char *const *texts, size_t n, struct err_info *reterr);

/* Harmless on a zeroed, half-opened or closed one. */
void sql_close(struct sql *db);

/* Runs one or more statements without results or parameters. */
int sql_exec(struct sql *db, const char *text);

/* First column of the first row as a number; `otherwise` when there is no row. */
int sql_exec_i64(struct sql *db, const char *text, int64_t otherwise, int64_t *ret);

bool sql_is_in_transaction(const struct sql *db);

/* Rows that the last INSERT, UPDATE or DELETE changed. */
int64_t sql_changes(const struct sql *db);

/* And all of them together, triggers' too, since the connection was opened. */
int64_t sql_total_changes(const struct sql *db);

/* Forgets the last failure. */
void sql_forget(struct sql *db);

struct query sql_start(struct sql *db, size_t statement);

/* Parameters, in the order of the statement's ?1, ?2 … Texts and spans are borrowed until sql_end. */
void sql_put_text(struct query *q, const char *text);
void sql_put_text_or_null(struct query *q, const char *text); /* NULL for NULL or an empty text */
void sql_put_i64(struct query *q, int64_t value);
void sql_put_blob(struct query *q, struct span octets);
void sql_put_digest(struct query *q, const struct digest *digest); /* NULL: null */
void sql_put_null(struct query *q);

/* 1: a row; 0: no more; ERR_DUPLICATE: UNIQUE or PRIMARY KEY; ERR_CONFLICT: another constraint or a trigger's
 * no; ERR_STORE, ERR_CORRUPT, -ENOMEM: see db->failure. */
int sql_step(struct query *q);

/* Ends it: the statement can be started again. Returns the first failure, or 0. */
int sql_end(struct query *q);

/* Step to the end and end: 0 or negative. For statements without rows. */
int sql_run(struct query *q);

/* Columns of the current row, from 0. Text and blob live until the next step or the end. */
bool sql_is_null(const struct query *q, int column);
const char *sql_text(const struct query *q, int column); /* "" for null */
int64_t sql_i64(const struct query *q, int column);      /* 0 for null */
struct span sql_blob(const struct query *q, int column);
bool sql_digest(const struct query *q, int column, struct digest *ret); /* false: null or of another length */

/* Copies a column's text into a fixed array, cut if need be. */
void sql_copy(const struct query *q, int column, char *to, size_t size);

#endif
