/* io/hotplug with links to real pseudo-terminals in a temporary folder, and with every hint lost. */
#include "test_io.h"

#include <sys/stat.h>

#include "io/hotplug.h"

#define BOARDS 12

struct bench {
    struct loop *loop;
    struct hotplug *hotplug;
    char root[64];
    char trace[4096]; /* "+001 -001 ", in the order of the calls */
    int n_failed, failure;
    struct hotplug_port last;
    int boards[BOARDS];
    char devices[BOARDS][PORT_PATH_SIZE];
};

static void note(struct bench *b, char sign, const struct hotplug_port *port)
{
    size_t at = strlen(b->trace);
    snprintf(b->trace + at, sizeof(b->trace) - at, "%c%s ", sign, port->name);
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
    struct bench *b = ctx;
    b->n_failed++;
    b->failure = why->code;
}

static const struct hotplug_events events = {.arrived = on_arrived, .left = on_left, .failed = on_failed};

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));
    b->loop = loop_new();
    b->hotplug = hotplug_new(b->loop, &events, b, NULL);
    assert_non_null(b->hotplug);
    strcpy(b->root, "/tmp/certline-test-XXXXXX");
    assert_non_null(mkdtemp(b->root));
    for (int i = 0; i < BOARDS; i++) {
        b->boards[i] = open_board(b->devices[i], sizeof(b->devices[i]));
    }
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    hotplug_free(b->hotplug);
    loop_free(b->loop);
    for (int i = 0; i < BOARDS; i++) {
        close(b->boards[i]);
    }
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", b->root);
    assert_int_equal(system(command), 0);
    free(b);
    return 0;
}

/* A path below the root; four at a time may be in use. */
static const char *below(struct bench *b, const char *path)
{
    static char out[4][PORT_PATH_SIZE];
    static unsigned next;
    char *to = out[next++ % 4];
    snprintf(to, PORT_PATH_SIZE, "%s/%s", b->root, path);
    return to;
}

static void add_glob(struct bench *b, const char *pattern)
{
    assert_true(hotplug_add_glob(b->hotplug, below(b, pattern), NULL) >= 0);
}

static void make_link(struct bench *b, const char *path, int board)
{
    assert_int_equal(symlink(b->devices[board], below(b, path)), 0);
}

/* As udev does it: made beside and renamed over. */
static void replace_link(struct bench *b, const char *path, int board)
{
    assert_int_equal(symlink(b->devices[board], below(b, ".new")), 0);
    assert_int_equal(rename(below(b, ".new"), below(b, path)), 0);
}

static void make_folder(struct bench *b, const char *path)
{
    assert_int_equal(mkdir(below(b, path), 0700), 0);
}

static void expect(struct bench *b, const char *trace)
{
    RUN_UNTIL(b->loop, strlen(b->trace) >= strlen(trace));
    run_dry(b->loop);
    assert_string_equal(b->trace, trace);
    b->trace[0] = '\0';
    assert_int_equal(b->n_failed, 0);
}

static void what_is_there_at_the_start_comes_in_order(void **state)
{
    struct bench *b = *state;
    add_glob(b, "slot*");
    static const char *const names[] = {"slot10", "slot9", "slot1", "other1", "slot2", "slot", ".slot3"};
    for (size_t i = 0; i < COUNT(names); i++) {
        make_link(b, names[i], (int)i);
    }
    make_folder(b, "slot77"); /* no device */
    assert_int_equal(symlink("/dev/pts/nowhere", below(b, "slot78")), 0);
    assert_int_equal(symlink("/etc/passwd", below(b, "slot79")), 0);
    run_dry(b->loop);
    assert_string_equal(b->trace, ""); /* nothing is told before it is asked for */
    hotplug_rescan(b->hotplug);
    expect(b, "+slot +1 +2 +9 +10 ");
    assert_string_equal(b->last.path, below(b, "slot10"));
    assert_string_equal(b->last.device, b->devices[0]);
    assert_string_equal(b->last.usb, "");
    assert_int_equal(b->last.watch, 0);
}

static void names_are_what_the_wildcards_matched(void **state)
{
    static const struct {
        const char *pattern, *file, *name;
    } rows[] = {
        {"slot*", "slot001", "001"},
        {"*-port", "left-port", "left"},
        {"pci-*:1.0", "pci-usb-0:2:1.0", "usb-0:2"},
        {"s*t*x", "sAtBx", "AtB"},
        {"slot??", "slot07", "07"},
        {"slot[0-9]", "slot5", "5"},
        {"slot[0-9]a", "slot5a", "5"},
        {"*", "any", "any"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(setup(state), 0);
        struct bench *b = *state;
        add_glob(b, rows[i].pattern);
        make_link(b, rows[i].file, 0);
        hotplug_rescan(b->hotplug);
        assert_string_equal(b->last.name, rows[i].name);
        assert_int_equal(teardown(state), 0);
    }
}

static void links_come_and_go(void **state)
{
    struct bench *b = *state;
    add_glob(b, "slot*");
    hotplug_rescan(b->hotplug);
    make_link(b, "slot001", 1);
    expect(b, "+001 ");
    assert_string_equal(b->last.device, b->devices[1]);
    make_link(b, "other", 2);
    make_link(b, "slot000", 2);
    expect(b, "+000 ");
    unlink(below(b, "slot001"));
    expect(b, "-001 ");
    assert_string_equal(b->last.device, b->devices[1]);
    assert_int_equal(rename(below(b, "slot000"), below(b, "slot5")), 0);
    expect(b, "-000 +5 ");
    hotplug_rescan(b->hotplug);
    expect(b, "");
}

static void another_target_is_another_board(void **state)
{
    struct bench *b = *state;
    add_glob(b, "slot*");
    make_link(b, "slot001", 1);
    hotplug_rescan(b->hotplug);
    expect(b, "+001 ");
    replace_link(b, "slot001", 2);
    expect(b, "-001 +001 ");
    assert_string_equal(b->last.device, b->devices[2]);
    replace_link(b, "slot001", 2); /* made anew, to the same terminal: its number may have come back */
    expect(b, "-001 +001 ");
}

/* The link stays, and what it leads to is another device now: udev keeps a by-path link over a new node. */
static void another_device_behind_a_kept_link_is_another_board(void **state)
{
    struct bench *b = *state;
    add_glob(b, "slot*");
    make_link(b, "device", 1);
    assert_int_equal(symlink(below(b, "device"), below(b, "slot001")), 0);
    hotplug_rescan(b->hotplug);
    expect(b, "+001 ");
    replace_link(b, "device", 2);
    hotplug_rescan(b->hotplug);
    expect(b, "-001 +001 ");
    assert_string_equal(b->last.device, b->devices[2]);
}

/* udev touches a link that it keeps; a job must not end for that. */
static void a_touched_link_is_the_same_board(void **state)
{
    struct bench *b = *state;
    add_glob(b, "slot*");
    make_link(b, "slot001", 1);
    hotplug_rescan(b->hotplug);
    expect(b, "+001 ");
    assert_int_equal(utimensat(AT_FDCWD, below(b, "slot001"), NULL, AT_SYMLINK_NOFOLLOW), 0);
    hotplug_rescan(b->hotplug);
    expect(b, "");
}

/* Hints may be folded or lost: what counts is the difference between two looks. */
static void without_any_hint_a_scan_finds_everything(void **state)
{
    struct bench *b = *state;
    add_glob(b, "slot*");
    for (int i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof(name), "slot%d", i);
        make_link(b, name, i);
    }
    hotplug_rescan(b->hotplug);
    expect(b, "+0 +1 +2 +3 ");
    unlink(below(b, "slot0"));
    unlink(below(b, "slot3"));
    replace_link(b, "slot1", 5);
    make_link(b, "slot4", 6);
    hotplug_rescan(b->hotplug); /* before the loop has read one hint */
    assert_string_equal(b->trace, "-0 -1 +1 -3 +4 ");
    expect(b, "-0 -1 +1 -3 +4 ");
}

/* More events than the kernel keeps: it drops the rest and says so once. */
static void an_overflow_leads_to_a_scan(void **state)
{
    struct bench *b = *state;
    add_glob(b, "slot*");
    hotplug_rescan(b->hotplug);
    FILE *f = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
    int max = 0;
    assert_true(f && fscanf(f, "%d", &max) == 1);
    fclose(f);
    for (int i = 0; i <= max / 2 + 1; i++) { /* two events each, never folded: their names differ */
        const char *path = below(b, i % 2 ? "x" : "y");
        int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        close(fd);
        unlink(path);
    }
    make_link(b, "slot001", 1); /* its event is lost */
    expect(b, "+001 ");
}

static void a_folder_may_come_later_and_go_again(void **state)
{
    struct bench *b = *state;
    add_glob(b, "run/rack1/slot*");
    assert_true(hotplug_add_path(b->hotplug, below(b, "run/rack2/port"), "08", NULL) == 1);
    hotplug_rescan(b->hotplug);
    make_folder(b, "run");
    run_dry(b->loop);
    make_folder(b, "run/rack1");
    make_link(b, "run/rack1/slot001", 1); /* filled before anybody can watch it */
    expect(b, "+001 ");
    make_folder(b, "run/rack2");
    make_link(b, "run/rack2/port", 2);
    expect(b, "+08 ");
    assert_int_equal(b->last.watch, 1);
    make_link(b, "run/rack1/slot002", 3);
    expect(b, "+002 ");

    assert_int_equal(rename(below(b, "run/rack1"), below(b, "run/old")), 0);
    expect(b, "-001 -002 ");
    make_folder(b, "run/rack1");
    make_link(b, "run/rack1/slot003", 3);
    expect(b, "+003 ");
    make_link(b, "run/old/slot004", 4); /* nobody's */
    unlink(below(b, "run/rack1/slot003"));
    expect(b, "-003 ");
    assert_int_equal(rmdir(below(b, "run/rack1")), 0);
    run_dry(b->loop);
    make_folder(b, "run/rack1");
    make_link(b, "run/rack1/slot005", 5);
    expect(b, "+005 ");
}

/* Both of one folder, one of them twice: each is told. */
static void watches_share_a_folder(void **state)
{
    struct bench *b = *state;
    add_glob(b, "slot*");
    assert_true(hotplug_add_path(b->hotplug, below(b, "slot2"), "two", NULL) >= 0);
    add_glob(b, "port*");
    hotplug_rescan(b->hotplug);
    make_link(b, "slot2", 1);
    make_link(b, "port3", 2);
    expect(b, "+2 +two +3 ");
    unlink(below(b, "slot2"));
    expect(b, "-2 -two ");
}

static void a_device_itself_can_be_named(void **state)
{
    struct bench *b = *state;
    assert_true(hotplug_add_path(b->hotplug, b->devices[3], "07", NULL) >= 0);
    hotplug_rescan(b->hotplug);
    expect(b, "+07 ");
    assert_string_equal(b->last.device, b->devices[3]);
    close(b->boards[3]);
    b->boards[3] = -1;
    expect(b, "-07 ");
}

static void refuses_what_it_could_not_watch(void **state)
{
    struct bench *b = *state;
    static const struct {
        const char *pattern;
        int result;
    } rows[] = {
        {"slot*", ERR_FORMAT},
        {"", ERR_FORMAT},
        {"/run/rack*/slot1", ERR_FORMAT},
        {"/run/rack*/slot*", ERR_FORMAT},
        {"/run/slot1", ERR_FORMAT},
        {"/run/slot\\*", ERR_FORMAT},
        {"/run/", ERR_FORMAT},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err_info why = {0};
        assert_int_equal(hotplug_add_glob(b->hotplug, rows[i].pattern, &why), rows[i].result);
        assert_int_equal(why.code, rows[i].result);
    }
    char longest[PORT_PATH_SIZE + 16];
    memset(longest, 'a', sizeof(longest));
    longest[0] = '/';
    longest[sizeof(longest) - 2] = '*';
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(hotplug_add_glob(b->hotplug, longest, NULL), ERR_RANGE);
    assert_int_equal(hotplug_add_path(b->hotplug, "relative", "1", NULL), ERR_FORMAT);
    assert_int_equal(hotplug_add_path(b->hotplug, "/dev/x", "", NULL), ERR_RANGE);
    assert_int_equal(hotplug_add_path(b->hotplug, "/dev/x", longest, NULL), ERR_RANGE);
    hotplug_rescan(b->hotplug);
    expect(b, "");
}

static void too_long_a_name_is_told_and_nothing_else_suffers(void **state)
{
    struct bench *b = *state;
    add_glob(b, "slot*");
    char name[HOTPLUG_NAME_SIZE + 8] = "slot";
    memset(name + 4, '1', HOTPLUG_NAME_SIZE);
    make_link(b, name, 1);
    make_link(b, "slot2", 2);
    hotplug_rescan(b->hotplug);
    assert_int_equal(b->n_failed, 1);
    assert_int_equal(b->failure, ERR_RANGE);
    b->n_failed = 0;
    expect(b, "+2 ");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_is_there_at_the_start_comes_in_order),
        cmocka_unit_test(names_are_what_the_wildcards_matched),
        T(links_come_and_go),
        T(another_target_is_another_board),
        T(another_device_behind_a_kept_link_is_another_board),
        T(a_touched_link_is_the_same_board),
        T(without_any_hint_a_scan_finds_everything),
        T(an_overflow_leads_to_a_scan),
        T(a_folder_may_come_later_and_go_again),
        T(watches_share_a_folder),
        T(a_device_itself_can_be_named),
        T(refuses_what_it_could_not_watch),
        T(too_long_a_name_is_told_and_nothing_else_suffers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
