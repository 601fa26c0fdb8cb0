/* pki/chain and pki/decrypt: who issued a certificate, and keys under a password. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "pki/chain.h"
#include "pki/content.h"
#include "pki/decrypt.h"
#include "support/pemtext.h"
#include "support/testpki.h"

static struct testpki *pki, *stranger;

static int make_pki(void **state)
{
    (void)state;
    pki = testpki_new(1);
    stranger = testpki_new(2);
    return 0;
}

static int free_pki(void **state)
{
    (void)state;
    testpki_free(pki);
    testpki_free(stranger);
    return 0;
}

#define IN_2030 1893456000
#define IN_2000 946684800
#define IN_2060 2840140800

static void only_what_a_ca_issued_is_its_own(void **state)
{
    (void)state;
    char both[PEMTEXT_SIZE];
    (void)snprintf(both, sizeof(both), "%s%s", testpki_ca(stranger), testpki_ca(pki));
    const struct {
        const char *ca;
        int64_t now_s;
        int err;
        const char *says;
    } rows[] = {
        {testpki_ca(pki), IN_2030, 0, ""},
        {testpki_ca(pki), CONTENT_TIME_UNKNOWN, 0, ""},
        {both, IN_2030, 0, ""},
        {testpki_ca(stranger), IN_2030, ERR_REFUSED, "none of the given CAs"},
        {pemtext_amazon(), IN_2030, ERR_REFUSED, "none of the given CAs"},
        {testpki_ca(pki), IN_2000, ERR_REFUSED, "not yet valid"},
        {testpki_ca(pki), IN_2060, ERR_REFUSED, "expired"},
    };
    struct testpki_bundle bundle;
    testpki_bundle(pki, 1, TESTPKI_P256, &bundle);
    struct pem pem;
    assert_int_equal(pem_parse(span_str(bundle.client_cert), &pem), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct chain *chain = NULL;
        struct err_info why = {0};
        assert_int_equal(chain_new(span_str(rows[i].ca), &chain, &why), 0);
        assert_int_equal(chain_check(chain, &pem, rows[i].now_s, &why), rows[i].err);
        assert_non_null(strstr(why.text, rows[i].says));
        chain_free(chain);
    }
    pem_done(&pem);
    testpki_bundle_done(&bundle);
}

/* What is damaged in the signed part does not chain, whichever octet it is. */
static void a_damaged_certificate_does_not_chain(void **state)
{
    (void)state;
    struct testpki_bundle bundle;
    struct chain *chain = NULL;
    struct pem pem;
    testpki_bundle(pki, 1, TESTPKI_P256, &bundle);
    assert_int_equal(pem_parse(span_str(bundle.client_cert), &pem), 0);
    assert_int_equal(chain_new(span_str(testpki_ca(pki)), &chain, NULL), 0);
    for (size_t at = 8; at < pem.blocks[0].der.len; at += 7) {
        pem.memory[at] ^= 1;
        assert_int_not_equal(chain_check(chain, &pem, IN_2030, NULL), 0);
        pem.memory[at] ^= 1;
    }
    assert_int_equal(chain_check(chain, &pem, IN_2030, NULL), 0);
    chain_free(chain);
    pem_done(&pem);
    testpki_bundle_done(&bundle);
}

static void what_is_no_ca_is_not_trusted(void **state)
{
    (void)state;
    struct testpki_bundle bundle;
    testpki_bundle(pki, 1, TESTPKI_P256, &bundle);
    const char *const texts[] = {bundle.client_cert, bundle.private_key, "", "HONKHONK",
                                 "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct chain *chain = NULL;
        struct err_info why = {0};
        assert_int_equal(chain_new(span_str(texts[i]), &chain, &why), ERR_FORMAT);
        assert_true(why.text[0] != '\0');
        assert_null(chain);
    }
    struct pem none = {0};
    struct chain *chain = NULL;
    assert_int_equal(chain_new(span_str(testpki_ca(pki)), &chain, NULL), 0);
    assert_int_equal(chain_check(chain, &none, IN_2030, NULL), ERR_FORMAT);
    chain_free(chain);
    testpki_bundle_done(&bundle);
}

/* ---- passwords */

static char *encrypted(EVP_PKEY *pkey, bool is_old)
{
    char *text, password[] = "secret";
    BIO *bio = BIO_new(BIO_s_mem());
    int r = is_old ? PEM_write_bio_PrivateKey_traditional(bio, pkey, EVP_aes_256_cbc(),
                                                          (unsigned char *)password, 6, NULL, NULL)
                   : PEM_write_bio_PKCS8PrivateKey(bio, pkey, EVP_aes_256_cbc(), password, 6, NULL, NULL);
    assert_int_equal(r, 1);
    long len = BIO_get_mem_data(bio, &text);
    char *copy =
        calloc(1, (size_t)len + 1); /* a memory BIO ends with no NUL, which strndup would read on to */
    assert_non_null(copy);
    memcpy(copy, text, (size_t)len);
    BIO_free(bio);
    return copy;
}

static void the_right_password_opens_a_key(void **state)
{
    (void)state;
    EVP_PKEY *keys[] = {EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"),
                        EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048)};
    for (size_t i = 0; i < 4; i++) {
        char *text = encrypted(keys[i / 2], i & 1);
        struct pem pem;
        struct err_info why = {0};
        assert_int_equal(key_decrypt(span_str(text), span_str("wrong"), &pem, &why), ERR_REFUSED);
        pem_done(&pem);
        assert_int_equal(key_decrypt(span_str(text), span_str(""), &pem, &why), ERR_REFUSED);
        pem_done(&pem);
        assert_int_equal(key_decrypt(span_str(text), span_str("secret"), &pem, &why), 0);

        char plain[4096];
        int64_t len = pem_write(&pem, (struct pem_style){.final_line_end = true}, plain, sizeof(plain));
        struct content content;
        assert_true(len > 0);
        assert_int_equal(
            content_read(CRED_PRIVATE_KEY, span_of(plain, (size_t)len), CONTENT_TIME_UNKNOWN, &content, NULL),
            CONTENT_GOOD);
        assert_true(span_starts(span_of(plain, (size_t)len), "-----BEGIN PRIVATE KEY-----\n"));
        content_done(&content);
        pem_done(&pem);
        free(text);
    }
    EVP_PKEY_free(keys[0]);
    EVP_PKEY_free(keys[1]);
}

static void what_is_no_key_needs_no_password(void **state)
{
    (void)state;
    struct pem pem;
    assert_int_equal(key_decrypt(span_str(pemtext_amazon()), span_str("x"), &pem, NULL), ERR_FORMAT);
    pem_done(&pem);
    assert_int_equal(key_decrypt(span_str(""), span_str("x"), &pem, NULL), ERR_FORMAT);
    pem_done(&pem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_a_ca_issued_is_its_own),
        cmocka_unit_test(a_damaged_certificate_does_not_chain),
        cmocka_unit_test(what_is_no_ca_is_not_trusted),
        cmocka_unit_test(the_right_password_opens_a_key),
        cmocka_unit_test(what_is_no_key_needs_no_password),
    };
    return cmocka_run_group_tests(tests, make_pki, free_pki);
}
