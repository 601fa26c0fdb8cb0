/* See firmware/README.md for the protocol. Numbers and CRC are computed here by the same small functions as
 * in the firmware; the rest is written apart from it. */
#include "support/framed_host.h"

#include <string.h>

#include "core/crc32.h"
#include "core/words.h"
#include "m33/sha256.h"

#define UNIT        32
#define UNITS_FIRST 64

enum {
    MODEM_FIRST = 500, /* codes from here to below OURS are the modem's verdict on the content */
    DAMAGED = 701,
    NO_TRANSFER = 702,
    INCOMPLETE = 703,
    DIGEST = 704,
    EARLIER = 705,
    UNWRITABLE = 706,
    LINE = 707,
};

static size_t units_of(const struct framed *f)
{
    return (f->size + UNIT - 1) / UNIT;
}

static void all_missing(struct framed *f)
{
    for (size_t i = 0; i < FRAMED_UNITS; i++)
        f->missing[i] = i < units_of(f);
}

void framed_start(struct framed *f, uint32_t sec_tag, uint32_t type, const char *content, size_t size)
{
    uint32_t frame_units =
        f->frame_units >= 2 && f->frame_units <= UNITS_FIRST ? f->frame_units : UNITS_FIRST;

    *f = (struct framed){.sec_tag = sec_tag, .type = type, .content = content, .size = size};
    f->frame_units = frame_units;
    sha256_of(content, size, f->sha256);
    all_missing(f);
}

/* -- What to send -- */

static void add_digits(struct words *t, uint32_t value, unsigned n)
{
    while (n-- > 0) {
        char digit = words_digit64(n * 6 < 32 ? value >> n * 6 : 0);
        words_octets(t, &digit, 1);
    }
}

static void add_octets64(struct words *t, const uint8_t *octets, size_t n)
{
    uint32_t bits = 0;
    unsigned held = 0;

    for (size_t i = 0; i < n; i++) {
        bits = bits << 8 | octets[i];
        for (held += 8; held >= 6; held -= 6)
            add_digits(t, bits >> (held - 6), 1);
    }
    if (held > 0)
        add_digits(t, bits << (6 - held), 1);
}

static uint32_t add_crc(struct words *t, size_t from, uint32_t start)
{
    uint32_t crc = crc32_add(start, t->at + from, t->len - from);

    words_add(t, ",");
    add_digits(t, crc, 6);
    words_add(t, "\r");
    return crc;
}

static void add_entry(struct words *t, const char *opcode, uint32_t sec_tag, uint32_t type)
{
    words_add(t, opcode);
    words_uint(t, sec_tag);
    words_add(t, ",");
    words_uint(t, type);
}

static void add_begin(struct framed *f, struct words *t)
{
    words_add(t, "AT#CRED=");
    size_t from = t->len;
    add_entry(t, "1,", f->sec_tag, f->type);
    words_add(t, ",");
    words_uint(t, (uint32_t)f->size);
    words_add(t, ",");
    add_octets64(t, f->sha256, sizeof f->sha256);
    f->key = add_crc(t, from, 0);
}

static void add_frame(struct framed *f, struct words *t, size_t first, size_t units)
{
    size_t begin = first * UNIT, n = units * UNIT < f->size - begin ? units * UNIT : f->size - begin;

    words_add(t, "#");
    char *header = t->at + t->len;
    add_digits(t, (uint32_t)first, 2);
    add_digits(t, (uint32_t)units - 1, 1);
    add_digits(t, crc32_add(0, header, 3) & 63, 1);
    add_digits(t, crc32_add(crc32_add(f->key, header, 4), f->content + begin, n), 6);
    words_octets(t, f->content + begin, n);
    f->sent_frames++;
}

static void add_burst(struct framed *f, struct words *t)
{
    size_t unit = 0, end = units_of(f);

    f->sent_frames = 0;
    while (unit < end) {
        size_t n = 0;
        while (unit + n < end && n < f->frame_units && f->missing[unit + n])
            n++;
        if (n > 0)
            add_frame(f, t, unit, n);
        unit += n > 0 ? n : 1;
    }
    words_add(t, "AT#CRED=");
    size_t from = t->len;
    words_add(t, f->is_behind ? "2,1" : "2");
    add_crc(t, from, f->key);
}

size_t framed_next(struct framed *f, char *octets)
{
    struct words t = {octets, FRAMED_BURST_MAX, 0, false};

    f->saw_missing = f->saw_open = f->saw_writing = f->saw_written = false;
    switch (f->state) {
    case FRAMED_BEGIN:
        add_begin(f, &t);
        break;
    case FRAMED_BURST:
        add_burst(f, &t);
        break;
    case FRAMED_ASK:
        words_add(&t, "AT#CRED=0\r");
        break;
    case FRAMED_DONE:
    case FRAMED_FAILED:
        break;
    }
    return t.len;
}

size_t framed_delete_line(char *octets, uint32_t sec_tag, uint32_t type)
{
    struct words t = {octets, 64, 0, false};

    words_add(&t, "AT#CRED=");
    size_t from = t.len;
    add_entry(&t, "4,", sec_tag, type);
    add_crc(&t, from, 0);
    return t.len;
}

/* -- What it says -- */

static void take_missing(struct framed *f, struct cursor c)
{
    bool missing[FRAMED_UNITS] = {false};

    while (c.len > 0 && !c.is_bad) {
        uint32_t first = cursor_uint(&c, FRAMED_UNITS - 1), last = first;
        if (c.len > 0 && *c.at == '-') {
            cursor_char(&c, '-');
            last = cursor_uint(&c, FRAMED_UNITS - 1);
        }
        if (c.len > 0)
            cursor_char(&c, ',');
        for (uint32_t unit = first; !c.is_bad && unit <= last; unit++)
            missing[unit] = true;
    }
    if (c.is_bad)
        return;
    memcpy(f->missing, missing, sizeof missing);
    f->saw_missing = true;
}

/* "<tag>,<type>" and, when it is there, the code of a write; then the key that names the transfer: whether it
 * is this one. */
static bool is_ours(const struct framed *f, struct cursor *c, int *ret_code)
{
    uint32_t sec_tag = cursor_uint(c, INT32_MAX);
    cursor_char(c, ',');
    uint32_t type = cursor_uint(c, 99);
    cursor_char(c, ',');
    if (ret_code) {
        bool is_negative = c->len > 0 && *c->at == '-';
        if (is_negative)
            cursor_char(c, '-');
        int code = (int)cursor_uint(c, 65535);
        *ret_code = is_negative ? -code : code;
        cursor_char(c, ',');
    }
    uint32_t key = cursor_digits64(c, 6);
    return cursor_ends(c) && sec_tag == f->sec_tag && type == f->type && key == f->key;
}

static bool skip_word(struct cursor *c, const char *word)
{
    size_t n = strlen(word);

    if (c->len < n || memcmp(c->at, word, n) != 0)
        return false;
    c->at += n;
    c->len -= n;
    return true;
}

void framed_line(struct framed *f, const char *line)
{
    struct cursor c = {line, strlen(line), false};

    if (!skip_word(&c, "#CRED: "))
        return;
    if (skip_word(&c, "missing,"))
        take_missing(f, c);
    else if (skip_word(&c, "open,"))
        f->saw_open = is_ours(f, &c, NULL);
    else if (skip_word(&c, "writing,"))
        f->saw_writing = is_ours(f, &c, NULL);
    else if (skip_word(&c, "written,"))
        f->saw_written = is_ours(f, &c, &f->written_code);
}

static void fail(struct framed *f, int code)
{
    f->state = FRAMED_FAILED;
    f->code = code;
}

/* Frames get smaller when many of them did not arrive. */
static void adapt(struct framed *f)
{
    unsigned missing = 0;

    for (size_t i = 0; i < units_of(f); i++)
        missing += f->missing[i] && (i == 0 || !f->missing[i - 1] || i % f->frame_units == 0);
    if (missing * 4 > f->sent_frames && missing > 0)
        f->frame_units = f->frame_units > 8 ? 8 : 2;
}

static void begin_ended(struct framed *f, int code)
{
    if (code == 0)
        f->state = FRAMED_BURST;
    else if (code == 20)
        fail(f, code);
}

static void burst_ended(struct framed *f, int code)
{
    bool is_verdict = code >= MODEM_FIRST && code < DAMAGED;

    if (code == 0) {
        f->state = FRAMED_DONE;
    } else if (code == INCOMPLETE && f->saw_missing) {
        adapt(f);
    } else if (code == NO_TRANSFER || code == DIGEST) {
        all_missing(f);
        f->state = FRAMED_BEGIN;
    } else if (is_verdict || code == UNWRITABLE || code == EARLIER) {
        fail(f, code);
    } else {
        f->state = FRAMED_ASK;
    }
}

static void ask_ended(struct framed *f, int code)
{
    if (code != 0)
        return;
    if (f->saw_open && f->saw_missing) {
        f->state = FRAMED_BURST;
    } else if (f->saw_writing) {
        f->state = f->is_behind ? FRAMED_DONE : FRAMED_ASK;
    } else if (f->saw_written && f->written_code == 0) {
        f->state = FRAMED_DONE;
    } else if (f->saw_written) {
        fail(f, f->written_code);
    } else {
        all_missing(f);
        f->state = FRAMED_BEGIN;
    }
}

void framed_end(struct framed *f, int code)
{
    switch (f->state) {
    case FRAMED_BEGIN:
        begin_ended(f, code);
        break;
    case FRAMED_BURST:
        burst_ended(f, code);
        break;
    case FRAMED_ASK:
        ask_ended(f, code);
        break;
    case FRAMED_DONE:
    case FRAMED_FAILED:
        return;
    }
    if (++f->tries >= FRAMED_TRIES_MAX && f->state != FRAMED_DONE && f->state != FRAMED_FAILED)
        fail(f, -2);
}
