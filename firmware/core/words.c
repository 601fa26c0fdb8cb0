/* Small and total: every function has a result for every input, so that no caller needs to look first. */
#include "core/words.h"

#include <string.h>

void words_octets(struct words *t, const char *octets, size_t n)
{
    if (n > t->size - t->len) {
        n = t->size - t->len;
        t->is_cut = true;
    }
    memcpy(t->at + t->len, octets, n);
    t->len += n;
}

void words_add(struct words *t, const char *words)
{
    words_octets(t, words, strlen(words));
}

void words_uint(struct words *t, uint32_t value)
{
    char digits[10];
    size_t n = sizeof digits;

    do {
        digits[--n] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    words_octets(t, digits + n, sizeof digits - n);
}

char words_digit64(uint32_t value)
{
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[value & 63];
}

int words_value64(char digit)
{
    if (digit >= 'A' && digit <= 'Z')
        return digit - 'A';
    if (digit >= 'a' && digit <= 'z')
        return digit - 'a' + 26;
    if (digit >= '0' && digit <= '9')
        return digit - '0' + 52;
    if (digit == '-')
        return 62;
    return digit == '_' ? 63 : -1;
}

uint32_t cursor_uint(struct cursor *c, uint32_t max)
{
    uint32_t value = 0;
    size_t n = 0;

    while (!c->is_bad && n < c->len && c->at[n] >= '0' && c->at[n] <= '9') {
        uint32_t digit = (uint32_t)(c->at[n++] - '0');
        if (value > (max - digit) / 10 || digit > max)
            c->is_bad = true;
        else
            value = value * 10 + digit;
    }
    if (n == 0)
        c->is_bad = true;
    if (c->is_bad)
        return 0;
    c->at += n;
    c->len -= n;
    return value;
}

/* The next character, '\0' (which no parameter holds) when there is none. */
static char take(struct cursor *c)
{
    if (c->is_bad || c->len == 0) {
        c->is_bad = true;
        return '\0';
    }
    c->len--;
    return *c->at++;
}

void cursor_char(struct cursor *c, char wanted)
{
    if (take(c) != wanted)
        c->is_bad = true;
}

uint32_t cursor_digits64(struct cursor *c, size_t n)
{
    uint64_t value = 0;

    while (n-- > 0) {
        int digit = words_value64(take(c));
        if (digit < 0)
            c->is_bad = true;
        value = value << 6 | (uint32_t)(digit & 63);
    }
    if (value > UINT32_MAX)
        c->is_bad = true;
    return c->is_bad ? 0 : (uint32_t)value;
}

void cursor_octets64(struct cursor *c, uint8_t *ret, size_t n)
{
    uint32_t bits = 0;
    unsigned held = 0;

    for (size_t i = 0; i < n; i++) {
        for (; held < 8; held += 6)
            bits = bits << 6 | cursor_digits64(c, 1);
        held -= 8;
        ret[i] = (uint8_t)(bits >> held);
        bits &= (1u << held) - 1;
    }
    if (bits != 0) /* one way of writing it only */
        c->is_bad = true;
}

bool cursor_ends(struct cursor *c)
{
    if (c->len > 0)
        c->is_bad = true;
    return !c->is_bad;
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

bool words_same(const char *a, const char *b, size_t n)
{
    while (n > 0 && upper(*a) == upper(*b)) {
        a++;
        b++;
        n--;
    }
    return n == 0;
}

bool words_begins(const char *at, size_t n, const char *word)
{
    size_t len = strlen(word);
    return n >= len && words_same(at, word, len);
}

void words_wipe(void *memory, size_t n)
{
    volatile char *at = memory;

    while (n-- > 0)
        *at++ = 0;
}
