/* Stands for zephyr/include/zephyr/sys/util.h of Zephyr v3.7 (nRF Connect SDK v2.9.0). */
#ifndef ZEPHYR_SYS_UTIL_H
#define ZEPHYR_SYS_UTIL_H

#define ARG_UNUSED(x) (void)(x)
#define BIT(n)        (1UL << (n))
#define MIN(a, b)     (((a) < (b)) ? (a) : (b))

#endif
