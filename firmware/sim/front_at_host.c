/*
 * The faults are the point; each was read in the original's source and is kept on purpose:
 *
 *   - a backspace shortens the line but does not look at what it removes: removing a quote leaves "inside
 * quotes" as it was;
 *   - a line that is full drops octets in silence, quotes too: a content that is too long leaves "inside
 * quotes" set for ever, and every terminator after it is content;
 *   - inside quotes nothing terminates, so one lost closing quote swallows all that follows;
 *   - a line without a visible character is dropped without an answer.
 *
 * A way out that runs nothing: backspaces until the line is empty, then quote, backspace, terminator.
 */
#include "sim/front_at_host.h"

#include <string.h>

#define BACKSPACE 0x08
#define DELETE    0x7f

void at_host_init(struct at_host *h, enum sim_terminator term, size_t line_max)
{
    h->term = term;
    h->line_max = line_max < SIM_LINE_MAX ? line_max : SIM_LINE_MAX;
    h->len = 0;
    h->is_in_quotes = false;
}

/* Only outside quotes. With CR and LF as terminator the CR was stored as part of the line before. */
static bool terminates(const struct at_host *h, char octet)
{
    switch (h->term) {
    case SIM_TERM_CR:
        return octet == '\r';
    case SIM_TERM_LF:
        return octet == '\n';
    case SIM_TERM_CRLF:
        return octet == '\n' && h->len > 0 && h->line[h->len - 1] == '\r';
    case SIM_TERM_NUL:
        return octet == '\0';
    }
    return false;
}

static bool has_visible(const char *line)
{
    while (*line != '\0' && (unsigned char)*line <= ' ')
        line++;
    return *line != '\0';
}

static enum at_host_event finish_line(struct at_host *h)
{
    h->line[h->len] = '\0';
    h->len = 0;
    h->is_in_quotes = false;
    return has_visible(h->line) ? AT_HOST_COMMAND : AT_HOST_NOTHING;
}

enum at_host_event at_host_feed(struct at_host *h, char octet)
{
    if (octet == BACKSPACE || octet == DELETE) {
        if (h->len > 0)
            h->len--;
        return AT_HOST_NOTHING;
    }
    if (!h->is_in_quotes) {
        if (terminates(h, octet))
            return finish_line(h);
        if (octet == '\0')
            return AT_HOST_NOTHING;
    }
    if (h->len >= h->line_max)
        return AT_HOST_OVERFLOW;
    h->line[h->len++] = octet;
    if (octet == '"')
        h->is_in_quotes = !h->is_in_quotes;
    return AT_HOST_NOTHING;
}
