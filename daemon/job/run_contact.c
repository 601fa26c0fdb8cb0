/*
 * Contact, and the way back to it: probes of the table in contact.c, the line purged in mid-job, a board that
 * restarted, and nobody there. Apart from the interpreter because a board in this state has no row under way
 * and its own clock (`contact_until_us`).
 */
#include "job/run.h"

#define RECOVERY_LIMIT_US (10 * US_PER_S)
#define RECOVERIES_MAX    6
#define REBOOTS_MAX       3

void run_contact(struct job *job, bool is_fresh, int64_t limit_us, int64_t now_us)
{
    chat_cancel(&job->chat);
    job->is_framing = false;
    job->has_ident = false;
    job->contact_until_us = now_us + limit_us;
    contact_begin(&job->contact, is_fresh);
    run_go_to(job, PLAN_CONTACT, now_us);
    job->phase = run_current(job)->phase; /* after a banner nothing starts yet, but admission is over */
}

void run_recover(struct job *job, int64_t now_us)
{
    if (++job->recoveries > RECOVERIES_MAX) {
        run_end_with(job, OUTCOME_FAIL, FAULT_FIXTURE, REASON_bytes_lost,
                     "the line had to be cleared again and again", now_us);
        return;
    }
    dialogue_note(&job->dialogue, now_us, "no answer: the line is purged");
    run_contact(job, false, RECOVERY_LIMIT_US, now_us);
    run_start(job, now_us);
}

void run_banner(struct job *job, int64_t now_us)
{
    if (job->phase == JOB_RECORDING || job->phase == JOB_ENDED) {
        return;
    }
    if (job->phase == JOB_LEAVING) {
        chat_cancel(&job->chat);
        run_left_badly(job, now_us);
        return;
    }
    if (job->row != PLAN_CONTACT) {
        if (++job->reboots > REBOOTS_MAX) {
            run_end_with(job, OUTCOME_FAIL, FAULT_BOARD, REASON_rebooted, "it restarted four times", now_us);
            return;
        }
        run_note_step(job, "rebooted", 0, now_us);
        job->is_offline = false;
        run_contact(job, true, RECOVERY_LIMIT_US, now_us);
    }
    chat_cancel(&job->chat);
    contact_booted(&job->contact, now_us);
}

/* ---- probing ---- */

/* A shell wants its own command around ours. */
static void wrap_for(struct job *job, enum contact_front front)
{
    bool is_shell = front == CONTACT_FRONT_SHELL;
    chat_set_wrapper(&job->chat, is_shell ? "at '" : "", is_shell ? "'" : "");
}

void run_probe(struct job *job, int64_t now_us)
{
    struct chat_command command;
    enum chat_terminator terminator;
    if (contact_is_done(&job->contact)) {
        chat_set_terminator(&job->chat, contact_terminator(&job->contact));
        job->front = (uint8_t)contact_front(&job->contact);
        wrap_for(job, (enum contact_front)job->front);
        job->is_clean = true;
        run_note_step(job, "ok", 0, now_us);
        run_jump(job, PLAN_CMEE, now_us);
    } else if (contact_probe(&job->contact, &command, &terminator)) {
        chat_set_terminator(&job->chat, terminator);
        wrap_for(job, contact_probed_front(&job->contact));
        run_submit(job, &command, now_us);
    }
}

void run_probe_answered(struct job *job, const struct chat_event *event, int64_t now_us)
{
    static const enum contact_answer answers[] = {
        [CHAT_END_OK] = CONTACT_SAID_OK,
        [CHAT_END_ERROR] = CONTACT_SAID_NO,
        [CHAT_END_CME] = CONTACT_SAID_NO,
        [CHAT_END_TIMEOUT] = CONTACT_SAID_NOTHING,
    };
    contact_answered(&job->contact, answers[event->end], now_us);
    run_probe(job, now_us);
}

void run_see_prompt(struct job *job, int64_t now_us)
{
    bool is_probing = job->phase != JOB_ENDED && run_current(job)->kind == ROW_CONTACT;
    if (is_probing && contact_prompt(&job->contact, line_partial(&job->chat.line), now_us)) {
        chat_cancel(&job->chat);
        run_probe(job, now_us);
    }
}

/* ---- its time ---- */

int64_t run_contact_deadline(const struct job *job)
{
    if (run_current(job)->kind != ROW_CONTACT) {
        return TIME_NEVER;
    }
    return time_min(contact_deadline(&job->contact), job->contact_until_us);
}

/* The port's own evidence stands behind that of a board which has answered. */
static void end_without_contact(struct job *job, int64_t now_us)
{
    const char *wrong_port = job->begin.wrong_port;
    if (job->is_clean) {
        run_end_with(job, OUTCOME_FAIL, FAULT_BOARD, REASON_no_answer, "it stopped answering", now_us);
    } else if (wrong_port[0]) {
        run_end_with(job, OUTCOME_FAIL, FAULT_FIXTURE, REASON_wrong_port, wrong_port, now_us);
    } else if (job->has_heard_log) {
        run_end_with(
            job, OUTCOME_FAIL, FAULT_FIXTURE, REASON_wrong_port,
            "TF-M logs here, as kits do at their second port (VCOM1): the first one takes AT commands; on "
            "a board of your own check DTR and CTS",
            now_us);
    } else {
        enum reason reason = job->has_heard ? REASON_wrong_front_end : REASON_no_answer;
        run_end_with(job, OUTCOME_FAIL, FAULT_BOARD, reason, NULL, now_us);
    }
}

void run_contact_tick(struct job *job, int64_t now_us)
{
    if (now_us >= job->contact_until_us) {
        job->is_deaf = true;
        chat_cancel(&job->chat);
        if (job->begin.is_polled && !job->is_admitted) {
            job->phase = JOB_ENDED; /* nobody there: nothing to put on record */
            return;
        }
        if (job->begin.is_polled) {
            run_end_with(job, OUTCOME_LOST, FAULT_OPERATOR, REASON_unplugged, "it stopped answering", now_us);
            return;
        }
        run_note_step(job, "timeout", 0, now_us);
        end_without_contact(job, now_us);
    } else if (now_us >= contact_deadline(&job->contact)) {
        contact_tick(&job->contact, now_us);
        run_probe(job, now_us);
    }
}
