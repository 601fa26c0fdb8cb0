/*
 * The door to jansson (2.14). A struct json is a json_t in disguise; its reference counts stay at one, since
 * nothing here shares a value between trees.
 *
 * jansson's own allocations are redirected for the whole process, before main, to a pair that wipes at free.
 * The size to wipe comes from the C library, and not from a header of ours before each block, so that a
 * caller elsewhere that free()s a dumped text still gives back what malloc gave. jansson grows its buffers by
 * malloc, copy and free, never by realloc, so no half-read key stays behind either.
 *
 * jansson's error messages quote the text near the error. Ours must not, so they are made from its error
 * codes. Its limit of depth is fixed at 2,048; a caller's own is checked by a scan beforehand, as is what it
 * overlooks.
 */
#include "base/json.h"

#include <errno.h>
#include <jansson.h>
#include <malloc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

/* ---- memory */

static _Thread_local uint64_t shortages; /* how often there was none on this thread */

static void *allocate(size_t size)
{
    void *p = malloc(size);
    shortages += !p;
    return p;
}

static void free_wiped(void *p)
{
    if (p) {
        secret_wipe(p, malloc_usable_size(p));
        free(p);
    }
}

__attribute__((constructor)) static void redirect_allocations(void)
{
    json_set_alloc_funcs(allocate, free_wiped);
}

static json_t *inner(const struct json *value)
{
    return (json_t *)value;
}

static struct json *outer(json_t *value)
{
    return (struct json *)value;
}

void json_free(struct json *root)
{
    json_decref(inner(root));
}

struct json *json_clone(const struct json *value)
{
    return outer(json_deep_copy(inner(value)));
}

bool json_is_equal(const struct json *a, const struct json *b)
{
    return a == b || json_equal(inner(a), inner(b));
}

/* ---- parsing */

struct place {
    int line, column;
};

static void advance(struct place *place, char c)
{
    if (c == '\n') {
        place->line++;
        place->column = 1;
    } else if (((unsigned char)c & 0xC0) != 0x80) { /* a character's later octets take no column */
        place->column++;
    }
}

/* What jansson would let pass, looked for beforehand: brackets outside of strings that nest deeper than
 * `depth_max`, and a NUL, which it overlooks behind a number. Says where, and why; NULL when there is
 * nothing. Text that is malformed otherwise may pass: the parser refuses it, and until it does it is no
 * deeper than this scan saw. */
static const char *scan(struct span text, unsigned depth_max, struct place *place)
{
    unsigned depth = 0;
    bool in_string = false;
    *place = (struct place){1, 1};
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (c == '\0') {
            return "the JSON text holds the character U+0000";
        }
        if (in_string && c == '\\' && i + 1 < text.len && text.at[i + 1] != '\0') {
            advance(place, c);
            c = text.at[++i];
        } else if (c == '"') {
            in_string = !in_string;
        } else if (!in_string && (c == '[' || c == '{')) {
            if (++depth > depth_max) {
                return "the JSON text nests too deep";
            }
        } else if (!in_string && (c == ']' || c == '}') && depth > 0) {
            depth--;
        }
        advance(place, c);
    }
    return NULL;
}

static int fail_at(struct err_info *reterr, int code, struct place place, const char *why)
{
    return err_set_at(reterr, code, place.line, place.column, "%s (line %d, column %d)", why, place.line,
                      place.column);
}

static const char *sentence(enum json_error_code code)
{
    switch (code) {
    case json_error_premature_end_of_input:
        return "the JSON text ends too early";
    case json_error_end_of_input_expected:
        return "something follows the JSON value";
    case json_error_invalid_utf8:
        return "the JSON text is not valid UTF-8";
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "the JSON text holds the character U+0000";
    case json_error_duplicate_key:
        return "the same key stands twice in one JSON object";
    case json_error_numeric_overflow:
        return "a number in the JSON text is too large";
    case json_error_out_of_memory:
        return "no memory for the JSON text";
    default: /* the list is jansson's and grows */
        return "the JSON text is malformed";
    }
}

static int fail_parse(const json_error_t *error, struct err_info *reterr)
{
    enum json_error_code why = json_error_code(error);
    int code = why == json_error_out_of_memory      ? -ENOMEM
               : why == json_error_numeric_overflow ? ERR_RANGE
                                                    : ERR_FORMAT;
    struct place place = {error->line > 0 ? error->line : 1, error->column > 0 ? error->column : 1};
    return fail_at(reterr, code, place, sentence(why));
}

int json_parse(struct span text, unsigned depth_max, struct json **ret, struct err_info *reterr)
{
    struct place place;
    const char *why = scan(text, depth_max < JSON_DEPTH_MAX ? depth_max : JSON_DEPTH_MAX, &place);
    if (why) {
        return fail_at(reterr, ERR_FORMAT, place, why);
    }
    json_error_t error;
    uint64_t shortages_before = shortages;
    json_t *value =
        json_loadb(text.len > 0 ? text.at : "", text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    int r = 0;
    if (shortages != shortages_before) { /* which jansson takes for other mistakes, or leaves a letter out */
        json_decref(value);
        value = NULL;
        r = err_set(reterr, -ENOMEM, "%s", sentence(json_error_out_of_memory));
    } else if (!value) {
        r = fail_parse(&error, reterr);
    }
    secret_wipe(&error, sizeof(error)); /* it quotes the text */
    if (value) {
        *ret = outer(value);
    }
    return r;
}

/* ---- reading */

enum json_kind json_kind_of(const struct json *value)
{
    if (!value) {
        return JSON_KIND_NONE;
    }
    switch (json_typeof(inner(value))) {
    case JSON_OBJECT:
        return JSON_KIND_OBJECT;
    case JSON_ARRAY:
        return JSON_KIND_ARRAY;
    case JSON_STRING:
        return JSON_KIND_TEXT;
    case JSON_INTEGER:
        return JSON_KIND_INT;
    case JSON_REAL:
        return JSON_KIND_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return JSON_KIND_BOOL;
    case JSON_NULL:
        return JSON_KIND_NULL;
    }
    return JSON_KIND_NONE;
}

const char *json_kind_text(enum json_kind kind)
{
    static const char *const texts[] = {
        [JSON_KIND_NONE] = "nothing",   [JSON_KIND_NULL] = "null",        [JSON_KIND_BOOL] = "true or false",
        [JSON_KIND_INT] = "an integer", [JSON_KIND_REAL] = "a number",    [JSON_KIND_TEXT] = "a string",
        [JSON_KIND_ARRAY] = "an array", [JSON_KIND_OBJECT] = "an object",
    };
    return texts[kind];
}

const struct json *json_get(const struct json *object, const char *key)
{
    return outer(json_object_get(inner(object), key));
}

size_t json_count(const struct json *container)
{
    return json_is_array(inner(container)) ? json_array_size(inner(container))
                                           : json_object_size(inner(container));
}

const struct json *json_at(const struct json *array, size_t i)
{
    return outer(json_array_get(inner(array), i));
}

bool json_next(const struct json *object, struct json_member *member)
{
    json_t *o = inner(object);
    member->place = member->place ? json_object_iter_next(o, member->place) : json_object_iter(o);
    if (!member->place) {
        return false;
    }
    member->key = json_object_iter_key(member->place);
    member->value = outer(json_object_iter_value(member->place));
    return true;
}

const char *json_as_text(const struct json *value)
{
    return json_string_value(inner(value));
}

bool json_as_i64(const struct json *value, int64_t *ret)
{
    if (!json_is_integer(inner(value))) {
        return false;
    }
    *ret = json_integer_value(inner(value));
    return true;
}

bool json_as_bool(const struct json *value, bool *ret)
{
    if (!json_is_boolean(inner(value))) {
        return false;
    }
    *ret = json_is_true(inner(value));
    return true;
}

/* A member of a kind, or why not. An integer is a number as well. */
static int find(const struct json *object, const char *key, enum json_kind kind, const struct json **ret,
                struct err_info *reterr)
{
    const struct json *value = json_get(object, key);
    enum json_kind is = json_kind_of(value);
    if (is == JSON_KIND_NONE || is == JSON_KIND_NULL) {
        return err_set(reterr, ERR_NOT_FOUND, "\"%s\" is missing", key);
    }
    if (is != kind && !(is == JSON_KIND_INT && kind == JSON_KIND_REAL)) {
        return err_set(reterr, ERR_FORMAT, "\"%s\" must be %s, not %s", key, json_kind_text(kind),
                       json_kind_text(is));
    }
    *ret = value;
    return 0;
}

int json_get_text(const struct json *object, const char *key, const char **ret, struct err_info *reterr)
{
    const struct json *value;
    int r = find(object, key, JSON_KIND_TEXT, &value, reterr);
    if (r == 0) {
        *ret = json_as_text(value);
    }
    return r;
}

int json_get_i64(const struct json *object, const char *key, int64_t min, int64_t max, int64_t *ret,
                 struct err_info *reterr)
{
    const struct json *value;
    int r = find(object, key, JSON_KIND_INT, &value, reterr);
    if (r < 0) {
        return r;
    }
    int64_t number = json_integer_value(inner(value));
    if (number < min || number > max) {
        return err_set(reterr, ERR_RANGE, "\"%s\" must be from %lld to %lld", key, (long long)min,
                       (long long)max);
    }
    *ret = number;
    return 0;
}

int json_get_real(const struct json *object, const char *key, double *ret, struct err_info *reterr)
{
    const struct json *value;
    int r = find(object, key, JSON_KIND_REAL, &value, reterr);
    if (r == 0) {
        *ret = json_number_value(inner(value));
    }
    return r;
}

int json_get_bool(const struct json *object, const char *key, bool *ret, struct err_info *reterr)
{
    const struct json *value;
    int r = find(object, key, JSON_KIND_BOOL, &value, reterr);
    if (r == 0) {
        *ret = json_is_true(inner(value));
    }
    return r;
}

int json_get_array(const struct json *object, const char *key, const struct json **ret,
                   struct err_info *reterr)
{
    return find(object, key, JSON_KIND_ARRAY, ret, reterr);
}

int json_get_object(const struct json *object, const char *key, const struct json **ret,
                    struct err_info *reterr)
{
    return find(object, key, JSON_KIND_OBJECT, ret, reterr);
}

static bool has(const struct json *object, const char *key)
{
    enum json_kind kind = json_kind_of(json_get(object, key));
    return kind != JSON_KIND_NONE && kind != JSON_KIND_NULL;
}

int json_opt_text(const struct json *object, const char *key, const char **ret, struct err_info *reterr)
{
    return has(object, key) ? json_get_text(object, key, ret, reterr) : 0;
}

int json_opt_i64(const struct json *object, const char *key, int64_t min, int64_t max, int64_t *ret,
                 struct err_info *reterr)
{
    return has(object, key) ? json_get_i64(object, key, min, max, ret, reterr) : 0;
}

int json_opt_real(const struct json *object, const char *key, double *ret, struct err_info *reterr)
{
    return has(object, key) ? json_get_real(object, key, ret, reterr) : 0;
}

int json_opt_bool(const struct json *object, const char *key, bool *ret, struct err_info *reterr)
{
    return has(object, key) ? json_get_bool(object, key, ret, reterr) : 0;
}

int json_opt_array(const struct json *object, const char *key, const struct json **ret,
                   struct err_info *reterr)
{
    return has(object, key) ? json_get_array(object, key, ret, reterr) : 0;
}

int json_opt_object(const struct json *object, const char *key, const struct json **ret,
                    struct err_info *reterr)
{
    return has(object, key) ? json_get_object(object, key, ret, reterr) : 0;
}

int json_check_members(const struct json *object, const char *const *known, struct err_info *reterr)
{
    enum json_kind kind = json_kind_of(object);
    if (kind != JSON_KIND_OBJECT) {
        return err_set(reterr, ERR_FORMAT, "the value must be an object, not %s", json_kind_text(kind));
    }
    struct json_member member = {0};
    while (json_next(object, &member)) {
        const char *const *name = known;
        while (*name && strcmp(*name, member.key) != 0) {
            name++;
        }
        if (!*name) {
            return err_set(reterr, ERR_FORMAT, "\"%.64s\" is not known here", member.key);
        }
    }
    return 0;
}

/* ---- building */

struct json *json_new_object(void)
{
    return outer(json_object());
}

struct json *json_new_array(void)
{
    return outer(json_array());
}

static bool is_tail(unsigned char c)
{
    return (c & 0xC0) == 0x80;
}

/* How many octets the well-formed character at the start has; 0 when there is none (Unicode, table 3-7), or
 * NUL. */
static size_t utf8_length(const unsigned char *at, size_t len)
{
    unsigned char lead = at[0];
    if (lead < 0x80) {
        return lead != 0;
    }
    if (lead >= 0xC2 && lead <= 0xDF) {
        return len >= 2 && is_tail(at[1]) ? 2 : 0;
    }
    if (lead >= 0xE0 && lead <= 0xEF) {
        unsigned char low = lead == 0xE0 ? 0xA0 : 0x80, high = lead == 0xED ? 0x9F : 0xBF;
        return len >= 3 && at[1] >= low && at[1] <= high && is_tail(at[2]) ? 3 : 0;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        unsigned char low = lead == 0xF0 ? 0x90 : 0x80, high = lead == 0xF4 ? 0x8F : 0xBF;
        return len >= 4 && at[1] >= low && at[1] <= high && is_tail(at[2]) && is_tail(at[3]) ? 4 : 0;
    }
    return 0;
}

/* A string of text that is not UTF-8, with U+FFFD for what does not fit. */
static json_t *mended_text(struct span text)
{
    static const char replacement[] = "\xEF\xBF\xBD";
    if (text.len > SIZE_MAX / 4) {
        return NULL;
    }
    char *mended = secret_alloc(text.len * 3);
    if (!mended) {
        return NULL;
    }
    size_t len = 0;
    for (size_t i = 0; i < text.len;) {
        size_t n = utf8_length((const unsigned char *)text.at + i, text.len - i);
        memcpy(mended + len, n > 0 ? text.at + i : replacement, n > 0 ? n : 3);
        len += n > 0 ? n : 3;
        i += n > 0 ? n : 1;
    }
    json_t *value = json_stringn_nocheck(mended, len);
    secret_free(mended);
    return value;
}

static json_t *new_text(struct span text)
{
    for (size_t i = 0; i < text.len;) {
        size_t n = utf8_length((const unsigned char *)text.at + i, text.len - i);
        if (n == 0) {
            return mended_text(text);
        }
        i += n;
    }
    return json_stringn_nocheck(text.len > 0 ? text.at : "", text.len);
}

static json_t *new_text_or_null(const char *text)
{
    return text ? new_text(span_str(text)) : json_null();
}

static json_t *new_real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static int put(struct json *object, const char *key, json_t *child)
{
    if (object && !json_is_object(inner(object))) {
        json_decref(child);
        return ERR_INTERNAL;
    }
    return json_object_set_new(inner(object), key, child) < 0 ? -ENOMEM
                                                              : 0; /* takes NULL for either, and the child */
}

static int append(struct json *array, json_t *child)
{
    if (array && !json_is_array(inner(array))) {
        json_decref(child);
        return ERR_INTERNAL;
    }
    return json_array_append_new(inner(array), child) < 0 ? -ENOMEM : 0;
}

int json_put_text(struct json *object, const char *key, const char *text)
{
    return put(object, key, new_text_or_null(text));
}

int json_put_span(struct json *object, const char *key, struct span text)
{
    return put(object, key, new_text(text));
}

int json_put_i64(struct json *object, const char *key, int64_t value)
{
    return put(object, key, json_integer(value));
}

int json_put_real(struct json *object, const char *key, double value)
{
    return put(object, key, new_real(value));
}

int json_put_bool(struct json *object, const char *key, bool value)
{
    return put(object, key, json_boolean(value));
}

int json_put_null(struct json *object, const char *key)
{
    return put(object, key, json_null());
}

int json_put(struct json *object, const char *key, struct json *child)
{
    return put(object, key, inner(child));
}

int json_append_text(struct json *array, const char *text)
{
    return append(array, new_text_or_null(text));
}

int json_append_span(struct json *array, struct span text)
{
    return append(array, new_text(text));
}

int json_append_i64(struct json *array, int64_t value)
{
    return append(array, json_integer(value));
}

int json_append_real(struct json *array, double value)
{
    return append(array, new_real(value));
}

int json_append_bool(struct json *array, bool value)
{
    return append(array, json_boolean(value));
}

int json_append(struct json *array, struct json *child)
{
    return append(array, inner(child));
}

void json_drop(struct json *object, const char *key)
{
    json_object_del(inner(object), key); /* of no object, or of no such member: nothing happens */
}

/* ---- writing */

/* Text that grows by doubling; jansson hands it over in small pieces, and goes on behind a refused piece of a
 * member's name: what has failed once takes nothing more. */
struct sink {
    char *at;
    size_t len, size;
    void *(*grow)(void *, size_t);
    bool has_failed;
};

static int take_piece(const char *piece, size_t n, void *ctx)
{
    struct sink *sink = ctx;
    if (sink->has_failed) {
        return -1;
    }
    if (sink->size - sink->len <= n) {
        size_t size = sink->size * 2 + n + 1;
        char *at = sink->grow(sink->at, size);
        if (!at) {
            sink->has_failed = true;
            return -1;
        }
        sink->at = at;
        sink->size = size;
    }
    memcpy(sink->at + sink->len, piece, n);
    sink->len += n;
    return 0;
}

static int dump(const struct json *value, enum json_form form, struct sink *sink)
{
    static const size_t flags[] = {
        [JSON_FORM_COMPACT] = JSON_COMPACT | JSON_REAL_PRECISION(15),
        [JSON_FORM_CANONICAL] = JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17),
        [JSON_FORM_PRETTY] = JSON_INDENT(2) | JSON_REAL_PRECISION(15),
    };
    int r = value ? json_dump_callback(inner(value), take_piece, sink, flags[form] | JSON_ENCODE_ANY) : -1;
    return r == 0 ? take_piece("", 1, sink) : -1;
}

char *json_dump(const struct json *value, enum json_form form)
{
    struct sink sink = {.grow = realloc};
    if (dump(value, form, &sink) < 0) {
        free(sink.at);
        return NULL;
    }
    return sink.at;
}

char *json_dump_secret(const struct json *value, enum json_form form, size_t *ret_len)
{
    struct sink sink = {.grow = secret_realloc};
    if (dump(value, form, &sink) < 0) {
        secret_free(sink.at);
        return NULL;
    }
    if (ret_len) {
        *ret_len = sink.len - 1;
    }
    return sink.at;
}
