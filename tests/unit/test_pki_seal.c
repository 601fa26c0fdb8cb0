/* pki/seal: what was sealed opens in its own place, under its own key, untouched, or not at all; and the key
 * file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "pki/seal.h"

static const uint8_t octets_a[SEAL_KEY_SIZE] = "the wrapping key of one station";
static const uint8_t octets_b[SEAL_KEY_SIZE] = "that of another station, surely";
static const char secret[] = "-----BEGIN PRIVATE KEY-----\nnot really\n-----END PRIVATE KEY-----\n";

#define CLEAR_LEN  (sizeof(secret) - 1)
#define SEALED_LEN (CLEAR_LEN + SEAL_OVERHEAD)

static struct seal_key *key_a, *key_b;
static char folder[] = "/tmp/certline-seal-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    key_a = seal_key_new(octets_a);
    key_b = seal_key_new(octets_b);
    return key_a == NULL || key_b == NULL || mkdtemp(folder) == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    seal_key_free(key_a);
    seal_key_free(key_b);
    return rmdir(folder);
}

static struct seal_place place_of(const char *bundle, enum cred_type type, uint32_t tag)
{
    return (struct seal_place){.bundle = span_str(bundle), .type = type, .sec_tag = tag};
}

static void seal_secret(uint8_t sealed[SEALED_LEN])
{
    const struct seal_place place = place_of("pool-17", CRED_PRIVATE_KEY, SEAL_NO_TAG);
    assert_int_equal(seal_make(key_a, &place, span_of(secret, CLEAR_LEN), sealed, NULL), 0);
}

static int open_secret(const struct seal_key *key, struct seal_place place, const uint8_t *sealed, size_t len,
                       uint8_t *out)
{
    return seal_open(key, &place, span_of((const char *)sealed, len), out, NULL);
}

static void opens_what_it_sealed(void **state)
{
    (void)state;
    uint8_t sealed[SEALED_LEN], again[SEALED_LEN], out[CLEAR_LEN];
    seal_secret(sealed);
    seal_secret(again);
    assert_int_equal(
        open_secret(key_a, place_of("pool-17", CRED_PRIVATE_KEY, SEAL_NO_TAG), sealed, SEALED_LEN, out), 0);
    assert_memory_equal(out, secret, CLEAR_LEN);

    /* Nothing of the secret shows, and nothing repeats but version and key id. */
    assert_null(memmem(sealed, SEALED_LEN, "PRIVATE", 7));
    assert_memory_equal(sealed, again, 1 + SEAL_KEY_ID_SIZE);
    for (size_t i = 1 + SEAL_KEY_ID_SIZE; i + 8 <= SEALED_LEN; i++) {
        assert_memory_not_equal(sealed + i, again + i, 8);
    }
}

static void every_changed_octet_is_refused(void **state)
{
    (void)state;
    uint8_t sealed[SEALED_LEN], out[CLEAR_LEN];
    static const uint8_t nothing[CLEAR_LEN];
    seal_secret(sealed);
    for (size_t i = 0; i < SEALED_LEN; i++) {
        for (int bit = 0; bit < 8; bit++) {
            memset(out, 0, sizeof(out));
            sealed[i] ^= (uint8_t)(1 << bit);
            int err = open_secret(key_a, place_of("pool-17", CRED_PRIVATE_KEY, SEAL_NO_TAG), sealed,
                                  SEALED_LEN, out);
            assert_int_equal(err, i >= 1 && i <= SEAL_KEY_ID_SIZE ? ERR_REFUSED : ERR_CORRUPT);
            assert_memory_equal(out, nothing, sizeof(out));
            sealed[i] ^= (uint8_t)(1 << bit);
        }
    }
    for (size_t len = 0; len < SEALED_LEN; len++) {
        int err = open_secret(key_a, place_of("pool-17", CRED_PRIVATE_KEY, SEAL_NO_TAG), sealed, len, out);
        assert_int_equal(err, ERR_CORRUPT);
    }
}

static void another_place_is_refused(void **state)
{
    (void)state;
    uint8_t sealed[SEALED_LEN], out[CLEAR_LEN];
    seal_secret(sealed);
    const struct seal_place places[] = {
        place_of("pool-18", CRED_PRIVATE_KEY, SEAL_NO_TAG), place_of("pool-1", CRED_PRIVATE_KEY, SEAL_NO_TAG),
        place_of("", CRED_PRIVATE_KEY, SEAL_NO_TAG),        place_of("pool-17", CRED_PSK, SEAL_NO_TAG),
        place_of("pool-17", CRED_PRIVATE_KEY, 16842753),
    };
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        assert_int_equal(open_secret(key_a, places[i], sealed, SEALED_LEN, out), ERR_CORRUPT);
    }
}

static void another_key_is_named(void **state)
{
    (void)state;
    uint8_t sealed[SEALED_LEN], out[CLEAR_LEN];
    struct err_info why = {0};
    seal_secret(sealed);
    const struct seal_place place = place_of("pool-17", CRED_PRIVATE_KEY, SEAL_NO_TAG);
    assert_int_equal(seal_open(key_b, &place, span_of((const char *)sealed, SEALED_LEN), out, &why),
                     ERR_REFUSED);
    assert_non_null(strstr(why.text, "wrapping key"));
    assert_memory_not_equal(seal_key_id(key_a), seal_key_id(key_b), SEAL_KEY_ID_SIZE);
    assert_null(memmem(octets_a, SEAL_KEY_SIZE, seal_key_id(key_a), SEAL_KEY_ID_SIZE));
}

static void keyed_digests_depend_on_key_label_and_text(void **state)
{
    (void)state;
    struct digest one, other;
    seal_digest(key_a, "label", span_str("text"), &one);
    seal_digest(key_a, "label", span_str("text"), &other);
    assert_true(digest_eq(&one, &other));
    seal_digest(key_b, "label", span_str("text"), &other);
    assert_false(digest_eq(&one, &other));
    seal_digest(key_a, "labels", span_str("text"), &other);
    assert_false(digest_eq(&one, &other));
    seal_digest(key_a, "label", span_str("texts"), &other);
    assert_false(digest_eq(&one, &other));
}

/* ---- the key file */

static const char *path_of(const char *name)
{
    static char path[200];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static int count_files(void)
{
    DIR *dir = opendir(folder);
    int n = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        n += entry->d_name[0] != '.' || strstr(entry->d_name, ".new") != NULL;
    }
    closedir(dir);
    return n;
}

static void a_key_file_is_made_once(void **state)
{
    (void)state;
    struct seal_key *first = NULL, *second = NULL;
    const char *path = path_of("made.key");
    assert_int_equal(seal_key_load(path, false, NULL, &first, NULL), -ENOENT);
    assert_int_equal(seal_key_load(path, true, NULL, &first, NULL), 1);
    assert_int_equal(seal_key_load(path, true, NULL, &second, NULL), 0);
    assert_memory_equal(seal_key_id(first), seal_key_id(second), SEAL_KEY_ID_SIZE);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_size, SEAL_KEY_SIZE);
    assert_int_equal(count_files(), 1);
    seal_key_free(first);
    seal_key_free(second);
    assert_int_equal(unlink(path), 0);
}

static void write_file(const char *path, size_t n, mode_t mode)
{
    static const uint8_t octets[100] = {1, 2, 3};
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, octets, n), n);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void a_bad_key_file_is_refused_and_left_alone(void **state)
{
    (void)state;
    static const struct {
        size_t size;
        mode_t mode;
        int result;
        const char *says;
    } rows[] = {
        {32, 0600, 0, ""},
        {32, 0400, 0, ""},
        {32, 0604, ERR_REFUSED, "chmod"},
        {32, 0620, ERR_REFUSED, "chmod"},
        {32, 0601, ERR_REFUSED, "chmod"},
        {31, 0600, ERR_FORMAT, "31 octets"},
        {33, 0600, ERR_FORMAT, "33 octets"},
        {0, 0600, ERR_FORMAT, "0 octets"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct seal_key *key = NULL;
        struct err_info why = {0};
        const char *path = path_of("given.key");
        write_file(path, rows[i].size, rows[i].mode);
        assert_int_equal(seal_key_load(path, true, NULL, &key, &why), rows[i].result);
        assert_non_null(strstr(why.text, rows[i].says));
        assert_int_equal(key != NULL, rows[i].result == 0);
        seal_key_free(key);
        struct stat st;
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_size, rows[i].size);
        assert_int_equal(unlink(path), 0);
    }
}

static void only_a_file_will_do(void **state)
{
    (void)state;
    struct seal_key *key = NULL;
    struct err_info why = {0};
    assert_int_equal(seal_key_load(folder, true, NULL, &key, &why), ERR_REFUSED);
    assert_non_null(strstr(why.text, "no regular file"));
    assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
    why = (struct err_info){0};
    assert_int_equal(seal_key_load(path_of("fifo"), true, NULL, &key, &why), ERR_REFUSED);
    assert_int_equal(unlink(path_of("fifo")), 0);
    assert_int_equal(seal_key_load(path_of("no/such/folder"), true, NULL, &key, NULL), -ENOENT);
}

static void none_is_made_where_others_may_write(void **state)
{
    (void)state;
    struct seal_key *key = NULL;
    struct err_info why = {0};
    assert_int_equal(chmod(folder, 0770), 0);
    assert_int_equal(seal_key_load(path_of("made.key"), true, NULL, &key, &why), ERR_REFUSED);
    assert_non_null(strstr(why.text, "not ours alone"));
    assert_int_equal(chmod(folder, 0700), 0);
    assert_int_equal(count_files(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_what_it_sealed),
        cmocka_unit_test(every_changed_octet_is_refused),
        cmocka_unit_test(another_place_is_refused),
        cmocka_unit_test(another_key_is_named),
        cmocka_unit_test(keyed_digests_depend_on_key_label_and_text),
        cmocka_unit_test(a_key_file_is_made_once),
        cmocka_unit_test(a_bad_key_file_is_refused_and_left_alone),
        cmocka_unit_test(only_a_file_will_do),
        cmocka_unit_test(none_is_made_where_others_may_write),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
