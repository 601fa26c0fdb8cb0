/* job/family: what a version says of a modem, and which firmware and models a product lets in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "job/family.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static void families(void **state)
{
    (void)state;
    static const struct {
        const char *firmware;
        enum modem_family family;
    } rows[] = {
        {"mfw_nrf9160_0.7.0-29.alpha", FAMILY_0},
        {"mfw_nrf9160_1.0.0", FAMILY_1},
        {"mfw_nrf9160_1.2.8", FAMILY_1},
        {"mfw_nrf9160_1.3.0", FAMILY_1_3A},
        {"mfw_nrf9160_1.3.1", FAMILY_1_3A},
        {"mfw_nrf9160_1.3.2", FAMILY_1_3B},
        {"mfw_nrf9160_1.10.0", FAMILY_1_3B}, /* ten is more than three */
        {"mfw_nrf91x1_2.0.0", FAMILY_2A},
        {"mfw_nrf91x1_2.0.1", FAMILY_2A},
        {"mfw_nrf91x1_2.0.2", FAMILY_2B},
        {"mfw_nrf91x1_3.0.0", FAMILY_2B},
        {"mfw_nrf9151-ntn_1.0.0-1.alpha", FAMILY_NTN},
        {"mfw_nrf9160", FAMILY_UNKNOWN},
        {"", FAMILY_UNKNOWN},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (family_of(span_str(rows[i].firmware)) != rows[i].family) {
            fail_msg("%s", rows[i].firmware);
        }
    }
}

static bool is_allowed(const char *rule, const char *firmware)
{
    static struct product product;
    product = (struct product){.n_firmware_rules = 1};
    (void)snprintf(product.firmware_rules[0], sizeof(product.firmware_rules[0]), "%s", rule);
    return family_firmware_allowed(&product, span_str(firmware));
}

static void rules_for_firmware(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *firmware;
        bool is_allowed;
    } rows[] = {
        {">=1.3.2", "mfw_nrf9160_1.3.1", false},
        {">=1.3.2", "mfw_nrf9160_1.3.2", true},
        {">=1.3.2", "mfw_nrf9160_1.3.10", true},
        {">=1.3.2", "mfw_nrf91x1_2.0.0", true},
        {">1.3.2", "mfw_nrf9160_1.3.2", false},
        {">1.3.2", "mfw_nrf9160_1.3.3", true},
        {"<=1.3.2", "mfw_nrf9160_1.3.2", true},
        {"<=1.3.2", "mfw_nrf9160_1.3.3", false},
        {"<2.0.0", "mfw_nrf9160_1.3.7", true},
        {"<2.0.0", "mfw_nrf91x1_2.0.0", false},
        {"==2.0.2", "mfw_nrf91x1_2.0.2", true},
        {"==2.0.2", "mfw_nrf91x1_2.0.1", false},
        {">=1.0.0", "mfw_nrf9151-ntn_1.0.0-1.alpha", false}, /* it counts versions of its own */
        {"<2.0.0", "mfw_nrf9151-ntn_1.0.0-1.alpha", false},
        {"ntn", "mfw_nrf9151-ntn_1.0.0-1.alpha", true},
        {"ntn", "mfw_nrf91x1_2.0.2", false},
        {">=1.3.2", "no version at all", false},
        {"mfw_nrf91x1_*", "mfw_nrf91x1_2.0.2", true},
        {"mfw_nrf91x1_*", "mfw_nrf9160_1.3.2", false},
        {"mfw_nrf91x1_2.0.2", "mfw_nrf91x1_2.0.2", true},
        {"mfw_nrf91x1_2.0.2", "mfw_nrf91x1_2.0.20", false},
        {"mfw_nrf91x1_*", "mfw", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (is_allowed(rows[i].rule, rows[i].firmware) != rows[i].is_allowed) {
            fail_msg("%s for %s", rows[i].rule, rows[i].firmware);
        }
    }
}

/* Any rule of several is enough, and none at all lets everything in. */
static void several_rules(void **state)
{
    (void)state;
    static struct product product = {.n_firmware_rules = 2,
                                     .firmware_rules = {">=2.0.0", "ntn"},
                                     .n_model_rules = 1,
                                     .model_rules = {"nRF91*"}};
    static struct product any;
    assert_true(family_firmware_allowed(&product, span_str("mfw_nrf91x1_2.0.1")));
    assert_true(family_firmware_allowed(&product, span_str("mfw_nrf9151-ntn_1.0.0-1.alpha")));
    assert_false(family_firmware_allowed(&product, span_str("mfw_nrf9160_1.3.7")));
    assert_true(family_firmware_allowed(&any, span_str("mfw_nrf9160_1.3.7")));
    assert_true(family_model_allowed(&product, span_str("nRF9151-LACA")));
    assert_false(family_model_allowed(&product, span_str("nRF52840")));
    assert_true(family_model_allowed(&any, span_str("nRF52840")));
}

static void what_is_no_rule(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        bool is_valid;
    } rows[] = {{">=1.3.2", true}, {"==2.0.2", true}, {"ntn", true}, {"mfw_nrf91x1_*", true},
                {">=1.3", false},  {">=", false},     {"", false}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (family_rule_is_valid(rows[i].rule) != rows[i].is_valid) {
            fail_msg("%s", rows[i].rule);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families),
        cmocka_unit_test(rules_for_firmware),
        cmocka_unit_test(several_rules),
        cmocka_unit_test(what_is_no_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
