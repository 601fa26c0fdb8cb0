/*
 * What one line is, and a typed cursor over its fields.
 *
 * Final results: 3GPP TS 27.007 section 9.2 and V.250 section 5.7; Nordic's own numbers start above 512
 * (nRF91 AT Commands reference, "+CME ERROR").
 */
#ifndef CERTLINE_AT_REPLY_H
#define CERTLINE_AT_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

enum reply_class {
    REPLY_TEXT,  /* none of the below: information without a prefix (+CGMR, asked for with ""), or noise */
    REPLY_INFO,  /* begins with the prefix asked for */
    REPLY_OK,    /* final */
    REPLY_ERROR, /* final, no number: CMEE is 0, or the front end refused */
    REPLY_CME, /* final, "+CME ERROR: n" (also "+CMS ERROR: n"); a text in place of n counts as REPLY_CME with
                  -1 */
    REPLY_URC, /* a known unsolicited line */
    REPLY_BANNER, /* boot banner, "Ready", "INIT ERROR": the board has just booted */
};

/* `prefix` is that of the current command ("%CMNG:"), or NULL. *ret_code is set for REPLY_CME only. */
enum reply_class reply_classify(struct span line, const char *prefix, int *ret_code);

/* A known unsolicited line that begins inside `line` behind position 0: Nordic's AT host writes them the
 * moment they come, in the middle of an answer's line. Returns its position, or 0 when there is none. */
size_t reply_find_urc(struct span line, const char *prefix);

/* The same for a boot banner: a board that is reset has no time to end its line. */
size_t reply_find_banner(struct span line);

/*
 * Cursor over `prefix: a,"b",c`. Blanks after commas are optional (Nordic's documents show them, modems do
 * not send them). The first thing that is not as asked sticks: later calls return false and leave their
 * target alone, so one check at the end is enough.
 */
struct cursor {
    struct span rest;
    bool is_bad;
    bool at_start; /* no field read yet, so no comma is due */
};

/* Stands behind `prefix` (which must be there: otherwise is_bad from the start) and the blanks that follow
 * it. `prefix` "" stands at the line's beginning. */
struct cursor cursor_begin(struct span line, const char *prefix);

bool cursor_u32(struct cursor *c,
                uint32_t *ret); /* decimal, whole range of unsigned 32 bits (reserved sec_tags) */
bool cursor_int(struct cursor *c, int64_t *ret);
bool cursor_string(struct cursor *c,
                   struct span *ret); /* in double quotes; borrowed from the line; may span lines */
bool cursor_word(struct cursor *c, struct span *ret); /* unquoted, up to the next comma; may be empty */
bool cursor_skip(struct cursor *c);                   /* one field of either kind */
bool cursor_has_more(const struct cursor *c);         /* a comma stands next, and nothing went wrong */

/* True when every field was as asked and nothing is left but blanks. */
bool cursor_end(const struct cursor *c);

#endif
