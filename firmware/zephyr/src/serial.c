/* Two buffers are with the UART at a time, the one it fills and the next; two more hold what the main loop
 * has not read. The octets themselves go through the ring, so that a buffer is free again as soon as the UART
 * lets go of it. */
#include "serial.h"

#include <zephyr/device.h>
#include <zephyr/drivers/uart.h>
#include <zephyr/kernel.h>
#include <zephyr/sys/atomic.h>
#include <zephyr/sys/ring_buffer.h>

#include <string.h>

#include "wake.h"

#define BUFFERS 4
#define IDLE_US                                                                                              \
    1000 /* a pause so long hands on a buffer that is not full: about ten octets at 115,200 baud */
#define RING_SIZE (BUFFERS * CONFIG_CERTLINE_RX_SIZE)
#define IN_FLIGHT (2 * CONFIG_CERTLINE_RX_SIZE) /* that may still come when no further buffer is given */

static const struct device *const uart = DEVICE_DT_GET(DT_CHOSEN(certline_uart));

RING_BUF_DECLARE(received, RING_SIZE);
static uint8_t buffers[BUFFERS][CONFIG_CERTLINE_RX_SIZE];
static uint8_t sending[CONFIG_CERTLINE_TX_SIZE];
static atomic_t taken; /* a bit per buffer that is with the UART */
static atomic_t is_held, is_stopped, is_sending, has_lost;

static uint8_t *take_buffer(void)
{
    for (int i = 0; i < BUFFERS; i++)
        if (!atomic_test_and_set_bit(&taken, i))
            return buffers[i];
    return NULL;
}

static void return_buffer(const uint8_t *buffer)
{
    atomic_clear_bit(&taken, (int)((buffer - buffers[0]) / CONFIG_CERTLINE_RX_SIZE));
}

static bool may_receive(void)
{
    return !atomic_get(&is_held) && ring_buf_space_get(&received) >= IN_FLIGHT;
}

static void give_buffer(void)
{
    uint8_t *buffer = may_receive() ? take_buffer() : NULL;

    if (buffer && uart_rx_buf_rsp(uart, buffer, CONFIG_CERTLINE_RX_SIZE) != 0)
        return_buffer(buffer);
}

static void keep(const struct uart_event_rx *rx)
{
    if (ring_buf_put(&received, rx->buf + rx->offset, (uint32_t)rx->len) < rx->len)
        atomic_set(&has_lost, 1);
}

/* In an interrupt. */
static void on_event(const struct device *device, struct uart_event *event, void *data)
{
    ARG_UNUSED(device);
    ARG_UNUSED(data);
    switch (event->type) {
    case UART_TX_DONE:
    case UART_TX_ABORTED:
        memset(sending, 0, sizeof sending);
        atomic_set(&is_sending, 0);
        break;
    case UART_RX_RDY:
        keep(&event->data.rx);
        break;
    case UART_RX_BUF_REQUEST:
        give_buffer();
        return;
    case UART_RX_BUF_RELEASED:
        memset(event->data.rx_buf.buf, 0, CONFIG_CERTLINE_RX_SIZE); /* it may hold a part of a key */
        return_buffer(event->data.rx_buf.buf);
        return;
    case UART_RX_DISABLED:
        atomic_set(&is_stopped, 1);
        break;
    case UART_RX_STOPPED: /* an error; RX_DISABLED follows */
        atomic_set(&has_lost, 1);
        break;
    }
    wake_main();
}

int serial_begin(void)
{
    if (!device_is_ready(uart))
        return -ENODEV;
    int r = uart_callback_set(uart, on_event, NULL);
    if (r != 0)
        return r;
    atomic_set(&is_stopped, 1);
    serial_resume();
    return atomic_get(&is_stopped) ? -EIO : 0;
}

size_t serial_read(char *octets, size_t max)
{
    return ring_buf_get(&received, (uint8_t *)octets, (uint32_t)max);
}

bool serial_has_lost(void)
{
    if (atomic_set(&has_lost, 0) == 0)
        return false;
    ring_buf_get(&received, NULL, RING_SIZE);
    return true;
}

size_t serial_write(const char *octets, size_t n)
{
    if (n == 0 || atomic_set(&is_sending, 1) != 0)
        return 0;
    if (n > sizeof sending)
        n = sizeof sending;
    memcpy(sending, octets, n);
    if (uart_tx(uart, sending, n, SYS_FOREVER_US) == 0)
        return n;
    atomic_set(&is_sending, 0);
    return 0;
}

void serial_hold(bool hold)
{
    atomic_set(&is_held, hold);
}

void serial_resume(void)
{
    if (!atomic_get(&is_stopped) || !may_receive())
        return;
    uint8_t *buffer = take_buffer();
    if (!buffer)
        return;
    atomic_set(&is_stopped, 0);
    if (uart_rx_enable(uart, buffer, CONFIG_CERTLINE_RX_SIZE, IDLE_US) == 0)
        return;
    return_buffer(buffer);
    atomic_set(&is_stopped, 1);
}
