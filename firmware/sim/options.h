/* The command line of certline-sim. */
#ifndef CERTLINE_SIM_OPTIONS_H
#define CERTLINE_SIM_OPTIONS_H

#include "sim/board.h"

#define SIM_BOARDS_MAX 999
#define SIM_FAULTS_MAX 64 /* --fault given so often */

/* Strings are borrowed from the argument vector. */
struct sim_options {
    const char *dir;
    unsigned boards;
    const char *state;   /* NULL: not written */
    const char *control; /* NULL: no socket */
    const char *faults[SIM_FAULTS_MAX];
    size_t fault_count;
    const char *families; /* NULL: F2b everywhere */
    const char *fronts;   /* NULL: at_host */
    char imei0[16];
    bool has_no_imei;
    struct simboard_config board; /* what all boards have in common */
};

enum sim_options_result { OPTIONS_RUN, OPTIONS_DONE, OPTIONS_WRONG };

/* Prints the help (DONE) to standard output or the mistake (WRONG) to standard error. */
enum sim_options_result sim_options_parse(struct sim_options *o, int argc, char **argv);

/* The configuration of board `number` (from 1). */
struct simboard_config sim_options_board(const struct sim_options *o, unsigned number);

#endif
