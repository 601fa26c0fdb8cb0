/*
 * The job as the station sees it: it is started, given octets and time, admitted, stopped, and looked at.
 * What becomes of that is the interpreter's (run.h), which has the parts; nothing here knows one row from
 * another but by its kind.
 */
#include "job/job.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "job/run.h"

#define CONTACT_LIMIT_MS 15000
#define SILENT_AFTER_US  (3 * US_PER_S)

/* ---- the beginning ---- */

/* Not the long parts, of which a counter says how many there are. */
static void clear(struct job *job)
{
    memset(job, 0, offsetof(struct job, msg));
    memset(&job->msg, 0, offsetof(struct ledger_msg, steps));
}

void job_init(struct job *job, const struct job_config *config)
{
    clear(job);
    job->config = *config;
}

void job_start(struct job *job, const struct job_begin *begin, int64_t now_us)
{
    assert(!job->msg_is_out);
    struct job_config config = job->config;
    clear(job);
    job->config = config;
    job->begin = *begin;
    job->started_us = now_us;
    job->cfun_found = -1;
    job->limit_us = job->resume_us = job->msg_resume_us = job->chunk_until_us = TIME_NEVER;
    job->is_chunked = begin->is_chunked;
    job->verdict.reason = job->stop.reason = REASON_NONE;
    job->msg.content = config.content;
    job->msg.content_size = JOB_CONTENT_SIZE;
    job->msg.started_wall_ms = begin->started_wall_ms;
    memcpy(job->msg.job, begin->id, sizeof(job->msg.job));
    memcpy(job->msg.slot, begin->slot, sizeof(job->msg.slot));
    memcpy(job->msg.fixture, begin->fixture, sizeof(job->msg.fixture));
    chat_init(&job->chat, config.line, JOB_LINE_SIZE, config.splice, JOB_SPLICE_SIZE);
    dialogue_begin(&job->dialogue, config.dialogue, JOB_DIALOGUE_SIZE, now_us);
    uint32_t limit_ms = begin->contact_limit_ms > 0 ? begin->contact_limit_ms : CONTACT_LIMIT_MS;
    run_contact(job, begin->is_fresh, limit_ms * US_PER_MS, now_us);
    run_start(job, now_us);
}

/* ---- octets from the board ---- */

void job_rx(struct job *job, struct span octets, int64_t now_us)
{
    if (run_is_deaf_by_choice(job)) {
        return;
    }
    job->heard_us = octets.len > 0 ? now_us : job->heard_us;
    job->has_heard = job->has_heard || octets.len > 0;
    for (;;) {
        struct chat_event event;
        size_t used = chat_feed(&job->chat, octets, now_us, &event);
        octets = span_skip(octets, used);
        if (event.kind == CHAT_NONE) {
            break;
        }
        run_event(job, &event, now_us);
    }
    run_see_prompt(job, now_us);
}

/* ---- what the station decides ---- */

void job_admit(struct job *job, const struct job_grant *grant, int64_t now_us)
{
    assert(job->phase == JOB_ADMITTING && !job->msg_is_out);
    job->is_admitted = true;
    job->waited_us = now_us - job->row_started_us;
    job->msg.product = grant->product;
    memcpy(job->msg.order, grant->order, sizeof(job->msg.order));
    memcpy(job->msg.operator_name, grant->operator_name, sizeof(job->msg.operator_name));
    memcpy(job->msg.unit_serial, grant->unit_serial, sizeof(job->msg.unit_serial));
    job->limit_us = now_us + (int64_t)grant->product->job_limit_s * US_PER_S;
    run_jump(job, (enum plan_row)(job->row + 1), now_us);
}

/* Rows in which nothing is under way on the board: a stop is taken at once. */
static bool is_safe_now(const struct job *job)
{
    return run_current(job)->kind != ROW_AT || job->resume_us != TIME_NEVER;
}

static void stop(struct job *job, enum outcome outcome, enum reason reason, const char *detail,
                 int64_t now_us)
{
    if (run_has_verdict(job) || job->stop.outcome != OUTCOME_NONE || job->phase == JOB_IDLE ||
        job->phase == JOB_ENDED) {
        return;
    }
    job->stop = (struct verdict){.outcome = outcome, .fault = reason_text(reason)->fault, .reason = reason};
    buf_copy(job->stop.detail, sizeof(job->stop.detail), span_str(detail ? detail : ""));
    if (is_safe_now(job)) {
        run_end(job, &job->stop, now_us);
    }
}

void job_abort(struct job *job, enum reason reason, const char *detail, int64_t now_us)
{
    stop(job, OUTCOME_ABORTED, reason, detail, now_us);
}

void job_lost(struct job *job, int64_t now_us)
{
    if (job->is_lost || job->phase == JOB_IDLE || job->phase == JOB_ENDED) {
        return;
    }
    job->is_lost = true;
    chat_reset(&job->chat);
    dialogue_note(&job->dialogue, now_us, "the port is gone");
    if (job->phase == JOB_RECORDING) {
        return;
    }
    if (run_has_verdict(job)) {
        run_left_badly(job, now_us);
    } else if (!job->is_admitted) {
        /* Nothing was begun, so there is nothing to put on record. */
        job->verdict =
            (struct verdict){.outcome = OUTCOME_LOST, .fault = FAULT_OPERATOR, .reason = REASON_unplugged};
        job->phase = JOB_ENDED;
    } else {
        run_end_with(job, OUTCOME_LOST, FAULT_OPERATOR, REASON_unplugged, run_current(job)->name, now_us);
    }
}

void job_stamp_end(struct job *job, int64_t ended_wall_ms, int64_t now_us)
{
    job->msg.ended_wall_ms = ended_wall_ms;
    job->msg.duration_ms = (uint32_t)((now_us - job->started_us - job->waited_us) / US_PER_MS);
}

/* ---- time ---- */

int64_t job_deadline(const struct job *job)
{
    if (run_is_deaf_by_choice(job)) {
        return TIME_NEVER;
    }
    if (job->phase == JOB_ENDED) {
        return chat_deadline(&job->chat);
    }
    int64_t at =
        time_min(time_min(chat_deadline(&job->chat), job->chunk_until_us), run_contact_deadline(job));
    if (!run_has_verdict(job) && job->stop.outcome == OUTCOME_NONE) {
        at = time_min(at, job->limit_us);
    }
    return time_min(at, time_min(job->resume_us, job->msg_resume_us));
}

static void tick_chat(struct job *job, int64_t now_us)
{
    struct chat_event event;
    chat_tick(&job->chat, now_us, &event);
    run_event(job, &event, now_us);
}

/* A store or a token that hangs is our own trouble: the board waits for us, and putting it back is no help.
 */
static void pass_limit(struct job *job, int64_t now_us)
{
    enum reason reason;
    job->limit_us = TIME_NEVER;
    if (run_awaits_message(job, &reason)) {
        stop(job, OUTCOME_ERROR, reason, "no answer within the job's limit", now_us);
    } else {
        stop(job, OUTCOME_TIMEOUT, REASON_timeout, run_current(job)->name, now_us);
    }
}

void job_tick(struct job *job, int64_t now_us)
{
    if (run_is_deaf_by_choice(job)) {
        return;
    }
    if (job->phase == JOB_ENDED) {
        tick_chat(job, now_us);
        return;
    }
    if (now_us >= job->limit_us && !run_has_verdict(job)) {
        pass_limit(job, now_us);
    }
    if (now_us >= job->chunk_until_us) {
        job->chunk_until_us = TIME_NEVER; /* job_tx has something to send again */
    }
    if (now_us >= job->msg_resume_us) {
        job->msg_resume_us = TIME_NEVER;
        job->msg.status = LEDGER_PENDING;
        job->msg_is_wanted = true;
    }
    if (now_us >= job->resume_us) {
        job->resume_us = TIME_NEVER;
        if (job->is_framing) {
            run_submit_frames(job, now_us);
        } else {
            run_start(job, now_us);
        }
    }
    tick_chat(job, now_us);
    if (job->phase != JOB_ENDED && now_us >= run_contact_deadline(job)) {
        run_contact_tick(job, now_us);
    }
}

/* ---- what is shown ---- */

const char *job_step(const struct job *job)
{
    return run_current(job)->name;
}

uint32_t job_progress_permille(const struct job *job)
{
    return (uint32_t)job->row * 1000u / (PLAN_ROWS - 1);
}

bool job_is_silent(const struct job *job, int64_t now_us)
{
    return job->phase == JOB_CONTACTING && !job->has_heard && now_us - job->started_us >= SILENT_AFTER_US;
}

bool job_has_identity(const struct job *job)
{
    return job->msg.imei[0] != '\0';
}
