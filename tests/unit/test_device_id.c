/* job/device_id: names made and judged by the same rules, and what each cloud takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "job/device_id.h"

#define IMEI    "351465800000002"
#define OTHER   "351465800000010"
#define UUID    "504d5632-3739-42fb-80c8-1411df972166"
#define LONG_64 "0123456789012345678901234567890123456789012345678901234567890123"

static void schemes(void **state)
{
    (void)state;
    static const struct {
        const char *scheme;
        enum device_cloud cloud;
        bool is_valid;
    } rows[] = {
        {"any", CLOUD_NONE, true},
        {"any", CLOUD_AZURE, true},
        {"uuid", CLOUD_NRFCLOUD, true},
        {"imei", CLOUD_AWS, true},
        {"nrf-imei", CLOUD_NRFCLOUD, true},
        {"nrf-{imei}", CLOUD_AZURE, true},
        {"Acme-*", CLOUD_NRFCLOUD, true},
        {"Acme-*", CLOUD_AZURE, false}, /* upper case */
        {"acme.{imei}", CLOUD_AWS, false},
        {"acme.{imei}", CLOUD_NONE, true},
        {"a{uuid}b{imei}c*", CLOUD_AWS, true},
        {"", CLOUD_NONE, false},
        {"acme", CLOUD_NONE, false}, /* one name for all boards */
        {"acme-*-x", CLOUD_NONE, false},
        {"{imei}{imei}", CLOUD_NONE, false},
        {"{serial}", CLOUD_NONE, false},
        {"{imei", CLOUD_NONE, false},
        {"a b{imei}", CLOUD_NONE, false},
        {"a\"{imei}", CLOUD_NONE, false},
        {"}", CLOUD_NONE, false},
        {LONG_64 "*", CLOUD_NONE, false},
        {"0123456789012345678901234567890123456789012345{uuid}", CLOUD_NRFCLOUD, false},
        {"0123456789012345678901234567890123456789012345{uuid}", CLOUD_AWS, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        if (device_scheme_is_valid(rows[i].scheme, rows[i].cloud) != rows[i].is_valid) {
            fail_msg("row %zu: %s", i, rows[i].scheme);
        }
    }
}

static void names_are_judged(void **state)
{
    (void)state;
    static const struct {
        const char *scheme;
        enum device_cloud cloud;
        const char *imei, *uuid, *name;
        enum device_fault fault;
    } rows[] = {
        {"any", CLOUD_NONE, IMEI, UUID, "", DEVICE_GOOD},
        {"any", CLOUD_NONE, IMEI, UUID, "what ever", DEVICE_GOOD},
        {"any", CLOUD_NRFCLOUD, IMEI, UUID, "", DEVICE_MISSING},
        {"any", CLOUD_NRFCLOUD, IMEI, UUID, "what ever", DEVICE_CHARACTER},
        {"any", CLOUD_NRFCLOUD, IMEI, UUID, LONG_64, DEVICE_GOOD},
        {"any", CLOUD_NRFCLOUD, IMEI, UUID, LONG_64 "4", DEVICE_LENGTH},
        {"any", CLOUD_AWS, IMEI, UUID, LONG_64 LONG_64, DEVICE_GOOD},
        {"any", CLOUD_AWS, IMEI, UUID, LONG_64 LONG_64 "8", DEVICE_LENGTH},
        {"any", CLOUD_AZURE, IMEI, UUID, "Board-1", DEVICE_CHARACTER},
        {"any", CLOUD_AZURE, IMEI, UUID, "board-1", DEVICE_GOOD},
        {"imei", CLOUD_NONE, IMEI, NULL, IMEI, DEVICE_GOOD},
        {"imei", CLOUD_NONE, NULL, NULL, OTHER, DEVICE_GOOD},
        {"imei", CLOUD_NONE, "", NULL, OTHER, DEVICE_GOOD},
        {"imei", CLOUD_NONE, IMEI, NULL, OTHER, DEVICE_OTHER},
        {"imei", CLOUD_NONE, IMEI, NULL, "351465800000003", DEVICE_SCHEME}, /* the check digit */
        {"imei", CLOUD_NONE, IMEI, NULL, "nrf-" IMEI, DEVICE_SCHEME},
        {"imei", CLOUD_NONE, IMEI, NULL, IMEI "0", DEVICE_SCHEME},
        {"imei", CLOUD_NONE, IMEI, NULL, "", DEVICE_MISSING},
        {"nrf-imei", CLOUD_NRFCLOUD, IMEI, NULL, "nrf-" IMEI, DEVICE_GOOD},
        {"nrf-imei", CLOUD_NRFCLOUD, IMEI, NULL, "nrf-" OTHER, DEVICE_OTHER},
        {"nrf-imei", CLOUD_NRFCLOUD, IMEI, NULL, IMEI, DEVICE_SCHEME},
        {"uuid", CLOUD_NRFCLOUD, NULL, UUID, UUID, DEVICE_GOOD},
        {"uuid", CLOUD_NRFCLOUD, NULL, NULL, UUID, DEVICE_GOOD},
        {"uuid", CLOUD_NRFCLOUD, NULL, NULL, "504D5632-3739-42fb-80c8-1411df972166", DEVICE_SCHEME},
        {"uuid", CLOUD_NRFCLOUD, NULL, "504d5632-3739-42fb-80c8-1411df972167", UUID, DEVICE_OTHER},
        {"uuid", CLOUD_NRFCLOUD, NULL, NULL, "504d5632", DEVICE_SCHEME},
        {"acme-*", CLOUD_AWS, IMEI, NULL, "acme-7", DEVICE_GOOD},
        {"acme-*", CLOUD_AWS, IMEI, NULL, "acme-", DEVICE_SCHEME},
        {"acme-*", CLOUD_AWS, IMEI, NULL, "acm", DEVICE_SCHEME},
        {"x{uuid}y{imei}z*", CLOUD_AWS, IMEI, UUID, "x" UUID "y" IMEI "z1", DEVICE_GOOD},
        {"x{uuid}y{imei}z*", CLOUD_AWS, IMEI, UUID, "x" UUID "y" IMEI "1", DEVICE_SCHEME},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        enum device_fault fault = device_id_check(rows[i].scheme, rows[i].cloud, rows[i].imei, rows[i].uuid,
                                                  span_str(rows[i].name));
        if (fault != rows[i].fault) {
            fail_msg("row %zu: %s: %d", i, rows[i].name, (int)fault);
        }
        assert_int_equal(device_fault_text(fault)[0] == '\0', fault == DEVICE_GOOD);
    }
}

static void what_is_made_is_good(void **state)
{
    (void)state;
    static const struct {
        const char *scheme, *rest, *name;
    } rows[] = {
        {"imei", NULL, IMEI},
        {"nrf-imei", NULL, "nrf-" IMEI},
        {"uuid", NULL, UUID},
        {"acme-*", "0F", "acme-0F"},
        {"acme-*", "", NULL},
        {"any", "pool-1", "pool-1"},
        {"any", NULL, NULL},
        {"x{uuid}y{imei}z*", "1", "x" UUID "y" IMEI "z1"},
        {"acme-*", LONG_64 LONG_64, NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char name[DEVICE_ID_SIZE];
        size_t len = device_id_make(rows[i].scheme, IMEI, UUID, rows[i].rest, name);
        assert_int_equal(len, rows[i].name != NULL ? strlen(rows[i].name) : 0);
        if (rows[i].name != NULL) {
            assert_string_equal(name, rows[i].name);
            assert_int_equal(device_id_check(rows[i].scheme, CLOUD_NONE, IMEI, UUID, span_str(name)),
                             DEVICE_GOOD);
        }
        assert_int_equal(device_id_make("imei", NULL, UUID, NULL, name), 0);
        assert_int_equal(device_id_make("uuid", IMEI, "", NULL, name), 0);
    }
}

static void the_imei_is_found_in_a_name(void **state)
{
    (void)state;
    static const struct {
        const char *scheme, *name;
        bool is_there;
    } rows[] = {
        {"any", IMEI, true},          {"any", "nrf-" IMEI, true},
        {"any", "acme-" IMEI, false}, {"any", "351465800000003", false},
        {"nrf-imei", IMEI, false},    {"nrf-imei", "nrf-" IMEI, true},
        {"acme-*", IMEI, false},      {"x{uuid}y{imei}z*", "x" UUID "y" IMEI "z1", true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct span imei;
        assert_int_equal(device_id_imei(rows[i].scheme, span_str(rows[i].name), &imei), rows[i].is_there);
        assert_true(!rows[i].is_there || span_is(imei, IMEI));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schemes),
        cmocka_unit_test(names_are_judged),
        cmocka_unit_test(what_is_made_is_good),
        cmocka_unit_test(the_imei_is_found_in_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
