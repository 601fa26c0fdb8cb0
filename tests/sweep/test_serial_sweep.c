/*
 * A real serial port is opened while system calls fail: the lock, the settings, the modem's lines, those that
 * libserialport makes among them (support/callfault.h). The port is a test bed's, as in test_io_usb.
 *
 * Whatever fails, the port is open and set as it must be, or it is not open and somebody is told why; then
 * nothing holds it, and the next try succeeds.
 */
#include "support/callfault.h"

#ifndef HAVE_UMOCKDEV

int main(void)
{
    return 77;
}

#else

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <umockdev.h>
#include <unistd.h>

#include "io/port_serial.h"

#define DEVICE    "/dev/ttyACM0"
#define TERMINALS "/dev/pts/" /* what the test bed puts behind it; its own sockets end when they like */

static UMockdevTestbed *bed;
static UMockdevIoctlBase *lines_base;
static int lines; /* the modem's, as the port has them; read and written in the bed's thread while we wait */

/* In the test bed's thread. */
static gboolean on_ioctl(UMockdevIoctlBase *base, UMockdevIoctlClient *client, gpointer ctx)
{
    (void)base, (void)ctx;
    gulong request = umockdev_ioctl_client_get_request(client);
    if (request != TIOCMGET && request != TIOCMSET && request != TIOCMBIS && request != TIOCMBIC) {
        umockdev_ioctl_client_complete(client, -1, ENOTTY); /* as a kernel without termiox */
        return TRUE;
    }
    UMockdevIoctlData *pointer = umockdev_ioctl_client_get_arg(client); /* borrowed */
    UMockdevIoctlData *data = umockdev_ioctl_data_resolve(pointer, 0, sizeof(int), NULL);
    int given;
    memcpy(&given, data->data, sizeof(given));
    if (request == TIOCMGET) {
        umockdev_ioctl_data_update(data, 0, (guint8 *)&lines, sizeof(lines));
    } else {
        lines = request == TIOCMSET ? given : request == TIOCMBIS ? lines | given : lines & ~given;
    }
    umockdev_ioctl_client_complete(client, 0, 0);
    umockdev_ioctl_data_unref(data);
    return TRUE;
}

static void check_settings(int fd)
{
    struct termios t;
    assert_int_equal(tcgetattr(fd, &t), 0);
    assert_int_equal(t.c_cflag & HUPCL, 0);
    assert_int_equal(t.c_cflag & (CRTSCTS | CLOCAL | CREAD), CRTSCTS | CLOCAL | CREAD);
    assert_int_equal(cfgetospeed(&t), B115200);
    assert_int_equal(t.c_lflag & (ICANON | ECHO | ISIG), 0);
    assert_int_equal(t.c_cc[VMIN], 1);
    assert_int_equal(lines & (TIOCM_DTR | TIOCM_RTS), TIOCM_DTR | TIOCM_RTS);
}

static void live(void)
{
    struct port_config config = {.baud = 115200, .flow = PORT_FLOW_RTSCTS};
    unsigned failures = 0, descriptors = callfault_descriptors(TERMINALS);
    int fd;
    lines = 0; /* down: what another program left */
    do {
        struct err_info why = {0};
        callfault_switch(true);
        fd = port_serial_open(DEVICE, &config, &why);
        callfault_switch(false);
        if (fd < 0) {
            callfault_note("port", why.text, &failures);
            assert_int_equal(callfault_descriptors(TERMINALS), descriptors);
        }
    } while (fd < 0);
    callfault_stop();
    check_settings(fd);
    assert_int_equal(port_serial_open(DEVICE, &config, NULL), ERR_LOCKED);
    port_discard(fd);
    assert_int_equal(callfault_descriptors(TERMINALS), descriptors);
}

static int set_up(void **state)
{
    (void)state;
    bed = umockdev_testbed_new();
    lines_base = umockdev_ioctl_base_new();
    g_signal_connect(lines_base, "handle-ioctl", G_CALLBACK(on_ioctl), NULL);
    bool is_made =
        umockdev_testbed_add_from_string(bed,
                                         "P: /devices/usb1/1-1/1-1.2\n"
                                         "E: SUBSYSTEM=usb\nE: DEVTYPE=usb_device\n"
                                         "A: idVendor=1366\nA: idProduct=1069\nA: serial=001051212345\n\n"
                                         "P: /devices/usb1/1-1/1-1.2/1-1.2:1.0\n"
                                         "E: SUBSYSTEM=usb\nE: DEVTYPE=usb_interface\nE: DRIVER=cdc_acm\n\n"
                                         "P: /devices/usb1/1-1/1-1.2/1-1.2:1.0/tty/ttyACM0\nN: ttyACM0\n"
                                         "E: SUBSYSTEM=tty\nE: DEVNAME=/dev/ttyACM0\n"
                                         "E: MAJOR=166\nE: MINOR=0\n",
                                         NULL) &&
        umockdev_testbed_attach_ioctl(bed, DEVICE, lines_base, NULL);
    return is_made ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    g_object_unref(lines_base);
    g_object_unref(bed);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct callfault_story stories[] = {{.name = "open", .live = live}};
    if (!strstr(getenv("LD_PRELOAD") ? getenv("LD_PRELOAD") : "", "umockdev")) {
        return 77; /* started without the wrapper */
    }
    return callfault_main(
        argc, argv,
        &(struct callfault_sweep){.stories = stories, .n = 1, .set_up = set_up, .tear_down = tear_down});
}

#endif
