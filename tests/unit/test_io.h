/* What the tests of io/ share: waiting in the loop without sleeping, and boards' ends of pseudo-terminals. */
#ifndef CERTLINE_TESTS_TEST_IO_H
#define CERTLINE_TESTS_TEST_IO_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/loop.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* How long a failing test waits for what never comes. No test's result depends on it. */
#define BOUND_US     (60 * US_PER_S)

#define RUN_UNTIL(loop, condition)                                                                           \
    for (int64_t end_us_ = clock_system.mono_us(&clock_system) + BOUND_US; !(condition);) {                  \
        assert_true(clock_system.mono_us(&clock_system) < end_us_);                                          \
        assert_true(loop_turn(loop, US_PER_S) >= 0);                                                         \
    }

/* Until nothing is ready any more. */
static inline void run_dry(struct loop *loop)
{
    int r;
    do {
        r = loop_turn(loop, 0);
        assert_true(r >= 0);
    } while (r > 0);
}

/* The board's end of a new pseudo-terminal, non-blocking; `path` is where the station's end is. */
static inline int open_board(char *path, size_t size)
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(grantpt(fd), 0);
    assert_int_equal(unlockpt(fd), 0);
    assert_int_equal(ptsname_r(fd, path, size), 0);
    return fd;
}

/* Reads exactly n octets, waiting for them. */
static inline void read_all(int fd, char *to, size_t n)
{
    for (size_t at = 0; at < n;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&p, 1, (int)(BOUND_US / US_PER_MS)), 1);
        ssize_t got = read(fd, to + at, n - at);
        assert_true(got > 0);
        at += (size_t)got;
    }
}

static inline void write_all(int fd, const char *from, size_t n)
{
    for (size_t at = 0; at < n;) {
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        assert_int_equal(poll(&p, 1, (int)(BOUND_US / US_PER_MS)), 1);
        ssize_t put = write(fd, from + at, n - at);
        assert_true(put > 0);
        at += (size_t)put;
    }
}

#endif
