/* CBOR and COSE as modems sign them, built by hand and changed octet by octet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"
#include "pki/base64url.h"
#include "pki/cbor.h"
#include "pki/cose.h"

static size_t from_hex(const char *hex, uint8_t *out)
{
    size_t n = strlen(hex) / 2;
    assert_int_equal(hex_decode(span_str(hex), out, n), 0);
    return n;
}

static struct span span_u8(const uint8_t *at, size_t n)
{
    return span_of((const char *)at, n);
}

static void test_base64url(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t len; /* or the error */
        const char *octets;
    } cases[] = {
        {"", 0, ""},
        {"Zg", 1, "f"},
        {"Zm8", 2, "fo"},
        {"Zm9v", 3, "foo"},
        {"Zm9vYg", 4, "foob"},
        {"-_8", 2, "\xFB\xFF"},
        {"Zg==", ERR_FORMAT, ""},
        {"+/8", ERR_FORMAT, ""},
        {"Z", ERR_FORMAT, ""},
        {"Zm9vY", ERR_FORMAT, ""},
        {"Zh", ERR_FORMAT, ""}, /* the last four bits are not zero */
        {"Zm9", ERR_FORMAT, ""},
        {"Zm 8", ERR_FORMAT, ""},
        {"Zm9vYmFy", ERR_FULL, ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        uint8_t out[4];
        int64_t len = base64url_decode(span_str(cases[i].text), out, sizeof(out));
        assert_int_equal(len, cases[i].len);
        if (len > 0) {
            assert_memory_equal(out, cases[i].octets, (size_t)len);
        }
    }
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        bool is_good;
        int64_t value;
    } cases[] = {
        {"00", true, 0},
        {"17", true, 23},
        {"1818", true, 24},
        {"1904D3", true, 1235},
        {"1A01010001", true, 16842753},
        {"20", true, -1},
        {"21", true, -2},
        {"26", true, -7},
        {"3BFFFFFFFFFFFFFFFF", false, 0},
        {"1BFFFFFFFFFFFFFFFF", false, 0},
        {"1904", false, 0}, /* cut */
        {"", false, 0},
        {"40", false, 0},   /* an empty byte string */
        {"0000", false, 0}, /* something behind it */
        {"F6", false, 0},
        {"FB0000000000000000", false, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        uint8_t octets[16];
        struct cbor_reader r = cbor_read_begin(span_u8(octets, from_hex(cases[i].hex, octets)));
        int64_t value = 99;
        bool is_good = cbor_read_int(&r, &value) && cbor_read_end(&r);
        assert_int_equal(is_good, cases[i].is_good);
        if (is_good) {
            assert_int_equal(value, cases[i].value);
        }
    }
}

/* What an item says of its length is never believed. */
static void test_lengths_lie(void **state)
{
    (void)state;
    static const char *const cases[] = {"5BFFFFFFFFFFFFFFFF00", "5A7FFFFFFF00", "4500000000", "5F4100FF",
                                        "9F00FF"};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        uint8_t octets[16];
        struct span bytes;
        struct cbor_reader r = cbor_read_begin(span_u8(octets, from_hex(cases[i], octets)));
        assert_false(cbor_read_bytes(&r, &bytes));
        assert_false(cbor_read_array(&r, 1)); /* it sticks */
        assert_false(cbor_read_end(&r));
    }
}

#define UUID                                                                                                 \
    "503631543931"                                                                                           \
    "44F08022121B6401627D"
#define DIGEST "702A3D56F05B2F72531D650825E20041E2E9D9318C34B6853AB9066E5C72E80C"
#define NONCE  "000102030405060708090A0B0C0D0E0F"
#define SIGN   NONCE NONCE NONCE NONCE
#define KEY_MESSAGE                                                                                          \
    "D9D9F78509"                                                                                             \
    "50" UUID "4111"                                                                                         \
    "5820" DIGEST "50" NONCE
#define KEY_SIGNED "D28443A10126A1044121584B" KEY_MESSAGE "5840" SIGN
#define ID_MESSAGE                                                                                           \
    "D9D9F78501"                                                                                             \
    "50" UUID "03"                                                                                           \
    "50" NONCE "50" NONCE
#define ID_SIGNED "D28443A10126A1044121F65840" SIGN

static void test_key_message(void **state)
{
    (void)state;
    uint8_t octets[256];
    size_t n = from_hex(KEY_SIGNED, octets);
    struct cose_sign1 sign1;
    struct cose_key key;
    assert_int_equal(cose_parse(span_u8(octets, n), &sign1, NULL), 0);
    assert_false(sign1.is_detached);
    assert_int_equal(sign1.signature.len, COSE_SIGN_SIZE);
    assert_int_equal(cose_read_key(sign1.payload, &key, NULL), 0);
    assert_int_equal(key.number, COSE_CSR);
    assert_int_equal(key.sec_tag, 17);
    char text[COSE_UUID_TEXT];
    cose_uuid_text(key.uuid, text);
    assert_string_equal(text, "50363154-3931-44f0-8022-121b6401627d");
    uint8_t digest[DIGEST_SIZE];
    from_hex(DIGEST, digest);
    assert_memory_equal(key.sha256.octets, digest, DIGEST_SIZE);
}

static void test_identity_message(void **state)
{
    (void)state;
    uint8_t octets[256];
    struct cose_sign1 sign1;
    struct cose_identity identity;
    assert_int_equal(cose_parse(span_u8(octets, from_hex(ID_SIGNED, octets)), &sign1, NULL), 0);
    assert_true(sign1.is_detached);
    assert_int_equal(cose_read_identity(span_u8(octets, from_hex(ID_MESSAGE, octets)), &identity, NULL), 0);
    assert_int_equal(identity.device_type, 3);
}

/* Every octet of the frame counts; those of UUID, digest, nonce and signature may be anything. */
static void test_every_octet(void **state)
{
    (void)state;
    uint8_t octets[256];
    size_t n = from_hex(KEY_SIGNED, octets), loose = 0;
    for (size_t i = 0; i < n; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            struct cose_sign1 sign1;
            struct cose_key key;
            octets[i] ^= (uint8_t)(1u << bit);
            struct err_info why = {0};
            int r = cose_parse(span_u8(octets, n), &sign1, &why);
            r = r == 0 && sign1.is_detached ? ERR_FORMAT : r;
            r = r == 0 ? cose_read_key(sign1.payload, &key, &why) : r;
            loose += r == 0;
            octets[i] ^= (uint8_t)(1u << bit);
        }
    }
    /* UUID 16, digest 32, nonce 16, signature 64 octets; the message's number (9 or 8: one bit); the tag's
     * five bits that leave it a number below 24. */
    assert_in_range(loose, 8 * (16 + 32 + 16 + 64) + 1, 8 * (16 + 32 + 16 + 64) + 1 + 5);
    for (size_t cut = 0; cut < n; cut++) {
        struct cose_sign1 sign1;
        assert_int_equal(cose_parse(span_u8(octets, cut), &sign1, NULL), ERR_FORMAT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64url),        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_lengths_lie),      cmocka_unit_test(test_key_message),
        cmocka_unit_test(test_identity_message), cmocka_unit_test(test_every_octet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
