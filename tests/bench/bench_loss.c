/*
 * Links that lose octets on their way to the board: how many boards pass with their first job, and how long
 * a job takes on average, in virtual time at 115,200 baud. Plain commands, commands in chunks with pauses,
 * and Certline's own firmware with its checked frames.
 *
 * Every board that passes is compared with what its modem holds: a wrong PASS ends the program.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pki/init.h"
#include "support/rig.h"
#include "support/testpki.h"

#define BOARDS_DEFAULT 200

static const struct way {
    const char *name;
    enum sim_front front;
    bool is_chunked;
} ways[] = {
    {"plain", SIM_FRONT_AT_HOST, false},
    {"chunked", SIM_FRONT_AT_HOST, true},
    {"own_firmware", SIM_FRONT_CERTLINE, false},
};

static const unsigned losses[] = {0, 10000, 1000, 200};

struct tally {
    unsigned passed;
    int64_t us, passed_us;
};

static void provision(const struct way *way, unsigned one_in, unsigned board,
                      const struct testpki_bundle *bundle, struct tally *tally)
{
    struct simboard_config config = SIMBOARD_CONFIG_DEFAULT;
    config.front = way->front;
    config.seed = board + 1;
    struct rig rig;
    rig_init_board(&rig, &config);
    rig.is_chunked = way->is_chunked;
    rig.contents[1] = bundle->client_cert;
    rig.contents[2] = bundle->private_key;
    if (one_in > 0) {
        char fault[32], why[SIM_FAULT_WHY];
        (void)snprintf(fault, sizeof(fault), "drop:%.6f", 1.0 / one_in);
        if (simboard_add_fault(rig.board, fault, why, sizeof(why)) != 0) {
            fprintf(stderr, "bench_loss: %s\n", why);
            exit(1);
        }
    }
    int64_t start = rig.now_us;
    const struct verdict *verdict = rig_provision(&rig, true);
    int64_t took = rig.now_us - start;
    tally->us += took;
    if (verdict->outcome == OUTCOME_PASS) {
        if (!rig_board_is_right(&rig)) {
            fprintf(stderr, "bench_loss: board %u passed and holds something else\n", board);
            exit(1);
        }
        tally->passed++;
        tally->passed_us += took;
    }
    rig_done(&rig);
}

static void measure(const struct way *way, unsigned one_in, unsigned boards,
                    const struct testpki_bundle *bundle)
{
    struct tally tally = {0};
    char link[32] = "clean";
    if (one_in > 0) {
        (void)snprintf(link, sizeof(link), "1_in_%u", one_in);
    }
    for (unsigned board = 0; board < boards; board++) {
        provision(way, one_in, board, bundle, &tally);
    }
    printf("count first_job_passes_%s_%s %.1f percent\n", way->name, link, 100.0 * tally.passed / boards);
    printf("count job_time_%s_%s %.1f ms\n", way->name, link, (double)tally.us / boards / 1000);
    if (tally.passed > 0) {
        printf("count job_time_of_passed_%s_%s %.1f ms\n", way->name, link,
               (double)tally.passed_us / tally.passed / 1000);
    }
}

int main(int argc, char **argv)
{
    unsigned boards = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : BOARDS_DEFAULT;
    if (boards == 0 || pki_init() != 0) {
        fprintf(stderr, "usage: bench_loss [BOARDS]\n");
        return 2;
    }
    struct testpki *pki = testpki_new(1);
    struct testpki_bundle bundle;
    testpki_bundle(pki, 1, TESTPKI_P256, &bundle);
    for (size_t i = 0; i < sizeof(losses) / sizeof(*losses); i++) {
        for (size_t k = 0; k < sizeof(ways) / sizeof(*ways); k++) {
            measure(&ways[k], losses[i], boards, &bundle);
        }
    }
    testpki_bundle_done(&bundle);
    testpki_free(pki);
    return 0;
}
