/*
 * From a complete line to its answer, and the services that front ends call. Faults that wait for a command
 * or an answer are met here, so they are the same behind every front end.
 */
#include "sim/board_impl.h"

#include <string.h>

#define LOCAL_US 1000 /* a command that the front end answers itself */

static void log_command(struct simboard *b, const char *line)
{
    modem_elide(line, b->log[b->log_total++ % SIM_LOG_MAX]);
}

static void begin(struct simboard *b, const char *line, const char *local)
{
    b->commands++;
    log_command(b, line);
    if (exact_hit(b, SIM_EXACT_REBOOT, NULL)) {
        simboard_power_up(b);
        return;
    }

    b->local = local;
    if (local)
        b->modem.call = (struct modem_call){.us = LOCAL_US};
    else
        modem_begin(&b->modem, line);
    bool is_hung = exact_hit(b, SIM_EXACT_HANG, NULL);
    if (timed_hit(b, true)) {
        b->fired.hang++;
        is_hung = true;
    }
    b->state = is_hung ? BOARD_HUNG : BOARD_EXECUTING;
    b->exec_done_us = b->now_us + b->modem.call.us;
}

/* The board is free before the front end hears of the result: it may have the next command ready. */
static void give_result(struct simboard *b, const char *text, size_t len)
{
    b->state = BOARD_IDLE;
    if (b->fifo.len > 0)
        b->fifo_next_us = b->now_us + b->drain_us;
    b->front.vt->result(&b->front, text, len, b->now_us);
    b->is_muted = false;
}

void simboard_command_finish(struct simboard *b)
{
    const char *local = b->local;

    b->finished++;
    b->modem_us += b->modem.call.us;
    if (!local)
        modem_end(&b->modem, &b->reply);
    if (exact_hit(b, SIM_EXACT_REBOOT_DONE, NULL) || (!local && b->modem.has_crashed)) {
        simboard_power_up(b);
        return;
    }

    b->is_muted = exact_hit(b, SIM_EXACT_LOST_ANSWER, NULL);
    if (timed_hit(b, false)) {
        b->fired.lost_reply++;
        b->is_muted = true;
    }
    give_result(b, local ? local : b->reply.text, local ? strlen(local) : b->reply.len);
}

void simboard_answer_left(struct simboard *b)
{
    b->answer.len = b->answer.at = b->answer.base = b->answer.checked = 0;
    b->answer.is_sending = false;
    if (b->fifo.len > 0 && b->state == BOARD_IDLE)
        b->fifo_next_us = b->now_us + b->drain_us;
    if (b->front.vt->sent)
        b->front.vt->sent(&b->front, b->now_us);
}

/* -- Services -- */

void front_command(struct front *f, const char *line)
{
    begin(f->board, line, NULL);
}

void front_local(struct front *f, const char *line, const char *text)
{
    begin(f->board, line, text);
}

bool front_modem_is_busy(const struct front *f)
{
    return f->board->state != BOARD_IDLE;
}

bool front_is_sending(const struct front *f)
{
    return f->board->answer.is_sending;
}

/* With the place of a random unsolicited line in it. */
void front_answer(struct front *f, const char *octets, size_t len)
{
    struct simboard *b = f->board;

    if (b->is_muted || len == 0 || len > sizeof b->answer.text - b->answer.len)
        return;
    b->answers++;
    b->answer.base = b->answer.len;
    b->answer.urc_at = rng_hit(&b->rng, b->urc) ? b->answer.base + rng_below(&b->rng, len) : SIZE_MAX;
    memcpy(b->answer.text + b->answer.len, octets, len);
    b->answer.len += len;
    b->answer.is_sending = true;
}

size_t front_room(const struct front *f)
{
    const struct simboard *b = f->board;
    return sizeof b->answer.text - b->answer.len;
}

void front_notice(struct front *f, const char *octets, size_t len)
{
    struct ring *notice = &f->board->notice;

    if (len > sizeof notice->at - notice->len)
        return;
    for (size_t i = 0; i < len; i++)
        ring_push(notice, octets[i]);
}

void front_lost(struct front *f)
{
    f->board->lost_overflow++;
}

void front_restart(struct front *f)
{
    simboard_power_up(f->board);
}

void front_set_baud(struct front *f, uint32_t baud)
{
    f->board->config.baud = baud;
}
