/*
 * The AT chat: one command at a time, its answer, and what the board says in between. Pure: octets and `now`
 * go in, octets, a deadline and events come out. The same octets give the same events however they are split.
 *
 * Use: chat_submit; then, until CHAT_DONE comes out, hand chat_output to the port (chat_sent), octets from
 * the port to chat_feed, and the time to chat_tick when chat_deadline is reached.
 *
 * Ownership: memory for lines is the caller's. The spans of a command are borrowed until it is done or
 * cancelled; the command is not copied, so that a secret stands in one place only.
 */
#ifndef CERTLINE_AT_CHAT_H
#define CERTLINE_AT_CHAT_H

#include <stdbool.h>
#include <stdint.h>

#include "at/line.h"
#include "base/clock.h"
#include "base/span.h"

enum chat_terminator { CHAT_CR, CHAT_LF, CHAT_CRLF, CHAT_NUL };

/* What is sent is: `fill_len` times the octet `fill`, then head, content, tail, then the terminator. */
struct chat_command {
    char fill; /* 0x08 for the purge */
    uint32_t fill_len;
    struct span head;    /* `AT%CMNG=0,16842753,2,"` */
    struct span content; /* what may be secret; empty for most commands */
    struct span tail;    /* `"` */
    bool escapes_crlf;   /* each CR LF of the content goes as the two characters backslash and n (a shell's AT
                            command) */
    bool is_raw;         /* no terminator is added */

    const char
        *prefix;    /* static: information lines that belong to the answer begin so ("%CMNG:"); "" takes every
                       line    that is neither final, unsolicited nor banner (+CGMR); NULL takes none */
    bool is_quoted; /* a line with this prefix may hold a quoted text that spans lines */
    int64_t timeout_us; /* from the moment when the last octet was taken by the port; > 0 */
};

enum chat_end {
    CHAT_END_OK,
    CHAT_END_ERROR,   /* bare ERROR */
    CHAT_END_CME,     /* with a number */
    CHAT_END_TIMEOUT, /* no final result by the deadline, or the octets could not be sent by then */
};

enum chat_event_kind {
    CHAT_NONE,   /* nothing more in what was fed */
    CHAT_INFO,   /* an information line of the current command */
    CHAT_URC,    /* an unsolicited line */
    CHAT_BANNER, /* the board has booted: an answer to what was sent before will not come */
    CHAT_STRAY,  /* a line that nobody asked for: noise, a late answer, the print-out of a confused AT host */
    CHAT_DONE,   /* the current command has ended */
};

struct chat_event {
    enum chat_event_kind kind;
    struct span line; /* INFO, URC, BANNER, STRAY, and the final line of DONE (empty on time-out); valid until
                         the next call on the chat */
    bool is_overlong; /* the line was cut */
    bool is_echo;     /* STRAY: our own command, sent back by a shell or with ATE1 */
    enum chat_end end; /* DONE */
    int code;          /* DONE with CHAT_END_CME: the number, -1 when it was none */
    int64_t sent_us;   /* DONE: when the last octet was taken by the port; the start when that never came */
    int64_t begun_us;  /* DONE: when it was submitted */
    int64_t end_us;    /* DONE */
    uint32_t tx_octets, rx_octets; /* DONE: of this exchange */
};

#define CHAT_FILL_CHUNK 256

struct chat {
    struct line line;
    enum chat_terminator terminator;
    const char *wrap_head, *wrap_tail; /* static; "" for none */
    struct chat_command command;       /* valid while is_busy */
    bool is_busy;
    size_t sent; /* octets of the command, terminator included, that the port has taken */
    int64_t started_us;
    int64_t sent_us;     /* TIME_NEVER until all is sent */
    int64_t deadline_us; /* TIME_NEVER when idle */
    uint32_t rx_octets;
    size_t splice_len;  /* octets of the open line that came before something cut into it; 0: it is whole */
    bool is_splice_old; /* they came before the current command */
    char *splice;       /* where they go when they prove to be a line of their own */
    size_t splice_size;
    size_t tail_len; /* of what stood behind them: the next line, at the beginning of the line's memory */
    bool is_tail_overlong;
    char fill[CHAT_FILL_CHUNK]; /* of the current command's fill octet */
};

/* `line_memory` and `splice_memory` (each at least 128 octets; the latter as long as a list row, 160, is
 * ample) must outlive the chat. */
void chat_init(struct chat *c, char *line_memory, size_t line_size, char *splice_memory, size_t splice_size);

/* Forgets the current command (no event) and half-read lines: after a lost link, before a new contact. */
void chat_reset(struct chat *c);

/* The chat must be idle. */
/* Commands go inside `head` and `tail` from now on (static texts; "" for none): a shell wants `at 'AT+CGMR'`.
 * While idle. */
void chat_set_wrapper(struct chat *c, const char *head, const char *tail);

void chat_set_terminator(struct chat *c, enum chat_terminator terminator);

/* Starts a command. The chat must be idle. Octets that cannot be sent at all end in CHAT_END_TIMEOUT too:
 * until the last octet is taken the deadline is `now` + timeout + `slack_us`, where slack is what the link
 * needs for that many octets.
 * What arrives before the terminator has left is no answer to this command, whatever it says: a late OK of an
 * earlier one comes out as CHAT_STRAY. A raw command without octets only waits, for a banner. */
void chat_submit(struct chat *c, const struct chat_command *command, int64_t slack_us, int64_t now_us);

/* Ends the current command without an event; what was sent of it stays in the board's buffer. */
void chat_cancel(struct chat *c);

/* The next octets to send (empty: nothing), valid until the next call on the chat. */
struct span chat_output(struct chat *c);

/* True while the next octets of chat_output are content (which may be secret). */
bool chat_output_is_content(const struct chat *c);

/* The port took n octets of it. */
void chat_sent(struct chat *c, size_t n, int64_t now_us);

/* Takes octets up to the end of one event. Returns how many; call again with the rest until kind is
 * CHAT_NONE. A call with no octets may still yield an event that was pending. */
size_t chat_feed(struct chat *c, struct span in, int64_t now_us, struct chat_event *ret_event);

/* When to call chat_tick; TIME_NEVER when idle. */
int64_t chat_deadline(const struct chat *c);

/* Yields CHAT_DONE with CHAT_END_TIMEOUT once the deadline has passed, else CHAT_NONE. */
void chat_tick(struct chat *c, int64_t now_us, struct chat_event *ret_event);

/* Octets the command has in all, terminator included. */
size_t chat_command_len(const struct chat *c, const struct chat_command *command);

#endif
