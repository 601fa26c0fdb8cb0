/*
 * What a handler answers. Pure data: the HTTP side copies it onto the wire and frees it. Every error is a
 * problem document (RFC 9457) whose `reason` is either one of job/verdict.h's or one of the list below.
 */
#ifndef CERTLINE_API_RESPONSE_H
#define CERTLINE_API_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "job/verdict.h"

struct json;

/* X(ENUM, name in `type` and `reason`, status, title, remedy): troubles of HTTP itself, which no board or
 * bundle has. */
#define PROBLEM_LIST(X)                                                                                      \
    X(PROBLEM_BAD_REQUEST, "bad_request", 400, "The request is malformed",                                   \
      "Correct what the detail names and send it again.")                                                    \
    X(PROBLEM_BAD_FRAMING, "bad_framing", 400, "Where the request ends is ambiguous",                        \
      "Send one Host and either one Content-Length or chunked, over HTTP/1.1; a proxy in between may have "  \
      "changed it.")                                                                                         \
    X(PROBLEM_BAD_PARAMETER, "bad_parameter", 400, "A query parameter is wrong",                             \
      "Correct it; /api/v1/openapi.json names what this resource takes. A cursor is the `next` of the "      \
      "answer before, unchanged.")                                                                           \
    X(PROBLEM_BAD_BODY, "bad_body", 400, "The body is not what this resource takes",                         \
      "Correct what the detail names; /api/v1/openapi.json has the body's form.")                            \
    X(PROBLEM_FORBIDDEN, "forbidden", 403, "Your role does not allow this",                                  \
      "Use `certlined` on the station, as a member of the group certline, or have somebody do it whose "     \
      "role allows it.")                                                                                     \
    X(PROBLEM_FOREIGN_ORIGIN, "foreign_origin", 403,                                                         \
      "A page of another origin may not change anything here",                                               \
      "Use the station's own pages, or a program that sends neither Origin nor Sec-Fetch-Site.")             \
    X(PROBLEM_NOT_FOUND, "not_found", 404, "There is no such thing",                                         \
      "Check the spelling, and the lists that name what there is; /api/v1/openapi.json has every path.")     \
    X(PROBLEM_METHOD, "method_not_allowed", 405, "This resource does not know the method",                   \
      "Use one of the methods that the header Allow names.")                                                 \
    X(PROBLEM_TIMEOUT, "request_timeout", 408, "The request took too long to arrive",                        \
      "Send it again, without pauses; large imports in several files.")                                      \
    X(PROBLEM_WRONG_STATE, "wrong_state", 409, "Not in its present state",                                   \
      "Look at its state, which the detail names, and ask again once that has changed.")                     \
    X(PROBLEM_UNDER_WAY, "under_way", 409, "The same request is being carried out",                          \
      "Wait and send it again, with the same Idempotency-Key: the answer of the first one comes.")           \
    X(PROBLEM_PRECONDITION, "precondition_failed", 412, "It has changed since you looked",                   \
      "Read it again, decide anew, and send the ETag of that answer as If-Match.")                           \
    X(PROBLEM_TOO_LARGE, "too_large", 413, "The body is too large for this resource",                        \
      "Send it in several requests, each below the limit that the detail names.")                            \
    X(PROBLEM_TARGET_TOO_LONG, "target_too_long", 414, "The target is too long",                             \
      "Shorten path and query; a cursor goes in as it came.")                                                \
    X(PROBLEM_MEDIA_TYPE, "media_type", 415, "This resource does not take this type of content",             \
      "Say in Content-Type what the detail names, without compression and in UTF-8.")                        \
    X(PROBLEM_WRONG_HOST, "wrong_host", 421, "This server does not answer under that name",                  \
      "Use an address that the station listens on, with its port; `certlined check` names them.")            \
    X(PROBLEM_KEY_REUSED, "key_reused", 422, "This Idempotency-Key belongs to another request",              \
      "Give each request a key of its own, and a repetition that of the first with the same body.")          \
    X(PROBLEM_HEADERS_TOO_LARGE, "headers_too_large", 431, "There are too many headers",                     \
      "Send fewer or shorter headers: at most 64, and 16 KiB in all.")                                       \
    X(PROBLEM_INTERNAL, "internal", 500, "Something went wrong here",                                        \
      "Look at the station's log (journalctl -u certlined), and report it with what stands there.")          \
    X(PROBLEM_BUSY, "busy", 503, "Too much is under way; try again",                                         \
      "Send it again after the seconds that Retry-After says.")                                              \
    X(PROBLEM_STOPPING, "stopping", 503, "The station is shutting down",                                     \
      "Send it again once the station is back.")

enum problem {
    PROBLEM_NONE,
#define X(name, text, status, title, remedy) name,
    PROBLEM_LIST(X)
#undef X
};

struct response {
    int status;               /* 0: nothing was answered yet */
    const char *content_type; /* static; NULL: no body */
    const char *text;         /* the body when it is static, else NULL */
    char *body; /* the body otherwise: malloc'ed, owned by the response; may be NULL when `len` is 0 */
    size_t len;
    bool is_secret;    /* `body` is secret memory instead */
    char allow[40];    /* 405: "GET, HEAD"; else empty */
    char etag[96];     /* with its quotes; empty: none */
    bool may_be_kept;  /* by the client, if it asks each time whether it still holds; else it is not stored */
    int retry_after_s; /* 0: not said */
    bool is_repeated;  /* it was given before, to a request with the same Idempotency-Key */
    bool must_close;   /* nothing more may be read from this connection */

    /* Of an export's part: headers Certline-Next (where the next one begins), Certline-Rows,
     * Certline-Skipped. */
    bool is_part;
    char next[96]; /* empty: this is the last one */
    uint32_t rows, skipped;
};

/* Frees the body and empties the response. */
void response_done(struct response *r);

/* Takes `tree` over. Without memory (a NULL tree included) the response becomes PROBLEM_INTERNAL. */
void response_json(struct response *r, int status, struct json *tree);

/* A static text: it outlives the response. */
void response_static(struct response *r, int status, const char *content_type, const char *text);

/* The same for octets of any kind. */
void response_octets(struct response *r, int status, const char *content_type, const char *octets,
                     size_t len);

/* Takes `body` over, which malloc made. */
void response_text(struct response *r, int status, const char *content_type, char *body, size_t len);

/* A problem document; `detail` may be NULL or empty. */
void response_problem(struct response *r, enum problem problem, const char *detail);

/* Calls `add` for each header that goes with the answer, but for those of framing and connection. */
void response_headers(const struct response *r, void (*add)(void *ctx, const char *name, const char *value),
                      void *ctx);

/* One row of the list above. */
struct problem_text {
    const char *name;
    int status;
    const char *title, *remedy;
};

/* The problem with this name; NULL when it is none of the list. */
const struct problem_text *problem_text(const char *name);

/* The same for a reason of the one list, with its title and remedy. */
void response_reason(struct response *r, int status, enum reason reason, const char *detail);

#endif
