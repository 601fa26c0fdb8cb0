/* UART0 of the AN505 (a CMSDK APB UART) by interrupts, and milliseconds from SysTick. One octet of hardware
 * each way; received ones go into a ring that the main loop empties. */
#ifndef CERTLINE_M33_UART_H
#define CERTLINE_M33_UART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void uart_begin(void);
size_t uart_put(const char *octets, size_t n); /* how many were taken */
size_t uart_get(char *octets, size_t max);
int64_t uart_now_ms(void);

/* Sleeps until an interrupt has come since the last call. */
void uart_wait(void);

#endif
