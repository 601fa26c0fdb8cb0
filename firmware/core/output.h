/*
 * What the host reads: answers and unsolicited lines, each whole. An unsolicited line that comes while an
 * answer is being written waits for its end, and the other way round. The queue of unsolicited lines is
 * bounded; one that does not fit is left out as a whole and counted.
 */
#ifndef CERTLINE_CORE_OUTPUT_H
#define CERTLINE_CORE_OUTPUT_H

#include "core/board.h"

#define OUTPUT_NOTICES 2048 /* octets, two of them per notice for its length */

struct output {
    struct board *board;
    const char *reply; /* borrowed until it is written */
    size_t reply_len, reply_at;
    char notices[OUTPUT_NOTICES];
    size_t notices_head, notices_len;
    size_t notice_left; /* octets of the notice that is being written */
    uint32_t dropped;
};

void output_init(struct output *out, struct board *board);

/* Whether no answer is waiting or being written. */
bool output_is_free(const struct output *out);

/* Queues an answer; output_is_free must hold. The octets must stay until it holds again. */
void output_reply(struct output *out, const char *octets, size_t n);

/* Queues an unsolicited line, as it is; copied. */
void output_notice(struct output *out, const char *octets, size_t n);

/* Hands on what the UART takes now. */
void output_pump(struct output *out);

#endif
