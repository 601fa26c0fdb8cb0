/*
 * The chain of events. Each event carries SHA-256 over the one before and its own canonical JSON, so that a
 * change, a removal or an insertion anywhere shows from there on. The text that is hashed is built from the
 * row's own columns and nothing else: an auditor needs the table, this comment and any SHA-256.
 *
 * An event is projected into rows by the same call that appends it. There is no other way to change a
 * projection, which is what makes store_rebuild possible.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "pki/digest.h"
#include "store/internal.h"

int put_digest(struct json *object, const char *key, const struct digest *digest)
{
    char text[2 * DIGEST_SIZE + 1];
    hex_encode(digest->octets, DIGEST_SIZE, text);
    return json_put_text(object, key, text);
}

int put_time(struct json *object, const char *key, int64_t wall_ms)
{
    char text[CLOCK_RFC3339_SIZE];
    clock_rfc3339(wall_ms, text);
    return json_put_text(object, key, text);
}

static int put_text_or_null(struct json *object, const char *key, const char *text)
{
    return json_put_text(object, key, text && *text ? text : NULL);
}

/* The event as the chain hashes it, but for its data: those are most of it, and are written once. */
static struct json *envelope(int64_t seq, const char *at, const char *kind, const char *slot,
                             const char *imei)
{
    struct json *event = json_new_object();
    int trouble = json_put_text(event, "at", at);
    trouble |= put_text_or_null(event, "imei", imei);
    trouble |= json_put_text(event, "kind", kind);
    trouble |= json_put_i64(event, "seq", seq);
    trouble |= put_text_or_null(event, "slot", slot);
    if (trouble) {
        json_free(event);
        return NULL;
    }
    return event;
}

/* `data` is canonical; among the sorted members it stands before "imei", a text that can occur nowhere
 * sooner, since quotes within a value are escaped. 0 or -ENOMEM. */
static int chain_hash(const struct digest *prev, const struct json *event, const char *data,
                      struct digest *ret)
{
    static const char next[] = ",\"imei\":", name[] = ",\"data\":";
    char *text = json_dump(event, JSON_FORM_CANONICAL);
    const char *rest = text ? strstr(text, next) : NULL;
    if (!rest) {
        free(text);
        return -ENOMEM;
    }
    struct sha256 h;
    sha256_init(&h);
    sha256_add(&h, span_of((const char *)prev->octets, DIGEST_SIZE));
    sha256_add(&h, span_of(text, (size_t)(rest - text)));
    sha256_add(&h, span_str(name));
    sha256_add(&h, span_str(data));
    sha256_add(&h, span_str(rest));
    sha256_finish(&h, ret);
    free(text);
    return 0;
}

static int insert(struct store *st, const struct chain_head *next, const char *at, const struct json *event,
                  const char *data)
{
    struct query q = sql_start(&st->db, Q_EVENT_ADD);
    sql_put_i64(&q, next->seq);
    sql_put_text(&q, at);
    sql_put_text(&q, json_as_text(json_get(event, "kind")));
    sql_put_text_or_null(&q, json_as_text(json_get(event, "slot")));
    sql_put_text_or_null(&q, json_as_text(json_get(event, "imei")));
    sql_put_text(&q, data);
    sql_put_digest(&q, &st->tail.hash);
    sql_put_digest(&q, &next->hash);
    return sql_run(&q);
}

/* The event as its own text says it: what is projected now is what a rebuild will read. */
static int project_envelope(struct store *st, const struct chain_head *next, const struct json *event,
                            const struct json *data)
{
    return project(st, &(struct event){
                           .seq = next->seq,
                           .wall_ms = next->wall_ms,
                           .kind = json_as_text(json_get(event, "kind")),
                           .slot = json_as_text(json_get(event, "slot")),
                           .imei = json_as_text(json_get(event, "imei")),
                           .data = data,
                       });
}

static int append(struct store *st, struct chain_head *next, const char *at, const struct json *event,
                  const struct json *data)
{
    char *text = json_dump(data, JSON_FORM_CANONICAL);
    int r = event && text ? chain_hash(&st->tail.hash, event, text, &next->hash) : -ENOMEM;
    if (r == 0) {
        r = insert(st, next, at, event, text);
    }
    free(text);
    return r < 0 ? r : project_envelope(st, next, event, data);
}

int event_emit(struct store *st, const char *kind, const char *slot, const char *imei, struct json *data,
               int trouble)
{
    int64_t above = st->tail.seq > st->leap_to ? st->tail.seq : st->leap_to;
    struct chain_head next = {.seq = above + 1, .wall_ms = st->clock->wall_ms(st->clock)};
    char at[CLOCK_RFC3339_SIZE];
    clock_rfc3339(next.wall_ms, at);

    struct json *event = trouble ? NULL : envelope(next.seq, at, kind, slot, imei);
    int r = append(st, &next, at, event, data);
    if (r == 0) {
        st->tail = next;
    }
    json_free(event);
    json_free(data);
    return r;
}

int event_read_head(struct store *st)
{
    struct query q = sql_start(&st->db, Q_EVENT_LAST);
    int r = sql_step(&q);
    struct chain_head head = {0};
    if (r > 0) {
        head.seq = sql_i64(&q, 0);
        if (!sql_digest(&q, 2, &head.hash) || clock_parse_rfc3339(sql_text(&q, 1), &head.wall_ms) != 0) {
            r = ERR_CORRUPT;
        }
    }
    int end = sql_end(&q);
    if (r < 0 || end < 0) {
        return r < 0 ? r : end;
    }
    st->head = head;
    return 0;
}

int event_is_there(struct store *st, int64_t seq, const struct digest *hash)
{
    struct query q = sql_start(&st->db, Q_EVENT_HASH);
    sql_put_i64(&q, seq);
    int r = sql_step(&q);
    struct digest found;
    if (r > 0) {
        r = sql_digest(&q, 0, &found) && digest_eq(&found, hash);
    }
    sql_end(&q);
    return r;
}

/* ---- reading all of it */

/* What the current row of Q_EVENTS says again in canonical form, equal to what stands there. 0; ERR_CORRUPT
 * when it is no event or another form; -ENOMEM. */
static int row_data(const struct query *q, char **ret)
{
    struct json *data = NULL;
    int r = json_parse(span_str(sql_text(q, 5)), JSON_DEPTH_USUAL, &data, NULL);
    if (r != 0) {
        return r == -ENOMEM ? r : ERR_CORRUPT;
    }
    char *text = json_dump(data, JSON_FORM_CANONICAL);
    json_free(data);
    if (!text) {
        return -ENOMEM;
    }
    if (strcmp(text, sql_text(q, 5)) != 0) {
        free(text);
        return ERR_CORRUPT;
    }
    *ret = text;
    return 0;
}

/* Whether the row's hash is right, its predecessor the one before and its number the next: 1 or 0; -ENOMEM.
 */
static int row_fits(const struct query *q, const char *data, const struct chain_head *before)
{
    struct digest prev, hash, computed;
    if (!sql_digest(q, 6, &prev) || !sql_digest(q, 7, &hash) || !digest_eq(&prev, &before->hash)) {
        return 0;
    }
    int64_t seq = sql_i64(q, 0);
    bool may_leap = strcmp(sql_text(q, 2), "mark_behind") == 0;
    if (seq != before->seq + 1 && !(may_leap && seq > before->seq)) {
        return 0;
    }
    struct json *event = envelope(seq, sql_text(q, 1), sql_text(q, 2), sql_text(q, 3), sql_text(q, 4));
    int r = event ? chain_hash(&before->hash, event, data, &computed) : -ENOMEM;
    json_free(event);
    return r < 0 ? r : digest_eq(&computed, &hash);
}

int event_row_fits(const struct query *q, struct chain_head *head)
{
    char *data = NULL;
    int r = row_data(q, &data);
    r = r == 0 ? row_fits(q, data, head) : r == ERR_CORRUPT ? 0 : r;
    free(data);
    if (q->db->failure.code != 0) {
        return q->db->failure.code; /* a column did not come whole */
    }
    head->seq = sql_i64(q, 0);
    return r > 0 ? sql_digest(q, 7, &head->hash) : r;
}

int store_verify(struct store *st, struct err_info *reterr)
{
    if (!st->is_open) {
        return err_set(reterr, ERR_STORE, "the database is not open");
    }
    struct query q = sql_start(&st->db, Q_EVENTS);
    struct chain_head head = {0};
    int r, fits = 1;
    while (fits > 0 && (r = sql_step(&q)) > 0) {
        fits = event_row_fits(&q, &head);
    }
    sql_end(&q);
    if (fits == 0) {
        return err_set(reterr, ERR_CORRUPT, "event %lld does not fit the chain: the record was changed",
                       (long long)head.seq);
    }
    r = fits < 0 ? fits : r;
    if (r < 0) {
        return err_set(reterr, r, "%s", st->db.failure.code ? st->db.failure.text : err_text(r));
    }
    if (head.seq != st->head.seq || !digest_eq(&head.hash, &st->head.hash)) {
        return err_set(reterr, ERR_CORRUPT, "the chain ends at event %lld, not at %lld", (long long)head.seq,
                       (long long)st->head.seq);
    }
    return 0;
}

/* ---- making the projections again */

static int project_row(struct store *st, const struct query *q)
{
    struct event event = {
        .seq = sql_i64(q, 0), .kind = sql_text(q, 2), .slot = sql_text(q, 3), .imei = sql_text(q, 4)};
    if (clock_parse_rfc3339(sql_text(q, 1), &event.wall_ms) != 0) {
        return ERR_CORRUPT;
    }
    struct json *data = NULL;
    int r = json_parse(span_str(sql_text(q, 5)), JSON_DEPTH_USUAL, &data, NULL);
    if (r != 0) {
        return r == -ENOMEM ? r : ERR_CORRUPT;
    }
    event.data = data;
    r = project(st, &event);
    json_free(data);
    return r;
}

static int project_all(struct store *st)
{
    int r = sql_exec(&st->db, "DELETE FROM job; DELETE FROM board;"
                              "DELETE FROM order_board; DELETE FROM order_fixture; DELETE FROM work_order;"
                              "DELETE FROM exposure; DELETE FROM keygen; DELETE FROM certificate;"
                              "DELETE FROM slot_quarantine");
    static const enum statement resets[] = {Q_BUNDLES_RESET, Q_CREDENTIALS_RESET};
    for (size_t i = 0; r == 0 && i < sizeof(resets) / sizeof(*resets); i++) {
        struct query q = sql_start(&st->db, resets[i]);
        r = sql_run(&q);
    }
    if (r < 0) {
        return r;
    }

    struct query q = sql_start(&st->db, Q_EVENTS);
    while ((r = sql_step(&q)) > 0) {
        r = project_row(st, &q);
        if (r < 0) {
            break;
        }
    }
    sql_end(&q);
    return r;
}

int store_rebuild(struct store *st, struct err_info *reterr)
{
    if (!st->is_open) {
        return err_set(reterr, ERR_STORE, "the database is not open");
    }
    sql_forget(&st->db);
    int r = sql_exec(&st->db, "BEGIN IMMEDIATE");
    if (r == 0) {
        r = project_all(st);
        if (r == 0) {
            r = sql_exec(&st->db, "COMMIT");
        }
        if (r < 0 && sql_is_in_transaction(&st->db)) {
            sql_exec(&st->db, "ROLLBACK");
        }
    }
    if (r < 0) {
        err_set(reterr, r, "%s",
                st->db.failure.code ? st->db.failure.text : "an event does not fit the rows before it");
    }
    return r;
}
