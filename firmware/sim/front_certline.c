/*
 * Certline's own firmware: the core as it runs on boards, with the simulated modem behind it. This file is
 * its port and nothing more.
 *
 * The core must not be called back, and a fault may reset the board in place of a command. So whatever it
 * asks for is noted and done once the call into it has returned.
 */
#include <string.h>

#include "core/core.h"
#include "sim/flash.h"
#include "sim/front.h"

#define RX_SIZE 256

struct certline {
    struct board board; /* first: the core knows no more of this */
    struct front *front;
    struct core core;
    bool is_held;
    bool is_restarting;
    bool is_noticing;    /* what is written now is no answer */
    const char *pending; /* a command for the modem */
    char *reply;         /* the core's memory for the modem's answer */
    size_t reply_size;
    char line[CORE_LINE_MAX + 1];
    char reply_memory[CORE_REPLY_SIZE];
    char queue[CORE_QUEUE_SIZE];
    char slots[2][TRANSFER_SLOT_SIZE];
};

static struct certline *own(const struct front *f)
{
    return f->own;
}

static struct certline *of_board(struct board *board)
{
    return (struct certline *)board;
}

/* -- What the core asks for -- */

/* The link's queue takes the longest answer, so it is never full for long. */
static size_t uart_write(struct board *board, const char *octets, size_t n)
{
    struct certline *c = of_board(board);

    if (c->is_noticing) {
        front_notice(c->front, octets, n);
        return n;
    }
    if (front_room(c->front) < n)
        return 0;
    front_answer(c->front, octets, n);
    return n;
}

static void uart_hold(struct board *board, bool is_held)
{
    of_board(board)->is_held = is_held;
}

static int modem_send(struct board *board, const char *line, size_t len, char *reply, size_t size)
{
    struct certline *c = of_board(board);

    (void)len;
    if (front_modem_is_busy(c->front))
        return -1;
    c->pending = line;
    c->reply = reply;
    c->reply_size = size;
    return 0;
}

static void sha256(struct board *board, const void *octets, size_t n, uint8_t ret_digest[32])
{
    (void)board;
    flash_sha256(octets, n, ret_digest);
}

static void restart(struct board *board)
{
    of_board(board)->is_restarting = true;
}

static const struct board_ops ops = {
    .uart_write = uart_write,
    .uart_hold = uart_hold,
    .modem_send = modem_send,
    .sha256 = sha256,
    .restart = restart,
};

/* -- What the board does -- */

/* After each call into the core. A restart waits until the error that explains it has left. */
static void settle(struct front *f)
{
    struct certline *c = own(f);
    const char *line = c->pending;

    c->pending = NULL;
    if (line)
        front_command(f, line);
    else if (c->is_restarting && !front_is_sending(f))
        front_restart(f);
}

static void reset(struct front *f, int64_t now_us)
{
    struct certline *c = own(f);
    const struct core_config config = {
        .board = &c->board,
        .line = c->line,
        .reply = c->reply_memory,
        .queue = c->queue,
        .slots = {c->slots[0], c->slots[1]},
        .hardware = "certline-sim",
    };

    c->board.ops = &ops;
    c->front = f;
    c->is_held = c->is_restarting = c->is_noticing = false;
    c->pending = NULL;
    core_init(&c->core, &config, now_us / 1000);
}

static void notice(struct front *f, const char *text, int64_t now_us)
{
    own(f)->is_noticing = !front_is_sending(f);
    core_notice(&own(f)->core, text, strlen(text), now_us / 1000);
    own(f)->is_noticing = false;
    settle(f);
}

static void banner(struct front *f, int64_t now_us)
{
    notice(f, CORE_READY, now_us);
}

static void octet(struct front *f, char octet, int64_t now_us)
{
    core_rx(&own(f)->core, &octet, 1, now_us / 1000);
    settle(f);
}

static void result(struct front *f, const char *text, size_t len, int64_t now_us)
{
    struct certline *c = own(f);

    memcpy(c->reply, text, len < c->reply_size ? len : c->reply_size);
    core_modem_done(&c->core, len, now_us / 1000);
    settle(f);
}

static void overrun(struct front *f, int64_t now_us)
{
    core_rx_lost(&own(f)->core, now_us / 1000);
    settle(f);
}

static void urc(struct front *f, const char *line, int64_t now_us)
{
    notice(f, line, now_us);
}

static void sent(struct front *f, int64_t now_us)
{
    core_tx_ready(&own(f)->core, now_us / 1000);
    settle(f);
}

static int64_t when(const struct front *f)
{
    int64_t ms = core_next_ms(&own(f)->core);
    return ms == CORE_NEVER ? SIM_NEVER : ms * 1000;
}

static void due(struct front *f, int64_t now_us)
{
    core_tick(&own(f)->core, now_us / 1000);
    settle(f);
}

static bool holds(const struct front *f)
{
    return own(f)->is_held;
}

const struct front_vtable front_certline = {
    .takes = FRONT_TAKES_ALWAYS,
    .rx_size = RX_SIZE,
    .line_max = CORE_LINE_MAX,
    .own_size = sizeof(struct certline),
    .reset = reset,
    .banner = banner,
    .octet = octet,
    .result = result,
    .urc = urc,
    .sent = sent,
    .when = when,
    .due = due,
    .overrun = overrun,
    .holds = holds,
};
