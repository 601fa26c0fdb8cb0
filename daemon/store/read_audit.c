/* The chain as a reader sees it: where it ends, and whether it holds, a stretch at a time. */
#include <errno.h>

#include "store/internal.h"
#include "store/reader.h"

int store_read_head(struct store_reader *reader, struct store_chain *ret, struct err_info *reterr)
{
    struct store_chain head = {0};
    int r = reader_begin(reader, reterr);

    if (r < 0) {
        return r;
    }
    struct query q = sql_start(&reader->db, R_HEAD);
    r = sql_step(&q);
    if (r > 0) {
        head.seq = sql_i64(&q, 0);
        r = sql_digest(&q, 1, &head.hash) ? 0 : ERR_CORRUPT;
    }
    sql_end(&q);
    r = reader_end(reader, r, reterr);
    if (r == 0) {
        *ret = head;
    }
    return r;
}

int store_read_verify(struct store_reader *reader, struct store_chain *at, uint32_t max,
                      struct err_info *reterr)
{
    struct chain_head head = {.seq = at->seq, .hash = at->hash};
    int r = reader_begin(reader, reterr), n = 0, fits = 1;

    if (r < 0) {
        return r;
    }
    struct query q = sql_start(&reader->db, R_CHAIN);
    sql_put_i64(&q, at->seq);
    sql_put_i64(&q, max);
    while (fits > 0 && (r = sql_step(&q)) > 0) {
        fits = event_row_fits(&q, &head);
        n += fits > 0;
    }
    sql_end(&q);
    if (fits == 0) {
        r = err_set(reterr, ERR_CORRUPT, "event %lld does not fit the chain: the record was changed",
                    (long long)head.seq);
    } else if (fits < 0) {
        r = reader->db.failure.code != 0 ? fits : err_set(reterr, fits, "%s", err_text(fits));
    }
    r = reader_end(reader, r, reterr);
    at->seq = head.seq;
    at->hash = head.hash;
    return r < 0 ? r : n;
}
