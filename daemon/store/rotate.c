/*
 * Another wrapping key. All sealed secrets are rewritten in one transaction together with the event that says
 * so and the key's id: a database is under one key or under the other, never under both, wherever it was
 * interrupted.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "store/internal.h"

struct place {
    int64_t bundle; /* its number */
    int64_t type;
};

/* The next sealed secret behind this place: 1 with a copy of it (the caller's), 0: none, negative. */
static int next_secret(struct store *st, struct place *place, char id[BUNDLE_ID_SIZE], uint8_t **ret,
                       size_t *ret_len)
{
    struct query q = sql_start(&st->db, Q_SEALED_NEXT);
    sql_put_i64(&q, place->bundle);
    sql_put_i64(&q, place->type);
    int r = sql_step(&q);
    if (r > 0) {
        struct span sealed = sql_blob(&q, 3);
        place->bundle = sql_i64(&q, 0);
        place->type = sql_i64(&q, 1);
        sql_copy(&q, 2, id, BUNDLE_ID_SIZE);
        *ret = malloc(2 * sealed.len); /* what it was, and what it becomes */
        *ret_len = sealed.len;
        r = *ret ? 1 : -ENOMEM;
        if (*ret) {
            memcpy(*ret, sealed.at, sealed.len);
        }
    }
    sql_end(&q);
    return r;
}

static int rewrite(struct store *st, const struct place *place, const char *id, struct store_op *op,
                   uint8_t *octets, size_t len)
{
    const struct store_rotation *in = op->rotation;
    struct err_info why = {0};
    int r = in->rewrap(in->ctx, id, (int)place->type, span_of((const char *)octets, len), octets + len, &why);
    if (r < 0) {
        return op_no(op, r, REASON_key_locked, "bundle %s: %s", id, why.text);
    }
    struct query q = sql_start(&st->db, Q_SEALED_PUT);
    sql_put_i64(&q, place->bundle);
    sql_put_i64(&q, place->type);
    sql_put_blob(&q, span_of((const char *)octets + len, len));
    return sql_run(&q);
}

/* The tokens of boards, the same way: sealed as belonging to the board. */
static int rewrite_tokens(struct store *st, struct store_op *op)
{
    struct store_rotation *in = op->rotation;
    char imei[IMEI_SIZE] = "", place[64];
    for (;;) {
        uint8_t octets[2 * LEDGER_TOKEN_SIZE];
        struct query q = sql_start(&st->db, Q_TOKEN_NEXT);
        sql_put_text(&q, imei);
        int r = sql_step(&q);
        struct span sealed = r > 0 ? sql_blob(&q, 1) : span_of(NULL, 0);
        bool fits = sealed.len <= LEDGER_TOKEN_SIZE;
        if (r > 0 && fits) {
            sql_copy(&q, 0, imei, sizeof(imei));
            memcpy(octets, sealed.at, sealed.len);
        }
        size_t len = sealed.len;
        sql_end(&q);
        if (r <= 0 || !fits) {
            return r < 0 ? r : fits ? 0 : ERR_CORRUPT;
        }
        struct err_info why = {0};
        (void)snprintf(place, sizeof(place), "%s%s", in->token_place, imei);
        r = in->rewrap(in->ctx, place, 0, span_of((const char *)octets, len), octets + len, &why);
        if (r < 0) {
            return op_no(op, r, REASON_key_locked, "attestation token of %s: %s", imei, why.text);
        }
        q = sql_start(&st->db, Q_TOKEN_REWRITE);
        sql_put_text(&q, imei);
        sql_put_blob(&q, span_of((const char *)octets + len, len));
        r = sql_run(&q);
        if (r < 0) {
            return r;
        }
        in->rewritten++;
    }
}

int op_rotate(struct store *st, struct store_op *op)
{
    struct store_rotation *in = op->rotation;
    struct place place = {.bundle = -1, .type = -1};
    char id[BUNDLE_ID_SIZE];
    uint8_t *octets = NULL;
    size_t len = 0;
    in->rewritten = 0;
    int r;
    while ((r = next_secret(st, &place, id, &octets, &len)) > 0) {
        r = rewrite(st, &place, id, op, octets, len);
        free(octets);
        if (r < 0) {
            return r;
        }
        in->rewritten++;
    }
    r = r < 0 ? r : rewrite_tokens(st, op);
    r = r < 0 ? r : meta_put(st, STORE_NOTE_KEY, in->to);
    r = r < 0 ? r : meta_put(st, STORE_NOTE_DIGEST_KEYS, in->digest_keys);
    if (r < 0) {
        return r;
    }
    struct json *data = json_new_object();
    int trouble = json_put_text(data, "from", in->from);
    trouble |= json_put_text(data, "to", in->to);
    trouble |= json_put_text(data, "who", *in->who ? in->who : NULL);
    trouble |= json_put_i64(data, "secrets", in->rewritten);
    return event_emit(st, "wrapping_key_changed", NULL, NULL, data, trouble);
}
