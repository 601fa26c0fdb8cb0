/*
 * A client that has said goodbye may have sent whole requests before, which the HTTP library has read and not
 * yet looked at. It cannot be asked, so such a client is given turns until nothing has moved in two.
 */
#include "api/peer.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUIET_TURNS 2

int peers_init(struct peers *peers)
{
    *peers = (struct peers){.next_deadline_us = TIME_NEVER, .fd = epoll_create1(EPOLL_CLOEXEC)};
    return peers->fd < 0 ? -errno : 0;
}

void peers_done(struct peers *peers)
{
    close(peers->fd);
}

void peers_add(struct peers *peers, struct peer *peer, int fd, int64_t deadline_us)
{
    struct epoll_event goodbye = {.events = EPOLLRDHUP | EPOLLONESHOT, .data.ptr = peer};

    peer->fd = fd;
    peer->next = peers->first;
    if (peer->next != NULL) {
        peer->next->previous = peer;
    }
    peers->first = peer;
    (void)epoll_ctl(peers->fd, EPOLL_CTL_ADD, fd, &goodbye); /* without it the deadline serves */
    peers_set_deadline(peers, peer, deadline_us);
}

void peers_remove(struct peers *peers, struct peer *peer)
{
    (void)epoll_ctl(peers->fd, EPOLL_CTL_DEL, peer->fd, NULL);
    if (peer->previous != NULL) {
        peer->previous->next = peer->next;
    } else {
        peers->first = peer->next;
    }
    if (peer->next != NULL) {
        peer->next->previous = peer->previous;
    }
    peers->n_left -= peer->has_left;
    peers->must_turn = true; /* there is room for another, see http.c */
}

void peers_set_deadline(struct peers *peers, struct peer *peer, int64_t deadline_us)
{
    peer->deadline_us = deadline_us;
    peers->next_deadline_us = time_min(peers->next_deadline_us, deadline_us);
}

struct text {
    char at[2048];
    size_t len;
};

static void add_header(void *ctx, const char *name, const char *value)
{
    struct text *t = ctx;
    int n = snprintf(t->at + t->len, sizeof(t->at) - t->len, "%s: %s\r\n", name, value);
    t->len +=
        n > 0 && (size_t)n < sizeof(t->at) - t->len ? (size_t)n : 0; /* one that does not fit stays away */
}

/* The library does not know this answer: it goes straight onto the wire. */
static void tell(int fd, enum problem problem)
{
    struct response r = {0};
    struct text t = {.len = 0};
    char length[24];

    response_problem(&r, problem, NULL);
    t.len = (size_t)snprintf(t.at, sizeof(t.at), "HTTP/1.1 %d %s\r\n", r.status,
                             problem == PROBLEM_TIMEOUT ? "Request Timeout" : "Service Unavailable");
    response_headers(&r, add_header, &t);
    snprintf(length, sizeof(length), "%zu", r.len);
    add_header(&t, "Content-Length", length);
    add_header(&t, "Connection", "close\r\n");
    if (t.len + r.len <= sizeof(t.at)) {
        memcpy(t.at + t.len, r.text != NULL ? r.text : r.body, r.len);
        (void)send(fd, t.at, t.len + r.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    response_done(&r);
}

void peer_cut(struct peer *peer, enum problem problem)
{
    if (peer->is_asking) {
        tell(peer->fd, problem);
    }
    shutdown(peer->fd, SHUT_RDWR);
    peer->is_cut = true;
    peer->deadline_us = TIME_NEVER;
}

void peers_cut_late(struct peers *peers, int64_t now_us)
{
    if (now_us < peers->next_deadline_us) {
        return;
    }
    peers->next_deadline_us = TIME_NEVER;
    for (struct peer *p = peers->first; p != NULL; p = p->next) {
        if (p->deadline_us <= now_us) {
            peer_cut(p, PROBLEM_TIMEOUT);
        }
        peers->next_deadline_us = time_min(peers->next_deadline_us, p->deadline_us);
    }
}

static void hear_goodbyes(struct peers *peers)
{
    struct epoll_event events[32];
    int n = epoll_wait(peers->fd, events, 32, 0);

    for (int i = 0; i < n; i++) {
        struct peer *p = events[i].data.ptr;
        p->has_left = true;
        peers->n_left++;
    }
}

/* No answer is on its way, and the kernel has nothing more to read. */
static bool is_spent(const struct peer *p)
{
    char octet;

    return !p->is_owed && recv(p->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

void peers_close_left(struct peers *peers)
{
    hear_goodbyes(peers);
    for (struct peer *p = peers->first; p != NULL && peers->n_left > 0; p = p->next) {
        if (!p->has_left || !is_spent(p)) {
            p->quiet_turns = 0;
        } else if (++p->quiet_turns > QUIET_TURNS) {
            shutdown(p->fd, SHUT_RDWR);
        } else {
            peers->must_turn = true;
        }
    }
}
