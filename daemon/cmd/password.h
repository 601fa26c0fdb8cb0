/*
 * A password, from a descriptor or from the terminal, never from an argument or the environment. It lies in
 * secret memory for as long as the command runs; one serves all files, and one that was typed is asked for
 * once.
 */
#ifndef CERTLINE_CMD_PASSWORD_H
#define CERTLINE_CMD_PASSWORD_H

#include <stdbool.h>

#include "base/span.h"

/* `fd_text` is the number of a descriptor to read it from (its first line), or NULL: the terminal is asked
 * when one is needed. 0, or negative when the descriptor cannot be read. */
int password_set_up(const char *fd_text);

/* The password; `what` it is for is shown on the terminal. False: there is none to be had. Lives until
 * password_forget. */
bool password_get(struct span *ret, const char *what);
void password_forget(void);

#endif
