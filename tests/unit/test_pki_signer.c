/* CAs from files and tokens, and what they issue: judged by OpenSSL's own verification, as a cloud would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "pki/certify.h"
#include "pki/init.h"
#include "support/softhsm.h"

#define NOW  INT64_C(1795000000) /* November 2026 */
#define PASS "correct horse"

/* ---- keys and CAs of the test's own */

struct ca {
    char certificate[SIGNER_PEM_MAX], key[SIGNER_PEM_MAX], clear[SIGNER_PEM_MAX];
};

static void keep(BIO *bio, char out[SIGNER_PEM_MAX])
{
    char *text;
    long len = BIO_get_mem_data(bio, &text);
    assert_in_range(len, 1, SIGNER_PEM_MAX - 1);
    memcpy(out, text, (size_t)len);
    out[len] = '\0';
    BIO_free(bio);
}

static void add(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(extension);
    X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
}

/* A CA as others make them. */
static void make(struct ca *ca, EVP_PKEY *key, bool is_ca, bool has_key_id)
{
    X509 *cert = X509_new();
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 7);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_UTF8,
                               (const unsigned char *)"Foreign CA", -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)(NOW - 86400));
    ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)(NOW + INT64_C(86400) * 1000));
    X509_set_pubkey(cert, key);
    add(cert, NID_basic_constraints, is_ca ? "critical,CA:TRUE" : "CA:FALSE");
    if (is_ca) {
        add(cert, NID_key_usage, "critical,keyCertSign,cRLSign");
    }
    if (has_key_id) {
        add(cert, NID_subject_key_identifier, "hash");
    }
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, cert);
    keep(bio, ca->certificate);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_256_cbc(), PASS, sizeof(PASS) - 1, NULL, NULL);
    keep(bio, ca->key);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    keep(bio, ca->clear);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static int open_ca(const struct ca *ca, struct signer **ret, struct err_info *why)
{
    return signer_open_file(span_str(ca->certificate), span_str(ca->key), span_str(PASS), ret, why);
}

/* ---- what is issued */

struct board {
    EVP_PKEY *key;
    unsigned char spki[256];
    size_t spki_len;
};

static struct board make_board(void)
{
    struct board b = {.key = EVP_EC_gen("P-256")};
    unsigned char *at = b.spki;
    b.spki_len = (size_t)i2d_PUBKEY(b.key, &at);
    return b;
}

static const uint8_t serial[CERTIFY_SERIAL_SIZE] = {0xF0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static struct certify_request request_of(const struct board *b)
{
    return (struct certify_request){.spki = span_of((const char *)b->spki, b->spki_len),
                                    .serial = serial,
                                    .subject_cn = "nrf-351465800000002",
                                    .attributes = "O=Acme,C=no",
                                    .now_s = NOW,
                                    .validity_days = 365};
}

static X509 *read_pem(const char *text)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    assert_non_null(cert);
    return cert;
}

static void assert_verifies(X509 *cert, const char *ca_pem)
{
    X509 *ca = read_pem(ca_pem);
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    X509_STORE_add_cert(store, ca);
    assert_int_equal(X509_STORE_CTX_init(ctx, store, cert, NULL), 1);
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_time(param, (time_t)NOW);
    bool has_key_id = X509_get0_subject_key_id(ca) != NULL; /* without one a CA is not strictly right */
    X509_VERIFY_PARAM_set_flags(param,
                                (has_key_id ? X509_V_FLAG_X509_STRICT : 0) | X509_V_FLAG_USE_CHECK_TIME);
    X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_CLIENT);
    if (X509_verify_cert(ctx) != 1) {
        fail_msg("%s", X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
    }
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    X509_free(ca);
}

static void check_profile(X509 *cert, const struct board *b)
{
    assert_int_equal(X509_get_version(cert), 2);
    assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(cert), b->key), 1);
    assert_int_equal(X509_get_key_usage(cert), KU_DIGITAL_SIGNATURE);
    assert_int_equal(X509_get_extended_key_usage(cert), XKU_SSL_CLIENT);
    assert_int_equal(X509_check_ca(cert), 0);
    assert_non_null(X509_get0_subject_key_id(cert));
    assert_non_null(X509_get0_authority_key_id(cert));
    char text[128];
    X509_NAME_oneline(X509_get_subject_name(cert), text, sizeof(text));
    assert_string_equal(text, "/O=Acme/C=no/CN=nrf-351465800000002");
    BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
    unsigned char octets[20];
    assert_int_equal(BN_bn2bin(n, octets), CERTIFY_SERIAL_SIZE);
    assert_memory_equal(octets, serial, CERTIFY_SERIAL_SIZE);
    BN_free(n);
    time_t now = (time_t)NOW;
    assert_true(X509_cmp_time(X509_get0_notBefore(cert), &now) < 0);
    now += 364 * 86400;
    assert_true(X509_cmp_time(X509_get0_notAfter(cert), &now) > 0);
    now += 2 * 86400;
    assert_true(X509_cmp_time(X509_get0_notAfter(cert), &now) < 0);
}

static void issue_and_check(struct signer *signer, const char *ca_pem)
{
    struct board b = make_board();
    struct certify_request request = request_of(&b);
    char pem[CERTIFY_PEM_MAX];
    struct err_info why = {0};
    int64_t len = certify(signer, &request, pem, &why);
    assert_string_equal(why.text, "");
    assert_int_equal(len, strlen(pem));
    X509 *cert = read_pem(pem);
    assert_verifies(cert, ca_pem);
    check_profile(cert, &b);
    X509_free(cert);
    EVP_PKEY_free(b.key);
}

static EVP_PKEY *key_of(int kind)
{
    return kind == 0 ? EVP_EC_gen("P-256") : kind == 1 ? EVP_EC_gen("P-384") : EVP_RSA_gen(2048);
}

static void test_files(void **state)
{
    (void)state;
    static struct ca ca;
    for (int kind = 0; kind < 3; kind++) {
        struct signer *signer = NULL;
        make(&ca, key_of(kind), true, kind != 1);
        struct err_info why = {0};
        int r = open_ca(&ca, &signer, &why);
        assert_string_equal(why.text, "");
        assert_int_equal(r, 0);
        issue_and_check(signer, ca.certificate);
        signer_close(signer);
    }
}

static void test_own_ca(void **state)
{
    (void)state;
    char certificate[SIGNER_PEM_MAX], key[SIGNER_PEM_MAX];
    static const enum key_kind kinds[] = {KEY_P256, KEY_P384};
    for (size_t i = 0; i < 2; i++) {
        struct signer_new_ca wanted = {.name = "Factory CA",
                                       .kind = kinds[i],
                                       .days = 3650,
                                       .now_s = NOW - 100,
                                       .passphrase = span_str(PASS)};
        assert_int_equal(signer_make_ca(&wanted, certificate, key, NULL), 0);
        assert_non_null(strstr(key, "BEGIN ENCRYPTED PRIVATE KEY"));
        struct signer *signer = NULL;
        assert_int_equal(
            signer_open_file(span_str(certificate), span_str(key), span_str(PASS), &signer, NULL), 0);
        assert_string_equal(signer_cert(signer)->subject_cn, "Factory CA");
        issue_and_check(signer, certificate);
        signer_close(signer);
        wanted.passphrase = span_str("short");
        assert_int_equal(signer_make_ca(&wanted, certificate, key, NULL), ERR_RANGE);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static struct ca ca, other, no_ca;
    make(&ca, EVP_EC_gen("P-256"), true, true);
    make(&other, EVP_EC_gen("P-256"), true, true);
    make(&no_ca, EVP_EC_gen("P-256"), false, true);
    const struct {
        const char *certificate, *key, *passphrase;
        int result;
        const char *says;
    } cases[] = {
        {ca.certificate, ca.key, "wrong", ERR_REFUSED, "passphrase"},
        {ca.certificate, ca.key, "", ERR_REFUSED, "passphrase"},
        {ca.certificate, ca.clear, PASS, ERR_REFUSED, "not encrypted"},
        {ca.certificate, other.key, PASS, ERR_REFUSED, "not that of the certificate"},
        {no_ca.certificate, no_ca.key, PASS, ERR_REFUSED, "not that of a CA"},
        {ca.key, ca.key, PASS, ERR_FORMAT, "certificate"},
        {"", ca.key, PASS, ERR_FORMAT, "certificate"},
        {ca.certificate, ca.certificate, PASS, ERR_FORMAT, "no private key"},
        {ca.certificate, "", PASS, ERR_FORMAT, "no private key"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct signer *signer = NULL;
        struct err_info why = {0};
        int r = signer_open_file(span_str(cases[i].certificate), span_str(cases[i].key),
                                 span_str(cases[i].passphrase), &signer, &why);
        assert_int_equal(r, cases[i].result);
        assert_null(signer);
        assert_non_null(strstr(why.text, cases[i].says));
        assert_null(strstr(why.text, PASS));
    }
}

static void test_limits(void **state)
{
    (void)state;
    static struct ca ca;
    make(&ca, EVP_EC_gen("P-256"), true, true);
    struct signer *signer = NULL;
    assert_int_equal(open_ca(&ca, &signer, NULL), 0);
    struct board b = make_board();
    char pem[CERTIFY_PEM_MAX];

    struct certify_request request = request_of(&b);
    request.validity_days = 36500; /* the CA ends in a thousand days */
    assert_true(certify(signer, &request, pem, NULL) > 0);
    X509 *cert = read_pem(pem);
    X509 *issuer = read_pem(ca.certificate);
    assert_int_equal(ASN1_TIME_compare(X509_get0_notAfter(cert), X509_get0_notAfter(issuer)), 0);
    X509_free(cert);
    X509_free(issuer);

    static const int64_t outside[] = {NOW - 86400 * 2, NOW + INT64_C(86400) * 1001};
    for (size_t i = 0; i < 2; i++) {
        request = request_of(&b);
        request.now_s = outside[i];
        assert_int_equal(certify(signer, &request, pem, NULL), ERR_REFUSED);
    }
    static const char *const names[] = {"",
                                        "12345678901234567890123456789012345678901234567890123456789012345"};
    for (size_t i = 0; i < 2; i++) {
        request = request_of(&b);
        request.subject_cn = names[i];
        assert_int_equal(certify(signer, &request, pem, NULL), ERR_RANGE);
    }
    request = request_of(&b);
    request.spki.len--;
    assert_int_equal(certify(signer, &request, pem, NULL), ERR_CRYPTO);
    EVP_PKEY_free(b.key);
    signer_close(signer);
}

static void test_attributes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_valid;
    } cases[] = {
        {"", true},
        {"O=Acme", true},
        {"O=Nordic Semiconductor,L=Trondheim,C=no", true},
        {"CN=x", true},
        {"serialNumber=7", true},
        {"O=", false},
        {"O", false},
        {"O=Acme,", false},
        {",O=Acme", false},
        {"X=Acme", false},
        {"o=Acme", false},
        {"C=nor", false},
        {"O=a\"b", false},
        {"O=a\nb", false},
        {"O=12345678901234567890123456789012345678901234567890123456789012345", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        if (certify_attributes_are_valid(cases[i].text) != cases[i].is_valid) {
            fail_msg("%s", cases[i].text);
        }
    }
}

static void test_token(void **state)
{
    (void)state;
    static struct ca ca;
    for (int kind = 0; kind < 3; kind++) {
        make(&ca, key_of(kind), true, true);
        struct softhsm hsm;
        if (!softhsm_begin(&hsm, "factory", "ca", ca.clear)) {
            skip();
        }
        struct signer *signer = NULL;
        struct token_place place = {.module = hsm.module, .token = "factory", .object = "ca"};
        struct err_info why = {0};
        int r = signer_open_token(span_str(ca.certificate), &place, span_str(SOFTHSM_PIN), &signer, &why);
        assert_string_equal(why.text, "");
        assert_int_equal(r, 0);
        issue_and_check(signer, ca.certificate);
        issue_and_check(signer, ca.certificate);
        signer_close(signer);
        softhsm_end(&hsm);
    }
}

/* What %XSUDO takes: 96 characters of base64, an ECDSA signature in DER over the text's SHA-256, checked with
 * the public key as the board gets it. */
static void sign_and_verify(struct signer *signer)
{
    static const char text[] = "%CMNG=0,1,0,\"TEST ROOT CERTIFICATE\"";
    char signature[SIGNER_COMMAND_SIZE], pem[SIGNER_PUBLIC_SIZE], lines[SIGNER_PUBLIC_SIZE + 4];
    unsigned char der[SIGNER_COMMAND_SIZE];
    assert_int_equal(signer_sign_command(signer, span_str(text), signature, NULL), 0);
    assert_int_equal(signer_public_pem(signer, pem, NULL), 0);
    assert_null(strchr(pem, '\n'));

    (void)snprintf(lines, sizeof(lines), "%.26s\n%.*s\n%s", pem, (int)strlen(pem) - 26 - 24, pem + 26,
                   pem + strlen(pem) - 24);
    BIO *bio = BIO_new_mem_buf(lines, -1);
    EVP_PKEY *key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    assert_non_null(key);
    int len = EVP_DecodeBlock(der, (const unsigned char *)signature, (int)strlen(signature));
    assert_true(len > 0);
    size_t der_len = (size_t)len - (strstr(signature, "==") ? 2 : strchr(signature, '=') != NULL);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_equal(EVP_DigestVerify(ctx, der, der_len, (const unsigned char *)text, strlen(text)), 1);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    BIO_free(bio);
}

static void test_commands(void **state)
{
    (void)state;
    static struct ca ca;
    for (int kind = 0; kind < 3; kind++) {
        struct signer *signer = NULL;
        struct err_info why = {0};
        char signature[SIGNER_COMMAND_SIZE], pem[SIGNER_PUBLIC_SIZE];
        make(&ca, key_of(kind), true, true);
        assert_int_equal(open_ca(&ca, &signer, NULL), 0);
        if (signer_cert(signer)->kind == KEY_P256) {
            sign_and_verify(signer);
        } else {
            assert_int_equal(signer_sign_command(signer, span_str("x"), signature, &why), ERR_REFUSED);
            assert_int_equal(signer_public_pem(signer, pem, NULL), ERR_REFUSED);
            assert_non_null(strstr(why.text, "commands are signed with P-256, and the CA's key is "));
        }
        signer_close(signer);
    }
}

static void test_token_signs_commands(void **state)
{
    (void)state;
    static struct ca ca;
    struct softhsm hsm;
    make(&ca, EVP_EC_gen("P-256"), true, true);
    if (!softhsm_begin(&hsm, "factory", "ca", ca.clear)) {
        skip();
    }
    struct signer *signer = NULL;
    struct token_place place = {.module = hsm.module, .token = "factory", .object = "ca"};
    assert_int_equal(
        signer_open_token(span_str(ca.certificate), &place, span_str(SOFTHSM_PIN), &signer, NULL), 0);
    sign_and_verify(signer);
    signer_close(signer);
    softhsm_end(&hsm);
}

static void test_token_refused(void **state)
{
    (void)state;
    static struct ca ca, other;
    make(&ca, EVP_EC_gen("P-256"), true, true);
    make(&other, EVP_EC_gen("P-256"), true, true);
    struct softhsm hsm;
    if (!softhsm_begin(&hsm, "factory", "ca", ca.clear)) {
        skip();
    }
    const struct {
        struct token_place place;
        const char *certificate, *pin;
        int result;
    } cases[] = {
        {{"/nowhere/module.so", "factory", "ca"}, ca.certificate, SOFTHSM_PIN, ERR_NOT_FOUND},
        {{hsm.module, "another", "ca"}, ca.certificate, SOFTHSM_PIN, ERR_NOT_FOUND},
        {{hsm.module, "factory", "another"}, ca.certificate, SOFTHSM_PIN, ERR_NOT_FOUND},
        {{hsm.module, "factory", "ca"}, ca.certificate, "654321", ERR_REFUSED},
        {{hsm.module, "factory", "ca"}, other.certificate, SOFTHSM_PIN, ERR_REFUSED},
        {{hsm.module, "factory", NULL}, ca.certificate, SOFTHSM_PIN, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct signer *signer = NULL;
        struct err_info why = {0};
        int r = signer_open_token(span_str(cases[i].certificate), &cases[i].place, span_str(cases[i].pin),
                                  &signer, &why);
        if (r != cases[i].result) {
            fail_msg("case %zu: %d %s", i, r, why.text);
        }
        assert_null(strstr(why.text, "654321"));
        signer_close(signer);
    }
    softhsm_end(&hsm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_own_ca),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_token),
        cmocka_unit_test(test_token_refused),
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_token_signs_commands),
    };
    return pki_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
