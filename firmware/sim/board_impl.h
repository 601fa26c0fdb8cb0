/* The inside of a board, for the files that make it up: board.c (power, plug, the order of events), uart.c
 * (octets), command.c (from a line to its answer), fault.c. Everybody else sees board.h. */
#ifndef CERTLINE_SIM_BOARD_IMPL_H
#define CERTLINE_SIM_BOARD_IMPL_H

#include "sim/board.h"
#include "sim/front.h"
#include "sim/modem.h"
#include "sim/path.h"
#include "sim/rng.h"
#include "sim/wire.h"

#define FIFO_SLACK    8     /* octets that still fit after a busy board has dropped RTS */
#define ANSWER_SIZE   12288 /* answers that wait for the wire: the longest one and a few refusals */
#define EXACT_MAX     8
#define EXACT_ALL_MAX (EXACT_MAX + SIM_FAULT_MAX) /* with those that faults by text need */

struct ring {
    char at[SIM_LINK_SIZE + FIFO_SLACK];
    size_t head;
    size_t len;
};

static inline void ring_push(struct ring *r, char c)
{
    r->at[(r->head + r->len++) % sizeof r->at] = c;
}

static inline char ring_pop(struct ring *r)
{
    char c = r->at[r->head];
    r->head = (r->head + 1) % sizeof r->at;
    r->len--;
    return c;
}

/* Host to board: octets that wait for the wire, the first of them on it. */
struct in_wire {
    struct ring queue;
    bool is_on_wire;
    bool was_refused;     /* the host had more than the queue took */
    struct wire_time end; /* of the octet on the wire, or of the last one */
    uint64_t count;       /* octets that ended, for the exact faults */
};

/* Board to host: the octet on the wire is made when it starts, so that an unsolicited line cuts in where it
 * likes. */
struct out_wire {
    struct ring arrived; /* waits for the reader */
    bool is_on_wire;
    bool is_answer; /* the octet on the wire belongs to the answer */
    char octet;
    struct wire_time end;
    uint64_t count;
};

enum board_state {
    BOARD_IDLE,
    BOARD_EXECUTING, /* the modem works, or the front end on a command of its own */
    BOARD_HUNG,
};

enum fault_when { WHEN_ANY, WHEN_WRITE, WHEN_LIST, WHEN_READ, WHEN_DELETE, WHEN_KEYGEN, WHEN_COMMAND };

/* hang and lost_reply */
struct timed_fault {
    bool is_used;
    bool is_hang; /* else lost_reply */
    enum fault_when when;
    uint64_t k; /* WHEN_COMMAND: number of the command since creation */
    double p;
};

struct exact_slot {
    bool is_armed;
    bool is_own; /* made by a fault given as text */
    struct sim_exact fault;
};

/* Times that a fault given as text did something, where nobody else counts. */
struct fired_counts {
    uint64_t hang, lost_reply, unplug, reboot, urc, fifo, active, stray_entry, same_imei, wrong_family,
        slow_nvm, delay;
};

struct simboard {
    struct simboard_config config;
    const struct family *family;
    struct rng rng;
    int64_t now_us; /* all events up to here are done */

    bool is_plugged;
    bool is_open;
    bool is_powered;
    bool is_booting;
    int64_t boot_done_us;
    uint32_t boots;

    struct in_wire in;
    struct path path;
    struct ring fifo;
    int64_t fifo_next_us; /* when the board takes the next octet of it */
    struct out_wire out;

    struct front front;
    struct modem modem;
    enum board_state state;
    int64_t exec_done_us;
    const char *local; /* result of a command that the front end answers itself; NULL: the modem's */
    struct modem_reply reply;
    bool is_muted; /* the fault that loses an answer */
    struct {
        char text[ANSWER_SIZE];
        size_t len;
        size_t at;       /* octets that started */
        size_t base;     /* where the last answer begins */
        size_t checked;  /* octets before which the fault of unsolicited lines was asked */
        size_t urc_at;   /* place of a random one; SIZE_MAX: none */
        bool is_sending; /* the last octet has not left */
    } answer;
    struct ring notice; /* goes before the answer */

    char log[SIM_LOG_MAX][SIM_LOG_TEXT];
    uint64_t log_total;
    int64_t modem_us;
    uint64_t octets_in, octets_out, lost_busy, lost_overflow;
    uint64_t commands, finished, answers, answer_octets;

    char own_imei[16];
    enum sim_flow own_flow;
    uint32_t own_fifo;
    bool has_small_fifo; /* the fault fifo overrides what the driver keeps */
    uint32_t own_nvm_ms;
    uint32_t drain_us;
    uint32_t link_delay_us; /* added to each octet's time, both ways */
    double urc;
    struct timed_fault timed[SIM_FAULT_MAX];
    struct exact_slot exact[EXACT_ALL_MAX];
    uint64_t exact_fired[SIM_EXACT_KINDS];
    uint64_t exact_base[SIM_EXACT_KINDS]; /* counts at the last reset */
    uint64_t answers_base;
    unsigned exact_armed; /* how many wait: mostly none, and then an octet costs nothing */
    struct fired_counts fired;
};

/* board.c */
void simboard_power_up(struct simboard *b);
void simboard_pull(struct simboard *b);

/* Whether the front end takes octets now. */
bool board_takes(const struct simboard *b);

/* uart.c: everything happens at b->now_us */
void uart_clear(struct simboard *b);
void uart_start_in(struct simboard *b); /* puts the next octet on the wire if it may go */
void uart_start_out(struct simboard *b);
void uart_in_ended(struct simboard *b); /* the octet on the wire is at the board */
void uart_out_ended(struct simboard *b);
void uart_take(struct simboard *b); /* the board takes an octet out of its FIFO */

/* command.c; the services of sim/front.h are there as well */
void simboard_command_finish(struct simboard *b);
void simboard_answer_left(struct simboard *b);

/* exact.c */
int exact_arm(struct simboard *b, const struct sim_exact *fault, bool is_own); /* -1: no place left */
/* True if an exact fault waits for the count as it is now; it is then spent. */
bool exact_hit(struct simboard *b, enum sim_exact_kind kind, int64_t *ret_delay_us);
void exact_clear(struct simboard *b);
bool exact_waits_for_octet(const struct simboard *b);

/* fault.c: whether the command under way hangs, or loses its answer */
bool timed_hit(struct simboard *b, bool is_hang);

#endif
