/*
 * at/reply: the first octet chooses the prefix, the second and third which kinds of fields are read, the rest
 * is one line. Properties: what is handed out lies in the line; what was found there is what it is said to
 * be; a number that was read is written again as it stood, leading noughts aside; the first failure sticks.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "at/reply.h"
#include "base/buf.h"
#include "support/fuzz.h"

static const char *const prefixes[] = {"%CMNG:", "", NULL, "+CEREG:"};

static void check_class(struct span line, const char *prefix)
{
    int code = -77;
    enum reply_class class = reply_classify(line, prefix, &code);
    size_t urc = reply_find_urc(line, prefix), banner = reply_find_banner(line);

    assert((class == REPLY_CME) == (code != -77) && (code == -77 || code >= -1));
    assert(class != REPLY_INFO || (prefix != NULL && *prefix != '\0' && span_starts(line, prefix)));
    assert(class != REPLY_OK || span_is(line, "OK"));
    assert(class != REPLY_ERROR || span_is(line, "ERROR") || span_starts(line, "Sending AT command failed"));
    if (urc > 0) {
        assert(urc < line.len);
        assert(reply_classify(span_skip(line, urc), prefix, &code) == REPLY_URC);
    }
    if (banner > 0) {
        assert(banner < line.len);
        assert(reply_classify(span_skip(line, banner), NULL, &code) == REPLY_BANNER);
    }
}

static bool lies_in(struct span text, struct span line)
{
    return text.at >= line.at && text.at + text.len <= line.at + line.len;
}

static void check_number(uint32_t value, const struct cursor *before, const struct cursor *after)
{
    char text[12];
    struct buf b;
    struct span field = span_of(before->rest.at, before->rest.len - after->rest.len);

    buf_init(&b, text, sizeof(text));
    buf_add_u64(&b, value);
    while (field.len > 0 && memchr(", \t\r\n", field.at[field.len - 1], 5))
        field.len--;
    while (field.len > 0 && memchr(", \t\r\n0", field.at[0], 6))
        field = span_skip(field, 1);
    assert(value == 0 ? field.len == 0 : span_is(field, text));
}

static bool read_field(struct cursor *c, unsigned kind, struct span line)
{
    struct cursor before = *c;
    uint32_t u = 77;
    int64_t n = 77;
    struct span text = span_of(line.at, 0);
    bool is_read;

    switch (kind % 5) {
    case 0:
        is_read = cursor_u32(c, &u);
        if (is_read)
            check_number(u, &before, c);
        assert(is_read || u == 77);
        return is_read;
    case 1:
        is_read = cursor_int(c, &n);
        assert(is_read || n == 77);
        return is_read;
    case 2:
        is_read = cursor_string(c, &text);
        assert(lies_in(text, line) && (text.len == 0 || !memchr(text.at, '"', text.len)));
        return is_read;
    case 3:
        is_read = cursor_word(c, &text);
        assert(lies_in(text, line) && (text.len == 0 || !memchr(text.at, ',', text.len)));
        return is_read;
    default:
        return cursor_skip(c);
    }
}

static void check_fields(struct span line, const char *prefix, unsigned kinds)
{
    struct cursor c = cursor_begin(line, prefix ? prefix : "");
    bool is_good = !c.is_bad;

    for (int i = 0; i < 12; i++, kinds = kinds / 5 + kinds * 7) {
        bool is_read = read_field(&c, kinds, line);

        assert(is_good || !is_read);
        is_good = is_read;
        assert(c.is_bad == !is_good);
        assert(!(cursor_end(&c) && cursor_has_more(&c)));
        assert(is_good || (!cursor_end(&c) && !cursor_has_more(&c)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy; /* of its own size, so that a step beyond its end is found */
    const char *prefix;
    struct span line;

    if (size < 4)
        return 0;
    prefix = prefixes[data[0] % 4];
    copy = malloc(size - 3);
    assert(copy);
    memcpy(copy, data + 3, size - 3);
    line = span_of(copy, size - 3);
    check_class(line, prefix);
    check_fields(line, prefix, data[1] | (unsigned)data[2] << 8);
    free(copy);
    return 0;
}
