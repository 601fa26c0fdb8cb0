/* The program: a rack of simulated boards behind pseudo-terminals, one thread, one epoll, one timer. */
#ifndef CERTLINE_SIM_SERVER_H
#define CERTLINE_SIM_SERVER_H

#include "sim/options.h"
#include "sim/sim_slot.h"

struct sim_server;

/* Runs until SIGTERM, SIGINT or "quit" and writes the state file. Returns the exit status; mistakes go to
 * stderr. */
int sim_server_run(const struct sim_options *options);

/* -- For the control socket (control.c)
 * ------------------------------------------------------------------------ */

/* Each returns NULL, or what is wrong as a short text that lives until the next call. Numbers are slots
 * from 1. */
const char *sim_server_unplug(struct sim_server *v, unsigned number);
const char *sim_server_plug(struct sim_server *v, unsigned number);
const char *sim_server_move(struct sim_server *v, unsigned from, unsigned to);
const char *sim_server_reboot(struct sim_server *v, unsigned number);
const char *sim_server_fault(struct sim_server *v, const char *spec);
const char *sim_server_clear(struct sim_server *v, unsigned number); /* 0: all */

/* The state as one line of JSON, written to the state file as well if there is one. The caller frees; NULL:
 * memory. */
char *sim_server_state(struct sim_server *v);

void sim_server_quit(struct sim_server *v);

#endif
