/*
 * Counts allocations made by this thread while it asks for it: the evidence that the line allocates nothing
 * once a board is admitted. And lets one of them fail, or all from one on, for sweeps over want of memory.
 *
 * malloc, calloc, realloc, strdup, the aligned ones and mmap are interposed for the whole program, libraries
 * included; a sanitizer's own are called behind them. A test proves the counter with one deliberate malloc
 * (malloc_count_works), so that a build in which it counts nothing fails rather than passes.
 */
#ifndef CERTLINE_TESTS_MALLOC_COUNT_H
#define CERTLINE_TESTS_MALLOC_COUNT_H

#include <stdbool.h>
#include <stdint.h>

/* From here on this thread's allocations count, or do not. Returns how it was before, so that a callback can
 * stand aside and put it back. */
bool malloc_count_switch(bool is_on);

/* How many there were in all. */
uint64_t malloc_count(void);

/* Makes one allocation while counting and says whether exactly that one was seen; the count is as before
 * afterwards. */
bool malloc_count_works(void);

/* Of those that count from now on the k-th fails (0: none), and with `for_good` all behind it. */
void malloc_fail_at(uint64_t k, bool for_good);

/* How many have failed since malloc_fail_at. */
uint64_t malloc_failed(void);

#endif
