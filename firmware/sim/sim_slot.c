/*
 * Whether a host has the port open. The master alone tells it: reading gives data, "nothing yet" (somebody
 * has the other end open) or EIO (nobody has). For that to be true from the start the other end is opened and
 * closed once.
 *
 * When to look: with nobody at the other end the master reports a hang-up for ever, so it is watched
 * edge-triggered; and since opening the other end wakes nobody, inotify watches that. Both only say "look";
 * equal inotify events may be merged, so counting them would be wrong. (Holding the other end open here would
 * hide the host's closing.)
 *
 * What waits in the terminal when the host closes would greet the next one; a real port is flushed then, so
 * this one is.
 */
#include "sim/sim_slot.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <termios.h>
#include <unistd.h>

void sim_slot_init(struct sim_slot *s, const char *dir, unsigned number, struct simboard *board)
{
    *s = (struct sim_slot){.number = number, .board = board, .master = -1, .watch = -1, .next_us = SIM_NEVER};
    snprintf(s->name, sizeof s->name, "slot%03u", number);
    snprintf(s->link, sizeof s->link, "%s/%s", dir, s->name);
}

/* Octets as they are: no echo, no line editing, no signals. The master sets it for the other end. */
static void make_raw(int master)
{
    struct termios t;

    if (tcgetattr(master, &t) < 0)
        return;
    cfmakeraw(&t);
    tcsetattr(master, TCSANOW, &t);
}

/* Opens the other end once: throws away what waits for a host, and leaves the terminal as "closed by all". */
static int touch_other_end(const struct sim_slot *s)
{
    int fd = open(s->pts, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    tcflush(fd, TCIFLUSH);
    close(fd);
    return 0;
}

static int open_terminal(struct sim_slot *s)
{
    s->master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (s->master < 0)
        return -errno;
    if (grantpt(s->master) < 0 || unlockpt(s->master) < 0)
        return -errno;
    int error = ptsname_r(s->master, s->pts, sizeof s->pts);
    if (error != 0)
        return -error;
    make_raw(s->master);
    return touch_other_end(s);
}

/* A link under another name, then a rename: nobody ever sees half of it or a gap. The other name begins with
 * a dot, so that no glob for slots takes it for one. */
static int make_link(const struct sim_slot *s)
{
    char temporary[sizeof s->link + 8];
    const char *slash = strrchr(s->link, '/');
    int folder = slash ? (int)(slash + 1 - s->link) : 0;

    snprintf(temporary, sizeof temporary, "%.*s.%s.new", folder, s->link, s->link + folder);
    unlink(temporary);
    if (symlink(s->pts, temporary) < 0 || rename(temporary, s->link) < 0)
        return -errno;
    return 0;
}

int sim_slot_attach(struct sim_slot *s, const struct sim_slot_watch *w)
{
    int result = open_terminal(s);
    if (result == 0) {
        s->watch = inotify_add_watch(w->inotify_fd, s->pts, IN_OPEN | IN_CLOSE);
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.u64 = s->number};
        if (s->watch < 0 || epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, s->master, &event) < 0)
            result = -errno;
    }
    if (result == 0)
        result = make_link(s);
    if (result < 0)
        sim_slot_detach(s, w);
    return result;
}

/* The link goes first; whoever has the port open then sees it hang up. */
void sim_slot_detach(struct sim_slot *s, const struct sim_slot_watch *w)
{
    if (s->master < 0)
        return;
    unlink(s->link);
    if (s->watch >= 0)
        inotify_rm_watch(w->inotify_fd, s->watch);
    close(s->master);
    s->master = s->watch = -1;
    s->held_at = s->held_len = s->unsent_at = s->unsent_len = 0;
}

static void offer_held(struct sim_slot *s, int64_t now_us)
{
    s->held_at += simboard_from_host(s->board, s->held + s->held_at, s->held_len - s->held_at, now_us);
    if (s->held_at == s->held_len)
        s->held_at = s->held_len = 0;
}

static void host_closed(struct sim_slot *s, int64_t now_us)
{
    if (!simboard_info(s->board).is_open)
        return;
    simboard_port_close(s->board, now_us);
    s->unsent_at = s->unsent_len = 0;
    touch_other_end(s);
    make_raw(s->master);
}

/* Reads until the link is full or the host has no more. */
static void from_host(struct sim_slot *s, int64_t now_us)
{
    for (;;) {
        if (s->held_len > 0)
            offer_held(s, now_us);
        if (s->held_len > 0)
            return;
        ssize_t n = read(s->master, s->held, sizeof s->held);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0 || (n < 0 && errno != EAGAIN)) {
            host_closed(s, now_us);
            return;
        }
        simboard_port_open(s->board, now_us);
        if (n <= 0)
            return;
        s->held_len = (size_t)n;
        if (!simboard_is_plugged(s->board))
            s->held_len = 0;
    }
}

static void to_host(struct sim_slot *s, int64_t now_us)
{
    for (;;) {
        if (s->unsent_len == 0) {
            s->unsent_at = 0;
            s->unsent_len = simboard_to_host(s->board, s->unsent, sizeof s->unsent, now_us);
        }
        if (s->unsent_len == 0)
            return;
        ssize_t n = write(s->master, s->unsent + s->unsent_at, s->unsent_len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* the host does not read; the next edge tells when it does */
        s->unsent_at += (size_t)n;
        s->unsent_len -= (size_t)n;
    }
}

void sim_slot_pump(struct sim_slot *s, const struct sim_slot_watch *w, int64_t now_us)
{
    simboard_run(s->board, now_us);
    if (s->master >= 0 && simboard_is_plugged(s->board)) {
        from_host(s, now_us);
        to_host(s, now_us);
    }
    if (s->master >= 0 && !simboard_is_plugged(s->board))
        sim_slot_detach(s, w);
    s->next_us = simboard_next_us(s->board);
}
