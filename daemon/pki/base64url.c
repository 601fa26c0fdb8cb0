/* Strict: a text has one reading, so that a digest over what was decoded says something about the text. */
#include "pki/base64url.h"

#include "base/err.h"

static int digit_of(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

int64_t base64url_decode(struct span text, uint8_t *out, size_t size)
{
    uint32_t bits = 0;
    unsigned n_bits = 0;
    size_t n = 0;
    if (text.len % 4 == 1) {
        return ERR_FORMAT;
    }
    for (size_t i = 0; i < text.len; i++) {
        int digit = digit_of(text.at[i]);
        if (digit < 0) {
            return ERR_FORMAT;
        }
        bits = (bits << 6 | (uint32_t)digit) & 0xFFFFu;
        n_bits += 6;
        if (n_bits < 8) {
            continue;
        }
        if (n == size) {
            return ERR_FULL;
        }
        n_bits -= 8;
        out[n++] = (uint8_t)(bits >> n_bits);
    }
    return (bits & ((1u << n_bits) - 1)) == 0 ? (int64_t)n : ERR_FORMAT;
}
