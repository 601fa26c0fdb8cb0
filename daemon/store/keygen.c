/*
 * Keys that boards make themselves. Three things are on record before they can matter: that a board is about
 * to make a key (so that a key found there without a certificate is known to be ours), the serial number
 * before anything is signed with it, and the certificate before an octet of it is written.
 *
 * A bundle keeps its certificate for as long as the board keeps the key. A board that has lost its key makes
 * another one under a new intent; the certificate issued then supersedes the old one, which stays on record
 * to be revoked.
 */
#include <string.h>

#include "base/hex.h"
#include "store/internal.h"

#define SERIAL_TEXT (2 * KEYGEN_SERIAL_SIZE + 1)

static void serial_text(const struct ledger_keygen *keygen, char out[SERIAL_TEXT])
{
    hex_encode(keygen->serial, KEYGEN_SERIAL_SIZE, out);
}

/* The bundle's key entry; NULL: the product has none. */
static const struct ledger_entry *key_entry(const struct ledger_msg *msg)
{
    for (uint32_t i = 0; i < msg->n_entries; i++) {
        if (msg->entries[i].is_made_on_board) {
            return &msg->entries[i];
        }
    }
    return NULL;
}

/* ---- what a claim needs */

int keygen_make_bundle(struct store *st, const struct ledger_msg *msg, const char *bundle, const char *lot)
{
    static const struct digest nothing; /* there is no content that another row could differ in */
    struct query q = sql_start(&st->db, Q_BUNDLE_ADD);
    sql_put_text(&q, bundle);
    sql_put_text(&q, msg->product->name);
    sql_put_text(&q, lot);
    sql_put_text(&q, msg->imei);
    sql_put_digest(&q, &nothing);
    int r = sql_step(&q);
    if (r > 0) {
        r = sql_step(&q); /* RETURNING: the change is done once the rows are read to their end */
    }
    sql_end(&q);
    if (r < 0) {
        return r;
    }
    struct json *data = json_new_object();
    int trouble = json_put_text(data, "bundle", bundle);
    trouble |= json_put_text(data, "product", msg->product->name);
    trouble |= json_put_text(data, "lot", *lot ? lot : NULL);
    trouble |= json_put_text(data, "job", msg->job);
    return event_emit(st, "bundle_made", msg->slot, msg->imei, data, trouble);
}

/* 1: the bundle's key is on record; 0: it is not; negative. */
static int find(struct store *st, const char *bundle, struct ledger_keygen *ret, char job[JOB_ID_SIZE])
{
    struct query q = sql_start(&st->db, Q_KEYGEN_OF_BUNDLE);
    sql_put_text(&q, bundle);
    int r = sql_step(&q);
    ret->state = KEYGEN_NONE;
    if (r > 0) {
        ret->state = strcmp(sql_text(&q, 0), "issued") == 0 ? KEYGEN_ISSUED : KEYGEN_INTENDED;
        r = hex_decode(span_str(sql_text(&q, 1)), ret->serial, KEYGEN_SERIAL_SIZE) == 0 ? 1 : ERR_CORRUPT;
        sql_copy(&q, 2, job, JOB_ID_SIZE);
    }
    sql_end(&q);
    return r;
}

int keygen_state_of(struct store *st, const char *bundle, int64_t bundle_no, struct ledger_keygen *ret,
                    struct digest *ret_listed)
{
    char job[JOB_ID_SIZE];
    int r = find(st, bundle, ret, job);
    if (r <= 0 || ret->state != KEYGEN_ISSUED) {
        return r < 0 ? r : 0;
    }
    struct query q = sql_start(&st->db, Q_CREDENTIAL_LISTED);
    sql_put_i64(&q, bundle_no);
    sql_put_i64(&q, CRED_PRIVATE_KEY);
    r = sql_step(&q);
    if (r >= 0) {
        r = r > 0 && sql_digest(&q, 0, ret_listed) ? 0 : ERR_CORRUPT;
    }
    sql_end(&q);
    return r;
}

/* ---- INTEND and ISSUE: what both ask first */

static int check(struct store *st, struct store_op *op, const struct ledger_msg *msg)
{
    if (st->mark_state != STORE_MARK_GOOD) {
        return op_no(op, ERR_REFUSED, REASON_mark_ahead, "%s", store_mark_text(st->mark_state));
    }
    if (!msg->product || msg->product->source != SOURCE_KEYGEN || !key_entry(msg)) {
        return op_no(op, ERR_REFUSED, REASON_internal, "the product's boards make no keys");
    }
    struct known_job job;
    int r = job_find(st, msg->job, &job);
    if (r < 0) {
        return r;
    }
    if (r == 0 || *job.outcome || strcmp(job.imei, msg->imei) != 0 || strcmp(job.bundle, msg->bundle) != 0) {
        return op_no(op, ERR_REFUSED, REASON_internal, "job %s is not at work with bundle %s", msg->job,
                     msg->bundle);
    }
    struct known_bundle bundle;
    r = bundle_find(st, msg->bundle, &bundle);
    if (r < 0) {
        return r;
    }
    if (r == 0 || bundle.state == BUNDLE_RETIRED || strcmp(bundle.imei, msg->imei) != 0) {
        return op_no(op, ERR_REFUSED, REASON_bundle_not_for_board, "bundle %s is not that of %s", msg->bundle,
                     msg->imei);
    }
    return 0;
}

/* As find, once the message may ask. */
static int check_and_find(struct store *st, struct store_op *op, struct ledger_keygen *ret,
                          char job[JOB_ID_SIZE])
{
    int r = check(st, op, op->ledger);
    return r == 0 ? find(st, op->ledger->bundle, ret, job) : r;
}

static int count(struct store *st, enum statement id, const char *order, const char *bundle, int64_t *ret)
{
    struct query q = sql_start(&st->db, id);
    sql_put_text(&q, order);
    if (bundle) {
        sql_put_text(&q, bundle);
    }
    int r = sql_step(&q);
    *ret += r > 0 ? sql_i64(&q, 0) : 0;
    sql_end(&q);
    return r < 0 ? r : 0;
}

/* The quota bounds what a fault, or somebody who plugs the same board in again and again, can have issued. */
static int check_quota(struct store *st, struct store_op *op, const struct ledger_msg *msg)
{
    int64_t used = 0, quantity = 0;
    struct query q = sql_start(&st->db, Q_ORDER_BY_ID);
    sql_put_text(&q, msg->order);
    int r = sql_step(&q);
    quantity = r > 0 ? sql_i64(&q, 2) : 0;
    sql_end(&q);
    if (r >= 0) {
        r = count(st, Q_CERTIFICATES_OF_ORDER, msg->order, NULL, &used);
    }
    if (r == 0) {
        r = count(st, Q_KEYGENS_OF_ORDER, msg->order, msg->bundle, &used);
    }
    if (r == 0 && used >= quantity + st->spare_certificates) {
        return op_no(
            op, ERR_REFUSED, REASON_order_full,
            "order %s: %lld certificates have been issued or are being made, and no more are allowed",
            msg->order, (long long)used);
    }
    return r;
}

/* ---- INTEND */

static bool is_zero(const uint8_t *octets, size_t n)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum |= octets[i];
    }
    return sum == 0;
}

static int emit_intended(struct store *st, const struct ledger_msg *msg)
{
    char serial[SERIAL_TEXT];
    serial_text(&msg->keygen, serial);
    struct json *data = json_new_object();
    int trouble = json_put_text(data, "bundle", msg->bundle);
    trouble |= json_put_text(data, "job", msg->job);
    trouble |= json_put_text(data, "order", *msg->order ? msg->order : NULL);
    trouble |= json_put_i64(data, "sec_tag", key_entry(msg)->sec_tag);
    trouble |= json_put_null(data, "row_before"); /* a key is made only where none stands */
    trouble |= json_put_text(data, "serial", serial);
    return event_emit(st, "keygen_intended", msg->slot, msg->imei, data, trouble);
}

int op_intend(struct store *st, struct store_op *op)
{
    struct ledger_msg *msg = op->ledger;
    char job[JOB_ID_SIZE] = "";
    struct ledger_keygen known = {0};
    int r = check_and_find(st, op, &known, job);
    if (r < 0) {
        return r;
    }
    if (known.state == KEYGEN_INTENDED && strcmp(job, msg->job) == 0) {
        memcpy(msg->keygen.serial, known.serial, KEYGEN_SERIAL_SIZE); /* the same message again */
        msg->keygen.state = KEYGEN_INTENDED;
        return 0;
    }
    r = check_quota(st, op, msg);
    if (r < 0) {
        return r;
    }
    do {
        st->random(st->random_ctx, msg->keygen.serial, KEYGEN_SERIAL_SIZE);
    } while (is_zero(msg->keygen.serial, KEYGEN_SERIAL_SIZE));
    r = emit_intended(st, msg);
    if (r == 0) {
        msg->keygen.state = KEYGEN_INTENDED;
    }
    return r;
}

int keygen_project_intended(struct store *st, const struct event *event)
{
    int64_t sec_tag = 0;
    if (!json_as_i64(json_get(event->data, "sec_tag"), &sec_tag)) {
        return ERR_CORRUPT;
    }
    struct query q = sql_start(&st->db, Q_KEYGEN_INTEND);
    sql_put_text_or_null(&q, json_as_text(json_get(event->data, "bundle")));
    sql_put_text_or_null(&q, event->imei);
    sql_put_i64(&q, sec_tag);
    sql_put_text_or_null(&q, json_as_text(json_get(event->data, "serial")));
    sql_put_text_or_null(&q, json_as_text(json_get(event->data, "job")));
    sql_put_text_or_null(&q, json_as_text(json_get(event->data, "order")));
    return sql_run(&q);
}

/* ---- ISSUE */

/* Two boards with one key: a modem whose random numbers repeat, or a copy. */
static int check_key(struct store *st, struct store_op *op, const struct ledger_msg *msg)
{
    struct query q = sql_start(&st->db, Q_KEY_OWNER_OTHER);
    sql_put_i64(&q, CRED_CLIENT_CERT);
    sql_put_digest(&q, &msg->keygen.key_sha256);
    sql_put_text(&q, msg->bundle);
    int r = sql_step(&q);
    if (r > 0) {
        r = op_no(op, ERR_REFUSED, REASON_duplicate_key, "the board made the key that is in bundle %s",
                  sql_text(&q, 0));
    }
    sql_end(&q);
    return r;
}

static int put_credential(struct store *st, const struct ledger_msg *msg, int64_t bundle_no,
                          enum cred_type type, struct span sealed, const char *serial)
{
    struct query q = sql_start(&st->db, Q_CREDENTIAL_ISSUE);
    sql_put_i64(&q, bundle_no);
    sql_put_i64(&q, type);
    sql_put_blob(&q, sealed);
    sql_put_digest(&q, &msg->keygen.key_sha256);
    sql_put_text_or_null(&q, serial);
    sql_put_text_or_null(&q, serial ? msg->keygen.issuer : NULL);
    return sql_run(&q);
}

/* The certificate, and a row for the key that never leaves the board. */
static int put_credentials(struct store *st, const struct ledger_msg *msg)
{
    struct known_bundle bundle;
    char serial[SERIAL_TEXT];
    serial_text(&msg->keygen, serial);
    int r = bundle_find(st, msg->bundle, &bundle);
    for (uint32_t i = 0; r >= 0 && i < msg->n_entries; i++) {
        const struct ledger_entry *e = &msg->entries[i];
        if (e->is_made_on_board) {
            r = put_credential(st, msg, bundle.no, e->type, span_of("", 0), NULL);
        } else if (e->from_bundle && e->type == CRED_CLIENT_CERT) {
            struct span sealed = span_of((const char *)msg->content + e->sealed_at, e->sealed_len);
            r = put_credential(st, msg, bundle.no, e->type, sealed, serial);
        }
    }
    return r < 0 ? r : 0;
}

static int emit_issued(struct store *st, const struct ledger_msg *msg)
{
    const struct ledger_keygen *keygen = &msg->keygen;
    char serial[SERIAL_TEXT];
    serial_text(keygen, serial);
    struct json *data = json_new_object();
    int trouble = json_put_text(data, "bundle", msg->bundle);
    trouble |= json_put_text(data, "job", msg->job);
    trouble |= json_put_text(data, "order", *msg->order ? msg->order : NULL);
    trouble |= json_put_text(data, "serial", serial);
    trouble |= json_put_text(data, "issuer", keygen->issuer);
    trouble |= put_time(data, "not_after", keygen->not_after_ms);
    trouble |= put_digest(data, "key_sha256", &keygen->key_sha256);
    trouble |= put_digest(data, "csr_sha256", &keygen->csr_sha256);
    trouble |= put_digest(data, "listed_sha256", &key_entry(msg)->expected);
    return event_emit(st, "certificate_issued", msg->slot, msg->imei, data, trouble);
}

static bool has_certificate(const struct ledger_msg *msg)
{
    for (uint32_t i = 0; i < msg->n_entries; i++) {
        const struct ledger_entry *e = &msg->entries[i];
        if (e->from_bundle && e->type == CRED_CLIENT_CERT) {
            return e->sealed_len > 0 && e->sealed_at <= msg->content_size &&
                   e->sealed_len <= msg->content_size - e->sealed_at;
        }
    }
    return false;
}

int op_issue(struct store *st, struct store_op *op)
{
    struct ledger_msg *msg = op->ledger;
    char job[JOB_ID_SIZE] = "";
    struct ledger_keygen known = {0};
    int r = check_and_find(st, op, &known, job);
    if (r < 0) {
        return r;
    }
    bool is_intent = r > 0 && strcmp(job, msg->job) == 0 &&
                     memcmp(known.serial, msg->keygen.serial, KEYGEN_SERIAL_SIZE) == 0;
    if (!is_intent || !has_certificate(msg) || is_zero(key_entry(msg)->expected.octets, DIGEST_SIZE)) {
        return op_no(op, ERR_REFUSED, REASON_internal, "bundle %s: nothing of this kind was intended",
                     msg->bundle);
    }
    if (known.state != KEYGEN_ISSUED) { /* else the same message again */
        r = check_key(st, op, msg);
        if (r == 0) {
            r = put_credentials(st, msg);
        }
        if (r == 0) {
            r = emit_issued(st, msg);
        }
    }
    if (r >= 0) {
        msg->keygen.state = KEYGEN_ISSUED;
    }
    return r < 0 ? r : 0;
}

/* ---- the event as rows */

static int add_certificate(struct store *st, const struct event *event)
{
    static const char *const texts[] = {"serial", "issuer", "bundle"};
    const char *not_after = json_as_text(json_get(event->data, "not_after"));
    const char *hex = json_as_text(json_get(event->data, "key_sha256"));
    struct digest key;
    int64_t not_after_ms = 0;
    if (!hex || hex_decode(span_str(hex), key.octets, DIGEST_SIZE) != 0 || !not_after ||
        clock_parse_rfc3339(not_after, &not_after_ms) != 0) {
        return ERR_CORRUPT;
    }
    struct query q = sql_start(&st->db, Q_CERTIFICATE_ADD);
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        sql_put_text_or_null(&q, json_as_text(json_get(event->data, texts[i])));
    }
    sql_put_text_or_null(&q, event->imei);
    sql_put_text_or_null(&q, json_as_text(json_get(event->data, "order")));
    sql_put_digest(&q, &key);
    sql_put_i64(&q, event->wall_ms);
    sql_put_i64(&q, not_after_ms);
    return sql_run(&q);
}

static int note_listed(struct store *st, const struct event *event)
{
    const char *hex = json_as_text(json_get(event->data, "listed_sha256"));
    struct digest listed;
    if (!hex || hex_decode(span_str(hex), listed.octets, DIGEST_SIZE) != 0) {
        return ERR_CORRUPT;
    }
    struct query q = sql_start(&st->db, Q_CREDENTIAL_EXPOSED);
    sql_put_text_or_null(&q, json_as_text(json_get(event->data, "bundle")));
    sql_put_i64(&q, CRED_PRIVATE_KEY);
    sql_put_digest(&q, &listed);
    int r = sql_run(&q);
    return r < 0 || sql_changes(&st->db) == 1 ? r : ERR_CORRUPT;
}

int keygen_project_issued(struct store *st, const struct event *event)
{
    const char *bundle = json_as_text(json_get(event->data, "bundle"));
    const char *serial = json_as_text(json_get(event->data, "serial"));
    struct query q = sql_start(&st->db, Q_CERTIFICATE_SUPERSEDE);
    sql_put_text_or_null(&q, bundle);
    sql_put_i64(&q, event->wall_ms);
    int r = sql_run(&q);
    if (r == 0) {
        r = add_certificate(st, event);
    }
    if (r == 0) {
        q = sql_start(&st->db, Q_KEYGEN_ISSUED);
        sql_put_text_or_null(&q, bundle);
        sql_put_text_or_null(&q, serial);
        r = sql_run(&q);
        r = r < 0 || sql_changes(&st->db) == 1 ? r : ERR_CORRUPT;
    }
    return r < 0 ? r : note_listed(st, event);
}
