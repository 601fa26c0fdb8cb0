/*
 * Octets in both directions. With RTS/CTS a busy board makes the host wait: an octet that has started still
 * fits, the next one does not start. Without, what does not fit into the FIFO is lost, which is what happens
 * on real adapters whose RTS/CTS is not wired. A board that boots has no UART yet: the host waits (RTS is not
 * driven), or talks to nobody.
 */
#include "sim/board_impl.h"

#include <string.h>

void uart_clear(struct simboard *b)
{
    b->fifo.len = 0;
    b->out.is_on_wire = false;
    b->notice.len = 0;
    b->answer.len = b->answer.at = b->answer.base = b->answer.checked = 0;
    b->answer.is_sending = false;
}

/* What the UART keeps while the front end is busy: the driver's buffers, unless a fault says otherwise. */
static uint32_t fifo_size(const struct simboard *b)
{
    uint32_t own = b->front.vt->rx_size;
    return b->has_small_fifo || own < b->config.fifo ? b->config.fifo : own;
}

static bool makes_host_wait(const struct simboard *b)
{
    return b->config.flow == SIM_FLOW_RTSCTS && b->is_powered &&
           (b->is_booting || b->fifo.len >= fifo_size(b));
}

/* A bridge that takes its time over each octet. */
static void delay_link(struct simboard *b, struct wire_time *end)
{
    end->us += b->link_delay_us;
    b->fired.delay += b->link_delay_us > 0;
}

void uart_start_in(struct simboard *b)
{
    int64_t delay_us = 0;

    if (b->in.is_on_wire || b->in.queue.len == 0 || makes_host_wait(b))
        return;
    b->in.end = wire_add(wire_start(b->in.end, b->now_us), 1, b->config.baud);
    delay_link(b, &b->in.end);
    b->in.is_on_wire = true;
    b->in.count++;
    if (exact_hit(b, SIM_EXACT_IN_DELAY, &delay_us))
        b->in.end.us += delay_us;
}

static void to_front(struct simboard *b, char octet)
{
    b->front.vt->octet(&b->front, octet, b->now_us);
}

/* An octet is complete in the board's UART. */
static void receive(struct simboard *b, char octet)
{
    size_t room = fifo_size(b) + (b->config.flow == SIM_FLOW_RTSCTS ? FIFO_SLACK : 0);

    b->octets_in++;
    if (board_takes(b) && b->fifo.len == 0 && b->drain_us == 0) {
        to_front(b, octet);
        return;
    }
    if (b->is_booting || !b->is_powered || b->fifo.len >= room) {
        b->lost_busy++;
        b->fired.fifo++;
        if (b->front.vt->overrun && b->is_powered && !b->is_booting)
            b->front.vt->overrun(&b->front, b->now_us);
        return;
    }
    if (b->fifo.len == 0)
        b->fifo_next_us = b->now_us + b->drain_us;
    ring_push(&b->fifo, octet);
}

void uart_take(struct simboard *b)
{
    char octet = ring_pop(&b->fifo);
    b->fifo_next_us = b->now_us + b->drain_us;
    to_front(b, octet);
}

void uart_in_ended(struct simboard *b)
{
    char octet = ring_pop(&b->in.queue), passed[PATH_OUT_MAX];
    bool is_lost = exact_hit(b, SIM_EXACT_IN_LOSE, NULL);
    bool is_double = exact_hit(b, SIM_EXACT_IN_DOUBLE, NULL);
    bool is_last = exact_hit(b, SIM_EXACT_UNPLUG_IN, NULL);

    b->in.is_on_wire = false;
    if (exact_hit(b, SIM_EXACT_IN_GARBLE, NULL))
        octet ^= 2;
    for (int copies = is_lost ? 0 : 1 + is_double; copies > 0; copies--) {
        size_t n = sim_path_pass(&b->path, &b->rng, octet, passed);
        for (size_t i = 0; i < n; i++)
            receive(b, passed[i]);
    }
    if (is_last)
        simboard_pull(b);
}

/* -- Board to host -- */

static const char *const urcs[] = {"%CESQ: 59,2,15,2\r\n", "+CEREG: 2\r\n", "%MDMEV: SEARCH STATUS 1\r\n",
                                   "+CGEV: ME PDN DEACT 0\r\n"};

/* Asks once before each octet of an answer whether an unsolicited line is due, and hands it to the front
 * end. */
static void maybe_urc(struct simboard *b)
{
    if (b->answer.checked > b->answer.at)
        return;

    b->answer.checked = b->answer.at + 1;
    b->answer_octets++;
    bool is_due = exact_hit(b, SIM_EXACT_URC, NULL);
    if (b->answer.urc_at == b->answer.at) {
        b->fired.urc++;
        is_due = true;
    }
    if (is_due)
        b->front.vt->urc(&b->front, urcs[rng_below(&b->rng, sizeof urcs / sizeof urcs[0])], b->now_us);
}

static bool pick(struct simboard *b)
{
    struct out_wire *out = &b->out;

    if (b->notice.len == 0 && b->answer.at < b->answer.len)
        maybe_urc(b);
    out->is_answer = b->notice.len == 0 && b->answer.at < b->answer.len;
    if (out->is_answer)
        out->octet = b->answer.text[b->answer.at++];
    else if (b->notice.len > 0)
        out->octet = ring_pop(&b->notice);
    else
        return false;
    return true;
}

void uart_start_out(struct simboard *b)
{
    int64_t delay_us = 0;
    bool host_is_full = b->is_open && b->out.arrived.len >= SIM_LINK_SIZE;

    if (b->out.is_on_wire || (host_is_full && b->config.flow == SIM_FLOW_RTSCTS) || !pick(b))
        return;
    b->out.end = wire_add(wire_start(b->out.end, b->now_us), 1, b->config.baud);
    delay_link(b, &b->out.end);
    b->out.is_on_wire = true;
    b->out.count++;
    if (exact_hit(b, SIM_EXACT_OUT_DELAY, &delay_us))
        b->out.end.us += delay_us;
}

static void arrive(struct simboard *b, char octet)
{
    if (b->is_open && b->out.arrived.len < SIM_LINK_SIZE)
        ring_push(&b->out.arrived, octet);
}

void uart_out_ended(struct simboard *b)
{
    char octet = b->out.octet;
    bool is_lost = exact_hit(b, SIM_EXACT_OUT_LOSE, NULL);
    bool is_double = exact_hit(b, SIM_EXACT_OUT_DOUBLE, NULL);
    bool is_last = exact_hit(b, SIM_EXACT_UNPLUG_OUT, NULL);

    b->out.is_on_wire = false;
    b->octets_out++;
    if (exact_hit(b, SIM_EXACT_OUT_GARBLE, NULL))
        octet ^= 2;
    for (int copies = is_lost ? 0 : 1 + is_double; copies > 0; copies--)
        arrive(b, octet);
    if (b->out.is_answer && b->answer.at == b->answer.len)
        simboard_answer_left(b);
    if (is_last)
        simboard_pull(b);
}
