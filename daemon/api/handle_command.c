/*
 * Commands to slots. A command names the board it means by its generation, or takes the one that this request
 * saw in the slot: a board that is put in between is never hit. The answer is the slot as it is afterwards.
 */
#include <string.h>

#include "api/handle.h"
#include "api/slot_json.h"
#include "base/buf.h"
#include "base/json.h"

static const char *const start_members[] = {"generation", "operator", "unit_serial", NULL};
static const char *const release_members[] = {"generation", "operator", NULL};
static const char *const other_members[] = {"generation", NULL};

static const char *const *members_of(enum api_command_kind kind)
{
    return kind == API_START ? start_members : kind == API_RELEASE ? release_members : other_members;
}

/* Fills the command from the body; false when `out` is answered. */
static bool read_command(const struct request *r, struct api_command *command, struct response *out)
{
    struct err_info err = {0};
    int64_t generation = command->generation;
    bool is_start = command->kind == API_START;

    struct json *body = body_object(r, members_of(command->kind), out);
    if (body == NULL) {
        return false;
    }
    int rc = json_opt_i64(body, "generation", 1, UINT32_MAX, &generation, &err);
    if (rc == 0 && (is_start || command->kind == API_RELEASE)) {
        rc = body_text(body, "operator", command->operator_name, sizeof(command->operator_name), &err);
    }
    if (rc == 0 && is_start) {
        rc = body_text(body, "unit_serial", command->unit_serial, sizeof(command->unit_serial), &err);
    }
    json_free(body);
    if (rc < 0) {
        response_problem(out, PROBLEM_BAD_BODY, err.text);
        return false;
    }
    command->generation = (uint32_t)generation;
    if (command->kind == API_RELEASE && *command->operator_name == '\0') {
        buf_copy(command->operator_name, sizeof(command->operator_name), span_str(who_of(r)));
    }
    return true;
}

static void answer_command(int rc, const struct err_info *err, struct response *out)
{
    switch (rc) {
    case ERR_NOT_FOUND:
        response_problem(out, PROBLEM_WRONG_STATE,
                         *err->text != '\0' ? err->text : "this board is not there");
        return;
    case ERR_CONFLICT:
    case ERR_REFUSED:
        response_problem(out, PROBLEM_WRONG_STATE, err->text);
        return;
    case ERR_FULL:
        response_problem(out, PROBLEM_BUSY, "too many commands wait for the line");
        return;
    case ERR_CLOSED:
        response_problem(out, PROBLEM_STOPPING, NULL);
        return;
    default: /* any other code is a fault of ours */
        response_problem(out, PROBLEM_INTERNAL, err->text);
        return;
    }
}

static void run(const struct env *env, const struct request *r, enum api_command_kind kind,
                struct response *out)
{
    const struct api_sources *s = env->sources;
    struct api_command command = {.kind = kind};
    struct err_info err = {0};
    struct slot_view view;

    int64_t slot = find_slot(s, r->id, &view);
    if (slot < 0) {
        response_problem(out, PROBLEM_NOT_FOUND, "no slot has this id");
        return;
    }
    command.slot = (uint32_t)slot;
    command.generation = view.generation;
    if (!read_command(r, &command, out)) {
        return;
    }
    int rc = s->command(s->ctx, &command, &err);
    if (rc < 0) {
        answer_command(rc, &err, out);
        return;
    }
    s->slot_read(s->ctx, command.slot, &view);
    response_json(out, 200, slot_json(&view));
}

void handle_slot_start(const struct env *env, const struct request *r, struct response *out)
{
    run(env, r, API_START, out);
}

void handle_slot_abort(const struct env *env, const struct request *r, struct response *out)
{
    run(env, r, API_ABORT, out);
}

void handle_slot_release(const struct env *env, const struct request *r, struct response *out)
{
    run(env, r, API_RELEASE, out);
}

void handle_slot_retry(const struct env *env, const struct request *r, struct response *out)
{
    run(env, r, API_RETRY, out);
}

/* Starts one slot of a fixture: what its row in the answer says. */
static struct json *start_one(const struct api_sources *s, uint32_t slot, const struct slot_view *view,
                              const char *operator_name, uint32_t *started)
{
    struct api_command command = {.kind = API_START, .slot = slot, .generation = view->generation};
    struct json *row = json_new_object();
    struct err_info err = {0};
    int failed = 0;

    buf_copy(command.operator_name, sizeof(command.operator_name), span_str(operator_name));
    int rc = s->command(s->ctx, &command, &err);
    *started += rc >= 0;
    failed |= json_put_text(row, "id", view->id);
    failed |= json_put_text(row, "result", rc >= 0 ? "started" : "refused");
    if (rc < 0) {
        failed |= json_put_text(row, "detail", *err.text != '\0' ? err.text : err_text(rc));
    }
    if (failed != 0) {
        json_free(row);
        return NULL;
    }
    return row;
}

static bool has_fixture(const struct api_station *station, const char *name)
{
    for (size_t i = 0; i < station->n_fixtures; i++) {
        if (strcmp(station->fixtures[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Row-wise: an empty slot or one that runs already is no failure of the others. */
void handle_fixture_start(const struct env *env, const struct request *r, struct response *out)
{
    static const char *const members[] = {"operator", NULL};
    const struct api_sources *s = env->sources;
    struct err_info err = {0};
    struct slot_view view;
    char operator_name[64] = "";
    uint32_t started = 0;
    int failed = 0;

    if (!has_fixture(s->station, r->id)) {
        response_problem(out, PROBLEM_NOT_FOUND, "no fixture has this name");
        return;
    }
    struct json *body = body_object(r, members, out);
    if (body == NULL) {
        return;
    }
    int rc = body_text(body, "operator", operator_name, sizeof(operator_name), &err);
    json_free(body);
    if (rc < 0) {
        response_problem(out, PROBLEM_BAD_BODY, err.text);
        return;
    }

    struct json *tree = json_new_object(), *rows = json_new_array();
    uint32_t count = s->slot_count(s->ctx);
    for (uint32_t i = 0; i < count; i++) {
        s->slot_read(s->ctx, i, &view);
        if (strcmp(view.fixture, r->id) == 0 && view.state != SLOT_ABSENT) {
            failed |= json_append(rows, start_one(s, i, &view, operator_name, &started));
        }
    }
    failed |= json_put_i64(tree, "started", started);
    failed |= json_put(tree, "slots", rows);
    if (failed != 0) {
        json_free(tree);
        tree = NULL;
    }
    response_json(out, 200, tree);
}
