/*
 * What a fuzz target defines. In the fuzz build libFuzzer calls it; in every other build support/fuzz_main.c
 * does, with the target's corpus and a fixed set of mutations.
 */
#ifndef CERTLINE_TESTS_FUZZ_H
#define CERTLINE_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Takes any octets and returns 0. A broken property is an assert. `data` may be read for `size` octets only.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
