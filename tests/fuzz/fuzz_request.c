/*
 * Any octets as a request: the first line is the target, the others are headers. Nothing that is taken holds
 * a control character, a target that is written anew from what was read is read the same, and a judgement is
 * always the same.
 */
#include "support/fuzz.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "api/guard.h"
#include "api/request.h"
#include "api/route.h"

/* Every octet escaped, so that what was read is all that counts. */
static size_t escape(char *to, const char *text)
{
    size_t n = 0;

    for (; *text != '\0'; text++) {
        n += (size_t)sprintf(to + n, "%%%02x", (unsigned char)*text);
    }
    return n;
}

static void check_text(const char *text)
{
    for (; *text != '\0'; text++) {
        assert((unsigned char)*text >= 0x20 && *text != 0x7f);
    }
}

static void check_round_trip(const struct request *r)
{
    static char target[REQUEST_TARGET_MAX * 4];
    static struct request again;
    size_t n = 0;

    for (size_t i = 0; i < r->n_segments; i++) {
        check_text(r->segments[i]);
        target[n++] = '/';
        n += escape(target + n, r->segments[i]);
    }
    if (r->n_segments == 0) {
        target[n++] = '/';
    }
    for (size_t i = 0; i < r->n_params; i++) {
        check_text(r->params[i].name);
        check_text(r->params[i].value);
        target[n++] = i == 0 ? '?' : '&';
        n += escape(target + n, r->params[i].name);
        target[n++] = '=';
        n += escape(target + n, r->params[i].value);
    }
    if (n > REQUEST_TARGET_MAX) {
        return;
    }

    assert(request_set_target(&again, span_of(target, n), NULL) == 0);
    assert(again.n_segments == r->n_segments && again.n_params == r->n_params);
    for (size_t i = 0; i < r->n_segments; i++) {
        assert(strcmp(again.segments[i], r->segments[i]) == 0);
    }
    for (size_t i = 0; i < r->n_params; i++) {
        assert(strcmp(again.params[i].name, r->params[i].name) == 0);
        assert(strcmp(again.params[i].value, r->params[i].value) == 0);
    }
}

static void check_route(struct request *r)
{
    enum problem problem = PROBLEM_NONE;
    char allow[40];

    const struct route *route = route_find(r, &problem, allow);
    assert((route == NULL) == (problem != PROBLEM_NONE));
    assert((problem == PROBLEM_METHOD) == (allow[0] != '\0'));
    if (route != NULL) {
        assert((strchr(route->pattern, '{') != NULL) == (r->id[0] != '\0'));
    }
}

static size_t split(struct span rest, struct header headers[GUARD_HEADERS_MAX + 2])
{
    size_t n = 0;

    while (rest.len > 0 && n < GUARD_HEADERS_MAX + 2) {
        const char *end = memchr(rest.at, '\n', rest.len);
        struct span line = span_of(rest.at, end != NULL ? (size_t)(end - rest.at) : rest.len);
        const char *colon = line.len > 0 ? memchr(line.at, ':', line.len) : NULL;
        size_t name = colon != NULL ? (size_t)(colon - line.at) : line.len;
        headers[n++] = (struct header){span_of(line.at, name), span_skip(line, name + 1)};
        rest = span_skip(rest, line.len + 1);
    }
    return n;
}

static void check_headers(enum method method, struct span rest)
{
    static const struct guard guards[] = {{.port = 8080}, {.port = 80}, {.is_local = true}};
    struct header headers[GUARD_HEADERS_MAX + 2];
    size_t n = split(rest, headers);

    for (size_t i = 0; i < sizeof(guards) / sizeof(guards[0]); i++) {
        struct head head = {0}, again = {0};
        struct err_info err = {0};
        enum problem problem = guard_check(&guards[i], method, "HTTP/1.1", headers, n, &head, &err);
        assert(guard_check(&guards[i], method, "HTTP/1.1", headers, n, &again, NULL) == problem);
        assert((problem == PROBLEM_NONE) == (err.text[0] == '\0'));
        assert(!head.is_chunked || head.content_length == 0);
        check_text(head.idempotency_key);
        check_text(head.if_match);
        check_text(head.if_none_match);
        assert(problem != PROBLEM_NONE || head.last_event_id >= -1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct request r;
    struct span text = span_of((const char *)data, size);
    const char *end = size > 0 ? memchr(text.at, '\n', size) : NULL;
    struct span target = span_of(text.at, end != NULL ? (size_t)(end - text.at) : size);

    r = (struct request){.method = (enum method)(size % (METHOD_OTHER + 1))};
    if (request_set_target(&r, target, NULL) == 0) {
        check_round_trip(&r);
        check_route(&r);
    } else {
        assert(r.n_segments == 0 && r.n_params == 0);
    }
    check_headers(r.method, span_skip(text, target.len + 1));
    return 0;
}
