/* What the benches of credentials share: a product with a certificate and a key from its bundle, this
 * thread's CPU time, and that a good bundle is taken. */
#ifndef CERTLINE_TESTS_BENCHKIT_H
#define CERTLINE_TESTS_BENCHKIT_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "job/product.h"

static const struct product product = {.name = "tracker",
                                       .source = SOURCE_POOL,
                                       .n_entries = 2,
                                       .entries = {
                                           {.sec_tag = 1, .type = CRED_CLIENT_CERT, .from_bundle = true},
                                           {.sec_tag = 1, .type = CRED_PRIVATE_KEY, .from_bundle = true},
                                       }};

static inline double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline void must(bool is_good)
{
    if (!is_good) {
        fprintf(stderr, "a bundle that is good was refused\n");
        exit(1);
    }
}

#endif
