/*
 * Contact: finding out who is at the other end, with which line end, without running anything that was left
 * behind.
 *
 * A const table (state, probe, answer → next), stepped by the job. Nordic's AT host keeps what it was sent
 * until a line end comes outside of quotes; a line of unknown history may hold the front part of a dead
 * session's write. So such a line is purged with backspaces first, and only then asked. When that is answered
 * by silence the AT host may stand inside a quote (its backspace does not turn the quote flag back): `"` and
 * a backspace leave the quote with an empty buffer. On a healthy line the same pair enters a quote, so a
 * second round restores it.
 *
 * What ends a line is an option of that AT host's build: CR, LF, CR LF or NUL. NUL comes last in a round, as
 * the rarest: to the others it is nothing outside of quotes and one octet of content inside.
 */
#ifndef CERTLINE_JOB_CONTACT_H
#define CERTLINE_JOB_CONTACT_H

#include <stdbool.h>
#include <stdint.h>

#include "at/chat.h"

#define CONTACT_PURGE_OCTETS 4608 /* 4,095 buffered ones and an eighth more for a link that loses some */

enum contact_state {
    CONTACT_FRESH_CR,
    CONTACT_FRESH_LF,
    CONTACT_FRESH_NUL,
    CONTACT_PURGE_CR,
    CONTACT_PURGE_LF,
    CONTACT_UNQUOTE_CR,
    CONTACT_UNQUOTE_LF,
    CONTACT_ASK_NUL, /* neither CR nor LF ended a line, in quotes or out of them */
    CONTACT_UNQUOTE_NUL,
    CONTACT_TELL_LF,
    CONTACT_TELL_CRLF,
    CONTACT_CONFIRM_CR,
    CONTACT_CONFIRM_CRLF,
    CONTACT_CONFIRM_NUL,
    CONTACT_SHELL, /* a prompt was seen: its AT command, and no bare AT */
    CONTACT_CONFIRM_SHELL,
    CONTACT_BOOTED,   /* a banner came: wait until it is through */
    CONTACT_QUIET_CR, /* answered, but late answers to earlier probes may follow: wait until it is quiet */
    CONTACT_QUIET_LF,
    CONTACT_QUIET_CRLF,
    CONTACT_QUIET_NUL,
    CONTACT_QUIET_SHELL,
    CONTACT_DONE_CR,
    CONTACT_DONE_LF,
    CONTACT_DONE_CRLF,
    CONTACT_DONE_NUL,
    CONTACT_DONE_SHELL,
};
#define CONTACT_STATES (CONTACT_DONE_SHELL + 1)

/* What takes the commands. */
enum contact_front {
    CONTACT_FRONT_AT,    /* an AT host: Nordic's, Serial Modem, SLM, or our own */
    CONTACT_FRONT_SHELL, /* a Zephyr shell with its `at` command */
};

enum contact_answer { CONTACT_SAID_OK, CONTACT_SAID_NO, CONTACT_SAID_NOTHING };

struct contact {
    enum contact_state state;
    uint16_t probes; /* sent so far */
    int64_t quiet_until_us;
};

/* `is_fresh`: nothing of anybody's can stand in the board's buffer. */
void contact_begin(struct contact *c, bool is_fresh);

bool contact_is_done(const struct contact *c);
/* Valid once done. */
enum chat_terminator contact_terminator(const struct contact *c);
enum contact_front contact_front(const struct contact *c);

/* The front end that a probe of the present state is for: how it must be wrapped. */
enum contact_front contact_probed_front(const struct contact *c);

/* An unfinished line has come to stand there: true when it is a shell's prompt and changes what is to be
 * asked. */
bool contact_prompt(struct contact *c, struct span partial, int64_t now_us);

/* The state asks for a probe: fills *ret (spans are static) and the terminator it goes with. False: it waits
 * for quiet until contact_deadline instead. */
bool contact_probe(const struct contact *c, struct chat_command *ret, enum chat_terminator *ret_terminator);

/* The probe ended. */
void contact_answered(struct contact *c, enum contact_answer answer, int64_t now_us);
/* A banner: whatever was sent is forgotten by the board. */
void contact_booted(struct contact *c, int64_t now_us);
/* A line nobody asked for: not quiet yet. */
void contact_heard(struct contact *c, int64_t now_us);

/* When the quiet has lasted long enough; TIME_NEVER while a probe is out. */
int64_t contact_deadline(const struct contact *c);
void contact_tick(struct contact *c, int64_t now_us);

/* For documents and tests: the state's name. */
const char *contact_state_name(enum contact_state state);

#endif
