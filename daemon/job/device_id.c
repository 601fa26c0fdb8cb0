/*
 * A scheme is walked piece by piece beside the name: text, {imei}, {uuid}, and the open end. Making and
 * judging a name are the same walk, so that they cannot disagree.
 */
#include "job/device_id.h"

#include <string.h>

#include "base/buf.h"
#include "job/check.h"

#define IMEI_DIGITS 15
#define UUID_LEN    36

static const struct cloud {
    const char *name, *characters;
    size_t most;
} clouds[] = {
#define X(id, text, characters, most, words) [id] = {text, characters, most},
    DEVICE_CLOUD_LIST(X)
#undef X
};

const char *device_cloud_name(enum device_cloud cloud)
{
    return clouds[cloud].name;
}

/* The words that stand for templates. */
static const char *template_of(const char *scheme)
{
    static const struct {
        const char *word, *text;
    } words[] = {{"any", "*"}, {"", "*"}, {"uuid", "{uuid}"}, {"imei", "{imei}"}, {"nrf-imei", "nrf-{imei}"}};
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if (strcmp(words[i].word, scheme) == 0) {
            return words[i].text;
        }
    }
    return scheme;
}

/* Empty in a product that was not made by the configuration. */
static bool is_any(const char *scheme)
{
    return *scheme == '\0' || strcmp(scheme, "any") == 0;
}

/* ---- pieces of a template */

enum piece_kind { PIECE_END, PIECE_TEXT, PIECE_IMEI, PIECE_UUID, PIECE_OPEN, PIECE_BAD };

static enum piece_kind next_piece(struct span *rest, struct span *text)
{
    static const struct {
        const char *mark;
        enum piece_kind kind;
    } marks[] = {{"{imei}", PIECE_IMEI}, {"{uuid}", PIECE_UUID}, {"*", PIECE_OPEN}};
    if (rest->len == 0) {
        return PIECE_END;
    }
    for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++) {
        if (span_starts(*rest, marks[i].mark)) {
            *rest = span_skip(*rest, strlen(marks[i].mark));
            return marks[i].kind == PIECE_OPEN && rest->len > 0 ? PIECE_BAD : marks[i].kind;
        }
    }
    size_t n = 0;
    while (n < rest->len && strchr("{}*", rest->at[n]) == NULL) {
        n++;
    }
    *text = span_of(rest->at, n);
    *rest = span_skip(*rest, n);
    return n > 0 ? PIECE_TEXT : PIECE_BAD;
}

/* How often a piece of this kind stands in it. */
static unsigned count(const char *scheme, enum piece_kind wanted)
{
    struct span rest = span_str(template_of(scheme)), text;
    unsigned n = 0;
    enum piece_kind kind;
    while ((kind = next_piece(&rest, &text)) != PIECE_END && kind != PIECE_BAD) {
        n += kind == wanted;
    }
    return n + (kind == wanted);
}

static bool is_allowed(enum device_cloud cloud, char c)
{
    const char *characters = clouds[cloud].characters;
    return *characters != '\0' ? c != '\0' && strchr(characters, c) != NULL : c > ' ' && c <= '~' && c != '"';
}

bool device_scheme_is_valid(const char *scheme, enum device_cloud cloud)
{
    struct span rest = span_str(template_of(scheme)), text;
    size_t len = 0;
    enum piece_kind kind;
    while ((kind = next_piece(&rest, &text)) != PIECE_END && kind != PIECE_BAD) {
        for (size_t i = 0; kind == PIECE_TEXT && i < text.len; i++) {
            if (!is_allowed(cloud, text.at[i])) {
                return false;
            }
        }
        len += kind == PIECE_TEXT   ? text.len
               : kind == PIECE_IMEI ? IMEI_DIGITS
               : kind == PIECE_UUID ? UUID_LEN
                                    : 1;
    }
    bool is_of_board = count(scheme, PIECE_IMEI) + count(scheme, PIECE_UUID) + count(scheme, PIECE_OPEN) > 0;
    return kind == PIECE_END && is_of_board && scheme[0] != '\0' && strlen(scheme) < DEVICE_SCHEME_SIZE &&
           len <= clouds[cloud].most && count(scheme, PIECE_IMEI) <= 1 && count(scheme, PIECE_UUID) <= 1;
}

bool device_scheme_needs_imei(const char *scheme)
{
    return count(scheme, PIECE_IMEI) > 0;
}

bool device_scheme_is_open(const char *scheme)
{
    return count(scheme, PIECE_OPEN) > 0;
}

size_t device_id_make(const char *scheme, const char *imei, const char *uuid, const char *rest_text,
                      char out[DEVICE_ID_SIZE])
{
    struct span rest = span_str(template_of(scheme)), text;
    struct buf name;
    buf_init(&name, out, DEVICE_ID_SIZE);
    for (;;) {
        const char *part = NULL;
        switch (next_piece(&rest, &text)) {
        case PIECE_END:
            return name.is_cut ? 0 : name.len;
        case PIECE_BAD:
            return 0;
        case PIECE_TEXT:
            buf_add(&name, text);
            continue;
        case PIECE_IMEI:
            part = imei;
            break;
        case PIECE_UUID:
            part = uuid;
            break;
        case PIECE_OPEN:
            part = rest_text;
            break;
        }
        if (part == NULL || *part == '\0') {
            return 0;
        }
        buf_add_str(&name, part);
    }
}

/* ---- judging */

/* Lower-case 8-4-4-4-12, as the modem says it. */
static bool is_uuid(struct span text)
{
    for (size_t i = 0; i < UUID_LEN && i < text.len; i++) {
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        char c = text.at[i];
        if (is_dash ? c != '-' : c == '\0' || strchr("0123456789abcdef", c) == NULL) {
            return false;
        }
    }
    return text.len >= UUID_LEN;
}

/* One of the two kinds of number at the beginning of `name`: its form, and whose it is. */
static enum device_fault take_number(struct span *name, size_t len, bool is_good_form, const char *wanted)
{
    if (!is_good_form) {
        return DEVICE_SCHEME;
    }
    struct span number = span_of(name->at, len);
    *name = span_skip(*name, len);
    return wanted != NULL && *wanted != '\0' && !span_is(number, wanted) ? DEVICE_OTHER : DEVICE_GOOD;
}

static enum device_fault check_form(const char *scheme, const char *imei, const char *uuid, struct span name)
{
    struct span rest = span_str(template_of(scheme)), text;
    enum device_fault fault = DEVICE_GOOD;
    while (fault == DEVICE_GOOD) {
        switch (next_piece(&rest, &text)) {
        case PIECE_END:
            return name.len == 0 ? DEVICE_GOOD : DEVICE_SCHEME;
        case PIECE_BAD:
            return DEVICE_SCHEME;
        case PIECE_TEXT:
            if (name.len < text.len || !span_eq(span_of(name.at, text.len), text)) {
                return DEVICE_SCHEME;
            }
            name = span_skip(name, text.len);
            break;
        case PIECE_IMEI:
            fault = take_number(&name, IMEI_DIGITS,
                                name.len >= IMEI_DIGITS && check_imei(span_of(name.at, IMEI_DIGITS)), imei);
            break;
        case PIECE_UUID:
            fault = take_number(&name, UUID_LEN, is_uuid(name), uuid);
            break;
        case PIECE_OPEN:
            return name.len > 0 ? DEVICE_GOOD : DEVICE_SCHEME;
        }
    }
    return fault;
}

enum device_fault device_id_check(const char *scheme, enum device_cloud cloud, const char *imei,
                                  const char *uuid, struct span name)
{
    if (is_any(scheme) && cloud == CLOUD_NONE) {
        return DEVICE_GOOD; /* it may have no name at all */
    }
    if (name.len == 0) {
        return DEVICE_MISSING;
    }
    if (name.len > clouds[cloud].most) {
        return DEVICE_LENGTH;
    }
    for (size_t i = 0; i < name.len; i++) {
        if (!is_allowed(cloud, name.at[i])) {
            return DEVICE_CHARACTER;
        }
    }
    return check_form(scheme, imei, uuid, name);
}

const char *device_fault_text(enum device_fault fault)
{
    static const char *const texts[] = {
        [DEVICE_GOOD] = "",
        [DEVICE_MISSING] = "there is no common name",
        [DEVICE_LENGTH] = "the common name is longer than the cloud takes",
        [DEVICE_CHARACTER] = "the common name has a character that the cloud does not take",
        [DEVICE_SCHEME] = "the common name is not of the product's device_id",
        [DEVICE_OTHER] = "the common name is another board's",
    };
    return texts[fault];
}

bool device_id_imei(const char *scheme, struct span name, struct span *ret)
{
    static const char *const usual[] = {"imei", "nrf-imei"};
    for (size_t i = 0; i < (is_any(scheme) ? 2 : 1); i++) {
        const char *form = is_any(scheme) ? usual[i] : scheme;
        if (!device_scheme_needs_imei(form) || check_form(form, NULL, NULL, name) != DEVICE_GOOD) {
            continue;
        }
        /* The form holds, so it stands where the pieces before it end. */
        struct span rest = span_str(template_of(form)), text;
        for (enum piece_kind kind; (kind = next_piece(&rest, &text)) != PIECE_IMEI;) {
            name = span_skip(name, kind == PIECE_UUID ? UUID_LEN : text.len);
        }
        *ret = span_of(name.at, IMEI_DIGITS);
        return true;
    }
    return false;
}
