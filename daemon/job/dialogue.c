/*
 * Recording without leaking. A line that does not fit is dropped whole and counted: half a line could end in
 * the middle of a cut mark. Octets outside of printable ASCII are shown as \r, \n or \xHH, so that the text
 * is one line, and ASCII.
 */
#include "job/dialogue.h"

#include <string.h>

#include "base/clock.h"

/* The end of the memory is kept for the last notes: a verdict's line must fit however much was said before.
 */
#define RESERVE 256

void dialogue_begin(struct dialogue *d, char *memory, size_t size, int64_t now_us)
{
    *d = (struct dialogue){.start_us = now_us};
    buf_init(&d->text, memory, size);
}

void dialogue_add_secret(struct dialogue *d, struct span secret)
{
    if (secret.len > 0 && d->n_secrets < DIALOGUE_SECRETS_MAX) {
        d->secrets[d->n_secrets++] = secret;
    }
}

void dialogue_forget_secrets(struct dialogue *d)
{
    d->n_secrets = 0;
}

static bool secret_has(struct span secret, const char *run)
{
    const char *at = secret.at;
    size_t left = secret.len;
    while (left >= DIALOGUE_RUN) {
        const char *hit = memchr(at, run[0], left - DIALOGUE_RUN + 1);
        if (!hit) {
            return false;
        }
        if (memcmp(hit, run, DIALOGUE_RUN) == 0) {
            return true;
        }
        left -= (size_t)(hit + 1 - at);
        at = hit + 1;
    }
    return false;
}

static bool is_run_of_secret(const struct dialogue *d, struct span rest)
{
    if (rest.len < DIALOGUE_RUN) {
        return false;
    }
    for (uint32_t i = 0; i < d->n_secrets; i++) {
        if (secret_has(d->secrets[i], rest.at)) {
            return true;
        }
    }
    return false;
}

static void add_octet(struct buf *b, unsigned char c)
{
    if (c >= 0x20 && c < 0x7F) {
        buf_add_char(b, (char)c);
    } else if (c == '\r' || c == '\n') {
        buf_add_str(b, c == '\r' ? "\\r" : "\\n");
    } else {
        buf_add_str(b, "\\x");
        buf_add_hex(b, &c, 1);
    }
}

static void add_octets(struct buf *b, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        add_octet(b, (unsigned char)text.at[i]);
    }
}

static void add_cut(struct buf *b, const char *what, size_t octets)
{
    buf_add_str(b, "«");
    buf_add_str(b, what);
    buf_add_char(b, ' ');
    buf_add_u64(b, octets);
    buf_add_str(b, " octets»");
}

/* The line with every run of a secret in it replaced by a count. */
static void add_redacted(const struct dialogue *d, struct buf *b, struct span line)
{
    size_t cut = 0,
           covered = 0; /* octets already in the cut; octets from here on that a found run still covers */
    for (size_t i = 0; i < line.len; i++) {
        if (is_run_of_secret(d, span_skip(line, i))) {
            covered = DIALOGUE_RUN;
        }
        if (covered > 0) {
            covered--;
            cut++;
            continue;
        }
        if (cut > 0) {
            add_cut(b, "cut", cut);
            cut = 0;
        }
        add_octet(b, (unsigned char)line.at[i]);
    }
    if (cut > 0) {
        add_cut(b, "cut", cut);
    }
}

/* A line is written into what is left of the memory and taken back when it does not fit. */
struct entry {
    struct buf at;
    size_t start;
};

static struct entry entry_begin(struct dialogue *d, int64_t now_us, char direction)
{
    struct entry e = {.at = d->text, .start = d->text.len};
    bool is_note = direction == '!';
    size_t reserve = is_note || d->text.size <= RESERVE ? 0 : RESERVE;
    e.at.size = e.at.size > reserve && e.at.size - reserve > e.at.len ? e.at.size - reserve : e.at.len + 1;
    buf_add_i64(&e.at, (now_us - d->start_us) / US_PER_MS);
    buf_add_char(&e.at, ' ');
    buf_add_char(&e.at, direction);
    buf_add_char(&e.at, ' ');
    return e;
}

static void entry_end(struct dialogue *d, struct entry *e)
{
    buf_add_char(&e->at, '\n');
    if (e->at.is_cut) {
        d->lines_lost++;
        d->text.at[e->start] = '\0';
        return;
    }
    d->text.len = e->at.len;
}

void dialogue_sent(struct dialogue *d, int64_t now_us, uint32_t fill_len, struct span head, const char *what,
                   size_t content_len, struct span tail)
{
    struct entry e = entry_begin(d, now_us, '>');
    if (fill_len > 0) {
        add_cut(&e.at, "backspace", fill_len);
    }
    if (span_starts(head, "AT%XSUDO=")) {
        add_redacted(d, &e.at, head); /* a signature stands in it, which is worth something to others */
    } else {
        add_octets(&e.at, head);
    }
    if (content_len > 0) {
        add_cut(&e.at, what, content_len);
    }
    add_octets(&e.at, tail);
    entry_end(d, &e);
}

void dialogue_received(struct dialogue *d, int64_t now_us, struct span line, bool is_known)
{
    struct entry e = entry_begin(d, now_us, '<');
    if (is_known) {
        add_redacted(d, &e.at, line);
    } else {
        add_cut(&e.at, "unknown", line.len);
    }
    entry_end(d, &e);
}

void dialogue_note(struct dialogue *d, int64_t now_us, const char *text)
{
    struct entry e = entry_begin(d, now_us, '!');
    buf_add_str(&e.at, text);
    entry_end(d, &e);
}

struct span dialogue_text(const struct dialogue *d)
{
    return buf_span(&d->text);
}
