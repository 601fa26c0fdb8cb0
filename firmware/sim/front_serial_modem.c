/*
 * Serial Modem (ncs-serial-modem). Better than at_host in what it does with a line: nothing is kept before
 * "AT", a backspace over a quote ends the quote, a line that grows beyond 8,192 is answered with ERROR at
 * once. What follows such a line is looked at for the next "AT", and a PEM has some, so that further errors
 * come out of its rest.
 *
 * Unsolicited lines wait while a command runs or is typed, and for a tenth of a second after the last octet.
 */
#include "sim/slm_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ECHO_MAX     4096
#define IDLE_US      100000
#define RX_SIZE      768  /* three buffers of 256 */
#define LINE_MAX_SM  8189 /* of a buffer that grows to 8,192 */
#define BAUD_DEFAULT 115200

static void reset(struct front *f, int64_t now_us)
{
    struct slm *s = &f->u.slm;

    (void)now_us;
    s->len = s->echo_len = s->urc_len = 0;
    s->is_in_quotes = s->is_native = s->has_echo = s->is_resetting = false;
    s->next_baud = 0;
    s->idle_us = 0;
}

static void banner(struct front *f, int64_t now_us)
{
    (void)now_us;
    front_say(f, "Ready\r\n");
}

/* -- Its own commands -- */

static const char *run_echo_off(struct front *f, char *parameters)
{
    if (*parameters != '\0')
        return "ERROR\r\n";
    f->u.slm.has_echo = false;
    return "OK\r\n";
}

static const char *run_echo_on(struct front *f, char *parameters)
{
    if (*parameters != '\0')
        return "ERROR\r\n";
    f->u.slm.has_echo = true;
    return "OK\r\n";
}

static const char *run_ipr(struct front *f, char *parameters)
{
    static const uint32_t bauds[] = {115200, 230400, 460800, 921600, 1000000};
    struct slm *s = &f->u.slm;
    char *end;

    if (strcmp(parameters, "?") == 0) {
        snprintf(s->local, sizeof s->local, "+IPR: %u\r\nOK\r\n", (unsigned)f->config->baud);
        return s->local;
    }
    if (strcmp(parameters, "=?") == 0)
        return "+IPR: (115200,230400,460800,921600,1000000)\r\nOK\r\n";
    unsigned long baud = *parameters == '=' ? strtoul(parameters + 1, &end, 10) : 0;
    for (size_t i = 0; baud > 0 && *end == '\0' && i < sizeof bauds / sizeof bauds[0]; i++) {
        if (bauds[i] == baud)
            s->next_baud = bauds[i];
    }
    return s->next_baud ? "OK\r\n" : "ERROR\r\n";
}

static const char *run_version(struct front *f, char *parameters)
{
    (void)f;
    return *parameters == '\0' ? "#XSMVER: \"1.0.0\",\"3.1.0\"\r\nOK\r\n" : "ERROR\r\n";
}

static const struct slm_command own[] = {
    {"E0", run_echo_off},     {"E1", run_echo_on},     {"+IPR", run_ipr},
    {"#XSMVER", run_version}, {"#XRESET", slm_xreset},
};

/* -- Octets -- */

static void echo(struct front *f, char octet, bool is_end)
{
    struct slm *s = &f->u.slm;

    if (!s->has_echo)
        return;
    s->echo_len++;
    if (s->echo_len < ECHO_MAX || is_end)
        front_notice(f, &octet, 1);
}

static bool terminates(const struct front *f, char octet)
{
    const struct slm *s = &f->u.slm;

    if (s->is_in_quotes)
        return false;
    switch (f->config->term) {
    case SIM_TERM_CR:
        return octet == '\r';
    case SIM_TERM_LF:
        return octet == '\n';
    case SIM_TERM_CRLF:
        return octet == '\n' && s->line[s->len - 1] == '\r';
    case SIM_TERM_NUL:
        break; /* not an option of this firmware */
    }
    return false;
}

static void start_over(struct slm *s)
{
    s->len = s->echo_len = 0;
    s->is_in_quotes = false;
}

static void finish_line(struct front *f)
{
    struct slm *s = &f->u.slm;

    s->line[s->len] = '\0';
    if (f->config->term == SIM_TERM_CRLF)
        s->line[s->len - 1] = '\0';
    start_over(s);
    slm_run(f, s->line, own, sizeof own / sizeof own[0]);
}

static bool is_letter(char c, char upper)
{
    return c == upper || c == upper + ('a' - 'A');
}

static void octet(struct front *f, char octet, int64_t now_us)
{
    struct slm *s = &f->u.slm;

    s->idle_us = now_us + IDLE_US;
    if ((s->len == 0 && !is_letter(octet, 'A')) || (s->len == 1 && !is_letter(octet, 'T'))) {
        s->len = 0;
        s->is_in_quotes = false;
        echo(f, octet, false);
        return;
    }
    bool is_end = s->len > 0 && terminates(f, octet);
    if (s->len >= f->config->line_max && !is_end) {
        front_lost(f);
        start_over(s);
        front_answer(f, SLM_ERROR, strlen(SLM_ERROR));
        return;
    }

    if (octet == '\b' || octet == 0x7f)
        slm_backspace(s);
    else if (!is_end)
        s->line[s->len++] = octet;
    if (octet == '"')
        s->is_in_quotes = !s->is_in_quotes;
    echo(f, octet, is_end);
    if (is_end)
        finish_line(f);
}

static void result(struct front *f, const char *text, size_t len, int64_t now_us)
{
    (void)now_us;
    slm_answer(f, text, len);
}

/* -- Unsolicited lines -- */

static bool is_quiet(const struct front *f)
{
    return !front_modem_is_busy(f) && !front_is_sending(f) && f->u.slm.len == 0;
}

static void urc(struct front *f, const char *line, int64_t now_us)
{
    slm_keep_urc(&f->u.slm, line);
    if (is_quiet(f) && now_us >= f->u.slm.idle_us)
        slm_send_urcs(f);
}

static int64_t when(const struct front *f)
{
    bool is_waiting = f->u.slm.urc_len > 0 && !front_modem_is_busy(f) && !front_is_sending(f);
    return is_waiting ? f->u.slm.idle_us : SIM_NEVER;
}

static void due(struct front *f, int64_t now_us)
{
    (void)now_us;
    slm_send_urcs(f);
}

static void sent(struct front *f, int64_t now_us)
{
    struct slm *s = &f->u.slm;

    (void)now_us;
    if (s->is_resetting) {
        front_restart(f);
        return;
    }
    if (s->next_baud)
        front_set_baud(f, s->next_baud);
    s->next_baud = 0;
    if (s->urc_len > 0 && is_quiet(f))
        slm_send_urcs(f);
}

const struct front_vtable front_serial_modem = {
    .takes = FRONT_TAKES_WHEN_EXECUTED,
    .rx_size = RX_SIZE,
    .line_max = LINE_MAX_SM,
    .reset = reset,
    .banner = banner,
    .octet = octet,
    .result = result,
    .urc = urc,
    .sent = sent,
    .when = when,
    .due = due,
};
