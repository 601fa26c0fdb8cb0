/*
 * Front ends: the firmware between a board's UART and its modem, as a table of functions each. This header is
 * the seam. The board feeds octets, results and time; the front end hands over commands and octets. Nothing
 * else passes, so a front end may as well be real firmware with a shim around it.
 *
 * To add one: a file front_<name>.c with its `struct front_vtable`, its state in the union below, an
 * enumerator in sim/board.h, its rows in the tables of sim/front.c.
 *
 * Rules. All functions run on the caller's thread at the board's own time and must not block. A function of
 * the table may call any of the services below except that front_command and front_local want the modem to be
 * free (front_modem_is_busy). After front_restart the state has been reset: return at once.
 */
#ifndef CERTLINE_SIM_FRONT_H
#define CERTLINE_SIM_FRONT_H

#include "sim/board.h"
#include "sim/family.h"

#define FRONT_LINE_MAX 8192 /* characters of the longest line that any of them keeps */
#define FRONT_URC_SIZE 512

struct front;

/* Until when the UART's octets wait in its FIFO (and RTS/CTS holds the host, or octets are lost). */
enum front_takes {
    FRONT_TAKES_WHEN_ANSWERED, /* the last octet of the answer has left */
    FRONT_TAKES_WHEN_EXECUTED, /* the modem has finished */
    FRONT_TAKES_ALWAYS,        /* it has a queue of its own */
};

struct front_vtable {
    enum front_takes takes;
    uint32_t rx_size;  /* octets that its UART driver keeps meanwhile; 0: what config.fifo says */
    uint32_t line_max; /* characters of a command at most; 0: what the family's builds keep */
    size_t own_size;   /* of `own`, allocated with the board; 0: the union is enough */

    /* Power or reset: forget everything. The board boots and nothing arrives. */
    void (*reset)(struct front *f, int64_t now_us);
    /* The boot is over: banner, by front_notice. Not called for boards that are silent at boot. */
    void (*banner)(struct front *f, int64_t now_us);
    /* One octet out of the UART. */
    void (*octet)(struct front *f, char octet, int64_t now_us);
    /* The command of front_command or front_local is done; `text` is what the modem library gives: lines
     * with CR LF, a final result last. Borrowed for the call. Its answer goes out by front_answer. */
    void (*result)(struct front *f, const char *text, size_t len, int64_t now_us);
    /* An unsolicited line of the modem, with its CR LF. */
    void (*urc)(struct front *f, const char *line, int64_t now_us);

    /* These may be NULL. */
    void (*sent)(struct front *f, int64_t now_us); /* the last octet of all answers has left */
    int64_t (*when)(const struct front *f);        /* when `due` wants to be called, or SIM_NEVER */
    void (*due)(struct front *f, int64_t now_us);
    void (*overrun)(struct front *f, int64_t now_us); /* the UART lost octets, and its driver knows it */
    bool (*holds)(const struct front *f);             /* its queue is full: octets wait as if it were busy */
};

/* Nordic's lib/at_host. */
struct at_host {
    size_t len;
    bool is_in_quotes;
    char line[SIM_LINE_MAX + 1];
};

/* Serial Modem and its predecessor Serial LTE Modem. */
struct slm {
    size_t len; /* of SLM: also what was dropped */
    bool is_in_quotes;
    bool is_native; /* the command under way is #XCMNG */
    bool has_echo;
    size_t echo_len;
    int64_t idle_us;    /* Serial Modem: nothing typed since; SIM_NEVER while nothing waits for it */
    uint32_t next_baud; /* +IPR takes effect once OK has gone out; 0: none */
    bool is_resetting;  /* #XRESET as well */
    uint32_t sec_tag;   /* of #XCMNG, as the host gave them */
    unsigned type;
    size_t urc_len;
    char urcs[FRONT_URC_SIZE];
    char local[96]; /* an answer of its own */
    char line[FRONT_LINE_MAX + 2];
};

/* Zephyr's shell with the command "at". */
struct shell {
    size_t len;
    char last_end;   /* of CR LF only one ends a line */
    unsigned escape; /* octets of an escape sequence so far */
    bool has_events;
    char local[192];
    char line[SIM_LINE_MAX + 1];
};

struct front {
    const struct front_vtable *vt;
    struct simboard *board;
    const struct simboard_config *config; /* as it is now */
    const struct family *family;
    void *own; /* zeroed, freed with the board */
    union {
        struct at_host at_host;
        struct slm slm;
        struct shell shell;
    } u;
};

/* Returns -1 when memory is short. */
int front_init(struct front *f, struct simboard *b);
void front_done(struct front *f); /* fine if init failed */

/* -- Services of the board (sim/command.c)
 * ---------------------------------------------------------------------- */

/* Hands a line ending in NUL to the modem; it must stay as it is until `result`. Faults may make it hang or
 * reset the board. */
void front_command(struct front *f, const char *line);
bool front_modem_is_busy(const struct front *f);
bool front_is_sending(const struct front *f); /* an answer has not left */

/* As front_command for a command that the firmware answers itself: counted, logged and subject to faults, and
 * `text` comes back as its result. Both must stay. */
void front_local(struct front *f, const char *line, const char *text);

/* Octets of an answer. One call is one answer; several follow one another. */
void front_answer(struct front *f, const char *octets, size_t len);
size_t front_room(const struct front *f); /* octets of answers that still fit; more are dropped */

/* Octets that go before whatever of an answer has not left yet: banner, echo, unsolicited lines. All or
 * nothing: dropped when thousands are waiting. */
void front_notice(struct front *f, const char *octets, size_t len);

void front_lost(struct front *f); /* counts an octet dropped because the line was full */
void front_restart(struct front *f);
void front_set_baud(struct front *f, uint32_t baud);

/* -- What several front ends share (sim/front.c) -- */

void front_say(struct front *f, const char *text); /* front_notice of a string */

extern const struct front_vtable front_at_host;
extern const struct front_vtable front_serial_modem;
extern const struct front_vtable front_slm;
extern const struct front_vtable front_slm_tls;
extern const struct front_vtable front_shell;
extern const struct front_vtable front_certline;

#endif
