/*
 * What a request must fulfil before anybody looks at what it wants: framing on which no two readers can
 * differ, a Host that is ours, no foreign page behind a change, a content type. Pure: headers in, a judgement
 * out.
 *
 * The station listens on loopback without a password. Any page in a browser on the same machine can send
 * requests there, so Host (against DNS rebinding), Origin and Sec-Fetch-Site (against forms and scripts of
 * other sites) are what keeps such a page from starting and releasing boards.
 */
#ifndef CERTLINE_API_GUARD_H
#define CERTLINE_API_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/request.h"
#include "api/response.h"
#include "base/err.h"
#include "base/span.h"

#define GUARD_HEADERS_MAX 64

struct header {
    struct span name, value;
};

/* Where the connection came in. */
struct guard {
    bool is_local; /* the Unix socket, out of every browser's reach: any Host will do */
    uint16_t port; /* of the listen address otherwise */
};

enum content_kind {
    CONTENT_NONE = 0, /* no Content-Type */
    CONTENT_JSON = 1,
    CONTENT_NDJSON = 2,
    CONTENT_CSV = 4,
    CONTENT_OTHER = 8,
};

/* What the headers said, once they passed. */
struct head {
    uint64_t content_length; /* 0 when there is none */
    bool is_chunked;
    enum content_kind content;
    char idempotency_key[REQUEST_KEY_SIZE]; /* empty: none */
    char if_match[REQUEST_TAG_SIZE];        /* "*" or one entity tag with its quotes; empty: none */
    char if_none_match[REQUEST_TAG_SIZE];   /* the same; a list counts as none */
    int64_t last_event_id;                  /* negative: none, or none of ours */
};

/*
 * Judges the headers of one request. Returns PROBLEM_NONE and *ret, or what is wrong with *reterr's text for
 * the client. After PROBLEM_BAD_FRAMING nothing more may be read from the connection.
 */
enum problem guard_check(const struct guard *g, enum method method, const char *version,
                         const struct header *headers, size_t n, struct head *ret, struct err_info *reterr);

/* Whether a request has a body at all. */
static inline bool head_has_body(const struct head *h)
{
    return h->is_chunked || h->content_length > 0;
}

#endif
