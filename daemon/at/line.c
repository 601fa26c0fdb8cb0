/*
 * One octet at a time, and everything that the next octet depends on stands in the object: that is all it
 * takes to make the lines independent of how a serial port happens to cut its reads.
 *
 * Either CR or LF ends a line at once. Waiting for the LF of a CRLF would be tidier to read, but an
 * unsolicited line may stand between the two, and the host would sit on a finished `OK` until then. The LF
 * that comes later is either recognised as belonging to the CR (skip_lf) or makes an empty line, and empty
 * lines are nothing.
 *
 * Quotes: the prefix is looked at when a quote comes, not when the line begins, because the beginning may
 * have been torn apart by an unsolicited line and put together again (line_resume). Nordic's book prints a
 * read's content on a line of its own behind the last comma; so a quotable line that ends with a comma is not
 * at its end either. If what follows is no quoted text after all, the owner finds two lines in one and can
 * tell them apart at the line end inside.
 *
 * An overlong line goes on being parsed while nothing more is kept: otherwise the rest of a long quoted text
 * would be taken for lines, and one of them may say `OK`.
 */
#include "at/line.h"

#include <assert.h>

enum { ESCAPE_NONE, ESCAPE_BEGUN, ESCAPE_INSIDE };

void line_init(struct line *l, char *memory, size_t size)
{
    assert(size >= 128);

    *l = (struct line){.memory = memory, .size = size};
}

void line_reset(struct line *l)
{
    l->len = 0;
    l->in_quotes = false;
    l->is_overlong = false;
    l->skip_lf = false;
    l->escape = ESCAPE_NONE;
}

void line_set_quoted_prefix(struct line *l, const char *prefix)
{
    l->quoted_prefix = prefix;
}

struct span line_partial(const struct line *l)
{
    return span_of(l->memory, l->len);
}

static bool is_line_end(char octet)
{
    return octet == '\r' || octet == '\n';
}

static bool is_quotable(const struct line *l)
{
    return l->quoted_prefix != NULL && span_starts(line_partial(l), l->quoted_prefix);
}

/* Outside of quotes: is the content still to come, on the next line? */
static bool ends_with_comma(const struct line *l)
{
    size_t n = l->len;

    if (l->is_overlong || !is_quotable(l))
        return false;
    while (n > 0 && (l->memory[n - 1] == ' ' || is_line_end(l->memory[n - 1])))
        n--;
    return n > 0 && l->memory[n - 1] == ',';
}

static void keep(struct line *l, char octet)
{
    if (octet == '"' && (l->in_quotes || is_quotable(l)))
        l->in_quotes = !l->in_quotes;

    if (l->len < l->size)
        l->memory[l->len++] = octet;
    else
        l->is_overlong = true;
}

static enum line_result finish(struct line *l, struct span *ret_line)
{
    enum line_result result = l->is_overlong ? LINE_OVERLONG : LINE_READY;

    *ret_line = line_partial(l);
    l->len = 0;
    l->is_overlong = false;
    return result;
}

/* Is this octet part of a control sequence? A lone ESC is dropped as well: no modem sends one. */
static bool is_escape(struct line *l, char octet)
{
    if (l->in_quotes)
        return false;
    switch (l->escape) {
    case ESCAPE_NONE:
        if (octet != '\033')
            return false;
        l->escape = ESCAPE_BEGUN;
        return true;
    case ESCAPE_BEGUN:
        l->escape = octet == '[' ? ESCAPE_INSIDE : ESCAPE_NONE;
        return octet == '[';
    default: /* parameters are 0x20 to 0x3F; anything else ends it, and a line end is never swallowed */
        if (octet >= 0x20 && octet <= 0x3F)
            return true;
        l->escape = ESCAPE_NONE;
        return octet >= 0x40;
    }
}

enum line_result line_feed(struct line *l, struct span in, size_t *ret_used, struct span *ret_line)
{
    for (size_t i = 0; i < in.len; i++) {
        char octet = in.at[i];
        bool belongs_to_cr = l->skip_lf && octet == '\n';

        if (octet == '\0' || is_escape(l, octet))
            continue;
        l->skip_lf = false;
        if (belongs_to_cr)
            continue;
        if (!is_line_end(octet) || l->in_quotes || ends_with_comma(l)) {
            keep(l, octet);
            continue;
        }

        l->skip_lf = octet == '\r';
        if (l->len > 0) {
            *ret_used = i + 1;
            return finish(l, ret_line);
        }
    }

    *ret_used = in.len;
    return LINE_UNSURE;
}

void line_resume(struct line *l, size_t n)
{
    assert(n <= l->size);

    l->len = n;
    l->is_overlong = false;
    l->in_quotes = false;
    if (!is_quotable(l))
        return;
    for (size_t i = 0; i < n; i++)
        l->in_quotes ^= l->memory[i] == '"';
}
