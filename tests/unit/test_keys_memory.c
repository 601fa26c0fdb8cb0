/*
 * After an import, a digest and the wiping of the job's memory no fragment of a private key is left in this
 * process: not in what OpenSSL or the JSON parser gave back, not on a stack, not in a buffer that waits for
 * its next use. The parts are still open while the memory is searched, as they are in a daemon.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "base/secret.h"
#include "exchange/import.h"
#include "keys/keys.h"
#include "pki/content.h"
#include "pki/init.h"
#include "support/memsearch.h"
#include "support/testpki.h"

#define TAG          16842753u
#define CONTENT_SIZE 8192
#define BUNDLES      4

static const uint8_t octets[SEAL_KEY_SIZE] = "wraps what must not be seen here";

static const struct product product = {
    .name = "tracker",
    .source = SOURCE_POOL,
    .is_crlf = true,
    .n_entries = 2,
    .entries = {{.sec_tag = TAG, .type = CRED_CLIENT_CERT, .from_bundle = true},
                {.sec_tag = TAG, .type = CRED_PRIVATE_KEY, .from_bundle = true}},
};

/* What the store keeps: sealed octets. */
static struct stored {
    char id[BUNDLE_ID_SIZE];
    uint32_t n;
    enum cred_type types[CRED_TYPES];
    size_t lens[CRED_TYPES];
    uint8_t sealed[CRED_TYPES][4096];
} stored[BUNDLES];
static size_t n_stored;

static const struct product *find_product(void *ctx, const char *name)
{
    (void)ctx;
    return strcmp(name, product.name) == 0 ? &product : NULL;
}

static int submit(void *ctx, struct store_op **ops, size_t n)
{
    (void)ctx;
    for (size_t i = 0; i < n; i++) {
        const struct store_import *bundle = &ops[i]->import;
        struct stored *to = &stored[n_stored++];
        memcpy(to->id, bundle->id, sizeof(to->id));
        to->n = bundle->n_credentials;
        for (uint32_t k = 0; k < to->n; k++) {
            to->types[k] = bundle->credentials[k].type;
            to->lens[k] = bundle->credentials[k].sealed.len;
            memcpy(to->sealed[k], bundle->credentials[k].sealed.at, to->lens[k]);
        }
    }
    return 0;
}

static struct pem parse(const char *text)
{
    struct pem pem;
    assert_int_equal(pem_parse(span_str(text), &pem), 0);
    return pem;
}

/* The text of the key line by line, as it would be seen in a dump, and its DER without what the certificate
 * tells. */
static void look_for(struct memsearch *search, const struct testpki_bundle *bundle)
{
    struct pem key = parse(bundle->private_key), cert = parse(bundle->client_cert);
    const char *line = strchr(bundle->private_key, '\n') + 1;
    while (strncmp(line, "-----", 5) != 0) {
        const char *end = strchr(line, '\n');
        memsearch_add(search, line, (size_t)(end - line), NULL, 0);
        line = end + 1;
    }
    memsearch_add(search, key.blocks[0].der.at, key.blocks[0].der.len, cert.blocks[0].der.at,
                  cert.blocks[0].der.len);
    pem_done(&key);
    pem_done(&cert);
}

static enum testpki_key kind_of(unsigned index)
{
    static const enum testpki_key kinds[BUNDLES] = {TESTPKI_P256, TESTPKI_RSA2048, TESTPKI_P256_SEC1,
                                                    TESTPKI_RSA2048_PKCS1};
    return kinds[index];
}

/* The rows, in memory shared with the child that makes them: what makes keys leaves traces, and is not what
 * is tested. */
struct rows {
    char text[BUNDLES][16384];
};

static void make_rows(struct rows *rows, struct memsearch *search)
{
    struct testpki *pki = testpki_new(5);
    for (unsigned i = 0; i < BUNDLES; i++) {
        struct testpki_bundle bundle;
        const char id[2] = {(char)('a' + i), '\0'};
        testpki_bundle(pki, i, kind_of(i), &bundle);
        look_for(search, &bundle);
        testpki_bundle_done(&bundle);
        char *row = testpki_row(pki, i, kind_of(i), id, NULL, "tracker", NULL);
        (void)snprintf(rows->text[i], sizeof(rows->text[i]), "%s", row);
        testpki_text_free(row);
    }
    testpki_free(pki);
}

static void make_rows_elsewhere(struct rows *rows, struct memsearch *search)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        make_rows(rows, search);
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* Each row as it is, and once more with a changed octet in its private key: refused, at whatever stage. */
static void import_all(struct import *import, struct rows *rows)
{
    for (unsigned i = 0; i < BUNDLES; i++) {
        char *row = rows->text[i];
        assert_int_equal(import_feed(import, span_str(row), NULL), 0);
        row[strlen(row) - 100] ^= 1;
        assert_int_equal(import_feed(import, span_str(row), NULL), 0);
    }
    secret_wipe(rows, sizeof(*rows)); /* the caller's, as HTTP wipes what it fed */
}

static void digest_all(struct keys *keys)
{
    struct ledger_msg *msg = calloc(1, sizeof(*msg));
    uint8_t *content = secret_alloc(CONTENT_SIZE);
    for (size_t i = 0; i < n_stored; i++) {
        uint32_t len = 0;
        *msg = (struct ledger_msg){.kind = LEDGER_DIGEST,
                                   .product = &product,
                                   .content = content,
                                   .content_size = CONTENT_SIZE,
                                   .n_entries = stored[i].n};
        memcpy(msg->bundle, stored[i].id, sizeof(msg->bundle));
        for (uint32_t k = 0; k < stored[i].n; k++) {
            msg->entries[k] = (struct ledger_entry){.sec_tag = TAG,
                                                    .type = stored[i].types[k],
                                                    .from_bundle = true,
                                                    .sealed_at = len,
                                                    .sealed_len = (uint32_t)stored[i].lens[k]};
            memcpy(content + len, stored[i].sealed[k], stored[i].lens[k]);
            len += (uint32_t)stored[i].lens[k];
        }
        keys_answer(keys, msg);
        assert_int_equal(msg->status, LEDGER_OK);
        msg->kind = LEDGER_EXPLAIN;
        msg->explain_entry = 1; /* a digest of zeros: everything is tried */
        keys_answer(keys, msg);
        assert_int_equal(msg->explain_mangling, MANGLING_OTHER);
        secret_wipe(content, CONTENT_SIZE); /* as the job does at its end */
    }
    secret_free(content);
    free(msg);
}

static void no_fragment_of_a_key_is_left(void **state)
{
    (void)state;
    struct memsearch *search = memsearch_new();
    struct rows *rows = mmap(NULL, sizeof(*rows), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(rows != MAP_FAILED);
    make_rows_elsewhere(rows, search);
    struct seal_key *wrapping_key = seal_key_new(octets);
    struct keys *keys = keys_new(&(struct keys_config){.wrapping_key = wrapping_key});
    const struct import_config config = {
        .rows = {.keys = keys, .find_product = find_product, .now_s = CONTENT_TIME_UNKNOWN},
        .submit = submit};
    struct import *import = import_new(&config);
    struct json *result = NULL;

    import_all(import, rows);
    assert_int_equal(import_finish(import, &result, NULL), 0);
    assert_int_equal(n_stored, BUNDLES);
    digest_all(keys);
    assert_true(memsearch_fragments(search) > 400);
    assert_int_equal(memsearch_run(search), 0);

    json_free(result);
    munmap(rows, sizeof(*rows));
    import_free(import);
    keys_free(keys);
    seal_key_free(wrapping_key);
    memsearch_free(search);
}

/* The search itself: it finds a fragment wherever one lies, and not its own copy. */
static void the_search_finds_what_is_there(void **state)
{
    (void)state;
    volatile char *heap = malloc(64); /* written octet by octet: copied, it would stay in a register */
    struct memsearch *search = memsearch_new();
    for (int i = 0; i < 16; i++) {
        heap[5 + i] = (char)(0x80 + 7 * i);
    }
    memsearch_add(search, (const char *)heap + 5, 16, NULL, 0);
    assert_true(memsearch_run(search) > 0);
    secret_wipe((char *)heap, 64);
    assert_int_equal(memsearch_run(search), 0);
    free((char *)heap);
    memsearch_free(search);
}

int main(void)
{
    if (pki_init() != 0 || pki_init() != 0) {
        return EXIT_FAILURE;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_search_finds_what_is_there),
        cmocka_unit_test(no_fragment_of_a_key_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
