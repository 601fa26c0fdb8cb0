/* pki/content: each type's content is judged by its own rules, and written in one form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "pki/content.h"
#include "support/pemtext.h"
#include "support/testpki.h"

#define BEFORE_2038 INT64_C(2000000000)

static struct testpki *pki;

static int make_pki(void **state)
{
    (void)state;
    pki = testpki_new(1);
    return 0;
}

static int free_pki(void **state)
{
    (void)state;
    testpki_free(pki);
    return 0;
}

static enum content_fault judge(enum cred_type type, const char *text, int64_t now_s, struct err_info *why)
{
    struct content content;
    *why = (struct err_info){0};
    enum content_fault fault = content_read(type, span_str(text), now_s, &content, why);
    content_done(&content);
    return fault;
}

static void texts_are_judged_by_their_type(void **state)
{
    (void)state;
    char psk_longest[2 * CONTENT_PSK_MAX + 1], psk_longer[2 * CONTENT_PSK_MAX + 3];
    char name_longest[CONTENT_IDENTITY_MAX + 1], name_longer[CONTENT_IDENTITY_MAX + 2];
    memset(psk_longest, 'a', sizeof(psk_longest));
    memset(psk_longer, 'a', sizeof(psk_longer));
    memset(name_longest, 'n', sizeof(name_longest));
    memset(name_longer, 'n', sizeof(name_longer));
    psk_longest[sizeof(psk_longest) - 1] = psk_longer[sizeof(psk_longer) - 1] = '\0';
    name_longest[sizeof(name_longest) - 1] = name_longer[sizeof(name_longer) - 1] = '\0';
    const struct {
        enum cred_type type;
        const char *text;
        enum content_fault fault;
    } rows[] = {
        {CRED_PSK, "6e7266393174657374", CONTENT_GOOD},
        {CRED_PSK, "00", CONTENT_GOOD},
        {CRED_PSK, "aBcDeF", CONTENT_GOOD},
        {CRED_PSK, psk_longest, CONTENT_GOOD},
        {CRED_PSK, psk_longer, CONTENT_KEY_INVALID},
        {CRED_PSK, "", CONTENT_KEY_INVALID},
        {CRED_PSK, "abc", CONTENT_KEY_INVALID},
        {CRED_PSK, "0x00", CONTENT_KEY_INVALID},
        {CRED_PSK, "00 11", CONTENT_KEY_INVALID},
        {CRED_PSK, "0011\n", CONTENT_KEY_INVALID},
        {CRED_PSK_IDENTITY, "nrf-351465800000002", CONTENT_GOOD},
        {CRED_PSK_IDENTITY, "with blanks, and more: !#~", CONTENT_GOOD},
        {CRED_PSK_IDENTITY, name_longest, CONTENT_GOOD},
        {CRED_PSK_IDENTITY, name_longer, CONTENT_TEXT_INVALID},
        {CRED_PSK_IDENTITY, "", CONTENT_TEXT_INVALID},
        {CRED_PSK_IDENTITY, "quotation\"mark", CONTENT_TEXT_INVALID},
        {CRED_PSK_IDENTITY, "line\nend", CONTENT_TEXT_INVALID},
        {CRED_PSK_IDENTITY, "\x7F", CONTENT_TEXT_INVALID},
        {CRED_PSK_IDENTITY, "M\xC3\xBCller", CONTENT_TEXT_INVALID},
        {CRED_CA, pemtext_amazon(), CONTENT_GOOD},
        {CRED_CLIENT_CERT, pemtext_amazon(), CONTENT_GOOD},
        {CRED_PRIVATE_KEY, pemtext_amazon(), CONTENT_KEY_INVALID},
        {CRED_CA, "HONKHONK", CONTENT_PEM_FORM},
        {CRED_CA, "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n",
         CONTENT_CERTIFICATE_INVALID},
        {CRED_PRIVATE_KEY, "-----BEGIN PRIVATE KEY-----\nQUJD\n-----END PRIVATE KEY-----\n",
         CONTENT_KEY_INVALID},
        {CRED_PRIVATE_KEY, "-----BEGIN PRIVATE KEY-----\\nQUJD\\n-----END PRIVATE KEY-----\\n",
         CONTENT_PEM_FORM},
        {CRED_PRIVATE_KEY, "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n",
         CONTENT_PEM_FORM},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct err_info why;
        enum content_fault fault = judge(rows[i].type, rows[i].text, CONTENT_TIME_UNKNOWN, &why);
        if (fault != rows[i].fault || (fault != CONTENT_GOOD) != (why.text[0] != '\0')) {
            fail_msg("row %zu: %d, \"%s\"", i, (int)fault, why.text);
        }
    }
}

static void the_end_of_validity_counts(void **state)
{
    (void)state;
    struct err_info why;
    assert_int_equal(judge(CRED_CA, pemtext_amazon(), BEFORE_2038, &why), CONTENT_GOOD);
    assert_int_equal(judge(CRED_CA, pemtext_amazon(), 2147299200, &why), CONTENT_GOOD);
    assert_int_equal(judge(CRED_CA, pemtext_amazon(), 2147299201, &why), CONTENT_CERTIFICATE_EXPIRED);
}

static void keys_that_no_modem_can_use_are_refused(void **state)
{
    (void)state;
    static const struct {
        enum testpki_key kind;
        bool is_good;
    } rows[] = {
        {TESTPKI_P256, true},          {TESTPKI_P256_SEC1, true}, {TESTPKI_RSA2048, true},
        {TESTPKI_RSA2048_PKCS1, true}, {TESTPKI_P384, true},      {TESTPKI_ED25519, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct testpki_bundle bundle;
        struct err_info why;
        testpki_bundle(pki, 3, rows[i].kind, &bundle);
        assert_int_equal(judge(CRED_PRIVATE_KEY, bundle.private_key, CONTENT_TIME_UNKNOWN, &why),
                         rows[i].is_good ? CONTENT_GOOD : CONTENT_KEY_INVALID);
        assert_int_equal(judge(CRED_CLIENT_CERT, bundle.client_cert, CONTENT_TIME_UNKNOWN, &why),
                         rows[i].is_good ? CONTENT_GOOD : CONTENT_CERTIFICATE_INVALID);
        testpki_bundle_done(&bundle);
    }
}

static void a_key_must_match_its_certificate(void **state)
{
    (void)state;
    struct testpki_bundle one, other;
    struct content key, own, foreign;
    struct err_info why = {0};
    testpki_bundle(pki, 1, TESTPKI_P256, &one);
    testpki_bundle(pki, 2, TESTPKI_P256, &other);
    assert_int_equal(
        content_read(CRED_PRIVATE_KEY, span_str(one.private_key), CONTENT_TIME_UNKNOWN, &key, NULL), 0);
    assert_int_equal(
        content_read(CRED_CLIENT_CERT, span_str(one.client_cert), CONTENT_TIME_UNKNOWN, &own, NULL), 0);
    assert_int_equal(
        content_read(CRED_CLIENT_CERT, span_str(other.client_cert), CONTENT_TIME_UNKNOWN, &foreign, NULL), 0);
    assert_int_equal(content_match(&key, &own, &why), CONTENT_GOOD);
    assert_int_equal(content_match(&key, &foreign, &why), CONTENT_KEY_MISMATCH);
    assert_non_null(strstr(why.text, "does not belong"));
    content_done(&key);
    content_done(&own);
    content_done(&foreign);
    testpki_bundle_done(&one);
    testpki_bundle_done(&other);
}

/* `n` copies of ISRG Root X1, one behind the other. */
static char *chain_of(size_t n)
{
    size_t len = strlen(pemtext_isrg());
    char *text = malloc(n * len + 1);
    for (size_t i = 0; i < n; i++) {
        memcpy(text + i * len, pemtext_isrg(), len);
    }
    text[n * len] = '\0';
    return text;
}

static void several_certificates_fit_until_they_do_not(void **state)
{
    (void)state;
    static const enum content_fault wanted[] = {/* 1,970 octets each, with CRLF */
                                                CONTENT_PEM_FORM, CONTENT_GOOD, CONTENT_GOOD,
                                                CONTENT_GOOD,     CONTENT_GOOD, CONTENT_TOO_LONG,
                                                CONTENT_TOO_LONG};
    for (size_t n = 0; n < sizeof(wanted) / sizeof(*wanted); n++) {
        struct err_info why;
        char *text = chain_of(n);
        assert_int_equal(judge(CRED_CA, text, CONTENT_TIME_UNKNOWN, &why), wanted[n]);
        free(text);
    }
}

static void keys_keep_their_own_form(void **state)
{
    (void)state;
    static const enum testpki_key kinds[] = {TESTPKI_P256, TESTPKI_P256_SEC1, TESTPKI_RSA2048,
                                             TESTPKI_RSA2048_PKCS1};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        struct testpki_bundle bundle;
        struct content content;
        char text[PEMTEXT_SIZE], out[CRED_CONTENT_MAX];
        testpki_bundle(pki, 4, kinds[i], &bundle);
        size_t len = pemtext_make(bundle.private_key, &(struct pemtext_change){.line_end = " \r\n"}, text);
        assert_int_equal(
            content_read(CRED_PRIVATE_KEY, span_of(text, len), CONTENT_TIME_UNKNOWN, &content, NULL), 0);
        int64_t n = content_write(&content, (struct pem_style){.final_line_end = true}, out, sizeof(out));
        assert_int_equal(n, strlen(bundle.private_key));
        assert_memory_equal(out, bundle.private_key, (size_t)n);
        content_done(&content);
        testpki_bundle_done(&bundle);
    }
}

static void typed_texts_get_no_line_end(void **state)
{
    (void)state;
    struct content content;
    char out[16];
    assert_int_equal(content_read(CRED_PSK, span_str("aB01"), CONTENT_TIME_UNKNOWN, &content, NULL),
                     CONTENT_GOOD);
    assert_int_equal(content_write(&content, (struct pem_style){true, true}, out, sizeof(out)), 4);
    assert_memory_equal(out, "aB01", 4);
    assert_int_equal(content_write(&content, (struct pem_style){true, true}, out, 3), ERR_FULL);
    content_done(&content);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_judged_by_their_type),
        cmocka_unit_test(the_end_of_validity_counts),
        cmocka_unit_test(keys_that_no_modem_can_use_are_refused),
        cmocka_unit_test(a_key_must_match_its_certificate),
        cmocka_unit_test(several_certificates_fit_until_they_do_not),
        cmocka_unit_test(keys_keep_their_own_form),
        cmocka_unit_test(typed_texts_get_no_line_end),
    };
    return cmocka_run_group_tests(tests, make_pki, free_pki);
}
