/*
 * What rows of several phases share: a verdict and whom it is about, the commands for entries, and whether an
 * entry is to be written. The rows themselves stand by phase in rows_identity.c, rows_list.c, rows_key.c,
 * rows_decide.c, rows_sudo.c, rows_write.c and rows_judge.c.
 *
 * Policy on the unexpected, in all of them: a line that cannot be read makes the answer odd, an odd answer is
 * asked for again, and only what was read twice alike is believed to be wrong on the board.
 */
#include "job/rows.h"

#include "base/buf.h"

enum row_next job_end(struct job *job, enum outcome outcome, enum fault fault, enum reason reason,
                      const char *detail)
{
    if (job->verdict.outcome == OUTCOME_NONE) {
        job->verdict.outcome = outcome;
        job->verdict.fault = fault;
        job->verdict.reason = reason;
        buf_copy(job->verdict.detail, sizeof(job->verdict.detail), span_str(detail ? detail : ""));
    }
    return ROW_END;
}

enum row_next rows_end_for_entry(struct job *job, uint32_t i, enum fault fault, enum reason reason,
                                 const char *what)
{
    char memory[VERDICT_DETAIL_SIZE];
    struct buf b;
    buf_init(&b, memory, sizeof(memory));
    buf_add_str(&b, cred_type_name(job->msg.entries[i].type));
    buf_add_str(&b, " (tag ");
    buf_add_u64(&b, job->msg.entries[i].sec_tag);
    buf_add_str(&b, "): ");
    buf_add_str(&b, what);
    return job_end(job, OUTCOME_FAIL, fault, reason, memory);
}

bool rows_is_compared(const struct job *job)
{
    return job->msg.passed_before && job->msg.product->second_visit == SECOND_COMPARE;
}

bool rows_is_to_write(const struct job *job, uint32_t i)
{
    return !ledger_entry_is_bare(&job->msg.entries[i]) && !job->entries[i].is_right &&
           job->entries[i].writes < ROWS_WRITES_MAX;
}

void rows_add_command(struct buf *b, const char *name, uint32_t opcode, uint32_t sec_tag, uint32_t type)
{
    buf_add_str(b, name);
    buf_add_u64(b, opcode);
    buf_add_char(b, ',');
    buf_add_u64(b, sec_tag);
    if (type != ROWS_ANY_TYPE) {
        buf_add_char(b, ',');
        buf_add_u64(b, type);
    }
}

void rows_head(struct job *job, struct chat_command *command, const char *name, uint32_t opcode,
               uint32_t sec_tag, uint32_t type)
{
    struct buf b;
    buf_init(&b, job->head, sizeof(job->head));
    buf_add_str(&b, "AT");
    rows_add_command(&b, name, opcode, sec_tag, type);
    command->head = buf_span(&b);
}

void rows_head_entry(struct job *job, uint32_t entry, uint32_t opcode, struct chat_command *command)
{
    const struct ledger_entry *e = &job->msg.entries[entry];
    rows_head(job, command, ROWS_CMNG, opcode, e->sec_tag, e->type);
}
