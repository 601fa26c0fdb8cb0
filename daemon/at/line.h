/*
 * Octets → lines. A line ends with LF, CRLF or CR; NUL octets are dropped (2019 builds of Nordic's AT host
 * end each reply with one). Empty lines are passed over.
 *
 * A terminal's control sequences (ECMA-48: ESC [ … letter), with which shells colour their prompt and move
 * their cursor, are dropped outside of quotes.
 *
 * Quotes matter only where the owner says so: a line that begins with `quoted_prefix` and stands inside a
 * double quote goes on over line ends, octet for octet, since a stored certificate comes back that way and
 * one of its lines may say `OK`. So does a line with that prefix that ends with a comma outside of quotes:
 * its quoted text begins on the next line. Everywhere else a lone quote means nothing, or a single damaged
 * octet would swallow the rest of the session.
 *
 * The memory is the caller's; an overlong line is an event (its beginning is kept, the rest dropped), not an
 * accident.
 */
#ifndef CERTLINE_AT_LINE_H
#define CERTLINE_AT_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

struct line {
    char *memory;
    size_t size;
    size_t len;
    const char *quoted_prefix; /* static text, or NULL: no line of the current answer spans line ends */
    bool in_quotes;
    bool is_overlong;
    unsigned char escape; /* private: how much of a terminal's control sequence has been seen */
    bool skip_lf;         /* the last line ended with CR: a LF right behind it belongs to that end */
};

enum line_result {
    LINE_UNSURE,   /* all octets taken, no line complete yet */
    LINE_READY,    /* one line, complete */
    LINE_OVERLONG, /* one line, cut to the memory's size */
};

/* `memory` (at least 128 octets) must outlive the object. */
void line_init(struct line *l, char *memory, size_t size);

/* Forgets what is incomplete. Used when a link was lost or a new exchange starts on a clean line. */
void line_reset(struct line *l);

/* Holds for quotes that open from now on. A line that is already open in quotes stays so until its own end.
 */
void line_set_quoted_prefix(struct line *l, const char *prefix);

/* Takes octets up to the end of one line. *ret_used says how many were taken. *ret_line is valid until the
 * next call on the same object and holds no line end but those that the rules above keep in it. */
enum line_result line_feed(struct line *l, struct span in, size_t *ret_used, struct span *ret_line);

/* What has come of a line that is not complete: a shell's prompt has no line end. Valid until the next call.
 */
struct span line_partial(const struct line *l);

/* Something else had cut into the line that was handed out last, or into the one that is open now: its first
 * n octets (n at most its length) are an incomplete line again, and what comes next is joined to them. What
 * stood behind them stays readable in the memory until the next call. */
void line_resume(struct line *l, size_t n);

#endif
