/* CRC-32 as Ethernet and zip use it (polynomial 0xEDB88320 reflected, start and end inverted), continued like
 * zlib's: crc32_add(crc32_add(0, a), b) is that of a followed by b. Bitwise: it covers some kilobytes a
 * board. */
#ifndef CERTLINE_BASE_CRC32_H
#define CERTLINE_BASE_CRC32_H

#include <stdint.h>

#include "base/span.h"

static inline uint32_t crc32_add(uint32_t crc, struct span octets)
{
    crc = ~crc;
    for (size_t i = 0; i < octets.len; i++) {
        crc ^= (uint8_t)octets.at[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
        }
    }
    return ~crc;
}

#endif
