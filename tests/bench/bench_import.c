/*
 * How fast bundles are imported: what is done with a row before the database (JSON, both PEM texts read,
 * certificate and key parsed and compared, canonical form, sealing), and an import into a real database.
 *
 * CPU time of the thread that judges, so that a busy machine does not make it slower than it is, and time by
 * the clock, in which the store's thread works beside it and the disk has its part.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app_actors.h"
#include "base/json.h"
#include "exchange/import.h"
#include "exchange/row.h"
#include "keys/keys.h"
#include "pki/init.h"
#include "support/benchkit.h"
#include "support/storekit.h"
#include "support/testpki.h"

#define ROWS   5000
#define ROUNDS 5

static const struct product *find_product(void *ctx, const char *name)
{
    (void)ctx, (void)name;
    return &product;
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

/* The store on a thread of its own, as in the daemon. */
static struct app_store actor;

static int begin(void *ctx, struct store_op **ops, size_t n, void **ret_ticket)
{
    (void)ctx;
    return app_store_begin(&actor, ops, n, ret_ticket);
}

static void wait_for(void *ctx, void *ticket)
{
    (void)ctx;
    app_store_wait(ticket);
}

static void ignore_orders(void *ctx)
{
    (void)ctx;
}

static void ignore_block(void *ctx, enum reason reason, const char *detail)
{
    (void)ctx, (void)reason, (void)detail;
}

static void ignore_seq(void *ctx, int64_t seq)
{
    (void)ctx, (void)seq;
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
    const struct app_store_events events = {
        .orders_changed = ignore_orders, .blocked = ignore_block, .recorded = ignore_seq};
    must(app_store_start(&actor, kit.store, &events, NULL) == 0);
    struct import *import = import_new(&(struct import_config){
        .rows = {.keys = keys, .find_product = find_in_kit, .ctx = &kit, .now_s = 1800000000},
        .begin = begin,
        .wait = wait_for,
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
    app_store_stop(&actor);
    must(json_as_i64(json_get(result, "taken"), &taken) && taken == n);
    printf("count import_p256_judging %.0f rows/s\n", n / cpu);
    printf("count import_p256_clock %.0f rows/s\n", n / wall);
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
