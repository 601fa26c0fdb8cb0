/* A text that grows, for exports. The first failure sticks. */
#ifndef CERTLINE_EXCHANGE_TEXT_H
#define CERTLINE_EXCHANGE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

#define TEXT_MAX ((size_t)256 * 1024 * 1024)

struct text { /* zeroed is empty */
    char *at; /* malloc'ed, or secret memory; not NUL-terminated */
    size_t len, size;
    bool is_secret;  /* set while it is empty: the text lies in secret memory */
    bool has_failed; /* no memory, or larger than TEXT_MAX */
};

void text_add(struct text *text, struct span octets);
void text_add_str(struct text *text, const char *word);

/* In quotation marks where RFC 4180 asks for them (comma, quotation mark, line end), or always. */
void text_add_csv(struct text *text, struct span value, bool is_always_quoted);

/* The inside of a JSON string; octets above 127 as they are. */
void text_add_json(struct text *text, struct span value);

void text_done(struct text *text);

#endif
