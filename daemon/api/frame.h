/*
 * Server-sent events as octets, made once and shared by all who watch: counted references, since one viewer
 * may still be sending what the others have long had. HTTP thread only, but for the making.
 */
#ifndef CERTLINE_API_FRAME_H
#define CERTLINE_API_FRAME_H

#include <stddef.h>
#include <stdint.h>

struct json;

struct frame {
    unsigned references;
    int64_t seq; /* of the event it tells; 0: of none */
    size_t len;
    char octets[];
};

/* "id: …", "event: …", "data: …" and a blank line; no id when `id` is 0. The caller has the one reference.
 * NULL without memory (`data` NULL included). */
struct frame *frame_new(const char *event, int64_t seq, int64_t id, const struct json *data);

/* Octets as they are: comments and settings. */
struct frame *frame_new_text(const char *text);

/* One more reference to it; gives it back. */
struct frame *frame_ref(struct frame *frame);

/* One less. NULL is allowed. */
void frame_unref(struct frame *frame);

#endif
