/* keys: expected digests and canonical contents for every product style, whole or not at all; manglings
 * explained. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/hex.h"
#include "base/secret.h"
#include "keys/keys.h"
#include "keys/mangle.h"
#include "pki/content.h"
#include "pki/digest.h"
#include "support/pemtext.h"
#include "support/testpki.h"

#define TAG          16842753u
#define CONTENT_SIZE 16384

static const uint8_t octets[SEAL_KEY_SIZE] = "a key for the tests of the keys";
static const char identity[] = "nrf-351465800000002";
static const char psk[] = "6e7266393174657374";

static struct fixture {
    struct testpki *pki;
    struct testpki_bundle bundle;
    struct seal_key *wrapping_key;
    struct keys *keys;
    struct product product;
    struct ledger_msg msg;
    uint8_t content[CONTENT_SIZE];
} f;

static int set_up_group(void **state)
{
    (void)state;
    f.pki = testpki_new(3);
    testpki_bundle(f.pki, 1, TESTPKI_P256, &f.bundle);
    f.wrapping_key = seal_key_new(octets);
    f.keys = keys_new(&(struct keys_config){.wrapping_key = f.wrapping_key});
    return f.keys == NULL;
}

static int tear_down_group(void **state)
{
    (void)state;
    testpki_bundle_done(&f.bundle);
    testpki_free(f.pki);
    keys_free(f.keys);
    seal_key_free(f.wrapping_key);
    return 0;
}

/* A CA from a file, the bundle's certificate, identity, pre-shared key and private key: sealed, as CLAIM
 * leaves them. */
static int set_up(void **state)
{
    (void)state;
    static const enum cred_type types[] = {CRED_CLIENT_CERT, CRED_PSK_IDENTITY, CRED_PSK, CRED_PRIVATE_KEY};
    const char *const texts[] = {f.bundle.client_cert, identity, psk, f.bundle.private_key};
    struct keys_item items[4];
    f.product = (struct product){.name = "tracker", .final_line_end = true, .n_entries = 5};
    f.product.entries[0] =
        (struct product_entry){.sec_tag = TAG, .type = CRED_CA, .content = span_str(pemtext_amazon())};
    sha256(f.product.entries[0].content, &f.product.entries[0].sha256);
    memset(&f.msg, 0, sizeof(f.msg));
    memset(f.content, 0x55, sizeof(f.content));
    f.msg.kind = LEDGER_DIGEST;
    f.msg.product = &f.product;
    strcpy(f.msg.bundle, "pool-000017");
    f.msg.content = f.content;
    f.msg.content_size = sizeof(f.content);
    f.msg.n_entries = 5;
    f.msg.entries[0] = (struct ledger_entry){.sec_tag = TAG, .type = CRED_CA};
    for (size_t i = 0; i < 4; i++) {
        items[i] = (struct keys_item){.type = types[i], .clear = span_str(texts[i])};
        f.product.entries[i + 1] =
            (struct product_entry){.sec_tag = TAG, .type = types[i], .from_bundle = true};
        f.msg.entries[i + 1] = (struct ledger_entry){.sec_tag = TAG, .type = types[i], .from_bundle = true};
    }
    assert_int_equal(
        keys_seal_bundle(f.keys, span_str(f.msg.bundle), items, 4, f.content, sizeof(f.content), NULL), 0);
    for (size_t i = 0; i < 4; i++) {
        f.msg.entries[i + 1].sealed_at = (uint32_t)((const uint8_t *)items[i].sealed.at - f.content);
        f.msg.entries[i + 1].sealed_len = (uint32_t)items[i].sealed.len;
        f.msg.content_len = f.msg.entries[i + 1].sealed_at + f.msg.entries[i + 1].sealed_len;
    }
    return 0;
}

static void assert_expected(const struct ledger_entry *entry, const char *text,
                            const struct pemtext_change *change)
{
    char wanted[PEMTEXT_SIZE];
    struct digest digest;
    size_t len = pemtext_make(text, change, wanted);
    sha256(span_of(wanted, len), &digest);
    assert_true(digest_eq(&entry->expected, &digest));
    assert_int_equal(entry->clear_len, len);
    assert_memory_equal(f.content + entry->clear_at, wanted, len);
    assert_int_equal(entry->sealed_len, 0);
}

static void contents_take_the_products_form(void **state)
{
    (void)state;
    for (int style = 0; style < 4; style++) {
        set_up(NULL);
        f.product.is_crlf = style & 1;
        f.product.final_line_end = style & 2;
        const struct pemtext_change change = {.line_end = f.product.is_crlf ? "\r\n" : NULL,
                                              .drops_final = !f.product.final_line_end};
        keys_answer(f.keys, &f.msg);
        assert_int_equal(f.msg.status, LEDGER_OK);
        assert_true(digest_eq(&f.msg.entries[0].expected, &f.product.entries[0].sha256));
        assert_int_equal(f.msg.entries[0].clear_len, 0);
        assert_expected(&f.msg.entries[1], f.bundle.client_cert, &change);
        assert_expected(&f.msg.entries[2], identity, &(struct pemtext_change){0});
        assert_expected(&f.msg.entries[3], psk, &(struct pemtext_change){0});
        assert_expected(&f.msg.entries[4], f.bundle.private_key, &change);

        uint32_t end = f.msg.entries[4].clear_at + f.msg.entries[4].clear_len;
        assert_int_equal(f.msg.content_len, end);
        for (uint32_t i = 1; i < 5; i++) { /* without gaps */
            uint32_t begin = i == 1 ? 0 : f.msg.entries[i - 1].clear_at + f.msg.entries[i - 1].clear_len;
            assert_int_equal(f.msg.entries[i].clear_at, begin);
        }
        for (uint32_t i = end; i < CONTENT_SIZE; i++) {
            assert_int_equal(f.content[i], 0);
        }
    }
}

/* A shell stores CR LF, so that every content has it, that of a file too; no more than there was. */
static void a_shell_makes_crlf_of_all(void **state)
{
    (void)state;
    char own[PEMTEXT_SIZE];
    for (int style = 0; style < 4; style++) {
        set_up(NULL);
        f.msg.stores_crlf = true;
        f.product.is_crlf = style & 1;
        f.product.final_line_end = style & 2;
        const struct pemtext_change change = {.line_end = "\r\n", .drops_final = !f.product.final_line_end};
        const struct pemtext_change styled = {.line_end = f.product.is_crlf ? "\r\n" : NULL,
                                              .drops_final = !f.product.final_line_end};
        size_t own_len = pemtext_make(pemtext_amazon(), &styled, own);
        f.product.entries[0].content = span_of(own, own_len);
        keys_answer(f.keys, &f.msg);
        assert_int_equal(f.msg.status, LEDGER_OK);
        assert_expected(&f.msg.entries[0], pemtext_amazon(), &change);
        assert_expected(&f.msg.entries[1], f.bundle.client_cert, &change);
        assert_expected(&f.msg.entries[2], identity, &(struct pemtext_change){0});
        assert_expected(&f.msg.entries[3], psk, &(struct pemtext_change){0});
        assert_expected(&f.msg.entries[4], f.bundle.private_key, &change);
        assert_int_equal(f.msg.content_len, f.msg.entries[4].clear_at + f.msg.entries[4].clear_len);

        /* Explained by what was sent, not by what the product holds. */
        f.msg.kind = LEDGER_EXPLAIN;
        f.msg.explain_entry = 0;
        f.msg.explain_seen = f.msg.entries[0].expected;
        keys_answer(f.keys, &f.msg);
        assert_int_equal(f.msg.explain_mangling, MANGLING_NONE);
    }
}

static void a_file_with_crlf_must_fit_too(void **state)
{
    (void)state;
    char clear[PEMTEXT_SIZE];
    size_t len = pemtext_make(pemtext_amazon(), &(struct pemtext_change){.line_end = "\r\n"}, clear);
    f.msg.stores_crlf = true;
    f.msg.n_entries = 1;
    f.msg.content_size = (uint32_t)len - 1;
    keys_answer(f.keys, &f.msg);
    assert_int_equal(f.msg.status, LEDGER_NO);
    assert_int_equal(f.msg.reason, REASON_too_long);
    f.msg.content_size++;
    keys_answer(f.keys, &f.msg);
    assert_int_equal(f.msg.status, LEDGER_OK);
}

/* ---- what cannot be answered changes nothing */

static void assert_refused(enum ledger_status status, enum reason reason)
{
    static struct ledger_msg before;
    static uint8_t content[CONTENT_SIZE];
    memcpy(&before, &f.msg, sizeof(before));
    memcpy(content, f.content, sizeof(content));
    keys_answer(f.keys, &f.msg);
    assert_int_equal(f.msg.status, status);
    assert_int_equal(f.msg.reason, reason);
    assert_true(f.msg.detail[0] != '\0');
    assert_memory_equal(f.content, content, sizeof(content));
    assert_memory_equal(f.msg.entries, before.entries, sizeof(before.entries));
    assert_int_equal(f.msg.content_len, before.content_len);
}

static void damage_is_our_trouble(void **state)
{
    (void)state;
    f.content[f.msg.entries[4].sealed_at + f.msg.entries[4].sealed_len - 1] ^= 1;
    assert_refused(LEDGER_FAILED, REASON_internal);
    set_up(NULL);
    strcpy(f.msg.bundle, "pool-000018");
    assert_refused(LEDGER_FAILED, REASON_internal);
    set_up(NULL);
    f.msg.entries[1].type = CRED_PRIVATE_KEY; /* a certificate's row in a key's place */
    assert_refused(LEDGER_FAILED, REASON_internal);
    static const uint32_t lengths[] = {0, SEAL_OVERHEAD, CONTENT_SIZE + 1, UINT32_MAX};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
        set_up(NULL);
        f.msg.entries[1].sealed_len = lengths[i];
        assert_refused(LEDGER_FAILED, REASON_internal);
    }
    set_up(NULL);
    f.msg.entries[2].sealed_at = UINT32_MAX - 8;
    assert_refused(LEDGER_FAILED, REASON_internal);
    set_up(NULL);
    f.msg.entries[0].sec_tag++;
    assert_refused(LEDGER_FAILED, REASON_internal);
    set_up(NULL);
    f.msg.product = NULL;
    assert_refused(LEDGER_FAILED, REASON_internal);
    set_up(NULL);
    f.msg.kind = LEDGER_CLAIM;
    assert_refused(LEDGER_FAILED, REASON_internal);
}

static void content_that_is_not_its_type_never_leaves(void **state)
{
    (void)state;
    struct keys_item item = {.type = CRED_PRIVATE_KEY, .clear = span_str("HONKHONK")};
    struct ledger_entry *entry = &f.msg.entries[4];
    assert_int_equal(keys_seal_bundle(f.keys, span_str(f.msg.bundle), &item, 1, f.content + entry->sealed_at,
                                      sizeof(f.content) - entry->sealed_at, NULL),
                     0);
    entry->sealed_len = (uint32_t)item.sealed.len;
    assert_refused(LEDGER_FAILED, REASON_internal);
}

static void no_key_or_another_is_locked(void **state)
{
    (void)state;
    static const uint8_t others[SEAL_KEY_SIZE] = "some other station's key in here";
    struct seal_key *other = seal_key_new(others);
    struct keys *mine = f.keys;
    f.keys = keys_new(&(struct keys_config){.wrapping_key = other});
    assert_refused(LEDGER_NO, REASON_key_locked);
    keys_free(f.keys);
    f.keys = keys_new(&(struct keys_config){.wrapping_key = NULL});
    assert_refused(LEDGER_NO, REASON_key_locked);
    struct digest digest;
    assert_int_equal(keys_digest(f.keys, "x", span_str("y"), &digest), ERR_REFUSED);
    assert_int_equal(keys_seal_bundle(f.keys, span_str("b"), NULL, 0, NULL, 0, NULL), ERR_REFUSED);
    keys_free(f.keys);
    f.keys = mine;
    seal_key_free(other);
}

/* One certificate in every place, so that a memory that holds it sealed is too small for four clear ones. */
static void what_does_not_fit_is_too_long(void **state)
{
    (void)state;
    char clear[PEMTEXT_SIZE];
    size_t len = pemtext_make(f.bundle.client_cert, &(struct pemtext_change){.line_end = "\r\n"}, clear);
    for (uint32_t room = (uint32_t)(4 * len) - 1; room <= 4 * len; room++) {
        set_up(NULL);
        f.product.is_crlf = true;
        f.msg.content_size = room;
        for (size_t i = 2; i < 5; i++) {
            f.msg.entries[i] = f.msg.entries[1];
        }
        if (room < 4 * len) {
            assert_refused(LEDGER_NO, REASON_too_long);
        } else {
            keys_answer(f.keys, &f.msg);
            assert_int_equal(f.msg.status, LEDGER_OK);
            assert_int_equal(f.msg.content_len, room);
        }
    }
}

static void room_for_sealing_is_checked(void **state)
{
    (void)state;
    uint8_t out[100 + SEAL_OVERHEAD];
    char clear[100] = {'x'};
    struct keys_item item = {.type = CRED_PSK, .clear = span_of(clear, sizeof(clear))};
    assert_int_equal(keys_seal_bundle(f.keys, span_str("b"), &item, 1, out, sizeof(out), NULL), 0);
    assert_int_equal(keys_seal_bundle(f.keys, span_str("b"), &item, 1, out, sizeof(out) - 1, NULL), ERR_FULL);
}

/* ---- explain */

static const struct explained {
    struct pemtext_change change; /* of a content with line feeds and a final one */
    enum mangling mangling;
} explained[] = {
    {{0}, MANGLING_NONE},
    {{.line_end = "\r\n"}, MANGLING_CRLF},
    {{.line_end = "\r\r\n"}, MANGLING_CRLF},
    {{.line_end = "\r"}, MANGLING_CR},
    {{.line_end = "\r", .drops_final = 1}, MANGLING_CR},
    {{.drops_final = 1}, MANGLING_NO_FINAL},
    {{.behind = "\n"}, MANGLING_FINAL_ADDED},
    {{.behind = "\r\n"}, MANGLING_FINAL_ADDED},
    {{.behind = "\r"}, MANGLING_FINAL_ADDED},
    {{.line_end = "\r\n", .drops_final = 1}, MANGLING_CRLF_NO_FINAL},
    {{.line_end = "\\n"}, MANGLING_LITERAL_N},
    {{.line_end = "\\n", .drops_final = 1}, MANGLING_LITERAL_N},
    {{.line_end = "\\r\\n"}, MANGLING_LITERAL_N},
    {{.before = " ", .line_end = "\\n "}, MANGLING_LITERAL_N},
    {{.before = " "}, MANGLING_LEADING_BLANK},
    {{.before = " ", .drops_final = 1}, MANGLING_LEADING_BLANK},
    {{.before = " ", .line_end = "\r\n"}, MANGLING_LEADING_BLANK},
    {{.line_end = ""}, MANGLING_NO_BREAKS},
    {{.line_end = " "}, MANGLING_NO_BREAKS},
    {{.before = " ", .line_end = " "}, MANGLING_NO_BREAKS},
    {{.find = "MII", .put = "MIJ"}, MANGLING_OTHER},
    {{.find = "MII", .put = "MI"}, MANGLING_OTHER},
};

static void explain(uint32_t entry, const char *seen, size_t len)
{
    f.msg.kind = LEDGER_EXPLAIN;
    f.msg.explain_entry = entry;
    f.msg.explain_mangling = MANGLING_OTHER;
    sha256(span_of(seen, len), &f.msg.explain_seen);
    keys_answer(f.keys, &f.msg);
    assert_int_equal(f.msg.status, LEDGER_OK);
}

static void every_mangling_is_explained(void **state)
{
    (void)state;
    const char *const texts[] = {pemtext_amazon(), f.bundle.client_cert, NULL, NULL, f.bundle.private_key};
    char seen[PEMTEXT_SIZE];
    keys_answer(f.keys, &f.msg);
    for (uint32_t entry = 0; entry < 5; entry++) {
        for (size_t i = 0; texts[entry] != NULL && i < sizeof(explained) / sizeof(*explained); i++) {
            const struct explained *row = &explained[i];
            if (row->change.find != NULL && strstr(texts[entry], row->change.find) == NULL) {
                continue;
            }
            size_t len = pemtext_make(texts[entry], &row->change, seen);
            explain(entry, seen, len);
            assert_int_equal(f.msg.explain_mangling, row->mangling);
            assert_int_equal(f.msg.explain_cut_at, 0);
        }
    }
    explain(2, "nrf-351465800000002\r\n", strlen(identity) + 2);
    assert_int_equal(f.msg.explain_mangling, MANGLING_FINAL_ADDED);
    explain(3, "6e72", 4);
    assert_int_equal(f.msg.explain_mangling, MANGLING_CUT);
    assert_int_equal(f.msg.explain_cut_at, 4);
}

static void content_with_crlf_is_explained_too(void **state)
{
    (void)state;
    static const struct {
        struct pemtext_change change;
        enum mangling mangling;
    } rows[] = {
        {{.line_end = "\r\n"}, MANGLING_NONE},
        {{.line_end = "\n"}, MANGLING_LF},
        {{.line_end = "\n", .drops_final = 1}, MANGLING_LF_NO_FINAL},
        {{.line_end = "\r\n", .drops_final = 1}, MANGLING_NO_FINAL},
        {{.line_end = "\r\r\n"}, MANGLING_CRLF},
        {{.line_end = "\r"}, MANGLING_CR},
        {{.line_end = "\\r\\n"}, MANGLING_LITERAL_N},
        {{.line_end = ""}, MANGLING_NO_BREAKS},
        {{.before = " ", .line_end = "\r\n"}, MANGLING_LEADING_BLANK},
    };
    char sent[PEMTEXT_SIZE], seen[PEMTEXT_SIZE];
    size_t sent_len = pemtext_make(pemtext_amazon(), &(struct pemtext_change){.line_end = "\r\n"}, sent);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct digest digest;
        uint32_t cut_at;
        size_t len = pemtext_make(pemtext_amazon(), &rows[i].change, seen);
        sha256(span_of(seen, len), &digest);
        assert_int_equal(mangle_explain(span_of(sent, sent_len), &digest, &cut_at), rows[i].mangling);
    }
}

/* Every beginning, in every kind of line end, is found with its length; all that a simple mangling makes as
 * well is called by that name. */
static void every_cut_is_found(void **state)
{
    (void)state;
    static const char *const line_ends[] = {"\n", "\r\n"};
    struct testpki_bundle bundle;
    testpki_bundle(f.pki, 7, TESTPKI_P256, &bundle);
    for (size_t sent_with = 0; sent_with < 2; sent_with++) {
        for (size_t seen_with = 0; seen_with < 2; seen_with++) {
            char sent[PEMTEXT_SIZE], seen[PEMTEXT_SIZE];
            size_t sent_len = pemtext_make(bundle.private_key,
                                           &(struct pemtext_change){.line_end = line_ends[sent_with]}, sent);
            size_t seen_len = pemtext_make(bundle.private_key,
                                           &(struct pemtext_change){.line_end = line_ends[seen_with]}, seen);
            size_t whole = seen_len - strlen(line_ends[seen_with]);
            for (size_t n = 1; n < seen_len; n++) {
                struct digest digest;
                uint32_t cut_at;
                sha256(span_of(seen, n), &digest);
                enum mangling mangling = mangle_explain(span_of(sent, sent_len), &digest, &cut_at);
                if (n == whole) {
                    assert_true(mangling != MANGLING_CUT && mangling != MANGLING_OTHER);
                    continue;
                }
                assert_int_equal(mangling, MANGLING_CUT);
                assert_int_equal(cut_at, n);
            }
        }
    }
    testpki_bundle_done(&bundle);
}

static void explain_knows_its_limits(void **state)
{
    (void)state;
    keys_answer(f.keys, &f.msg);
    f.msg.kind = LEDGER_EXPLAIN;
    f.msg.explain_entry = 5;
    keys_answer(f.keys, &f.msg);
    assert_int_equal(f.msg.status, LEDGER_FAILED);
    f.msg.explain_entry = 1;
    f.msg.entries[1].clear_at = f.msg.content_len;
    keys_answer(f.keys, &f.msg);
    assert_int_equal(f.msg.status, LEDGER_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(contents_take_the_products_form, set_up),
        cmocka_unit_test_setup(a_shell_makes_crlf_of_all, set_up),
        cmocka_unit_test_setup(a_file_with_crlf_must_fit_too, set_up),
        cmocka_unit_test_setup(damage_is_our_trouble, set_up),
        cmocka_unit_test_setup(content_that_is_not_its_type_never_leaves, set_up),
        cmocka_unit_test_setup(no_key_or_another_is_locked, set_up),
        cmocka_unit_test_setup(what_does_not_fit_is_too_long, set_up),
        cmocka_unit_test_setup(room_for_sealing_is_checked, set_up),
        cmocka_unit_test_setup(every_mangling_is_explained, set_up),
        cmocka_unit_test_setup(content_with_crlf_is_explained_too, set_up),
        cmocka_unit_test_setup(every_cut_is_found, set_up),
        cmocka_unit_test_setup(explain_knows_its_limits, set_up),
    };
    return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
