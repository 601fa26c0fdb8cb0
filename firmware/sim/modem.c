/*
 * The command table and what is not %CMNG. Commands that this modem does not know answer a bare ERROR, as a
 * real one does for ATI. Nothing here looks at time; durations are constants of the table because no source
 * documents any: identity commands answer within a few milliseconds on real boards.
 */
#include "sim/modem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define FORM(form)   (1u << (form))
#define QUICK_US     2000
#define SIGN_US      20000
#define REFUSE_US    6000 /* refusals of 5 to 9 ms were seen on an nRF9160 */
#define SUPPLY_GOOD  3600 /* mV */
#define SUPPLY_LOW   2900
#define POWER_NUMBER 30

void modem_reply_add(struct modem_reply *reply, const char *octets, size_t len)
{
    size_t room = sizeof reply->text - reply->len;
    size_t n = len < room ? len : room;
    memcpy(reply->text + reply->len, octets, n);
    reply->len += n;
}

void modem_reply_printf(struct modem_reply *reply, const char *format, ...)
{
    char text[256];
    va_list list;

    va_start(list, format);
    int n = vsnprintf(text, sizeof text, format, list);
    va_end(list);
    assert(n >= 0 && (size_t)n < sizeof text);
    modem_reply_add(reply, text, (size_t)n);
}

int modem_bad_parameter(const struct modem *m)
{
    return m->config->bad_parameter ? m->config->bad_parameter : CME_BARE;
}

int modem_denied(const struct modem *m)
{
    return m->family->has_denied ? CME_DENIED : CME_NO_ACCESS;
}

int modem_exists(const struct modem *m)
{
    return m->family->has_exists ? CME_EXISTS : CME_NO_ACCESS;
}

/* An event is told once: the warning stays latched when the supply comes back, until it is armed again. */
void modem_set_supply(struct modem *m, bool is_low)
{
    m->is_supply_low = is_low;
    m->is_warning_latched |= is_low && m->is_warning_armed;
}

int modem_may_change(struct modem *m)
{
    if (m->is_lte_active)
        return CME_ACTIVE;
    if (m->family->has_power_warning && m->is_warning_latched) {
        m->refused_supply += m->is_supply_low;
        return CME_POWER_WARNING;
    }
    return CME_OK;
}

static int at_end(struct modem *m, struct modem_call *call, struct modem_reply *reply)
{
    (void)m;
    (void)call;
    (void)reply;
    return CME_OK;
}

static int cmee_end(struct modem *m, struct modem_call *call, struct modem_reply *reply)
{
    if (call->form == MODEM_READ) {
        modem_reply_printf(reply, "+CMEE: %d\r\n", m->is_cmee);
    } else if (call->form == MODEM_TEST) {
        modem_reply_printf(reply, "+CMEE:(0,1)\r\n"); /* printed without a blank by real modems */
    } else {
        uint32_t value = sim_args_number(&call->args, 1); /* 2, the verbose form, is refused */
        if (!sim_args_end(&call->args))
            return CME_BARE;
        m->is_cmee = value;
    }
    return CME_OK;
}

/* > AT+CFUN=4 < OK. Modes 1, 2 and 21 start LTE; 0, 4, 20 and 44 end it; GNSS and UICC modes leave it alone.
 */
static bool cfun_is_mode(const struct modem *m, uint32_t mode)
{
    static const uint8_t modes[] = {0, 1, 4, 20, 21, 30, 31, 40, 41, 44};
    return memchr(modes, (int)mode, sizeof modes) || (mode == 2 && m->family->has_receive_only);
}

static bool cfun_ends_lte(uint32_t mode)
{
    return mode == 0 || mode == 4 || mode == 20 || mode == 44;
}

/* The card is powered by full functionality and by 41; flight mode with 44 leaves it on. */
static bool uicc_after(const struct modem *m, uint32_t mode)
{
    if (mode == 1 || mode == 2 || mode == 21 || mode == 41)
        return true;
    return mode != 0 && mode != 4 && mode != 40 && m->is_uicc_active;
}

static void cfun_begin(struct modem *m, struct modem_call *call)
{
    if (call->form != MODEM_SET)
        return;
    call->mode = sim_args_number(&call->args, 255);
    if (!sim_args_end(&call->args) || !cfun_is_mode(m, call->mode)) {
        call->code = modem_bad_parameter(m);
        return;
    }
    call->us = m->config->cfun_ms * 1000;
    if (m->is_lte_active && cfun_ends_lte(call->mode))
        call->us += m->config->detach_ms * 1000;
}

static int cfun_end(struct modem *m, struct modem_call *call, struct modem_reply *reply)
{
    uint32_t mode = call->mode;

    if (call->form == MODEM_READ) {
        modem_reply_printf(reply, "+CFUN: %u\r\n", m->cfun);
    } else if (call->form == MODEM_TEST) {
        modem_reply_printf(reply, "+CFUN: (0,1,%s4,20,21,30,31,40,41,44)\r\n",
                           m->family->has_receive_only ? "2," : "");
    } else {
        m->cfun = mode;
        m->is_uicc_active = uicc_after(m, mode);
        if (mode == 1 || mode == 2 || mode == 21)
            m->is_lte_active = true;
        else if (cfun_ends_lte(mode))
            m->is_lte_active = false;
    }
    return CME_OK;
}

static int cgmi_end(struct modem *m, struct modem_call *call, struct modem_reply *reply)
{
    (void)m;
    (void)call;
    modem_reply_printf(reply, "Nordic Semiconductor ASA\r\n");
    return CME_OK;
}

static int cgmm_end(struct modem *m, struct modem_call *call, struct modem_reply *reply)
{
    (void)call;
    modem_reply_printf(reply, "%s\r\n", m->shown->model);
    return CME_OK;
}

static int cgmr_end(struct modem *m, struct modem_call *call, struct modem_reply *reply)
{
    (void)call;
    modem_reply_printf(reply, "%s\r\n", m->shown->firmware);
    return CME_OK;
}

/* 0 and no parameter: the IMEI bare; 1: quoted; 2: IMEISV; 3: software version number. */
static int cgsn_end(struct modem *m, struct modem_call *call, struct modem_reply *reply)
{
    if (call->form == MODEM_TEST) {
        modem_reply_printf(reply, "+CGSN: (0-3)\r\n");
        return CME_OK;
    }

    uint32_t kind = call->form == MODEM_SET ? sim_args_number(&call->args, 3) : 0;
    const char *imei = m->config->imei;
    if (!sim_args_end(&call->args) || imei[0] == '\0')
        return CME_BARE; /* a modem without an IMEI, as production-test images have it */
    if (kind == 0)
        modem_reply_printf(reply, "%s\r\n", imei);
    else if (kind == 1)
        modem_reply_printf(reply, "+CGSN: \"%s\"\r\n", imei);
    else if (kind == 2)
        modem_reply_printf(reply, "+CGSN: \"%.14s00\"\r\n", imei);
    else
        modem_reply_printf(reply, "+CGSN: \"00\"\r\n");
    return CME_OK;
}

static int shortswver_end(struct modem *m, struct modem_call *call, struct modem_reply *reply)
{
    (void)call;
    modem_reply_printf(reply, "%%SHORTSWVER: %s\r\n", m->shown->short_version);
    return CME_OK;
}

static int hwversion_end(struct modem *m, struct modem_call *call, struct modem_reply *reply)
{
    (void)call;
    modem_reply_printf(reply, "%%HWVERSION: %s\r\n", m->shown->hardware);
    return CME_OK;
}

static int xmodemuuid_end(struct modem *m, struct modem_call *call, struct modem_reply *reply)
{
    (void)call;
    modem_reply_printf(reply, "%%XMODEMUUID: %s\r\n", m->shown->modem_uuid);
    return CME_OK;
}

static int deviceuuid_end(struct modem *m, struct modem_call *call, struct modem_reply *reply)
{
    (void)call;
    modem_reply_printf(reply, "%%DEVICEUUID: %s\r\n", m->config->uuid);
    return CME_OK;
}

static int xvbat_end(struct modem *m, struct modem_call *call, struct modem_reply *reply)
{
    (void)call;
    modem_reply_printf(reply, "%%XVBAT: %d\r\n", m->is_supply_low ? SUPPLY_LOW : SUPPLY_GOOD);
    return CME_OK;
}

/* Without an active UICC there is nothing to tell. */
static int uicc_end(struct modem *m, struct modem_call *call, struct modem_reply *reply)
{
    bool is_iccid = call->row->name[0] == '%';
    const char *number = is_iccid ? m->config->iccid : m->config->imsi;

    if (!m->is_uicc_active || number[0] == '\0')
        return CME_BARE;
    modem_reply_printf(reply, "%s%s\r\n", is_iccid ? "%XICCID: " : "", number);
    return CME_OK;
}

/* =1,30 arms the warning again; with a supply that is still low it comes back at once. */
static int xpofwarn_end(struct modem *m, struct modem_call *call, struct modem_reply *reply)
{
    (void)reply;
    uint32_t is_on = sim_args_number(&call->args, 1);
    uint32_t level =
        sim_args_more(&call->args) ? sim_args_number(&call->args, POWER_NUMBER + 3) : POWER_NUMBER;
    if (!sim_args_end(&call->args) || level < POWER_NUMBER)
        return modem_bad_parameter(m);

    m->is_warning_armed = is_on;
    m->is_warning_latched = is_on && m->is_supply_low;
    return CME_OK;
}

/* 0: all the modem's data, 1: what the user configured, none of which is kept here. Whether 0 takes the
 * credentials along is not documented. */
static void xfactoryreset_begin(struct modem *m, struct modem_call *call)
{
    call->mode = sim_args_number(&call->args, 1);
    call->code = sim_args_end(&call->args) ? modem_may_change(m) : modem_bad_parameter(m);
    if (call->code == CME_OK)
        call->us = m->config->nvm_ms * 1000;
}

static int xfactoryreset_end(struct modem *m, struct modem_call *call, struct modem_reply *reply)
{
    (void)reply;
    if (call->mode == 0 && !m->config->keeps_credentials)
        flash_clear(&m->flash);
    return CME_OK;
}

/* Traces leave on another UART. */
static int xmodemtrace_end(struct modem *m, struct modem_call *call, struct modem_reply *reply)
{
    (void)reply;
    sim_args_number(&call->args, 1);
    if (sim_args_more(&call->args))
        sim_args_number(&call->args, 255);
    return sim_args_end(&call->args) ? CME_OK : modem_bad_parameter(m);
}

#define EXEC FORM(MODEM_EXEC)

static const struct modem_row rows[] = {
    {.name = "", .forms = EXEC, .us = 1000, .end = at_end},
    {.name = "+CMEE",
     .forms = FORM(MODEM_SET) | FORM(MODEM_READ) | FORM(MODEM_TEST),
     .us = 1000,
     .end = cmee_end},
    {.name = "+CFUN",
     .forms = FORM(MODEM_SET) | FORM(MODEM_READ) | FORM(MODEM_TEST),
     .us = QUICK_US,
     .begin = cfun_begin,
     .end = cfun_end},
    {.name = "+CGMI", .forms = EXEC, .us = QUICK_US, .end = cgmi_end},
    {.name = "+CGMM", .forms = EXEC, .us = QUICK_US, .end = cgmm_end},
    {.name = "+CGMR", .forms = EXEC, .us = QUICK_US, .end = cgmr_end},
    {.name = "+CGSN", .forms = EXEC | FORM(MODEM_SET) | FORM(MODEM_TEST), .us = QUICK_US, .end = cgsn_end},
    {.name = "+CIMI", .forms = EXEC, .us = QUICK_US, .end = uicc_end},
    {.name = "%XICCID", .forms = EXEC, .us = QUICK_US, .end = uicc_end},
    {.name = "%SHORTSWVER", .forms = EXEC, .us = QUICK_US, .end = shortswver_end},
    {.name = "%HWVERSION", .forms = EXEC, .us = QUICK_US, .end = hwversion_end},
    {.name = "%XMODEMUUID", .forms = EXEC, .us = QUICK_US, .end = xmodemuuid_end},
    {.name = "%DEVICEUUID", .since = SIM_F2A, .forms = EXEC, .us = QUICK_US, .end = deviceuuid_end},
    {.name = "%XVBAT", .forms = EXEC, .us = QUICK_US, .end = xvbat_end},
    {.name = "%XPOFWARN", .forms = FORM(MODEM_SET), .us = QUICK_US, .end = xpofwarn_end},
    {.name = "%CMNG",
     .forms = FORM(MODEM_SET),
     .us = REFUSE_US,
     .begin = cmng_begin,
     .end = cmng_end,
     .abort = cmng_abort},
    {.name = "%XPMNG", .forms = FORM(MODEM_SET), .us = REFUSE_US, .begin = xpmng_begin, .end = xpmng_end},
    {.name = "%XSUDO", .forms = FORM(MODEM_SET), .us = REFUSE_US, .begin = xsudo_begin},
    {.name = "%KEYGEN",
     .since = SIM_F1_3A,
     .forms = FORM(MODEM_SET),
     .us = REFUSE_US,
     .begin = keygen_begin,
     .end = keygen_end},
    {.name = "%KEYINJECT",
     .since = SIM_F1_3A,
     .forms = FORM(MODEM_SET),
     .us = REFUSE_US,
     .begin = keyinject_begin},
    {.name = "%ATTESTTOKEN",
     .since = SIM_F1_3A,
     .forms = EXEC | FORM(MODEM_SET),
     .us = SIGN_US,
     .end = attesttoken_end},
    {.name = "%CLAIMTOKEN", /* since 1.3.4 */
     .since = SIM_F1_3B,
     .forms = FORM(MODEM_SET),
     .us = SIGN_US,
     .end = claimtoken_end},
    {.name = "%JWT", .since = SIM_F1_3A, .forms = EXEC | FORM(MODEM_SET), .us = SIGN_US, .end = jwt_end},
    {.name = "%CERTEXPIRY",
     .since = SIM_F1_3B,
     .forms = FORM(MODEM_SET),
     .us = REFUSE_US,
     .end = certexpiry_end},
    {.name = "%XFACTORYRESET",
     .since = SIM_F1_3A,
     .forms = FORM(MODEM_SET),
     .us = REFUSE_US,
     .begin = xfactoryreset_begin,
     .end = xfactoryreset_end},
    {.name = "%XMODEMTRACE", .forms = FORM(MODEM_SET), .us = QUICK_US, .end = xmodemtrace_end},
};

void modem_init(struct modem *m, const struct simboard_config *config, struct rng *rng)
{
    m->config = config;
    m->family = m->shown = sim_family_get(config->family);
    m->rng = rng;
    m->flash.limit = config->store_size;
    modem_reset(m);
}

void modem_reset(struct modem *m)
{
    m->cfun = m->boots_active ? 1 : 0;
    m->is_lte_active = m->boots_active;
    m->is_cmee = false;
    m->is_uicc_active = m->boots_active;
    m->is_warning_armed = true;
    m->is_warning_latched = m->is_supply_low;
    m->has_crashed = false;
    m->call = (struct modem_call){0};
}

static size_t name_length(const char *at, size_t len)
{
    size_t n = len > 0 && (*at == '+' || *at == '%') ? 1 : 0;
    while (
        n > 0 && n < len &&
        ((at[n] >= 'A' && at[n] <= 'Z') || (at[n] >= 'a' && at[n] <= 'z') || (at[n] >= '0' && at[n] <= '9')))
        n++;
    return n;
}

static const struct modem_row *find_row(const struct modem *m, const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strlen(rows[i].name) == len && strncasecmp(rows[i].name, name, len) == 0 &&
            m->config->family >= rows[i].since)
            return &rows[i];
    }
    return NULL;
}

/* Tells the form and where the parameters start; -1 if something else follows the name. */
static int form_of(const char *at, size_t len, size_t *ret_skip)
{
    *ret_skip = 1;
    if (len == 0) {
        *ret_skip = 0;
        return MODEM_EXEC;
    }
    if (len == 1 && at[0] == '?')
        return MODEM_READ;
    if (len == 2 && at[0] == '=' && at[1] == '?')
        return MODEM_TEST;
    return at[0] == '=' ? MODEM_SET : -1;
}

/* What is left of a line without the blanks and control characters around it: a CRLF host's LF opens the next
 * line. */
static const char *trimmed(const char *line, size_t *ret_len)
{
    size_t len = strlen(line);

    while (len > 0 && (unsigned char)line[0] <= ' ')
        line++, len--;
    while (len > 0 && (unsigned char)line[len - 1] <= ' ')
        len--;
    *ret_len = len;
    return line;
}

void modem_begin_at(struct modem *m, const char *at, size_t len)
{
    struct modem_call *call = &m->call;
    size_t skip;

    *call = (struct modem_call){.code = CME_BARE, .us = 1000};
    size_t name_len = name_length(at, len);
    const struct modem_row *row = find_row(m, at, name_len);
    int form = form_of(at + name_len, len - name_len, &skip);
    if (!row || form < 0 || !(row->forms & FORM(form)))
        return;

    call->row = row;
    call->form = (enum modem_form)form;
    call->args = sim_args_begin(at + name_len + skip, form == MODEM_SET ? len - name_len - skip : 0);
    call->code = CME_OK;
    call->us = row->us;
    if (row->begin)
        row->begin(m, call);
}

void modem_begin(struct modem *m, const char *line)
{
    size_t len;
    const char *at = trimmed(line, &len);

    if (len >= 2 && strncasecmp(at, "AT", 2) == 0)
        modem_begin_at(m, at + 2, len - 2);
    else
        m->call = (struct modem_call){.code = CME_BARE, .us = 1000};
}

void modem_end(struct modem *m, struct modem_reply *reply)
{
    struct modem_call *call = &m->call;

    reply->len = 0;
    if (call->code == CME_OK)
        call->code = call->row->end(m, call, reply);
    if (call->code == CME_OK)
        modem_reply_printf(reply, "OK\r\n");
    else if (call->code > 0 && m->is_cmee)
        modem_reply_printf(reply, "+CME ERROR: %d\r\n", call->code);
    else
        modem_reply_printf(reply, "ERROR\r\n");
}

void modem_abort(struct modem *m)
{
    if (m->call.row && m->call.row->abort && m->call.code == CME_OK)
        m->call.row->abort(m, &m->call);
}

/* Everything from the first quote on is content, and so is the rest of a line that is no command at all. */
void modem_elide(const char *line, char out[SIM_LOG_TEXT])
{
    static const char ellipsis[] = "…";
    size_t len, n = 0;
    const char *at = trimmed(line, &len);
    size_t room = SIM_LOG_TEXT - sizeof ellipsis;

    while (n < len && n < room && at[n] != '"' && (unsigned char)at[n] > ' ' && (unsigned char)at[n] < 0x7f)
        n++;
    memcpy(out, at, n);
    memcpy(out + n, n < len ? ellipsis : "", n < len ? sizeof ellipsis : 1);
}
