/*
 * Contents lie one after the other in one block; removing closes the gap. A few moves of kilobytes are
 * cheaper than a heap, and a board that runs allocates nothing.
 *
 * SHA-256 is written out here because OpenSSL's one-shot functions allocate; tests compare it with published
 * digests.
 */
#include "sim/flash.h"

#include <assert.h>
#include <string.h>

int flash_find(const struct flash *s, uint32_t sec_tag, unsigned type)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->slots[i].sec_tag == sec_tag && s->slots[i].type == type)
            return (int)i;
    }
    return -1;
}

bool flash_fits(const struct flash *s, uint32_t sec_tag, unsigned type, size_t len)
{
    int old = flash_find(s, sec_tag, type);
    size_t freed = old < 0 ? 0 : s->slots[old].len;
    size_t count = old < 0 ? s->count : s->count - 1;
    return count < SIM_ENTRY_MAX && s->used - freed + len <= s->limit;
}

int flash_put(struct flash *s, uint32_t sec_tag, unsigned type, const void *content, size_t len)
{
    if (!flash_fits(s, sec_tag, type, len))
        return -1;

    int old = flash_find(s, sec_tag, type);
    if (old >= 0)
        flash_remove(s, (size_t)old);
    struct flash_entry *slot = &s->slots[s->count++];
    *slot = (struct flash_entry){.sec_tag = sec_tag, .type = type, .at = s->used, .len = len};
    memcpy(s->memory + s->used, content, len);
    s->used += len;
    flash_sha256(content, len, slot->sha256);
    return 0;
}

void flash_remove(struct flash *s, size_t i)
{
    assert(i < s->count);
    size_t at = s->slots[i].at, len = s->slots[i].len;

    memmove(s->memory + at, s->memory + at + len, s->used - at - len);
    s->used -= len;
    memmove(&s->slots[i], &s->slots[i + 1], (s->count - i - 1) * sizeof s->slots[0]);
    s->count--;
    for (size_t j = 0; j < s->count; j++) {
        if (s->slots[j].at > at)
            s->slots[j].at -= len;
    }
}

void flash_clear(struct flash *s)
{
    s->count = s->used = 0;
}

struct simboard_wear *flash_wear(struct flash *s, uint32_t sec_tag, unsigned type)
{
    for (size_t i = 0; i < s->wear_count; i++) {
        if (s->wear[i].sec_tag == sec_tag && s->wear[i].type == type)
            return &s->wear[i];
    }
    if (s->wear_count == SIM_WEAR_MAX)
        return NULL;
    s->wear[s->wear_count] = (struct simboard_wear){.sec_tag = sec_tag, .type = type};
    return &s->wear[s->wear_count++];
}

/* -- SHA-256, FIPS 180-4 -- */

static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t turn(uint32_t x, unsigned n)
{
    return (x >> n) | (x << (32 - n));
}

static void sha256_block(uint32_t h[8], const uint8_t *block)
{
    uint32_t w[64], v[8];

    for (size_t i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (size_t i = 16; i < 64; i++) {
        uint32_t s0 = turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ (w[i - 15] >> 3);
        uint32_t s1 = turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ (w[i - 2] >> 10);
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }

    memcpy(v, h, sizeof v);
    for (size_t i = 0; i < 64; i++) {
        uint32_t s1 = turn(v[4], 6) ^ turn(v[4], 11) ^ turn(v[4], 25);
        uint32_t choose = (v[4] & v[5]) ^ (~v[4] & v[6]);
        uint32_t t1 = v[7] + s1 + choose + round_constants[i] + w[i];
        uint32_t s0 = turn(v[0], 2) ^ turn(v[0], 13) ^ turn(v[0], 22);
        uint32_t majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
        memmove(v + 1, v, 7 * sizeof v[0]);
        v[4] += t1;
        v[0] = t1 + s0 + majority;
    }
    for (size_t i = 0; i < 8; i++)
        h[i] += v[i];
}

void flash_sha256(const void *content, size_t len, uint8_t out[SIM_SHA256_SIZE])
{
    uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                     0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    const uint8_t *at = content;
    size_t left = len;

    for (; left >= 64; left -= 64, at += 64)
        sha256_block(h, at);

    uint8_t tail[128] = {0};
    size_t tail_len = left < 56 ? 64 : 128;
    if (left > 0)
        memcpy(tail, at, left);
    tail[left] = 0x80;
    uint64_t bits = (uint64_t)len * 8;
    for (size_t i = 0; i < 8; i++)
        tail[tail_len - 1 - i] = (uint8_t)(bits >> (8 * i));
    for (size_t i = 0; i < tail_len; i += 64)
        sha256_block(h, tail + i);

    for (size_t i = 0; i < SIM_SHA256_SIZE; i++)
        out[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}
