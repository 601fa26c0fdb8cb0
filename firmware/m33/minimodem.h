/*
 * A modem of an nRF9151 (firmware 2.0.0, which does not look into certificates) reduced to what provisioning
 * needs: identity, +CMEE, +CFUN and %CMNG, in portable C without heap or library. It stands behind the core
 * where the full simulation of firmware/sim cannot: on the emulated Cortex-M33, and in the core's tests,
 * which run there as well.
 */
#ifndef CERTLINE_M33_MINIMODEM_H
#define CERTLINE_M33_MINIMODEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MINIMODEM_ENTRIES 12
#define MINIMODEM_STORE   (24 * 1024)

struct minimodem_entry {
    uint32_t sec_tag, type;
    size_t at, len; /* of its content in the store */
    uint32_t writes;
};

struct minimodem {
    const char *imei;
    unsigned cfun;
    bool is_cmee;
    int fails_with;    /* not 0: every write is refused with this code */
    uint32_t writes;   /* that changed the store */
    uint32_t write_ms; /* how long a write takes */
    size_t n_entries, used;
    struct minimodem_entry entries[MINIMODEM_ENTRIES];
    char store[MINIMODEM_STORE];
};

/* `imei` is 15 digits and must outlive the modem. The store is empty. */
void minimodem_init(struct minimodem *m, const char *imei);

/* How long the command takes. */
uint32_t minimodem_ms(const struct minimodem *m, const char *line, size_t n);

/* Executes it. Returns the length of the answer; when that is more than `size` it was cut. */
size_t minimodem_run(struct minimodem *m, const char *line, size_t n, char *reply, size_t size);

/* NULL when there is none. Its content stands at m->store + at. */
const struct minimodem_entry *minimodem_find(const struct minimodem *m, uint32_t sec_tag, uint32_t type);

#endif
