/*
 * at/line and at/chat over the same octets.
 *
 * The first octet says how it is asked, the second seeds the splits, the rest is what the board says.
 * Properties: the events are the same in one piece and in any pieces; every octet is taken; nothing is told
 * twice after the end; and whatever was said, after the time-out (and without one, if nothing is pending) a
 * plain `OK` ends the next command.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "at/chat.h"
#include "support/fuzz.h"

/* How it is asked: the two low bits choose the prefix, the next ones quotes and the memory. */
static const char *const prefixes[] = {"%CMNG:", "", NULL, "+CEREG:"};

struct record {
    char *at;
    size_t len, size;
};

static void record_add(struct record *r, const void *octets, size_t n)
{
    if (n == 0)
        return;
    if (r->len + n > r->size) {
        r->size = (r->len + n) * 2;
        r->at = realloc(r->at, r->size);
        assert(r->at);
    }
    memcpy(r->at + r->len, octets, n);
    r->len += n;
}

static void record_line(struct record *r, int kind, int detail, struct span line, bool is_overlong)
{
    int numbers[] = {kind, detail, is_overlong, (int)line.len};
    record_add(r, numbers, sizeof(numbers));
    record_add(r, line.at, line.len);
}

static size_t next_piece(uint32_t *seed, size_t rest)
{
    size_t n;
    if (*seed == 0)
        return rest;
    *seed = *seed * 1664525u + 1013904223u;
    n = (*seed >> 24) % 9 + 1;
    return n < rest ? n : rest;
}

/* Octets are copied so that reading beyond a piece is found. */
static char *piece_of(struct span in, size_t n)
{
    char *piece = malloc(n);
    assert(piece);
    memcpy(piece, in.at, n);
    return piece;
}

static void feed_line(struct line *l, struct span in, struct record *r)
{
    while (in.len > 0) {
        size_t used = 0;
        struct span line = {NULL, 0};
        enum line_result result = line_feed(l, in, &used, &line);
        assert(used > 0 && used <= in.len);
        in = span_skip(in, used);
        if (result == LINE_UNSURE) {
            assert(in.len == 0);
            return;
        }
        assert(line.len > 0 && line.len <= l->size && (result == LINE_OVERLONG) <= (line.len == l->size));
        if (l->quoted_prefix == NULL)
            assert(!memchr(line.at, '\n', line.len) && !memchr(line.at, '\r', line.len));
        record_line(r, (int)result, 0, line, false);
    }
}

static void feed_chat(struct chat *c, struct span in, struct record *r)
{
    struct chat_event ev;
    do {
        size_t used = chat_feed(c, in, 1, &ev);
        assert(used <= in.len);
        in = span_skip(in, used);
        if (ev.kind != CHAT_NONE)
            record_line(r, (int)ev.kind, ev.kind == CHAT_DONE ? (int)ev.end * 100000 + ev.code : 0, ev.line,
                        ev.is_overlong);
    } while (ev.kind != CHAT_NONE);
    assert(in.len == 0);
}

static struct record run_line(uint8_t how, uint32_t seed, struct span in)
{
    struct record r = {0};
    struct line l;
    size_t size = how & 8 ? 128 : 700;
    char *memory = malloc(size);
    assert(memory);
    line_init(&l, memory, size);
    line_set_quoted_prefix(&l, how & 4 ? prefixes[how & 3] : NULL);
    while (in.len > 0) {
        size_t n = next_piece(&seed, in.len);
        char *piece = piece_of(in, n);
        feed_line(&l, span_of(piece, n), &r);
        free(piece);
        in = span_skip(in, n);
    }
    record_line(&r, -1, l.in_quotes, line_partial(&l), l.is_overlong);
    free(memory);
    return r;
}

/* The next command ends with OK and with nothing else. A control sequence that noise has begun goes on until
 * a letter or a line end: a shell's prompt is often cut in two by a command, and its rest is no text. */
static void recovers(struct chat *c)
{
    struct chat_command at = {.is_raw = true, .timeout_us = 1};
    struct span in = span_str(c->line.escape ? "\r\nOK\r\n" : "OK\r\n");
    struct chat_event ev;
    bool is_done = false;
    chat_submit(c, &at, 0, 5);
    do {
        in = span_skip(in, chat_feed(c, in, 5, &ev));
        assert(ev.kind != CHAT_INFO);
        if (ev.kind == CHAT_DONE) {
            assert(!is_done && ev.end == CHAT_END_OK);
            is_done = true;
        }
    } while (ev.kind != CHAT_NONE);
    assert(is_done);
}

static struct record run_chat(uint8_t how, uint32_t seed, struct span in)
{
    struct record r = {0};
    struct chat c;
    struct chat_event ev;
    struct chat_command command = {
        .is_raw = true, .prefix = prefixes[how & 3], .is_quoted = how & 4 && how % 4 != 2, .timeout_us = 3};
    size_t size = how & 8 ? 128 : 700;
    char *memory = malloc(size), *splice = malloc(128);
    assert(memory && splice);
    chat_init(&c, memory, size, splice, 128);
    if (!(how & 16))
        chat_submit(&c, &command, 0, 0);
    while (in.len > 0) {
        size_t n = next_piece(&seed, in.len);
        char *piece = piece_of(in, n);
        feed_chat(&c, span_of(piece, n), &r);
        free(piece);
        in = span_skip(in, n);
    }
    chat_tick(&c, 4, &ev);
    assert(ev.kind == (ev.end == CHAT_END_TIMEOUT ? CHAT_DONE : CHAT_NONE));
    recovers(&c);
    recovers(&c);
    free(memory);
    free(splice);
    return r;
}

static void assert_same(struct record a, struct record b)
{
    assert(a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0));
    free(a.at);
    free(b.at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span in;
    uint32_t seed;
    if (size < 2)
        return 0;
    in = span_of((const char *)data + 2, size - 2);
    seed = data[1] * 2654435761u + 1;
    assert_same(run_line(data[0], 0, in), run_line(data[0], seed, in));
    assert_same(run_chat(data[0], 0, in), run_chat(data[0], seed, in));
    return 0;
}
