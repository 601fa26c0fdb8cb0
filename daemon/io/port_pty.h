/* Pseudo-terminals: simulated boards, and whatever stands behind /dev/pts. Contract of port_open (io/port.h).
 */
#ifndef CERTLINE_IO_PORT_PTY_H
#define CERTLINE_IO_PORT_PTY_H

#include "io/port.h"

/* `device` is resolved: no link. Baud rate and flow control do not exist here and are ignored. */
int port_pty_open(const char *device, const struct port_config *config, struct err_info *reterr);

#endif
