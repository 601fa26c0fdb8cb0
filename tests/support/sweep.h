/*
 * What the programs of sweeps share that take a case to be repeated, or "all": their main, and how many cases
 * are thinned.
 */
#ifndef CERTLINE_TESTS_SWEEP_H
#define CERTLINE_TESTS_SWEEP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Borrowed for sweep_main. */
struct sweep {
    const char *const *names; /* of the tests */
    size_t n;
    void (*run)(size_t which);      /* one of them */
    void (*repeat)(const char *id); /* one case; fails when there is no such case */
    CMFixtureFunction set_up, tear_down;
};

/* A test program's whole main behind its own preparations. */
int sweep_main(int argc, char **argv, const struct sweep *sweep);

/* "all" was given. */
bool sweep_takes_all(void);

/* From 1 to n, all of them or each stride-th so that at most about `wanted` are taken, beginning at another
 * one every day: for (uint64_t k = s.first; k <= n; k += s.stride). */
struct sweep_thinned {
    uint64_t first, stride;
};
struct sweep_thinned sweep_thin(uint64_t n, uint64_t wanted);

#endif
