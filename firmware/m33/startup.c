/* From reset to main on a Cortex-M33: the vector table, memory as C wants it, then main. A fault stops in a
 * loop that a debugger (or a test's time limit) finds. */
#include <stdint.h>

#include "m33/startup.h"

extern uint32_t data_begin[], data_end[], data_image[], bss_begin[], bss_end[], stack_top[];

int main(void);

__attribute__((noreturn)) void reset(void);

void reset(void)
{
    const uint32_t *from = data_image;

    for (uint32_t *to = data_begin; to < data_end; to++)
        *to = *from++;
    for (uint32_t *to = bss_begin; to < bss_end; to++)
        *to = 0;
    startup_main();
    for (;;) {
    }
}

static void stop(void)
{
    for (;;) {
    }
}

/* Images that use none of these leave them to stop. */
__attribute__((weak)) void tick_handler(void)
{
    stop();
}

__attribute__((weak)) void uart_rx_handler(void)
{
    stop();
}

__attribute__((weak)) void uart_tx_handler(void)
{
    stop();
}

/* Armv8-M: 16 system entries, then the board's interrupts, of which UART0 has the first two used ones. */
enum { SYSTICK = 15, IRQ = 16, UART0_RX = IRQ + 32, UART0_TX = IRQ + 33, VECTORS };

__attribute__((section(".vectors"), used)) static void (*const vectors[VECTORS])(void) = {
    (void (*)(void))stack_top,
    reset,
    stop, /* NMI */
    stop, /* hard fault */
    stop, /* memory management */
    stop, /* bus fault */
    stop, /* usage fault */
    stop, /* secure fault */
    [SYSTICK] = tick_handler,
    [UART0_RX] = uart_rx_handler,
    [UART0_TX] = uart_tx_handler,
};
