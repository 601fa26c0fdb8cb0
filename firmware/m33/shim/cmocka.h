/*
 * As much of cmocka's interface as the tests of core/ use, for the emulated board, where the library is not:
 * a failed assertion says where and ends the run. The same test sources run on the host with the real one.
 */
#ifndef CERTLINE_M33_CMOCKA_H
#define CERTLINE_M33_CMOCKA_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
    const char *name;
    void (*run)(void **state);
};

#define cmocka_unit_test(f)                                                                                  \
    {                                                                                                        \
#f, f                                                                                                \
    }

#define cmocka_run_group_tests(tests, setup, teardown) shim_run(tests, sizeof(tests) / sizeof *(tests))

#define shim_check(condition)                                                                                \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            printf("%s:%d: %s\n", __FILE__, __LINE__, #condition);                                           \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

#define assert_true(a)               shim_check(a)
#define assert_false(a)              shim_check(!(a))
#define assert_null(a)               shim_check((a) == NULL)
#define assert_non_null(a)           shim_check((a) != NULL)
#define assert_int_equal(a, b)       shim_check((long long)(a) == (long long)(b))
#define assert_string_equal(a, b)    shim_check(strcmp(a, b) == 0)
#define assert_memory_equal(a, b, n) shim_check(memcmp(a, b, n) == 0)

static int shim_run(const struct CMUnitTest *tests, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        tests[i].run(NULL);
        printf("ok %s\n", tests[i].name);
    }
    printf("%u tests passed\n", (unsigned)n);
    return 0;
}

#endif
