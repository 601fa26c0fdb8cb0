/* A job whose commands are signed, with a fault in each seventh octet: a damaged command is refused by the
 * modem and never carried out. support/jobsweep.h. */
#include "support/jobsweep.h"

static void init(struct rig *rig)
{
    rig_init_signed(rig, SIM_F2B);
}

int main(int argc, char **argv)
{
    static const struct jobsweep sweep = {.init = init, .step = 7};
    return jobsweep_main(&sweep, argc, argv);
}
