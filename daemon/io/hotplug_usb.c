/*
 * A tty belongs to the USB interface that is the nearest one above it in sysfs. When a board is pulled its
 * parents are gone before we hear of it, so leaving is told by the tty's own sysfs path, which was kept.
 *
 * The monitor's queue can overflow, and then a removal is missed: a tty that arrives where another one is
 * known, or the same path with a device node made anew, is told as left and arrived. A device that is
 * announced again as it was (udev does so on request) is no news.
 */
#include "io/hotplug_usb.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <systemd/sd-device.h>

/* What is plugged in: zeros when nothing is. */
struct tty {
    char syspath[PORT_PATH_SIZE], device[PORT_PATH_SIZE];
    uint64_t node; /* inode of the device node: devtmpfs counts them up, over all nodes that it makes */
    const struct usb_kind *kind;
    bool is_wrong_port;
};

struct slot {
    uint32_t number;
    char path[HOTPLUG_USB_SIZE], name[HOTPLUG_NAME_SIZE];
    struct tty now, found; /* what was told; what a look found */
};

struct hotplug_usb {
    const struct hotplug_events *events;
    void *ctx;
    sd_device_monitor *monitor;
    struct slot **slots;
    size_t n_slots;
};

static void tell_failed(struct hotplug_usb *u, int code, const char *what)
{
    struct err_info why = {0};
    err_set(&why, code, "%s: %s", what, err_text(code));
    u->events->failed(u->ctx, &why);
}

/* --- what a device is ---------------------------------------------------------------------------------- */

/* The interface's name ("1-1.2:1.0") of a tty below USB, or NULL. Borrowed from the device. */
static const char *interface_of(sd_device *device)
{
    sd_device *parent;
    const char *name;
    if (sd_device_get_parent_with_subsystem_devtype(device, "usb", "usb_interface", &parent) < 0 ||
        sd_device_get_sysname(parent, &name) < 0) {
        return NULL;
    }
    return name;
}

static uint16_t hex_attribute(sd_device *device, const char *name)
{
    const char *text;
    return sd_device_get_sysattr_value(device, name, &text) < 0 ? 0 : (uint16_t)strtoul(text, NULL, 16);
}

/* Those that udev has not come to are listed as well: without udev there are no others. */
static int list_ttys(sd_device_enumerator **ret)
{
    int r = sd_device_enumerator_new(ret);
    if (r >= 0) {
        r = sd_device_enumerator_allow_uninitialized(*ret);
    }
    return r >= 0 ? sd_device_enumerator_add_match_subsystem(*ret, "tty", true) : r;
}

/* The lowest interface number among the ttys of one USB device that are there by now. */
static int lowest_interface(sd_device *board, int known)
{
    sd_device_enumerator *all = NULL;
    int lowest = known;
    if (list_ttys(&all) >= 0 && sd_device_enumerator_add_match_parent(all, board) >= 0) {
        for (sd_device *d = sd_device_enumerator_get_device_first(all); d;
             d = sd_device_enumerator_get_device_next(all)) {
            const char *name = interface_of(d);
            int number = name ? usb_kind_interface(name) : ERR_FORMAT;
            lowest = number >= 0 && number < lowest ? number : lowest;
        }
    }
    sd_device_enumerator_unref(all);
    return lowest;
}

static void tell_kind(sd_device *device, const char *interface, struct tty *to)
{
    sd_device *board;
    const char *serial = NULL;
    if (sd_device_get_parent_with_subsystem_devtype(device, "usb", "usb_device", &board) < 0) {
        return;
    }
    (void)sd_device_get_sysattr_value(board, "serial", &serial);
    to->kind = usb_kind_find(hex_attribute(board, "idVendor"), hex_attribute(board, "idProduct"), serial);
    int number = usb_kind_interface(interface);
    if (to->kind && number >= 0) {
        to->is_wrong_port = !usb_kind_is_at(to->kind, number, lowest_interface(board, number));
    }
}

/* False: it has no device node, or none any more. */
static bool describe(sd_device *device, const char *interface, struct tty *to)
{
    const char *syspath, *node;
    struct stat st;
    *to = (struct tty){0};
    if (sd_device_get_syspath(device, &syspath) < 0 || sd_device_get_devname(device, &node) < 0 ||
        strlen(syspath) >= sizeof(to->syspath) || strlen(node) >= sizeof(to->device) ||
        lstat(node, &st) < 0) {
        return false;
    }
    strcpy(to->syspath, syspath);
    strcpy(to->device, node);
    to->node = st.st_ino;
    tell_kind(device, interface, to);
    return true;
}

void hotplug_usb_describe(struct hotplug_port *port)
{
    static const char folder[] = "/dev/";
    sd_device *device;
    struct tty tty = {0};
    if (strncmp(port->device, folder, strlen(folder)) != 0 ||
        sd_device_new_from_subsystem_sysname(&device, "tty", port->device + strlen(folder)) < 0) {
        return;
    }
    const char *interface = interface_of(device);
    if (interface && strlen(interface) < sizeof(port->usb)) {
        tell_kind(device, interface, &tty);
        strcpy(port->usb, interface);
        port->kind = tty.kind;
        port->is_wrong_port = tty.is_wrong_port;
    }
    sd_device_unref(device);
}

/* --- telling ------------------------------------------------------------------------------------------- */

static bool is_same(const struct tty *a, const struct tty *b)
{
    return a->node == b->node && strcmp(a->syspath, b->syspath) == 0;
}

static struct hotplug_port port_of(const struct slot *slot)
{
    struct hotplug_port port = {
        .watch = slot->number, .kind = slot->now.kind, .is_wrong_port = slot->now.is_wrong_port};
    strcpy(port.name, slot->name);
    strcpy(port.usb, slot->path);
    strcpy(port.path, slot->now.device);
    strcpy(port.device, slot->now.device);
    return port;
}

/* Brings what was told to what was found. */
static void settle(struct hotplug_usb *u, struct slot *slot)
{
    if (is_same(&slot->now, &slot->found)) {
        return;
    }
    if (slot->now.syspath[0]) {
        struct hotplug_port port = port_of(slot);
        slot->now = (struct tty){0};
        u->events->left(u->ctx, &port);
    }
    if (slot->found.syspath[0]) {
        slot->now = slot->found;
        struct hotplug_port port = port_of(slot);
        u->events->arrived(u->ctx, &port);
    }
}

/* --- looking ------------------------------------------------------------------------------------------- */

/* Notes the tty at every slot of its interface where this look has found none yet. */
static void note(struct hotplug_usb *u, sd_device *device)
{
    const char *interface = interface_of(device);
    for (size_t i = 0; interface && i < u->n_slots; i++) {
        struct slot *slot = u->slots[i];
        struct tty tty;
        if (strcmp(slot->path, interface) == 0 && !slot->found.syspath[0] &&
            describe(device, interface, &tty)) {
            slot->found = tty;
        }
    }
}

static int enumerate(struct hotplug_usb *u)
{
    sd_device_enumerator *all = NULL;
    int r = list_ttys(&all);
    if (r >= 0) {
        for (sd_device *d = sd_device_enumerator_get_device_first(all); d;
             d = sd_device_enumerator_get_device_next(all)) {
            note(u, d);
        }
    }
    sd_device_enumerator_unref(all);
    return r;
}

void hotplug_usb_rescan(struct hotplug_usb *u)
{
    for (size_t i = 0; i < u->n_slots; i++) {
        u->slots[i]->found = (struct tty){0};
    }
    int r = enumerate(u);
    if (r < 0) {
        tell_failed(u, r, "serial ports cannot be listed");
        return;
    }
    for (size_t i = 0; i < u->n_slots; i++) {
        settle(u, u->slots[i]);
    }
}

static void take_removal(struct hotplug_usb *u, const char *syspath)
{
    for (size_t i = 0; i < u->n_slots; i++) {
        struct slot *slot = u->slots[i];
        if (strcmp(slot->now.syspath, syspath) == 0) {
            slot->found = (struct tty){0};
            settle(u, slot);
        }
    }
}

static void take_news(struct hotplug_usb *u, sd_device *device)
{
    const char *interface = interface_of(device);
    for (size_t i = 0; interface && i < u->n_slots; i++) {
        struct slot *slot = u->slots[i];
        if (strcmp(slot->path, interface) == 0 && describe(device, interface, &slot->found)) {
            settle(u, slot);
        }
    }
}

static int on_device(sd_device_monitor *monitor, sd_device *device, void *ctx)
{
    (void)monitor;
    sd_device_action_t action;
    const char *syspath;
    if (sd_device_get_action(device, &action) < 0 || sd_device_get_syspath(device, &syspath) < 0) {
        return 0;
    }
    if (action == SD_DEVICE_REMOVE) {
        take_removal(ctx, syspath);
    } else {
        take_news(ctx, device);
    }
    return 0;
}

/* --- life ---------------------------------------------------------------------------------------------- */

/* The event is attached before the start, which would take the thread's default one otherwise. */
static int start(struct hotplug_usb *u, struct loop *loop)
{
    int r = sd_device_monitor_new(&u->monitor);
    if (r >= 0) {
        r = sd_device_monitor_filter_add_match_subsystem_devtype(u->monitor, "tty", NULL);
    }
    if (r >= 0) {
        r = sd_device_monitor_attach_event(u->monitor, loop_event(loop));
    }
    return r >= 0 ? sd_device_monitor_start(u->monitor, on_device, u) : r;
}

struct hotplug_usb *hotplug_usb_new(struct loop *loop, const struct hotplug_events *events, void *ctx,
                                    struct err_info *reterr)
{
    struct hotplug_usb *u = calloc(1, sizeof(*u));
    if (!u) {
        err_set(reterr, -ENOMEM, "no memory for watching USB ports");
        return NULL;
    }
    *u = (struct hotplug_usb){.events = events, .ctx = ctx};
    int r = start(u, loop);
    if (r < 0) {
        err_set(reterr, r, "USB ports cannot be watched: %s", err_text(r));
        hotplug_usb_free(u);
        return NULL;
    }
    return u;
}

void hotplug_usb_free(struct hotplug_usb *u)
{
    if (!u) {
        return;
    }
    sd_device_monitor_unref(u->monitor);
    for (size_t i = 0; i < u->n_slots; i++) {
        free(u->slots[i]);
    }
    free(u->slots);
    free(u);
}

int hotplug_usb_add(struct hotplug_usb *u, uint32_t number, const char *path, const char *name,
                    struct err_info *reterr)
{
    if (usb_kind_interface(path) < 0) {
        return err_set(reterr, ERR_FORMAT, "%s is no USB path and interface", path);
    }
    if (strlen(path) >= HOTPLUG_USB_SIZE || !*name || strlen(name) >= HOTPLUG_NAME_SIZE) {
        return err_set(reterr, ERR_RANGE, "%s needs a slot's name of 1 to %d characters", path,
                       HOTPLUG_NAME_SIZE - 1);
    }
    struct slot *slot = calloc(1, sizeof(*slot));
    struct slot **slots = slot ? realloc(u->slots, (u->n_slots + 1) * sizeof(struct slot *)) : NULL;
    if (!slots) {
        free(slot);
        return err_set(reterr, -ENOMEM, "no memory for watching USB ports");
    }
    slot->number = number;
    strcpy(slot->path, path);
    strcpy(slot->name, name);
    u->slots = slots;
    u->slots[u->n_slots++] = slot;
    return 0;
}
