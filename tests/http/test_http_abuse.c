/*
 * The server over real sockets: what a hostile, broken, slow or vanishing client gets, and what a stop does
 * to whoever is there. Threads meet at the fake station's gate, so that nothing here waits for time to pass
 * but the trickling client, which goes on until the server has had enough.
 * ctest: tsan
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <poll.h>

#include "http/client.h"
#include "http/fake.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define PUT_ORDER    "{\"product\":\"tracker\",\"quantity\":1,\"fixtures\":[\"rack1\"]}"

static struct fake fake;
static struct api_config config;
static struct api *api;
static struct client c, other;
static struct answer a;
static char value[256];

static void start(void)
{
    struct err_info err = {0};

    api = api_start(&config, &err);
    if (api == NULL) {
        fail_msg("%s", err.text);
    }
    client_open(&c, api_port(api, 0));
}

static int prepare(void **state)
{
    (void)state;
    fake_init(&fake);
    config = (struct api_config){
        .listen = {"127.0.0.1:0"},
        .n_listen = 1,
        .clock = &clock_system,
        .sources = fake_sources(&fake),
    };
    c.fd = other.fd = -1;
    return 0;
}

static int end(void **state)
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

static void assert_still_serves(void)
{
    client_close(&c);
    client_open(&c, api_port(api, 0));
    client_ask(&c, "GET", "/healthz", "", NULL);
    client_take(&c, &a, true);
    assert_int_equal(a.status, 200);
}

/* ---- framing */

#define SMUGGLED "POST /api/v1/slots/rack1/001/abort HTTP/1.1\r\nHost: localhost:%u\r\n\r\n"

/* Each is followed by a second request that only one of its readings would see. */
static void ambiguous_framing_ends_the_connection(void **state)
{
    static const char *const headers[] = {
        "Host: localhost:%u\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" SMUGGLED,
        "Host: localhost:%u\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" SMUGGLED,
        "Host: localhost:%u\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n" SMUGGLED,
        "Host: localhost:%u\r\nContent-Length: 5\r\nContent-Length: 0\r\n\r\n" SMUGGLED,
        "Host: localhost:%u\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n" SMUGGLED,
        "Host: localhost:%u\r\nContent-Length: 0x0\r\n\r\n" SMUGGLED,
        "Host: localhost:%u\r\nContent-Length: -0\r\n\r\n" SMUGGLED,
        "Host: localhost:%u\r\nContent-Length: +0\r\n\r\n" SMUGGLED,
        "Host: localhost:%u\r\nContent-Length: 0, 0\r\n\r\n" SMUGGLED,
        "Host: localhost:%u\r\nContent-Length:\r\n\r\n" SMUGGLED,
        "Host: localhost:%u\r\nContent-Length: 99999999999999999999999\r\n\r\n" SMUGGLED,
        "Host: localhost:%u\r\nContent-Length : 0\r\n\r\n" SMUGGLED,
        "Host: localhost:%u\r\nTransfer-Encoding: identity\r\n\r\n" SMUGGLED,
        "Host: localhost:%u\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" SMUGGLED,
        "Host: localhost:%u\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" SMUGGLED,
        "Host: localhost:%u\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
        "chunked\r\n\r\n0\r\n\r\n" SMUGGLED,
        "Host: localhost:%1$u\r\nHost: localhost:%1$u\r\n\r\n" SMUGGLED,
        "Host: localhost:%u\r\nHost: evil.example\r\n\r\n" SMUGGLED,
    };

    (void)state;
    start();
    for (size_t i = 0; i < COUNT(headers); i++) {
        char text[2048];
        int n = snprintf(text, sizeof(text), "POST /api/v1/slots/rack1/001/retry HTTP/1.1\r\n");
        uint16_t port = api_port(api, 0);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(text + n, sizeof(text) - (size_t)n, headers[i], port, port);
#pragma GCC diagnostic pop
        client_close(&c);
        client_open(&c, port);
        client_say(&c, text);
        while (client_read_more(&c)) {
        }
        if (memmem(c.in, c.n, "HTTP/1.1 2", 10) != NULL || memcmp(c.in, "HTTP/1.1 4", 10) != 0) {
            fail_msg("%s was answered %.*s", headers[i], (int)c.n, c.in);
        }
    }
    assert_int_equal(fake.n_commands, 0); /* neither reading's */
    assert_still_serves();
}

static void oversized_heads_are_refused(void **state)
{
    static char filler[60000];
    char text[256];

    (void)state;
    start();
    memset(filler, 'a', sizeof(filler) - 1);
    snprintf(text, sizeof(text), " HTTP/1.1\r\nHost: localhost:%u\r\n\r\n", c.port);

    client_say(&c, "GET /");
    client_send(&c, filler, 3000);
    client_say(&c, text);
    client_take(&c, &a, true);
    assert_int_equal(a.status, 414);
    assert_non_null(strstr(a.body, "target_too_long"));

    client_say(&c, "GET /");
    client_send(&c, filler, sizeof(filler) - 1);
    client_say(&c, text);
    client_take(&c, &a, true);
    assert_true(a.status == 0 || a.status >= 400);

    client_close(&c);
    client_open(&c, api_port(api, 0));
    client_say(&c, "GET /healthz HTTP/1.1\r\nX: ");
    client_send(&c, filler, sizeof(filler) - 1);
    client_say(&c, "\r\n\r\n");
    client_take(&c, &a, true);
    assert_true(a.status == 0 || a.status >= 400);

    client_close(&c);
    client_open(&c, api_port(api, 0));
    snprintf(text, sizeof(text), "GET /healthz HTTP/1.1\r\nHost: localhost:%u\r\n", c.port);
    client_say(&c, text);
    for (int i = 0; i < 70; i++) {
        client_say(&c, "X: y\r\n");
    }
    client_say(&c, "\r\n");
    client_take(&c, &a, true);
    assert_int_equal(a.status, 431);
    assert_true(client_is_ended(&c));
    assert_still_serves();
}

static void noise_is_survived(void **state)
{
    static const char *const noise[] = {
        "\r\n\r\n\r\n",
        "\x16\x03\x01\x02",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "\n\n\n",
        " / HTTP/1.1\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    };

    (void)state;
    config.request_ms = 1000000; /* it is not the deadline that ends them */
    start();
    for (size_t i = 0; i < COUNT(noise); i++) {
        client_close(&c);
        client_open(&c, api_port(api, 0));
        client_say(&c, noise[i]);
        shutdown(c.fd, SHUT_WR);
        client_take(&c, &a, false);
        assert_true(a.status == 0 || a.status >= 400);
    }
    assert_still_serves();
}

/* Half a goodbye: the client has said all, and still listens. */
static void a_closed_direction_still_gets_its_answer(void **state)
{
    (void)state;
    config.idle_ms = 1000000;
    start();
    client_ask(&c, "GET", "/healthz", "", NULL);
    shutdown(c.fd, SHUT_WR);
    client_take(&c, &a, true);
    assert_int_equal(a.status, 200);
    assert_true(client_is_ended(&c));
}

/* ---- time */

/* Sends octet after octet, as slowly as it pleases, until the server ends it. Returns whether a 408 came. */
static bool trickle_until_cut(const char *start_with)
{
    client_say(&c, start_with);
    for (;;) {
        struct pollfd p = {.fd = c.fd, .events = POLLIN};
        if (poll(&p, 1, 1) == 0) {
            (void)client_send(&c, "a", 1);
            continue;
        }
        if (!client_read_more(&c)) {
            static const char ends_in[] = "large imports in several files.\"}";
            size_t n = sizeof(ends_in) - 1;
            bool is_late = c.n >= 12 && memcmp(c.in, "HTTP/1.1 408", 12) == 0;
            assert_true(!is_late || (c.n > n && memcmp(c.in + c.n - n, ends_in, n) == 0));
            return is_late;
        }
    }
}

static void a_client_that_trickles_is_cut(void **state)
{
    char text[512];

    (void)state;
    config.request_ms = 50;
    start();
    assert_false(trickle_until_cut("GET /")); /* it never got to ask */

    client_close(&c);
    client_open(&c, api_port(api, 0));
    assert_true(trickle_until_cut("GET /healthz HTTP/1.1\r\nX: "));

    client_close(&c);
    client_open(&c, api_port(api, 0));
    snprintf(text, sizeof(text),
             "PUT /api/v1/work-orders/x HTTP/1.1\r\nHost: localhost:%u\r\nContent-Type: application/json\r\n"
             "Content-Length: 10000\r\n\r\n",
             c.port);
    assert_true(trickle_until_cut(text));

    client_close(&c);
    client_open(&c, api_port(api, 0));
    snprintf(text, sizeof(text),
             "POST /api/v1/bundles HTTP/1.1\r\nHost: localhost:%u\r\nContent-Type: application/x-ndjson\r\n"
             "Content-Length: 500000000\r\n\r\n",
             c.port);
    assert_true(trickle_until_cut(text));
    assert_int_equal(fake.n_sessions, 0);
}

static void an_idle_connection_is_cut(void **state)
{
    (void)state;
    config.request_ms = 50;
    config.idle_ms = 50;
    start();
    assert_true(client_is_ended(&c)); /* it never said a word */
    client_close(&c);
    client_open(&c, api_port(api, 0));
    client_ask(&c, "GET", "/healthz", "", NULL);
    client_take(&c, &a, true);
    assert_int_equal(a.status, 200);
    assert_true(client_is_ended(&c));
}

/* The time that a worker takes is ours, not the client's. */
static void the_deadline_rests_while_a_worker_has_the_request(void **state)
{
    (void)state;
    config.request_ms = 30;
    start();
    fake_shut_gate(&fake, true);
    client_ask(&c, "POST", "/api/v1/slots/rack1/001/start", "", NULL);
    fake_await_waiting(&fake, 1);

    /* Another connection lives through its whole deadline meanwhile. */
    client_open(&other, api_port(api, 0));
    assert_true(client_is_ended(&other));
    fake_shut_gate(&fake, false);
    client_take(&c, &a, true);
    assert_int_equal(a.status, 200);
}

/* ---- many */

static void one_address_cannot_take_everything(void **state)
{
    (void)state;
    config.per_address_max = 1;
    start();
    client_ask(&c, "GET", "/healthz", "", NULL);
    client_take(&c, &a, true);
    assert_int_equal(a.status, 200);
    client_open(&other, api_port(api, 0));
    assert_true(client_is_ended(&other));
}

static void beyond_the_limit_connections_wait_their_turn(void **state)
{
    (void)state;
    config.connections_max = 1;
    start();
    client_ask(&c, "GET", "/healthz", "", NULL);
    client_take(&c, &a, true);
    assert_int_equal(a.status, 200);
    client_open(&other, api_port(api, 0));
    client_ask(&other, "GET", "/healthz", "", NULL);
    client_close(&c);
    client_take(&other, &a, true);
    assert_int_equal(a.status, 200);
}

static void imports_at_a_time_are_few(void **state)
{
    static struct client clients[4];
    static char piece[200000];
    char head[256];

    (void)state;
    start();
    snprintf(head, sizeof(head),
             "POST /api/v1/bundles HTTP/1.1\r\nHost: localhost:%u\r\nContent-Type: application/x-ndjson\r\n"
             "Content-Length: 1000000\r\n\r\n",
             c.port);
    for (size_t i = 0; i < COUNT(clients); i++) {
        client_open(&clients[i], api_port(api, 0));
        client_say(&clients[i], head);
        client_send(&clients[i], piece, sizeof(piece));
        fake_await(&fake, &fake.n_sessions, (unsigned)i + 1);
    }
    client_ask(&c, "POST", "/api/v1/bundles", "Content-Type: application/x-ndjson\r\n", "{}");
    client_take(&c, &a, true);
    assert_int_equal(a.status, 503);
    assert_string_equal(answer_header(&a, "Retry-After", value), "1");

    for (size_t i = 0; i < COUNT(clients); i++) {
        client_close(&clients[i]);
    }
    fake_await(&fake, &fake.n_cancelled, COUNT(clients));
    client_ask(&c, "POST", "/api/v1/bundles", "Content-Type: application/x-ndjson\r\n", "{}");
    client_take(&c, &a, true);
    assert_int_equal(a.status, 200);
}

#define CLIENTS 8
#define ROUNDS  25

struct visitor {
    pthread_t thread;
    uint16_t port;
    unsigned seed, answered, asked;
    struct client client;
    struct answer answer;
};

/* Three requests at once on each connection; now and then it leaves before they are whole. */
static void *visit(void *arg)
{
    struct visitor *v = arg;
    char text[2048];

    for (int i = 0; i < ROUNDS; i++) {
        size_t n =
            (size_t)snprintf(text, sizeof(text),
                             "GET /api/v1/slots HTTP/1.1\r\nHost: localhost:%1$u\r\n\r\n"
                             "POST /api/v1/slots/rack1/001/start HTTP/1.1\r\nHost: localhost:%1$u\r\n\r\n"
                             "PUT /api/v1/work-orders/x HTTP/1.1\r\nHost: localhost:%1$u\r\n"
                             "Content-Type: application/json\r\nContent-Length: %2$zu\r\n\r\n" PUT_ORDER,
                             v->port, strlen(PUT_ORDER));
        bool leaves = i % 4 == 3;
        client_open(&v->client, v->port);
        v->seed = v->seed * 1103515245 + 12345;
        client_send(&v->client, text, leaves ? v->seed / 65536 % n : n);
        for (int k = 0; !leaves && k < 3; k++) {
            v->asked++;
            client_take(&v->client, &v->answer, true);
            v->answered += v->answer.status == (k < 2 ? 200 : 409);
        }
        client_close(&v->client);
    }
    return NULL;
}

static void many_come_and_go(void **state)
{
    static struct visitor visitors[CLIENTS];

    (void)state;
    fake.op_result = ERR_CONFLICT;
    start();
    for (unsigned i = 0; i < CLIENTS; i++) {
        visitors[i].port = api_port(api, 0);
        visitors[i].seed = i;
        assert_int_equal(pthread_create(&visitors[i].thread, NULL, visit, &visitors[i]), 0);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        pthread_join(visitors[i].thread, NULL);
        assert_int_equal(visitors[i].answered, visitors[i].asked);
    }
    assert_still_serves();
}

/* ---- leaving and stopping */

static void a_long_answer_delays_nobody(void **state)
{
    (void)state;
    start();
    fake_shut_gate(&fake, true);
    client_ask(&c, "POST", "/api/v1/slots/rack1/001/start", "", NULL);
    fake_await_waiting(&fake, 1);

    client_open(&other, api_port(api, 0));
    client_ask(&other, "GET", "/api/v1/slots", "", NULL);
    client_take(&other, &a, true);
    assert_int_equal(a.status, 200);
    client_ask(&other, "GET", "/api/v1/slots/rack1/001", "", NULL);
    client_take(&other, &a, true);
    assert_int_equal(a.status, 200);

    fake_shut_gate(&fake, false);
    client_take(&c, &a, true);
    assert_int_equal(a.status, 200);
}

/* The database may be as slow as it likes, with as many who ask: an abort goes through. */
static void a_command_waits_for_no_question(void **state)
{
    static struct client askers[4], importer;
    static char piece[200000];

    (void)state;
    fake.spares_commands = true;
    fake.gate_is_shut = true;
    fake.op_result = ERR_CONFLICT;
    start();
    for (size_t i = 0; i < COUNT(askers); i++) {
        client_open(&askers[i], api_port(api, 0));
        client_ask(&askers[i], "PUT", "/api/v1/work-orders/x", "Content-Type: application/json\r\n",
                   PUT_ORDER);
    }
    client_open(&importer, api_port(api, 0));
    client_ask(&importer, "POST", "/api/v1/bundles",
               "Content-Type: application/x-ndjson\r\nContent-Length: 1000000\r\n", NULL);
    client_send(&importer, piece, sizeof(piece));
    fake_await_waiting(&fake, 3); /* both who read, and the one who imports */

    client_ask(&c, "POST", "/api/v1/slots/rack1/001/abort", "", NULL);
    client_take(&c, &a, true);
    assert_int_equal(a.status, 200);

    fake_shut_gate(&fake, false);
    for (size_t i = 0; i < COUNT(askers); i++) {
        client_take(&askers[i], &a, true);
        assert_int_equal(a.status, 409);
        client_close(&askers[i]);
    }
    client_close(&importer);
}

static void a_client_may_leave_while_its_request_is_worked_on(void **state)
{
    (void)state;
    start();
    for (int i = 0; i < 5; i++) {
        fake_shut_gate(&fake, true);
        client_ask(&c, "POST", "/api/v1/slots/rack1/001/start", "", NULL);
        fake_await_waiting(&fake, 1);
        if (i % 2 == 1) { /* with a reset instead of a goodbye */
            struct linger hard = {.l_onoff = 1, .l_linger = 0};
            setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
        }
        client_close(&c);
        fake_shut_gate(&fake, false);
        fake_await_waiting(&fake, 0);
        client_open(&c, api_port(api, 0));
    }
    assert_still_serves();
    fake_sync(&fake);
    assert_int_equal(fake.n_commands, 5);
}

static void *stop_api(void *arg)
{
    api_stop(arg);
    return NULL;
}

static void a_stop_answers_everybody(void **state)
{
    static struct client third, idle, asking;
    pthread_t thread;

    (void)state;
    fake.gate_is_shut = true;
    fake.op_result = ERR_CONFLICT;
    start();
    client_open(&other, api_port(api, 0));
    client_open(&third, api_port(api, 0));
    client_open(&idle, api_port(api, 0));
    client_open(&asking, api_port(api, 0));
    client_say(&asking, "GET /healthz HTTP/1.1\r\n"); /* and no more */
    client_ask(&c, "POST", "/api/v1/slots/rack1/001/start", "", NULL);
    client_ask(&other, "PUT", "/api/v1/work-orders/x", "Content-Type: application/json\r\n", PUT_ORDER);
    fake_await_waiting(&fake, 2);
    client_ask(&third, "POST", "/api/v1/slots/rack2/003/start", "", NULL);
    client_ask(&idle, "GET", "/healthz", "",
               NULL); /* its answer shows that the server has seen `third` as well */
    client_take(&idle, &a, true);

    assert_int_equal(pthread_create(&thread, NULL, stop_api, api), 0);
    client_take(&third, &a, true); /* nobody had begun with it */
    assert_int_equal(a.status, 503);
    assert_non_null(strstr(a.body, "stopping"));
    assert_true(client_is_ended(&third));
    assert_true(client_is_ended(&idle));

    fake_shut_gate(&fake, false); /* what was begun is finished, and told */
    client_take(&c, &a, true);
    assert_int_equal(a.status, 200);
    assert_string_equal(answer_header(&a, "Connection", value), "close");
    client_take(&other, &a, true);
    assert_int_equal(a.status, 409);
    pthread_join(thread, NULL);
    api = NULL;
    client_take(&asking, &a, true);
    assert_int_equal(a.status, 503);
    client_close(&third);
    client_close(&idle);
    client_close(&asking);
    assert_int_equal(fake.n_commands, 1);
}

static void a_stop_cancels_imports(void **state)
{
    static char piece[200000];
    char head[256];

    (void)state;
    start();
    snprintf(head, sizeof(head),
             "POST /api/v1/bundles HTTP/1.1\r\nHost: localhost:%u\r\nContent-Type: application/x-ndjson\r\n"
             "Content-Length: 1000000\r\n\r\n",
             c.port);
    client_say(&c, head);
    client_send(&c, piece, sizeof(piece));
    fake_await(&fake, &fake.n_sessions, 1);
    shutdown(c.fd, SHUT_WR);
    api_stop(api);
    api = NULL;
    assert_int_equal(fake.n_cancelled, 1);
    assert_int_equal(fake.n_finished, 0);
}

int main(void)
{
#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, prepare, end)
    const struct CMUnitTest tests[] = {
        WITH_SERVER(ambiguous_framing_ends_the_connection),
        WITH_SERVER(oversized_heads_are_refused),
        WITH_SERVER(noise_is_survived),
        WITH_SERVER(a_closed_direction_still_gets_its_answer),
        WITH_SERVER(a_client_that_trickles_is_cut),
        WITH_SERVER(an_idle_connection_is_cut),
        WITH_SERVER(the_deadline_rests_while_a_worker_has_the_request),
        WITH_SERVER(one_address_cannot_take_everything),
        WITH_SERVER(beyond_the_limit_connections_wait_their_turn),
        WITH_SERVER(imports_at_a_time_are_few),
        WITH_SERVER(many_come_and_go),
        WITH_SERVER(a_long_answer_delays_nobody),
        WITH_SERVER(a_command_waits_for_no_question),
        WITH_SERVER(a_client_may_leave_while_its_request_is_worked_on),
        WITH_SERVER(a_stop_answers_everybody),
        WITH_SERVER(a_stop_cancels_imports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
