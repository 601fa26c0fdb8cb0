/*
 * Reading the station's database: a connection of its own that cannot write, so that a long question delays
 * no claim. Many may be open; one is used by one thread at a time. What it sees is what is committed, each
 * call one moment of it.
 *
 * Answers are trees in the shapes of the API (examples: GET /api/v1/jobs/{id}); what is not known stands
 * there as null. They are the caller's to free, and set only when the call returns 0. Failures of all calls:
 * ERR_STORE, ERR_CORRUPT or -ENOMEM with *reterr; the next call tries with a fresh connection.
 */
#ifndef CERTLINE_STORE_READ_H
#define CERTLINE_STORE_READ_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "job/ledger.h"
#include "job/product.h"

struct json;
struct store_reader; /* opaque */

#define STORE_LIMIT_USUAL 100
#define STORE_LIMIT_MAX   1000

/* Opens the database of a state directory that a store has made. `vfs` as in struct store_config. */
int store_reader_open(struct store_reader **ret, const char *dir, const char *vfs, struct err_info *reterr);

/* NULL is allowed. */
void store_reader_close(struct store_reader *reader);

/* Which jobs. NULL or empty texts ask for nothing; all that is given must hold. */
struct store_job_filter {
    const char *work_order;
    const char *slot;
    const char *imei;
    const char *outcome;  /* "PASS" …, or "NONE" for the open ones */
    const char *reason;   /* a stable name of job/verdict.h */
    int64_t from_wall_ms; /* started at or after; 0: any */
    int64_t to_wall_ms;   /* started before; 0: any */
    uint32_t limit;       /* 0: STORE_LIMIT_USUAL; more than STORE_LIMIT_MAX counts as that */
    const char *cursor;   /* `next` of an earlier answer to the same question */
};

/* {"jobs":[…],"next":cursor or null}, the latest first; without entries, steps, station and dialogue.
 * ERR_FORMAT for a cursor that is none. */
int store_read_jobs(struct store_reader *reader, const struct store_job_filter *filter, struct json **ret,
                    struct err_info *reterr);

/* The job with all there is; its dialogue is null when it was pruned. ERR_NOT_FOUND. */
int store_read_job(struct store_reader *reader, const char *id, struct json **ret, struct err_info *reterr);

/* {"imei",…,"bundles":[{"id","product","lot","state","credentials":[…]}],"jobs":[…]}: identity, bundles (a
 * retired one too), the latest jobs as in store_read_jobs. A board that never came but has a bundle is known
 * as well. ERR_NOT_FOUND. */
int store_read_board(struct store_reader *reader, const char *imei, struct json **ret,
                     struct err_info *reterr);

/*
 * {"work_orders":[…],"next":cursor or null}, the latest first. `state` is "open", "closed" or NULL.
 *
 * An order's counts: passed and failed are boards (one that passed in the end did not fail), in_flight open
 * jobs; free is what its pool holds now; bound, exposed, installed and retired are bundles of boards that
 * came in this order, and bound also those made for boards that have not come yet.
 */
int store_read_orders(struct store_reader *reader, const char *state, uint32_t limit, const char *cursor,
                      struct json **ret, struct err_info *reterr);

/* One order. ERR_NOT_FOUND. */
int store_read_order(struct store_reader *reader, const char *id, struct json **ret, struct err_info *reterr);

/*
 * {"work_order","boards","first_pass","last_pass","stopped":[{"outcome","reason","jobs"}]}: of the boards
 * with a PASS or a FAIL in this order, those whose first such job passed and those of which any did; and how
 * often jobs ended otherwise, the most frequent first. Only FAIL counts against a yield. It reads every job
 * of the order. ERR_NOT_FOUND.
 */
int store_read_yield(struct store_reader *reader, const char *id, struct json **ret, struct err_info *reterr);

/* The same, with null for the order, of all jobs that were started at or after `from_wall_ms` (0: any) and
 * before `to_wall_ms` (0: any): what a shift has done. It reads each of these jobs. */
int store_read_yield_between(struct store_reader *reader, int64_t from_wall_ms, int64_t to_wall_ms,
                             struct json **ret, struct err_info *reterr);

/* {"product","lot","free","bound","exposed","installed","retired"}; NULL or empty asks for all of them. */
int store_read_stock(struct store_reader *reader, const char *product, const char *lot, struct json **ret,
                     struct err_info *reterr);

/* {"events":[…],"last":seq} with seq > `after` in their order; `last` is where to go on: the last one's
 * number, or `after` when there is none. */
int store_read_events(struct store_reader *reader, int64_t after, uint32_t limit, struct json **ret,
                      struct err_info *reterr);

/*
 * {"changes":[{"seq","event":"job"|"order","data":{…}}],"last","events"}: looks at up to `limit` events after
 * `after` (0: STORE_CHANGES_EVENTS_MAX, which is the most) and tells each job and order they touched once,
 * under the number of the last of them, in the order of these numbers; `data` is as in store_read_jobs and
 * store_read_order. `last` is where to go on, `events` how many were looked at.
 */
#define STORE_CHANGES_EVENTS_MAX 128
int store_read_changes(struct store_reader *reader, int64_t after, uint32_t limit, struct json **ret,
                       struct err_info *reterr);

/* {"last_seq","open_orders","open_jobs","bundles":{"free",…}}: what monitoring asks for. */
int store_read_totals(struct store_reader *reader, struct json **ret, struct err_info *reterr);

/* Which boards an export is of: those that passed and hold their bundle now. NULL or empty asks for nothing.
 */
struct store_export_filter {
    const char *work_order;
    const char *product;
    int64_t from_wall_ms; /* passed at or after; 0: any */
    int64_t to_wall_ms;   /* passed before; 0: any */
    uint32_t limit;       /* 0: STORE_LIMIT_USUAL; more than STORE_LIMIT_MAX counts as that */
    const char *cursor;   /* `next` of an earlier answer to the same question */
};

/* One board, as its latest PASS left it. Texts are "" for what is not known. */
struct store_export_row {
    const char *imei, *uuid, *model, *modem_firmware, *unit_serial, *work_order, *product, *lot, *bundle;
    int64_t passed_wall_ms;
    struct span token;              /* its attestation token, sealed; empty where it gave none */
    struct span sealed[CRED_TYPES]; /* of its bundle, empty where it has none: for keys to open */
};

#define STORE_CURSOR_SIZE 96

/*
 * Gives one row after the other to `take`, in the order in which they passed; what a row holds lives until
 * `take` returns, which is 0, or negative to end it. `next` is where to go on, or empty when there is no
 * more. A board that passes again while pages are read may come twice, but none is missed. ERR_FORMAT for a
 * cursor that is none.
 */
int store_read_export(struct store_reader *reader, const struct store_export_filter *filter,
                      int (*take)(void *ctx, const struct store_export_row *row), void *ctx,
                      char next[STORE_CURSOR_SIZE], struct err_info *reterr);

/* A place in the chain of events: zeroes before the first one. */
struct store_chain {
    int64_t seq;
    struct digest hash;
};

/* The chain's end. 0 with *ret. */
int store_read_head(struct store_reader *reader, struct store_chain *ret, struct err_info *reterr);

/* Recomputes up to `max` events behind *at and moves it on. Returns how many there were, or ERR_CORRUPT with
 * *at at the first one that does not fit. */
int store_read_verify(struct store_reader *reader, struct store_chain *at, uint32_t max,
                      struct err_info *reterr);

/* An open order as the line must know it, one for each of its fixtures. */
struct store_open_order {
    char id[ORDER_ID_SIZE];
    char fixture[FIXTURE_SIZE];
    char product[PRODUCT_NAME_SIZE];
    char version[PRODUCT_VERSION_SIZE];
};

/* Returns how many there are and fills up to `max` of them. */
int store_read_open_orders(struct store_reader *reader, struct store_open_order *out, size_t max,
                           struct err_info *reterr);

#endif
