/*
 * One fault at every possible place of a whole job. A first run counts the opportunities of each kind; then
 * each one is taken in turn. However it goes, the job ends, the record is told once, no secret stands in the
 * dialogue, no entry was written more than twice, at most one certificate was issued; and with a single
 * damaged octet, a lost answer, a reboot or a notification the board passes at the first attempt, holding
 * exactly its own. A pulled cable ends as LOST, and the next contact finishes the work.
 *
 * The run prints opportunities, those taken and fired for each kind; the last two must be equal. An argument
 * "kind:k" repeats one case, "kind:all" takes every octet.
 */
#ifndef CERTLINE_TESTS_JOBSWEEP_H
#define CERTLINE_TESTS_JOBSWEEP_H

#include "support/rig.h"

struct jobsweep {
    void (*init)(struct rig *rig); /* board and product, the same for every case */
    bool takes_any; /* the modem stores anything under any type: one damaged octet can put one entry's content
                       into another's place, and so wear that once more */
    bool makes_key; /* the board makes its own key (rig_init_keygen): there is one certificate, and no other
                       key */
    uint64_t step;  /* of octets so many's first is taken, the kinds in turn beginning at another one; of
                       commands all are */
};

/* A test program's whole main. */
int jobsweep_main(const struct jobsweep *sweep, int argc, char **argv);

#endif
