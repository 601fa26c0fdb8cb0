/* Compact JSON holds no line ends, so that one "data:" line is enough. */
#include "api/frame.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

static struct frame *make(const char *head, const char *body, const char *end)
{
    size_t n_head = strlen(head), n_body = strlen(body), n_end = strlen(end);
    struct frame *frame = malloc(sizeof(*frame) + n_head + n_body + n_end);

    if (frame == NULL) {
        return NULL;
    }
    *frame = (struct frame){.references = 1, .len = n_head + n_body + n_end};
    memcpy(frame->octets, head, n_head);
    memcpy(frame->octets + n_head, body, n_body);
    memcpy(frame->octets + n_head + n_body, end, n_end);
    return frame;
}

struct frame *frame_new(const char *event, int64_t seq, int64_t id, const struct json *data)
{
    char head[96], number[32] = "";
    char *body = data != NULL ? json_dump(data, JSON_FORM_COMPACT) : NULL;

    if (body == NULL) {
        return NULL;
    }
    if (id != 0) {
        snprintf(number, sizeof(number), "id: %" PRId64 "\n", id);
    }
    snprintf(head, sizeof(head), "%sevent: %s\ndata: ", number, event);
    struct frame *frame = make(head, body, "\n\n");
    free(body);
    if (frame != NULL) {
        frame->seq = seq;
    }
    return frame;
}

struct frame *frame_new_text(const char *text)
{
    return make(text, "", "");
}

struct frame *frame_ref(struct frame *frame)
{
    frame->references++;
    return frame;
}

void frame_unref(struct frame *frame)
{
    if (frame != NULL && --frame->references == 0) {
        free(frame);
    }
}
