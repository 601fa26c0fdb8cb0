/* Real serial ports, through libserialport. Contract of port_open (io/port.h). */
#ifndef CERTLINE_IO_PORT_SERIAL_H
#define CERTLINE_IO_PORT_SERIAL_H

#include "io/port.h"

/* `device` is resolved: libserialport follows no link. */
int port_serial_open(const char *device, const struct port_config *config, struct err_info *reterr);

/* What the station can say about a real port: for people and for `certlined doctor`. */
struct port_serial_info {
    char device[PORT_PATH_SIZE]; /* "/dev/ttyACM0" */
    char description[128];       /* as the system has it; may be empty */
    char usb_serial[64];         /* iSerial; empty when unknown */
    int usb_vendor, usb_product; /* -1: not USB */
};

/* Blocks. The ports of this machine in the library's order; returns how many there are (of which at most
 * `max` were written), or a negative code. */
int port_serial_list(struct port_serial_info *out, size_t max, struct err_info *reterr);

#endif
