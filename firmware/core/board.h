/*
 * What the core asks of the board under it. A port fills in struct board_ops, embeds struct board in its own
 * structure and calls the functions of core/core.h; there is nothing else between the two.
 *
 * All calls in both directions come from one thread (or one loop); an interrupt handler only notes what
 * happened. No function here may call back into the core: what it has to say is said later, through core.h.
 *
 * Ports: sim/front_certline.c, m33/, zephyr/src/. The shortest one to copy is m33/image.c.
 */
#ifndef CERTLINE_CORE_BOARD_H
#define CERTLINE_CORE_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct board;

struct board_ops {
    /* Hands octets to the UART. Returns how many it took, 0 when it is full; core_tx_ready is called once it
     * has room again. */
    size_t (*uart_write)(struct board *board, const char *octets, size_t n);

    /* Flow control: true asks the host to wait (RTS), false lets it go on. May be NULL where no wire is. */
    void (*uart_hold)(struct board *board, bool is_held);

    /*
     * Starts one exchange with the modem; core_modem_done ends it. `line` is `len` octets and a NUL, without
     * a terminator. The answer, final result included, goes into `reply`, of which at most `size` octets may
     * be written. Both stay valid until core_modem_done. The core has one exchange under way at a time.
     * Returns 0, or negative when the modem cannot take it: then core_modem_done must not follow.
     */
    int (*modem_send)(struct board *board, const char *line, size_t len, char *reply, size_t size);

    /* SHA-256 of n octets. */
    void (*sha256)(struct board *board, const void *octets, size_t n, uint8_t ret_digest[32]);

    /* The light that AT#BLINK blinks. May be NULL. */
    void (*led)(struct board *board, bool is_on);

    /* The modem has not answered within the limit: restart the board. Returns on test boards only. */
    void (*restart)(struct board *board);
};

struct board {
    const struct board_ops *ops;
};

#endif
