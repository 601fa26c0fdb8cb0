/*
 * How far the chain of events has been recomputed, shared by the workers that do it: verification goes on in
 * stretches, each within one request, so that no worker is kept from other questions for long, and what was
 * verified once is not read again. In memory: a restart begins anew. Any thread.
 */
#ifndef CERTLINE_API_AUDIT_H
#define CERTLINE_API_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "store/read.h"

struct audit; /* opaque */

struct audit_state {
    struct store_chain head;     /* the record's end */
    struct store_chain verified; /* everything up to here is as it was written */
    bool is_broken;              /* the next event is not; `why` says it */
    int64_t wall_ms;             /* of the last stretch; 0: none yet */
    char why[200];
};

/* NULL without memory. */
struct audit *audit_new(void);
void audit_free(struct audit *audit);

/* Reads the record's end. 0 or as the reader fails. */
int audit_look(struct audit *audit, struct store_reader *reader, struct audit_state *ret,
               struct err_info *reterr);

/* Verifies up to `max` more events, from the first one when `must_restart`. A broken chain is a result and no
 * failure. ERR_CONFLICT when another request is at it. */
int audit_verify(struct audit *audit, struct store_reader *reader, uint32_t max, bool must_restart,
                 int64_t wall_ms, struct audit_state *ret, struct err_info *reterr);

#endif
