/*
 * From a complete line to its answer. Nordic's AT host receives nothing from the terminator until the last
 * octet of the answer has been written, hands the modem's words on as they are, and has one buffer for both:
 * an answer that does not fit is cut where the buffer ends, without a final result.
 */
#include "sim/board_impl.h"

static void log_command(struct simboard *b, const char *line)
{
    modem_elide(line, b->log[b->log_total++ % SIM_LOG_MAX]);
}

static void reset_instead(struct simboard *b)
{
    simboard_power_up(b);
}

void simboard_command_begin(struct simboard *b, const char *line)
{
    b->commands++;
    log_command(b, line);
    if (exact_hit(b, SIM_EXACT_REBOOT, NULL)) {
        reset_instead(b);
        return;
    }

    modem_begin(&b->modem, line);
    bool is_hung = exact_hit(b, SIM_EXACT_HANG, NULL);
    if (timed_hit(b, true)) {
        b->fired.hang++;
        is_hung = true;
    }
    b->state = is_hung ? BOARD_HUNG : BOARD_EXECUTING;
    b->exec_done_us = b->now_us + b->modem.call.us;
}

/* The answer begins, with the place of a random unsolicited line in it. */
static void answer(struct simboard *b)
{
    if (b->reply.len > AT_HOST_REPLY)
        b->reply.len = AT_HOST_REPLY;
    b->answers++;
    b->reply_at = b->reply_checked = 0;
    b->urc_at = rng_hit(&b->rng, b->urc) ? rng_below(&b->rng, b->reply.len) : SIZE_MAX;
    b->state = BOARD_ANSWERING;
}

void simboard_command_finish(struct simboard *b)
{
    b->finished++;
    b->modem_us += b->modem.call.us;
    modem_end(&b->modem, &b->reply);
    if (exact_hit(b, SIM_EXACT_REBOOT_DONE, NULL)) {
        reset_instead(b);
        return;
    }

    bool is_lost = exact_hit(b, SIM_EXACT_LOST_ANSWER, NULL);
    if (timed_hit(b, false)) {
        b->fired.lost_reply++;
        is_lost = true;
    }
    if (is_lost)
        simboard_command_answered(b);
    else
        answer(b);
}

void simboard_command_answered(struct simboard *b)
{
    b->state = BOARD_IDLE;
    if (b->fifo.len > 0)
        b->fifo_next_us = b->now_us + b->drain_us;
}
