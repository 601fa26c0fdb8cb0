/* A small buffer that DER and CBOR are put together in. Too much sticks: `is_full` and nothing more is
 * added. */
#ifndef CERTLINE_SIM_OCTETS_H
#define CERTLINE_SIM_OCTETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define OCTETS_SIZE 1024

struct octets {
    uint8_t at[OCTETS_SIZE];
    size_t len;
    bool is_full;
};

static inline void octets_add(struct octets *o, const void *from, size_t n)
{
    o->is_full |= n > sizeof o->at - o->len;
    if (o->is_full || n == 0)
        return;
    memcpy(o->at + o->len, from, n);
    o->len += n;
}

static inline void octets_byte(struct octets *o, unsigned octet)
{
    uint8_t c = (uint8_t)octet;
    octets_add(o, &c, 1);
}

/* DER: tag, length, content. */
static inline void octets_tlv(struct octets *o, unsigned tag, const void *content, size_t n)
{
    octets_byte(o, tag);
    if (n >= 256)
        octets_byte(o, 0x82), octets_byte(o, (unsigned)(n >> 8));
    else if (n >= 128)
        octets_byte(o, 0x81);
    octets_byte(o, n & 0xff);
    octets_add(o, content, n);
}

/* CBOR: a head of major type 0 to 7 with its number, up to 32 bits, in the shortest form. */
static inline void octets_cbor(struct octets *o, unsigned major, uint32_t number)
{
    unsigned head = major << 5;
    int more = number < 24 ? 0 : number < 0x100 ? 1 : number < 0x10000 ? 2 : 4;

    octets_byte(o, more == 0 ? head | number : head | (more == 4 ? 26u : 23u + (unsigned)more));
    for (int shift = 8 * (more - 1); shift >= 0; shift -= 8)
        octets_byte(o, number >> shift & 0xff);
}

/* CBOR: a byte string. */
static inline void octets_bstr(struct octets *o, const void *content, size_t n)
{
    octets_cbor(o, 2, (uint32_t)n);
    octets_add(o, content, n);
}

#endif
