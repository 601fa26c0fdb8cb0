/*
 *   COSE_Sign1 = D2 84, 43 A1 01 26 (ES256), A1 04 41 21 (key: identity), payload, 58 40 signature
 *   message    = D9 D9 F7 85, number, UUID, three items more
 *
 * The signature is over the array ["Signature1", protected header, empty, payload], also where the payload is
 * detached.
 */
#include "sim/cose.h"

static const uint8_t protected_header[] = {0xa1, 0x01, 0x26};

int cose_identity_key(const struct modem *m, struct p256_key *ret)
{
    uint8_t digest[SIM_SHA256_SIZE];
    struct rng own = {.state = m->config->seed * UINT64_C(0x9e6c63d0876a9a47) + m->config->number};

    flash_sha256(m->config->uuid, strlen(m->config->uuid), digest);
    for (size_t i = 0; i < 8; i++)
        own.state ^= (uint64_t)digest[i] << (8 * i);
    return p256_make(ret, &own);
}

void cose_uuid(const char *text, uint8_t out[UUID_SIZE])
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    size_t n = 0;

    memset(out, 0, UUID_SIZE);
    for (; *text != '\0' && n < 2 * UUID_SIZE; text++) {
        const char *digit = strchr(digits, *text);
        if (!digit)
            continue;
        out[n / 2] = (uint8_t)(out[n / 2] << 4 | ((digit - digits) & 15));
        n++;
    }
}

void cose_nonce(struct rng *rng, uint8_t out[NONCE_SIZE])
{
    for (size_t i = 0; i < NONCE_SIZE; i++)
        out[i] = (uint8_t)(rng_next(rng) >> 24);
}

void cose_message(struct octets *out, const struct modem *m, enum cose_message number)
{
    static const uint8_t head[] = {0xd9, 0xd9, 0xf7, 0x85};
    uint8_t uuid[UUID_SIZE];

    cose_uuid(m->config->uuid, uuid);
    *out = (struct octets){0};
    octets_add(out, head, sizeof head);
    octets_cbor(out, 0, number);
    octets_bstr(out, uuid, sizeof uuid);
}

static int sign(const struct octets *payload, const struct p256_key *key, struct rng *rng, uint8_t *ret)
{
    static const char context[] = "Signature1";
    struct octets text = {0};
    uint8_t digest[SIM_SHA256_SIZE];

    octets_cbor(&text, 4, 4);
    octets_cbor(&text, 3, sizeof context - 1);
    octets_add(&text, context, sizeof context - 1);
    octets_bstr(&text, protected_header, sizeof protected_header);
    octets_bstr(&text, NULL, 0);
    octets_bstr(&text, payload->at, payload->len);
    flash_sha256(text.at, text.len, digest);
    return text.is_full ? -1 : p256_sign(key, digest, rng, ret);
}

int cose_sign(struct octets *out, const struct octets *payload, bool is_detached, const struct p256_key *key,
              struct rng *rng)
{
    static const uint8_t key_id[] = {0xa1, 0x04, 0x41, 0x21}; /* { 4: h'21' }, CBOR's -2 */
    uint8_t signature[P256_SIGN];

    if (sign(payload, key, rng, signature) < 0)
        return -1;
    *out = (struct octets){0};
    octets_cbor(out, 6, 18);
    octets_cbor(out, 4, 4);
    octets_bstr(out, protected_header, sizeof protected_header);
    octets_add(out, key_id, sizeof key_id);
    if (is_detached)
        octets_byte(out, 0xf6);
    else
        octets_bstr(out, payload->at, payload->len);
    octets_bstr(out, signature, sizeof signature);
    return out->is_full ? -1 : 0;
}

void cose_reply(struct modem_reply *reply, const uint8_t *at, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    for (size_t i = 0; i < len; i += 3) {
        uint32_t bits = (uint32_t)at[i] << 16;
        size_t n = len - i < 3 ? len - i : 3;
        if (n > 1)
            bits |= (uint32_t)at[i + 1] << 8;
        if (n > 2)
            bits |= at[i + 2];
        const char four[] = {digits[bits >> 18], digits[bits >> 12 & 63], digits[bits >> 6 & 63],
                             digits[bits & 63]};
        modem_reply_add(reply, four, n + 1);
    }
}
