/*
 * The contact table. Policy on the unexpected: an answer other than OK still proves that somebody is there
 * and that the line is empty, so the same terminator is asked once more; a banner starts over on a fresh
 * line; silence moves on, and the last row leads back to the purge, for as long as the job's contact limit
 * allows.
 *
 * A bare line end is sent only behind our own `AT`, where it completes that and nothing else.
 */
#include "job/contact.h"

#include <assert.h>
#include <string.h>

#define BS 0x08

/* clang-format off */
#define AT {"AT", 2}
/* clang-format on */

struct probe {
    const char *name;
    uint16_t fill;    /* backspaces first */
    struct span text; /* empty: a state that waits for quiet */
    bool is_raw;
    enum chat_terminator terminator;
    uint16_t wait_ms;
    enum contact_state on_ok, on_no, on_silence;
};

/* clang-format off */
static const struct probe probes[CONTACT_STATES] = {
    /*  > AT<CR>
     *  < OK                                    the usual: one exchange                                        */
    [CONTACT_FRESH_CR]     = {"fresh_cr",     0, AT, false, CHAT_CR, 500,
                              CONTACT_DONE_CR, CONTACT_FRESH_CR, CONTACT_FRESH_LF},
    /*  > <LF>  completes AT<CR> for a build that ends lines with LF or CRLF                                   */
    [CONTACT_FRESH_LF]     = {"fresh_lf",     0, {"\n", 1}, true, CHAT_LF, 300,
                              CONTACT_TELL_LF, CONTACT_TELL_LF, CONTACT_FRESH_NUL},
    /*  > <NUL>  completes AT<CR><LF> for a build that ends lines with NUL                                 */
    [CONTACT_FRESH_NUL]    = {"fresh_nul",    0, {"", 1}, true, CHAT_NUL, 300,
                              CONTACT_CONFIRM_NUL, CONTACT_CONFIRM_NUL, CONTACT_PURGE_CR},
    [CONTACT_PURGE_CR]     = {"purge_cr",     CONTACT_PURGE_OCTETS, AT, false, CHAT_CR, 600,
                              CONTACT_QUIET_CR, CONTACT_CONFIRM_CR, CONTACT_PURGE_LF},
    [CONTACT_PURGE_LF]     = {"purge_lf",     0, {"\n", 1}, true, CHAT_LF, 300,
                              CONTACT_TELL_LF, CONTACT_TELL_LF, CONTACT_UNQUOTE_CR},
    /*  16 backspaces take back AT<CR><LF> of the probes before; `"` ends the quote, one more empties the line */
    [CONTACT_UNQUOTE_CR]   = {"unquote_cr",   16, {"\"\bAT", 4}, false, CHAT_CR, 600,
                              CONTACT_QUIET_CR, CONTACT_CONFIRM_CR, CONTACT_UNQUOTE_LF},
    [CONTACT_UNQUOTE_LF]   = {"unquote_lf",   0, {"\n", 1}, true, CHAT_LF, 300,
                              CONTACT_TELL_LF, CONTACT_TELL_LF, CONTACT_ASK_NUL},
    /*  Open quote or none, as above: asked either way, which also leaves it as it was for the next round      */
    [CONTACT_ASK_NUL]      = {"ask_nul",      16, AT, false, CHAT_NUL, 600,
                              CONTACT_QUIET_NUL, CONTACT_CONFIRM_NUL, CONTACT_UNQUOTE_NUL},
    [CONTACT_UNQUOTE_NUL]  = {"unquote_nul",  16, {"\"\bAT", 4}, false, CHAT_NUL, 600,
                              CONTACT_QUIET_NUL, CONTACT_CONFIRM_NUL, CONTACT_PURGE_CR},
    /*  LF or CRLF? AT<LF> is a whole command for the one and nothing for the other                            */
    [CONTACT_TELL_LF]      = {"tell_lf",      0, AT, false, CHAT_LF, 500,
                              CONTACT_QUIET_LF, CONTACT_TELL_CRLF, CONTACT_TELL_CRLF},
    [CONTACT_TELL_CRLF]    = {"tell_crlf",    16, AT, false, CHAT_CRLF, 500,
                              CONTACT_QUIET_CRLF, CONTACT_CONFIRM_CRLF, CONTACT_PURGE_CR},
    [CONTACT_CONFIRM_CR]   = {"confirm_cr",   0, AT, false, CHAT_CR, 500,
                              CONTACT_QUIET_CR, CONTACT_PURGE_CR, CONTACT_PURGE_CR},
    [CONTACT_CONFIRM_CRLF] = {"confirm_crlf", 0, AT, false, CHAT_CRLF, 500,
                              CONTACT_QUIET_CRLF, CONTACT_PURGE_CR, CONTACT_PURGE_CR},
    [CONTACT_CONFIRM_NUL]  = {"confirm_nul",  16, AT, false, CHAT_NUL, 500,
                              CONTACT_QUIET_NUL, CONTACT_PURGE_CR, CONTACT_PURGE_CR},
    /*  uart:~$ at 'AT'                         a shell echoes, so nothing is a bare OK but the answer              */
    [CONTACT_SHELL]        = {"shell",        0, AT, false, CHAT_CR, 1000,
                              CONTACT_QUIET_SHELL, CONTACT_CONFIRM_SHELL, CONTACT_PURGE_CR},
    [CONTACT_CONFIRM_SHELL] = {"confirm_shell", 0, AT, false, CHAT_CR, 1000,
                              CONTACT_QUIET_SHELL, CONTACT_PURGE_CR, CONTACT_PURGE_CR},
    [CONTACT_BOOTED]       = {.name = "booted",     .wait_ms = 100, .on_silence = CONTACT_FRESH_CR},
    [CONTACT_QUIET_CR]     = {.name = "quiet_cr",   .wait_ms = 150, .on_silence = CONTACT_DONE_CR},
    [CONTACT_QUIET_LF]     = {.name = "quiet_lf",   .wait_ms = 150, .on_silence = CONTACT_DONE_LF},
    [CONTACT_QUIET_CRLF]   = {.name = "quiet_crlf", .wait_ms = 150, .on_silence = CONTACT_DONE_CRLF},
    [CONTACT_QUIET_NUL]    = {.name = "quiet_nul",  .wait_ms = 150, .on_silence = CONTACT_DONE_NUL},
    [CONTACT_QUIET_SHELL]  = {.name = "quiet_shell", .wait_ms = 150, .on_silence = CONTACT_DONE_SHELL},
    [CONTACT_DONE_CR]      = {.name = "done_cr",    .on_silence = CONTACT_DONE_CR},
    [CONTACT_DONE_LF]      = {.name = "done_lf",    .on_silence = CONTACT_DONE_LF},
    [CONTACT_DONE_CRLF]    = {.name = "done_crlf",  .on_silence = CONTACT_DONE_CRLF},
    [CONTACT_DONE_NUL]     = {.name = "done_nul",   .on_silence = CONTACT_DONE_NUL},
    [CONTACT_DONE_SHELL]   = {.name = "done_shell", .on_silence = CONTACT_DONE_SHELL},
};
/* clang-format on */

static void go(struct contact *c, enum contact_state state, int64_t now_us)
{
    const struct probe *p = &probes[state];
    c->state = state;
    c->quiet_until_us = p->text.len > 0 || p->wait_ms == 0 ? TIME_NEVER : now_us + p->wait_ms * US_PER_MS;
}

void contact_begin(struct contact *c, bool is_fresh)
{
    *c = (struct contact){.state = is_fresh ? CONTACT_FRESH_CR : CONTACT_PURGE_CR,
                          .quiet_until_us = TIME_NEVER};
}

bool contact_is_done(const struct contact *c)
{
    return c->state >= CONTACT_DONE_CR;
}

enum chat_terminator contact_terminator(const struct contact *c)
{
    assert(contact_is_done(c));
    switch (c->state) {
    case CONTACT_DONE_LF:
        return CHAT_LF;
    case CONTACT_DONE_CRLF:
        return CHAT_CRLF;
    case CONTACT_DONE_NUL:
        return CHAT_NUL;
    default: /* the shell's line ends with CR as well */
        return CHAT_CR;
    }
}

enum contact_front contact_front(const struct contact *c)
{
    assert(contact_is_done(c));
    return c->state == CONTACT_DONE_SHELL ? CONTACT_FRONT_SHELL : CONTACT_FRONT_AT;
}

enum contact_front contact_probed_front(const struct contact *c)
{
    bool is_shell = c->state == CONTACT_SHELL || c->state == CONTACT_CONFIRM_SHELL;
    return is_shell ? CONTACT_FRONT_SHELL : CONTACT_FRONT_AT;
}

/* Zephyr's default prompt is "uart:~$ ", that of Modem Shell "mosh:~$ ". Colours stand around it. */
static bool is_prompt(struct span partial)
{
    for (size_t i = 0; i < partial.len; i++) {
        if (span_starts(span_skip(partial, i), ":~$ ")) {
            return true;
        }
    }
    return false;
}

bool contact_prompt(struct contact *c, struct span partial, int64_t now_us)
{
    bool may_change = probes[c->state].text.len > 0 && contact_probed_front(c) == CONTACT_FRONT_AT;
    if (!may_change || !is_prompt(partial)) {
        return false;
    }
    go(c, CONTACT_SHELL, now_us);
    return true;
}

bool contact_probe(const struct contact *c, struct chat_command *ret, enum chat_terminator *ret_terminator)
{
    const struct probe *p = &probes[c->state];
    if (p->text.len == 0) {
        return false;
    }
    *ret = (struct chat_command){
        .fill = BS,
        .fill_len = p->fill,
        .head = p->text,
        .is_raw = p->is_raw,
        .timeout_us = p->wait_ms * US_PER_MS,
    };
    *ret_terminator = p->terminator;
    return true;
}

void contact_answered(struct contact *c, enum contact_answer answer, int64_t now_us)
{
    const struct probe *p = &probes[c->state];
    assert(p->text.len > 0);
    c->probes++;
    switch (answer) {
    case CONTACT_SAID_OK:
        go(c, p->on_ok, now_us);
        break;
    case CONTACT_SAID_NO:
        go(c, p->on_no, now_us);
        break;
    case CONTACT_SAID_NOTHING:
        go(c, p->on_silence, now_us);
        break;
    }
}

void contact_booted(struct contact *c, int64_t now_us)
{
    go(c, CONTACT_BOOTED, now_us);
}

void contact_heard(struct contact *c, int64_t now_us)
{
    if (c->quiet_until_us != TIME_NEVER) {
        c->quiet_until_us = now_us + probes[c->state].wait_ms * US_PER_MS;
    }
}

int64_t contact_deadline(const struct contact *c)
{
    return c->quiet_until_us;
}

void contact_tick(struct contact *c, int64_t now_us)
{
    if (now_us >= c->quiet_until_us) {
        go(c, probes[c->state].on_silence, now_us);
    }
}

const char *contact_state_name(enum contact_state state)
{
    return probes[state].name;
}
