/*
 * Another wrapping key, and what the key is for: a station's state on the disk, its key changed, the change
 * killed between any two of its steps, and a copy of the database without its key.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "app.h"
#include "base/json.h"
#include "config.h"
#include "pki/init.h"
#include "support/softhsm.h"
#include "support/testpki.h"

#define BUNDLES 3

struct fixture {
    char dir[64];
    struct testpki *pki;
    struct config *config;
};

static void run(const char *format, const char *dir)
{
    char command[512];
    size_t len = 0;
    for (const char *c = format; *c && len < sizeof(command) - 80; c++) { /* %s stands for the folder */
        bool is_folder = c[0] == '%' && c[1] == 's';
        len += (size_t)snprintf(command + len, sizeof(command) - len, "%.*s", is_folder ? 70 : 1,
                                is_folder ? dir : c);
        c += is_folder;
    }
    assert_int_equal(system(command), 0);
}

static void configure(struct fixture *f, const char *token_lines);

static void begin(struct fixture *f)
{
    *f = (struct fixture){.dir = "/tmp/certline-key-XXXXXX"};
    assert_non_null(mkdtemp(f->dir));
    f->pki = testpki_new(1);
    configure(f, "");
}

/* `token_lines`: more of [station]. */
static void configure(struct fixture *f, const char *token_lines)
{
    static struct config_errors errors;
    char text[2048], path[128];
    config_free(f->config);
    snprintf(text, sizeof(text),
             "[station]\nname = \"s\"\nstate_dir = \"%s/state\"\n%s[[fixture]]\nname = \"r\"\nports = "
             "\"/nowhere/s*\"\n"
             "[[product]]\nname = \"p\"\nsource = \"pool\"\n[[product.entry]]\nsec_tag = 1\ntype = "
             "\"client_cert\"\n"
             "from = \"bundle\"\n[[product.entry]]\nsec_tag = 1\ntype = \"private_key\"\nfrom = \"bundle\"\n",
             f->dir, token_lines);
    snprintf(path, sizeof(path), "%s/config.toml", f->dir);
    assert_int_equal(config_parse(span_str(text), path, &f->config, &errors), 0);
}

static void end(struct fixture *f)
{
    config_free(f->config);
    testpki_free(f->pki);
    run("rm -rf %s", f->dir);
}

/* Imports the same bundles; how many were taken, duplicate. Negative when the state does not open. */
static int import(struct fixture *f, int64_t *ret_taken, int64_t *ret_duplicate, struct err_info *why)
{
    struct app_direct *direct = NULL;
    int r = app_direct_open(f->config, &direct, why);
    *ret_taken = *ret_duplicate = 0;
    for (unsigned i = 0; r == 0 && i < BUNDLES; i++) {
        char id[16];
        struct json *result = NULL;
        snprintf(id, sizeof(id), "b-%u", i);
        char *row = testpki_row(f->pki, i, TESTPKI_P256, id, NULL, "p", NULL);
        r = app_direct_import(direct, span_str(row), false, &result, why);
        int64_t n = 0;
        if (json_get_i64(result, "taken", 0, BUNDLES, &n, NULL) == 0) {
            *ret_taken += n;
        }
        if (json_get_i64(result, "duplicate", 0, BUNDLES, &n, NULL) == 0) {
            *ret_duplicate += n;
        }
        json_free(result);
        testpki_text_free(row);
    }
    app_direct_close(direct);
    return r;
}

static void expect(struct fixture *f, int64_t taken, int64_t duplicate)
{
    int64_t n_taken, n_duplicate;
    struct err_info why = {0};
    if (import(f, &n_taken, &n_duplicate, &why) < 0) {
        fail_msg("%s", why.text);
    }
    assert_int_equal(n_taken, taken);
    assert_int_equal(n_duplicate, duplicate);
}

static void refuse(struct fixture *f)
{
    int64_t taken, duplicate;
    struct err_info why = {0};
    assert_true(import(f, &taken, &duplicate, &why) < 0);
    assert_int_equal(taken + duplicate, 0);
    assert_true(why.text[0] != '\0');
}

static uint32_t rotate(struct fixture *f)
{
    uint32_t n = 0;
    struct err_info why = {0};
    if (app_key_rotate(f->config, "tester", &n, &why) < 0) {
        fail_msg("%s", why.text);
    }
    return n;
}

static bool exists(const struct fixture *f, const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    return access(path, F_OK) == 0;
}

/* The digests on record hold over any number of changes, or the same bundle would be taken twice. */
static void another_key(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    expect(&f, BUNDLES, 0);
    for (int i = 0; i < 3; i++) {
        run("cp %s/state/wrapping.key %s/old.key", f.dir);
        assert_int_equal(rotate(&f), 2 * BUNDLES);
        char command[256];
        snprintf(command, sizeof(command), "cmp -s %s/old.key %s/state/wrapping.key", f.dir, f.dir);
        assert_int_not_equal(system(command), 0);
        assert_false(exists(&f, "state/wrapping.key.next"));
        expect(&f, 0, BUNDLES);
    }
    end(&f);
}

/* Between making the file and changing the database; between that and taking the file. */
static void killed_between(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    expect(&f, BUNDLES, 0);
    run("head -c 32 /dev/urandom >%s/state/wrapping.key.next && chmod 600 %s/state/wrapping.key.next", f.dir);
    expect(&f, 0, BUNDLES);
    assert_false(exists(&f, "state/wrapping.key.next"));

    run("cp -p %s/state/wrapping.key %s/old.key", f.dir);
    (void)rotate(&f);
    run("mv %s/state/wrapping.key %s/state/wrapping.key.next && mv %s/old.key %s/state/wrapping.key", f.dir);
    expect(&f, 0, BUNDLES);
    assert_false(exists(&f, "state/wrapping.key.next"));
    (void)rotate(&f);
    expect(&f, 0, BUNDLES);
    end(&f);
}

/* The old key opens nothing any more. */
static void the_old_key(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    expect(&f, BUNDLES, 0);
    run("cp -p %s/state/wrapping.key %s/old.key", f.dir);
    (void)rotate(&f);
    run("cp -p %s/state/wrapping.key %s/new.key && cp -p %s/old.key %s/state/wrapping.key", f.dir);
    refuse(&f);
    run("cp -p %s/new.key %s/state/wrapping.key", f.dir);
    expect(&f, 0, BUNDLES);
    end(&f);
}

/* What a thief of a backup has: all of the state directory but the key. Nothing readable stands in it, no key
 * is made for it, and another key opens nothing. */
static void a_backup_without_its_key(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    expect(&f, BUNDLES, 0);
    run("mv %s/state/wrapping.key %s/away.key", f.dir);
    for (unsigned i = 0; i < BUNDLES; i++) {
        struct testpki_bundle bundle;
        char command[256], line[80];
        testpki_bundle(f.pki, i, TESTPKI_P256, &bundle);
        const char *second = strchr(bundle.private_key, '\n') + 1;
        snprintf(line, sizeof(line), "%.40s", second + 10); /* behind what all keys of this kind begin with */
        snprintf(command, sizeof(command), "grep -rqaF '%s' %s/state", line, f.dir);
        assert_int_not_equal(system(command), 0);
        testpki_bundle_done(&bundle);
    }
    refuse(&f);
    assert_false(exists(&f, "state/wrapping.key"));
    run("head -c 32 /dev/urandom >%s/state/wrapping.key && chmod 600 %s/state/wrapping.key", f.dir);
    uint32_t n = 0;
    assert_true(app_key_rotate(f.config, "thief", &n, NULL) < 0);
    run("mv %s/away.key %s/state/wrapping.key", f.dir);
    expect(&f, 0, BUNDLES);
    end(&f);
}

/* A station moves to a token by changing its key; without the token its files open nothing. */
static void a_key_that_takes_a_token(void **state)
{
    (void)state;
    static const unsigned char aes[SOFTHSM_AES_SIZE] = "an AES key of tests, 32 octets..";
    struct fixture f;
    struct softhsm hsm;
    struct testpki_bundle bundle;
    char lines[512];
    begin(&f);
    testpki_bundle(f.pki, 9, TESTPKI_P256, &bundle);
    if (!softhsm_begin(&hsm, "station", "ca", bundle.private_key)) {
        testpki_bundle_done(&bundle);
        end(&f);
        skip();
    }
    testpki_bundle_done(&bundle);
    softhsm_add_aes(&hsm, "station", "wrapping", aes);
    expect(&f, BUNDLES, 0);
    run("umask 077 && echo " SOFTHSM_PIN " >%s/pin", f.dir);
    snprintf(lines, sizeof(lines),
             "key_module = \"%s\"\nkey_token = \"station\"\nkey_object = \"wrapping\"\nkey_pin_file = "
             "\"%s/pin\"\n",
             hsm.module, f.dir);
    configure(&f, lines);
    expect(&f, 0, BUNDLES); /* still under the key that is a file */
    assert_int_equal(rotate(&f), 2 * BUNDLES);
    run("head -c 8 %s/state/wrapping.key | grep -q CLTOKEN1", f.dir);
    expect(&f, 0, BUNDLES);
    assert_int_equal(rotate(&f), 2 * BUNDLES); /* the token's own is not touched */
    expect(&f, 0, BUNDLES);
    configure(&f, "");
    refuse(&f);
    run("mv %s/pin %s/pin.away && umask 077 && echo 000000 >%s/pin", f.dir);
    configure(&f, lines);
    refuse(&f);
    run("mv %s/pin.away %s/pin", f.dir);
    expect(&f, 0, BUNDLES);
    softhsm_end(&hsm);
    refuse(&f); /* the token is gone */
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_key),
        cmocka_unit_test(killed_between),
        cmocka_unit_test(the_old_key),
        cmocka_unit_test(a_backup_without_its_key),
        cmocka_unit_test(a_key_that_takes_a_token),
    };
    return pki_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
