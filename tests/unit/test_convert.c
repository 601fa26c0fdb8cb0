/* exchange/convert: rows from other people's files, as the import takes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"
#include "exchange/convert.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))
#define IMEI     "351465800000002"

/* Everything that came out: rows as "number json", refusals as "number ! why", a line each. */
static char got[65536];
static size_t got_len;
static int stop_at; /* the callback fails at this row; 0: never */

static void note(uint32_t number, const char *mark, struct span text)
{
    int n = snprintf(got + got_len, sizeof(got) - got_len, "%u%s%.*s\n", (unsigned)number, mark,
                     (int)text.len, text.at);
    assert_true(n > 0 && (size_t)n < sizeof(got) - got_len);
    got_len += (size_t)n;
}

static int take(void *ctx, uint32_t number, struct span json)
{
    (void)ctx;
    note(number, " ", json);
    return stop_at == (int)number ? ERR_STORE : 0;
}

static int refuse(void *ctx, uint32_t number, const char *why)
{
    (void)ctx;
    note(number, " ! ", span_str(why));
    return 0;
}

static struct convert_config config;

static int set_up(void **state)
{
    (void)state;
    got[0] = '\0';
    got_len = 0;
    stop_at = 0;
    config = (struct convert_config){.row = take, .refuse = refuse};
    return 0;
}

/* ---- CSV */

static void csv_rows(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wanted;
    } rows[] = {
        {"id,psk\na,00\n", "2 {\"id\":\"a\",\"psk\":\"00\"}\n"},
        {"id,psk\r\na,00\r\nb,11", "2 {\"id\":\"a\",\"psk\":\"00\"}\n3 {\"id\":\"b\",\"psk\":\"11\"}\n"},
        {"\xEF\xBB\xBFid,lot\na,\n", "2 {\"id\":\"a\"}\n"}, /* empty: not there */
        {"psk,id\n00,a\n", "2 {\"psk\":\"00\",\"id\":\"a\"}\n"},
        {"id,client_cert\na,\"-----BEGIN X-----\nAA\n\"\nb,\"x\"\"y\"\n",
         "2 {\"id\":\"a\",\"client_cert\":\"-----BEGIN X-----\\nAA\\n\"}\n3 "
         "{\"id\":\"b\",\"client_cert\":\"x\\\"y\"}\n"},
        {"id,psk\na\nb,1,2\nc,1\n",
         "2 ! it has 1 fields, and the header has 2\n3 ! it has 3 fields, and the header has 2\n"
         "4 {\"id\":\"c\",\"psk\":\"1\"}\n"},
        {"id,psk\n\na,1\n", "2 {\"id\":\"a\",\"psk\":\"1\"}\n"}, /* empty lines are no records */
        {"id\nnrf-" IMEI "\n" IMEI "\nx" IMEI "\n",
         "2 {\"id\":\"nrf-" IMEI "\",\"imei\":\"" IMEI "\"}\n3 {\"id\":\"" IMEI "\",\"imei\":\"" IMEI
         "\"}\n4 {\"id\":\"x" IMEI "\"}\n"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err_info why = {0};
        set_up(NULL);
        assert_int_equal(convert_csv(&config, span_str(rows[i].text), &why), 0);
        assert_string_equal(got, rows[i].wanted);
    }
}

static void csv_that_is_none(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
        int line;
    } rows[] = {
        {"", "no header", 0},
        {"id,pskk\na,1\n", "column 2 of the header", 1},
        {"id,id\na,b\n", "two columns id", 1},
        {"id,psk\na,1\"2\n", "quotation mark", 2},
        {"id,psk\na,\"1\"2\n", "quotation mark", 2},
        {"id,psk\na,\"12\n", "no end", 2},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err_info why = {0};
        set_up(NULL);
        assert_int_equal(convert_csv(&config, span_str(rows[i].text), &why), ERR_FORMAT);
        assert_non_null(strstr(why.text, rows[i].says));
        assert_int_equal(why.line, rows[i].line);
    }
}

/* ---- CSV from a file, block by block */

static struct {
    uint32_t rows, last;
    uint64_t sum, octets;
} seen;

static int sum_row(void *ctx, uint32_t number, struct span json)
{
    (void)ctx;
    seen.rows++;
    seen.last = number;
    for (size_t i = 0; i < json.len; i++) {
        seen.sum = seen.sum * 31 + (unsigned char)json.at[i];
    }
    return 0;
}

static void count_octets(void *ctx, struct span octets)
{
    (void)ctx;
    seen.octets += octets.len;
}

static int read_csv(const struct convert_config *how, const char *text, size_t len, struct err_info *reterr)
{
    FILE *f = tmpfile();
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, len, f), len);
    rewind(f);
    int rc = convert_csv_file(how, fileno(f), count_octets, reterr);
    fclose(f);
    return rc;
}

static void a_csv_of_any_size_is_the_same_in_blocks(void **state)
{
    enum { ROWS = 4000, SIZE = ROWS * 128 };
    const struct convert_config how = {.row = sum_row, .refuse = config.refuse};
    char *text = malloc(SIZE);
    size_t len = 0;
    (void)state;
    assert_non_null(text);
    len += (size_t)snprintf(text, SIZE, "\xEF\xBB\xBFid,client_cert\r\n");
    for (int i = 0; i < ROWS; i++) {
        len += (size_t)snprintf(text + len, SIZE - len, "b-%d,\"-----\n%0*d\"\"x\n\"\n", i, i % 80 + 1, i);
    }
    memset(&seen, 0, sizeof(seen));
    assert_int_equal(convert_csv(&how, span_of(text, len), NULL), 0);
    uint64_t whole = seen.sum;
    assert_int_equal(seen.rows, ROWS);
    memset(&seen, 0, sizeof(seen));
    assert_int_equal(read_csv(&how, text, len, NULL), 0);
    assert_int_equal(seen.rows, ROWS);
    assert_int_equal(seen.last, ROWS + 1);
    assert_true(seen.sum == whole);
    assert_int_equal(seen.octets, len);
    free(text);
}

/* A quotation mark without its end takes no more memory than any credential could. */
static void a_record_without_end_ends_the_file(void **state)
{
    enum { SIZE = 6 * 1024 * 1024 };
    const struct convert_config how = {.row = sum_row, .refuse = config.refuse};
    struct err_info why = {0};
    char *text = malloc(SIZE);
    (void)state;
    assert_non_null(text);
    memset(text, 'x', SIZE);
    memcpy(text, "id\na\n\"", 6);
    memset(&seen, 0, sizeof(seen));
    assert_int_equal(read_csv(&how, text, SIZE, &why), ERR_FORMAT);
    assert_non_null(strstr(why.text, "no end"));
    assert_int_equal(why.line, 3);
    assert_int_equal(seen.rows, 1);
    assert_true(seen.octets < SIZE);
    free(text);
}

static void a_callback_ends_it(void **state)
{
    (void)state;
    stop_at = 3;
    assert_int_equal(convert_csv(&config, span_str("id\na\nb\nc\n"), NULL), ERR_STORE);
    assert_string_equal(got, "2 {\"id\":\"a\"}\n3 {\"id\":\"b\"}\n");
    set_up(NULL);
    stop_at = 2;
    assert_int_equal(convert_ndjson(&config, span_str("{}\n{}\n{}\n"), NULL), ERR_STORE);
}

/* ---- what is put in */

static void product_and_lot_are_put_in(void **state)
{
    (void)state;
    config.product = "tracker";
    config.lot = "L1";
    config.device_id = "acme-{imei}";
    assert_int_equal(convert_ndjson(&config,
                                    span_str("{\"id\":\"acme-" IMEI "\"}\n\n \nno json\n[1]\n"
                                             "{\"id\":\"b\",\"product\":\"p\",\"lot\":\"l\",\"imei\":\"1\"}"),
                                    NULL),
                     0);
    assert_string_equal(
        got, "1 {\"id\":\"acme-" IMEI "\",\"product\":\"tracker\",\"lot\":\"L1\",\"imei\":\"" IMEI
             "\"}\n4 no json\n5 [1]\n6 {\"id\":\"b\",\"product\":\"p\",\"lot\":\"l\",\"imei\":\"1\"}\n");
}

/* ---- Certificate Manager */

static void the_managers_json(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wanted;
    } rows[] = {
        {"{\"clientId\":\"nrf-" IMEI
         "\",\"caCert\":\"\",\"clientCert\":\" -----BEGIN C-----\\r\\nAA\\r\\n \","
         "\n\"privateKey\":\"-----BEGIN K-----\\nBB\\n\",\"secTag\":16842753}",
         "1 {\"id\":\"nrf-" IMEI "\",\"client_cert\":\"-----BEGIN C-----\\r\\nAA\\n\","
         "\"private_key\":\"-----BEGIN K-----\\nBB\\n\",\"sec_tag\":16842753,\"imei\":\"" IMEI "\"}\n"},
        {"{\"clientId\":\"a\"}", "1 {\"id\":\"a\"}\n"},
        {"{}", "1 {}\n"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        set_up(NULL);
        assert_int_equal(convert_manager(&config, span_str(rows[i].text), NULL), 0);
        assert_string_equal(got, rows[i].wanted);
    }
    static const char *const bad[] = {"",
                                      "[]",
                                      "{\"clientCert\":7}",
                                      "{\"secTag\":\"1\"}",
                                      "{\"clientcert\":\"\"}",
                                      "{\"clientId\":\"a\"}{}"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct err_info why = {0};
        set_up(NULL);
        assert_int_equal(convert_manager(&config, span_str(bad[i]), &why), ERR_FORMAT);
        assert_true(why.text[0] != '\0' && got_len == 0);
    }
}

/* ---- folders */

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0 && fclose(f) == 0);
}

static void folders_hold_pairs(void **state)
{
    (void)state;
    char folder[] = "/tmp/certline-convert-XXXXXX", path[256];
    assert_non_null(mkdtemp(folder));
    struct err_info why = {0};
    assert_int_equal(convert_folder(&config, folder, &why), ERR_NOT_FOUND);
    static const char *const names[] = {"b_crt.pem", "b_prv.pem", "a_prv.pem", "a_crt.pem",
                                        "a_csr.pem", "c_crt.pem", "_crt.pem",  "ca.pem"};
    for (size_t i = 0; i < COUNT(names); i++) {
        write_file(folder, names[i], names[i]);
    }
    (void)snprintf(path, sizeof(path), "%s/d_crt.pem", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    config.product = "p";
    assert_int_equal(convert_folder(&config, folder, &why), 0);
    assert_string_equal(
        got,
        "1 {\"id\":\"a\",\"client_cert\":\"a_crt.pem\",\"private_key\":\"a_prv.pem\",\"product\":\"p\"}\n"
        "2 {\"id\":\"b\",\"client_cert\":\"b_crt.pem\",\"private_key\":\"b_prv.pem\",\"product\":\"p\"}\n"
        "3 {\"id\":\"c\",\"client_cert\":\"c_crt.pem\",\"product\":\"p\"}\n"
        "4 ! a file of d cannot be read: Is a directory\n");
    assert_int_equal(rmdir(path), 0);
    for (size_t i = 0; i < COUNT(names); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(folder), 0);
    assert_int_equal(convert_folder(&config, folder, &why), -ENOENT);
}

/* ---- what a file is */

static void files_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *path, *beginning;
        enum convert_format format;
    } rows[] = {
        {"a.csv", "id,psk\n", CONVERT_CSV},
        {"a.CSV", "id,psk\n", CONVERT_CSV},
        {"a.csv", " {\"id\":\"x\"}", CONVERT_NDJSON},
        {"a.json", "{\n  \"clientCert\": \"", CONVERT_MANAGER},
        {"a.json", "{\"id\":\"a\",\"client_cert\":\"", CONVERT_NDJSON},
        {"-", "", CONVERT_NDJSON},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(convert_guess(rows[i].path, span_str(rows[i].beginning)), rows[i].format);
    }
    static const struct {
        const char *beginning, *says; /* NULL: rows may follow */
    } misfits[] = {
        {"", NULL},
        {" \n\n", NULL},
        {"\n{\"id\"", NULL},
        {"\xEF\xBB\xBF{\"id\"", NULL},
        {"{", NULL},
        {"[{\"id\"", "JSON array"},
        {"-----BEGIN EC PRIVATE KEY-----\n", "is a PEM"},
        {"PK\x03\x04", "archive"},
        {"id,imei\n1,2", "--format csv"},
        {"hello", "does not begin with a bundle"},
    };
    for (size_t i = 0; i < COUNT(misfits); i++) {
        const char *what = convert_misfit(span_str(misfits[i].beginning));
        assert_true(what == NULL ? misfits[i].says == NULL
                                 : misfits[i].says != NULL && strstr(what, misfits[i].says) != NULL);
    }
    assert_non_null(strstr(convert_misfit(span_of("\x7f"
                                                  "ELF\0",
                                                  5)),
                           "is no text"));
    for (int format = 0; format <= CONVERT_FOLDER; format++) {
        assert_int_equal(convert_format_from_name(convert_format_name((enum convert_format)format)), format);
    }
    assert_int_equal(convert_format_from_name("xml"), -1);
}

static void files_are_read_whole_or_not(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 200000};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        {
            FILE *f = tmpfile();
            char *text = NULL;
            size_t len = 0;
            for (size_t n = 0; n < sizes[i]; n++) {
                (void)fputc('a' + (int)(n % 26), f);
            }
            (void)fflush(f);
            (void)lseek(fileno(f), 0, SEEK_SET);
            assert_int_equal(convert_read_file(fileno(f), 200000, &text, &len, NULL), 0);
            assert_int_equal(len, sizes[i]);
            assert_true(len == 0 || text[len - 1] == 'a' + (int)((len - 1) % 26));
            secret_free(text);
            (void)lseek(fileno(f), 0, SEEK_SET);
            if (sizes[i] > 1) {
                assert_int_equal(convert_read_file(fileno(f), sizes[i] - 1, &text, &len, NULL), ERR_RANGE);
            }
            (void)fclose(f);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(csv_rows, set_up),
        cmocka_unit_test_setup(csv_that_is_none, set_up),
        cmocka_unit_test_setup(a_csv_of_any_size_is_the_same_in_blocks, set_up),
        cmocka_unit_test_setup(a_record_without_end_ends_the_file, set_up),
        cmocka_unit_test_setup(a_callback_ends_it, set_up),
        cmocka_unit_test_setup(product_and_lot_are_put_in, set_up),
        cmocka_unit_test_setup(the_managers_json, set_up),
        cmocka_unit_test_setup(folders_hold_pairs, set_up),
        cmocka_unit_test_setup(files_are_told_apart, set_up),
        cmocka_unit_test_setup(files_are_read_whole_or_not, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
