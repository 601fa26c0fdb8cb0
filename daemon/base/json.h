/*
 * JSON: parse, read, build, write. The one door to jansson; nobody else sees its types.
 *
 * A value is a tree with one owner. json_parse and json_new_* hand out a root, json_free takes it back with
 * everything in it. A value that is put into another one belongs to that one from then on. What json_get,
 * json_at and json_next return is borrowed: it lives until its root is freed or the member is replaced or
 * dropped. Trees are not locked: one thread at a time.
 *
 * Every octet that a tree or its parser held is wiped when it is given back, so that text which carries keys
 * may be parsed. It is not locked into memory as base/secret.h's is: a tree lives for one request. Text that
 * came in or goes out lies in the caller's own buffer (json_dump_secret for what may hold a secret).
 */
#ifndef CERTLINE_BASE_JSON_H
#define CERTLINE_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

struct json;

enum json_kind {
    JSON_KIND_NONE, /* no value at all: what json_get says of an absent member */
    JSON_KIND_NULL,
    JSON_KIND_BOOL,
    JSON_KIND_INT,
    JSON_KIND_REAL,
    JSON_KIND_TEXT,
    JSON_KIND_ARRAY,
    JSON_KIND_OBJECT,
};

/* ---- parsing */

#define JSON_DEPTH_USUAL 16   /* deep enough for all that Certline itself reads */
#define JSON_DEPTH_MAX   1000 /* the most that may be asked for */

/*
 * Parses the whole of `text`, any value at the top. Refuses duplicate keys, invalid UTF-8, U+0000 and
 * containers nested deeper than `depth_max` (1 to JSON_DEPTH_MAX). Returns 0; ERR_FORMAT; ERR_RANGE for a
 * number that fits neither int64 nor double; -ENOMEM. `reterr` has line and column, and never quotes the
 * text, which may be secret.
 */
int json_parse(struct span text, unsigned depth_max, struct json **ret, struct err_info *reterr);

/* Wipes and gives back the tree. NULL is allowed. */
void json_free(struct json *root);

/* A tree of its own, equal to `value`; NULL for NULL or without memory. */
struct json *json_clone(const struct json *value);

/* Same kinds and contents; the order of members does not matter. Two NULLs are equal. */
bool json_is_equal(const struct json *a, const struct json *b);

/* ---- reading. A NULL value is allowed everywhere and counts as absent. */

enum json_kind json_kind_of(const struct json *value);

/* "a string", "an object" … for messages. */
const char *json_kind_text(enum json_kind kind);

/* The member, or NULL when it is absent or `object` is none. JSON's null is a value here. */
const struct json *json_get(const struct json *object, const char *key);

/* Elements of an array or members of an object; 0 for anything else. */
size_t json_count(const struct json *container);

/* Element i of an array, from 0; NULL beyond its end. */
const struct json *json_at(const struct json *array, size_t i);

/* One member after the other, in the order they were parsed or put: start with `struct json_member m = {0};`
 * and call while it returns true. The object must not change meanwhile. */
struct json_member {
    const char *key;
    const struct json *value;
    void *place; /* the iterator's own */
};
bool json_next(const struct json *object, struct json_member *member);

/* The value itself; NULL or false when it is of another kind, and *ret is left alone. A text has no NUL
 * inside. */
const char *json_as_text(const struct json *value);
bool json_as_i64(const struct json *value, int64_t *ret);
bool json_as_bool(const struct json *value, bool *ret);

/*
 * A member that must be there: 0; ERR_NOT_FOUND when it is absent or null; ERR_FORMAT when it is of another
 * kind; ERR_RANGE. *ret is left alone on failure. `reterr` names the member, not its content.
 *
 * For an optional member preset *ret with the default and use json_opt_*, which return 0 for an absent one.
 */
int json_get_text(const struct json *object, const char *key, const char **ret, struct err_info *reterr);
int json_get_i64(const struct json *object, const char *key, int64_t min, int64_t max, int64_t *ret,
                 struct err_info *reterr);
int json_get_real(const struct json *object, const char *key, double *ret, struct err_info *reterr);
int json_get_bool(const struct json *object, const char *key, bool *ret, struct err_info *reterr);
int json_get_array(const struct json *object, const char *key, const struct json **ret,
                   struct err_info *reterr);
int json_get_object(const struct json *object, const char *key, const struct json **ret,
                    struct err_info *reterr);

int json_opt_text(const struct json *object, const char *key, const char **ret, struct err_info *reterr);
int json_opt_i64(const struct json *object, const char *key, int64_t min, int64_t max, int64_t *ret,
                 struct err_info *reterr);
int json_opt_real(const struct json *object, const char *key, double *ret, struct err_info *reterr);
int json_opt_bool(const struct json *object, const char *key, bool *ret, struct err_info *reterr);
int json_opt_array(const struct json *object, const char *key, const struct json **ret,
                   struct err_info *reterr);
int json_opt_object(const struct json *object, const char *key, const struct json **ret,
                    struct err_info *reterr);

/* That `object` is an object and has no member but those of the NULL-terminated list: 0 or ERR_FORMAT, naming
 * the stranger. */
int json_check_members(const struct json *object, const char *const *known, struct err_info *reterr);

/* ---- building */

/* Empty; NULL without memory. */
struct json *json_new_object(void);
struct json *json_new_array(void);

/*
 * Puts a member into an object, in place of one with the same key. 0, or negative: -ENOMEM, or ERR_INTERNAL
 * when `object` is none. Results may be OR-ed: no failure stays 0, any failure stays negative. A NULL object
 * is -ENOMEM, so that json_new_object need not be checked apart.
 *
 * Text that is not UTF-8 (a board can say anything) gets U+FFFD in place of each octet that does not fit, and
 * of NUL. A NULL text is put as null, as is a real that is not finite. `key` must be UTF-8; it is copied.
 */
int json_put_text(struct json *object, const char *key, const char *text);
int json_put_span(struct json *object, const char *key, struct span text);
int json_put_i64(struct json *object, const char *key, int64_t value);
int json_put_real(struct json *object, const char *key, double value);
int json_put_bool(struct json *object, const char *key, bool value);
int json_put_null(struct json *object, const char *key);

/* Takes `child` over, also when it fails. A NULL child is -ENOMEM. */
int json_put(struct json *object, const char *key, struct json *child);

/* The same for an array's end. */
int json_append_text(struct json *array, const char *text);
int json_append_span(struct json *array, struct span text);
int json_append_i64(struct json *array, int64_t value);
int json_append_real(struct json *array, double value);
int json_append_bool(struct json *array, bool value);
int json_append(struct json *array, struct json *child);

/* Removes and frees a member; nothing happens when there is none. */
void json_drop(struct json *object, const char *key);

/* ---- writing */

enum json_form {
    JSON_FORM_COMPACT,   /* no blanks, members in their order; reals with 15 digits */
    JSON_FORM_CANONICAL, /* no blanks, members sorted by their keys' octets at every level, UTF-8 as it is,
                            only the escapes that JSON demands, reals with 17 digits: equal trees give equal
                            octets. What the audit chain hashes */
    JSON_FORM_PRETTY,    /* indented by two blanks, for people */
};

/* NUL-terminated; the caller free()s it. NULL without memory. */
char *json_dump(const struct json *value, enum json_form form);

/* The same in secret memory, for what may hold a key: the caller gives it to secret_free. `ret_len` may be
 * NULL. */
char *json_dump_secret(const struct json *value, enum json_form form, size_t *ret_len);

#endif
