/* The boards' own memory as JSON: what a test compares the daemon's word with. Test data: contents stand in
 * clear. */
#ifndef CERTLINE_SIM_STATE_H
#define CERTLINE_SIM_STATE_H

#include "sim/board.h"

struct sim_state_row {
    const char *slot;
    const struct simboard *board;
};

/* One line of JSON, {"boards":[…]}, without the line break; the caller frees it. NULL when memory is short.
 */
char *sim_state_text(const struct sim_state_row *rows, size_t n);

/* Replaces `path` in one step. Returns 0 or -errno. */
int sim_state_write(const char *path, const char *text);

#endif
