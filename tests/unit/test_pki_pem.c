/*
 * pki/pem: what is wrong with a text and where, and the one form in which it is written anew. The bad texts
 * are those of recorded dialogues, made from the certificate that people used there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/hex.h"
#include "pki/digest.h"
#include "pki/pem.h"
#include "support/pemtext.h"

/* Names of all findings, one behind the other. */
static void names_of(const struct pem *pem, char *out, size_t size)
{
    out[0] = '\0';
    for (size_t i = 0; i < pem->n_findings; i++) {
        size_t len = strlen(out);
        (void)snprintf(out + len, size - len, "%s%s", i > 0 ? " " : "",
                       pem_fault_text(pem->findings[i].fault)->name);
    }
}

static void assert_findings(const char *names, const char *wanted, const char *story)
{
    if (strcmp(names, wanted) != 0) {
        fail_msg("%s: found \"%s\" instead of \"%s\"", story, names, wanted);
    }
}

static const struct bad_text {
    const char *story;
    struct pemtext_change change;
    const char *findings;
    int line, column; /* of the first */
} bad_texts[] = {
    {"as published", {0}, "", 0, 0},
    {"CRLF", {.line_end = "\r\n"}, "", 0, 0},
    {"CRLF, none at the end", {.line_end = "\r\n", .drops_final = 1}, "", 0, 0},
    {"no last line end", {.drops_final = 1}, "", 0, 0},
    {"two line ends at the end", {.behind = "\n\n"}, "", 0, 0},
    {"one line, blank in front: nRF9151 2.0.2",
     {.before = " ", .line_end = " "},
     "leading_blank blanks_for_breaks trailing_blank",
     1,
     1},
    {"one line with blanks", {.line_end = " ", .drops_final = 1}, "blanks_for_breaks", 1, 28},
    {"literals, blank in front: nRF9151 2.0.2",
     {.before = " ", .line_end = "\\n "},
     "leading_blank literal_backslash_n trailing_blank",
     1,
     1},
    {"literals", {.line_end = "\\n"}, "literal_backslash_n", 1, 28},
    {"literals, none at the end", {.line_end = "\\n", .drops_final = 1}, "literal_backslash_n", 1, 28},
    {"literal CRLF", {.line_end = "\\r\\n"}, "literal_backslash_n", 1, 28},
    {"carriage returns", {.line_end = "\r"}, "cr_only", 1, 28},
    {"doubled carriage returns", {.line_end = "\r\r\n"}, "cr_only", 1, 28},
    {"no line ends at all", {.line_end = ""}, "no_line_breaks", 1, 28},
    {"no line end before END", {.find = "\n-----END", .put = "-----END"}, "no_line_breaks", 19, 29},
    {"indented", {.line_end = "\n  "}, "leading_blank trailing_blank", 2, 1},
    {"blank in front", {.before = " "}, "leading_blank", 1, 1},
    {"tab in front", {.before = "\t"}, "leading_blank", 1, 1},
    {"line end in front", {.before = "\n"}, "leading_line_end", 1, 1},
    {"blanks at line ends", {.line_end = " \n"}, "trailing_blank", 1, 28},
    {"empty line inside", {.find = "\nMII", .put = "\n\nMII"}, "empty_line", 1, 28},
    {"text in front", {.before = "subject=C = US\n"}, "leading_text", 1, 1},
    {"text behind", {.behind = "issuer=C = US\n"}, "trailing_text", 21, 1},
    {"byte order mark", {.before = "\xEF\xBB\xBF"}, "bom", 1, 1},
    {"a quotation mark inside", {.find = "MII", .put = "M\"I"}, "bad_base64", 2, 2},
    {"a NUL's stand-in", {.find = "MII", .put = "M\001I"}, "bad_base64", 2, 2},
    {"a lost character", {.find = "MIID", .put = "MID"}, "line_width bad_base64", 2, 64},
    {"padding in the middle", {.find = "MIID", .put = "MI=D"}, "bad_base64", 2, 4},
    {"no END line", {.find = "-----END CERTIFICATE-----\n", .put = ""}, "no_end", 20, 1},
    {"END line cut off", {.find = "CERTIFICATE-----\n", .put = "CERTIFICATE----\n"}, "bad_boundary", 1, 1},
    {"BEGIN without dashes", {.find = "-----BEGIN ", .put = "BEGIN "}, "not_pem", 1, 1},
    {"END names another thing",
     {.find = "END CERTIFICATE", .put = "END PRIVATE KEY"},
     "labels_differ",
     20,
     1},
    {"a stray dash", {.find = "MII", .put = "-----"}, "no_end", 2, 1},
};

static void finds_and_places_what_is_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad_texts) / sizeof(*bad_texts); i++) {
        const struct bad_text *row = &bad_texts[i];
        char text[PEMTEXT_SIZE], names[200];
        size_t len = pemtext_make(pemtext_amazon(), &row->change, text);
        struct pem pem;
        assert_int_equal(pem_parse(span_of(text, len), &pem), 0);
        names_of(&pem, names, sizeof(names));
        assert_findings(names, row->findings, row->story);
        if (pem.n_findings > 0 &&
            (pem.findings[0].line != row->line || pem.findings[0].column != row->column)) {
            fail_msg("%s: at %d:%d", row->story, pem.findings[0].line, pem.findings[0].column);
        }
        pem_done(&pem);
    }
}

/* The text of the dialogue with modem firmware 2.0.4, and others that are no certificate's. */
static void reads_short_texts(void **state)
{
    (void)state;
    static const struct {
        const char *text, *findings;
        size_t n_blocks;
    } rows[] = {
        {"", "not_pem", 0},
        {"HONKHONK", "not_pem", 0},
        {"-----BEGIN CERTIFICATE-----\\nMIIBIjAN...\\n-----END CERTIFICATE-----\\n",
         "literal_backslash_n bad_base64", 1},
        {"-----BEGIN RSA PRIVATE KEY-----\\n...\\n-----END RSA PRIVATE KEY-----\\n",
         "literal_backslash_n bad_base64", 1},
        {"-----BEGIN X-----\n-----END X-----\n", "empty", 1},
        {"-----BEGIN X----------END X-----", "no_line_breaks empty", 1},
        {"-----BEGIN X-----\nQUJD\n-----END X-----\n", "", 1},
        {"-----BEGIN X-----\nQUI=\n-----END X-----\n", "", 1},
        {"-----BEGIN X-----\nQQ==\n-----END X-----\n", "", 1},
        {"-----BEGIN X-----\nQ===\n-----END X-----\n", "bad_base64", 1},
        {"-----BEGIN X-----\n====\n-----END X-----\n", "bad_base64", 1},
        {"-----BEGIN X-----\nQUJ\n-----END X-----\n", "bad_base64", 1},
        {"-----BEGIN X-----\nQU JD\n-----END X-----\n", "blanks_for_breaks", 1},
        {"-----BEGIN X-----\nQUJD\nQUJD\n-----END X-----\n", "line_width", 1},
        {"-----BEGIN X-----\nQUJD\n-----END X-----\n-----BEGIN X-----\nQUJD\n-----END X-----\n", "", 2},
        {"-----BEGIN X-----\nQUJD\n-----END X-----\n\n\n-----BEGIN X-----\nQUJD\n-----END X-----", "", 2},
        {"-----BEGIN X-----\nQUJD\n-----END X----------BEGIN X-----\nQUJD\n-----END X-----\n",
         "no_line_breaks", 2},
        {"-----BEGIN X-----\nQUJD\n-----END X-----\nhere\n-----BEGIN X-----\nQUJD\n-----END X-----\n",
         "text_between", 2},
        {"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n-----BEGIN "
         "X-----\nQUJD\n"
         "-----END X-----\n",
         "ec_parameters", 1},
        {"-----BEGIN ", "bad_boundary", 0},
        {"-----BEGIN -----", "bad_boundary", 0},
        {"-----BEGIN x-----\n", "bad_boundary", 0},
        {"-----BEGIN X-----", "no_end", 0},
        {"-----BEGIN X-----\nQUJD\n-----END X", "no_end", 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct pem pem;
        char names[200];
        assert_int_equal(pem_parse(span_str(rows[i].text), &pem), 0);
        names_of(&pem, names, sizeof(names));
        assert_findings(names, rows[i].findings, rows[i].text);
        assert_int_equal(pem.n_blocks, rows[i].n_blocks);
        pem_done(&pem);
    }
}

static void knows_labels_and_encryption(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum pem_label label;
        bool is_encrypted;
    } rows[] = {
        {"-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n", PEM_CERTIFICATE, false},
        {"-----BEGIN PRIVATE KEY-----\nQUJD\n-----END PRIVATE KEY-----\n", PEM_PKCS8, false},
        {"-----BEGIN RSA PRIVATE KEY-----\nQUJD\n-----END RSA PRIVATE KEY-----\n", PEM_PKCS1, false},
        {"-----BEGIN EC PRIVATE KEY-----\nQUJD\n-----END EC PRIVATE KEY-----\n", PEM_SEC1, false},
        {"-----BEGIN ENCRYPTED PRIVATE KEY-----\nQUJD\n-----END ENCRYPTED PRIVATE KEY-----\n",
         PEM_PKCS8_ENCRYPTED, true},
        {"-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nQUJD\n"
         "-----END EC PRIVATE KEY-----\n",
         PEM_SEC1, true},
        {"-----BEGIN TRUSTED CERTIFICATE-----\nQUJD\n-----END TRUSTED CERTIFICATE-----\n", PEM_OTHER, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct pem pem;
        assert_int_equal(pem_parse(span_str(rows[i].text), &pem), 0);
        assert_int_equal(pem.n_findings, 0);
        assert_int_equal(pem.n_blocks, 1);
        assert_int_equal(pem.blocks[0].label, rows[i].label);
        assert_int_equal(pem.blocks[0].is_encrypted, rows[i].is_encrypted);
        pem_done(&pem);
    }
}

static void too_much_is_refused(void **state)
{
    (void)state;
    static char text[PEM_TEXT_MAX + 1];
    static const char block[] = "-----BEGIN X-----\nQUJD\n-----END X-----\n";
    struct pem pem;
    for (size_t i = 0; i < PEM_BLOCKS_MAX + 1; i++) {
        memcpy(text + i * (sizeof(block) - 1), block, sizeof(block) - 1);
    }
    assert_int_equal(pem_parse(span_of(text, (PEM_BLOCKS_MAX + 1) * (sizeof(block) - 1)), &pem), 0);
    assert_int_equal(pem_refusal(&pem)->fault, PEM_TOO_MANY);
    pem_done(&pem);
    memset(text, 'A', sizeof(text));
    assert_int_equal(pem_parse(span_of(text, sizeof(text)), &pem), 0);
    assert_int_equal(pem_refusal(&pem)->fault, PEM_TOO_LARGE);
    pem_done(&pem);
}

/* Digests as modems listed them or must list them (nRF9160 and nRF9151 dialogues). */
static void canonical_form_has_the_modems_digest(void **state)
{
    (void)state;
    static const struct {
        const char *(*text)(void);
        struct pem_style style;
        int64_t len;
        const char *hex;
    } rows[] = {
        {pemtext_amazon,
         {false, false},
         1187,
         "AD6FB002E6B34C0559FA8F93A3794FF12C4E3F119BD77290C52525123FB9EA74"},
        {pemtext_amazon,
         {false, true},
         1188,
         "2C43952EE9E000FF2ACC4E2ED0897C0A72AD5FA72C3D934E81741CBD54F05BD1"},
        {pemtext_amazon,
         {true, false},
         1206,
         "A86D8BF8D75130765A6453960E0E4E5158E0F3E43F86699EFE36190C463A25CF"},
        {pemtext_amazon,
         {true, true},
         1208,
         "56AE01E6773BDAEC4BFB216D4005ADB06E4F680BD8BFB8BE4C683CE921681897"},
        {pemtext_isrg,
         {true, true},
         1970,
         "4C99356C265EE06C0AE0502E74D38231263513726D001CFE28EA25E70AF2CC7F"},
        {pemtext_isrg,
         {false, true},
         1939,
         "22B557A27055B33606B6559F37703928D3E4AD79F110B407D04986E1843543D1"},
        {pemtext_isrg,
         {false, false},
         1938,
         "BD6681410FB05ECD2B414AFA3B02E285132CD289F9CAD10E5C850FC9888E576E"},
        {pemtext_isrg,
         {true, false},
         1968,
         "952D666AC5AF81F2D28209BB56643E1F7ED432B83626AC1904E2AD4861B4A6A6"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char out[PEMTEXT_SIZE], hex[2 * DIGEST_SIZE + 1];
        struct pem pem;
        struct digest digest;
        assert_int_equal(pem_parse(span_str(rows[i].text()), &pem), 0);
        int64_t len = pem_write(&pem, rows[i].style, out, sizeof(out));
        assert_int_equal(len, rows[i].len);
        sha256(span_of(out, (size_t)len), &digest);
        hex_encode(digest.octets, DIGEST_SIZE, hex);
        assert_string_equal(hex, rows[i].hex);

        assert_int_equal(pem_write(&pem, rows[i].style, out, (size_t)len), len);
        for (size_t size = 0; size < (size_t)len; size++) {
            assert_int_equal(pem_write(&pem, rows[i].style, out, size), ERR_FULL);
        }
        pem_done(&pem);
    }
}

/* Whatever was wrong with the form, the content is found if it is whole, and written as it should have been.
 */
static void damaged_forms_are_repaired(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad_texts) / sizeof(*bad_texts); i++) {
        char text[PEMTEXT_SIZE], out[PEMTEXT_SIZE];
        size_t len = pemtext_make(pemtext_amazon(), &bad_texts[i].change, text);
        struct pem pem;
        assert_int_equal(pem_parse(span_of(text, len), &pem), 0);
        if (pem.n_blocks == 1 && pem.blocks[0].der.len > 0) {
            int64_t n = pem_write(&pem, (struct pem_style){.final_line_end = true}, out, sizeof(out));
            assert_int_equal(n, strlen(pemtext_amazon()));
            assert_memory_equal(out, pemtext_amazon(), (size_t)n);
        } else {
            assert_non_null(pem_refusal(&pem));
        }
        pem_done(&pem);
    }
}

static void several_blocks_follow_one_another(void **state)
{
    (void)state;
    static const char text[] = "-----BEGIN CERTIFICATE-----\r\nQUJD\r\n-----END CERTIFICATE-----\r\n\r\n"
                               "-----BEGIN CERTIFICATE-----\r\nREVG\r\n-----END CERTIFICATE-----";
    static const char wanted[] = "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n"
                                 "-----BEGIN CERTIFICATE-----\nREVG\n-----END CERTIFICATE-----";
    char out[sizeof(text)];
    struct pem pem;
    assert_int_equal(pem_parse(span_str(text), &pem), 0);
    assert_null(pem_refusal(&pem));
    assert_int_equal(pem.blocks[1].line, 5);
    assert_int_equal(pem_write(&pem, (struct pem_style){0}, out, sizeof(out)), sizeof(wanted) - 1);
    assert_memory_equal(out, wanted, sizeof(wanted) - 1);
    pem_done(&pem);
}

static void every_fault_has_its_words(void **state)
{
    (void)state;
    for (int fault = 0; fault < PEM_FAULTS; fault++) {
        const struct pem_fault_text *text = pem_fault_text((enum pem_fault)fault);
        assert_non_null(text->name);
        assert_true(strlen(text->what) > 10 && strlen(text->why) > 10 && strlen(text->remedy) > 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_and_places_what_is_wrong),       cmocka_unit_test(reads_short_texts),
        cmocka_unit_test(knows_labels_and_encryption),          cmocka_unit_test(too_much_is_refused),
        cmocka_unit_test(canonical_form_has_the_modems_digest), cmocka_unit_test(damaged_forms_are_repaired),
        cmocka_unit_test(several_blocks_follow_one_another),    cmocka_unit_test(every_fault_has_its_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
