/*
 * The server over real sockets: viewers of the live stream, good, gone and asleep; requests that are sent
 * twice under one key; files that the client has already. ctest: tsan
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "http/client.h"
#include "http/fake.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define JSON         "Content-Type: application/json\r\n"
#define VIEWERS      200

static struct fake fake;
static struct api_config config;
static struct api *api;
static struct client c, other;
static struct answer a;
static char value[256];

static int start(void **state)
{
    struct err_info err = {0};

    (void)state;
    fake_init(&fake);
    config = (struct api_config){
        .listen = {"127.0.0.1:0"}, .n_listen = 1, .clock = &clock_system, .sources = fake_sources(&fake)};
    c.fd = other.fd = -1;
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
    if (other.fd >= 0) {
        client_close(&other);
    }
    api_stop(api);
    api = NULL;
    return 0;
}

static void ask(struct client *client, const char *method, const char *target, const char *headers,
                const char *body)
{
    client_ask(client, method, target, headers, body);
    client_take(client, &a, strcmp(method, "HEAD") != 0);
    fake_sync(&fake);
}

/* ---- viewers */

/* Reads until it stands there; what was before it is gone. */
static void await_text(struct client *client, const char *text)
{
    const char *at;

    while ((at = memmem(client->in, client->n, text, strlen(text))) == NULL) {
        if (!client_read_more(client)) {
            fail_msg("the stream ended before '%s'", text);
        }
    }
    size_t n = (size_t)(at - client->in) + strlen(text);
    memmove(client->in, client->in + n, client->n - n);
    client->n -= n;
}

static void view(struct client *client)
{
    client_open(client, api_port(api, 0));
    client_ask(client, "GET", "/api/v1/stream", "", NULL);
}

static void a_viewer_sees_what_happens(void **state)
{
    (void)state;
    view(&other);
    await_text(&other, "\r\nContent-Type: text/event-stream\r\n");
    await_text(&other, "event: resync\n");
    await_text(&other, "\"rack2/003\"");
    await_text(&other, ": \n\n");
    fake_change(&fake, 1, "write_private_key");
    await_text(&other, "\"id\":\"rack1/002\"");
    await_text(&other, "\"step\":\"write_private_key\"");
    ask(&c, "GET", "/healthz", "", NULL); /* others are served as ever */
    assert_int_equal(a.status, 200);
}

static void head_of_the_stream_is_its_head(void **state)
{
    (void)state;
    ask(&c, "HEAD", "/api/v1/stream", "", NULL);
    assert_int_equal(a.status, 200);
    assert_string_equal(answer_header(&a, "Content-Type", value), "text/event-stream");
    ask(&c, "GET", "/healthz", "", NULL);
    assert_string_equal(a.body, "{\"status\":\"ok\"}");
    ask(&c, "POST", "/api/v1/stream", JSON, "{}");
    assert_int_equal(a.status, 405);
}

static unsigned viewers_left(void)
{
    unsigned n = 0;

    /* There is no gauge: whoever still has a place keeps a newcomer out. */
    for (;; n++) {
        static struct client probe[300];
        view(&probe[n]);
        client_take(&probe[n], &a, false);
        if (a.status != 200 || n == 299) {
            for (unsigned i = 0; i <= n; i++) {
                client_close(&probe[i]);
            }
            return n;
        }
    }
}

static void a_viewer_that_leaves_gives_its_place_back(void **state)
{
    static struct client viewers[VIEWERS];

    (void)state;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < VIEWERS; i++) {
            view(&viewers[i]);
            await_text(&viewers[i], ": \n\n"); /* it rests now */
        }
        for (size_t i = 0; i < VIEWERS; i++) {
            client_close(&viewers[i]);
        }
    }
    view(&other); /* had the six hundred stayed, it would be refused */
    await_text(&other, "event: resync\n");
}

static void there_is_room_for_requests_beside_all_viewers(void **state)
{
    (void)state;
    assert_true(viewers_left() >= 200);
    client_close(&c);
    client_open(&c, api_port(api, 0));
    ask(&c, "GET", "/healthz", "", NULL);
    assert_int_equal(a.status, 200);
}

static void sleepers_cost_the_others_nothing(void **state)
{
    static struct client sleepers[20];
    char step[32];

    (void)state;
    for (size_t i = 0; i < COUNT(sleepers); i++) {
        int small = 4096;
        view(&sleepers[i]);
        setsockopt(sleepers[i].fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    }
    view(&other);
    await_text(&other, ": \n\n");
    for (int i = 0; i < 60; i++) { /* more than their sockets take */
        for (int slot = 0; slot < FAKE_SLOTS; slot++) {
            snprintf(step, sizeof(step), "step-%d", i);
            fake_change(&fake, slot, step);
        }
        snprintf(step, sizeof(step), "\"step\":\"step-%d\"", i);
        await_text(&other, step);
        ask(&c, "GET", "/healthz", "", NULL);
        assert_int_equal(a.status, 200);
    }
    for (size_t i = 0; i < COUNT(sleepers); i++) {
        client_close(&sleepers[i]);
    }
}

static void a_stop_ends_viewers_asleep_or_not(void **state)
{
    static struct client sleeper;

    (void)state;
    view(&sleeper);
    view(&other);
    await_text(&other, ": \n\n");
    for (int i = 0; i < 40; i++) {
        char step[32];
        snprintf(step, sizeof(step), "step-%d", i);
        fake_change(&fake, 0, step);
        await_text(&other, step);
    }
    api_stop(api);
    api = NULL;
    await_text(&other, "\r\n0\r\n\r\n");
    assert_true(client_is_ended(&other));
    client_close(&sleeper);
}

/* ---- Idempotency-Key */

#define KEY "Idempotency-Key: k-1\r\n" JSON

static void what_is_sent_twice_is_done_once(void **state)
{
    static char first[CLIENT_MAX];

    (void)state;
    ask(&c, "POST", "/api/v1/slots/rack1/001/start", KEY, "{\"operator\":\"Li\"}");
    assert_int_equal(a.status, 200);
    assert_string_equal(answer_header(&a, "Idempotency-Replayed", value), "");
    strcpy(first, a.body);
    client_open(&other, api_port(api, 0)); /* from anywhere */
    ask(&other, "POST", "/api/v1/slots/rack1/001/start", KEY, "{\"operator\":\"Li\"}");
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, first);
    assert_string_equal(answer_header(&a, "Idempotency-Replayed", value), "true");
    assert_int_equal(fake.n_commands, 1);

    static const struct {
        const char *target, *body;
    } others[] = {
        {"/api/v1/slots/rack1/001/start", "{\"operator\":\"Lu\"}"},
        {"/api/v1/slots/rack1/001/abort", "{\"operator\":\"Li\"}"},
        {"/api/v1/slots/rack1/002/start", "{\"operator\":\"Li\"}"},
    };
    for (size_t i = 0; i < COUNT(others); i++) {
        ask(&c, "POST", others[i].target, KEY, others[i].body);
        assert_int_equal(a.status, 422);
        assert_non_null(strstr(a.body, "key_reused"));
    }
    assert_int_equal(fake.n_commands, 1);
}

static void one_that_is_under_way_is_not_begun_again(void **state)
{
    (void)state;
    fake_shut_gate(&fake, true);
    client_ask(&c, "POST", "/api/v1/slots/rack1/001/start", KEY, "{}");
    fake_await_waiting(&fake, 1);
    client_open(&other, api_port(api, 0));
    ask(&other, "POST", "/api/v1/slots/rack1/001/start", KEY, "{}");
    assert_int_equal(a.status, 409);
    assert_non_null(strstr(a.body, "under_way"));
    fake_shut_gate(&fake, false);
    client_take(&c, &a, true);
    assert_int_equal(a.status, 200);
    ask(&other, "POST", "/api/v1/slots/rack1/001/start", KEY, "{}");
    assert_int_equal(a.status, 200);
    assert_int_equal(fake.n_commands, 1);
}

static void our_own_trouble_is_not_remembered(void **state)
{
    (void)state;
    fake.command_rc = ERR_FULL;
    ask(&c, "POST", "/api/v1/slots/rack1/001/start", KEY, "{}");
    assert_int_equal(a.status, 503);
    fake.command_rc = 0;
    ask(&c, "POST", "/api/v1/slots/rack1/001/start", KEY, "{}");
    assert_int_equal(a.status, 200);
    assert_int_equal(fake.n_commands, 2);

    fake.command_rc = ERR_CONFLICT; /* a refusal is an answer */
    ask(&c, "POST", "/api/v1/slots/rack1/001/start", "Idempotency-Key: k-2\r\n", NULL);
    assert_int_equal(a.status, 409);
    fake.command_rc = 0;
    ask(&c, "POST", "/api/v1/slots/rack1/001/start", "Idempotency-Key: k-2\r\n", NULL);
    assert_int_equal(a.status, 409);
}

static void an_import_that_is_sent_twice_is_read_once(void **state)
{
    static const char headers[] = "Idempotency-Key: k-3\r\nContent-Type: application/x-ndjson\r\n";

    (void)state;
    for (int i = 0; i < 3; i++) {
        ask(&c, "POST", "/api/v1/bundles", headers, "{\"id\":1}\n{\"id\":2}\n");
        assert_int_equal(a.status, 200);
        assert_memory_equal(a.body, "{\"taken\":18,", 12);
    }
    assert_int_equal(fake.n_sessions, 1);
    ask(&c, "POST", "/api/v1/bundles", headers, "{\"id\":1}\n{\"id\":3}\n");
    assert_int_equal(a.status, 422);
    assert_int_equal(fake.n_sessions, 1);
}

static void the_oldest_keys_are_forgotten_first(void **state)
{
    char headers[64];

    (void)state;
    for (int i = 0; i < 1100; i++) {
        snprintf(headers, sizeof(headers), "Idempotency-Key: key-%d\r\n", i);
        ask(&c, "POST", "/api/v1/slots/rack1/001/abort", headers, NULL);
        assert_int_equal(a.status, 200);
    }
    ask(&c, "POST", "/api/v1/slots/rack1/001/abort", "Idempotency-Key: key-1099\r\n", NULL);
    assert_int_equal(fake.n_commands, 1100);
    ask(&c, "POST", "/api/v1/slots/rack1/001/abort", "Idempotency-Key: key-0\r\n", NULL);
    assert_int_equal(fake.n_commands, 1101);
}

/* ---- files */

static void a_file_that_the_client_has_is_not_sent(void **state)
{
    char tag[256], policy[256], headers[300];

    (void)state;
    ask(&c, "GET", "/", "", NULL);
    assert_int_equal(a.status, 200);
    assert_string_equal(answer_header(&a, "Cache-Control", value), "no-cache");
    assert_string_equal(
        answer_header(&a, "Content-Security-Policy", policy),
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' "
        "data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'");
    answer_header(&a, "ETag", tag);
    snprintf(headers, sizeof(headers), "If-None-Match: %s\r\n", tag);
    client_ask(&c, "GET", "/", headers, NULL);
    client_take(&c, &a, false);
    assert_int_equal(a.status, 304);
    assert_string_equal(answer_header(&a, "ETag", value), tag);
    assert_string_equal(answer_header(&a, "Content-Security-Policy", value), policy);
    ask(&c, "GET", "/", "If-None-Match: \"0\"\r\n", NULL); /* had the last one had a body, this would fail */
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body, "<!doctype html>"));
}

int main(void)
{
#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, start, stop)
    const struct CMUnitTest tests[] = {
        WITH_SERVER(a_viewer_sees_what_happens),
        WITH_SERVER(head_of_the_stream_is_its_head),
        WITH_SERVER(a_viewer_that_leaves_gives_its_place_back),
        WITH_SERVER(there_is_room_for_requests_beside_all_viewers),
        WITH_SERVER(sleepers_cost_the_others_nothing),
        WITH_SERVER(a_stop_ends_viewers_asleep_or_not),
        WITH_SERVER(what_is_sent_twice_is_done_once),
        WITH_SERVER(one_that_is_under_way_is_not_begun_again),
        WITH_SERVER(our_own_trouble_is_not_remembered),
        WITH_SERVER(an_import_that_is_sent_twice_is_read_once),
        WITH_SERVER(the_oldest_keys_are_forgotten_first),
        WITH_SERVER(a_file_that_the_client_has_is_not_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
