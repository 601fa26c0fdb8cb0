#include "exchange/template.h"

#include <string.h>

enum filter { FILTER_NONE, FILTER_CSV, FILTER_QUOTED, FILTER_JSON };

static const char *const field_names[TEMPLATE_FIELDS] = {
#define X(name, text) [name] = text,
    TEMPLATE_FIELD_LIST(X)
#undef X
};

/* What stands in one pair of braces. */
struct place {
    enum template_field field;
    enum filter filter;
};

/* The content of the braces → *ret. False: there is no such thing. */
static bool read_place(struct span name, struct place *ret)
{
    static const char *const filters[] = {
        [FILTER_CSV] = "|csv", [FILTER_QUOTED] = "|quoted", [FILTER_JSON] = "|json"};
    const char *bar = memchr(name.at, '|', name.len);
    struct span word = span_of(name.at, bar != NULL ? (size_t)(bar - name.at) : name.len);
    ret->filter = FILTER_NONE;
    for (size_t i = FILTER_CSV; bar != NULL && i <= FILTER_JSON; i++) {
        if (span_is(span_skip(name, word.len), filters[i])) {
            ret->filter = (enum filter)i;
        }
    }
    if (bar != NULL && ret->filter == FILTER_NONE) {
        return false;
    }
    for (int i = 0; i < TEMPLATE_FIELDS; i++) {
        if (span_is(word, field_names[i])) {
            ret->field = (enum template_field)i;
            return true;
        }
    }
    return false;
}

static int complain(struct span text, const char *at, struct err_info *reterr, const char *what)
{
    int line = 1, column = 1;
    for (const char *c = text.at; c < at; c++) {
        line += *c == '\n';
        column = *c == '\n' ? 1 : column + 1;
    }
    return err_set_at(reterr, ERR_FORMAT, line, column, "%s", what);
}

/* ---- parts */

/* Where the next line "%%" begins, or `end`; *ret_behind is the place behind it. */
static const char *find_mark(const char *at, const char *end, const char **ret_behind)
{
    for (const char *line = at; line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        const char *behind = stop != NULL ? stop + 1 : end;
        size_t n = (size_t)((stop != NULL ? stop : end) - line);
        n -= n > 0 && line[n - 1] == '\r';
        if (n == 2 && memcmp(line, "%%", 2) == 0) {
            *ret_behind = behind;
            return line;
        }
        line = behind;
    }
    *ret_behind = end;
    return end;
}

static int split(struct span text, struct template *ret, struct err_info *reterr)
{
    const char *at = text.at, *end = text.at + text.len, *behind;
    struct span parts[3] = {{0}};
    size_t n = 0;
    for (;;) {
        const char *mark = find_mark(at, end, &behind);
        if (n == 3) {
            return complain(text, at, reterr, "a template has three parts at most");
        }
        parts[n++] = span_of(at, (size_t)(mark - at));
        if (mark == end) {
            break;
        }
        at = behind;
    }
    *ret = n == 1 ? (struct template){.row = parts[0]}
                  : (struct template){.before = parts[0], .row = parts[1], .after = parts[2]};
    return ret->row.len > 0 ? 0 : err_set(reterr, ERR_FORMAT, "the part for each board is empty");
}

/* `fields`: where the names that were met are noted; NULL: none may stand here. */
static int check_part(struct span text, struct span part, uint32_t *fields, struct err_info *reterr)
{
    for (size_t i = 0; i < part.len; i++) {
        if (part.at[i] != '{') {
            continue;
        }
        if (i + 1 < part.len && part.at[i + 1] == '{') {
            i++;
            continue;
        }
        const char *close = memchr(part.at + i, '}', part.len - i);
        struct place place;
        if (close == NULL) {
            return complain(text, part.at + i, reterr, "a brace is opened and not closed; {{ is a brace");
        }
        struct span name = span_of(part.at + i + 1, (size_t)(close - part.at) - i - 1);
        if (!read_place(name, &place)) {
            return complain(text, part.at + i, reterr, "there is no such name, or no such filter behind it");
        }
        if (fields == NULL) {
            return complain(text, part.at + i, reterr, "names stand only in the part for each board");
        }
        *fields |= UINT32_C(1) << place.field;
        i += name.len + 1;
    }
    return 0;
}

int template_read(struct span text, struct template *ret, struct err_info *reterr)
{
    if (text.len > TEMPLATE_SIZE_MAX || (text.len > 0 && memchr(text.at, '\0', text.len) != NULL)) {
        return err_set(reterr, ERR_FORMAT, "a template is text of at most 64 KiB");
    }
    int rc = split(text, ret, reterr);
    rc = rc != 0 ? rc : check_part(text, ret->before, NULL, reterr);
    rc = rc != 0 ? rc : check_part(text, ret->row, &ret->fields, reterr);
    return rc != 0 ? rc : check_part(text, ret->after, NULL, reterr);
}

/* ---- writing */

static bool is_plain(struct span value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.at[i];
        if (c < ' ' || c == 0x7F || c == ',' || c == '"' || c == '\\') {
            return false;
        }
    }
    return true;
}

static int write_value(const struct place *place, struct span value, struct text *out,
                       struct err_info *reterr)
{
    switch (place->filter) {
    case FILTER_NONE:
        if (place->field != FIELD_COMMA && !is_plain(value)) {
            return err_set(reterr, ERR_REFUSED, "{%s} has characters that need |csv, |quoted or |json",
                           field_names[place->field]);
        }
        text_add(out, value);
        return 0;
    case FILTER_CSV:
    case FILTER_QUOTED:
        text_add_csv(out, value, place->filter == FILTER_QUOTED);
        return 0;
    case FILTER_JSON:
        text_add_json(out, value);
        return 0;
    }
    return ERR_INTERNAL;
}

int template_write(struct span part, const struct span *values, struct text *out, struct err_info *reterr)
{
    while (part.len > 0) {
        const char *brace = memchr(part.at, '{', part.len);
        size_t n = brace != NULL ? (size_t)(brace - part.at) : part.len;
        text_add(out, span_of(part.at, n));
        part = span_skip(part, n);
        if (part.len >= 2 && part.at[1] == '{') {
            text_add_str(out, "{");
            part = span_skip(part, 2);
            continue;
        }
        if (part.len == 0) {
            break;
        }
        struct place place;
        const char *close = memchr(part.at, '}', part.len);
        size_t len = close != NULL ? (size_t)(close - part.at) : 0;
        if (close == NULL || values == NULL || !read_place(span_of(part.at + 1, len - 1), &place)) {
            return err_set(reterr, ERR_INTERNAL, "the template was not checked");
        }
        int rc = write_value(&place, values[place.field], out, reterr);
        if (rc != 0) {
            return rc;
        }
        part = span_skip(part, len + 1);
    }
    return 0;
}
