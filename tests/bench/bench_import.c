/*
 * How fast bundles are imported: what is done with a row before the database (JSON, both PEM texts read,
 * certificate and key parsed and compared, canonical form, sealing), and an import into a real database.
 *
 * CPU time of this thread, so that a busy machine does not make it slower than it is, and time by the clock,
 * which is the disk's as well.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "exchange/import.h"
#include "exchange/row.h"
#include "keys/keys.h"
#include "pki/init.h"
#include "support/storekit.h"
#include "support/testpki.h"

#define ROWS   5000
#define ROUNDS 5

static const struct product product = {.name = "tracker",
                                       .source = SOURCE_POOL,
                                       .n_entries = 2,
                                       .entries = {
                                           {.sec_tag = 1, .type = CRED_CLIENT_CERT, .from_bundle = true},
                                           {.sec_tag = 1, .type = CRED_PRIVATE_KEY, .from_bundle = true},
                                       }};

static const struct product *find_product(void *ctx, const char *name)
{
    (void)ctx, (void)name;
    return &product;
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void must(bool is_good)
{
    if (!is_good) {
        fprintf(stderr, "bench_import: a bundle that is good was refused\n");
        exit(1);
    }
}

static double bench_rows(struct testpki *pki, unsigned n)
{
    static const uint8_t octets[SEAL_KEY_SIZE] = {1};
    struct seal_key *wrapping_key = seal_key_new(octets);
    struct keys *keys = keys_new(&(struct keys_config){.wrapping_key = wrapping_key});
    const struct row_config config = {.keys = keys, .find_product = find_product, .now_s = 1800000000};
    struct row_reader *reader = row_reader_new(&config);
    uint8_t *sealed = malloc(ROW_SEALED_MAX);
    char **rows = calloc(n, sizeof(*rows));
    double best = 1e9;
    must(reader != NULL && sealed != NULL && rows != NULL);
    for (unsigned i = 0; i < n; i++) {
        char id[32];
        (void)snprintf(id, sizeof(id), "pool-%06u", i);
        rows[i] = testpki_row(pki, i, TESTPKI_P256, id, NULL, "tracker", NULL);
    }
    for (int round = 0; round < ROUNDS; round++) {
        double begin = now_s();
        for (unsigned i = 0; i < n; i++) {
            struct store_import row;
            struct row_refusal refusal;
            must(row_read(reader, span_str(rows[i]), i + 1, &row, sealed, &refusal, NULL) == 0);
        }
        double took = now_s() - begin;
        best = took < best ? took : best;
    }
    for (unsigned i = 0; i < n; i++) {
        testpki_text_free(rows[i]);
    }
    free(rows);
    free(sealed);
    row_reader_free(reader);
    keys_free(keys);
    seal_key_free(wrapping_key);
    return n / best;
}

/* ---- an import into a real database: CPU, and by the clock, which is the disk's as well */

static const struct product *find_in_kit(void *ctx, const char *name)
{
    (void)name;
    return &((struct kit *)ctx)->products[KIT_POOL];
}

static int submit_to_kit(void *ctx, struct store_op **ops, size_t n)
{
    return store_batch(((struct kit *)ctx)->store, ops, n);
}

static double wall_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void bench_import(struct testpki *pki, unsigned n)
{
    static const uint8_t octets[SEAL_KEY_SIZE] = {1};
    struct seal_key *wrapping_key = seal_key_new(octets);
    struct keys *keys = keys_new(&(struct keys_config){.wrapping_key = wrapping_key});
    struct kit kit;
    kit_init(&kit);
    kit_open_line(&kit, n);
    struct import *import = import_new(&(struct import_config){
        .rows = {.keys = keys, .find_product = find_in_kit, .ctx = &kit, .now_s = 1800000000},
        .submit = submit_to_kit,
        .ctx = &kit});
    struct json *result = NULL;
    int64_t taken = 0;
    must(import != NULL);
    char **rows = calloc(n, sizeof(*rows));
    must(rows != NULL);
    for (unsigned i = 0; i < n; i++) {
        char id[32];
        (void)snprintf(id, sizeof(id), "pool-%06u", i);
        rows[i] = testpki_row(pki, i, TESTPKI_P256, id, NULL, "tracker", NULL);
    }
    double cpu = now_s(), wall = wall_s();
    for (unsigned i = 0; i < n; i++) {
        must(import_feed(import, span_str(rows[i]), NULL) == 0);
    }
    must(import_finish(import, &result, NULL) == 0);
    cpu = now_s() - cpu;
    wall = wall_s() - wall;
    must(json_as_i64(json_get(result, "taken"), &taken) && taken == n);
    printf("count import_store_p256_cpu %.0f rows/s\n", n / cpu);
    printf("count import_store_p256_clock %.0f rows/s\n", n / wall);
    json_free(result);
    import_free(import);
    for (unsigned i = 0; i < n; i++) {
        testpki_text_free(rows[i]);
    }
    free(rows);
    kit_done(&kit);
    keys_free(keys);
    seal_key_free(wrapping_key);
}

int main(void)
{
    must(pki_init() == 0);
    struct testpki *pki = testpki_new(1);
    printf("count import_rows_p256 %.0f rows/s\n", bench_rows(pki, ROWS / 5));
    bench_import(pki, ROWS);
    testpki_free(pki);
    return 0;
}
