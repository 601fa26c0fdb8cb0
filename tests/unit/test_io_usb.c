/*
 * io/hotplug by USB path, and the opening of a real port, with boards that umockdev makes up: sysfs, the
 * device nodes (each a pseudo-terminal behind a tty's name) and udev's messages are a test bed's.
 */
#include "test_io.h"

#ifndef HAVE_UMOCKDEV

int main(void)
{
    return 77;
}

#else

#include <sys/file.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <umockdev.h>

#include "io/hotplug.h"
#include "io/hotplug_usb.h"
#include "io/port_serial.h"

#define HUB "/sys/devices/pci0000:00/0000:00:14.0/usb1/1-1"

struct bench {
    UMockdevTestbed *bed;
    struct loop *loop;
    struct hotplug *hotplug;
    char trace[1024]; /* "+a=/dev/ttyACM0 -a=/dev/ttyACM0 " */
    struct hotplug_port last;
};

static void note(struct bench *b, char sign, const struct hotplug_port *port)
{
    size_t at = strlen(b->trace);
    snprintf(b->trace + at, sizeof(b->trace) - at, "%c%s=%s ", sign, port->name, port->device);
    b->last = *port;
}

static void on_arrived(void *ctx, const struct hotplug_port *port)
{
    note(ctx, '+', port);
}

static void on_left(void *ctx, const struct hotplug_port *port)
{
    note(ctx, '-', port);
}

static void on_failed(void *ctx, const struct err_info *why)
{
    (void)ctx;
    fail_msg("%s", why->text);
}

static const struct hotplug_events events = {.arrived = on_arrived, .left = on_left, .failed = on_failed};

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));
    b->bed = umockdev_testbed_new();
    b->loop = loop_new();
    b->hotplug = hotplug_new(b->loop, &events, b, NULL);
    assert_non_null(b->hotplug);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    hotplug_free(b->hotplug);
    loop_free(b->loop);
    g_object_unref(b->bed);
    free(b);
    return 0;
}

/* --- boards -------------------------------------------------------------------------------------------- */

struct id {
    const char *vendor, *product, *serial;
};

static const struct id nrf9151dk = {"1366", "1069", "001051212345"};
static const struct id nrf9160dk = {"1366", "1055", "000960012345"};
static const struct id unknown = {"10c4", "ea60", "0001"};

static void describe(struct bench *b, const char *text)
{
    GError *error = NULL;
    if (!umockdev_testbed_add_from_string(b->bed, text, &error)) {
        fail_msg("%s", error->message);
    }
}

static void add_board(struct bench *b, const char *socket, const struct id *id)
{
    char text[512];
    snprintf(text, sizeof(text),
             "P: /devices/pci0000:00/0000:00:14.0/usb1/1-1/%s\n"
             "E: SUBSYSTEM=usb\nE: DEVTYPE=usb_device\n"
             "A: idVendor=%s\nA: idProduct=%s\nA: serial=%s\n",
             socket, id->vendor, id->product, id->serial);
    describe(b, text);
}

/* One CDC ACM function: its interface, and the tty below. udev's message follows with announce. */
static void add_tty(struct bench *b, const char *socket, int interface, const char *tty)
{
    char text[1024];
    snprintf(text, sizeof(text),
             "P: /devices/pci0000:00/0000:00:14.0/usb1/1-1/%s/%s:1.%d\n"
             "E: SUBSYSTEM=usb\nE: DEVTYPE=usb_interface\nE: DRIVER=cdc_acm\n"
             "A: bInterfaceNumber=%02x\n\n"
             "P: /devices/pci0000:00/0000:00:14.0/usb1/1-1/%s/%s:1.%d/tty/%s\n"
             "N: %s\nE: SUBSYSTEM=tty\nE: DEVNAME=/dev/%s\nE: MAJOR=166\nE: MINOR=%s\n",
             socket, socket, interface, (unsigned)interface, socket, socket, interface, tty, tty, tty,
             tty + strlen("ttyACM"));
    describe(b, text);
}

static const char *path_of(const char *socket, int interface, const char *tty)
{
    static char path[256];
    snprintf(path, sizeof(path), HUB "/%s/%s:1.%d/tty/%s", socket, socket, interface, tty);
    return path;
}

static void announce(struct bench *b, const char *socket, int interface, const char *tty, const char *action)
{
    umockdev_testbed_uevent(b->bed, path_of(socket, interface, tty), action);
}

/* From sysfs and /dev, without a word. */
static void drop_tty(struct bench *b, const char *socket, int interface, const char *tty)
{
    umockdev_testbed_remove_device(b->bed, path_of(socket, interface, tty));
    char path[256];
    snprintf(path, sizeof(path), HUB "/%s/%s:1.%d", socket, socket, interface);
    umockdev_testbed_remove_device(b->bed, path);
}

static void drop_board(struct bench *b, const char *socket)
{
    char path[256];
    snprintf(path, sizeof(path), HUB "/%s", socket);
    umockdev_testbed_remove_device(b->bed, path);
}

/* The message is read when tty, interface and board have gone: pull_tty, drop_board, then the loop runs. */
static void pull_tty(struct bench *b, const char *socket, int interface, const char *tty)
{
    announce(b, socket, interface, tty, "remove");
    drop_tty(b, socket, interface, tty);
}

static void watch(struct bench *b, const char *usb, const char *name, int expected)
{
    struct err_info why = {0};
    int r = hotplug_add_usb(b->hotplug, usb, name, &why);
    if (r != expected) {
        fail_msg("%s: %d %s", usb, r, why.text);
    }
}

static void assert_told(struct bench *b, const char *expected)
{
    run_dry(b->loop);
    assert_string_equal(b->trace, expected);
    b->trace[0] = '\0';
}

/* --- coming and going ---------------------------------------------------------------------------------- */

static void what_is_there_at_the_start(void **state)
{
    struct bench *b = *state;
    add_board(b, "1-1.2", &nrf9151dk);
    add_tty(b, "1-1.2", 0, "ttyACM1");
    add_tty(b, "1-1.2", 2, "ttyACM0");
    watch(b, "1-1.2:1.0", "a", 0);
    watch(b, "1-1.3:1.0", "b", 1);
    assert_told(b, "");
    hotplug_rescan(b->hotplug);
    assert_told(b, "+a=/dev/ttyACM1 ");
    assert_string_equal(b->last.usb, "1-1.2:1.0");
    assert_string_equal(b->last.path, "/dev/ttyACM1");
    assert_int_equal(b->last.watch, 0);
    assert_string_equal(b->last.kind->model, "nRF9151 DK");
    assert_false(b->last.is_wrong_port);
    hotplug_rescan(b->hotplug);
    assert_told(b, "");
}

static void plug_and_pull(void **state)
{
    struct bench *b = *state;
    watch(b, "1-1.2:1.0", "a", 0);
    watch(b, "1-1.20:1.0", "t", 1);
    hotplug_rescan(b->hotplug);
    add_board(b, "1-1.2", &nrf9151dk);
    add_tty(b, "1-1.2", 0, "ttyACM0");
    announce(b, "1-1.2", 0, "ttyACM0", "add");
    add_tty(b, "1-1.2", 2, "ttyACM1");
    announce(b, "1-1.2", 2, "ttyACM1", "add");
    assert_told(b, "+a=/dev/ttyACM0 ");
    announce(b, "1-1.2", 0, "ttyACM0", "change"); /* udev's rules were read again */
    announce(b, "1-1.2", 0, "ttyACM0", "add");
    assert_told(b, "");
    pull_tty(b, "1-1.2", 2, "ttyACM1");
    pull_tty(b, "1-1.2", 0, "ttyACM0");
    drop_board(b, "1-1.2");
    assert_told(b, "-a=/dev/ttyACM0 ");
}

static void another_number_is_the_same_slot(void **state)
{
    struct bench *b = *state;
    watch(b, "1-1.2:1.0", "a", 0);
    for (int i = 0; i < 5; i++) {
        char tty[16], told[64];
        snprintf(tty, sizeof(tty), "ttyACM%d", i * 7);
        add_board(b, "1-1.2", &nrf9151dk);
        add_tty(b, "1-1.2", 0, tty);
        announce(b, "1-1.2", 0, tty, "add");
        snprintf(told, sizeof(told), "+a=/dev/%s ", tty);
        assert_told(b, told);
        pull_tty(b, "1-1.2", 0, tty);
        drop_board(b, "1-1.2");
        snprintf(told, sizeof(told), "-a=/dev/%s ", tty);
        assert_told(b, told);
    }
}

/* Pulled and plugged in before anybody looked, with the removal lost. */
static void a_missed_removal(void **state)
{
    struct bench *b = *state;
    watch(b, "1-1.2:1.0", "a", 0);
    add_board(b, "1-1.2", &nrf9151dk);
    add_tty(b, "1-1.2", 0, "ttyACM0");
    hotplug_rescan(b->hotplug);
    assert_told(b, "+a=/dev/ttyACM0 ");
    drop_tty(b, "1-1.2", 0, "ttyACM0");
    drop_board(b, "1-1.2");
    add_board(b, "1-1.2", &nrf9151dk);
    add_tty(b, "1-1.2", 0, "ttyACM3");
    announce(b, "1-1.2", 0, "ttyACM3", "add");
    assert_told(b, "-a=/dev/ttyACM0 +a=/dev/ttyACM3 ");
    drop_tty(b, "1-1.2", 0, "ttyACM3");
    drop_board(b, "1-1.2");
    hotplug_rescan(b->hotplug);
    assert_told(b, "-a=/dev/ttyACM3 ");
}

static void boards_with_several_ports(void **state)
{
    struct bench *b = *state;
    watch(b, "1-1.4:1.4", "third", 0);
    watch(b, "1-1.4:1.0", "first", 1);
    watch(b, "1-1.4:1.2", "second", 2);
    add_board(b, "1-1.4", &nrf9160dk);
    add_tty(b, "1-1.4", 0, "ttyACM5");
    add_tty(b, "1-1.4", 2, "ttyACM4");
    add_tty(b, "1-1.4", 4, "ttyACM6");
    hotplug_rescan(b->hotplug);
    assert_true(b->last.is_wrong_port); /* "second", the last one told */
    assert_told(b, "+third=/dev/ttyACM6 +first=/dev/ttyACM5 +second=/dev/ttyACM4 ");
    announce(b, "1-1.4", 0, "ttyACM5", "remove");
    assert_told(b, "-first=/dev/ttyACM5 ");
    assert_false(b->last.is_wrong_port);
}

static void unknown_boards_are_nobody_elses(void **state)
{
    struct bench *b = *state;
    watch(b, "1-1.1:1.0", "a", 0);
    add_board(b, "1-1.1", &unknown);
    add_tty(b, "1-1.1", 0, "ttyACM0");
    describe(b, "P: /devices/platform/serial8250/tty/ttyS9\nN: ttyS9\n"
                "E: SUBSYSTEM=tty\nE: DEVNAME=/dev/ttyS9\nE: MAJOR=4\nE: MINOR=73\n");
    hotplug_rescan(b->hotplug);
    assert_told(b, "+a=/dev/ttyACM0 ");
    assert_null(b->last.kind);
    assert_false(b->last.is_wrong_port);
}

/* What a by-path link or a glob has led to. (The links themselves cannot be had here: the test bed's realpath
 * leads to the pseudo-terminal behind a port.) */
static void ports_found_by_path(void **state)
{
    struct bench *b = *state;
    add_board(b, "1-1.4", &nrf9160dk);
    add_tty(b, "1-1.4", 0, "ttyACM5");
    add_tty(b, "1-1.4", 2, "ttyACM4");
    add_tty(b, "1-1.4", 4, "ttyACM6");
    add_board(b, "1-1.1", &unknown);
    add_tty(b, "1-1.1", 0, "ttyACM0");
    describe(b, "P: /devices/platform/serial8250/tty/ttyS9\nN: ttyS9\n"
                "E: SUBSYSTEM=tty\nE: DEVNAME=/dev/ttyS9\nE: MAJOR=4\nE: MINOR=73\n");
    static const struct {
        const char *device, *usb, *model;
        bool is_wrong_port;
    } rows[] = {
        {"/dev/ttyACM5", "1-1.4:1.0", "nRF9160 DK", false},
        {"/dev/ttyACM4", "1-1.4:1.2", "nRF9160 DK", true},
        {"/dev/ttyACM6", "1-1.4:1.4", "nRF9160 DK", true},
        {"/dev/ttyACM0", "1-1.1:1.0", NULL, false},
        {"/dev/ttyS9", "", NULL, false},
        {"/dev/pts/0", "", NULL, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct hotplug_port port = {.watch = 7};
        strcpy(port.device, rows[i].device);
        hotplug_usb_describe(&port);
        assert_string_equal(port.usb, rows[i].usb);
        assert_string_equal(port.kind ? port.kind->model : "", rows[i].model ? rows[i].model : "");
        assert_int_equal(port.is_wrong_port, rows[i].is_wrong_port);
        assert_int_equal(port.watch, 7);
    }
}

static void refused_slots(void **state)
{
    struct bench *b = *state;
    char name[HOTPLUG_NAME_SIZE + 1], usb[HOTPLUG_USB_SIZE + 8];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    snprintf(usb, sizeof(usb), "1-%0*d:1.0", HOTPLUG_USB_SIZE, 1);
    watch(b, "1-1.2", "a", ERR_FORMAT);
    watch(b, "1-1.2:1.0", "", ERR_RANGE);
    watch(b, "1-1.2:1.0", name, ERR_RANGE);
    watch(b, usb, "a", ERR_RANGE);
    watch(b, "1-1.2:1.0", "a", 0);
}

/* --- opening ------------------------------------------------------------------------------------------- */

/* The modem's lines of the made-up port, and what was asked of them. */
struct lines {
    GMutex lock;
    int value, n_raised, n_lowered;
};

static void answer_lines(UMockdevIoctlClient *client, struct lines *lines)
{
    gulong request = umockdev_ioctl_client_get_request(client);
    if (request != TIOCMGET && request != TIOCMSET && request != TIOCMBIS && request != TIOCMBIC) {
        umockdev_ioctl_client_complete(client, -1, ENOTTY); /* as a kernel without termiox */
        return;
    }
    GError *error = NULL;
    UMockdevIoctlData *pointer = umockdev_ioctl_client_get_arg(client); /* borrowed */
    UMockdevIoctlData *data = umockdev_ioctl_data_resolve(pointer, 0, sizeof(int), &error);
    int value = lines->value, given;
    memcpy(&given, data->data, sizeof(given));
    if (request == TIOCMGET) {
        umockdev_ioctl_data_update(data, 0, (guint8 *)&value, sizeof(value));
    } else {
        lines->value = request == TIOCMSET ? given : request == TIOCMBIS ? value | given : value & ~given;
        lines->n_raised += (lines->value & ~value & (TIOCM_DTR | TIOCM_RTS)) != 0;
        lines->n_lowered += (value & ~lines->value & (TIOCM_DTR | TIOCM_RTS)) != 0;
    }
    umockdev_ioctl_client_complete(client, 0, 0);
    umockdev_ioctl_data_unref(data);
}

/* In the test bed's thread. */
static gboolean on_ioctl(UMockdevIoctlBase *base, UMockdevIoctlClient *client, gpointer ctx)
{
    (void)base;
    struct lines *lines = ctx;
    g_mutex_lock(&lines->lock);
    answer_lines(client, lines);
    g_mutex_unlock(&lines->lock);
    return TRUE;
}

static void opening_raises_the_lines(void **state)
{
    struct bench *b = *state;
    add_board(b, "1-1.2", &nrf9151dk);
    add_tty(b, "1-1.2", 0, "ttyACM0");
    struct lines lines = {0}; /* down: what another program left */
    UMockdevIoctlBase *base = umockdev_ioctl_base_new();
    g_signal_connect(base, "handle-ioctl", G_CALLBACK(on_ioctl), &lines);
    assert_true(umockdev_testbed_attach_ioctl(b->bed, "/dev/ttyACM0", base, NULL));

    struct port_config config = {.baud = 115200, .flow = PORT_FLOW_RTSCTS};
    struct err_info why = {0};
    int fd = port_serial_open("/dev/ttyACM0", &config, &why);
    if (fd < 0) {
        fail_msg("%d %s", fd, why.text);
    }
    assert_int_equal(lines.value & (TIOCM_DTR | TIOCM_RTS), TIOCM_DTR | TIOCM_RTS);
    assert_true(lines.n_raised > 0);

    struct termios t;
    assert_int_equal(tcgetattr(fd, &t), 0);
    assert_int_equal(t.c_cflag & HUPCL, 0);
    assert_int_equal(t.c_cflag & (CRTSCTS | CLOCAL | CREAD), CRTSCTS | CLOCAL | CREAD);
    assert_int_equal(cfgetospeed(&t), B115200);
    assert_int_equal(t.c_lflag & (ICANON | ECHO | ISIG), 0);
    assert_int_equal(t.c_oflag & OPOST, 0);
    assert_int_equal(t.c_cc[VMIN], 1);
    assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);

    /* Held against others, and no second open by us either. */
    int other = open("/dev/ttyACM0", O_RDWR | O_NOCTTY);
    assert_true(other >= 0);
    assert_int_equal(flock(other, LOCK_EX | LOCK_NB), -1);
    assert_int_equal(errno, EWOULDBLOCK);
    close(other);
    assert_int_equal(port_serial_open("/dev/ttyACM0", &config, NULL), ERR_LOCKED);

    int board = umockdev_testbed_get_dev_fd(b->bed, "/dev/ttyACM0");
    char got[8];
    assert_int_equal(write(fd, "AT\r", 3), 3);
    read_all(board, got, 3);
    assert_memory_equal(got, "AT\r", 3);

    lines.n_lowered = 0;
    port_discard(fd);
    assert_int_equal(lines.value & (TIOCM_DTR | TIOCM_RTS), TIOCM_DTR | TIOCM_RTS);
    assert_int_equal(lines.n_lowered, 0);
    assert_true(umockdev_testbed_detach_ioctl(b->bed, "/dev/ttyACM0", NULL));
    g_object_unref(base);
}

/* The kernel raises them at the first open, and some boards take a fall of DTR for a reset. */
static void opening_never_drops_a_line(void **state)
{
    struct bench *b = *state;
    add_board(b, "1-1.2", &nrf9151dk);
    add_tty(b, "1-1.2", 0, "ttyACM0");
    static const enum port_flow flows[] = {PORT_FLOW_RTSCTS, PORT_FLOW_XONXOFF, PORT_FLOW_NONE};
    for (size_t i = 0; i < COUNT(flows); i++) {
        struct lines lines = {.value = TIOCM_DTR | TIOCM_RTS};
        UMockdevIoctlBase *base = umockdev_ioctl_base_new();
        g_signal_connect(base, "handle-ioctl", G_CALLBACK(on_ioctl), &lines);
        assert_true(umockdev_testbed_attach_ioctl(b->bed, "/dev/ttyACM0", base, NULL));
        struct port_config config = {.flow = flows[i]};
        int fd = port_serial_open("/dev/ttyACM0", &config, NULL);
        assert_true(fd >= 0);
        struct termios t;
        assert_int_equal(tcgetattr(fd, &t), 0);
        assert_int_equal((t.c_cflag & CRTSCTS) != 0, flows[i] == PORT_FLOW_RTSCTS);
        assert_int_equal((t.c_iflag & (IXON | IXOFF)) != 0, flows[i] == PORT_FLOW_XONXOFF);
        port_discard(fd);
        assert_int_equal(lines.n_lowered, 0);
        assert_int_equal(lines.value, TIOCM_DTR | TIOCM_RTS);
        assert_true(umockdev_testbed_detach_ioctl(b->bed, "/dev/ttyACM0", NULL));
        g_object_unref(base);
    }
}

int main(void)
{
    if (!strstr(getenv("LD_PRELOAD") ? getenv("LD_PRELOAD") : "", "umockdev")) {
        return 77; /* started without the wrapper */
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_there_at_the_start, setup, teardown),
        cmocka_unit_test_setup_teardown(plug_and_pull, setup, teardown),
        cmocka_unit_test_setup_teardown(another_number_is_the_same_slot, setup, teardown),
        cmocka_unit_test_setup_teardown(a_missed_removal, setup, teardown),
        cmocka_unit_test_setup_teardown(boards_with_several_ports, setup, teardown),
        cmocka_unit_test_setup_teardown(unknown_boards_are_nobody_elses, setup, teardown),
        cmocka_unit_test_setup_teardown(ports_found_by_path, setup, teardown),
        cmocka_unit_test_setup_teardown(refused_slots, setup, teardown),
        cmocka_unit_test_setup_teardown(opening_raises_the_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(opening_never_drops_a_line, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
