/*
 * System calls that fail. Two stories: a board is provisioned over a real pseudo-terminal with the loop, the
 * ports and their opener (io/), and a state directory is made, filled and opened again with its database, its
 * mark and its wrapping key. In each the k-th call of each kind fails once, with each of the errors that fit
 * it.
 *
 * The line survives: an interrupted call is nothing, a port that fails is lost and opened again, and the
 * board passes; no fault of ours becomes a board's FAIL. The state says what it could not do, and does it
 * when asked again: nothing is lost, nothing is made twice, and the key is still the one that was made first.
 * No descriptor is left open.
 *
 * A kind with more than CASES calls is thinned: each n-th, beginning at another one every day. "all" takes
 * each, "story:call:error:k" repeats one case.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "app.h"
#include "base/json.h"
#include "config.h"
#include "io/loop.h"
#include "io/ports.h"
#include "pki/init.h"
#include "store/store.h"
#include "support/rig.h"
#include "support/testpki.h"

#define CASES    8
#define PATIENCE 20 /* failures of one thing: it will never come right */

/* ---- the calls */

enum call { CALL_OPEN, CALL_READ, CALL_WRITE, CALL_SYNC, CALL_LINK, CALL_EPOLL_WAIT, CALL_EPOLL_CTL, CALLS };

static const struct {
    const char *name;
    int errors[4];
} calls[CALLS] = {
    [CALL_OPEN] = {"open", {EINTR, EIO, EMFILE, ENOSPC}},
    [CALL_READ] = {"read", {EINTR, EIO, EAGAIN}},
    [CALL_WRITE] = {"write", {EINTR, EIO, EAGAIN, ENOSPC}},
    [CALL_SYNC] = {"sync", {EIO, ENOSPC}},
    [CALL_LINK] = {"link", {EIO, ENOSPC}},
    [CALL_EPOLL_WAIT] = {"epoll_wait", {EINTR}},
    [CALL_EPOLL_CTL] = {"epoll_ctl", {ENOMEM, ENOSPC}},
};

static struct {
    enum call call;
    int error;
    uint64_t k; /* 0: none fails */
    atomic_ullong seen, fired;
} fault;

/* Only while a thread asks for it: the simulated board and the test itself are spared. */
static _Thread_local bool is_on;

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

PLAIN static int open_really(int dir, const char *path, int flags, mode_t mode)
{
    return strikes(CALL_OPEN) ? -1 : (int)syscall(SYS_openat, dir, path, flags, mode);
}

#define MODE_OF(flags, mode)                                                                                 \
    mode_t mode = 0;                                                                                         \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {                                                                 \
        va_list args;                                                                                        \
        va_start(args, flags);                                                                               \
        mode = va_arg(args, mode_t);                                                                         \
        va_end(args);                                                                                        \
    }

PLAIN int open(const char *path, int flags, ...)
{
    MODE_OF(flags, mode)
    return open_really(AT_FDCWD, path, flags, mode);
}

PLAIN int open64(const char *path, int flags, ...)
{
    MODE_OF(flags, mode)
    return open_really(AT_FDCWD, path, flags, mode);
}

PLAIN int openat(int dir, const char *path, int flags, ...)
{
    MODE_OF(flags, mode)
    return open_really(dir, path, flags, mode);
}

PLAIN ssize_t read(int fd, void *to, size_t n)
{
    return strikes(CALL_READ) ? -1 : syscall(SYS_read, fd, to, n);
}

PLAIN ssize_t pread64(int fd, void *to, size_t n, off_t at)
{
    return strikes(CALL_READ) ? -1 : syscall(SYS_pread64, fd, to, n, at);
}

PLAIN ssize_t write(int fd, const void *from, size_t n)
{
    return strikes(CALL_WRITE) ? -1 : syscall(SYS_write, fd, from, n);
}

PLAIN ssize_t pwrite(int fd, const void *from, size_t n, off_t at)
{
    return strikes(CALL_WRITE) ? -1 : syscall(SYS_pwrite64, fd, from, n, at);
}

PLAIN ssize_t pwrite64(int fd, const void *from, size_t n, off_t at)
{
    return strikes(CALL_WRITE) ? -1 : syscall(SYS_pwrite64, fd, from, n, at);
}

PLAIN int fsync(int fd)
{
    return strikes(CALL_SYNC) ? -1 : (int)syscall(SYS_fsync, fd);
}

PLAIN int fdatasync(int fd)
{
    return strikes(CALL_SYNC) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

PLAIN int rename(const char *from, const char *to)
{
    return strikes(CALL_LINK) ? -1 : (int)syscall(SYS_rename, from, to);
}

PLAIN int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    return strikes(CALL_LINK) ? -1 : (int)syscall(SYS_renameat, from_dir, from, to_dir, to);
}

PLAIN int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    return strikes(CALL_LINK) ? -1 : (int)syscall(SYS_linkat, from_dir, from, to_dir, to, flags);
}

PLAIN int epoll_wait(int fd, struct epoll_event *events, int n, int timeout_ms)
{
    return strikes(CALL_EPOLL_WAIT) ? -1 : (int)syscall(SYS_epoll_wait, fd, events, n, timeout_ms);
}

PLAIN int epoll_ctl(int fd, int what, int of, struct epoll_event *event)
{
    return strikes(CALL_EPOLL_CTL) ? -1 : (int)syscall(SYS_epoll_ctl, fd, what, of, event);
}

static void blame(const char *what, const char *detail)
{
    is_on = false;
    fail_msg("%s:%s:%llu: %s: %s", calls[fault.call].name, strerrorname_np(fault.error),
             (unsigned long long)fault.k, what, detail);
}

/* What failed says why, and only what was made to fail fails. */
static void note_failure(const char *what, const char *why, unsigned *failures)
{
    is_on = false;
    if (*why == '\0' || fault.fired == 0 || ++*failures > PATIENCE) {
        blame(what, *why ? why : "without a word");
    }
}

static unsigned count_descriptors(void)
{
    unsigned n = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir)) {
        n++;
    }
    closedir(dir);
    return n;
}

/* ---- a board on a pseudo-terminal */

struct seat {
    struct rig rig;
    struct loop *loop;
    struct ports *ports;
    int board; /* its end */
    uint32_t generation;
    bool is_opening, is_open, has_job;
    unsigned failures;
    char heard[1024]; /* by the board, and not yet taken */
    size_t n_heard;
};

static int open_counted(void *ctx, const struct port_config *config, struct err_info *reterr)
{
    (void)ctx;
    is_on = true;
    int r = port_open(config, reterr);
    is_on = false;
    return r;
}

static void close_counted(void *ctx, int fd)
{
    (void)ctx;
    port_discard(fd);
}

static void on_opened(void *ctx, uint32_t slot, uint32_t generation, int result, const char *detail)
{
    struct seat *line = ctx;
    (void)slot;
    assert_int_equal(generation, line->generation);
    line->is_opening = false;
    line->is_open = result == 0;
    if (result < 0) {
        note_failure("port", detail, &line->failures);
        is_on = true;
    } else if (!line->has_job || job_phase(&line->rig.job) == JOB_ENDED) {
        struct job_begin begin = {
            .id = "01TESTJOB", .slot = "rack1/001", .fixture = "rack1", .is_fresh = true, .baud = 4000000};
        job_start(&line->rig.job, &begin, loop_now_us(line->loop));
        line->has_job = true;
    }
}

static void on_bytes(void *ctx, uint32_t slot, uint32_t generation, struct span octets)
{
    struct seat *line = ctx;
    (void)slot, (void)generation;
    job_rx(&line->rig.job, octets, loop_now_us(line->loop));
}

static void on_writable(void *ctx, uint32_t slot, uint32_t generation)
{
    (void)ctx, (void)slot, (void)generation;
}

static void on_closed(void *ctx, uint32_t slot, uint32_t generation)
{
    struct seat *line = ctx;
    (void)slot, (void)generation;
    line->is_open = false;
    job_lost(&line->rig.job, loop_now_us(line->loop));
}

/* The board reads what its link has room for, and says what it has to. */
static void run_board(struct seat *line, int64_t now_us)
{
    bool was_on = is_on;
    is_on = false;
    for (;;) {
        if (line->n_heard == 0) {
            ssize_t n = read(line->board, line->heard, sizeof(line->heard));
            line->n_heard = n > 0 ? (size_t)n : 0;
        }
        size_t taken = simboard_from_host(line->rig.board, line->heard, line->n_heard, now_us);
        if (taken == 0) {
            break;
        }
        line->n_heard -= taken;
        memmove(line->heard, line->heard + taken, line->n_heard);
    }
    char octets[1024];
    simboard_run(line->rig.board, now_us);
    for (size_t n; (n = simboard_to_host(line->rig.board, octets, sizeof(octets), now_us)) > 0;) {
        assert_int_equal(write(line->board, octets, n), n);
    }
    is_on = was_on;
}

static void run_job(struct seat *line, int64_t now_us)
{
    struct job *job = &line->rig.job;
    if (now_us >= job_deadline(job)) {
        job_tick(job, now_us);
    }
    for (struct span out = job_tx(job, now_us); line->is_open && out.len > 0; out = job_tx(job, now_us)) {
        int n = ports_write(line->ports, 0, line->generation, out);
        if (n <= 0) {
            break;
        }
        job_tx_done(job, (size_t)n, now_us);
    }
    if (job_phase(job) == JOB_ADMITTING) {
        job_admit(job, &(struct job_grant){.order = "WO-1", .product = &line->rig.product}, now_us);
    }
    while (job->msg_is_wanted) {
        if (job->msg.kind == LEDGER_RECORD) {
            job_stamp_end(job, 1, now_us);
        }
        rig_play(&line->rig, job_take_msg(job));
        job_answer(job, now_us);
    }
}

/* The loop and the ports, made anew after they have ended. */
static void start_shell(struct seat *line)
{
    struct opener_config opener = {
        .open = open_counted, .close = close_counted, .threads = 1, .threads_max = 1};
    struct ports_events events = {
        .ctx = line, .opened = on_opened, .bytes = on_bytes, .writable = on_writable, .closed = on_closed};
    struct port_config port = {.baud = 4000000};
    assert_int_equal(ptsname_r(line->board, port.path, sizeof(port.path)), 0);
    while (!line->loop) {
        is_on = true;
        line->loop = loop_new();
        is_on = false;
        if (!line->loop) {
            note_failure("loop", "there is no loop", &line->failures);
        }
    }
    while (!line->ports) {
        struct err_info why = {0};
        is_on = true;
        line->ports = ports_new(line->loop, &opener, &events, &why);
        is_on = false;
        if (!line->ports) {
            note_failure("ports", why.text, &line->failures);
        }
    }
    assert_int_equal(ports_set(line->ports, 0, &port), 0);
}

static void stop_shell(struct seat *line)
{
    ports_free(line->ports, OPENER_STOP_MS);
    loop_free(line->loop);
    line->ports = NULL;
    line->loop = NULL;
    line->is_opening = line->is_open = line->has_job = false;
}

static void start_line(struct seat *line)
{
    struct simboard_config config = SIMBOARD_CONFIG_DEFAULT;
    config.baud = 4000000;
    config.nvm_ms = config.cfun_ms = 0;
    *line = (struct seat){0};
    rig_init_board(&line->rig, &config);
    line->board = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    assert_true(line->board >= 0 && grantpt(line->board) == 0 && unlockpt(line->board) == 0);
    start_shell(line);
}

/* One turn of everything. */
static void turn(struct seat *line)
{
    if (!line->is_open && !line->is_opening) {
        line->is_opening = true;
        ports_open(line->ports, 0, ++line->generation);
    }
    is_on = true;
    int r = loop_turn(line->loop, 500);
    is_on = false;
    if (r < 0) { /* libsystemd's own calls: the daemon ends with this, and is started again */
        note_failure("loop", err_text(r), &line->failures);
        stop_shell(line);
        start_shell(line);
        return;
    }
    int64_t now_us = loop_now_us(line->loop);
    run_board(line, now_us);
    is_on = true;
    if (line->has_job) {
        run_job(line, now_us);
    }
    is_on = false;
}

/* The job has ended. True: with a PASS. */
static bool has_passed(struct seat *line)
{
    const struct verdict *v = &line->rig.job.verdict;
    if (v->outcome == OUTCOME_PASS) {
        return true;
    }
    if (v->outcome != OUTCOME_LOST) {
        print_error("%s\n", line->rig.dialogue);
        blame("a verdict", reason_text(v->reason)->name);
    }
    note_failure("port", "lost", &line->failures);
    if (line->is_open) {
        ports_close(line->ports, 0, line->generation);
    }
    line->is_open = line->has_job = false;
    return false;
}

static void live_line(void)
{
    static struct seat line;
    unsigned descriptors = count_descriptors();
    start_line(&line);
    for (bool is_done = false; !is_done;) {
        turn(&line);
        is_done = line.has_job && job_phase(&line.rig.job) == JOB_ENDED && has_passed(&line);
    }
    assert_true(rig_board_is_right(&line.rig));
    stop_shell(&line);
    close(line.board);
    rig_done(&line.rig);
    assert_int_equal(count_descriptors(), descriptors);
}

/* ---- a state directory */

static struct testpki *pki;
static char state_dir[64];

static struct config *read_config(void)
{
    static struct config_errors errors;
    struct config *config = NULL;
    char text[1024], path[128];
    snprintf(text, sizeof(text),
             "[station]\nname = \"s\"\nstate_dir = \"%s/state\"\n[[fixture]]\nname = \"r\"\nports = "
             "\"/nowhere/s*\"\n"
             "[[product]]\nname = \"p\"\nsource = \"pool\"\n[[product.entry]]\nsec_tag = 1\ntype = "
             "\"client_cert\"\n"
             "from = \"bundle\"\n[[product.entry]]\nsec_tag = 1\ntype = \"private_key\"\nfrom = \"bundle\"\n",
             state_dir);
    snprintf(path, sizeof(path), "%s/config.toml", state_dir);
    assert_int_equal(config_parse(span_str(text), path, &config, &errors), 0);
    return config;
}

/* Opened, one bundle imported, closed; until it comes right. Returns how many of it were new. */
static int64_t import_one(const struct config *config, const char *row)
{
    unsigned failures = 0;
    for (;;) {
        struct app_direct *direct = NULL;
        struct json *result = NULL;
        struct err_info why = {0};
        int64_t n_new = 0, n_known = 0;
        is_on = true;
        int r = app_direct_open(config, &direct, &why);
        if (r == 0) {
            r = app_direct_import(direct, span_str(row), false, &result, &why);
        }
        app_direct_close(direct);
        is_on = false;
        if (r == 0) {
            assert_int_equal(json_get_i64(result, "taken", 0, 1, &n_new, NULL), 0);
            assert_int_equal(json_get_i64(result, "duplicate", 0, 1, &n_known, NULL), 0);
            json_free(result);
            if (n_new + n_known != 1) {
                blame("import", "a good row was refused");
            }
            return n_new;
        }
        json_free(result);
        note_failure("state", why.text, &failures);
    }
}

static size_t read_key(char octets[512])
{
    char path[128];
    snprintf(path, sizeof(path), "%s/state/wrapping.key", state_dir);
    FILE *file = fopen(path, "re");
    size_t n = file ? fread(octets, 1, 512, file) : 0;
    if (file) {
        fclose(file);
    }
    return n;
}

static void live_state(void)
{
    char first[512], last[512], command[128];
    unsigned descriptors = count_descriptors();
    struct config *config = read_config();
    char *rows[2];
    for (unsigned i = 0; i < 2; i++) {
        char id[16];
        snprintf(id, sizeof(id), "b-%u", i);
        rows[i] = testpki_row(pki, i, TESTPKI_P256, id, NULL, "p", NULL);
    }
    import_one(config, rows[0]);
    size_t n = read_key(first);
    assert_true(n > 0);
    import_one(config, rows[1]);
    fault.call = CALLS; /* none: from here on it is only looked at */
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(import_one(config, rows[i]), 0); /* it is there, and opens with its key and mark */
        testpki_text_free(rows[i]);
    }
    assert_int_equal(read_key(last), n);
    assert_memory_equal(first, last, n);
    config_free(config);
    snprintf(command, sizeof(command), "rm -rf %s/state", state_dir);
    assert_int_equal(system(command), 0);
    assert_int_equal(count_descriptors(), descriptors);
}

/* ---- the sweep */

static const struct story {
    const char *name;
    void (*live)(void);
} stories[] = {{"line", live_line}, {"state", live_state}};
#define STORIES (sizeof(stories) / sizeof(*stories))

/* Returns whether the call was reached: how often the line's loop turns is a matter of the machine's load. */
static bool live_with(const struct story *story, enum call call, int error, uint64_t k)
{
    fault.call = call;
    fault.error = error;
    fault.k = k;
    fault.seen = fault.fired = 0;
    story->live();
    return fault.fired > 0;
}

static bool takes_all;

static void sweep_error(const struct story *story, enum call call, int error, uint64_t n)
{
    uint64_t taken = 0, fired = 0, stride = takes_all || n <= CASES ? 1 : n / CASES;
    for (uint64_t k = 1 + (uint64_t)time(NULL) / 86400 % stride; k <= n; k += stride) {
        taken++;
        fired += live_with(story, call, error, k);
    }
    print_message("%-5s %-10s %-6s opportunities %5llu taken %3llu fired %3llu\n", story->name,
                  calls[call].name, strerrorname_np(error), (unsigned long long)n, (unsigned long long)taken,
                  (unsigned long long)fired);
    assert_true(fired > 0 && fired <= taken);
    assert_true(fired == taken || story->live == live_line);
}

static void sweep(void **state)
{
    const struct story *story = *state;
    live_with(story, CALL_OPEN, 0, 0); /* what is opened once in a process */
    for (int call = 0; call < CALLS; call++) {
        live_with(story, (enum call)call, 0, 0);
        uint64_t n = fault.seen;
        for (size_t i = 0; n > 0 && i < 4 && calls[call].errors[i] != 0; i++) {
            sweep_error(story, (enum call)call, calls[call].errors[i], n);
        }
    }
}

static const char *case_to_repeat;

static void repeat(void **state)
{
    (void)state;
    char id[80];
    for (size_t s = 0; s < STORIES; s++) {
        for (int call = 0; call < CALLS; call++) {
            for (size_t i = 0; i < 4 && calls[call].errors[i] != 0; i++) {
                int n = snprintf(id, sizeof(id), "%s:%s:%s:", stories[s].name, calls[call].name,
                                 strerrorname_np(calls[call].errors[i]));
                if (strncmp(id, case_to_repeat, (size_t)n) == 0) {
                    live_with(&stories[s], (enum call)call, calls[call].errors[i],
                              strtoull(case_to_repeat + n, NULL, 10));
                    return;
                }
            }
        }
    }
    fail_msg("no such case: %s", case_to_repeat);
}

static int set_up(void **state)
{
    (void)state;
    pki = testpki_new(1);
    snprintf(state_dir, sizeof(state_dir), "%s/certline-calls-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    return pki && mkdtemp(state_dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    testpki_free(pki);
    return rmdir(state_dir);
}

int main(int argc, char **argv)
{
    if (pki_init() < 0) {
        return 1;
    }
    if (argc > 1 && strcmp(argv[1], "all") != 0) {
        case_to_repeat = argv[1];
        const struct CMUnitTest one[] = {cmocka_unit_test(repeat)};
        return cmocka_run_group_tests(one, set_up, tear_down);
    }
    takes_all = argc > 1;
    struct CMUnitTest tests[STORIES];
    for (size_t i = 0; i < STORIES; i++) {
        tests[i] = (struct CMUnitTest){
            .name = stories[i].name, .test_func = sweep, .initial_state = (void *)(uintptr_t)&stories[i]};
    }
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
