/* pki/x509: certificates and keys become data, and a key belongs to a certificate only if it can sign for it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/err.h"
#include "base/secret.h"
#include "pki/x509.h"
#include "support/pemtext.h"
#include "support/testpki.h"

#define P256_POINT 65 /* 04, x, y: the end of a key that carries its public part */
#define P384_POINT 97

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

/* One PEM text with one block. */
static struct pem parse(const char *text)
{
    struct pem pem;
    assert_int_equal(pem_parse(span_str(text), &pem), 0);
    assert_null(pem_refusal(&pem));
    assert_int_equal(pem.n_blocks, 1);
    return pem;
}

static void reads_a_real_certificate(void **state)
{
    (void)state;
    struct cert cert;
    struct pem pem = parse(pemtext_amazon());
    assert_int_equal(cert_parse(pem.blocks[0].der, &cert, NULL), 0);
    assert_string_equal(cert.subject_cn, "Amazon Root CA 1");
    assert_string_equal(cert.issuer, "CN=Amazon Root CA 1,O=Amazon,C=US");
    assert_string_equal(cert.serial, "066C9FCF99BF8C0A39E2F0788A43E696365BCA");
    assert_int_equal(cert.not_before_s, 1432598400);
    assert_int_equal(cert.not_after_s, 2147299200);
    assert_int_equal(cert.kind, KEY_RSA);
    assert_int_equal(cert.key_bits, 2048);
    assert_true(cert.is_ca);
    pem_done(&pem);
}

static void keys_and_certificates_find_each_other(void **state)
{
    (void)state;
    static const struct {
        enum testpki_key made;
        enum pem_label label;
        enum key_kind kind;
        unsigned bits;
        bool is_usable;
    } rows[] = {
        {TESTPKI_P256, PEM_PKCS8, KEY_P256, 256, true},
        {TESTPKI_P256_SEC1, PEM_SEC1, KEY_P256, 256, true},
        {TESTPKI_RSA2048, PEM_PKCS8, KEY_RSA, 2048, true},
        {TESTPKI_RSA2048_PKCS1, PEM_PKCS1, KEY_RSA, 2048, true},
        {TESTPKI_P384, PEM_PKCS8, KEY_P384, 384, true},
        {TESTPKI_ED25519, PEM_PKCS8, KEY_ED25519, 256, false},
    };
    enum { N = sizeof(rows) / sizeof(*rows) };
    struct pem certs[N], keys[N];
    struct key *parsed[N];
    struct cert read[N];
    for (size_t i = 0; i < N; i++) {
        struct testpki_bundle bundle;
        struct cert cert;
        testpki_bundle(pki, 5, rows[i].made, &bundle);
        certs[i] = parse(bundle.client_cert);
        keys[i] = parse(bundle.private_key);
        testpki_bundle_done(&bundle);
        assert_int_equal(keys[i].blocks[0].label, rows[i].label);
        assert_int_equal(key_parse(&keys[i].blocks[0], &parsed[i], NULL), 0);
        assert_int_equal(cert_parse(certs[i].blocks[0].der, &cert, NULL), 0);
        read[i] = cert;
        assert_int_equal(key_kind(parsed[i]), rows[i].kind);
        assert_int_equal(cert.kind, rows[i].kind);
        assert_int_equal(key_bits(parsed[i]), rows[i].bits);
        assert_int_equal(key_kind_is_usable(rows[i].kind), rows[i].is_usable);
        assert_true(digest_eq(key_fingerprint(parsed[i]), &cert.fingerprint));
        assert_string_equal(cert.subject_cn, "nrf-1-5");
        assert_false(cert.is_ca);
    }
    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < N; j++) { /* two forms of one key are one key */
            bool is_same = rows[i].kind == rows[j].kind;
            assert_int_equal(key_belongs_to(parsed[i], &read[j], certs[j].blocks[0].der), is_same);
        }
    }
    for (size_t i = 0; i < N; i++) {
        key_free(parsed[i]);
        pem_done(&keys[i]);
        pem_done(&certs[i]);
    }
}

static void a_serial_number_makes_an_identity_with_its_issuer(void **state)
{
    (void)state;
    static const unsigned indexes[] = {1, 2, 1};
    struct cert certs[3];
    for (size_t i = 0; i < 3; i++) {
        struct testpki_bundle bundle;
        testpki_bundle(pki, indexes[i], TESTPKI_P256, &bundle);
        struct pem pem = parse(bundle.client_cert);
        assert_int_equal(cert_parse(pem.blocks[0].der, &certs[i], NULL), 0);
        pem_done(&pem);
        testpki_bundle_done(&bundle);
    }
    assert_false(digest_eq(&certs[0].identity, &certs[1].identity));
    assert_true(digest_eq(&certs[0].identity, &certs[2].identity));
    assert_string_equal(certs[0].serial, certs[2].serial);
}

static void der_must_be_whole_and_alone(void **state)
{
    (void)state;
    static const enum testpki_key kinds[] = {TESTPKI_P256, TESTPKI_P256_SEC1, TESTPKI_RSA2048_PKCS1};
    for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
        struct testpki_bundle bundle;
        testpki_bundle(pki, 9, kinds[k], &bundle);
        struct pem cert_pem = parse(bundle.client_cert), key_pem = parse(bundle.private_key);
        struct span der = cert_pem.blocks[0].der;
        struct pem_block block = key_pem.blocks[0];
        struct cert cert;
        struct key *key;
        for (size_t n = 0; n < der.len; n++) {
            assert_int_equal(cert_parse(span_of(der.at, n), &cert, NULL), ERR_FORMAT);
        }
        char longer[4096] = {0};
        memcpy(longer, der.at, der.len);
        assert_int_equal(cert_parse(span_of(longer, der.len + 1), &cert, NULL), ERR_FORMAT);

        for (size_t n = 0; n < key_pem.blocks[0].der.len; n++) {
            block.der.len = n;
            assert_int_equal(key_parse(&block, &key, NULL), ERR_FORMAT);
        }
        memset(longer, 0, sizeof(longer));
        memcpy(longer, block.der.at, key_pem.blocks[0].der.len);
        block.der = span_of(longer, key_pem.blocks[0].der.len + 1);
        assert_int_equal(key_parse(&block, &key, NULL), ERR_FORMAT);
        secret_wipe(longer, sizeof(longer));
        pem_done(&cert_pem);
        pem_done(&key_pem);
        testpki_bundle_done(&bundle);
    }
}

/* Whichever of a key's numbers is damaged: it is no key any more, or cannot sign for its certificate.
 */
static void damaged_numbers_are_found(void **state)
{
    (void)state;
    static const struct {
        enum testpki_key kind;
        size_t from, skipped; /* its numbers stand here; so many octets behind them do not count */
        size_t step;          /* RSA keys are long and slow to read */
    } rows[] = {
        {TESTPKI_RSA2048_PKCS1, 7, 0, 5},      /* all behind the version */
        {TESTPKI_P256, 36, P256_POINT + 5, 1}, /* the scalar */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct testpki_bundle bundle;
        testpki_bundle(pki, 6, rows[i].kind, &bundle);
        struct pem cert_pem = parse(bundle.client_cert), key_pem = parse(bundle.private_key);
        struct pem_block block = key_pem.blocks[0];
        struct cert cert;
        assert_int_equal(cert_parse(cert_pem.blocks[0].der, &cert, NULL), 0);
        char damaged[2048];
        memcpy(damaged, block.der.at, block.der.len);
        block.der.at = damaged;
        for (size_t at = rows[i].from; at < block.der.len - rows[i].skipped; at += rows[i].step) {
            struct key *key = NULL;
            damaged[at] ^= 0x10;
            if (key_parse(&block, &key, NULL) == 0 && key_belongs_to(key, &cert, cert_pem.blocks[0].der)) {
                fail_msg("octet %zu of a %s", at, key_kind_name(key_kind(key)));
            }
            key_free(key);
            damaged[at] ^= 0x10;
        }
        secret_wipe(damaged, sizeof(damaged));
        pem_done(&key_pem);
        pem_done(&cert_pem);
        testpki_bundle_done(&bundle);
    }
}

/* A key file whose public part is another key's says that it belongs to the other's certificate. It cannot
 * sign. `point` octets at its end are that public part. */
static void lend_public_part(enum testpki_key kind, size_t point, const char *expected)
{
    struct testpki_bundle mine, other;
    testpki_bundle(pki, 1, kind, &mine);
    testpki_bundle(pki, 2, kind, &other);
    struct pem key_pem = parse(mine.private_key), other_pem = parse(other.private_key);
    struct span der = key_pem.blocks[0].der, other_der = other_pem.blocks[0].der;
    char forged[512];
    assert_int_equal(der.len, other_der.len);
    memcpy(forged, der.at, der.len - point);
    memcpy(forged + der.len - point, other_der.at + other_der.len - point, point);
    const struct pem_block block = {
        .label = key_pem.blocks[0].label, .line = 1, .der = span_of(forged, der.len)};

    struct key *key = NULL;
    struct err_info why = {0};
    assert_int_equal(key_parse(&block, &key, &why), ERR_FORMAT);
    assert_non_null(strstr(why.text, expected));
    secret_wipe(forged, sizeof(forged));
    pem_done(&key_pem);
    pem_done(&other_pem);
    testpki_bundle_done(&mine);
    testpki_bundle_done(&other);
}

static void a_borrowed_public_part_is_found_out(void **state)
{
    (void)state;
    lend_public_part(TESTPKI_P256, P256_POINT, "another key");
    lend_public_part(TESTPKI_P256_SEC1, P256_POINT, "another key");
    lend_public_part(TESTPKI_P384, P384_POINT, "another key");
}

/* The scalar of a P-256 key in PKCS#8 begins at this octet. */
#define P256_SCALAR 36

/* Zero, the group's order and what is above it are no private keys, whatever else is right. */
static void scalars_beyond_the_curve_are_refused(void **state)
{
    (void)state;
    static const char order[] = "\xFF\xFF\xFF\xFF\x00\x00\x00\x00\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"
                                "\xBC\xE6\xFA\xAD\xA7\x17\x9E\x84\xF3\xB9\xCA\xC2\xFC\x63\x25\x51";
    struct testpki_bundle bundle;
    testpki_bundle(pki, 1, TESTPKI_P256, &bundle);
    struct pem pem = parse(bundle.private_key);
    struct pem_block block = pem.blocks[0];
    char changed[512];
    memcpy(changed, block.der.at, block.der.len);
    block.der.at = changed;
    struct key *key;
    memset(changed + P256_SCALAR, 0, 32);
    assert_int_equal(key_parse(&block, &key, NULL), ERR_FORMAT);
    memset(changed + P256_SCALAR, 0xFF, 32);
    assert_int_equal(key_parse(&block, &key, NULL), ERR_FORMAT);
    memcpy(changed + P256_SCALAR, order, 32);
    assert_int_equal(key_parse(&block, &key, NULL), ERR_FORMAT);
    secret_wipe(changed, sizeof(changed));
    pem_done(&pem);
    testpki_bundle_done(&bundle);
}

/* A certificate whose point is on no curve cannot be anybody's. */
static void points_beside_the_curve_are_refused(void **state)
{
    (void)state;
    struct testpki_bundle bundle;
    testpki_bundle(pki, 1, TESTPKI_P256, &bundle);
    struct pem pem = parse(bundle.client_cert);
    struct span der = pem.blocks[0].der;
    static const char before[] = "\x03\x01\x07\x03\x42\x00\x04";
    const char *point = memmem(der.at, der.len, before, sizeof(before) - 1);
    assert_non_null(point);
    char changed[2048];
    memcpy(changed, der.at, der.len);
    changed[point - der.at + 20] ^= 1;
    struct cert cert;
    struct err_info why = {0};
    assert_int_equal(cert_parse(span_of(changed, der.len), &cert, &why), ERR_FORMAT);
    assert_non_null(strstr(why.text, "public key"));
    pem_done(&pem);
    testpki_bundle_done(&bundle);
}

/* The fingerprint of a P-256 key written with this point form, with or without its public part. */
static struct digest fingerprint_of_form(EVP_PKEY *pkey, const char *form, int has_public)
{
    assert_int_equal(EVP_PKEY_set_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, form),
                     1);
    assert_int_equal(EVP_PKEY_set_int_param(pkey, OSSL_PKEY_PARAM_EC_INCLUDE_PUBLIC, has_public), 1);
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(pkey);
    unsigned char *der = NULL;
    int len = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
    assert_true(len > 0);
    const struct pem_block block = {
        .label = PEM_PKCS8, .line = 1, .der = span_of((const char *)der, (size_t)len)};
    struct key *key;
    assert_int_equal(key_parse(&block, &key, NULL), 0);
    struct digest fingerprint = *key_fingerprint(key);
    key_free(key);
    OPENSSL_free(der);
    PKCS8_PRIV_KEY_INFO_free(info);
    return fingerprint;
}

static void one_key_has_one_fingerprint_in_every_form(void **state)
{
    (void)state;
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    struct digest uncompressed = fingerprint_of_form(pkey, "uncompressed", 1);
    struct digest compressed = fingerprint_of_form(pkey, "compressed", 1);
    struct digest missing = fingerprint_of_form(pkey, "uncompressed", 0);
    assert_true(digest_eq(&uncompressed, &compressed));
    assert_true(digest_eq(&uncompressed, &missing));
    EVP_PKEY_free(pkey);
}

static void encrypted_keys_are_named_as_such(void **state)
{
    (void)state;
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    for (int is_old = 0; is_old < 2; is_old++) {
        BIO *bio = BIO_new(BIO_s_mem());
        char *text, passphrase[] = "secret";
        if (is_old) {
            assert_int_equal(PEM_write_bio_PrivateKey_traditional(bio, pkey, EVP_aes_128_cbc(),
                                                                  (unsigned char *)passphrase, 6, NULL, NULL),
                             1);
        } else {
            assert_int_equal(
                PEM_write_bio_PKCS8PrivateKey(bio, pkey, EVP_aes_128_cbc(), passphrase, 6, NULL, NULL), 1);
        }
        long len = BIO_get_mem_data(bio, &text);
        struct pem pem;
        struct key *key;
        struct err_info why = {0};
        assert_int_equal(pem_parse(span_of(text, (size_t)len), &pem), 0);
        assert_int_equal(key_parse(&pem.blocks[0], &key, &why), ERR_FORMAT);
        assert_non_null(strstr(why.text, "lint --fix"));
        pem_done(&pem);
        BIO_free(bio);
    }
    EVP_PKEY_free(pkey);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_real_certificate),
        cmocka_unit_test(keys_and_certificates_find_each_other),
        cmocka_unit_test(a_serial_number_makes_an_identity_with_its_issuer),
        cmocka_unit_test(der_must_be_whole_and_alone),
        cmocka_unit_test(damaged_numbers_are_found),
        cmocka_unit_test(a_borrowed_public_part_is_found_out),
        cmocka_unit_test(scalars_beyond_the_curve_are_refused),
        cmocka_unit_test(points_beside_the_curve_are_refused),
        cmocka_unit_test(one_key_has_one_fingerprint_in_every_form),
        cmocka_unit_test(encrypted_keys_are_named_as_such),
    };
    return cmocka_run_group_tests(tests, make_pki, free_pki);
}
