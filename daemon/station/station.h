/*
 * The station: every slot, the board in it and its job. A synchronous core: ports' octets, ledger answers,
 * commands and the time go in; calls on `struct station_env` come out. It owns no descriptor and no thread
 * and allocates nothing once a board is admitted, so that the same code runs the rack and, under a virtual
 * clock, the world test.
 *
 * A slot is named by its index here; whatever can arrive late carries the generation of the board it was
 * meant for, and is dropped when that board has left.
 */
#ifndef CERTLINE_STATION_STATION_H
#define CERTLINE_STATION_STATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/span.h"
#include "job/ledger.h"
#include "station/view.h"

#define STATION_SLOTS_MAX 4096

enum slot_start { START_PLUG, START_SCAN, START_MANUAL };

struct slot_config {
    char id[SLOT_ID_SIZE];
    char fixture[FIXTURE_SIZE];
    char name[FIXTURE_SIZE];
    enum slot_start start;
    bool is_polled; /* the port stays when the board leaves: its presence is asked for */
    uint32_t baud;  /* 0: 115200 */
};

/* What the station asks of its surroundings. Every call returns at once; none may call back into the station.
 */
struct station_env {
    void *ctx;
    /* Open the slot's port; station_port_opened follows. */
    void (*open)(void *ctx, uint32_t slot, uint32_t generation);
    /* Close it (fire and forget); also cancels an open under way. No octet of this generation comes
     * afterwards. */
    void (*close)(void *ctx, uint32_t slot, uint32_t generation);
    /* Octets for the wire: returns how many were taken (0 when the port's queue is full), or a negative code
     * when the port is gone. */
    int (*write)(void *ctx, uint32_t slot, uint32_t generation, struct span octets);
    /* Lends a message to the store or to keys, by its kind. Returns 0, or negative when it cannot be taken
     * now; the station offers it again. */
    int (*post)(void *ctx, struct ledger_msg *msg);
    /* A slot's view changed: borrowed for the call. */
    void (*publish)(void *ctx, uint32_t slot, const struct slot_view *view);
    /* 80 random bits for a job id. */
    void (*random)(void *ctx, uint8_t out[10]);
    /* Puts on record that the slot is in quarantine, or is not any more; station_noted follows. Returns 0, or
     * negative when it cannot be taken now; the station offers it again. `who` (empty: the station itself)
     * and `why` are borrowed for the call. NULL: nothing of that is put on record. */
    int (*note)(void *ctx, uint32_t slot, bool is_quarantined, const char *who, const char *why);
};

/* An open order as the line must know it. `product` lives as long as the daemon. */
struct station_order {
    char id[ORDER_ID_SIZE];
    char fixture[FIXTURE_SIZE];
    const struct product *product;
};

struct station; /* opaque */

/* All memory of all slots is taken here. `slots` is copied; `env` and `clock` are borrowed for the station's
 * life. */
struct station *station_new(const struct slot_config *slots, uint32_t n_slots, const struct station_env *env,
                            const struct clock *clock, struct err_info *reterr);
void station_free(struct station *st);

/* Adds a slot while running (a glob matched a new name). Returns its index or a negative code. Allocates. */
int station_add_slot(struct station *st, const struct slot_config *slot);
/* Index by id, or -1. */
int station_find_slot(const struct station *st, const char *id);
uint32_t station_slot_count(const struct station *st);

/* A port that has come, as shown to people. All strings may be NULL, and are copied. */
struct station_port {
    const char *name;       /* "/dev/ttyACM0" */
    const char *usb;        /* USB path and interface */
    const char *wrong_port; /* by its USB identity the board takes AT commands at another port: at which */
    bool is_fresh; /* just plugged in, so that nothing of a dead session can stand in the board's buffer;
                      ports found at start are not */
};

/* Hot-plug: the slot's port exists now, or is gone. */
void station_port_arrived(struct station *st, uint32_t slot, const struct station_port *port, int64_t now_us);
void station_port_left(struct station *st, uint32_t slot, int64_t now_us);

/* The opener's answer: 0, or a negative code with a text for the operator. */
void station_port_opened(struct station *st, uint32_t slot, uint32_t generation, int result,
                         const char *detail, int64_t now_us);
void station_port_bytes(struct station *st, uint32_t slot, uint32_t generation, struct span octets,
                        int64_t now_us);
/* The port takes octets again after it had refused some. */
void station_port_writable(struct station *st, uint32_t slot, uint32_t generation, int64_t now_us);
/* Hang-up or error: the cable is out or the bridge is gone. */
void station_port_closed(struct station *st, uint32_t slot, uint32_t generation, int64_t now_us);

/* A lent message comes back. */
void station_ledger_answer(struct station *st, struct ledger_msg *msg, int64_t now_us);

/* What env->note took is on record, or (negative) is not and is to be tried again. */
void station_noted(struct station *st, uint32_t slot, int result, int64_t now_us);

/* The slot is in quarantine on record. Before any port arrives; does not call note. */
void station_quarantine(struct station *st, uint32_t slot, const char *why, int64_t now_us);

/* The open orders, all of them, after each change. Copied. Boards that wait for an order go on, and so do
 * those that another order of their fixture had no room for. */
void station_set_orders(struct station *st, const struct station_order *orders, uint32_t n, int64_t now_us);

/* Claims are refused with this reason (mark_ahead, store_failed, clock_wrong, key_locked), or REASON_NONE. */
void station_set_block(struct station *st, enum reason reason, const char *detail, int64_t now_us);

/* Commands of operator and MES. `generation` 0 means whatever is there now. Return 0, ERR_NOT_FOUND (no such
 * slot or board), ERR_CONFLICT (not in a state for that; *reterr says what it is in). */
int station_start(struct station *st, uint32_t slot, uint32_t generation, const char *operator_name,
                  const char *unit_serial, struct err_info *reterr, int64_t now_us);
int station_abort(struct station *st, uint32_t slot, uint32_t generation, struct err_info *reterr,
                  int64_t now_us);
/* `who` is for the record, when the slot was in quarantine; may be empty. */
int station_release(struct station *st, uint32_t slot, uint32_t generation, const char *who,
                    struct err_info *reterr, int64_t now_us);
int station_retry(struct station *st, uint32_t slot, uint32_t generation, struct err_info *reterr,
                  int64_t now_us);

/* Brings every job to a safe point and ends it (ABORTED, station shutting down); done when station_is_idle.
 */
void station_shutdown(struct station *st, int64_t now_us);
bool station_is_idle(const struct station *st);

int64_t station_deadline(const struct station *st);
void station_tick(struct station *st, int64_t now_us);

const struct slot_view *station_view(const struct station *st, uint32_t slot);

#endif
