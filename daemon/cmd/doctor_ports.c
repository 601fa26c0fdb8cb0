/*
 * Where boards are put: which ports are there now, whether the station may use them, and whether another
 * program would. No port is opened: that raises DTR, and a board at work would hear it.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/buf.h"
#include "cmd/doctor.h"
#include "config.h"

/* What was found of one fixture. */
struct ports {
    const char *fixture;
    bool has_modem_manager;
    uint32_t there, wrong;
};

static const char copy_rule[] =
    "Copy a line of /lib/udev/rules.d/70-certline.rules with this bridge's idVendor and "
    "idProduct to a file in /etc/udev/rules.d; udevadm control --reload; plug it in again.";

/* ---- other programs */

static bool runs(const struct doctor *d, const char *name)
{
    char path[512], comm[64];
    snprintf(path, sizeof(path), "%s/proc", d->root);
    DIR *dir = opendir(path);
    bool is_found = false;
    for (const struct dirent *e; dir && !is_found && (e = readdir(dir)) != NULL;) {
        if (!isdigit((unsigned char)e->d_name[0])) {
            continue;
        }
        snprintf(path, sizeof(path), "%s/proc/%.20s/comm", d->root, e->d_name);
        FILE *f = fopen(path, "re");
        is_found = f && fgets(comm, sizeof(comm), f) && strncmp(comm, name, strlen(name)) == 0;
        if (f) {
            fclose(f);
        }
    }
    if (dir) {
        closedir(dir);
    }
    return is_found;
}

/* What udev keeps of a device says whether ModemManager leaves it alone. */
static bool is_left_alone(const struct doctor *d, dev_t device)
{
    char path[512], line[512];
    snprintf(path, sizeof(path), "%s/run/udev/data/c%u:%u", d->root, major(device), minor(device));
    FILE *f = fopen(path, "re");
    bool is_so = !f; /* udev knows nothing of it, and so no program that asks udev does: a pseudo-terminal */
    while (f && !is_so && fgets(line, sizeof(line), f)) {
        is_so = strncmp(line, "E:ID_MM_PORT_IGNORE=1", 21) == 0 ||
                strncmp(line, "E:ID_MM_DEVICE_IGNORE=1", 23) == 0;
    }
    if (f) {
        fclose(f);
    }
    return is_so;
}

void doctor_check_others(struct doctor *d)
{
    bool has_mm = runs(d, "ModemManager"), has_brltty = runs(d, "brltty");
    if (has_brltty) {
        doctor_say(d, DOCTOR_WRONG, "apt purge brltty, on a station without a Braille display.",
                   "brltty runs: it takes serial ports of bridges that Braille displays have too");
    }
    if (has_mm) {
        doctor_say(d, DOCTOR_GOOD, NULL, "ModemManager runs; our udev rules keep it away from known boards");
    }
    if (!has_mm && !has_brltty) {
        doctor_say(d, DOCTOR_GOOD, NULL, "neither ModemManager nor brltty runs");
    }
}

/* ---- ports */

static void look_at_device(struct doctor *d, struct ports *p, const char *path)
{
    char remedy[DOCTOR_TEXT_SIZE];
    struct stat st;
    if (stat(path, &st) < 0 || !S_ISCHR(st.st_mode)) {
        p->wrong++;
        doctor_say(d, DOCTOR_WRONG, "Correct the fixture's port.", "%s: %s is no serial port", p->fixture,
                   path);
        return;
    }
    p->there++;
    if (!doctor_user_may(d, path, &st)) {
        const struct group *group = getgrgid(st.st_gid);
        const char *group_name = group ? group->gr_name : "?";
        p->wrong++;
        snprintf(remedy, sizeof(remedy), "%s",
                 strcmp(group_name, "dialout") != 0 ? copy_rule
                                                    : "sudo adduser $USER dialout, and log in again.");
        doctor_say(d, DOCTOR_WRONG, remedy, "%s: %s is the group's %s, %04o: %s may not use it", p->fixture,
                   path, group_name, (unsigned)(st.st_mode & 07777), d->user.name);
    } else if (p->has_modem_manager && !is_left_alone(d, st.st_rdev)) {
        p->wrong++;
        doctor_say(d, DOCTOR_WRONG, copy_rule, "%s: ModemManager would take %s", p->fixture, path);
    }
}

static void look_at_glob(struct doctor *d, struct ports *p, const char *pattern)
{
    glob_t found = {0};
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            look_at_device(d, p, found.gl_pathv[i]);
        }
    }
    globfree(&found);
}

/* The tty of a USB interface: below it for cdc-acm (tty/ttyACM0), below its port for bridges (ttyUSB0). */
static void look_at_usb(struct doctor *d, struct ports *p, const char *usb)
{
    char pattern[512], device[64];
    glob_t found = {0};
    snprintf(pattern, sizeof(pattern), "%s/sys/bus/usb/devices/%s/{tty/tty*,tty[A-Z]*}", d->root, usb);
    if (glob(pattern, GLOB_BRACE, NULL, &found) == 0) {
        snprintf(device, sizeof(device), "/dev/%.50s", strrchr(found.gl_pathv[0], '/') + 1);
        look_at_device(d, p, device);
    }
    globfree(&found);
}

static void check_fixture(struct doctor *d, const struct config_fixture *f, bool has_modem_manager)
{
    struct ports p = {.fixture = f->name, .has_modem_manager = has_modem_manager};
    if (f->ports) {
        look_at_glob(d, &p, f->ports);
    }
    for (uint32_t i = 0; i < f->n_slots; i++) {
        const struct config_slot *slot = &f->slots[i];
        if (slot->usb) {
            look_at_usb(d, &p, slot->usb);
        } else if (access(slot->port, F_OK) == 0) {
            look_at_device(d, &p, slot->port);
        }
    }
    if (p.there == 0 && p.wrong == 0) {
        doctor_say(d, DOCTOR_NOTE,
                   "Plug a board in; ls -l /dev/serial/by-path shows the ports that there are.",
                   "%s: no port is there now%s%s", f->name, f->ports ? ": " : "", f->ports ? f->ports : "");
    } else if (p.wrong == 0) {
        doctor_say(d, DOCTOR_GOOD, NULL, "%s: %u port%s, for %s to use", f->name, p.there,
                   p.there == 1 ? "" : "s", d->user.name);
    }
}

void doctor_check_ports(struct doctor *d)
{
    bool has_modem_manager = runs(d, "ModemManager");
    for (uint32_t i = 0; i < d->config->n_fixtures; i++) {
        check_fixture(d, &d->config->fixtures[i], has_modem_manager);
    }
}
