/* One bit at a time. The mask spares a branch, which keeps the time independent of the data. */
#include "core/crc32.h"

uint32_t crc32_add(uint32_t crc, const void *octets, size_t n)
{
    const uint8_t *at = octets;

    crc = ~crc;
    while (n-- > 0) {
        crc ^= *at++;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (UINT32_C(0xEDB88320) & (0u - (crc & 1u)));
    }
    return ~crc;
}
