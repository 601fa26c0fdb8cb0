/*
 * The batch: one transaction for all its operations, COMMIT, the mark, and only then the answers.
 *
 * What can go wrong, and what is done:
 *
 * - An operation is refused: it has asked before it changed anything, so the others go on.
 * - An operation fails after it has changed something: the whole transaction is rolled back and run once
 *   more, this time with a savepoint for each operation, so that only this one is taken back. Savepoints from
 *   the start would copy every page that an operation changes: a twelfth of the writer's time for what almost
 *   never happens.
 * - SQLite ends the whole transaction (full disk, I/O error): every operation failed; the connection is
 *   opened anew.
 * - COMMIT returns an error: its outcome is unknown. The database is opened anew and asked whether the
 *   batch's last event is there, with its hash; that is the answer.
 * - The mark cannot be written: the batch is on record but may not be told. Every operation failed, and the
 *   same ones sent again find themselves done.
 *
 * A failed answer thus never means "not done", only "not told": that is why every operation is idempotent.
 *
 * Nothing is ever written through a connection that failed: caches and locks of a handle that has seen an I/O
 * error are not worth reasoning about, and opening costs a few milliseconds.
 */
#include "store/store.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/hex.h"
#include "store/internal.h"

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
    case LEDGER_AUTHORIZE:
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

/* Runs one operation. 0: the transaction may go on, whatever became of the operation. */
static int run_op(struct store *st, struct store_op *op)
{
    op->reason = REASON_NONE;
    op->detail[0] = '\0';
    const struct chain_head before = st->tail;
    op->result = run_kind(st, op);
    if (op->result == 0 && st->db.failure.code != 0) {
        op->result = st->db.failure.code; /* something was read that did not come whole */
    }
    if (op->result == 0) {
        return 0;
    }
    note_failure(st, op, op->result);
    st->tail = before;
    st->open_jobs.is_known = false;
    return st->db.failure.code != 0 ? op->result : 0; /* trouble of the connection is everybody's */
}

/* One that has failed although it had changed something would leave half of itself behind. */
static int run_plain(struct store *st, struct store_op *op, bool *ret_is_half_done)
{
    int64_t changes = sql_total_changes(&st->db);
    int r = run_op(st, op);
    *ret_is_half_done = r == 0 && op->result != 0 && sql_total_changes(&st->db) != changes;
    return r;
}

static int run_in_savepoint(struct store *st, struct store_op *op)
{
    int r = run_statement(st, Q_SAVEPOINT);
    if (r == 0) {
        r = run_op(st, op);
    }
    if (r == 0 && op->result != 0) {
        r = run_statement(st, Q_ROLLBACK_TO);
    }
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
    store_disconnect(st);
    int r = store_connect(st, known, &st->failure);
    enum store_mark_state state = st->mark_state;
    if (r == 0 && st->mark_state == STORE_MARK_GOOD) {
        r = store_judge_mark(st, &state);
        if (r < 0) {
            err_set(&st->failure, r, "%s", st->db.failure.text);
        }
    }
    if (r < 0) {
        store_disconnect(st);
        return r;
    }
    store_set_mark_state(st, state);
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
    r = store_advance_mark(st);
    if (r < 0) {
        err_set(&st->failure, r,
                "the mark file could not be written (%s): check the disk; the station tries again",
                err_text(r));
    }
    return r;
}

static int run_transaction(struct store *st, struct store_op **ops, size_t n)
{
    bool is_half_done = false;
    int r = begin(st);
    for (size_t i = 0; r == 0 && i < n && !is_half_done; i++) {
        r = run_plain(st, ops[i], &is_half_done);
    }
    if (is_half_done) {
        r = run_statement(st, Q_ROLLBACK);
        r = r < 0 ? r : begin(st);
        for (size_t i = 0; r == 0 && i < n; i++) {
            r = run_in_savepoint(st, ops[i]);
        }
    }
    return r < 0 ? r : finish(st);
}

/* Nothing is left of a failed batch: neither its transaction nor the connection that has seen trouble. */
static void clean_up(struct store *st, int result)
{
    if (st->failure.code == 0) {
        err_set(&st->failure, result, "%s", st->db.failure.code ? st->db.failure.text : err_text(result));
    }
    store_disconnect(st); /* rolls back */
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

int store_upgraded_from(const struct store *st)
{
    return st->upgraded_from;
}

int64_t store_last_seq(const struct store *st)
{
    return st->head.seq;
}

int64_t store_last_wall_ms(const struct store *st)
{
    return st->head.wall_ms;
}
