/*
 * Bundles in, released, retired; and the mark accepted by a person. What a job does to a bundle stands in
 * claim.c and record.c.
 */
#include <string.h>

#include "store/internal.h"

int bundle_find(struct store *st, const char *id, struct known_bundle *ret)
{
    struct query q = sql_start(&st->db, Q_BUNDLE_BY_ID);
    sql_put_text(&q, id);
    int r = sql_step(&q);
    if (r > 0) {
        int state = bundle_state_from_name(sql_text(&q, 1));
        ret->no = sql_i64(&q, 0);
        ret->state = (enum bundle_state)state;
        sql_copy(&q, 2, ret->imei, sizeof(ret->imei));
        ret->is_made_for = sql_i64(&q, 3) != 0;
        r = state >= 0 && sql_digest(&q, 4, &ret->content) ? 1 : ERR_CORRUPT;
    }
    sql_end(&q);
    return r;
}

/* ---- import */

static int refuse_row(struct store_op *op, enum reason reason, const char *what, const char *owner)
{
    op->import.outcome = STORE_REFUSED;
    return op_no(op, ERR_REFUSED, reason, "%s %s", what, owner);
}

/* Runs a query for the bundle that has a thing already; refuses the row when there is one. */
static int refuse_if_owned(struct query *q, struct store_op *op, enum reason reason, const char *what)
{
    int r = sql_step(q);
    if (r > 0) {
        r = refuse_row(op, reason, what, sql_text(q, 0));
    }
    sql_end(q);
    return r;
}

static int check_credential(struct store *st, struct store_op *op, const struct store_credential *credential)
{
    int r = 0;
    if (credential->has_key) {
        struct query q = sql_start(&st->db, Q_KEY_OWNER);
        sql_put_i64(&q, credential->type);
        sql_put_digest(&q, &credential->key_sha256);
        r = refuse_if_owned(&q, op, REASON_duplicate_key, "the same key is in bundle");
    }
    if (r == 0 && *credential->serial) {
        struct query q = sql_start(&st->db, Q_SERIAL_OWNER);
        sql_put_text(&q, credential->serial);
        sql_put_text(&q, credential->issuer);
        r = refuse_if_owned(&q, op, REASON_duplicate_identity,
                            "a certificate with this serial number is in bundle");
    }
    if (r == 0 && credential->has_identity) {
        struct query q = sql_start(&st->db, Q_IDENTITY_OWNER);
        sql_put_digest(&q, &credential->identity_sha256);
        r = refuse_if_owned(&q, op, REASON_duplicate_identity, "the same PSK identity is in bundle");
    }
    return r;
}

static int check_board(struct store *st, struct store_op *op)
{
    const struct store_import *in = &op->import;
    if (!*in->imei) {
        return 0;
    }
    struct query q = sql_start(&st->db, Q_BUNDLE_OF_BOARD);
    sql_put_text(&q, in->imei);
    sql_put_text(&q, in->product);
    int r = sql_step(&q);
    if (r > 0) {
        r = refuse_row(op, REASON_duplicate_identity, "for this board and product there is bundle",
                       sql_text(&q, 1));
    }
    sql_end(&q);
    return r;
}

static int check_import(struct store *st, struct store_op *op)
{
    int r = check_board(st, op);
    for (uint32_t i = 0; r == 0 && i < op->import.n_credentials; i++) {
        r = check_credential(st, op, &op->import.credentials[i]);
    }
    return r;
}

static int add_bundle(struct store *st, const struct store_import *in, int64_t *ret_no)
{
    struct query q = sql_start(&st->db, Q_BUNDLE_ADD);
    sql_put_text(&q, in->id);
    sql_put_text(&q, in->product);
    sql_put_text(&q, in->lot);
    sql_put_text_or_null(&q, in->imei);
    sql_put_digest(&q, &in->content);
    int r = sql_step(&q);
    if (r > 0) {
        *ret_no = sql_i64(&q, 0);
        r = sql_step(&q); /* RETURNING: the change is done once the rows are read to their end */
    }
    sql_end(&q);
    return r;
}

static int add_credential(struct store *st, int64_t no, const struct store_credential *credential)
{
    struct query q = sql_start(&st->db, Q_CREDENTIAL_ADD);
    sql_put_i64(&q, no);
    sql_put_i64(&q, credential->type);
    sql_put_blob(&q, credential->sealed);
    sql_put_digest(&q, credential->has_key ? &credential->key_sha256 : NULL);
    sql_put_text_or_null(&q, credential->serial);
    sql_put_text_or_null(&q, *credential->serial ? credential->issuer : NULL);
    sql_put_digest(&q, credential->has_identity ? &credential->identity_sha256 : NULL);
    return sql_run(&q);
}

static int take(struct store *st, const struct store_import *in)
{
    int64_t no = 0;
    int r = add_bundle(st, in, &no);
    for (uint32_t i = 0; r == 0 && i < in->n_credentials; i++) {
        r = add_credential(st, no, &in->credentials[i]);
    }
    if (r < 0) {
        return r;
    }
    struct json *data = json_new_object();
    int trouble = json_put_text(data, "bundle", in->id);
    trouble |= json_put_text(data, "product", in->product);
    trouble |= json_put_text(data, "lot", *in->lot ? in->lot : NULL);
    return event_emit(st, "bundle_imported", NULL, in->imei, data, trouble);
}

int op_import(struct store *st, struct store_op *op)
{
    struct store_import *in = &op->import;
    if (!*in->id || !*in->product || in->n_credentials < 1 || in->n_credentials > CRED_TYPES) {
        return op_no(op, ERR_RANGE, REASON_NONE, "a bundle needs an id, a product and 1 to %d credentials",
                     CRED_TYPES);
    }
    struct known_bundle known;
    int r = bundle_find(st, in->id, &known);
    if (r < 0) {
        return r;
    }
    if (r > 0 && digest_eq(&known.content, &in->content)) {
        in->outcome = STORE_DUPLICATE;
        return 0;
    }
    if (r > 0) {
        return refuse_row(op, REASON_duplicate_identity, "other content is stored already as bundle", in->id);
    }
    r = check_import(st, op);
    if (r < 0) {
        return r;
    }
    in->outcome = STORE_TAKEN;
    return in->is_dry_run ? 0 : take(st, in);
}

int op_import_file(struct store *st, struct store_op *op)
{
    const struct store_import_file *in = &op->import_file;
    if (!*in->name) {
        return op_no(op, ERR_RANGE, REASON_NONE, "a file that was imported has a name");
    }
    struct json *data = json_new_object();
    int trouble = json_put_text(data, "file", in->name);
    trouble |= json_put_text(data, "format", in->format);
    trouble |= put_digest(data, "sha256", &in->sha256);
    trouble |= json_put_i64(data, "taken", in->taken);
    trouble |= json_put_i64(data, "duplicate", in->duplicate);
    trouble |= json_put_i64(data, "refused", in->refused);
    trouble |= json_put_text(data, "who", *in->who ? in->who : NULL);
    return event_emit(st, "file_imported", NULL, NULL, data, trouble);
}

int op_export(struct store *st, struct store_op *op)
{
    const struct store_export *in = &op->export_file;
    struct json *data = json_new_object();
    int trouble = json_put_text(data, "format", in->format);
    trouble |= put_digest(data, "sha256", &in->sha256);
    trouble |= json_put_i64(data, "boards", in->boards);
    trouble |= json_put_text(data, "first", in->first);
    trouble |= json_put_text(data, "last", in->last);
    trouble |= json_put_text(data, "who", *in->who ? in->who : NULL);
    return event_emit(st, "secrets_exported", NULL, NULL, data, trouble);
}

/* ---- by a person */

/* A board at work with it must end first: its job would go on with a bundle that is no longer its own. */
static int check_idle(struct store *st, struct store_op *op, const struct known_bundle *bundle)
{
    if (!*bundle->imei) {
        return 0;
    }
    struct query q = sql_start(&st->db, Q_JOB_OPEN_OF_BOARD);
    sql_put_text(&q, bundle->imei);
    int r = sql_step(&q);
    if (r > 0 && strcmp(sql_text(&q, 2), op->named.id) == 0) {
        r = op_no(op, ERR_CONFLICT, REASON_NONE, "%s is at work with it in slot %s: abort that job first",
                  bundle->imei, sql_text(&q, 1));
    }
    sql_end(&q);
    return r < 0 ? r : 0;
}

static int emit_named(struct store *st, const char *kind, const struct store_named *named,
                      const struct known_bundle *bundle)
{
    struct json *data = json_new_object();
    int trouble = json_put_text(data, "bundle", named->id);
    trouble |= json_put_text(data, "was", bundle_state_name(bundle->state));
    trouble |= json_put_text(data, "who", *named->who ? named->who : NULL);
    trouble |= json_put_text(data, "why", *named->why ? named->why : NULL);
    return event_emit(st, kind, NULL, bundle->imei, data, trouble);
}

static int find_named(struct store *st, struct store_op *op, struct known_bundle *ret)
{
    int r = bundle_find(st, op->named.id, ret);
    return r == 0 ? op_no(op, ERR_NOT_FOUND, REASON_NONE, "there is no bundle %s", op->named.id) : r;
}

int op_bundle_release(struct store *st, struct store_op *op)
{
    struct known_bundle bundle;
    int r = find_named(st, op, &bundle);
    if (r < 0 || bundle.state == BUNDLE_FREE) {
        return r < 0 ? r : 0;
    }
    if (bundle.state != BUNDLE_BOUND) {
        return op_no(op, ERR_CONFLICT, REASON_NONE,
                     "it is %s: only a bundle of which nothing has left the station becomes free again",
                     bundle_state_name(bundle.state));
    }
    if (bundle.is_made_for) {
        return op_no(op, ERR_CONFLICT, REASON_NONE, "it was made for board %s: retire it instead",
                     bundle.imei);
    }
    r = check_idle(st, op, &bundle);
    return r < 0 ? r : emit_named(st, "bundle_released", &op->named, &bundle);
}

int op_bundle_retire(struct store *st, struct store_op *op)
{
    struct known_bundle bundle;
    if (!*op->named.why) {
        return op_no(op, ERR_RANGE, REASON_NONE, "retiring needs a reason");
    }
    int r = find_named(st, op, &bundle);
    if (r < 0 || bundle.state == BUNDLE_RETIRED) {
        return r < 0 ? r : 0;
    }
    r = check_idle(st, op, &bundle);
    return r < 0 ? r : emit_named(st, "bundle_retired", &op->named, &bundle);
}

/* ---- the mark */

static int count_unspent(struct store *st, uint32_t *ret)
{
    int64_t n = 0;
    int r = sql_exec_i64(
        &st->db, "SELECT coalesce(sum(n), 0) FROM bundle_stock WHERE state IN ('free', 'bound')", 0, &n);
    *ret = (uint32_t)n;
    return r;
}

int op_reconcile(struct store *st, struct store_op *op)
{
    struct store_reconcile *in = &op->reconcile;
    in->retired = 0;
    if (!*in->why) {
        return op_no(op, ERR_RANGE, REASON_NONE,
                     "accepting a database that its mark contradicts needs a reason");
    }
    if (st->mark_state == STORE_MARK_GOOD) {
        return 0;
    }
    int r = in->retire_unspent ? count_unspent(st, &in->retired) : 0;
    if (r < 0) {
        return r;
    }
    struct json *data = json_new_object();
    int trouble = json_put_text(data, "found", store_mark_text(st->mark_state));
    trouble |= json_put_text(data, "who", *in->who ? in->who : NULL);
    trouble |= json_put_text(data, "why", in->why);
    trouble |= json_put_bool(data, "retire_unspent", in->retire_unspent);
    trouble |= json_put_i64(data, "retired", in->retired);
    r = event_emit(st, "mark_accepted", NULL, NULL, data, trouble);
    st->mark_is_accepted = r == 0;
    return r;
}
