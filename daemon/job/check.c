/*
 * List judgements. The modem lists without blanks and in no order (at-commands 1.4); its own rows, with tags
 * above 2147483647, are never judged: they may come and go with the firmware.
 */
#include "job/check.h"

#include <string.h>

#include "at/reply.h"
#include "base/hex.h"
#include "job/family.h"
#include "job/place.h"

bool check_parse_row(struct span line, struct cmng_row *ret)
{
    struct cursor c = cursor_begin(line, "%CMNG:");
    struct cmng_row row = {0};
    cursor_u32(&c, &row.sec_tag);
    cursor_u32(&c, &row.type);
    if (cursor_has_more(&c)) {
        struct span sha = {0};
        if (!cursor_string(&c, &sha) || hex_decode(sha, row.sha256.octets, DIGEST_SIZE) != 0) {
            return false;
        }
        row.has_digest = true;
    }
    if (!cursor_end(&c) || row.type > 11) {
        return false;
    }
    *ret = row;
    return true;
}

bool check_is_placeholder(const struct cmng_row *row)
{
    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        if (row->sha256.octets[i] != row->type) {
            return false;
        }
    }
    return true;
}

bool check_imei(struct span digits)
{
    if (digits.len != 15) {
        return false;
    }
    int sum = 0;
    for (size_t i = 0; i < 15; i++) {
        int digit = digits.at[i] - '0';
        if (digit < 0 || digit > 9) {
            return false;
        }
        if (i % 2 == 1) { /* every second one from the right, the check digit not counted */
            digit = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
        }
        sum += digit;
    }
    return sum % 10 == 0;
}

const struct cmng_row *check_find(const struct cmng_row *rows, uint32_t n, uint32_t sec_tag, uint32_t type)
{
    for (uint32_t i = 0; i < n; i++) {
        if (rows[i].sec_tag == sec_tag && rows[i].type == type) {
            return &rows[i];
        }
    }
    return NULL;
}

/* The same PEM with other line ends: enough where the product says so. */
static bool is_same_content(enum mangling m)
{
    switch (m) {
    case MANGLING_NONE:
    case MANGLING_CRLF:
    case MANGLING_LF:
    case MANGLING_NO_FINAL:
    case MANGLING_FINAL_ADDED:
    case MANGLING_CRLF_NO_FINAL:
    case MANGLING_LF_NO_FINAL:
        return true;
    case MANGLING_CR:
    case MANGLING_LITERAL_N:
    case MANGLING_LEADING_BLANK:
    case MANGLING_NO_BREAKS:
    case MANGLING_CUT:
    case MANGLING_OTHER:
        return false;
    }
    return false;
}

static bool is_right(const struct job *job, uint32_t i)
{
    const struct job_entry *e = &job->entries[i];
    const struct product *product = job->msg.product;
    if (!e->is_present || !job->is_digested) {
        return false;
    }
    if (e->has_digest) {
        if (digest_eq(&e->seen, &job->msg.entries[i].expected)) {
            return true;
        }
        return product->equal == EQUAL_CONTENT && e->is_explained && is_same_content(e->mangling);
    }
    /* A placeholder says that something stands there. It is ours if it stood not there before we wrote; and a
     * board that passed before is compared only, which on such firmware can be no more than presence. */
    return product->proof == PROOF_PRESENCE && ((e->was_absent && e->writes > 0) || job->msg.passed_before);
}

static void take_row(struct job_entry *e, const struct cmng_row *row, bool lists_digests)
{
    bool has_digest = row->has_digest && lists_digests && !check_is_placeholder(row);
    if (e->is_present && e->has_digest && has_digest && !digest_eq(&e->seen, &row->sha256)) {
        e->is_explained = false;
    }
    if (!e->is_present || !has_digest) {
        e->is_explained = false;
    }
    e->is_present = true;
    e->has_digest = has_digest;
    e->seen = row->sha256;
}

void check_entries(struct job *job)
{
    bool lists_digests = family_traits((enum modem_family)job->family)->lists_digests;
    for (uint32_t i = 0; i < job->msg.n_entries; i++) {
        struct job_entry *e = &job->entries[i];
        const struct ledger_entry *wanted = &job->msg.entries[i];
        struct place at = place_of(job->msg.product, wanted->sec_tag, wanted->type);
        const struct cmng_row *row = check_find(job->msg.rows, job->msg.n_rows, at.sec_tag, at.type);
        if (row) {
            take_row(e, row, lists_digests);
        } else {
            e->is_present = e->has_digest = e->is_explained = false;
            e->was_absent = true;
        }
        e->is_right = is_right(job, i);
    }
}

static bool is_product_tag(const struct job *job, uint32_t sec_tag)
{
    for (uint32_t i = 0; i < job->msg.n_entries; i++) {
        if (job->msg.entries[i].sec_tag == sec_tag) {
            return true;
        }
    }
    return false;
}

static bool is_listed_at(const struct cmng_row *row, struct place at)
{
    return row->sec_tag == at.sec_tag && row->type == at.type;
}

static bool is_entry(const struct job *job, const struct cmng_row *row)
{
    for (uint32_t i = 0; i < job->msg.n_entries; i++) {
        const struct ledger_entry *e = &job->msg.entries[i];
        if (is_listed_at(row, place_of(job->msg.product, e->sec_tag, e->type))) {
            return true;
        }
    }
    return false;
}

bool check_origin(const struct job *job, const struct cmng_row *row, struct place *ret_origin)
{
    struct place listed = {.sec_tag = row->sec_tag, .type = row->type};
    return place_origin(job->msg.product, listed, ret_origin) && is_product_tag(job, ret_origin->sec_tag);
}

/* A write whose tag was damaged on the way: what stands there now stood not there before, and is what we sent
 * for one of our entries. Without digests the type has to do. */
static bool is_misdirected(const struct job *job, const struct cmng_row *row)
{
    bool lists_digests = family_traits((enum modem_family)job->family)->lists_digests;
    if (!job->wrote_anything || sec_tag_is_reserved(row->sec_tag) || is_entry(job, row) ||
        check_find(job->before, job->n_before, row->sec_tag, row->type)) {
        return false;
    }
    for (uint32_t i = 0; i < job->msg.n_entries; i++) {
        if (job->msg.entries[i]
                .is_made_on_board) { /* its digest is known to nobody before the list shows it */
            if (job->entries[i].writes > 0 && row->type == CRED_PRIVATE_KEY) {
                return true;
            }
            continue;
        }
        const struct ledger_entry *e = &job->msg.entries[i];
        bool is_same = lists_digests ? row->has_digest && digest_eq(&row->sha256, &e->expected)
                                     : row->type == place_of(job->msg.product, e->sec_tag, e->type).type;
        if (job->entries[i].writes > 0 && is_same) {
            return true;
        }
    }
    return false;
}

bool check_is_misdirected(const struct job *job, const struct cmng_row *row)
{
    return is_misdirected(job, row);
}

static bool is_stray(const struct job *job, const struct cmng_row *row)
{
    struct place origin;
    bool is_under_product =
        check_origin(job, row, &origin) && origin.type < CRED_TYPES && !is_entry(job, row);
    return is_under_product || is_misdirected(job, row);
}

int check_next_stray(const struct job *job, uint32_t from)
{
    for (uint32_t i = from; i < job->msg.n_rows; i++) {
        if (is_stray(job, &job->msg.rows[i])) {
            return (int)i;
        }
    }
    return -1;
}

static bool is_foreign(const struct job *job, const struct cmng_row *row)
{
    return !sec_tag_is_reserved(row->sec_tag) && !is_entry(job, row) && !is_stray(job, row);
}

bool check_is_plain(const struct job *job)
{
    for (uint32_t i = 0; i < job->msg.n_rows; i++) {
        const struct cmng_row *row = &job->msg.rows[i];
        bool is_products = false;
        for (uint32_t k = 0; k < job->msg.product->n_entries; k++) {
            const struct product_entry *e = &job->msg.product->entries[k];
            is_products = is_products || is_listed_at(row, place_of(job->msg.product, e->sec_tag, e->type));
        }
        if (!is_products && !sec_tag_is_reserved(row->sec_tag)) {
            return false;
        }
    }
    return true;
}

bool check_same_rows(const struct cmng_row *a, uint32_t n_a, const struct cmng_row *b, uint32_t n_b)
{
    for (uint32_t i = 0; n_a == n_b && i < n_a; i++) {
        const struct cmng_row *other = check_find(b, n_b, a[i].sec_tag, a[i].type);
        if (!other || other->has_digest != a[i].has_digest || !digest_eq(&other->sha256, &a[i].sha256)) {
            return false;
        }
    }
    return n_a == n_b;
}

/* Every foreign row of `a` stands in `b` as well, digest included. */
static bool is_subset(const struct job *job, const struct cmng_row *a, uint32_t n_a, const struct cmng_row *b,
                      uint32_t n_b, uint32_t *ret_tag, uint32_t *ret_type)
{
    for (uint32_t i = 0; i < n_a; i++) {
        if (!is_foreign(job, &a[i])) {
            continue;
        }
        const struct cmng_row *other = check_find(b, n_b, a[i].sec_tag, a[i].type);
        if (!other || other->has_digest != a[i].has_digest || !digest_eq(&other->sha256, &a[i].sha256)) {
            *ret_tag = a[i].sec_tag;
            *ret_type = a[i].type;
            return false;
        }
    }
    return true;
}

bool check_foreign_unchanged(const struct job *job, uint32_t *ret_tag, uint32_t *ret_type)
{
    const struct ledger_msg *msg = &job->msg;
    return is_subset(job, job->before, job->n_before, msg->rows, msg->n_rows, ret_tag, ret_type) &&
           is_subset(job, msg->rows, msg->n_rows, job->before, job->n_before, ret_tag, ret_type);
}

bool check_all_right(const struct job *job)
{
    for (uint32_t i = 0; i < job->msg.n_entries; i++) {
        if (!job->entries[i].is_right) {
            return false;
        }
    }
    return true;
}

struct span check_content(const struct job *job, uint32_t entry)
{
    const struct ledger_entry *e = &job->msg.entries[entry];
    if (e->clear_len > 0) {
        return span_of((const char *)job->msg.content + e->clear_at, e->clear_len);
    }
    for (uint32_t i = 0; i < job->msg.product->n_entries; i++) {
        const struct product_entry *p = &job->msg.product->entries[i];
        if (p->sec_tag == e->sec_tag && p->type == e->type) {
            return p->content;
        }
    }
    return span_of(NULL, 0);
}
