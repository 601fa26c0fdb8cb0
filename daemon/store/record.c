/*
 * A job's other messages: EXPOSE before the first octet of a per-board credential leaves, RECORD when the job
 * has ended; and the endings that a restart gives to jobs whose daemon died. Exactly one ending for each job:
 * what has an outcome is never changed, and the same ending told twice is told once.
 */
#include <string.h>

#include "pki/digest.h"
#include "store/internal.h"

int job_find(struct store *st, const char *id, struct known_job *ret)
{
    struct query q = sql_start(&st->db, Q_JOB_BY_ID);
    sql_put_text(&q, id);
    int r = sql_step(&q);
    if (r > 0) {
        sql_copy(&q, 0, ret->imei, sizeof(ret->imei));
        sql_copy(&q, 1, ret->bundle, sizeof(ret->bundle));
        sql_copy(&q, 2, ret->outcome, sizeof(ret->outcome));
        sql_copy(&q, 3, ret->reason, sizeof(ret->reason));
        ret->was_exposed = sql_i64(&q, 4) != 0;
    }
    sql_end(&q);
    return r;
}

static int put_text(struct json *object, const char *key, const char *text)
{
    return json_put_text(object, key, text && *text ? text : NULL);
}

int job_identity_put(const struct store *st, struct json *data, const struct ledger_msg *msg)
{
    int trouble = json_put_text(data, "job", msg->job);
    trouble |= json_put_text(data, "fixture", msg->fixture);
    trouble |= put_text(data, "order", msg->order);
    trouble |= put_text(data, "product", msg->product ? msg->product->name : NULL);
    trouble |= put_text(data, "product_version", msg->product ? msg->product->version : NULL);
    trouble |= put_text(data, "operator", msg->operator_name);
    trouble |= put_text(data, "unit_serial", msg->unit_serial);
    trouble |= put_text(data, "uuid", msg->uuid);
    trouble |= put_text(data, "model", msg->model);
    trouble |= put_text(data, "modem_firmware", msg->modem_firmware);
    trouble |= put_text(data, "hardware", msg->hardware);
    trouble |=
        msg->supply_mv ? json_put_i64(data, "supply_mv", msg->supply_mv) : json_put_null(data, "supply_mv");
    trouble |= put_time(data, "started", msg->started_wall_ms);
    trouble |= put_text(data, "program", st->program);
    trouble |= put_text(data, "config_digest", st->config_digest);
    return trouble;
}

static bool is_zero(const struct digest *digest)
{
    static const struct digest zero;
    return digest_eq(digest, &zero);
}

static struct json *entry_json(const struct ledger_entry *entry)
{
    struct json *object = json_new_object();
    int trouble = json_put_i64(object, "sec_tag", entry->sec_tag);
    trouble |= json_put_text(object, "type", cred_type_name(entry->type));
    trouble |= json_put_bool(object, "from_bundle", entry->from_bundle);
    trouble |= is_zero(&entry->expected) ? json_put_null(object, "sha256")
                                         : put_digest(object, "sha256", &entry->expected);
    trouble |= json_put_text(object, "proof", entry_proof_name(entry->proof));
    trouble |= json_put_i64(object, "written", entry->writes);
    if (trouble) {
        json_free(object);
        return NULL;
    }
    return object;
}

struct json *job_entries_json(const struct ledger_msg *msg, bool only_bundle)
{
    struct json *entries = json_new_array();
    for (uint32_t i = 0; i < msg->n_entries; i++) {
        if ((!only_bundle || msg->entries[i].from_bundle) &&
            json_append(entries, entry_json(&msg->entries[i])) != 0) {
            json_free(entries);
            return NULL;
        }
    }
    return entries;
}

/* ---- EXPOSE */

static bool has_all_digests(const struct ledger_msg *msg)
{
    for (uint32_t i = 0; i < msg->n_entries; i++) {
        if (msg->entries[i].from_bundle && is_zero(&msg->entries[i].expected)) {
            return false;
        }
    }
    return true;
}

static int check_expose(struct store *st, struct store_op *op, const struct ledger_msg *msg,
                        const struct known_job *job)
{
    if (*job->outcome) {
        return op_no(op, ERR_REFUSED, REASON_internal, "job %s has ended already", msg->job);
    }
    struct known_bundle bundle;
    int r = bundle_find(st, msg->bundle, &bundle);
    if (r < 0) {
        return r;
    }
    if (r == 0 || strcmp(job->bundle, msg->bundle) != 0 || strcmp(job->imei, msg->imei) != 0 ||
        strcmp(bundle.imei, msg->imei) != 0) {
        return op_no(op, ERR_REFUSED, REASON_bundle_not_for_board, "bundle %s is not that of %s in job %s",
                     msg->bundle, msg->imei, msg->job);
    }
    if (bundle.state == BUNDLE_RETIRED) {
        return op_no(op, ERR_REFUSED, REASON_bundle_not_for_board, "bundle %s has been retired", msg->bundle);
    }
    if (!has_all_digests(msg)) {
        return op_no(op, ERR_REFUSED, REASON_internal, "an entry of bundle %s without its digest",
                     msg->bundle);
    }
    return 0;
}

int op_expose(struct store *st, struct store_op *op)
{
    const struct ledger_msg *msg = op->ledger;
    if (st->mark_state != STORE_MARK_GOOD) {
        return op_no(op, ERR_REFUSED, REASON_mark_ahead, "%s", store_mark_text(st->mark_state));
    }
    struct known_job job;
    int r = job_find(st, msg->job, &job);
    if (r == 0) {
        return op_no(op, ERR_REFUSED, REASON_internal, "job %s never claimed", msg->job);
    }
    if (r > 0) {
        r = check_expose(st, op, msg, &job);
    }
    if (r < 0 || job.was_exposed) { /* a job's digests follow from its claim: the same message again */
        return r;
    }
    struct json *data = json_new_object();
    int trouble = json_put_text(data, "bundle", msg->bundle);
    trouble |= json_put_text(data, "job", msg->job);
    trouble |= json_put(data, "entries", job_entries_json(msg, true));
    return event_emit(st, "bundle_exposed", msg->slot, msg->imei, data, trouble);
}

/* ---- RECORD */

/* A dialogue is stored under its digest; the event names the digest only, so that old ones can be pruned. */
static int put_dialogue(struct store *st, struct json *data, const struct ledger_msg *msg)
{
    if (msg->dialogue.len == 0) {
        return json_put_null(data, "dialogue");
    }
    struct digest digest;
    sha256(msg->dialogue, &digest);
    struct query q = sql_start(&st->db, Q_DIALOGUE_ADD);
    sql_put_digest(&q, &digest);
    sql_put_blob(&q, msg->dialogue);
    sql_put_i64(&q, st->clock->wall_ms(st->clock));
    int r = sql_run(&q);
    return r < 0 ? r : put_digest(data, "dialogue", &digest);
}

/* ["contact",0,12,1,0,"ok"] without names and without the last three where they are these: both would be most
 * of the record. R_STEPS gives them back. */
static struct json *step_json(const struct ledger_step *step)
{
    struct json *row = json_new_array();
    int trouble = json_append_text(row, step->name);
    trouble |= json_append_i64(row, step->started_ms);
    trouble |= json_append_i64(row, step->duration_ms);
    if (step->tries != 1 || step->code != 0 || strcmp(step->result, "ok") != 0) {
        trouble |= json_append_i64(row, step->tries);
        trouble |= json_append_i64(row, step->code);
        trouble |= json_append_text(row, step->result);
    }
    if (trouble) {
        json_free(row);
        return NULL;
    }
    return row;
}

static int put_steps(struct json *data, const struct ledger_msg *msg)
{
    struct json *steps = json_new_array();
    for (uint32_t i = 0; i < msg->n_steps; i++) {
        if (json_append(steps, step_json(&msg->steps[i])) != 0) {
            json_free(steps);
            steps = NULL;
            break;
        }
    }
    return json_put(data, "steps", steps);
}

static int put_verdict(struct json *data, const struct ledger_msg *msg)
{
    const struct verdict *verdict = &msg->verdict;
    int trouble = json_put_text(data, "outcome", outcome_name(verdict->outcome));
    trouble |= json_put_text(data, "fault", fault_name(verdict->fault));
    trouble |= json_put_text(data, "reason", reason_text(verdict->reason)->name);
    trouble |= put_text(data, "detail", verdict->detail);
    trouble |= put_text(data, "proof", entry_proof_name(msg->proof));
    trouble |= put_time(data, "ended", msg->ended_wall_ms);
    trouble |= json_put_i64(data, "duration_ms", msg->duration_ms);
    trouble |= json_put_i64(data, "wire_ms", msg->wire_ms);
    trouble |= json_put_i64(data, "modem_ms", msg->modem_ms);
    return trouble;
}

static int emit_ended(struct store *st, const struct ledger_msg *msg)
{
    struct json *data = json_new_object();
    int r = put_dialogue(st, data, msg);
    if (r < 0) {
        json_free(data);
        return r;
    }
    int trouble = job_identity_put(st, data, msg);
    trouble |= put_text(data, "bundle", msg->bundle);
    trouble |= put_verdict(data, msg);
    trouble |= json_put(data, "entries", job_entries_json(msg, false));
    trouble |= msg->token_len > 0 ? json_put_bool(data, "attestation_token", true) : 0;
    trouble |= put_steps(data, msg);
    return event_emit(st, "job_ended", msg->slot, msg->imei, data, trouble);
}

/* What a board has proven that it holds, the station need not have. */
static int erase(struct store *st, int64_t bundle_no, bool *ret_erased)
{
    struct query q = sql_start(&st->db, Q_SECRETS_ERASE);
    sql_put_i64(&q, bundle_no);
    int r = sql_run(&q);
    *ret_erased = r == 0 && sql_changes(&st->db) > 0;
    return r;
}

static int install(struct store *st, struct store_op *op, const struct ledger_msg *msg, const char *claimed)
{
    if (msg->bundle_effect != BUNDLE_INSTALLED || !*msg->bundle) {
        return 0;
    }
    struct known_bundle bundle;
    int r = bundle_find(st, msg->bundle, &bundle);
    if (r < 0) {
        return r;
    }
    if (r == 0 || strcmp(claimed, msg->bundle) != 0 || strcmp(bundle.imei, msg->imei) != 0 ||
        bundle.state == BUNDLE_RETIRED) {
        return op_no(op, ERR_REFUSED, REASON_internal, "bundle %s is not that of %s in job %s", msg->bundle,
                     msg->imei, msg->job);
    }
    if (bundle.state == BUNDLE_INSTALLED_STATE) {
        return 0;
    }
    bool has_erased = false;
    bool is_proven = msg->proof >= ENTRY_READBACK; /* an entry that is there may still hold something else */
    r = msg->product && msg->product->erases_keys && is_proven ? erase(st, bundle.no, &has_erased) : 0;
    if (r < 0) {
        return r;
    }
    struct json *data = json_new_object();
    int trouble = json_put_text(data, "bundle", msg->bundle);
    trouble |= json_put_text(data, "job", msg->job);
    trouble |= has_erased ? json_put_bool(data, "erased", true) : 0;
    return event_emit(st, "bundle_installed", msg->slot, msg->imei, data, trouble);
}

/* Beside its event, since no event may hold what it holds; it is replaced, never projected. */
static int keep_token(struct store *st, const struct ledger_msg *msg)
{
    if (msg->token_len == 0 || msg->token_len > sizeof(msg->token)) {
        return 0;
    }
    struct query q = sql_start(&st->db, Q_TOKEN_PUT);
    sql_put_text(&q, msg->imei);
    sql_put_blob(&q, span_of((const char *)msg->token, msg->token_len));
    sql_put_i64(&q, st->clock->wall_ms(st->clock));
    return sql_run(&q);
}

int op_record(struct store *st, struct store_op *op)
{
    const struct ledger_msg *msg = op->ledger;
    if (!*msg->job || msg->verdict.outcome == OUTCOME_NONE) {
        return op_no(op, ERR_REFUSED, REASON_internal, "a record without job or outcome");
    }
    struct known_job job = {0};
    int r = job_find(st, msg->job, &job);
    if (r < 0) {
        return r;
    }
    if (r > 0 && *job.outcome) {
        bool is_same = strcmp(job.outcome, outcome_name(msg->verdict.outcome)) == 0 &&
                       strcmp(job.reason, reason_text(msg->verdict.reason)->name) == 0;
        return is_same ? 0
                       : op_no(op, ERR_REFUSED, REASON_internal, "job %s has ended already as %s %s",
                               msg->job, job.outcome, job.reason);
    }
    r = install(st, op, msg, job.bundle);
    if (r == 0) {
        r = keep_token(st, msg);
    }
    return r < 0 ? r : emit_ended(st, msg);
}

/* ---- a restart */

/* An open job of an earlier run, and its ending as an event. */
static int end_open_job(struct store *st, struct query *q)
{
    struct json *data = json_new_object();
    static const char *const columns[] = {"job",   NULL,      "fixture",         NULL,
                                          "order", "product", "product_version", "bundle"};
    int trouble = 0;
    for (int i = 0; i < (int)(sizeof(columns) / sizeof(*columns)); i++) {
        if (columns[i]) {
            trouble |= put_text(data, columns[i], sql_text(q, i));
        }
    }
    trouble |= put_time(data, "started", sql_i64(q, 8));
    trouble |= put_time(data, "ended", st->clock->wall_ms(st->clock));
    trouble |= json_put_text(data, "outcome", outcome_name(OUTCOME_ERROR));
    trouble |= json_put_text(data, "fault", fault_name(FAULT_STATION));
    trouble |= json_put_text(data, "reason", reason_text(REASON_station_restarted)->name);

    char slot[SLOT_ID_SIZE], imei[IMEI_SIZE];
    sql_copy(q, 1, slot, sizeof(slot));
    sql_copy(q, 3, imei, sizeof(imei));
    sql_end(q); /* before the event changes the table that is being read */
    return event_emit(st, "job_ended", slot, imei, data, trouble);
}

int op_station_started(struct store *st, struct store_op *op)
{
    op->ended = 0;
    for (;;) {
        struct query q = sql_start(&st->db, Q_JOB_OPEN_ANY);
        int r = sql_step(&q);
        if (r > 0) {
            r = end_open_job(st, &q);
            op->ended += r == 0;
            if (r == 0) {
                continue;
            }
        }
        sql_end(&q);
        if (r < 0) {
            return r;
        }
        break;
    }
    struct json *data = json_new_object();
    int trouble = put_text(data, "station", st->station);
    trouble |= put_text(data, "program", st->program);
    trouble |= put_text(data, "config_digest", st->config_digest);
    trouble |= json_put_i64(data, "ended", op->ended);
    trouble |= st->upgraded_from ? json_put_i64(data, "upgraded_from", st->upgraded_from) : 0;
    return event_emit(st, "station_started", NULL, NULL, data, trouble);
}
