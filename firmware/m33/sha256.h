/* SHA-256 (FIPS 180-4) for images without a cryptographic library: the emulated board, and nothing else.
 * Boards use their SDK's, the tests on a PC compare this one with OpenSSL's. */
#ifndef CERTLINE_M33_SHA256_H
#define CERTLINE_M33_SHA256_H

#include <stddef.h>
#include <stdint.h>

void sha256_of(const void *octets, size_t n, uint8_t ret_digest[32]);

#endif
