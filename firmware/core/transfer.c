/*
 * Frames may come in any order, twice, or overlapping; each lands where its number says, and a bit per unit
 * knows what is there. The digest decides at the end over all of it, so that a frame which passed its CRC by
 * chance, or one that was put twice with different octets, can do no harm.
 *
 * The content lies where the write command needs it: head before it, quote behind it. It is never copied
 * again.
 */
#include "core/transfer.h"

#include <string.h>

void transfer_init(struct transfer *t, char *memory0, char *memory1)
{
    *t = (struct transfer){.open = -1, .writing = -1};
    t->slots[0].memory = memory0;
    t->slots[1].memory = memory1;
}

struct transfer_slot *transfer_open(struct transfer *t)
{
    return t->open < 0 ? NULL : &t->slots[t->open];
}

static void wipe(struct transfer_slot *slot)
{
    words_wipe(slot->memory, TRANSFER_SLOT_SIZE);
    words_wipe(&slot->plan, sizeof slot->plan);
    memset(slot->have, 0, sizeof slot->have);
}

static bool is_same(const struct transfer_plan *a, const struct transfer_plan *b)
{
    return a->key == b->key && a->sec_tag == b->sec_tag && a->type == b->type && a->size == b->size &&
           memcmp(a->sha256, b->sha256, sizeof a->sha256) == 0;
}

void transfer_begin(struct transfer *t, const struct transfer_plan *plan)
{
    if (t->open >= 0 && is_same(&t->slots[t->open].plan, plan))
        return;
    transfer_abort(t);
    t->open = t->writing == 0 ? 1 : 0;
    t->slots[t->open].plan = *plan;
}

void transfer_abort(struct transfer *t)
{
    if (t->open >= 0)
        wipe(&t->slots[t->open]);
    t->open = -1;
}

static uint32_t units_of(uint32_t size)
{
    return (size + TRANSFER_UNIT - 1) / TRANSFER_UNIT;
}

static bool has(const struct transfer_slot *slot, uint32_t unit)
{
    return slot->have[unit / 32] >> unit % 32 & 1u;
}

void transfer_put(struct transfer *t, uint32_t first, const char *octets, size_t n)
{
    struct transfer_slot *slot = &t->slots[t->open];

    memcpy(slot->memory + TRANSFER_HEAD + (size_t)first * TRANSFER_UNIT, octets, n);
    for (uint32_t unit = first; unit < first + units_of((uint32_t)n); unit++)
        slot->have[unit / 32] |= UINT32_C(1) << unit % 32;
}

bool transfer_is_complete(const struct transfer *t)
{
    const struct transfer_slot *slot = &t->slots[t->open];

    for (uint32_t unit = 0; unit < units_of(slot->plan.size); unit++)
        if (!has(slot, unit))
            return false;
    return true;
}

void transfer_missing(const struct transfer *t, struct words *text)
{
    const struct transfer_slot *slot = &t->slots[t->open];
    uint32_t units = units_of(slot->plan.size), unit = 0;
    const char *comma = "";

    while (unit < units && text->size - text->len > sizeof ",255-255" + 24) {
        uint32_t first = unit;
        while (unit < units && !has(slot, unit))
            unit++;
        if (unit == first) {
            unit++;
            continue;
        }
        words_add(text, comma);
        words_uint(text, first);
        if (unit - first > 1) {
            words_add(text, "-");
            words_uint(text, unit - 1);
        }
        comma = ",";
    }
}

enum transfer_check transfer_check(struct transfer *t, struct board *board)
{
    struct transfer_slot *slot = &t->slots[t->open];
    const char *content = slot->memory + TRANSFER_HEAD;
    uint8_t sha256[TRANSFER_DIGEST];

    if (!transfer_is_complete(t))
        return TRANSFER_INCOMPLETE;
    board->ops->sha256(board, content, slot->plan.size, sha256);
    if (memcmp(sha256, slot->plan.sha256, sizeof sha256) != 0) {
        memset(slot->have, 0, sizeof slot->have);
        return TRANSFER_WRONG;
    }
    if (memchr(content, '"', slot->plan.size) || memchr(content, '\0', slot->plan.size))
        return TRANSFER_UNWRITABLE;
    return TRANSFER_RIGHT;
}

const char *transfer_write_begin(struct transfer *t, size_t *ret_len)
{
    struct transfer_slot *slot = &t->slots[t->open];
    char head_memory[TRANSFER_HEAD];
    struct words head = {head_memory, sizeof head_memory, 0, false};

    words_add(&head, "AT%CMNG=0,");
    words_uint(&head, slot->plan.sec_tag);
    words_add(&head, ",");
    words_uint(&head, slot->plan.type);
    words_add(&head, ",\"");

    char *command = slot->memory + TRANSFER_HEAD - head.len;
    memcpy(command, head.at, head.len);
    memcpy(slot->memory + TRANSFER_HEAD + slot->plan.size, "\"", TRANSFER_TAIL);
    *ret_len = head.len + slot->plan.size + 1;
    t->writing = t->open;
    t->open = -1;
    return command;
}

static bool is_final(const char *line, size_t n, const char *word)
{
    size_t len = strlen(word);
    return n >= len && memcmp(line, word, len) == 0;
}

/* The answer to a write is its final result and nothing else. */
static int code_of(const char *answer, size_t n)
{
    static const char cme[] = "+CME ERROR: ";

    while (n > 0 && (*answer == '\r' || *answer == '\n')) {
        answer++;
        n--;
    }
    if (is_final(answer, n, "OK"))
        return 0;
    if (!is_final(answer, n, cme))
        return -1;
    struct cursor c = {answer + sizeof cme - 1, n - (sizeof cme - 1), false};
    uint32_t code = cursor_uint(&c, 65535);
    return c.is_bad || code == 0 ? -1 : (int)code;
}

void transfer_write_end(struct transfer *t, const char *answer, size_t n)
{
    struct transfer_slot *slot = &t->slots[t->writing];

    t->last = (struct transfer_result){
        .is_there = true,
        .sec_tag = slot->plan.sec_tag,
        .type = slot->plan.type,
        .key = slot->plan.key,
        .code = code_of(answer, n),
    };
    t->last.is_untold = t->last.code != 0;
    wipe(slot);
    t->writing = -1;
}
