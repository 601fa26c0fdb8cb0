/*
 * The modem's credential store: pairs of (sec_tag, type) with content, in memory that belongs to the board
 * and never grows. Survives everything but its owner. Order is that of storing, a replaced entry moves to the
 * end: hosts must not rely on any order, so a sorted one would be too kind.
 */
#ifndef CERTLINE_SIM_FLASH_H
#define CERTLINE_SIM_FLASH_H

#include "sim/board.h"

struct flash_entry {
    uint32_t sec_tag;
    unsigned type;
    bool is_generated; /* by %KEYGEN */
    size_t at;         /* of its content in `memory` */
    size_t len;
    uint8_t sha256[SIM_SHA256_SIZE];
};

struct flash {
    struct flash_entry slots[SIM_ENTRY_MAX];
    size_t count;
    size_t used;  /* octets of `memory` */
    size_t limit; /* at most SIM_STORE_SIZE */
    struct simboard_wear wear[SIM_WEAR_MAX];
    size_t wear_count;
    char memory[SIM_STORE_SIZE];
};

/* Index of the pair, or -1. */
int flash_find(const struct flash *s, uint32_t sec_tag, unsigned type);

/* Whether content of this length would fit in place of what the pair holds now. */
bool flash_fits(const struct flash *s, uint32_t sec_tag, unsigned type, size_t len);

/* Stores or replaces. `content` must not lie in the store itself. Returns 0, or -1 when it does not fit. */
int flash_put(struct flash *s, uint32_t sec_tag, unsigned type, const void *content, size_t len);

void flash_remove(struct flash *s, size_t i);
void flash_clear(struct flash *s); /* all entries; wear stays */

/* The wear counter of a pair, made on first use; NULL when all are taken by other pairs. */
struct simboard_wear *flash_wear(struct flash *s, uint32_t sec_tag, unsigned type);

/* SHA-256 without the heap. */
void flash_sha256(const void *content, size_t len, uint8_t out[SIM_SHA256_SIZE]);

#endif
