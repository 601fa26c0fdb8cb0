/*
 * The host's UART (devicetree: chosen certline,uart) over Zephyr's asynchronous API. Received octets wait in
 * a ring that can hold every buffer that was given to the UART; a buffer is only given while that is so and
 * the core has not asked for a hold. Then the UART stops, and with hw-flow-control in the devicetree its RTS
 * tells the host to wait.
 *
 * All calls from the main loop; interrupts end in wake_main.
 */
#ifndef CERTLINE_ZEPHYR_SERIAL_H
#define CERTLINE_ZEPHYR_SERIAL_H

#include <stdbool.h>
#include <stddef.h>

/* 0, or negative when there is no such UART. */
int serial_begin(void);

/* Hands on octets that came; 0: none. */
size_t serial_read(char *octets, size_t max);

/* Whether octets were lost since the last call: an overrun, or a frame that was none. What waits to be read
 * is then dropped as well, since nobody knows where in it the gap is. */
bool serial_has_lost(void);

/* Takes octets to send, as many as there is room for. */
size_t serial_write(const char *octets, size_t n);

void serial_hold(bool is_held);

/* Receives again, when it had stopped and may. */
void serial_resume(void);

#endif
