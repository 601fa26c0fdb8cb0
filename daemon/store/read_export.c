/*
 * Boards for exports. A page is read in one moment of the database; the order of the pages is that of the
 * jobs that passed, to which time only adds at the end.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/reader.h"

static int give_row(struct store_reader *reader, const struct query *q,
                    int (*take)(void *ctx, const struct store_export_row *row), void *ctx)
{
    struct store_export_row row = {.imei = sql_text(q, 2),
                                   .uuid = sql_text(q, 3),
                                   .model = sql_text(q, 4),
                                   .modem_firmware = sql_text(q, 5),
                                   .unit_serial = sql_text(q, 6),
                                   .work_order = sql_text(q, 7),
                                   .product = sql_text(q, 8),
                                   .lot = sql_text(q, 9),
                                   .bundle = sql_text(q, 10),
                                   .passed_wall_ms = sql_i64(q, 11)};
    /* All of a bundle's credentials must live at once, and a step ends the row before it. */
    static _Thread_local uint8_t sealed[CRED_TYPES][CRED_CONTENT_MAX + 128];
    struct query credentials = sql_start(&reader->db, R_EXPORT_SEALED);
    sql_put_i64(&credentials, sql_i64(q, 12));
    int r;
    while ((r = sql_step(&credentials)) > 0) {
        int64_t type = sql_i64(&credentials, 0);
        struct span octets = sql_blob(&credentials, 1);
        if (type < 0 || type >= CRED_TYPES || octets.len > sizeof(sealed[0])) {
            r = ERR_CORRUPT;
            break;
        }
        if (octets.len > 0) { /* a key that the board made, or one that was erased, has none */
            memcpy(sealed[type], octets.at, octets.len);
        }
        row.sealed[type] = span_of((const char *)sealed[type], octets.len);
    }
    (void)sql_end(&credentials);
    struct query token = sql_start(&reader->db, R_EXPORT_TOKEN);
    sql_put_text(&token, row.imei);
    r = r < 0 ? r : sql_step(&token);
    row.token = r > 0 ? sql_blob(&token, 0) : span_of(NULL, 0);
    r = r < 0 ? r : take(ctx, &row);
    (void)sql_end(&token);
    return r;
}

static struct query start(struct store_reader *reader, const struct store_export_filter *filter,
                          const struct cursor *from, uint32_t limit)
{
    struct query q = sql_start(&reader->db, R_EXPORT);
    sql_put_text_or_null(&q, filter->work_order);
    sql_put_text_or_null(&q, filter->product);
    sql_put_i64(&q, filter->from_wall_ms > 0 ? filter->from_wall_ms : INT64_MIN);
    sql_put_i64(&q, filter->to_wall_ms > 0 ? filter->to_wall_ms : INT64_MAX);
    sql_put_i64(&q, from->at);
    sql_put_text(&q, from->id);
    sql_put_i64(&q, (int64_t)limit + 1); /* one more than asked for tells whether there is a next page */
    return q;
}

int store_read_export(struct store_reader *reader, const struct store_export_filter *filter,
                      int (*take)(void *ctx, const struct store_export_row *row), void *ctx,
                      char next[STORE_CURSOR_SIZE], struct err_info *reterr)
{
    struct cursor from = {.at = INT64_MIN}, last = {0};
    next[0] = '\0';
    int r = filter->cursor && *filter->cursor ? cursor_parse(filter->cursor, &from, reterr) : 0;
    r = r < 0 ? r : reader_begin(reader, reterr);
    if (r < 0) {
        return r;
    }
    uint32_t limit = limit_of(filter->limit), n = 0;
    struct query q = start(reader, filter, &from, limit);
    while ((r = sql_step(&q)) > 0 && n < limit) {
        last.at = sql_i64(&q, 0);
        sql_copy(&q, 1, last.id, sizeof(last.id));
        n++;
        int taken = give_row(reader, &q, take, ctx);
        if (taken < 0) {
            r = taken;
            break;
        }
    }
    (void)sql_end(&q);
    if (r > 0) {
        (void)snprintf(next, STORE_CURSOR_SIZE, "%" PRId64 ".%s", last.at, last.id);
    }
    return reader_end(reader, r < 0 ? r : 0, reterr);
}
