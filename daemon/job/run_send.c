/*
 * What goes to the board, and at what pace: a row's command, the exchanges of a checked transfer, octets for
 * the port. Apart from the interpreter because all that counts octets and their time on the wire stands here.
 */
#include "job/run.h"

#include "job/rows.h"

#define FRAMES_TIMEOUT_US (2 * US_PER_S) /* then it is asked what has become of it */
#define SEND_SLACK_US     (2 * US_PER_S) /* beyond the wire's own time: other traffic of the USB bus */

int64_t run_wire_us(const struct job *job, uint64_t octets)
{
    return (int64_t)(octets * 10 * (uint64_t)US_PER_S / job->begin.baud);
}

static int64_t chunk_pause_us(const struct job *job)
{
    int64_t pause = 3 * run_wire_us(job, JOB_CHUNK_OCTETS);
    return pause > JOB_CHUNK_PAUSE_US ? pause : JOB_CHUNK_PAUSE_US;
}

void run_submit(struct job *job, const struct chat_command *command, int64_t now_us)
{
    size_t len = chat_command_len(&job->chat, command);
    int64_t pauses =
        job->is_chunked ? (int64_t)(command->content.len / JOB_CHUNK_OCTETS + 1) * chunk_pause_us(job) : 0;
    chat_submit(&job->chat, command, run_wire_us(job, len) + pauses + SEND_SLACK_US, now_us);
    job->command_len = len;
    job->chunk_sent = 0;
    job->chunk_until_us = TIME_NEVER;
    job->lines_seen = 0;
    job->is_odd = false;
    const char *what = command->content.len > 0 ? cred_type_name(job->msg.entries[job->entry].type) : "";
    dialogue_sent(&job->dialogue, now_us, command->fill_len, command->head, what, command->content.len,
                  command->tail);
}

/* The next exchange of a checked transfer. What it holds is as secret as the content. */
void run_submit_frames(struct job *job, int64_t now_us)
{
    job->has_framed = true;
    size_t n = frames_next(&job->frames, job->config.frames);
    struct chat_command command = {
        .content = span_of(job->config.frames, n),
        .is_raw = true,
        .prefix = FRAMES_PREFIX,
        .timeout_us = FRAMES_TIMEOUT_US,
    };
    run_submit(job, &command, now_us);
}

void run_submit_row(struct job *job, const struct row *row, int64_t now_us)
{
    struct chat_command command = {
        .head = row->text ? span_str(row->text) : span_of(NULL, 0),
        .prefix = row->prefix,
        .timeout_us = row->timeout_ms * US_PER_MS,
    };
    if (row->send) {
        row->send(job, &command);
    }
    if (row->group == GROUP_WRITE && job->has_transfer) {
        const struct ledger_entry *e = &job->msg.entries[job->entry];
        frames_start(&job->frames, e->sec_tag, e->type, command.content, &e->expected,
                     rows_has_more_to_write(job));
        job->is_framing = true;
        run_submit_frames(job, now_us);
        return;
    }
    run_submit(job, &command, now_us);
}

/* ---- octets for the port ---- */

/* Only contents are long enough to overrun a UART: everything else goes at the wire's own speed. */
static bool is_in_chunks(const struct job *job)
{
    return job->is_chunked && chat_output_is_content(&job->chat);
}

struct span job_tx(struct job *job, int64_t now_us)
{
    if (job->is_lost || run_is_deaf_by_choice(job)) {
        return span_of(NULL, 0);
    }
    if (job->chunk_until_us != TIME_NEVER && now_us < job->chunk_until_us) {
        return span_of(NULL, 0);
    }
    job->chunk_until_us = TIME_NEVER;
    struct span out = chat_output(&job->chat);
    if (is_in_chunks(job) && out.len > JOB_CHUNK_OCTETS - job->chunk_sent) {
        out.len = JOB_CHUNK_OCTETS - job->chunk_sent;
    }
    return out;
}

void job_tx_done(struct job *job, size_t n, int64_t now_us)
{
    bool counts = is_in_chunks(job);
    chat_sent(&job->chat, n, now_us);
    job->chunk_sent += counts ? n : 0;
    if (job->chunk_sent >= JOB_CHUNK_OCTETS) {
        job->chunk_sent = 0;
        job->chunk_until_us = now_us + run_wire_us(job, JOB_CHUNK_OCTETS) + chunk_pause_us(job);
    }
}
