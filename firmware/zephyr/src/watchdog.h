/* Restarts the board when the main loop has not come round for CONFIG_CERTLINE_WATCHDOG_MS. */
#ifndef CERTLINE_ZEPHYR_WATCHDOG_H
#define CERTLINE_ZEPHYR_WATCHDOG_H

/* 0, or negative when there is none; the firmware works without. */
int watchdog_begin(void);
void watchdog_feed(void);

#endif
