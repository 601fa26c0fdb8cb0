/*
 * A bounded text buffer over memory that somebody else supplies: no heap, always NUL-terminated. The first
 * overflow sticks: what does not fit is dropped whole from there on and `is_cut` tells so once at the end.
 */
#ifndef CERTLINE_BASE_BUF_H
#define CERTLINE_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct buf {
    char *at;
    size_t size; /* of the memory, the NUL included; at least 1 */
    size_t len;  /* without the NUL */
    bool is_cut; /* something did not fit */
};

/* Empties `b` over the caller's memory, which must outlive it. */
void buf_init(struct buf *b, char *memory, size_t size);

void buf_add(struct buf *b, struct span text);
void buf_add_str(struct buf *b, const char *text);
void buf_add_char(struct buf *b, char c);

/* Decimal; no locale, no printf, so that the pure parts (at/, job/) may use it. */
void buf_add_u64(struct buf *b, uint64_t value);
void buf_add_i64(struct buf *b, int64_t value);

/* Upper-case hexadecimal, two characters an octet. */
void buf_add_hex(struct buf *b, const uint8_t *octets, size_t n);

static inline struct span buf_span(const struct buf *b)
{
    return (struct span){b->at, b->len};
}

/* Copies text into a fixed array, cut if need be, always NUL-terminated. */
void buf_copy(char *to, size_t size, struct span text);

#endif
