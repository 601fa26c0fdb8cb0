/*
 * Which ports exist. Fixtures name theirs by a glob, one by one, or by the USB socket; this watches the
 * folders with inotify and the sockets through udev's monitor (io/hotplug_usb.h), and tells what arrived and
 * what left, by comparing the state of each with what it was: events only say where to look.
 *
 * A path exists when it leads to a character device, through links or not. It counts as another board when
 * the link itself was made anew or leads elsewhere, or the device node is another: then left and arrived are
 * told, in this order. Known bounds: a link whose target appears only later than the link is seen with the
 * next event in the link's folder; a renamed folder further up is not noticed.
 *
 * Everything runs in the loop's thread. It reads folders, which for device files are kept in memory.
 */
#ifndef CERTLINE_IO_HOTPLUG_H
#define CERTLINE_IO_HOTPLUG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "io/loop.h"
#include "io/port.h"
#include "io/usb_kind.h"

#define HOTPLUG_NAME_SIZE 64
#define HOTPLUG_USB_SIZE  64

struct hotplug_port {
    uint32_t watch;               /* what hotplug_add_… returned */
    char name[HOTPLUG_NAME_SIZE]; /* the slot's: what the glob's wildcards matched, or as configured */
    char path[PORT_PATH_SIZE];    /* as configured or matched, the port's lasting name; by USB: the device */
    char device[PORT_PATH_SIZE];  /* what it leads to now: "/dev/pts/7" */
    char usb[HOTPLUG_USB_SIZE];   /* USB path and interface, "1-1.2:1.0"; empty: it is no port of USB */
    const struct usb_kind *kind;  /* which board this is; NULL: unknown */
    bool is_wrong_port;           /* `kind` takes AT commands at another of its ports */
};

/* Borrowed for the call. May not free the hotplug or add to it. */
struct hotplug_events {
    void (*arrived)(void *ctx, const struct hotplug_port *port);
    void (*left)(void *ctx, const struct hotplug_port *port);
    /* A folder cannot be watched or read for now, which is tried again until it comes right; or a name is too
     * long: what is behind it is not seen. For the log. */
    void (*failed)(void *ctx, const struct err_info *why);
};

struct hotplug; /* opaque */

/* `loop` and `events` are borrowed until hotplug_free. NULL with *reterr when inotify is not to be had. */
struct hotplug *hotplug_new(struct loop *loop, const struct hotplug_events *events, void *ctx,
                            struct err_info *reterr);
void hotplug_free(struct hotplug *hotplug);

/* Absolute, wildcards (*, ?, […]) in the last component only: "/run/rack1/slot*" matches slot001 as "001". A
 * file whose wildcards match nothing is named by its file name. Returns the watch's number, or ERR_FORMAT,
 * ERR_RANGE (too long), -ENOMEM. Nothing is told before hotplug_rescan. The folder need not exist yet. */
int hotplug_add_glob(struct hotplug *hotplug, const char *pattern, struct err_info *reterr);

/* One path, with the slot's name. As hotplug_add_glob. */
int hotplug_add_path(struct hotplug *hotplug, const char *path, const char *name, struct err_info *reterr);

/* One USB socket and interface as sysfs names them, "1-1.2:1.0", with the slot's name: whatever tty is there,
 * under any number. As hotplug_add_glob, and also a negative errno when devices cannot be watched. */
int hotplug_add_usb(struct hotplug *hotplug, const char *usb, const char *name, struct err_info *reterr);

/* Looks at everything and tells the differences: watches in the order in which they were added, those by USB
 * last, names in ascending order with numbers in them compared as numbers. The first call tells what is there
 * at the start; later ones are never needed, but harmless. */
void hotplug_rescan(struct hotplug *hotplug);

#endif
