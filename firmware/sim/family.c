/*
 * One row per family. Version strings are examples of the family that were seen on boards; tools choose their
 * ways by +CGMR, so its form matters more than its number. The build UUIDs are invented.
 */
#include "sim/family.h"

#include <string.h>

#define BANNER_SDK                                                                                           \
    "*** Booting nRF Connect SDK v2.9.0-7787b2649840 ***\r\n*** Using Zephyr OS v3.7.99-1f8f3dc29142 "       \
    "***\r\n"
#define BANNER_OLD "***** Booting Zephyr OS v1.14.99-ncs1 *****\r\n"

static const struct family families[] = {
    [SIM_F0] = {.name = "F0",
                .firmware = "mfw_nrf9160_0.7.0-29.alpha",
                .short_version = "nrf9160_0.7.0-29.alpha",
                .model = "nRF9160-SICA",
                .hardware = "nRF9160 SICA B0A",
                .modem_uuid = "0e8b2f3a-6d51-4c0e-9a77-1f2d3c4b5a69",
                .banner = BANNER_OLD,
                .line_max = 1792,
                .type_max = 6},
    [SIM_F1] = {.name = "F1",
                .firmware = "mfw_nrf9160_1.2.3",
                .short_version = "nrf9160_1.2.3",
                .model = "nRF9160-SICA",
                .hardware = "nRF9160 SICA B0A",
                .modem_uuid = "25c95751-efa4-40d4-8b4a-1dcaab81fac9",
                .banner = BANNER_SDK,
                .line_max = SIM_LINE_MAX,
                .type_max = 6,
                .has_denied = true},
    [SIM_F1_3A] = {.name = "F1.3a",
                   .firmware = "mfw_nrf9160_1.3.0",
                   .short_version = "nrf9160_1.3.0",
                   .model = "nRF9160-SICA",
                   .hardware = "nRF9160 SICA B1A",
                   .modem_uuid = "6b1e4d70-8c35-4a8e-b4d1-97a6c20e53f8",
                   .banner = BANNER_SDK,
                   .line_max = SIM_LINE_MAX,
                   .type_max = 11,
                   .has_reserved_rows = true,
                   .device_type = 3,
                   .has_denied = true},
    [SIM_F1_3B] = {.name = "F1.3b",
                   .firmware = "mfw_nrf9160_1.3.5",
                   .short_version = "nrf9160_1.3.5",
                   .model = "nRF9160-SICA",
                   .hardware = "nRF9160 SICA B1A",
                   .modem_uuid = "c1f0a9d4-2b7e-4f63-8d05-e6a4b7138c2f",
                   .banner = BANNER_SDK,
                   .line_max = SIM_LINE_MAX,
                   .type_max = 11,
                   .has_real_digest = true,
                   .has_power_warning = true,
                   .has_reserved_rows = true,
                   .device_type = 3,
                   .has_exists = true,
                   .has_denied = true},
    [SIM_F2A] = {.name = "F2a",
                 .firmware = "mfw_nrf91x1_2.0.0",
                 .short_version = "nrf91x1_2.0.0",
                 .model = "nRF9161-LACA",
                 .hardware = "nRF9161 LACA ADA",
                 .modem_uuid = "94d8a3b6-51f2-4e0c-a8e7-3c6b90f1d524",
                 .banner = BANNER_SDK,
                 .line_max = SIM_LINE_MAX,
                 .type_max = 11,
                 .has_real_digest = true,
                 .has_power_warning = true,
                 .has_reserved_rows = true,
                 .has_receive_only = true,
                 .device_type = 4,
                 .has_exists = true,
                 .has_denied = true},
    [SIM_F2B] = {.name = "F2b",
                 .firmware = "mfw_nrf91x1_2.0.2",
                 .short_version = "nrf91x1_2.0.2",
                 .model = "nRF9151-LACA",
                 .hardware = "nRF9151 LACA A0A",
                 .modem_uuid = "d2a7c58e-0f94-4b1d-96e3-58b1f47c20aa",
                 .banner = BANNER_SDK,
                 .line_max = SIM_LINE_MAX,
                 .type_max = 11,
                 .has_real_digest = true,
                 .checks_certificates = true,
                 .has_power_warning = true,
                 .has_reserved_rows = true,
                 .has_receive_only = true,
                 .device_type = 6,
                 .has_exists = true,
                 .has_denied = true},
    [SIM_FN] = {.name = "FN",
                .firmware = "mfw_nrf9151-ntn_1.0.0-1.alpha",
                .short_version = "nrf9151-ntn_1.0.0-1.alpha",
                .model = "nRF9151-LACA",
                .hardware = "nRF9151 LACA A0A",
                .modem_uuid = "3f6e01c9-b8d2-4a57-8c1b-0d95e7a2f463",
                .banner = BANNER_SDK,
                .line_max = SIM_LINE_MAX,
                .type_max = 11,
                .has_real_digest = true,
                .checks_certificates = true,
                .has_power_warning = true,
                .has_reserved_rows = true,
                .has_receive_only = true,
                .device_type = 6,
                .has_exists = true,
                .has_denied = true},
};

const struct family *sim_family_get(enum sim_family family)
{
    return &families[family];
}

const char *sim_family_name(enum sim_family family)
{
    return families[family].name;
}

int sim_family_parse(const char *name, enum sim_family *ret)
{
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        if (strcmp(families[i].name, name) == 0) {
            *ret = (enum sim_family)i;
            return 0;
        }
    }
    return -1;
}
