/*
 * A target is read strictly, since two readers that differ about one are how requests get past checks:
 * characters outside RFC 3986 are refused and not repaired, an escape must be two hexadecimal digits, and
 * nothing decodes to a control character, NUL least of all. Decoding happens once and after splitting, so
 * "%2F" is part of a segment and
 * ".." means nothing.
 *
 * In a query "+" is a blank, as forms and URLSearchParams write it.
 */
#include "api/request.h"

#include <assert.h>
#include <string.h>

const char *method_name(enum method method)
{
    switch (method) {
#define X(name, text)                                                                                        \
    case name:                                                                                               \
        return text;
        METHOD_LIST(X)
#undef X
    }
    return "?";
}

enum method method_from_name(const char *name)
{
#define X(method, text)                                                                                      \
    if (strcmp(name, text) == 0) {                                                                           \
        return method;                                                                                       \
    }
    METHOD_LIST(X)
#undef X
    return METHOD_OTHER;
}

/* RFC 3986: what may stand in a path segment or a query besides escapes; "/" and "?" are the caller's. */
static bool is_plain(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && strchr("-._~!$&'()*+,;=:@", c) != NULL);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes `in` to *to, NUL-terminated, and moves *to behind it. Never writes more than in.len + 1 octets. */
static int decode(struct span in, bool is_query, char **to, struct err_info *reterr)
{
    char *out = *to;

    for (size_t i = 0; i < in.len; i++) {
        char c = in.at[i];
        if (c == '%') {
            int high = i + 2 < in.len ? hex_value(in.at[i + 1]) : -1;
            int low = i + 2 < in.len ? hex_value(in.at[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return err_set(reterr, ERR_FORMAT,
                               "a %% in the target is not followed by two hexadecimal digits");
            }
            c = (char)(high * 16 + low);
            if ((unsigned char)c < 0x20 || c == 0x7f) {
                return err_set(reterr, ERR_FORMAT, "the target holds an escaped control character");
            }
            i += 2;
        } else if (is_query && c == '+') {
            c = ' ';
        } else if (!is_plain(c) && !(is_query && (c == '/' || c == '?'))) {
            return err_set(reterr, ERR_FORMAT, "the target holds a character that must be escaped");
        }
        *out++ = c;
    }
    *out++ = '\0';
    *to = out;
    return 0;
}

/* The part up to `end`, which is skipped; *rest is what follows it, and *is_last tells that there was no
 * `end`. */
static struct span cut(struct span *rest, char end, bool *is_last)
{
    const char *at = rest->len > 0 ? memchr(rest->at, end, rest->len) : NULL;
    struct span part = span_of(rest->at, at != NULL ? (size_t)(at - rest->at) : rest->len);

    *is_last = at == NULL;
    *rest = span_skip(*rest, part.len + 1);
    return part;
}

static int read_path(struct request *r, struct span path, char **to, struct err_info *reterr)
{
    struct span rest = span_skip(path, 1);

    if (rest.len == 0) {
        return 0;
    }
    for (bool is_last = false; !is_last;) {
        struct span part = cut(&rest, '/', &is_last);
        if (r->n_segments == REQUEST_SEGMENTS_MAX) {
            return err_set(reterr, ERR_RANGE, "the path has too many parts");
        }
        r->segments[r->n_segments++] = *to;
        int rc = decode(part, false, to, reterr);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static int read_param(struct request *r, struct span part, char **to, struct err_info *reterr)
{
    bool has_no_value;
    struct span value = part;
    struct span name = cut(&value, '=', &has_no_value);

    if (r->n_params == REQUEST_PARAMS_MAX) {
        return err_set(reterr, ERR_RANGE, "the query has more than %d parameters", REQUEST_PARAMS_MAX);
    }
    struct request_param param = {.name = *to};
    int rc = decode(name, true, to, reterr);
    if (rc < 0) {
        return rc;
    }
    if (has_no_value) {
        param.value = "";
    } else {
        param.value = *to;
        rc = decode(value, true, to, reterr);
        if (rc < 0) {
            return rc;
        }
    }
    if (request_param(r, param.name) != NULL) {
        return err_set(reterr, ERR_FORMAT, "the query gives %s twice", param.name);
    }
    r->params[r->n_params++] = param;
    return 0;
}

static int read_query(struct request *r, struct span query, char **to, struct err_info *reterr)
{
    for (bool is_last = query.len == 0; !is_last;) {
        struct span part = cut(&query, '&', &is_last);
        int rc = part.len > 0 ? read_param(r, part, to, reterr) : 0;
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

int request_set_target(struct request *r, struct span target, struct err_info *reterr)
{
    bool has_no_query;
    struct span query = target;
    struct span path = cut(&query, '?', &has_no_query);
    char *to = r->memory;

    r->n_segments = 0;
    r->n_params = 0;
    if (target.len > REQUEST_TARGET_MAX) {
        return err_set(reterr, ERR_RANGE, "the target is longer than %d octets", REQUEST_TARGET_MAX);
    }
    if (path.len == 0 || path.at[0] != '/') {
        return err_set(reterr, ERR_FORMAT, "the target must begin with a slash");
    }

    /* Each part is preceded by a separator, whose octet makes room for the part's NUL: the memory suffices.
     */
    int rc = read_path(r, path, &to, reterr);
    if (rc == 0) {
        rc = read_query(r, query, &to, reterr);
    }
    if (rc < 0) {
        r->n_segments = 0;
        r->n_params = 0;
        return rc;
    }
    assert(to <= r->memory + sizeof(r->memory));
    return 0;
}

const char *request_param(const struct request *r, const char *name)
{
    for (size_t i = 0; i < r->n_params; i++) {
        if (strcmp(r->params[i].name, name) == 0) {
            return r->params[i].value;
        }
    }
    return NULL;
}

int request_param_i64(const struct request *r, const char *name, int64_t min, int64_t max, int64_t *ret,
                      struct err_info *reterr)
{
    const char *text = request_param(r, name);
    int64_t value = 0;

    if (text == NULL) {
        return 0;
    }
    if (*text == '\0') {
        return err_set(reterr, ERR_FORMAT, "%s must be a whole number", name);
    }
    for (const char *p = text; *p != '\0'; p++) {
        if (*p < '0' || *p > '9') {
            return err_set(reterr, ERR_FORMAT, "%s must be a whole number", name);
        }
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *p - '0', &value)) {
            return err_set(reterr, ERR_RANGE, "%s is too large", name);
        }
    }
    if (value < min || value > max) {
        return err_set(reterr, ERR_RANGE, "%s must be %lld to %lld", name, (long long)min, (long long)max);
    }
    *ret = value;
    return 0;
}

bool request_param_is_true(const struct request *r, const char *name)
{
    const char *text = request_param(r, name);

    return text != NULL && strcmp(text, "true") == 0;
}

static bool is_listed(const char *const *list, const char *name)
{
    for (; list != NULL && *list != NULL; list++) {
        if (strcmp(*list, name) == 0) {
            return true;
        }
    }
    return false;
}

int request_check_params(const struct request *r, const char *const *known, struct err_info *reterr)
{
    static const char *const switches[] = {"dry_run", "skipped", NULL};
    static const char *const truths[] = {"true", "false", NULL};

    for (size_t i = 0; i < r->n_params; i++) {
        if (!is_listed(known, r->params[i].name)) {
            return err_set(reterr, ERR_FORMAT, "there is no parameter %.40s here", r->params[i].name);
        }
        if (is_listed(switches, r->params[i].name) && !is_listed(truths, r->params[i].value)) {
            return err_set(reterr, ERR_FORMAT, "%s is true or false", r->params[i].name);
        }
    }
    return 0;
}
