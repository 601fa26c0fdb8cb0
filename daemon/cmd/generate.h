/*
 * Pre-shared keys made on the station. They are written to a file for whoever runs the servers, and imported
 * from that file as any other: so they are durable outside of the station before the first board can get one,
 * and an import that broke off is repeated with the same file.
 */
#ifndef CERTLINE_CMD_GENERATE_H
#define CERTLINE_CMD_GENERATE_H

#include "cmd/cmd.h"

struct product;

/* Writes args->generate_psk rows to args->output, a new file with mode 0600: a CSV as certlined import takes
 * it. Returns an exit code; what is wrong was printed. */
int generate_psk(const struct cmd_args *args, const struct product *product);

#endif
