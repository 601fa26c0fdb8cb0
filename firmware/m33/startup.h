/* What the image does once memory is in order: call main, for tests inside of newlib's semihosting. */
#ifndef CERTLINE_M33_STARTUP_H
#define CERTLINE_M33_STARTUP_H

void startup_main(void);

/* Interrupts; an image defines those that it enables. */
void tick_handler(void);
void uart_rx_handler(void);
void uart_tx_handler(void);

#endif
