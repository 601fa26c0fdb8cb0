/*
 * Octets → command lines, as a person or a tool types them. A line ends with CR, LF or CRLF outside of
 * quotes; inside quotes both are content. NUL is ignored. Backspace and DEL take the last octet back, a quote
 * included, and KILL of them in a row take back everything, the state "inside quotes" or "too long" too: that
 * is how a host that does not know who listens cleans a line.
 *
 * One line, one answer. A line that is too long is INPUT_TOO_LONG at once, what follows of it is passed over
 * up to its end or a pause. An open quote that nobody closes is INPUT_OPEN_QUOTE after a while.
 */
#ifndef CERTLINE_CORE_INPUT_H
#define CERTLINE_CORE_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INPUT_KILL     64   /* backspaces in a row: nobody corrects a slip with so many */
#define INPUT_SKIP_MS  250  /* a pause so long ends the rest of an overlong line, and what is no command */
#define INPUT_QUOTE_MS 3000 /* … ends a line inside quotes */
#define INPUT_STALE_MS                                                                                       \
    30000 /* … ends any other line, in silence: a person may think before the Enter key                    \
           */

enum input_event {
    INPUT_NONE,
    INPUT_LINE,       /* `line` is a command, `len` octets and a NUL; feed nothing until input_release */
    INPUT_NOISE,      /* a line that is not a command: it does not begin with AT */
    INPUT_TOO_LONG,   /* answer an error now */
    INPUT_OPEN_QUOTE, /* from input_tick only: answer an error */
};

struct input {
    char *line;
    size_t size; /* NUL included */
    size_t len;
    bool is_in_quotes;
    bool is_skipping; /* the rest of an overlong line */
    bool skips_lf;    /* the last line ended with CR */
    uint8_t backspaces;
};

/* `line` (size octets) must outlive the object. */
void input_init(struct input *in, char *line, size_t size);

/* Whether nothing is held of a line: the next octet begins one. */
bool input_is_empty(const struct input *in);

enum input_event input_feed(struct input *in, char octet);

/* The line was dealt with: it is wiped, and the next one may come. */
void input_release(struct input *in);

/* The octets between were lost. Returns INPUT_TOO_LONG when that spoilt a line, which is then passed over. */
enum input_event input_lost(struct input *in);

/* Nothing has come for idle_ms. */
enum input_event input_tick(struct input *in, int64_t idle_ms);

/* The idle time at which input_tick will do something; INT64_MAX: never. */
int64_t input_patience_ms(const struct input *in);

#endif
