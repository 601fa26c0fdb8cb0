/*
 * libserialport 0.1.1 knows how each driver wants its baud rate and flow control set, so it does that, on a
 * second open of a port that we hold and have locked already. Ours is the descriptor that stays: it was made
 * close-on-exec and non-blocking without a gap, and the library's blocking calls, which spin after a hang-up
 * and abort on descriptors above 1023, are never reached. Closing the library's own open is not the tty's
 * last close, so it does not block and drops no line.
 *
 * After the library: it sets HUPCL (the board would see DTR fall at every close) and VMIN = 0 (an idle read
 * of nothing would look like an end), which port_finish undoes.
 */
#include "io/port_serial.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>

#include <libserialport.h>

/* Turns the library's code into ours. SP_ERR_FAIL leaves the cause in errno. */
static int to_err(enum sp_return code)
{
    switch (code) {
    case SP_OK:
        return 0;
    case SP_ERR_ARG:
        return -EINVAL;
    case SP_ERR_FAIL:
        return errno > 0 ? -errno : -EIO;
    case SP_ERR_MEM:
        return -ENOMEM;
    case SP_ERR_SUPP:
        return -EOPNOTSUPP;
    }
    return ERR_INTERNAL;
}

static int failed(enum sp_return code, const char *device, const char *what, struct err_info *reterr)
{
    int r = to_err(code);
    return err_set(reterr, r, "%s: %s failed: %s", device, what, err_text(r));
}

static enum sp_flowcontrol to_flow(enum port_flow flow)
{
    switch (flow) {
    case PORT_FLOW_RTSCTS:
        return SP_FLOWCONTROL_RTSCTS;
    case PORT_FLOW_XONXOFF:
        return SP_FLOWCONTROL_XONXOFF;
    case PORT_FLOW_NONE:
        return SP_FLOWCONTROL_NONE;
    }
    return SP_FLOWCONTROL_NONE;
}

/* All at once, so that the driver is told one complete setting. */
static enum sp_return set_line(struct sp_port *port, const struct port_config *config)
{
    struct sp_port_config *line;
    enum sp_return r = sp_new_config(&line);
    if (r != SP_OK) {
        return r;
    }
    sp_set_config_baudrate(line, (int)(config->baud ? config->baud : PORT_BAUD_DEFAULT));
    sp_set_config_bits(line, 8);
    sp_set_config_parity(line, SP_PARITY_NONE);
    sp_set_config_stopbits(line, 1);
    sp_set_config_flowcontrol(line, to_flow(config->flow));
    r = sp_set_config(port, line);
    int saved = errno; /* freeing may change it, and it is the cause */
    sp_free_config(line);
    errno = saved;
    return r;
}

static int configure(const char *device, const struct port_config *config, struct err_info *reterr)
{
    struct sp_port *port;
    enum sp_return r = sp_get_port_by_name(device, &port);
    if (r != SP_OK) {
        return failed(r, device, "looking the port up", reterr);
    }
    int result = 0;
    r = sp_open(port, SP_MODE_READ_WRITE);
    if (r != SP_OK) {
        result = failed(r, device, "opening", reterr);
    } else {
        r = set_line(port, config);
        if (r != SP_OK) {
            result = failed(r, device, "setting rate and flow control", reterr);
        }
        sp_close(port);
    }
    sp_free_port(port);
    return result;
}

/* The library says that it has set RTS/CTS and leaves CRTSCTS as it was. */
static int set_rtscts(int fd, const char *device, enum port_flow flow, struct err_info *reterr)
{
    struct termios t;
    int r = tcgetattr(fd, &t);
    if (r == 0) {
        t.c_cflag &= ~(tcflag_t)CRTSCTS;
        t.c_cflag |= flow == PORT_FLOW_RTSCTS ? CRTSCTS : 0;
        r = tcsetattr(fd, TCSANOW, &t);
    }
    return r == 0 ? 0
                  : err_set(reterr, -errno, "%s: setting flow control failed: %s", device, strerror(errno));
}

/* A tty without such lines says one of these, and needs none. EPIPE: a USB device that does not know the
 * request. */
static bool has_no_lines(int error)
{
    return error == ENOTTY || error == EINVAL || error == EPIPE || error == EOPNOTSUPP;
}

/* USB bridges hold their lines to the board until DTR is up: where that fails the board would only be silent,
 * and be blamed for it. */
static int raise_lines(int fd, const char *device, struct err_info *reterr)
{
    int lines = TIOCM_DTR | TIOCM_RTS;
    return ioctl(fd, TIOCMBIS, &lines) == 0 || has_no_lines(errno)
               ? 0
               : err_set(reterr, -errno, "%s: DTR and RTS cannot be raised: %s", device, strerror(errno));
}

int port_serial_open(const char *device, const struct port_config *config, struct err_info *reterr)
{
    int fd = port_open_locked(device, reterr);
    if (fd < 0) {
        return fd;
    }
    int r = configure(device, config, reterr);
    if (r == 0) {
        r = set_rtscts(fd, device, config->flow, reterr);
    }
    if (r == 0) {
        r = raise_lines(fd, device, reterr);
    }
    if (r == 0) {
        r = port_finish(fd, reterr);
    }
    if (r < 0) {
        port_discard(fd);
        return r;
    }
    return fd;
}

/* --- listing
 * ------------------------------------------------------------------------------------------------------- */

static void copy_text(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from ? from : "");
}

static void describe(struct port_serial_info *to, const struct sp_port *port)
{
    *to = (struct port_serial_info){.usb_vendor = -1, .usb_product = -1};
    copy_text(to->device, sizeof(to->device), sp_get_port_name(port));
    copy_text(to->description, sizeof(to->description), sp_get_port_description(port));
    if (sp_get_port_transport(port) == SP_TRANSPORT_USB) {
        copy_text(to->usb_serial, sizeof(to->usb_serial), sp_get_port_usb_serial(port));
        if (sp_get_port_usb_vid_pid(port, &to->usb_vendor, &to->usb_product) != SP_OK) {
            to->usb_vendor = to->usb_product = -1;
        }
    }
}

int port_serial_list(struct port_serial_info *out, size_t max, struct err_info *reterr)
{
    struct sp_port **list;
    enum sp_return r = sp_list_ports(&list);
    if (r != SP_OK) {
        return failed(r, "serial ports", "listing", reterr);
    }
    int n = 0;
    for (; list[n]; n++) {
        if ((size_t)n < max) {
            describe(&out[n], list[n]);
        }
    }
    sp_free_port_list(list);
    return n;
}
