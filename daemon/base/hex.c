#include "base/hex.h"

#include "base/err.h"

void hex_encode(const uint8_t *octets, size_t n, char *out)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[octets[i] >> 4];
        out[2 * i + 1] = digits[octets[i] & 15];
    }
    out[2 * n] = '\0';
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int hex_decode(struct span text, uint8_t *out, size_t n)
{
    if (text.len != 2 * n) {
        return ERR_FORMAT;
    }
    for (size_t i = 0; i < n; i++) {
        int high = nibble(text.at[2 * i]), low = nibble(text.at[2 * i + 1]);
        if (high < 0 || low < 0) {
            return ERR_FORMAT;
        }
        out[i] = (uint8_t)(high << 4 | low);
    }
    return 0;
}
