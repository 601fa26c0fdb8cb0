/*
 * The interpreter of the plan, from inside: what its parts call of one another. Private to job/; whoever runs
 * a job has job/job.h.
 *
 * A call that is said to move may go through any number of rows, and may end the job. Its caller has nothing
 * more to do then: no row, entry or phase that it knew before holds afterwards.
 */
#ifndef CERTLINE_JOB_RUN_H
#define CERTLINE_JOB_RUN_H

#include "job/plan.h"

#define REPEAT_PAUSE_US (100 * US_PER_MS) /* before the same question goes out again */

static inline const struct row *run_current(const struct job *job)
{
    return plan_row((enum plan_row)job->row);
}

/* What a row says to its end, be that an OK or the ledger's answer. */
static inline enum row_next run_row_end(struct job *job, const struct row *row)
{
    return row->end ? row->end(job) : ROW_NEXT;
}

static inline bool run_has_verdict(const struct job *job)
{
    return job->verdict.outcome != OUTCOME_NONE;
}

/* A stop waits for a safe point, and this is the time to ask. */
static inline bool run_is_to_stop(const struct job *job)
{
    return job->stop.outcome != OUTCOME_NONE && !run_has_verdict(job);
}

/* Nothing of the board matters to this job any more, unless it is being watched. */
static inline bool run_is_deaf_by_choice(const struct job *job)
{
    return job->phase == JOB_IDLE || (job->phase == JOB_ENDED && job->watch != WATCH_OUT);
}

/* ---- from row to row: run.c ---- */

/* The current row as a step of the record: `result` is a constant, `code` the modem's or 0. */
void run_note_step(struct job *job, const char *result, int code, int64_t now_us);

/* Makes this row the current one, not started yet. */
void run_go_to(struct job *job, enum plan_row row, int64_t now_us);

/* Moves: makes it the current one and starts it. */
void run_jump(struct job *job, enum plan_row row, int64_t now_us);

/* Moves: starts the current row, or the first behind it that is needed. Rows that wait for nothing are done
 * in passing. */
void run_start(struct job *job, int64_t now_us);

/* Moves: does what the current row's function decided. */
void run_apply(struct job *job, enum row_next next, int64_t now_us);

/* Move: the verdict (the first one stands; `detail` NULL: none), then the board is left and the record made.
 */
void run_end(struct job *job, const struct verdict *verdict, int64_t now_us);
void run_end_with(struct job *job, enum outcome outcome, enum fault fault, enum reason reason,
                  const char *detail, int64_t now_us);

/* Moves: the verdict stands; the board did not confirm how it was left. */
void run_left_badly(struct job *job, int64_t now_us);

/* ---- to the board: run_send.c ---- */

/* How long octets take on the job's wire. */
int64_t run_wire_us(const struct job *job, uint64_t octets);

/* A command for the chat, noted in the dialogue. */
void run_submit(struct job *job, const struct chat_command *command, int64_t now_us);

/* The command of an AT row; and the next exchange of the checked transfer that it may have become. */
void run_submit_row(struct job *job, const struct row *row, int64_t now_us);
void run_submit_frames(struct job *job, int64_t now_us);

/* ---- contact and recovery: run_contact.c ---- */

/* Row `contact` from its beginning, not started yet. */
void run_contact(struct job *job, bool is_fresh, int64_t limit_us, int64_t now_us);

/* Moves: sends the present probe, or goes on behind contact. */
void run_probe(struct job *job, int64_t now_us);
void run_probe_answered(struct job *job, const struct chat_event *event, int64_t now_us);

/* Moves, when a shell's prompt stands in what is not a line yet: it has no line end. */
void run_see_prompt(struct job *job, int64_t now_us);

/* Moves: the line is purged, and found out who is there. */
void run_recover(struct job *job, int64_t now_us);

/* Moves: the board has just started. What was set (CMEE, CFUN) is gone, and what was sent is not going to be
 * answered. */
void run_banner(struct job *job, int64_t now_us);

/* When contact wants to be called; TIME_NEVER in another row. The tick moves. */
int64_t run_contact_deadline(const struct job *job);
void run_contact_tick(struct job *job, int64_t now_us);

/* ---- what the board says: run_chat.c, run_no.c ---- */

/* Moves. */
void run_event(struct job *job, const struct chat_event *event, int64_t now_us);

/* Moves: the current row was answered with a no, by its number or CODE_…. */
void run_no(struct job *job, int code, int64_t now_us);

/* ---- the ledger: run_ledger.c ---- */

/* The message is lent, offered, or pauses after a failure; that last not for a job whose verdict stands,
 * which needs it for its record and no longer asks. */
bool run_message_is_busy(const struct job *job);

/* Nothing but the message is waited for: *ret says whose trouble it is if that takes too long. */
bool run_awaits_message(const struct job *job, enum reason *ret);

/* Offers the message to the station; it is not busy. */
void run_want_message(struct job *job, enum ledger_kind kind);

#endif
