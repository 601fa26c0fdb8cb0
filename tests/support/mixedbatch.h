/*
 * One operation of many kinds, answered yes and no, over jobs in every state: what a batch may hold at its
 * worst. Tests run it as it is, with one that fails half-way among them, and short of memory.
 */
#ifndef CERTLINE_TESTS_MIXEDBATCH_H
#define CERTLINE_TESTS_MIXEDBATCH_H

#include "support/storekit.h"

#define MIXED_OPS 9

struct mixed {
    struct kit kit;
    struct kit_job jobs[5];         /* from 1 */
    struct store_op ops[MIXED_OPS]; /* the last one ends all jobs that are open */
};

/* A store with a line and four bundles, and the operations, none of which has run. Job 2 claims for the board
 * of job `twin`. kit_done(&m->kit) ends it. */
void mixed_make(struct mixed *m, unsigned twin);

#endif
