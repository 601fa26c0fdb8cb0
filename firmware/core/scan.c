/*
 * Length- and CRC-driven, not quote-driven: a frame's octets may be anything, and a quote or a line end that
 * is lost says nothing about what follows.
 *
 * At each place of the window stands a frame, a line, something that may become one, or neither; then the
 * search goes on one octet further. A wrong header is found by its check digit in all but 1 of 64 cases, and
 * by the digits' alphabet in most of these, so that the window rarely waits for octets that will not come; a
 * pause ends the wait in any case. "#CRED=" is no header, since "=" is no digit.
 */
#include "core/scan.h"

#include <string.h>

#include "core/crc32.h"
#include "core/words.h"

enum verdict { NEITHER, UNSURE, FRAME, LINE, OTHER };

struct finding {
    enum verdict verdict;
    size_t total; /* octets of the window that it takes */
    struct scan_event event;
};

void scan_start(struct scan *s, uint32_t key, size_t size)
{
    s->key = key;
    s->size = size;
    s->may_be_other = true;
    s->is_ended = false;
}

void scan_wipe(struct scan *s)
{
    words_wipe(s, sizeof *s);
}

void scan_may_be_other(struct scan *s)
{
    s->may_be_other = true;
}

void scan_end(struct scan *s)
{
    s->is_ended = true;
}

void scan_feed(struct scan *s, char octet)
{
    if (s->at + s->len == sizeof s->window) {
        memmove(s->window, s->window + s->at, s->len);
        s->at = 0;
    }
    s->window[s->at + s->len++] = octet;
    s->is_ended = false;
}

size_t scan_rest(const struct scan *s)
{
    return s->len;
}

char scan_take(struct scan *s)
{
    s->len--;
    return s->window[s->at++];
}

static bool are_digits(const char *at, size_t n)
{
    while (n > 0 && words_value64(*at) >= 0) {
        at++;
        n--;
    }
    return n == 0;
}

/* The header's own digits: whether it can be one, as far as it is there. */
static bool is_header(const char *at, size_t len)
{
    if (!are_digits(at + 1, (len < SCAN_HEADER ? len : SCAN_HEADER) - 1))
        return false;
    return len < 5 || at[4] == words_digit64(crc32_add(0, at + 1, 3));
}

static struct finding frame_at(const struct scan *s, const char *at, size_t len)
{
    struct finding neither = {.verdict = NEITHER}, unsure = {.verdict = UNSURE};

    if (!is_header(at, len))
        return neither;
    if (len < SCAN_HEADER)
        return unsure;

    struct cursor c = {at + 1, SCAN_HEADER - 1, false};
    uint32_t first = cursor_digits64(&c, 2);
    size_t n = ((size_t)cursor_digits64(&c, 1) + 1) * SCAN_UNIT, begin = (size_t)first * SCAN_UNIT;
    cursor_digits64(&c, 1);
    uint32_t crc = cursor_digits64(&c, 6);
    if (c.is_bad || begin >= s->size || n >= s->size - begin + SCAN_UNIT)
        return neither;
    if (n > s->size - begin)
        n = s->size - begin;
    if (len < SCAN_HEADER + n)
        return unsure;
    if (crc32_add(crc32_add(s->key, at + 1, 4), at + SCAN_HEADER, n) != crc)
        return neither;
    return (struct finding){FRAME, SCAN_HEADER + n, {SCAN_FRAME, at + SCAN_HEADER, n, first}};
}

static struct finding line_at(const struct scan *s, const char *at, size_t len)
{
    const size_t prefix = sizeof SCAN_LINE_PREFIX - 1;
    struct finding neither = {.verdict = NEITHER}, unsure = {.verdict = UNSURE};

    if (s->may_be_other && len >= 2 && words_same(at, "AT", 2))
        return (struct finding){OTHER, len, {SCAN_OTHER, at, len, 0}};
    if (!words_same(at, SCAN_LINE_PREFIX, len < prefix ? len : prefix))
        return neither;
    for (size_t i = prefix; i < len && i <= SCAN_LINE_MAX; i++) {
        if (at[i] == '\r' || at[i] == '\n')
            return (struct finding){LINE, i + 1, {SCAN_LINE, at, i, 0}};
        if (at[i] < ' ' || at[i] > '~')
            return neither;
    }
    return len > SCAN_LINE_MAX ? neither : unsure;
}

static struct finding look(const struct scan *s)
{
    const char *at = s->window + s->at;

    if (*at == '#')
        return frame_at(s, at, s->len);
    if (*at == 'A' || *at == 'a')
        return line_at(s, at, s->len);
    return (struct finding){.verdict = NEITHER};
}

/* Line ends between records are nothing; anything else means that a burst has begun. */
static bool is_line_end(char octet)
{
    return octet == '\r' || octet == '\n';
}

static void pass(struct scan *s, size_t n)
{
    if (!is_line_end(s->window[s->at]))
        s->may_be_other = false;
    s->at += n;
    s->len -= n;
    if (s->len == 0)
        s->at = 0;
}

struct scan_event scan_next(struct scan *s)
{
    while (s->len > 0) {
        struct finding found = look(s);
        switch (found.verdict) {
        case UNSURE:
            if (!s->is_ended)
                return (struct scan_event){.kind = SCAN_MORE};
            pass(s, 1);
            break;
        case NEITHER:
            pass(s, 1);
            break;
        case FRAME:
        case LINE:
        case OTHER:
            pass(s, found.total);
            return found.event;
        }
    }
    return (struct scan_event){.kind = SCAN_MORE};
}
