/* Stands for zephyr/include/zephyr/sys/atomic.h of Zephyr v3.7 (nRF Connect SDK v2.9.0). atomic_set returns
 * the value before. */
#ifndef ZEPHYR_SYS_ATOMIC_H
#define ZEPHYR_SYS_ATOMIC_H

#include <stdbool.h>

typedef long atomic_val_t;
typedef atomic_val_t atomic_t;

atomic_val_t atomic_get(const atomic_t *target);
atomic_val_t atomic_set(atomic_t *target, atomic_val_t value);
bool atomic_test_and_set_bit(atomic_t *target, int bit);
void atomic_clear_bit(atomic_t *target, int bit);

#endif
