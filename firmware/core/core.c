/*
 * One command at a time, and nothing lost meanwhile. From a complete line until its answer has left, octets
 * wait in the queue; when that fills up the host is asked to wait; when it overflows all the same (a link
 * without flow control, a host that does not listen) the line that lost octets is answered with an error and
 * passed over.
 *
 * The exception is the point of the checked transfer: while the modem writes one credential, the next one may
 * arrive. The state is CORE_IDLE then, only the modem is busy.
 *
 * Time heals everything: open quotes, halves of lines, bursts without an end, transfers that nobody goes on
 * with, a modem that does not answer. Each has its own limit, and core_next_ms is the least of them.
 */
#include "core/core.h"

#include <string.h>

#include "core/cred.h"
#include "core/ident.h"

#define BLINK_MS 125

/* -- Answers -- */

static void send_answer(struct core *core)
{
    output_reply(&core->output, core->answer.at, core->answer.len);
    core->answer.len = 0;
    core->answer.is_cut = false;
    core->is_burst = false;
    scan_may_be_other(&core->scan);
}

void core_ok(struct core *core)
{
    words_add(&core->answer, "OK\r\n");
    send_answer(core);
}

void core_error(struct core *core, enum core_error error)
{
    if (core->is_cmee) {
        words_add(&core->answer, "+CME ERROR: ");
        words_uint(&core->answer, error);
    } else {
        words_add(&core->answer, "ERROR");
    }
    words_add(&core->answer, "\r\n");
    send_answer(core);
}

void core_answer(struct core *core, const char *octets, size_t n)
{
    if (n == 0) {
        core_error(core, CORE_ERROR_MODEM);
        return;
    }
    words_octets(&core->answer, octets, n);
    send_answer(core);
}

/* -- Commands -- */

bool core_modem(struct core *core, const char *line, size_t len, char *reply, size_t size)
{
    struct board *board = core->config.board;

    core->is_modem_busy = board->ops->modem_send(board, line, len, reply, size) == 0;
    core->modem_since_ms = core->now_ms;
    return core->is_modem_busy;
}

/* What the core has to know of the modem's state: whether errors have numbers. */
static void note_cmee(struct core *core)
{
    static const char cmee[] = "AT+CMEE=";
    const struct input *in = &core->input;

    core->sets_cmee = words_begins(in->line, in->len, cmee) && in->len > sizeof cmee - 1;
    core->cmee = core->sets_cmee ? in->line[sizeof cmee - 1] : '\0';
}

static void pass_line(struct core *core)
{
    note_cmee(core);
    core->state = CORE_PASSING;
    if (core_modem(core, core->input.line, core->input.len, core->config.reply, CORE_REPLY_SIZE))
        return;
    core->state = CORE_IDLE;
    core_error(core, CORE_ERROR_MODEM);
}

void core_pass(struct core *core, const char *line, size_t len)
{
    memmove(core->input.line, line, len);
    core->input.line[len] = '\0';
    core->input.len = len;
    if (core->is_modem_busy)
        core->state = CORE_WAITING;
    else
        pass_line(core);
}

static void blink(struct core *core, const char *at, size_t n)
{
    struct cursor c = {at, n, false};
    uint32_t ms = cursor_uint(&c, CORE_BLINK_MS_MAX);

    if (!cursor_ends(&c)) {
        core_error(core, CORE_ERROR_PARAMETER);
        return;
    }
    core->blink_until_ms = core->now_ms + ms;
    core->blink_next_ms = core->now_ms;
    core_ok(core);
}

/* The line in core->input. */
static void run_line(struct core *core)
{
    static const char cred[] = SCAN_LINE_PREFIX, blinks[] = "AT#BLINK=", ident[] = "AT#IDENT";
    const char *at = core->input.line;
    size_t n = core->input.len;

    while ((unsigned char)*at <= ' ') { /* there is something else: input.c has looked */
        at++;
        n--;
    }
    if (words_begins(at, n, cred))
        cred_line(core, at + sizeof cred - 1, n - (sizeof cred - 1));
    else if (words_begins(at, n, blinks))
        blink(core, at + sizeof blinks - 1, n - (sizeof blinks - 1));
    else if (words_begins(at, n, ident) && n == sizeof ident - 1 && !core->is_modem_busy)
        ident_begin(core);
    else if (core->is_modem_busy)
        core->state = CORE_WAITING;
    else
        pass_line(core);
}

/* Once it is answered the line goes. */
static void settle(struct core *core)
{
    if (core->state == CORE_IDLE && core->input.len > 0)
        input_release(&core->input);
}

/* -- Octets -- */

static bool is_gated(const struct core *core)
{
    return core->state != CORE_IDLE || !output_is_free(&core->output);
}

static void take_input(struct core *core, char octet)
{
    switch (input_feed(&core->input, octet)) {
    case INPUT_NONE:
        break;
    case INPUT_LINE:
        core->is_noisy = false;
        run_line(core);
        settle(core);
        break;
    case INPUT_NOISE:
        if (!core->is_noisy)
            core_error(core, CORE_ERROR_LINE);
        core->is_noisy = true;
        break;
    case INPUT_TOO_LONG:
    case INPUT_OPEN_QUOTE:
        core_error(core, CORE_ERROR_LINE);
        break;
    }
}

static void take_other(struct core *core, struct scan_event event)
{
    char begin[2] = {event.octets[0], event.octets[1]};

    core->is_burst = false;
    take_input(core, begin[0]);
    take_input(core, begin[1]);
}

/* One finding of the scanner; false: there is none. */
static bool take_found(struct core *core)
{
    const size_t prefix = sizeof SCAN_LINE_PREFIX - 1;
    struct scan_event event = scan_next(&core->scan);

    switch (event.kind) {
    case SCAN_MORE:
        return false;
    case SCAN_FRAME:
        core->transfer_ms = core->now_ms;
        transfer_put(&core->transfer, event.first, event.octets, event.n);
        return true;
    case SCAN_LINE:
        cred_line(core, event.octets + prefix, event.n - prefix);
        settle(core);
        return true;
    case SCAN_OTHER:
        take_other(core, event);
        return true;
    }
    return false;
}

static bool is_scanning(struct core *core)
{
    return transfer_open(&core->transfer) && input_is_empty(&core->input);
}

static void take(struct core *core, char octet)
{
    if (!is_scanning(core)) {
        take_input(core, octet);
        return;
    }
    scan_feed(&core->scan, octet);
    if (octet != '\r' && octet != '\n')
        core->is_burst = true;
}

static void push(struct core *core, char octet)
{
    if (core->queue_len == CORE_QUEUE_SIZE)
        core->has_lost = true;
    if (!core->has_lost)
        core->config.queue[(core->queue_head + core->queue_len++) % CORE_QUEUE_SIZE] = octet;
}

static char pop(struct core *core)
{
    char *at = &core->config.queue[core->queue_head], octet = *at;

    *at = '\0'; /* it may have been a secret's */
    core->queue_head = (core->queue_head + 1) % CORE_QUEUE_SIZE;
    core->queue_len--;
    return octet;
}

static void queue_ended(struct core *core)
{
    core->has_lost = false;
    if (!is_scanning(core) && input_lost(&core->input) == INPUT_TOO_LONG)
        core_error(core, CORE_ERROR_LINE);
}

static void hold(struct core *core)
{
    struct board *board = core->config.board;
    bool is_full = core->queue_len > CORE_QUEUE_SIZE - CORE_QUEUE_SIZE / 8;

    if (!board->ops->uart_hold || core->is_held == (core->is_held ? core->queue_len > 0 : is_full))
        return;
    core->is_held = !core->is_held;
    board->ops->uart_hold(board, core->is_held);
}

static void run_waiting(struct core *core)
{
    core->state = CORE_IDLE;
    run_line(core);
    settle(core);
}

/* One thing of those that wait, the oldest first. False: nothing can go on. */
static bool step(struct core *core)
{
    if (core->state == CORE_WAITING && !core->is_modem_busy && output_is_free(&core->output))
        run_waiting(core);
    else if (is_gated(core))
        return false;
    else if (is_scanning(core) && take_found(core))
        return true;
    else if (!is_scanning(core) && scan_rest(&core->scan) > 0)
        take_input(core, scan_take(&core->scan));
    else if (core->queue_len > 0)
        take(core, pop(core));
    else if (core->has_lost)
        queue_ended(core);
    else
        return false;
    return true;
}

static void service(struct core *core)
{
    do
        output_pump(&core->output);
    while (step(core));
    if (!transfer_open(&core->transfer) && scan_rest(&core->scan) == 0 && core->scan.size > 0)
        scan_wipe(&core->scan);
    hold(core);
}

/* -- Time -- */

static void tick_blink(struct core *core)
{
    struct board *board = core->config.board;
    bool is_over = core->now_ms >= core->blink_until_ms;

    if (core->now_ms < core->blink_next_ms)
        return;
    core->is_lit = !is_over && !core->is_lit;
    core->blink_next_ms = is_over ? CORE_NEVER : core->now_ms + BLINK_MS;
    if (board->ops->led)
        board->ops->led(board, core->is_lit);
}

static void tick_modem(struct core *core)
{
    struct board *board = core->config.board;

    if (!core->is_modem_busy || core->now_ms - core->modem_since_ms < CORE_MODEM_MS)
        return;
    core_modem_done(core, 0, core->now_ms);
    board->ops->restart(board);
}

static bool may_drop(const struct core *core)
{
    return core->transfer.open >= 0 && core->state != CORE_COMMITTING;
}

static void tick_transfer(struct core *core)
{
    if (may_drop(core) && core->now_ms - core->transfer_ms >= CORE_OPEN_MS)
        transfer_abort(&core->transfer);
}

/* Nothing is waiting, and nothing came for a while. */
static void tick_input(struct core *core, int64_t idle_ms)
{
    if (idle_ms < CORE_PAUSE_MS)
        return;
    core->is_noisy = false;
    scan_end(&core->scan);
    service(core);
    if (is_scanning(core) && core->is_burst && !is_gated(core))
        cred_burst_ended(core);
    scan_may_be_other(&core->scan);
    if (!is_gated(core) && input_tick(&core->input, idle_ms) == INPUT_OPEN_QUOTE)
        core_error(core, CORE_ERROR_LINE);
}

void core_tick(struct core *core, int64_t now_ms)
{
    core->now_ms = now_ms;
    tick_blink(core);
    tick_modem(core);
    service(core);
    if (!is_gated(core) && core->queue_len == 0)
        tick_input(core, now_ms - core->heard_ms);
    tick_transfer(core);
    service(core);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t core_next_ms(const struct core *core)
{
    int64_t next = core->blink_next_ms;

    if (core->is_modem_busy)
        next = earlier(next, core->modem_since_ms + CORE_MODEM_MS);
    if (may_drop(core))
        next = earlier(next, core->transfer_ms + CORE_OPEN_MS);
    if (is_gated(core))
        return next;
    if (core->transfer.open >= 0 && (core->is_burst || scan_rest(&core->scan) > 0))
        next = earlier(next, core->heard_ms + CORE_PAUSE_MS);
    int64_t patience = input_patience_ms(&core->input);
    return patience == INT64_MAX ? next : earlier(next, core->heard_ms + patience);
}

/* -- From outside -- */

void core_init(struct core *core, const struct core_config *config, int64_t now_ms)
{
    *core =
        (struct core){.config = *config, .heard_ms = now_ms, .blink_next_ms = CORE_NEVER, .now_ms = now_ms};
    core->answer = (struct words){core->answer_memory, CORE_ANSWER_SIZE, 0, false};
    input_init(&core->input, config->line, CORE_LINE_MAX + 1);
    transfer_init(&core->transfer, config->slots[0], config->slots[1]);
    output_init(&core->output, config->board);
}

void core_rx(struct core *core, const char *octets, size_t n, int64_t now_ms)
{
    core_tick(core, now_ms);
    core->heard_ms = now_ms;
    for (size_t i = 0; i < n; i++) {
        push(core, octets[i]);
        service(core);
    }
}

void core_rx_lost(struct core *core, int64_t now_ms)
{
    core_tick(core, now_ms);
    core->heard_ms = now_ms;
    core->has_lost = true;
    service(core);
}

void core_tx_ready(struct core *core, int64_t now_ms)
{
    core->now_ms = now_ms;
    service(core);
}

void core_notice(struct core *core, const char *octets, size_t n, int64_t now_ms)
{
    core->now_ms = now_ms;
    output_notice(&core->output, octets, n);
    service(core);
}

static void passed(struct core *core, size_t n)
{
    const char *reply = core->config.reply;

    core->state = CORE_IDLE;
    if (n == 0) {
        core_error(core, CORE_ERROR_MODEM);
    } else if (n > CORE_REPLY_SIZE) {
        core_error(core, CORE_ERROR_REPLY);
    } else {
        if (core->sets_cmee && words_begins(reply, n, "OK"))
            core->is_cmee = core->cmee == '1';
        output_reply(&core->output, reply, n);
        scan_may_be_other(&core->scan);
    }
}

void core_modem_done(struct core *core, size_t n, int64_t now_ms)
{
    if (!core->is_modem_busy)
        return;
    core->now_ms = now_ms;
    core->is_modem_busy = false;
    if (core->transfer.writing >= 0)
        cred_written(core, n);
    else if (core->state == CORE_IDENTIFYING)
        ident_answered(core, n);
    else if (core->state == CORE_PASSING)
        passed(core, n);
    settle(core);
    service(core);
}
