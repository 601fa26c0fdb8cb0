/*
 * Built from the inside out, each level into a buffer of its own: a request has about seven of them and some
 * hundred octets, and lengths come first in DER.
 *
 *   SEQUENCE { info, SEQUENCE { ecdsa-with-SHA256, NULL }, BIT STRING }
 *   info = SEQUENCE { 0, subject, public key, [0] { extensionRequest { keyUsage } } }
 */
#include "sim/csr.h"

#include "sim/flash.h"

#define VALUE_MAX 64

enum { UTF8 = 0x0c, PRINTABLE = 0x13, SEQUENCE = 0x30, SET = 0x31, CONTEXT_0 = 0xa0 };

static const struct {
    const char *name;
    uint8_t oid; /* the last arc of 2.5.4 */
    uint8_t string;
} attributes[] = {
    {"CN", 3, UTF8},     {"SN", 4, UTF8},  {"serialNumber", 5, PRINTABLE},
    {"C", 6, PRINTABLE}, {"L", 7, UTF8},   {"ST", 8, UTF8},
    {"O", 10, UTF8},     {"OU", 11, UTF8}, {"T", 12, UTF8},
};

/* One "ID=value" of a list. */
struct item {
    size_t attribute; /* row of the table */
    const char *value;
    size_t len;
};

/* Steps over one item. Returns false at the end or, with *ret_is_wrong, at a mistake. */
static bool next_item(const char **at, const char *end, struct item *ret, bool *ret_is_wrong)
{
    const char *from = *at;

    if (from == end)
        return false;
    const char *comma = memchr(from, ',', (size_t)(end - from));
    const char *stop = comma ? comma : end;
    const char *equals = memchr(from, '=', (size_t)(stop - from));
    *ret_is_wrong =
        !equals || equals + 1 == stop || stop - equals - 1 > VALUE_MAX || (comma && comma + 1 == end);
    if (*ret_is_wrong)
        return false;
    *at = comma ? comma + 1 : end;
    size_t name_len = (size_t)(equals - from);
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
        if (strlen(attributes[i].name) == name_len && memcmp(attributes[i].name, from, name_len) == 0) {
            *ret = (struct item){i, equals + 1, (size_t)(stop - equals - 1)};
            return true;
        }
    }
    *ret_is_wrong = true;
    return false;
}

bool csr_is_subject(const char *text, size_t len)
{
    const char *at = text;
    struct item item;
    bool is_wrong = false;

    while (next_item(&at, text + len, &item, &is_wrong))
        ;
    return !is_wrong && len > 0 && len <= CSR_TEXT_MAX;
}

bool csr_is_usage(const char *bits, size_t len)
{
    bool is_set = false;

    for (size_t i = 0; i < len; i++) {
        if (bits[i] != '0' && bits[i] != '1')
            return false;
        is_set |= bits[i] == '1';
    }
    return is_set && len <= 9;
}

static void put_attribute(struct octets *name, size_t row, const char *value, size_t len)
{
    struct octets pair = {0}, one = {0};
    const uint8_t oid[] = {0x55, 0x04, attributes[row].oid};

    octets_tlv(&pair, 0x06, oid, sizeof oid);
    octets_tlv(&pair, attributes[row].string, value, len);
    octets_tlv(&one, SEQUENCE, pair.at, pair.len);
    octets_tlv(name, SET, one.at, one.len);
}

static void put_subject(struct octets *info, const char *uuid, const char *text, size_t len)
{
    const char *at = text;
    struct octets name = {0};
    struct item item;
    bool is_wrong = false, has_name = false;

    while (next_item(&at, text + len, &item, &is_wrong))
        has_name |= item.attribute == 0;
    if (!has_name)
        put_attribute(&name, 0, uuid, strlen(uuid));
    for (at = text; next_item(&at, text + len, &item, &is_wrong);)
        put_attribute(&name, item.attribute, item.value, item.len);
    octets_tlv(info, SEQUENCE, name.at, name.len);
    info->is_full |= name.is_full;
}

/* The bits as a named BIT STRING: without zeros at the end. */
static size_t usage_string(const char *bits, size_t len, uint8_t out[5])
{
    while (bits[len - 1] == '0')
        len--;
    size_t octets = (len + 7) / 8;
    memset(out, 0, 5);
    out[0] = 0x03;
    out[1] = (uint8_t)(octets + 1);
    out[2] = (uint8_t)(octets * 8 - len);
    for (size_t i = 0; i < len; i++)
        out[3 + i / 8] |= (uint8_t)((bits[i] == '1') << (7 - i % 8));
    return octets + 3;
}

static void put_request(struct octets *info, const char *bits, size_t len)
{
    static const uint8_t key_usage[] = {0x55, 0x1d, 0x0f};
    static const uint8_t extension_request[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e};
    struct octets levels[6] = {0};
    uint8_t usage[5];

    size_t n = len > 0 ? usage_string(bits, len, usage) : usage_string("11101", 5, usage);
    octets_tlv(&levels[0], 0x06, key_usage, sizeof key_usage);
    octets_tlv(&levels[0], 0x04, usage, n);
    octets_tlv(&levels[1], SEQUENCE, levels[0].at, levels[0].len);
    octets_tlv(&levels[2], SEQUENCE, levels[1].at, levels[1].len);
    octets_tlv(&levels[3], 0x06, extension_request, sizeof extension_request);
    octets_tlv(&levels[3], SET, levels[2].at, levels[2].len);
    octets_tlv(&levels[4], SEQUENCE, levels[3].at, levels[3].len);
    octets_tlv(info, CONTEXT_0, levels[4].at, levels[4].len);
}

int csr_make(struct octets *out, const struct p256_key *key, const char *uuid, const char *text,
             size_t text_len, const char *bits, size_t bits_len, struct rng *rng)
{
    static const uint8_t version[] = {0x02, 0x01, 0x00};
    static const uint8_t algorithm[] = {SEQUENCE, 0x0c, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                        0xce,     0x3d, 0x04, 0x03, 0x02, 0x05, 0x00};
    struct octets inner = {0}, body = {0};
    uint8_t spki[P256_SPKI], digest[SIM_SHA256_SIZE], sign[P256_SIGN], string[1 + P256_DER_MAX] = {0};

    octets_add(&inner, version, sizeof version);
    put_subject(&inner, uuid, text, text_len);
    p256_spki(key, spki);
    octets_add(&inner, spki, sizeof spki);
    put_request(&inner, bits, bits_len);
    octets_tlv(&body, SEQUENCE, inner.at, inner.len);

    flash_sha256(body.at, body.len, digest);
    if (p256_sign(key, digest, rng, sign) < 0)
        return -1;
    octets_add(&body, algorithm, sizeof algorithm);
    octets_tlv(&body, 0x03, string, 1 + p256_sign_der(sign, string + 1));
    *out = (struct octets){0};
    octets_tlv(out, SEQUENCE, body.at, body.len);
    return inner.is_full || body.is_full || out->is_full ? -1 : 0;
}
