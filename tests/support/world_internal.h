/* What the world's own files share. */
#ifndef CERTLINE_TESTS_WORLD_INTERNAL_H
#define CERTLINE_TESTS_WORLD_INTERNAL_H

#include <sqlite3.h>

#include "job/job.h"
#include "keys/issuer.h"
#include "keys/keys.h"
#include "pki/seal.h"
#include "sim/rng.h"
#include "support/malloc_count.h"
#include "support/world.h"

#define WORLD_EVENTS_MAX  8192
#define WORLD_BATCH       32
#define WORLD_BUNDLE_SIZE 32

enum happening {
    HAPPENS_ARRIVED, /* hot-plug tells the station */
    HAPPENS_LEFT,
    HAPPENS_HANGUP,
    HAPPENS_OPENED,
    HAPPENS_WRITABLE,
    HAPPENS_READ, /* octets that the line has not read yet */
    HAPPENS_STORE,
    HAPPENS_STORE_TELLS,
    HAPPENS_KEYS,
    HAPPENS_KEYS_TELL,
    HAPPENS_ISSUER,
    HAPPENS_ISSUER_TELLS,
    HAPPENS_NOTE,  /* a slot's quarantine goes on record */
    HAPPENS_START, /* of a dead daemon */
    HAPPENS_CHANCE,
    HAPPENS_STORE_HEALS,
    HAPPENS_ORDERS_BACK,
};
/* Those up to here belong to the daemon and die with it. */
#define HAPPENS_LAST_OF_DAEMON HAPPENS_NOTE

struct world_event {
    int64_t at_us;
    uint64_t turn; /* first come, first served */
    enum happening kind;
    uint32_t slot, generation;
    int value;
};

/* A board and where it is. */
struct world_board {
    struct simboard *sim;
    char imei[16];
    uint32_t rack;
    uint32_t slot;         /* or WORLD_NOWHERE */
    uint32_t n_jobs;       /* on record, as world_check counted last */
    const char *must_fail; /* the fault under which nothing that is written can come out right; NULL: none */
    int64_t must_fail_us;  /* since when */
    bool has_fault;
    bool has_noise; /* its link changed octets at some time: what it was sent is not what it got */
    bool is_done;   /* passed in the calm */
};

/* One slot's place and its link to the station. */
struct world_slot {
    uint32_t rack, board; /* board: or WORLD_NOWHERE */
    bool is_open;
    uint32_t generation;        /* of the port that is open, or being opened; 0: none */
    int64_t notice_us;          /* when hot-plug speaks of this slot next, at the earliest */
    char tail[32];              /* the last octets that were sent, to recognise a key in them */
    struct store_slot note;     /* on its way to the store */
    char told_job[JOB_ID_SIZE]; /* the last PASS shown */
    uint32_t seen_generation;   /* the last whose verdict the hands have acted on */
};

/* Messages on their way through an actor. */
struct world_actor {
    struct ledger_msg *waiting[WORLD_SLOTS_MAX];
    uint32_t n_waiting;
    struct ledger_msg *answered[WORLD_SLOTS_MAX];
    uint32_t n_answered;
    bool is_busy; /* an event is on its way */
};

struct world_product {
    struct product product;
    struct station_order order;
    uint32_t order_number;
    char *ca; /* in the product's style */
    uint32_t n_bundles;
};

struct world {
    struct clock clock; /* first: the clock's functions find the world by it */
    struct world_config config;
    int64_t now_us;
    uint64_t turn;
    uint32_t still; /* steps since the clock moved */
    uint64_t allocations_before;
    struct rng chance; /* what happens */
    struct rng ids;    /* the daemon's own random octets */

    struct world_event events[WORLD_EVENTS_MAX];
    uint32_t n_events;

    uint32_t n_slots, n_boards;
    struct world_slot slots[WORLD_SLOTS_MAX];
    struct slot_config slot_configs[WORLD_SLOTS_MAX];
    struct world_board *boards;
    struct world_product products[WORLD_RACKS_MAX];
    uint32_t next_in_calm[WORLD_RACKS_MAX]; /* the first board that has not had its turn yet, if it is this
                                               rack's */
    uint32_t n_done;                        /* boards that passed in the calm */

    /* The daemon. */
    char dir[128];
    uint32_t life; /* counts its starts */
    bool is_up, is_dying;
    struct store *store;
    struct keys *keys;
    struct seal_key *wrapping_key;
    struct issuer *issuer;
    struct station *station;
    struct station_env env;
    struct world_actor to_store, to_keys, to_issuer;
    bool store_is_broken, store_is_lost;
    int64_t store_slow_us, keys_slow_us;
    enum world_token token;
    bool wants_stop;
    bool is_troubled; /* ports fail to open and mailboxes are full now and then */

    uint64_t points[WORLD_POINTS], fired[WORLD_POINTS];
    bool kills_at;
    enum world_point kill_point;
    uint64_t kill_k;

    sqlite3 *reader;
    char answer[512]; /* to the last question */
    struct world_numbers numbers;
    char violation[400];
    char dialogue[JOB_DIALOGUE_SIZE];
};

/* world.c */
void world_at(struct world *w, int64_t delay_us, enum happening kind, uint32_t slot, uint32_t generation,
              int value);
uint64_t world_dice(struct world *w, uint64_t below);
bool world_hits(struct world *w, uint32_t permille);
void world_forget_daemon_events(struct world *w);

/* world_life.c */
void world_daemon_init(struct world *w);
void world_daemon_done(struct world *w);

/* world_daemon.c */
void world_env_init(struct world *w);
void world_random_octets(void *ctx, uint8_t *out, size_t n);
void world_close_link(struct world *w, uint32_t slot);
void world_daemon_happens(struct world *w, const struct world_event *event);
void world_read(struct world *w, uint32_t slot);
/* The cable of this slot is out: whoever has the port open hears of it, and hot-plug too. */
void world_cut(struct world *w, uint32_t slot);
void world_announce(struct world *w, uint32_t slot, bool is_fresh);
void world_set_orders(struct world *w, bool are_open);
/* True when the daemon dies here; its effects must not happen any more. */
bool world_passes(struct world *w, enum world_point point);
/* Runs a call of the line with its allocations counted. */
#define LINE(call)                                                                                           \
    do {                                                                                                     \
        malloc_count_switch(true);                                                                           \
        call;                                                                                                \
        malloc_count_switch(false);                                                                          \
    } while (0)

/* world_boards.c */
void world_boards_init(struct world *w);
void world_boards_done(struct world *w);
void world_chance(struct world *w);
void world_clear_board(struct world *w, uint32_t board);
uint32_t world_empty_slot(struct world *w, uint32_t rack);

/* world_bundles.c */
void world_products_init(struct world *w);
void world_products_done(struct world *w);
void world_import(struct world *w);
/* The octets that a board of this rack gets from the bundle with this id; the result is the caller's, NULL
 * for an unknown id. */
char *world_content(struct world *w, uint32_t rack, const char *bundle, enum cred_type type);
const char *world_put_order(struct world *w, uint32_t rack);

/* The CA of all worlds, for products whose boards make their own key. Made at the first call. */
struct signer *world_signer(void);

/* world_check.c */
void world_check_told(struct world *w, uint32_t slot, const struct slot_view *view);
void world_check_sent(struct world *w, uint32_t slot, struct span octets);
void world_keep_dialogue(struct world *w, const char *job);
void world_reader_open(struct world *w);
void world_reader_close(struct world *w);
/* The board holds exactly what its bundle of its rack's product says; else a violation is noted. */
bool world_check_board(struct world *w, uint32_t board, const char *when);

#endif
