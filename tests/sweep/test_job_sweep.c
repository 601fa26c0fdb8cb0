/* Every octet of a job with a board behind Nordic's AT host: support/jobsweep.h. */
#include "support/jobsweep.h"

static void init(struct rig *rig)
{
    rig_init(rig, SIM_F2B, SIM_TERM_CR);
}

int main(int argc, char **argv)
{
    static const struct jobsweep sweep = {.init = init, .step = 1};
    return jobsweep_main(&sweep, argc, argv);
}
