/* Registers as Arm's Cortex-M System Design Kit describes the UART (DDI 0479) and the architecture SysTick
 * and NVIC. The board starts in secure state, where the peripherals answer at their secure addresses (0x5…).
 */
#include "m33/uart.h"

#include "m33/startup.h"

#define REG(address)  (*(volatile uint32_t *)(address))

#define UART0         0x50200000u
#define UART_DATA     REG(UART0 + 0x00)
#define UART_STATE    REG(UART0 + 0x04)
#define UART_CTRL     REG(UART0 + 0x08)
#define UART_CLEAR    REG(UART0 + 0x0c)
#define UART_DIVIDER  REG(UART0 + 0x10)
#define STATE_TX_FULL 1u
#define STATE_RX_FULL 2u
#define CTRL_ALL      0xfu /* both directions and their interrupts */
#define CLEAR_TX      1u
#define CLEAR_RX      2u

#define SYST_CSR      REG(0xe000e010u)
#define SYST_RVR      REG(0xe000e014u)
#define SYST_CVR      REG(0xe000e018u)
#define NVIC_ISER1    REG(0xe000e104u)

#define CLOCK_HZ      20000000u
#define BAUD          115200u
#define RING          4096u

static volatile uint32_t ms, happened;
static volatile uint32_t ring_in, ring_out;
static char ring[RING];

void tick_handler(void)
{
    ms++;
    happened = 1;
}

/* Cleared before the register is emptied: what arrives after the last look raises the interrupt again.
 * Cleared afterwards, it would take that octet's interrupt away, and a full register lets no other octet
 * raise one.
 */
void uart_rx_handler(void)
{
    UART_CLEAR = CLEAR_RX;
    while (UART_STATE & STATE_RX_FULL) {
        char octet = (char)UART_DATA;
        if (ring_in - ring_out < RING)
            ring[ring_in++ % RING] = octet;
    }
    happened = 1;
}

void uart_tx_handler(void)
{
    UART_CLEAR = CLEAR_TX;
    happened = 1;
}

void uart_begin(void)
{
    UART_DIVIDER = CLOCK_HZ / BAUD;
    UART_CTRL = CTRL_ALL;
    NVIC_ISER1 = 3; /* interrupts 32 and 33 */
    SYST_RVR = CLOCK_HZ / 1000 - 1;
    SYST_CVR = 0;
    SYST_CSR = 7;
}

size_t uart_put(const char *octets, size_t n)
{
    size_t taken = 0;

    while (taken < n && !(UART_STATE & STATE_TX_FULL))
        UART_DATA = (uint8_t)octets[taken++];
    return taken;
}

size_t uart_get(char *octets, size_t max)
{
    size_t n = 0;

    while (n < max && ring_out != ring_in)
        octets[n++] = ring[ring_out++ % RING];
    return n;
}

int64_t uart_now_ms(void)
{
    return ms;
}

/* Interrupts are held off between the look and the sleep; a pending one ends the sleep all the same. */
void uart_wait(void)
{
    __asm volatile("cpsid i" ::: "memory");
    if (!happened)
        __asm volatile("wfi");
    happened = 0;
    __asm volatile("cpsie i" ::: "memory");
}
