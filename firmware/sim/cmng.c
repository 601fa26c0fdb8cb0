/*
 * %CMNG and %XPMNG.
 *
 *   > AT%CMNG=0,16842753,0,"-----BEGIN CERTIFICATE-----…"      < OK
 *   > AT%CMNG=1,16842753                                       < %CMNG: 16842753,0,"2C43952E…F05BD1"  < OK
 *   > AT%CMNG=2,4567,0                                         < +CME ERROR: 513
 *
 * Real modems put no blanks after the commas of an answer, though the manual does. In a read the content
 * starts on a line of its own, as the manual shows; no recording of it is known.
 *
 * Checks of a write in the order 518, 528, type, 527, 515. The order is inferred; no two were seen together.
 */
#include "sim/modem.h"

#include <string.h>

#include "sim/cert_check.h"
#include "sim/p256.h"

#define TAG_MAX        2147483647u
#define LIST_US        4000
#define LIST_ROW_US    200
#define PSK            3
#define PUBLIC_KEY     5
#define LONG_READ      4096
#define ENDORSEMENT    8
#define OWNERSHIP_KEY  9
#define PUBLIC_TAG_MAX 9

enum opcode { OP_WRITE, OP_LIST, OP_READ, OP_DELETE };

/* What may be done with a type. Types 8 and 9 are documented as below; those that no source settles follow
 * the manual's sentences by negation ("reading 1, 2, 3 and 10 is not supported"). */
struct type_rule {
    bool is_writable;
    bool is_listed;
    bool is_readable;
    bool is_deletable;
};

static const struct type_rule type_rules[] = {
    [0] = {.is_writable = true, .is_listed = true, .is_readable = true, .is_deletable = true},
    [1] = {.is_writable = true, .is_listed = true, .is_deletable = true},
    [2] = {.is_writable = true, .is_listed = true, .is_deletable = true},
    [3] = {.is_writable = true, .is_listed = true, .is_deletable = true},
    [4] = {.is_writable = true, .is_listed = true, .is_readable = true, .is_deletable = true},
    [5] = {.is_writable = true, .is_readable = true, .is_deletable = true},
    [6] = {.is_listed = true},
    [7] = {.is_listed = false},
    [8] = {.is_listed = true, .is_readable = true}, /* its public key */
    [9] = {.is_writable = true, .is_listed = true, .is_readable = true},
    [10] = {.is_listed = true},
    [11] = {.is_listed = true},
};

/* The modem's own rows, in the order in which a real list showed them. The digest of type 6 is each device's
 * own. */
static const struct {
    uint32_t sec_tag;
    unsigned type;
    const char *digest; /* NULL: made from the device's UUID */
} reserved_rows[] = {
    {4294967293u, 10, "2C43952EE9E000FF2ACC4E2ED0897C0A72AD5FA72C3D934E81741CBD54F05BD1"},
    {4294967294u, 6, NULL},
    {4294967292u, 11, "2027C4699EAA90A414D33FA81B975C0FDEDEFB04A19CEA1ED43A8876CAD31E89"},
};

static void hex_of(const uint8_t octets[SIM_SHA256_SIZE], char out[2 * SIM_SHA256_SIZE + 1])
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < SIM_SHA256_SIZE; i++) {
        out[2 * i] = digits[octets[i] >> 4];
        out[2 * i + 1] = digits[octets[i] & 15];
    }
    out[2 * SIM_SHA256_SIZE] = '\0';
}

/* What the list shows: before 1.3.2 the type's number as an octet, 32 times. */
static void shown_digest(const struct modem *m, unsigned type, const uint8_t *sha256, char *out)
{
    uint8_t placeholder[SIM_SHA256_SIZE];

    memset(placeholder, (int)type, sizeof placeholder);
    hex_of(m->family->has_real_digest ? sha256 : placeholder, out);
}

/* Two digits an octet. */
static bool is_hex(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!memchr("0123456789abcdefABCDEF", text[i], 22))
            return false;
    }
    return len % 2 == 0;
}

static int check_write(struct modem *m, const struct modem_call *call)
{
    int code = modem_may_change(m);
    if (code != CME_OK)
        return code;
    if (!type_rules[call->type].is_writable)
        return CME_NO_ACCESS;
    int old = flash_find(&m->flash, call->sec_tag, call->type);
    bool is_kept = call->type == OWNERSHIP_KEY ||
                   (m->config->keeps_generated && m->flash.slots[old < 0 ? 0 : old].is_generated);
    if (old >= 0 && is_kept)
        return modem_exists(m);
    if (call->type == PSK && m->config->checks_psk && !is_hex(call->content, call->content_len))
        return CME_NOT_A_CERTIFICATE;
    if (call->type <= 1 && m->family->checks_certificates &&
        !sim_cert_check(call->content, call->content_len))
        return CME_NOT_A_CERTIFICATE;
    m->refused_memory += m->is_memory_full;
    if (m->is_memory_full || !flash_fits(&m->flash, call->sec_tag, call->type, call->content_len))
        return CME_MEMORY_FULL;
    return CME_OK;
}

static int check_delete(struct modem *m, const struct modem_call *call)
{
    int code = modem_may_change(m);
    if (code != CME_OK)
        return code;
    if (!type_rules[call->type].is_deletable)
        return CME_NO_ACCESS;
    return flash_find(&m->flash, call->sec_tag, call->type) < 0 ? CME_NOT_FOUND : CME_OK;
}

static int check_read(const struct modem *m, const struct modem_call *call)
{
    if (!type_rules[call->type].is_readable)
        return CME_NO_ACCESS;
    return flash_find(&m->flash, call->sec_tag, call->type) < 0 ? CME_NOT_FOUND : CME_OK;
}

/* Opcode, tag, type, content, password: all there that the opcode needs, nothing that cannot be. */
static bool parse(struct modem *m, struct modem_call *call)
{
    static const enum modem_class classes[] = {MODEM_WRITE, MODEM_LIST, MODEM_CRED_READ, MODEM_DELETE};
    struct sim_args *a = &call->args;
    uint32_t opcode = sim_args_number(a, OP_DELETE);
    size_t password_len;

    if (a->is_wrong)
        return false;
    call->class = classes[opcode];
    call->type_filter = MODEM_ANY_TYPE;
    call->has_tag = opcode != OP_LIST || sim_args_more(a);
    if (call->has_tag)
        call->sec_tag = sim_args_number(a, TAG_MAX);
    if (opcode != OP_LIST || sim_args_more(a))
        call->type_filter = call->type = sim_args_number(a, m->family->type_max);
    if (opcode == OP_WRITE) {
        call->content = sim_args_string(a, &call->content_len);
        if (sim_args_more(a))
            sim_args_string(a, &password_len); /* taken and ignored: no firmware supports it */
    }
    return sim_args_end(a) && (opcode != OP_WRITE || call->content_len > 0);
}

void cmng_begin(struct modem *m, struct modem_call *call)
{
    if (!parse(m, call)) {
        call->code = modem_bad_parameter(m);
        return;
    }

    switch (call->class) {
    case MODEM_WRITE:
        call->code = check_write(m, call);
        break;
    case MODEM_DELETE:
        call->code = check_delete(m, call);
        break;
    case MODEM_CRED_READ:
        call->code = check_read(m, call);
        break;
    case MODEM_LIST:
        call->us = LIST_US + LIST_ROW_US * (uint32_t)m->flash.count;
        return;
    case MODEM_OTHER:
    case MODEM_KEYGEN:
        return;
    }
    if (call->code == CME_OK && call->class != MODEM_CRED_READ)
        call->us = m->config->nvm_ms * 1000;
}

static void list_row(struct modem_reply *reply, uint32_t sec_tag, unsigned type, const char *digest)
{
    modem_reply_printf(reply, "%%CMNG: %u,%u,\"%s\"\r\n", (unsigned)sec_tag, type, digest);
}

static bool is_asked(const struct modem_call *call, uint32_t sec_tag, unsigned type)
{
    return (!call->has_tag || call->sec_tag == sec_tag) &&
           (call->type_filter == MODEM_ANY_TYPE || call->type_filter == type) && type_rules[type].is_listed;
}

static bool is_before(const struct flash_entry *a, const struct flash_entry *b)
{
    return a->sec_tag != b->sec_tag ? a->sec_tag < b->sec_tag : a->type < b->type;
}

/* Indices of the store's entries as the list shows them. */
static void list_order(const struct modem *m, unsigned char order[SIM_ENTRY_MAX])
{
    const struct flash_entry *slots = m->flash.slots;
    size_t count = m->flash.count;

    for (size_t i = 0; i < count; i++) {
        size_t at = i;
        switch (m->config->list_order) {
        case SIM_LIST_STORED:
            break;
        case SIM_LIST_REVERSED:
            at = count - 1 - i;
            break;
        case SIM_LIST_SORTED:
            for (; at > 0 && is_before(&slots[i], &slots[order[at - 1]]); at--)
                order[at] = order[at - 1];
            break;
        }
        order[at] = (unsigned char)i;
    }
}

static void list(struct modem *m, const struct modem_call *call, struct modem_reply *reply)
{
    char digest[2 * SIM_SHA256_SIZE + 1];

    unsigned char order[SIM_ENTRY_MAX];

    list_order(m, order);
    for (size_t i = 0; i < m->flash.count; i++) {
        const struct flash_entry *slot = &m->flash.slots[order[i]];
        if (!is_asked(call, slot->sec_tag, slot->type))
            continue;
        shown_digest(m, slot->type, slot->sha256, digest);
        list_row(reply, slot->sec_tag, slot->type, digest);
    }
    bool has_own = m->family->has_reserved_rows && !m->config->hides_reserved;
    for (size_t i = 0; has_own && i < sizeof reserved_rows / sizeof reserved_rows[0]; i++) {
        unsigned type = reserved_rows[i].type;
        uint8_t own[SIM_SHA256_SIZE];
        if (!is_asked(call, reserved_rows[i].sec_tag, type))
            continue;
        flash_sha256(m->config->uuid, strlen(m->config->uuid), own);
        shown_digest(m, type, own, digest);
        bool is_known = reserved_rows[i].digest && m->family->has_real_digest;
        list_row(reply, reserved_rows[i].sec_tag, type, is_known ? reserved_rows[i].digest : digest);
    }
}

/* Of a key pair made by the modem only the public half comes out. */
static void add_content(const struct modem *m, const struct flash_entry *slot, struct modem_reply *reply)
{
    const char *content = m->flash.memory + slot->at;
    struct p256_key key;
    char pem[P256_PEM_SIZE];

    if (slot->type < ENDORSEMENT || p256_read(&key, content, slot->len) < 0)
        modem_reply_add(reply, content, slot->len);
    else
        modem_reply_add(reply, pem, p256_public_pem(&key, pem));
}

static void read_entry(struct modem *m, const struct modem_call *call, struct modem_reply *reply)
{
    char digest[2 * SIM_SHA256_SIZE + 1];
    const struct flash_entry *slot = &m->flash.slots[flash_find(&m->flash, call->sec_tag, call->type)];

    shown_digest(m, slot->type, slot->sha256, digest);
    modem_reply_printf(reply, "%%CMNG: %u,%u,\"%s\",\r\n\"", (unsigned)slot->sec_tag, slot->type, digest);
    add_content(m, slot, reply);
    modem_reply_printf(reply, "\"\r\n");
    m->has_crashed = m->config->crashes_on_long_read && slot->len > LONG_READ;
}

/* That it fits was seen at the begin; something put in from outside meanwhile can still be in its way. */
static int write_entry(struct modem *m, const struct modem_call *call)
{
    if (flash_put(&m->flash, call->sec_tag, call->type, call->content, call->content_len) < 0)
        return CME_MEMORY_FULL;

    struct simboard_wear *wear = flash_wear(&m->flash, call->sec_tag, call->type);
    if (wear)
        wear->writes++;
    if (!rng_hit(m->rng, m->stored_wrong))
        return CME_OK;

    struct flash_entry *slot = &m->flash.slots[m->flash.count - 1];
    m->flash.memory[slot->at + slot->len / 2] ^= 1;
    flash_sha256(m->flash.memory + slot->at, slot->len, slot->sha256);
    m->stored_wrong_fired++;
    return CME_OK;
}

static void delete_entry(struct modem *m, const struct modem_call *call)
{
    flash_remove(&m->flash, (size_t)flash_find(&m->flash, call->sec_tag, call->type));
    struct simboard_wear *wear = flash_wear(&m->flash, call->sec_tag, call->type);
    if (wear)
        wear->deletes++;
}

int cmng_end(struct modem *m, struct modem_call *call, struct modem_reply *reply)
{
    switch (call->class) {
    case MODEM_WRITE:
        return write_entry(m, call);
    case MODEM_LIST:
        list(m, call, reply);
        break;
    case MODEM_CRED_READ:
        read_entry(m, call, reply);
        break;
    case MODEM_DELETE:
        delete_entry(m, call);
        break;
    case MODEM_OTHER:
    case MODEM_KEYGEN:
        break;
    }
    return CME_OK;
}

/* Nothing is known of a write that loses its power; the old entry staying is the kind assumption, neither the
 * other. */
void cmng_abort(struct modem *m, const struct modem_call *call)
{
    if (call->class != MODEM_WRITE || !m->config->tears_writes)
        return;
    int old = flash_find(&m->flash, call->sec_tag, call->type);
    if (old >= 0)
        flash_remove(&m->flash, (size_t)old);
}

/* -- %XPMNG: the public key for signed commands
 * ---------------------------------------------------------------- */

int modem_public_key(const struct modem *m, uint32_t sec_tag)
{
    for (size_t i = 0; i < m->flash.count; i++) {
        const struct flash_entry *slot = &m->flash.slots[i];
        if (slot->type == PUBLIC_KEY && (sec_tag == MODEM_ANY_TAG || slot->sec_tag == sec_tag))
            return (int)i;
    }
    return -1;
}

static int check_public_write(struct modem *m, struct modem_call *call)
{
    struct sim_args *a = &call->args;

    call->content = sim_args_string(a, &call->content_len);
    call->sec_tag = sim_args_more(a) ? sim_args_number(a, PUBLIC_TAG_MAX) : 0;
    if (!sim_args_end(a) || call->content_len == 0)
        return modem_bad_parameter(m);
    int code = modem_may_change(m);
    if (code != CME_OK)
        return code;
    if (modem_public_key(m, MODEM_ANY_TAG) >= 0)
        return m->config->public_key_exists ? m->config->public_key_exists
                                            : CME_EXISTS; /* one key at most; %CMNG=3,<tag>,5 deletes it */
    m->refused_memory += m->is_memory_full;
    return !m->is_memory_full && flash_fits(&m->flash, call->sec_tag, PUBLIC_KEY, call->content_len)
               ? CME_OK
               : CME_MEMORY_FULL;
}

void xpmng_begin(struct modem *m, struct modem_call *call)
{
    uint32_t opcode = sim_args_number(&call->args, OP_READ);

    call->type = PUBLIC_KEY;
    if (call->args.is_wrong || opcode == OP_LIST) {
        call->code = modem_bad_parameter(m);
    } else if (opcode == OP_WRITE) {
        call->code = check_public_write(m, call);
        call->us = call->code == CME_OK ? m->config->nvm_ms * 1000 : call->us;
    } else if (modem_public_key(m, MODEM_ANY_TAG) < 0) {
        call->code = CME_NOT_FOUND;
    }
}

int xpmng_end(struct modem *m, struct modem_call *call, struct modem_reply *reply)
{
    if (call->content)
        return write_entry(m, call);

    const struct flash_entry *slot = &m->flash.slots[modem_public_key(m, MODEM_ANY_TAG)];
    modem_reply_printf(reply, "%%XPMNG: \"");
    modem_reply_add(reply, m->flash.memory + slot->at, slot->len);
    modem_reply_printf(reply, "\"\r\n");
    return CME_OK;
}
