/* base/err: every code has its text, the first error sticks, a cut text stays UTF-8. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static void every_code_has_its_own_text(void **state)
{
    (void)state;
    static const int codes[] = {
#define X(name, value, text) name,
        ERR_LIST(X)
#undef X
    };
    for (size_t i = 0; i < COUNT(codes); i++) {
        assert_true(codes[i] < ERR_FIRST);
        assert_string_not_equal(err_text(codes[i]), "unknown error");
        for (size_t k = 0; k < i; k++) {
            assert_int_not_equal(codes[i], codes[k]);
            assert_string_not_equal(err_text(codes[i]), err_text(codes[k]));
        }
    }
}

static void errno_and_nonsense_have_a_text(void **state)
{
    (void)state;
    assert_string_equal(err_text(-ENOSPC), "No space left on device");
    assert_string_equal(err_text(-ENOENT), "No such file or directory");
    static const int nonsense[] = {1, -999, ERR_FIRST, -1999, -2147483647 - 1, 2147483647};
    for (size_t i = 0; i < COUNT(nonsense); i++) {
        assert_string_equal(err_text(nonsense[i]), "unknown error");
    }
}

static void the_first_error_sticks(void **state)
{
    (void)state;
    struct err_info why = {0};
    assert_int_equal(err_set(&why, ERR_FULL, "box %d is full", 7), ERR_FULL);
    assert_int_equal(err_set_at(&why, ERR_FORMAT, 3, 4, "later"), ERR_FORMAT);
    assert_int_equal(why.code, ERR_FULL);
    assert_int_equal(why.line, 0);
    assert_string_equal(why.text, "box 7 is full");
    assert_int_equal(err_set(NULL, -ENOMEM, "nobody asks"), -ENOMEM);
}

static void a_place_is_kept(void **state)
{
    (void)state;
    struct err_info why = {0};
    assert_int_equal(err_set_at(&why, ERR_RANGE, 12, 5, "%s", "too much"), ERR_RANGE);
    assert_int_equal(why.line, 12);
    assert_int_equal(why.column, 5);
    assert_string_equal(why.text, "too much");
}

/* A text of characters of 1 to 4 octets, shifted by 0 to 3: the cut falls on every octet of every length
 * once. */
static void a_cut_text_ends_at_a_character(void **state)
{
    (void)state;
    static const char *const characters[] = {"a", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    for (size_t n = 1; n <= COUNT(characters); n++) {
        for (size_t shift = 0; shift < 4; shift++) {
            char text[500] = "";
            memcpy(text, "xyz", shift);
            while (strlen(text) + n < sizeof(text)) {
                strcat(text, characters[n - 1]);
            }
            struct err_info why = {0};
            err_set(&why, ERR_FORMAT, "%s", text);
            size_t len = strlen(why.text), most = sizeof(why.text) - 1;
            assert_int_equal((len - shift) % n, 0);
            assert_true(len <= most && len + n > most);
            assert_memory_equal(why.text, text, len);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_its_own_text),    cmocka_unit_test(errno_and_nonsense_have_a_text),
        cmocka_unit_test(the_first_error_sticks),         cmocka_unit_test(a_place_is_kept),
        cmocka_unit_test(a_cut_text_ends_at_a_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
