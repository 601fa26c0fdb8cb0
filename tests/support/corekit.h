/*
 * The firmware's core on a serial line in virtual time: a wire of so many baud in each direction, octets that
 * get lost, doubled or changed on it, the core, and a small modem behind. For the core's tests and benchmark;
 * also compiled for the emulated Cortex-M33, so it uses neither heap nor library.
 *
 * Time is in nanoseconds from 0, so that an octet of 86.8 µs adds up.
 */
#ifndef CERTLINE_TESTS_COREKIT_H
#define CERTLINE_TESTS_COREKIT_H

#include "core/core.h"
#include "m33/minimodem.h"

#define COREKIT_WIRE  16384 /* octets on the way to the board */
#define COREKIT_HEARD 32768 /* octets that the host has got and not read */
#define COREKIT_MS    INT64_C(1000000)
#define COREKIT_IMEI  "351465800000002"

/* Of 1,000,000 octets so many are lost, doubled or changed. */
struct corekit_faults {
    uint32_t lose, twice, garble;
};

struct corekit {
    struct board board; /* first: the core hands it back */
    struct core core;
    struct minimodem modem;

    int64_t now_ns, octet_ns;
    uint64_t dice;
    struct corekit_faults to_board, to_host;

    char wire[COREKIT_WIRE];
    size_t wire_at, wire_len;
    int64_t in_due_ns; /* when the first octet of `wire` is at the board */

    size_t tx_max; /* octets that the board's UART takes at once: 1 and up */
    char tx[256];
    size_t tx_at, tx_len;
    int64_t out_due_ns;

    char heard[COREKIT_HEARD];
    size_t heard_len;
    uint64_t octets_in, octets_out;
    unsigned holds, restarts;
    bool is_held, is_lit;
    unsigned blinks;

    const char *line; /* the modem's command under way; NULL: none */
    size_t line_len;
    char *reply;
    size_t reply_size;
    int64_t modem_due_ns;
    bool is_modem_dead, is_modem_away; /* never answers; takes nothing */

    char memory_line[CORE_LINE_MAX + 1], memory_reply[CORE_REPLY_SIZE], memory_queue[CORE_QUEUE_SIZE];
    char memory_slots[2][TRANSFER_SLOT_SIZE];
};

void corekit_init(struct corekit *k, uint32_t baud, uint64_t seed);

/* Puts octets on the wire, behind those that are there. It is an error of the test to put on too many. */
void corekit_send(struct corekit *k, const void *octets, size_t n);
void corekit_say(struct corekit *k, const char *words);

/* The next thing that happens, but nothing later than until_ns. False: time is until_ns, and all before it
 * has happened. */
bool corekit_step(struct corekit *k, int64_t until_ns);
void corekit_run_ms(struct corekit *k, int64_t ms);

/* One line out of what was heard, without its end: true, and it is copied to `line` (of at least 256 octets,
 * cut) and taken away. Empty lines are passed over. */
bool corekit_line(struct corekit *k, char *line, size_t size);

/* Whether a line is a final result; *ret_code: 0 OK, a positive number of +CME ERROR, -1 ERROR. */
bool corekit_is_final(const char *line, int *ret_code);

/* One exchange: sends octets, hands each line of the answer to `take`, returns the code of the final result
 * or -2 when none came within timeout_ms after the last octet. What comes before that octet has left is no
 * answer to it. */
int corekit_exchange(struct corekit *k, const char *octets, size_t n,
                     void (*take)(void *arg, const char *line), void *arg, int64_t timeout_ms);

/* Sends words and CR, waits for a final result, at most timeout_ms. Returns its code, or -2 for none. The
 * lines before it, each with LF, stand in `lines`. */
int corekit_ask(struct corekit *k, const char *words, char *lines, size_t size, int64_t timeout_ms);

uint32_t corekit_random(struct corekit *k, uint32_t below);

#endif
