/*
 * What keys made on the board cost: certificates that the station's CA issues a second (built, signed,
 * sealed), and what judging the request and signing add to a job, which is to stay under a millisecond. CPU
 * time of this thread, the best of several rounds. A token's own time would come on top: it is nobody's here
 * but the issuer's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/secret.h"
#include "keys/issuer.h"
#include "keys/keys.h"
#include "pki/init.h"
#include "pki/signer.h"
#include "support/rig.h"

#define ROUNDS      5
#define SIGNATURES  200
#define AIM_MS      1.0
#define CONTENT_MAX 65536

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void must(bool is_good, const char *what)
{
    if (!is_good) {
        fprintf(stderr, "bench_sign: %s\n", what);
        exit(1);
    }
}

/* What a real job sent to keys and to the issuer, kept to be sent again. */
static struct ledger_msg csr, sign;
static uint8_t content[CONTENT_MAX];

static double time_of(const struct ledger_msg *from, void (*answer)(void *actor, struct ledger_msg *msg),
                      void *actor)
{
    static struct ledger_msg msg;
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        double begin = now_s();
        for (int i = 0; i < SIGNATURES; i++) {
            msg = *from;
            msg.content = content;
            msg.content_size = sizeof(content);
            answer(actor, &msg);
            must(msg.status == LEDGER_OK, msg.detail);
        }
        double took = now_s() - begin;
        best = took < best ? took : best;
    }
    return best / SIGNATURES;
}

static void ask_keys(void *keys, struct ledger_msg *msg)
{
    keys_answer(keys, msg);
}

static void ask_issuer(void *issuer, struct ledger_msg *msg)
{
    issuer_answer(issuer, msg);
}

static void keep(void *ctx, const struct ledger_msg *msg)
{
    (void)ctx;
    if (msg->kind == LEDGER_CSR) {
        csr = *msg;
    } else if (msg->kind == LEDGER_SIGN) {
        sign = *msg;
    }
}

static void measure(void)
{
    struct rig rig;
    rig_init_keygen(&rig, SIM_F2B);
    rig.on_message = keep;
    rig_provision(&rig, true);
    must(rig.job.verdict.outcome == OUTCOME_PASS, "a good board did not pass");
    double judging = time_of(&csr, ask_keys, rig.keys), signing = time_of(&sign, ask_issuer, rig.issuer);
    printf("count certificates_p256 %.0f certificates/s\n", 1 / signing);
    printf("count csr_judged_p256 %.0f requests/s\n", 1 / judging);
    printf("ratio signing_to_1_ms %.3f 1.00\n", 1000 * (judging + signing) / AIM_MS);
    rig_done(&rig);
}

int main(void)
{
    must(pki_init() == 0, "OpenSSL does not start");
    measure();
    return 0;
}
