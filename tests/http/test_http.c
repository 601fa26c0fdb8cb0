/* The server over real sockets: what a well-behaved client gets. ctest: tsan */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "http/client.h"
#include "http/fake.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct fake fake;
static struct api *api;
static struct client c;
static struct answer a;
static char value[256];
static char unix_path[64];

static int start(void **state)
{
    struct err_info err = {0};

    (void)state;
    fake_init(&fake);
    snprintf(unix_path, sizeof(unix_path), "/tmp/certline-http-%d.sock", (int)getpid());
    struct api_config config = {
        .listen = {"127.0.0.1:0"},
        .n_listen = 1,
        .unix_path = unix_path,
        .clock = &clock_system,
        .sources = fake_sources(&fake),
    };
    api = api_start(&config, &err);
    if (api == NULL) {
        fprintf(stderr, "%s\n", err.text);
        return -1;
    }
    client_open(&c, api_port(api, 0));
    return 0;
}

static int stop(void **state)
{
    (void)state;
    if (c.fd >= 0) {
        client_close(&c);
    }
    api_stop(api);
    return 0;
}

static void ask(const char *method, const char *target, const char *headers, const char *body)
{
    client_ask(&c, method, target, headers, body);
    client_take(&c, &a, strcmp(method, "HEAD") != 0);
    fake_sync(&fake);
}

static void a_request_is_answered_and_another_on_the_same_connection(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        ask("GET", "/healthz", "", NULL);
        assert_int_equal(a.status, 200);
        assert_string_equal(a.body, "{\"status\":\"ok\"}");
        assert_string_equal(answer_header(&a, "Content-Type", value), "application/json");
    }
}

static void answers_say_how_they_may_be_used(void **state)
{
    static const char *const targets[] = {"/healthz", "/api/v1/reasons", "/nothing"};

    (void)state;
    for (size_t i = 0; i < COUNT(targets); i++) {
        ask("GET", targets[i], "", NULL);
        assert_string_equal(answer_header(&a, "Cache-Control", value), "no-store");
        assert_string_equal(answer_header(&a, "X-Content-Type-Options", value), "nosniff");
        assert_string_equal(answer_header(&a, "Referrer-Policy", value), "no-referrer");
        assert_memory_equal(answer_header(&a, "Content-Security-Policy", value), "default-src 'none'", 18);
        assert_string_equal(answer_header(&a, "Access-Control-Allow-Origin", value), "");
    }
}

static void head_is_get_without_a_body(void **state)
{
    char length[256];

    (void)state;
    ask("GET", "/api/v1/slots", "", NULL);
    answer_header(&a, "Content-Length", length);
    ask("HEAD", "/api/v1/slots", "", NULL);
    assert_int_equal(a.status, 200);
    assert_string_equal(answer_header(&a, "Content-Length", value), length);
    ask("GET", "/healthz", "", NULL); /* had a body followed, it would stand here */
    assert_string_equal(a.body, "{\"status\":\"ok\"}");
}

static void pipelined_requests_are_answered_in_their_order(void **state)
{
    char text[1024];

    (void)state;
    snprintf(text, sizeof(text),
             "GET /healthz HTTP/1.1\r\nHost: localhost:%1$u\r\n\r\n"
             "POST /api/v1/slots/rack1/001/abort HTTP/1.1\r\nHost: localhost:%1$u\r\nContent-Type: "
             "application/json\r\n"
             "Content-Length: 2\r\n\r\n{}"
             "GET /nothing HTTP/1.1\r\nHost: localhost:%1$u\r\n\r\n",
             c.port);
    client_say(&c, text);
    client_take(&c, &a, true);
    assert_string_equal(a.body, "{\"status\":\"ok\"}");
    client_take(&c, &a, true);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body, "\"rack1/001\""));
    client_take(&c, &a, true);
    assert_int_equal(a.status, 404);
}

static void a_request_may_come_octet_by_octet(void **state)
{
    char text[512];

    (void)state;
    snprintf(text, sizeof(text),
             "POST /api/v1/slots/rack1%%2F001/start HTTP/1.1\r\nHost: localhost:%u\r\n"
             "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
             "7\r\n{\"opera\r\n9\r\ntor\":\"Li\"\r\n1\r\n}\r\n0\r\n\r\n",
             c.port);
    for (const char *p = text; *p != '\0'; p++) {
        assert_true(client_send(&c, p, 1));
    }
    client_take(&c, &a, true);
    fake_sync(&fake);
    assert_int_equal(a.status, 200);
    assert_string_equal(fake.last_command.operator_name, "Li");
}

static void refusals_are_problem_documents(void **state)
{
    static const struct {
        const char *method, *target, *headers, *body;
        int status;
        const char *reason;
    } cases[] = {
        {"GET", "/nothing", "", NULL, 404, "not_found"},
        {"DELETE", "/healthz", "", NULL, 405, "method_not_allowed"},
        {"PATCH", "/healthz", "", NULL, 405, "method_not_allowed"},
        {"GET", "/api/v1/jobs?nothing=1", "", NULL, 400, "bad_parameter"},
        {"GET", "/%zz", "", NULL, 400, "bad_request"},
        {"GET", "/%00", "", NULL, 400, "bad_request"},
        {"PUT", "/api/v1/work-orders/x", "Content-Type: text/plain\r\n", "{}", 415, "media_type"},
        {"PUT", "/api/v1/work-orders/x", "", "{}", 415, "media_type"},
        {"POST", "/api/v1/bundles", "Content-Type: application/json\r\n", "{}", 415, "media_type"},
        {"POST", "/api/v1/slots/rack1/001/start", "Origin: http://evil.example\r\n", NULL, 403,
         "foreign_origin"},
        {"POST", "/api/v1/slots/rack1/001/start", "Sec-Fetch-Site: cross-site\r\n", NULL, 403,
         "foreign_origin"},
        {"POST", "/api/v1/slots/rack1/001/start", "Content-Type: application/json\r\n", "{\"x\":1}", 400,
         "bad_body"},
        {"POST", "/api/v1/slots/rack1/001/start", "Content-Type: application/json\r\n", "{", 400, "bad_body"},
        {"POST", "/api/v1/slots/rack1/009/start", "", NULL, 404, "not_found"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char reason[64];
        ask(cases[i].method, cases[i].target, cases[i].headers, cases[i].body);
        snprintf(reason, sizeof(reason), "\"reason\":\"%s\"", cases[i].reason);
        if (a.status != cases[i].status || strstr(a.body, reason) == NULL) {
            fail_msg("%s %s: %d %s", cases[i].method, cases[i].target, a.status, a.body);
        }
        if (strstr(a.body, "\"detail\":\"") == NULL || strstr(a.body, "\"remedy\":\"") == NULL) {
            fail_msg("%s %s says not what is wrong, or not what to do: %s", cases[i].method, cases[i].target,
                     a.body);
        }
        assert_string_equal(answer_header(&a, "Content-Type", value), "application/problem+json");
        assert_string_equal(answer_header(&a, "Connection", value), ""); /* such a client may go on */
    }
    ask("DELETE", "/healthz", "", NULL);
    assert_string_equal(answer_header(&a, "Allow", value), "GET, HEAD");
}

static void another_name_is_not_answered(void **state)
{
    (void)state;
    client_say(&c, "GET /api/v1/slots HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    client_take(&c, &a, true);
    assert_int_equal(a.status, 421);
    assert_non_null(strstr(a.body, "wrong_host"));
}

static void a_body_beyond_the_limit_is_refused(void **state)
{
    static char large[20000];
    char head[256];

    (void)state;
    memset(large, ' ', sizeof(large) - 1);
    snprintf(head, sizeof(head),
             "PUT /api/v1/work-orders/x HTTP/1.1\r\nHost: localhost:%u\r\nContent-Type: application/json\r\n",
             c.port);
    client_say(&c, head);
    client_say(&c, "Content-Length: 19999\r\n\r\n");
    client_say(&c, large);
    client_take(&c, &a, true);
    assert_int_equal(a.status, 413);

    client_say(&c, head); /* one that does not say so before */
    client_say(&c, "Transfer-Encoding: chunked\r\n\r\n4e1f\r\n");
    client_say(&c, large);
    client_say(&c, "\r\n0\r\n\r\n");
    client_take(&c, &a, true);
    assert_int_equal(a.status, 413);
    ask("GET", "/healthz", "", NULL);
    assert_int_equal(a.status, 200);
}

static void a_client_that_waits_is_told_to_go_on(void **state)
{
    char text[512];

    (void)state;
    snprintf(text, sizeof(text),
             "POST /api/v1/slots/rack1/001/start HTTP/1.1\r\nHost: localhost:%u\r\nContent-Type: "
             "application/json\r\n"
             "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n",
             c.port);
    client_say(&c, text);
    assert_true(client_read_more(&c));
    assert_memory_equal(c.in, "HTTP/1.1 100", 12);
    client_say(&c, "{}");
    client_take(&c, &a, true);
    assert_int_equal(a.status, 200);
}

static void a_client_that_waits_hears_a_refusal_at_once(void **state)
{
    char text[512];

    (void)state;
    snprintf(text, sizeof(text),
             "POST /api/v1/bundles HTTP/1.1\r\nHost: localhost:%u\r\nContent-Type: text/plain\r\n"
             "Expect: 100-continue\r\nContent-Length: 2000000\r\n\r\n",
             c.port);
    client_say(&c, text);
    client_take(&c, &a, true);
    assert_int_equal(a.status, 415);
    assert_true(client_is_ended(&c));
}

static void the_command_line_has_a_socket_of_its_own(void **state)
{
    static struct client local;
    struct stat st;

    (void)state;
    assert_int_equal(stat(unix_path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0660);
    client_open_unix(&local, unix_path);
    client_say(&local, "GET /api/v1/station HTTP/1.1\r\nHost: certline\r\n\r\n");
    client_take(&local, &a, true);
    assert_int_equal(a.status, 200);
    client_close(&local);
}

static void a_second_start_takes_a_stale_socket(void **state)
{
    struct err_info err = {0};
    struct stat st;
    struct api_config config = {
        .unix_path = unix_path, .clock = &clock_system, .sources = fake_sources(&fake)};

    (void)state;
    struct api *second = api_start(&config, &err);
    assert_non_null(second);
    api_stop(second);
    assert_int_not_equal(stat(unix_path, &st), 0);
}

static void only_loopback_is_listened_on(void **state)
{
    static const struct {
        const char *address;
        int code;
    } cases[] = {
        {"0.0.0.0:0", ERR_REFUSED},      {"192.168.1.5:8080", ERR_REFUSED}, {"[::]:0", ERR_REFUSED},
        {"example.com:80", ERR_REFUSED}, {"127.0.0.1", ERR_FORMAT},         {"127.0.0.1:", ERR_FORMAT},
        {"127.0.0.1:65536", ERR_FORMAT}, {"127.0.0.1:8o", ERR_FORMAT},      {"", ERR_FORMAT},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err_info err = {0};
        struct api_config config = {.listen = {cases[i].address},
                                    .n_listen = 1,
                                    .clock = &clock_system,
                                    .sources = fake_sources(&fake)};
        assert_null(api_start(&config, &err));
        if (err.code != cases[i].code) {
            fail_msg("%s: %d %s", cases[i].address, err.code, err.text);
        }
    }
}

static void a_taken_port_is_told(void **state)
{
    struct err_info err = {0};
    char address[32];

    (void)state;
    snprintf(address, sizeof(address), "127.0.0.1:%u", api_port(api, 0));
    struct api_config config = {
        .listen = {address}, .n_listen = 1, .clock = &clock_system, .sources = fake_sources(&fake)};
    assert_null(api_start(&config, &err));
    assert_int_equal(err.code, -EADDRINUSE);
}

/* ---- imports */

static void send_import(size_t n, uint32_t *ret_sum)
{
    static char line[1000];
    char head[256];

    snprintf(head, sizeof(head),
             "POST /api/v1/bundles HTTP/1.1\r\nHost: localhost:%u\r\nContent-Type: application/x-ndjson\r\n"
             "Content-Length: %zu\r\n\r\n",
             c.port, n);
    client_say(&c, head);
    *ret_sum = 0;
    for (size_t at = 0; at < n; at += sizeof(line)) {
        size_t len = n - at < sizeof(line) ? n - at : sizeof(line);
        memset(line, 'a' + (int)(at / sizeof(line) % 26), len);
        *ret_sum = fake_sum(*ret_sum, line, len);
        if (!client_send(&c, line, len)) {
            return;
        }
    }
}

static void an_import_streams(void **state)
{
    static const size_t sizes[] = {1, 100, 131072, 131073, 3000000};

    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        uint32_t sum;
        char taken[64];
        send_import(sizes[i], &sum);
        client_take(&c, &a, true);
        assert_int_equal(a.status, 200);
        snprintf(taken, sizeof(taken), "{\"taken\":%zu,", sizes[i]);
        assert_memory_equal(a.body, taken, strlen(taken));
        fake_sync(&fake);
        assert_int_equal(fake.fed_sum, sum);
    }
    assert_int_equal(fake.n_finished, COUNT(sizes));
    assert_int_equal(fake.n_cancelled, 0);
}

static void an_import_that_fails_is_told_in_the_end(void **state)
{
    uint32_t sum;

    (void)state;
    pthread_mutex_lock(&fake.lock);
    fake.fail_after = 200000;
    pthread_mutex_unlock(&fake.lock);
    send_import(1000000, &sum);
    client_take(&c, &a, true);
    assert_int_equal(a.status, 503);
    assert_non_null(strstr(a.body, "store_failed"));
    fake_sync(&fake);
    assert_int_equal(fake.n_cancelled, 1);
    assert_int_equal(fake.n_finished, 0);
    ask("GET", "/healthz", "", NULL);
    assert_int_equal(a.status, 200);
}

static void an_import_that_breaks_off_is_cancelled(void **state)
{
    char head[256];
    static char piece[300000];

    (void)state;
    snprintf(head, sizeof(head),
             "POST /api/v1/bundles HTTP/1.1\r\nHost: localhost:%u\r\nContent-Type: application/x-ndjson\r\n"
             "Content-Length: 1000000\r\n\r\n",
             c.port);
    client_say(&c, head);
    client_send(&c, piece, sizeof(piece));
    fake_await(&fake, &fake.n_sessions, 1);
    client_close(&c);
    fake_await(&fake, &fake.n_cancelled, 1);
    assert_int_equal(fake.n_finished, 0);
}

static void an_empty_import_is_one(void **state)
{
    (void)state;
    ask("POST", "/api/v1/bundles", "Content-Type: application/x-ndjson\r\n", NULL);
    assert_int_equal(a.status, 200);
    assert_int_equal(fake.n_finished, 1);
}

int main(void)
{
#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, start, stop)
    const struct CMUnitTest tests[] = {
        WITH_SERVER(a_request_is_answered_and_another_on_the_same_connection),
        WITH_SERVER(answers_say_how_they_may_be_used),
        WITH_SERVER(head_is_get_without_a_body),
        WITH_SERVER(pipelined_requests_are_answered_in_their_order),
        WITH_SERVER(a_request_may_come_octet_by_octet),
        WITH_SERVER(refusals_are_problem_documents),
        WITH_SERVER(another_name_is_not_answered),
        WITH_SERVER(a_body_beyond_the_limit_is_refused),
        WITH_SERVER(a_client_that_waits_is_told_to_go_on),
        WITH_SERVER(a_client_that_waits_hears_a_refusal_at_once),
        WITH_SERVER(the_command_line_has_a_socket_of_its_own),
        WITH_SERVER(a_second_start_takes_a_stale_socket),
        WITH_SERVER(only_loopback_is_listened_on),
        WITH_SERVER(a_taken_port_is_told),
        WITH_SERVER(an_import_streams),
        WITH_SERVER(an_import_that_fails_is_told_in_the_end),
        WITH_SERVER(an_import_that_breaks_off_is_cancelled),
        WITH_SERVER(an_empty_import_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
