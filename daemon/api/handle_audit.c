/* The trail and its proof. */
#include "api/audit.h"
#include "api/handle.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"

#define STRETCH 20000 /* events in one request: well below a second */

static const char *state_name(const struct audit_state *state)
{
    bool is_broken = state->is_broken || state->head.seq < state->verified.seq; /* or the end is gone */

    return is_broken                                ? "broken"
           : state->wall_ms == 0                    ? "unverified"
           : state->verified.seq >= state->head.seq ? "verified"
                                                    : "partly_verified";
}

static int put_place(struct json *tree, const char *key, const struct store_chain *place)
{
    char hash[2 * DIGEST_SIZE + 1];
    struct json *one = json_new_object();

    hex_encode(place->hash.octets, DIGEST_SIZE, hash);
    int failed = json_put_i64(one, "seq", place->seq);
    failed |= json_put_text(one, "hash", hash);
    return json_put(tree, key, one) | failed;
}

static void answer(struct response *out, int rc, const struct audit_state *state, const struct err_info *err)
{
    char at[CLOCK_RFC3339_SIZE];

    if (rc < 0) {
        answer_read(out, rc, NULL, err);
        return;
    }
    struct json *tree = json_new_object();
    int failed = json_put_text(tree, "state", state_name(state));
    failed |= put_place(tree, "head", &state->head);
    failed |= put_place(tree, "verified", &state->verified);
    clock_rfc3339(state->wall_ms, at);
    failed |= json_put_text(tree, "at", state->wall_ms > 0 ? at : NULL);
    failed |= json_put_text(tree, "detail", state->is_broken ? state->why : NULL);
    if (failed != 0) {
        json_free(tree);
        tree = NULL;
    }
    response_json(out, 200, tree);
}

void handle_audit(const struct env *env, const struct request *r, struct response *out)
{
    struct audit_state state = {0};
    struct err_info err = {0};

    (void)r;
    int rc = audit_look(env->audit, env->reader, &state, &err);
    answer(out, rc, &state, &err);
}

void handle_audit_verify(const struct env *env, const struct request *r, struct response *out)
{
    static const char *const members[] = {"restart", NULL};
    struct audit_state state = {0};
    struct err_info err = {0};
    bool must_restart = false;

    struct json *body = body_object(r, members, out);
    if (body == NULL) {
        return;
    }
    int rc = json_opt_bool(body, "restart", &must_restart, &err);
    json_free(body);
    if (rc < 0) {
        response_problem(out, PROBLEM_BAD_BODY, err.text);
        return;
    }
    rc = audit_verify(env->audit, env->reader, STRETCH, must_restart, env->clock->wall_ms(env->clock), &state,
                      &err);
    if (rc == ERR_CONFLICT) {
        response_problem(out, PROBLEM_WRONG_STATE, err.text);
        return;
    }
    answer(out, rc, &state, &err);
    if (rc == 0 && !state.is_broken && state.verified.seq < state.head.seq) {
        out->status = 202; /* ask again: it goes on from there */
    }
}
