/*
 * The real calls are those that the program would have had without us (RTLD_NEXT): a sanitizer's, or those of
 * a test bed that makes up devices. They are looked up before main, so that nothing is looked up in the
 * middle of somebody's call; whoever calls earlier looks up its own.
 *
 * The C library's own use of a call is out of reach: realpath, fopen and opendir go by names of their own.
 * scandir stands for the last.
 */
#define _GNU_SOURCE
#include "support/callfault.h"

#include <assert.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <termios.h>
#include <unistd.h>

#define CASES    8
#define PATIENCE 20 /* failures of one thing: it will never come right */

enum call {
    CALL_OPEN,
    CALL_READ,
    CALL_HINTS,
    CALL_WRITE,
    CALL_SYNC,
    CALL_LINK,
    CALL_SCAN,
    CALL_FLOCK,
    CALL_TCGET,
    CALL_TCSET,
    CALL_TCFLUSH,
    CALL_IOCTL,
    CALL_INOTIFY,
    CALL_WATCH,
    CALL_EVENTFD,
    CALL_TIMERFD,
    CALL_EPOLL,
    CALL_EPOLL_WAIT,
    CALL_EPOLL_CTL,
    CALLS
};

#define ERRORS 4

/* EOVERFLOW of hints: what the kernel had queued is lost, and IN_Q_OVERFLOW is read in its place. */
static const struct {
    const char *name;
    int errors[ERRORS];
} calls[CALLS] = {
    [CALL_OPEN] = {"open", {EINTR, EIO, EMFILE, ENOSPC}},
    [CALL_READ] = {"read", {EINTR, EIO, EAGAIN}},
    [CALL_HINTS] = {"hints", {EINTR, EIO, EOVERFLOW}},
    [CALL_WRITE] = {"write", {EINTR, EIO, EAGAIN, ENOSPC}},
    [CALL_SYNC] = {"sync", {EIO, ENOSPC}},
    [CALL_LINK] = {"link", {EIO, ENOSPC}},
    [CALL_SCAN] = {"scandir", {EMFILE, ENOMEM, EIO}},
    [CALL_FLOCK] = {"flock", {EINTR, ENOLCK, EWOULDBLOCK}},
    [CALL_TCGET] = {"tcgetattr", {EIO}},
    [CALL_TCSET] = {"tcsetattr", {EIO, EINTR}},
    [CALL_TCFLUSH] = {"tcflush", {EIO}},
    [CALL_IOCTL] = {"ioctl", {EIO, EINTR}},
    [CALL_INOTIFY] = {"inotify", {EMFILE, ENOMEM}},
    [CALL_WATCH] = {"watch", {ENOSPC, ENOMEM}},
    [CALL_EVENTFD] = {"eventfd", {EMFILE, ENOMEM}},
    [CALL_TIMERFD] = {"timerfd", {EMFILE, ENOMEM}},
    [CALL_EPOLL] = {"epoll", {EMFILE, ENOMEM}},
    [CALL_EPOLL_WAIT] = {"epoll_wait", {EINTR}},
    [CALL_EPOLL_CTL] = {"epoll_ctl", {ENOMEM, ENOSPC}},
};

static struct {
    enum call call;
    int error;
    uint64_t k; /* 0: none fails */
    atomic_ullong seen, fired;
} fault;

/* Only while a thread asks for it: simulated boards and the test itself are spared. */
static _Thread_local bool is_on;

/* Which descriptors are inotify's: small numbers, all of them. */
#define FD_MAX 4096
static atomic_bool is_inotify[FD_MAX];

#define PLAIN __attribute__((no_sanitize("address", "undefined", "thread")))

PLAIN static bool strikes(enum call call)
{
    if (!is_on || call != fault.call || atomic_fetch_add(&fault.seen, 1) + 1 != fault.k) {
        return false;
    }
    atomic_fetch_add(&fault.fired, 1);
    errno = fault.error;
    return true;
}

/* ---- the calls */

/* A pointer to the real function, and its looking up before main. */
#define REAL(result, name, ...)                                                                              \
    static result (*real_##name)(__VA_ARGS__);                                                               \
    PLAIN __attribute__((constructor)) static void find_##name(void)                                         \
    {                                                                                                        \
        if (!real_##name) {                                                                                  \
            *(void **)&real_##name = dlsym(RTLD_NEXT, #name);                                                \
        }                                                                                                    \
    }

/* A call whose parameters are fixed. */
#define CALL(which, result, name, parameters, ...)                                                           \
    REAL(result, name, EACH parameters)                                                                      \
    PLAIN result name parameters                                                                             \
    {                                                                                                        \
        find_##name();                                                                                       \
        return strikes(which) ? -1 : real_##name(__VA_ARGS__);                                               \
    }
#define EACH(...) __VA_ARGS__

/* A file's mode is given when one may be made. */
#define OPEN(name, parameters, ...)                                                                          \
    REAL(int, name, EACH parameters, ...)                                                                    \
    PLAIN int name(EACH parameters, ...)                                                                     \
    {                                                                                                        \
        mode_t mode = 0;                                                                                     \
        if (flags & (O_CREAT | __O_TMPFILE)) {                                                               \
            va_list args;                                                                                    \
            va_start(args, flags);                                                                           \
            mode = va_arg(args, mode_t);                                                                     \
            va_end(args);                                                                                    \
        }                                                                                                    \
        find_##name();                                                                                       \
        return strikes(CALL_OPEN) ? -1 : real_##name(__VA_ARGS__, mode);                                     \
    }

OPEN(open, (const char *path, int flags), path, flags)
OPEN(open64, (const char *path, int flags), path, flags)
OPEN(openat, (int dir, const char *path, int flags), dir, path, flags)
CALL(CALL_READ, ssize_t, pread64, (int fd, void *to, size_t n, off_t at), fd, to, n, at)
CALL(CALL_WRITE, ssize_t, write, (int fd, const void *from, size_t n), fd, from, n)
CALL(CALL_WRITE, ssize_t, pwrite, (int fd, const void *from, size_t n, off_t at), fd, from, n, at)
CALL(CALL_WRITE, ssize_t, pwrite64, (int fd, const void *from, size_t n, off_t at), fd, from, n, at)
CALL(CALL_SYNC, int, fsync, (int fd), fd)
CALL(CALL_SYNC, int, fdatasync, (int fd), fd)
CALL(CALL_LINK, int, rename, (const char *from, const char *to), from, to)
CALL(CALL_LINK, int, renameat, (int from_dir, const char *from, int to_dir, const char *to), from_dir, from,
     to_dir, to)
CALL(CALL_LINK, int, linkat, (int from_dir, const char *from, int to_dir, const char *to, int flags),
     from_dir, from, to_dir, to, flags)
CALL(CALL_SCAN, int, scandir,
     (const char *path, struct dirent ***ret, int (*is_wanted)(const struct dirent *),
      int (*compare)(const struct dirent **, const struct dirent **)),
     path, ret, is_wanted, compare)
CALL(CALL_FLOCK, int, flock, (int fd, int what), fd, what)
CALL(CALL_TCGET, int, tcgetattr, (int fd, struct termios *ret), fd, ret)
CALL(CALL_TCSET, int, tcsetattr, (int fd, int when, const struct termios *to), fd, when, to)
CALL(CALL_TCFLUSH, int, tcflush, (int fd, int queue), fd, queue)
CALL(CALL_WATCH, int, inotify_add_watch, (int fd, const char *path, uint32_t mask), fd, path, mask)
CALL(CALL_EVENTFD, int, eventfd, (unsigned count, int flags), count, flags)
CALL(CALL_TIMERFD, int, timerfd_create, (int clock, int flags), clock, flags)
CALL(CALL_EPOLL, int, epoll_create1, (int flags), flags)
CALL(CALL_EPOLL_WAIT, int, epoll_wait, (int fd, struct epoll_event *events, int n, int timeout_ms), fd,
     events, n, timeout_ms)
CALL(CALL_EPOLL_CTL, int, epoll_ctl, (int fd, int what, int of, struct epoll_event *event), fd, what, of,
     event)

REAL(int, ioctl, int fd, unsigned long request, ...)
PLAIN int ioctl(int fd, unsigned long request, ...)
{
    va_list args;
    va_start(args, request);
    void *arg = va_arg(args, void *);
    va_end(args);
    find_ioctl();
    return strikes(CALL_IOCTL) ? -1 : real_ioctl(fd, request, arg);
}

REAL(int, inotify_init1, int flags)
PLAIN int inotify_init1(int flags)
{
    find_inotify_init1();
    int fd = strikes(CALL_INOTIFY) ? -1 : real_inotify_init1(flags);
    if (fd >= 0 && fd < FD_MAX) {
        is_inotify[fd] = true;
    }
    return fd;
}

REAL(int, close, int fd)
PLAIN int close(int fd)
{
    find_close();
    if (fd >= 0 && fd < FD_MAX) {
        is_inotify[fd] = false;
    }
    return real_close(fd);
}

REAL(ssize_t, read, int fd, void *to, size_t n)

/* What the kernel keeps is read and dropped, as it does itself when its queue is full. */
PLAIN static ssize_t overflow(int fd, void *to, size_t n)
{
    static const struct inotify_event said = {.wd = -1, .mask = IN_Q_OVERFLOW};
    while (real_read(fd, to, n) > 0) {
    }
    memcpy(to, &said, sizeof(said));
    return sizeof(said);
}

PLAIN ssize_t read(int fd, void *to, size_t n)
{
    find_read();
    if (fd < 0 || fd >= FD_MAX || !is_inotify[fd]) {
        return strikes(CALL_READ) ? -1 : real_read(fd, to, n);
    }
    if (strikes(CALL_HINTS)) {
        return fault.error == EOVERFLOW ? overflow(fd, to, n) : -1;
    }
    return real_read(fd, to, n);
}

/* ---- for stories */

bool callfault_switch(bool to)
{
    bool before = is_on;
    is_on = to;
    return before;
}

void callfault_stop(void)
{
    fault.call = CALLS;
}

void callfault_blame(const char *what, const char *detail)
{
    is_on = false;
    print_error("%s:%s:%llu: %s: %s\n", fault.call < CALLS ? calls[fault.call].name : "-",
                strerrorname_np(fault.error), (unsigned long long)fault.k, what, detail);
    fail();
    abort();
}

void callfault_note(const char *what, const char *why, unsigned *failures)
{
    is_on = false;
    if (*why == '\0' || fault.fired == 0 || ++*failures > PATIENCE) {
        callfault_blame(what, *why ? why : "without a word");
    }
}

unsigned callfault_descriptors(const char *beginning)
{
    unsigned n = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        char target[256] = "";
        n += readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1) > 0 &&
             strncmp(target, beginning, strlen(beginning)) == 0;
    }
    closedir(dir);
    return n;
}

/* ---- the sweep */

static const struct callfault_sweep *sweep;

/* Returns whether the call was reached. */
static bool live_with(const struct callfault_story *story, enum call call, int error, uint64_t k)
{
    fault.call = call;
    fault.error = error;
    fault.k = k;
    fault.seen = fault.fired = 0;
    story->live();
    return fault.fired > 0;
}

static void sweep_error(const struct callfault_story *story, enum call call, int error, uint64_t n)
{
    uint64_t taken = 0, fired = 0;
    struct sweep_thinned thinned = sweep_thin(n, CASES);
    for (uint64_t k = thinned.first; k <= n; k += thinned.stride) {
        taken++;
        fired += live_with(story, call, error, k);
    }
    print_message("%-6s %-10s %-11s opportunities %5llu taken %3llu fired %3llu\n", story->name,
                  calls[call].name, strerrorname_np(error), (unsigned long long)n, (unsigned long long)taken,
                  (unsigned long long)fired);
    assert_true(fired > 0 && fired <= taken);
    assert_true(fired == taken || story->is_timed);
}

static void run(size_t which)
{
    const struct callfault_story *story = &sweep->stories[which];
    live_with(story, CALL_OPEN, 0, 0); /* what is opened once in a process */
    for (int call = 0; call < CALLS; call++) {
        live_with(story, (enum call)call, 0, 0);
        uint64_t n = fault.seen;
        for (size_t i = 0; n > 0 && i < ERRORS && calls[call].errors[i] != 0; i++) {
            sweep_error(story, (enum call)call, calls[call].errors[i], n);
        }
    }
}

static void repeat(const char *wanted)
{
    char id[80];
    for (size_t s = 0; s < sweep->n; s++) {
        for (int call = 0; call < CALLS; call++) {
            for (size_t i = 0; i < ERRORS && calls[call].errors[i] != 0; i++) {
                int n = snprintf(id, sizeof(id), "%s:%s:%s:", sweep->stories[s].name, calls[call].name,
                                 strerrorname_np(calls[call].errors[i]));
                if (strncmp(id, wanted, (size_t)n) == 0) {
                    live_with(&sweep->stories[s], (enum call)call, calls[call].errors[i],
                              strtoull(wanted + n, NULL, 10));
                    return;
                }
            }
        }
    }
    fail_msg("no such case: %s", wanted);
}

int callfault_main(int argc, char **argv, const struct callfault_sweep *of)
{
    const char *names[16];
    assert(of->n <= sizeof(names) / sizeof(*names));
    sweep = of;
    for (size_t i = 0; i < of->n; i++) {
        names[i] = of->stories[i].name;
    }
    return sweep_main(argc, argv,
                      &(struct sweep){.names = names,
                                      .n = of->n,
                                      .run = run,
                                      .repeat = repeat,
                                      .set_up = of->set_up,
                                      .tear_down = of->tear_down});
}
