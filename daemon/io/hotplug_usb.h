/*
 * The part of io/hotplug.h that knows USB, and finds ports by USB path and interface ("1-1.2:1.0") instead of
 * by file name: the slot is the socket, whatever number the kernel gives to the tty that is plugged in there.
 * Used by hotplug.c only, which owns it and hands out the watches' numbers.
 *
 * The monitor tells what udev has finished with, so that the device node has its owner and mode; a rescan
 * lists everything, and a port that udev is still busy with may refuse to be opened for a moment. Where udev
 * does not run (a container), only a rescan finds ports. Two ttys on one interface (old multiport adapters)
 * cannot be told apart: the first that is listed is taken.
 */
#ifndef CERTLINE_IO_HOTPLUG_USB_H
#define CERTLINE_IO_HOTPLUG_USB_H

#include "io/hotplug.h"

struct hotplug_usb; /* opaque */

/* `loop` and `events` are borrowed until hotplug_usb_free. NULL with *reterr when the monitor of devices is
 * not to be had. */
struct hotplug_usb *hotplug_usb_new(struct loop *loop, const struct hotplug_events *events, void *ctx,
                                    struct err_info *reterr);
void hotplug_usb_free(struct hotplug_usb *usb); /* NULL is allowed */

/* `number` is what events carry as the watch. Returns 0, ERR_FORMAT (no USB path), ERR_RANGE or -ENOMEM. */
int hotplug_usb_add(struct hotplug_usb *usb, uint32_t number, const char *path, const char *name,
                    struct err_info *reterr);

/* Of a port that was found by its path: where on the USB its device is, and which board that is. Leaves all
 * of it empty when the device is no tty of USB. Works without udev. */
void hotplug_usb_describe(struct hotplug_port *port);

/* Looks at all ttys and tells the differences, slots in the order in which they were added. */
void hotplug_usb_rescan(struct hotplug_usb *usb);

#endif
