/* Base64 with the URL's alphabet and without padding (RFC 4648, 5), as modems and JSON web tokens write it.
 */
#ifndef CERTLINE_PKI_BASE64URL_H
#define CERTLINE_PKI_BASE64URL_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* Decodes into `out`. Returns the number of octets; ERR_FORMAT for a character that is none of the alphabet,
 * a length that no octets have, or bits left over that are not zero; ERR_FULL. */
int64_t base64url_decode(struct span text, uint8_t *out, size_t size);

#endif
