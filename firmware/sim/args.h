/* Reads the parameters of an AT command one by one: numbers, quoted strings, nothing between two commas. The
 * first mistake sticks; everything read after it is empty, and sim_args_end tells once. Blanks around
 * parameters are skipped. */
#ifndef CERTLINE_SIM_ARGS_H
#define CERTLINE_SIM_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_args {
    const char *at; /* borrowed from the command's line */
    const char *end;
    bool is_wrong;
    bool has_begun;
};

struct sim_args sim_args_begin(const char *at, size_t len);

/* Whether a further parameter follows. */
bool sim_args_more(const struct sim_args *a);

/* True, and steps over it, if the next parameter is empty: nothing up to a comma or the end. */
bool sim_args_empty(struct sim_args *a);

/* A decimal number up to `max`. Returns 0 after a mistake. */
uint32_t sim_args_number(struct sim_args *a, uint32_t max);

/* A quoted string, without its quotes; may hold any octet but a quote. NULL after a mistake. */
const char *sim_args_string(struct sim_args *a, size_t *ret_len);

/* True if all was in order and nothing is left. */
bool sim_args_end(struct sim_args *a);

#endif
