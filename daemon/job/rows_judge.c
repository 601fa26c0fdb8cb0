/*
 * Rows "judge" to "record": what was proven, how the board is left, and what goes on record. Only here a job
 * can pass.
 *
 * One odd list is read twice before it is believed; what is still not as it must be goes back to "explain",
 * through the same rows as the first time.
 */
#include "job/rows.h"

#include "base/buf.h"
#include "job/check.h"

#define ROUNDS_MAX 6

/* ---- proof ---- */

/* "2 of 5 writes arrived damaged; writing in chunks worked", or nothing. */
static void describe_loss(const struct job *job, char *memory, size_t size)
{
    struct buf b;
    buf_init(&b, memory, size);
    if (job->damaged > 0) {
        buf_add_u64(&b, job->damaged);
        buf_add_str(&b, " of ");
        buf_add_u64(&b, job->written);
        buf_add_str(&b, " writes arrived damaged; writing in chunks worked: check RTS/CTS of this slot");
    }
}

static enum row_next end_passed(struct job *job)
{
    enum reason reason = REASON_ok;
    char loss[VERDICT_DETAIL_SIZE];
    describe_loss(job, loss, sizeof(loss));
    for (uint32_t i = 0; i < job->msg.n_entries; i++) {
        if (!job->entries[i].has_digest) {
            return job_end(job, OUTCOME_PASS, FAULT_NONE, REASON_presence_only, loss);
        }
    }
    if (!job->wrote_anything) {
        reason = REASON_already_right;
    }
    return job_end(job, OUTCOME_PASS, FAULT_NONE, reason, loss);
}

enum row_next rows_end_judge(struct job *job)
{
    if (rows_if_to_possess(job)) {
        return rows_jump(job, PLAN_POSSESS);
    }
    uint32_t tag = 0, type = 0;
    bool is_foreign_same = check_foreign_unchanged(job, &tag, &type);
    if (check_all_right(job) && is_foreign_same && check_next_stray(job, 0) < 0) {
        return end_passed(job);
    }
    if (job->rereads == 0) { /* one odd reply is read twice before it is believed */
        job->rereads++;
        job->is_dirty = true;
        return rows_jump(job, job->lists_by_tag ? PLAN_PROVE_TAG : PLAN_PROVE);
    }
    if (!is_foreign_same) {
        char memory[VERDICT_DETAIL_SIZE];
        struct buf b;
        buf_init(&b, memory, sizeof(memory));
        buf_add_str(&b, "entry ");
        buf_add_u64(&b, tag);
        buf_add_str(&b, ",");
        buf_add_u64(&b, type);
        buf_add_str(&b, " changed during the job though nothing was written to it");
        return job_end(job, OUTCOME_FAIL, FAULT_BOARD, REASON_digest_mismatch, memory);
    }
    if (++job->rounds > ROUNDS_MAX) {
        return job_end(job, OUTCOME_FAIL, FAULT_BOARD, REASON_digest_mismatch,
                       "the list changes at each reading");
    }
    job->rereads = 0;
    return rows_jump(job, PLAN_EXPLAIN);
}

/* ---- leaving ---- */

bool rows_if_to_leave(struct job *job)
{
    if (job->is_lost || job->is_deaf || !job->is_offline) {
        return false;
    }
    return job->msg.product->leave != LEAVE_AS_FOUND || job->cfun_found >= 0;
}

void rows_send_leave(struct job *job, struct chat_command *command)
{
    int mode = 0;
    switch (job->msg.product->leave) {
    case LEAVE_CFUN0:
        mode = 0;
        break;
    case LEAVE_CFUN4:
        mode = 4;
        break;
    case LEAVE_CFUN1:
        mode = 1;
        break;
    case LEAVE_AS_FOUND:
        mode = job->cfun_found;
        break;
    }
    struct buf b;
    buf_init(&b, job->head, sizeof(job->head));
    buf_add_str(&b, "AT+CFUN=");
    buf_add_i64(&b, mode);
    command->head = buf_span(&b);
}

/* ---- record ---- */

static enum entry_proof proof_of(const struct job *job, uint32_t i)
{
    const struct job_entry *e = &job->entries[i];
    if (job->msg.entries[i].is_made_on_board && e->is_right && job->has_possession) {
        return ENTRY_POSSESSION;
    }
    if (!e->is_right || !e->is_present) {
        return ENTRY_UNPROVEN;
    }
    return e->has_digest ? ENTRY_DIGEST : ENTRY_PRESENCE;
}

void rows_prepare_record(struct job *job)
{
    struct ledger_msg *msg = &job->msg;
    msg->verdict = job->verdict;
    bool passed = job->verdict.outcome == OUTCOME_PASS;
    msg->bundle_effect = passed && msg->bundle[0] != '\0' ? BUNDLE_INSTALLED : BUNDLE_UNCHANGED;
    msg->proof = passed ? ENTRY_POSSESSION : ENTRY_UNPROVEN;
    for (uint32_t i = 0; i < msg->n_entries; i++) {
        msg->entries[i].proof = job->is_dirty ? ENTRY_UNPROVEN : proof_of(job, i);
        msg->entries[i].writes = job->entries[i].writes;
        if (msg->entries[i].proof < msg->proof) {
            msg->proof = msg->entries[i].proof;
        }
    }
    msg->wire_ms = (uint32_t)((uint64_t)(job->tx_octets + job->rx_octets) * 10000 / job->begin.baud);
    msg->modem_ms = (uint32_t)(job->modem_us / US_PER_MS);
    msg->dialogue = dialogue_text(&job->dialogue);
}
