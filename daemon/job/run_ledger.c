/*
 * The job's one message to the ledger: what is put into it, that it is lent, and what its answer does. A
 * message that could not be served is offered again; one that is refused ends the job.
 *
 * An answer is for its own row (plan_answer_row), whichever is under way: a board may have restarted while it
 * was waited for, and be in contact again.
 */
#include "job/run.h"

#include <assert.h>
#include <string.h>

#include "job/rows.h"

#define MESSAGE_PAUSE_US (500 * US_PER_MS)
#define MESSAGE_TRIES    10

/* ---- asking ---- */

/* The compiler must not see that nobody reads the memory afterwards. */
static void wipe(volatile uint8_t *at, uint32_t n)
{
    while (n-- > 0) {
        *at++ = 0;
    }
}

static void forget_secrets(struct job *job)
{
    dialogue_forget_secrets(&job->dialogue);
    wipe(job->msg.content, job->msg.content_len);
    if (job->has_framed) { /* memory that no plain board touches takes no room */
        wipe((uint8_t *)job->config.frames, FRAMES_BURST_SIZE);
        job->has_framed = false;
    }
    wipe((uint8_t *)job->msg.keygen.reply, sizeof(job->msg.keygen.reply));
    if (job->msg.product && job->msg.product->signs_commands) {
        wipe((uint8_t *)job->msg.commands, sizeof(job->msg.commands));
    }
    job->msg.keygen.reply_len = 0;
    job->msg.content_len = 0;
}

static void prepare(struct job *job, enum ledger_kind kind)
{
    struct ledger_msg *msg = &job->msg;
    msg->kind = kind;
    msg->status = LEDGER_PENDING;
    msg->detail[0] = '\0';
    switch (kind) {
    case LEDGER_CLAIM:
        break;
    case LEDGER_DIGEST:
        msg->stores_crlf = job->front == CONTACT_FRONT_SHELL;
        break;
    case LEDGER_EXPLAIN:
        msg->explain_entry = job->entry;
        msg->explain_seen = job->entries[job->entry].seen;
        break;
    case LEDGER_EXPOSE:
        job->expose_is_out = true;
        break;
    case LEDGER_AUTHORIZE:
        rows_prepare_commands(job);
        break;
    case LEDGER_INTEND:
    case LEDGER_CSR:
    case LEDGER_SIGN:
    case LEDGER_POSSESSION:
    case LEDGER_ATTEST:
        break;
    case LEDGER_ISSUE: {
        uint32_t key = (uint32_t)rows_key_entry(job);
        msg->entries[key].expected = job->entries[key].seen;
        break;
    }
    case LEDGER_RECORD:
        rows_prepare_record(job);
        break;
    }
}

bool run_message_is_busy(const struct job *job)
{
    bool is_paused = job->msg_resume_us != TIME_NEVER && !run_has_verdict(job);
    return job->msg_is_out || job->msg_is_wanted || is_paused;
}

void run_want_message(struct job *job, enum ledger_kind kind)
{
    if (kind == LEDGER_RECORD) {
        forget_secrets(job);
    }
    prepare(job, kind);
    job->msg_is_wanted = true;
    job->msg_resume_us = TIME_NEVER;
    job->msg_failures = 0;
}

struct ledger_msg *job_take_msg(struct job *job)
{
    if (!job->msg_is_wanted) {
        return NULL;
    }
    job->msg_is_wanted = false;
    job->msg_is_out = true;
    return &job->msg;
}

void job_give_back_msg(struct job *job)
{
    job->msg_is_out = false;
    job->msg_is_wanted = true;
}

/* ---- answers ---- */

/* A refusal is nobody's failure to provision: only a board that holds another one's key, or bears another
 * one's IMEI, counts against yield. */
static void on_refused(struct job *job, int64_t now_us)
{
    enum reason reason = job->msg.reason;
    bool is_other = job->msg.kind == LEDGER_CLAIM && job->msg.is_other_device;
    job->expose_is_out = false;
    if (is_other && rows_ask_device_again(job)) {
        run_apply(job, ROW_JUMP, now_us);
    } else if (is_other) {
        run_end_with(job, OUTCOME_FAIL, FAULT_BOARD, reason, job->msg.detail, now_us);
    } else {
        enum outcome outcome = reason == REASON_duplicate_key ? OUTCOME_FAIL : OUTCOME_ERROR;
        run_end_with(job, outcome, reason_text(reason)->fault, reason, job->msg.detail, now_us);
    }
}

/* Whose message it was that could not be served. */
static enum reason reason_of_failure(enum ledger_kind kind)
{
    static const enum reason reasons[] = {
        [LEDGER_TO_STORE] = REASON_store_failed,
        [LEDGER_TO_KEYS] = REASON_key_locked,
        [LEDGER_TO_ISSUER] = REASON_signer_failed,
    };
    return reasons[ledger_actor_of(kind)];
}

bool run_awaits_message(const struct job *job, enum reason *ret)
{
    enum row_kind kind = run_current(job)->kind;
    if ((kind != ROW_HOST && kind != ROW_AWAIT) || !run_message_is_busy(job)) {
        return false;
    }
    *ret = reason_of_failure(job->msg.kind);
    return true;
}

static void on_message_failed(struct job *job, int64_t now_us)
{
    if (job->msg.kind != LEDGER_RECORD && ++job->msg_failures >= MESSAGE_TRIES) {
        job->expose_is_out = false;
        run_end_with(job, OUTCOME_ERROR, FAULT_STATION, reason_of_failure(job->msg.kind), job->msg.detail,
                     now_us);
        return;
    }
    job->msg_resume_us = now_us + MESSAGE_PAUSE_US;
}

/* A record that the store refuses is a PASS that nobody may hear of. */
static void on_recorded(struct job *job)
{
    job->phase = JOB_ENDED;
    if (job->msg.status == LEDGER_NO) {
        job->verdict = (struct verdict){OUTCOME_ERROR, FAULT_STATION, REASON_store_failed, ""};
        memcpy(job->verdict.detail, job->msg.detail, sizeof(job->verdict.detail));
    }
}

void job_answer(struct job *job, int64_t now_us)
{
    assert(job->msg_is_out && job->msg.status != LEDGER_PENDING);
    job->msg_is_out = false;
    const struct row *taker = plan_answer_row(job->msg.kind);
    if (job->msg.kind == LEDGER_RECORD && job->msg.status != LEDGER_FAILED) {
        on_recorded(job);
    } else if (run_has_verdict(job) && job->msg.kind != LEDGER_RECORD) {
        job->expose_is_out = false;
        if (job->row == PLAN_RECORD) {
            run_start(job, now_us); /* it waited for the message */
        }
    } else if (job->msg.status == LEDGER_FAILED) {
        on_message_failed(job, now_us);
    } else if (job->msg.status == LEDGER_NO) {
        on_refused(job, now_us);
    } else if (run_current(job) == taker) {
        run_apply(job, run_row_end(job, taker), now_us);
    } else if (run_row_end(job, taker) == ROW_END) {
        run_end(job, &job->verdict, now_us);
    } else if (run_current(job)->kind == ROW_HOST) {
        run_start(job, now_us); /* another row waited for the message to be free */
    }
}
