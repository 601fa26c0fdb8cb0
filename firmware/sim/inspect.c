/* What tests and the state file look at, and the names on the command line. Nothing here changes a running
 * board. */
#include "sim/board_impl.h"
#include "sim/cose.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t simboard_entry_count(const struct simboard *b)
{
    return b->modem.flash.count;
}

struct simboard_entry simboard_entry_at(const struct simboard *b, size_t i)
{
    const struct flash_entry *slot = &b->modem.flash.slots[i];
    struct simboard_entry entry = {.sec_tag = slot->sec_tag,
                                   .type = slot->type,
                                   .content = b->modem.flash.memory + slot->at,
                                   .len = slot->len,
                                   .is_generated = slot->is_generated};
    memcpy(entry.sha256, slot->sha256, sizeof entry.sha256);
    return entry;
}

bool simboard_entry_find(const struct simboard *b, uint32_t sec_tag, unsigned type,
                         struct simboard_entry *ret)
{
    int i = flash_find(&b->modem.flash, sec_tag, type);
    if (i < 0)
        return false;
    *ret = simboard_entry_at(b, (size_t)i);
    return true;
}

int simboard_entry_put(struct simboard *b, uint32_t sec_tag, unsigned type, const void *content, size_t len)
{
    return flash_put(&b->modem.flash, sec_tag, type, content, len);
}

int simboard_entry_put_digest(struct simboard *b, uint32_t sec_tag, unsigned type,
                              const uint8_t sha256[SIM_SHA256_SIZE])
{
    struct flash *flash = &b->modem.flash;

    if (flash_put(flash, sec_tag, type, "", 0) < 0)
        return -1;
    memcpy(flash->slots[flash->count - 1].sha256, sha256, SIM_SHA256_SIZE);
    return 0;
}

#define IDENTITY_TYPE 6

static int find_key(const struct simboard *b, uint32_t sec_tag, unsigned type, struct p256_key *ret)
{
    if (sec_tag == SIM_IDENTITY_TAG && type == IDENTITY_TYPE)
        return cose_identity_key(&b->modem, ret);
    int i = flash_find(&b->modem.flash, sec_tag, type);
    if (i < 0)
        return -1;
    const struct flash_entry *slot = &b->modem.flash.slots[i];
    return p256_read(ret, b->modem.flash.memory + slot->at, slot->len);
}

size_t simboard_sign(struct simboard *b, uint32_t sec_tag, unsigned type, const void *octets, size_t len,
                     uint8_t out[SIM_SIGN_MAX])
{
    uint8_t digest[SIM_SHA256_SIZE], sign[P256_SIGN];
    struct p256_key key;

    flash_sha256(octets, len, digest);
    if (find_key(b, sec_tag, type, &key) < 0 || p256_sign(&key, digest, &b->rng, sign) < 0)
        return 0;
    return p256_sign_der(sign, out);
}

size_t simboard_public_key(const struct simboard *b, uint32_t sec_tag, unsigned type,
                           char out[SIM_PUBLIC_MAX])
{
    struct p256_key key;
    return find_key(b, sec_tag, type, &key) < 0 ? 0 : p256_public_pem(&key, out);
}

size_t simboard_wear_count(const struct simboard *b)
{
    return b->modem.flash.wear_count;
}

struct simboard_wear simboard_wear_at(const struct simboard *b, size_t i)
{
    return b->modem.flash.wear[i];
}

uint32_t simboard_nvm_writes(const struct simboard *b, uint32_t sec_tag, unsigned type)
{
    for (size_t i = 0; i < b->modem.flash.wear_count; i++) {
        const struct simboard_wear *wear = &b->modem.flash.wear[i];
        if (wear->sec_tag == sec_tag && wear->type == type)
            return wear->writes;
    }
    return 0;
}

size_t simboard_executed_count(const struct simboard *b)
{
    return b->log_total < SIM_LOG_MAX ? (size_t)b->log_total : SIM_LOG_MAX;
}

const char *simboard_executed_at(const struct simboard *b, size_t i)
{
    return b->log[(b->log_total - simboard_executed_count(b) + i) % SIM_LOG_MAX];
}

uint64_t simboard_executed_total(const struct simboard *b)
{
    return b->log_total;
}

struct simboard_info simboard_info(const struct simboard *b)
{
    return (struct simboard_info){
        .config = &b->config,
        .cfun = b->modem.cfun,
        .is_plugged = b->is_plugged,
        .is_open = b->is_open,
        .is_powered = b->is_powered,
        .is_hung = b->state == BOARD_HUNG,
        .boots = b->boots,
        .modem_us = b->modem_us,
        .octets_in = b->octets_in,
        .octets_out = b->octets_out,
        .lost_busy = b->lost_busy,
        .lost_overflow = b->lost_overflow,
    };
}

/* Luhn, from the right: every second digit counts twice, the digits of a two-digit product are added. */
void sim_imei_make(const char *prefix14, unsigned add, char out[16])
{
    unsigned long long body = strtoull(prefix14, NULL, 10) + add;
    unsigned sum = 0;

    snprintf(out, 16, "%014llu", body % 100000000000000ULL);
    for (size_t i = 0; i < 14; i++) {
        unsigned digit = (unsigned)(out[i] - '0') * (i % 2 ? 2 : 1);
        sum += digit / 10 + digit % 10;
    }
    out[14] = (char)('0' + (10 - sum % 10) % 10);
    out[15] = '\0';
}
