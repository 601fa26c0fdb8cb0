/*
 * The grammar is checked before anything reaches the modem, so "ATI" is refused here and without a number
 * even under +CMEE=1. Both firmwares rewrite the modem's answer into the verbose form of TS 27.007:
 *
 *   > AT+CGMR    < (empty) < mfw_nrf9160_1.3.5 < (empty) < OK
 *
 * with one buffer of 4,096 octets for it; an answer that does not fit becomes ERROR.
 */
#include "sim/slm_line.h"

#include <string.h>
#include <strings.h>

#define REPLY_MAX 4093 /* of the buffer's 4,096: CR LF before it and a NUL behind */

static bool is_word(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* AT, or AT with + % # and a name, then nothing, "?", "=?" or "=" and anything. */
static bool is_grammatical(const char *line)
{
    if (strncasecmp(line, "AT", 2) != 0)
        return false;
    line += 2;
    if (*line == '\0')
        return true;
    if (!strchr("+%#", *line) || !is_word(line[1]))
        return false;
    do {
        line++;
    } while (is_word(*line));
    return *line == '\0' || *line == '=' || strcmp(line, "?") == 0;
}

static const struct slm_command *find(const char *at, const struct slm_command *own, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t n = strlen(own[i].name);
        if (strncasecmp(at, own[i].name, n) == 0 && !is_word(at[n]))
            return &own[i];
    }
    return NULL;
}

void slm_run(struct front *f, char *line, const struct slm_command *own, size_t count)
{
    bool is_at = strncasecmp(line, "AT", 2) == 0;
    const struct slm_command *command = is_at ? find(line + 2, own, count) : NULL;

    f->u.slm.is_native = false;
    if (command) {
        const char *text = command->run(f, line + 2 + strlen(command->name));
        if (text)
            front_local(f, line, text);
    } else if (is_grammatical(line)) {
        front_command(f, line);
    } else {
        front_local(f, line, "ERROR\r\n");
    }
}

void slm_answer(struct front *f, const char *text, size_t len)
{
    char out[REPLY_MAX + 4];
    size_t final = len >= 2 ? len - 2 : 0;

    if (len == 0 || len > REPLY_MAX) {
        front_answer(f, SLM_ERROR, strlen(SLM_ERROR));
        return;
    }
    while (final > 0 && text[final - 1] != '\n')
        final--;
    size_t n = 2;
    memcpy(out, "\r\n", 2);
    memcpy(out + n, text, final);
    n += final;
    if (final > 0) {
        memcpy(out + n, "\r\n", 2);
        n += 2;
    }
    memcpy(out + n, text + final, len - final);
    front_answer(f, out, n + len - final);
}

void slm_backspace(struct slm *s)
{
    if (s->len == 0)
        return;
    s->len--;
    if (s->len < sizeof s->line && s->line[s->len] == '"')
        s->is_in_quotes = !s->is_in_quotes;
}

void slm_keep_urc(struct slm *s, const char *line)
{
    size_t len = strlen(line);

    if (s->urc_len + len + 2 > sizeof s->urcs)
        return;
    memcpy(s->urcs + s->urc_len, "\r\n", 2);
    memcpy(s->urcs + s->urc_len + 2, line, len);
    s->urc_len += len + 2;
}

void slm_send_urcs(struct front *f)
{
    front_notice(f, f->u.slm.urcs, f->u.slm.urc_len);
    f->u.slm.urc_len = 0;
}

const char *slm_xreset(struct front *f, char *parameters)
{
    if (*parameters != '\0')
        return "ERROR\r\n";
    f->u.slm.is_resetting = true;
    return "OK\r\n";
}
