/* exchange/export and exchange/template: files byte for byte, from boards that passed in a real store with
 * sealed credentials; parts, filters, and boards that are left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "exchange/export.h"
#include "exchange/row.h"
#include "exchange/template.h"
#include "keys/keys.h"
#include "pki/content.h"
#include "pki/seal.h"
#include "store/read.h"
#include "support/storekit.h"
#include "support/testpki.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))
#define BOARDS   13

static const uint8_t octets[SEAL_KEY_SIZE] = "a key for tests of the exporting";

static struct fixture {
    struct testpki *pki;
    struct testpki_bundle bundles[BOARDS];
    struct seal_key *wrapping_key;
    struct keys *keys;
    struct kit kit;
    struct store_reader *reader;
    char imeis[BOARDS][IMEI_SIZE];
} f;

static const struct product *find_product(void *ctx, const char *name)
{
    (void)ctx;
    for (size_t i = 0; i < KIT_PRODUCTS; i++) {
        if (strcmp(f.kit.products[i].name, name) == 0) {
            return &f.kit.products[i];
        }
    }
    return NULL;
}

static void import_bundle(struct row_reader *reader, unsigned index, enum testpki_key kind)
{
    static uint8_t sealed[ROW_SEALED_MAX];
    struct row_refusal refusal;
    char id[32];
    (void)snprintf(id, sizeof(id), "pool-%02u", index);
    char *row = testpki_row(f.pki, index, kind, id, NULL, "tracker", "2026-W47");
    struct store_op op = {.kind = STORE_IMPORT};
    assert_int_equal(row_read(reader, span_str(row), 1, &op.import, sealed, &refusal, NULL), 0);
    assert_int_equal(kit_run(&f.kit, &op), 0);
    assert_int_equal(op.import.outcome, STORE_TAKEN);
    testpki_text_free(row);
}

static const char token[] =
    "2dn3hQFQUDYxVDkxRPCAIhIbZAFifQNQGv86y_GmR2SiY0wmRsHGVFDT799_BPH8YOWFiyCHND1q.0oRDoQEm";

/* As keys leave it with a job's last message. */
static void put_token(struct ledger_msg *msg, const char *imei)
{
    char place[48];
    (void)snprintf(place, sizeof(place), KEYS_TOKEN_PLACE "%s", imei);
    const struct seal_place where = {span_str(place), CRED_CA, SEAL_NO_TAG};
    assert_int_equal(seal_make(f.wrapping_key, &where, span_str(token), msg->token, NULL), 0);
    msg->token_len = sizeof(token) - 1 + SEAL_OVERHEAD;
}

/* Board n passes with bundle n; number 2 has an RSA key, 0 and 2 have given a token. A minute lies between
 * two. */
static void pass_boards(void)
{
    const struct row_config config = {
        .keys = f.keys, .find_product = find_product, .now_s = CONTENT_TIME_UNKNOWN};
    struct row_reader *reader = row_reader_new(&config);
    assert_non_null(reader);
    for (unsigned i = 0; i < BOARDS; i++) {
        enum testpki_key kind = i == 2 ? TESTPKI_RSA2048 : TESTPKI_P256;
        testpki_bundle(f.pki, i, kind, &f.bundles[i]);
        import_bundle(reader, i, kind);
    }
    row_reader_free(reader);
    for (unsigned i = 0; i < BOARDS; i++) {
        static struct kit_job job;
        static uint8_t content[8192]; /* an RSA bundle is larger than the kit's */
        f.kit.wall_ms += 60000;
        strcpy(f.imeis[i], kit_imei(i + 1));
        kit_job(&f.kit, &job, i + 1, f.imeis[i], i < 12 ? "WO-1" : "WO-2", KIT_POOL);
        strcpy(job.msg.modem_firmware, i == 1 ? "mfw, odd \"one\"" : "mfw_nrf91x1_2.0.2");
        strcpy(job.msg.unit_serial, i == 1 ? "SN-1" : "");
        strcpy(job.msg.fixture, i < 12 ? "rack1" : "rack2");
        job.msg.content = content;
        job.msg.content_size = sizeof(content);
        if (i == 0 || i == 2) {
            strcpy(job.msg.uuid, "50363154-3931-44f0-8022-121b6401627d");
            put_token(&job.msg, f.imeis[i]);
        }
        kit_pass(&f.kit, &job);
    }
}

static int set_up_group(void **state)
{
    (void)state;
    f.pki = testpki_new(5);
    f.wrapping_key = seal_key_new(octets);
    f.keys = keys_new(&(struct keys_config){.wrapping_key = f.wrapping_key});
    kit_init(&f.kit);
    kit_open_line(&f.kit, 100);
    assert_int_equal(kit_order(&f.kit, "WO-2", KIT_POOL, 10, "rack2", NULL), 0);
    pass_boards();
    return store_reader_open(&f.reader, f.kit.dir, NULL, NULL);
}

static int tear_down_group(void **state)
{
    (void)state;
    store_reader_close(f.reader);
    kit_done(&f.kit);
    for (size_t i = 0; i < BOARDS; i++) {
        testpki_bundle_done(&f.bundles[i]);
    }
    testpki_free(f.pki);
    keys_free(f.keys);
    seal_key_free(f.wrapping_key);
    return 0;
}

static int run(const struct export_request *request, struct export_part *part, struct err_info *why)
{
    const struct export_config config = {.keys = f.keys, .find_product = find_product};
    return export_part(&config, f.reader, request, part, why);
}

static void assert_text(const struct text *text, const char *wanted)
{
    if (text->len != strlen(wanted) || memcmp(text->at, wanted, text->len) != 0) {
        print_error("got:\n%.*s\nwanted:\n%s\n", (int)text->len, text->at != NULL ? text->at : "", wanted);
        fail();
    }
}

/* ---- files of the clouds */

static void files_are_right_to_the_byte(void **state)
{
    (void)state;
    static char onboarding[8192], escaped[3][4096], aws[16384];
    const struct testpki_bundle *b = f.bundles;
    struct span ca = f.kit.products[KIT_POOL].entries[0].content;
    const struct span texts[] = {span_str(b[0].client_cert), span_str(b[1].client_cert), ca};
    for (size_t i = 0; i < 3; i++) {
        char *out = escaped[i];
        for (size_t k = 0; k < texts[i].len; k++) {
            bool is_end = texts[i].at[k] == '\n';
            *out++ = is_end ? '\\' : texts[i].at[k];
            if (is_end) {
                *out++ = 'n';
            }
        }
        *out = '\0';
    }
    (void)snprintf(onboarding, sizeof(onboarding), "nrf-5-0,,,APP|MODEM,\"%s\"\nnrf-5-1,,,APP|MODEM,\"%s\"\n",
                   b[0].client_cert, b[1].client_cert);
    (void)snprintf(aws, sizeof(aws),
                   "{\"ThingName\":\"nrf-5-0\",\"SerialNumber\":\"%s\",\"CertificatePem\":\"%s\"}\n"
                   "{\"ThingName\":\"nrf-5-1\",\"SerialNumber\":\"SN-1\",\"CertificatePem\":\"%s\"}\n",
                   f.imeis[0], escaped[0], escaped[1]);
    char devinfo[512], manager[16384];
    (void)snprintf(devinfo, sizeof(devinfo),
                   "nrf-5-0,mfw_nrf91x1_2.0.2,%s\nnrf-5-1,\"mfw, odd \"\"one\"\"\",%s\n", f.imeis[0],
                   f.imeis[1]);
    (void)snprintf(manager, sizeof(manager),
                   "{\n  \"clientId\": \"nrf-5-0\",\n  \"caCert\": \"%s\",\n  \"clientCert\": \"%s\",\n"
                   "  \"secTag\": %u\n}\n",
                   escaped[2], escaped[0], (unsigned)f.kit.products[KIT_POOL].entries[1].sec_tag);
    const struct {
        enum export_format format;
        uint32_t limit;
        const char *wanted;
    } rows[] = {{EXPORT_ONBOARDING, 2, onboarding},
                {EXPORT_DEVINFO, 2, devinfo},
                {EXPORT_AWS, 2, aws},
                {EXPORT_MANAGER, 0, manager}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct export_part part;
        struct err_info why = {0};
        const struct export_request request = {.format = rows[i].format, .filter.limit = rows[i].limit};
        assert_int_equal(run(&request, &part, &why), 0);
        assert_text(&part.text, rows[i].wanted);
        assert_int_equal(part.n_skipped, 0);
        assert_string_equal(part.device_id, "nrf-5-0");
        assert_true(part.next[0] != '\0');
        assert_null(memmem(part.text.at, part.text.len, "PRIVATE", 7));
        export_part_done(&part);
    }
}

/* Ten enrolments a call, and JSON that other programs read. */
static void azure_takes_ten_at_a_time(void **state)
{
    (void)state;
    struct export_request request = {.format = EXPORT_AZURE};
    char cursor[STORE_CURSOR_SIZE] = "";
    size_t n = 0;
    for (int part_number = 0; part_number < 2; part_number++) {
        struct export_part part;
        struct json *tree = NULL;
        request.filter.cursor = cursor;
        assert_int_equal(run(&request, &part, NULL), 0);
        assert_int_equal(json_parse(span_of(part.text.at, part.text.len), 8, &tree, NULL), 0);
        assert_string_equal(json_as_text(json_get(tree, "mode")), "create");
        const struct json *enrollments = json_get(tree, "enrollments");
        assert_int_equal(json_count(enrollments), part_number == 0 ? 10 : 3);
        const struct json *first = json_at(enrollments, 0), *at = json_get(first, "attestation");
        static const char *const path[] = {"x509", "clientCertificates", "primary", "certificate"};
        assert_string_equal(json_as_text(json_get(at, "type")), "x509");
        for (size_t i = 0; i < COUNT(path); i++) {
            at = json_get(at, path[i]);
        }
        assert_string_equal(json_as_text(at), f.bundles[n].client_cert);
        assert_string_equal(json_as_text(json_get(first, "registrationId")),
                            json_as_text(json_get(first, "deviceId")));
        n += part.n_rows;
        strcpy(cursor, part.next);
        json_free(tree);
        export_part_done(&part);
    }
    assert_int_equal(n, BOARDS);
    assert_string_equal(cursor, "");
}

static void every_board_is_in_one_part(void **state)
{
    (void)state;
    struct export_request request = {.format = EXPORT_DEVINFO, .filter.limit = 4};
    char cursor[STORE_CURSOR_SIZE] = "", all[4096] = "";
    int n_parts = 0;
    do {
        struct export_part part;
        request.filter.cursor = cursor;
        assert_int_equal(run(&request, &part, NULL), 0);
        strncat(all, part.text.at, part.text.len);
        strcpy(cursor, part.next);
        export_part_done(&part);
        n_parts++;
    } while (cursor[0] != '\0');
    assert_int_equal(n_parts, 4);
    for (size_t i = 0; i < BOARDS; i++) {
        assert_non_null(strstr(all, f.imeis[i]));
    }
    struct export_part whole;
    request.filter = (struct store_export_filter){0};
    assert_int_equal(run(&request, &whole, NULL), 0);
    assert_text(&whole.text, all);
    export_part_done(&whole);
}

static void filters_choose(void **state)
{
    (void)state;
    const struct {
        struct store_export_filter filter;
        uint32_t n;
    } rows[] = {
        {{0}, 13},
        {{.work_order = "WO-1"}, 12},
        {{.work_order = "WO-2"}, 1},
        {{.work_order = "WO-3"}, 0},
        {{.product = "tracker"}, 13},
        {{.product = "meter"}, 0},
        {{.from_wall_ms = f.kit.wall_ms}, 1},
        {{.to_wall_ms = f.kit.wall_ms}, 12},
        {{.from_wall_ms = f.kit.wall_ms - 120000, .to_wall_ms = f.kit.wall_ms}, 2},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct export_part part;
        const struct export_request request = {.format = EXPORT_DEVINFO, .filter = rows[i].filter};
        assert_int_equal(run(&request, &part, NULL), 0);
        assert_int_equal(part.n_rows, rows[i].n);
        export_part_done(&part);
    }
    struct export_part part;
    const struct export_request bad = {.format = EXPORT_DEVINFO, .filter.cursor = "nonsense"};
    assert_int_equal(run(&bad, &part, NULL), ERR_FORMAT);
    export_part_done(&part);
}

static void what_a_cloud_refuses_is_left_out_and_named(void **state)
{
    (void)state;
    struct export_part part;
    char wanted[128];
    assert_int_equal(run(&(struct export_request){.format = EXPORT_ONBOARDING}, &part, NULL), 0);
    assert_int_equal(part.n_rows, 12);
    assert_int_equal(part.n_skipped, 1);
    (void)snprintf(wanted, sizeof(wanted),
                   "%s: its certificate is not for a P-256 key, and the cloud takes ES256 only\n",
                   f.imeis[2]);
    assert_text(&part.skipped, wanted);
    export_part_done(&part);
}

/* Two have given one; the files lie in secret memory, and are not for everybody. */
static void tokens_are_delivered_as_secrets(void **state)
{
    (void)state;
    char tokens[1024], claim[512], mine[1024], passed[2][CLOCK_RFC3339_SIZE];
    for (size_t i = 0; i < 2; i++) {
        clock_rfc3339(atoll(kit_query(&f.kit, "SELECT ended FROM job WHERE imei = '%s'", f.imeis[2 * i])),
                      passed[i]);
    }
    (void)snprintf(tokens, sizeof(tokens), "%s,%s,%s,%s\n%s,%s,%s,%s\n", f.imeis[0],
                   "50363154-3931-44f0-8022-121b6401627d", token, passed[0], f.imeis[2],
                   "50363154-3931-44f0-8022-121b6401627d", token, passed[1]);
    (void)snprintf(claim, sizeof(claim), "\"%s\"\n\"%s\"\n", token, token);
    (void)snprintf(mine, sizeof(mine), "deviceId,attestationToken\nnrf-5-0,%s\n", token);
    const struct {
        struct export_request request;
        const char *wanted;
        uint32_t n_skipped;
    } rows[] = {
        {{.format = EXPORT_ATTESTATION_TOKENS}, tokens, BOARDS - 2},
        {{.format = EXPORT_CLAIM}, claim, BOARDS - 2},
        {{.format = EXPORT_TEMPLATE,
          .filter.limit = 1,
          .template = span_str("deviceId,attestationToken\n%%\n{deviceId|csv},{attestationToken|csv}\n")},
         mine,
         0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct export_part part;
        struct export_request request = rows[i].request;
        assert_int_equal(run(&request, &part, NULL), -EACCES);
        assert_int_equal(part.text.len, 0);
        export_part_done(&part);
        request.may_have_secrets = true;
        assert_int_equal(run(&request, &part, NULL), 0);
        assert_true(part.text.is_secret);
        assert_text(&part.text, rows[i].wanted);
        assert_int_equal(part.n_skipped, rows[i].n_skipped);
        assert_string_equal(part.first, f.imeis[0]);
        assert_true(export_has_secrets(request.format, request.template));
        export_part_done(&part);
    }
    assert_false(export_has_secrets(EXPORT_TEMPLATE, span_str("{deviceId}")));
    assert_false(export_has_secrets(EXPORT_MANAGER, span_of(NULL, 0)));
    assert_false(export_has_secrets(EXPORT_ONBOARDING, span_of(NULL, 0)));
}

static void a_station_without_its_key_says_so(void **state)
{
    (void)state;
    struct keys *mine = f.keys;
    struct export_part part;
    struct err_info why = {0};
    f.keys = keys_new(&(struct keys_config){.wrapping_key = NULL});
    assert_int_equal(run(&(struct export_request){.format = EXPORT_ONBOARDING}, &part, &why), ERR_REFUSED);
    assert_non_null(strstr(why.text, "wrapping key"));
    export_part_done(&part);
    keys_free(f.keys);
    f.keys = mine;
    char out[16];
    assert_int_equal(keys_open_public(f.keys, span_str("pool-01"), CRED_PRIVATE_KEY, span_of(out, 16), out,
                                      sizeof(out), NULL),
                     ERR_REFUSED);
}

static void file_names(void **state)
{
    (void)state;
    char name[EXPORT_NAME_SIZE];
    export_file_name(EXPORT_ONBOARDING, 1, "", name);
    assert_string_equal(name, "onboarding.csv");
    export_file_name(EXPORT_AZURE, 12, "", name);
    assert_string_equal(name, "azure-012.json");
    export_file_name(EXPORT_MANAGER, 3, "nrf-1", name);
    assert_string_equal(name, "nrf-1.json");
    export_file_name(EXPORT_MANAGER, 3, "../../etc/passwd", name);
    assert_null(strchr(name, '/'));
    assert_true(name[0] != '.');
    for (int format = 0; format <= EXPORT_TEMPLATE; format++) {
        assert_int_equal(export_format_from_name(export_format_name((enum export_format)format)), format);
    }
    assert_int_equal(export_format_from_name("onboardng"), -1);
}

/* ---- templates */

static void templates_of_ones_own(void **state)
{
    (void)state;
    static const char text[] = "deviceId;fw\r\n%%\r\n{deviceId};{modemFirmware|csv};{{x}{comma}\n%%\nend\n";
    struct export_part part;
    const struct export_request request = {
        .format = EXPORT_TEMPLATE, .filter.limit = 2, .template = span_str(text)};
    assert_int_equal(run(&request, &part, NULL), 0);
    assert_text(&part.text, "deviceId;fw\r\nnrf-5-0;mfw_nrf91x1_2.0.2;{x}\n"
                            "nrf-5-1;\"mfw, odd \"\"one\"\"\";{x},\nend\n");
    export_part_done(&part);

    /* A value that would need a filter leaves its board out, and half of a row behind nowhere. */
    const struct export_request plain = {
        .format = EXPORT_TEMPLATE, .filter.limit = 2, .template = span_str("<{deviceId} {modemFirmware}>")};
    assert_int_equal(run(&plain, &part, NULL), 0);
    assert_text(&part.text, "<nrf-5-0 mfw_nrf91x1_2.0.2>");
    assert_int_equal(part.n_skipped, 1);
    export_part_done(&part);
}

static void bad_templates_are_refused_with_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int line, column;
    } rows[] = {
        {"", 0, 0},
        {"a\n%%\n", 0, 0},
        {"{imie}", 1, 1},
        {"a\n b{imei|xml}", 2, 3},
        {"{imei", 1, 1},
        {"{imei|}", 1, 1},
        {"{}", 1, 1},
        {"{imei}\n%%\nx\n%%\n", 1, 1},
        {"a\n%%\n{imei}\n%%\n{uuid}\n", 5, 1},
        {"a\n%%\nb\n%%\nc\n%%\nd", 7, 1},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct template template;
        struct err_info why = {0};
        if (template_read(span_str(rows[i].text), &template, &why) != ERR_FORMAT ||
            why.line != rows[i].line || why.column != rows[i].column) {
            fail_msg("row %zu: %d:%d: %s", i, why.line, why.column, why.text);
        }
    }
}

static void values_are_escaped(void **state)
{
    (void)state;
    struct span values[TEMPLATE_FIELDS] = {{0}};
    struct template template;
    values[FIELD_LOT] = span_str("a\"b\\c\n\x01\x7F\xC3\xA4,");
    static const struct {
        const char *text, *wanted;
    } rows[] = {
        {"{lot|json}", "a\\\"b\\\\c\\n\\u0001\\u007F\xC3\xA4,"},
        {"{lot|csv}", "\"a\"\"b\\c\n\x01\x7F\xC3\xA4,\""},
        {"{imei|csv}{imei|quoted}", "\"\""},
        {"{{{{}}", "{{}}"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct text out = {0};
        assert_int_equal(template_read(span_str(rows[i].text), &template, NULL), 0);
        assert_int_equal(template_write(template.row, values, &out, NULL), 0);
        assert_text(&out, rows[i].wanted);
        text_done(&out);
    }
    struct text out = {0};
    assert_int_equal(template_read(span_str("{lot}"), &template, NULL), 0);
    assert_int_equal(template_write(template.row, values, &out, NULL), ERR_REFUSED);
    text_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_right_to_the_byte),
        cmocka_unit_test(azure_takes_ten_at_a_time),
        cmocka_unit_test(every_board_is_in_one_part),
        cmocka_unit_test(filters_choose),
        cmocka_unit_test(what_a_cloud_refuses_is_left_out_and_named),
        cmocka_unit_test(tokens_are_delivered_as_secrets),
        cmocka_unit_test(a_station_without_its_key_says_so),
        cmocka_unit_test(file_names),
        cmocka_unit_test(templates_of_ones_own),
        cmocka_unit_test(bad_templates_are_refused_with_their_place),
        cmocka_unit_test(values_are_escaped),
    };
    return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
