/*
 * HTTP/1.1 to the running daemon, over its Unix socket: one request, one answer, one connection. Blocks; for
 * commands only. Nothing here can grow without bound, whatever answers at the other end.
 */
#ifndef CERTLINE_CMD_HTTP_CLIENT_H
#define CERTLINE_CMD_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

#define HTTP_HEAD_MAX   16384  /* octets of an answer's status line and headers */
#define HTTP_SILENCE_MS 120000 /* the longest wait for the next octet */

struct http_request {
    const char *method;
    const char *target;       /* "/api/v1/slots" */
    const char *content_type; /* NULL: no body */
    struct span body;         /* borrowed; sent from where it lies, never copied */
    size_t answer_max;        /* octets of the answer's body */
    bool is_secret;           /* the answer may be: its body lies in secret memory */
};

struct http_answer {
    int status;
    char content_type[64];  /* lower case, without parameters; empty when there is none */
    char next[96];          /* Certline-Next; empty when there is none */
    uint32_t rows, skipped; /* Certline-Rows, Certline-Skipped; 0 when there are none */
    char *body;             /* NUL-terminated; owned */
    bool is_secret;         /* `body` is secret memory, not malloc'ed */
    size_t body_len;
};

/* Connects. Returns a descriptor; -ENOENT or -ECONNREFUSED when no daemon listens there; another negative
 * code. */
int http_connect(const char *socket_path, struct err_info *reterr);

/* Sends the request and reads the whole answer, whatever its status. Returns 0, and then *ret is the caller's
 * to end; or ERR_CLOSED (the connection ended in between), ERR_FORMAT (no HTTP), ERR_RANGE (larger than
 * allowed), -ETIMEDOUT, -ENOMEM, another -errno. `fd` stays the caller's and is of no further use. */
int http_call(int fd, const struct http_request *request, struct http_answer *ret, struct err_info *reterr);

/* NULL members are allowed. */
void http_answer_done(struct http_answer *answer);

#endif
