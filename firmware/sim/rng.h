/* The board's own dice (splitmix64): small, seedable, the same on every machine. Keys drawn from it protect
 * nothing. */
#ifndef CERTLINE_SIM_RNG_H
#define CERTLINE_SIM_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
    uint64_t state;
};

static inline uint64_t rng_next(struct rng *r)
{
    r->state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = r->state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* 0 … below - 1; `below` at least 1 and small, so the bias does not matter. */
static inline uint64_t rng_below(struct rng *r, uint64_t below)
{
    return rng_next(r) % below;
}

/* True with probability p. Draws nothing when p is 0, so that a board without faults has one history. */
static inline bool rng_hit(struct rng *r, double p)
{
    return p > 0 && (double)(rng_next(r) >> 11) * 0x1p-53 < p;
}

#endif
