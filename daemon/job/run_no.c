/*
 * A board's "no": looked up in the plan's rules, done, and a verdict once it has been done often enough.
 * Apart from the interpreter because this is the only place where a code of the modem means anything.
 */
#include "job/run.h"

#include "base/buf.h"
#include "job/rows.h"

/* The rules for products with native TLS are others: their commands are the front end's. And so is a refused
 * signature once one was taken. */
static enum row_group group_of(const struct job *job, const struct row *row, int code)
{
    bool is_native = job->msg.product && job->msg.product->native_tls;
    bool is_change = row->group == GROUP_WRITE || row->group == GROUP_DELETE;
    if (is_change && job->owner_is_proven && (code == 520 || code == 514)) {
        return GROUP_SIGNED;
    }
    if (is_native && row->group == GROUP_WRITE) {
        return GROUP_NATIVE_WRITE;
    }
    return is_native && row->group == GROUP_DELETE ? GROUP_NATIVE_DELETE : row->group;
}

static void end_by_rule(struct job *job, const struct no_rule *rule, int code, int64_t now_us)
{
    char memory[VERDICT_DETAIL_SIZE];
    struct buf b;
    buf_init(&b, memory, sizeof(memory));
    buf_add_str(&b, run_current(job)->name);
    if (code >= 0) {
        buf_add_str(&b, ": +CME ERROR: ");
        buf_add_i64(&b, code);
    } else if (code == CODE_ERROR) {
        buf_add_str(&b, ": ERROR");
    }
    if (rule->detail) {
        buf_add_str(&b, ": ");
        buf_add_str(&b, rule->detail);
    }
    if (rule->reason == REASON_supply_low && job->warned_mv > 0) {
        buf_add_str(&b, ", supply ");
        buf_add_u64(&b, job->warned_mv);
        buf_add_str(&b, " mV");
    }
    run_end_with(job, rule->outcome, rule->fault, rule->reason, memory, now_us);
}

/* Its action has been taken often enough. */
static void end_refused(struct job *job, const struct no_rule *rule, int code, int64_t now_us)
{
    bool is_native = rule->group == GROUP_NATIVE_WRITE || rule->group == GROUP_NATIVE_DELETE;
    if (rule->group == GROUP_LEAVE) {
        run_left_badly(job, now_us);
        return;
    }
    if (is_native && code == CODE_ERROR) {
        rows_end_native_refused(job);
    }
    end_by_rule(job, rule, code, now_us); /* a verdict that stands already stays */
}

static void note_no(struct job *job, int code, int64_t now_us)
{
    run_note_step(job, code == CODE_TIMEOUT ? "timeout" : "no", code > 0 ? code : 0, now_us);
}

static void count_against_entry(struct job *job, const struct row *row, int code)
{
    if (row->group == GROUP_KEYGEN && code != CODE_TIMEOUT) {
        rows_key_refused(job);
    }
    if (row->group == GROUP_WRITE) {
        struct job_entry *e = &job->entries[job->entry];
        e->timeouts = (uint8_t)(e->timeouts + (code == CODE_TIMEOUT));
        bool is_native_no = code == CODE_ERROR && group_of(job, row, code) == GROUP_NATIVE_WRITE;
        bool is_damaged = group_of(job, row, code) == GROUP_SIGNED; /* the signature was for other octets */
        e->refusals = (uint8_t)(e->refusals + (code == 527 || is_native_no || is_damaged));
        if (code == 527 || is_damaged || code == CODE_ERROR) {
            rows_note_damage(job); /* the certificate is sound, so it did not arrive as it left */
        }
    }
}

static void act(struct job *job, const struct no_rule *rule, int64_t now_us)
{
    const struct row *row = run_current(job);
    switch (rule->action) {
    case NO_IGNORE:
        run_apply(job, run_row_end(job, row), now_us);
        return;
    case NO_REPEAT:
        job->resume_us = now_us + REPEAT_PAUSE_US;
        return;
    case NO_SETUP:
        run_jump(job, PLAN_CMEE, now_us);
        return;
    case NO_OFFLINE:
        run_jump(job, PLAN_OFFLINE, now_us);
        return;
    case NO_POWER:
        job->is_power_warned = true;
        run_jump(job, PLAN_REARM, now_us);
        return;
    case NO_RECOVER:
        run_recover(job, now_us);
        return;
    case NO_END:
        break;
    }
}

void run_no(struct job *job, int code, int64_t now_us)
{
    const struct row *row = run_current(job);
    enum row_group group = group_of(job, row, code);
    const struct no_rule *rule = plan_no_rule(group, code);
    count_against_entry(job, row, code);
    /* A list that never ends while small commands work is one that the AT host's reply buffer cannot hold;
     * Serial Modem and Serial LTE Modem say ERROR then. */
    bool is_too_long = code == CODE_TIMEOUT || code == CODE_ERROR;
    if ((job->row == PLAN_LIST || job->row == PLAN_PROVE) && is_too_long && job->no_taken[job->row] > 0) {
        job->lists_by_tag = true;
    }
    if (rule->action == NO_END || job->no_taken[job->row] >= rule->times) {
        note_no(job, code, now_us);
        end_refused(job, rule, code, now_us);
        return;
    }
    if (rule->action != NO_IGNORE) {
        job->no_taken[job->row]++;
    }
    if (rule->action != NO_REPEAT && rule->action != NO_IGNORE) {
        if (group == GROUP_OWNER) {
            job->owner = OWNER_UNKNOWN; /* it may have been changed all the same */
        }
        note_no(job, code, now_us);
    }
    act(job, rule, now_us);
}
