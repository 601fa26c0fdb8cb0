/* CRC-32 as Ethernet and zip have it (reflected 0x04C11DB7, all ones in and out). Goes on from an earlier
 * value: crc32_add(crc32_add(0, a), b) is the CRC of a and b together. Without a table: a frame takes a
 * millisecond on a Cortex-M33, less than a tenth of its time on the wire. */
#ifndef CERTLINE_CORE_CRC32_H
#define CERTLINE_CORE_CRC32_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32_add(uint32_t crc, const void *octets, size_t n);

#endif
