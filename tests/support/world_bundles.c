/*
 * The world's products and credentials. Keys are costly to make and the same in every world, so they are kept
 * for the life of the process; half of them are P-256 and half RSA-2048.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "exchange/import.h"
#include "pki/digest.h"
#include "support/testpki.h"
#include "support/world_internal.h"

static struct testpki *pki;

/* By rack and number, each made when it is first asked for. */
static struct made {
    struct testpki_bundle *at;
    uint32_t size;
} made[WORLD_RACKS_MAX];

static void forget_keys(void)
{
    for (size_t rack = 0; rack < WORLD_RACKS_MAX; rack++) {
        for (uint32_t i = 0; i < made[rack].size; i++) {
            if (made[rack].at[i].client_cert) {
                testpki_bundle_done(&made[rack].at[i]);
            }
        }
        free(made[rack].at);
    }
    testpki_free(pki);
}

static struct testpki *keys_of_all(void)
{
    if (!pki) {
        pki = testpki_new(1);
        atexit(forget_keys);
    }
    return pki;
}

static void grow(struct made *m, uint32_t size)
{
    struct testpki_bundle *grown = realloc(m->at, size * sizeof(*grown));
    if (!grown) {
        abort();
    }
    memset(grown + m->size, 0, (size - m->size) * sizeof(*grown));
    m->at = grown;
    m->size = size;
}

static const struct testpki_bundle *bundle_at(uint32_t rack, uint32_t number)
{
    struct made *m = &made[rack];
    if (number >= m->size) {
        grow(m, 2 * number + 64);
    }
    if (!m->at[number].client_cert) {
        testpki_bundle(keys_of_all(), number * WORLD_RACKS_MAX + rack,
                       number % 2 ? TESTPKI_RSA2048 : TESTPKI_P256, &m->at[number]);
    }
    return &m->at[number];
}

/* The text in the product's style; the caller's. */
static char *styled(const struct product *product, const char *text)
{
    size_t len = strlen(text);
    char *out = malloc(2 * len + 1);
    char *at = out;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n' && product->is_crlf) {
            *at++ = '\r';
        }
        *at++ = text[i];
    }
    *at = '\0';
    return out;
}

/* ---- keys that boards make */

static struct signer *signer;

static void close_signer(void)
{
    signer_close(signer);
}

struct signer *world_signer(void)
{
    if (!signer) {
        signer = testpki_signer(keys_of_all());
        atexit(close_signer);
    }
    return signer;
}

/* What was issued for the bundle, from the database; the caller's. */
static char *issued(struct world *w, const struct product *product, const char *bundle)
{
    sqlite3_stmt *s = NULL;
    const char *sql =
        "SELECT sealed FROM credential WHERE type = 1 AND bundle = (SELECT no FROM bundle WHERE id = ?)";
    char *text = NULL, *out = NULL;
    if (sqlite3_prepare_v2(w->reader, sql, -1, &s, NULL) == SQLITE_OK &&
        sqlite3_bind_text(s, 1, bundle, -1, SQLITE_STATIC) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW) {
        struct span sealed = span_of(sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0));
        const struct seal_place place = {span_str(bundle), CRED_CLIENT_CERT, SEAL_NO_TAG};
        text = calloc(1, sealed.len + 1);
        if (sealed.len > SEAL_OVERHEAD &&
            seal_open(w->wrapping_key, &place, sealed, (uint8_t *)text, NULL) == 0) {
            out = styled(product, text);
        }
    }
    sqlite3_finalize(s);
    free(text);
    return out;
}

char *world_content(struct world *w, uint32_t rack, const char *bundle, enum cred_type type)
{
    const struct world_product *p = &w->products[rack];
    if (type == CRED_CA) {
        return strdup(p->ca);
    }
    if (p->product.source == SOURCE_KEYGEN) {
        return type == CRED_CLIENT_CERT ? issued(w, &p->product, bundle) : NULL;
    }
    unsigned number = 0;
    char name[FIXTURE_SIZE] = "";
    if (sscanf(bundle, "%31[^-]-%u", name, &number) != 2 || strcmp(name, p->product.name) != 0) {
        return NULL;
    }
    const struct testpki_bundle *b = bundle_at(rack, number);
    return styled(&p->product, type == CRED_CLIENT_CERT ? b->client_cert : b->private_key);
}

/* ---- products */

static void add_entry(struct product *p, enum cred_type type, const char *content)
{
    struct product_entry *e = &p->entries[p->n_entries++];
    *e = (struct product_entry){.sec_tag = WORLD_TAG, .type = type, .from_bundle = content == NULL};
    if (content) {
        e->content = span_str(content);
        sha256(e->content, &e->sha256);
    }
}

static void init_product(struct world *w, uint32_t rack)
{
    const struct world_rack *config = &w->config.racks[rack];
    struct world_product *wp = &w->products[rack];
    struct product *p = &wp->product;
    *p = (struct product){.source = config->source,
                          .second_visit = config->second_visit,
                          .proof = config->proof,
                          .is_crlf = config->is_crlf,
                          .final_line_end = true,
                          .erases_keys = config->second_visit != SECOND_AGAIN,
                          .job_limit_s = 60,
                          .canonical = "{}"};
    if (p->source == SOURCE_KEYGEN) {
        snprintf(p->device_id, sizeof(p->device_id), "nrf-{imei}");
    }
    /* A product's name and its rack's are one word here. */
    snprintf(p->name, sizeof(p->name), "%s", config->name);
    snprintf(p->version, sizeof(p->version), "sha256:%064u", rack);
    wp->ca = styled(p, testpki_ca(keys_of_all()));
    add_entry(p, CRED_CA, wp->ca);
    add_entry(p, CRED_CLIENT_CERT, NULL);
    add_entry(p, CRED_PRIVATE_KEY, NULL);
}

void world_products_init(struct world *w)
{
    for (uint32_t i = 0; i < w->config.n_racks; i++) {
        init_product(w, i);
    }
}

void world_products_done(struct world *w)
{
    for (uint32_t i = 0; i < w->config.n_racks; i++) {
        free(w->products[i].ca);
    }
}

/* Puts the rack's next order; NULL, or why not. */
const char *world_put_order(struct world *w, uint32_t rack)
{
    const struct world_rack *config = &w->config.racks[rack];
    struct world_product *p = &w->products[rack];
    struct store_op op = {.kind = STORE_ORDER_PUT};
    snprintf(op.order_put.id, sizeof(op.order_put.id), "WO-%s-%u", config->name, ++p->order_number);
    snprintf(op.order_put.product, sizeof(op.order_put.product), "%s", p->product.name);
    memcpy(op.order_put.version, p->product.version, sizeof(op.order_put.version));
    op.order_put.quantity = config->quantity ? config->quantity : config->boards;
    op.order_put.n_fixtures = 1;
    snprintf(op.order_put.fixtures[0], sizeof(op.order_put.fixtures[0]), "%s", config->name);
    if (world_op(w, &op) < 0) {
        static char why[VERDICT_DETAIL_SIZE];
        memcpy(why, op.detail, sizeof(why));
        return why;
    }
    p->order = (struct station_order){.product = &p->product};
    memcpy(p->order.id, op.order_put.id, sizeof(p->order.id));
    memcpy(p->order.fixture, op.order_put.fixtures[0], sizeof(p->order.fixture));
    return NULL;
}

/* ---- import */

static const struct product *find_product(void *ctx, const char *name)
{
    struct world *w = ctx;
    for (uint32_t i = 0; i < w->config.n_racks; i++) {
        if (strcmp(w->products[i].product.name, name) == 0) {
            return &w->products[i].product;
        }
    }
    return NULL;
}

static int submit(void *ctx, struct store_op **ops, size_t n)
{
    struct world *w = ctx;
    return store_batch(w->store, ops, n);
}

static void add_pem(struct buf *b, const char *member, const char *pem)
{
    buf_add_str(b, ",\"");
    buf_add_str(b, member);
    buf_add_str(b, "\":\"");
    for (; *pem; pem++) {
        if (*pem == '\n') {
            buf_add_str(b, "\\n");
        } else {
            buf_add_char(b, *pem);
        }
    }
    buf_add_char(b, '"');
}

static void import_row(struct world *w, struct import *import, uint32_t rack, uint32_t number,
                       const char *imei)
{
    static char memory[32768];
    struct buf b;
    buf_init(&b, memory, sizeof(memory));
    const struct testpki_bundle *bundle = bundle_at(rack, number);
    const char *product = w->products[rack].product.name;
    buf_add_str(&b, "{\"id\":\"");
    buf_add_str(&b, product);
    buf_add_char(&b, '-');
    buf_add_u64(&b, number);
    buf_add_str(&b, "\",\"product\":\"");
    buf_add_str(&b, product);
    if (imei) {
        buf_add_str(&b, "\",\"imei\":\"");
        buf_add_str(&b, imei);
    }
    buf_add_char(&b, '"');
    add_pem(&b, "client_cert", bundle->client_cert);
    add_pem(&b, "private_key", bundle->private_key);
    buf_add_str(&b, "}\n");
    struct err_info why;
    if (import_feed(import, buf_span(&b), &why) < 0) {
        world_blame(w, "import: %s", why.text);
    }
}

static void import_rack(struct world *w, struct import *import, uint32_t rack)
{
    const struct world_rack *config = &w->config.racks[rack];
    uint32_t *number = &w->products[rack].n_bundles;
    if (config->source == SOURCE_KEYGEN) {
        return; /* there is nothing to bring */
    }
    for (uint32_t i = 0; i < w->n_boards; i++) {
        if (w->boards[i].rack == rack) {
            import_row(w, import, rack, (*number)++,
                       config->source == SOURCE_BOUND ? w->boards[i].imei : NULL);
        }
    }
    for (uint32_t i = 0; i < config->spare; i++) {
        import_row(w, import, rack, (*number)++, NULL);
    }
}

static struct import *begin(struct world *w)
{
    struct import_config config = {.rows = {.keys = w->keys,
                                            .find_product = find_product,
                                            .ctx = w,
                                            .now_s = w->clock.wall_ms(&w->clock) / 1000},
                                   .submit = submit,
                                   .ctx = w};
    return import_new(&config);
}

static void end(struct world *w, struct import *import)
{
    struct json *result = NULL;
    struct err_info why = {0};
    if (import_finish(import, &result, &why) < 0) {
        world_blame(w, "import: %s", why.text);
    }
    json_free(result);
    import_free(import);
}

void world_import(struct world *w)
{
    struct import *import = begin(w);
    for (uint32_t i = 0; i < w->config.n_racks; i++) {
        import_rack(w, import, i);
    }
    end(w, import);
}

void world_import_more(struct world *w, uint32_t rack, uint32_t n)
{
    struct import *import = begin(w);
    for (uint32_t i = 0; i < n; i++) {
        import_row(w, import, rack, w->products[rack].n_bundles++, NULL);
    }
    end(w, import);
}
