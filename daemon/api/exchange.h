/*
 * One request and its answer, from the first header to the last octet: which phase it is in, where its body
 * is kept, who works on it. Knows nothing of sockets and of the HTTP library: http.c feeds it and asks what
 * to do next.
 *
 * Bodies are kept in secret memory, whatever they hold, and are wiped with it.
 */
#ifndef CERTLINE_API_EXCHANGE_H
#define CERTLINE_API_EXCHANGE_H

#include "api/guard.h"
#include "api/pool.h"
#include "api/route.h"
#include "pki/digest.h"

/* What to do next with the connection. */
enum next {
    NEXT_READ,   /* go on reading; the answer, if there is one already, waits for the end of the body */
    NEXT_WORK,   /* hand `work` to the pool and let the connection rest */
    NEXT_ANSWER, /* send `response`; nothing more of this request is read */
    NEXT_STREAM, /* the connection becomes a viewer of the live stream */
    NEXT_CUT,    /* close: it sends without end what nobody wants */
};

/* Import sessions open at a time, each with a piece of body in locked memory. */
#define EXCHANGE_IMPORTS_MAX 4

struct exchange {
    struct work work; /* first: the pool gives this back */
    void *owner;      /* the connection's, for http.c; NULL once the connection is gone */

    const struct env *env; /* without a reader; borrowed */
    unsigned *n_imports;   /* the server's count of open sessions; HTTP thread only */

    struct err_info target_error; /* of request_set_target, kept until the headers are there */
    int target_rc;
    struct request request;
    struct head head;
    const struct route *route; /* NULL: refused */
    struct response response;  /* status 0: not answered yet */

    char *body; /* secret memory */
    size_t body_len, body_size;
    uint64_t received; /* octets of body in all */

    /* With an Idempotency-Key on a POST: */
    struct sha256 sum; /* over method, target and body, as they come */
    struct digest fingerprint;
    bool is_keyed; /* `sum` is running, or `fingerprint` is there */
    bool is_first; /* the key is ours until the answer is remembered */

    bool is_importing; /* counted in *n_imports */
    bool is_complete;  /* the body is there in full */
    void *session;     /* of the import, between its first piece and its end */
};

/* A new one for a request whose target has just arrived. NULL without memory. */
struct exchange *exchange_new(const struct env *env, unsigned roles, unsigned *n_imports, struct span target);

/* Wipes and frees. An open import session must have been cancelled: see exchange_abandon. NULL is allowed. */
void exchange_free(struct exchange *ex);

/* The headers are there. `waits` tells that the client holds its body back until we say so (Expect). */
enum next exchange_begin(struct exchange *ex, const struct guard *guard, const char *method,
                         const char *version, const struct header *headers, size_t n, bool waits);

/* A piece of body: all of it is taken. The caller wipes it afterwards. */
enum next exchange_take(struct exchange *ex, struct span octets);

/* The body is there in full. */
enum next exchange_end(struct exchange *ex);

/* `work` came back from the pool. NEXT_READ when more of the body is wanted. */
enum next exchange_worked(struct exchange *ex);

/* Refuses instead of working, for a stop. */
void exchange_refuse(struct exchange *ex, enum problem problem);

/* The connection is gone. True when `work` must go to the pool once more, to cancel what was begun; free it
 * when it comes back. */
bool exchange_abandon(struct exchange *ex);

#endif
