/*
 * The interpreter: moves from row to row until the job has ended.
 *
 * Three rules shape it. A row that ends badly asks the table of rules and never decides by itself
 * (run_no.c). What may have been damaged on the way (a time-out, a reboot) leads back to contact and identity
 * (run_contact.c), and from there through the same rows again: each row asks whether it is still needed, so
 * there is one way forward and no second one for repairs. And a message that is lent to the ledger is never
 * touched: a row that needs it waits until it is back (run_ledger.c).
 */
#include "job/run.h"

#include "job/rows.h"

_Static_assert(PLAN_ROWS <= JOB_ROWS_MAX, "struct job counts rules for every row");

/* ---- moving ---- */

void run_note_step(struct job *job, const char *result, int code, int64_t now_us)
{
    const struct row *row = run_current(job);
    if (row->kind == ROW_CHECK || row->kind == ROW_ADMIT || job->msg_is_out ||
        job->msg.n_steps == LEDGER_STEPS_MAX) {
        return; /* what is lent is not touched; a job of more than 64 steps has said enough */
    }
    job->msg.steps[job->msg.n_steps++] = (struct ledger_step){
        .name = row->name,
        .started_ms = (uint32_t)((job->row_started_us - job->started_us) / US_PER_MS),
        .duration_ms = (uint32_t)((now_us - job->row_started_us) / US_PER_MS),
        .tries = job->tries,
        .code = (int16_t)code,
        .result = result,
    };
}

void run_go_to(struct job *job, enum plan_row row, int64_t now_us)
{
    job->row = (uint8_t)row;
    job->tries = 0;
    job->odds = 0;
    job->row_started_us = now_us;
    job->resume_us = TIME_NEVER;
}

void run_jump(struct job *job, enum plan_row row, int64_t now_us)
{
    run_go_to(job, row, now_us);
    run_start(job, now_us);
}

/* ---- the end of a job ---- */

/* The verdict stands: leave the board, then record. */
static void go_leave(struct job *job, int64_t now_us)
{
    job->limit_us = TIME_NEVER;
    job->is_framing = false;
    chat_cancel(&job->chat);
    if (job->row < PLAN_LEAVE) {
        run_go_to(job, PLAN_LEAVE, now_us);
    }
    run_start(job, now_us);
}

void run_end(struct job *job, const struct verdict *verdict, int64_t now_us)
{
    if (!run_has_verdict(job)) {
        job->verdict = *verdict;
    }
    dialogue_note(&job->dialogue, now_us, reason_text(job->verdict.reason)->name);
    go_leave(job, now_us);
}

void run_end_with(struct job *job, enum outcome outcome, enum fault fault, enum reason reason,
                  const char *detail, int64_t now_us)
{
    job_end(job, outcome, fault, reason, detail);
    run_end(job, &job->verdict, now_us);
}

void run_left_badly(struct job *job, int64_t now_us)
{
    if (job->verdict.outcome == OUTCOME_PASS && job->verdict.reason != REASON_presence_only) {
        job->verdict.reason = REASON_leave_failed;
    }
    run_jump(job, PLAN_RECORD, now_us);
}

/* ---- rows ---- */

void run_start(struct job *job, int64_t now_us)
{
    job->now_us = now_us;
    for (;;) {
        if (run_is_to_stop(job)) {
            run_end(job, &job->stop, now_us);
            return;
        }
        const struct row *row = run_current(job);
        if (row->run_if && !row->run_if(job)) {
            run_go_to(job, (enum plan_row)(job->row + 1), now_us);
            continue;
        }
        job->phase = row->phase;
        job->tries++;
        switch (row->kind) {
        case ROW_CONTACT:
            run_probe(job, now_us);
            return;
        case ROW_AT:
            run_submit_row(job, row, now_us);
            return;
        case ROW_ADMIT:
        case ROW_AWAIT:
            return;
        case ROW_HOST:
            if (!run_message_is_busy(job)) {
                run_want_message(job, row->message);
            }
            return; /* else job_answer starts this row again */
        case ROW_ASK:
            run_want_message(job, row->message);
            run_go_to(job, (enum plan_row)(job->row + 1), now_us);
            continue;
        case ROW_CHECK:
            run_apply(job, row->end(job), now_us);
            return;
        }
    }
}

void run_apply(struct job *job, enum row_next next, int64_t now_us)
{
    const struct row *row = run_current(job);
    switch (next) {
    case ROW_NEXT:
        run_note_step(job, "ok", 0, now_us);
        job->no_taken[row - plan_row(PLAN_CONTACT)] = 0;
        run_jump(job, (enum plan_row)(job->row + 1), now_us);
        return;
    case ROW_SAME:
        run_note_step(job, "ok", 0, now_us);
        run_jump(job, (enum plan_row)job->row, now_us);
        return;
    case ROW_JUMP:
        run_jump(job, (enum plan_row)job->row, now_us);
        return;
    case ROW_ODD:
        if (++job->odds < row->tries) {
            run_start(job, now_us);
            return;
        }
        run_note_step(job, "odd", 0, now_us);
        run_end_with(job, OUTCOME_FAIL, reason_text(row->odd)->fault, row->odd, row->name, now_us);
        return;
    case ROW_END:
        run_note_step(job, "ok", 0, now_us);
        run_end(job, &job->verdict, now_us);
        return;
    }
}
