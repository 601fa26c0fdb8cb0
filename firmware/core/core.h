/*
 * Certline's provisioning firmware without the chip: an AT host that loses nothing in silence, passes every
 * command of the modem on as it is, and adds three of its own (firmware/README.md has them in full):
 *
 *   AT#IDENT        who the board is, in one exchange
 *   AT#CRED=…       the checked transfer of a credential
 *   AT#BLINK=<ms>   blinks the light
 *
 * Pure: octets, the modem's answers and the time go in, calls of core/board.h come out. One thread. No heap,
 * no statics: everything stands in struct core and in the memory of its configuration, so that a test can
 * hold many.
 *
 * Time is `now_ms` of a monotonic clock, the same in all calls and never running backwards. core_next_ms says
 * when core_tick is wanted; being late delays what falls due and changes nothing else.
 */
#ifndef CERTLINE_CORE_CORE_H
#define CERTLINE_CORE_CORE_H

#include "core/board.h"
#include "core/input.h"
#include "core/output.h"
#include "core/scan.h"
#include "core/transfer.h"

#define CORE_VERSION      "0.1.0" /* the project's */
#define CORE_NEVER        INT64_MAX
#define CORE_LINE_MAX     8192 /* characters of a command */
#define CORE_REPLY_SIZE   8704 /* of the modem: a read of the longest content, or a list of about 100 rows */
#define CORE_QUEUE_SIZE   2048 /* octets that wait while a command runs; an eighth of it is left when held */
#define CORE_ANSWER_SIZE  768
#define CORE_PAUSE_MS     100    /* ends a burst of frames */
#define CORE_OPEN_MS      30000  /* a transfer that nothing is heard of is dropped */
#define CORE_MODEM_MS     300000 /* the longest command of a modem is a search for networks */
#define CORE_BLINK_MS_MAX 600000
#define CORE_PROTOCOL     1           /* of the checked transfer */
#define CORE_READY        "Ready\r\n" /* what a port says with core_notice once it listens */

/* Codes of +CME ERROR beside the modem's own; ERROR without a number when +CMEE is 0. */
enum core_error {
    CORE_ERROR_NO_MEMORY = 20, /* the content is longer than the board takes */
    CORE_ERROR_PARAMETER = 50,
    CORE_ERROR_DAMAGED = 701, /* the CRC of an AT#CRED line is wrong */
    CORE_ERROR_NO_TRANSFER = 702,
    CORE_ERROR_INCOMPLETE = 703, /* behind a line that says what is missing */
    CORE_ERROR_DIGEST = 704,     /* all arrived, and it is not what was announced */
    CORE_ERROR_EARLIER = 705,    /* the write before failed, behind a line that says how; nothing was done */
    CORE_ERROR_UNWRITABLE = 706, /* a quote or NUL in the content */
    CORE_ERROR_LINE = 707,       /* too long, a quote left open, octets lost, or no command at all */
    CORE_ERROR_REPLY = 708,      /* the modem's answer is longer than the board's memory for it */
    CORE_ERROR_MODEM = 709,      /* the modem does not take the command, or does not answer */
};

struct core_config {
    struct board *board;
    char *line;           /* CORE_LINE_MAX + 1 octets */
    char *reply;          /* CORE_REPLY_SIZE */
    char *queue;          /* CORE_QUEUE_SIZE */
    char *slots[2];       /* TRANSFER_SLOT_SIZE each */
    const char *hardware; /* the board's name; static text */
};

enum core_state {
    CORE_IDLE,
    CORE_WAITING,     /* a line that needs the modem waits for the end of a write */
    CORE_PASSING,     /* the modem works on the host's command */
    CORE_IDENTIFYING, /* … on one of AT#IDENT's */
    CORE_COMMITTING,  /* a commit waits for the end of the write before */
    CORE_WRITING,     /* a commit waits for the end of its own write */
};

struct core {
    struct core_config config;
    struct input input;
    struct scan scan;
    struct transfer transfer;
    struct output output;
    enum core_state state;
    bool is_cmee;   /* +CMEE=1 was taken by the modem */
    bool sets_cmee; /* the command under way is +CMEE=… */
    char cmee;      /* … and this its value */
    bool is_modem_busy;
    int64_t modem_since_ms;
    bool is_behind;      /* a commit is answered when its write begins, not when it ends */
    bool is_noisy;       /* lines that are no commands were answered once since the last pause */
    bool is_burst;       /* octets for the open transfer came, and no answer yet */
    int64_t heard_ms;    /* the last octet */
    int64_t transfer_ms; /* the last octets that meant something to the open transfer */
    size_t queue_head, queue_len;
    bool is_held;
    bool has_lost; /* the queue overflowed */
    uint8_t ident_row;
    struct words answer;
    char answer_memory[CORE_ANSWER_SIZE];
    char modem_reply[192]; /* for commands of our own */
    int64_t blink_until_ms, blink_next_ms;
    bool is_lit;
    int64_t now_ms;
};

/* All memory of the configuration must outlive the core. */
void core_init(struct core *core, const struct core_config *config, int64_t now_ms);

/* Octets from the host. */
void core_rx(struct core *core, const char *octets, size_t n, int64_t now_ms);

/* Octets from the host did not get here: the port's buffer or the UART overflowed, or a frame was no octet.
 * What they belonged to is not executed. */
void core_rx_lost(struct core *core, int64_t now_ms);

/* The UART has room again. */
void core_tx_ready(struct core *core, int64_t now_ms);

/* The exchange of board_ops.modem_send has ended with n octets of answer. n greater than the size given
 * there: the answer was longer; 0: there was none. */
void core_modem_done(struct core *core, size_t n, int64_t now_ms);

/* An unsolicited line of the modem (or of the port itself, such as a banner), as it is to be written. */
void core_notice(struct core *core, const char *octets, size_t n, int64_t now_ms);

void core_tick(struct core *core, int64_t now_ms);
int64_t core_next_ms(const struct core *core);

/* -- For the commands (core/cred.c, core/ident.c) -- */

/* The answer is built in core->answer, which is empty when a command begins, and ended with one of these. */
void core_ok(struct core *core);
void core_error(struct core *core, enum core_error error);

/* Another answer, copied: the modem's own. n = 0: it gave none. */
void core_answer(struct core *core, const char *octets, size_t n);

/* Hands a command to the modem, once it is free, and its answer to the host. Copied. */
void core_pass(struct core *core, const char *line, size_t len);

/* Starts an exchange with the modem, which must be free. Returns false when it was refused. */
bool core_modem(struct core *core, const char *line, size_t len, char *reply, size_t size);

#endif
