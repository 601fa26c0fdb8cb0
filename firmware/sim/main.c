/* certline-sim: a rack of simulated boards to practise on. Everything is in sim/server.c and below. */
#include "sim/options.h"
#include "sim/server.h"

int main(int argc, char **argv)
{
    struct sim_options options;

    switch (sim_options_parse(&options, argc, argv)) {
    case OPTIONS_RUN:
        return sim_server_run(&options);
    case OPTIONS_DONE:
        return 0;
    case OPTIONS_WRONG:
        break;
    }
    return 2;
}
