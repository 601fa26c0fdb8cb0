/* Bounded text building without printf: at/ and job/ may leave nothing undefined but mem* and str*. */
#include "base/buf.h"

#include <assert.h>
#include <string.h>

void buf_init(struct buf *b, char *memory, size_t size)
{
    assert(size > 0);
    *b = (struct buf){.at = memory, .size = size};
    b->at[0] = '\0';
}

void buf_add(struct buf *b, struct span text)
{
    if (b->is_cut || text.len >= b->size - b->len) {
        b->is_cut = b->is_cut || text.len > 0;
        return;
    }
    if (text.len > 0) {
        memcpy(b->at + b->len, text.at, text.len);
    }
    b->len += text.len;
    b->at[b->len] = '\0';
}

void buf_add_str(struct buf *b, const char *text)
{
    buf_add(b, span_str(text));
}

void buf_add_char(struct buf *b, char c)
{
    buf_add(b, span_of(&c, 1));
}

void buf_add_u64(struct buf *b, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    buf_add(b, span_of(digits + at, sizeof(digits) - at));
}

void buf_add_i64(struct buf *b, int64_t value)
{
    if (value < 0) {
        buf_add_char(b, '-');
        buf_add_u64(b, (uint64_t)0 - (uint64_t)value);
        return;
    }
    buf_add_u64(b, (uint64_t)value);
}

void buf_add_hex(struct buf *b, const uint8_t *octets, size_t n)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < n; i++) {
        char pair[2] = {digits[octets[i] >> 4], digits[octets[i] & 15]};
        buf_add(b, span_of(pair, 2));
    }
}

void buf_copy(char *to, size_t size, struct span text)
{
    size_t n = text.len < size ? text.len : size - 1;
    if (n > 0) {
        memcpy(to, text.at, n);
    }
    to[n] = '\0';
}
