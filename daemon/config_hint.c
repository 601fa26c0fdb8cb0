/* Optimal string alignment over three rows; words here are short, so nothing cleverer is called for. */
#include "config_hint.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define WORD_MAX 40

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t config_edit_distance(const char *a, const char *b)
{
    size_t na = strnlen(a, WORD_MAX + 1), nb = strnlen(b, WORD_MAX + 1);
    if (na > WORD_MAX || nb > WORD_MAX) {
        return SIZE_MAX;
    }
    size_t rows[3][WORD_MAX + 1] = {{0}};
    for (size_t j = 0; j <= nb; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= na; i++) {
        size_t *now = rows[i % 3], *before = rows[(i + 2) % 3], *before_that = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            now[j] = least(before[j - 1] + (a[i - 1] != b[j - 1]), least(before[j], now[j - 1]) + 1);
            bool is_swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (is_swap) {
                now[j] = least(now[j], before_that[j - 2] + 1);
            }
        }
    }
    return rows[na % 3][nb];
}

struct config_hint config_hint_begin(const char *word)
{
    return (struct config_hint){.word = word, .distance = strlen(word) / 3 + 1};
}

/* A third of the word may be wrong, and at least one letter must be right: "ca" is no hint for "xy". */
void config_hint_offer(struct config_hint *hint, const char *candidate)
{
    size_t distance = config_edit_distance(hint->word, candidate);
    bool is_nearer = hint->best ? distance < hint->distance : distance <= hint->distance;
    if (is_nearer && distance < strlen(candidate)) {
        hint->best = candidate;
        hint->distance = distance;
    }
}
