/* The API's own description and the routes: what one knows the other knows, with its parameters and bodies.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/response.h"
#include "api/route.h"
#include "base/json.h"
#include "store/store.h"

extern const char api_openapi_json[];

static struct json *document;
static const struct json *paths;

static int read_document(void **state)
{
    struct err_info err = {0};

    (void)state;
    if (json_parse(span_str(api_openapi_json), 64, &document, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return -1;
    }
    paths = json_get(document, "paths");
    return 0;
}

static int drop_document(void **state)
{
    (void)state;
    json_free(document);
    return 0;
}

/* "{slot}" is written as the two segments that it stands for. */
static const char *path_of(const struct route *route, char out[256])
{
    const char *slot = strstr(route->pattern, "{slot}");

    if (slot == NULL) {
        snprintf(out, 256, "%s", route->pattern);
    } else {
        snprintf(out, 256, "%.*s{fixture}/{name}%s", (int)(slot - route->pattern), route->pattern,
                 slot + strlen("{slot}"));
    }
    return out;
}

static const char *method_of(const struct route *route)
{
    return route->method == METHOD_GET ? "get" : route->method == METHOD_PUT ? "put" : "post";
}

static const struct json *operation_of(const struct route *route)
{
    char path[256];
    return json_get(json_get(paths, path_of(route, path)), method_of(route));
}

static void every_route_is_described(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_routes; i++) {
        if (json_kind_of(operation_of(&routes[i])) != JSON_KIND_OBJECT) {
            fail_msg("%s %s is not described", method_of(&routes[i]), routes[i].pattern);
        }
    }
}

static const struct route *route_of(const char *path, const char *method)
{
    char text[256];

    for (size_t i = 0; i < n_routes; i++) {
        if (strcmp(path_of(&routes[i], text), path) == 0 && strcmp(method_of(&routes[i]), method) == 0) {
            return &routes[i];
        }
    }
    return NULL;
}

static void everything_described_is_a_route(void **state)
{
    struct json_member path = {0};

    (void)state;
    while (json_next(paths, &path)) {
        struct json_member method = {0};
        while (json_next(path.value, &method)) {
            if (route_of(path.key, method.key) == NULL) {
                fail_msg("%s %s is no route", method.key, path.key);
            }
        }
    }
}

/* The name of a parameter of the query, or NULL. */
static const char *query_name(const struct json *parameter)
{
    const char *in = json_as_text(json_get(parameter, "in"));
    return in != NULL && strcmp(in, "query") == 0 ? json_as_text(json_get(parameter, "name")) : NULL;
}

static bool is_described(const struct json *parameters, const char *name)
{
    for (size_t i = 0; i < json_count(parameters); i++) {
        const char *other = query_name(json_at(parameters, i));
        if (other != NULL && strcmp(other, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_taken(const struct route *route, const char *name)
{
    for (size_t i = 0; route->params != NULL && route->params[i] != NULL; i++) {
        if (strcmp(route->params[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static void parameters_agree(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_routes; i++) {
        const struct route *route = &routes[i];
        const struct json *parameters = json_get(operation_of(route), "parameters");
        for (size_t k = 0; route->params != NULL && route->params[k] != NULL; k++) {
            if (!is_described(parameters, route->params[k])) {
                fail_msg("%s %s: %s is not described", method_of(route), route->pattern, route->params[k]);
            }
        }
        for (size_t k = 0; k < json_count(parameters); k++) {
            const char *name = query_name(json_at(parameters, k));
            if (name != NULL && !is_taken(route, name)) {
                fail_msg("%s %s: %s is not taken", method_of(route), route->pattern, name);
            }
        }
    }
}

static void bodies_agree(void **state)
{
    static const struct {
        enum content_kind kind;
        const char *type;
    } kinds[] = {{CONTENT_JSON, "application/json"},
                 {CONTENT_NDJSON, "application/x-ndjson"},
                 {CONTENT_CSV, "text/csv"}};

    (void)state;
    for (size_t i = 0; i < n_routes; i++) {
        const struct json *content = json_get(json_get(operation_of(&routes[i]), "requestBody"), "content");
        unsigned described = 0;
        for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
            described |= json_get(content, kinds[k].type) != NULL ? kinds[k].kind : 0u;
        }
        if (described != routes[i].content) {
            fail_msg("%s %s: its body", method_of(&routes[i]), routes[i].pattern);
        }
    }
}

/* Names that stand in an enum of the description must be those of the program. */
static void assert_enum(const char *schema, const char *(*name_of)(int i), int n)
{
    const struct json *names =
        json_get(json_get(json_get(json_get(document, "components"), "schemas"), schema), "enum");

    assert_int_equal(json_count(names), n);
    for (int i = 0; i < n; i++) {
        assert_string_equal(json_as_text(json_at(names, (size_t)i)), name_of(i));
    }
}

static const char *outcome_at(int i)
{
    return outcome_name((enum outcome)(i + 1)); /* NONE is null */
}

static const char *fault_at(int i)
{
    return fault_name((enum fault)i);
}

static const char *state_at(int i)
{
    return slot_state_name((enum slot_state)i);
}

static const char *kind_at(int i)
{
    return store_event_kind((size_t)i);
}

static void words_agree(void **state)
{
    (void)state;
    int n_kinds = 0;
    while (kind_at(n_kinds)) {
        n_kinds++;
    }
    assert_enum("EventKind", kind_at, n_kinds);
    assert_enum("Outcome", outcome_at, OUTCOMES - 1);
    assert_enum("Fault", fault_at, FAULT_UNKNOWN + 1);
    assert_enum("SlotState", state_at, SLOT_QUARANTINED + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_is_described),
        cmocka_unit_test(everything_described_is_a_route),
        cmocka_unit_test(parameters_agree),
        cmocka_unit_test(bodies_agree),
        cmocka_unit_test(words_agree),
    };
    return cmocka_run_group_tests(tests, read_document, drop_document);
}
