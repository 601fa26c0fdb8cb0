/*
 * Rows on their way to the store: gathered into pieces of whole lines, sent, and the answers counted and
 * shown.
 *
 * Rows are numbered from the beginning of their file, whatever piece they came in. A row says its number in
 * its detail as well, counted from the piece's first line; those numbers are moved before they are shown.
 */
#ifndef CERTLINE_CMD_ROWS_H
#define CERTLINE_CMD_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "cmd/door.h"

struct rows_totals {
    int64_t taken, duplicate, refused;
};

struct rows {
    const struct door *door; /* borrowed */
    bool is_dry_run;
    bool shows_progress;
    const char *file; /* the one in hand */
    struct rows_totals totals;

    /* The piece that is being gathered. */
    char *memory; /* secret */
    size_t len;
    uint64_t before; /* rows of the file before it */
    uint64_t last;   /* number of the last row in it */
    struct err_info failure;
};

/* Sends whole lines, the first of which is the row behind `rows_before`. 0 or negative with *reterr. */
int rows_send(struct rows *rows, struct span lines, uint64_t rows_before, struct err_info *reterr);

/* A row that was refused before anybody saw it. */
void rows_refuse(struct rows *rows, uint64_t number, const char *reason, const char *detail);

/* One row after the other, with rising numbers; some may be missing. rows_flush sends what is left and
 * begins a new file. 0 or negative; the first failure is in rows->failure. */
int rows_add(struct rows *rows, uint32_t number, struct span json);
int rows_flush(struct rows *rows);
void rows_done(struct rows *rows);

void rows_clear_progress(const struct rows *rows);

#endif
