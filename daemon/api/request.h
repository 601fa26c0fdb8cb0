/*
 * A request as the handlers see it, and the strict reading of its target. Pure: octets in, a struct out; no
 * socket, no heap, nothing of the HTTP library.
 *
 * A struct request holds pointers into itself: it is filled in place and never copied.
 */
#ifndef CERTLINE_API_REQUEST_H
#define CERTLINE_API_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

#define REQUEST_TARGET_MAX   2048 /* octets of path and query together, still encoded */
#define REQUEST_SEGMENTS_MAX 8
#define REQUEST_PARAMS_MAX   16
#define REQUEST_ID_SIZE      160 /* longer than every id of ours */
#define REQUEST_KEY_SIZE     128 /* Idempotency-Key */
#define REQUEST_TAG_SIZE     96  /* If-Match, If-None-Match: longer than every tag of ours */

/* X(ENUM, name on the wire) */
#define METHOD_LIST(X)                                                                                       \
    X(METHOD_GET, "GET")                                                                                     \
    X(METHOD_HEAD, "HEAD")                                                                                   \
    X(METHOD_POST, "POST")                                                                                   \
    X(METHOD_PUT, "PUT")                                                                                     \
    X(METHOD_DELETE, "DELETE")                                                                               \
    X(METHOD_OTHER, "?") /* known to nobody here */

enum method {
#define X(name, text) name,
    METHOD_LIST(X)
#undef X
};

const char *method_name(enum method method);

/* Case matters, as RFC 9110 says. */
enum method method_from_name(const char *name);

static inline bool method_is_safe(enum method method)
{
    return method == METHOD_GET || method == METHOD_HEAD;
}

/* Who may do what: a route names those whom it serves, a caller has one or several. */
enum role {
    ROLE_OPERATOR = 1,
    ROLE_ENGINEER = 2,
    ROLE_MES = 4,
    ROLE_AUDITOR = 8,
    ROLE_ADMIN = 16,
};
#define ROLE_ANY (ROLE_OPERATOR | ROLE_ENGINEER | ROLE_MES | ROLE_AUDITOR | ROLE_ADMIN)

struct request_param {
    const char *name;
    const char *value; /* "" where there was no "=" */
};

struct request {
    enum method method;

    /* Decoded, NUL-terminated, without control characters; a segment may hold "/" when that was sent as %2F.
     * "/" alone has no segments. */
    size_t n_segments;
    const char *segments[REQUEST_SEGMENTS_MAX];
    size_t n_params;
    struct request_param params[REQUEST_PARAMS_MAX];

    char id[REQUEST_ID_SIZE];               /* what stood for the pattern's {…}; set by route_find */
    char idempotency_key[REQUEST_KEY_SIZE]; /* empty: none */
    char if_match[REQUEST_TAG_SIZE];        /* as in struct head */
    char if_none_match[REQUEST_TAG_SIZE];
    unsigned roles;   /* of the caller */
    struct span body; /* complete; borrowed, may hold secrets */

    char memory[REQUEST_TARGET_MAX + 2]; /* what the pointers above point into */
};

/*
 * Takes the target apart: "/path?query", nothing else (no absolute form, no fragment). Returns 0; ERR_FORMAT
 * for a character that may not stand in a target, a bad escape, an escaped control character, a parameter
 * given twice; ERR_RANGE for too much of anything. On failure segments and params are empty.
 */
int request_set_target(struct request *r, struct span target, struct err_info *reterr);

/* The parameter's value, or NULL when it was not given. */
const char *request_param(const struct request *r, const char *name);

/* A parameter that is a whole number in min to max: 0 and *ret, also when it was not given (*ret is left
 * alone); ERR_FORMAT or ERR_RANGE with a text for the caller. */
int request_param_i64(const struct request *r, const char *name, int64_t min, int64_t max, int64_t *ret,
                      struct err_info *reterr);

/* Whether a switch (dry_run, skipped) was given as true. */
bool request_param_is_true(const struct request *r, const char *name);

/* That no parameter but those of the NULL-terminated list was given (NULL: none at all), and switches are
 * true or false: 0, or ERR_FORMAT naming the stranger. A mistyped filter must not return everything, and
 * dry_run=yes must not store anything. */
int request_check_params(const struct request *r, const char *const *known, struct err_info *reterr);

#endif
