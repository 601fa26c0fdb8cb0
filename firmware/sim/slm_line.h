/* What Serial Modem and Serial LTE Modem have in common once a line is complete: the grammar, the commands
 * that they answer themselves, the form of their answers. */
#ifndef CERTLINE_SIM_SLM_LINE_H
#define CERTLINE_SIM_SLM_LINE_H

#include "sim/front.h"

#define SLM_ERROR "\r\nERROR\r\n"

/* A command of the firmware itself. `run` gets what follows the name and gives the result in the modem
 * library's form ("OK\r\n"), a constant or in u.slm.local; NULL: it has handed a line to the modem. */
struct slm_command {
    const char *name; /* without "AT" */
    const char *(*run)(struct front *f, char *parameters);
};

/* Checks and runs the command in `line`, which ends in NUL and stays. */
void slm_run(struct front *f, char *line, const struct slm_command *own, size_t count);

/* Sends an answer: CR LF, the lines, CR LF, the final result; what is too long is an error. */
void slm_answer(struct front *f, const char *text, size_t len);

/* Removes a backspaced character, and with a quote its effect. */
void slm_backspace(struct slm *s);

/* Unsolicited lines: kept for later, and sent. */
void slm_keep_urc(struct slm *s, const char *line);
void slm_send_urcs(struct front *f);

/* AT#XRESET and +IPR take effect once OK has left. */
const char *slm_xreset(struct front *f, char *parameters);

#endif
