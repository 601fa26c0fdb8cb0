/* One row per thing that the modem knows, with the answers as they stand in Nordic's AT references. +CGSN and
 * the like answer with the value alone. */
#include "core/ident.h"

#include <string.h>

#define VALUE_MAX 48

struct ident_row {
    const char *word, *command, *prefix;
};

static const struct ident_row rows[] = {
    {"modem", "AT+CGMR", ""},                   /* mfw_nrf91x1_2.0.2 */
    {"model", "AT+CGMM", ""},                   /* nRF9151-LACA */
    {"soc", "AT%HWVERSION", "%HWVERSION: "},    /* nRF9151 LACA A0A */
    {"imei", "AT+CGSN", ""},                    /* 352656100367872 */
    {"uuid", "AT%DEVICEUUID", "%DEVICEUUID: "}, /* not on nRF9160 */
    {"supply_mv", "AT%XVBAT", "%XVBAT: "},      /* 3600 */
};

static void add_line(struct core *core, const char *word, const char *value, size_t n)
{
    words_add(&core->answer, "#IDENT: ");
    words_add(&core->answer, word);
    words_add(&core->answer, ",");
    words_octets(&core->answer, value, n);
    words_add(&core->answer, "\r\n");
}

static void add_own(struct core *core)
{
    static const char firmware[] = "certline-" CORE_VERSION;
    const struct core_config *config = &core->config;

    add_line(core, "firmware", firmware, sizeof firmware - 1);
    add_line(core, "hardware", config->hardware, strlen(config->hardware));
    words_add(&core->answer, "#IDENT: line_max,");
    words_uint(&core->answer, CORE_LINE_MAX);
    words_add(&core->answer, "\r\n#IDENT: transfer,");
    words_uint(&core->answer, CORE_PROTOCOL);
    words_add(&core->answer, ",");
    words_uint(&core->answer, TRANSFER_CONTENT_MAX);
    words_add(&core->answer, ",");
    words_uint(&core->answer, SCAN_COUNT_MAX * SCAN_UNIT);
    words_add(&core->answer, "\r\n");
}

/* Asks the next thing that the modem takes a question about. */
static void ask(struct core *core)
{
    for (; core->ident_row < sizeof rows / sizeof *rows; core->ident_row++) {
        const char *command = rows[core->ident_row].command;
        if (core_modem(core, command, strlen(command), core->modem_reply, sizeof core->modem_reply))
            return;
    }
    core->state = CORE_IDLE;
    core_ok(core);
}

void ident_begin(struct core *core)
{
    core->state = CORE_IDENTIFYING;
    core->ident_row = 0;
    add_own(core);
    ask(core);
}

static bool is_value(const char *at, size_t n)
{
    return n > 0 && n <= VALUE_MAX && !words_begins(at, n, "OK") && !words_begins(at, n, "ERROR") &&
           !words_begins(at, n, "+CME ERROR");
}

void ident_answered(struct core *core, size_t n)
{
    const struct ident_row *row = &rows[core->ident_row];
    const char *at = core->modem_reply,
               *end = at + (n < sizeof core->modem_reply ? n : sizeof core->modem_reply);

    while (at < end && (*at == '\r' || *at == '\n'))
        at++;
    const char *stop = at;
    while (stop < end && *stop != '\r' && *stop != '\n')
        stop++;
    size_t skip = strlen(row->prefix), len = (size_t)(stop - at);
    if (words_begins(at, len, row->prefix) && is_value(at + skip, len - skip))
        add_line(core, row->word, at + skip, len - skip);
    core->ident_row++;
    ask(core);
}
