/* The application's one event: an interrupt has something for the main loop. Callable from interrupts. */
#ifndef CERTLINE_ZEPHYR_WAKE_H
#define CERTLINE_ZEPHYR_WAKE_H

void wake_main(void);

#endif
