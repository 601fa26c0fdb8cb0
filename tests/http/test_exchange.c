/* The handlers of exports and of imported files, without a socket: what is asked, which answers, and that a
 * file goes on record in a real store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "api/route.h"
#include "base/json.h"
#include "http/fake.h"
#include "store/read.h"
#include "support/storekit.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SHA          "2C43952EE9E000FF2ACC4E2ED0897C0A72AD5FA72C3D934E81741CBD54F05BD1"

static struct fake fake;
static struct kit kit;
static struct api_sources sources;
static struct request request;
static struct response out;
static unsigned roles;

static int submit_to_kit(void *ctx, struct store_op *op)
{
    (void)ctx;
    kit_run(&kit, op);
    return 0;
}

static int prepare(void **state)
{
    (void)state;
    fake_init(&fake);
    roles = ROLE_ENGINEER;
    sources = fake_sources(&fake);
    sources.submit = submit_to_kit;
    kit_init(&kit);
    return kit_open(&kit);
}

static int clean(void **state)
{
    (void)state;
    response_done(&out);
    kit_check(&kit);
    kit_done(&kit);
    return 0;
}

static int ask(enum method method, const char *target, const char *body)
{
    struct env env = {.sources = &sources, .clock = &clock_system};
    enum problem problem;
    char allow[40];
    response_done(&out);
    request.method = method;
    request.roles = roles;
    request.body = body != NULL ? span_str(body) : span_of(NULL, 0);
    assert_int_equal(request_set_target(&request, span_str(target), NULL), 0);
    const struct route *route = route_find(&request, &problem, allow);
    assert_non_null(route);
    assert_int_equal(request_check_params(&request, route->params, NULL), 0);
    route->handle(&env, &request, &out);
    return out.status;
}

static void assert_body(const char *wanted)
{
    assert_int_equal(out.len, strlen(wanted));
    assert_memory_equal(out.body, wanted, out.len);
}

static void an_export_comes_in_parts(void **state)
{
    (void)state;
    assert_int_equal(
        ask(METHOD_GET, "/api/v1/exports/devinfo?work_order=WO-1&from=2026-11-20T00:00:00Z", NULL), 200);
    assert_body("first\n");
    assert_string_equal(out.content_type, "text/csv");
    assert_true(out.is_part);
    assert_string_equal(out.next, "7.x");
    assert_int_equal(out.rows, 1);
    assert_int_equal(out.skipped, 1);
    assert_int_equal(ask(METHOD_GET, "/api/v1/exports/devinfo?cursor=7.x", NULL), 200);
    assert_body("second\n");
    assert_string_equal(out.next, "");
    assert_int_equal(ask(METHOD_GET, "/api/v1/exports/devinfo?skipped=true", NULL), 200);
    assert_body("1: no\n");
    assert_int_equal(ask(METHOD_POST, "/api/v1/exports/template", "{\"template\":\"{imei}\"}"), 200);
    assert_body("by a template");
}

/* Whoever plans or repairs may have tokens, an auditor may not; and only a file that is given counts. */
static void secrets_are_for_some(void **state)
{
    (void)state;
    assert_int_equal(ask(METHOD_GET, "/api/v1/exports/claim", NULL), 200);
    assert_true(out.is_secret);
    assert_body("\"token\"\n");
    assert_int_equal(fake.n_delivered, 1);
    assert_int_equal(ask(METHOD_GET, "/api/v1/exports/claim?skipped=true", NULL), 200);
    assert_false(out.is_secret);
    assert_body("1: no\n");
    assert_int_equal(ask(METHOD_HEAD, "/api/v1/exports/claim", NULL), 200);
    assert_int_equal(fake.n_delivered, 1);
    roles = ROLE_AUDITOR;
    assert_int_equal(ask(METHOD_GET, "/api/v1/exports/claim", NULL), 403);
    assert_int_equal(ask(METHOD_GET, "/api/v1/exports/devinfo", NULL), 200);
    assert_int_equal(fake.n_delivered, 1);
}

static void wrong_questions_are_refused(void **state)
{
    (void)state;
    static const struct {
        enum method method;
        const char *target, *body;
        int status;
    } rows[] = {
        {METHOD_GET, "/api/v1/exports/onboardng", NULL, 404},
        {METHOD_GET, "/api/v1/exports/devinfo?from=yesterday", NULL, 400},
        {METHOD_GET, "/api/v1/exports/devinfo?limit=0", NULL, 400},
        {METHOD_GET, "/api/v1/exports/devinfo?limit=1001", NULL, 400},
        {METHOD_GET, "/api/v1/exports/template", NULL, 400},
        {METHOD_POST, "/api/v1/exports/template", "{}", 400},
        {METHOD_POST, "/api/v1/exports/template", "{\"template\":7}", 400},
        {METHOD_POST, "/api/v1/exports/template", "{\"tempalte\":\"x\"}", 400},
        {METHOD_POST, "/api/v1/imports", "{}", 400},
        {METHOD_POST, "/api/v1/imports", "{\"file\":\"a\",\"format\":\"csv\",\"sha256\":\"12\"}", 400},
        {METHOD_POST, "/api/v1/imports", "{\"file\":\"a\",\"format\":\"csv\",\"sha256\":\"" SHA "\"}", 400},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (ask(rows[i].method, rows[i].target, rows[i].body) != rows[i].status) {
            fail_msg("row %zu: %d", i, out.status);
        }
    }
}

static void an_imported_file_goes_on_record(void **state)
{
    (void)state;
    int64_t seq = store_last_seq(kit.store);
    assert_int_equal(ask(METHOD_POST, "/api/v1/imports",
                         "{\"file\":\"lot7.csv\",\"format\":\"csv\",\"sha256\":\"" SHA
                         "\",\"taken\":2,\"duplicate\":1,\"refused\":0,\"operator\":\"kim\"}"),
                     201);
    assert_int_equal(store_last_seq(kit.store), seq + 1);
    assert_string_equal(
        kit_query(&kit, "SELECT data FROM event WHERE kind = 'file_imported'"),
        "{\"duplicate\":1,\"file\":\"lot7.csv\",\"format\":\"csv\",\"refused\":0,\"sha256\":\"" SHA
        "\",\"taken\":2,\"who\":\"kim\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_export_comes_in_parts, prepare, clean),
        cmocka_unit_test_setup_teardown(secrets_are_for_some, prepare, clean),
        cmocka_unit_test_setup_teardown(wrong_questions_are_refused, prepare, clean),
        cmocka_unit_test_setup_teardown(an_imported_file_goes_on_record, prepare, clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
