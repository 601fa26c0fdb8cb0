/* Targets, headers and routes, without a socket: what is read from a request and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "api/guard.h"
#include "api/request.h"
#include "api/route.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- targets */

static void targets_are_taken_apart(void **state)
{
    static const struct {
        const char *target;
        int rc;
        const char *read; /* segments in brackets, parameters as name=value; */
    } cases[] = {
        {"/", 0, ""},
        {"/healthz", 0, "[healthz]"},
        {"/api/v1/slots/rack1/001", 0, "[api][v1][slots][rack1][001]"},
        {"/api/v1/slots/rack1%2F001", 0, "[api][v1][slots][rack1/001]"},
        {"/api/v1/slots/rack1%2f001", 0, "[api][v1][slots][rack1/001]"},
        {"/a//b/", 0, "[a][][b][]"},
        {"/a/../b", 0, "[a][..][b]"},
        {"/%2e%2E/x", 0, "[..][x]"},
        {"/a?x=1&y=2", 0, "[a]x=1;y=2;"},
        {"/a?x=1&&y", 0, "[a]x=1;y=;"},
        {"/a?", 0, "[a]"},
        {"/a?x", 0, "[a]x=;"},
        {"/a?x=", 0, "[a]x=;"},
        {"/a?=x", 0, "[a]=x;"},
        {"/a?x=a=b", 0, "[a]x=a=b;"},
        {"/a?x=a+b%2Bc", 0, "[a]x=a b+c;"},
        {"/a+b", 0, "[a+b]"},
        {"/a?at=2026-11-20T08:00:00Z/?", 0, "[a]at=2026-11-20T08:00:00Z/?;"},
        {"/%C3%A9", 0, "[\xc3\xa9]"},
        {"/1/2/3/4/5/6/7/8", 0, "[1][2][3][4][5][6][7][8]"},
        {"/1/2/3/4/5/6/7/8/9", ERR_RANGE, ""},
        {"/?a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p", 0, "a=;b=;c=;d=;e=;f=;g=;h=;i=;j=;k=;l=;m=;n=;o=;p=;"},
        {"/?a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q", ERR_RANGE, ""},
        {"", ERR_FORMAT, ""},
        {"*", ERR_FORMAT, ""},
        {"api", ERR_FORMAT, ""},
        {"http://localhost/", ERR_FORMAT, ""},
        {"?a=1", ERR_FORMAT, ""},
        {"/%", ERR_FORMAT, ""},
        {"/%4", ERR_FORMAT, ""},
        {"/%4/1", ERR_FORMAT, ""},
        {"/%zz", ERR_FORMAT, ""},
        {"/%4g", ERR_FORMAT, ""},
        {"/%00", ERR_FORMAT, ""},
        {"/a%00b", ERR_FORMAT, ""},
        {"/a?b=%00", ERR_FORMAT, ""},
        {"/a%0d%0ab", ERR_FORMAT, ""},
        {"/%7f", ERR_FORMAT, ""},
        {"/a b", ERR_FORMAT, ""},
        {"/a#b", ERR_FORMAT, ""},
        {"/a\\b", ERR_FORMAT, ""},
        {"/a\"b", ERR_FORMAT, ""},
        {"/\xc3\xa9", ERR_FORMAT, ""},
        {"/a?b=<", ERR_FORMAT, ""},
        {"/a?b=1&b=2", ERR_FORMAT, ""},
        {"/a?b&b", ERR_FORMAT, ""},
        {"/a?b=1&%62=2", ERR_FORMAT, ""},
    };
    static struct request r;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char read[512] = "";
        size_t n = 0;
        struct err_info err = {0};
        int rc = request_set_target(&r, span_str(cases[i].target), &err);
        for (size_t k = 0; k < r.n_segments; k++) {
            n += (size_t)snprintf(read + n, sizeof(read) - n, "[%s]", r.segments[k]);
        }
        for (size_t k = 0; k < r.n_params; k++) {
            n += (size_t)snprintf(read + n, sizeof(read) - n, "%s=%s;", r.params[k].name, r.params[k].value);
        }
        if (rc != cases[i].rc || strcmp(read, cases[i].read) != 0 || (rc < 0) != (*err.text != '\0')) {
            fail_msg("%s: %d %s (%s)", cases[i].target, rc, read, err.text);
        }
    }
}

static void targets_are_bounded(void **state)
{
    static char longest[REQUEST_TARGET_MAX + 1];
    static struct request r;

    (void)state;
    memset(longest, 'a', sizeof(longest));
    longest[0] = '/';
    assert_int_equal(request_set_target(&r, span_of(longest, REQUEST_TARGET_MAX), NULL), 0);
    assert_int_equal(strlen(r.segments[0]), REQUEST_TARGET_MAX - 1);
    assert_int_equal(request_set_target(&r, span_of(longest, REQUEST_TARGET_MAX + 1), NULL), ERR_RANGE);
    assert_int_equal(r.n_segments, 0);

    memset(longest, '&', sizeof(longest));
    memcpy(longest, "/?", 2);
    assert_int_equal(request_set_target(&r, span_of(longest, REQUEST_TARGET_MAX), NULL), 0);
    assert_int_equal(r.n_params, 0);
}

static void a_number_is_read_whole(void **state)
{
    static const struct {
        const char *target;
        int rc;
        int64_t value;
    } cases[] = {
        {"/", 0, 77},
        {"/?n=0", 0, 0},
        {"/?n=500", 0, 500},
        {"/?n=501", ERR_RANGE, 77},
        {"/?n=", ERR_FORMAT, 77},
        {"/?n=-1", ERR_FORMAT, 77},
        {"/?n=1x", ERR_FORMAT, 77},
        {"/?n=99999999999999999999", ERR_RANGE, 77},
        {"/?n=+1", ERR_FORMAT, 77},
    };
    static struct request r;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t value = 77;
        assert_int_equal(request_set_target(&r, span_str(cases[i].target), NULL), 0);
        int rc = request_param_i64(&r, "n", 0, 500, &value, NULL);
        if (rc != cases[i].rc || value != cases[i].value) {
            fail_msg("%s: %d %lld", cases[i].target, rc, (long long)value);
        }
    }
}

/* ---- headers */

/* "Name: value" lines, "\n" between them. */
static size_t split(const char *text, struct header headers[GUARD_HEADERS_MAX + 2])
{
    size_t n = 0;

    while (*text != '\0' && n < GUARD_HEADERS_MAX + 2) {
        size_t line = strcspn(text, "\n"), name = strcspn(text, ":");
        size_t value = name + 1 + strspn(text + name + 1, " ");
        headers[n++] = (struct header){span_of(text, name), span_of(text + value, line - value)};
        text += line + (text[line] == '\n');
    }
    return n;
}

#define OWN "Host: localhost:8080\n"

static void headers_are_judged(void **state)
{
    static const struct {
        const char *what;
        enum method method;
        const char *version;
        const char *headers;
        enum problem problem;
    } cases[] = {
        {"plain", METHOD_GET, "HTTP/1.1", OWN, PROBLEM_NONE},
        {"1.0", METHOD_GET, "HTTP/1.0", OWN, PROBLEM_NONE},
        {"2.0", METHOD_GET, "HTTP/2.0", OWN, PROBLEM_BAD_FRAMING},
        {"1.10", METHOD_GET, "HTTP/1.10", OWN, PROBLEM_BAD_FRAMING},

        {"by number", METHOD_GET, "HTTP/1.1", "Host: 127.0.0.1:8080", PROBLEM_NONE},
        {"by v6", METHOD_GET, "HTTP/1.1", "host: [::1]:8080", PROBLEM_NONE},
        {"case", METHOD_GET, "HTTP/1.1", "HOST: LocalHost:8080", PROBLEM_NONE},
        {"no host", METHOD_GET, "HTTP/1.1", "", PROBLEM_BAD_REQUEST},
        {"empty host", METHOD_GET, "HTTP/1.1", "Host:", PROBLEM_WRONG_HOST},
        {"rebound", METHOD_GET, "HTTP/1.1", "Host: evil.example:8080", PROBLEM_WRONG_HOST},
        {"no port", METHOD_GET, "HTTP/1.1", "Host: localhost", PROBLEM_WRONG_HOST},
        {"other port", METHOD_GET, "HTTP/1.1", "Host: localhost:80800", PROBLEM_WRONG_HOST},
        {"prefix", METHOD_GET, "HTTP/1.1", "Host: localhost:8080.evil.example", PROBLEM_WRONG_HOST},
        {"two hosts", METHOD_GET, "HTTP/1.1", OWN OWN, PROBLEM_BAD_FRAMING},

        {"length", METHOD_POST, "HTTP/1.1", OWN "Content-Length: 5", PROBLEM_NONE},
        {"chunked", METHOD_POST, "HTTP/1.1", OWN "Transfer-Encoding: chunked", PROBLEM_NONE},
        {"both", METHOD_POST, "HTTP/1.1", OWN "Content-Length: 5\nTransfer-Encoding: chunked",
         PROBLEM_BAD_FRAMING},
        {"both, other case", METHOD_POST, "HTTP/1.1", OWN "transfer-encoding: chunked\ncontent-length: 5",
         PROBLEM_BAD_FRAMING},
        {"twice", METHOD_POST, "HTTP/1.1", OWN "Content-Length: 5\nContent-Length: 5", PROBLEM_BAD_FRAMING},
        {"twice chunked", METHOD_POST, "HTTP/1.1",
         OWN "Transfer-Encoding: chunked\nTransfer-Encoding: chunked", PROBLEM_BAD_FRAMING},
        {"negative", METHOD_POST, "HTTP/1.1", OWN "Content-Length: -5", PROBLEM_BAD_FRAMING},
        {"plus", METHOD_POST, "HTTP/1.1", OWN "Content-Length: +5", PROBLEM_BAD_FRAMING},
        {"hex", METHOD_POST, "HTTP/1.1", OWN "Content-Length: 0x5", PROBLEM_BAD_FRAMING},
        {"list", METHOD_POST, "HTTP/1.1", OWN "Content-Length: 5, 5", PROBLEM_BAD_FRAMING},
        {"empty length", METHOD_POST, "HTTP/1.1", OWN "Content-Length:", PROBLEM_BAD_FRAMING},
        {"huge", METHOD_POST, "HTTP/1.1", OWN "Content-Length: 9999999999999999999", PROBLEM_BAD_FRAMING},
        {"gzip, chunked", METHOD_POST, "HTTP/1.1", OWN "Transfer-Encoding: gzip, chunked",
         PROBLEM_BAD_FRAMING},
        {"xchunked", METHOD_POST, "HTTP/1.1", OWN "Transfer-Encoding: xchunked", PROBLEM_BAD_FRAMING},
        {"chunked in 1.0", METHOD_POST, "HTTP/1.0", OWN "Transfer-Encoding: chunked", PROBLEM_BAD_FRAMING},
        {"blank in name", METHOD_POST, "HTTP/1.1", OWN "Content-Length : 5", PROBLEM_BAD_FRAMING},
        {"control in value", METHOD_POST, "HTTP/1.1", OWN "X: a\vb", PROBLEM_BAD_FRAMING},
        {"no name", METHOD_POST, "HTTP/1.1", OWN ": b", PROBLEM_BAD_FRAMING},

        {"own origin", METHOD_POST, "HTTP/1.1", OWN "Origin: http://localhost:8080", PROBLEM_NONE},
        {"own origin, v4", METHOD_POST, "HTTP/1.1", OWN "Origin: http://127.0.0.1:8080", PROBLEM_NONE},
        {"foreign", METHOD_POST, "HTTP/1.1", OWN "Origin: http://evil.example", PROBLEM_FOREIGN_ORIGIN},
        {"foreign put", METHOD_PUT, "HTTP/1.1", OWN "Origin: http://evil.example", PROBLEM_FOREIGN_ORIGIN},
        {"unknown method", METHOD_OTHER, "HTTP/1.1", OWN "Origin: http://evil.example",
         PROBLEM_FOREIGN_ORIGIN},
        {"null origin", METHOD_POST, "HTTP/1.1", OWN "Origin: null", PROBLEM_FOREIGN_ORIGIN},
        {"https", METHOD_POST, "HTTP/1.1", OWN "Origin: https://localhost:8080", PROBLEM_FOREIGN_ORIGIN},
        {"other port's", METHOD_POST, "HTTP/1.1", OWN "Origin: http://localhost:3000",
         PROBLEM_FOREIGN_ORIGIN},
        {"two origins", METHOD_POST, "HTTP/1.1", OWN "Origin: http://localhost:8080\nOrigin: null",
         PROBLEM_BAD_REQUEST},
        {"foreign get", METHOD_GET, "HTTP/1.1", OWN "Origin: http://evil.example", PROBLEM_NONE},
        {"cross-site", METHOD_POST, "HTTP/1.1", OWN "Sec-Fetch-Site: cross-site", PROBLEM_FOREIGN_ORIGIN},
        {"same-site", METHOD_POST, "HTTP/1.1", OWN "Sec-Fetch-Site: same-site", PROBLEM_FOREIGN_ORIGIN},
        {"same-origin", METHOD_POST, "HTTP/1.1", OWN "Sec-Fetch-Site: same-origin", PROBLEM_NONE},
        {"typed in", METHOD_POST, "HTTP/1.1", OWN "Sec-Fetch-Site: none", PROBLEM_NONE},

        {"gzip", METHOD_POST, "HTTP/1.1", OWN "Content-Encoding: gzip", PROBLEM_MEDIA_TYPE},
        {"two types", METHOD_POST, "HTTP/1.1", OWN "Content-Type: a/b\nContent-Type: c/d",
         PROBLEM_BAD_REQUEST},
        {"empty key", METHOD_POST, "HTTP/1.1", OWN "Idempotency-Key:", PROBLEM_BAD_REQUEST},
        {"tab in key", METHOD_POST, "HTTP/1.1", OWN "Idempotency-Key: a\tb", PROBLEM_BAD_REQUEST},
        {"key in Latin-1", METHOD_POST, "HTTP/1.1", OWN "Idempotency-Key: a\xe9", PROBLEM_BAD_REQUEST},
        {"key", METHOD_POST, "HTTP/1.1", OWN "Idempotency-Key: 7f3a", PROBLEM_NONE},
    };
    static const struct guard guard = {.port = 8080};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct header headers[GUARD_HEADERS_MAX + 2];
        struct head head = {0};
        struct err_info err = {0};
        size_t n = split(cases[i].headers, headers);
        enum problem problem =
            guard_check(&guard, cases[i].method, cases[i].version, headers, n, &head, &err);
        if (problem != cases[i].problem || (problem != PROBLEM_NONE) != (*err.text != '\0')) {
            fail_msg("%s: %d (%s)", cases[i].what, (int)problem, err.text);
        }
    }
}

static void port_80_may_be_left_out(void **state)
{
    static const struct guard guard = {.port = 80};
    struct header host = {span_str("Host"), span_str("localhost")};
    struct head head;

    (void)state;
    assert_int_equal(guard_check(&guard, METHOD_GET, "HTTP/1.1", &host, 1, &head, NULL), PROBLEM_NONE);
}

static void the_unix_socket_takes_any_host_but_no_page(void **state)
{
    static const struct guard guard = {.is_local = true};
    struct header headers[] = {{span_str("Host"), span_str("whatever")},
                               {span_str("Origin"), span_str("http://localhost:8080")}};
    struct head head;

    (void)state;
    assert_int_equal(guard_check(&guard, METHOD_POST, "HTTP/1.1", headers, 0, &head, NULL), PROBLEM_NONE);
    assert_int_equal(guard_check(&guard, METHOD_POST, "HTTP/1.1", headers, 1, &head, NULL), PROBLEM_NONE);
    assert_int_equal(guard_check(&guard, METHOD_POST, "HTTP/1.1", headers, 2, &head, NULL),
                     PROBLEM_FOREIGN_ORIGIN);
}

static void headers_are_counted(void **state)
{
    static const struct guard guard = {.is_local = true};
    struct header headers[GUARD_HEADERS_MAX + 1];
    struct head head;

    (void)state;
    for (size_t i = 0; i < COUNT(headers); i++) {
        headers[i] = (struct header){span_str("X"), span_str("y")};
    }
    assert_int_equal(guard_check(&guard, METHOD_GET, "HTTP/1.1", headers, COUNT(headers) - 1, &head, NULL),
                     PROBLEM_NONE);
    assert_int_equal(guard_check(&guard, METHOD_GET, "HTTP/1.1", headers, COUNT(headers), &head, NULL),
                     PROBLEM_HEADERS_TOO_LARGE);
}

static void content_types_are_known(void **state)
{
    static const struct {
        const char *value;
        enum content_kind kind;
    } cases[] = {
        {"application/json", CONTENT_JSON},
        {"Application/JSON", CONTENT_JSON},
        {"application/json; charset=utf-8", CONTENT_JSON},
        {"application/json;charset=\"UTF-8\"", CONTENT_JSON},
        {"application/json ; ", CONTENT_JSON},
        {"application/json; charset=latin1", CONTENT_OTHER},
        {"application/x-ndjson", CONTENT_NDJSON},
        {"text/csv", CONTENT_CSV},
        {"text/plain", CONTENT_OTHER},
        {"application/x-www-form-urlencoded", CONTENT_OTHER},
        {"multipart/form-data; boundary=x", CONTENT_OTHER},
        {"application/jsonx", CONTENT_OTHER},
        {"", CONTENT_OTHER},
    };
    static const struct guard guard = {.is_local = true};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct header type = {span_str("Content-Type"), span_str(cases[i].value)};
        struct head head = {0};
        assert_int_equal(guard_check(&guard, METHOD_POST, "HTTP/1.1", &type, 1, &head, NULL), PROBLEM_NONE);
        if (head.content != cases[i].kind) {
            fail_msg("%s: %d", cases[i].value, (int)head.content);
        }
    }
}

/* ---- routes */

static void routes_are_found(void **state)
{
    static const struct {
        enum method method;
        const char *target;
        const char *pattern; /* NULL: none */
        const char *id;
        enum problem problem;
        const char *allow;
    } cases[] = {
        {METHOD_GET, "/", "(file)", "", 0, ""},
        {METHOD_HEAD, "/style.css", "(file)", "", 0, ""},
        {METHOD_GET, "/api/v1/stream", "/api/v1/stream", "", 0, ""},
        {METHOD_GET, "/problems/bytes_lost", "/problems/{id}", "bytes_lost", 0, ""},
        {METHOD_GET, "/style.css/", NULL, "", PROBLEM_NOT_FOUND, ""},
        {METHOD_GET, "/%2Fstyle.css", NULL, "", PROBLEM_NOT_FOUND, ""},
        {METHOD_POST, "/index.html", NULL, "", PROBLEM_METHOD, "GET, HEAD"},
        {METHOD_HEAD, "/healthz", "/healthz", "", 0, ""},
        {METHOD_GET, "/api/v1/slots", "/api/v1/slots", "", 0, ""},
        {METHOD_GET, "/api/v1/slots/rack1/001", "/api/v1/slots/{slot}", "rack1/001", 0, ""},
        {METHOD_GET, "/api/v1/slots/rack1%2F001", "/api/v1/slots/{slot}", "rack1/001", 0, ""},
        {METHOD_POST, "/api/v1/slots/rack1/001/start", "/api/v1/slots/{slot}/start", "rack1/001", 0, ""},
        {METHOD_POST, "/api/v1/slots/rack1%2F001/retry", "/api/v1/slots/{slot}/retry", "rack1/001", 0, ""},
        {METHOD_POST, "/api/v1/fixtures/rack1/start", "/api/v1/fixtures/{id}/start", "rack1", 0, ""},
        {METHOD_PUT, "/api/v1/work-orders/WO%2F4711", "/api/v1/work-orders/{id}", "WO/4711", 0, ""},
        {METHOD_GET, "/api/v1/bundles/stock?product=x", "/api/v1/bundles/stock", "", 0, ""},
        {METHOD_GET, "/api/v1/slots/rack1", NULL, "", PROBLEM_NOT_FOUND, ""},
        {METHOD_GET, "/api/v1/slots/a%2Fb/c", NULL, "", PROBLEM_NOT_FOUND, ""},
        {METHOD_GET, "/api/v1/slots/", NULL, "", PROBLEM_NOT_FOUND, ""},
        {METHOD_GET, "/api/v1/jobs/", NULL, "", PROBLEM_NOT_FOUND, ""},
        {METHOD_GET, "/api/v1/slots/../jobs", "/api/v1/slots/{slot}", "../jobs", 0,
         ""}, /* dots mean nothing */
        {METHOD_GET, "//", NULL, "", PROBLEM_NOT_FOUND, ""},
        {METHOD_GET, "/api", NULL, "", PROBLEM_NOT_FOUND, ""},
        {METHOD_GET, "/API/v1/slots", NULL, "", PROBLEM_NOT_FOUND, ""},
        {METHOD_POST, "/api/v1/slots", NULL, "", PROBLEM_METHOD, "GET, HEAD"},
        {METHOD_DELETE, "/api/v1/work-orders/x", NULL, "", PROBLEM_METHOD, "GET, HEAD, PUT"},
        {METHOD_GET, "/api/v1/bundles", NULL, "", PROBLEM_METHOD, "POST"},
        {METHOD_HEAD, "/api/v1/bundles", NULL, "", PROBLEM_METHOD, "POST"},
        {METHOD_OTHER, "/", NULL, "", PROBLEM_METHOD, "GET, HEAD"},
    };
    static struct request r;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        enum problem problem = PROBLEM_NONE;
        char allow[40];
        r.method = cases[i].method;
        r.id[0] = '\0';
        assert_int_equal(request_set_target(&r, span_str(cases[i].target), NULL), 0);
        const struct route *route = route_find(&r, &problem, allow);
        bool is_same = route == NULL
                           ? cases[i].pattern == NULL
                           : cases[i].pattern != NULL && strcmp(route->pattern, cases[i].pattern) == 0;
        if (!is_same || problem != cases[i].problem || strcmp(allow, cases[i].allow) != 0 ||
            strcmp(r.id, cases[i].id) != 0) {
            fail_msg("%s: %s, id %s, problem %d, allow %s", cases[i].target, route ? route->pattern : "none",
                     r.id, (int)problem, allow);
        }
    }
}

static void an_overlong_id_is_nobodys(void **state)
{
    static struct request r = {.method = METHOD_GET};
    char target[512] = "/api/v1/jobs/", allow[40];
    enum problem problem;

    (void)state;
    memset(target + strlen(target), 'x', REQUEST_ID_SIZE);
    assert_int_equal(request_set_target(&r, span_str(target), NULL), 0);
    assert_null(route_find(&r, &problem, allow));
    assert_int_equal(problem, PROBLEM_NOT_FOUND);
}

static void what_a_route_takes_is_checked(void **state)
{
    static const struct {
        const char *what;
        enum method method;
        const char *target;
        unsigned roles;
        struct head head;
        enum problem problem;
    } cases[] = {
        {"json",
         METHOD_PUT,
         "/api/v1/work-orders/x",
         ROLE_MES,
         {.content_length = 9, .content = CONTENT_JSON},
         0},
        {"chunked",
         METHOD_PUT,
         "/api/v1/work-orders/x",
         ROLE_MES,
         {.is_chunked = true, .content = CONTENT_JSON},
         0},
        {"no type", METHOD_PUT, "/api/v1/work-orders/x", ROLE_MES, {.content_length = 9}, PROBLEM_MEDIA_TYPE},
        {"other",
         METHOD_POST,
         "/api/v1/bundles",
         ROLE_MES,
         {.content_length = 9, .content = CONTENT_JSON},
         PROBLEM_MEDIA_TYPE},
        {"large",
         METHOD_PUT,
         "/api/v1/work-orders/x",
         ROLE_MES,
         {.content_length = 1 << 20, .content = CONTENT_JSON},
         PROBLEM_TOO_LARGE},
        {"bodyless", METHOD_POST, "/api/v1/slots/a/b/start", ROLE_OPERATOR, {.content = CONTENT_OTHER}, 0},
        {"operator",
         METHOD_PUT,
         "/api/v1/work-orders/x",
         ROLE_OPERATOR,
         {.content_length = 0},
         PROBLEM_FORBIDDEN},
        {"mes", METHOD_POST, "/api/v1/bundles/x/retire", ROLE_MES, {.content_length = 0}, PROBLEM_FORBIDDEN},
        {"admin", METHOD_POST, "/api/v1/bundles/x/retire", ROLE_ADMIN, {.content_length = 0}, 0},
        {"auditor",
         METHOD_POST,
         "/api/v1/slots/a/b/abort",
         ROLE_AUDITOR,
         {.content_length = 0},
         PROBLEM_FORBIDDEN},
        {"nobody", METHOD_GET, "/api/v1/slots", 0, {.content_length = 0}, PROBLEM_FORBIDDEN},
        {"body for a get",
         METHOD_GET,
         "/api/v1/slots",
         ROLE_MES,
         {.content_length = 1, .content = CONTENT_JSON},
         PROBLEM_BAD_BODY},
        {"filter", METHOD_GET, "/api/v1/jobs?imei=1", ROLE_MES, {.content_length = 0}, 0},
        {"mistyped",
         METHOD_GET,
         "/api/v1/jobs?ime=1",
         ROLE_MES,
         {.content_length = 0},
         PROBLEM_BAD_PARAMETER},
        {"switch", METHOD_GET, "/api/v1/exports/aws?skipped=false", ROLE_MES, {.content_length = 0}, 0},
        {"no switch",
         METHOD_POST,
         "/api/v1/bundles?dry_run=yes",
         ROLE_MES,
         {.content_length = 9, .content = CONTENT_NDJSON},
         PROBLEM_BAD_PARAMETER},
        {"none known", METHOD_GET, "/healthz?x", ROLE_MES, {.content_length = 0}, PROBLEM_BAD_PARAMETER},
    };
    static struct request r;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        enum problem problem = PROBLEM_NONE;
        char allow[40];
        r.method = cases[i].method;
        r.roles = cases[i].roles;
        assert_int_equal(request_set_target(&r, span_str(cases[i].target), NULL), 0);
        const struct route *route = route_find(&r, &problem, allow);
        assert_non_null(route);
        problem = route_check(route, &r, &cases[i].head, NULL);
        if (problem != cases[i].problem) {
            fail_msg("%s: %d", cases[i].what, (int)problem);
        }
    }
}

static void conditions_are_read_strictly(void **state)
{
    static const struct {
        const char *name, *value;
        enum problem problem;
        const char *if_match, *if_none_match;
        int64_t last_event_id;
    } cases[] = {
        {"X-Other", "1", PROBLEM_NONE, "", "", -1},
        {"If-Match", "\"abc\"", PROBLEM_NONE, "\"abc\"", "", -1},
        {"If-Match", "W/\"abc\"", PROBLEM_NONE, "\"abc\"", "", -1},
        {"If-Match", " * ", PROBLEM_NONE, "*", "", -1},
        {"If-Match", "\"a\", \"b\"", PROBLEM_BAD_REQUEST, "", "", -1}, /* not taken for met */
        {"If-Match", "abc", PROBLEM_BAD_REQUEST, "", "", -1},
        {"If-Match", "", PROBLEM_BAD_REQUEST, "", "", -1},
        {"If-Match", "\"", PROBLEM_BAD_REQUEST, "", "", -1},
        {"if-none-match", "*", PROBLEM_NONE, "", "*", -1},
        {"If-None-Match", "\"a\", \"b\"", PROBLEM_NONE, "", "", -1}, /* the file is sent once too often */
        {"Last-Event-ID", "17", PROBLEM_NONE, "", "", 17},
        {"Last-Event-ID", "0", PROBLEM_NONE, "", "", 0},
        {"Last-Event-ID", "-1", PROBLEM_NONE, "", "", -1},
        {"Last-Event-ID", "1x", PROBLEM_NONE, "", "", -1},
        {"Last-Event-ID", "9999999999999999999999", PROBLEM_NONE, "", "", -1},
    };
    static const struct guard guard = {.is_local = true};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct header header = {span_str(cases[i].name), span_str(cases[i].value)};
        struct head head = {0};
        enum problem problem = guard_check(&guard, METHOD_GET, "HTTP/1.1", &header, 1, &head, NULL);
        assert_int_equal(problem, cases[i].problem);
        if (problem == PROBLEM_NONE) {
            assert_string_equal(head.if_match, cases[i].if_match);
            assert_string_equal(head.if_none_match, cases[i].if_none_match);
            assert_int_equal(head.last_event_id, cases[i].last_event_id);
        }
    }
}

/* The table itself: what a row forgets would only show when somebody asks for it. */
static void every_route_is_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_routes; i++) {
        const struct route *route = &routes[i];
        assert_true(route->pattern[0] == '/');
        assert_true(route->roles != 0);
        assert_true((route->content == 0) == (route->body_max == 0));
        assert_true((route->handle == NULL) == (route->where == RUN_IMPORT || route->where == RUN_STREAM));
        assert_true(route->method == METHOD_GET || route->where != RUN_INLINE);
        for (size_t k = 0; k < i; k++) {
            assert_false(route->method == routes[k].method && strcmp(route->pattern, routes[k].pattern) == 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_are_taken_apart),
        cmocka_unit_test(targets_are_bounded),
        cmocka_unit_test(a_number_is_read_whole),
        cmocka_unit_test(headers_are_judged),
        cmocka_unit_test(port_80_may_be_left_out),
        cmocka_unit_test(the_unix_socket_takes_any_host_but_no_page),
        cmocka_unit_test(headers_are_counted),
        cmocka_unit_test(content_types_are_known),
        cmocka_unit_test(routes_are_found),
        cmocka_unit_test(an_overlong_id_is_nobodys),
        cmocka_unit_test(what_a_route_takes_is_checked),
        cmocka_unit_test(every_route_is_whole),
        cmocka_unit_test(conditions_are_read_strictly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
