/* pki/seal_token: what a token makes of a key file, held against OpenSSL's own key derivation; what is not on
 * the token; key files of both kinds. Skips where SoftHSM is not installed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pki/init.h"
#include "pki/seal_token.h"
#include "support/softhsm.h"
#include "support/testpki.h"

static const unsigned char aes[SOFTHSM_AES_SIZE] = "an AES key of tests, 32 octets..";
static const unsigned char secret[] = "a generic secret of another length";
static const uint8_t seed[SEAL_KEY_SIZE] = "the octets of a key file, 32....";

static struct softhsm hsm;

static int set_up(void **state)
{
    (void)state;
    struct testpki_bundle bundle;
    struct testpki *pki = testpki_new(1);
    testpki_bundle(pki, 1, TESTPKI_P256, &bundle);
    bool is_there = softhsm_begin(&hsm, "station", "ca", bundle.private_key);
    if (is_there) {
        softhsm_add_aes(&hsm, "station", "wrapping", aes);
        softhsm_add_secret(&hsm, "station", "hmac", secret, sizeof(secret) - 1);
    }
    testpki_bundle_done(&bundle);
    testpki_free(pki);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (hsm.module) {
        softhsm_end(&hsm);
    }
    return 0;
}

static struct seal_token *open_token(const char *object, int wanted)
{
    struct seal_token *token = NULL;
    struct err_info why = {0};
    const struct token_place place = {hsm.module, "station", object};
    int r = seal_token_open(&place, span_str(SOFTHSM_PIN), &token, &why);
    if (r != wanted) {
        fail_msg("%d: %s", r, why.text);
    }
    return token;
}

static void by_the_book(bool is_aes, uint8_t out[SEAL_KEY_SIZE])
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "KBKDF", NULL);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
    static char mode[] = "COUNTER", cmac[] = "CMAC", cipher[] = "AES-256-CBC", hmac[] = "HMAC",
                digest[] = "SHA256", label[] = "certline wrapping key 1";
    const unsigned char *key = is_aes ? aes : secret;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_MODE, mode, 0),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_MAC, is_aes ? cmac : hmac, 0),
        is_aes ? OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_CIPHER, cipher, 0)
               : OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)key,
                                          is_aes ? sizeof(aes) : sizeof(secret) - 1),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, label, sizeof(label) - 1),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)seed, sizeof(seed)),
        OSSL_PARAM_construct_end()};
    assert_int_equal(EVP_KDF_derive(ctx, out, SEAL_KEY_SIZE, params), 1);
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
}

static void the_key_is_what_the_standard_says(void **state)
{
    (void)state;
    uint8_t got[SEAL_KEY_SIZE], wanted[SEAL_KEY_SIZE];
    if (!hsm.module) {
        skip();
    }
    static const char *const objects[] = {"wrapping", "hmac"};
    for (int i = 0; i < 2; i++) {
        struct seal_token *token = open_token(objects[i], 0);
        by_the_book(i == 0, wanted);
        assert_int_equal(seal_token_make(token, seed, got, NULL), 0);
        assert_memory_equal(got, wanted, sizeof(got));
        seal_token_close(token);
    }
}

static void what_is_not_there_is_told(void **state)
{
    (void)state;
    if (!hsm.module) {
        skip();
    }
    static const struct {
        const char *token, *object, *pin;
        int result;
    } rows[] = {{"another", "wrapping", SOFTHSM_PIN, ERR_NOT_FOUND},
                {"station", "ca", SOFTHSM_PIN, ERR_NOT_FOUND}, /* a private key */
                {"station", NULL, SOFTHSM_PIN, ERR_NOT_FOUND}, /* there are two */
                {"station", "wrapping", "654321", ERR_REFUSED}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct seal_token *token = NULL;
        struct err_info why = {0};
        const struct token_place place = {hsm.module, rows[i].token, rows[i].object};
        assert_int_equal(seal_token_open(&place, span_str(rows[i].pin), &token, &why), rows[i].result);
        assert_null(token);
        assert_null(strstr(why.text, rows[i].pin));
    }
    seal_token_close(NULL);
}

/* A file that takes a token is nothing without it; one that is the key is read with a token as well. */
static void files_of_both_kinds(void **state)
{
    (void)state;
    if (!hsm.module) {
        skip();
    }
    char path[128];
    struct err_info why = {0};
    struct seal_key *made = NULL, *again = NULL, *plain = NULL, *none = NULL;
    (void)snprintf(path, sizeof(path), "%s/wrapping.key", hsm.dir);
    struct seal_token *token = open_token("wrapping", 0);
    assert_int_equal(seal_key_load(path, true, token, &made, &why), 1);
    assert_int_equal(seal_key_load(path, true, token, &again, &why), 0);
    assert_true(seal_key_is_from_token(made));
    assert_memory_equal(seal_key_id(made), seal_key_id(again), SEAL_KEY_ID_SIZE);
    assert_int_equal(seal_key_load(path, true, NULL, &none, &why), ERR_REFUSED);
    assert_non_null(strstr(why.text, "key_module"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(seal_key_load(path, true, NULL, &plain, &why), 1);
    assert_int_equal(seal_key_load(path, true, token, &none, &why), 0);
    assert_false(seal_key_is_from_token(none));
    assert_memory_equal(seal_key_id(plain), seal_key_id(none), SEAL_KEY_ID_SIZE);
    seal_key_free(made);
    seal_key_free(again);
    seal_key_free(plain);
    seal_key_free(none);
    seal_token_close(token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_key_is_what_the_standard_says),
        cmocka_unit_test(what_is_not_there_is_told),
        cmocka_unit_test(files_of_both_kinds),
    };
    return pki_init() < 0 ? 1 : cmocka_run_group_tests(tests, set_up, tear_down);
}
