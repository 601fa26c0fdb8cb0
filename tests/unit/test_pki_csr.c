/* Answers to %KEYGEN: a recorded one, and those of the simulated board, whole and damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"
#include "pki/csr.h"
#include "pki/digest.h"
#include "support/keygenkit.h"

#define COMMAND "AT%KEYGEN=16842753,2,0"
#define TAG     16842753u

static void expect_digest(const struct csr_reply *reply, const char *hex)
{
    struct digest wanted, seen;
    assert_int_equal(hex_decode(span_str(hex), wanted.octets, DIGEST_SIZE), 0);
    sha256(span_of((const char *)reply->der, reply->der_len), &seen);
    assert_true(digest_eq(&wanted, &seen));
    assert_true(digest_eq(&wanted, &reply->key.sha256));
}

static void test_recorded(void **state)
{
    (void)state;
    char text[2048];
    if (!keygenkit_vector("keygen-tag17.txt", text, sizeof(text))) {
        skip();
    }
    struct csr_reply reply;
    const char *uuid = "50363154-3931-44f0-8022-121b6401627d";
    assert_int_equal(csr_read_reply(span_str(text), 17, uuid, &reply, NULL), 0);
    assert_int_equal(reply.der_len, 270);
    expect_digest(&reply, "702a3d56f05b2f72531d650825e20041e2e9d9318c34b6853ab9066e5c72e80c");
    assert_string_equal(reply.uuid, uuid);
    assert_string_equal(reply.csr.subject_cn, uuid);
    assert_int_equal(reply.key.sec_tag, 17);

    /* Without the NULL it is two octets shorter, verifies as before, and is no longer what was signed. */
    uint8_t normal[CSR_DER_MAX];
    int64_t len = csr_normalise(span_of((const char *)reply.der, reply.der_len), normal, sizeof(normal));
    assert_int_equal(len, 268);
    struct csr csr;
    assert_int_equal(csr_parse(span_of((const char *)normal, (size_t)len), &csr, NULL), 0);
    assert_true(digest_eq(&csr.fingerprint, &reply.csr.fingerprint));
    struct digest seen;
    sha256(span_of((const char *)normal, (size_t)len), &seen);
    assert_false(digest_eq(&seen, &reply.key.sha256));
    uint8_t again[CSR_DER_MAX];
    assert_int_equal(csr_normalise(span_of((const char *)normal, (size_t)len), again, sizeof(again)), len);
    assert_memory_equal(normal, again, (size_t)len);
}

static void test_not_what_was_asked(void **state)
{
    (void)state;
    int64_t now_us;
    char text[2048], key[2048];
    struct simboard *board = keygenkit_board(SIM_F2B, &now_us);
    const char *uuid = simboard_info(board).config->uuid;
    assert_true(keygenkit_ask(board, &now_us, COMMAND, "%KEYGEN:", text, sizeof(text)));
    assert_true(keygenkit_ask(board, &now_us, "AT%KEYGEN=18,2,1", "%KEYGEN:", key, sizeof(key)));
    static const struct {
        uint32_t tag;
        const char *uuid;
        int result;
    } cases[] = {
        {TAG, NULL, 0},
        {TAG, "", 0},
        {TAG + 1, NULL, ERR_CONFLICT},
        {17, NULL, ERR_CONFLICT},
        {TAG, "50363154-3931-44f0-8022-121b6401627d", ERR_CONFLICT},
    };
    struct csr_reply reply;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct err_info why = {0};
        assert_int_equal(csr_read_reply(span_str(text), cases[i].tag, cases[i].uuid, &reply, &why),
                         cases[i].result);
        assert_int_equal(why.code, cases[i].result);
    }
    assert_int_equal(csr_read_reply(span_str(text), TAG, uuid, &reply, NULL), 0);
    assert_int_equal(csr_read_reply(span_str(key), 18, uuid, &reply, NULL), ERR_CONFLICT);
    simboard_free(board);
}

/* No single lost or changed character passes, but for those of the signed message's own nonce and signature,
 * which say nothing about the request. */
static void test_damage(void **state)
{
    (void)state;
    int64_t now_us;
    char text[2048];
    struct simboard *board = keygenkit_board(SIM_F2B, &now_us);
    assert_true(keygenkit_ask(board, &now_us, COMMAND, "%KEYGEN:", text, sizeof(text)));
    size_t len = strlen(text), request = strcspn(text, "."), passed = 0;
    struct csr_reply reply;
    for (size_t i = 0; i < len; i++) {
        char was = text[i];
        text[i] = was == 'B' ? 'C' : 'B';
        int r = csr_read_reply(span_str(text), TAG, NULL, &reply, NULL);
        text[i] = was;
        passed += r == 0;
        if (i <= request) {
            assert_true(r != 0);
        }
    }
    /* 16 octets of UUID, 16 of nonce, 64 of signature: 128 characters and one at each seam. */
    assert_in_range(passed, 120, 134);
    for (size_t cut = 0; cut < len; cut++) {
        assert_true(csr_read_reply(span_of(text, cut), TAG, NULL, &reply, NULL) != 0);
    }
    simboard_free(board);
}

static void test_attributes(void **state)
{
    (void)state;
    int64_t now_us;
    char text[2048];
    struct simboard *board = keygenkit_board(SIM_F1_3B, &now_us);
    assert_true(
        keygenkit_ask(board, &now_us, COMMAND ",\"O=Acme,CN=device-7\"", "%KEYGEN:", text, sizeof(text)));
    struct csr_reply reply;
    assert_int_equal(csr_read_reply(span_str(text), TAG, NULL, &reply, NULL), 0);
    assert_string_equal(reply.csr.subject_cn, "device-7");
    simboard_free(board);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded),
        cmocka_unit_test(test_not_what_was_asked),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_attributes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
