/*
 * Rows "claim" to "decide": what the board is to hold, how that differs from what it lists, and whether the
 * difference may be written. Nothing is sent from here; every verdict about an entry's content is found here.
 *
 * The second write of an entry is the last, so what was seen of the first two says whose doing it is: damage
 * that differs is loss on the link, damage that stays the same is the board's or has a name.
 */
#include "job/rows.h"

#include "base/buf.h"
#include "job/check.h"

/* ---- what it is to hold ---- */

bool rows_if_not_claimed(struct job *job)
{
    return !job->is_claimed;
}

enum row_next rows_end_claim(struct job *job)
{
    job->is_claimed = true;
    if (rows_key_entry(job) >= 0) {
        check_entries(job); /* the key is decided on before digests are known */
    }
    return ROW_NEXT;
}

bool rows_if_not_digested(struct job *job)
{
    return !job->is_digested;
}

static bool exceeds_native_room(const struct job *job)
{
    for (uint32_t i = 0; i < job->msg.n_entries; i++) {
        size_t need = 0;
        for (uint32_t k = 0; k < job->msg.n_entries; k++) {
            const struct ledger_entry *e = &job->msg.entries[k];
            bool is_same_tag = e->sec_tag == job->msg.entries[i].sec_tag;
            need += is_same_tag ? place_native_need(e->type, check_content(job, k).len) : 0;
        }
        if (need > PLACE_NATIVE_ROOM) {
            return true;
        }
    }
    return false;
}

enum row_next rows_end_digest(struct job *job)
{
    job->is_digested = true;
    for (uint32_t i = 0; i < job->msg.n_entries; i++) {
        const struct ledger_entry *e = &job->msg.entries[i];
        struct span content = check_content(job, i);
        if (cred_type_is_secret(e->type)) {
            dialogue_add_secret(&job->dialogue, content);
        }
        bool fits_frames = job->has_transfer && content.len <= FRAMES_CONTENT_MAX;
        if (!fits_frames && !rows_fits_line(job, i)) {
            return rows_end_for_entry(
                job, i, FAULT_CREDENTIAL, REASON_too_long,
                "the whole command is longer than the 4,095 characters that the AT host takes");
        }
    }
    if (job->msg.product->native_tls && exceeds_native_room(job)) {
        return job_end(job, OUTCOME_FAIL, FAULT_CREDENTIAL, REASON_too_long,
                       "native TLS loads at most 4,096 octets of one tag, and these are more together");
    }
    check_entries(job);
    return ROW_NEXT;
}

/* ---- what differs ---- */

/* A digest that is neither expected nor explained yet. */
bool rows_if_unexplained(struct job *job)
{
    for (uint32_t i = 0; i < job->msg.n_entries; i++) {
        const struct job_entry *e = &job->entries[i];
        bool has_content = !ledger_entry_is_bare(&job->msg.entries[i]);
        if (has_content && !e->is_right && e->is_present && e->has_digest && !e->is_explained) {
            job->entry = (uint8_t)i;
            return true;
        }
    }
    return false;
}

enum row_next rows_end_explain(struct job *job)
{
    struct job_entry *e = &job->entries[job->msg.explain_entry];
    e->is_explained = true;
    e->mangling = job->msg.explain_mangling;
    check_entries(job);
    return ROW_SAME;
}

void rows_note_damage(struct job *job)
{
    job->damaged++;
    job->is_chunked = true;
    /* The question who it is may have been damaged as well: our own firmware loses nothing. */
    job->has_asked = false;
}

/* ---- written twice and still not right ---- */

/* Where commands are known to be cut: AT host samples of 2019, bridges before sdk-nrf #8651. */
static const struct {
    size_t octets;
    const char *text;
} known_cuts[] = {
    {1792, "1,792 is what AT hosts of 2019 keep"},
    {2048, "2,048 is what old bridges pass"},
};

static void add_known_cuts(const struct job *job, struct buf *b)
{
    const char *before = "; ";
    for (size_t i = 0; i < sizeof(known_cuts) / sizeof(known_cuts[0]); i++) {
        if (job->longest_done <= known_cuts[i].octets && known_cuts[i].octets < job->shortest_hung) {
            buf_add_str(b, before);
            buf_add_str(b, known_cuts[i].text);
            before = ", ";
        }
    }
}

/* What was seen of lengths: "commands of up to 1214 octets were answered, one of 1260 never": a buffer or an
 * old bridge cuts there. */
static enum row_next end_wedged(struct job *job, uint32_t i)
{
    char memory[VERDICT_DETAIL_SIZE];
    struct buf b;
    buf_init(&b, memory, sizeof(memory));
    buf_add_str(&b, "written twice, never answered; commands of up to ");
    buf_add_u64(&b, job->longest_done);
    buf_add_str(&b, " octets were answered, one of ");
    buf_add_u64(&b, job->shortest_hung);
    buf_add_str(&b, " was not");
    add_known_cuts(job, &b);
    return rows_end_for_entry(job, i, FAULT_FIXTURE, REASON_line_wedged, memory);
}

/* Twice written and still not right: what was seen says whose doing it is. */
static enum row_next end_by_evidence(struct job *job, uint32_t i)
{
    const struct job_entry *e = &job->entries[i];
    if (e->timeouts >= ROWS_WRITES_MAX) {
        return end_wedged(job, i);
    }
    if (!e->is_present && job->msg.product->native_tls && job->native_took) {
        return rows_end_for_entry(
            job, i, FAULT_BOARD, REASON_wrong_front_end,
            "AT#XCMNG said OK twice and the modem lists nothing: builds since 2024 keep "
            "it elsewhere, where nothing proves it");
    }
    if (!e->is_present) {
        bool was_lost = e->timeouts > 0 || e->refusals > 0;
        return rows_end_for_entry(job, i, was_lost ? FAULT_FIXTURE : FAULT_BOARD,
                                  was_lost ? REASON_bytes_lost : REASON_digest_mismatch,
                                  was_lost ? "written twice, damaged on the way each time"
                                           : "the modem said OK twice and lists no such entry");
    }
    if (!e->is_explained || e->mangling == MANGLING_OTHER) {
        bool differs =
            e->timeouts > 0 || e->refusals > 0 || (e->has_wrong && !digest_eq(&e->wrong, &e->seen));
        return rows_end_for_entry(job, i, differs ? FAULT_FIXTURE : FAULT_BOARD,
                                  differs ? REASON_bytes_lost : REASON_digest_mismatch,
                                  differs ? "written twice, arrived damaged in different ways"
                                          : "the modem holds other content, the same after a second write");
    }
    return rows_end_for_entry(job, i, FAULT_FIXTURE,
                              e->mangling == MANGLING_CUT ? REASON_bytes_lost : REASON_digest_mismatch,
                              mangling_sentence(e->mangling));
}

/* ---- may it be written ---- */

/* Written and not right: was it loss, or was it changed in a way that has a name? */
static void learn_from_write(struct job *job, uint32_t i)
{
    struct job_entry *e = &job->entries[i];
    bool is_named =
        e->is_present && e->is_explained && e->mangling != MANGLING_OTHER && e->mangling != MANGLING_CUT;
    if (!is_named && e->refusals == 0) { /* a refusal was noted when it came */
        rows_note_damage(job);
    }
    if (e->is_present && e->has_digest) {
        e->wrong = e->seen;
        e->has_wrong = true;
    }
}

/* May this entry be written? ROW_NEXT, or the verdict. */
static enum row_next decide_entry(struct job *job, uint32_t i)
{
    const struct product *p = job->msg.product;
    struct job_entry *e = &job->entries[i];
    if (e->is_right) {
        return ROW_NEXT;
    }
    if (job->msg.entries[i].is_made_on_board) {
        return rows_decide_key(job);
    }
    if (rows_is_compared(job)) {
        return rows_end_for_entry(job, i, FAULT_BOARD, REASON_digest_mismatch,
                                  "this board passed before and no longer holds what it was given");
    }
    if (job->msg.entries[i].is_erased) {
        return rows_end_for_entry(
            job, i, FAULT_BOARD, REASON_digest_mismatch,
            "the station erased it when a board passed with it: only another bundle helps");
    }
    if (e->is_present && !e->has_digest && p->proof == PROOF_DIGEST) {
        return job_end(job, OUTCOME_FAIL, FAULT_BOARD, REASON_firmware_not_allowed,
                       "the modem lists a placeholder where the digest belongs");
    }
    if (e->writes >= ROWS_WRITES_MAX) {
        return end_by_evidence(job, i);
    }
    bool is_ours = e->writes > 0 || job->msg.bundle_state != BUNDLE_BOUND;
    if (e->is_present && !is_ours && p->on_existing != EXISTING_REPLACE) {
        return rows_end_for_entry(job, i, FAULT_BOARD, REASON_foreign_entry, "other content stands there");
    }
    if (e->writes > 0) {
        learn_from_write(job, i);
    }
    return ROW_NEXT;
}

static enum row_next decide_strays(struct job *job)
{
    for (int at = check_next_stray(job, 0); at >= 0; at = check_next_stray(job, (uint32_t)at + 1)) {
        const struct cmng_row *row = &job->msg.rows[at];
        if (check_is_misdirected(job, row)) {
            continue; /* our own doing, to be undone whatever the product says of others' entries */
        }
        struct place origin;
        if (check_origin(job, row, &origin) && origin.type == CRED_PRIVATE_KEY) {
            return job_end(job, OUTCOME_FAIL, FAULT_BOARD, REASON_foreign_key,
                           "a private key that no product of this station put there");
        }
        if (job->msg.product->on_existing != EXISTING_REPLACE || rows_is_compared(job)) {
            return job_end(job, OUTCOME_FAIL, FAULT_BOARD, REASON_foreign_entry,
                           "an entry stands under the product's tag that is none of the product's");
        }
    }
    return ROW_NEXT;
}

enum row_next rows_end_decide(struct job *job)
{
    job->is_authorized = false;
    for (uint32_t i = 0; i < job->msg.n_entries; i++) {
        enum row_next next = decide_entry(job, i);
        if (next != ROW_NEXT) {
            return next;
        }
    }
    return decide_strays(job);
}
