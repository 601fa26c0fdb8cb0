/*
 * Which board a USB device is, and which of its ports takes AT commands. Pure: identifiers in, a row of a
 * const table out.
 *
 * Source: Nordic's device database (nrfcredstore's usb_patterns) and boards that were looked at. A board that
 * is not in the table is an unknown one, not a wrong one: custom hardware is driven all the same.
 */
#ifndef CERTLINE_IO_USB_KIND_H
#define CERTLINE_IO_USB_KIND_H

#include <stdbool.h>
#include <stdint.h>

#include "io/port.h"

#define USB_INTERFACE_LOWEST (-1) /* the AT port is the board's first, whatever number that interface has */

struct usb_kind {
    const char *model;   /* "nRF9151 DK" */
    int at_interface;    /* USB interface number (0 to 255) of the AT port, or USB_INTERFACE_LOWEST */
    enum port_flow flow; /* what the board has wired between its USB chip and the modem's host */
};

/* `serial` is the device's iSerial, "" or NULL when it has none. Debug probes pad theirs with zeros to 12
 * digits or do not: both are understood. NULL: unknown. The row lives as long as the program. */
const struct usb_kind *usb_kind_find(uint16_t vendor, uint16_t product, const char *serial);

/* Whether `interface` is where the board takes AT commands; `lowest` is the lowest interface number among its
 * serial ports. */
bool usb_kind_is_at(const struct usb_kind *kind, int interface, int lowest);

/* "1-1.2:1.4" → 4; ERR_FORMAT when the text does not end as sysfs names an interface. */
int usb_kind_interface(const char *path);

#endif
