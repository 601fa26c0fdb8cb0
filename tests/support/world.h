/*
 * The world: one process, one thread, a virtual clock. The real line (station/), the real store on a real
 * SQLite file, the real keys, the simulated boards, and between them links in memory that hand octets over in
 * small random pieces. Everything random is drawn from one seed, so the same configuration gives the same
 * history, octet for octet.
 *
 * A world has a daemon half (station, store, keys, and the messages between them), which can be killed at any
 * of its externally visible events and started again, and a rack half (boards, slots, the people), which goes
 * on meanwhile.
 *
 * The first thing that must not be and was seen is kept as text: world_check returns it.
 */
#ifndef CERTLINE_TESTS_WORLD_H
#define CERTLINE_TESTS_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "sim/board.h"
#include "station/station.h"
#include "store/store.h"

#define WORLD_TAG       16842753u
#define WORLD_RACKS_MAX 4
#define WORLD_SLOTS_MAX 512
#define WORLD_NOWHERE   UINT32_MAX

struct world; /* opaque */

/* One fixture, the product that it builds and the boards that belong to it. */
struct world_rack {
    const char *name;
    uint32_t slots, boards;
    enum product_source source; /* SOURCE_POOL, SOURCE_BOUND or SOURCE_KEYGEN */
    enum product_second_visit second_visit;
    enum slot_start start;
    enum product_proof proof; /* PROOF_PRESENCE: boards of family F1, whose list shows no digests */
    bool is_crlf;             /* contents with CRLF */
    uint32_t quantity;        /* of the order; 0: as many as boards */
    uint32_t spare;           /* pool bundles beyond one a board */
};

/* How much goes wrong before the calm: per mille of the actions of chance, and over how long. */
struct world_trouble {
    uint32_t seconds; /* of virtual time; 0: nothing goes wrong. With `days`: of each shift */
    uint32_t days;    /* of three shifts: in each the hands are at the racks for a while, and leave everything
                       * as it is for the rest of it. When the shift changes, the daemon is stopped or killed, or
                       * orders are renewed. 0: one stretch, without an end of shift */
    uint32_t pull;    /* boards pulled, moved and put into wrong racks, whatever they are doing */
    uint32_t faults;  /* of the simulated boards that lose or stop something */
    uint32_t noise;   /* of the simulated links that change octets */
    uint32_t commands; /* abort, retry, start */
    uint32_t reboots;
    uint32_t damage; /* other content put under the product's tags, in racks with SECOND_AGAIN */
    uint32_t store;  /* FAILED answers in bursts, slow commits */
    uint32_t orders; /* closed and opened anew */
    uint32_t stops;  /* the daemon is stopped and started */
    uint32_t kills;  /* the daemon is killed and started */
};

struct world_config {
    uint64_t seed;
    uint32_t n_racks;
    struct world_rack racks[WORLD_RACKS_MAX];
    struct world_trouble trouble;
    bool may_retire; /* a person retires bundles in this story */
    bool is_coarse;  /* octets in pieces as large as can be: fewer events for a sweep */
};

/* What can be seen of the daemon from outside, each before and after it takes effect. */
enum world_point {
    POINT_BEFORE_COMMIT, /* messages taken, nothing stored */
    POINT_AFTER_COMMIT,  /* stored, nobody told */
    POINT_BEFORE_CHUNK,  /* octets for a board that never left */
    POINT_AFTER_CHUNK,
    POINT_BEFORE_READ, /* a board's octets read and lost */
    POINT_AFTER_READ,
    POINT_BEFORE_TELL, /* a verdict about to be shown */
    POINT_AFTER_TELL,
};
#define WORLD_POINTS 8
const char *world_point_name(enum world_point point);

/* Makes credentials, imports them, opens the orders and starts the daemon; no board is plugged in. Ends the
 * process when the machine does not let it. */
struct world *world_new(const struct world_config *config);
void world_free(struct world *w);

/* ---- time */

int64_t world_now_us(const struct world *w);
/* The next event. False when none will ever come, or something is wrong already. */
bool world_step(struct world *w);
void world_run_for(struct world *w, int64_t us);
/* Runs until every slot shows a verdict, waits for a person or is empty. False after `limit_s`. */
bool world_run_settled(struct world *w, uint32_t limit_s);

/* ---- the rack */

uint32_t world_board_count(const struct world *w);
struct simboard *world_board(struct world *w, uint32_t board);
const char *world_imei(const struct world *w, uint32_t board);
/* Plugs an unplugged board into an empty slot; pulls it out. */
void world_plug(struct world *w, uint32_t board, uint32_t slot);
void world_pull(struct world *w, uint32_t board);
uint32_t world_slot_of(const struct world *w, uint32_t board); /* WORLD_NOWHERE: in no slot */

/* ---- the daemon */

/* Dies on the spot (SIGKILL), or is asked to stop and does so; a killed one's database is read from its
 * files. */
void world_kill(struct world *w);
void world_stop(struct world *w);
void world_start(struct world *w);
bool world_is_up(const struct world *w);
/* Kills the daemon at the k-th event of a kind (from 1) and starts it again a second later; counts are of the
 * first life. */
void world_kill_at(struct world *w, enum world_point point, uint64_t k);
uint64_t world_opportunities(const struct world *w, enum world_point point);
uint64_t world_kills_fired(const struct world *w, enum world_point point);

struct station *world_station(struct world *w);
const struct slot_view *world_view(struct world *w, uint32_t slot);
/* One operation on the store, committed. Its result. */
int world_op(struct world *w, struct store_op *op);
/* Opens the rack's order again under a new id, after it was closed; tells the station. */
void world_renew_order(struct world *w, uint32_t rack);
/* Imports so many more bundles for a pool. */
void world_import_more(struct world *w, uint32_t rack, uint32_t n);
/* From now on the store answers FAILED (`is_lost`: although it has stored). */
void world_break_store(struct world *w, bool is_broken, bool is_lost);
/* What the token does that holds the CA's key. One that hangs has taken what it was asked for, and answers it
 * when it is there again. */
enum world_token { TOKEN_IS_THERE, TOKEN_HANGS, TOKEN_IS_GONE };
void world_set_token(struct world *w, enum world_token token);
/* Copies the database alone aside, and puts that copy in its place while the daemon is down: the mark stays.
 */
void world_keep_copy(struct world *w);
void world_restore_copy(struct world *w);

/* ---- the story */

/* Chance acts for the configured time (shift by shift, when there are days), then faults end. */
void world_chaos(struct world *w);
/* Faults are over: the daemon runs, and every board is plugged in somewhere until it has passed. False: one
 * did not. */
bool world_calm(struct world *w);

/* ---- looking */

/* Everything that must hold. `is_final`: calm has come to its end. NULL, or the first violation. */
const char *world_check(struct world *w, bool is_final);
/* What was said on the line of the job that a violation is about; empty when it is about none. */
const char *world_dialogue(const struct world *w);
/* Notes a violation of the caller's own, unless there is one already. */
void world_blame(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A number from the database; `arg` may be NULL. -1 for no row. */
int64_t world_ask(struct world *w, const char *sql, const char *arg);
/* A text from the database, valid until the next call. */
const char *world_ask_text(struct world *w, const char *sql, const char *arg);

/* The event table, all columns, one line a row. The caller frees. */
char *world_events(struct world *w, size_t *ret_len);

struct world_numbers {
    uint64_t steps, jobs, passes, kills, faults, allocations;
};
struct world_numbers world_numbers(struct world *w);

#endif
