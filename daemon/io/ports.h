/*
 * The open ports of all slots, by slot index: what the station's env asks for as open, close and write
 * becomes jobs for the opener and descriptors in the line's loop, and what the ports have to say comes back
 * as events with slot and generation. One thread, the line's; calls return at once and never call back into
 * their caller: every event comes from the loop.
 *
 * After ports_close of a generation no event of that generation comes any more. Memory for a slot is taken in
 * ports_set; reading and writing allocate nothing, and opening only what the loop needs for a watch.
 */
#ifndef CERTLINE_IO_PORTS_H
#define CERTLINE_IO_PORTS_H

#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "io/loop.h"
#include "io/opener.h"
#include "io/port.h"

#define PORTS_SLOTS_MAX 4096

/* May call ports_open, ports_close, ports_write and ports_set, but not ports_free. */
struct ports_events {
    void *ctx;
    /* `result` is 0, or a negative code with a sentence for the operator in `detail` (never NULL, borrowed).
     */
    void (*opened)(void *ctx, uint32_t slot, uint32_t generation, int result, const char *detail);
    void (*bytes)(void *ctx, uint32_t slot, uint32_t generation, struct span octets); /* borrowed */
    void (*writable)(void *ctx, uint32_t slot, uint32_t generation);
    /* Hang-up or error, once. The port is being closed already; ports_close is allowed, not needed. */
    void (*closed)(void *ctx, uint32_t slot, uint32_t generation);
};

struct ports; /* opaque */

/* `opener` replaces the real open and close (a test's hang); NULL for the real ones. `loop` is borrowed until
 * ports_free; `events` is copied. */
struct ports *ports_new(struct loop *loop, const struct opener_config *opener,
                        const struct ports_events *events, struct err_info *reterr);

/* Discards what was not sent and closes everything, waiting for at most `stop_ms` (OPENER_STOP_MS). No event
 * comes. */
void ports_free(struct ports *ports, int stop_ms);

/* Adds a slot, or changes how it is opened from its next open on. Returns 0, ERR_RANGE or -ENOMEM. */
int ports_set(struct ports *ports, uint32_t slot, const struct port_config *config);

/* `opened` follows, unless ports_close comes before. Whatever of the slot was open before is closed first;
 * the open begins when that is finished. A slot that was never set is answered with ERR_NOT_FOUND. */
void ports_open(struct ports *ports, uint32_t slot, uint32_t generation);

/* Of another generation than the slot's: nothing happens. */
void ports_close(struct ports *ports, uint32_t slot, uint32_t generation);

/* How many octets were taken; 0: queue full, `writable` follows; negative: the port is gone or not open. */
int ports_write(struct ports *ports, uint32_t slot, uint32_t generation, struct span octets);

/* For metrics. */
uint32_t ports_open_count(const struct ports *ports);

#endif
