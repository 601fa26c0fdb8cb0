/* A job with native TLS, whose AT#XCMNG says nothing but ERROR, with a fault in each seventh octet:
 * support/jobsweep.h. */
#include "support/jobsweep.h"

static void init(struct rig *rig)
{
    rig_init_native(rig, SIM_F1_3B);
}

int main(int argc, char **argv)
{
    static const struct jobsweep sweep = {.init = init, .takes_any = true, .step = 7};
    return jobsweep_main(&sweep, argc, argv);
}
