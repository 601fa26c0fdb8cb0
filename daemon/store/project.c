/*
 * Events into rows: what jobs, boards, orders and bundles look like is decided here and nowhere else. A
 * projection uses only what the event says, so that all of it can be made again. One that does not fit what
 * stands (a bundle bound that was not free) is ERR_CORRUPT and takes its whole operation back: the last fence
 * against a bundle given twice.
 */
#include <errno.h>
#include <string.h>

#include "base/hex.h"
#include "store/internal.h"

static const char *text(const struct event *event, const char *key)
{
    return json_as_text(json_get(event->data, key));
}

static void put_text(struct query *q, const struct event *event, const char *key)
{
    sql_put_text_or_null(q, text(event, key));
}

static void put_i64(struct query *q, const struct json *object, const char *key)
{
    int64_t value;
    if (json_as_i64(json_get(object, key), &value)) {
        sql_put_i64(q, value);
    } else {
        sql_put_null(q);
    }
}

static void put_wall(struct query *q, const struct event *event, const char *key)
{
    const char *at = text(event, key);
    int64_t wall_ms;
    if (at && clock_parse_rfc3339(at, &wall_ms) == 0) {
        sql_put_i64(q, wall_ms);
    } else {
        sql_put_null(q);
    }
}

/* `memory` holds the digest until the query has run. */
static void put_hex(struct query *q, const struct json *object, const char *key, struct digest *memory)
{
    const char *hex = json_as_text(json_get(object, key));
    bool is_there = hex && hex_decode(span_str(hex), memory->octets, DIGEST_SIZE) == 0;
    sql_put_digest(q, is_there ? memory : NULL);
}

static int flag(const struct json *object, const char *key)
{
    bool value = false;
    json_as_bool(json_get(object, key), &value);
    return value;
}

/* Runs a change that must hit exactly one row. */
static int run_one(struct store *st, struct query *q)
{
    int r = sql_run(q);
    return r < 0 || sql_changes(&st->db) == 1 ? r : ERR_CORRUPT;
}

/* ---- orders */

static int order_opened(struct store *st, const struct event *event)
{
    struct query q = sql_start(&st->db, Q_ORDER_ADD);
    put_text(&q, event, "order");
    put_text(&q, event, "product");
    put_text(&q, event, "product_version");
    put_i64(&q, event->data, "quantity");
    sql_put_text(&q, text(event, "lot") ? text(event, "lot") : "");
    sql_put_i64(&q, event->wall_ms);
    int r = sql_run(&q);

    const struct json *fixtures = json_get(event->data, "fixtures");
    for (size_t i = 0; r == 0 && i < json_count(fixtures); i++) {
        q = sql_start(&st->db, Q_FIXTURE_ADD);
        put_text(&q, event, "order");
        sql_put_text_or_null(&q, json_as_text(json_at(fixtures, i)));
        sql_put_i64(&q, (int64_t)i);
        r = sql_run(&q);
    }
    return r;
}

static int order_closed(struct store *st, const struct event *event)
{
    struct query q = sql_start(&st->db, Q_ORDER_CLOSE);
    put_text(&q, event, "order");
    sql_put_i64(&q, event->wall_ms);
    int r = run_one(st, &q);
    if (r == 0) {
        q = sql_start(&st->db, Q_FIXTURES_CLOSE);
        put_text(&q, event, "order");
        r = sql_run(&q);
    }
    return r;
}

static int order_board_ended(struct store *st, const struct event *event)
{
    const char *outcome = text(event, "outcome");
    bool is_pass = outcome && strcmp(outcome, "PASS") == 0;
    if (!is_pass && (!outcome || strcmp(outcome, "FAIL") != 0)) {
        return 0;
    }
    struct query q = sql_start(&st->db, is_pass ? Q_ORDER_BOARD_PASS : Q_ORDER_BOARD_FAIL);
    put_text(&q, event, "order");
    sql_put_text_or_null(&q, event->imei);
    int r = sql_run(&q);
    if (r == 0 && is_pass && sql_changes(&st->db) == 1) {
        q = sql_start(&st->db, Q_ORDER_PASSED);
        put_text(&q, event, "order");
        r = sql_run(&q);
    }
    return r;
}

/* ---- jobs */

static int board_seen(struct store *st, const struct event *event)
{
    if (!event->imei || !*event->imei) {
        return 0;
    }
    struct query q = sql_start(&st->db, Q_BOARD_SEEN);
    sql_put_text(&q, event->imei);
    put_text(&q, event, "uuid");
    put_text(&q, event, "model");
    put_text(&q, event, "modem_firmware");
    put_text(&q, event, "hardware");
    sql_put_i64(&q, event->wall_ms);
    return sql_run(&q);
}

static int job_put(struct store *st, const struct event *event)
{
    struct digest dialogue;
    st->open_jobs.is_known = false;
    struct query q = sql_start(&st->db, Q_JOB_PUT);
    put_text(&q, event, "job");
    sql_put_text(&q, event->slot ? event->slot : "");
    sql_put_text(&q, text(event, "fixture") ? text(event, "fixture") : "");
    sql_put_text_or_null(&q, event->imei);
    static const char *const who[] = {"uuid", "model", "modem_firmware", "hardware"};
    for (size_t i = 0; i < sizeof(who) / sizeof(*who); i++) {
        put_text(&q, event, who[i]);
    }
    put_i64(&q, event->data, "supply_mv");
    static const char *const what[] = {"unit_serial", "operator",        "order",
                                       "product",     "product_version", "bundle"};
    for (size_t i = 0; i < sizeof(what) / sizeof(*what); i++) {
        put_text(&q, event, what[i]);
    }
    put_wall(&q, event, "started");
    put_text(&q, event, "program");
    put_text(&q, event, "config_digest");

    put_wall(&q, event, "ended");
    put_i64(&q, event->data, "duration_ms");
    put_i64(&q, event->data, "wire_ms");
    put_i64(&q, event->data, "modem_ms");
    static const char *const verdict[] = {"outcome", "fault", "reason", "detail", "proof"};
    for (size_t i = 0; i < sizeof(verdict) / sizeof(*verdict); i++) {
        put_text(&q, event, verdict[i]);
    }
    put_hex(&q, event->data, "dialogue", &dialogue);
    if (text(event, "outcome")) {
        sql_put_i64(&q, event->seq);
    } else {
        sql_put_null(&q);
    }
    return run_one(st, &q);
}

static int job_started(struct store *st, const struct event *event)
{
    int r = job_put(st, event);
    if (r == 0) {
        r = board_seen(st, event);
    }
    if (r == 0 && text(event, "order")) {
        struct query q = sql_start(&st->db, Q_ORDER_BOARD_SEEN);
        put_text(&q, event, "order");
        sql_put_text_or_null(&q, event->imei);
        put_text(&q, event, "bundle");
        r = sql_run(&q);
    }
    if (r == 0 && text(event, "bundle")) {
        struct query q = sql_start(&st->db, Q_BUNDLE_CLAIMED);
        put_text(&q, event, "bundle");
        r = sql_run(&q);
    }
    return r;
}

static int job_ended(struct store *st, const struct event *event)
{
    int r = job_put(st, event);
    if (r == 0) {
        r = board_seen(st, event);
    }
    if (r == 0 && text(event, "order")) {
        r = order_board_ended(st, event);
    }
    return r;
}

/* ---- bundles */

/* The row itself was inserted beside its event, since no event may hold what it holds; here it gets its
 * state. */
static int bundle_imported(struct store *st, const struct event *event)
{
    struct query q = sql_start(&st->db, Q_BUNDLE_IMPORTED);
    put_text(&q, event, "bundle");
    sql_put_text_or_null(&q, event->imei);
    return run_one(st, &q);
}

static int bundle_bound(struct store *st, const struct event *event)
{
    struct query q = sql_start(&st->db, Q_BUNDLE_BIND);
    put_text(&q, event, "bundle");
    sql_put_text_or_null(&q, event->imei);
    return run_one(st, &q);
}

/* One per-board entry: what the modem should store from now on, and for ever a digest of this board's. */
static int entry_exposed(struct store *st, const struct event *event, const struct json *entry)
{
    const char *name = json_as_text(json_get(entry, "type"));
    int type = name ? cred_type_from_name(name) : -1;
    struct digest sha256;
    struct query q = sql_start(&st->db, Q_CREDENTIAL_EXPOSED);
    put_text(&q, event, "bundle");
    sql_put_i64(&q, type);
    put_hex(&q, entry, "sha256", &sha256);
    int r = run_one(st, &q);
    if (r < 0 || type == CRED_CA) { /* a CA is shared: that another board lists it says nothing */
        return r;
    }
    q = sql_start(&st->db, Q_EXPOSURE_ADD);
    put_hex(&q, entry, "sha256", &sha256);
    put_text(&q, event, "bundle");
    sql_put_i64(&q, type);
    return sql_run(&q);
}

static int bundle_exposed(struct store *st, const struct event *event)
{
    struct query q = sql_start(&st->db, Q_BUNDLE_EXPOSE);
    put_text(&q, event, "bundle");
    int r = run_one(st, &q);
    if (r == 0) {
        q = sql_start(&st->db, Q_JOB_EXPOSED);
        put_text(&q, event, "job");
        r = run_one(st, &q);
    }
    const struct json *entries = json_get(event->data, "entries");
    for (size_t i = 0; r == 0 && i < json_count(entries); i++) {
        r = entry_exposed(st, event, json_at(entries, i));
    }
    return r;
}

static int bundle_installed(struct store *st, const struct event *event)
{
    struct query q = sql_start(&st->db, Q_BUNDLE_INSTALL);
    put_text(&q, event, "bundle");
    return run_one(st, &q);
}

static int bundle_released(struct store *st, const struct event *event)
{
    struct query q = sql_start(&st->db, Q_BUNDLE_RELEASE);
    put_text(&q, event, "bundle");
    return run_one(st, &q);
}

static int bundle_retired(struct store *st, const struct event *event)
{
    struct query q = sql_start(&st->db, Q_BUNDLE_RETIRE);
    put_text(&q, event, "bundle");
    put_text(&q, event, "why");
    return run_one(st, &q);
}

static int mark_accepted(struct store *st, const struct event *event)
{
    if (!flag(event->data, "retire_unspent")) {
        return 0;
    }
    struct query q = sql_start(&st->db, Q_BUNDLES_RETIRE_UNSPENT);
    put_text(&q, event, "why");
    return sql_run(&q);
}

static const struct {
    const char *kind;
    int (*project)(struct store *st, const struct event *event);
} kinds[] = {
    {"store_created", NULL},
    {"station_started", NULL},
    {"mark_behind", NULL},
    {"mark_accepted", mark_accepted},
    {"product_registered", NULL},
    {"order_opened", order_opened},
    {"order_closed", order_closed},
    {"bundle_imported", bundle_imported},
    {"file_imported", NULL},
    {"secrets_exported", NULL},
    {"bundle_made", bundle_imported}, /* beside its event, as an import's is */
    {"bundle_bound", bundle_bound},
    {"bundle_exposed", bundle_exposed},
    {"bundle_installed", bundle_installed},
    {"wrapping_key_changed", NULL},
    {"keygen_intended", keygen_project_intended},
    {"certificate_issued", keygen_project_issued},
    {"bundle_released", bundle_released},
    {"bundle_retired", bundle_retired},
    {"slot_quarantined", slot_project_quarantined},
    {"slot_released", slot_project_released},
    {"job_started", job_started},
    {"job_ended", job_ended},
};

const char *store_event_kind(size_t i)
{
    return i < sizeof(kinds) / sizeof(*kinds) ? kinds[i].kind : NULL;
}

int project(struct store *st, const struct event *event)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        if (strcmp(kinds[i].kind, event->kind) == 0) {
            return kinds[i].project ? kinds[i].project(st, event) : 0;
        }
    }
    return ERR_CORRUPT;
}
