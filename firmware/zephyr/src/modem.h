/*
 * The modem through Nordic's modem library. One command at a time; its answer and what the modem says by
 * itself come in interrupts, are kept there and fetched by the main loop.
 */
#ifndef CERTLINE_ZEPHYR_MODEM_H
#define CERTLINE_ZEPHYR_MODEM_H

#include <stdbool.h>
#include <stddef.h>

/* Boots the modem. 0, or the library's error. */
int modem_begin(void);

/* As board_ops.modem_send (core/board.h). */
int modem_start(const char *line, char *reply, size_t size);

/* True once for each command that has ended; *ret_len is its answer's length, which may be more than was
 * kept. */
bool modem_has_ended(size_t *ret_len);

/* An unsolicited line; 0 when there is none. */
size_t modem_notice(char *text, size_t max);

#endif
