#define _GNU_SOURCE
#include "support/storekit.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "pki/digest.h"

static int64_t virtual_wall_ms(const struct clock *clock)
{
    const struct kit *kit = (const struct kit *)((const char *)clock - offsetof(struct kit, clock));
    return kit->wall_ms;
}

static int64_t virtual_mono_us(const struct clock *clock)
{
    return virtual_wall_ms(clock) * US_PER_MS;
}

/* SplitMix64: any sequence will do. */
static void virtual_random(void *ctx, uint8_t *out, size_t n)
{
    struct kit *kit = ctx;
    for (size_t i = 0; i < n; i++) {
        uint64_t z = (kit->random_state += UINT64_C(0x9E3779B97F4A7C15));
        z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
        out[i] = (uint8_t)(z >> 56);
    }
}

static const char ca_text[] = "-----BEGIN CERTIFICATE-----\nshared\n-----END CERTIFICATE-----\n";

static void make_product(struct product *product, const char *name, enum product_source source,
                         bool from_bundle)
{
    *product = (struct product){.source = source, .canonical = "{}", .job_limit_s = 60};
    snprintf(product->name, sizeof(product->name), "%s", name);
    snprintf(product->version, sizeof(product->version), "sha256:%s-1", name);
    product->entries[0] =
        (struct product_entry){.sec_tag = 16842753, .type = CRED_CA, .content = span_str(ca_text)};
    sha256(span_str(ca_text), &product->entries[0].sha256);
    product->n_entries = 1;
    if (from_bundle) {
        product->entries[1] =
            (struct product_entry){.sec_tag = 16842753, .type = CRED_CLIENT_CERT, .from_bundle = true};
        product->entries[2] =
            (struct product_entry){.sec_tag = 16842753, .type = CRED_PRIVATE_KEY, .from_bundle = true};
        product->n_entries = 3;
    }
}

void kit_init(struct kit *kit)
{
    *kit = (struct kit){.wall_ms = INT64_C(1795766400000), .random_state = 4711};
    kit->clock = (struct clock){.mono_us = virtual_mono_us, .wall_ms = virtual_wall_ms};
    const char *base = getenv("TMPDIR");
    if (!base) {
        base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"; /* a disk would only be waited for */
    }
    snprintf(kit->dir, sizeof(kit->dir), "%s/certline-store-XXXXXX", base);
    assert_non_null(mkdtemp(kit->dir));

    make_product(&kit->products[KIT_POOL], "tracker", SOURCE_POOL, true);
    make_product(&kit->products[KIT_BOUND], "meter", SOURCE_BOUND, true);
    make_product(&kit->products[KIT_FILES], "plain", SOURCE_BOUND, false);
    make_product(&kit->products[KIT_ONCE], "once", SOURCE_POOL, true);
    kit->products[KIT_ONCE].second_visit = SECOND_REFUSE;
}

void kit_done(struct kit *kit)
{
    kit_close(kit);
    DIR *dir = opendir(kit->dir);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir) {
        closedir(dir);
    }
    rmdir(kit->dir);
}

int kit_open(struct kit *kit)
{
    assert_null(kit->store);
    kit->err = (struct err_info){0};
    return store_open(&kit->store,
                      &(struct store_config){.dir = kit->dir,
                                             .vfs = kit->vfs,
                                             .clock = &kit->clock,
                                             .random = virtual_random,
                                             .random_ctx = kit,
                                             .station = "test",
                                             .program = "0.0.1",
                                             .config_digest = "sha256:config"},
                      &kit->err);
}

void kit_close(struct kit *kit)
{
    sqlite3_close(kit->look); /* first: the store's own close is the last, as in life */
    kit->look = NULL;
    store_close(kit->store);
    kit->store = NULL;
}

int kit_run(struct kit *kit, struct store_op *op)
{
    kit->wall_ms += 7;
    struct store_op *ops[] = {op};
    int r = store_batch(kit->store, ops, 1);
    if (r != 0) {
        print_error("store_batch: %d %s\n", r, store_failure(kit->store));
    }
    assert_int_equal(r, 0);
    return op->result;
}

void kit_register(struct kit *kit, enum kit_product product)
{
    struct store_op op = {.kind = STORE_PRODUCT, .product = &kit->products[product]};
    assert_int_equal(kit_run(kit, &op), 0);
}

int kit_order(struct kit *kit, const char *id, enum kit_product product, uint32_t quantity,
              const char *fixture, const char *lot)
{
    struct store_op op = {.kind = STORE_ORDER_PUT, .order_put = {.quantity = quantity, .n_fixtures = 1}};
    snprintf(op.order_put.id, sizeof(op.order_put.id), "%s", id);
    snprintf(op.order_put.product, sizeof(op.order_put.product), "%s", kit->products[product].name);
    snprintf(op.order_put.version, sizeof(op.order_put.version), "%s", kit->products[product].version);
    snprintf(op.order_put.lot, sizeof(op.order_put.lot), "%s", lot ? lot : "");
    snprintf(op.order_put.fixtures[0], sizeof(op.order_put.fixtures[0]), "%s", fixture);
    return kit_run(kit, &op);
}

void kit_bundle(struct kit *kit, struct store_op *op, const char *id, enum kit_product product,
                const char *imei, const char *lot)
{
    /* The sealed octets are borrowed until the batch has run: one static text for each type is enough. */
    static char sealed[2][BUNDLE_ID_SIZE + 32];
    *op = (struct store_op){.kind = STORE_IMPORT};
    struct store_import *in = &op->import;
    snprintf(in->id, sizeof(in->id), "%s", id);
    snprintf(in->product, sizeof(in->product), "%s", kit->products[product].name);
    snprintf(in->imei, sizeof(in->imei), "%s", imei ? imei : "");
    snprintf(in->lot, sizeof(in->lot), "%s", lot ? lot : "");
    sha256(span_str(id), &in->content);

    static const enum cred_type types[] = {CRED_CLIENT_CERT, CRED_PRIVATE_KEY};
    in->n_credentials = 2;
    for (int i = 0; i < 2; i++) {
        struct store_credential *credential = &in->credentials[i];
        snprintf(sealed[i], sizeof(sealed[i]), "sealed %s of %s", cred_type_name(types[i]), id);
        credential->type = types[i];
        credential->sealed = span_str(sealed[i]);
        credential->has_key = true;
        sha256(span_str(id), &credential->key_sha256);
    }
    snprintf(in->credentials[0].serial, sizeof(in->credentials[0].serial), "%.40s", id);
    snprintf(in->credentials[0].issuer, sizeof(in->credentials[0].issuer), "CN=test");
}

int kit_import(struct kit *kit, const char *id, enum kit_product product, const char *imei, const char *lot)
{
    struct store_op op;
    kit_bundle(kit, &op, id, product, imei, lot);
    return kit_run(kit, &op);
}

void kit_open_line(struct kit *kit, uint32_t quantity)
{
    assert_int_equal(kit_open(kit), 0);
    for (int i = 0; i < KIT_PRODUCTS; i++) {
        kit_register(kit, (enum kit_product)i);
    }
    struct store_op op = {.kind = STORE_STATION_STARTED};
    assert_int_equal(kit_run(kit, &op), 0);
    assert_int_equal(kit_order(kit, "WO-1", KIT_POOL, quantity, "rack1", NULL), 0);
}

static int rewrap_one(void *ctx, const char *bundle, int type, struct span sealed, uint8_t *out,
                      struct err_info *reterr)
{
    int *n = ctx;
    (void)bundle;
    (void)type;
    memset(out, 'x', sealed.len);
    return ++*n % 2 == 0 ? err_set(reterr, ERR_REFUSED, "not this one") : 0;
}

void kit_half_done(struct kit_half *half)
{
    *half = (struct kit_half){.rotation = {.rewrap = rewrap_one,
                                           .ctx = &half->asked,
                                           .from = "a",
                                           .to = "b",
                                           .token_place = "",
                                           .digest_keys = ""}};
    half->op = (struct store_op){.kind = STORE_ROTATE, .rotation = &half->rotation};
}

static char *turn(void)
{
    static char memory[4][32];
    static unsigned next;
    return memory[next++ % 4];
}

const char *kit_imei(unsigned n)
{
    char *text = turn();
    snprintf(text, 32, "35146580%07u", n % 10000000);
    return text;
}

const char *kit_job_id(unsigned n)
{
    char *text = turn();
    snprintf(text, 32, "01JTEST0000000000000%06u", n % 1000000);
    return text;
}

void kit_job(struct kit *kit, struct kit_job *job, unsigned n, const char *imei, const char *order,
             enum kit_product product)
{
    *job = (struct kit_job){.msg = {.product = &kit->products[product], .supply_mv = 3700}};
    struct ledger_msg *msg = &job->msg;
    snprintf(msg->job, sizeof(msg->job), "%s", kit_job_id(n));
    snprintf(msg->slot, sizeof(msg->slot), "rack1/001");
    snprintf(msg->fixture, sizeof(msg->fixture), "rack1");
    snprintf(msg->order, sizeof(msg->order), "%s", order ? order : "");
    snprintf(msg->imei, sizeof(msg->imei), "%s", imei);
    snprintf(msg->model, sizeof(msg->model), "nRF9151-LACA");
    snprintf(msg->modem_firmware, sizeof(msg->modem_firmware), "mfw_nrf91x1_2.0.2");
    msg->started_wall_ms = kit->wall_ms;
    msg->content = job->content;
    msg->content_size = sizeof(job->content);
}

void kit_prepare(struct kit_job *job, enum ledger_kind kind, enum outcome outcome, enum reason reason)
{
    struct ledger_msg *msg = &job->msg;
    msg->kind = kind;
    msg->status = LEDGER_PENDING;
    if (kind == LEDGER_EXPOSE) {
        for (uint32_t i = 0; i < msg->n_entries; i++) {
            struct ledger_entry *entry = &msg->entries[i];
            if (entry->from_bundle) {
                sha256(span_of((const char *)msg->content + entry->sealed_at, entry->sealed_len),
                       &entry->expected);
            }
        }
    }
    if (kind == LEDGER_RECORD) {
        static const char dialogue[] = "0 > AT\n3 < OK\n12 > AT%CMNG=0,16842753,2,«private_key 241 octets»\n";
        bool is_pass = outcome == OUTCOME_PASS;
        msg->verdict =
            (struct verdict){.outcome = outcome, .reason = reason, .fault = reason_text(reason)->fault};
        msg->proof = is_pass ? ENTRY_DIGEST : ENTRY_UNPROVEN;
        msg->bundle_effect = is_pass && *msg->bundle ? BUNDLE_INSTALLED : BUNDLE_UNCHANGED;
        msg->ended_wall_ms = msg->started_wall_ms + 900;
        msg->duration_ms = 900;
        msg->wire_ms = 700;
        msg->modem_ms = 150;
        msg->steps[0] = (struct ledger_step){"contact", 0, 40, 1, 0, "ok"};
        msg->steps[1] = (struct ledger_step){"write_private_key", 300, 260, 2, 513, "cme"};
        msg->n_steps = 2;
        msg->dialogue = span_str(dialogue);
        for (uint32_t i = 0; i < msg->n_entries; i++) {
            msg->entries[i].proof = is_pass ? ENTRY_DIGEST : ENTRY_UNPROVEN;
            msg->entries[i].writes = 1;
        }
    }
}

enum ledger_status kit_send(struct kit *kit, struct kit_job *job, enum ledger_kind kind)
{
    kit_prepare(job, kind, OUTCOME_PASS, REASON_ok);
    struct store_op op = {.kind = STORE_LEDGER, .ledger = &job->msg};
    kit_run(kit, &op);
    return job->msg.status;
}

enum ledger_status kit_record(struct kit *kit, struct kit_job *job, enum outcome outcome, enum reason reason)
{
    kit_prepare(job, LEDGER_RECORD, outcome, reason);
    struct store_op op = {.kind = STORE_LEDGER, .ledger = &job->msg};
    kit_run(kit, &op);
    return job->msg.status;
}

void kit_pass(struct kit *kit, struct kit_job *job)
{
    assert_int_equal(kit_send(kit, job, LEDGER_CLAIM), LEDGER_OK);
    if (*job->msg.bundle) {
        assert_int_equal(kit_send(kit, job, LEDGER_EXPOSE), LEDGER_OK);
    }
    assert_int_equal(kit_record(kit, job, OUTCOME_PASS, REASON_ok), LEDGER_OK);
}

/* ---- looking from outside */

static sqlite3 *look(struct kit *kit)
{
    if (!kit->look) {
        char path[160];
        snprintf(path, sizeof(path), "%s/%s", kit->dir, STORE_DB_NAME);
        assert_int_equal(sqlite3_open_v2(path, &kit->look, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
        sqlite3_busy_timeout(kit->look, 2000);
    }
    return kit->look;
}

static void dump_table(sqlite3 *db, const char *table, FILE *out)
{
    char *sql = sqlite3_mprintf("SELECT * FROM \"%w\" ORDER BY 1, 2, 3", table);
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    fprintf(out, "== %s\n", table);
    while (sqlite3_step(statement) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(statement); i++) {
            bool is_blob = sqlite3_column_type(statement, i) == SQLITE_BLOB;
            const unsigned char *octets = is_blob ? sqlite3_column_blob(statement, i) : NULL;
            fprintf(out, "%s%s=", i ? " " : "", sqlite3_column_name(statement, i));
            for (int j = 0; is_blob && j < sqlite3_column_bytes(statement, i); j++) {
                fprintf(out, "%02X", octets[j]);
            }
            if (!is_blob) {
                const unsigned char *text = sqlite3_column_text(statement, i);
                fputs(text ? (const char *)text : "null", out);
            }
        }
        fputc('\n', out);
    }
    sqlite3_finalize(statement);
    sqlite3_free(sql);
}

char *kit_dump(struct kit *kit)
{
    static const char *const tables[] = {"work_order", "order_fixture", "order_board",     "bundle",
                                         "credential", "exposure",      "board",           "job",
                                         "keygen",     "certificate",   "slot_quarantine", "bundle_stock"};
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    sqlite3 *db = look(kit);
    for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
        dump_table(db, tables[i], out);
    }
    fclose(out);
    return text;
}

const char *kit_query(struct kit *kit, const char *format, ...)
{
    static char answer[4096];
    char sql[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(sql, sizeof(sql), format, args);
    va_end(args);

    sqlite3 *db = look(kit);
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    }
    answer[0] = '\0';
    if (sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_text(statement, 0)) {
        snprintf(answer, sizeof(answer), "%s", (const char *)sqlite3_column_text(statement, 0));
    }
    sqlite3_finalize(statement);
    return answer;
}

int kit_meddle(struct kit *kit, const char *sql)
{
    return sqlite3_exec(look(kit), sql, NULL, NULL, NULL);
}

void kit_check(struct kit *kit)
{
    struct err_info err = {0};
    if (store_verify(kit->store, &err) != 0) {
        fail_msg("%s", err.text);
    }
    char *before = kit_dump(kit);
    if (store_rebuild(kit->store, &err) != 0) {
        fail_msg("rebuild: %s", err.text);
    }
    char *after = kit_dump(kit);
    assert_string_equal(before, after);
    free(before);
    free(after);
    assert_string_equal(
        kit_query(kit, "SELECT count(*) FROM bundle_stock s WHERE n <> (SELECT count(*) FROM bundle b"
                       " WHERE b.product = s.product AND b.lot = s.lot AND b.state = s.state)"),
        "0");
    assert_string_equal(kit_query(kit, "SELECT (SELECT coalesce(sum(n), 0) FROM bundle_stock)"
                                       " = (SELECT count(*) FROM bundle)"),
                        "1");
}
