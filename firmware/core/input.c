/*
 * The line editor of an AT host, written against the ways in which others lose their line: an overlong
 * command whose closing quote is dropped with the rest, a quote that was deleted but still counts, octets
 * that vanish without an answer. Whatever came, a pause ends it.
 *
 * A line that does not begin with AT is read to its end all the same, quotes included, so that a credential
 * whose first octet was lost is one wrong line and not forty.
 */
#include "core/input.h"

#include "core/words.h"

#define BACKSPACE 0x08
#define DELETE    0x7f

void input_init(struct input *in, char *line, size_t size)
{
    *in = (struct input){.line = line, .size = size};
}

bool input_is_empty(const struct input *in)
{
    return in->len == 0 && !in->is_skipping;
}

void input_release(struct input *in)
{
    words_wipe(in->line, in->len + 1);
    in->len = 0;
    in->is_in_quotes = in->is_skipping = false;
}

static void drop_last(struct input *in)
{
    if (in->line[--in->len] == '"')
        in->is_in_quotes = !in->is_in_quotes;
    in->line[in->len] = '\0'; /* input_release wipes up to the length only */
}

static void take_back(struct input *in)
{
    if (++in->backspaces >= INPUT_KILL) {
        in->backspaces = INPUT_KILL; /* the whole run has done its work */
        input_release(in);
    } else if (in->len > 0 && !in->is_skipping) {
        drop_last(in);
    }
}

static size_t blanks(const struct input *in)
{
    size_t n = 0;
    while (n < in->len && (unsigned char)in->line[n] <= ' ')
        n++;
    return n;
}

static enum input_event finish(struct input *in)
{
    size_t skip = blanks(in);

    if (in->is_skipping || skip == in->len) {
        input_release(in); /* told already; or an empty line, which says nothing */
        return INPUT_NONE;
    }
    in->line[in->len] = '\0';
    if (words_begins(in->line + skip, in->len - skip, "AT"))
        return INPUT_LINE;
    input_release(in);
    return INPUT_NOISE;
}

static enum input_event store(struct input *in, char octet)
{
    if (octet == '"')
        in->is_in_quotes = !in->is_in_quotes;
    if (in->is_skipping)
        return INPUT_NONE;
    if (in->len + 1 < in->size) {
        in->line[in->len++] = octet;
        return INPUT_NONE;
    }
    words_wipe(in->line, in->len);
    in->len = 0;
    in->is_skipping = true;
    return INPUT_TOO_LONG;
}

enum input_event input_feed(struct input *in, char octet)
{
    bool was_cr = in->skips_lf;

    if (octet == '\0')
        return INPUT_NONE;
    in->skips_lf = false;
    if (octet == BACKSPACE || octet == DELETE) {
        take_back(in);
        return INPUT_NONE;
    }
    in->backspaces = 0;
    if ((octet == '\r' || octet == '\n') && !in->is_in_quotes) {
        in->skips_lf = octet == '\r';
        return octet == '\n' && was_cr ? INPUT_NONE : finish(in);
    }
    return store(in, octet);
}

enum input_event input_lost(struct input *in)
{
    bool was_told = in->is_skipping;

    in->skips_lf = false;
    words_wipe(in->line, in->len);
    in->len = 0;
    in->is_skipping = true;
    return was_told ? INPUT_NONE : INPUT_TOO_LONG;
}

/* Whether what has come of the line can become a command. */
static bool may_be_command(const struct input *in)
{
    size_t skip = blanks(in), n = in->len - skip;

    return words_same(in->line + skip, "AT", n < 2 ? n : 2);
}

int64_t input_patience_ms(const struct input *in)
{
    if (input_is_empty(in))
        return INT64_MAX;
    if (in->is_skipping)
        return INPUT_SKIP_MS;
    if (in->is_in_quotes)
        return INPUT_QUOTE_MS;
    return may_be_command(in) ? INPUT_STALE_MS : INPUT_SKIP_MS;
}

enum input_event input_tick(struct input *in, int64_t idle_ms)
{
    bool was_open = in->is_in_quotes && !in->is_skipping;

    if (idle_ms < input_patience_ms(in))
        return INPUT_NONE;
    input_release(in);
    in->skips_lf = false;
    return was_open ? INPUT_OPEN_QUOTE : INPUT_NONE;
}
