/* Stands for zephyr/include/zephyr/sys/ring_buffer.h of Zephyr v3.7 (nRF Connect SDK v2.9.0). One producer
 * and one consumer need no lock; ring_buf_get without memory drops octets. */
#ifndef ZEPHYR_SYS_RING_BUFFER_H
#define ZEPHYR_SYS_RING_BUFFER_H

#include <stdint.h>

struct ring_buf {
    uint8_t *buffer;
    uint32_t size;
};

#define RING_BUF_DECLARE(name, size8)                                                                        \
    static uint8_t name##_memory[size8];                                                                     \
    static struct ring_buf name = {name##_memory, size8}

uint32_t ring_buf_space_get(const struct ring_buf *buf);
uint32_t ring_buf_put(struct ring_buf *buf, const uint8_t *data, uint32_t size);
uint32_t ring_buf_get(struct ring_buf *buf, uint8_t *data, uint32_t size);

#endif
