/*
 * Rows "expose" to "write_private_key": all that changes the board's entries, in the order of the plan:
 * exposure, what must go, what is written. Each choice asks what is still needed, so that the same rows serve
 * a first visit, a repair and a board that was done by half.
 *
 * Writes are the scarce thing: each wears the modem's NVM and each may expose a secret, so an entry is
 * written at most twice in a job, the second time only after a list has shown that the first did not come out
 * right.
 */
#include "job/rows.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "job/check.h"

#define AT_LINE_MAX   4095 /* Nordic's AT host keeps one octet of its 4,096 for the NUL */
#define SIGNED_EXTRA  (LEDGER_SIGNATURE_SIZE + 17) /* `AT%XSUDO=4000,"…";` in place of `AT` */
#define SUPPLY_MIN_MV 3000 /* below it the modem's warning is active from the start (%XPOFWARN) */

/* ---- exposure ---- */

static bool needs_expose(const struct job *job)
{
    if (job->msg.bundle[0] == '\0' || job->is_exposed || job->expose_is_out) {
        return false;
    }
    if (job->msg.bundle_state == BUNDLE_BOUND) {
        return true;
    }
    for (uint32_t i = 0; i < job->msg.n_entries; i++) {
        if (job->msg.entries[i].from_bundle && rows_is_to_write(job, i)) {
            return true;
        }
    }
    return false;
}

/* Whether a build has AT#XCMNG is seen when it takes something: what is the same for every board goes first,
 * and only then is a bundle spent. */
bool rows_if_to_expose(struct job *job)
{
    return needs_expose(job) && !(job->msg.product->native_tls && rows_if_shared_ca(job));
}

bool rows_if_to_expose_late(struct job *job)
{
    return needs_expose(job);
}

bool rows_if_expose_out(struct job *job)
{
    return job->expose_is_out;
}

enum row_next rows_end_exposed(struct job *job)
{
    job->expose_is_out = false;
    job->is_exposed = true;
    return ROW_NEXT;
}

/* ---- what must go ---- */

bool rows_if_stray(struct job *job)
{
    int at = check_next_stray(job, 0);
    while (at >= 0 && job->msg.product->signs_commands && !rows_is_signed(job, &job->msg.rows[at])) {
        at = check_next_stray(job, (uint32_t)at + 1);
    }
    job->stray = (uint8_t)(at < 0 ? 0 : at);
    return at >= 0;
}

void rows_send_delete_stray(struct job *job, struct chat_command *command)
{
    const struct cmng_row *row = &job->msg.rows[job->stray];
    struct place at = {.sec_tag = row->sec_tag, .type = row->type}, origin;
    bool is_native = job->msg.product->native_tls && check_origin(job, row, &origin);
    if (is_native) { /* what went astray may stand where AT#XCMNG has no name for it */
        at = origin;
    }
    rows_head(job, command, is_native ? ROWS_XCMNG : ROWS_CMNG, 3, at.sec_tag, at.type);
    rows_sign(job, command);
    job->is_dirty = job->wrote_anything = true;
}

enum row_next rows_end_delete_stray(struct job *job)
{
    struct ledger_msg *msg = &job->msg;
    msg->rows[job->stray] = msg->rows[--msg->n_rows]; /* order says nothing in a list */
    return ROW_SAME;
}

/* Without digests an old entry and a new one look alike. */
bool rows_if_to_vanish(struct job *job)
{
    for (uint32_t i = 0; i < job->msg.n_entries; i++) {
        const struct job_entry *e = &job->entries[i];
        if (rows_is_to_write(job, i) && e->is_present && !e->has_digest) {
            job->entry = (uint8_t)i;
            return true;
        }
    }
    return false;
}

/* The command that changes the product's entries. */
static const char *change_name(const struct job *job)
{
    return job->msg.product->native_tls ? ROWS_XCMNG : ROWS_CMNG;
}

void rows_send_delete_entry(struct job *job, struct chat_command *command)
{
    const struct ledger_entry *e = &job->msg.entries[job->entry];
    rows_head(job, command, change_name(job), 3, e->sec_tag, e->type);
    rows_sign(job, command);
    job->is_dirty = job->wrote_anything = true;
}

enum row_next rows_end_delete_entry(struct job *job)
{
    job->entries[job->entry].is_present = false;
    job->entries[job->entry].was_absent = false; /* to be seen, not assumed */
    return ROW_NEXT;
}

bool rows_if_vanished(struct job *job)
{
    const struct job_entry *e = &job->entries[job->entry];
    return job->is_dirty && rows_is_to_write(job, job->entry) && !e->is_present && !e->was_absent;
}

void rows_send_list_entry(struct job *job, struct chat_command *command)
{
    const struct ledger_entry *e = &job->msg.entries[job->entry];
    struct place at = place_of(job->msg.product, e->sec_tag, e->type);
    rows_head(job, command, ROWS_CMNG, 1, at.sec_tag, at.type);
}

void rows_line_gone(struct job *job, struct span line)
{
    struct cmng_row row;
    if (!check_parse_row(line, &row)) {
        job->is_odd = true;
        return;
    }
    job->entries[job->entry].is_present = true;
}

enum row_next rows_end_gone(struct job *job)
{
    struct job_entry *e = &job->entries[job->entry];
    if (job->is_odd || e->is_present) {
        e->is_present = false;
        return ROW_ODD;
    }
    e->was_absent = true;
    return rows_jump(job, PLAN_DELETE_ENTRY); /* the next one, if there is one */
}

/* ---- what is written ---- */

static bool pick(struct job *job, enum cred_type type, bool from_bundle)
{
    for (uint32_t i = 0; i < job->msg.n_entries; i++) {
        const struct ledger_entry *e = &job->msg.entries[i];
        if (e->type == type && e->from_bundle == from_bundle && rows_is_to_write(job, i)) {
            assert(!from_bundle || job->is_exposed);
            assert(!job->msg.product->signs_commands || job->owner_is_proven);
            job->entry = (uint8_t)i;
            return true;
        }
    }
    return false;
}

bool rows_if_shared_ca(struct job *job)
{
    return pick(job, CRED_CA, false);
}

bool rows_if_bundle_ca(struct job *job)
{
    return pick(job, CRED_CA, true);
}

bool rows_if_client_cert(struct job *job)
{
    return pick(job, CRED_CLIENT_CERT, false) || pick(job, CRED_CLIENT_CERT, true);
}

bool rows_if_psk_identity(struct job *job)
{
    return pick(job, CRED_PSK_IDENTITY, false) || pick(job, CRED_PSK_IDENTITY, true);
}

bool rows_if_psk(struct job *job)
{
    return pick(job, CRED_PSK, false) || pick(job, CRED_PSK, true);
}

bool rows_if_private_key(struct job *job)
{
    return pick(job, CRED_PRIVATE_KEY, false) || pick(job, CRED_PRIVATE_KEY, true);
}

bool rows_has_more_to_write(const struct job *job)
{
    for (uint32_t i = 0; i < job->msg.n_entries; i++) {
        if (i != job->entry && rows_is_to_write(job, i)) {
            return true;
        }
    }
    return false;
}

/* The write of an entry, up to its content: `AT%CMNG=0,16842753,1,"`. */
static void add_write(const struct job *job, uint32_t entry, struct buf *b)
{
    const struct ledger_entry *e = &job->msg.entries[entry];
    buf_add_str(b, "AT");
    rows_add_command(b, change_name(job), 0, e->sec_tag, e->type);
    buf_add_str(b, ",\"");
}

bool rows_fits_line(const struct job *job, uint32_t entry)
{
    char memory[JOB_HEAD_SIZE];
    struct buf b;
    buf_init(&b, memory, sizeof(memory));
    add_write(job, entry, &b);
    size_t len = buf_span(&b).len + check_content(job, entry).len + strlen("\"");
    len += job->msg.product->signs_commands ? SIGNED_EXTRA : 0;
    return len <= AT_LINE_MAX;
}

void rows_send_write(struct job *job, struct chat_command *command)
{
    struct job_entry *e = &job->entries[job->entry];
    struct buf b;
    buf_init(&b, job->head, sizeof(job->head));
    add_write(job, job->entry, &b);
    command->head = buf_span(&b);
    command->content = check_content(job, job->entry);
    command->tail = span_str("\"");
    rows_sign(job, command);
    command->escapes_crlf = job->front == CONTACT_FRONT_SHELL;
    e->writes++;
    e->is_right = false;
    job->written++;
    job->is_dirty = job->wrote_anything = true;
}

enum row_next rows_end_write(struct job *job)
{
    job->native_took = job->msg.product->native_tls;
    job->entries[job->entry].is_right = true; /* so said the modem; the list will judge */
    return ROW_SAME;
}

/* ---- a refusal without a reason ---- */

/* In this job, or in one before it whose work is still there. */
static bool has_taken_native(const struct job *job)
{
    bool has = job->native_took;
    for (uint32_t i = 0; i < job->msg.n_entries; i++) {
        has = has || job->entries[i].is_right;
    }
    return has;
}

void rows_end_native_refused(struct job *job)
{
    char memory[VERDICT_DETAIL_SIZE];
    struct buf b;
    buf_init(&b, memory, sizeof(memory));
    buf_add_str(&b, plan_row((enum plan_row)job->row)->name);
    buf_add_str(&b, ": AT#XCMNG: ERROR");
    if (job->warned_mv > 0 && job->warned_mv < SUPPLY_MIN_MV) {
        buf_add_str(&b, ", supply ");
        buf_add_u64(&b, job->warned_mv);
        buf_add_str(&b, " mV");
        job_end(job, OUTCOME_FAIL, FAULT_FIXTURE, REASON_supply_low, memory);
    } else if (!has_taken_native(job)) {
        buf_add_str(&b, ": it takes Serial LTE Modem built with native TLS, with room in the modem's memory");
        job_end(job, OUTCOME_FAIL, FAULT_BOARD, REASON_wrong_front_end, memory);
    } else {
        buf_add_str(&b, ", which gives no reason; others were taken, so the modem's memory may be full");
        job_end(job, OUTCOME_FAIL, FAULT_BOARD, REASON_memory_full, memory);
    }
}
