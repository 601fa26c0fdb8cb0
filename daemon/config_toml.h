/*
 * A TOML document as plain C data. The one door to toml++: its types and its exceptions end here.
 *
 * The tree owns every node and every text in it; all pointers live until toml_free. Nodes are constant once
 * read, so any thread may look at them.
 */
#ifndef CERTLINE_CONFIG_TOML_H
#define CERTLINE_CONFIG_TOML_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "base/err.h" /* within the braces: headers of base/ are plain C */
#include "base/span.h"

/* X(ENUM, how a message calls it) */
#define TOML_KIND_LIST(X)                                                                                    \
    X(TOML_TABLE, "a table")                                                                                 \
    X(TOML_ARRAY, "an array")                                                                                \
    X(TOML_STRING, "a string")                                                                               \
    X(TOML_INTEGER, "a whole number")                                                                        \
    X(TOML_REAL, "a number with a fraction")                                                                 \
    X(TOML_BOOLEAN, "true or false")                                                                         \
    X(TOML_TIME, "a date or time")

enum toml_kind {
#define X(name, text) name,
    TOML_KIND_LIST(X)
#undef X
};

/* From 1; a column counts characters, not octets. */
struct toml_place {
    int line, column;
};

struct toml_node {
    enum toml_kind kind;
    struct toml_place place;     /* of the value; of the header for a table */
    const char *key;             /* in a table; NULL in an array and at the top */
    struct toml_place key_place; /* only with a key */
    const char *string;          /* TOML_STRING: NUL-terminated UTF-8 without a NUL inside; NULL otherwise */
    int64_t integer;             /* TOML_INTEGER */
    bool boolean;                /* TOML_BOOLEAN */
    uint32_t n_children;         /* of a table or array */
    struct toml_node *child;     /* the first, in the order of the file */
    struct toml_node *next;      /* the next one of the same parent, or NULL */
};

struct toml_tree;

#define TOML_SIZE_MAX  (256u * 1024u) /* of a document */
#define TOML_DOTS_MAX  64u            /* in one line */
#define TOML_DEPTH_MAX 16u            /* of tables and arrays within one another */

/* Reads a document. Returns 0; ERR_FORMAT with the place of the first mistake (toml++ goes no further);
 * ERR_RANGE when it is larger than TOML_SIZE_MAX; -ENOMEM. */
int toml_read(struct span text, struct toml_tree **ret, struct err_info *reterr);

/* NULL is allowed. */
void toml_free(struct toml_tree *tree);

/* The top table; never NULL. */
const struct toml_node *toml_root(const struct toml_tree *tree);

/* "a string", "a table" … Never NULL for a member of the enum. */
const char *toml_kind_text(enum toml_kind kind);

#ifdef __cplusplus
}
#endif
#endif
