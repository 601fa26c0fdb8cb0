/* Stands for zephyr/include/zephyr/drivers/uart.h of Zephyr v3.7 (nRF Connect SDK v2.9.0): the asynchronous
 * API. Times are microseconds. */
#ifndef ZEPHYR_DRIVERS_UART_H
#define ZEPHYR_DRIVERS_UART_H

#include <stddef.h>
#include <stdint.h>

#include <zephyr/device.h>

enum uart_event_type {
    UART_TX_DONE,
    UART_TX_ABORTED,
    UART_RX_RDY,
    UART_RX_BUF_REQUEST,
    UART_RX_BUF_RELEASED,
    UART_RX_DISABLED,
    UART_RX_STOPPED,
};

enum uart_rx_stop_reason {
    UART_ERROR_OVERRUN = 1,
    UART_ERROR_PARITY = 2,
    UART_ERROR_FRAMING = 4,
    UART_BREAK = 8,
};

struct uart_event_tx {
    const uint8_t *buf;
    size_t len;
};

struct uart_event_rx {
    uint8_t *buf;
    size_t offset;
    size_t len;
};

struct uart_event_rx_buf {
    uint8_t *buf;
};

struct uart_event_rx_stop {
    enum uart_rx_stop_reason reason;
    struct uart_event_rx data;
};

struct uart_event {
    enum uart_event_type type;
    union uart_event_data {
        struct uart_event_tx tx;
        struct uart_event_rx rx;
        struct uart_event_rx_buf rx_buf;
        struct uart_event_rx_stop rx_stop;
    } data;
};

typedef void (*uart_callback_t)(const struct device *dev, struct uart_event *evt, void *user_data);

int uart_callback_set(const struct device *dev, uart_callback_t callback, void *user_data);
int uart_tx(const struct device *dev, const uint8_t *buf, size_t len, int32_t timeout);
int uart_rx_enable(const struct device *dev, uint8_t *buf, size_t len, int32_t timeout);
int uart_rx_buf_rsp(const struct device *dev, uint8_t *buf, size_t len);

#endif
