/*
 * What the lint warns of and an import takes all the same: told with the row's result. The names and words
 * are the lint's.
 */
#ifndef CERTLINE_EXCHANGE_ROW_WARN_H
#define CERTLINE_EXCHANGE_ROW_WARN_H

#include <stdint.h>

#include "exchange/lint.h"
#include "pki/content.h"

#define ROW_WARNINGS_MAX 8 /* a row hardly has more; what comes behind them is left out */

struct row_warnings {
    uint32_t n;
    struct row_warning {
        enum lint_fault fault;
        const char *member; /* static; NULL: the row as a whole */
    } at[ROW_WARNINGS_MAX];
    bool has_told_clock; /* once is enough: kept from row to row */
};

/* Of one content that is good in itself. `now_s` as in content_read. */
void row_warn_content(struct row_warnings *warnings, const struct content *content, int64_t now_s);

/* The whole command against the front end that takes least, in the form that the product asks for.
 * `canonical` has line feeds and one behind its last line. */
void row_warn_length(struct row_warnings *warnings, const struct product *product, enum cred_type type,
                     struct span canonical);

#endif
