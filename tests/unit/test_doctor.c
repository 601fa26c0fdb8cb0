/* What doctor makes of ports and of the programs beside the station, in a root that is made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cmd/doctor.h"
#include "config.h"

static char root[64];
static struct doctor d;
static struct config *config;

static void put(const char *path, const char *text)
{
    char whole[256];
    snprintf(whole, sizeof(whole), "%s%s", root, path);
    for (char *p = whole + strlen(root) + 1; (p = strchr(p, '/')) != NULL; p++) {
        *p = '\0';
        (void)mkdir(whole, 0700);
        *p = '/';
    }
    FILE *f = fopen(whole, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static int begin(void **state)
{
    static const char format[] =
        "[station]\nname = \"S\"\nstate_dir = \"%s/state\"\n[[fixture]]\nname = \"rack1\"\n"
        "[[fixture.slot]]\nname = \"1\"\nport = \"/dev/null\"\n"
        "[[fixture.slot]]\nname = \"2\"\nusb = \"1-1.2:1.0\"\n";
    char text[512];
    static struct config_errors errors;
    (void)state;
    strcpy(root, "/tmp/doctor-XXXXXX");
    assert_non_null(mkdtemp(root));
    snprintf(text, sizeof(text), format, root);
    assert_int_equal(config_parse(span_str(text), "/nowhere/config.toml", &config, &errors), 0);
    d = (struct doctor){.root = root, .config = config, .user = {.name = "you"}, .check = "test"};
    return 0;
}

static int end(void **state)
{
    char command[128];
    (void)state;
    config_free(config);
    snprintf(command, sizeof(command), "rm -rf %s", root);
    return system(command);
}

static void assert_said(uint32_t i, enum doctor_grade grade, const char *word)
{
    assert_true(i < d.n_findings);
    assert_int_equal(d.findings[i].grade, grade);
    if (!strstr(d.findings[i].text, word)) {
        fail_msg("no \"%s\" in: %s", word, d.findings[i].text);
    }
    assert_int_equal(d.findings[i].remedy[0] == '\0', grade == DOCTOR_GOOD);
}

static void ports_are_counted(void **state)
{
    (void)state;
    put("/sys/bus/usb/devices/1-1.2:1.0/tty/tty", ""); /* as cdc-acm has it: /dev/tty is there */
    doctor_check_ports(&d);
    assert_int_equal(d.n_findings, 1);
    assert_said(0, DOCTOR_GOOD, "2 ports");
}

static void modem_manager_would_take_a_port(void **state)
{
    (void)state;
    put("/proc/77/comm", "ModemManager\n");
    put("/proc/self/comm", "brltty\n"); /* no process of its own */
    put("/run/udev/data/c1:3", "I:1\nE:ID_MODEL=bridge\n");
    doctor_check_ports(&d);
    assert_said(0, DOCTOR_WRONG, "ModemManager would take /dev/null");
    put("/run/udev/data/c1:3", "I:1\nE:ID_MM_PORT_IGNORE=1\n");
    d.n_findings = 0;
    doctor_check_ports(&d);
    assert_said(0, DOCTOR_GOOD, "1 port");
    d.n_findings = 0;
    doctor_check_others(&d);
    assert_int_equal(d.n_findings, 1);
    assert_said(0, DOCTOR_GOOD, "ModemManager runs");
    put("/proc/78/comm", "brltty\n");
    d.n_findings = 0;
    doctor_check_others(&d);
    assert_said(0, DOCTOR_WRONG, "brltty");
}

static void what_the_service_may_is_computed(void **state)
{
    static const struct {
        uid_t uid;
        gid_t gid;
        mode_t mode;
        bool may;
    } rows[] = {
        {0, 20, 0660, true},  {0, 5, 0660, false},  {0, 0, 0600, false}, {0, 5, 0666, true},
        {7, 0, 0600, true},   {7, 20, 0060, false}, /* the owner's bits are the owner's */
        {0, 20, 0606, false},
    };
    (void)state;
    d.user = (struct doctor_user){.is_other = true, .uid = 7, .groups = {7, 20}, .n_groups = 2, .name = "it"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct stat st = {.st_uid = rows[i].uid, .st_gid = rows[i].gid, .st_mode = S_IFCHR | rows[i].mode};
        if (doctor_user_may(&d, "/dev/null", &st) != rows[i].may) {
            fail_msg("row %zu", i);
        }
    }
}

/* One file that was restored by root is enough for the service to fail. */
static void a_file_of_another_is_found(void **state)
{
    char path[128];
    (void)state;
    put("/state/certline.db", "");
    snprintf(path, sizeof(path), "%s/state", root);
    assert_int_equal(chmod(path, 0750), 0);
    d.user = (struct doctor_user){.is_other = true, .uid = geteuid(), .name = "it"};
    doctor_check_state(&d);
    assert_said(0, DOCTOR_GOOD, "0750");
    snprintf(path, sizeof(path), "%s/state/mark", root);
    put("/state/mark", "");
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 12345, 12345), 0);
    } else { /* somebody else's all the same */
        assert_int_equal(unlink(path), 0);
        assert_int_equal(symlink("/etc/passwd", path), 0);
    }
    d.n_findings = 0;
    doctor_check_state(&d);
    assert_said(0, DOCTOR_WRONG, "state/mark belongs to another user");
}

static void the_unit_is_looked_at(void **state)
{
    (void)state;
    doctor_check_service(&d);
    assert_said(0, DOCTOR_NOTE, "not installed");
    put("/lib/systemd/system/certlined.service", "");
    d.n_findings = 0;
    doctor_check_service(&d);
    assert_said(0, DOCTOR_NOTE, "does not start with the machine");
    assert_said(1, DOCTOR_WRONG, "wrapping.key");
    put("/etc/systemd/system/multi-user.target.wants/certlined.service", "");
    put("/etc/certline/wrapping.key", "");
    d.n_findings = 0;
    doctor_check_service(&d);
    assert_int_equal(d.n_findings, 1);
    assert_said(0, DOCTOR_GOOD, "starts with the machine");
    /* Then one that does not run is a fault. */
    d.n_findings = 0;
    doctor_check_station(&d);
    assert_said(0, DOCTOR_WRONG, "no station runs");
}

static void too_much_is_counted(void **state)
{
    (void)state;
    for (int i = 0; i < DOCTOR_FINDINGS_MAX + 3; i++) {
        doctor_say(&d, DOCTOR_NOTE, "Do it.", "%d", i);
    }
    assert_int_equal(d.n_findings, DOCTOR_FINDINGS_MAX);
    assert_int_equal(d.n_untold, 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(ports_are_counted),
        TEST(modem_manager_would_take_a_port),
        TEST(what_the_service_may_is_computed),
        TEST(the_unit_is_looked_at),
        TEST(a_file_of_another_is_found),
        TEST(too_much_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
