/* Hexadecimal text, both ways. Output is upper case, as the modem's own digests are; input may be either. */
#ifndef CERTLINE_BASE_HEX_H
#define CERTLINE_BASE_HEX_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* Writes 2 * n characters and a NUL. */
void hex_encode(const uint8_t *octets, size_t n, char *out);

/* Takes exactly 2 * n characters. Returns 0, or ERR_FORMAT and leaves *out undefined. */
int hex_decode(struct span text, uint8_t *out, size_t n);

#endif
