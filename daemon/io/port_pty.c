/*
 * libserialport refuses pseudo-terminals: they have no entry in /sys/class/tty and no modem lines. Their few
 * settings are made here. Nothing on them runs at a baud rate; a simulated board paces itself.
 */
#include "io/port_pty.h"

#include <errno.h>
#include <string.h>
#include <termios.h>

static int make_raw(int fd, const char *device, struct err_info *reterr)
{
    struct termios t;
    if (tcgetattr(fd, &t) < 0) {
        return err_set(reterr, -errno, "settings of %s cannot be read: %s", device, strerror(errno));
    }
    cfmakeraw(&t); /* 8 bits, no parity, no echo, no signals, no translation */
    t.c_iflag &= ~(tcflag_t)(IXON | IXOFF | IXANY);
    t.c_cflag &= ~(tcflag_t)(CSTOPB | CRTSCTS);
    if (tcsetattr(fd, TCSANOW, &t) < 0) {
        return err_set(reterr, -errno, "settings of %s cannot be changed: %s", device, strerror(errno));
    }
    return 0;
}

int port_pty_open(const char *device, const struct port_config *config, struct err_info *reterr)
{
    (void)config;
    int fd = port_open_locked(device, reterr);
    if (fd < 0) {
        return fd;
    }
    int r = make_raw(fd, device, reterr);
    if (r == 0) {
        r = port_finish(fd, reterr);
    }
    if (r < 0) {
        port_discard(fd);
        return r;
    }
    return fd;
}
