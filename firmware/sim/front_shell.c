/*
 * A Zephyr shell with the command "at", as the Modem Shell has it. What a host meets here and nowhere else:
 * a prompt without a line end, its own words echoed, colours, and a parser of words in front of the modem:
 *
 *   mosh:~$ at AT+CGSN
 *   351465800000002
 *   OK
 *   mosh:~$ at 'AT%CMNG=0,1,4,"two\nlines"'
 *
 * Outside apostrophes quotes vanish and a backslash takes the next character as it is, so commands with
 * quotes go between apostrophes. There a backslash and n become CR LF, which is how contents of several lines
 * get in, and the digest is that of the CR LF. CR or LF ends the line, of CR LF only one. A line that is full
 * drops octets in silence.
 *
 * Unsolicited lines are not shown until "at events_enable".
 */
#include "sim/front.h"

#include <stdio.h>
#include <string.h>

#define PROMPT       "\x1b[1;32mmosh:~$ \x1b[m"
#define RED          "\x1b[1;31m"
#define PLAIN        "\x1b[m"
#define RESPONSE_MAX 2700
#define RX_SIZE      256
#define CTRL_C       0x03
#define CTRL_U       0x15
#define ESC          0x1b
#define ERASE_LEFT   "\x1b[1D\x1b[K"

static void reset(struct front *f, int64_t now_us)
{
    struct shell *s = &f->u.shell;

    (void)now_us;
    s->len = s->escape = 0;
    s->last_end = '\0';
    s->has_events = false;
}

static void banner(struct front *f, int64_t now_us)
{
    (void)now_us;
    front_say(f, f->family->banner);
    front_say(f, "\r\n\r\n" PROMPT);
}

/* -- Words -- */

/* Takes the next word out of a line, in place, as the shell does. Returns it, or NULL at the end; *ret_open
 * is the quote that was never closed. */
static char *next_word(char **rest, char *ret_open)
{
    char *from = *rest, quote = '\0';

    while (*from == ' ')
        from++;
    if (*from == '\0')
        return NULL;
    char *word = from, *to = from;
    for (; *from != '\0' && (quote || *from != ' '); from++) {
        if (quote && *from == quote)
            quote = '\0';
        else if (!quote && (*from == '\'' || *from == '"'))
            quote = *from;
        else if (*from == '\\' && from[1] != '\0' && (!quote || from[1] == quote))
            *to++ = *++from;
        else
            *to++ = *from;
    }
    *rest = *from == '\0' ? from : from + 1;
    *to = '\0';
    *ret_open = quote;
    return word;
}

/* Backslash and n become CR LF: as long, so in place. */
static void unescape(char *text)
{
    for (; (text = strstr(text, "\\n")); text += 2) {
        text[0] = '\r';
        text[1] = '\n';
    }
}

/* -- Commands -- */

static void say_words(struct front *f, const char *line, const char *format, const char *word)
{
    struct shell *s = &f->u.shell;

    snprintf(s->local, sizeof s->local, format, word);
    front_local(f, line, s->local);
}

static void run_at(struct front *f, char *command)
{
    struct shell *s = &f->u.shell;

    if (strcmp(command, "events_enable") == 0 || strcmp(command, "events_disable") == 0) {
        s->has_events = command[7] == 'e';
        say_words(f, s->line, "AT command event handler %sd\r\n", command + 7);
        return;
    }
    unescape(command);
    front_command(f, command);
}

static void run(struct front *f)
{
    struct shell *s = &f->u.shell;
    char *rest = s->line, open = '\0', open_at = '\0';

    char *program = next_word(&rest, &open);
    if (!program) {
        front_notice(f, PROMPT, strlen(PROMPT));
        return;
    }
    char *command = open ? NULL : next_word(&rest, &open_at);
    if (open || open_at)
        say_words(f, s->line, RED "not terminated: %.1s\r\n" PLAIN, open ? &open : &open_at);
    else if (strcmp(program, "at") != 0)
        say_words(f, s->line, RED "%.100s: command not found\r\n" PLAIN, program);
    else if (!command)
        front_local(f, s->line, "Usage: at <subcommand>\r\n");
    else
        run_at(f, command);
}

static void result(struct front *f, const char *text, size_t len, int64_t now_us)
{
    static const char too_long[] = "Sending AT command failed with error code -7\r\n";
    char out[RESPONSE_MAX + sizeof PROMPT + 2];

    (void)now_us;
    if (len > RESPONSE_MAX) {
        text = too_long;
        len = sizeof too_long - 1;
    }
    memcpy(out, text, len);
    memcpy(out + len, "\r\n" PROMPT, sizeof PROMPT + 1);
    front_answer(f, out, len + 2 + sizeof PROMPT - 1);
}

/* -- Typing -- */

static void end_line(struct front *f, char octet)
{
    struct shell *s = &f->u.shell;

    if (s->last_end && s->last_end != octet) {
        s->last_end = '\0'; /* the second of CR LF */
        return;
    }
    s->last_end = octet;
    s->line[s->len] = '\0';
    s->len = 0;
    front_say(f, "\r\n");
    run(f);
}

static void erase(struct front *f)
{
    if (f->u.shell.len == 0)
        return;
    f->u.shell.len--;
    front_say(f, ERASE_LEFT);
}

/* Arrow keys and the like: ESC, then up to a letter. */
static bool is_in_escape(struct shell *s, char octet)
{
    if (s->escape == 0)
        return false;
    bool is_end = s->escape > 1 ? octet >= '@' : octet != '[' && octet != 'O';
    s->escape = is_end ? 0 : s->escape + 1;
    return true;
}

static void octet(struct front *f, char octet, int64_t now_us)
{
    struct shell *s = &f->u.shell;

    (void)now_us;
    if (octet == '\r' || octet == '\n') {
        end_line(f, octet);
        return;
    }
    s->last_end = '\0';
    if (is_in_escape(s, octet))
        return;
    if (octet == ESC) {
        s->escape = 1;
    } else if (octet == '\b' || octet == 0x7f) {
        erase(f);
    } else if (octet == CTRL_C) {
        s->len = 0;
        front_say(f, "\r\n" PROMPT);
    } else if (octet == CTRL_U) {
        while (s->len > 0)
            erase(f);
    } else if ((unsigned char)octet >= ' ' && (unsigned char)octet < 0x7f) {
        if (s->len >= f->config->line_max) {
            front_lost(f);
            return;
        }
        s->line[s->len++] = octet;
        front_notice(f, &octet, 1);
    }
}

static void urc(struct front *f, const char *line, int64_t now_us)
{
    (void)now_us;
    if (!f->u.shell.has_events)
        return;
    front_say(f, "\x1b[8D\x1b[JAT event handler:\r\n");
    front_say(f, line);
    front_say(f, "\r\n" PROMPT);
    front_notice(f, f->u.shell.line, f->u.shell.len);
}

const struct front_vtable front_shell = {
    .takes = FRONT_TAKES_WHEN_EXECUTED,
    .rx_size = RX_SIZE,
    .line_max = SIM_LINE_MAX,
    .reset = reset,
    .banner = banner,
    .octet = octet,
    .result = result,
    .urc = urc,
};
