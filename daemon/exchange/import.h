/*
 * An import: octets of NDJSON in, one result a row out. A bad row refuses itself and not the file; what was
 * taken stays taken when a later row fails; the same file again makes duplicates, not bundles.
 *
 * A session belongs to one thread at a time. It holds at most one line (in secret memory, wiped) and two
 * batches of sealed bundles; rows are given to the store by the batch, so that one sync serves many, and one
 * batch is filled while the other one is stored.
 */
#ifndef CERTLINE_EXCHANGE_IMPORT_H
#define CERTLINE_EXCHANGE_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "exchange/row.h"
#include "store/store.h"

struct json;

#define IMPORT_LISTED_MAX 10000

struct import; /* opaque */

#define IMPORT_LINE_MAX ((size_t)64 * 1024) /* octets of one row */
#define IMPORT_ROWS_MAX 1000000
#define IMPORT_BATCH    128

struct import_config {
    struct row_config rows;
    bool is_dry_run; /* every row is judged, the database is asked, and nothing is stored */

    /* Runs STORE_IMPORT operations and returns when each was answered: 0, or negative when they were not run
     * (their answers are not looked at then). The operations are lent for the call. */
    int (*submit)(void *ctx, struct store_op **ops, size_t n);

    /* The same in two steps, so that the next rows are judged while these are stored: `begin` takes the
     * operations (0, or negative: they will not be run), `wait` returns once each was answered. One batch is
     * under way at a time, and it is waited for whatever becomes of the session. Both NULL: there is `submit`
     * only. */
    int (*begin)(void *ctx, struct store_op **ops, size_t n, void **ret_ticket);
    void (*wait)(void *ctx, void *ticket);
    void *ctx;
};

/* NULL without memory. `config` is copied, what it points to is borrowed for the session's life. */
struct import *import_new(const struct import_config *config);

/*
 * Takes the next octets of the input, cut anywhere; the results do not depend on where. Empty lines count as
 * rows and have no result. Returns 0, or negative with *reterr: the database, the wrapping key, memory, or
 * too many rows. Such a failure stays: nothing more is taken, and import_finish repeats it. Rows before it
 * may be in the store; import again.
 */
int import_feed(struct import *import, struct span octets, struct err_info *reterr);

/*
 * The end of the input: a last line without line end is a row. *ret is the caller's:
 *   {"taken":1,"duplicate":1,"refused":1,"rows":[{"row":1,"id":"…","result":"taken"},
 *    {"row":2,"id":"…","result":"refused","reason":"key_mismatch","detail":"…"}, …],"omitted":0}
 * A row that was not refused may have "warnings":[{"name":"psk_short","member":"psk","detail":"…"}].
 * The first IMPORT_LISTED_MAX refused rows are listed and as many of the others; `omitted` counts the rest.
 * Returns 0 or negative with *reterr. The session can only be freed afterwards.
 */
int import_finish(struct import *import, struct json **ret, struct err_info *reterr);

/* Also in the middle: what was not given to the store is forgotten. NULL is allowed. */
void import_free(struct import *import);

#endif
