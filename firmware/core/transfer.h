/*
 * A checked transfer as data: what was announced, which units have arrived, and the command that writes the
 * content. Two slots, so that the next credential can arrive while the modem writes the one before. No I/O:
 * the owner (core/cred.c) talks to host and modem.
 *
 * A slot's life: free → open (transfer_begin) → checked (transfer_check) → writing (transfer_write_begin) →
 * free. Only one is open or checked, only one is writing. Whatever leaves a slot wipes it.
 */
#ifndef CERTLINE_CORE_TRANSFER_H
#define CERTLINE_CORE_TRANSFER_H

#include "core/board.h"
#include "core/words.h"

#define TRANSFER_UNIT        32
#define TRANSFER_CONTENT_MAX 8192 /* more than the modem takes in one command */
#define TRANSFER_UNITS_MAX   (TRANSFER_CONTENT_MAX / TRANSFER_UNIT)
#define TRANSFER_HEAD        32 /* for AT%CMNG=0,<tag>,<type>," before the content */
#define TRANSFER_TAIL        2  /* the closing quote and a NUL */
#define TRANSFER_SLOT_SIZE   (TRANSFER_HEAD + TRANSFER_CONTENT_MAX + TRANSFER_TAIL)
#define TRANSFER_DIGEST      32

/* What the host announces; `key` is the CRC-32 of the announcement and names the transfer. */
struct transfer_plan {
    uint32_t sec_tag, type, size;
    uint8_t sha256[TRANSFER_DIGEST];
    uint32_t key;
};

struct transfer_slot {
    char *memory; /* TRANSFER_SLOT_SIZE */
    struct transfer_plan plan;
    uint32_t have[TRANSFER_UNITS_MAX / 32]; /* a bit per unit that has arrived */
};

enum transfer_check {
    TRANSFER_RIGHT,
    TRANSFER_INCOMPLETE,
    TRANSFER_WRONG,      /* another digest: what has arrived is forgotten */
    TRANSFER_UNWRITABLE, /* a quote or a NUL, which no AT%CMNG can carry */
};

/* How the last write ended: 0 OK, a positive number the code of +CME ERROR, -1 ERROR without a number. */
struct transfer_result {
    bool is_there;
    bool is_untold; /* it failed, and no answer has said so yet */
    uint32_t sec_tag, type, key;
    int code;
};

struct transfer {
    struct transfer_slot slots[2];
    int open, writing; /* slot, or -1 */
    struct transfer_result last;
};

/* Each memory has TRANSFER_SLOT_SIZE octets and must outlive the object. */
void transfer_init(struct transfer *t, char *memory0, char *memory1);

/* NULL when none is open. */
struct transfer_slot *transfer_open(struct transfer *t);

/* Opens, in place of what was open. The same plan again goes on with what has arrived. size must be 1 to
 * TRANSFER_CONTENT_MAX. */
void transfer_begin(struct transfer *t, const struct transfer_plan *plan);

/* Forgets and wipes what is open. */
void transfer_abort(struct transfer *t);

/* Octets for the open slot from unit `first` on; they must lie within its size. */
void transfer_put(struct transfer *t, uint32_t first, const char *octets, size_t n);

/* The units that have not arrived, as ranges: 0-7,12 and nothing when all are there. Ends early when `text`
 * is nearly full. */
bool transfer_is_complete(const struct transfer *t);
void transfer_missing(const struct transfer *t, struct words *text);

enum transfer_check transfer_check(struct transfer *t, struct board *board);

/* The open slot becomes the one that is written. Returns its command, with a NUL, valid until
 * transfer_write_end. */
const char *transfer_write_begin(struct transfer *t, size_t *ret_len);

/* The modem's answer (or none, n = 0) to it. */
void transfer_write_end(struct transfer *t, const char *answer, size_t n);

#endif
