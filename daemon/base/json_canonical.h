/*
 * The canonical form of a tree (JSON_FORM_CANONICAL), written without jansson: for base/json.c alone.
 *
 * An event is written in this form each time one goes on record, and jansson takes several times as long for
 * it: for every object it prints an address, to find trees that hold themselves, and sorts keys in memory
 * that it asks for. The octets are the same as jansson's; tests hold the two together.
 */
#ifndef CERTLINE_BASE_JSON_CANONICAL_H
#define CERTLINE_BASE_JSON_CANONICAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

struct json;

/* Text that grows by doubling. The owner gives `at` back to whatever `grow` belongs to. */
struct json_sink {
    char *at;
    size_t len, size;
    void *(*grow)(void *, size_t); /* as realloc */
    bool has_failed; /* takes nothing more: jansson does not listen when a piece of a member's name is refused
                      */
};

/* 0 or -ENOMEM. */
int json_sink_add(struct json_sink *sink, struct span text);

/* 1: written; 0: the tree holds a real number, whose digits are jansson's business: what the sink has got by
 * then is of no use; -ENOMEM. A NULL value is -ENOMEM, as everywhere in base/json.h. */
int json_write_canonical(struct json_sink *sink, const struct json *value);

#endif
