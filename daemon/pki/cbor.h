/*
 * A cursor over CBOR (RFC 8949) that asks for what must stand next: the messages of a modem have one form
 * each. Nothing is allocated and nothing is copied; what is handed out points into the text. Errors stick:
 * once something was not as asked, every later call is false, and cbor_read_end tells at the end. Texts and
 * byte strings of indefinite length, floats and everything else that no modem sends are refused.
 *
 * Private to pki/.
 */
#ifndef CERTLINE_PKI_CBOR_H
#define CERTLINE_PKI_CBOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

struct cbor_reader {
    struct span rest;
    bool is_bad;
};

struct cbor_reader cbor_read_begin(struct span octets);

/* The number of the next tag, array or map must be this one. */
bool cbor_read_tag(struct cbor_reader *r, uint64_t tag);
bool cbor_read_array(struct cbor_reader *r, uint64_t n);
bool cbor_read_map(struct cbor_reader *r, uint64_t n);

bool cbor_read_uint(struct cbor_reader *r, uint64_t *ret);
bool cbor_read_int(struct cbor_reader *r, int64_t *ret); /* of either sign */
bool cbor_read_bytes(struct cbor_reader *r, struct span *ret);
bool cbor_read_bytes_of(struct cbor_reader *r, uint8_t *out, size_t n); /* exactly n of them, copied */
bool cbor_read_null(struct cbor_reader *r);

/* Whether a null stands next, without taking it. */
bool cbor_next_is_null(const struct cbor_reader *r);

/* Everything was as asked, and nothing is left. */
bool cbor_read_end(const struct cbor_reader *r);

#endif
