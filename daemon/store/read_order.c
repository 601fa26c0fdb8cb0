/*
 * Questions about work orders, stock and events. Counts of orders and stock come from counters and small
 * indexes, so that the dashboard may ask each second whatever the pool holds.
 */
#include <errno.h>
#include <string.h>

#include "store/reader.h"

static int put_number(struct store_reader *reader, struct query *q, struct json *object, const char *key)
{
    (void)reader;
    int r = sql_step(q);
    int trouble = r > 0 ? json_put_i64(object, key, sql_i64(q, 0)) : 0;
    sql_end(q);
    return r < 0 ? r : trouble ? -ENOMEM : 0;
}

/* ---- counts of bundles by state */

struct counts {
    int64_t n[BUNDLE_RETIRED + 1];
};

/* Adds the rows (state, n) of a query. */
static int add_counts(struct query *q, struct counts *counts)
{
    int r;
    while ((r = sql_step(q)) > 0) {
        int state = bundle_state_from_name(sql_text(q, 0));
        if (state >= 0) {
            counts->n[state] += sql_i64(q, 1);
        }
    }
    sql_end(q);
    return r;
}

static int put_counts(struct json *object, const struct counts *counts)
{
    int trouble = 0;
    for (int state = BUNDLE_FREE; state <= BUNDLE_RETIRED; state++) {
        trouble |= json_put_i64(object, bundle_state_name((enum bundle_state)state), counts->n[state]);
    }
    return trouble;
}

static int count_stock(struct store_reader *reader, const char *product, const char *lot,
                       struct counts *counts)
{
    struct query q = sql_start(&reader->db, R_STOCK);
    sql_put_text_or_null(&q, product);
    sql_put_text_or_null(&q, lot);
    return add_counts(&q, counts);
}

/* ---- orders */

struct order_key {
    char id[ORDER_ID_SIZE];
    char product[PRODUCT_NAME_SIZE];
    char lot[64];
    int64_t passed;
};

static int count_bundles(struct store_reader *reader, const struct order_key *order, struct counts *counts)
{
    struct counts stock = {{0}};
    int r = count_stock(reader, order->product, order->lot, &stock);
    counts->n[BUNDLE_FREE] = stock.n[BUNDLE_FREE];
    if (r == 0) {
        struct query q = sql_start(&reader->db, R_ORDER_BUNDLES);
        sql_put_text(&q, order->id);
        r = add_counts(&q, counts);
    }
    if (r == 0) {
        struct query q = sql_start(&reader->db, R_EXPECTED);
        sql_put_text(&q, order->product);
        sql_put_text(&q, order->lot);
        r = sql_step(&q);
        counts->n[BUNDLE_BOUND] += r > 0 ? sql_i64(&q, 0) : 0;
        sql_end(&q);
    }
    return r < 0 ? r : 0;
}

static int put_order_counts(struct store_reader *reader, const struct order_key *order, struct json *tree)
{
    static const struct {
        const char *key;
        enum reader_statement statement;
    } numbers[] = {{"failed", R_ORDER_FAILED}, {"in_flight", R_ORDER_IN_FLIGHT}};

    struct json *object = json_new_object();
    int r = json_put_i64(object, "passed", order->passed);
    for (size_t i = 0; r == 0 && i < sizeof(numbers) / sizeof(*numbers); i++) {
        struct query q = sql_start(&reader->db, numbers[i].statement);
        sql_put_text(&q, order->id);
        r = put_number(reader, &q, object, numbers[i].key);
    }
    struct counts counts = {{0}};
    if (r == 0) {
        r = count_bundles(reader, order, &counts);
    }
    if (r == 0) {
        r = put_counts(object, &counts);
    }
    int put = json_put(tree, "counts", object);
    return r < 0 ? r : put;
}

static int put_fixtures(struct store_reader *reader, const char *id, struct json *tree)
{
    struct json *fixtures = json_new_array();
    struct query q = sql_start(&reader->db, R_FIXTURES);
    sql_put_text(&q, id);
    int r, trouble = 0;
    while ((r = sql_step(&q)) > 0) {
        trouble |= json_append_text(fixtures, sql_text(&q, 0));
    }
    sql_end(&q);
    trouble |= json_put(tree, "fixtures", fixtures);
    return r < 0 ? r : trouble ? -ENOMEM : 0;
}

/* The current row of ORDER_COLUMNS and all that belongs to it. */
static int order_tree(struct store_reader *reader, const struct query *q, struct json **ret)
{
    struct order_key order = {.passed = sql_i64(q, 8)};
    sql_copy(q, 0, order.id, sizeof(order.id));
    sql_copy(q, 1, order.product, sizeof(order.product));
    sql_copy(q, 4, order.lot, sizeof(order.lot));

    struct json *tree = json_new_object();
    int trouble = json_put_text(tree, "id", order.id);
    trouble |= json_put_text(tree, "product", order.product);
    trouble |= put_column_text(tree, "product_version", q, 2);
    trouble |= put_column_i64(tree, "quantity", q, 3);
    trouble |= put_column_text(tree, "lot", q, 4);
    trouble |= put_column_text(tree, "state", q, 5);
    trouble |= put_column_time(tree, "opened", q, 6);
    trouble |= put_column_time(tree, "closed", q, 7);
    int r = trouble ? -ENOMEM : put_fixtures(reader, order.id, tree);
    if (r == 0) {
        r = put_order_counts(reader, &order, tree);
    }
    if (r < 0) {
        json_free(tree);
        return r;
    }
    *ret = tree;
    return 0;
}

int reader_order(struct store_reader *reader, const char *id, struct json **ret)
{
    struct query q = sql_start(&reader->db, R_ORDER);
    sql_put_text(&q, id);
    int r = sql_step(&q);
    r = r > 0 ? order_tree(reader, &q, ret) : r == 0 ? ERR_NOT_FOUND : r;
    sql_end(&q);
    return r;
}

int store_read_order(struct store_reader *reader, const char *id, struct json **ret, struct err_info *reterr)
{
    int r = reader_begin(reader, reterr);
    if (r < 0) {
        return r;
    }
    struct json *tree = NULL;
    r = reader_order(reader, id, &tree);
    return reader_answer(reader, r, tree, ret, reterr);
}

/* Jobs of an order, or, with `id` NULL, of a time. */
struct yield_of {
    const char *id;
    int64_t from_wall_ms, to_wall_ms;
};

static struct query start_yield(struct store_reader *reader, const struct yield_of *of,
                                enum reader_statement of_order, enum reader_statement of_time)
{
    struct query q = sql_start(&reader->db, of->id != NULL ? of_order : of_time);
    if (of->id != NULL) {
        sql_put_text(&q, of->id);
    } else {
        sql_put_i64(&q, of->from_wall_ms > 0 ? of->from_wall_ms : INT64_MIN);
        sql_put_i64(&q, of->to_wall_ms > 0 ? of->to_wall_ms : INT64_MAX);
    }
    return q;
}

static int put_yield(struct store_reader *reader, const struct yield_of *of, struct json *tree)
{
    struct query q = start_yield(reader, of, R_ORDER_YIELD, R_YIELD);
    int r = sql_step(&q);
    int trouble =
        of->id != NULL ? json_put_text(tree, "work_order", of->id) : json_put_null(tree, "work_order");
    trouble |= put_column_i64(tree, "boards", &q, 0);
    trouble |= put_column_i64(tree, "first_pass", &q, 1);
    trouble |= put_column_i64(tree, "last_pass", &q, 2);
    sql_end(&q);
    return r < 0 ? r : trouble ? -ENOMEM : 0;
}

static int put_stopped(struct store_reader *reader, const struct yield_of *of, struct json *tree)
{
    struct json *stopped = json_new_array();
    struct query q = start_yield(reader, of, R_ORDER_STOPPED, R_STOPPED);
    int r, trouble = 0;
    while ((r = sql_step(&q)) > 0) {
        struct json *row = json_new_object();
        trouble |= put_column_text(row, "outcome", &q, 0);
        trouble |= put_column_text(row, "reason", &q, 1);
        trouble |= put_column_i64(row, "jobs", &q, 2);
        trouble |= json_append(stopped, row);
    }
    sql_end(&q);
    trouble |= json_put(tree, "stopped", stopped);
    return r < 0 ? r : trouble ? -ENOMEM : 0;
}

static int is_order(struct store_reader *reader, const char *id)
{
    struct query q = sql_start(&reader->db, R_ORDER);
    sql_put_text(&q, id);
    int r = sql_step(&q);
    sql_end(&q);
    return r > 0 ? 0 : r == 0 ? ERR_NOT_FOUND : r;
}

static int read_yield(struct store_reader *reader, const struct yield_of *of, struct json **ret,
                      struct err_info *reterr)
{
    int r = reader_begin(reader, reterr);
    if (r < 0) {
        return r;
    }
    struct json *tree = json_new_object();
    r = of->id != NULL ? is_order(reader, of->id) : 0;
    if (r == 0) {
        r = put_yield(reader, of, tree);
    }
    if (r == 0) {
        r = put_stopped(reader, of, tree);
    }
    return reader_answer(reader, r, tree, ret, reterr);
}

int store_read_yield(struct store_reader *reader, const char *id, struct json **ret, struct err_info *reterr)
{
    return read_yield(reader, &(struct yield_of){.id = id}, ret, reterr);
}

int store_read_yield_between(struct store_reader *reader, int64_t from_wall_ms, int64_t to_wall_ms,
                             struct json **ret, struct err_info *reterr)
{
    const struct yield_of of = {.from_wall_ms = from_wall_ms, .to_wall_ms = to_wall_ms};

    return read_yield(reader, &of, ret, reterr);
}

static int put_orders(struct store_reader *reader, const char *state, uint32_t limit,
                      const struct cursor *from, struct json *tree)
{
    struct json *orders = json_new_array();
    struct cursor last = {0};
    uint32_t n = 0;
    struct query q = sql_start(&reader->db, R_ORDERS);
    sql_put_text_or_null(&q, state);
    sql_put_i64(&q, from->at);
    sql_put_text(&q, from->id);
    sql_put_i64(&q, (int64_t)limit + 1);
    int r, trouble = 0;
    while ((r = sql_step(&q)) > 0 && n < limit) {
        struct json *order = NULL;
        r = order_tree(reader, &q, &order);
        if (r < 0) {
            break;
        }
        trouble |= json_append(orders, order);
        sql_copy(&q, 0, last.id, sizeof(last.id));
        last.at = sql_i64(&q, 6);
        n++;
    }
    sql_end(&q);
    trouble |= json_put(tree, "work_orders", orders);
    trouble |= r > 0 ? put_cursor(tree, &last) : json_put_null(tree, "next");
    return r < 0 ? r : trouble ? -ENOMEM : 0;
}

int store_read_orders(struct store_reader *reader, const char *state, uint32_t limit, const char *cursor,
                      struct json **ret, struct err_info *reterr)
{
    struct cursor from;
    int r = cursor_parse(cursor, &from, reterr);
    if (r == 0) {
        r = reader_begin(reader, reterr);
    }
    if (r < 0) {
        return r;
    }
    struct json *tree = json_new_object();
    r = put_orders(reader, state, limit_of(limit), &from, tree);
    return reader_answer(reader, r, tree, ret, reterr);
}

int store_read_open_orders(struct store_reader *reader, struct store_open_order *out, size_t max,
                           struct err_info *reterr)
{
    int r = reader_begin(reader, reterr);
    if (r < 0) {
        return r;
    }
    int n = 0;
    struct query q = sql_start(&reader->db, R_OPEN_ORDERS);
    while ((r = sql_step(&q)) > 0) {
        if ((size_t)n < max) {
            sql_copy(&q, 0, out[n].id, sizeof(out[n].id));
            sql_copy(&q, 1, out[n].fixture, sizeof(out[n].fixture));
            sql_copy(&q, 2, out[n].product, sizeof(out[n].product));
            sql_copy(&q, 3, out[n].version, sizeof(out[n].version));
        }
        n++;
    }
    sql_end(&q);
    r = reader_end(reader, r, reterr);
    return r < 0 ? r : n;
}

/* ---- stock, totals */

int store_read_stock(struct store_reader *reader, const char *product, const char *lot, struct json **ret,
                     struct err_info *reterr)
{
    int r = reader_begin(reader, reterr);
    if (r < 0) {
        return r;
    }
    struct counts counts = {{0}};
    r = count_stock(reader, product, lot, &counts);

    struct json *tree = json_new_object();
    int trouble = json_put_text(tree, "product", product && *product ? product : NULL);
    trouble |= json_put_text(tree, "lot", lot && *lot ? lot : NULL);
    trouble |= put_counts(tree, &counts);
    return reader_answer(reader, r < 0 ? r : trouble ? -ENOMEM : 0, tree, ret, reterr);
}

int store_read_totals(struct store_reader *reader, struct json **ret, struct err_info *reterr)
{
    static const struct {
        const char *key;
        enum reader_statement statement;
    } numbers[] = {
        {"last_seq", R_LAST_SEQ}, {"open_orders", R_OPEN_ORDER_COUNT}, {"open_jobs", R_OPEN_JOB_COUNT}};

    int r = reader_begin(reader, reterr);
    if (r < 0) {
        return r;
    }
    struct json *tree = json_new_object();
    for (size_t i = 0; r == 0 && i < sizeof(numbers) / sizeof(*numbers); i++) {
        struct query q = sql_start(&reader->db, numbers[i].statement);
        r = put_number(reader, &q, tree, numbers[i].key);
    }
    struct counts counts = {{0}};
    if (r == 0) {
        r = count_stock(reader, NULL, NULL, &counts);
    }
    struct json *bundles = json_new_object();
    int trouble = put_counts(bundles, &counts);
    trouble |= json_put(tree, "bundles", bundles);
    return reader_answer(reader, r < 0 ? r : trouble ? -ENOMEM : 0, tree, ret, reterr);
}

/* ---- events */

static struct json *event_tree(const struct query *q)
{
    struct json *data = NULL;
    if (json_parse(span_str(sql_text(q, 5)), JSON_DEPTH_USUAL, &data, NULL) != 0) {
        return NULL;
    }
    struct json *event = json_new_object();
    int trouble = json_put_i64(event, "seq", sql_i64(q, 0));
    trouble |= put_column_text(event, "at", q, 1);
    trouble |= put_column_text(event, "kind", q, 2);
    trouble |= put_column_text(event, "slot", q, 3);
    trouble |= put_column_text(event, "imei", q, 4);
    trouble |= json_put(event, "data", data);
    trouble |= put_column_digest(event, "hash", q, 6);
    if (trouble) {
        json_free(event);
        return NULL;
    }
    return event;
}

int store_read_events(struct store_reader *reader, int64_t after, uint32_t limit, struct json **ret,
                      struct err_info *reterr)
{
    int r = reader_begin(reader, reterr);
    if (r < 0) {
        return r;
    }
    struct json *events = json_new_array();
    int64_t last = after;
    int trouble = 0;
    struct query q = sql_start(&reader->db, R_EVENTS);
    sql_put_i64(&q, after);
    sql_put_i64(&q, limit_of(limit));
    while (trouble == 0 && (r = sql_step(&q)) > 0) {
        last = sql_i64(&q, 0);
        struct json *event = event_tree(&q);
        if (!event) {
            trouble = ERR_CORRUPT;
        } else {
            trouble = json_append(events, event);
        }
    }
    sql_end(&q);

    struct json *tree = json_new_object();
    int put = json_put(tree, "events", events) | json_put_i64(tree, "last", last);
    r = r < 0 ? r : trouble ? trouble : put ? -ENOMEM : 0;
    return reader_answer(reader, r, tree, ret, reterr);
}
