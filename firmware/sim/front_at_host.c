/*
 * Nordic's lib/at_host. The faults are the point; each was read in the original's source and is kept on
 * purpose:
 *
 *   - a backspace shortens the line but does not look at what it removes: removing a quote leaves "inside
 *     quotes" as it was;
 *   - a line that is full drops octets in silence, quotes too: a content that is too long leaves "inside
 *     quotes" set for ever, and every terminator after it is content;
 *   - inside quotes nothing terminates, so one lost closing quote swallows all that follows;
 *   - a line without a visible character is dropped without an answer;
 *   - one buffer for the command and the answer: an answer that does not fit is cut where the buffer ends,
 *     without a final result;
 *   - an unsolicited line cuts into an answer wherever it likes.
 *
 * A way out that runs nothing: backspaces until the line is empty, then quote, backspace, terminator.
 */
#include "sim/front.h"

#include <string.h>

#define BACKSPACE  0x08
#define DELETE     0x7f
#define REPLY_SIZE 4095 /* the original answers from a buffer of 4,096 */

static void reset(struct front *f, int64_t now_us)
{
    (void)now_us;
    f->u.at_host.len = 0;
    f->u.at_host.is_in_quotes = false;
}

static void banner(struct front *f, int64_t now_us)
{
    (void)now_us;
    front_say(f, f->family->banner);
    front_say(f, "The AT host sample started\r\n");
    if (f->config->says_ready)
        front_say(f, "Ready\r\n");
}

/* Only outside quotes. With CR and LF as terminator the CR was stored as part of the line before. */
static bool terminates(const struct front *f, char octet)
{
    const struct at_host *h = &f->u.at_host;

    switch (f->config->term) {
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

static void finish_line(struct front *f)
{
    struct at_host *h = &f->u.at_host;

    h->line[h->len] = '\0';
    h->len = 0;
    h->is_in_quotes = false;
    if (has_visible(h->line))
        front_command(f, h->line);
}

static void octet(struct front *f, char octet, int64_t now_us)
{
    struct at_host *h = &f->u.at_host;

    (void)now_us;
    if (octet == BACKSPACE || octet == DELETE) {
        if (h->len > 0)
            h->len--;
        return;
    }
    if (!h->is_in_quotes) {
        if (terminates(f, octet)) {
            finish_line(f);
            return;
        }
        if (octet == '\0')
            return;
    }
    if (h->len >= f->config->line_max) {
        front_lost(f); /* the original only logs that elsewhere */
        return;
    }
    h->line[h->len++] = octet;
    if (octet == '"')
        h->is_in_quotes = !h->is_in_quotes;
}

static void result(struct front *f, const char *text, size_t len, int64_t now_us)
{
    char legacy[REPLY_SIZE + 2];
    size_t n = 0;

    (void)now_us;
    len = len < REPLY_SIZE ? len : REPLY_SIZE;
    if (!f->config->leads_with_lf && !f->config->ends_with_nul) {
        front_answer(f, text, len);
        return;
    }
    if (f->config->leads_with_lf)
        legacy[n++] = '\n';
    memcpy(legacy + n, text, len);
    n += len;
    if (f->config->ends_with_nul)
        legacy[n++] = '\0';
    front_answer(f, legacy, n);
}

static void urc(struct front *f, const char *line, int64_t now_us)
{
    (void)now_us;
    front_say(f, line);
}

const struct front_vtable front_at_host = {
    .takes = FRONT_TAKES_WHEN_ANSWERED,
    .reset = reset,
    .banner = banner,
    .octet = octet,
    .result = result,
    .urc = urc,
};
