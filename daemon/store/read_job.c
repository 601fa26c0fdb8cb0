/*
 * Questions about jobs and boards.
 *
 * Lists go backwards in time by (started, id) and are cut by a cursor that names the last row given, so that
 * a page is one index search however deep it lies and new jobs shift nothing. SQLite's planner knows nothing
 * of how selective a filter is; the statement is therefore chosen here: the first filter that is given, in
 * the order of `ways`, drives the index, and the others are checked on its rows.
 */
#include <errno.h>
#include <string.h>

#include "job/verdict.h"
#include "store/reader.h"

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
