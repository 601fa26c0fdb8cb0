/* Commands are rows; each adds its lines and returns 0 or a code. Contents lie one behind the other, in the
 * order in which they were written. */
#include "m33/minimodem.h"

#include <string.h>

#include "core/words.h"
#include "m33/sha256.h"

enum { BARE = -1, NOT_FOUND = 513, NO_ACCESS = 514, FULL = 515, ACTIVE = 518, BAD_PARAMETER = 50 };

struct row {
    const char *name; /* behind AT, with its "=" or "?" when it takes parameters or asks */
    const char *line; /* the answer, when it is always the same */
    int (*run)(struct minimodem *m, struct cursor *c, struct words *reply);
};

void minimodem_init(struct minimodem *m, const char *imei)
{
    memset(m, 0, sizeof *m);
    m->imei = imei;
    m->write_ms = 30;
}

static int run_imei(struct minimodem *m, struct cursor *c, struct words *reply)
{
    (void)c;
    words_add(reply, m->imei);
    words_add(reply, "\r\n");
    return 0;
}

/* +CGSN=0 is +CGSN; =1 the IMEI with a prefix; =2 with the software version in place of the check digit. */
static int run_imei_form(struct minimodem *m, struct cursor *c, struct words *reply)
{
    uint32_t form = cursor_uint(c, 2);

    if (!cursor_ends(c))
        return BAD_PARAMETER;
    if (form == 0)
        return run_imei(m, c, reply);
    words_add(reply, "+CGSN: \"");
    words_octets(reply, m->imei, form == 1 ? 15 : 14);
    words_add(reply, form == 1 ? "\"\r\n" : "01\"\r\n");
    return 0;
}

static int run_cmee(struct minimodem *m, struct cursor *c, struct words *reply)
{
    uint32_t value = cursor_uint(c, 1);

    (void)reply;
    if (!cursor_ends(c))
        return BARE;
    m->is_cmee = value == 1;
    return 0;
}

static int run_cfun(struct minimodem *m, struct cursor *c, struct words *reply)
{
    uint32_t value = cursor_uint(c, 44);

    (void)reply;
    if (!cursor_ends(c))
        return BAD_PARAMETER;
    m->cfun = value;
    return 0;
}

static int ask_cfun(struct minimodem *m, struct cursor *c, struct words *reply)
{
    (void)c;
    words_add(reply, "+CFUN: ");
    words_uint(reply, m->cfun);
    words_add(reply, "\r\n");
    return 0;
}

/* -- %CMNG -- */

static bool is_active(const struct minimodem *m)
{
    return m->cfun == 1 || m->cfun == 2 || m->cfun == 21;
}

static struct minimodem_entry *find(struct minimodem *m, uint32_t sec_tag, uint32_t type)
{
    for (size_t i = 0; i < m->n_entries; i++)
        if (m->entries[i].sec_tag == sec_tag && m->entries[i].type == type)
            return &m->entries[i];
    return NULL;
}

const struct minimodem_entry *minimodem_find(const struct minimodem *m, uint32_t sec_tag, uint32_t type)
{
    for (size_t i = 0; i < m->n_entries; i++)
        if (m->entries[i].sec_tag == sec_tag && m->entries[i].type == type)
            return &m->entries[i];
    return NULL;
}

static void take_out(struct minimodem *m, struct minimodem_entry *entry)
{
    size_t at = entry->at, len = entry->len, i = (size_t)(entry - m->entries);

    memmove(m->store + at, m->store + at + len, m->used - at - len);
    m->used -= len;
    m->n_entries--;
    memmove(entry, entry + 1, (m->n_entries - i) * sizeof *entry);
    for (i = 0; i < m->n_entries; i++)
        if (m->entries[i].at > at)
            m->entries[i].at -= len;
}

static int put(struct minimodem *m, uint32_t sec_tag, uint32_t type, const char *content, size_t n)
{
    struct minimodem_entry *old = find(m, sec_tag, type);
    uint32_t writes = old ? old->writes : 0;

    if (n > MINIMODEM_STORE - m->used + (old ? old->len : 0) || (!old && m->n_entries == MINIMODEM_ENTRIES))
        return FULL;
    if (old)
        take_out(m, old);
    memcpy(m->store + m->used, content, n);
    m->entries[m->n_entries++] = (struct minimodem_entry){sec_tag, type, m->used, n, writes + 1};
    m->used += n;
    m->writes++;
    return 0;
}

static int write_entry(struct minimodem *m, uint32_t sec_tag, uint32_t type, struct cursor *c)
{
    cursor_char(c, ',');
    cursor_char(c, '"');
    if (c->is_bad || c->len < 2 || c->at[c->len - 1] != '"' || memchr(c->at, '"', c->len - 1))
        return BAD_PARAMETER;
    if (is_active(m))
        return ACTIVE;
    if (m->fails_with)
        return m->fails_with;
    if (type > 4)
        return NO_ACCESS;
    return put(m, sec_tag, type, c->at, c->len - 1);
}

static void add_row(const struct minimodem *m, const struct minimodem_entry *entry, struct words *reply)
{
    uint8_t sha256[32];

    words_add(reply, "%CMNG: ");
    words_uint(reply, entry->sec_tag);
    words_add(reply, ",");
    words_uint(reply, entry->type);
    words_add(reply, ",\"");
    sha256_of(m->store + entry->at, entry->len, sha256);
    for (size_t i = 0; i < 2 * sizeof sha256; i++)
        words_octets(reply, &"0123456789ABCDEF"[sha256[i / 2] >> (i % 2 ? 0 : 4) & 15], 1);
    words_add(reply, "\"");
}

static int list(const struct minimodem *m, struct cursor *c, struct words *reply)
{
    uint32_t sec_tag = 0, type = 0;
    bool has_tag = c->len > 0, has_type;

    if (has_tag) {
        cursor_char(c, ',');
        sec_tag = cursor_uint(c, UINT32_MAX);
    }
    has_type = c->len > 0;
    if (has_type) {
        cursor_char(c, ',');
        type = cursor_uint(c, 99);
    }
    if (!cursor_ends(c))
        return BAD_PARAMETER;
    for (size_t i = 0; i < m->n_entries; i++) {
        const struct minimodem_entry *entry = &m->entries[i];
        if ((has_tag && entry->sec_tag != sec_tag) || (has_type && entry->type != type))
            continue;
        add_row(m, entry, reply);
        words_add(reply, "\r\n");
    }
    return 0;
}

static int read_entry(struct minimodem *m, const struct minimodem_entry *entry, struct words *reply)
{
    if (entry->type != 0 && entry->type != 4)
        return NO_ACCESS;
    add_row(m, entry, reply);
    words_add(reply, ",\"");
    words_octets(reply, m->store + entry->at, entry->len);
    words_add(reply, "\"\r\n");
    return 0;
}

static int run_cmng(struct minimodem *m, struct cursor *c, struct words *reply)
{
    uint32_t opcode = cursor_uint(c, 3);

    if (c->is_bad)
        return BAD_PARAMETER;
    if (opcode == 1)
        return list(m, c, reply);
    cursor_char(c, ',');
    uint32_t sec_tag = cursor_uint(c, INT32_MAX);
    cursor_char(c, ',');
    uint32_t type = cursor_uint(c, 11);
    if (c->is_bad)
        return BAD_PARAMETER;
    if (opcode == 0)
        return write_entry(m, sec_tag, type, c);

    struct minimodem_entry *entry = find(m, sec_tag, type);
    if (!cursor_ends(c))
        return BAD_PARAMETER;
    if (opcode == 3 && is_active(m))
        return ACTIVE;
    if (!entry)
        return NOT_FOUND;
    if (opcode == 2)
        return read_entry(m, entry, reply);
    take_out(m, entry);
    return 0;
}

/* -- Commands -- */

static const struct row rows[] = {
    {"+CGMI", "Nordic Semiconductor ASA", NULL},
    {"+CGMM", "nRF9151-LACA", NULL},
    {"+CGMR", "mfw_nrf91x1_2.0.0", NULL},
    {"+CGSN", NULL, run_imei},
    {"+CGSN=", NULL, run_imei_form},
    {"+CMEE=", NULL, run_cmee},
    {"+CFUN=", NULL, run_cfun},
    {"+CFUN?", NULL, ask_cfun},
    {"%HWVERSION", "%HWVERSION: nRF9151 LACA A0A", NULL},
    {"%DEVICEUUID", "%DEVICEUUID: 50363154-3931-44f0-8022-121b6401627d", NULL},
    {"%XVBAT", "%XVBAT: 3700", NULL},
    {"%CMNG=", NULL, run_cmng},
};

static int run(struct minimodem *m, struct cursor *c, struct words *reply)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *row = &rows[i];
        size_t n = strlen(row->name);
        if (!words_begins(c->at, c->len, row->name) || (!strpbrk(row->name, "=?") && c->len != n))
            continue;
        c->at += n;
        c->len -= n;
        if (row->run)
            return row->run(m, c, reply);
        words_add(reply, row->line);
        words_add(reply, "\r\n");
        return 0;
    }
    return c->len == 0 ? 0 : BARE;
}

uint32_t minimodem_ms(const struct minimodem *m, const char *line, size_t n)
{
    bool is_change = words_begins(line, n, "AT%CMNG=0") || words_begins(line, n, "AT%CMNG=3");
    return is_change ? m->write_ms : 1;
}

size_t minimodem_run(struct minimodem *m, const char *line, size_t n, char *reply, size_t size)
{
    struct words text = {reply, size, 0, false};
    struct cursor c = {line, n, false};

    while (c.len > 0 && (unsigned char)*c.at <= ' ') {
        c.at++;
        c.len--;
    }
    int code = BARE;
    if (words_begins(c.at, c.len, "AT")) {
        c.at += 2;
        c.len -= 2;
        code = run(m, &c, &text);
    }
    if (code == 0) {
        words_add(&text, "OK\r\n");
    } else if (code > 0 && m->is_cmee) {
        text.len = 0;
        words_add(&text, "+CME ERROR: ");
        words_uint(&text, (uint32_t)code);
        words_add(&text, "\r\n");
    } else {
        text.len = 0;
        words_add(&text, "ERROR\r\n");
    }
    return text.is_cut ? size + 1 : text.len;
}
