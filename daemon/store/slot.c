/*
 * Slots that are kept out of use. The station judges and a person releases; both are events, so that an
 * auditor sees who put a slot back into use and on what evidence it was taken out, and a restart changes
 * nothing about it.
 */
#include "store/internal.h"

static int is_quarantined(struct store *st, const char *slot)
{
    struct query q = sql_start(&st->db, Q_SLOT_QUARANTINED);
    sql_put_text(&q, slot);
    int r = sql_step(&q);
    sql_end(&q);
    return r;
}

int op_slot(struct store *st, struct store_op *op)
{
    const struct store_slot *in = &op->slot;
    int r = is_quarantined(st, in->slot);
    if (r < 0 || (r > 0) == in->is_quarantined) {
        return r < 0 ? r : 0;
    }
    struct json *data = json_new_object();
    int trouble = json_put_text(data, "who", *in->who ? in->who : "station");
    trouble |= json_put_text(data, "why", in->why);
    return event_emit(st, in->is_quarantined ? "slot_quarantined" : "slot_released", in->slot, NULL, data,
                      trouble);
}

int slot_project_quarantined(struct store *st, const struct event *event)
{
    const char *why = json_as_text(json_get(event->data, "why"));
    struct query q = sql_start(&st->db, Q_SLOT_QUARANTINE);
    sql_put_text(&q, event->slot);
    sql_put_i64(&q, event->wall_ms);
    sql_put_text(&q, why ? why : "");
    return sql_run(&q);
}

int slot_project_released(struct store *st, const struct event *event)
{
    struct query q = sql_start(&st->db, Q_SLOT_RELEASE);
    sql_put_text(&q, event->slot);
    return sql_run(&q);
}

int store_quarantined(struct store *st, void (*each)(void *ctx, const char *slot, const char *why), void *ctx)
{
    struct query q = sql_start(&st->db, Q_SLOTS_QUARANTINED);
    int r = 0;
    while ((r = sql_step(&q)) > 0) {
        each(ctx, sql_text(&q, 0), sql_text(&q, 1));
    }
    sql_end(&q);
    return r;
}
