/* A job with our own firmware, which gets its credentials in checked frames, with a fault in one of so many
 * octets: support/jobsweep.h. */
#include "support/jobsweep.h"

static void init(struct rig *rig)
{
    struct simboard_config config = SIMBOARD_CONFIG_DEFAULT;
    config.front = SIM_FRONT_CERTLINE;
    rig_init_board(rig, &config);
}

int main(int argc, char **argv)
{
    static const struct jobsweep sweep = {.init = init, .step = 37};
    return jobsweep_main(&sweep, argc, argv);
}
