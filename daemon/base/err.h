/*
 * Errors: our own trouble, never a board's "no" (that is a verdict, job/verdict.h).
 *
 * A function that can fail returns int: 0 or positive on success, negative on failure. A negative errno
 * stands for itself (-ENOSPC); our own codes start at ERR_FIRST, so the two never meet. Where the place of
 * failure knows more than its caller, a last parameter `struct err_info *reterr` takes it; NULL is allowed
 * and means that nobody asks.
 */
#ifndef CERTLINE_BASE_ERR_H
#define CERTLINE_BASE_ERR_H

#include <stddef.h>

#define ERR_FIRST (-1000)

/* X(name, value, text): the text is a sentence's beginning, to which a place may add what it knows. */
#define ERR_LIST(X)                                                                                          \
    X(ERR_FORMAT, -1001, "malformed input")                                                                  \
    X(ERR_RANGE, -1002, "value out of range")                                                                \
    X(ERR_DUPLICATE, -1003, "exists already")                                                                \
    X(ERR_NOT_FOUND, -1004, "not found")                                                                     \
    X(ERR_CONFLICT, -1005, "conflicts with what is stored")                                                  \
    X(ERR_REFUSED, -1006, "refused")                                                                         \
    X(ERR_CLOSED, -1007, "closed")                                                                           \
    X(ERR_LOCKED, -1008, "locked by another process")                                                        \
    X(ERR_NEWER, -1009, "written by a newer version")                                                        \
    X(ERR_MARK, -1010, "database is behind its mark")                                                        \
    X(ERR_CRYPTO, -1011, "cryptographic operation failed")                                                   \
    X(ERR_STORE, -1012, "database operation failed")                                                         \
    X(ERR_CORRUPT, -1013, "stored data is damaged")                                                          \
    X(ERR_FULL, -1014, "bounded buffer or queue is full")                                                    \
    X(ERR_INTERNAL, -1015, "internal error")

enum err {
#define X(name, value, text) name = value,
    ERR_LIST(X)
#undef X
};

/* What the place of failure knows. `text` is a whole sentence: what, where, what to do. Never holds a secret.
 */
struct err_info {
    int code;       /* the negative code that is returned as well; 0 = nothing was reported */
    int line;       /* of the offending text, from 1; 0 = does not apply */
    int column;     /* from 1; 0 = does not apply */
    char text[320]; /* NUL-terminated, cut at a UTF-8 boundary when too long */
};

/* A constant text for a negative code, errno values included; never NULL, safe from any thread. */
const char *err_text(int code);

/* Fills *reterr (if not NULL) and returns `code`, so that a failing place is one line. An info that already
 * holds a failure is left alone: the first error is the one that explains. */
int err_set(struct err_info *reterr, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* As err_set, for a place in a text: line and column from 1. */
int err_set_at(struct err_info *reterr, int code, int line, int column, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

#endif
