/* clang-format off: the table is one
 *
 * Rows for a key that the board makes itself. The station can neither read nor write such a key, so all that it
 * knows of it hangs on two things: the intent on record, and the digest by which the modem lists it.
 *
 *   record      key in the list           what is done
 *   none        none                      intend, make
 *               some                      FAIL foreign_key: nobody knows whose it is, so it is never deleted
 *   intended    none                      make
 *               some, its answer is here  check it, sign, issue
 *               some, no answer           ours, and no certificate will ever be for it: delete, see it gone, make
 *   issued      the digest on record      the certificate is written, the same one however often
 *               none                      the board lost it: intend, make, and another certificate is issued.
 *                                         A board that passed before is only compared, and fails
 *               another                   FAIL foreign_key; but what a damaged command of ours wrote there is
 *                                         deleted in the next job, which goes on as if there were none
 *
 * The functions that take a message's answer move nowhere: the board may have restarted meanwhile, and the job be
 * in another row.
 *
 * A key is made at most twice in a job. What the list says against expectation is read twice before it counts.
 *
 * clang-format on */
#include <assert.h>
#include <string.h>

#include "at/reply.h"
#include "base/buf.h"
#include "job/check.h"
#include "job/family.h"
#include "job/rows.h"

#define POSSESS_TRIES 2
#define ATTEST_TRIES  2
#define UUID_TRIES    4
#define DELETIONS_MAX 4

int rows_key_entry(const struct job *job)
{
    for (uint32_t i = 0; i < job->msg.n_entries; i++) {
        if (job->msg.entries[i].is_made_on_board) {
            return (int)i;
        }
    }
    return -1;
}

static struct job_entry *key_of(struct job *job)
{
    int i = rows_key_entry(job);
    assert(i >= 0);
    return &job->entries[i];
}

static const struct ledger_entry *wanted_key(const struct job *job)
{
    return &job->msg.entries[rows_key_entry(job)];
}

static enum keygen_state state_of(const struct job *job)
{
    return job->msg.keygen.state;
}

/* The key that stands there is the one on record. */
static bool is_on_record(struct job *job)
{
    const struct job_entry *key = key_of(job);
    return state_of(job) == KEYGEN_ISSUED && key->is_present && key->has_digest &&
           digest_eq(&key->seen, &wanted_key(job)->expected);
}

/* ---- choosing ---- */

bool rows_if_key(struct job *job)
{
    return rows_key_entry(job) >= 0;
}

bool rows_if_key_orphan(struct job *job)
{
    if (!rows_if_key(job) || !key_of(job)->is_present) {
        return false;
    }
    return job->key_is_spoilt || (state_of(job) == KEYGEN_INTENDED && !job->key_has_reply);
}

bool rows_if_key_deleted(struct job *job)
{
    return rows_if_key(job) && job->key_was_deleted;
}

static bool is_needed(struct job *job)
{
    return rows_if_key(job) && !key_of(job)->is_present && !job->key_is_issued;
}

bool rows_if_to_intend(struct job *job)
{
    return is_needed(job) && !job->key_is_intended;
}

bool rows_if_to_make_key(struct job *job)
{
    return is_needed(job) && job->key_is_intended && key_of(job)->writes < ROWS_WRITES_MAX;
}

bool rows_if_key_unlisted(struct job *job)
{
    return rows_if_key(job) && job->key_is_unlisted;
}

bool rows_if_key_made(struct job *job)
{
    return rows_if_key(job) && job->key_has_reply && !job->key_is_issued;
}

bool rows_if_key_uuid(struct job *job)
{
    return rows_if_key_made(job) && family_traits((enum modem_family)job->family)->has_device_uuid &&
           !job->uuid_is_sure && job->uuid_tries < UUID_TRIES;
}

bool rows_if_to_possess(struct job *job)
{
    return rows_if_key(job) && job->msg.product->possession && !job->has_possession;
}

/* ---- sending ---- */

void rows_send_list_key(struct job *job, struct chat_command *command)
{
    rows_head_entry(job, (uint32_t)rows_key_entry(job), 1, command);
}

void rows_send_delete_key(struct job *job, struct chat_command *command)
{
    rows_head_entry(job, (uint32_t)rows_key_entry(job), 3, command);
    job->is_dirty = job->wrote_anything = true;
}

void rows_send_keygen(struct job *job, struct chat_command *command)
{
    struct buf b;
    buf_init(&b, job->head, sizeof(job->head));
    buf_add_str(&b, "AT%KEYGEN=");
    buf_add_u64(&b, wanted_key(job)->sec_tag);
    buf_add_str(&b, ",2,0");
    if (job->msg.product->attributes[0] != '\0') {
        buf_add_str(&b, ",\"");
        buf_add_str(&b, job->msg.product->attributes);
        buf_add_str(&b, "\"");
    }
    command->head = buf_span(&b);
    key_of(job)->writes++;
    job->msg.keygen.reply_len = 0;
    job->key_has_reply = false;
    job->key_has_listing = false;
    job->key_is_unlisted = true;
    job->written++;
    job->is_dirty = job->wrote_anything = true;
}

void rows_send_jwt(struct job *job, struct chat_command *command)
{
    struct buf b;
    buf_init(&b, job->head, sizeof(job->head));
    buf_add_str(&b, "AT%JWT=0,0,\"\",\"");
    buf_add_str(&b, job->msg.keygen.nonce);
    buf_add_str(&b, "\",");
    buf_add_u64(&b, wanted_key(job)->sec_tag);
    buf_add_str(&b, ",2");
    command->head = buf_span(&b);
    job->msg.keygen.reply_len = 0;
}

/* A modem that says no has made nothing. */
void rows_key_refused(struct job *job)
{
    key_of(job)->writes--;
    job->key_is_unlisted = false;
}

/* ---- reading ---- */

void rows_line_key(struct job *job, struct span line)
{
    struct cmng_row row;
    const struct ledger_entry *wanted = wanted_key(job);
    if (!check_parse_row(line, &row) || row.sec_tag != wanted->sec_tag ||
        row.type != (uint32_t)wanted->type) {
        job->is_odd = true;
        return;
    }
    struct job_entry *key = key_of(job);
    key->is_present = true;
    key->has_digest = row.has_digest && !check_is_placeholder(&row);
    key->seen = row.sha256;
}

static bool keep_reply(struct job *job, struct span text)
{
    struct ledger_keygen *keygen = &job->msg.keygen;
    bool fits = text.len > 0 && text.len <= sizeof(keygen->reply);
    if (fits) {
        memcpy(keygen->reply, text.at, text.len);
        keygen->reply_len = (uint32_t)text.len;
    }
    return fits;
}

/* What cannot be read is as good as lost: the request's own digest will tell, or that there is none. */
void rows_line_keygen(struct job *job, struct span line)
{
    struct cursor c = cursor_begin(line, "%KEYGEN:");
    struct span reply = {0};
    if (cursor_string(&c, &reply) && cursor_end(&c)) {
        job->key_has_reply = keep_reply(job, reply);
    }
}

void rows_line_key_uuid(struct job *job, struct span line)
{
    char before[UUID_SIZE];
    memcpy(before, job->msg.uuid, sizeof(before));
    job->msg.uuid[0] = '\0';
    rows_line_uuid(job, line);
    job->uuid_is_sure = memcmp(before, job->msg.uuid, sizeof(before)) == 0;
}

/* Modems have been seen to write it with quotes and are documented without. */
void rows_line_jwt(struct job *job, struct span line)
{
    struct cursor quoted = cursor_begin(line, "%JWT:"), bare = quoted;
    struct span token = {0};
    bool is_read = (cursor_string(&quoted, &token) && cursor_end(&quoted)) ||
                   (cursor_word(&bare, &token) && cursor_end(&bare));
    job->is_odd = job->is_odd || !is_read || !keep_reply(job, token);
}

/* ---- judging ---- */

static enum row_next end_key(struct job *job, enum reason reason, const char *what)
{
    return rows_end_for_entry(job, (uint32_t)rows_key_entry(job), FAULT_BOARD, reason, what);
}

/* One odd reply is read twice before it is believed. */
static enum row_next end_if_sure(struct job *job, enum reason reason, const char *what)
{
    if (job->key_is_sure) {
        return end_key(job, reason, what);
    }
    job->key_is_sure = true;
    return rows_jump(job, PLAN_OFFLINE);
}

/* Made as often as a job may, and still nothing that a certificate could be issued for. */
static enum row_next end_spent(struct job *job)
{
    if (job->key_why[0] != '\0') {
        return end_key(job, REASON_csr_invalid, job->key_why);
    }
    return end_key(job, REASON_keygen_failed,
                   key_of(job)->is_present ? "a key was made twice, and its request never came"
                                           : "the modem was asked twice and lists no key");
}

static enum row_next decide_issued(struct job *job)
{
    const struct job_entry *key = key_of(job);
    if (is_on_record(job)) {
        return ROW_NEXT;
    }
    if (key->is_present && !job->key_is_sure) {
        job->key_is_sure = true;
        return rows_jump(job, PLAN_OFFLINE);
    }
    if (key->is_present) {
        return ROW_NEXT; /* rows_decide_key decides once digests are known */
    }
    if (job->key_is_issued || rows_is_compared(job)) {
        return end_if_sure(job, REASON_digest_mismatch, "the board no longer has the key of its certificate");
    }
    return ROW_NEXT;
}

enum row_next rows_end_key_decide(struct job *job)
{
    const struct job_entry *key = key_of(job);
    switch (state_of(job)) {
    case KEYGEN_NONE:
        return key->is_present ? end_if_sure(job, REASON_foreign_key, "a key of unknown origin stands there")
                               : ROW_NEXT;
    case KEYGEN_INTENDED: {
        if (rows_if_key_orphan(job) && job->key_deletions >= DELETIONS_MAX) {
            return end_key(job, REASON_entry_protected,
                           "the modem said that it was deleted, and lists it again");
        }
        bool is_spent = key->writes >= ROWS_WRITES_MAX && !(key->is_present && job->key_has_reply);
        return is_spent ? end_spent(job) : ROW_NEXT;
    }
    case KEYGEN_ISSUED:
        break;
    }
    return job->key_is_spoilt ? ROW_NEXT : decide_issued(job);
}

/* The whole list is read before and after; in between it follows what the lists of this one entry say. */
static void note_in_list(struct job *job)
{
    struct ledger_msg *msg = &job->msg;
    const struct ledger_entry *wanted = wanted_key(job);
    const struct job_entry *key = key_of(job);
    for (uint32_t i = 0; i < msg->n_rows; i++) {
        if (msg->rows[i].sec_tag == wanted->sec_tag && msg->rows[i].type == (uint32_t)wanted->type) {
            msg->rows[i--] = msg->rows[--msg->n_rows]; /* order says nothing in a list */
        }
    }
    if (key->is_present && msg->n_rows < LEDGER_ROWS_MAX) {
        msg->rows[msg->n_rows++] = (struct cmng_row){.sec_tag = wanted->sec_tag,
                                                     .type = wanted->type,
                                                     .has_digest = key->has_digest,
                                                     .sha256 = key->seen};
    }
}

/* The content of another entry: a command whose type was damaged on the way wrote it over the key. */
static bool is_own_content(struct job *job)
{
    const struct job_entry *key = key_of(job);
    for (uint32_t i = 0; i < job->msg.n_entries; i++) {
        const struct ledger_entry *e = &job->msg.entries[i];
        if (!e->is_made_on_board && key->is_present && key->has_digest &&
            digest_eq(&key->seen, &e->expected)) {
            return true;
        }
    }
    return false;
}

enum row_next rows_decide_key(struct job *job)
{
    if (!key_of(job)->is_present) {
        return end_key(job, REASON_digest_mismatch, "the board no longer has the key of its certificate");
    }
    if (!is_own_content(job)) {
        return end_key(job, REASON_foreign_key,
                       "another key stands there than the one for which the certificate was issued");
    }
    if (job->key_is_issued || rows_is_compared(job)) { /* a second certificate in one job: no */
        return rows_end_for_entry(job, (uint32_t)rows_key_entry(job), FAULT_FIXTURE, REASON_bytes_lost,
                                  "a command damaged on its way has written over it");
    }
    job->key_is_spoilt = true;
    return rows_jump(job, PLAN_KEY_DECIDE);
}

enum row_next rows_end_delete_key(struct job *job)
{
    key_of(job)->is_present = false;
    job->key_was_deleted = true;
    job->key_deletions++;
    return ROW_NEXT;
}

enum row_next rows_end_key_gone(struct job *job)
{
    struct job_entry *key = key_of(job);
    if (job->is_odd) {
        key->is_present = false;
        return ROW_ODD;
    }
    job->key_was_deleted = false;
    note_in_list(job);
    if (key->is_present) {
        return rows_jump(job, PLAN_KEY_DECIDE);
    }
    job->key_is_spoilt = false;
    return ROW_NEXT;
}

enum row_next rows_end_key_absent(struct job *job)
{
    if (job->is_odd) {
        return ROW_ODD;
    }
    if (key_of(job)->is_present) {
        note_in_list(job);
        return rows_jump(job, PLAN_KEY_DECIDE);
    }
    return ROW_NEXT;
}

enum row_next rows_end_intend(struct job *job)
{
    job->key_is_intended = true;
    return ROW_NEXT;
}

/* The digest goes on record as that of the key for which a certificate is issued, and nothing else tells
 * whether it is true: it counts once two readings in a row are equal. */
static enum row_next end_key_listed(struct job *job)
{
    const struct digest *seen = &key_of(job)->seen;
    bool is_first = !job->key_has_listing;
    bool is_sure = !is_first && digest_eq(seen, &job->key_listing);
    job->key_listing = *seen;
    job->key_has_listing = true;
    job->key_is_unlisted = !is_sure;
    if (is_sure) {
        return ROW_NEXT;
    }
    return is_first ? ROW_SAME : ROW_ODD;
}

/* After the list the table above knows what to do; with a key and its answer that is to go on. */
enum row_next rows_end_key_seen(struct job *job)
{
    if (job->is_odd) {
        return ROW_ODD;
    }
    job->key_is_unlisted = false;
    if (job->lines_seen == 0 && !job->key_is_missing) {
        job->key_is_missing = true; /* the command may have been damaged into one for another tag */
        job->key_is_unlisted = true;
        return ROW_SAME;
    }
    job->key_is_missing = false;
    key_of(job)->is_present = job->lines_seen > 0;
    note_in_list(job);
    if (key_of(job)->is_present && key_of(job)->has_digest && job->key_has_reply) {
        return end_key_listed(job);
    }
    job->key_has_reply = false;
    return rows_jump(job, PLAN_KEY_DECIDE);
}

enum row_next rows_end_key_uuid(struct job *job)
{
    return job->uuid_is_sure || ++job->uuid_tries >= UUID_TRIES ? ROW_NEXT : ROW_SAME;
}

enum row_next rows_end_csr(struct job *job)
{
    if (job->msg.keygen.is_good) {
        return ROW_NEXT;
    }
    memcpy(job->key_why, job->msg.detail, sizeof(job->key_why));
    job->key_has_reply = false; /* so no row behind this one runs until key_ready */
    return ROW_NEXT;
}

enum row_next rows_end_issue(struct job *job)
{
    job->key_is_issued = true;
    job->is_digested = false; /* there is a certificate now */
    return ROW_NEXT;
}

enum row_next rows_end_key_ready(struct job *job)
{
    bool is_another = state_of(job) == KEYGEN_ISSUED && key_of(job)->is_present && !job->key_is_spoilt;
    if (is_on_record(job) || is_another) {
        return ROW_NEXT;
    }
    return rows_jump(job, PLAN_KEY_DECIDE);
}

/* ---- possession ---- */

enum row_next rows_end_jwt(struct job *job)
{
    return job->is_odd || job->msg.keygen.reply_len == 0 ? ROW_ODD : ROW_NEXT;
}

enum row_next rows_end_possessed(struct job *job)
{
    if (job->msg.keygen.is_good) {
        job->has_possession = true;
        return ROW_NEXT;
    }
    if (++job->possess_tries < POSSESS_TRIES) { /* an octet may have been lost: the judge asks once more */
        return ROW_NEXT;
    }
    return end_key(job, REASON_possession_failed, job->msg.detail);
}

/* ---- attestation ---- */

/* Asked for at most twice, and a board that gives none is none the worse. */
bool rows_if_to_attest(struct job *job)
{
    return job->msg.product->attestation && job->msg.token_len == 0 && job->attest_tries < ATTEST_TRIES &&
           family_traits((enum modem_family)job->family)->has_device_uuid;
}

bool rows_if_attested(struct job *job)
{
    return job->msg.product->attestation && job->msg.token_len == 0 && job->has_token;
}

void rows_line_attest(struct job *job, struct span line)
{
    struct cursor c = cursor_begin(line, "%ATTESTTOKEN:");
    struct span token = {0};
    job->has_token = cursor_string(&c, &token) && cursor_end(&c) && keep_reply(job, token);
}

enum row_next rows_end_attest(struct job *job)
{
    job->attest_tries++;
    return ROW_NEXT;
}

enum row_next rows_end_attested(struct job *job)
{
    job->has_token = false;
    return ROW_NEXT;
}
