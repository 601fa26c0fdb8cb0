/* Nordic's lib/at_host as a state machine over octets, with the faults of the original; see the .c for each.
 */
#ifndef CERTLINE_SIM_FRONT_AT_HOST_H
#define CERTLINE_SIM_FRONT_AT_HOST_H

#include "sim/board.h"

struct at_host {
    enum sim_terminator term;
    size_t line_max; /* at most SIM_LINE_MAX */
    size_t len;
    bool is_in_quotes;
    char line[SIM_LINE_MAX + 1];
};

enum at_host_event {
    AT_HOST_NOTHING,
    AT_HOST_COMMAND,  /* `line` holds a command with its NUL; it stays until the next octet */
    AT_HOST_OVERFLOW, /* the octet was dropped; the original only logs that elsewhere */
};

void at_host_init(struct at_host *h, enum sim_terminator term, size_t line_max);
enum at_host_event at_host_feed(struct at_host *h, char octet);

#endif
