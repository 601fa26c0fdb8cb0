/* io/usb_kind: boards by their identifiers, and the port that takes AT commands. */
#include "test_io.h"

#include "io/usb_kind.h"

static void boards_by_identifiers(void **state)
{
    (void)state;
    static const struct {
        uint16_t vendor, product;
        const char *serial, *model;
    } rows[] = {
        {0x1366, 0x1055, "000960012345", "nRF9160 DK"},
        {0x1366, 0x1055, "960012345", "nRF9160 DK"}, /* the probe's number without its zeros */
        {0x1366, 0x1069, "001050978819", "nRF9161 DK"},
        {0x1366, 0x1069, "1050978819", "nRF9161 DK"},
        {0x1366, 0x1069, "001051212345", "nRF9151 DK"},
        {0x1366, 0x1059, "001052012345", "nRF9151 DK"},
        {0x1366, 0x7777, "001052012345", "nRF9151 DK"}, /* the probe's firmware is newer than the table */
        {0x1366, 0x1069, "001051012345", "nRF9131 EK"},
        {0x1366, 0x1051, "001051312345", "Thingy:91 X"},
        {0x1366, 0x1051, "001055012345", "Thingy:91 X"},
        {0x1366, 0x1051, "001055112345", "Thingy:91 X"},
        {0x1915, 0x9100, "THINGY91_F00D", "Thingy:91"},
        {0x1915, 0x9100, "PCA20035_F00D", "Thingy:91"},
        {0x1915, 0x9100, NULL, "Thingy:91"},
        {0x1915, 0x910A, "THINGY91X_F00D", "Thingy:91 X"},
        {0x1915, 0x910A, "", "Thingy:91 X"},
        {0x1915, 0x9999, "THINGY91X_F00D", "Thingy:91 X"},
        {0x1366, 0x1055, "000683012345", NULL}, /* another kit with the same probe */
        {0x1366, 0x1055, "", NULL},
        {0x1366, 0x1055, NULL, NULL},
        {0x1366, 0x1055, "0001050978819", NULL}, /* 13 digits are no probe's number */
        {0x1366, 0x1055, "THINGY91", NULL},
        {0x10C4, 0xEA60, "001051212345", NULL}, /* a bridge of the fixture */
        {0x1915, 0x0001, "", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct usb_kind *kind = usb_kind_find(rows[i].vendor, rows[i].product, rows[i].serial);
        if (rows[i].model) {
            assert_non_null(kind);
            assert_string_equal(kind->model, rows[i].model);
        } else {
            assert_null(kind);
        }
    }
}

static void at_ports(void **state)
{
    (void)state;
    static const struct {
        uint16_t vendor, product;
        const char *serial;
        int interface, lowest;
        bool is_at;
    } rows[] = {
        {0x1366, 0x1069, "001051212345", 0, 0, true},
        {0x1366, 0x1069, "001051212345", 2, 0, false},
        {0x1366, 0x1069, "001051212345", 2, 2, false}, /* its first port has not been seen yet */
        {0x1366, 0x1055, "000960012345", 0, 0, true},
        {0x1366, 0x1055, "000960012345", 1, 1, true},
        {0x1366, 0x1055, "000960012345", 3, 1, false},
        {0x1915, 0x910A, "", 1, 1, true},
        {0x1915, 0x910A, "", 4, 1, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct usb_kind *kind = usb_kind_find(rows[i].vendor, rows[i].product, rows[i].serial);
        assert_int_equal(usb_kind_is_at(kind, rows[i].interface, rows[i].lowest), rows[i].is_at);
    }
}

static void flow_defaults(void **state)
{
    (void)state;
    assert_int_equal(usb_kind_find(0x1366, 0x1069, "001051212345")->flow, PORT_FLOW_RTSCTS);
    assert_int_equal(usb_kind_find(0x1915, 0x9100, "")->flow, PORT_FLOW_NONE);
}

static void interfaces(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int interface;
    } rows[] = {
        {"1-1.2:1.0", 0},          {"1-1:1.4", 4},
        {"12-4.4.4.4:2.255", 255}, {"1-1:1.256", ERR_FORMAT},
        {"1-1.2", ERR_FORMAT},     {"", ERR_FORMAT},
        {"1-1:1", ERR_FORMAT},     {"1-1:1.", ERR_FORMAT},
        {"1-1:1.0x", ERR_FORMAT},  {"1-1:1.99999999999", ERR_FORMAT},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(usb_kind_interface(rows[i].path), rows[i].interface);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boards_by_identifiers),
        cmocka_unit_test(at_ports),
        cmocka_unit_test(flow_defaults),
        cmocka_unit_test(interfaces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
