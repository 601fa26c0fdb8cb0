/*
 * The handlers without a socket: a request in, a response out. Slots and the line are a fake's; orders,
 * bundles and records are a real store's, read back through a real reader.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "api/audit.h"
#include "api/route.h"
#include "base/json.h"
#include "http/fake.h"
#include "store/read.h"
#include "support/storekit.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct fake fake;
static struct kit kit;
static struct store_reader *reader;
static struct api_station station;
static struct api_product products[2];
static struct api_sources sources;
static struct request request;
static struct response out;
static struct json *tree; /* of the last answer, when it was JSON */

static struct audit *audit;

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
    sources = fake_sources(&fake);
    return 0;
}

static int prepare_store(void **state)
{
    prepare(state);
    kit_init(&kit);
    assert_int_equal(kit_open(&kit), 0);
    kit_register(&kit, KIT_POOL);
    kit_register(&kit, KIT_BOUND);
    for (int i = 0; i < 2; i++) {
        products[i] = (struct api_product){kit.products[i].name, kit.products[i].version, "{}"};
    }
    station = fake_station;
    station.products = products;
    station.n_products = 2;
    sources.station = &station;
    sources.submit = submit_to_kit;
    audit = audit_new();
    return store_reader_open(&reader, kit.dir, NULL, NULL);
}

static int clean(void **state)
{
    (void)state;
    json_free(tree);
    tree = NULL;
    response_done(&out);
    return 0;
}

static int clean_store(void **state)
{
    clean(state);
    store_reader_close(reader);
    reader = NULL;
    audit_free(audit);
    kit_done(&kit);
    return 0;
}

/* Goes as a request goes: target, route, handler. */
static int ask(enum method method, const char *target, const char *body)
{
    struct env env = {.sources = &sources, .clock = &clock_system, .reader = reader, .audit = audit};
    enum problem problem;
    struct err_info err = {0};
    char allow[40];

    clean(NULL);
    request.method = method;
    request.roles = ROLE_ENGINEER;
    request.body = body != NULL ? span_str(body) : span_of(NULL, 0);
    assert_int_equal(request_set_target(&request, span_str(target), NULL), 0);
    const struct route *route = route_find(&request, &problem, allow);
    if (route == NULL) {
        response_problem(&out, problem, NULL);
        return out.status;
    }
    route->handle(&env, &request, &out);
    assert_int_not_equal(out.status, 0);
    if (out.body != NULL && strstr(out.content_type, "json") != NULL &&
        json_parse(span_of(out.body, out.len), JSON_DEPTH_USUAL, &tree, &err) < 0) {
        fail_msg("%s: %s", target, err.text);
    }
    return out.status;
}

static const char *text_of(const char *key)
{
    const char *text = json_as_text(json_get(tree, key));
    return text != NULL ? text : "(none)";
}

/* Every member of `expected` is there and the same; the answer may have more of them. */
static void assert_members(const char *expected)
{
    struct json *all = NULL;
    struct json_member m = {0};

    assert_int_equal(json_parse(span_str(expected), JSON_DEPTH_USUAL, &all, NULL), 0);
    while (json_next(all, &m)) {
        if (!json_is_equal(m.value, json_get(tree, m.key))) {
            fail_msg("%s in %.*s", m.key, (int)out.len, out.body);
        }
    }
    json_free(all);
}

/* ---- slots and station */

static void an_empty_slot_is_mostly_null(void **state)
{
    (void)state;
    assert_int_equal(ask(METHOD_GET, "/api/v1/slots/rack1/001", NULL), 200);
    assert_members(
        "{\"id\":\"rack1/001\",\"fixture\":\"rack1\",\"name\":\"001\",\"generation\":0,\"port\":null,"
        "\"usb\":null,\"state\":\"absent\",\"board\":null,\"work_order\":null,\"job\":null,\"step\":null,"
        "\"progress\":0.0,\"verdict\":null,\"earlier_job\":null,\"changed\":null}");
}

static void a_running_slot_tells_all(void **state)
{
    struct slot_view *v = &fake.slots[0];

    (void)state;
    v->generation = 5;
    v->state = SLOT_RUNNING;
    v->progress_permille = 720;
    v->changed_wall_ms = 1795161600000;
    strcpy(v->port, "/dev/pts/7");
    strcpy(v->usb, "1-1.2:1.0");
    strcpy(v->imei, "351465800000002");
    strcpy(v->model, "nRF9151-LACA");
    strcpy(v->modem_firmware, "mfw_nrf91x1_2.0.2");
    strcpy(v->order, "WO-4711");
    strcpy(v->job, "01J");
    strcpy(v->step, "write_private_key");
    assert_int_equal(ask(METHOD_GET, "/api/v1/slots/rack1%2F001", NULL), 200);
    assert_members(
        "{\"id\":\"rack1/001\",\"fixture\":\"rack1\",\"name\":\"001\",\"generation\":5,\"port\":\"/"
        "dev/pts/7\","
        "\"usb\":\"1-1.2:1.0\",\"state\":\"running\",\"board\":{\"imei\":\"351465800000002\","
        "\"model\":\"nRF9151-LACA\",\"modem_firmware\":\"mfw_nrf91x1_2.0.2\",\"uuid\":null},"
        "\"work_order\":\"WO-4711\",\"job\":\"01J\",\"step\":\"write_private_key\",\"progress\":0.72,"
        "\"verdict\":null,\"earlier_job\":null,\"changed\":\"2026-11-20T08:00:"
        "00.000Z\"}");
}

static void a_verdict_comes_with_its_remedy(void **state)
{
    struct slot_view *v = &fake.slots[0];

    (void)state;
    v->state = SLOT_DONE;
    v->has_verdict = true;
    v->verdict = (struct verdict){
        .outcome = OUTCOME_FAIL, .fault = FAULT_FIXTURE, .reason = REASON_bytes_lost, .detail = "2 of 3"};
    v->verdict_wall_ms = 1795161600000;
    assert_int_equal(ask(METHOD_GET, "/api/v1/slots/rack1/001", NULL), 200);
    const struct json *verdict = json_get(tree, "verdict");
    assert_string_equal(json_as_text(json_get(verdict, "outcome")), "FAIL");
    assert_string_equal(json_as_text(json_get(verdict, "fault")), "fixture");
    assert_string_equal(json_as_text(json_get(verdict, "reason")), "bytes_lost");
    assert_string_equal(json_as_text(json_get(verdict, "detail")), "2 of 3");
    assert_string_equal(json_as_text(json_get(verdict, "remedy")), reason_text(REASON_bytes_lost)->remedy);
    assert_int_equal(json_kind_of(json_get(verdict, "proof")), JSON_KIND_NULL);
    assert_string_equal(json_as_text(json_get(verdict, "at")), "2026-11-20T08:00:00.000Z");

    v->verdict = (struct verdict){.outcome = OUTCOME_PASS, .reason = REASON_ok};
    v->proof = ENTRY_DIGEST;
    ask(METHOD_GET, "/api/v1/slots/rack1/001", NULL);
    assert_string_equal(json_as_text(json_get(json_get(tree, "verdict"), "proof")), "digest");
}

static void all_slots_have_a_number(void **state)
{
    int64_t seq = 0;

    (void)state;
    assert_int_equal(ask(METHOD_GET, "/api/v1/slots", NULL), 200);
    assert_int_equal(json_count(json_get(tree, "slots")), FAKE_SLOTS);
    assert_true(json_as_i64(json_get(tree, "seq"), &seq));
    assert_int_equal(seq, 1234);
    assert_int_equal(ask(METHOD_GET, "/api/v1/slots/rack1/009", NULL), 404);
    assert_string_equal(text_of("reason"), "not_found");
    assert_string_equal(text_of("type"), "/problems/not_found");
}

static void the_station_says_what_it_is(void **state)
{
    (void)state;
    assert_int_equal(ask(METHOD_GET, "/api/v1/station", NULL), 200);
    assert_string_equal(text_of("name"), "SZ-<L3>");
    const struct json *rack1 = json_at(json_get(tree, "fixtures"), 0);
    int64_t n = 0;
    assert_true(json_as_i64(json_get(rack1, "slots"), &n));
    assert_int_equal(n, 2);
    assert_int_equal(json_kind_of(json_get(rack1, "named")), JSON_KIND_NULL);
    const struct json *named = json_get(json_at(json_get(tree, "fixtures"), 1), "named");
    assert_string_equal(json_as_text(json_at(named, 0)), "07"); /* as the file has them */
    assert_string_equal(json_as_text(json_at(named, 1)), "05");
    assert_int_equal(json_count(json_get(tree, "products")), 1);
}

static void readiness_says_why_not(void **state)
{
    static const struct {
        struct api_ready ready;
        int status;
        const char *reason;
    } cases[] = {
        {{.store_failed = false}, 200, NULL},
        {{.store_failed = true}, 503, "store_failed"},
        {{.mark_ahead = true, .detail = "reconcile"}, 503, "mark_ahead"},
        {{.key_locked = true}, 503, "key_locked"},
        {{.clock_wrong = true}, 503, "clock_wrong"},
        {{.draining = true}, 503, "stopping"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        bool is_ready = false;
        fake.ready = cases[i].ready;
        assert_int_equal(ask(METHOD_GET, "/readyz", NULL), cases[i].status);
        assert_true(json_as_bool(json_get(tree, "ready"), &is_ready));
        assert_int_equal(is_ready, cases[i].status == 200);
        const char *reason = json_as_text(json_at(json_get(tree, "reasons"), 0));
        assert_true(cases[i].reason == NULL ? reason == NULL : strcmp(reason, cases[i].reason) == 0);
    }
}

static void embedded_files_come_with_type_and_tag(void **state)
{
    char tag[sizeof(out.etag)];

    (void)state;
    assert_int_equal(ask(METHOD_GET, "/", NULL), 200);
    assert_string_equal(out.content_type, "text/html; charset=utf-8");
    assert_true(out.len > 100);
    assert_true(out.may_be_kept);
    memcpy(tag, out.etag, sizeof(tag));
    assert_int_equal(ask(METHOD_GET, "/index.html", NULL), 200);
    assert_string_equal(out.etag, tag);
    assert_int_equal(ask(METHOD_GET, "/style.css", NULL), 200);
    assert_string_equal(out.content_type, "text/css; charset=utf-8");
    assert_string_not_equal(out.etag, tag);
    assert_int_equal(ask(METHOD_POST, "/style.css", NULL), 405);
    assert_int_equal(ask(METHOD_GET, "/index.html/", NULL), 404);
}

static void catalogs_are_whole(void **state)
{
    (void)state;
    assert_int_equal(ask(METHOD_GET, "/api/v1/reasons", NULL), 200);
    const struct json *reasons = json_get(tree, "reasons");
    assert_int_equal(json_count(reasons), REASON_COUNT);
    for (size_t i = 0; i < json_count(reasons); i++) {
        assert_string_equal(json_as_text(json_get(json_at(reasons, i), "name")),
                            reason_text((enum reason)i)->name);
        assert_true(*json_as_text(json_get(json_at(reasons, i), "title")) != '\0');
    }
    assert_int_equal(ask(METHOD_GET, "/problems/bytes_lost", NULL), 200);
    assert_string_equal(text_of("fault"), "fixture");
#define X(problem, name, status, title, remedy)                                                              \
    assert_int_equal(ask(METHOD_GET, "/problems/" name, NULL), 200);                                         \
    assert_int_equal(text_of("remedy")[strlen(text_of("remedy")) - 1], '.');
    PROBLEM_LIST(X)
#undef X
    assert_int_equal(ask(METHOD_GET, "/problems/none_of_ours", NULL), 404);

    assert_int_equal(ask(METHOD_GET, "/api/v1/products", NULL), 200);
    const struct json *product = json_at(json_get(tree, "products"), 0);
    assert_string_equal(json_as_text(json_get(product, "version")), "sha256:00");
    assert_string_equal(json_as_text(json_get(product, "source")), "pool");
}

/* ---- commands */

static void a_command_means_the_board_that_was_seen(void **state)
{
    (void)state;
    fake.slots[1].generation = 7;
    assert_int_equal(ask(METHOD_POST, "/api/v1/slots/rack1/002/start", NULL), 200);
    assert_string_equal(text_of("id"), "rack1/002");
    assert_int_equal(fake.last_command.kind, API_START);
    assert_int_equal(fake.last_command.slot, 1);
    assert_int_equal(fake.last_command.generation, 7);

    assert_int_equal(ask(METHOD_POST, "/api/v1/slots/rack1/002/abort", "{\"generation\":6}"), 200);
    assert_int_equal(fake.last_command.kind, API_ABORT);
    assert_int_equal(fake.last_command.generation, 6);

    assert_int_equal(
        ask(METHOD_POST, "/api/v1/slots/rack1/002/start", "{\"operator\":\"Li\",\"unit_serial\":\"SN 1\"}"),
        200);
    assert_string_equal(fake.last_command.operator_name, "Li");
    assert_string_equal(fake.last_command.unit_serial, "SN 1");
    assert_int_equal(ask(METHOD_POST, "/api/v1/slots/rack1/002/release", "{}"), 200);
    assert_int_equal(fake.last_command.kind, API_RELEASE);
    assert_int_equal(ask(METHOD_POST, "/api/v1/slots/rack1/002/retry", "{}"), 200);
    assert_int_equal(fake.last_command.kind, API_RETRY);
}

static void a_bad_command_is_not_sent(void **state)
{
    static const char *const bodies[] = {
        "{\"generation\":0}",
        "{\"generation\":-1}",
        "{\"generation\":\"1\"}",
        "{\"generation\":4294967296}",
        "{\"operator\":\"Li\"}",
        "[]",
        "{",
        "{}{}",
        "null",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        assert_int_equal(ask(METHOD_POST, "/api/v1/slots/rack1/002/abort", bodies[i]), 400);
        assert_string_equal(text_of("reason"), "bad_body");
    }
    assert_int_equal(
        ask(METHOD_POST, "/api/v1/slots/rack1/002/start",
            "{\"operator\":\"0123456789012345678901234567890123456789012345678901234567890123\"}"),
        400);
    assert_int_equal(fake.n_commands, 0);
}

static void the_lines_no_is_passed_on(void **state)
{
    static const struct {
        int rc, status;
        const char *reason;
    } cases[] = {
        {ERR_NOT_FOUND, 409, "wrong_state"},
        {ERR_CONFLICT, 409, "wrong_state"},
        {ERR_FULL, 503, "busy"},
        {ERR_CLOSED, 503, "stopping"},
        {-EIO, 500, "internal"},
    };

    (void)state;
    fake.command_text = "it is running";
    for (size_t i = 0; i < COUNT(cases); i++) {
        fake.command_rc = cases[i].rc;
        assert_int_equal(ask(METHOD_POST, "/api/v1/slots/rack1/001/start", NULL), cases[i].status);
        assert_string_equal(text_of("reason"), cases[i].reason);
    }
}

static void a_fixture_starts_slot_by_slot(void **state)
{
    int64_t started = -1;

    (void)state;
    fake.slots[0].state = SLOT_WAITING;
    fake.slots[0].generation = 3;
    assert_int_equal(ask(METHOD_POST, "/api/v1/fixtures/rack1/start", "{\"operator\":\"Li\"}"), 200);
    assert_int_equal(fake.n_commands, 1); /* the other slot is empty */
    assert_int_equal(fake.last_command.generation, 3);
    assert_true(json_as_i64(json_get(tree, "started"), &started));
    assert_int_equal(started, 1);

    fake.command_rc = ERR_CONFLICT;
    fake.command_text = "no order is open";
    assert_int_equal(ask(METHOD_POST, "/api/v1/fixtures/rack1/start", NULL), 200);
    const struct json *row = json_at(json_get(tree, "slots"), 0);
    assert_string_equal(json_as_text(json_get(row, "result")), "refused");
    assert_string_equal(json_as_text(json_get(row, "detail")), "no order is open");
    assert_int_equal(ask(METHOD_POST, "/api/v1/fixtures/rack9/start", NULL), 404);
}

/* ---- the store */

#define ORDER "{\"product\":\"tracker\",\"quantity\":16,\"fixtures\":[\"rack1\"],\"lot\":\"2026-W47\"}"

static int ask_if(enum method method, const char *target, const char *body, const char *if_match,
                  const char *if_none_match)
{
    strcpy(request.if_match, if_match);
    strcpy(request.if_none_match, if_none_match);
    int status = ask(method, target, body);
    request.if_match[0] = request.if_none_match[0] = '\0';
    return status;
}

static void an_order_is_changed_only_as_it_was_seen(void **state)
{
    static const char other[] = "\"00000000000000000000000000000000\"";
    char tag[sizeof(out.etag)];

    (void)state;
    assert_int_equal(ask_if(METHOD_PUT, "/api/v1/work-orders/A", ORDER, "*", ""), 412);
    assert_int_equal(ask_if(METHOD_PUT, "/api/v1/work-orders/A", ORDER, "", "*"), 201);
    memcpy(tag, out.etag, sizeof(tag));
    assert_int_equal(strlen(tag), strlen(other));
    assert_int_equal(ask_if(METHOD_PUT, "/api/v1/work-orders/A", ORDER, "", "*"), 412);
    assert_string_equal(text_of("reason"), "precondition_failed");
    assert_string_equal(out.etag, tag);
    assert_int_equal(ask_if(METHOD_PUT, "/api/v1/work-orders/A", ORDER, tag, ""), 200);
    assert_int_equal(ask_if(METHOD_POST, "/api/v1/work-orders/A/close", NULL, other, ""), 412);
    assert_int_equal(ask(METHOD_GET, "/api/v1/work-orders/A", NULL), 200);
    assert_string_equal(text_of("state"), "open");
    assert_string_equal(out.etag, tag);
    assert_int_equal(ask_if(METHOD_POST, "/api/v1/work-orders/A/close", NULL, tag, ""), 200);
    assert_string_not_equal(out.etag, tag);
    assert_int_equal(ask_if(METHOD_POST, "/api/v1/work-orders/A/close", NULL, tag, ""), 412);
}

static int64_t seq_of(const char *key)
{
    int64_t seq = -1;
    (void)json_get_i64(json_get(tree, key), "seq", 0, INT64_MAX, &seq, NULL);
    return seq;
}

static void the_chain_is_verified_from_where_it_was_left(void **state)
{
    (void)state;
    assert_int_equal(ask(METHOD_GET, "/api/v1/audit", NULL), 200);
    assert_string_equal(text_of("state"), "unverified");
    assert_int_equal(seq_of("verified"), 0);
    assert_int_equal(ask(METHOD_POST, "/api/v1/audit/verify", "{}"), 200);
    assert_string_equal(text_of("state"), "verified");
    int64_t before = seq_of("head");
    assert_true(before > 0);
    assert_int_equal(seq_of("verified"), before);

    assert_int_equal(ask(METHOD_PUT, "/api/v1/work-orders/A", ORDER), 201);
    assert_int_equal(ask(METHOD_GET, "/api/v1/audit", NULL), 200);
    assert_string_equal(text_of("state"), "partly_verified");
    assert_int_equal(ask(METHOD_POST, "/api/v1/audit/verify", NULL), 200);
    assert_string_equal(text_of("state"), "verified");
    assert_int_equal(seq_of("verified"), before + 1);
    assert_int_equal(ask(METHOD_POST, "/api/v1/audit/verify", "{\"restart\":1}"), 400);
}

static void a_changed_record_is_found(void **state)
{
    char path[256];
    sqlite3 *db = NULL;

    (void)state;
    assert_int_equal(ask(METHOD_PUT, "/api/v1/work-orders/A", ORDER), 201);
    snprintf(path, sizeof(path), "%s/" STORE_DB_NAME, kit.dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "DROP TRIGGER event_is_not_changed; UPDATE event SET data ="
                                  " replace(data, '16', '17') WHERE kind = 'order_opened'",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(ask(METHOD_POST, "/api/v1/audit/verify", NULL), 200);
    assert_string_equal(text_of("state"), "broken");
    assert_non_null(strstr(text_of("detail"), "does not fit the chain"));
    assert_int_equal(ask(METHOD_GET, "/api/v1/audit", NULL), 200);
    assert_string_equal(text_of("state"), "broken");
}

static void metrics_are_what_prometheus_reads(void **state)
{
    static const char *const lines[] = {
        "certline_info{station=\"SZ-<L3>\",version=\"0.1.0\",config=\"sha256:11\"} 1\n",
        "certline_slots{fixture=\"rack1\",state=\"running\"} 1\n",
        "certline_slots{fixture=\"rack1\",state=\"absent\"} 1\n",
        "certline_jobs_total{outcome=\"PASS\",reason=\"ok\"} 7\n",
        "certline_job_seconds_total 1.500\n",
        "certline_not_ready{reason=\"key_locked\"} 1\n",
        "certline_open_orders 0\n",
        "certline_bundles{state=\"free\"} 0\n",
        "# TYPE process_resident_memory_bytes gauge\n",
    };

    (void)state;
    fake.slots[0].state = SLOT_RUNNING;
    fake.ready.key_locked = true;
    assert_int_equal(ask(METHOD_GET, "/metrics", NULL), 200);
    assert_memory_equal(out.content_type, "text/plain; version=0.0.4", 25);
    for (size_t i = 0; i < COUNT(lines); i++) {
        if (memmem(out.body, out.len, lines[i], strlen(lines[i])) == NULL) {
            fail_msg("%sis not in\n%.*s", lines[i], (int)out.len, out.body);
        }
    }
}

static void an_order_is_put_once(void **state)
{
    (void)state;
    assert_int_equal(ask(METHOD_PUT, "/api/v1/work-orders/WO-4711", ORDER), 201);
    assert_string_equal(text_of("id"), "WO-4711");
    assert_string_equal(text_of("product"), "tracker");
    assert_string_equal(text_of("product_version"), products[KIT_POOL].version);
    assert_string_equal(text_of("lot"), "2026-W47");
    assert_string_equal(text_of("state"), "open");
    assert_int_equal(json_kind_of(json_get(json_get(tree, "counts"), "passed")), JSON_KIND_INT);

    assert_int_equal(ask(METHOD_PUT, "/api/v1/work-orders/WO-4711", ORDER), 200);
    assert_int_equal(ask(METHOD_PUT, "/api/v1/work-orders/WO-4711",
                         "{\"product\":\"tracker\",\"quantity\":17,\"fixtures\":[\"rack1\"]}"),
                     409);
    assert_int_equal(ask(METHOD_PUT, "/api/v1/work-orders/WO-4712", ORDER), 409);
    assert_string_equal(text_of("reason"), "order_conflict");

    assert_int_equal(ask(METHOD_GET, "/api/v1/work-orders/WO-4711", NULL), 200);
    assert_int_equal(ask(METHOD_GET, "/api/v1/work-orders", NULL), 200);
    assert_int_equal(json_count(json_get(tree, "work_orders")), 1);
    assert_int_equal(ask(METHOD_POST, "/api/v1/work-orders/WO-4711/close", "{\"operator\":\"Li\"}"), 200);
    assert_string_equal(text_of("state"), "closed");
    assert_int_equal(ask(METHOD_GET, "/api/v1/work-orders?state=open", NULL), 200);
    assert_int_equal(json_count(json_get(tree, "work_orders")), 0);
    assert_int_equal(ask(METHOD_PUT, "/api/v1/work-orders/WO-4712", ORDER), 201);
    assert_int_equal(ask(METHOD_GET, "/api/v1/work-orders/WO-1", NULL), 404);
    assert_int_equal(ask(METHOD_POST, "/api/v1/work-orders/WO-1/close", NULL), 404);
}

static void a_bad_order_is_refused(void **state)
{
    static const struct {
        const char *target, *body;
    } cases[] = {
        {"/api/v1/work-orders/x", NULL},
        {"/api/v1/work-orders/x", "{}"},
        {"/api/v1/work-orders/x", "{\"product\":\"tracker\",\"quantity\":1}"},
        {"/api/v1/work-orders/x", "{\"product\":\"tracker\",\"quantity\":1,\"fixtures\":[]}"},
        {"/api/v1/work-orders/x", "{\"product\":\"tracker\",\"quantity\":1,\"fixtures\":\"rack1\"}"},
        {"/api/v1/work-orders/x", "{\"product\":\"tracker\",\"quantity\":1,\"fixtures\":[\"rack9\"]}"},
        {"/api/v1/work-orders/x", "{\"product\":\"tracker\",\"quantity\":1,\"fixtures\":[1]}"},
        {"/api/v1/work-orders/x",
         "{\"product\":\"tracker\",\"quantity\":1,\"fixtures\":[\"rack1\",\"rack1\"]}"},
        {"/api/v1/work-orders/x", "{\"product\":\"other\",\"quantity\":1,\"fixtures\":[\"rack1\"]}"},
        {"/api/v1/work-orders/x", "{\"product\":\"tracker\",\"quantity\":0,\"fixtures\":[\"rack1\"]}"},
        {"/api/v1/work-orders/x", "{\"product\":\"tracker\",\"quantity\":1.5,\"fixtures\":[\"rack1\"]}"},
        {"/api/v1/work-orders/x",
         "{\"product\":\"tracker\",\"quantity\":1,\"fixtures\":[\"rack1\"],\"x\":1}"},
        {"/api/v1/work-orders/x",
         "{\"product\":\"tracker\",\"quantity\":1,\"quantity\":2,\"fixtures\":[\"rack1\"]}"},
        {"/api/v1/work-orders/a%20b", ORDER},
        {"/api/v1/work-orders/%C3%A9", ORDER},
        {"/api/v1/work-orders/0123456789012345678901234567890123456789012345678901234567890123", ORDER},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (ask(METHOD_PUT, cases[i].target, cases[i].body) != 400) {
            fail_msg("%s: %d", cases[i].body, out.status);
        }
        assert_string_equal(text_of("reason"), "bad_body");
    }
}

static void stock_is_counted_and_a_bundle_retired(void **state)
{
    int64_t n = -1;

    (void)state;
    assert_int_equal(kit_import(&kit, "b/1", KIT_POOL, NULL, "lot1"), 0);
    assert_int_equal(kit_import(&kit, "b2", KIT_POOL, NULL, "lot1"), 0);
    assert_int_equal(ask(METHOD_GET, "/api/v1/bundles/stock?product=tracker&lot=lot1", NULL), 200);
    assert_true(json_as_i64(json_get(tree, "free"), &n));
    assert_int_equal(n, 2);

    assert_int_equal(ask(METHOD_POST, "/api/v1/bundles/b%2F1/retire", "{}"), 400);
    assert_int_equal(ask(METHOD_POST, "/api/v1/bundles/b%2F1/retire", "{\"reason\":\"key leaked\"}"), 200);
    assert_string_equal(text_of("state"), "retired");
    assert_int_equal(ask(METHOD_POST, "/api/v1/bundles/b2/release", "{\"reason\":\"is free anyway\"}"), 200);
    assert_int_equal(ask(METHOD_POST, "/api/v1/bundles/b%2F1/release", "{\"reason\":\"found again\"}"), 409);
    assert_int_equal(ask(METHOD_POST, "/api/v1/bundles/b9/retire", "{\"reason\":\"key leaked\"}"), 404);
    assert_int_equal(ask(METHOD_GET, "/api/v1/bundles/stock?product=traker", NULL), 400);
    assert_int_equal(ask(METHOD_GET, "/api/v1/bundles/stock?product=tracker&lot=none", NULL), 200);
    assert_int_equal(ask(METHOD_GET, "/api/v1/bundles/stock?product=", NULL), 200);
    assert_int_equal(ask(METHOD_GET, "/api/v1/bundles/stock", NULL), 200);
    assert_true(json_as_i64(json_get(tree, "retired"), &n));
    assert_int_equal(n, 1);
}

static void what_is_on_record_is_read(void **state)
{
    static struct kit_job job;
    char target[128];
    int64_t last = 0;

    (void)state;
    assert_int_equal(kit_import(&kit, "b1", KIT_POOL, NULL, NULL), 0);
    assert_int_equal(kit_order(&kit, "WO-1", KIT_POOL, 5, "rack1", NULL), 0);
    kit_job(&kit, &job, 1, kit_imei(1), "WO-1", KIT_POOL);
    kit_pass(&kit, &job);

    snprintf(target, sizeof(target), "/api/v1/jobs?imei=%s&outcome=PASS&from=2000-01-01T00:00:00Z&limit=1",
             kit_imei(1));
    assert_int_equal(ask(METHOD_GET, target, NULL), 200);
    assert_int_equal(json_count(json_get(tree, "jobs")), 1);
    snprintf(target, sizeof(target), "/api/v1/jobs/%s", job.msg.job);
    assert_int_equal(ask(METHOD_GET, target, NULL), 200);
    assert_string_equal(text_of("outcome"), "PASS");
    snprintf(target, sizeof(target), "/api/v1/boards/%s", kit_imei(1));
    assert_int_equal(ask(METHOD_GET, target, NULL), 200);
    assert_int_equal(ask(METHOD_GET, "/api/v1/events?after=1&limit=2", NULL), 200);
    assert_int_equal(json_count(json_get(tree, "events")), 2);
    assert_true(json_as_i64(json_get(tree, "last"), &last));
    assert_int_equal(last, 3);
    assert_int_equal(ask(METHOD_GET, "/api/v1/jobs/nothing", NULL), 404);
    assert_string_equal(text_of("detail"), "no job has this id");
    assert_int_equal(ask(METHOD_GET, "/api/v1/boards/nothing", NULL), 404);
    assert_non_null(strstr(text_of("detail"), "IMEI"));
    assert_int_equal(ask(METHOD_GET, "/api/v1/work-orders/nothing/yield", NULL), 404);
    assert_non_null(strstr(text_of("detail"), "no work order"));
}

static void a_wrong_filter_is_a_mistake(void **state)
{
    static const char *const targets[] = {
        "/api/v1/jobs?outcome=PASSED",
        "/api/v1/jobs?reason=none",
        "/api/v1/jobs?from=yesterday",
        "/api/v1/yield?from=yesterday",
        "/api/v1/yield?to=2026-11-20",
        "/api/v1/jobs?to=2026-11-20",
        "/api/v1/jobs?limit=0",
        "/api/v1/jobs?limit=1001",
        "/api/v1/jobs?limit=x",
        "/api/v1/jobs?cursor=%21",
        "/api/v1/events?after=-1",
        "/api/v1/events?limit=100000",
        "/api/v1/work-orders?state=ended",
        "/api/v1/work-orders?limit=x",
        "/api/v1/work-orders?cursor=%3F%3F",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(targets); i++) {
        if (ask(METHOD_GET, targets[i], NULL) != 400) {
            fail_msg("%s: %d", targets[i], out.status);
        }
        assert_string_equal(text_of("reason"), "bad_parameter");
    }
}

/* ---- the store's trouble, through the fake */

static void the_stores_trouble_is_told(void **state)
{
    static const struct {
        int rc, result;
        enum reason reason;
        int status;
        const char *name;
    } cases[] = {
        {ERR_FULL, 0, REASON_NONE, 503, "busy"},
        {ERR_CLOSED, 0, REASON_NONE, 503, "stopping"},
        {0, ERR_STORE, REASON_NONE, 503, "store_failed"},
        {0, ERR_CORRUPT, REASON_store_failed, 503, "store_failed"},
        {0, ERR_REFUSED, REASON_mark_ahead, 503, "mark_ahead"},
        {0, ERR_CONFLICT, REASON_order_conflict, 409, "order_conflict"},
        {0, ERR_CONFLICT, REASON_NONE, 409, "wrong_state"},
        {0, ERR_NOT_FOUND, REASON_NONE, 404, "not_found"},
        {0, ERR_RANGE, REASON_NONE, 400, "bad_body"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        fake.submit_rc = cases[i].rc;
        fake.op_result = cases[i].result;
        fake.op_reason = cases[i].reason;
        assert_int_equal(ask(METHOD_PUT, "/api/v1/work-orders/WO-1",
                             "{\"product\":\"tracker\",\"quantity\":1,\"fixtures\":[\"rack1\"]}"),
                         cases[i].status);
        assert_string_equal(text_of("reason"), cases[i].name);
        assert_int_equal(out.retry_after_s, cases[i].status == 503 ? 1 : 0);
    }
}

int main(void)
{
#define PLAIN(test)      cmocka_unit_test_setup_teardown(test, prepare, clean)
#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, prepare_store, clean_store)
    const struct CMUnitTest tests[] = {
        PLAIN(an_empty_slot_is_mostly_null),
        PLAIN(a_running_slot_tells_all),
        PLAIN(a_verdict_comes_with_its_remedy),
        PLAIN(all_slots_have_a_number),
        PLAIN(the_station_says_what_it_is),
        PLAIN(readiness_says_why_not),
        PLAIN(embedded_files_come_with_type_and_tag),
        PLAIN(catalogs_are_whole),
        PLAIN(a_command_means_the_board_that_was_seen),
        PLAIN(a_bad_command_is_not_sent),
        PLAIN(the_lines_no_is_passed_on),
        PLAIN(a_fixture_starts_slot_by_slot),
        WITH_STORE(an_order_is_changed_only_as_it_was_seen),
        WITH_STORE(the_chain_is_verified_from_where_it_was_left),
        WITH_STORE(a_changed_record_is_found),
        WITH_STORE(metrics_are_what_prometheus_reads),
        WITH_STORE(an_order_is_put_once),
        WITH_STORE(a_bad_order_is_refused),
        WITH_STORE(stock_is_counted_and_a_bundle_retired),
        WITH_STORE(what_is_on_record_is_read),
        WITH_STORE(a_wrong_filter_is_a_mistake),
        PLAIN(the_stores_trouble_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
