/* Attestation tokens: a recorded one, and the simulated board's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"
#include "pki/attest.h"
#include "support/keygenkit.h"

static void test_recorded(void **state)
{
    (void)state;
    char text[1024];
    if (!keygenkit_vector("attesttoken.txt", text, sizeof(text))) {
        skip();
    }
    struct attest attest;
    assert_int_equal(attest_parse(span_str(text), NULL, &attest, NULL), 0);
    assert_string_equal(attest.uuid, "50363154-3931-44f0-8022-121b6401627d");
    assert_string_equal(attest.firmware_uuid, "1aff3acb-f1a6-4764-a263-4c2646c1c654");
    assert_int_equal(attest.device_type, 3);
    uint8_t nonce[COSE_NONCE_SIZE];
    assert_int_equal(hex_decode(span_str("d3efdd7f04f1fc60e5858b2087343d6a"), nonce, sizeof(nonce)), 0);
    assert_memory_equal(attest.nonce, nonce, sizeof(nonce));
    struct err_info why = {0};
    assert_int_equal(attest_parse(span_str(text), "50503041-3539-47eb-807b-102dbb423b9a", &attest, &why),
                     ERR_CONFLICT);
}

static void test_simulated(void **state)
{
    (void)state;
    int64_t now_us;
    char text[1024];
    struct simboard *board = keygenkit_board(SIM_F2B, &now_us);
    const char *command = "AT%ATTESTTOKEN=\"000102030405060708090a0b0c0d0e0f\"";
    assert_true(keygenkit_ask(board, &now_us, command, "%ATTESTTOKEN:", text, sizeof(text)));
    struct attest attest;
    assert_int_equal(attest_parse(span_str(text), simboard_info(board).config->uuid, &attest, NULL), 0);
    assert_string_equal(attest_device_name(attest.device_type), "nRF9151 LACA");
    for (size_t i = 0; i < COSE_NONCE_SIZE; i++) {
        assert_int_equal(attest.nonce[i], i);
    }
    for (size_t cut = 0; cut < strlen(text); cut++) {
        struct err_info why = {0};
        assert_int_equal(attest_parse(span_of(text, cut), NULL, &attest, &why), ERR_FORMAT);
        assert_null(cut > 8 ? strstr(why.text, "2dn3") : NULL); /* a token is never quoted */
    }
    simboard_free(board);
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(attest_device_name(0), "unknown");
    assert_string_equal(attest_device_name(6), "nRF9151 LACA");
    assert_string_equal(attest_device_name(7), "unknown");
    assert_string_equal(attest_device_name(UINT32_MAX), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded),
        cmocka_unit_test(test_simulated),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
