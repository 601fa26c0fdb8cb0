/*
 * One turn: wait, read the clock once, serve what is ready, pump the boards that are due, set the timer to
 * the earliest board. The timer is absolute, so that being late once does not make the next octet late; a
 * board says when it wants to be looked at, which is a few times a command and not once an octet, so hundreds
 * cost little.
 */
#include "sim/server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "sim/control.h"
#include "sim/state.h"

#define NO_SLOT "there is no such slot"

/* What epoll reports; slots are 1 … SIM_BOARDS_MAX. */
enum { ID_TIMER = 10000, ID_SIGNAL, ID_TERMINALS, ID_CONTROL };

struct sim_server {
    const struct sim_options *options;
    struct sim_slot_watch watch;
    int timer_fd;
    int signal_fd;
    struct control control;
    struct sim_slot *slots; /* slots[0] is number 1 */
    unsigned count;
    int64_t timer_us; /* what the timer is set to */
    int64_t now_us;
    bool is_over;
    char why[SIM_FAULT_WHY];
};

static int64_t clock_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

static struct sim_slot *slot_of(struct sim_server *v, unsigned number)
{
    return number >= 1 && number <= v->count ? &v->slots[number - 1] : NULL;
}

static void pump(struct sim_server *v, struct sim_slot *s)
{
    sim_slot_pump(s, &v->watch, v->now_us);
}

static void pump_all(struct sim_server *v)
{
    for (unsigned i = 0; i < v->count; i++)
        pump(v, &v->slots[i]);
}

/* -- What the control socket asks for -- */

const char *sim_server_unplug(struct sim_server *v, unsigned number)
{
    struct sim_slot *s = slot_of(v, number);
    if (!s)
        return NO_SLOT;
    simboard_unplug(s->board, v->now_us);
    pump(v, s);
    return NULL;
}

const char *sim_server_plug(struct sim_server *v, unsigned number)
{
    struct sim_slot *s = slot_of(v, number);
    if (!s)
        return NO_SLOT;
    if (simboard_is_plugged(s->board))
        return NULL;
    int result = sim_slot_attach(s, &v->watch);
    if (result < 0)
        return strerror(-result);
    simboard_plug(s->board, v->now_us);
    pump(v, s);
    return NULL;
}

/* Both are pulled, change places, and those that were plugged are plugged again. */
const char *sim_server_move(struct sim_server *v, unsigned from, unsigned to)
{
    struct sim_slot *a = slot_of(v, from), *b = slot_of(v, to);
    if (!a || !b || a == b)
        return a && b ? "the slots are the same" : NO_SLOT;

    struct simboard *first = a->board, *second = b->board;
    bool is_first_plugged = simboard_is_plugged(first), is_second_plugged = simboard_is_plugged(second);
    sim_server_unplug(v, from);
    sim_server_unplug(v, to);
    a->board = second;
    b->board = first;
    const char *wrong = is_second_plugged ? sim_server_plug(v, from) : NULL;
    const char *worse = is_first_plugged ? sim_server_plug(v, to) : NULL;
    pump(v, a);
    pump(v, b);
    return worse ? worse : wrong;
}

const char *sim_server_reboot(struct sim_server *v, unsigned number)
{
    struct sim_slot *s = slot_of(v, number);
    if (!s)
        return NO_SLOT;
    simboard_reboot(s->board, v->now_us);
    pump(v, s);
    return NULL;
}

const char *sim_server_fault(struct sim_server *v, const char *spec)
{
    if (simboard_check_fault(spec, v->why, sizeof v->why) < 0)
        return v->why;

    const char *wrong = NULL;
    pump_all(v); /* a fault counts from now on */
    for (unsigned i = 0; i < v->count; i++) {
        if (simboard_add_fault(v->slots[i].board, spec, v->why, sizeof v->why) < 0)
            wrong = v->why;
    }
    pump_all(v);
    return wrong;
}

const char *sim_server_clear(struct sim_server *v, unsigned number)
{
    if (number > v->count)
        return NO_SLOT;
    pump_all(v);
    for (unsigned i = 0; i < v->count; i++) {
        if (number == 0 || number == i + 1)
            simboard_clear_faults(v->slots[i].board);
    }
    pump_all(v);
    return NULL;
}

void sim_server_quit(struct sim_server *v)
{
    v->is_over = true;
}

char *sim_server_state(struct sim_server *v)
{
    struct sim_state_row rows[SIM_BOARDS_MAX];

    for (unsigned i = 0; i < v->count; i++) {
        simboard_run(v->slots[i].board, v->now_us);
        rows[i] = (struct sim_state_row){v->slots[i].name, v->slots[i].board};
    }
    char *text = sim_state_text(rows, v->count);
    if (text && v->options->state) {
        int result = sim_state_write(v->options->state, text);
        if (result < 0)
            fprintf(stderr, "certline-sim: cannot write %s: %s\n", v->options->state, strerror(-result));
    }
    return text;
}

/* -- The loop -- */

static int watch_fd(struct sim_server *v, int fd, uint64_t id)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = id};

    if (fd < 0 || epoll_ctl(v->watch.epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        return -errno;
    return 0;
}

/* SIGTERM and SIGINT arrive as events. */
static int open_signals(struct sim_server *v)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    v->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return watch_fd(v, v->signal_fd, ID_SIGNAL);
}

static int open_loop(struct sim_server *v)
{
    v->watch.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    v->watch.inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    v->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (v->watch.epoll_fd < 0)
        return -errno;
    int result = watch_fd(v, v->watch.inotify_fd, ID_TERMINALS);
    if (result == 0)
        result = watch_fd(v, v->timer_fd, ID_TIMER);
    return result == 0 ? open_signals(v) : result;
}

static void set_timer(struct sim_server *v)
{
    int64_t next = SIM_NEVER;
    for (unsigned i = 0; i < v->count; i++)
        next = v->slots[i].next_us < next ? v->slots[i].next_us : next;
    if (next == v->timer_us)
        return;

    struct itimerspec when = {0};
    if (next != SIM_NEVER)
        when.it_value = (struct timespec){.tv_sec = next / 1000000, .tv_nsec = next % 1000000 * 1000};
    timerfd_settime(v->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
    v->timer_us = next;
}

/* Somebody opened or closed one of the terminals. */
static void read_terminal_events(struct sim_server *v)
{
    char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t n;

    while ((n = read(v->watch.inotify_fd, events, sizeof events)) > 0) {
        for (ssize_t at = 0; at < n;) {
            const struct inotify_event *event = (const void *)(events + at);
            for (unsigned i = 0; i < v->count; i++) {
                if (v->slots[i].watch == event->wd || (event->mask & IN_Q_OVERFLOW))
                    pump(v, &v->slots[i]);
            }
            at += (ssize_t)(sizeof *event + event->len);
        }
    }
}

static void drain(int fd)
{
    char ignored[512];
    while (read(fd, ignored, sizeof ignored) > 0)
        ;
}

static void serve(struct sim_server *v, uint64_t id)
{
    if (id == ID_TIMER) {
        drain(v->timer_fd);
    } else if (id == ID_SIGNAL) {
        drain(v->signal_fd);
        v->is_over = true;
    } else if (id == ID_TERMINALS) {
        read_terminal_events(v);
    } else if (id >= ID_CONTROL) {
        control_event(&v->control, v, id);
    } else {
        struct sim_slot *s = slot_of(v, (unsigned)id);
        if (s)
            pump(v, s);
    }
}

static void turn(struct sim_server *v)
{
    struct epoll_event events[64];

    set_timer(v);
    int n = epoll_wait(v->watch.epoll_fd, events, sizeof events / sizeof events[0], -1);
    v->now_us = clock_us();
    for (int i = 0; i < n; i++)
        serve(v, events[i].data.u64);
    for (unsigned i = 0; i < v->count; i++) {
        if (v->slots[i].next_us <= v->now_us)
            pump(v, &v->slots[i]);
    }
}

/* -- Beginning and end -- */

/* Each board takes a descriptor; the usual soft limit is a thousand. */
static void raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static struct simboard *make_board(struct sim_server *v, unsigned number)
{
    struct simboard_config config = sim_options_board(v->options, number);
    struct simboard *b = simboard_new(&config);

    /* Its power was there long before: boots and banners are over before anybody can open a port. */
    if (b)
        simboard_run(b, v->now_us);
    for (size_t i = 0; b && i < v->options->fault_count; i++)
        simboard_add_fault(b, v->options->faults[i], NULL, 0);
    return b;
}

static int make_rack(struct sim_server *v)
{
    v->slots = calloc(v->options->boards, sizeof *v->slots);
    if (!v->slots)
        return -ENOMEM;
    for (unsigned number = 1; number <= v->options->boards; number++) {
        struct simboard *board = make_board(v, number);
        if (!board)
            return -ENOMEM;
        struct sim_slot *s = &v->slots[v->count++];
        sim_slot_init(s, v->options->dir, number, board);
        int result = sim_slot_attach(s, &v->watch);
        if (result < 0)
            return result;
        pump(v, s);
    }
    return 0;
}

static int start(struct sim_server *v)
{
    raise_limit();
    if (mkdir(v->options->dir, 0755) < 0 && errno != EEXIST)
        return -errno;
    int result = open_loop(v);
    if (result == 0)
        result = control_open(&v->control, v->options->control, v->watch.epoll_fd, ID_CONTROL);
    return result == 0 ? make_rack(v) : result;
}

static void finish(struct sim_server *v)
{
    for (unsigned i = 0; i < v->count; i++) {
        sim_slot_detach(&v->slots[i], &v->watch);
        simboard_free(v->slots[i].board);
    }
    free(v->slots);
    control_close(&v->control);
    int fds[] = {v->timer_fd, v->signal_fd, v->watch.inotify_fd, v->watch.epoll_fd};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
}

int sim_server_run(const struct sim_options *options)
{
    struct sim_server v = {.options = options,
                           .watch = {-1, -1},
                           .timer_fd = -1,
                           .signal_fd = -1,
                           .control.listen_fd = -1,
                           .timer_us = SIM_NEVER,
                           .now_us = clock_us()};

    int result = start(&v);
    if (result < 0) {
        fprintf(stderr, "certline-sim: cannot start in %s: %s\n", options->dir, strerror(-result));
        finish(&v);
        return 1;
    }
    printf("ready %s/slot001 … slot%03u\n", options->dir, v.count);
    fflush(stdout);
    while (!v.is_over)
        turn(&v);

    char *text = sim_server_state(&v);
    int status = text ? 0 : 1;
    free(text);
    finish(&v);
    return status;
}
