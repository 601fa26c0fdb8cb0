/*
 * The interpreter: given an event and the time, maybe note a step, set the output, set a deadline, move to
 * another row.
 *
 * Three rules shape it. A row that ends badly asks the table of rules and never decides by itself. What may
 * have been damaged on the way (a time-out, a reboot) leads back to contact and identity, and from there
 * through the same rows again: each row asks whether it is still needed, so there is one way forward and no
 * second one for repairs. And a message that is lent to the ledger is never touched: a row that needs it
 * waits until it is back.
 */
#include "job/job.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "job/check.h"
#include "job/family.h"
#include "job/plan.h"
#include "job/rows.h"
#include "job/watch.h"

#define CONTACT_LIMIT_MS  15000
#define RECOVERY_LIMIT_US (10 * US_PER_S)
#define RECOVERIES_MAX    6
#define REBOOTS_MAX       3
#define SILENT_AFTER_US   (3 * US_PER_S)
#define REPEAT_PAUSE_US   (100 * US_PER_MS)
#define MESSAGE_PAUSE_US  (500 * US_PER_MS)
#define MESSAGE_TRIES     10
#define FRAMES_TIMEOUT_US (2 * US_PER_S) /* then it is asked what has become of it */
#define SEND_SLACK_US     (2 * US_PER_S) /* beyond the wire's own time: other traffic of the USB bus */

_Static_assert(PLAN_ROWS <= JOB_ROWS_MAX, "struct job counts rules for every row");

static void start_row(struct job *job, int64_t now_us);

static const struct row *current(const struct job *job)
{
    return plan_row((enum plan_row)job->row);
}

static bool has_verdict(const struct job *job)
{
    return job->verdict.outcome != OUTCOME_NONE;
}

/* ---- steps and wiping ---- */

static void note_step(struct job *job, const char *result, int code, int64_t now_us)
{
    const struct row *row = current(job);
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

/* ---- moving ---- */

static void go_to(struct job *job, enum plan_row row, int64_t now_us)
{
    job->row = (uint8_t)row;
    job->tries = 0;
    job->odds = 0;
    job->row_started_us = now_us;
    job->resume_us = TIME_NEVER;
}

/* The verdict stands: leave the board, then record. */
static void go_leave(struct job *job, int64_t now_us)
{
    job->limit_us = TIME_NEVER;
    job->is_framing = false;
    chat_cancel(&job->chat);
    if (job->row < PLAN_LEAVE) {
        go_to(job, PLAN_LEAVE, now_us);
    }
    start_row(job, now_us);
}

static void end_job(struct job *job, const struct verdict *verdict, int64_t now_us)
{
    if (!has_verdict(job)) {
        job->verdict = *verdict;
    }
    dialogue_note(&job->dialogue, now_us, reason_text(job->verdict.reason)->name);
    go_leave(job, now_us);
}

static void end_with(struct job *job, enum outcome outcome, enum fault fault, enum reason reason,
                     const char *detail, int64_t now_us)
{
    struct verdict v = {.outcome = outcome, .fault = fault, .reason = reason};
    buf_copy(v.detail, sizeof(v.detail), span_str(detail ? detail : ""));
    end_job(job, &v, now_us);
}

static void start_contact(struct job *job, bool is_fresh, int64_t limit_us, int64_t now_us)
{
    chat_cancel(&job->chat);
    job->is_framing = false;
    job->has_ident = false;
    job->contact_until_us = now_us + limit_us;
    contact_begin(&job->contact, is_fresh);
    go_to(job, PLAN_CONTACT, now_us);
    job->phase = current(job)->phase; /* after a banner nothing starts yet, but admission is over */
}

static void recover(struct job *job, int64_t now_us)
{
    if (++job->recoveries > RECOVERIES_MAX) {
        end_with(job, OUTCOME_FAIL, FAULT_FIXTURE, REASON_bytes_lost,
                 "the line had to be cleared again and again", now_us);
        return;
    }
    dialogue_note(&job->dialogue, now_us, "no answer: the line is purged");
    start_contact(job, false, RECOVERY_LIMIT_US, now_us);
    start_row(job, now_us);
}

static void apply(struct job *job, enum row_next next, int64_t now_us);

/* ---- starting a row ---- */

static int64_t wire_us(const struct job *job, uint64_t octets)
{
    return (int64_t)(octets * 10 * (uint64_t)US_PER_S / job->begin.baud);
}

static int64_t chunk_pause_us(const struct job *job)
{
    int64_t pause = 3 * wire_us(job, JOB_CHUNK_OCTETS);
    return pause > JOB_CHUNK_PAUSE_US ? pause : JOB_CHUNK_PAUSE_US;
}

static void submit(struct job *job, const struct chat_command *command, int64_t now_us)
{
    size_t len = chat_command_len(&job->chat, command);
    int64_t pauses =
        job->is_chunked ? (int64_t)(command->content.len / JOB_CHUNK_OCTETS + 1) * chunk_pause_us(job) : 0;
    chat_submit(&job->chat, command, wire_us(job, len) + pauses + SEND_SLACK_US, now_us);
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
static void submit_frames(struct job *job, int64_t now_us)
{
    job->has_framed = true;
    size_t n = frames_next(&job->frames, job->config.frames);
    struct chat_command command = {
        .content = span_of(job->config.frames, n),
        .is_raw = true,
        .prefix = FRAMES_PREFIX,
        .timeout_us = FRAMES_TIMEOUT_US,
    };
    submit(job, &command, now_us);
}

static void start_at(struct job *job, const struct row *row, int64_t now_us)
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
        submit_frames(job, now_us);
        return;
    }
    submit(job, &command, now_us);
}

/* A shell wants its own command around ours. */
static void wrap_for(struct job *job, enum contact_front front)
{
    bool is_shell = front == CONTACT_FRONT_SHELL;
    chat_set_wrapper(&job->chat, is_shell ? "at '" : "", is_shell ? "'" : "");
}

static void start_probe(struct job *job, int64_t now_us)
{
    struct chat_command command;
    enum chat_terminator terminator;
    if (contact_is_done(&job->contact)) {
        chat_set_terminator(&job->chat, contact_terminator(&job->contact));
        job->front = (uint8_t)contact_front(&job->contact);
        wrap_for(job, (enum contact_front)job->front);
        job->is_clean = true;
        note_step(job, "ok", 0, now_us);
        go_to(job, PLAN_CMEE, now_us);
        start_row(job, now_us);
    } else if (contact_probe(&job->contact, &command, &terminator)) {
        chat_set_terminator(&job->chat, terminator);
        wrap_for(job, contact_probed_front(&job->contact));
        submit(job, &command, now_us);
    }
}

/* A message that pauses after a failure is still the one under way, but for a job whose verdict stands: that
 * one needs it for its record and no longer asks. */
static bool message_is_busy(const struct job *job)
{
    bool is_paused = job->msg_resume_us != TIME_NEVER && !has_verdict(job);
    return job->msg_is_out || job->msg_is_wanted || is_paused;
}

static void want_message(struct job *job, enum ledger_kind kind)
{
    if (kind == LEDGER_RECORD) {
        forget_secrets(job);
    }
    rows_prepare_message(job, kind);
    job->msg_is_wanted = true;
    job->msg_resume_us = TIME_NEVER;
    job->msg_failures = 0;
}

static bool is_to_stop(const struct job *job)
{
    return job->stop.outcome != OUTCOME_NONE && !has_verdict(job);
}

/* Starts the current row, or the first behind it that is needed. Rows that wait for nothing are done in
 * passing. */
static void start_row(struct job *job, int64_t now_us)
{
    job->now_us = now_us;
    for (;;) {
        if (is_to_stop(job)) {
            end_job(job, &job->stop, now_us);
            return;
        }
        const struct row *row = current(job);
        if (row->run_if && !row->run_if(job)) {
            go_to(job, (enum plan_row)(job->row + 1), now_us);
            continue;
        }
        job->phase = row->phase;
        job->tries++;
        switch (row->kind) {
        case ROW_CONTACT:
            start_probe(job, now_us);
            return;
        case ROW_AT:
            start_at(job, row, now_us);
            return;
        case ROW_ADMIT:
        case ROW_AWAIT:
            return;
        case ROW_HOST:
            if (!message_is_busy(job)) {
                want_message(job, row->message);
            }
            return; /* else job_answer starts this row again */
        case ROW_ASK:
            want_message(job, row->message);
            go_to(job, (enum plan_row)(job->row + 1), now_us);
            continue;
        case ROW_CHECK:
            apply(job, row->end(job), now_us);
            return;
        }
    }
}

/* What a row's function decided. */
static void apply(struct job *job, enum row_next next, int64_t now_us)
{
    const struct row *row = current(job);
    switch (next) {
    case ROW_NEXT:
        note_step(job, "ok", 0, now_us);
        job->no_taken[row - plan_row(PLAN_CONTACT)] = 0;
        go_to(job, (enum plan_row)(job->row + 1), now_us);
        start_row(job, now_us);
        return;
    case ROW_SAME:
        note_step(job, "ok", 0, now_us);
        go_to(job, (enum plan_row)job->row, now_us);
        start_row(job, now_us);
        return;
    case ROW_JUMP:
        go_to(job, (enum plan_row)job->row, now_us);
        start_row(job, now_us);
        return;
    case ROW_ODD:
        if (++job->odds < row->tries) {
            start_row(job, now_us);
            return;
        }
        note_step(job, "odd", 0, now_us);
        end_with(job, OUTCOME_FAIL, reason_text(row->odd)->fault, row->odd, row->name, now_us);
        return;
    case ROW_END:
        note_step(job, "ok", 0, now_us);
        end_job(job, &job->verdict, now_us);
        return;
    }
}

/* ---- a board's "no" ---- */

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

static void end_by_rule(struct job *job, const struct no_rule *rule, int code, int64_t now_us)
{
    char memory[VERDICT_DETAIL_SIZE];
    struct buf b;
    buf_init(&b, memory, sizeof(memory));
    buf_add_str(&b, current(job)->name);
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
    end_with(job, rule->outcome, rule->fault, rule->reason, memory, now_us);
}

/* The verdict stands; the board did not confirm how it was left. */
static void left_badly(struct job *job, int64_t now_us)
{
    job->left_badly = true;
    if (job->verdict.outcome == OUTCOME_PASS && job->verdict.reason != REASON_presence_only) {
        job->verdict.reason = REASON_leave_failed;
    }
    go_to(job, PLAN_RECORD, now_us);
    start_row(job, now_us);
}

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

static bool is_native_group(enum row_group group)
{
    return group == GROUP_NATIVE_WRITE || group == GROUP_NATIVE_DELETE;
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
        if (code == 527 || is_damaged ||
            code == CODE_ERROR) { /* the certificate is sound, so it did not arrive as it left */
            rows_note_damage(job, job->entry);
        }
    }
}

static void act(struct job *job, const struct no_rule *rule, int64_t now_us)
{
    const struct row *row = current(job);
    switch (rule->action) {
    case NO_IGNORE:
        apply(job, row->end ? row->end(job) : ROW_NEXT, now_us);
        return;
    case NO_REPEAT:
        job->resume_us = now_us + REPEAT_PAUSE_US;
        return;
    case NO_SETUP:
        go_to(job, PLAN_CMEE, now_us);
        start_row(job, now_us);
        return;
    case NO_OFFLINE:
        go_to(job, PLAN_OFFLINE, now_us);
        start_row(job, now_us);
        return;
    case NO_POWER:
        job->is_power_warned = true;
        go_to(job, PLAN_REARM, now_us);
        start_row(job, now_us);
        return;
    case NO_RECOVER:
        recover(job, now_us);
        return;
    case NO_END:
        break;
    }
}

static void on_no(struct job *job, int code, int64_t now_us)
{
    const struct row *row = current(job);
    enum row_group group = group_of(job, row, code);
    const struct no_rule *rule = plan_no_rule(group, code);
    count_against_entry(job, row, code);
    /* A list that never ends while small commands work is one that the AT host's reply buffer cannot hold;
     * Serial Modem and Serial LTE Modem say ERROR then. */
    bool is_too_long = code == CODE_TIMEOUT || code == CODE_ERROR;
    if ((job->row == PLAN_LIST || job->row == PLAN_PROVE) && is_too_long && job->no_taken[job->row] > 0) {
        job->lists_by_tag = true;
    }
    if (row->group == GROUP_LEAVE && job->no_taken[job->row] >= rule->times) {
        note_step(job, code == CODE_TIMEOUT ? "timeout" : "no", code > 0 ? code : 0, now_us);
        left_badly(job, now_us);
        return;
    }
    if (rule->action == NO_END || job->no_taken[job->row] >= rule->times) {
        note_step(job, code == CODE_TIMEOUT ? "timeout" : "no", code > 0 ? code : 0, now_us);
        if (is_native_group(group) && code == CODE_ERROR) {
            rows_end_native_refused(job);
        }
        end_by_rule(job, rule, code, now_us); /* a verdict that stands already stays */
        return;
    }
    if (rule->action != NO_IGNORE) {
        job->no_taken[job->row]++;
    }
    if (rule->action != NO_REPEAT && rule->action != NO_IGNORE) {
        job->owner =
            group == GROUP_OWNER ? OWNER_UNKNOWN : job->owner; /* it may have been changed all the same */
        note_step(job, code == CODE_TIMEOUT ? "timeout" : "no", code > 0 ? code : 0, now_us);
    }
    act(job, rule, now_us);
}

/* ---- what the chat says ---- */

static void on_contact_done(struct job *job, const struct chat_event *event, int64_t now_us)
{
    static const enum contact_answer answers[] = {
        [CHAT_END_OK] = CONTACT_SAID_OK,
        [CHAT_END_ERROR] = CONTACT_SAID_NO,
        [CHAT_END_CME] = CONTACT_SAID_NO,
        [CHAT_END_TIMEOUT] = CONTACT_SAID_NOTHING,
    };
    contact_answered(&job->contact, answers[event->end], now_us);
    start_probe(job, now_us);
}

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
    if (is_to_stop(job)) {
        end_job(job, &job->stop, now_us);
    } else if (job->frames.state == FRAMES_ASK && before == FRAMES_ASK) {
        job->resume_us = now_us + REPEAT_PAUSE_US; /* still being written, or not answered: in a moment */
    } else {
        submit_frames(job, now_us);
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
        apply(job, current(job)->end(job), now_us);
        return;
    case FRAMES_FAILED:
        job->is_framing = false;
        on_no(job,
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

/* A port takes octets before the wire has carried them: that time is the wire's and not the modem's. */
static void note_modem_time(struct job *job, const struct chat_event *event)
{
    int64_t carried_us = event->begun_us + wire_us(job, event->tx_octets);
    int64_t heard_us = event->sent_us > carried_us ? event->sent_us : carried_us;
    int64_t modem_us = event->end_us - heard_us - wire_us(job, event->rx_octets);
    job->modem_us += modem_us > 0 ? modem_us : 0;
}

static void on_done(struct job *job, const struct chat_event *event, int64_t now_us)
{
    job->tx_octets += event->tx_octets;
    job->rx_octets += event->rx_octets;
    if (current(job)->kind != ROW_AT) {
        /* probes say nothing about lengths or the modem's own time */
    } else if (event->end == CHAT_END_TIMEOUT) {
        bool is_less = job->shortest_hung == 0 || job->command_len < job->shortest_hung;
        job->shortest_hung = is_less ? job->command_len : job->shortest_hung;
    } else {
        job->longest_done = job->command_len > job->longest_done ? job->command_len : job->longest_done;
        note_modem_time(job, event);
    }
    const struct row *row = current(job);
    if (row->kind == ROW_CONTACT) {
        on_contact_done(job, event, now_us);
    } else if (job->is_framing) {
        on_frames_done(job, event, now_us);
    } else if (event->end == CHAT_END_OK) {
        apply(job, row->end ? row->end(job) : ROW_NEXT, now_us);
    } else {
        on_no(job, code_of(event), now_us);
    }
}

/* A banner: the board has just started. What was set (CMEE, CFUN) is gone, and what was sent is not going to
 * be answered. */
static void on_banner(struct job *job, int64_t now_us)
{
    if (job->phase == JOB_RECORDING || job->phase == JOB_ENDED) {
        return;
    }
    if (job->phase == JOB_LEAVING) {
        chat_cancel(&job->chat);
        left_badly(job, now_us);
        return;
    }
    if (job->row != PLAN_CONTACT) {
        if (++job->reboots > REBOOTS_MAX) {
            end_with(job, OUTCOME_FAIL, FAULT_BOARD, REASON_rebooted, "it restarted four times", now_us);
            return;
        }
        note_step(job, "rebooted", 0, now_us);
        job->is_offline = false;
        start_contact(job, true, RECOVERY_LIMIT_US, now_us);
    }
    chat_cancel(&job->chat);
    contact_booted(&job->contact, now_us);
}

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

static void on_event(struct job *job, const struct chat_event *event, int64_t now_us)
{
    const struct row *row = current(job);
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
        on_banner(job, now_us);
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

/* ---- the ledger's answers ---- */

static enum row_next take_answer(struct job *job)
{
    switch (job->msg.kind) {
    case LEDGER_CLAIM:
        return rows_end_claim(job);
    case LEDGER_DIGEST:
        return rows_end_digest(job);
    case LEDGER_EXPLAIN:
        return rows_end_explain(job);
    case LEDGER_EXPOSE:
        job->expose_is_out = false;
        job->is_exposed = true;
        return rows_end_exposed(job);
    case LEDGER_INTEND:
        return rows_end_intend(job);
    case LEDGER_CSR:
        return rows_end_csr(job);
    case LEDGER_AUTHORIZE:
        return rows_end_authorize(job);
    case LEDGER_ISSUE:
        return rows_end_issue(job);
    case LEDGER_POSSESSION:
        return rows_end_possessed(job);
    case LEDGER_ATTEST:
        job->has_token = false;
        break;
    case LEDGER_SIGN:
    case LEDGER_RECORD:
        break;
    }
    return ROW_NEXT;
}

/* A refusal is nobody's failure to provision: only a board that holds another one's key, or bears another
 * one's IMEI, counts against yield. */
static void on_refused(struct job *job, int64_t now_us)
{
    enum reason reason = job->msg.reason;
    bool is_other = job->msg.kind == LEDGER_CLAIM && job->msg.is_other_device;
    job->expose_is_out = false;
    if (is_other && rows_ask_device_again(job)) {
        apply(job, ROW_JUMP, now_us);
    } else if (is_other) {
        end_with(job, OUTCOME_FAIL, FAULT_BOARD, reason, job->msg.detail, now_us);
    } else {
        enum outcome outcome = reason == REASON_duplicate_key ? OUTCOME_FAIL : OUTCOME_ERROR;
        end_with(job, outcome, reason_text(reason)->fault, reason, job->msg.detail, now_us);
    }
}

/* Whose message it was that could not be served. */
static enum reason reason_of_failure(enum ledger_kind kind)
{
    switch (kind) {
    case LEDGER_CLAIM:
    case LEDGER_EXPOSE:
    case LEDGER_INTEND:
    case LEDGER_ISSUE:
    case LEDGER_RECORD:
        return REASON_store_failed;
    case LEDGER_SIGN:
    case LEDGER_AUTHORIZE:
        return REASON_signer_failed;
    case LEDGER_DIGEST:
    case LEDGER_EXPLAIN:
    case LEDGER_CSR:
    case LEDGER_POSSESSION:
    case LEDGER_ATTEST:
        break;
    }
    return REASON_key_locked;
}

static void on_message_failed(struct job *job, int64_t now_us)
{
    if (job->msg.kind != LEDGER_RECORD && ++job->msg_failures >= MESSAGE_TRIES) {
        job->expose_is_out = false;
        end_with(job, OUTCOME_ERROR, FAULT_STATION, reason_of_failure(job->msg.kind), job->msg.detail,
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
    bool is_awaited = current(job)->message == job->msg.kind &&
                      (current(job)->kind == ROW_HOST || current(job)->kind == ROW_AWAIT);
    if (job->msg.kind == LEDGER_RECORD && job->msg.status != LEDGER_FAILED) {
        on_recorded(job);
    } else if (has_verdict(job) && job->msg.kind != LEDGER_RECORD) {
        job->expose_is_out = false;
        if (job->row == PLAN_RECORD) {
            start_row(job, now_us); /* it waited for the message */
        }
    } else if (job->msg.status == LEDGER_FAILED) {
        on_message_failed(job, now_us);
    } else if (job->msg.status == LEDGER_NO) {
        on_refused(job, now_us);
    } else if (is_awaited) {
        apply(job, take_answer(job), now_us);
    } else if (take_answer(job) == ROW_END) {
        end_job(job, &job->verdict, now_us);
    } else if (current(job)->kind == ROW_HOST) {
        start_row(job, now_us); /* another row waited for the message to be free */
    }
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

/* ---- from outside ---- */

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
    start_contact(job, begin->is_fresh, limit_ms * US_PER_MS, now_us);
    start_row(job, now_us);
}

/* A prompt has no line end, so it is looked for in what is not a line yet. */
static void see_prompt(struct job *job, int64_t now_us)
{
    bool is_probing = job->phase != JOB_ENDED && current(job)->kind == ROW_CONTACT;
    if (is_probing && contact_prompt(&job->contact, line_partial(&job->chat.line), now_us)) {
        chat_cancel(&job->chat);
        start_probe(job, now_us);
    }
}

/* Nothing of the board matters to this job any more, unless it is being watched. */
static bool is_deaf_by_choice(const struct job *job)
{
    return job->phase == JOB_IDLE || (job->phase == JOB_ENDED && job->watch != WATCH_OUT);
}

void job_rx(struct job *job, struct span octets, int64_t now_us)
{
    if (is_deaf_by_choice(job)) {
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
        on_event(job, &event, now_us);
    }
    see_prompt(job, now_us);
}

/* Only contents are long enough to overrun a UART: everything else goes at the wire's own speed. */
static bool is_in_chunks(const struct job *job)
{
    return job->is_chunked && chat_output_is_content(&job->chat);
}

struct span job_tx(struct job *job, int64_t now_us)
{
    if (job->is_lost || is_deaf_by_choice(job)) {
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
        job->chunk_until_us = now_us + wire_us(job, JOB_CHUNK_OCTETS) + chunk_pause_us(job);
    }
}

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
    go_to(job, (enum plan_row)(job->row + 1), now_us);
    start_row(job, now_us);
}

void job_refuse(struct job *job, enum outcome outcome, enum reason reason, const char *detail, int64_t now_us)
{
    assert(job->phase == JOB_ADMITTING);
    end_with(job, outcome, reason_text(reason)->fault, reason, detail, now_us);
}

/* Rows in which nothing is under way on the board: a stop is taken at once. */
static bool is_safe_now(const struct job *job)
{
    return current(job)->kind != ROW_AT || job->resume_us != TIME_NEVER;
}

static void stop(struct job *job, enum outcome outcome, enum reason reason, const char *detail,
                 int64_t now_us)
{
    if (has_verdict(job) || job->stop.outcome != OUTCOME_NONE || job->phase == JOB_IDLE ||
        job->phase == JOB_ENDED) {
        return;
    }
    job->stop = (struct verdict){.outcome = outcome, .fault = reason_text(reason)->fault, .reason = reason};
    buf_copy(job->stop.detail, sizeof(job->stop.detail), span_str(detail ? detail : ""));
    if (is_safe_now(job)) {
        end_job(job, &job->stop, now_us);
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
    if (has_verdict(job)) {
        left_badly(job, now_us);
    } else if (!job->is_admitted) {
        /* Nothing was begun, so there is nothing to put on record. */
        job->verdict =
            (struct verdict){.outcome = OUTCOME_LOST, .fault = FAULT_OPERATOR, .reason = REASON_unplugged};
        job->phase = JOB_ENDED;
    } else {
        end_with(job, OUTCOME_LOST, FAULT_OPERATOR, REASON_unplugged, current(job)->name, now_us);
    }
}

void job_stamp_end(struct job *job, int64_t ended_wall_ms, int64_t now_us)
{
    job->msg.ended_wall_ms = ended_wall_ms;
    job->msg.duration_ms = (uint32_t)((now_us - job->started_us - job->waited_us) / US_PER_MS);
}

/* ---- time ---- */

static int64_t contact_time(const struct job *job)
{
    if (current(job)->kind != ROW_CONTACT) {
        return TIME_NEVER;
    }
    return time_min(contact_deadline(&job->contact), job->contact_until_us);
}

int64_t job_deadline(const struct job *job)
{
    if (is_deaf_by_choice(job)) {
        return TIME_NEVER;
    }
    if (job->phase == JOB_ENDED) {
        return chat_deadline(&job->chat);
    }
    int64_t at = time_min(time_min(chat_deadline(&job->chat), job->chunk_until_us), contact_time(job));
    if (!has_verdict(job) && job->stop.outcome == OUTCOME_NONE) {
        at = time_min(at, job->limit_us);
    }
    return time_min(at, time_min(job->resume_us, job->msg_resume_us));
}

/* The port's own evidence stands behind that of a board which has answered. */
static void end_without_contact(struct job *job, int64_t now_us)
{
    const char *wrong_port = job->begin.wrong_port;
    if (job->is_clean) {
        end_with(job, OUTCOME_FAIL, FAULT_BOARD, REASON_no_answer, "it stopped answering", now_us);
    } else if (wrong_port[0]) {
        end_with(job, OUTCOME_FAIL, FAULT_FIXTURE, REASON_wrong_port, wrong_port, now_us);
    } else if (job->has_heard_log) {
        end_with(
            job, OUTCOME_FAIL, FAULT_FIXTURE, REASON_wrong_port,
            "TF-M logs here, as kits do at their second port (VCOM1): the first one takes AT commands; on "
            "a board of your own check DTR and CTS",
            now_us);
    } else {
        enum reason reason = job->has_heard ? REASON_wrong_front_end : REASON_no_answer;
        end_with(job, OUTCOME_FAIL, FAULT_BOARD, reason, NULL, now_us);
    }
}

static void tick_contact(struct job *job, int64_t now_us)
{
    if (now_us >= job->contact_until_us) {
        job->is_deaf = true;
        chat_cancel(&job->chat);
        if (job->begin.is_polled && !job->is_admitted) {
            job->phase = JOB_ENDED; /* nobody there: nothing to put on record */
            return;
        }
        if (job->begin.is_polled) {
            end_with(job, OUTCOME_LOST, FAULT_OPERATOR, REASON_unplugged, "it stopped answering", now_us);
            return;
        }
        note_step(job, "timeout", 0, now_us);
        end_without_contact(job, now_us);
    } else if (now_us >= contact_deadline(&job->contact)) {
        contact_tick(&job->contact, now_us);
        start_probe(job, now_us);
    }
}

static void tick_chat(struct job *job, int64_t now_us)
{
    struct chat_event event;
    chat_tick(&job->chat, now_us, &event);
    on_event(job, &event, now_us);
}

void job_tick(struct job *job, int64_t now_us)
{
    if (is_deaf_by_choice(job)) {
        return;
    }
    if (job->phase == JOB_ENDED) {
        tick_chat(job, now_us);
        return;
    }
    if (now_us >= job->limit_us && !has_verdict(job)) {
        job->limit_us = TIME_NEVER;
        stop(job, OUTCOME_TIMEOUT, REASON_timeout, current(job)->name, now_us);
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
            submit_frames(job, now_us);
        } else {
            start_row(job, now_us);
        }
    }
    tick_chat(job, now_us);
    if (job->phase != JOB_ENDED && current(job)->kind == ROW_CONTACT && now_us >= contact_time(job)) {
        tick_contact(job, now_us);
    }
}

/* ---- what is shown ---- */

const char *job_step(const struct job *job)
{
    return current(job)->name;
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
