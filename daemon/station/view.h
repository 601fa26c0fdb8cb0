/*
 * What a slot shows to the outside: a plain record, published after each change (base/snapshot.h) and read by
 * HTTP without touching the line. Text fields are NUL-terminated and empty where there is nothing to say.
 */
#ifndef CERTLINE_STATION_VIEW_H
#define CERTLINE_STATION_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "job/ledger.h"
#include "job/verdict.h"

/* X(ENUM, name in the API): design.md and the API's slot resource. */
#define SLOT_STATE_LIST(X)                                                                                   \
    X(SLOT_ABSENT, "absent")         /* no port */                                                           \
    X(SLOT_OPENING, "opening")       /* the opener has it */                                                 \
    X(SLOT_CONTACTING, "contacting") /* finding out who is there */                                          \
    X(SLOT_SILENT, "silent")         /* no answer for 3 s; still listening */                                \
    X(SLOT_IDENTIFYING, "identifying")                                                                       \
    X(SLOT_WAITING, "waiting") /* identified; no order, or the operator has not started it */                \
    X(SLOT_RUNNING, "running")                                                                               \
    X(SLOT_RECORDING, "recording") /* on the board, not on record: leave it in */                            \
    X(SLOT_DONE, "done")           /* the verdict stays until the board leaves */                            \
    X(SLOT_HELD, "held")           /* a person must look: the same IMEI is in another slot */                \
    X(SLOT_QUARANTINED, "quarantined")

enum slot_state {
#define X(name, text) name,
    SLOT_STATE_LIST(X)
#undef X
};

const char *slot_state_name(enum slot_state state);

struct slot_view {
    char id[SLOT_ID_SIZE]; /* "rack1/001" */
    char fixture[FIXTURE_SIZE];
    char name[FIXTURE_SIZE]; /* "001" */
    uint32_t generation;     /* of the board: counts up with each arrival */
    char port[128];          /* what is open: "/dev/pts/7" */
    char usb[64];            /* USB path and interface, empty for pseudo-terminals */
    enum slot_state state;
    char imei[IMEI_SIZE];
    char uuid[UUID_SIZE];
    char model[ID_TEXT_SIZE];
    char modem_firmware[ID_TEXT_SIZE];
    char order[ORDER_ID_SIZE];
    char job[JOB_ID_SIZE];
    char step[32];
    enum reason waiting_for; /* SLOT_WAITING and SLOT_HELD: no_order, duplicate_imei, …; else REASON_NONE */
    uint32_t progress_permille;
    bool has_verdict;
    struct verdict verdict;
    enum entry_proof proof;
    int64_t verdict_wall_ms;
    int64_t changed_wall_ms;
    char warning[160]; /* about the slot, not the board: what was seen and what to do; empty: nothing */
    char earlier_job[JOB_ID_SIZE]; /* "PASS earlier": this board's job before a restart */
};

#endif
