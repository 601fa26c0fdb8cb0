/*
 * Rows "found" to "list_tag", "prove" and "prove_tag": how the board stands, that it goes offline, and what
 * it lists, before anything is written and after.
 *
 * Both readings are the same code on purpose: what proves a job must have been read as what it is compared
 * with. A list whose lines cannot all be read is no list, and is asked for again.
 */
#include "job/rows.h"

#include <string.h>

#include "at/reply.h"
#include "job/check.h"

#define LIST_READS_MAX 4

/* ---- before the list ---- */

bool rows_if_as_found(struct job *job)
{
    return job->msg.product->leave == LEAVE_AS_FOUND && job->cfun_found < 0;
}

void rows_line_found(struct job *job, struct span line)
{
    struct cursor c = cursor_begin(line, "+CFUN:");
    uint32_t mode = 0;
    if (cursor_u32(&c, &mode) && cursor_end(&c) && mode <= 44) {
        job->cfun_found = (int8_t)mode;
    }
}

bool rows_if_power_warned(struct job *job)
{
    return job->is_power_warned;
}

/* What it was when the modem refused; kept apart from the first reading, which may be under way in a message.
 */
void rows_line_supply_again(struct job *job, struct span line)
{
    struct cursor c = cursor_begin(line, "%XVBAT:");
    uint32_t mv = 0;
    if (cursor_u32(&c, &mv) && cursor_end(&c)) {
        job->warned_mv = mv;
    }
}

enum row_next rows_end_power(struct job *job)
{
    job->is_power_warned = false;
    return ROW_NEXT;
}

enum row_next rows_end_offline(struct job *job)
{
    job->is_offline = true;
    job->list_tag = 0;
    return ROW_NEXT;
}

/* ---- which list ---- */

bool rows_if_whole_list(struct job *job)
{
    return !job->lists_by_tag;
}

bool rows_if_prove_whole(struct job *job)
{
    return job->is_dirty && !job->lists_by_tag;
}

/* The n-th different tag of the product's entries, or -1. Before the claim the entries are the product's own.
 */
static int64_t nth_tag(const struct job *job, uint32_t n)
{
    const struct product *p = job->msg.product;
    for (uint32_t i = 0; i < p->n_entries; i++) {
        bool is_first = true;
        for (uint32_t k = 0; k < i; k++) {
            is_first = is_first && p->entries[k].sec_tag != p->entries[i].sec_tag;
        }
        if (is_first && n-- == 0) {
            return p->entries[i].sec_tag;
        }
    }
    return -1;
}

/* What the n-th list is asked for, where the whole one is too long; a tag of -1: there are no more. With
 * native TLS each type of a tag has a tag of its own in the modem. */
struct nth_list {
    int64_t sec_tag;
    struct place place;
};

static struct nth_list nth_list(const struct job *job, uint32_t n)
{
    const struct product *p = job->msg.product;
    struct nth_list list = {.sec_tag = nth_tag(job, p->native_tls ? n / CRED_TYPES : n)};
    if (list.sec_tag >= 0) {
        list.place = place_of(p, (uint32_t)list.sec_tag, n % CRED_TYPES);
    }
    return list;
}

bool rows_if_list_by_tag(struct job *job)
{
    return job->lists_by_tag && nth_list(job, job->list_tag).sec_tag >= 0;
}

bool rows_if_prove_by_tag(struct job *job)
{
    return job->is_dirty && rows_if_list_by_tag(job);
}

void rows_send_list_tag(struct job *job, struct chat_command *command)
{
    struct nth_list list = nth_list(job, job->list_tag);
    if (job->msg.product->native_tls) {
        rows_head(job, command, ROWS_CMNG, 1, list.place.sec_tag, list.place.type);
    } else {
        rows_head(job, command, ROWS_CMNG, 1, (uint32_t)list.sec_tag, ROWS_ANY_TYPE);
    }
}

/* ---- reading it ---- */

void rows_line_list(struct job *job, struct span line)
{
    struct cmng_row row;
    bool starts_list = job->lines_seen == 1 && (!job->lists_by_tag || job->list_tag == 0);
    if (starts_list) {
        job->msg.n_rows = 0;
    }
    if (!check_parse_row(line, &row) || job->msg.n_rows == LEDGER_ROWS_MAX) {
        job->is_odd = true;
        return;
    }
    job->msg.rows[job->msg.n_rows++] = row;
}

/* What is found is believed at once when it is what most boards hold: our entries, or nothing. Other rows may
 * be real or one octet of an answer gone wrong, and they decide what must be there in the end: they are read
 * twice, alike. */
static enum row_next take_first_list(struct job *job)
{
    bool is_same = check_same_rows(job->before, job->n_before, job->msg.rows, job->msg.n_rows);
    job->n_before = job->msg.n_rows;
    memcpy(job->before, job->msg.rows, job->msg.n_rows * sizeof(job->before[0]));
    job->has_before =
        check_is_plain(job) || (job->lists_read > 0 && is_same) || job->lists_read >= LIST_READS_MAX;
    job->lists_read++;
    return job->has_before ? ROW_NEXT : ROW_SAME;
}

static enum row_next take_list(struct job *job)
{
    if (!job->has_before && take_first_list(job) == ROW_SAME) {
        return ROW_SAME;
    }
    job->is_dirty = false;
    if (job->is_claimed) {
        check_entries(job);
    }
    return ROW_NEXT;
}

enum row_next rows_end_list(struct job *job)
{
    if (job->is_odd) {
        return ROW_ODD;
    }
    if (job->lines_seen == 0) {
        job->msg.n_rows = 0;
    }
    return take_list(job);
}

enum row_next rows_end_list_tag(struct job *job)
{
    if (job->is_odd) {
        job->list_tag = 0; /* the rows of this answer stand among the others': all of it again */
        return ROW_ODD;
    }
    if (job->lines_seen == 0 && job->list_tag == 0) {
        job->msg.n_rows = 0;
    }
    if (nth_list(job, ++job->list_tag).sec_tag >= 0) {
        return ROW_SAME;
    }
    job->list_tag = 0;
    return take_list(job);
}
