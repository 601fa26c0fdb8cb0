/* What lint tells: for people as it comes, for programs (--json) as one tree at the end. */
#ifndef CERTLINE_CMD_LINT_PRINT_H
#define CERTLINE_CMD_LINT_PRINT_H

#include <stdbool.h>
#include <stdint.h>

#include "exchange/lint.h"

struct json;

struct lint_place {
    const char *file;
    uint32_t row;   /* 0: the file is one text */
    const char *id; /* of the row's bundle, or NULL */
    int type;       /* of the text */
};

struct lint_print {
    struct json *files; /* NULL: for people */
    uint64_t n_good, n_warned, n_refused, n_fixed;
};

/* 0 or -ENOMEM. */
int lint_print_init(struct lint_print *print, bool is_json);
void lint_print_done(struct lint_print *print); /* harmless on a zeroed one */

/* One text or row that was judged; `report` holds what is left when it was fixed. 0 or -ENOMEM. */
int lint_print_add(struct lint_print *print, const struct lint_place *place, const struct lint_report *report,
                   bool is_fixed);

/* The summary. Returns the exit code: 0, 3 when something is refused, 1 when it cannot be written. */
int lint_print_end(struct lint_print *print);

#endif
