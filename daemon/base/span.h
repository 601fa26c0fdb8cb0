/* A borrowed run of octets. It owns nothing; the header that hands one out says how long it lives. */
#ifndef CERTLINE_BASE_SPAN_H
#define CERTLINE_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const char *at; /* may be NULL when len is 0 */
    size_t len;
};

static inline struct span span_of(const char *at, size_t len)
{
    return (struct span){at, len};
}

static inline struct span span_str(const char *text)
{
    return (struct span){text, strlen(text)};
}

static inline bool span_eq(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static inline bool span_is(struct span a, const char *text)
{
    return span_eq(a, span_str(text));
}

static inline bool span_starts(struct span a, const char *prefix)
{
    size_t n = strlen(prefix);
    return a.len >= n && (n == 0 || memcmp(a.at, prefix, n) == 0);
}

/* `a` without its first n octets (all of it when it is shorter). */
static inline struct span span_skip(struct span a, size_t n)
{
    return n >= a.len ? (struct span){a.at, 0} : (struct span){a.at + n, a.len - n};
}

#endif
