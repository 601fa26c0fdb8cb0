/* pki/digest: vectors of FIPS 180, every way of cutting a text, and the digests of its beginnings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hex.h"
#include "pki/digest.h"

static void assert_digest(const struct digest *digest, const char *hex)
{
    char text[2 * DIGEST_SIZE + 1];
    hex_encode(digest->octets, DIGEST_SIZE, text);
    assert_string_equal(text, hex);
}

static void knows_the_standard_vectors(void **state)
{
    (void)state;
    static const struct {
        const char *text, *hex;
    } rows[] = {
        {"", "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"},
        {"abc", "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248D6A61D20638B8E5C026930C3E6039A33CE45964FF2167F6ECEDD419DB06C1"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct digest digest;
        sha256(span_str(rows[i].text), &digest);
        assert_digest(&digest, rows[i].hex);
    }
    struct digest empty;
    sha256(span_of(NULL, 0), &empty);
    assert_digest(&empty, rows[0].hex);
}

/* RFC 4231 has no key of 32 octets; a shorter one stands with zeros behind it, which changes nothing. */
static void knows_a_vector_of_hmac(void **state)
{
    (void)state;
    static const uint8_t key[DIGEST_SIZE] = "Jefe";
    struct digest mac;
    sha256_hmac(key, span_str("what do ya want for nothing?"), &mac);
    assert_digest(&mac, "5BDCC146BF60754E6A042426089575C75A003F089D2739839DEC58B964EC3843");
}

static void pieces_make_the_same_as_the_whole(void **state)
{
    (void)state;
    char text[200];
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = (char)(i * 7);
    }
    struct digest whole;
    sha256(span_of(text, sizeof(text)), &whole);
    for (size_t cut = 0; cut <= sizeof(text); cut++) {
        struct sha256 h;
        struct digest pieces;
        sha256_init(&h);
        sha256_add(&h, span_of(text, cut));
        sha256_add(&h, span_of(text + cut, sizeof(text) - cut));
        sha256_finish(&h, &pieces);
        assert_true(digest_eq(&pieces, &whole));
    }
}

static void peeking_tells_each_beginning_and_disturbs_nothing(void **state)
{
    (void)state;
    char text[150] = "every beginning of a text has a digest of its own";
    struct sha256 h;
    sha256_init(&h);
    for (size_t n = 0; n <= sizeof(text); n++) {
        struct digest peeked, whole;
        sha256_peek(&h, &peeked);
        sha256(span_of(text, n), &whole);
        assert_true(digest_eq(&peeked, &whole));
        if (n < sizeof(text)) {
            sha256_add(&h, span_of(text + n, 1));
        }
    }
    sha256_done(&h);
    sha256_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_the_standard_vectors),
        cmocka_unit_test(knows_a_vector_of_hmac),
        cmocka_unit_test(pieces_make_the_same_as_the_whole),
        cmocka_unit_test(peeking_tells_each_beginning_and_disturbs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
