/* The board's first light (alias led0), for AT#BLINK. A board without one does nothing. */
#ifndef CERTLINE_ZEPHYR_LIGHT_H
#define CERTLINE_ZEPHYR_LIGHT_H

#include <stdbool.h>

void light_begin(void);
void light_set(bool is_on);

#endif
