/*
 * Text in fixed memory: writing answers, and reading parameters through a cursor whose first error sticks, so
 * that a parser checks once at its end. Also the 64 digits in which the checked transfer writes numbers and
 * digests: those of base64url (RFC 4648 section 5), none of which is special to AT commands.
 */
#ifndef CERTLINE_CORE_WORDS_H
#define CERTLINE_CORE_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Memory is the caller's. What does not fit is left out and is_cut set. There is no NUL at the end. */
struct words {
    char *at;
    size_t size;
    size_t len;
    bool is_cut;
};

void words_octets(struct words *t, const char *octets, size_t n);
void words_add(struct words *t, const char *add); /* up to its NUL */
void words_uint(struct words *t, uint32_t value); /* decimal */

/* The low six bits of value as a digit; the value of a digit, or -1. */
char words_digit64(uint32_t value);
int words_value64(char digit);

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
bool words_same(const char *a, const char *b, size_t n);
bool words_begins(const char *at, size_t n, const char *word);

/* Overwrites memory that held a secret, also where the compiler sees that nobody reads it again. */
void words_wipe(void *memory, size_t n);

#endif
