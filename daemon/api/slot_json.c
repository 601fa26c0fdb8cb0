#include "api/slot_json.h"

#include "base/clock.h"
#include "base/json.h"

static int put_or_null(struct json *object, const char *key, const char *text)
{
    return *text != '\0' ? json_put_text(object, key, text) : json_put_null(object, key);
}

/* Gives `tree` back, or frees it and gives NULL when something failed on the way. */
static struct json *unless(int failed, struct json *tree)
{
    if (failed != 0) {
        json_free(tree);
        return NULL;
    }
    return tree;
}

static struct json *board_json(const struct slot_view *view)
{
    struct json *board = json_new_object();
    int failed = 0;

    failed |= put_or_null(board, "imei", view->imei);
    failed |= put_or_null(board, "model", view->model);
    failed |= put_or_null(board, "modem_firmware", view->modem_firmware);
    failed |= put_or_null(board, "uuid", view->uuid);
    return unless(failed, board);
}

static int put_time(struct json *object, const char *key, int64_t wall_ms)
{
    char text[CLOCK_RFC3339_SIZE];

    if (wall_ms == 0) {
        return json_put_null(object, key);
    }
    clock_rfc3339(wall_ms, text);
    return json_put_text(object, key, text);
}

struct json *slot_json_verdict(const struct verdict *verdict, enum entry_proof proof, int64_t wall_ms)
{
    bool has_reason = verdict->reason != REASON_NONE;
    struct json *tree = json_new_object();
    int failed = 0;

    failed |= json_put_text(tree, "outcome", outcome_name(verdict->outcome));
    failed |= json_put_text(tree, "fault", fault_name(verdict->fault));
    failed |= json_put_text(tree, "reason", has_reason ? reason_text(verdict->reason)->name : NULL);
    failed |= json_put_text(tree, "title", has_reason ? reason_text(verdict->reason)->title : NULL);
    failed |= json_put_text(tree, "detail", verdict->detail);
    failed |= json_put_text(tree, "remedy", has_reason ? reason_text(verdict->reason)->remedy : NULL);
    failed |= put_or_null(tree, "proof", entry_proof_name(proof));
    failed |= put_time(tree, "at", wall_ms);
    return unless(failed, tree);
}

struct json *slot_json(const struct slot_view *view)
{
    bool is_known = *view->imei != '\0' || *view->model != '\0' || *view->modem_firmware != '\0';
    bool is_waiting = view->waiting_for != REASON_NONE;
    struct json *tree = json_new_object();
    int failed = 0;

    failed |= json_put_text(tree, "id", view->id);
    failed |= json_put_text(tree, "fixture", view->fixture);
    failed |= json_put_text(tree, "name", view->name);
    failed |= json_put_i64(tree, "generation", view->generation);
    failed |= put_or_null(tree, "port", view->port);
    failed |= put_or_null(tree, "usb", view->usb);
    failed |= json_put_text(tree, "state", slot_state_name(view->state));
    failed |= is_known ? json_put(tree, "board", board_json(view)) : json_put_null(tree, "board");
    failed |= put_or_null(tree, "work_order", view->order);
    failed |= put_or_null(tree, "job", view->job);
    failed |= put_or_null(tree, "step", view->step);
    failed |= json_put_real(tree, "progress", view->progress_permille / 1000.0);
    failed |=
        view->has_verdict
            ? json_put(tree, "verdict", slot_json_verdict(&view->verdict, view->proof, view->verdict_wall_ms))
            : json_put_null(tree, "verdict");
    failed |= json_put_text(tree, "waiting_for", is_waiting ? reason_text(view->waiting_for)->name : NULL);
    failed |= put_or_null(tree, "warning", view->warning);
    failed |= put_or_null(tree, "earlier_job", view->earlier_job);
    failed |= put_time(tree, "changed", view->changed_wall_ms);
    return unless(failed, tree);
}
