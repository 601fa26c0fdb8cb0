/* io/port on real pseudo-terminals: settings, lock, partial writes, hang-up, fairness. */
#include "test_io.h"

#include <fcntl.h>
#include <sys/file.h>
#include <termios.h>

#include "io/port.h"
#include "io/port_serial.h"

static int open_port(const char *path, struct err_info *reterr)
{
    struct port_config config = {.baud = 0};
    strcpy(config.path, path);
    return port_open(&config, reterr);
}

/* --- opening
 * ------------------------------------------------------------------------------------------------------- */

static void opens_raw_locked_and_close_on_exec(void **state)
{
    (void)state;
    char path[PORT_PATH_SIZE];
    int board = open_board(path, sizeof(path));
    int fd = open_port(path, NULL);
    assert_true(fd >= 0);

    struct termios t;
    assert_int_equal(tcgetattr(fd, &t), 0);
    assert_int_equal(t.c_lflag & (ECHO | ECHONL | ICANON | ISIG | IEXTEN), 0);
    assert_int_equal(t.c_iflag & (ICRNL | INLCR | IGNCR | IXON | IXOFF | ISTRIP | BRKINT | PARMRK), 0);
    assert_int_equal(t.c_oflag & OPOST, 0);
    assert_int_equal(t.c_cflag & (CSIZE | PARENB | CSTOPB | HUPCL | CLOCAL | CREAD), CS8 | CLOCAL | CREAD);
    assert_int_equal(t.c_cc[VMIN], 1);
    assert_int_equal(t.c_cc[VTIME], 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);

    struct err_info why = {0};
    assert_int_equal(open_port(path, &why), ERR_LOCKED);
    assert_non_null(strstr(why.text, path));
    port_discard(fd);
    fd = open_port(path, NULL);
    assert_true(fd >= 0);
    port_discard(fd);
    close(board);
}

static void opens_through_a_link(void **state)
{
    (void)state;
    char path[PORT_PATH_SIZE], folder[] = "/tmp/certline-test-XXXXXX", link[PORT_PATH_SIZE];
    int board = open_board(path, sizeof(path));
    assert_non_null(mkdtemp(folder));
    snprintf(link, sizeof(link), "%s/slot001", folder);
    assert_int_equal(symlink(path, link), 0);
    int fd = open_port(link, NULL);
    assert_true(fd >= 0);
    port_discard(fd);
    close(board);
    unlink(link);
    rmdir(folder);
}

static void says_why_it_cannot_open(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int result;
    } rows[] = {
        {"/dev/pts/999999", -ENOENT},
        {"/nowhere/slot001", -ENOENT},
        {"/etc/passwd", ERR_REFUSED},
        {"/dev/null", ERR_REFUSED},
        {"", -ENOENT},
        {"/dev", ERR_REFUSED},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err_info why = {0};
        int r = open_port(rows[i].path, &why);
        assert_int_equal(r, rows[i].result);
        assert_int_equal(why.code, r);
        assert_non_null(strstr(why.text, rows[i].path));
    }
}

/* A pseudo-terminal is what libserialport refuses; here that proves that its refusal becomes an error with a
 * sentence and that the lock is given back. */
static void a_library_refusal_is_an_error_with_a_sentence(void **state)
{
    (void)state;
    char path[PORT_PATH_SIZE];
    int board = open_board(path, sizeof(path));
    struct port_config config = {.baud = 115200, .flow = PORT_FLOW_RTSCTS};
    struct err_info why = {0};
    assert_true(port_serial_open(path, &config, &why) < 0);
    assert_non_null(strstr(why.text, path));
    int fd = open_port(path, NULL);
    assert_true(fd >= 0);
    port_discard(fd);
    close(board);
}

static void lists_without_ports(void **state)
{
    (void)state;
    struct port_serial_info info[4];
    int n = port_serial_list(info, COUNT(info), NULL);
    assert_true(n >= 0);
    for (int i = 0; i < n && i < (int)COUNT(info); i++) {
        assert_memory_equal(info[i].device, "/dev/", 5);
    }
}

static void flow_by_name(void **state)
{
    (void)state;
    enum port_flow flow = PORT_FLOW_NONE;
    assert_int_equal(port_parse_flow("rtscts", &flow), 0);
    assert_int_equal(flow, PORT_FLOW_RTSCTS);
    assert_int_equal(port_parse_flow("xonxoff", &flow), 0);
    assert_int_equal(flow, PORT_FLOW_XONXOFF);
    assert_int_equal(port_parse_flow("none", &flow), 0);
    assert_int_equal(flow, PORT_FLOW_NONE);
    assert_int_equal(port_parse_flow("RTSCTS", &flow), ERR_FORMAT);
    assert_int_equal(flow, PORT_FLOW_NONE);
}

/* --- in the loop
 * --------------------------------------------------------------------------------------------------- */

#define HEARD_SIZE 8192

struct bench {
    struct loop *loop;
    struct port port;
    int board; /* -1: gone */
    char path[PORT_PATH_SIZE], memory[64], heard[HEARD_SIZE];
    size_t n_heard;
    int n_bytes, n_writable, n_closed, error;
    bool detaches; /* from the next bytes */
};

static void on_bytes(void *ctx, struct span octets)
{
    struct bench *b = ctx;
    assert_int_equal(b->n_closed, 0);
    assert_true(octets.len <= sizeof(b->memory) && b->n_heard + octets.len <= HEARD_SIZE);
    memcpy(b->heard + b->n_heard, octets.at, octets.len);
    b->n_heard += octets.len;
    b->n_bytes++;
    if (b->detaches) {
        port_discard(port_detach(&b->port));
    }
}

static void on_writable(void *ctx)
{
    struct bench *b = ctx;
    assert_int_equal(b->n_closed, 0);
    b->n_writable++;
}

static void on_closed(void *ctx, int error)
{
    struct bench *b = ctx;
    b->n_closed++;
    b->error = error;
}

static const struct port_events events = {.bytes = on_bytes, .writable = on_writable, .closed = on_closed};

static void plug(struct bench *b, struct loop *loop)
{
    *b = (struct bench){.loop = loop, .port = {.fd = -1}};
    b->board = open_board(b->path, sizeof(b->path));
    int fd = open_port(b->path, NULL);
    assert_true(fd >= 0);
    assert_int_equal(port_attach(&b->port, loop, fd, b->memory, sizeof(b->memory), &events, b), 0);
}

static void pull(struct bench *b)
{
    if (b->board >= 0) {
        close(b->board);
        b->board = -1;
    }
}

static void unplug(struct bench *b)
{
    int fd = port_detach(&b->port);
    if (fd >= 0) {
        port_discard(fd);
    }
    pull(b);
}

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));
    plug(b, loop_new());
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    unplug(b);
    loop_free(b->loop);
    free(b);
    return 0;
}

static void all_octets_pass_unchanged_both_ways(void **state)
{
    struct bench *b = *state;
    char out[256], in[256];
    for (size_t i = 0; i < sizeof(out); i++) {
        out[i] = (char)i;
    }
    assert_int_equal(port_write(&b->port, span_of(out, sizeof(out))), sizeof(out));
    read_all(b->board, in, sizeof(in));
    assert_memory_equal(in, out, sizeof(out));
    write_all(b->board, out, sizeof(out));
    RUN_UNTIL(b->loop, b->n_heard == sizeof(out));
    assert_memory_equal(b->heard, out, sizeof(out));
    assert_true(b->n_bytes >= (int)(sizeof(out) / sizeof(b->memory))); /* bounded pieces, a turn each */
    assert_int_equal(port_write(&b->port, span_of(out, 0)), 0);
    run_dry(b->loop);
    assert_int_equal(b->n_writable, 0);
}

static char letter_at(size_t i)
{
    return (char)('A' + i * 7 % 26);
}

/* Writes the endless text of letter_at from `from` on until nothing more is taken; returns where it stands.
 */
static size_t write_until_full(struct bench *b, size_t from)
{
    for (;;) {
        char text[1000];
        for (size_t i = 0; i < sizeof(text); i++) {
            text[i] = letter_at(from + i);
        }
        int n = port_write(&b->port, span_of(text, sizeof(text)));
        assert_true(n >= 0);
        from += (size_t)n;
        if (n == 0) {
            return from;
        }
    }
}

static void check_read(struct bench *b, size_t from, size_t n)
{
    char text[1000];
    for (size_t at = 0; at < n;) {
        size_t piece = n - at < sizeof(text) ? n - at : sizeof(text);
        read_all(b->board, text, piece);
        for (size_t i = 0; i < piece; i++, at++) {
            assert_int_equal(text[i], letter_at(from + at));
        }
    }
}

static void a_full_queue_takes_nothing_and_tells_when_it_does_again(void **state)
{
    struct bench *b = *state;
    size_t sent = write_until_full(b, 0);
    assert_true(sent > 0);
    check_read(b, 0, sent);
    RUN_UNTIL(b->loop, b->n_writable > 0);
    run_dry(b->loop);
    assert_int_equal(b->n_writable, 1);

    size_t more = write_until_full(b, sent);
    assert_true(more > sent);
    check_read(b, sent, more - sent);
    RUN_UNTIL(b->loop, b->n_writable > 1);
}

static void hang_up_is_told_once(void **state)
{
    struct bench *b = *state;
    pull(b);
    RUN_UNTIL(b->loop, b->n_closed > 0);
    assert_int_equal(b->error, -EIO);
    run_dry(b->loop);
    assert_int_equal(port_write(&b->port, span_str("AT\r")), -EIO);
    run_dry(b->loop);
    assert_int_equal(b->n_closed, 1);
    assert_int_equal(b->n_writable, 0);
}

/* Whoever notices first: a write does, and must not call back into its caller. */
static void a_failed_write_is_told_once_and_later(void **state)
{
    struct bench *b = *state;
    pull(b);
    assert_int_equal(port_write(&b->port, span_str("AT\r")), -EIO);
    assert_int_equal(port_write(&b->port, span_str("AT\r")), -EIO);
    assert_int_equal(b->n_closed, 0);
    RUN_UNTIL(b->loop, b->n_closed > 0);
    run_dry(b->loop);
    assert_int_equal(b->n_closed, 1);
    assert_int_equal(b->error, -EIO);
}

static void hang_up_while_waiting_to_write_is_told_once(void **state)
{
    struct bench *b = *state;
    write_until_full(b, 0);
    pull(b);
    RUN_UNTIL(b->loop, b->n_closed > 0);
    run_dry(b->loop);
    assert_int_equal(b->n_closed, 1);
    assert_int_equal(b->n_writable, 0);
}

static void detached_means_silent(void **state)
{
    struct bench *b = *state;
    pull(b);
    assert_true(port_write(&b->port, span_str("AT\r")) < 0); /* its `closed` is under way */
    int fd = port_detach(&b->port);
    assert_true(fd >= 0);
    assert_int_equal(port_detach(&b->port), -1);
    run_dry(b->loop);
    assert_int_equal(b->n_closed, 0);
    assert_true(port_write(&b->port, span_str("AT\r")) < 0);
    port_discard(fd);
}

static void bytes_may_detach(void **state)
{
    struct bench *b = *state;
    write_until_full(b, 0); /* so that both directions are watched */
    b->detaches = true;
    char text[3 * sizeof(b->memory)] = {0};
    write_all(b->board, text, sizeof(text));
    RUN_UNTIL(b->loop, b->n_bytes > 0);
    run_dry(b->loop);
    assert_int_equal(b->n_bytes, 1);
    assert_int_equal(b->n_closed, 0);
}

/* While one board never stops talking, another's line is heard before the first one's queue is empty. */
static void a_chatty_port_does_not_starve_another(void **state)
{
    struct bench *chatty = *state;
    struct bench *quiet = calloc(1, sizeof(*quiet));
    plug(quiet, chatty->loop);
    char text[2048] = {0};
    write_all(chatty->board, text, sizeof(text));
    RUN_UNTIL(chatty->loop, chatty->n_bytes > 0);
    run_dry(chatty->loop);
    chatty->n_heard = 0;
    write_all(quiet->board, "OK", 2);
    write_all(chatty->board, text, sizeof(text));
    struct pollfd both[] = {{.fd = quiet->port.fd, .events = POLLIN},
                            {.fd = chatty->port.fd, .events = POLLIN}};
    while (!(both[0].revents & both[1].revents & POLLIN)) {
        assert_true(poll(both, 2, (int)(BOUND_US / US_PER_MS)) > 0);
    }
    int before = chatty->n_bytes;
    RUN_UNTIL(chatty->loop, quiet->n_bytes > 0 || chatty->n_heard == sizeof(text));
    assert_int_equal(quiet->n_bytes, 1);
    assert_true(chatty->n_bytes - before <= 64); /* a turn's worth */
    unplug(quiet);
    free(quiet);
}

/* What lies in the line from before is neither heard by the next job nor said to the next board. */
static void opening_forgets_what_was_said_before(void **state)
{
    struct bench *b = *state;
    port_discard(port_detach(&b->port));
    int other = open(b->path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    write_all(b->board, "Ready\r\n", 7);
    struct pollfd p = {.fd = other, .events = POLLIN};
    assert_int_equal(poll(&p, 1, (int)(BOUND_US / US_PER_MS)), 1); /* it has arrived */
    int fd = open_port(b->path, NULL);
    assert_int_equal(port_attach(&b->port, b->loop, fd, b->memory, sizeof(b->memory), &events, b), 0);
    run_dry(b->loop);
    assert_int_equal(b->n_heard, 0);
    write_all(b->board, "OK\r\n", 4);
    RUN_UNTIL(b->loop, b->n_heard == 4);
    assert_memory_equal(b->heard, "OK\r\n", 4);
    close(other);
}

static void closing_discards_what_is_not_on_the_wire(void **state)
{
    struct bench *b = *state;
    int other =
        open(b->path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC); /* so that closing hangs nothing up */
    size_t sent = write_until_full(b, 0), arrived = 0;
    port_discard(port_detach(&b->port));
    write_all(other, "#", 1);
    for (char c = 0; c != '#'; arrived += c != '#') {
        read_all(b->board, &c, 1);
    }
    assert_true(arrived < sent);
    close(other);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_raw_locked_and_close_on_exec),
        cmocka_unit_test(opens_through_a_link),
        cmocka_unit_test(says_why_it_cannot_open),
        cmocka_unit_test(a_library_refusal_is_an_error_with_a_sentence),
        cmocka_unit_test(lists_without_ports),
        cmocka_unit_test(flow_by_name),
        T(all_octets_pass_unchanged_both_ways),
        T(a_full_queue_takes_nothing_and_tells_when_it_does_again),
        T(hang_up_is_told_once),
        T(a_failed_write_is_told_once_and_later),
        T(hang_up_while_waiting_to_write_is_told_once),
        T(detached_means_silent),
        T(bytes_may_detach),
        T(a_chatty_port_does_not_starve_another),
        T(opening_forgets_what_was_said_before),
        T(closing_discards_what_is_not_on_the_wire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
