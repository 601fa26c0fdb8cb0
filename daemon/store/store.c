/*
 * Opening, and the batch: one transaction, a savepoint for each operation, COMMIT, the mark, and only then
 * the answers.
 *
 * What can go wrong, and what is done:
 *   an operation is refused or fails      its savepoint is rolled back, the others go on
 *   SQLite ends the whole transaction     (full disk, I/O error) every operation failed; the connection is
 * opened anew COMMIT returns an error               its outcome is unknown: the database is opened anew and
 * asked whether the batch's last event is there, with its hash; that is the answer the mark cannot be written
 * the batch is on record but may not be told: every operation failed, and the same ones sent again find
 * themselves done A failed answer thus never means "not done", only "not told": that is why every operation
 * is idempotent.
 *
 * Nothing is ever written through a connection that failed: caches and locks of a handle that has seen an I/O
 * error are not worth reasoning about, and opening costs a few milliseconds.
 */
#include "store/store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/hex.h"
#include "store/internal.h"
#include "store/migrate.h"

extern const char store_schema_sql[]; /* schema.sql, embedded by the build */

#define LOCK_NAME "lock"

/* ---- the connection */

/* Settings of the connection; journal_mode is the file's and stays. A WAL that a long reader let grow is cut
 * back. */
static const char settings[] =
    "PRAGMA busy_timeout = 0;"
    "PRAGMA foreign_keys = ON;"
    "PRAGMA secure_delete = ON;"
    "PRAGMA temp_store = MEMORY;"
    "PRAGMA recursive_triggers = ON;" /* a REPLACE fires the triggers that protect events */
    "PRAGMA journal_mode = WAL;"
    "PRAGMA synchronous = FULL;"
    "PRAGMA journal_size_limit = 67108864;";

int meta_get(struct store *st, const char *key, char *to, size_t size)
{
    struct query q = sql_start(&st->db, Q_META_GET);
    sql_put_text(&q, key);
    int r = sql_step(&q);
    if (r > 0) {
        sql_copy(&q, 0, to, size);
    }
    sql_end(&q);
    return r == 0 ? ERR_CORRUPT : r < 0 ? r : 0;
}

int meta_put(struct store *st, const char *key, const char *value)
{
    struct query q = sql_start(&st->db, Q_META_PUT);
    sql_put_text(&q, key);
    sql_put_text(&q, value);
    return sql_run(&q);
}

/* The first transaction of a database: its tables, its id, its first event. */
static int fill_new(struct store *st, const char *id)
{
    int r = sql_prepare(&st->db, statement_texts, STATEMENTS, NULL);
    if (r == 0) {
        r = meta_put(st, "database", id);
    }
    if (r < 0) {
        return r;
    }
    struct json *data = json_new_object();
    int trouble = json_put_text(data, "database", id);
    trouble |= json_put_text(data, "station", st->station);
    trouble |= json_put_text(data, "program", st->program);
    return event_emit(st, "store_created", NULL, NULL, data, trouble);
}

static int make_database(struct store *st, const char *id, struct err_info *reterr)
{
    int r = sql_exec(&st->db, "BEGIN IMMEDIATE");
    if (r == 0) {
        r = sql_exec(&st->db, store_schema_sql);
    }
    st->tail = (struct chain_head){0};
    if (r == 0) {
        r = fill_new(st, id);
    }
    if (r == 0) {
        r = sql_exec(&st->db, "COMMIT");
    }
    return r < 0 ? err_set(reterr, r, "making the database failed: %s", st->db.failure.text) : 0;
}

static void close_database(struct store *st)
{
    sql_close(&st->db);
    st->is_open = false;
}

/* The database as it is in the file: tables of today's version, statements, id and head. `id` names a new
 * one. */
static int open_database(struct store *st, const char *new_id, struct err_info *reterr)
{
    int r = sql_open(&st->db, st->path, st->vfs, false, reterr);
    if (r < 0) {
        return r;
    }
    r = sql_exec(&st->db, settings);
    int is_empty = r == 0 ? migrate_is_empty(&st->db) : r;
    if (is_empty < 0) {
        return err_set(reterr, is_empty, "%s", st->db.failure.text);
    }
    if (is_empty) {
        r = make_database(st, new_id, reterr);
    } else {
        r = migrate(&st->db, reterr);
        if (r == 0) {
            r = sql_prepare(&st->db, statement_texts, STATEMENTS, reterr);
        }
    }
    if (r < 0) {
        return r;
    }
    r = meta_get(st, "database", st->database, sizeof(st->database));
    if (r == 0) {
        r = event_read_head(st);
    }
    st->is_open = r == 0;
    return r < 0 ? err_set(reterr, r, "%s",
                           st->db.failure.code ? st->db.failure.text : "the database has no identity")
                 : 0;
}

/* ---- the mark */

/* The mark's own contents against the database. */
static int judge_mark(struct store *st, enum store_mark_state *ret)
{
    if (strcmp(st->mark.database, st->database) != 0) {
        *ret = STORE_MARK_OTHER;
        return 0;
    }
    int r = st->mark.seq == 0 ? 1 : event_is_there(st, st->mark.seq, &st->mark.hash);
    if (r >= 0) {
        *ret = r ? STORE_MARK_GOOD : STORE_MARK_BEHIND;
    }
    return r < 0 ? r : 0;
}

/* Events that a restored database writes must not bear numbers that the lost ones had: others have seen
 * those. */
static void set_mark_state(struct store *st, enum store_mark_state state)
{
    if (state != st->mark_state) {
        st->mark_is_told = false;
    }
    st->mark_state = state;
    if (state == STORE_MARK_BEHIND || state == STORE_MARK_OTHER) {
        st->leap_to = st->mark.seq;
    }
}

/* Brings the mark up to the database. Nothing to do while a person must decide first. */
static int advance_mark(struct store *st)
{
    bool is_there = st->mark.seq == st->head.seq && strcmp(st->mark.database, st->database) == 0;
    if (st->mark_state != STORE_MARK_GOOD || (is_there && st->mark_file.fd >= 0)) {
        return 0;
    }
    struct mark mark = {.seq = st->head.seq, .hash = st->head.hash};
    memcpy(mark.database, st->database, sizeof(mark.database));
    int r = st->mark_file.fd >= 0 ? mark_write(&st->mark_file, &mark)
                                  : mark_create(&st->mark_file, st->dir_fd, &mark);
    if (r == 0) {
        st->mark = mark;
    }
    return r;
}

/* ---- open and close */

static void new_id(const struct store_config *config, char id[DATABASE_ID_SIZE])
{
    uint8_t octets[(DATABASE_ID_SIZE - 1) / 2];
    config->random(config->random_ctx, octets, sizeof(octets));
    hex_encode(octets, sizeof(octets), id);
}

static int take_lock(struct store *st, const char *dir, struct err_info *reterr)
{
    st->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (st->dir_fd < 0) {
        return err_set(reterr, -errno, "the state directory %s cannot be opened: %s", dir, strerror(errno));
    }
    st->lock_fd = openat(st->dir_fd, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (st->lock_fd < 0) {
        return err_set(reterr, -errno, "%s/%s cannot be opened: %s", dir, LOCK_NAME, strerror(errno));
    }
    if (flock(st->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        return err_set(reterr, ERR_LOCKED, "the state directory %s is in use by another process", dir);
    }
    return 0;
}

/* The file exists before SQLite opens it, so that it and its WAL get this mode. Never opened by us when it is
 * there: closing it would drop the POSIX locks of our other connections. */
static int make_file(struct store *st, struct err_info *reterr)
{
    int fd = openat(st->dir_fd, STORE_DB_NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno != EEXIST) {
        return err_set(reterr, -errno, "%s cannot be made: %s", st->path, strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    return 0;
}

/*
 * A mark that says "nothing yet" comes before the database, and the database gets the id that stands in it: a
 * crash between the two leaves nothing to explain. A database without a mark, or a mark without its database,
 * is for a person to look at. Returns how the mark was found: 0, ERR_NOT_FOUND, ERR_CORRUPT, or another error
 * with *reterr.
 */
static int find_mark(struct store *st, const struct store_config *config, char id[DATABASE_ID_SIZE],
                     struct err_info *reterr)
{
    new_id(config, id);
    bool has_database = faccessat(st->dir_fd, STORE_DB_NAME, F_OK, 0) == 0;
    int found = mark_open(&st->mark_file, st->dir_fd, &st->mark);
    if (found == ERR_NOT_FOUND && !has_database) {
        memcpy(st->mark.database, id, DATABASE_ID_SIZE);
        found = mark_create(&st->mark_file, st->dir_fd, &st->mark);
    }
    if (found == 0 && st->mark.seq == 0) {
        memcpy(id, st->mark.database, DATABASE_ID_SIZE);
    }
    if (found == ERR_CORRUPT) {
        mark_close(&st->mark_file); /* the next one written is a new file */
    } else if (found < 0 && found != ERR_NOT_FOUND) {
        return err_set(reterr, found, "the mark in the state directory cannot be used: %s", err_text(found));
    }
    return found;
}

static int open_with_mark(struct store *st, const struct store_config *config, struct err_info *reterr)
{
    char id[DATABASE_ID_SIZE];
    int found = find_mark(st, config, id, reterr);
    if (found < 0 && found != ERR_NOT_FOUND && found != ERR_CORRUPT) {
        return found;
    }
    int r = make_file(st, reterr);
    if (r == 0) {
        r = open_database(st, id, reterr);
    }
    enum store_mark_state state = found == ERR_NOT_FOUND ? STORE_MARK_MISSING : STORE_MARK_DAMAGED;
    if (r == 0 && found == 0) {
        r = judge_mark(st, &state);
        if (r < 0) {
            err_set(reterr, r, "%s", st->db.failure.text);
        }
    }
    if (r < 0) {
        return r;
    }
    set_mark_state(st, state);
    st->must_probe = advance_mark(st) < 0;
    return 0;
}

int store_open(struct store **ret, const struct store_config *config, struct err_info *reterr)
{
    struct store *st = calloc(1, sizeof(*st));
    if (!st) {
        return err_set(reterr, -ENOMEM, "no memory for the store");
    }
    st->clock = config->clock;
    st->random = config->random;
    st->random_ctx = config->random_ctx;
    st->spare_certificates = config->spare_certificates;
    st->dir_fd = st->lock_fd = st->mark_file.fd = -1;
    bool is_full = asprintf(&st->path, "%s/%s", config->dir, STORE_DB_NAME) < 0;
    st->vfs = config->vfs ? strdup(config->vfs) : NULL;
    st->station = strdup(config->station ? config->station : "");
    st->program = strdup(config->program ? config->program : "");
    st->config_digest = config->config_digest ? strdup(config->config_digest) : NULL;

    int r = is_full || !st->station || !st->program ? err_set(reterr, -ENOMEM, "no memory for the store")
                                                    : take_lock(st, config->dir, reterr);
    if (r == 0) {
        r = open_with_mark(st, config, reterr);
    }
    if (r < 0) {
        store_close(st);
        return r;
    }
    *ret = st;
    return 0;
}

void store_close(struct store *st)
{
    if (!st) {
        return;
    }
    close_database(st);
    mark_close(&st->mark_file);
    if (st->lock_fd >= 0) {
        close(st->lock_fd); /* gives the lock back; the file stays, since another may wait on it */
    }
    if (st->dir_fd >= 0) {
        close(st->dir_fd);
    }
    free(st->path);
    free(st->vfs);
    free(st->station);
    free(st->program);
    free(st->config_digest);
    free(st);
}

/* ---- the batch */

int op_no(struct store_op *op, int code, enum reason reason, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(op->detail, sizeof(op->detail), format, args);
    va_end(args);
    op->reason = reason;
    return code;
}

static int run_ledger(struct store *st, struct store_op *op)
{
    switch (op->ledger->kind) {
    case LEDGER_CLAIM:
        return op_claim(st, op);
    case LEDGER_EXPOSE:
        return op_expose(st, op);
    case LEDGER_INTEND:
        return op_intend(st, op);
    case LEDGER_ISSUE:
        return op_issue(st, op);
    case LEDGER_RECORD:
        return op_record(st, op);
    case LEDGER_DIGEST:
    case LEDGER_EXPLAIN:
    case LEDGER_CSR:
    case LEDGER_SIGN:
    case LEDGER_POSSESSION:
    case LEDGER_ATTEST:
        break; /* for keys and the signer */
    }
    return op_no(op, ERR_REFUSED, REASON_internal, "a message that is not for the store");
}

static int run_kind(struct store *st, struct store_op *op)
{
    switch (op->kind) {
    case STORE_LEDGER:
        return run_ledger(st, op);
    case STORE_IMPORT:
        return op_import(st, op);
    case STORE_IMPORT_FILE:
        return op_import_file(st, op);
    case STORE_EXPORT:
        return op_export(st, op);
    case STORE_ORDER_PUT:
        return op_order_put(st, op);
    case STORE_ORDER_CLOSE:
        return op_order_close(st, op);
    case STORE_BUNDLE_RELEASE:
        return op_bundle_release(st, op);
    case STORE_BUNDLE_RETIRE:
        return op_bundle_retire(st, op);
    case STORE_PRODUCT:
        return op_product(st, op);
    case STORE_SLOT:
        return op_slot(st, op);
    case STORE_STATION_STARTED:
        return op_station_started(st, op);
    case STORE_ROTATE:
        return op_rotate(st, op);
    case STORE_RECONCILE:
        return op_reconcile(st, op);
    }
    return op_no(op, ERR_INTERNAL, REASON_internal, "an operation of no known kind");
}

static int run_statement(struct store *st, enum statement id)
{
    struct query q = sql_start(&st->db, id);
    return sql_run(&q);
}

/* Keeps a failure for the operations that have no refusal of their own. */
static void note_failure(struct store *st, struct store_op *op, int result)
{
    if (*op->detail == '\0') {
        const char *why = st->db.failure.code ? st->db.failure.text : err_text(result);
        buf_copy(op->detail, sizeof(op->detail), span_str(why));
        op->reason = REASON_store_failed;
    }
}

/* Runs one operation in its savepoint. 0: the transaction stands, whatever became of the operation. */
static int run_op(struct store *st, struct store_op *op)
{
    op->reason = REASON_NONE;
    op->detail[0] = '\0';
    const struct chain_head before = st->tail;
    int r = run_statement(st, Q_SAVEPOINT);
    if (r < 0) {
        return r;
    }
    op->result = run_kind(st, op);
    if (op->result == 0) {
        return run_statement(st, Q_RELEASE);
    }

    note_failure(st, op, op->result);
    st->tail = before;
    st->open_jobs.is_known = false;
    if (st->db.failure.code != 0) {
        return op->result; /* trouble of the connection, which is everybody's */
    }
    r = run_statement(st, Q_ROLLBACK_TO);
    return r < 0 ? r : run_statement(st, Q_RELEASE);
}

static int tell_mark(struct store *st)
{
    char hash[2 * DIGEST_SIZE + 1];
    hex_encode(st->mark.hash.octets, DIGEST_SIZE, hash);
    struct json *data = json_new_object();
    int trouble = json_put_text(data, "found", store_mark_text(st->mark_state));
    trouble |= json_put_text(data, "mark_database", st->mark.database);
    trouble |= json_put_i64(data, "mark_seq", st->mark.seq);
    trouble |= json_put_text(data, "mark_hash", hash);
    return event_emit(st, "mark_behind", NULL, NULL, data, trouble);
}

static int begin(struct store *st)
{
    int r = run_statement(st, Q_BEGIN);
    if (r < 0) {
        return r;
    }
    st->tail = st->head;
    st->open_jobs.is_known = false;
    st->mark_is_accepted = false;
    if (st->mark_state != STORE_MARK_GOOD && !st->mark_is_told) {
        r = tell_mark(st);
    }
    if (r == 0 && st->must_probe) {
        char now[CLOCK_RFC3339_SIZE];
        clock_rfc3339(st->clock->wall_ms(st->clock), now);
        r = meta_put(st, "recovered", now);
    }
    return r;
}

/* Opens the connection anew after a failure. A file that is not the one we knew is a matter for the mark. */
static int reopen(struct store *st)
{
    char known[DATABASE_ID_SIZE];
    memcpy(known, st->database, sizeof(known));
    close_database(st);
    int r = open_database(st, known, &st->failure);
    enum store_mark_state state = st->mark_state;
    if (r == 0 && st->mark_state == STORE_MARK_GOOD) {
        r = judge_mark(st, &state);
        if (r < 0) {
            err_set(&st->failure, r, "%s", st->db.failure.text);
        }
    }
    if (r < 0) {
        close_database(st);
        return r;
    }
    set_mark_state(st, state);
    return 0;
}

/* COMMIT failed: was it done? 0: yes, all of it. */
static int resolve(struct store *st, int failure)
{
    const struct chain_head tail = st->tail;
    struct err_info why = st->db.failure;
    bool wrote = tail.seq != st->head.seq;
    int r = reopen(st);
    if (r == 0 && wrote && st->head.seq == tail.seq && digest_eq(&st->head.hash, &tail.hash)) {
        return 0;
    }
    if (st->failure.code == 0) {
        st->failure = why;
    }
    return failure;
}

static void after_commit(struct store *st)
{
    st->head = st->tail;
    st->must_probe = false;
    st->mark_is_told = true; /* or there is nothing to tell */
    if (st->mark_is_accepted) {
        st->mark_state = STORE_MARK_GOOD;
    }
}

static int finish(struct store *st)
{
    int r = run_statement(st, Q_COMMIT);
    if (r < 0) {
        r = resolve(st, r);
    }
    if (r < 0) {
        return r;
    }
    after_commit(st);
    r = advance_mark(st);
    if (r < 0) {
        err_set(&st->failure, r,
                "the mark file could not be written (%s): check the disk; the station tries again",
                err_text(r));
    }
    return r;
}

static int run_transaction(struct store *st, struct store_op **ops, size_t n)
{
    int r = begin(st);
    for (size_t i = 0; r == 0 && i < n; i++) {
        r = run_op(st, ops[i]);
    }
    return r < 0 ? r : finish(st);
}

/* Nothing is left of a failed batch: neither its transaction nor the connection that has seen trouble. */
static void clean_up(struct store *st, int result)
{
    if (st->failure.code == 0) {
        err_set(&st->failure, result, "%s", st->db.failure.code ? st->db.failure.text : err_text(result));
    }
    close_database(st); /* rolls back */
    st->must_probe = true;
}

static void fail_all(struct store *st, struct store_op **ops, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ops[i]->result = st->failure.code;
        ops[i]->reason = REASON_store_failed;
        buf_copy(ops[i]->detail, sizeof(ops[i]->detail), span_str(st->failure.text));
    }
}

/* A refusal and a failure leave what a claim gives out empty, so that nobody goes on with half of it. */
static void answer_ledger(const struct store_op *op)
{
    struct ledger_msg *msg = op->ledger;
    msg->status = op->result == 0 ? LEDGER_OK : op->result == ERR_REFUSED ? LEDGER_NO : LEDGER_FAILED;
    msg->reason = op->reason;
    memcpy(msg->detail, op->detail, sizeof(msg->detail));
    if (op->result != 0 && msg->kind == LEDGER_CLAIM) {
        msg->bundle[0] = '\0';
        msg->bundle_state = BUNDLE_FREE;
        msg->n_entries = 0;
        msg->content_len = 0;
    }
}

int store_batch(struct store *st, struct store_op **ops, size_t n)
{
    st->failure = (struct err_info){0};
    int r = st->is_open ? 0 : reopen(st);
    if (r == 0) {
        sql_forget(&st->db);
        r = run_transaction(st, ops, n);
        if (r < 0) {
            clean_up(st, r);
        }
    }
    if (r < 0) {
        fail_all(st, ops, n);
    }
    for (size_t i = 0; i < n; i++) {
        if (ops[i]->kind == STORE_LEDGER) {
            answer_ledger(ops[i]);
        }
    }
    return r;
}

/* ---- looking */

const char *store_failure(const struct store *st)
{
    return st->failure.text;
}

enum store_mark_state store_mark_state(const struct store *st)
{
    return st->mark_state;
}

const char *store_mark_text(enum store_mark_state state)
{
    static const char *const texts[] = {
#define X(name, text) [name] = text,
        STORE_MARK_LIST(X)
#undef X
    };
    return texts[state];
}

int store_note(struct store *st, const char *name, char out[STORE_NOTE_SIZE])
{
    sql_forget(&st->db);
    struct query q = sql_start(&st->db, Q_META_GET);
    sql_put_text(&q, name);
    int r = sql_step(&q);
    if (r > 0) {
        sql_copy(&q, 0, out, STORE_NOTE_SIZE);
    }
    sql_end(&q);
    return r;
}

int64_t store_last_seq(const struct store *st)
{
    return st->head.seq;
}

int64_t store_last_wall_ms(const struct store *st)
{
    return st->head.wall_ms;
}
