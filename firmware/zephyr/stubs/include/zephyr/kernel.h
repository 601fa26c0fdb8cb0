/* Stands for zephyr/include/zephyr/kernel.h of Zephyr v3.7 (nRF Connect SDK v2.9.0). */
#ifndef ZEPHYR_KERNEL_H
#define ZEPHYR_KERNEL_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include <zephyr/sys/util.h>

typedef struct {
    int64_t ticks;
} k_timeout_t;

struct k_sem {
    unsigned int count;
    unsigned int limit;
};

#define K_SEM_DEFINE(name, initial_count, count_limit) struct k_sem name = {initial_count, count_limit}
#define K_MSEC(ms)                                     ((k_timeout_t){(ms)})
#define SYS_FOREVER_US                                 (-1)

void k_sem_give(struct k_sem *sem);
int k_sem_take(struct k_sem *sem, k_timeout_t timeout);
int64_t k_uptime_get(void);
int32_t k_sleep(k_timeout_t timeout);

#endif
