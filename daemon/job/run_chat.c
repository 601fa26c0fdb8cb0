/*
 * What the chat tells: lines, ends of exchanges, banners. Each is noted in the dialogue, counted, and given
 * to whom it concerns: the row under way, contact, or a checked transfer.
 */
#include "job/run.h"

#include <assert.h>

#include "job/watch.h"

/* ---- a checked transfer ---- */

static int frames_code_of(const struct chat_event *event)
{
    switch (event->end) {
    case CHAT_END_OK:
        return 0;
    case CHAT_END_ERROR:
        return -1;
    case CHAT_END_CME:
        return event->code;
    case CHAT_END_TIMEOUT:
        break;
    }
    return -2;
}

/* A checked transfer goes on. A stop waits for the end of an exchange and not for that of the transfer: with
 * a board that has fallen silent there are many to come. */
static void go_on_framing(struct job *job, enum frames_state before, int64_t now_us)
{
    if (run_is_to_stop(job)) {
        run_end(job, &job->stop, now_us);
    } else if (job->frames.state == FRAMES_ASK && before == FRAMES_ASK) {
        job->resume_us = now_us + REPEAT_PAUSE_US; /* still being written, or not answered: in a moment */
    } else {
        run_submit_frames(job, now_us);
    }
}

/* One exchange of a checked transfer has ended. */
static void on_frames_done(struct job *job, const struct chat_event *event, int64_t now_us)
{
    enum frames_state before = job->frames.state;
    frames_end(&job->frames, frames_code_of(event));
    switch (job->frames.state) {
    case FRAMES_DONE:
        job->is_framing = false;
        run_apply(job, run_row_end(job, run_current(job)), now_us);
        return;
    case FRAMES_FAILED:
        job->is_framing = false;
        run_no(job,
               job->frames.code == -1   ? CODE_ERROR
               : job->frames.code == -2 ? CODE_TIMEOUT
                                        : job->frames.code,
               now_us);
        return;
    case FRAMES_BEGIN:
    case FRAMES_BURST:
    case FRAMES_ASK:
        go_on_framing(job, before, now_us);
        return;
    }
}

/* ---- an exchange ---- */

static int code_of(const struct chat_event *event)
{
    switch (event->end) {
    case CHAT_END_OK:
        break;
    case CHAT_END_ERROR:
        return CODE_ERROR;
    case CHAT_END_CME:
        return event->code < 0 ? CODE_TEXT : event->code;
    case CHAT_END_TIMEOUT:
        return CODE_TIMEOUT;
    }
    assert(false);
    return CODE_ANY;
}

/* A port takes octets before the wire has carried them: that time is the wire's and not the modem's. */
static void note_modem_time(struct job *job, const struct chat_event *event)
{
    int64_t carried_us = event->begun_us + run_wire_us(job, event->tx_octets);
    int64_t heard_us = event->sent_us > carried_us ? event->sent_us : carried_us;
    int64_t modem_us = event->end_us - heard_us - run_wire_us(job, event->rx_octets);
    job->modem_us += modem_us > 0 ? modem_us : 0;
}

static void on_done(struct job *job, const struct chat_event *event, int64_t now_us)
{
    job->tx_octets += event->tx_octets;
    job->rx_octets += event->rx_octets;
    if (run_current(job)->kind != ROW_AT) {
        /* probes say nothing about lengths or the modem's own time */
    } else if (event->end == CHAT_END_TIMEOUT) {
        bool is_less = job->shortest_hung == 0 || job->command_len < job->shortest_hung;
        job->shortest_hung = is_less ? job->command_len : job->shortest_hung;
    } else {
        job->longest_done = job->command_len > job->longest_done ? job->command_len : job->longest_done;
        note_modem_time(job, event);
    }
    const struct row *row = run_current(job);
    if (row->kind == ROW_CONTACT) {
        run_probe_answered(job, event, now_us);
    } else if (job->is_framing) {
        on_frames_done(job, event, now_us);
    } else if (event->end == CHAT_END_OK) {
        run_apply(job, run_row_end(job, row), now_us);
    } else {
        run_no(job, code_of(event), now_us);
    }
}

/* ---- events ---- */

/* Whether a line may stand in the dialogue: not the answer of a row that hides it, nor a late one of its
 * kind.
 */
static bool is_shown(const struct row *row, struct span line)
{
    return !row->hides_answer && !span_starts(line, "%JWT") && !span_starts(line, "%ATTESTTOKEN");
}

/* TF-M's log has a UART of its own on Nordic's kits, beside that of the AT host. */
static bool is_log(struct span line)
{
    for (; line.len > 0; line = span_skip(line, 1)) {
        if (span_starts(line, "[Sec Thread]") || span_starts(line, "Booting TF-M")) {
            return true;
        }
    }
    return false;
}

void run_event(struct job *job, const struct chat_event *event, int64_t now_us)
{
    const struct row *row = run_current(job);
    if (job->watch == WATCH_OUT) {
        watch_event(job, event);
        return;
    }
    switch (event->kind) {
    case CHAT_NONE:
        return;
    case CHAT_INFO:
        dialogue_received(&job->dialogue, now_us, event->line, is_shown(row, event->line));
        job->lines_seen++;
        job->is_odd = job->is_odd || event->is_overlong;
        if (job->is_framing) {
            frames_line(&job->frames, event->line);
        } else if (row->kind == ROW_AT && row->line && !event->is_overlong) {
            row->line(job, event->line);
        }
        return;
    case CHAT_URC:
        dialogue_received(&job->dialogue, now_us, event->line, is_shown(row, event->line));
        return;
    case CHAT_STRAY:
        dialogue_received(&job->dialogue, now_us, event->line, job->is_clean && is_shown(row, event->line));
        contact_heard(&job->contact, now_us);
        /* A row without its first octet is a stray line: the list would be one short and nobody would know.
         */
        job->is_odd = job->is_odd || (row->group == GROUP_LIST && !event->is_echo);
        return;
    case CHAT_BANNER:
        dialogue_received(&job->dialogue, now_us, event->line, true);
        job->has_heard_log = job->has_heard_log || is_log(event->line);
        run_banner(job, now_us);
        return;
    case CHAT_DONE:
        if (event->end == CHAT_END_TIMEOUT) {
            dialogue_note(&job->dialogue, now_us, "silence");
        } else {
            dialogue_received(&job->dialogue, now_us, event->line, true);
        }
        on_done(job, event, now_us);
        return;
    }
}
