#include "exchange/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

void text_add(struct text *text, struct span octets)
{
    if (text->has_failed || octets.len == 0) {
        return;
    }
    if (octets.len > TEXT_MAX - text->len) {
        text->has_failed = true;
        return;
    }
    if (text->len + octets.len > text->size) {
        size_t size = 2 * (text->len + octets.len) + 256;
        char *at = text->is_secret ? secret_realloc(text->at, size) : realloc(text->at, size);
        if (at == NULL) {
            text->has_failed = true;
            return;
        }
        text->at = at;
        text->size = size;
    }
    memcpy(text->at + text->len, octets.at, octets.len);
    text->len += octets.len;
}

void text_add_str(struct text *text, const char *word)
{
    text_add(text, span_str(word));
}

void text_add_csv(struct text *text, struct span value, bool is_always_quoted)
{
    bool is_quoted = is_always_quoted;
    for (size_t i = 0; i < value.len && !is_quoted; i++) {
        is_quoted = value.at[i] == ',' || value.at[i] == '"' || value.at[i] == '\n' || value.at[i] == '\r';
    }
    if (!is_quoted) {
        text_add(text, value);
        return;
    }
    text_add_str(text, "\"");
    while (value.len > 0) {
        const char *mark = memchr(value.at, '"', value.len);
        size_t n = mark != NULL ? (size_t)(mark - value.at) + 1 : value.len;
        text_add(text, span_of(value.at, n));
        if (mark != NULL) {
            text_add_str(text, "\"");
        }
        value = span_skip(value, n);
    }
    text_add_str(text, "\"");
}

void text_add_json(struct text *text, struct span value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.at[i];
        char escaped[8];
        switch (c) {
        case '\n':
            text_add_str(text, "\\n");
            break;
        case '\r':
            text_add_str(text, "\\r");
            break;
        case '"':
        case '\\':
            text_add(text, span_of(c == '"' ? "\\\"" : "\\\\", 2));
            break;
        default: /* every other octet */
            if (c < ' ' || c == 0x7F) {
                (void)snprintf(escaped, sizeof(escaped), "\\u%04X", c);
                text_add_str(text, escaped);
            } else {
                text_add(text, span_of(value.at + i, 1));
            }
            break;
        }
    }
}

void text_done(struct text *text)
{
    if (text->is_secret) {
        secret_free(text->at);
    } else {
        free(text->at);
    }
    *text = (struct text){0};
}
