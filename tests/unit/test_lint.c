/* exchange/lint: every bad file that boards and people were seen with, named with its place; all faults of a
 * file and not the first; and what is mended loses nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exchange/lint.h"
#include "job/place.h"
#include "pki/chain.h"
#include "pki/content.h"
#include "support/pemtext.h"
#include "support/testpki.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))
#define NOW      1893456000 /* 2030 */
#define IMEI     "351465800000002"

static struct testpki *pki;
static struct testpki_bundle bundle, other, rsa;

static int set_up_group(void **state)
{
    (void)state;
    pki = testpki_new(3);
    testpki_bundle(pki, 1, TESTPKI_P256, &bundle);
    testpki_bundle(pki, 2, TESTPKI_P256, &other);
    testpki_bundle(pki, 1, TESTPKI_RSA2048, &rsa);
    return 0;
}

static int tear_down_group(void **state)
{
    (void)state;
    testpki_bundle_done(&bundle);
    testpki_bundle_done(&other);
    testpki_bundle_done(&rsa);
    testpki_free(pki);
    return 0;
}

/* The names of the findings, each behind a blank. */
static const char *names_of(const struct lint_report *report)
{
    static char names[2048];
    names[0] = '\0';
    for (size_t i = 0; i < report->n; i++) {
        const struct lint_finding *finding = &report->findings[i];
        assert_true(finding->what[0] != '\0' && finding->why[0] != '\0' && finding->remedy[0] != '\0');
        size_t n = strlen(names);
        (void)snprintf(names + n, sizeof(names) - n, " %s", finding->name);
    }
    return names;
}

static struct lint *new_lint(const struct lint_config *config)
{
    struct lint *lint = lint_new(config);
    assert_non_null(lint);
    return lint;
}

static void judge(const struct lint_config *config, enum cred_type type, struct span text,
                  struct lint_report *report)
{
    struct lint *lint = new_lint(config);
    struct lint_credential credential;
    *report = (struct lint_report){0};
    assert_int_equal(lint_text(lint, type, text, report, &credential), 0);
    lint_credential_done(&credential);
    lint_free(lint);
}

/* ---- the form of a text */

static void good_texts_have_no_findings(void **state)
{
    (void)state;
    const struct {
        enum cred_type type;
        const char *text;
    } rows[] = {
        {CRED_CA, pemtext_amazon()},         {CRED_CLIENT_CERT, bundle.client_cert},
        {CRED_CLIENT_CERT, rsa.client_cert}, {CRED_PRIVATE_KEY, bundle.private_key},
        {CRED_PRIVATE_KEY, rsa.private_key}, {CRED_PSK, "00112233445566778899aabbccddeeff"},
        {CRED_PSK_IDENTITY, "nrf-" IMEI},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct lint_report report;
        judge(&(struct lint_config){.now_s = NOW}, rows[i].type, span_str(rows[i].text), &report);
        assert_string_equal(names_of(&report), "");
        assert_false(lint_is_refused(&report));
        if (rows[i].type != CRED_PSK_IDENTITY) { /* which may look like anything */
            assert_int_equal(lint_guess(span_str(rows[i].text)), rows[i].type);
        }
    }
}

/* What people do to certificates and keys, and what becomes of it. `mends`: the canonical form is that of the
 * text before it was damaged. */
static const struct damage {
    struct pemtext_change change;
    const char *names;
    int line, column; /* of the first */
    bool is_refused, mends;
} damages[] = {
    /* nRF9151 2.0.2: the whole PEM on one line, blanks for line ends */
    {{.line_end = " "}, " blanks_for_breaks trailing_blank", 1, 28, true, true},
    /* the same board: a blank before BEGIN */
    {{.before = " "}, " leading_blank", 1, 1, true, true},
    /* the same board: literal \n, and with a blank behind each */
    {{.line_end = "\\n"}, " literal_backslash_n", 1, 28, true, true},
    {{.line_end = "\\n "}, " literal_backslash_n leading_blank trailing_blank", 1, 28, true, true},
    {{.line_end = "\\r\\n"}, " literal_backslash_n", 1, 28, true, true},
    {{.line_end = "\\n\n"}, " literal_backslash_n", 1, 28, true, true},
    {{.line_end = ""}, " no_line_breaks", 1, 28, true, true},
    {{.line_end = "\r"}, " cr_only", 1, 28, true, true},
    {{.before = "\xEF\xBB\xBF"}, " bom", 1, 1, true, true},
    {{.before = "Bag Attributes\n"}, " leading_text", 1, 1, true, true},
    {{.behind = "bye\n"}, " trailing_text", 0, 1, true, true},
    {{.before = "\n"}, " leading_line_end", 1, 1, false, true},
    {{.line_end = " \n"}, " trailing_blank", 1, 28, false, true},
    {{.line_end = "\n\n"}, " empty_line", 0, 0, false, true},
    {{.line_end = "\r\n"}, "", 0, 0, false, true},
    {{.drops_final = 1}, "", 0, 0, false, true},
    {{.find = "-----END", .put = "----END"}, " no_end", 0, 0, true, false},
    {{.find = "-----END", .put = "~~~~"}, " no_end", 0, 0, true, false},
    {{.find = "M", .put = "?"}, " bad_base64", 2, 1, true, false},
    {{.find = "-----BEGIN", .put = "--BEGIN"}, " not_pem", 0, 0, true, false},
    {{.find = "END CERTIFICATE", .put = "END PRIVATE KEY"}, " labels_differ", 0, 0, true, false},
    {{.find = "MI", .put = "M"}, " line_width bad_base64", 0, 0, true, false},
};

static void damaged_texts_are_named_and_mended(void **state)
{
    (void)state;
    struct lint *lint = new_lint(&(struct lint_config){.now_s = NOW});
    for (size_t i = 0; i < COUNT(damages); i++) {
        const struct damage *row = &damages[i];
        struct lint_report report = {0};
        struct lint_credential credential;
        char text[PEMTEXT_SIZE], mended[CRED_CONTENT_MAX];
        size_t len = pemtext_make(pemtext_amazon(), &row->change, text);
        assert_int_equal(lint_text(lint, CRED_CA, span_of(text, len), &report, &credential), 0);
        if (strcmp(names_of(&report), row->names) != 0) {
            fail_msg("row %zu: \"%s\" and not \"%s\"", i, names_of(&report), row->names);
        }
        assert_int_equal(lint_is_refused(&report), row->is_refused);
        if (row->line > 0) {
            assert_int_equal(report.findings[0].line, row->line);
            assert_int_equal(report.findings[0].column, row->column);
        }
        int64_t n = lint_canonical(lint, &credential, mended, sizeof(mended));
        assert_int_equal(n > 0, row->mends);
        if (n > 0) {
            assert_int_equal(n, strlen(pemtext_amazon()));
            assert_memory_equal(mended, pemtext_amazon(), (size_t)n);
        }
        lint_credential_done(&credential);
    }
    lint_free(lint);
}

/* A key with literal \n is taken by the modem with OK; the lint says so and that it is another board's key.
 */
static void all_faults_are_told_at_once(void **state)
{
    (void)state;
    struct lint *lint = new_lint(&(struct lint_config){.now_s = NOW});
    struct lint_report report = {0};
    struct lint_credential cert, key;
    char text[PEMTEXT_SIZE];
    size_t len = pemtext_make(other.private_key, &(struct pemtext_change){.line_end = "\\n"}, text);
    assert_int_equal(lint_text(lint, CRED_CLIENT_CERT, span_str(bundle.client_cert), &report, &cert), 0);
    assert_int_equal(lint_text(lint, CRED_PRIVATE_KEY, span_of(text, len), &report, &key), 0);
    assert_int_equal(lint_pair(lint, &(struct lint_owner){.id = "a"}, &cert, &key, &report), 0);
    assert_string_equal(names_of(&report), " literal_backslash_n key_mismatch");
    lint_credential_done(&cert);
    lint_credential_done(&key);
    lint_free(lint);
}

/* ---- content */

static void contents_are_judged(void **state)
{
    (void)state;
    struct testpki_bundle ed, p384;
    testpki_bundle(pki, 5, TESTPKI_ED25519, &ed);
    testpki_bundle(pki, 5, TESTPKI_P384, &p384);
    char both[PEMTEXT_SIZE], keys[PEMTEXT_SIZE];
    (void)snprintf(both, sizeof(both), "%s%s", bundle.client_cert, bundle.private_key);
    (void)snprintf(keys, sizeof(keys), "%s%s", bundle.private_key, other.private_key);
    static const char fake[] = "-----BEGIN CERTIFICATE-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA"
                               "\n-----END CERTIFICATE-----\n";
    char early[PEMTEXT_SIZE], dates[PEMTEXT_SIZE], broken[PEMTEXT_SIZE];
    (void)pemtext_patch(bundle.client_cert, "240101000000Z", "310101000000Z", early);
    (void)pemtext_patch(bundle.client_cert, "491231235959Z", "231231235959Z", dates);
    (void)pemtext_make(bundle.private_key, &(struct pemtext_change){.find = "MI", .put = "AA"}, broken);
    static const char public[] = "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n";
    static const char encrypted[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n"
                                    "-----END ENCRYPTED PRIVATE KEY-----\n";
    const struct {
        enum cred_type type;
        const char *text, *names;
        int64_t now_s;
    } rows[] = {
        {CRED_CLIENT_CERT, fake, " certificate_invalid", NOW},
        {CRED_CA, "HONKHONK", " not_pem", NOW}, /* nRF9160 0.7 stored it */
        {CRED_CLIENT_CERT, "", " not_pem", NOW},
        {CRED_CLIENT_CERT, bundle.private_key, " wrong_type", NOW},
        {CRED_PRIVATE_KEY, bundle.client_cert, " wrong_type", NOW},
        {CRED_CLIENT_CERT, both, " mixed", NOW},
        {CRED_PRIVATE_KEY, keys, " several_keys", NOW},
        {CRED_PRIVATE_KEY, encrypted, " key_encrypted", NOW},
        {CRED_PRIVATE_KEY, ed.private_key, " key_kind", NOW},
        {CRED_CLIENT_CERT, ed.client_cert, " key_kind", NOW},
        {CRED_PRIVATE_KEY, p384.private_key, "", NOW},
        {CRED_CLIENT_CERT, p384.client_cert, "", NOW},
        {CRED_CLIENT_CERT, bundle.client_cert, " certificate_expired", 2840140800},
        {CRED_CLIENT_CERT, bundle.client_cert, " clock_not_set", 86400},
        {CRED_CLIENT_CERT, early, " certificate_not_yet_valid", NOW},
        {CRED_CLIENT_CERT, dates, " certificate_dates", NOW},
        {CRED_PRIVATE_KEY, broken, " key_invalid", NOW},
        {CRED_CLIENT_CERT, public, " not_a_credential", NOW},
        {CRED_CLIENT_CERT, testpki_ca(pki), " ca_as_client", NOW},
        {CRED_CA, bundle.client_cert, " no_ca", NOW},
        {CRED_PSK, "6e7266393174657374", " psk_short", NOW},
        {CRED_PSK, "6e72663931746573x4", " psk_invalid", NOW},
        {CRED_PSK, "6e7", " psk_invalid", NOW},
        {CRED_PSK, "", " psk_invalid", NOW},
        {CRED_PSK, "00112233445566778899aabbccddeeff\n", " psk_invalid", NOW},
        {CRED_PSK_IDENTITY, "a\"b", " identity_invalid", NOW},
        {CRED_PSK_IDENTITY, "", " identity_invalid", NOW},
        {CRED_PSK_IDENTITY, "\xC3\xA4", " identity_invalid", NOW},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct lint_report report;
        judge(&(struct lint_config){.now_s = rows[i].now_s}, rows[i].type, span_str(rows[i].text), &report);
        if (strcmp(names_of(&report), rows[i].names) != 0) {
            fail_msg("row %zu: \"%s\" and not \"%s\"", i, names_of(&report), rows[i].names);
        }
    }
    testpki_bundle_done(&ed);
    testpki_bundle_done(&p384);
}

/* 4,072 octets under a tag of eight digits make the longest command that Nordic's AT host takes. */
static void commands_are_measured(void **state)
{
    (void)state;
    static const struct product product = {.final_line_end = true,
                                           .n_entries = 1,
                                           .entries = {{.sec_tag = 16842753, .type = CRED_PSK_IDENTITY}}};
    char many[3 * PEMTEXT_SIZE] = "";
    const struct {
        int n; /* ISRG Root X1, 1,939 octets each */
        const char *names;
    } rows[] = {{2, ""}, {3, " command_length"}, {4, " command_length"}, {5, " too_long"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct lint_report report;
        many[0] = '\0';
        for (int k = 0; k < rows[i].n; k++) {
            strcat(many, pemtext_isrg());
        }
        judge(&(struct lint_config){.now_s = NOW, .product = &product}, CRED_CA, span_str(many), &report);
        assert_string_equal(names_of(&report), rows[i].names);
        if (rows[i].n == 3) {
            assert_string_equal(report.findings[0].what, "the command that writes it has 5840 characters");
        }
    }
}

static void chains_are_checked(void **state)
{
    (void)state;
    struct testpki *stranger = testpki_new(4);
    struct chain *mine = NULL, *theirs = NULL;
    assert_int_equal(chain_new(span_str(testpki_ca(pki)), &mine, NULL), 0);
    assert_int_equal(chain_new(span_str(testpki_ca(stranger)), &theirs, NULL), 0);
    struct lint_report report;
    judge(&(struct lint_config){.now_s = NOW, .chain = mine}, CRED_CLIENT_CERT, span_str(bundle.client_cert),
          &report);
    assert_string_equal(names_of(&report), "");
    judge(&(struct lint_config){.now_s = NOW, .chain = theirs}, CRED_CLIENT_CERT,
          span_str(bundle.client_cert), &report);
    assert_string_equal(names_of(&report), " chain");
    /* Expired is said once, by its own name. */
    judge(&(struct lint_config){.now_s = 2840140800, .chain = mine}, CRED_CLIENT_CERT,
          span_str(bundle.client_cert), &report);
    assert_string_equal(names_of(&report), " certificate_expired");
    chain_free(mine);
    chain_free(theirs);
    testpki_free(stranger);
}

/* ---- together */

static void pair(struct lint *lint, const char *id, const char *imei, const char *cert_text,
                 const char *key_text, struct lint_report *report)
{
    struct lint_credential cert, key;
    *report = (struct lint_report){0};
    assert_int_equal(lint_text(lint, CRED_CLIENT_CERT, span_str(cert_text), report, &cert), 0);
    assert_int_equal(lint_text(lint, CRED_PRIVATE_KEY, span_str(key_text), report, &key), 0);
    assert_int_equal(lint_pair(lint, &(struct lint_owner){.id = id, .imei = imei}, &cert, &key, report), 0);
    lint_credential_done(&cert);
    lint_credential_done(&key);
}

static void twins_are_found_across_files(void **state)
{
    (void)state;
    struct lint *lint = new_lint(&(struct lint_config){.now_s = NOW});
    struct lint_report report;
    pair(lint, "row 1", NULL, bundle.client_cert, bundle.private_key, &report);
    assert_string_equal(names_of(&report), "");
    pair(lint, "row 1", NULL, bundle.client_cert, bundle.private_key, &report); /* the same place again */
    assert_string_equal(names_of(&report), "");
    pair(lint, "row 2", NULL, other.client_cert, other.private_key, &report);
    assert_string_equal(names_of(&report), "");
    pair(lint, "row 3", NULL, bundle.client_cert, bundle.private_key, &report);
    assert_string_equal(names_of(&report), " duplicate_identity duplicate_key");
    assert_string_equal(report.findings[1].what, "the same key is in row 1");
    lint_free(lint);
}

/* testpki's names are nrf-<seed>-<index>. */
static void names_follow_the_products_scheme(void **state)
{
    (void)state;
    static const struct {
        const char *scheme, *names;
        enum device_cloud cloud;
    } rows[] = {
        {"any", "", CLOUD_NONE},
        {"", "", CLOUD_NRFCLOUD},
        {"nrf-*", "", CLOUD_AZURE},
        {"acme-*", " device_id", CLOUD_NONE},
        {"nrf-imei", " device_id", CLOUD_NRFCLOUD},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct product product = {.cloud = rows[i].cloud, .final_line_end = true};
        strcpy(product.device_id, rows[i].scheme);
        struct lint *lint = new_lint(&(struct lint_config){.now_s = NOW, .product = &product});
        struct lint_report report;
        pair(lint, "a", IMEI, bundle.client_cert, bundle.private_key, &report);
        assert_string_equal(names_of(&report), rows[i].names);
        lint_free(lint);
    }
}

static void identities_are_judged_too(void **state)
{
    (void)state;
    struct product product = {.device_id = "nrf-imei"};
    struct lint *lint = new_lint(&(struct lint_config){.now_s = NOW, .product = &product});
    static const struct {
        const char *id, *identity, *psk, *names;
    } rows[] = {
        {"1", "nrf-" IMEI, "00112233445566778899aabbccddeeff", ""},
        {"2", "nrf-351465800000010", "00112233445566778899aabbccddeef0", " device_id"},
        {"3", "nrf-" IMEI, "00112233445566778899aabbccddeeff", " duplicate_identity duplicate_key"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct lint_report report = {0};
        struct lint_credential psk, identity;
        assert_int_equal(lint_text(lint, CRED_PSK, span_str(rows[i].psk), &report, &psk), 0);
        assert_int_equal(lint_text(lint, CRED_PSK_IDENTITY, span_str(rows[i].identity), &report, &identity),
                         0);
        assert_int_equal(lint_identity(lint, &(struct lint_owner){.id = rows[i].id, .imei = IMEI}, &psk,
                                       &identity, &report),
                         0);
        assert_string_equal(names_of(&report), rows[i].names);
        lint_credential_done(&psk);
        lint_credential_done(&identity);
    }
    lint_free(lint);
}

static void tags_that_are_not_ours(void **state)
{
    (void)state;
    static const struct {
        int64_t tag;
        const char *names;
    } rows[] = {
        {0, ""},
        {16842753, ""},
        {2147483647, ""},
        {2147483648, " test_tag"},
        {2147483667, " test_tag"},
        {2147483668, " reserved_tag"},
        {4294967294, " reserved_tag"},
        {INT64_MAX, " reserved_tag"},
        {-1, " reserved_tag"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct lint_report report = {0};
        lint_tag(rows[i].tag, &report);
        assert_string_equal(names_of(&report), rows[i].names);
    }
}

/* A product with native TLS: what of one tag does not fit into its buffer is stored and never loaded. */
static void native_tls_has_a_room(void **state)
{
    (void)state;
    static struct product product = {.final_line_end = true, .native_tls = true, .n_entries = 3};
    static const struct lint_config config = {.now_s = NOW, .product = &product};
    const struct lint_owner owner = {.id = "row 1"};
    size_t own = strlen(rsa.client_cert) + 1 + strlen(rsa.private_key) + 1;
    static const char ca[PLACE_NATIVE_ROOM]; /* its octets are not looked at */
    for (size_t over = 0; over <= 1; over++) {
        struct lint *lint = new_lint(&config);
        struct lint_credential cert, key;
        struct lint_report report = {0};
        product.entries[0] = (struct product_entry){
            .sec_tag = 7, .type = CRED_CA, .content = span_of(ca, PLACE_NATIVE_ROOM - own - 1 + over)};
        product.entries[1] =
            (struct product_entry){.sec_tag = 7, .type = CRED_CLIENT_CERT, .from_bundle = true};
        product.entries[2] =
            (struct product_entry){.sec_tag = 7, .type = CRED_PRIVATE_KEY, .from_bundle = true};
        assert_int_equal(lint_text(lint, CRED_CLIENT_CERT, span_str(rsa.client_cert), &report, &cert), 0);
        assert_int_equal(lint_text(lint, CRED_PRIVATE_KEY, span_str(rsa.private_key), &report, &key), 0);
        const struct lint_credential *const all[CRED_TYPES] = {
            [CRED_CLIENT_CERT] = &cert, [CRED_PRIVATE_KEY] = &key};
        lint_room(lint, &owner, all, &report);
        assert_string_equal(names_of(&report), over ? " native_tls_room" : "");
        assert_int_equal(lint_is_refused(&report), over);
        lint_credential_done(&cert);
        lint_credential_done(&key);
        lint_free(lint);
    }
}

static void reports_are_bounded(void **state)
{
    (void)state;
    struct lint_report report = {0};
    for (int i = 0; i < LINT_FINDINGS_MAX + 3; i++) {
        lint_tag(-1, &report);
    }
    assert_int_equal(report.n, LINT_FINDINGS_MAX);
    assert_true(report.is_cut);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_texts_have_no_findings),  cmocka_unit_test(damaged_texts_are_named_and_mended),
        cmocka_unit_test(all_faults_are_told_at_once),  cmocka_unit_test(contents_are_judged),
        cmocka_unit_test(commands_are_measured),        cmocka_unit_test(chains_are_checked),
        cmocka_unit_test(twins_are_found_across_files), cmocka_unit_test(names_follow_the_products_scheme),
        cmocka_unit_test(identities_are_judged_too),    cmocka_unit_test(tags_that_are_not_ours),
        cmocka_unit_test(native_tls_has_a_room),        cmocka_unit_test(reports_are_bounded),
    };
    return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
