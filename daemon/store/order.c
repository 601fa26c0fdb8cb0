/*
 * Work orders and versions of products. An order keeps the product's version it was opened with: a changed
 * configuration never changes what an order already stands for.
 */
#include <stdio.h>
#include <string.h>

#include "store/internal.h"

int op_product(struct store *st, struct store_op *op)
{
    const struct product *product = op->product;
    struct query q = sql_start(&st->db, Q_PRODUCT_KNOWN);
    sql_put_text(&q, product->name);
    sql_put_text(&q, product->version);
    int r = sql_step(&q);
    sql_end(&q);
    if (r != 0) {
        return r < 0 ? r : 0;
    }
    q = sql_start(&st->db, Q_PRODUCT_ADD);
    sql_put_text(&q, product->name);
    sql_put_text(&q, product->version);
    sql_put_text(&q, product->canonical ? product->canonical : "");
    r = sql_run(&q);
    if (r < 0) {
        return r;
    }
    struct json *data = json_new_object();
    int trouble = json_put_text(data, "product", product->name);
    trouble |= json_put_text(data, "product_version", product->version);
    return event_emit(st, "product_registered", NULL, NULL, data, trouble);
}

/* ---- put */

static int check_put(struct store *st, struct store_op *op, const struct store_order_put *put)
{
    if (!*put->id || put->quantity < 1 || put->quantity > STORE_QUANTITY_MAX || put->n_fixtures < 1 ||
        put->n_fixtures > STORE_FIXTURES_MAX) {
        return op_no(op, ERR_RANGE, REASON_NONE,
                     "an order needs an id, a quantity from 1 to %d and 1 to %d fixtures", STORE_QUANTITY_MAX,
                     STORE_FIXTURES_MAX);
    }
    for (uint32_t i = 0; i < put->n_fixtures; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (strcmp(put->fixtures[i], put->fixtures[j]) == 0) {
                return op_no(op, ERR_RANGE, REASON_NONE, "fixture %s stands twice", put->fixtures[i]);
            }
        }
    }
    struct query q = sql_start(&st->db, Q_PRODUCT_KNOWN);
    sql_put_text(&q, put->product);
    sql_put_text(&q, put->version);
    int r = sql_step(&q);
    sql_end(&q);
    if (r == 0) {
        return op_no(op, ERR_NOT_FOUND, REASON_NONE, "there is no product %s", put->product);
    }
    return r < 0 ? r : 0;
}

/* 1: the stored order runs on exactly these fixtures, in any order; 0; negative. */
static int has_same_fixtures(struct store *st, const struct store_order_put *put)
{
    struct query q = sql_start(&st->db, Q_FIXTURES_OF_ORDER);
    sql_put_text(&q, put->id);
    uint32_t n_found = 0, n_stored = 0;
    int r;
    while ((r = sql_step(&q)) > 0) {
        n_stored++;
        for (uint32_t i = 0; i < put->n_fixtures; i++) {
            n_found += strcmp(sql_text(&q, 0), put->fixtures[i]) == 0;
        }
    }
    sql_end(&q);
    return r < 0 ? r : n_found == n_stored && n_found == put->n_fixtures;
}

/* 1: the order is stored; its difference to `put`, as a word, in *ret_other (NULL: none). 0: it is not.
 * Negative. */
static int compare(struct store *st, const struct store_order_put *put, const char **ret_other,
                   bool *ret_is_open)
{
    struct query q = sql_start(&st->db, Q_ORDER_BY_ID);
    sql_put_text(&q, put->id);
    int r = sql_step(&q);
    *ret_other = NULL;
    if (r > 0) {
        *ret_is_open = strcmp(sql_text(&q, 4), "open") == 0;
        if (strcmp(sql_text(&q, 0), put->product) != 0) {
            *ret_other = "another product";
        } else if (sql_i64(&q, 2) != put->quantity) {
            *ret_other = "another quantity";
        } else if (strcmp(sql_text(&q, 3), put->lot) != 0) {
            *ret_other = "another lot";
        } else if (*ret_is_open && strcmp(sql_text(&q, 1), put->version) != 0) {
            *ret_other = "an earlier version of the product";
        }
    }
    sql_end(&q);
    if (r > 0 && !*ret_other) {
        int same = has_same_fixtures(st, put);
        *ret_other = same == 0 ? "other fixtures" : NULL;
        return same < 0 ? same : 1;
    }
    return r;
}

static int check_fixtures_free(struct store *st, struct store_op *op, const struct store_order_put *put)
{
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < put->n_fixtures; i++) {
        struct query q = sql_start(&st->db, Q_FIXTURE_TAKEN);
        sql_put_text(&q, put->fixtures[i]);
        r = sql_step(&q);
        if (r > 0) {
            r = op_no(op, ERR_CONFLICT, REASON_order_conflict, "%s has %s", put->fixtures[i],
                      sql_text(&q, 0));
        }
        sql_end(&q);
    }
    return r;
}

static int open_order(struct store *st, const struct store_order_put *put)
{
    struct json *fixtures = json_new_array();
    int trouble = 0;
    for (uint32_t i = 0; i < put->n_fixtures; i++) {
        trouble |= json_append_text(fixtures, put->fixtures[i]);
    }
    struct json *data = json_new_object();
    trouble |= json_put(data, "fixtures", fixtures);
    trouble |= json_put_text(data, "order", put->id);
    trouble |= json_put_text(data, "product", put->product);
    trouble |= json_put_text(data, "product_version", put->version);
    trouble |= json_put_i64(data, "quantity", put->quantity);
    trouble |= json_put_text(data, "lot", *put->lot ? put->lot : NULL);
    trouble |= json_put_text(data, "who", *put->who ? put->who : NULL);
    return event_emit(st, "order_opened", NULL, NULL, data, trouble);
}

int op_order_put(struct store *st, struct store_op *op)
{
    struct store_order_put *put = &op->order_put;
    int r = check_put(st, op, put);
    if (r < 0) {
        return r;
    }
    const char *other = NULL;
    bool is_open = false;
    r = compare(st, put, &other, &is_open);
    if (r < 0) {
        return r;
    }
    if (r > 0 && other) {
        return op_no(op, ERR_CONFLICT, REASON_order_conflict, "%s is %s for %s", put->id,
                     is_open ? "open" : "closed and was", other);
    }
    if (r > 0) {
        put->outcome = STORE_UNCHANGED;
        return 0;
    }
    r = check_fixtures_free(st, op, put);
    if (r == 0) {
        r = open_order(st, put);
        put->outcome = STORE_CREATED;
    }
    return r;
}

/* ---- close */

/* Jobs under way are not touched: they end as they would have. */
int op_order_close(struct store *st, struct store_op *op)
{
    const struct store_named *named = &op->named;
    struct query q = sql_start(&st->db, Q_ORDER_BY_ID);
    sql_put_text(&q, named->id);
    int r = sql_step(&q);
    bool is_open = r > 0 && strcmp(sql_text(&q, 4), "open") == 0;
    sql_end(&q);
    if (r == 0) {
        return op_no(op, ERR_NOT_FOUND, REASON_NONE, "there is no order %s", named->id);
    }
    if (r < 0 || !is_open) {
        return r < 0 ? r : 0;
    }
    struct json *data = json_new_object();
    int trouble = json_put_text(data, "order", named->id);
    trouble |= json_put_text(data, "who", *named->who ? named->who : NULL);
    trouble |= json_put_text(data, "why", *named->why ? named->why : NULL);
    return event_emit(st, "order_closed", NULL, NULL, data, trouble);
}
