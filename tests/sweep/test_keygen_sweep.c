/* A job whose board makes its own key, with a fault in each third octet (each run makes keys and signs): the
 * board ends with the certificate of its own key, and no other key is left behind. support/jobsweep.h. */
#include "support/jobsweep.h"

static void init(struct rig *rig)
{
    rig_init_keygen(rig, SIM_F2B);
}

int main(int argc, char **argv)
{
    static const struct jobsweep sweep = {.init = init, .makes_key = true, .step = 3};
    return jobsweep_main(&sweep, argc, argv);
}
