/*
 * Counts allocations made by this thread while it asks for it: the evidence that the line allocates nothing
 * once a board is admitted.
 *
 * Under a sanitizer, which owns malloc, its hooks count; elsewhere malloc, calloc, realloc and the aligned
 * ones are interposed. A test proves the counter with one deliberate malloc (malloc_count_works), so that a
 * build in which it counts nothing fails rather than passes.
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

#endif
