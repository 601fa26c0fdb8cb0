/*
 * exchange/import: the first octet chooses how the rest is cut, the rest is an import. Properties: the result
 * does not depend on the cuts; there is one result for each row, in their order; what the store is given is
 * whole.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "exchange/import.h"
#include "keys/keys.h"
#include "pki/content.h"
#include "support/fuzz.h"

static const struct product products[] = {
    {.name = "tracker",
     .source = SOURCE_POOL,
     .n_entries = 3,
     .entries = {{.sec_tag = 1, .type = CRED_CA},
                 {.sec_tag = 1, .type = CRED_CLIENT_CERT, .from_bundle = true},
                 {.sec_tag = 1, .type = CRED_PRIVATE_KEY, .from_bundle = true}}},
    {.name = "psk",
     .source = SOURCE_BOUND,
     .n_entries = 2,
     .entries = {{.sec_tag = 2, .type = CRED_PSK, .from_bundle = true},
                 {.sec_tag = 2, .type = CRED_PSK_IDENTITY, .from_bundle = true}}},
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

static int submit(void *ctx, struct store_op **ops, size_t n)
{
    (void)ctx;
    assert(n > 0 && n <= IMPORT_BATCH);
    for (size_t i = 0; i < n; i++) {
        struct store_import *bundle = &ops[i]->import;
        assert(ops[i]->kind == STORE_IMPORT && bundle->id[0] != '\0' && bundle->product[0] != '\0');
        assert(bundle->n_credentials > 0 && bundle->n_credentials <= CRED_TYPES);
        for (uint32_t k = 0; k < bundle->n_credentials; k++) {
            assert(bundle->credentials[k].sealed.len > SEAL_OVERHEAD);
        }
        bundle->outcome = bundle->content.octets[0] & 1 ? STORE_TAKEN : STORE_DUPLICATE;
    }
    return 0;
}

static struct json *run(const struct keys *keys, struct span text, size_t piece)
{
    const struct import_config config = {
        .rows = {.keys = keys, .find_product = find_product, .now_s = CONTENT_TIME_UNKNOWN},
        .submit = submit};
    struct import *import = import_new(&config);
    struct json *result = NULL;
    assert(import != NULL);
    while (text.len > 0) {
        size_t n = piece < text.len ? piece : text.len;
        assert(import_feed(import, span_of(text.at, n), NULL) == 0);
        text = span_skip(text, n);
    }
    assert(import_finish(import, &result, NULL) == 0);
    import_free(import);
    return result;
}

static void check_result(const struct json *result)
{
    const struct json *rows = json_get(result, "rows");
    int64_t last = 0, sum = 0, count = 0;
    static const char *const counts[] = {"taken", "duplicate", "refused"};
    for (size_t i = 0; i < 3; i++) {
        assert(json_as_i64(json_get(result, counts[i]), &count));
        sum += count;
    }
    assert(sum == (int64_t)json_count(rows));
    for (size_t i = 0; i < json_count(rows); i++) {
        int64_t number = 0;
        assert(json_as_i64(json_get(json_at(rows, i), "row"), &number) && number > last);
        last = number;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t octets[SEAL_KEY_SIZE] = {1};
    static struct seal_key *wrapping_key;
    static struct keys *keys;
    if (keys == NULL) {
        wrapping_key = seal_key_new(octets);
        keys = keys_new(&(struct keys_config){.wrapping_key = wrapping_key});
        assert(keys != NULL);
    }
    if (size == 0) {
        return 0;
    }
    struct span text = span_of((const char *)data + 1, size - 1);
    struct json *whole = run(keys, text, text.len + 1), *pieces = run(keys, text, (size_t)data[0] + 1);
    check_result(whole);
    assert(json_is_equal(whole, pieces));
    json_free(whole);
    json_free(pieces);
    return 0;
}
