/*
 * The clients that are connected, as sockets: until when each may take, who has said goodbye, and how one is
 * put out. Kept apart from what they ask. HTTP thread only.
 */
#ifndef CERTLINE_API_PEER_H
#define CERTLINE_API_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "api/response.h"
#include "base/clock.h"

/* Embedded, as the first member, in a connection. */
struct peer {
    struct peer *next, *previous;
    int fd;              /* the connection's; borrowed */
    int64_t deadline_us; /* TIME_NEVER: none */
    bool is_asking; /* part of a request has come and its answer is not on its way: a cut says a last word */
    bool is_owed;   /* an answer is being made or sent: a goodbye does not end it */
    bool has_left;  /* it sends nothing more … */
    bool is_cut;
    unsigned quiet_turns; /* … and for so many turns nothing has moved here; whatever moves sets it to 0 */
};

struct peers {
    struct peer *first;
    int64_t next_deadline_us; /* not later than the first of all deadlines */
    int fd;                   /* epoll: readable when somebody says goodbye */
    unsigned n_left;
    bool must_turn; /* another turn must follow at once */
};

/* 0 or -errno. */
int peers_init(struct peers *peers);
void peers_done(struct peers *peers);

void peers_add(struct peers *peers, struct peer *peer, int fd, int64_t deadline_us);
/* Before its descriptor is closed. */
void peers_remove(struct peers *peers, struct peer *peer);

void peers_set_deadline(struct peers *peers, struct peer *peer, int64_t deadline_us);

/* Shuts the socket down, so that the library finds it closed on its next look. The problem goes to
 * whoever is in the middle of asking. */
void peer_cut(struct peer *peer, enum problem problem);

/* At the beginning of a turn: cuts those who are late. */
void peers_cut_late(struct peers *peers, int64_t now_us);

/* At its end: hears goodbyes, and closes those who have left and of whom nothing more will come. */
void peers_close_left(struct peers *peers);

#endif
