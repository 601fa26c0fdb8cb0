/* What the reader's files share. Nobody outside of this folder includes it. */
#ifndef CERTLINE_STORE_READER_H
#define CERTLINE_STORE_READER_H

#include <stdbool.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "store/read.h"
#include "store/sql.h"

enum reader_statement {
    R_BEGIN,
    R_END,
    R_JOB,
    R_JOBS_OF_BOARD,
    R_JOBS_OF_SLOT,
    R_JOBS_BY_REASON,
    R_JOBS_OF_ORDER,
    R_JOBS_BY_OUTCOME,
    R_JOBS_OPEN,
    R_JOBS_BY_TIME,
    R_ENTRIES,
    R_STEPS,
    R_DIALOGUE,
    R_BOARD,
    R_BUNDLES_OF_BOARD,
    R_CREDENTIALS,
    R_ORDER,
    R_ORDERS,
    R_FIXTURES,
    R_ORDER_FAILED,
    R_ORDER_IN_FLIGHT,
    R_ORDER_BUNDLES,
    R_ORDER_YIELD,
    R_ORDER_STOPPED,
    R_YIELD,
    R_STOPPED,
    R_EXPECTED,
    R_STOCK,
    R_EVENTS,
    R_CHANGES,
    R_HEAD,
    R_CHAIN,
    R_LAST_SEQ,
    R_OPEN_ORDERS,
    R_OPEN_ORDER_COUNT,
    R_OPEN_JOB_COUNT,
    R_EXPORT,
    R_EXPORT_SEALED,
    R_EXPORT_TOKEN,
    READER_STATEMENTS,
};

extern const char *const reader_texts[READER_STATEMENTS];

#define ORDER_COLUMNS                                                                                        \
    "SELECT id, product, product_version, quantity, lot, state, opened, closed, passed FROM work_order"

struct store_reader {
    char *path;
    char *vfs; /* or NULL */
    struct sql db;
    bool is_open;
};

/* Around every question: one moment of the database. reader_end gives back `result`, or what failed, and
 * drops a connection that has failed. */
int reader_begin(struct store_reader *reader, struct err_info *reterr);
int reader_end(struct store_reader *reader, int result, struct err_info *reterr);

/* reader_end, then *ret = tree, or the tree is freed. */
int reader_answer(struct store_reader *reader, int result, struct json *tree, struct json **ret,
                  struct err_info *reterr);

/* A column as a member, null for null; an empty text is null as well. As json_put_*. */
int put_column_text(struct json *object, const char *key, const struct query *q, int column);
int put_column_i64(struct json *object, const char *key, const struct query *q, int column);
int put_column_time(struct json *object, const char *key, const struct query *q, int column);
int put_column_digest(struct json *object, const char *key, const struct query *q, int column);

/* One job or order as it stands in lists, inside of reader_begin and reader_end. 0, ERR_NOT_FOUND or
 * negative. */
int reader_job(struct store_reader *reader, const char *id, struct json **ret);
int reader_order(struct store_reader *reader, const char *id, struct json **ret);

/* The last row of a page: "<its time>.<its id>". */
struct cursor {
    int64_t at;
    char id[ORDER_ID_SIZE];
};
#define CURSOR_SIZE (ORDER_ID_SIZE + 24)
int cursor_parse(const char *text, struct cursor *ret, struct err_info *reterr);
int put_cursor(struct json *object, const struct cursor *cursor);
uint32_t limit_of(uint32_t asked);

#endif
