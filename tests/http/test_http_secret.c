/*
 * Bodies carry private keys: once a request is over, no octet of one may be found in the process' memory,
 * neither in ours nor in the HTTP library's. The test scans all of it, and proves its scan by a mark that is
 * there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>

#include "http/client.h"
#include "http/fake.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MARK_LEN     48
#define LARGEST      ((unsigned long)256 << 20) /* of a mapping: what is larger is a sanitizer's shadow */

static struct fake fake;
static struct api *api;
static struct client c;
static struct answer a;
static char path[64];

/* The mark's octets are made where they are needed, so that this program holds no copy of it. */
static char mark_octet(int i)
{
    return (char)('A' + (i * 7 + 3) % 26);
}

static void make_mark(char *to)
{
    for (int i = 0; i < MARK_LEN; i++) {
        to[i] = mark_octet(i);
    }
}

static bool is_mark(const char *at)
{
    int i = 0;

    while (i < MARK_LEN && at[i] == mark_octet(i)) {
        i++;
    }
    return i == MARK_LEN;
}

/* Through the file and not through pointers, since a sanitizer forbids to look at what was freed. */
static unsigned scan(int mem, unsigned long from, unsigned long to)
{
    static char piece[1 << 20];
    char prefix[] = {mark_octet(0), mark_octet(1), mark_octet(2), mark_octet(3)};
    unsigned found = 0;

    while (to - from >= MARK_LEN) {
        size_t want = to - from < sizeof(piece) ? to - from : sizeof(piece);
        ssize_t n = pread(mem, piece, want, (off_t)from);
        if (n < MARK_LEN) {
            break;
        }
        const char *end = piece + n, *at = piece;
        while ((at = memmem(at, (size_t)(end - at), prefix, sizeof(prefix))) != NULL &&
               end - at >= MARK_LEN) {
            found += is_mark(at++);
        }
        from += (unsigned long)n - MARK_LEN + 1;
    }
    explicit_bzero(piece, sizeof(piece));
    return found;
}

static unsigned count_marks(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    char line[512], mode[8];
    unsigned long from, to;
    unsigned found = 0;

    assert_true(maps != NULL && mem >= 0);
    while (fgets(line, sizeof(line), maps) != NULL) {
        if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) == 3 && mode[0] == 'r' && mode[1] == 'w' &&
            to - from <= LARGEST) {
            found += scan(mem, from, to);
        }
    }
    fclose(maps);
    close(mem);
    return found;
}

static void the_scan_finds_what_is_there(void **state)
{
    char *mark = malloc(MARK_LEN);

    (void)state;
    assert_int_equal(count_marks(), 0);
    make_mark(mark);
    assert_true(count_marks() >= 1);
    explicit_bzero(mark, MARK_LEN);
    assert_int_equal(count_marks(), 0);
    free(mark);
}

static int start(void **state)
{
    struct err_info err = {0};

    (void)state;
    fake_init(&fake);
    snprintf(path, sizeof(path), "/tmp/certline-secret-%d.sock", (int)getpid());
    struct api_config config = {
        .unix_path = path,
        .clock = &clock_system,
        .sources = fake_sources(&fake),
    };
    api = api_start(&config, &err);
    if (api == NULL) {
        return -1;
    }
    return 0;
}

static int stop(void **state)
{
    (void)state;
    api_stop(api);
    return 0;
}

/* `text` with the mark in place of each "@", sent in pieces of `step` octets. */
static void send_marked(const char *text, size_t step)
{
    char out[4096];
    size_t n = 0;

    for (; *text != '\0'; text++) {
        if (*text == '@') {
            make_mark(out + n);
            n += MARK_LEN;
        } else {
            out[n++] = *text;
        }
    }
    for (size_t at = 0; at < n; at += step) {
        client_send(&c, out + at, n - at < step ? n - at : step);
    }
    explicit_bzero(out, sizeof(out));
}

#define IMPORT "POST /api/v1/bundles HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
#define OTHER  "POST /api/v1/bundles HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
#define START                                                                                                \
    "POST /api/v1/slots/rack1/001/start HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"

/*
 * Another connection's request, which the one HTTP thread answers after all that came before. With
 * `breaks_off` the first connection ends in the middle of its body; otherwise it stays open, with whatever
 * the server keeps for it.
 */
static void meet_again(bool breaks_off)
{
    static struct client next;

    if (breaks_off) {
        shutdown(c.fd, SHUT_WR);
        assert_true(client_is_ended(&c));
    }
    for (int i = 0; i < 2; i++) {
        client_open_unix(&next, path);
        client_say(&next, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
        client_take(&next, &a, true);
        assert_int_equal(a.status, 200);
        client_close(&next);
    }
}

/* Every way a body can come in, whole and in pieces, taken, refused and broken off. The mark counts 48
 * octets. */
static void no_octet_of_a_body_stays(void **state)
{
    static const struct {
        const char *what, *text;
        int status; /* 0: the client breaks off */
    } cases[] = {
        {"taken", IMPORT "Content-Length: 50\r\n\r\n{@}", 200},
        {"twice in a row", IMPORT "Content-Length: 96\r\n\r\n@@", 200},
        {"chunked", IMPORT "Transfer-Encoding: chunked\r\n\r\n30\r\n@\r\n61\r\n@-@\r\n0\r\n\r\n", 200},
        {"refused by type", OTHER "Content-Length: 48\r\n\r\n@", 415},
        {"refused by type, chunked", OTHER "Transfer-Encoding: chunked\r\n\r\n30\r\n@\r\n0\r\n\r\n", 415},
        {"refused by size", START "Content-Length: 999999\r\n\r\n@", 413},
        {"no JSON", START "Content-Length: 49\r\n\r\n{@", 400},
        {"strange member", START "Content-Length: 56\r\n\r\n{\"x\":\"@\"}", 400},
        {"wrong value", START "Content-Length: 65\r\n\r\n{\"generation\":\"@\"}", 400},
        {"broken off", IMPORT "Content-Length: 1000\r\n\r\n@", 0},
        {"ambiguous", IMPORT "Content-Length: 48\r\nContent-Length: 48\r\n\r\n@", 400},
    };
    static const size_t steps[] = {4096, 37, 1};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (size_t k = 0; k < COUNT(steps); k++) {
            client_open_unix(&c, path);
            send_marked(cases[i].text, steps[k]);
            if (cases[i].status != 0) {
                client_take(&c, &a, true);
            }
            if (a.status != cases[i].status && cases[i].status != 0) {
                fail_msg("%s, by %zu: %d %s", cases[i].what, steps[k], a.status, a.body);
            }
            meet_again(cases[i].status == 0);
            unsigned found = count_marks();
            if (found != 0) {
                fail_msg("%s, by %zu: %u times in memory", cases[i].what, steps[k], found);
            }
            client_close(&c);
        }
    }
}

/* An import may take minutes: what a worker has taken is gone while the rest is still awaited. */
static void no_octet_stays_while_more_is_awaited(void **state)
{
    static char filler[200000];
    unsigned tries = 0;

    (void)state;
    memset(filler, 'x', sizeof(filler));
    client_open_unix(&c, path);
    client_say(&c, IMPORT "Content-Length: 1000000\r\n\r\n");
    client_send(&c, filler, sizeof(filler));
    fake_await(&fake, &fake.n_feeds, 1);
    send_marked("@", MARK_LEN);
    meet_again(
        false); /* it is read, and lies where the next piece is collected: once, in our locked memory */
    assert_true(count_marks() <= 1);

    client_send(&c, filler, 131072);
    fake_await(&fake, &fake.n_feeds, 2);
    while (count_marks() != 0) { /* the worker wipes right after it has fed */
        assert_true(++tries < 100);
    }
    client_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_scan_finds_what_is_there),
        cmocka_unit_test_setup_teardown(no_octet_of_a_body_stays, start, stop),
        cmocka_unit_test_setup_teardown(no_octet_stays_while_more_is_awaited, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
