/*
 * The host's side of AT#CRED. Policy on the unexpected: whatever is not understood is answered by asking for
 * the state (AT#CRED=0), and lines that name another transfer than ours are not looked at. The size of frames
 * follows the link: large while nothing is lost, smaller when many of them do not arrive.
 */
#include "job/frames.h"

#include <assert.h>

#include <string.h>

#include "base/buf.h"
#include "base/crc32.h"

#define UNITS_LARGE  64
#define UNITS_MIDDLE 8
#define UNITS_SMALL  2
#define TRIES_MAX    80 /* exchanges for one credential: then the link is dead */
#define SILENT_MAX   8  /* without an answer, in a row: as long as a plain write may take */
#define HEADER       11 /* '#', two digits, one, one, six */
#define COMMIT       24 /* AT#CRED=2,1,<crc> CR, and room to spare */

/* Codes of our firmware (firmware/README.md); below OURS they are the modem's. */
enum {
    NO_ANSWER = -2, /* as frames_end is told */
    TOO_LONG = 20,
    MODEM_FIRST = 500,
    OURS = 701,
    NO_TRANSFER = 702,
    INCOMPLETE = 703,
    DIGEST = 704,
    EARLIER = 705,
    UNWRITABLE = 706
};

static size_t units_of(const struct frames *f)
{
    return (f->content.len + FRAMES_UNIT - 1) / FRAMES_UNIT;
}

static void all_missing(struct frames *f)
{
    for (size_t i = 0; i < FRAMES_UNITS_MAX; i++) {
        f->missing[i] = i < units_of(f);
    }
}

void frames_start(struct frames *f, uint32_t sec_tag, enum cred_type type, struct span content,
                  const struct digest *sha256, bool is_behind)
{
    assert(content.len <= FRAMES_CONTENT_MAX);
    bool is_learned = f->frame_units == UNITS_MIDDLE || f->frame_units == UNITS_SMALL;
    uint8_t frame_units = is_learned ? f->frame_units : UNITS_LARGE;
    *f = (struct frames){.sec_tag = sec_tag,
                         .type = type,
                         .content = content,
                         .sha256 = *sha256,
                         .is_behind = is_behind,
                         .frame_units = frame_units};
    all_missing(f);
}

/* ---- what to send ---- */

static const char digits64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void add_digits(struct buf *b, uint32_t value, unsigned n)
{
    while (n-- > 0) {
        buf_add_char(b, digits64[n * 6 < 32 ? value >> n * 6 & 63 : 0]);
    }
}

static void add_octets64(struct buf *b, const uint8_t *octets, size_t n)
{
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < n; i++) {
        bits = bits << 8 | octets[i];
        for (held += 8; held >= 6; held -= 6) {
            buf_add_char(b, digits64[bits >> (held - 6) & 63]);
        }
    }
    if (held > 0) {
        buf_add_char(b, digits64[bits << (6 - held) & 63]);
    }
}

/* Ends a line with the CRC over what stands in it from `from` on. */
static uint32_t add_crc(struct buf *b, size_t from, uint32_t start)
{
    uint32_t crc = crc32_add(start, span_of(b->at + from, b->len - from));
    buf_add_char(b, ',');
    add_digits(b, crc, 6);
    buf_add_char(b, '\r');
    return crc;
}

static void add_begin(struct frames *f, struct buf *b)
{
    buf_add_str(b, "AT#CRED=");
    size_t from = b->len;
    buf_add_str(b, "1,");
    buf_add_u64(b, f->sec_tag);
    buf_add_char(b, ',');
    buf_add_u64(b, (uint64_t)f->type);
    buf_add_char(b, ',');
    buf_add_u64(b, f->content.len);
    buf_add_char(b, ',');
    add_octets64(b, f->sha256.octets, sizeof(f->sha256.octets));
    f->key = add_crc(b, from, 0);
}

static void add_frame(struct frames *f, struct buf *b, size_t first, size_t units)
{
    struct span octets = span_skip(f->content, first * FRAMES_UNIT);
    octets.len = octets.len < units * FRAMES_UNIT ? octets.len : units * FRAMES_UNIT;
    buf_add_char(b, '#');
    const char *header = b->at + b->len;
    add_digits(b, (uint32_t)first, 2);
    add_digits(b, (uint32_t)units - 1, 1);
    add_digits(b, crc32_add(0, span_of(header, 3)) & 63, 1);
    add_digits(b, crc32_add(crc32_add(f->key, span_of(header, 4)), octets), 6);
    buf_add(b, octets);
    f->sent_frames++;
}

/* How many units from `unit` on are missing in a row, as many as fit one frame. */
static size_t run_of(const struct frames *f, size_t unit)
{
    size_t n = 0;
    while (unit + n < units_of(f) && n < f->frame_units && f->missing[unit + n]) {
        n++;
    }
    return n;
}

static void add_burst(struct frames *f, struct buf *b)
{
    f->sent_frames = 0;
    for (size_t unit = 0; unit < units_of(f);) {
        size_t n = run_of(f, unit);
        bool fits = b->size - b->len > HEADER + n * FRAMES_UNIT + COMMIT;
        if (n > 0 && fits) {
            add_frame(f, b, unit, n);
        }
        unit += n > 0 ? n : 1;
    }
    buf_add_str(b, "AT#CRED=");
    size_t from = b->len;
    buf_add_str(b, f->is_behind ? "2,1" : "2");
    add_crc(b, from, f->key);
}

size_t frames_next(struct frames *f, char *out)
{
    struct buf b;
    buf_init(&b, out, FRAMES_BURST_SIZE);
    f->saw_missing = f->saw_open = f->saw_writing = f->saw_written = false;
    switch (f->state) {
    case FRAMES_BEGIN:
        add_begin(f, &b);
        break;
    case FRAMES_BURST:
        add_burst(f, &b);
        break;
    case FRAMES_ASK:
        buf_add_str(&b, "AT#CRED=0\r");
        break;
    case FRAMES_DONE:
    case FRAMES_FAILED:
        break;
    }
    assert(!b.is_cut);
    return b.len;
}

/* ---- what it says ---- */

/* A reader with a sticky error, as at/reply.h has for the modem's own answers; these have digits of another
 * kind. */
struct reader {
    struct span rest;
    bool is_bad;
};

static bool take_text(struct reader *r, const char *text)
{
    if (!span_starts(r->rest, text)) {
        return false;
    }
    r->rest = span_skip(r->rest, strlen(text));
    return true;
}

static void expect(struct reader *r, const char *text)
{
    r->is_bad = r->is_bad || !take_text(r, text);
}

static uint32_t take_number(struct reader *r, uint32_t max)
{
    uint64_t value = 0;
    size_t n = 0;
    while (n < r->rest.len && n < 10 && r->rest.at[n] >= '0' && r->rest.at[n] <= '9') {
        value = value * 10 + (uint64_t)(r->rest.at[n++] - '0');
    }
    r->is_bad = r->is_bad || n == 0 || value > max;
    r->rest = span_skip(r->rest, n);
    return (uint32_t)value;
}

static uint32_t take_digits(struct reader *r, unsigned n)
{
    uint32_t value = 0;
    for (; n > 0 && !r->is_bad; n--) {
        const char *digit = r->rest.len > 0 ? memchr(digits64, r->rest.at[0], 64) : NULL;
        r->is_bad = digit == NULL;
        value = value << 6 | (uint32_t)(digit ? digit - digits64 : 0);
        r->rest = span_skip(r->rest, 1);
    }
    return value;
}

/* "0-7,12" */
static void take_missing(struct frames *f, struct reader r)
{
    bool missing[FRAMES_UNITS_MAX] = {false};
    while (r.rest.len > 0 && !r.is_bad) {
        uint32_t first = take_number(&r, FRAMES_UNITS_MAX - 1);
        uint32_t last = take_text(&r, "-") ? take_number(&r, FRAMES_UNITS_MAX - 1) : first;
        for (uint32_t unit = first; !r.is_bad && unit <= last; unit++) {
            missing[unit] = true;
        }
        if (r.rest.len > 0) {
            expect(&r, ",");
        }
    }
    if (!r.is_bad) {
        memcpy(f->missing, missing, sizeof(missing));
        f->saw_missing = true;
    }
}

/* "<tag>,<type>,[<code>,]<key>": is it this transfer? */
static bool is_ours(const struct frames *f, struct reader *r, int *ret_code)
{
    uint32_t sec_tag = take_number(r, SEC_TAG_MAX);
    expect(r, ",");
    uint32_t type = take_number(r, 99);
    expect(r, ",");
    if (ret_code) {
        bool is_negative = take_text(r, "-");
        int code = (int)take_number(r, 65535);
        *ret_code = is_negative ? -code : code;
        expect(r, ",");
    }
    uint32_t key = take_digits(r, 6);
    return !r->is_bad && r->rest.len == 0 && sec_tag == f->sec_tag && type == (uint32_t)f->type &&
           key == f->key;
}

void frames_line(struct frames *f, struct span line)
{
    struct reader r = {.rest = line};
    if (!take_text(&r, FRAMES_PREFIX " ")) {
        return;
    }
    f->silent = 0;
    if (take_text(&r, "missing,")) {
        take_missing(f, r);
    } else if (take_text(&r, "open,")) {
        f->saw_open = is_ours(f, &r, NULL);
    } else if (take_text(&r, "writing,")) {
        f->saw_writing = is_ours(f, &r, NULL);
    } else if (take_text(&r, "written,")) {
        int code = 0;
        f->saw_written = is_ours(f, &r, &code);
        f->written_code = code;
    }
}

static void fail(struct frames *f, int code)
{
    f->state = FRAMES_FAILED;
    f->code = code;
}

static void adapt(struct frames *f)
{
    unsigned missing = 0;
    for (size_t i = 0; i < units_of(f); i++) {
        missing += f->missing[i] && (i == 0 || !f->missing[i - 1] || i % f->frame_units == 0);
    }
    if (missing > 0 && missing * 4 > f->sent_frames) {
        f->frame_units = f->frame_units > UNITS_MIDDLE ? UNITS_MIDDLE : UNITS_SMALL;
    }
}

static void end_burst(struct frames *f, int code)
{
    bool is_verdict = code >= MODEM_FIRST && code < OURS;
    if (code == 0) {
        f->state = FRAMES_DONE;
    } else if (code == INCOMPLETE && f->saw_missing) {
        adapt(f);
    } else if (code == NO_TRANSFER || code == DIGEST) {
        all_missing(f);
        f->state = FRAMES_BEGIN;
    } else if (code == EARLIER) {
        /* An earlier credential was not stored after all: the list will show it. This one is still to be
         * committed. */
    } else if (is_verdict || code == UNWRITABLE) {
        fail(f, code);
    } else {
        f->state = FRAMES_ASK;
    }
}

static void end_ask(struct frames *f, int code)
{
    if (code != 0) {
        return;
    }
    if (f->saw_open && f->saw_missing) {
        f->state = FRAMES_BURST;
    } else if (f->saw_writing) {
        f->state = f->is_behind ? FRAMES_DONE : FRAMES_ASK;
    } else if (f->saw_written && f->written_code == 0) {
        f->state = FRAMES_DONE;
    } else if (f->saw_written) {
        fail(f, f->written_code);
    } else {
        all_missing(f);
        f->state = FRAMES_BEGIN;
    }
}

static bool is_over(const struct frames *f)
{
    return f->state == FRAMES_DONE || f->state == FRAMES_FAILED;
}

void frames_end(struct frames *f, int code)
{
    f->silent = code == NO_ANSWER ? (uint8_t)(f->silent + 1) : 0;
    switch (f->state) {
    case FRAMES_BEGIN:
        if (code == 0) {
            f->state = FRAMES_BURST;
        } else if (code == TOO_LONG) {
            fail(f, code);
        }
        break;
    case FRAMES_BURST:
        end_burst(f, code);
        break;
    case FRAMES_ASK:
        end_ask(f, code);
        break;
    case FRAMES_DONE:
    case FRAMES_FAILED:
        return;
    }
    f->tries++;
    if (!is_over(f) && (f->tries >= TRIES_MAX || f->silent >= SILENT_MAX)) {
        fail(f, NO_ANSWER);
    }
}
