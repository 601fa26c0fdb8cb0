/* exchange/import: a result for each row, whatever the row, wherever the input is cut. The store is a small
 * table here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/json.h"
#include "base/secret.h"
#include "exchange/import.h"
#include "exchange/seen.h"
#include "job/place.h"
#include "keys/keys.h"
#include "pki/content.h"
#include "support/pemtext.h"
#include "support/testpki.h"

#define TAG        16842753u
#define STORED_MAX 512
#define TEXT_SIZE  (256 * 1024)
#define IMEI       "351465800000002"

static const uint8_t octets[SEAL_KEY_SIZE] = "a key for tests of the importing";

/* What the store was given: enough to answer as it would. */
static struct fake_store {
    size_t n, calls, largest;
    struct stored {
        struct store_import bundle;
        uint8_t sealed[CRED_TYPES][2048]; /* a longer one is not kept */
        size_t sealed_len[CRED_TYPES];
    } stored[STORED_MAX];
    int failure; /* of the call */
    int result;  /* of each operation, with a reason */
} store;

static struct fixture {
    struct testpki *pki;
    struct testpki_bundle p256, rsa;
    struct seal_key *wrapping_key;
    struct keys *keys;
    char text[TEXT_SIZE];
} f;

static const char file_ca[4000]; /* its octets are not looked at */

static struct product products[] = {
    {.name = "tracker",
     .source = SOURCE_POOL,
     .n_entries = 3,
     .entries = {{.sec_tag = TAG, .type = CRED_CA},
                 {.sec_tag = TAG, .type = CRED_CLIENT_CERT, .from_bundle = true},
                 {.sec_tag = TAG, .type = CRED_PRIVATE_KEY, .from_bundle = true}}},
    {.name = "bound",
     .source = SOURCE_BOUND,
     .n_entries = 2,
     .entries = {{.sec_tag = TAG, .type = CRED_CLIENT_CERT, .from_bundle = true},
                 {.sec_tag = TAG, .type = CRED_PRIVATE_KEY, .from_bundle = true}}},
    {.name = "psk",
     .source = SOURCE_POOL,
     .n_entries = 2,
     .entries = {{.sec_tag = TAG, .type = CRED_PSK, .from_bundle = true},
                 {.sec_tag = TAG, .type = CRED_PSK_IDENTITY, .from_bundle = true}}},
    {.name = "named",
     .source = SOURCE_POOL,
     .device_id = "nrf-imei",
     .n_entries = 2,
     .entries = {{.sec_tag = TAG, .type = CRED_CLIENT_CERT, .from_bundle = true},
                 {.sec_tag = TAG, .type = CRED_PRIVATE_KEY, .from_bundle = true}}},
    {.name = "prefix",
     .source = SOURCE_POOL,
     .device_id = "nrf-*",
     .cloud = CLOUD_AZURE,
     .n_entries = 4,
     .entries = {{.sec_tag = TAG, .type = CRED_CLIENT_CERT, .from_bundle = true},
                 {.sec_tag = TAG, .type = CRED_PRIVATE_KEY, .from_bundle = true},
                 {.sec_tag = TAG + 1, .type = CRED_CA},
                 {.sec_tag = 7, .type = CRED_CLIENT_CERT}}},
    {.name = "psk named",
     .source = SOURCE_POOL,
     .device_id = "nrf-imei",
     .n_entries = 2,
     .entries = {{.sec_tag = TAG, .type = CRED_PSK, .from_bundle = true},
                 {.sec_tag = TAG, .type = CRED_PSK_IDENTITY, .from_bundle = true}}},
    {.name = "issued",
     .source = SOURCE_POOL,
     .n_entries = 2,
     .entries = {{.sec_tag = TAG, .type = CRED_CLIENT_CERT, .from_bundle = true},
                 {.sec_tag = TAG, .type = CRED_PRIVATE_KEY, .from_bundle = true}}},
    {.name = "native",
     .source = SOURCE_POOL,
     .native_tls = true,
     .n_entries = 3,
     .entries = {{.sec_tag = TAG, .type = CRED_CA, .content = {file_ca, sizeof(file_ca)}},
                 {.sec_tag = TAG, .type = CRED_CLIENT_CERT, .from_bundle = true},
                 {.sec_tag = TAG, .type = CRED_PRIVATE_KEY, .from_bundle = true}}},
    {.name = "test tag",
     .source = SOURCE_POOL,
     .n_entries = 1,
     .entries = {{.sec_tag = 2147483648u, .type = CRED_PSK, .from_bundle = true}}},
    {.name = "reserved tag",
     .source = SOURCE_POOL,
     .n_entries = 1,
     .entries = {{.sec_tag = 4294967293u, .type = CRED_PSK, .from_bundle = true}}},
};

static const struct product *find_product(void *ctx, const char *name)
{
    (void)ctx;
    for (size_t i = 0; i < sizeof(products) / sizeof(*products); i++) {
        if (strcmp(products[i].name, name) == 0) {
            return &products[i];
        }
    }
    return NULL;
}

static void answer_import(struct store_op *op)
{
    struct store_import *bundle = &op->import;
    op->result = store.result;
    op->reason = REASON_NONE;
    (void)snprintf(op->detail, sizeof(op->detail), "so says the store");
    for (size_t i = 0; i < store.n; i++) {
        const struct store_import *other = &store.stored[i].bundle;
        if (strcmp(other->id, bundle->id) == 0) {
            bool is_same = digest_eq(&other->content, &bundle->content);
            bundle->outcome = is_same ? STORE_DUPLICATE : STORE_REFUSED;
            op->reason = REASON_duplicate_identity;
            return;
        }
    }
    bundle->outcome = STORE_TAKEN;
    assert_true(store.n < STORED_MAX);
    struct stored *stored = &store.stored[store.n++];
    stored->bundle = *bundle;
    for (uint32_t i = 0; i < bundle->n_credentials; i++) {
        stored->sealed_len[i] = bundle->credentials[i].sealed.len;
        if (stored->sealed_len[i] <= sizeof(stored->sealed[i])) {
            memcpy(stored->sealed[i], bundle->credentials[i].sealed.at, stored->sealed_len[i]);
        }
    }
}

static int submit(void *ctx, struct store_op **ops, size_t n)
{
    (void)ctx;
    store.calls++;
    store.largest = n > store.largest ? n : store.largest;
    for (size_t i = 0; i < n && store.failure == 0; i++) {
        assert_int_equal(ops[i]->kind, STORE_IMPORT);
        answer_import(ops[i]);
    }
    return store.failure;
}

/* A store on a thread of its own, at its slowest: it answers when somebody waits. */
static struct {
    bool is_used, is_busy;
    struct store_op **ops;
    size_t n;
} lazy;

static int begin(void *ctx, struct store_op **ops, size_t n, void **ret_ticket)
{
    (void)ctx;
    assert_false(lazy.is_busy);
    lazy.is_busy = store.failure == 0;
    lazy.ops = ops;
    lazy.n = n;
    *ret_ticket = &lazy;
    store.calls += store.failure != 0;
    return store.failure;
}

static void wait_for_store(void *ctx, void *ticket)
{
    assert_ptr_equal(ticket, &lazy);
    assert_true(lazy.is_busy);
    lazy.is_busy = false;
    assert_int_equal(submit(ctx, lazy.ops, lazy.n), 0);
}

static int set_up_group(void **state)
{
    (void)state;
    f.pki = testpki_new(4);
    testpki_bundle(f.pki, 1, TESTPKI_P256, &f.p256);
    testpki_bundle(f.pki, 2, TESTPKI_RSA2048, &f.rsa);
    f.wrapping_key = seal_key_new(octets);
    f.keys = keys_new(&(struct keys_config){.wrapping_key = f.wrapping_key});
    for (size_t i = 0; i < sizeof(products) / sizeof(*products); i++) {
        if (strcmp(products[i].name, "issued") == 0) {
            products[i].issuer = span_str(pemtext_amazon());
        }
    }
    return f.keys == NULL;
}

static int tear_down_group(void **state)
{
    (void)state;
    testpki_bundle_done(&f.p256);
    testpki_bundle_done(&f.rsa);
    testpki_free(f.pki);
    keys_free(f.keys);
    seal_key_free(f.wrapping_key);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    store.n = store.calls = store.largest = 0;
    store.failure = store.result = 0;
    f.text[0] = '\0';
    lazy.is_used = lazy.is_busy = false;
    return 0;
}

static int set_up_lazy(void **state)
{
    (void)set_up(state);
    lazy.is_used = true;
    return 0;
}

static int nothing_is_lent(void **state)
{
    (void)state;
    assert_false(lazy.is_busy);
    return 0;
}

/* ---- rows as text */

static void add(const char *text)
{
    size_t len = strlen(f.text), n = strlen(text);
    assert_true(len + n < TEXT_SIZE);
    memcpy(f.text + len, text, n + 1);
}

static void add_escaped(const char *text)
{
    char escaped[3] = "\\n";
    for (; *text != '\0'; text++) {
        char one[2] = {*text, '\0'};
        escaped[1] = *text == '\n' ? 'n' : *text == '\r' ? 'r' : *text == '\t' ? 't' : *text;
        add(*text == '\n' || *text == '\r' || *text == '\t' || *text == '\\' || *text == '"' ? escaped : one);
    }
}

/* {"name":"value", …}: names and values in turn up to a NULL; a NULL value leaves its member out. */
static void add_row(const char *const *members)
{
    bool is_first = true;
    add("{");
    for (; *members != NULL; members += 2) {
        add(is_first ? "\"" : ",\"");
        add(members[0]);
        add("\":\"");
        add_escaped(members[1]);
        add("\"");
        is_first = false;
    }
    add("}\n");
}

#define ROW(...) add_row((const char *const[]){__VA_ARGS__, NULL})

/* ---- running */

static struct import *open_import(int64_t now_s)
{
    const struct import_config config = {
        .rows = {.keys = f.keys, .find_product = find_product, .now_s = now_s},
        .submit = lazy.is_used ? NULL : submit,
        .begin = lazy.is_used ? begin : NULL,
        .wait = wait_for_store};
    struct import *import = import_new(&config);
    assert_non_null(import);
    return import;
}

/* The whole text at once; the result is the caller's. */
static struct json *run_at(int64_t now_s)
{
    struct json *result = NULL;
    struct import *import = open_import(now_s);
    assert_int_equal(import_feed(import, span_str(f.text), NULL), 0);
    assert_int_equal(import_finish(import, &result, NULL), 0);
    import_free(import);
    return result;
}

static struct json *run(void)
{
    return run_at(CONTENT_TIME_UNKNOWN);
}

static void assert_counts(const struct json *result, int64_t taken, int64_t duplicate, int64_t refused)
{
    int64_t got[3] = {-1, -1, -1};
    (void)json_as_i64(json_get(result, "taken"), &got[0]);
    (void)json_as_i64(json_get(result, "duplicate"), &got[1]);
    (void)json_as_i64(json_get(result, "refused"), &got[2]);
    if (got[0] != taken || got[1] != duplicate || got[2] != refused) {
        char *text = json_dump(result, JSON_FORM_PRETTY);
        print_error("%s\n", text);
        free(text);
    }
    assert_int_equal(got[0], taken);
    assert_int_equal(got[1], duplicate);
    assert_int_equal(got[2], refused);
}

static const char *text_of(const struct json *result, size_t row, const char *member)
{
    const char *text = json_as_text(json_get(json_at(json_get(result, "rows"), row), member));
    return text != NULL ? text : "";
}

/* ---- tests */

static void good_rows_are_taken(void **state)
{
    (void)state;
    ROW("id", "nrf-" IMEI, "imei", IMEI, "product", "tracker", "lot", "2026-W47", "client_cert",
        f.p256.client_cert, "private_key", f.p256.private_key);
    ROW("id", "pool-000017", "product", "tracker", "client_cert", f.rsa.client_cert, "private_key",
        f.rsa.private_key, "ca", pemtext_amazon());
    ROW("id", "psk-1", "product", "psk", "psk", "6e7266", "psk_identity", "nrf-1");
    struct json *result = run();
    assert_counts(result, 3, 0, 0);
    char *text = json_dump(json_at(json_get(result, "rows"), 0), JSON_FORM_COMPACT);
    assert_string_equal(text, "{\"row\":1,\"id\":\"nrf-" IMEI "\",\"result\":\"taken\"}");
    free(text);
    json_free(result);

    assert_int_equal(store.n, 3);
    assert_int_equal(store.calls, 1);
    const struct store_import *one = &store.stored[0].bundle, *two = &store.stored[1].bundle;
    assert_string_equal(one->imei, IMEI);
    assert_string_equal(one->lot, "2026-W47");
    assert_string_equal(one->product, "tracker");
    assert_int_equal(one->n_credentials, 2);
    assert_string_equal(two->imei, "");
    assert_string_equal(two->lot, "");
    assert_int_equal(two->n_credentials, 3);
    assert_int_equal(two->credentials[0].type, CRED_CA);
    assert_false(two->credentials[0].has_key);
    assert_true(one->credentials[0].has_key && one->credentials[1].has_key);
    assert_true(digest_eq(&one->credentials[0].key_sha256, &one->credentials[1].key_sha256));
    assert_true(one->credentials[0].serial[0] != '\0' && one->credentials[1].serial[0] == '\0');
    assert_string_equal(one->credentials[0].issuer, "CN=Certline Test CA,O=Certline Test,C=NO");
    assert_true(store.stored[2].bundle.credentials[1].has_identity);
}

static void what_was_sealed_opens_to_what_came(void **state)
{
    (void)state;
    ROW("id", "pool-1", "product", "tracker", "client_cert", f.rsa.client_cert, "private_key",
        f.rsa.private_key);
    json_free(run());
    const struct stored *stored = &store.stored[0];
    const char *const texts[] = {f.rsa.client_cert, f.rsa.private_key};
    for (size_t i = 0; i < 2; i++) {
        uint8_t clear[2048];
        const struct seal_place place = {
            .bundle = span_str("pool-1"), .type = stored->bundle.credentials[i].type, .sec_tag = SEAL_NO_TAG};
        struct span sealed = span_of((const char *)stored->sealed[i], stored->sealed_len[i]);
        assert_int_equal(seal_open(f.wrapping_key, &place, sealed, clear, NULL), 0);
        assert_int_equal(sealed.len - SEAL_OVERHEAD, strlen(texts[i]));
        assert_memory_equal(clear, texts[i], strlen(texts[i]));
        secret_wipe(clear, sizeof(clear));
    }
}

static void the_same_file_again_makes_duplicates(void **state)
{
    (void)state;
    ROW("id", "a", "product", "tracker", "client_cert", f.p256.client_cert, "private_key",
        f.p256.private_key);
    struct json *first = run(), *second = run();
    assert_counts(first, 1, 0, 0);
    assert_counts(second, 0, 1, 0);
    assert_string_equal(text_of(second, 0, "detail"), "same content as already stored");
    json_free(first);
    json_free(second);

    /* Another tool's line ends make no other bundle, another lot does. */
    char crlf[PEMTEXT_SIZE];
    (void)pemtext_make(f.p256.client_cert, &(struct pemtext_change){.line_end = "\r\n", .drops_final = 1},
                       crlf);
    f.text[0] = '\0';
    ROW("product", "tracker", "id", "a", "private_key", f.p256.private_key, "client_cert", crlf);
    struct json *third = run();
    assert_counts(third, 0, 1, 0);
    json_free(third);
    f.text[0] = '\0';
    ROW("id", "a", "lot", "x", "product", "tracker", "client_cert", crlf, "private_key", f.p256.private_key);
    struct json *fourth = run();
    assert_counts(fourth, 0, 0, 1);
    assert_string_equal(text_of(fourth, 0, "reason"), "duplicate_identity");
    assert_string_equal(text_of(fourth, 0, "detail"), "so says the store (row 1)");
    json_free(fourth);
}

static void a_key_stands_once_in_an_import(void **state)
{
    (void)state;
    struct testpki_bundle sec1;
    testpki_bundle(f.pki, 1, TESTPKI_P256_SEC1, &sec1); /* the key of f.p256 in another form */
    ROW("id", "a", "product", "tracker", "client_cert", f.p256.client_cert, "private_key",
        f.p256.private_key);
    ROW("id", "a", "product", "tracker", "client_cert", f.p256.client_cert, "private_key",
        f.p256.private_key);
    ROW("id", "b", "product", "tracker", "client_cert", sec1.client_cert, "private_key", sec1.private_key);
    ROW("id", "p", "product", "psk", "psk", "aabb", "psk_identity", "one");
    ROW("id", "q", "product", "psk", "psk", "AABB", "psk_identity", "two");
    ROW("id", "r", "product", "psk", "psk", "aabbcc", "psk_identity", "one");
    struct json *result = run();
    assert_counts(result, 2, 1, 3);
    assert_string_equal(text_of(result, 1, "result"), "duplicate");
    assert_string_equal(text_of(result, 2, "reason"), "duplicate_key");
    assert_string_equal(text_of(result, 2, "detail"), "the same key stands in row 1 as well (row 3)");
    assert_string_equal(text_of(result, 4, "reason"), "duplicate_key");
    assert_string_equal(text_of(result, 5, "reason"), "duplicate_identity");
    assert_string_equal(text_of(result, 5, "detail"),
                        "the same serial number or identity stands in row 4 as well (row 6)");
    json_free(result);
    testpki_bundle_done(&sec1);
}

struct refused_row {
    const char *text; /* the row as it is; NULL: made of the others */
    const char *id, *imei, *product, *lot;
    struct pemtext_change cert, key;
    const char *reason, *says;
};

static const struct refused_row refused_rows[] = {
    {.text = "not json", .reason = "row_invalid", .says = "(row 1)"},
    {.text = "{\"id\":\"a\"", .reason = "row_invalid", .says = "(row 1)"},
    {.text = "[]", .reason = "row_invalid", .says = "(row 1)"},
    {.text = "{}", .reason = "row_invalid", .says = "(row 1, id)"},
    {.text = "{\"id\":7}", .reason = "row_invalid", .says = "the member is no text (row 1, id)"},
    {.text = "{\"id\":\"a\",\"id\":\"a\"}", .reason = "row_invalid", .says = "(row 1)"},
    {.text = "{\"id\":\"a\",\"imie\":\"1\"}", .reason = "row_invalid", .says = "imie"},
    {.text = "{\"id\":\"a\"}", .reason = "row_invalid", .says = "names its product (row 1, product)"},
    {.text = "{\"id\":\"a\",\"product\":\"tracker\"}",
     .reason = "row_invalid",
     .says = "(row 1, client_cert)"},
    {.text = "{\"id\":\"a\",\"product\":\"tracker\",\"client_cert\":null}",
     .reason = "row_invalid",
     .says = "no text"},
    {.text = "{\"id\":\"a\",\"product\":\"psk\",\"psk\":\"abc\",\"psk_identity\":\"x\"}",
     .reason = "key_invalid",
     .says = "(row 1, psk)"},
    {.text = "{\"id\":\"a\",\"product\":\"psk\",\"psk\":\"ab\",\"psk_identity\":\"\\\"\"}",
     .reason = "row_invalid",
     .says = "(row 1, psk_identity)"},
    {.text = "{\"id\":\"a\",\"product\":\"psk\",\"psk\":\"ab\",\"psk_identity\":\"x\",\"ca\":\"x\"}",
     .reason = "row_invalid",
     .says = "no entry of this type (row 1, ca)"},
    {.text = "{\"id\":\"a\",\"product\":\"test tag\",\"psk\":\"ab\"}",
     .reason = "reserved_tag",
     .says = "(row 1, product)"},
    {.text = "{\"id\":\"a\",\"product\":\"reserved tag\",\"psk\":\"ab\"}",
     .reason = "reserved_tag",
     .says = "tag"},
    {.text = "{\"id\":\"a\",\"product\":\"psk named\",\"psk\":\"ab\",\"psk_identity\":\"x\"}",
     .reason = "row_invalid",
     .says = "not of the product's device_id (row 1, psk_identity)"},
    {.text = "{\"id\":\"a\",\"product\":\"psk\",\"psk\":\"ab\",\"psk_identity\":\"x\",\"sec_tag\":7}",
     .reason = "row_invalid",
     .says = "nothing of a bundle to this tag (row 1, sec_tag)"},
    {.text = "{\"id\":\"a\",\"product\":\"psk\",\"psk\":\"ab\",\"psk_identity\":\"x\",\"sec_tag\":\"7 \"}",
     .reason = "row_invalid",
     .says = "a whole number (row 1, sec_tag)"},
    {.text = "{\"id\":\"a\",\"product\":\"psk\",\"psk\":\"ab\",\"psk_identity\":\"x\",\"sec_tag\":1.5}",
     .reason = "row_invalid",
     .says = "a whole number (row 1, sec_tag)"},
    {.text = "{\"id\":\"a\",\"product\":\"prefix\",\"sec_tag\":16842754}", /* a file's */
     .reason = "row_invalid",
     .says = "nothing of a bundle to this tag (row 1, sec_tag)"},
    {.text = "{\"id\":\"a\",\"product\":\"psk\",\"sec_tag\":2147483648}",
     .reason = "reserved_tag",
     .says = "test tag"},
    {.text = "{\"id\":\"a\",\"product\":\"psk\",\"sec_tag\":4294967294}",
     .reason = "reserved_tag",
     .says = "modem's own"},
    {.product = "named",
     .imei = IMEI,
     .reason = "certificate_invalid",
     .says = "not of the product's device_id (row 1, client_cert). Have"},
    {.product = "native",
     .reason = "too_long",
     .says = "at most 4,096 octets of one tag, and these are more together (row 1, client_cert). Leave"},
    {.product = "issued",
     .reason = "certificate_invalid",
     .says = "none of the given CAs (row 1, client_cert)"},
    {.id = "", .reason = "row_invalid", .says = "(row 1, id)"},
    {.id = "a b", .reason = "row_invalid", .says = "(row 1, id)"},
    {.id = "a/b", .reason = "row_invalid", .says = "(row 1, id)"},
    {.id = "a\nb", .reason = "row_invalid", .says = "(row 1, id)"},
    {.imei = "351465800000003", .reason = "imei_invalid", .says = "(row 1, imei)"},
    {.imei = "35146580000000", .reason = "imei_invalid", .says = "(row 1, imei)"},
    {.imei = "", .reason = "imei_invalid", .says = "(row 1, imei)"},
    {.product = "trakcer", .reason = "row_invalid", .says = "no product of this name (row 1, product)"},
    {.product = "bound", .reason = "row_invalid", .says = "IMEI is needed (row 1, imei)"},
    {.lot = "a\tb", .reason = "row_invalid", .says = "(row 1, lot)"},
    {.key = {.line_end = "\\n"},
     .reason = "pem_form",
     .says =
         "the characters backslash and n stand where a line ends (row 1, private_key, line 1, column 28)"},
    {.cert = {.line_end = "\\n"},
     .reason = "pem_form",
     .says = "(row 1, client_cert, line 1, column 28). Write real"},
    {.cert = {.line_end = " "}, .reason = "pem_form", .says = "blanks stand where"},
    {.cert = {.before = " "}, .reason = "pem_form", .says = "a blank stands before"},
    {.cert = {.line_end = ""}, .reason = "pem_form", .says = "line ends are missing"},
    {.key = {.line_end = "\r"}, .reason = "pem_form", .says = "carriage returns alone"},
    {.cert = {.before = "x\n"}, .reason = "pem_form", .says = "before the BEGIN"},
    {.cert = {.behind = "x\n"}, .reason = "pem_form", .says = "behind the END"},
    {.cert = {.before = "\xEF\xBB\xBF"}, .reason = "pem_form", .says = "byte order mark"},
    {.cert = {.find = "MII", .put = "MI!"}, .reason = "pem_form", .says = "line 2, column 3"},
    {.cert = {.find = "MII", .put = "AAA"},
     .reason = "certificate_invalid",
     .says = "(row 1, client_cert, line 1"},
    {.key = {.find = "MI", .put = "AA"}, .reason = "key_invalid", .says = "(row 1, private_key, line 1"},
};

static void each_bad_row_says_what_and_where(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refused_rows) / sizeof(*refused_rows); i++) {
        const struct refused_row *row = &refused_rows[i];
        char cert[PEMTEXT_SIZE], key[PEMTEXT_SIZE];
        (void)pemtext_make(f.p256.client_cert, &row->cert, cert);
        (void)pemtext_make(f.p256.private_key, &row->key, key);
        f.text[0] = '\0';
        if (row->text != NULL) {
            add(row->text);
        } else {
            const char *members[16] = {"id", row->id != NULL ? row->id : "a", "product",
                                       row->product != NULL ? row->product : "tracker"};
            size_t n = 4;
            const char *const rest[] = {"imei",        row->imei, "lot",         row->lot,
                                        "client_cert", cert,      "private_key", key};
            for (size_t k = 0; k < 8; k += 2) {
                if (rest[k + 1] != NULL) {
                    members[n++] = rest[k];
                    members[n++] = rest[k + 1];
                }
            }
            add_row(members);
        }
        struct json *result = run();
        assert_counts(result, 0, 0, 1);
        if (strcmp(text_of(result, 0, "reason"), row->reason) != 0 ||
            strstr(text_of(result, 0, "detail"), row->says) == NULL) {
            fail_msg("row %zu: %s: %s", i, text_of(result, 0, "reason"), text_of(result, 0, "detail"));
        }
        json_free(result);
        secret_wipe(key, sizeof(key));
    }
    assert_int_equal(store.n, 0);
}

static struct product *product_of(const char *name)
{
    for (size_t i = 0; i < sizeof(products) / sizeof(*products); i++) {
        if (strcmp(products[i].name, name) == 0) {
            return &products[i];
        }
    }
    fail();
    return NULL;
}

/* Names by the scheme, certificates of the issuer, tags of the product. One import may have several products.
 */
static void what_the_product_asks_for_is_taken(void **state)
{
    (void)state;
    struct product *issued = product_of("issued");
    issued->issuer = span_str(testpki_ca(f.pki));
    ROW("id", "a", "product", "prefix", "client_cert", f.p256.client_cert, "private_key", f.p256.private_key,
        "sec_tag", "16842753");
    ROW("id", "b", "product", "issued", "client_cert", f.rsa.client_cert, "private_key", f.rsa.private_key);
    add("{\"id\":\"c\",\"product\":\"psk named\",\"imei\":\"" IMEI "\",\"psk\":\"ab\","
        "\"psk_identity\":\"nrf-" IMEI "\",\"sec_tag\":16842753}\n");
    struct json *result = run();
    assert_counts(result, 3, 0, 0);
    json_free(result);
    issued->issuer = span_str(pemtext_amazon());
}

/* A tag's CA, certificate and key to the last octet that native TLS loads, and one more. */
static void native_tls_has_a_room(void **state)
{
    (void)state;
    struct product *native = product_of("native");
    size_t room = PLACE_NATIVE_ROOM - 3 - strlen(f.p256.client_cert) - strlen(f.p256.private_key);
    for (int over = 0; over <= 1; over++) {
        native->final_line_end = true;
        native->entries[0].content.len = room + (size_t)over;
        f.text[0] = '\0';
        ROW("id", "a", "product", "native", "client_cert", f.p256.client_cert, "private_key",
            f.p256.private_key);
        struct json *result = run();
        assert_counts(result, !over, 0, over);
        json_free(result);
    }
    native->entries[0].content.len = sizeof(file_ca);
}

static void a_dry_run_asks_and_stores_nothing(void **state)
{
    (void)state;
    const struct import_config config = {
        .rows = {.keys = f.keys, .find_product = find_product, .now_s = CONTENT_TIME_UNKNOWN},
        .is_dry_run = true,
        .submit = submit};
    struct json *result = NULL;
    struct import *import = import_new(&config);
    ROW("id", "a", "product", "psk", "psk", "ab", "psk_identity", "x");
    assert_int_equal(import_feed(import, span_str(f.text), NULL), 0);
    assert_int_equal(import_finish(import, &result, NULL), 0);
    import_free(import);
    assert_counts(result, 1, 0, 0);
    assert_true(store.stored[0].bundle.is_dry_run);
    json_free(result);
}

static void a_bad_row_refuses_itself_only(void **state)
{
    (void)state;
    ROW("id", "a", "product", "tracker", "client_cert", f.p256.client_cert, "private_key", f.rsa.private_key);
    add("\n \r\n");
    add("broken\r\n");
    ROW("id", "b", "product", "tracker", "client_cert", f.p256.client_cert, "private_key",
        f.p256.private_key);
    struct json *result = run();
    assert_counts(result, 1, 0, 2);
    assert_string_equal(text_of(result, 0, "reason"), "key_mismatch");
    assert_string_equal(text_of(result, 0, "id"), "a");
    assert_string_equal(text_of(result, 0, "detail"),
                        "the private key does not belong to the certificate (row 1, private_key)");
    int64_t number = 0;
    assert_true(json_as_i64(json_get(json_at(json_get(result, "rows"), 2), "row"), &number));
    assert_int_equal(number, 5);
    json_free(result);
}

static void time_is_held_against_certificates(void **state)
{
    (void)state;
    ROW("id", "a", "product", "tracker", "client_cert", f.p256.client_cert, "private_key",
        f.p256.private_key);
    struct json *before = run_at(INT64_C(2524607999)), *after = run_at(INT64_C(2524608000)); /* 2050-01-01 */
    assert_counts(before, 1, 0, 0);
    assert_counts(after, 0, 0, 1);
    assert_string_equal(text_of(after, 0, "reason"), "certificate_expired");
    json_free(before);
    json_free(after);
}

/* An import may have a million rows; what is said of them one by one has a limit, and the counts are of all.
 */
static void results_are_bounded(void **state)
{
    int64_t omitted = -1;

    (void)state;
    struct json *result = NULL;
    struct import *import = open_import(CONTENT_TIME_UNKNOWN);
    for (int i = 0; i < IMPORT_LISTED_MAX + 7; i++) {
        assert_int_equal(import_feed(import, span_str("{}\n"), NULL), 0);
    }
    ROW("id", "psk-1", "product", "psk", "psk", "6e7266", "psk_identity", "nrf-1");
    assert_int_equal(import_feed(import, span_str(f.text), NULL), 0);
    assert_int_equal(import_finish(import, &result, NULL), 0);
    import_free(import);
    assert_counts(result, 1, 0, IMPORT_LISTED_MAX + 7);
    assert_int_equal(json_count(json_get(result, "rows")), IMPORT_LISTED_MAX + 1); /* the good one is there */
    assert_string_equal(text_of(result, IMPORT_LISTED_MAX, "id"), "psk-1");
    assert_true(json_as_i64(json_get(result, "omitted"), &omitted));
    assert_int_equal(omitted, 7);
    json_free(result);
}

/* Cut anywhere, the input gives the same result; also octet by octet and without a last line end. */
static void results_do_not_depend_on_the_cuts(void **state)
{
    (void)state;
    add("broken\n\n{\"id\":\"x\"}\r\n");
    ROW("id", "p", "product", "psk", "psk", "aabb", "psk_identity", "one");
    ROW("id", "q", "product", "psk", "psk", "aabb", "psk_identity", "two");
    size_t len = strlen(f.text) - 1;
    f.text[len] = '\0';
    struct json *whole = run();
    assert_counts(whole, 1, 0, 3);
    for (size_t cut = 0; cut <= len; cut++) {
        store.n = 0;
        struct json *result = NULL;
        struct import *import = open_import(CONTENT_TIME_UNKNOWN);
        assert_int_equal(import_feed(import, span_of(f.text, cut), NULL), 0);
        assert_int_equal(import_feed(import, span_of(f.text + cut, len - cut), NULL), 0);
        assert_int_equal(import_finish(import, &result, NULL), 0);
        import_free(import);
        assert_true(json_is_equal(result, whole));
        json_free(result);
    }
    store.n = 0;
    struct json *result = NULL;
    struct import *import = open_import(CONTENT_TIME_UNKNOWN);
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(import_feed(import, span_of(f.text + i, 1), NULL), 0);
    }
    assert_int_equal(import_finish(import, &result, NULL), 0);
    import_free(import);
    assert_true(json_is_equal(result, whole));
    json_free(result);
    json_free(whole);
}

static void a_line_without_end_costs_one_row(void **state)
{
    (void)state;
    static const size_t lengths[] = {IMPORT_LINE_MAX, IMPORT_LINE_MAX + 1, 3 * IMPORT_LINE_MAX};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
        char part[1000];
        memset(part, 'x', sizeof(part));
        store.n = 0;
        struct json *result = NULL;
        struct import *import = open_import(CONTENT_TIME_UNKNOWN);
        for (size_t left = lengths[i]; left > 0;) {
            size_t n = left < sizeof(part) ? left : sizeof(part);
            assert_int_equal(import_feed(import, span_of(part, n), NULL), 0);
            left -= n;
        }
        f.text[0] = '\0';
        add("\n");
        ROW("id", "p", "product", "psk", "psk", "aabb", "psk_identity", "one");
        assert_int_equal(import_feed(import, span_str(f.text), NULL), 0);
        assert_int_equal(import_finish(import, &result, NULL), 0);
        import_free(import);
        assert_counts(result, 1, 0, 1);
        bool is_too_long = strstr(text_of(result, 0, "detail"), "at most 65536 octets") != NULL;
        assert_int_equal(is_too_long, lengths[i] > IMPORT_LINE_MAX);
        json_free(result);
    }
}

static void rows_share_a_batch(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2 * IMPORT_BATCH + 1; i++) {
        char id[16], psk[16];
        (void)snprintf(id, sizeof(id), "psk-%u", i);
        (void)snprintf(psk, sizeof(psk), "%04x", i);
        ROW("id", id, "product", "psk", "psk", psk, "psk_identity", id);
    }
    struct json *result = run();
    assert_counts(result, 2 * IMPORT_BATCH + 1, 0, 0);
    assert_int_equal(store.calls, 3);
    assert_int_equal(store.largest, IMPORT_BATCH);
    json_free(result);
}

/* What the lint warns of does not keep a bundle out, and is told; the clock only once. */
static void warnings_go_with_the_result(void **state)
{
    (void)state;
    char early[PEMTEXT_SIZE], dates[PEMTEXT_SIZE], chain[3 * PEMTEXT_SIZE];
    (void)pemtext_patch(f.p256.client_cert, "240101000000Z", "310101000000Z", early);
    (void)pemtext_patch(f.p256.client_cert, "491231235959Z", "231231235959Z", dates);
    (void)snprintf(chain, sizeof(chain), "%s%s%s", f.p256.client_cert, pemtext_isrg(), pemtext_isrg());
    const struct {
        const char *cert, *ca, *name, *member;
        int64_t now_s;
    } rows[] = {
        {f.p256.client_cert, pemtext_amazon(), NULL, NULL, INT64_C(1893456000)},
        {f.p256.client_cert, pemtext_amazon(), "clock_not_set", NULL, 86400},
        {early, pemtext_amazon(), "certificate_not_yet_valid", "client_cert", INT64_C(1893456000)},
        {f.p256.client_cert, f.rsa.client_cert, "no_ca", "ca", INT64_C(1893456000)},
        {chain, pemtext_amazon(), "command_length", "client_cert", INT64_C(1893456000)},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        store.n = 0;
        f.text[0] = '\0';
        ROW("id", "a", "product", "tracker", "client_cert", rows[i].cert, "private_key", f.p256.private_key,
            "ca", rows[i].ca);
        struct json *result = run_at(rows[i].now_s);
        const struct json *list = json_get(json_at(json_get(result, "rows"), 0), "warnings");
        assert_counts(result, 1, 0, 0);
        assert_int_equal(json_count(list), rows[i].name != NULL);
        if (rows[i].name != NULL) {
            const char *member = json_as_text(json_get(json_at(list, 0), "member"));
            assert_string_equal(json_as_text(json_get(json_at(list, 0), "name")), rows[i].name);
            assert_string_equal(member != NULL ? member : "", rows[i].member != NULL ? rows[i].member : "");
            assert_true(strlen(json_as_text(json_get(json_at(list, 0), "detail"))) > 20);
        }
        json_free(result);
    }
    store.n = 0;
    f.text[0] = '\0';
    ROW("id", "p", "product", "psk", "psk", "aabb", "psk_identity", "one");
    ROW("id", "b", "product", "tracker", "client_cert", dates, "private_key", f.p256.private_key);
    struct json *result = run();
    assert_counts(result, 1, 0, 1);
    assert_string_equal(text_of(result, 1, "reason"), "certificate_invalid");
    assert_non_null(strstr(text_of(result, 1, "detail"), "ends before it begins"));
    const struct json *list = json_get(json_at(json_get(result, "rows"), 0), "warnings");
    assert_string_equal(json_as_text(json_get(json_at(list, 0), "name")), "psk_short");
    json_free(result);
}

static void trouble_ends_the_import(void **state)
{
    (void)state;
    static const struct {
        int failure, result, code;
    } rows[] = {{ERR_FULL, 0, ERR_FULL},
                {0, ERR_STORE, ERR_STORE},
                {0, ERR_CORRUPT, ERR_CORRUPT},
                {0, -ENOMEM, -ENOMEM}};
    ROW("id", "p", "product", "psk", "psk", "aabb", "psk_identity", "one");
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct err_info why = {0};
        struct json *result = NULL;
        struct import *import = open_import(CONTENT_TIME_UNKNOWN);
        store.failure = rows[i].failure;
        store.result = rows[i].result;
        assert_int_equal(import_feed(import, span_str(f.text), NULL), 0);
        assert_int_equal(import_finish(import, &result, &why), rows[i].code);
        assert_null(result);
        assert_true(why.text[0] != '\0');
        assert_int_equal(import_feed(import, span_str(f.text), NULL), rows[i].code);
        import_free(import);
        store.n = 0;
    }
}

static void no_wrapping_key_ends_the_import(void **state)
{
    (void)state;
    struct keys *locked = keys_new(&(struct keys_config){.wrapping_key = NULL});
    const struct import_config config = {
        .rows = {.keys = locked, .find_product = find_product, .now_s = CONTENT_TIME_UNKNOWN},
        .submit = submit};
    struct import *import = import_new(&config);
    struct err_info why = {0};
    ROW("id", "a", "product", "tracker", "client_cert", f.p256.client_cert, "private_key",
        f.p256.private_key);
    assert_int_equal(import_feed(import, span_str(f.text), &why), ERR_REFUSED);
    assert_non_null(strstr(why.text, "wrapping key"));
    import_free(import);
    keys_free(locked);
    assert_int_equal(store.n, 0);
}

static void an_import_may_end_in_the_middle(void **state)
{
    (void)state;
    ROW("id", "a", "product", "tracker", "client_cert", f.p256.client_cert, "private_key",
        f.p256.private_key);
    for (size_t len = 0; len < strlen(f.text); len += 97) {
        struct import *import = open_import(CONTENT_TIME_UNKNOWN);
        assert_int_equal(import_feed(import, span_of(f.text, len), NULL), 0);
        import_free(import);
    }
    import_free(NULL);
    assert_int_equal(store.n, 0);
}

/* Whoever gives up in the middle waits for what the store still has; each batch was judged while the one
 * before it was with the store. */
static void batches_under_way_come_back(void **state)
{
    (void)state;
    struct import *import = open_import(CONTENT_TIME_UNKNOWN);
    for (unsigned i = 0; i < IMPORT_BATCH + 1; i++) {
        char id[16], psk[16];
        (void)snprintf(id, sizeof(id), "psk-%u", i);
        (void)snprintf(psk, sizeof(psk), "%04x", i);
        ROW("id", id, "product", "psk", "psk", psk, "psk_identity", id);
    }
    assert_int_equal(import_feed(import, span_str(f.text), NULL), 0);
    assert_true(lazy.is_busy);
    assert_int_equal(store.calls, 0);
    import_free(import);
    assert_int_equal(store.calls, 1);
    assert_int_equal(store.n, IMPORT_BATCH);
}

static void thousands_of_keys_are_told_apart(void **state)
{
    (void)state;
    struct seen seen = {0};
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 5000; i++) {
            struct digest key = {{(uint8_t)i, (uint8_t)(i >> 8)}}; /* hashes that crowd together */
            struct digest row = {{(uint8_t)round}};
            assert_int_equal(seen_add(&seen, &key, &row, i + 1), round == 0 ? 0 : (int64_t)i + 1);
        }
    }
    seen_done(&seen);
}

#define LAZY(name)                                                                                           \
    {                                                                                                        \
#name " later", name, set_up_lazy, nothing_is_lent, NULL                                             \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(good_rows_are_taken, set_up),
        cmocka_unit_test_setup(what_was_sealed_opens_to_what_came, set_up),
        cmocka_unit_test_setup(the_same_file_again_makes_duplicates, set_up),
        cmocka_unit_test_setup(a_key_stands_once_in_an_import, set_up),
        cmocka_unit_test_setup(each_bad_row_says_what_and_where, set_up),
        cmocka_unit_test_setup(what_the_product_asks_for_is_taken, set_up),
        cmocka_unit_test_setup(native_tls_has_a_room, set_up),
        cmocka_unit_test_setup(a_dry_run_asks_and_stores_nothing, set_up),
        cmocka_unit_test_setup(a_bad_row_refuses_itself_only, set_up),
        cmocka_unit_test_setup(time_is_held_against_certificates, set_up),
        cmocka_unit_test_setup(results_do_not_depend_on_the_cuts, set_up),
        cmocka_unit_test_setup(a_line_without_end_costs_one_row, set_up),
        cmocka_unit_test_setup(rows_share_a_batch, set_up),
        cmocka_unit_test_setup(results_are_bounded, set_up),
        cmocka_unit_test_setup(warnings_go_with_the_result, set_up),
        cmocka_unit_test_setup(trouble_ends_the_import, set_up),
        cmocka_unit_test_setup(no_wrapping_key_ends_the_import, set_up),
        cmocka_unit_test_setup(an_import_may_end_in_the_middle, set_up),
        cmocka_unit_test_setup(thousands_of_keys_are_told_apart, set_up),
        /* with a store that answers later */
        LAZY(good_rows_are_taken),
        LAZY(the_same_file_again_makes_duplicates),
        LAZY(a_key_stands_once_in_an_import),
        LAZY(each_bad_row_says_what_and_where),
        LAZY(a_bad_row_refuses_itself_only),
        LAZY(results_do_not_depend_on_the_cuts),
        LAZY(rows_share_a_batch),
        LAZY(results_are_bounded),
        LAZY(trouble_ends_the_import),
        LAZY(an_import_may_end_in_the_middle),
        LAZY(batches_under_way_come_back),
    };
    return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
