/*
 * Text in fixed memory: writing answers, and reading parameters through a cursor whose first error sticks, so
 * that a parser checks once at its end. Also the 64 digits in which the checked transfer writes numbers and
 * digests: those of base64url (RFC 4648 section 5), none of which is special to AT commands.
 */
#ifndef CERTLINE_CORE_TEXT_H
#define CERTLINE_CORE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Memory is the caller's. What does not fit is left out and is_cut set. There is no NUL at the end. */
struct text {
    char *at;
    size_t size;
    size_t len;
    bool is_cut;
};

void text_octets(struct text *t, const char *octets, size_t n);
void text_add(struct text *t, const char *words); /* up to its NUL */
void text_uint(struct text *t, uint32_t value);   /* decimal */

/* The low six bits of value as a digit; the value of a digit, or -1. */
char text_digit64(uint32_t value);
int text_value64(char digit);

/* Reads `at` … `at + len`. After an error all further reads give 0 and take nothing. */
struct cursor {
    const char *at;
    size_t len;
    bool is_bad;
};

uint32_t cursor_uint(struct cursor *c, uint32_t max);           /* decimal, 0 to max */
void cursor_char(struct cursor *c, char wanted);                /* exactly this character */
uint32_t cursor_digits64(struct cursor *c, size_t n);           /* n digits, the most significant first */
void cursor_octets64(struct cursor *c, uint8_t *ret, size_t n); /* n octets in base64url, no padding */
bool cursor_ends(struct cursor *c);                             /* all read, and no error */

/* Letters in either case: whether the first n octets are the same; whether n octets begin with `word`. */
bool text_same(const char *a, const char *b, size_t n);
bool text_begins(const char *at, size_t n, const char *word);

/* Overwrites memory that held a secret, also where the compiler sees that nobody reads it again. */
void text_wipe(void *memory, size_t n);

#endif
