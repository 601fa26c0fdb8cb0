/*
 * What a slot's last boards say about the slot itself: octets that are lost here, and boards that fail here
 * while they pass next door. Plain arithmetic over how jobs ended; a person can overrule both (release).
 */
#ifndef CERTLINE_STATION_HEALTH_H
#define CERTLINE_STATION_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "job/ledger.h"
#include "job/verdict.h"

/* So many boards in a row with damaged writes, and the slot writes in chunks from the start. */
#define HEALTH_LOSSY_BOARDS  3
/* So often it does, before one board is written plainly again: a clean run withdraws the suspicion. */
#define HEALTH_TRIAL_EVERY   16
/* So many different boards failed in a row here, while so many passed in other slots of the fixture
 * meanwhile. */
#define HEALTH_FAILED_BOARDS 3
#define HEALTH_PASSED_AROUND 3

struct health {
    uint8_t lossy;               /* boards in a row with damaged writes */
    uint8_t chunked;             /* boards written in chunks since the last plain trial */
    uint8_t failed;              /* different boards in a row that failed here */
    uint32_t passed_around;      /* passes in other slots of the fixture since the first of them */
    char failed_imei[IMEI_SIZE]; /* the last one: the same board again says nothing new */
    bool is_quarantined;
    char why[160]; /* evidence, as the slot shows it; empty: healthy */
};

/* How a job ended here. `wrote`: anything was written; `damaged`: so many writes arrived damaged;
 * `was_chunked`: it began in chunks. */
struct health_run {
    const struct verdict *verdict;
    const char *imei;
    bool wrote, was_chunked;
    uint32_t damaged, written;
};

void health_note(struct health *h, const struct health_run *run);

/* A board passed in another slot of the same fixture. */
void health_note_neighbour(struct health *h);

/* Whether the next board is to be written in chunks. */
bool health_wants_chunks(struct health *h);

/* It was in quarantine when the station stopped, for what is said there. */
void health_restore(struct health *h, const char *why);

/* A person has repaired it. */
void health_release(struct health *h);

#endif
