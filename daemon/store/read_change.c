/*
 * What the live stream tells: which jobs and orders the record has touched, as they are now. Of many events
 * about one thing only the last one counts, since the resource is read after all of them anyway; so a page of
 * events costs at most one question for each thing in it.
 */
#include <errno.h>
#include <string.h>

#include "store/reader.h"

#define CHANGES_MAX (2 * STORE_CHANGES_EVENTS_MAX) /* a job's event touches its order as well */

_Static_assert(ORDER_ID_SIZE >= JOB_ID_SIZE, "one array serves both");

struct change {
    int64_t seq;
    bool is_order;
    char id[ORDER_ID_SIZE];
};

struct changes {
    uint32_t n;
    struct change rows[CHANGES_MAX];
};

/* Adds it at the end, and takes an earlier one of the same thing away. */
static void note(struct changes *changes, int64_t seq, bool is_order, const char *id)
{
    uint32_t kept = 0;

    if (*id == '\0' || strlen(id) >= ORDER_ID_SIZE) {
        return;
    }
    for (uint32_t i = 0; i < changes->n; i++) {
        struct change *row = &changes->rows[i];
        if (row->is_order != is_order || strcmp(row->id, id) != 0) {
            changes->rows[kept++] = *row;
        }
    }
    struct change *last = &changes->rows[kept++];
    *last = (struct change){.seq = seq, .is_order = is_order};
    memcpy(last->id, id, strlen(id) + 1);
    changes->n = kept;
}

/* Reads up to `limit` events after *last and moves it on. Returns how many there were. */
static int read_events(struct store_reader *reader, uint32_t limit, struct changes *changes, int64_t *last)
{
    struct query q = sql_start(&reader->db, R_CHANGES);
    int r, n = 0;

    sql_put_i64(&q, *last);
    sql_put_i64(&q, limit);
    while ((r = sql_step(&q)) > 0) {
        *last = sql_i64(&q, 0);
        note(changes, *last, false, sql_text(&q, 1));
        note(changes, *last, true, sql_text(&q, 2));
        n++;
    }
    sql_end(&q);
    return r < 0 ? r : n;
}

/* 0; a thing that is not there any more is left out. */
static int append_change(struct store_reader *reader, const struct change *change, struct json *list)
{
    struct json *data = NULL;
    int r =
        change->is_order ? reader_order(reader, change->id, &data) : reader_job(reader, change->id, &data);

    if (r < 0) {
        return r == ERR_NOT_FOUND ? 0 : r;
    }
    struct json *row = json_new_object();
    int trouble = json_put_i64(row, "seq", change->seq);
    trouble |= json_put_text(row, "event", change->is_order ? "order" : "job");
    trouble |= json_put(row, "data", data);
    return json_append(list, row) | trouble;
}

int store_read_changes(struct store_reader *reader, int64_t after, uint32_t limit, struct json **ret,
                       struct err_info *reterr)
{
    static const uint32_t max = STORE_CHANGES_EVENTS_MAX;
    struct changes changes = {.n = 0};
    int64_t last = after;

    int r = reader_begin(reader, reterr);
    if (r < 0) {
        return r;
    }
    int n = read_events(reader, limit == 0 || limit > max ? max : limit, &changes, &last);
    struct json *tree = json_new_object(), *list = json_new_array();
    for (uint32_t i = 0; n >= 0 && i < changes.n; i++) {
        r = append_change(reader, &changes.rows[i], list);
        n = r < 0 ? r : n;
    }
    int trouble = json_put(tree, "changes", list);
    trouble |= json_put_i64(tree, "last", last);
    trouble |= json_put_i64(tree, "events", n);
    return reader_answer(reader, n < 0 ? n : trouble ? -ENOMEM : 0, tree, ret, reterr);
}
