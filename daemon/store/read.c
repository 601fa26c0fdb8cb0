/*
 * The reader's connection, and the questions about jobs and boards. Orders, stock and events: read_order.c.
 *
 * Lists go backwards in time by (started, id) and are cut by a cursor that names the last row given, so that
 * a page is one index search however deep it lies and new jobs shift nothing. SQLite's planner knows nothing
 * of how selective a filter is; the statement is therefore chosen here: the first filter that is given, in
 * the order of `ways`, drives the index, and the others are checked on its rows.
 */
#include "store/read.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "job/verdict.h"
#include "store/reader.h"
#include "store/store.h"

#define JOB_COLUMNS                                                                                          \
    "SELECT j.id, j.slot, j.imei, j.uuid, j.unit_serial, j.operator, j.work_order, j.product,"               \
    " j.product_version, j.bundle, b.state, j.outcome, j.fault, j.reason, j.detail, j.proof, j.started,"     \
    " j.ended, j.duration_ms, j.wire_ms, j.modem_ms, j.program, j.config_digest, j.dialogue"                 \
    " FROM job j LEFT JOIN bundle b ON b.id = j.bundle"

/* ?1 order, ?2 slot, ?3 imei, ?4 outcome, ?5 reason, ?6 from, ?7 to, ?8 and ?9 the cursor, ?10 limit. A unary
 * plus keeps a term out of the choice of an index. */
/* With one min() the bare column is that of the row which has the minimum: the board's first result. */
#define YIELD_OF(which)                                                                                      \
    "SELECT count(*), coalesce(sum(first = 'PASS'), 0), coalesce(sum(passes > 0), 0)"                        \
    " FROM (SELECT outcome AS first, min(started), sum(outcome = 'PASS') AS passes"                          \
    " FROM job WHERE " which " AND outcome IN ('PASS', 'FAIL') AND imei IS NOT NULL GROUP BY imei)"
#define STOPPED_OF(which)                                                                                    \
    "SELECT outcome, reason, count(*) FROM job WHERE " which " AND outcome <> 'PASS'"                        \
    " GROUP BY outcome, reason ORDER BY 3 DESC, 1, 2"
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
    [R_ORDER_IN_FLIGHT] = "SELECT count(*) FROM job WHERE work_order = ?1 AND outcome IS NULL",
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
                 " AND NOT EXISTS (SELECT 1 FROM job k WHERE k.imei = j.imei AND k.bundle = j.bundle"
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
        /* The writer's recovery of a WAL may keep a reader out for a moment. */
        r = sql_exec(&reader->db,
                     "PRAGMA busy_timeout = 2000; PRAGMA query_only = ON; PRAGMA temp_store = MEMORY");
        if (r == 0) {
            r = sql_prepare(&reader->db, reader_texts, READER_STATEMENTS, NULL);
        }
        if (r < 0) {
            err_set(reterr, r, "%s", reader->db.failure.code ? reader->db.failure.text : err_text(r));
        }
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

/* ---- jobs */

static int put_remedy(struct json *object, const char *reason)
{
    int known = reason_from_name(reason);
    return json_put_text(object, "remedy", known < 0 ? NULL : reason_text((enum reason)known)->remedy);
}

/* The current row of JOB_COLUMNS. NULL without memory. */
static struct json *job_tree(const struct query *q)
{
    static const char *const texts[] = {"id",         "slot",         "imei",
                                        "uuid",       "unit_serial",  "operator",
                                        "work_order", "product",      "product_version",
                                        "bundle",     "bundle_state", "outcome",
                                        "fault",      "reason",       "detail",
                                        "proof"};
    struct json *job = json_new_object();
    int trouble = 0;
    int column = 0;
    for (; column < (int)(sizeof(texts) / sizeof(*texts)); column++) {
        trouble |= put_column_text(job, texts[column], q, column);
    }
    trouble |= put_column_time(job, "started", q, column++);
    trouble |= put_column_time(job, "ended", q, column++);
    trouble |= put_column_i64(job, "duration_ms", q, column++);
    trouble |= put_column_i64(job, "wire_ms", q, column++);
    trouble |= put_column_i64(job, "modem_ms", q, column++);
    trouble |= put_remedy(job, sql_text(q, 13));
    if (trouble) {
        json_free(job);
        return NULL;
    }
    return job;
}

static bool is_given(const char *text)
{
    return text && *text;
}

/* The most selective filter first. */
static enum reader_statement way(const struct store_job_filter *filter)
{
    bool is_open = is_given(filter->outcome) && strcmp(filter->outcome, "NONE") == 0;
    const struct {
        const char *given;
        enum reader_statement statement;
    } ways[] = {
        {filter->imei, R_JOBS_OF_BOARD},
        {filter->reason, R_JOBS_BY_REASON},
        {filter->work_order, R_JOBS_OF_ORDER},
        {filter->slot, R_JOBS_OF_SLOT},
        {filter->outcome, is_open ? R_JOBS_OPEN : R_JOBS_BY_OUTCOME},
    };
    for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
        if (is_given(ways[i].given)) {
            return ways[i].statement;
        }
    }
    return R_JOBS_BY_TIME;
}

static struct query start_jobs(struct store_reader *reader, const struct store_job_filter *filter,
                               const struct cursor *cursor, uint32_t limit)
{
    struct query q = sql_start(&reader->db, way(filter));
    sql_put_text_or_null(&q, filter->work_order);
    sql_put_text_or_null(&q, filter->slot);
    sql_put_text_or_null(&q, filter->imei);
    sql_put_text_or_null(&q, filter->outcome);
    sql_put_text_or_null(&q, filter->reason);
    sql_put_i64(&q, filter->from_wall_ms > 0 ? filter->from_wall_ms : INT64_MIN);
    sql_put_i64(&q, filter->to_wall_ms > 0 ? filter->to_wall_ms - 1 : INT64_MAX);
    sql_put_i64(&q, cursor->at);
    sql_put_text(&q, cursor->id);
    sql_put_i64(&q, (int64_t)limit + 1); /* one more than asked for tells whether there is a next page */
    return q;
}

/* Puts "jobs" and "next" into `tree`. */
static int put_jobs(struct store_reader *reader, const struct store_job_filter *filter,
                    const struct cursor *from, struct json *tree)
{
    struct json *jobs = json_new_array();
    struct cursor last = {0};
    uint32_t limit = limit_of(filter->limit), n = 0;
    struct query q = start_jobs(reader, filter, from, limit);
    int r, trouble = 0;
    while ((r = sql_step(&q)) > 0 && n < limit) {
        trouble |= json_append(jobs, job_tree(&q));
        sql_copy(&q, 0, last.id, sizeof(last.id));
        last.at = sql_i64(&q, 16);
        n++;
    }
    sql_end(&q);
    trouble |= json_put(tree, "jobs", jobs);
    trouble |= r > 0 ? put_cursor(tree, &last) : json_put_null(tree, "next");
    return r < 0 ? r : trouble ? -ENOMEM : 0;
}

int store_read_jobs(struct store_reader *reader, const struct store_job_filter *filter, struct json **ret,
                    struct err_info *reterr)
{
    struct cursor cursor;
    int r = cursor_parse(filter->cursor, &cursor, reterr);
    if (r == 0) {
        r = reader_begin(reader, reterr);
    }
    if (r < 0) {
        return r;
    }
    struct json *tree = json_new_object();
    r = put_jobs(reader, filter, &cursor, tree);
    return reader_answer(reader, r, tree, ret, reterr);
}

/* ---- one job */

static int put_entries(struct store_reader *reader, const char *id, struct json *job)
{
    struct json *entries = json_new_array();
    struct query q = sql_start(&reader->db, R_ENTRIES);
    sql_put_text(&q, id);
    int r, trouble = 0;
    while ((r = sql_step(&q)) > 0) {
        struct json *entry = json_new_object();
        trouble |= json_put_i64(entry, "sec_tag", sql_i64(&q, 0));
        trouble |= put_column_text(entry, "type", &q, 1);
        trouble |= put_column_text(entry, "sha256", &q, 2);
        trouble |= put_column_text(entry, "proof", &q, 3);
        trouble |= json_put_i64(entry, "written", sql_i64(&q, 4));
        trouble |= json_put_bool(entry, "from_bundle", sql_i64(&q, 5) != 0);
        trouble |= json_append(entries, entry);
    }
    sql_end(&q);
    trouble |= json_put(job, "entries", entries);
    return r < 0 ? r : trouble ? -ENOMEM : 0;
}

static int put_steps(struct store_reader *reader, const char *id, struct json *job)
{
    struct json *steps = json_new_array();
    struct query q = sql_start(&reader->db, R_STEPS);
    sql_put_text(&q, id);
    int r, trouble = 0;
    while ((r = sql_step(&q)) > 0) {
        struct json *step = json_new_object();
        trouble |= put_column_text(step, "name", &q, 0);
        trouble |= json_put_i64(step, "started_ms", sql_i64(&q, 1));
        trouble |= json_put_i64(step, "duration_ms", sql_i64(&q, 2));
        trouble |= json_put_i64(step, "tries", sql_i64(&q, 3));
        trouble |= json_put_i64(step, "code", sql_i64(&q, 4));
        trouble |= put_column_text(step, "result", &q, 5);
        trouble |= json_append(steps, step);
    }
    sql_end(&q);
    trouble |= json_put(job, "steps", steps);
    return r < 0 ? r : trouble ? -ENOMEM : 0;
}

/* "<ms> > text" → {"ms","direction","text"}; a line of another form (cut off at the buffer's end) keeps its
 * text. */
static struct json *line_tree(struct span line)
{
    size_t n = 0;
    int64_t ms = 0;
    for (; n < line.len && n < 12 && line.at[n] >= '0' && line.at[n] <= '9'; n++) {
        ms = ms * 10 + (line.at[n] - '0');
    }
    bool is_whole = n > 0 && line.len >= n + 3 && line.at[n] == ' ' && strchr("><!", line.at[n + 1]) &&
                    line.at[n + 2] == ' ';
    struct json *tree = json_new_object();
    int trouble = is_whole ? json_put_i64(tree, "ms", ms) : json_put_null(tree, "ms");
    trouble |= is_whole ? json_put_span(tree, "direction", span_of(line.at + n + 1, 1))
                        : json_put_null(tree, "direction");
    trouble |= json_put_span(tree, "text", is_whole ? span_skip(line, n + 3) : line);
    if (trouble) {
        json_free(tree);
        return NULL;
    }
    return tree;
}

static struct json *dialogue_tree(struct span text)
{
    struct json *lines = json_new_array();
    int trouble = 0;
    while (text.len > 0) {
        const char *end = memchr(text.at, '\n', text.len);
        size_t n = end ? (size_t)(end - text.at) : text.len;
        trouble |= json_append(lines, line_tree(span_of(text.at, n)));
        text = span_skip(text, n + 1);
    }
    if (trouble) {
        json_free(lines);
        return NULL;
    }
    return lines;
}

static int put_dialogue(struct store_reader *reader, const struct digest *digest, struct json *job)
{
    struct query q = sql_start(&reader->db, R_DIALOGUE);
    sql_put_digest(&q, digest);
    int r = sql_step(&q);
    int trouble = 0;
    if (r > 0) {
        trouble = json_put(job, "dialogue", dialogue_tree(sql_blob(&q, 0)));
    } else if (r == 0) {
        trouble = json_put_null(job, "dialogue");
    }
    sql_end(&q);
    return r < 0 ? r : trouble ? -ENOMEM : 0;
}

static int put_station(struct json *job, const struct query *q)
{
    struct json *station = json_new_object();
    int trouble = put_column_text(station, "version", q, 21);
    trouble |= put_column_text(station, "config_digest", q, 22);
    return json_put(job, "station", station) | trouble;
}

static int find_job(struct store_reader *reader, const char *id, struct json **ret,
                    struct digest *ret_dialogue)
{
    struct query q = sql_start(&reader->db, R_JOB);
    sql_put_text(&q, id);
    int r = sql_step(&q);
    *ret = NULL;
    *ret_dialogue = (struct digest){{0}};
    if (r > 0) {
        *ret = job_tree(&q);
        sql_digest(&q, 23, ret_dialogue);
        r = !*ret || put_station(*ret, &q) ? -ENOMEM : 0;
    } else if (r == 0) {
        r = ERR_NOT_FOUND;
    }
    sql_end(&q);
    return r;
}

int reader_job(struct store_reader *reader, const char *id, struct json **ret)
{
    struct query q = sql_start(&reader->db, R_JOB);
    sql_put_text(&q, id);
    int r = sql_step(&q);
    struct json *job = r > 0 ? job_tree(&q) : NULL;
    sql_end(&q);
    if (r <= 0) {
        return r < 0 ? r : ERR_NOT_FOUND;
    }
    *ret = job;
    return job ? 0 : -ENOMEM;
}

int store_read_job(struct store_reader *reader, const char *id, struct json **ret, struct err_info *reterr)
{
    int r = reader_begin(reader, reterr);
    if (r < 0) {
        return r;
    }
    struct json *job;
    struct digest dialogue;
    r = find_job(reader, id, &job, &dialogue);
    if (r == 0) {
        r = put_entries(reader, id, job);
    }
    if (r == 0) {
        r = put_steps(reader, id, job);
    }
    if (r == 0) {
        r = put_dialogue(reader, &dialogue, job);
    }
    return reader_answer(reader, r, job, ret, reterr);
}

/* ---- a board */

static int put_identity(struct store_reader *reader, const char *imei, struct json *board, bool *ret_is_known)
{
    static const char *const texts[] = {"uuid", "model", "modem_firmware", "hardware"};
    struct query q = sql_start(&reader->db, R_BOARD);
    sql_put_text(&q, imei);
    int r = sql_step(&q);
    int trouble = json_put_text(board, "imei", imei);
    for (int i = 0; r >= 0 && i < 4; i++) {
        trouble |= r > 0 ? put_column_text(board, texts[i], &q, i) : json_put_null(board, texts[i]);
    }
    trouble |= r > 0 ? put_column_time(board, "first_seen", &q, 4) : json_put_null(board, "first_seen");
    trouble |= r > 0 ? put_column_time(board, "last_seen", &q, 5) : json_put_null(board, "last_seen");
    *ret_is_known = r > 0;
    sql_end(&q);
    return r < 0 ? r : trouble ? -ENOMEM : 0;
}

static int put_credentials(struct store_reader *reader, int64_t no, struct json *bundle)
{
    struct json *credentials = json_new_array();
    struct query q = sql_start(&reader->db, R_CREDENTIALS);
    sql_put_i64(&q, no);
    int r, trouble = 0;
    while ((r = sql_step(&q)) > 0) {
        struct json *credential = json_new_object();
        trouble |= json_put_text(credential, "type", cred_type_name((enum cred_type)sql_i64(&q, 0)));
        trouble |= put_column_digest(credential, "sha256", &q, 1);
        trouble |= put_column_text(credential, "serial", &q, 2);
        trouble |= put_column_text(credential, "issuer", &q, 3);
        trouble |= json_append(credentials, credential);
    }
    sql_end(&q);
    trouble |= json_put(bundle, "credentials", credentials);
    return r < 0 ? r : trouble ? -ENOMEM : 0;
}

static int put_bundles(struct store_reader *reader, const char *imei, struct json *board, bool *ret_has_any)
{
    struct json *bundles = json_new_array();
    struct query q = sql_start(&reader->db, R_BUNDLES_OF_BOARD);
    sql_put_text(&q, imei);
    int r, trouble = 0;
    while ((r = sql_step(&q)) > 0) {
        struct json *bundle = json_new_object();
        trouble |= put_column_text(bundle, "id", &q, 1);
        trouble |= put_column_text(bundle, "product", &q, 2);
        trouble |= put_column_text(bundle, "lot", &q, 3);
        trouble |= put_column_text(bundle, "state", &q, 4);
        trouble |= put_column_text(bundle, "retired_why", &q, 5);
        int inner = put_credentials(reader, sql_i64(&q, 0), bundle);
        trouble |= json_append(bundles, bundle);
        if (inner < 0) {
            r = inner;
            break;
        }
    }
    sql_end(&q);
    *ret_has_any = json_count(bundles) > 0;
    trouble |= json_put(board, "bundles", bundles);
    return r < 0 ? r : trouble ? -ENOMEM : 0;
}

int store_read_board(struct store_reader *reader, const char *imei, struct json **ret,
                     struct err_info *reterr)
{
    int r = reader_begin(reader, reterr);
    if (r < 0) {
        return r;
    }
    struct json *board = json_new_object();
    bool is_known = false, has_bundle = false;
    r = put_identity(reader, imei, board, &is_known);
    if (r == 0) {
        r = put_bundles(reader, imei, board, &has_bundle);
    }
    if (r == 0) {
        r = put_jobs(reader, &(struct store_job_filter){.imei = imei}, &(struct cursor){.at = INT64_MAX},
                     board);
        json_drop(board, "next");
    }
    if (r == 0 && !is_known && !has_bundle) {
        r = ERR_NOT_FOUND;
    }
    return reader_answer(reader, r, board, ret, reterr);
}
