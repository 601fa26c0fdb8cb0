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

/* X(ENUM, name in `type` and `reason`, status, title): troubles of HTTP itself, which no board or bundle has.
 */
#define PROBLEM_LIST(X)                                                                                      \
    X(PROBLEM_BAD_REQUEST, "bad_request", 400, "The request is malformed")                                   \
    X(PROBLEM_BAD_FRAMING, "bad_framing", 400, "Where the request ends is ambiguous")                        \
    X(PROBLEM_BAD_PARAMETER, "bad_parameter", 400, "A query parameter is wrong")                             \
    X(PROBLEM_BAD_BODY, "bad_body", 400, "The body is not what this resource takes")                         \
    X(PROBLEM_FORBIDDEN, "forbidden", 403, "Your role does not allow this")                                  \
    X(PROBLEM_FOREIGN_ORIGIN, "foreign_origin", 403,                                                         \
      "A page of another origin may not change anything here")                                               \
    X(PROBLEM_NOT_FOUND, "not_found", 404, "There is no such thing")                                         \
    X(PROBLEM_METHOD, "method_not_allowed", 405, "This resource does not know the method")                   \
    X(PROBLEM_TIMEOUT, "request_timeout", 408, "The request took too long to arrive")                        \
    X(PROBLEM_WRONG_STATE, "wrong_state", 409, "Not in its present state")                                   \
    X(PROBLEM_UNDER_WAY, "under_way", 409, "The same request is being carried out")                          \
    X(PROBLEM_PRECONDITION, "precondition_failed", 412, "It has changed since you looked")                   \
    X(PROBLEM_TOO_LARGE, "too_large", 413, "The body is too large for this resource")                        \
    X(PROBLEM_TARGET_TOO_LONG, "target_too_long", 414, "The target is too long")                             \
    X(PROBLEM_MEDIA_TYPE, "media_type", 415, "This resource does not take this type of content")             \
    X(PROBLEM_WRONG_HOST, "wrong_host", 421, "This server does not answer under that name")                  \
    X(PROBLEM_KEY_REUSED, "key_reused", 422, "This Idempotency-Key belongs to another request")              \
    X(PROBLEM_HEADERS_TOO_LARGE, "headers_too_large", 431, "There are too many headers")                     \
    X(PROBLEM_INTERNAL, "internal", 500, "Something went wrong here")                                        \
    X(PROBLEM_BUSY, "busy", 503, "Too much is under way; try again")                                         \
    X(PROBLEM_STOPPING, "stopping", 503, "The station is shutting down")

enum problem {
    PROBLEM_NONE,
#define X(name, text, status, title) name,
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

/* The title of the problem with this name, and its status; NULL when it is none of the list above. */
const char *problem_title(const char *name, int *ret_status);

/* The same for a reason of the one list, with its title and remedy. */
void response_reason(struct response *r, int status, enum reason reason, const char *detail);

#endif
