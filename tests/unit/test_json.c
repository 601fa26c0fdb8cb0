/* base/json: what parses and where the rest fails, typed reading, building with anything a board may say, the
 * forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/secret.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static struct json *parsed(const char *text)
{
    struct json *value = NULL;
    struct err_info why = {0};
    if (json_parse(span_str(text), JSON_DEPTH_USUAL, &value, &why) < 0) {
        fail_msg("%s: %s", text, why.text);
    }
    return value;
}

static void assert_dump(const struct json *value, enum json_form form, const char *expected)
{
    char *text = json_dump(value, form);
    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
}

/* ---- parsing */

static void parses_and_writes_every_kind(void **state)
{
    (void)state;
    static const struct {
        const char *text, *canonical;
    } rows[] = {
        {"null", "null"},
        {" true ", "true"},
        {"false", "false"},
        {"0", "0"},
        {"-0", "0"},
        {"9223372036854775807", "9223372036854775807"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"1.5", "1.5"},
        {"1e2", "100.0"},
        {"\"\"", "\"\""},
        {"\"a\\/b\"", "\"a/b\""},
        {"\"\\u00e9\\uD83D\\uDE00\"", "\"\xC3\xA9\xF0\x9F\x98\x80\""},
        {"\"\\u000a\\u001f\\u007f\\\"\\\\\"", "\"\\n\\u001F\x7F\\\"\\\\\""},
        {"[ ]", "[]"},
        {"[1, [2, []]]", "[1,[2,[]]]"},
        {"{ }", "{}"},
        {"{\"b\": 1, \"a\": {\"d\": 2, \"c\": 3}}", "{\"a\":{\"c\":3,\"d\":2},\"b\":1}"},
        {"{\"aa\":1,\"a\":2,\"B\":3,\"\":4,\"\xC3\xA9\":5}",
         "{\"\":4,\"B\":3,\"a\":2,\"aa\":1,\"\xC3\xA9\":5}"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct json *value = parsed(rows[i].text), *again = parsed(rows[i].canonical);
        assert_dump(value, JSON_FORM_CANONICAL, rows[i].canonical);
        assert_true(json_is_equal(value, again));
        json_free(again);
        json_free(value);
    }
}

static void says_where_it_fails(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len; /* 0: up to the NUL */
        int code, line;
    } rows[] = {
        {"", 0, ERR_FORMAT, 1},
        {"  ", 0, ERR_FORMAT, 1},
        {"{", 0, ERR_FORMAT, 1},
        {"{\"a\":1,}", 0, ERR_FORMAT, 1},
        {"[1 2]", 0, ERR_FORMAT, 1},
        {"[1]\n[2]", 0, ERR_FORMAT, 2},
        {"{\n\"a\": 1,\n\"b\": tru\n}", 0, ERR_FORMAT, 3},
        {"{\n\"a\": 1,\n\"a\": 2\n}", 0, ERR_FORMAT, 3},
        {"{\"x\":{\"a\":1,\"\\u0061\":2}}", 0, ERR_FORMAT, 1},
        {"{'a':1}", 0, ERR_FORMAT, 1},
        {"[01]", 0, ERR_FORMAT, 1},
        {"[NaN]", 0, ERR_FORMAT, 1},
        {"\"\n\"", 0, ERR_FORMAT, 1},
        {"\"\\x\"", 0, ERR_FORMAT, 1},
        {"\"\\uD800\"", 0, ERR_FORMAT, 1},
        {"\"\xFF\"", 0, ERR_FORMAT, 1},
        {"\"\xC0\xAF\"", 0, ERR_FORMAT, 1},
        {"\"\\u0000\"", 0, ERR_FORMAT, 1},
        {"{\"\\u0000\":1}", 0, ERR_FORMAT, 1},
        {"\"a\0b\"", 5, ERR_FORMAT, 1},
        {"1\0", 2, ERR_FORMAT, 1},
        {"[1\0,\n2]", 7, ERR_FORMAT, 1},
        {"\"\\\0\"", 4, ERR_FORMAT, 1},
        {"[9223372036854775808]", 0, ERR_RANGE, 1},
        {"[\n1e999]", 0, ERR_RANGE, 2},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct json *value = NULL;
        struct err_info why = {0};
        size_t len = rows[i].len > 0 ? rows[i].len : strlen(rows[i].text);
        int r = json_parse(span_of(rows[i].text, len), JSON_DEPTH_USUAL, &value, &why);
        if (r != rows[i].code || why.line != rows[i].line) {
            fail_msg("row %zu: %d at line %d: %s", i, r, why.line, why.text);
        }
        assert_int_equal(why.code, r);
        assert_true(why.column >= 1);
        assert_null(value);
        assert_int_equal(json_parse(span_of(rows[i].text, len), JSON_DEPTH_USUAL, &value, NULL), r);
    }
}

static void an_error_does_not_quote_the_text(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"private_key\":\"MIGHAgEA\" \"MIGHAgEA\"}",
        "{\"MIGHAgEA\":1,\"MIGHAgEA\":2}",
        "{\"private_key\":MIGHAgEA}",
        "\"MIGHAgEA",
        "\"MIGHAgEA\xFF\"",
        "1MIGHAgEA",
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct json *value;
        struct err_info why = {0};
        assert_int_equal(json_parse(span_str(texts[i]), JSON_DEPTH_USUAL, &value, &why), ERR_FORMAT);
        assert_null(strstr(why.text, "MIG"));
    }
}

static void limits_the_depth(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned depth; /* the least that takes it */
        int column;     /* of the bracket too many, at one level less */
    } rows[] = {
        {"[]", 1, 1},
        {"[[]]", 2, 2},
        {"[[],[]]", 2, 2},
        {"{\"a\":[{}]}", 3, 7},
        {"[\"[[[{{{\"]", 1, 1},
        {"[\"\\\"[[\",[]]", 2, 9},
        {"[\"\\\\\",[]]", 2, 7},
        {"[\"\xC3\xA9\",[]]", 2, 6},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct json *value;
        struct err_info why = {0};
        assert_int_equal(json_parse(span_str(rows[i].text), rows[i].depth, &value, NULL), 0);
        json_free(value);
        assert_int_equal(json_parse(span_str(rows[i].text), rows[i].depth - 1, &value, &why), ERR_FORMAT);
        assert_int_equal(why.line, 1);
        assert_int_equal(why.column, rows[i].column);
    }
}

static void a_tower_of_brackets_is_refused(void **state)
{
    (void)state;
    enum { LEVELS = 100000 };
    char *text = malloc(LEVELS);
    memset(text, '[', LEVELS);
    struct json *value;
    assert_int_equal(json_parse(span_of(text, LEVELS), JSON_DEPTH_MAX, &value, NULL), ERR_FORMAT);
    assert_int_equal(json_parse(span_of(text, LEVELS), UINT32_MAX, &value, NULL), ERR_FORMAT);
    memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    assert_int_equal(json_parse(span_of(text, (size_t)2 * JSON_DEPTH_MAX), UINT32_MAX, &value, NULL), 0);
    json_free(value);
    free(text);
}

/* ---- reading */

static const char sample[] = "{\"text\":\"x\",\"int\":7,\"real\":0.5,\"yes\":true,\"no\":false,\"null\":null,"
                             "\"array\":[1,\"b\"],\"object\":{\"k\":1}}";

static void reads_members_by_type(void **state)
{
    (void)state;
    struct json *value = parsed(sample);
    const char *text = NULL;
    int64_t number = 0;
    double real = 0;
    bool flag = false;
    const struct json *inside = NULL;
    assert_int_equal(json_get_text(value, "text", &text, NULL), 0);
    assert_string_equal(text, "x");
    assert_int_equal(json_get_i64(value, "int", 0, 7, &number, NULL), 0);
    assert_int_equal(number, 7);
    assert_int_equal(json_get_real(value, "real", &real, NULL), 0);
    assert_true(real > 0.49 && real < 0.51);
    assert_int_equal(json_get_real(value, "int", &real, NULL), 0);
    assert_true(real > 6.9 && real < 7.1);
    assert_int_equal(json_get_bool(value, "yes", &flag, NULL), 0);
    assert_true(flag);
    assert_int_equal(json_get_bool(value, "no", &flag, NULL), 0);
    assert_false(flag);
    assert_int_equal(json_get_array(value, "array", &inside, NULL), 0);
    assert_int_equal(json_count(inside), 2);
    assert_string_equal(json_as_text(json_at(inside, 1)), "b");
    assert_null(json_at(inside, 2));
    assert_int_equal(json_get_object(value, "object", &inside, NULL), 0);
    assert_int_equal(json_count(inside), 1);
    json_free(value);
}

/* Every getter against every member: only its own kinds are taken, and what was there before stays otherwise.
 */
static void tells_missing_from_wrong(void **state)
{
    (void)state;
    struct json *value = parsed(sample);
    static const char *const keys[] = {"text", "int", "real", "yes", "null", "array", "object", "absent"};
    static const char taken_by[][6] = {/* text, i64, real, bool, array, object */
                                       {1, 0, 0, 0, 0, 0}, {0, 1, 1, 0, 0, 0}, {0, 0, 1, 0, 0, 0},
                                       {0, 0, 0, 1, 0, 0}, {2, 2, 2, 2, 2, 2}, {0, 0, 0, 0, 1, 0},
                                       {0, 0, 0, 0, 0, 1}, {2, 2, 2, 2, 2, 2}};
    static const int results[] = {ERR_FORMAT, 0, ERR_NOT_FOUND}, optional[] = {ERR_FORMAT, 0, 0};
    for (size_t i = 0; i < COUNT(keys); i++) {
        for (size_t g = 0; g < 6; g++) {
            const char *text = "before";
            int64_t number = -7;
            double real = -7;
            bool flag = true;
            const struct json *inside = value;
            struct err_info why = {0};
            const char *k = keys[i];
            int got = g == 0   ? json_get_text(value, k, &text, &why)
                      : g == 1 ? json_get_i64(value, k, INT64_MIN, INT64_MAX, &number, &why)
                      : g == 2 ? json_get_real(value, k, &real, &why)
                      : g == 3 ? json_get_bool(value, k, &flag, &why)
                      : g == 4 ? json_get_array(value, k, &inside, &why)
                               : json_get_object(value, k, &inside, &why);
            assert_int_equal(got, results[(int)taken_by[i][g]]);
            if (got < 0) {
                assert_string_equal(text, "before");
                assert_int_equal(number, -7);
                assert_true(real < -6 && flag && inside == value);
                assert_non_null(strstr(why.text, k));
            }
            int opt = g == 0   ? json_opt_text(value, k, &text, NULL)
                      : g == 1 ? json_opt_i64(value, k, INT64_MIN, INT64_MAX, &number, NULL)
                      : g == 2 ? json_opt_real(value, k, &real, NULL)
                      : g == 3 ? json_opt_bool(value, k, &flag, NULL)
                      : g == 4 ? json_opt_array(value, k, &inside, NULL)
                               : json_opt_object(value, k, &inside, NULL);
            assert_int_equal(opt, optional[(int)taken_by[i][g]]);
        }
    }
    json_free(value);
}

static void checks_ranges(void **state)
{
    (void)state;
    struct json *value = parsed("{\"n\":16}");
    static const struct {
        int64_t min, max;
        int result;
    } rows[] = {{16, 16, 0}, {INT64_MIN, INT64_MAX, 0}, {0, 15, ERR_RANGE}, {17, 99, ERR_RANGE}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t number = -7;
        assert_int_equal(json_get_i64(value, "n", rows[i].min, rows[i].max, &number, NULL), rows[i].result);
        assert_int_equal(number, rows[i].result == 0 ? 16 : -7);
    }
    json_free(value);
}

static void names_kinds_and_takes_null(void **state)
{
    (void)state;
    static const enum json_kind kinds[] = {JSON_KIND_TEXT, JSON_KIND_INT,  JSON_KIND_REAL,  JSON_KIND_BOOL,
                                           JSON_KIND_BOOL, JSON_KIND_NULL, JSON_KIND_ARRAY, JSON_KIND_OBJECT};
    struct json *value = parsed(sample);
    struct json_member member = {0};
    size_t n = 0;
    for (; json_next(value, &member); n++) {
        assert_int_equal(json_kind_of(member.value), kinds[n]);
        assert_ptr_equal(json_get(value, member.key), member.value);
        assert_true(strlen(json_kind_text(kinds[n])) > 0);
    }
    assert_int_equal(n, COUNT(kinds));
    assert_int_equal(json_count(value), COUNT(kinds));
    json_free(value);

    struct json *scalar = parsed("5");
    member = (struct json_member){0};
    assert_false(json_next(scalar, &member));
    assert_false(json_next(NULL, &member));
    assert_null(json_get(scalar, "x"));
    assert_int_equal(json_count(scalar) + json_count(NULL), 0);
    assert_null(json_as_text(scalar));
    assert_null(json_as_text(NULL));
    assert_int_equal(json_kind_of(NULL), JSON_KIND_NONE);
    assert_null(json_dump(NULL, JSON_FORM_COMPACT));
    assert_null(json_clone(NULL));
    json_free(scalar);
    json_free(NULL);
}

static void refuses_strangers(void **state)
{
    (void)state;
    static const char *const known[] = {"product", "quantity", NULL};
    static const struct {
        const char *text;
        int result;
        const char *words;
    } rows[] = {
        {"{}", 0, ""},
        {"{\"quantity\":1}", 0, ""},
        {"{\"quantity\":1,\"quantitiy\":2}", ERR_FORMAT, "\"quantitiy\""},
        {"{\"\":1}", ERR_FORMAT, "\"\""},
        {"[]", ERR_FORMAT, "an array"},
        {"\"product\"", ERR_FORMAT, "a string"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct json *value = parsed(rows[i].text);
        struct err_info why = {0};
        assert_int_equal(json_check_members(value, known, &why), rows[i].result);
        assert_non_null(strstr(why.text, rows[i].words));
        json_free(value);
    }
}

/* ---- building */

static void builds_in_order(void **state)
{
    (void)state;
    struct json *root = json_new_object(), *list = json_new_array(), *inner = json_new_object();
    int r = json_append_text(list, "a") | json_append_i64(list, -1) | json_append_real(list, 0.72) |
            json_append_bool(list, false) | json_append_text(list, NULL) |
            json_append_span(list, span_of("xyz", 2));
    r |= json_put_i64(inner, "max", INT64_MAX);
    r |= json_append(list, inner);
    r |= json_put_text(root, "z", "last letter") | json_put(root, "list", list) |
         json_put_bool(root, "yes", true);
    r |= json_put_real(root, "progress", 0.72) | json_put_real(root, "nan", (double)0x1p1023 * 4);
    r |= json_put_null(root, "null") | json_put_text(root, "none", NULL) |
         json_put_span(root, "empty", span_of(NULL, 0));
    r |= json_put_text(root, "z", "again");
    json_drop(root, "null");
    json_drop(root, "never there");
    assert_int_equal(r, 0);
    assert_dump(root, JSON_FORM_COMPACT,
                "{\"z\":\"again\",\"list\":[\"a\",-1,0.72,false,null,\"xy\",{\"max\":9223372036854775807}],"
                "\"yes\":true,\"progress\":0.72,\"nan\":null,\"none\":null,\"empty\":\"\"}");
    json_free(root);
}

static void failures_stay_negative(void **state)
{
    (void)state;
    struct json *array = json_new_array(), *object = json_new_object();
    assert_int_equal(json_put_i64(array, "n", 1), ERR_INTERNAL);
    assert_int_equal(json_append_i64(object, 1), ERR_INTERNAL);
    assert_true(json_put_text(NULL, "n", "x") < 0);
    assert_true(json_append_text(NULL, "x") < 0);
    assert_true(json_put(object, "n", NULL) < 0);
    assert_true(json_append(array, NULL) < 0);
    assert_true(json_put(array, "n", json_new_object()) <
                0); /* frees the child: the leak check is the judge */
    assert_true(json_append(NULL, json_new_object()) < 0);
    assert_true(json_put(NULL, "n", json_new_object()) < 0);
    assert_int_equal(json_count(array) + json_count(object), 0);
    json_drop(NULL, "n");
    json_free(array);
    json_free(object);
}

static void mends_text_that_is_not_utf8(void **state)
{
    (void)state;
#define MEND "\xEF\xBF\xBD"
    static const struct {
        const char *octets;
        size_t len;
        const char *text;
    } rows[] = {
        {"plain", 5, "plain"},
        {"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 9, "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"},
        {"a\0b", 3, "a" MEND "b"},
        {"\xFFOK", 3, MEND "OK"},
        {"OK\xC3", 3, "OK" MEND},
        {"\xC0\x80", 2, MEND MEND},
        {"\xED\xA0\x80", 3, MEND MEND MEND},
        {"\xF4\x90\x80\x80", 4, MEND MEND MEND MEND},
        {"\xE0\x9F\xBF", 3, MEND MEND MEND},
        {"\xF0\x8F\xBF\xBF", 4, MEND MEND MEND MEND},
        {"\xE2\x82"
         "a",
         3, MEND MEND "a"},
        {"\xEF\xBF\xBF\xF4\x8F\xBF\xBF", 7, "\xEF\xBF\xBF\xF4\x8F\xBF\xBF"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct json *array = json_new_array();
        assert_int_equal(json_append_span(array, span_of(rows[i].octets, rows[i].len)), 0);
        assert_string_equal(json_as_text(json_at(array, 0)), rows[i].text);
        char *text = json_dump(array, JSON_FORM_COMPACT);
        struct json *again = parsed(text);
        assert_true(json_is_equal(array, again));
        free(text);
        json_free(again);
        json_free(array);
    }
}

static void a_clone_stands_alone(void **state)
{
    (void)state;
    struct json *value = parsed(sample), *clone = json_clone(value);
    assert_true(json_is_equal(value, clone));
    json_put_i64(clone, "int", 8);
    assert_false(json_is_equal(value, clone));
    json_free(value);
    assert_string_equal(json_as_text(json_get(clone, "text")), "x");
    assert_true(json_is_equal(NULL, NULL));
    assert_false(json_is_equal(NULL, clone));
    json_free(clone);
}

/* ---- writing */

static void writes_three_forms(void **state)
{
    (void)state;
    struct json *value = parsed("{\"b\":[1,{}],\"a\":0.1,\"e\":[]}");
    assert_dump(value, JSON_FORM_COMPACT, "{\"b\":[1,{}],\"a\":0.1,\"e\":[]}");
    assert_dump(value, JSON_FORM_CANONICAL, "{\"a\":0.10000000000000001,\"b\":[1,{}],\"e\":[]}");
    assert_dump(value, JSON_FORM_PRETTY,
                "{\n  \"b\": [\n    1,\n    {}\n  ],\n  \"a\": 0.1,\n  \"e\": []\n}");
    json_free(value);
}

static void writes_secrets_into_secret_memory(void **state)
{
    (void)state;
    struct json *value = json_new_object();
    char key[3000];
    memset(key, 'k', sizeof(key));
    json_put_span(value, "private_key", span_of(key, sizeof(key)));
    size_t len = 0;
    char *text = json_dump_secret(value, JSON_FORM_COMPACT, &len);
    assert_int_equal(len, strlen(text));
    assert_int_equal(len, sizeof(key) + strlen("{\"private_key\":\"\"}"));
    char *plain = json_dump(value, JSON_FORM_COMPACT);
    assert_string_equal(text, plain);
    free(plain);
    secret_free(text);
    assert_null(json_dump_secret(NULL, JSON_FORM_COMPACT, NULL));
    json_free(value);
}

/* Stands in for the C library's, through which all wiping goes: that the memory is zero afterwards cannot be
 * seen once it is the heap's again. A fortified build calls it by its other name. */
static const char *watched;
static size_t wiped_from_watched;

void __explicit_bzero_chk(void *p, size_t n, size_t room);

void __explicit_bzero_chk(void *p, size_t n, size_t room)
{
    assert_true(n <= room);
    uintptr_t from = (uintptr_t)p, at = (uintptr_t)watched;
    if (watched && at >= from && at < from + n) {
        wiped_from_watched = from + n - at;
    }
    for (volatile char *to = p; n > 0; n--) {
        *to++ = 0;
    }
}

void explicit_bzero(void *p, size_t n)
{
    __explicit_bzero_chk(p, n, n);
}

static void a_freed_tree_is_wiped(void **state)
{
    (void)state;
    char key[200];
    memset(key, 'k', sizeof(key));
    struct json *array = json_new_array(), *clone;
    json_append_span(array, span_of(key, sizeof(key)));
    clone = json_clone(array);

    watched = json_as_text(json_at(array, 0));
    wiped_from_watched = 0;
    json_free(array);
    assert_true(wiped_from_watched >= sizeof(key));

    watched = json_as_text(json_at(clone, 0));
    wiped_from_watched = 0;
    json_free(clone);
    assert_true(wiped_from_watched >= sizeof(key));
    watched = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_and_writes_every_kind),
        cmocka_unit_test(says_where_it_fails),
        cmocka_unit_test(an_error_does_not_quote_the_text),
        cmocka_unit_test(limits_the_depth),
        cmocka_unit_test(a_tower_of_brackets_is_refused),
        cmocka_unit_test(reads_members_by_type),
        cmocka_unit_test(tells_missing_from_wrong),
        cmocka_unit_test(checks_ranges),
        cmocka_unit_test(names_kinds_and_takes_null),
        cmocka_unit_test(refuses_strangers),
        cmocka_unit_test(builds_in_order),
        cmocka_unit_test(failures_stay_negative),
        cmocka_unit_test(mends_text_that_is_not_utf8),
        cmocka_unit_test(a_clone_stands_alone),
        cmocka_unit_test(writes_three_forms),
        cmocka_unit_test(writes_secrets_into_secret_memory),
        cmocka_unit_test(a_freed_tree_is_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
