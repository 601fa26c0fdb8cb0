/*
 * The claim: which bundle a board gets. All that may never happen with a bundle hangs on the order of the
 * questions below, so they stand in one list (`questions`), each asked of the database inside the same
 * transaction that then writes the answer. A question answers 0 (go on), a refusal, or trouble.
 *
 * The bundle follows the board, not the job: whoever has one of this product already gets that one, whatever
 * order, slot or day it is. Only a board without one draws from the pool.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "store/internal.h"

struct claim {
    struct ledger_msg *msg;
    bool is_again;        /* this very job has claimed already: the message was sent twice */
    bool has_passed_here; /* the board counts as passed in this order already */
    char earlier_job[JOB_ID_SIZE];
    char lot[STORE_LOT_SIZE]; /* the order's */
    int64_t bundle_no;        /* 0: none needed */
    char bundle[BUNDLE_ID_SIZE];
    enum bundle_state state;
    bool is_new; /* the bundle is made with this claim: the board makes its own key */
};

typedef int question(struct store *st, struct store_op *op, struct claim *claim);

static bool needs_bundle(const struct product *product)
{
    for (uint32_t i = 0; i < product->n_entries; i++) {
        if (product->entries[i].from_bundle) {
            return true;
        }
    }
    return false;
}

/* ---- the questions */

static int ask_repeated(struct store *st, struct store_op *op, struct claim *claim)
{
    const struct ledger_msg *msg = claim->msg;
    struct known_job job;
    int r = job_find(st, msg->job, &job);
    if (r <= 0) {
        return r;
    }
    if (*job.outcome) {
        return op_no(op, ERR_REFUSED, REASON_internal, "job %s has ended already", msg->job);
    }
    if (strcmp(job.imei, msg->imei) != 0) {
        return op_no(op, ERR_REFUSED, REASON_internal, "job %s is of board %s", msg->job, job.imei);
    }
    claim->is_again = true;
    return 0;
}

static int ask_mark(struct store *st, struct store_op *op, struct claim *claim)
{
    (void)claim;
    if (st->mark_state == STORE_MARK_GOOD) {
        return 0;
    }
    return op_no(op, ERR_REFUSED, REASON_mark_ahead, "%s", store_mark_text(st->mark_state));
}

static int order_of(struct store *st, struct store_op *op, struct claim *claim, int64_t *ret_left)
{
    const struct ledger_msg *msg = claim->msg;
    struct query q = sql_start(&st->db, Q_ORDER_BY_ID);
    sql_put_text(&q, msg->order);
    int r = sql_step(&q);
    if (r == 0) {
        r = op_no(op, ERR_REFUSED, REASON_no_order, "there is no order %s", msg->order);
    } else if (r > 0 && strcmp(sql_text(&q, 4), "open") != 0) {
        r = op_no(op, ERR_REFUSED, REASON_no_order, "order %s is closed", msg->order);
    } else if (r > 0 && strcmp(sql_text(&q, 0), msg->product->name) != 0) {
        r = op_no(op, ERR_REFUSED, REASON_order_conflict, "order %s is for product %s, not %s", msg->order,
                  sql_text(&q, 0), msg->product->name);
    } else if (r > 0 && strcmp(sql_text(&q, 1), msg->product->version) != 0) {
        r = op_no(op, ERR_REFUSED, REASON_order_conflict,
                  "order %s was opened for another version of product %s: close it and open a new one",
                  msg->order, msg->product->name);
    } else if (r > 0) {
        *ret_left = sql_i64(&q, 2) - sql_i64(&q, 5);
        sql_copy(&q, 3, claim->lot, sizeof(claim->lot));
        r = 0;
    }
    sql_end(&q);
    return r;
}

static int ask_fixture(struct store *st, struct store_op *op, const struct ledger_msg *msg)
{
    struct query q = sql_start(&st->db, Q_FIXTURE_HELD);
    sql_put_text(&q, msg->order);
    sql_put_text(&q, msg->fixture);
    int r = sql_step(&q);
    sql_end(&q);
    if (r == 0) {
        return op_no(op, ERR_REFUSED, REASON_no_order, "order %s does not run on %s", msg->order,
                     msg->fixture);
    }
    return r < 0 ? r : 0;
}

static int ask_board_in_order(struct store *st, struct claim *claim)
{
    struct query q = sql_start(&st->db, Q_ORDER_BOARD_RESULT);
    sql_put_text(&q, claim->msg->order);
    sql_put_text(&q, claim->msg->imei);
    int r = sql_step(&q);
    claim->has_passed_here = r > 0 && strcmp(sql_text(&q, 0), "passed") == 0;
    sql_end(&q);
    return r < 0 ? r : 0;
}

static int count_jobs(struct store *st, enum statement statement, const char *order, int64_t *ret)
{
    struct query q = sql_start(&st->db, statement);
    sql_put_text(&q, order);
    int r = sql_step(&q);
    *ret = r > 0 ? sql_i64(&q, 0) : 0;
    sql_end(&q);
    return r < 0 ? r : 0;
}

static int count_open_jobs(struct store *st, const char *order)
{
    if (st->open_jobs.is_known && strcmp(st->open_jobs.order, order) == 0) {
        return 0;
    }
    int r = count_jobs(st, Q_ORDER_OPEN_JOBS, order, &st->open_jobs.n);
    st->open_jobs.is_known = r == 0;
    buf_copy(st->open_jobs.order, sizeof(st->open_jobs.order), span_str(order));
    return r;
}

/* Which of the boards at work have passed before matters only where the order's end is near. */
static int ask_room(struct store *st, struct store_op *op, const char *order, int64_t left)
{
    int r = count_open_jobs(st, order);
    int64_t n = st->open_jobs.n;
    if (r == 0 && n >= left) {
        r = count_jobs(st, Q_ORDER_IN_FLIGHT, order, &n);
    }
    if (r == 0 && n >= left) {
        return op_no(op, ERR_REFUSED, REASON_order_full,
                     "order %s: as many boards as ordered have passed or are at work", order);
    }
    return r;
}

/* Open, for this product, on this fixture, with room for one more board. */
static int ask_order(struct store *st, struct store_op *op, struct claim *claim)
{
    int64_t left = 0;
    int r = order_of(st, op, claim, &left);
    if (r == 0) {
        r = ask_fixture(st, op, claim->msg);
    }
    if (r == 0) {
        r = ask_board_in_order(st, claim);
    }
    if (r < 0 || claim->has_passed_here) {
        return r;
    }
    return ask_room(st, op, claim->msg->order, left);
}

static int ask_open_job(struct store *st, struct store_op *op, struct claim *claim)
{
    struct query q = sql_start(&st->db, Q_JOB_OPEN_OF_BOARD);
    sql_put_text(&q, claim->msg->imei);
    int r = sql_step(&q);
    if (r > 0) {
        r = op_no(op, ERR_REFUSED, REASON_duplicate_imei, "%s is at work in slot %s (job %s)",
                  claim->msg->imei, sql_text(&q, 1), sql_text(&q, 0));
    }
    sql_end(&q);
    return r;
}

/* What one row of the board's list says: another board's secret or certificate makes this one a copy. */
static int ask_row(struct store *st, struct store_op *op, const struct ledger_msg *msg,
                   const struct cmng_row *row)
{
    struct query q = sql_start(&st->db, Q_CLONE_OF);
    sql_put_digest(&q, &row->sha256);
    sql_put_text(&q, msg->imei);
    int r = sql_step(&q);
    if (r > 0) {
        r = op_no(
            op, ERR_REFUSED, REASON_duplicate_key, "the board holds the %s of board %s (bundle %s, tag %u)",
            cred_type_name((enum cred_type)sql_i64(&q, 2)), sql_text(&q, 0), sql_text(&q, 1), row->sec_tag);
    }
    sql_end(&q);
    return r;
}

static int ask_clone(struct store *st, struct store_op *op, struct claim *claim)
{
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < claim->msg->n_rows; i++) {
        if (claim->msg->rows[i].has_digest) {
            r = ask_row(st, op, claim->msg, &claim->msg->rows[i]);
        }
    }
    return r;
}

/* 1: the same device as then; -1: another one; 0: it cannot be told. The UUID is the device's own; where the
 * modem firmware tells none, another hardware version is at least another board. */
static int compare_device(const char *uuid, const char *hardware, const struct ledger_msg *msg)
{
    if (*uuid && *msg->uuid) {
        return strcasecmp(uuid, msg->uuid) == 0 ? 1 : -1;
    }
    return *hardware && *msg->hardware && strcmp(hardware, msg->hardware) != 0 ? -1 : 0;
}

/* What this IMEI was given lies on the device that it was given to. Another device with the same IMEI, today
 * or in a year, must not get the same key; who it is, only a person can find out. Once the old bundle is
 * retired (the module was replaced), the next device begins anew. */
static int ask_device(struct store *st, struct store_op *op, struct claim *claim)
{
    struct ledger_msg *msg = claim->msg;
    char job[JOB_ID_SIZE] = "", uuid[UUID_SIZE] = "", hardware[ID_TEXT_SIZE] = "";
    struct query q = sql_start(&st->db, Q_DEVICES_OF_IMEI);
    sql_put_text(&q, msg->imei);
    int r = 0, same = 0;
    while (same < 1 && (r = sql_step(&q)) > 0) {
        int one = compare_device(sql_text(&q, 1), sql_text(&q, 2), msg);
        if (one < 0 && same == 0) {
            sql_copy(&q, 0, job, sizeof(job));
            sql_copy(&q, 1, uuid, sizeof(uuid));
            sql_copy(&q, 2, hardware, sizeof(hardware));
        }
        same = one == 0 ? same : one;
    }
    sql_end(&q);
    msg->is_other_device = r >= 0 && same < 0;
    if (!msg->is_other_device) {
        return r < 0 ? r : 0;
    }
    bool by_uuid = *uuid && *msg->uuid;
    return op_no(op, ERR_REFUSED, REASON_duplicate_imei, "it was device %s in job %s, and this is %s",
                 by_uuid ? uuid : hardware, job, by_uuid ? msg->uuid : msg->hardware);
}

static int ask_earlier(struct store *st, struct store_op *op, struct claim *claim)
{
    const struct ledger_msg *msg = claim->msg;
    struct query q = sql_start(&st->db, Q_JOB_PASSED);
    sql_put_text(&q, msg->imei);
    sql_put_text(&q, msg->product->name);
    int r = sql_step(&q);
    if (r > 0) {
        sql_copy(&q, 0, claim->earlier_job, sizeof(claim->earlier_job));
        r = 0;
    }
    sql_end(&q);
    if (r == 0 && *claim->earlier_job && msg->product->second_visit == SECOND_REFUSE) {
        return op_no(op, ERR_REFUSED, REASON_already_passed, "passed in job %s", claim->earlier_job);
    }
    return r;
}

/* 1 and the bundle in *claim, 0, negative. */
static int take_row(struct query *q, struct claim *claim)
{
    int r = sql_step(q);
    if (r > 0) {
        claim->bundle_no = sql_i64(q, 0);
        sql_copy(q, 1, claim->bundle, sizeof(claim->bundle));
        int state = bundle_state_from_name(sql_text(q, 2));
        claim->state = (enum bundle_state)state;
        r = state < 0 ? ERR_CORRUPT : 1;
    }
    sql_end(q);
    return r;
}

static int refuse_without_bundle(struct store *st, struct store_op *op, const struct claim *claim)
{
    const struct product *product = claim->msg->product;
    if (product->source == SOURCE_POOL) {
        return op_no(op, ERR_REFUSED, REASON_no_bundle, "the pool of product %s%s%s has no free bundle",
                     product->name, *claim->lot ? ", lot " : "", claim->lot);
    }
    struct query q = sql_start(&st->db, Q_BUNDLE_OF_BOARD_ELSEWHERE);
    sql_put_text(&q, claim->msg->imei);
    sql_put_text(&q, product->name);
    int r = sql_step(&q);
    if (r > 0) {
        r = op_no(op, ERR_REFUSED, REASON_bundle_not_for_board,
                  "the bundle of %s (%s) is for product %s, not %s", claim->msg->imei, sql_text(&q, 1),
                  sql_text(&q, 0), product->name);
    } else if (r == 0) {
        r = op_no(op, ERR_REFUSED, REASON_no_bundle, "no bundle of product %s for %s was imported",
                  product->name, claim->msg->imei);
    }
    sql_end(&q);
    return r;
}

static int ask_bundle(struct store *st, struct store_op *op, struct claim *claim)
{
    const struct ledger_msg *msg = claim->msg;
    if (!needs_bundle(msg->product)) {
        return 0;
    }
    struct query q = sql_start(&st->db, Q_BUNDLE_OF_BOARD);
    sql_put_text(&q, msg->imei);
    sql_put_text(&q, msg->product->name);
    int r = take_row(&q, claim);
    if (r == 0 && msg->product->source == SOURCE_POOL && !claim->is_again) {
        q = sql_start(&st->db, *claim->lot ? Q_BUNDLE_FREE_OF_LOT : Q_BUNDLE_FREE);
        sql_put_text(&q, msg->product->name);
        if (*claim->lot) {
            sql_put_text(&q, claim->lot);
        }
        r = take_row(&q, claim);
    }
    if (r == 0 && msg->product->source == SOURCE_KEYGEN && !claim->is_again) {
        claim->is_new = true;
        claim->state = BUNDLE_BOUND;
        snprintf(claim->bundle, sizeof(claim->bundle), "kg-%s-%s", msg->imei, msg->job);
        return 0;
    }
    if (r == 0) {
        return refuse_without_bundle(st, op, claim);
    }
    return r < 0 ? r : 0;
}

/* ---- the answer */

/* Copies one sealed credential behind what is there already. 1: copied; 0: the bundle has none of this type.
 */
static int copy_sealed(struct store *st, struct store_op *op, struct claim *claim, struct ledger_entry *entry)
{
    struct ledger_msg *msg = claim->msg;
    struct query q = sql_start(&st->db, Q_CREDENTIAL_SEALED);
    sql_put_i64(&q, claim->bundle_no);
    sql_put_i64(&q, entry->type);
    int r = sql_step(&q);
    if (r > 0) {
        struct span sealed = sql_blob(&q, 0);
        if (sealed.len > msg->content_size - msg->content_len) {
            r = op_no(op, ERR_REFUSED, REASON_too_long,
                      "the credentials of bundle %s are longer than %u octets together", claim->bundle,
                      msg->content_size);
        } else if (sealed.len == 0) {
            entry->from_bundle = entry->is_erased = true;
            r = sql_digest(&q, 1, &entry->expected) ? 1
                                                    : ERR_CORRUPT; /* it was exposed before it was erased */
        } else {
            entry->from_bundle = true;
            entry->sealed_at = msg->content_len;
            entry->sealed_len = (uint32_t)sealed.len;
            if (sealed.len > 0) {
                memcpy(msg->content + msg->content_len, sealed.at, sealed.len);
            }
            msg->content_len += (uint32_t)sealed.len;
        }
    }
    sql_end(&q);
    return r;
}

/* The certificate, once it is issued, is sealed like everybody's; of the key the station knows what the modem
 * lists. Before that both are still to be made. */
static int fill_keygen_entry(struct store *st, struct store_op *op, struct claim *claim,
                             struct ledger_entry *entry)
{
    struct ledger_keygen *keygen = &claim->msg->keygen;
    entry->from_bundle = true;
    if (entry->type == CRED_PRIVATE_KEY) {
        entry->is_made_on_board = true;
        return keygen_state_of(st, claim->bundle, claim->bundle_no, keygen, &entry->expected);
    }
    struct digest unused;
    int r = keygen_state_of(st, claim->bundle, claim->bundle_no, keygen, &unused);
    if (r == 0 && keygen->state == KEYGEN_ISSUED) {
        r = copy_sealed(st, op, claim, entry);
        return r == 0 ? ERR_CORRUPT : r;
    }
    return r;
}

/* A bundle's own CA stands in for the product's file. */
static int fill_entry(struct store *st, struct store_op *op, struct claim *claim,
                      const struct product_entry *wanted)
{
    struct ledger_msg *msg = claim->msg;
    struct ledger_entry *entry = &msg->entries[msg->n_entries];
    *entry = (struct ledger_entry){.sec_tag = wanted->sec_tag, .type = wanted->type};
    if (!wanted->from_bundle) {
        entry->expected = wanted->sha256;
    }

    int r = 0;
    bool is_keygen = msg->product->source == SOURCE_KEYGEN && wanted->from_bundle;
    if (is_keygen) {
        r = fill_keygen_entry(st, op, claim, entry);
    } else if (wanted->from_bundle || (wanted->type == CRED_CA && claim->bundle_no != 0)) {
        r = copy_sealed(st, op, claim, entry);
        if (r == 0 && wanted->from_bundle) {
            return op_no(op, ERR_REFUSED, REASON_bundle_not_for_board,
                         "bundle %s has no %s, which product %s asks for", claim->bundle,
                         cred_type_name(wanted->type), msg->product->name);
        }
        if (r > 0 && !wanted->from_bundle) {
            entry->expected = (struct digest){{0}}; /* keys computes it, as for every octet of a bundle */
        }
    }
    msg->n_entries++;
    return r < 0 ? r : 0;
}

static int fill(struct store *st, struct store_op *op, struct claim *claim)
{
    struct ledger_msg *msg = claim->msg;
    msg->n_entries = 0;
    msg->content_len = 0;
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < msg->product->n_entries; i++) {
        r = fill_entry(st, op, claim, &msg->product->entries[i]);
    }
    memcpy(msg->bundle, claim->bundle, sizeof(msg->bundle));
    msg->bundle_state = *claim->bundle ? claim->state : BUNDLE_FREE;
    msg->passed_before = *claim->earlier_job != '\0';
    memcpy(msg->earlier_job, claim->earlier_job, sizeof(msg->earlier_job));
    return r;
}

static int bind(struct store *st, struct claim *claim)
{
    if (claim->bundle_no == 0 || claim->state != BUNDLE_FREE) {
        return 0;
    }
    struct json *data = json_new_object();
    int trouble = json_put_text(data, "bundle", claim->bundle);
    trouble |= json_put_text(data, "job", claim->msg->job);
    trouble |= json_put_text(data, "order", claim->msg->order);
    claim->state = BUNDLE_BOUND;
    return event_emit(st, "bundle_bound", claim->msg->slot, claim->msg->imei, data, trouble);
}

static int start_job(struct store *st, const struct claim *claim)
{
    struct json *data = json_new_object();
    int trouble = job_identity_put(st, data, claim->msg);
    trouble |= json_put_text(data, "bundle", *claim->bundle ? claim->bundle : NULL);
    bool is_counted = st->open_jobs.is_known && strcmp(st->open_jobs.order, claim->msg->order) == 0;
    int r = event_emit(st, "job_started", claim->msg->slot, claim->msg->imei, data, trouble);
    if (r == 0 && is_counted) {
        st->open_jobs.is_known = true;
        st->open_jobs.n++;
    }
    return r;
}

static int write_claim(struct store *st, struct claim *claim)
{
    int r = claim->is_new ? keygen_make_bundle(st, claim->msg, claim->bundle, claim->lot) : bind(st, claim);
    if (r == 0) {
        r = start_job(st, claim);
    }
    return r;
}

int op_claim(struct store *st, struct store_op *op)
{
    struct claim claim = {.msg = op->ledger};
    if (!claim.msg->product || !*claim.msg->imei || !*claim.msg->job) {
        return op_no(op, ERR_REFUSED, REASON_internal, "a claim without product, board or job");
    }
    static question *const first_time[] = {ask_mark,    ask_open_job, ask_device, ask_clone,
                                           ask_earlier, ask_order,    ask_bundle, NULL};
    static question *const again[] = {ask_earlier, ask_bundle,
                                      NULL}; /* the job is open: nothing else has moved */

    int r = ask_repeated(st, op, &claim);
    question *const *questions = claim.is_again ? again : first_time;
    for (size_t i = 0; r == 0 && questions[i]; i++) {
        r = questions[i](st, op, &claim);
    }
    if (r == 0 && !claim.is_again) {
        r = write_claim(st, &claim);
    }
    return r < 0 ? r : fill(st, op, &claim);
}
