/*
 * The reader's connection, its statements, and how columns become members. The questions stand apart by what
 * they are about: read_job.c (jobs and boards), read_order.c (orders, stock, events), read_change.c,
 * read_audit.c, read_export.c.
 */
#include "store/read.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/reader.h"
#include "store/store.h"

#define JOB_COLUMNS                                                                                          \
    "SELECT j.id, j.slot, j.imei, j.uuid, j.unit_serial, j.operator, j.work_order, j.product,"               \
    " j.product_version, j.bundle, b.state, j.outcome, j.fault, j.reason, j.detail, j.proof, j.started,"     \
    " j.ended, j.duration_ms, j.wire_ms, j.modem_ms, j.program, j.config_digest, j.dialogue"                 \
    " FROM job j LEFT JOIN bundle b ON b.id = j.bundle"

/* With one min() the bare column is that of the row which has the minimum: the board's first result. */
#define YIELD_OF(which)                                                                                      \
    "SELECT count(*), coalesce(sum(first = 'PASS'), 0), coalesce(sum(passes > 0), 0)"                        \
    " FROM (SELECT outcome AS first, min(started), sum(outcome = 'PASS') AS passes"                          \
    " FROM job WHERE " which " AND outcome IN ('PASS', 'FAIL') AND imei IS NOT NULL GROUP BY imei)"

#define STOPPED_OF(which)                                                                                    \
    "SELECT outcome, reason, count(*) FROM job WHERE " which " AND outcome <> 'PASS'"                        \
    " GROUP BY outcome, reason ORDER BY 3 DESC, 1, 2"

/* ?1 order, ?2 slot, ?3 imei, ?4 outcome, ?5 reason, ?6 from, ?7 to, ?8 and ?9 the cursor, ?10 limit. A unary
 * plus keeps a term out of the choice of an index. */
#define JOB_LIST(driver)                                                                                     \
    JOB_COLUMNS " WHERE " driver " AND (?1 IS NULL OR +j.work_order = ?1) AND (?2 IS NULL OR +j.slot = ?2)"  \
                " AND (?3 IS NULL OR +j.imei = ?3) AND (?4 IS NULL OR +j.outcome IS nullif(?4, 'NONE'))"     \
                " AND (?5 IS NULL OR +j.reason = ?5) AND j.started >= ?6 AND j.started <= ?7"                \
                " AND (j.started, j.id) < (?8, ?9) ORDER BY j.started DESC, j.id DESC LIMIT ?10"

const char *const reader_texts[READER_STATEMENTS] = {
    [R_BEGIN] = "BEGIN",
    [R_END] = "COMMIT",
    [R_JOB] = JOB_COLUMNS " WHERE j.id = ?1",
    [R_JOBS_OF_BOARD] = JOB_LIST("j.imei = ?3"),
    [R_JOBS_OF_SLOT] = JOB_LIST("j.slot = ?2"),
    [R_JOBS_BY_REASON] = JOB_LIST("j.reason = ?5"),
    [R_JOBS_OF_ORDER] = JOB_LIST("j.work_order = ?1"),
    [R_JOBS_BY_OUTCOME] = JOB_LIST("j.outcome = ?4"),
    /* At most as many as the station has slots. */
    [R_JOBS_OPEN] =
        JOB_LIST("j.id IN (SELECT id FROM job INDEXED BY job_open_of_order WHERE outcome IS NULL)"),
    [R_JOBS_BY_TIME] = JOB_LIST("1"),
    [R_ENTRIES] = "SELECT s.value ->> 'sec_tag', s.value ->> 'type', s.value ->> 'sha256',"
                  " s.value ->> 'proof', s.value ->> 'written', s.value ->> 'from_bundle'"
                  " FROM job j JOIN event e ON e.seq = j.ending, json_each(e.data, '$.entries') s"
                  " WHERE j.id = ?1 ORDER BY s.key",
    /* Up to version 3 of the database each step's members had their names; what is left out is 1, 0, ok. */
    [R_STEPS] =
        "SELECT coalesce(s.value ->> 'name', s.value ->> 0),"
        " coalesce(s.value ->> 'started_ms', s.value ->> 1),"
        " coalesce(s.value ->> 'duration_ms', s.value ->> 2),"
        " coalesce(s.value ->> 'tries', s.value ->> 3, 1), coalesce(s.value ->> 'code', s.value ->> 4, 0),"
        " coalesce(s.value ->> 'result', s.value ->> 5, 'ok')"
        " FROM job j JOIN event e ON e.seq = j.ending, json_each(e.data, '$.steps') s"
        " WHERE j.id = ?1 ORDER BY s.key",
    [R_DIALOGUE] = "SELECT text FROM dialogue WHERE sha256 = ?1",
    [R_BOARD] =
        "SELECT uuid, model, modem_firmware, hardware, first_seen, last_seen FROM board WHERE imei = ?1",
    [R_BUNDLES_OF_BOARD] =
        "SELECT no, id, product, lot, state, retired_why FROM bundle WHERE imei = ?1 ORDER BY no",
    [R_CREDENTIALS] = "SELECT type, sha256, serial, issuer FROM credential WHERE bundle = ?1 ORDER BY type",

    [R_ORDER] = ORDER_COLUMNS " WHERE id = ?1",
    [R_ORDERS] = ORDER_COLUMNS " WHERE (?1 IS NULL OR state = ?1) AND (opened, id) < (?2, ?3)"
                               " ORDER BY opened DESC, id DESC LIMIT ?4",
    [R_FIXTURES] = "SELECT fixture FROM order_fixture WHERE work_order = ?1 ORDER BY position",
    [R_ORDER_FAILED] = "SELECT count(*) FROM order_board WHERE work_order = ?1 AND result = 'failed'",
    /* INDEXED BY, twice below: left alone, SQLite would read every job that the order, or the whole line,
       had. */
    [R_ORDER_IN_FLIGHT] =
        "SELECT count(*) FROM job INDEXED BY job_open_of_order WHERE work_order = ?1 AND outcome IS NULL",
    [R_ORDER_BUNDLES] = "SELECT b.state, count(*) FROM order_board o JOIN bundle b ON b.id = o.bundle"
                        " WHERE o.work_order = ?1 GROUP BY b.state",
    [R_ORDER_YIELD] = YIELD_OF("work_order = ?1"),
    [R_ORDER_STOPPED] = STOPPED_OF("work_order = ?1"),
    [R_YIELD] = YIELD_OF("started >= ?1 AND started < ?2"),
    [R_STOPPED] = STOPPED_OF("started >= ?1 AND started < ?2"),
    [R_EXPECTED] = "SELECT count(*) FROM bundle WHERE product = ?1 AND (?2 = '' OR lot = ?2)"
                   " AND state = 'bound' AND was_claimed = 0",
    [R_STOCK] = "SELECT state, sum(n) FROM bundle_stock WHERE (?1 IS NULL OR product = ?1)"
                " AND (?2 IS NULL OR lot = ?2) GROUP BY state",
    [R_EVENTS] =
        "SELECT seq, at, kind, slot, imei, data, hash FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2",
    [R_CHANGES] = "SELECT seq, CASE WHEN kind IN ('job_started', 'job_ended') THEN data ->> 'job' END,"
                  " CASE WHEN kind IN ('job_started', 'job_ended', 'order_opened', 'order_closed')"
                  " THEN data ->> 'order' END FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2",
    [R_HEAD] = "SELECT seq, hash FROM event ORDER BY seq DESC LIMIT 1",
    [R_CHAIN] = "SELECT seq, at, kind, slot, imei, data, prev_hash, hash FROM event WHERE seq > ?1"
                " ORDER BY seq LIMIT ?2",
    [R_LAST_SEQ] = "SELECT coalesce(max(seq), 0) FROM event",
    [R_OPEN_ORDERS] = "SELECT o.id, f.fixture, o.product, o.product_version FROM order_fixture f"
                      " JOIN work_order o ON o.id = f.work_order WHERE f.is_open = 1 ORDER BY f.fixture",
    [R_OPEN_ORDER_COUNT] = "SELECT count(DISTINCT work_order) FROM order_fixture WHERE is_open = 1",
    [R_EXPORT] = "SELECT j.started, j.id, j.imei, j.uuid, j.model, j.modem_firmware, j.unit_serial,"
                 " j.work_order, j.product, b.lot, b.id, j.ended, b.no"
                 " FROM job j JOIN bundle b ON b.id = j.bundle"
                 " WHERE j.outcome = 'PASS' AND b.state = 'installed' AND (j.started, j.id) > (?5, ?6)"
                 " AND (?1 IS NULL OR j.work_order = ?1) AND (?2 IS NULL OR j.product = ?2)"
                 " AND j.ended >= ?3 AND j.ended < ?4"
                 " AND NOT EXISTS (SELECT 1 FROM job k INDEXED BY job_of_board"
                 " WHERE k.imei = j.imei AND k.bundle = j.bundle"
                 " AND k.outcome = 'PASS' AND (k.started, k.id) > (j.started, j.id)"
                 " AND (?1 IS NULL OR k.work_order = ?1) AND k.ended >= ?3 AND k.ended < ?4)"
                 " ORDER BY j.started, j.id LIMIT ?7",
    [R_EXPORT_SEALED] = "SELECT type, sealed FROM credential WHERE bundle = ?1",
    [R_EXPORT_TOKEN] = "SELECT sealed FROM attestation WHERE imei = ?1",
    [R_OPEN_JOB_COUNT] = "SELECT count(*) FROM job WHERE outcome IS NULL AND imei IS NOT NULL",
};

/* ---- the connection */

static int connect(struct store_reader *reader, struct err_info *reterr)
{
    int r = sql_open(&reader->db, reader->path, reader->vfs, true, reterr);
    if (r == 0) {
        r = sql_prepare(&reader->db, reader_texts, READER_STATEMENTS, reterr);
    }
    if (r < 0) {
        sql_close(&reader->db);
        return r;
    }
    reader->is_open = true;
    return 0;
}

int store_reader_open(struct store_reader **ret, const char *dir, const char *vfs, struct err_info *reterr)
{
    struct store_reader *reader = calloc(1, sizeof(*reader));
    if (!reader || asprintf(&reader->path, "%s/%s", dir, STORE_DB_NAME) < 0) {
        free(reader);
        return err_set(reterr, -ENOMEM, "no memory for a reader of the database");
    }
    reader->vfs = vfs ? strdup(vfs) : NULL;
    int r = connect(reader, reterr);
    if (r < 0) {
        store_reader_close(reader);
        return r;
    }
    *ret = reader;
    return 0;
}

void store_reader_close(struct store_reader *reader)
{
    if (reader) {
        sql_close(&reader->db);
        free(reader->path);
        free(reader->vfs);
        free(reader);
    }
}

int reader_begin(struct store_reader *reader, struct err_info *reterr)
{
    if (!reader->is_open) {
        int r = connect(reader, reterr);
        if (r < 0) {
            return r;
        }
    }
    sql_forget(&reader->db);
    struct query q = sql_start(&reader->db, R_BEGIN);
    int r = sql_run(&q);
    return r < 0 ? reader_end(reader, r, reterr) : 0;
}

int reader_end(struct store_reader *reader, int result, struct err_info *reterr)
{
    struct query q = sql_start(&reader->db, R_END);
    int end = sql_run(&q);
    if (reader->db.failure.code == 0) {
        return result;
    }
    result = result < 0 ? result : end < 0 ? end : reader->db.failure.code;
    err_set(reterr, result, "%s", reader->db.failure.text);
    sql_close(&reader->db);
    reader->is_open = false;
    return result;
}

int reader_answer(struct store_reader *reader, int result, struct json *tree, struct json **ret,
                  struct err_info *reterr)
{
    result = reader_end(reader, result, reterr);
    if (result < 0) {
        json_free(tree);
        return err_set(reterr, result, "%s", err_text(result));
    }
    *ret = tree;
    return 0;
}

/* ---- columns into members */

int put_column_text(struct json *object, const char *key, const struct query *q, int column)
{
    const char *text = sql_text(q, column);
    return json_put_text(object, key, *text ? text : NULL);
}

int put_column_i64(struct json *object, const char *key, const struct query *q, int column)
{
    return sql_is_null(q, column) ? json_put_null(object, key)
                                  : json_put_i64(object, key, sql_i64(q, column));
}

int put_column_time(struct json *object, const char *key, const struct query *q, int column)
{
    if (sql_is_null(q, column)) {
        return json_put_null(object, key);
    }
    char text[CLOCK_RFC3339_SIZE];
    clock_rfc3339(sql_i64(q, column), text);
    return json_put_text(object, key, text);
}

int put_column_digest(struct json *object, const char *key, const struct query *q, int column)
{
    struct digest digest;
    char text[2 * DIGEST_SIZE + 1];
    if (!sql_digest(q, column, &digest)) {
        return json_put_null(object, key);
    }
    hex_encode(digest.octets, DIGEST_SIZE, text);
    return json_put_text(object, key, text);
}

int put_cursor(struct json *object, const struct cursor *cursor)
{
    char text[CURSOR_SIZE];
    snprintf(text, sizeof(text), "%" PRId64 ".%s", cursor->at, cursor->id);
    return json_put_text(object, "next", text);
}

int cursor_parse(const char *text, struct cursor *ret, struct err_info *reterr)
{
    if (!text || !*text) {
        *ret = (struct cursor){.at = INT64_MAX};
        return 0;
    }
    char *end;
    errno = 0;
    ret->at = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '.' || strlen(end + 1) >= sizeof(ret->id) || end[1] == '\0') {
        return err_set(reterr, ERR_FORMAT, "the cursor is not one of ours");
    }
    snprintf(ret->id, sizeof(ret->id), "%s", end + 1);
    return 0;
}

uint32_t limit_of(uint32_t asked)
{
    return asked == 0 ? STORE_LIMIT_USUAL : asked > STORE_LIMIT_MAX ? STORE_LIMIT_MAX : asked;
}
