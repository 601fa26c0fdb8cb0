/*
 * One direction of a serial line: when the octet that goes on the wire now will be at the other end. Ten bits
 * an octet. Times are kept as whole microseconds and a fraction in units of 1/baud, so that nothing is
 * rounded that adds up; what comes out is rounded up to the microsecond in which the octet is complete.
 */
#ifndef CERTLINE_SIM_WIRE_H
#define CERTLINE_SIM_WIRE_H

#include <stdint.h>

#define WIRE_BITS_US UINT64_C(10000000) /* ten bits, in microseconds times baud */

struct wire_time {
    int64_t us;
    uint32_t fraction; /* of a microsecond, in 1/baud */
};

static inline struct wire_time wire_add(struct wire_time t, uint64_t octets, uint32_t baud)
{
    uint64_t sum = t.fraction + octets * WIRE_BITS_US;
    return (struct wire_time){t.us + (int64_t)(sum / baud), (uint32_t)(sum % baud)};
}

static inline int64_t wire_ceil(struct wire_time t)
{
    return t.us + (t.fraction > 0);
}

/* When an octet may start that is there at `us`: then, or once the wire is free. Within the microsecond in
 * which the wire becomes free the exact time counts, so that octets in a row lie without a gap. */
static inline struct wire_time wire_start(struct wire_time is_free, int64_t us)
{
    return us <= wire_ceil(is_free) ? is_free : (struct wire_time){us, 0};
}

#endif
