#include "base/json_canonical.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

#define MEMBERS_HERE 64 /* objects with more members have them sorted in memory of their own */

int json_sink_add(struct json_sink *sink, struct span text)
{
    if (sink->has_failed) {
        return -ENOMEM;
    }
    if (sink->size - sink->len <= text.len) {
        size_t size = sink->size * 2 + text.len + 1;
        char *at = sink->grow(sink->at, size);
        if (!at) {
            sink->has_failed = true;
            return -ENOMEM;
        }
        sink->at = at;
        sink->size = size;
    }
    memcpy(sink->at + sink->len, text.at, text.len);
    sink->len += text.len;
    return 0;
}

static int add(struct json_sink *sink, const char *text)
{
    return json_sink_add(sink, span_str(text));
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c != '"' && c != '\\';
}

static int add_escape(struct json_sink *sink, unsigned char c)
{
    static const char *const names[] = {
        ['"'] = "\\\"", ['\\'] = "\\\\", ['\b'] = "\\b", ['\f'] = "\\f",
        ['\n'] = "\\n", ['\r'] = "\\r",  ['\t'] = "\\t",
    };
    if (names[c]) {
        return add(sink, names[c]);
    }
    char text[8];
    (void)snprintf(text, sizeof(text), "\\u%04X", c);
    return add(sink, text);
}

static int add_string(struct json_sink *sink, const char *text)
{
    int r = add(sink, "\"");
    while (r == 0 && *text) {
        size_t n = 0;
        while (is_plain((unsigned char)text[n])) {
            n++;
        }
        r = json_sink_add(sink, span_of(text, n));
        text += n;
        if (r == 0 && *text) {
            r = add_escape(sink, (unsigned char)*text++);
        }
    }
    return r < 0 ? r : add(sink, "\"");
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct json_member *)a)->key, ((const struct json_member *)b)->key);
}

/* Members come nearly in order, or are few: no call for each comparison, no memory. */
static void sort(struct json_member *members, size_t n)
{
    if (n > MEMBERS_HERE) {
        qsort(members, n, sizeof(members[0]), by_key);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        struct json_member moved = members[i];
        size_t to = i;
        for (; to > 0 && by_key(&members[to - 1], &moved) > 0; to--) {
            members[to] = members[to - 1];
        }
        members[to] = moved;
    }
}

static int write_value(struct json_sink *sink, const struct json *value);

static int write_members(struct json_sink *sink, const struct json_member *members, size_t n)
{
    int r = 1;
    for (size_t i = 0; r > 0 && i < n; i++) {
        bool is_put =
            add(sink, i > 0 ? "," : "") == 0 && add_string(sink, members[i].key) == 0 && add(sink, ":") == 0;
        r = is_put ? write_value(sink, members[i].value) : -ENOMEM;
    }
    return r;
}

static int write_object(struct json_sink *sink, const struct json *object)
{
    struct json_member here[MEMBERS_HERE], *members = here;
    size_t n = json_count(object), found = 0;
    if (n > MEMBERS_HERE) {
        members = calloc(n, sizeof(members[0]));
    }
    if (!members) {
        return -ENOMEM;
    }
    struct json_member member = {0};
    while (found < n && json_next(object, &member)) {
        members[found++] = member;
    }
    sort(members, found);
    int r = add(sink, "{") == 0 ? write_members(sink, members, found) : -ENOMEM;
    if (members != here) {
        free(members);
    }
    return r > 0 && add(sink, "}") < 0 ? -ENOMEM : r;
}

static int write_array(struct json_sink *sink, const struct json *array)
{
    size_t n = json_count(array);
    int r = add(sink, "[") == 0 ? 1 : -ENOMEM;
    for (size_t i = 0; r > 0 && i < n; i++) {
        r = i > 0 && add(sink, ",") < 0 ? -ENOMEM : write_value(sink, json_at(array, i));
    }
    return r > 0 && add(sink, "]") < 0 ? -ENOMEM : r;
}

static int write_i64(struct json_sink *sink, const struct json *value)
{
    int64_t number = 0;
    char text[24];
    (void)json_as_i64(value, &number);
    (void)snprintf(text, sizeof(text), "%lld", (long long)number);
    return add(sink, text);
}

static int write_bool(struct json_sink *sink, const struct json *value)
{
    bool is_true = false;
    (void)json_as_bool(value, &is_true);
    return add(sink, is_true ? "true" : "false");
}

static int write_value(struct json_sink *sink, const struct json *value)
{
    int r = -ENOMEM;
    switch (json_kind_of(value)) {
    case JSON_KIND_NONE:
        return -ENOMEM;
    case JSON_KIND_REAL:
        return 0;
    case JSON_KIND_OBJECT:
        return write_object(sink, value);
    case JSON_KIND_ARRAY:
        return write_array(sink, value);
    case JSON_KIND_NULL:
        r = add(sink, "null");
        break;
    case JSON_KIND_BOOL:
        r = write_bool(sink, value);
        break;
    case JSON_KIND_INT:
        r = write_i64(sink, value);
        break;
    case JSON_KIND_TEXT:
        r = add_string(sink, json_as_text(value));
        break;
    }
    return r < 0 ? r : 1;
}

int json_write_canonical(struct json_sink *sink, const struct json *value)
{
    return write_value(sink, value);
}
