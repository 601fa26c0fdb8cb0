/* What lies between the host's wire and the board's UART and changes octets: terminals that rewrite line
 * ends, bridges that cut, links that lose. */
#ifndef CERTLINE_SIM_PATH_H
#define CERTLINE_SIM_PATH_H

#include "sim/board.h"
#include "sim/rng.h"

enum path_newline { PATH_AS_IS, PATH_CRLF, PATH_LF, PATH_CR };

struct path {
    double drop, garble, dup; /* probability per octet */
    uint32_t cut;             /* octets of a line that pass; 0 = all */
    enum path_newline newline;
    bool is_everywhere; /* also line ends outside quotes, as a terminal's key has it */

    uint64_t drop_fired, garble_fired, dup_fired, cut_fired, newline_fired;

    /* The stream as the path sees it. */
    bool is_in_quotes;
    bool is_after_cr;
    uint32_t line_len;
};

#define PATH_OUT_MAX 4 /* octets that one can become: two by its line end, each doubled */

/* Passes one octet on. Returns how many of `out` came of it. */
size_t sim_path_pass(struct path *p, struct rng *rng, char octet, char out[PATH_OUT_MAX]);

#endif
