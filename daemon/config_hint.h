/* "Did you mean …": the nearest of a few known words, for unknown options, sections, values and commands. */
#ifndef CERTLINE_CONFIG_HINT_H
#define CERTLINE_CONFIG_HINT_H

#include <stddef.h>

struct config_hint {
    const char *word; /* as typed */
    const char *best; /* the nearest so far; NULL: none is near enough */
    size_t distance;
};

/* Begins a search; then offer every candidate. All texts are borrowed. */
struct config_hint config_hint_begin(const char *word);
void config_hint_offer(struct config_hint *hint, const char *candidate);

/* Single insertions, removals, changes and swaps of neighbours that make b out of a; SIZE_MAX when one of
 * them has more than 40 octets. */
size_t config_edit_distance(const char *a, const char *b);

#endif
