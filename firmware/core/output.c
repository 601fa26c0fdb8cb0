/* Notices lie in a ring, each behind its length in two octets, so that the place between two of them is
 * known. */
#include "core/output.h"

void output_init(struct output *out, struct board *board)
{
    *out = (struct output){.board = board};
}

bool output_is_free(const struct output *out)
{
    return out->reply_at == out->reply_len;
}

void output_reply(struct output *out, const char *octets, size_t n)
{
    out->reply = octets;
    out->reply_len = n;
    out->reply_at = 0;
}

static void push(struct output *out, char octet)
{
    out->notices[(out->notices_head + out->notices_len++) % OUTPUT_NOTICES] = octet;
}

static unsigned char pop(struct output *out)
{
    char octet = out->notices[out->notices_head];
    out->notices_head = (out->notices_head + 1) % OUTPUT_NOTICES;
    out->notices_len--;
    return (unsigned char)octet;
}

void output_notice(struct output *out, const char *octets, size_t n)
{
    if (n == 0)
        return;
    if (n + 2 > OUTPUT_NOTICES - out->notices_len) {
        out->dropped++;
        return;
    }
    push(out, (char)(n >> 8));
    push(out, (char)(n & 0xff));
    for (size_t i = 0; i < n; i++)
        push(out, octets[i]);
}

static size_t write_reply(struct output *out)
{
    size_t n =
        out->board->ops->uart_write(out->board, out->reply + out->reply_at, out->reply_len - out->reply_at);
    out->reply_at += n;
    return n;
}

/* Up to the ring's edge. */
static size_t write_notice(struct output *out)
{
    size_t to_edge = OUTPUT_NOTICES - out->notices_head;
    size_t n = out->notice_left < to_edge ? out->notice_left : to_edge;

    n = out->board->ops->uart_write(out->board, out->notices + out->notices_head, n);
    out->notices_head = (out->notices_head + n) % OUTPUT_NOTICES;
    out->notices_len -= n;
    out->notice_left -= n;
    return n;
}

void output_pump(struct output *out)
{
    size_t n = 1;

    while (n > 0) {
        if (out->notice_left > 0) {
            n = write_notice(out);
        } else if (!output_is_free(out)) {
            n = write_reply(out);
        } else if (out->notices_len > 0) {
            out->notice_left = (size_t)pop(out) << 8;
            out->notice_left |= pop(out);
        } else {
            n = 0;
        }
    }
}
