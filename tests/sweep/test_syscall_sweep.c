/*
 * System calls that fail. Four stories: a board is provisioned over a real pseudo-terminal with the loop, the
 * ports and their opener (io/); boards come and go in a folder that hot-plug watches; a state directory is
 * made, filled and opened again with its database, its mark and its wrapping key; the whole daemon is started
 * and told to stop. In each the k-th call of each kind fails once, with each of the errors that fit it
 * (support/callfault.h).
 *
 * The line survives: an interrupted call is nothing, a port that fails is lost and opened again, and the
 * board passes; no fault of ours becomes a board's FAIL. Whatever is not seen at once is seen a little later.
 * The state says what it could not do, and does it when asked again: nothing is lost, nothing is made twice,
 * and the key is still the one that was made first. The daemon starts, or says why it does not. No descriptor
 * is left open.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "app.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "config.h"
#include "io/hotplug.h"
#include "io/loop.h"
#include "io/ports.h"
#include "pki/init.h"
#include "store/store.h"
#include "support/callfault.h"
#include "support/rig.h"
#include "support/testpki.h"

static struct testpki *pki;
static char state_dir[64];

static int new_terminal(void)
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    assert_true(fd >= 0 && grantpt(fd) == 0 && unlockpt(fd) == 0);
    return fd;
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
    callfault_switch(true);
    int r = port_open(config, reterr);
    callfault_switch(false);
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
        callfault_note("port", detail, &line->failures);
        callfault_switch(true);
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
    bool was_on = callfault_switch(false);
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
    callfault_switch(was_on);
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
        callfault_switch(true);
        line->loop = loop_new();
        callfault_switch(false);
        if (!line->loop) {
            callfault_note("loop", "there is no loop", &line->failures);
        }
    }
    while (!line->ports) {
        struct err_info why = {0};
        callfault_switch(true);
        line->ports = ports_new(line->loop, &opener, &events, &why);
        callfault_switch(false);
        if (!line->ports) {
            callfault_note("ports", why.text, &line->failures);
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
    line->board = new_terminal();
    start_shell(line);
}

/* One turn of everything. */
static void turn(struct seat *line)
{
    if (!line->is_open && !line->is_opening) {
        line->is_opening = true;
        ports_open(line->ports, 0, ++line->generation);
    }
    callfault_switch(true);
    int r = loop_turn(line->loop, 500);
    callfault_switch(false);
    if (r < 0) { /* libsystemd's own calls: the daemon ends with this, and is started again */
        callfault_note("loop", err_text(r), &line->failures);
        stop_shell(line);
        start_shell(line);
        return;
    }
    int64_t now_us = loop_now_us(line->loop);
    run_board(line, now_us);
    callfault_switch(true);
    if (line->has_job) {
        run_job(line, now_us);
    }
    callfault_switch(false);
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
        callfault_blame("a verdict", reason_text(v->reason)->name);
    }
    callfault_note("port", "lost", &line->failures);
    if (line->is_open) {
        ports_close(line->ports, 0, line->generation);
    }
    line->is_open = line->has_job = false;
    return false;
}

static void live_line(void)
{
    static struct seat line;
    unsigned descriptors = callfault_descriptors("");
    start_line(&line);
    for (bool is_done = false; !is_done;) {
        turn(&line);
        is_done = line.has_job && job_phase(&line.rig.job) == JOB_ENDED && has_passed(&line);
    }
    assert_true(rig_board_is_right(&line.rig));
    stop_shell(&line);
    close(line.board);
    rig_done(&line.rig);
    assert_int_equal(callfault_descriptors(""), descriptors);
}

/* ---- boards come and go */

#define BOARDS   3
#define BOUND_US (60 * US_PER_S) /* how long a failing test waits for what never comes */

struct folder {
    struct loop *loop;
    struct hotplug *hotplug;
    unsigned seen; /* one bit a board */
    unsigned failures;
    char root[96], device[BOARDS][PORT_PATH_SIZE];
    int boards[BOARDS];
};

static unsigned bit_of(const struct hotplug_port *port)
{
    return 1u << (port->name[0] - '0');
}

static void on_arrived(void *ctx, const struct hotplug_port *port)
{
    struct folder *f = ctx;
    assert_false(f->seen & bit_of(port));
    f->seen |= bit_of(port);
}

static void on_left(void *ctx, const struct hotplug_port *port)
{
    struct folder *f = ctx;
    assert_true(f->seen & bit_of(port));
    f->seen &= ~bit_of(port);
}

static void on_not_seen(void *ctx, const struct err_info *why)
{
    struct folder *f = ctx;
    callfault_note("hot-plug", why->text, &f->failures);
    callfault_switch(true);
}

static const struct hotplug_events folder_events = {on_arrived, on_left, on_not_seen};

static void watch_folder(struct folder *f)
{
    char glob[128];
    snprintf(glob, sizeof(glob), "%s/rack/slot*", f->root);
    while (!f->hotplug) {
        struct err_info why = {0};
        callfault_switch(true);
        f->loop = loop_new();
        f->hotplug = f->loop ? hotplug_new(f->loop, &folder_events, f, &why) : NULL;
        callfault_switch(false);
        if (!f->hotplug) {
            callfault_note("hot-plug", f->loop ? why.text : "there is no loop", &f->failures);
            loop_free(f->loop);
        }
    }
    assert_int_equal(hotplug_add_glob(f->hotplug, glob, NULL), 0);
    callfault_switch(true);
    hotplug_rescan(f->hotplug);
    callfault_switch(false);
}

static void leave_folder(struct folder *f)
{
    hotplug_free(f->hotplug);
    loop_free(f->loop);
    f->hotplug = NULL;
    f->loop = NULL;
    f->seen = 0;
}

/* Until these boards are known. Nobody gives a second hint. */
static void expect_boards(struct folder *f, unsigned boards)
{
    int64_t end_us = clock_system.mono_us(&clock_system) + BOUND_US;
    while (f->seen != boards) {
        callfault_switch(true);
        int r = loop_turn(f->loop, US_PER_S);
        callfault_switch(false);
        if (r < 0) { /* as in turn() */
            callfault_note("loop", err_text(r), &f->failures);
            leave_folder(f);
            watch_folder(f);
        }
        if (clock_system.mono_us(&clock_system) > end_us) {
            callfault_blame("boards", "not seen any more");
        }
    }
}

static const char *slot_path(const struct folder *f, unsigned slot)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s/rack/slot%u", f->root, slot);
    return path;
}

static void plug(const struct folder *f, unsigned slot)
{
    assert_int_equal(symlink(f->device[slot], slot_path(f, slot)), 0);
}

static void pull(const struct folder *f, unsigned slot)
{
    assert_int_equal(unlink(slot_path(f, slot)), 0);
}

static void live_ports(void)
{
    struct folder f = {0};
    unsigned descriptors = callfault_descriptors("");
    snprintf(f.root, sizeof(f.root), "%s", state_dir);
    for (unsigned i = 0; i < BOARDS; i++) {
        f.boards[i] = new_terminal();
        assert_int_equal(ptsname_r(f.boards[i], f.device[i], sizeof(f.device[i])), 0);
    }
    watch_folder(&f); /* it does not exist yet */
    char rack[128];
    snprintf(rack, sizeof(rack), "%s/rack", f.root);
    assert_int_equal(mkdir(rack, 0700), 0);
    plug(&f, 0);
    expect_boards(&f, 1);
    plug(&f, 1);
    expect_boards(&f, 3);
    pull(&f, 0);
    plug(&f, 2);
    expect_boards(&f, 6);
    pull(&f, 1);
    pull(&f, 2);
    expect_boards(&f, 0);
    plug(&f, 1);
    expect_boards(&f, 2);
    pull(&f, 1);
    assert_int_equal(rmdir(rack), 0);
    expect_boards(&f, 0);
    leave_folder(&f);
    for (unsigned i = 0; i < BOARDS; i++) {
        close(f.boards[i]);
    }
    assert_int_equal(callfault_descriptors(""), descriptors);
}

/* ---- a state directory */

static struct config *read_config(void)
{
    static struct config_errors errors;
    struct config *config = NULL;
    char text[1024], path[128];
    snprintf(text, sizeof(text),
             "[station]\nname = \"s\"\nstate_dir = \"%s/state\"\n"
             "[http]\nlisten = [\"127.0.0.1:0\"]\n"
             "[[fixture]]\nname = \"r\"\nports = \"/nowhere/s*\"\n"
             "[[product]]\nname = \"p\"\nsource = \"pool\"\n"
             "[[product.entry]]\nsec_tag = 1\ntype = \"client_cert\"\nfrom = \"bundle\"\n"
             "[[product.entry]]\nsec_tag = 1\ntype = \"private_key\"\nfrom = \"bundle\"\n",
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
        callfault_switch(true);
        int r = app_direct_open(config, &direct, &why);
        if (r == 0) {
            r = app_direct_import(direct, span_str(row), false, &result, &why);
        }
        app_direct_close(direct);
        callfault_switch(false);
        if (r == 0) {
            assert_int_equal(json_get_i64(result, "taken", 0, 1, &n_new, NULL), 0);
            assert_int_equal(json_get_i64(result, "duplicate", 0, 1, &n_known, NULL), 0);
            json_free(result);
            if (n_new + n_known != 1) {
                callfault_blame("import", "a good row was refused");
            }
            return n_new;
        }
        json_free(result);
        callfault_note("state", why.text, &failures);
    }
}

static void remove_state(void)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s/state", state_dir);
    assert_int_equal(system(command), 0);
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
    char first[512], last[512];
    unsigned descriptors = callfault_descriptors("");
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
    callfault_stop(); /* from here on it is only looked at */
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(import_one(config, rows[i]), 0); /* it is there, and opens with its key and mark */
        testpki_text_free(rows[i]);
    }
    assert_int_equal(read_key(last), n);
    assert_memory_equal(first, last, n);
    config_free(config);
    remove_state();
    assert_int_equal(callfault_descriptors(""), descriptors);
}

/* ---- the daemon */

static void say_nothing(void *ctx, enum log_level level, const struct log_subject *subject, const char *text)
{
    (void)ctx, (void)level, (void)subject, (void)text;
}

/* Starts, and finds that it was told to stop. */
static void live_serve(void)
{
    unsigned failures = 0, descriptors = callfault_descriptors("");
    struct config *config = read_config();
    for (int r = -1; r < 0;) {
        struct err_info why = {0};
        assert_int_equal(raise(SIGTERM), 0); /* blocked: it waits for whoever asks */
        callfault_switch(true);
        r = app_serve(config, &why);
        callfault_switch(false);
        if (r < 0) {
            callfault_note("daemon", why.text, &failures);
        }
    }
    assert_int_equal(prctl(PR_SET_DUMPABLE, 1), 0); /* leaks are looked for by ptrace */
    config_free(config);
    remove_state();
    assert_int_equal(callfault_descriptors(""), descriptors);
}

static int set_up(void **state)
{
    (void)state;
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &term, NULL);
    log_set_sink(say_nothing, NULL);
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
    static const struct callfault_story stories[] = {
        {.name = "line", .live = live_line, .is_timed = true},
        {.name = "ports", .live = live_ports},
        {.name = "state", .live = live_state},
        {.name = "serve", .live = live_serve, .is_timed = true},
    };
    const struct callfault_sweep sweep = {
        .stories = stories,
        .n = sizeof(stories) / sizeof(*stories),
        .set_up = set_up,
        .tear_down = tear_down,
    };
    return pki_init() < 0 ? 1 : callfault_main(argc, argv, &sweep);
}
