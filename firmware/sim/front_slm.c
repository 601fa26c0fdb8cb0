/*
 * Serial LTE Modem, the older firmware, and its builds with TLS of their own.
 *
 * A line that is too long is remembered as such and answered with ERROR at its end; quotes are followed
 * beyond the limit, so it does not wedge as at_host does. What stands before the first "AT" of a line is
 * skipped.
 *
 * Native TLS keeps credentials where its own stack can read them back: AT#XCMNG writes tag and type as modem
 * tag tag * 10 + type, always with type 0, whatever they are: types beyond 4 as well, which end up in another
 * tag's places. Its errors have no number. List is refused, and so is reading types 1, 2 and 3:
 *
 *   > AT#XCMNG=0,321,1,"-----BEGIN…"   < OK
 *   > AT%CMNG=1,3211,0                 < %CMNG: 3211,0,"EA89…"  < OK
 *   > AT#XCMNG=2,321,0                 < %CMNG: 321,0,"","-----BEGIN…"  < OK
 */
#include "sim/slm_line.h"

#include <stdio.h>
#include <string.h>

#include "sim/args.h"

#define LINE_MAX_SLM 4096
#define RX_SIZE      768
#define NATIVE_TAGS  (2147483647u / 10)
#define NATIVE_TYPES UINT16_MAX /* read as an unsigned short and looked at no further */

enum { XCMNG_WRITE, XCMNG_LIST, XCMNG_READ, XCMNG_DELETE };

static void reset(struct front *f, int64_t now_us)
{
    struct slm *s = &f->u.slm;

    (void)now_us;
    s->len = s->urc_len = 0;
    s->is_in_quotes = s->is_native = s->is_resetting = false;
}

static void banner(struct front *f, int64_t now_us)
{
    (void)now_us;
    front_say(f, "Ready\r\n");
}

/* -- Its own commands -- */

static const char *run_version(struct front *f, char *parameters)
{
    (void)f;
    return *parameters == '\0' ? "#XSLMVER: \"2.6.0\",\"2.6.0\"\r\nOK\r\n" : "ERROR\r\n";
}

/* The line becomes the modem's own command in place: never longer, since the tag gets one digit more and the
 * name has one letter less. Returns false for what the firmware refuses. */
static bool rewrite(struct slm *s, char *parameters, char **ret_line)
{
    struct sim_args a = sim_args_begin(parameters + 1, strlen(parameters + 1));
    uint32_t op = sim_args_number(&a, XCMNG_DELETE);
    size_t content_len = 0;
    char head[48];

    s->sec_tag = sim_args_number(&a, NATIVE_TAGS);
    s->type = sim_args_number(&a, NATIVE_TYPES);
    const char *content = op == XCMNG_WRITE ? sim_args_string(&a, &content_len) : NULL;
    bool is_hidden = op == XCMNG_READ && s->type >= 1 && s->type <= 3;
    if (!sim_args_end(&a) || op == XCMNG_LIST || is_hidden || *parameters != '=')
        return false;

    int n = snprintf(head, sizeof head, "AT%%CMNG=%u,%u,0%s", (unsigned)op,
                     (unsigned)(s->sec_tag * 10 + s->type), content ? "," : "");
    *ret_line = content ? s->line + (content - 1 - s->line) - n : s->line;
    memcpy(*ret_line, head, (size_t)n + (content == NULL));
    return true;
}

static const char *run_xcmng(struct front *f, char *parameters)
{
    char *line;

    if (*parameters == '\0' || !rewrite(&f->u.slm, parameters, &line))
        return "ERROR\r\n";
    f->u.slm.is_native = true;
    front_command(f, line);
    return NULL;
}

static const struct slm_command own[] = {
    {"#XSLMVER", run_version},
    {"#XRESET", slm_xreset},
    {"#XCMNG", run_xcmng}, /* last: left out where TLS is the modem's */
};

#define OWN (sizeof own / sizeof own[0])

/* -- Octets -- */

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
        return octet == '\n' && s->len > 0 &&
               s->line[(s->len < sizeof s->line ? s->len : sizeof s->line) - 1] == '\r';
    case SIM_TERM_NUL:
        break;
    }
    return false;
}

static char *skip_to_at(char *line)
{
    for (char *at = line; *at != '\0'; at++) {
        if ((at[0] == 'A' || at[0] == 'a') && (at[1] == 'T' || at[1] == 't'))
            return at;
    }
    return line;
}

static void finish_line(struct front *f)
{
    struct slm *s = &f->u.slm;
    size_t len = s->len - (f->config->term == SIM_TERM_CRLF);
    bool is_native_build = f->vt == &front_slm_tls;

    s->len = 0;
    s->is_in_quotes = false;
    if (len == 0)
        return;
    if (len > f->config->line_max) {
        front_answer(f, SLM_ERROR, strlen(SLM_ERROR));
        return;
    }
    s->line[len] = '\0';
    slm_run(f, skip_to_at(s->line), own, is_native_build ? OWN : OWN - 1);
}

static void octet(struct front *f, char octet, int64_t now_us)
{
    struct slm *s = &f->u.slm;

    (void)now_us;
    if (octet == '\b' || octet == 0x7f) {
        slm_backspace(s);
        return;
    }
    if (terminates(f, octet)) {
        finish_line(f);
        return;
    }
    if (s->len > f->config->line_max)
        front_lost(f);
    if (s->len < sizeof s->line)
        s->line[s->len] = octet;
    else
        s->line[sizeof s->line - 1] = octet; /* a line beyond saving: only its last octet matters */
    s->len++;
    if (octet == '"')
        s->is_in_quotes = !s->is_in_quotes;
}

/* -- Answers -- */

/* The modem's words about the mapped entry, in those of #XCMNG. */
static void native_result(struct front *f, const char *text, size_t len)
{
    struct slm *s = &f->u.slm;
    char out[SIM_LINE_MAX + 64];

    s->is_native = false;
    bool is_ok = len >= 4 && memcmp(text + len - 4, "OK\r\n", 4) == 0;
    const char *open = is_ok ? memchr(text, ',', len) : NULL;
    if (!open) {
        slm_answer(f, is_ok ? "OK\r\n" : "ERROR\r\n", is_ok ? 4 : 7);
        return;
    }
    for (int quotes = 0; quotes < 3 && open < text + len; open++) /* the third one opens the content */
        quotes += *open == '"';
    size_t rest = (size_t)(text + len - open);
    int n = snprintf(out, sizeof out, "%%CMNG: %u,%u,\"\",\"", (unsigned)s->sec_tag, s->type);
    if (rest > sizeof out - (size_t)n) {
        slm_answer(f, "ERROR\r\n", 7);
        return;
    }
    memcpy(out + n, open, rest);
    slm_answer(f, out, (size_t)n + rest);
}

static void result(struct front *f, const char *text, size_t len, int64_t now_us)
{
    (void)now_us;
    if (f->u.slm.is_native)
        native_result(f, text, len);
    else
        slm_answer(f, text, len);
}

/* At once, but an answer is written as a whole. */
static void urc(struct front *f, const char *line, int64_t now_us)
{
    (void)now_us;
    slm_keep_urc(&f->u.slm, line);
    if (!front_is_sending(f))
        slm_send_urcs(f);
}

static void sent(struct front *f, int64_t now_us)
{
    (void)now_us;
    if (f->u.slm.is_resetting)
        front_restart(f);
    else
        slm_send_urcs(f);
}

const struct front_vtable front_slm = {
    .takes = FRONT_TAKES_WHEN_EXECUTED,
    .rx_size = RX_SIZE,
    .line_max = LINE_MAX_SLM,
    .reset = reset,
    .banner = banner,
    .octet = octet,
    .result = result,
    .urc = urc,
    .sent = sent,
};

/* The same firmware, told apart by its table. */
const struct front_vtable front_slm_tls = {
    .takes = FRONT_TAKES_WHEN_EXECUTED,
    .rx_size = RX_SIZE,
    .line_max = LINE_MAX_SLM,
    .reset = reset,
    .banner = banner,
    .octet = octet,
    .result = result,
    .urc = urc,
    .sent = sent,
};
