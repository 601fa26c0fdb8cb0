/*
 * How long a job takes against what cannot be shorter: octets on the wire at ten bits each, both ways, and
 * the time in which the modem works. One simulated board at 115,200 baud and virtual time, so the figures are
 * the same on every machine.
 *
 * The ledger's answers are counted twice: with none of their time, which shows the dialogue alone, and with
 * 2 ms for each, which is what a commit on a good disk takes.
 *
 * Three visits: "first" writes everything; "right" finds the board as it is to be; "found" does too, but on a
 * port that stood there when the daemon started, so that what a dead session left has to be cleared first.
 *
 * With the argument "steps" it says for each step what passed beyond wire and modem.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pki/init.h"
#include "support/rig.h"
#include "support/testpki.h"

#define BAUD      115200
#define AIM       1.05
#define STEPS_MAX 64

struct part {
    const char *step;
    int64_t us, wire_us, modem_us;
};

struct measured {
    int64_t us, wire_us, modem_us;
    uint64_t exchanges;
    struct part parts[STEPS_MAX];
    uint32_t n_parts;
};

static const struct kind {
    const char *name;
    enum testpki_key key;
    enum sim_front front;
} kinds[] = {
    {"p256", TESTPKI_P256, SIM_FRONT_AT_HOST},
    {"rsa2048", TESTPKI_RSA2048, SIM_FRONT_AT_HOST},
    {"p256_serial_modem", TESTPKI_P256, SIM_FRONT_SERIAL_MODEM},
    {"p256_own_firmware", TESTPKI_P256, SIM_FRONT_CERTLINE},
    {"rsa2048_own_firmware", TESTPKI_RSA2048, SIM_FRONT_CERTLINE},
};

static int64_t wire_us(const struct simboard_info *info)
{
    return (int64_t)((info->octets_in + info->octets_out) * 10 * 1000000 / BAUD);
}

static struct part *part_of(struct measured *m, const char *step)
{
    for (uint32_t i = 0; i < m->n_parts; i++) {
        if (strcmp(m->parts[i].step, step) == 0) {
            return &m->parts[i];
        }
    }
    struct part *part = &m->parts[m->n_parts < STEPS_MAX - 1 ? m->n_parts++ : STEPS_MAX - 1];
    *part = (struct part){.step = step};
    return part;
}

static void must(bool is_good, const char *what)
{
    if (!is_good) {
        fprintf(stderr, "bench_job: %s\n", what);
        exit(1);
    }
}

static struct measured measure(struct rig *rig, bool is_fresh)
{
    struct measured m = {0};
    struct simboard_info first = simboard_info(rig->board), before = first;
    uint64_t executed = simboard_executed_total(rig->board);
    int64_t start = rig->now_us, last = start;
    rig_start(rig, is_fresh);
    while (job_phase(&rig->job) != JOB_ENDED) {
        struct part *part = part_of(&m, job_step(&rig->job));
        must(rig_step(rig), "the job stands still");
        struct simboard_info now = simboard_info(rig->board);
        part->us += rig->now_us - last;
        part->wire_us += wire_us(&now) - wire_us(&before);
        part->modem_us += now.modem_us - before.modem_us;
        last = rig->now_us;
        before = now;
    }
    m.us = rig->now_us - start;
    m.wire_us = wire_us(&before) - wire_us(&first);
    m.modem_us = before.modem_us - first.modem_us;
    m.exchanges = simboard_executed_total(rig->board) - executed;
    must(rig->job.verdict.outcome == OUTCOME_PASS && rig_board_is_right(rig), "a good board did not pass");
    return m;
}

static void tell(const struct measured *m, const char *visit, const char *kind, int ledger_ms, bool has_steps)
{
    char name[96];
    (void)snprintf(name, sizeof(name), "job_%s_%s_ledger_%d_ms", visit, kind, ledger_ms);
    printf("ratio %s %.3f %.2f\n", name, (double)m->us / (double)(m->wire_us + m->modem_us), AIM);
    if (ledger_ms == 0) {
        printf("count %s_time %.1f ms\n", name, (double)m->us / 1000);
        printf("count %s_beyond %.1f ms\n", name, (double)(m->us - m->wire_us - m->modem_us) / 1000);
        printf("count %s_exchanges %llu commands\n", name, (unsigned long long)m->exchanges);
    }
    for (uint32_t i = 0; has_steps && i < m->n_parts; i++) {
        const struct part *p = &m->parts[i];
        printf("# %-24s %9.3f ms, wire %8.3f, modem %8.3f, beyond %8.3f\n", p->step, (double)p->us / 1000,
               (double)p->wire_us / 1000, (double)p->modem_us / 1000,
               (double)(p->us - p->wire_us - p->modem_us) / 1000);
    }
}

static void visit_thrice(struct testpki *pki, const struct kind *kind, int ledger_ms, bool has_steps)
{
    struct testpki_bundle bundle;
    testpki_bundle(pki, 1, kind->key, &bundle);
    struct simboard_config config = SIMBOARD_CONFIG_DEFAULT;
    config.front = kind->front;
    struct rig rig;
    rig_init_board(&rig, &config);
    rig.ledger_us = ledger_ms * 1000;
    rig.contents[1] = bundle.client_cert;
    rig.contents[2] = bundle.private_key;
    struct measured first = measure(&rig, true);
    tell(&first, "first", kind->name, ledger_ms, has_steps);
    simboard_run(rig.board, rig.now_us += 10 * US_PER_S);
    struct measured second = measure(&rig, true);
    tell(&second, "right", kind->name, ledger_ms, has_steps);
    simboard_run(rig.board, rig.now_us += 10 * US_PER_S);
    struct measured third = measure(&rig, false); /* the line may hold what a dead session left */
    tell(&third, "found", kind->name, ledger_ms, has_steps);
    rig_done(&rig);
    testpki_bundle_done(&bundle);
}

int main(int argc, char **argv)
{
    bool has_steps = argc > 1 && strcmp(argv[1], "steps") == 0;
    must(pki_init() == 0, "OpenSSL does not start");
    struct testpki *pki = testpki_new(1);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        visit_thrice(pki, &kinds[i], 0, has_steps);
        visit_thrice(pki, &kinds[i], 2, false);
    }
    testpki_free(pki);
    return 0;
}
