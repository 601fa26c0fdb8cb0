/* Stands for zephyr/include/zephyr/sys/reboot.h of Zephyr v3.7 (nRF Connect SDK v2.9.0). */
#ifndef ZEPHYR_SYS_REBOOT_H
#define ZEPHYR_SYS_REBOOT_H

#define SYS_REBOOT_COLD 1

__attribute__((noreturn)) void sys_reboot(int type);

#endif
