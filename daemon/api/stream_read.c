/*
 * One event may stand behind two frames, a job's and its order's. Only the last of them carries the id, so
 * that a viewer that is cut off in between asks for both again.
 */
#include "api/stream_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

static int64_t seq_of(const struct json *rows, size_t i)
{
    int64_t seq = 0;

    return json_get_i64(json_at(rows, i), "seq", 1, INT64_MAX, &seq, NULL) == 0 ? seq : 0;
}

static struct frame *frame_of(const struct json *rows, size_t i)
{
    const struct json *row = json_at(rows, i);
    const char *event = json_as_text(json_get(row, "event"));
    int64_t seq = seq_of(rows, i);
    bool is_last = i + 1 == json_count(rows) || seq_of(rows, i + 1) != seq;

    return frame_new(event, seq, is_last ? seq : 0, json_get(row, "data"));
}

static int take(struct reading *reading, const struct json *tree)
{
    const struct json *rows = json_get(tree, "changes");
    int64_t events = 0;

    int rc = json_get_i64(tree, "last", 0, INT64_MAX, &reading->last, &reading->why);
    if (rc == 0) {
        rc = json_get_i64(tree, "events", 0, STORE_CHANGES_EVENTS_MAX, &events, &reading->why);
    }
    reading->events = (uint32_t)events;
    for (size_t i = 0; rc == 0 && i < json_count(rows) && i < READING_FRAMES_MAX; i++) {
        reading->frames[i] = frame_of(rows, i);
        rc = reading->frames[i] != NULL ? 0 : -ENOMEM;
        reading->n += rc == 0;
    }
    return rc;
}

static void run(struct work *work, struct store_reader *reader)
{
    struct reading *reading = (struct reading *)work;
    struct json *tree = NULL;

    reading->result = store_read_changes(reader, reading->after, 0, &tree, &reading->why);
    if (reading->result == 0) {
        reading->result = take(reading, tree);
    }
    json_free(tree);
}

struct reading *reading_new(int64_t after)
{
    struct reading *reading = calloc(1, sizeof(*reading));

    if (reading != NULL) {
        reading->work.run = run;
        reading->after = after;
    }
    return reading;
}

void reading_free(struct reading *reading)
{
    if (reading == NULL) {
        return;
    }
    for (size_t i = 0; i < reading->n; i++) {
        frame_unref(reading->frames[i]);
    }
    free(reading);
}
