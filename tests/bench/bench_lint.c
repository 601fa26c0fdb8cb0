/*
 * How fast credentials are judged, on one core: what lint and import do with a bundle before it is sealed
 * (both PEM texts read, certificate and key parsed, the key's public part computed and compared).
 *
 * CPU time of this thread, so that a busy machine does not make it slower than it is. The best of several
 * rounds counts: the others measure the neighbours.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "exchange/lint.h"
#include "pki/content.h"
#include "pki/init.h"
#include "support/benchkit.h"
#include "support/testpki.h"

#define BUNDLES 1000
#define ROUNDS  5
#define AIM     10000.0 /* P-256 bundles a second */

static void lint_one(const struct testpki_bundle *bundle)
{
    struct content cert, key;
    must(content_read(CRED_CLIENT_CERT, span_str(bundle->client_cert), 1800000000, &cert, NULL) ==
         CONTENT_GOOD);
    must(content_read(CRED_PRIVATE_KEY, span_str(bundle->private_key), 1800000000, &key, NULL) ==
         CONTENT_GOOD);
    must(content_match(&key, &cert, NULL) == CONTENT_GOOD);
    content_done(&key);
    content_done(&cert);
}

static double bench_lint(struct testpki *pki, enum testpki_key kind, unsigned n)
{
    struct testpki_bundle *bundles = calloc(n, sizeof(*bundles));
    double best = 1e9;
    must(bundles != NULL);
    for (unsigned i = 0; i < n; i++) {
        testpki_bundle(pki, i, kind, &bundles[i]);
    }
    for (int round = 0; round < ROUNDS; round++) {
        double begin = now_s();
        for (unsigned i = 0; i < n; i++) {
            lint_one(&bundles[i]);
        }
        double took = now_s() - begin;
        best = took < best ? took : best;
    }
    for (unsigned i = 0; i < n; i++) {
        testpki_bundle_done(&bundles[i]);
    }
    free(bundles);
    return n / best;
}

/* ---- the lint as a whole: every finding, names, twins across the run */

static double bench_full_lint(struct testpki *pki, unsigned n)
{
    struct testpki_bundle *bundles = calloc(n, sizeof(*bundles));
    double best = 1e9;
    must(bundles != NULL);
    for (unsigned i = 0; i < n; i++) {
        testpki_bundle(pki, i, TESTPKI_P256, &bundles[i]);
    }
    for (int round = 0; round < ROUNDS; round++) {
        struct lint *lint = lint_new(&(struct lint_config){.now_s = 1800000000, .product = &product});
        must(lint != NULL);
        double begin = now_s();
        for (unsigned i = 0; i < n; i++) {
            struct lint_report report = {0};
            struct lint_credential cert, key;
            char id[16];
            (void)snprintf(id, sizeof(id), "row %u", i);
            must(lint_text(lint, CRED_CLIENT_CERT, span_str(bundles[i].client_cert), &report, &cert) == 0 &&
                 lint_text(lint, CRED_PRIVATE_KEY, span_str(bundles[i].private_key), &report, &key) == 0 &&
                 lint_pair(lint, &(struct lint_owner){.id = id}, &cert, &key, &report) == 0);
            must(report.n == 0);
            lint_credential_done(&cert);
            lint_credential_done(&key);
        }
        double took = now_s() - begin;
        best = took < best ? took : best;
        lint_free(lint);
    }
    for (unsigned i = 0; i < n; i++) {
        testpki_bundle_done(&bundles[i]);
    }
    free(bundles);
    return n / best;
}

int main(void)
{
    must(pki_init() == 0);
    struct testpki *pki = testpki_new(1);
    double p256 = bench_lint(pki, TESTPKI_P256, BUNDLES);
    printf("count lint_p256 %.0f bundles/s\n", p256);
    printf("ratio lint_p256_to_aim %.2f 1.00\n", p256 / AIM);
    printf("count lint_p256_sec1 %.0f bundles/s\n", bench_lint(pki, TESTPKI_P256_SEC1, BUNDLES));
    printf("count lint_rsa2048 %.0f bundles/s\n", bench_lint(pki, TESTPKI_RSA2048, BUNDLES / 20));
    printf("count lint_p384 %.0f bundles/s\n", bench_lint(pki, TESTPKI_P384, BUNDLES / 50));
    printf("count lint_p256_all_findings %.0f bundles/s\n", bench_full_lint(pki, BUNDLES));
    testpki_free(pki);
    return 0;
}
