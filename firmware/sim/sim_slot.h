/*
 * One place of the rack: a pseudo-terminal DIR/slotNNN in front of a board. The link is made in one step when
 * the board is plugged and removed when it is not; each plugging gets a new pseudo-terminal, as a real port
 * gets a new number.
 */
#ifndef CERTLINE_SIM_SIM_SLOT_H
#define CERTLINE_SIM_SIM_SLOT_H

#include "sim/board.h"

struct sim_slot {
    unsigned number; /* from 1; also what epoll reports for its pseudo-terminal */
    char name[16];
    char link[4096];        /* path of DIR/slotNNN */
    struct simboard *board; /* owned by the rack, never NULL */
    int master;             /* -1: no pseudo-terminal */
    int watch;              /* inotify's number of its other end */
    char pts[64];           /* "/dev/pts/7" */
    int64_t next_us;        /* when the board wants to be looked at */
    char held[4096];        /* read from the host, not yet taken by the link */
    size_t held_at, held_len;
    char unsent[4096]; /* arrived at the host, not yet taken by the pseudo-terminal */
    size_t unsent_at, unsent_len;
};

/* Where the pseudo-terminals are watched. */
struct sim_slot_watch {
    int epoll_fd;
    int inotify_fd;
};

void sim_slot_init(struct sim_slot *s, const char *dir, unsigned number, struct simboard *board);

/* Makes a pseudo-terminal and its link. Returns 0 or -errno. */
int sim_slot_attach(struct sim_slot *s, const struct sim_slot_watch *w);
void sim_slot_detach(struct sim_slot *s, const struct sim_slot_watch *w); /* fine if there is none */

/*
 * Moves octets both ways, notices that the host opened or closed the port, and sets next_us. Call after every
 * event of the pseudo-terminal, at next_us, and after anything done to the board. A board that was unplugged
 * by a fault is detached here.
 */
void sim_slot_pump(struct sim_slot *s, const struct sim_slot_watch *w, int64_t now_us);

#endif
