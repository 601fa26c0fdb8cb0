/* The commands' HTTP client and the pieces that an import sends, over socket pairs and pipes: no server, no
 * threads. What the other end says lies in the socket before the client reads. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "cmd/http_client.h"
#include "cmd/pieces.h"
#include "cmd/progress.h"

#define COUNT(rows) (sizeof(rows) / sizeof(*(rows)))

static const struct http_request get = {.method = "GET", .target = "/api/v1/slots", .answer_max = 64};

/* Lets `said` be the server's answer to `request`. `ret_heard` takes what the client sent. */
static int talk(const struct http_request *request, const char *said, size_t len, struct http_answer *ret,
                char *ret_heard, size_t heard_size)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(write(fds[1], said, len), (ssize_t)len);
    assert_int_equal(shutdown(fds[1], SHUT_WR), 0);
    int r = http_call(fds[0], request, ret, NULL);
    close(fds[0]);
    ssize_t n = read(fds[1], ret_heard, heard_size - 1);
    ret_heard[n > 0 ? n : 0] = '\0';
    close(fds[1]);
    return r;
}

#define TEN "0123456789"

static void answers_are_read_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *said;
        int result; /* 0: status and body follow */
        int status;
        const char *body, *type;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}", 0, 200, "{}",
         "application/json"},
        {"HTTP/1.1 200 OK\r\ncontent-length:2\r\ncontent-type: Application/JSON; charset=utf-8\r\n\r\n{}rest",
         0, 200, "{}", "application/json"},
        {"HTTP/1.1 404 Not Found\nContent-Length: 1\n\nx", 0, 404, "x", ""},
        {"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 0, 200, "", ""},
        {"HTTP/1.0 200 OK\r\n\r\nuntil the end", 0, 200, "until the end", ""},
        {"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", 0, 204, "", ""},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\ny", 0, 200, "y", ""},

        /* chunks */
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0A;x=y\r\n" TEN "\r\n0\r\n\r\n", 0,
         200, "abc" TEN, ""},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, 200, "", ""},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", ERR_RANGE, 0, NULL,
         NULL},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX\r\n0\r\n\r\n", ERR_RANGE, 0, NULL,
         NULL},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX\n0\r\n\r\n", ERR_FORMAT, 0, NULL,
         NULL},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n0\r\n\r\n", ERR_FORMAT, 0, NULL,
         NULL},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", ERR_FORMAT, 0, NULL, NULL},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n", ERR_RANGE, 0, NULL,
         NULL},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n41\r\n", ERR_RANGE, 0, NULL, NULL},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", ERR_CLOSED, 0, NULL, NULL},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", ERR_CLOSED, 0, NULL, NULL},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", ERR_FORMAT, 0, NULL, NULL},

        /* lengths */
        {"HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\n" TEN TEN TEN TEN TEN TEN "0123", 0, 200,
         TEN TEN TEN TEN TEN TEN "0123", ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 65\r\n\r\n", ERR_RANGE, 0, NULL, NULL},
        {"HTTP/1.1 200 OK\r\n\r\n" TEN TEN TEN TEN TEN TEN "01234", ERR_RANGE, 0, NULL, NULL},
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", ERR_CLOSED, 0, NULL, NULL},
        {"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551617\r\n\r\n", ERR_RANGE, 0, NULL, NULL},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", ERR_FORMAT, 0, NULL, NULL},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ERR_FORMAT, 0,
         NULL, NULL},
        {"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx", ERR_FORMAT, 0, NULL, NULL},
        {"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nx", ERR_FORMAT, 0, NULL, NULL},

        /* heads */
        {"", ERR_CLOSED, 0, NULL, NULL},
        {"HTTP/1.1 200 OK\r\n", ERR_CLOSED, 0, NULL, NULL},
        {"HTTP/2 200\r\n\r\n", ERR_FORMAT, 0, NULL, NULL},
        {"SSH-2.0-x\r\n", ERR_FORMAT, 0, NULL, NULL},
        {"HTTP/1.1 20 OK\r\n\r\n", ERR_FORMAT, 0, NULL, NULL},
        {"HTTP/1.1 2000 OK\r\n\r\n", ERR_FORMAT, 0, NULL, NULL},
        {"HTTP/1.1 099 OK\r\n\r\n", ERR_FORMAT, 0, NULL, NULL},
        {"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", ERR_FORMAT, 0, NULL, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct http_answer answer = {0};
        char heard[1024];
        int r = talk(&get, rows[i].said, strlen(rows[i].said), &answer, heard, sizeof(heard));
        if (r != rows[i].result) {
            fail_msg("row %zu: %d (%s), not %d", i, r, err_text(r), rows[i].result);
        }
        if (r == 0) {
            assert_int_equal(answer.status, rows[i].status);
            assert_string_equal(answer.body, rows[i].body);
            assert_int_equal(answer.body_len, strlen(rows[i].body));
            assert_string_equal(answer.content_type, rows[i].type);
        }
        http_answer_done(&answer);
    }
}

static void a_nul_in_a_head_is_no_http(void **state)
{
    (void)state;
    static const char said[] = "HTTP/1.1 200 OK\0\r\n\r\n";
    struct http_answer answer = {0};
    char heard[1024];
    assert_int_equal(talk(&get, said, sizeof(said) - 1, &answer, heard, sizeof(heard)), ERR_FORMAT);
}

static void a_head_without_end_is_bounded(void **state)
{
    (void)state;
    static char said[2 * HTTP_HEAD_MAX];
    size_t len = (size_t)snprintf(said, sizeof(said), "HTTP/1.1 200 OK\r\n");
    while (len + 40 < sizeof(said)) {
        len += (size_t)snprintf(said + len, sizeof(said) - len, "X-Header: 0123456789\r\n");
    }
    struct http_answer answer = {0};
    char heard[1024];
    assert_int_equal(talk(&get, said, len, &answer, heard, sizeof(heard)), ERR_RANGE);

    len = (size_t)snprintf(said, sizeof(said), "HTTP/1.1 200 OK\r\nX: ");
    memset(said + len, 'x', 4000);
    assert_int_equal(talk(&get, said, len + 4000, &answer, heard, sizeof(heard)), ERR_RANGE);
}

static void what_is_sent_is_whole(void **state)
{
    (void)state;
    static const char said[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    const struct http_request post = {.method = "POST",
                                      .target = "/api/v1/bundles",
                                      .content_type = "application/x-ndjson",
                                      .body = span_str("{}\n{}\n"),
                                      .answer_max = 64};
    const struct {
        const struct http_request *request;
        const char *heard;
    } rows[] = {
        {&get, "GET /api/v1/slots HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\nConnection: "
               "close\r\n\r\n"},
        {&post, "POST /api/v1/bundles HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\nConnection: "
                "close\r\n"
                "Content-Type: application/x-ndjson\r\nContent-Length: 6\r\n\r\n{}\n{}\n"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct http_answer answer = {0};
        char heard[1024];
        assert_int_equal(talk(rows[i].request, said, sizeof(said) - 1, &answer, heard, sizeof(heard)), 0);
        assert_string_equal(heard, rows[i].heard);
        http_answer_done(&answer);
    }
}

/* A server may refuse before it has read the body, and close: the refusal still counts. */
static void an_early_refusal_is_heard(void **state)
{
    (void)state;
    static const char said[] = "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno";
    static char body[4 * 1024 * 1024];
    const struct http_request post = {.method = "POST",
                                      .target = "/",
                                      .content_type = "application/x-ndjson",
                                      .body = {body, sizeof(body)},
                                      .answer_max = 64};
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(write(fds[1], said, sizeof(said) - 1), sizeof(said) - 1);
    close(fds[1]);
    struct http_answer answer = {0};
    assert_int_equal(http_call(fds[0], &post, &answer, NULL), 0);
    assert_int_equal(answer.status, 413);
    assert_string_equal(answer.body, "no");
    http_answer_done(&answer);
    close(fds[0]);
}

static void nobody_there_is_told_apart(void **state)
{
    (void)state;
    struct err_info info = {0};
    assert_int_equal(http_connect("/nowhere/api.sock", &info), -ENOENT);
    assert_non_null(strstr(info.text, "/nowhere/api.sock"));
    char path[200];
    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(http_connect(path, NULL), ERR_RANGE);
}

/* ---- pieces */

static int pipe_with(const char *text)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], text, strlen(text)), (ssize_t)strlen(text));
    close(fds[1]);
    return fds[0];
}

static void lines_come_in_pieces(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *pieces[6]; /* of at most 8 octets; "" is a line that was too long */
        uint64_t n_lines;
    } rows[] = {
        {"", {NULL}, 0},
        {"\n", {"\n"}, 1},
        {"a", {"a"}, 1},
        {"a\nb\n", {"a\nb\n"}, 2},
        {"a\nb", {"a\nb"}, 2},
        {"a\n\nb\n", {"a\n\nb\n"}, 3},
        {"abc\ndef\n", {"abc\ndef\n"}, 2},
        {"abc\ndef\ng", {"abc\ndef\n", "g"}, 3},
        {"abc\ndefgh\ni\n", {"abc\n", "defgh\ni\n"}, 3},
        {"1234567\n1234567\n", {"1234567\n", "1234567\n"}, 2},
        {"12345678\na\n", {"", "a\n"}, 2},
        {"12345678", {""}, 1},
        {"123456789012345678901234567890\na\n", {"", "a\n"}, 2},
        {"a\n123456789\n\nb\n", {"a\n", "", "\nb\n"}, 4},
        {"123456789\n123456789\n", {"", ""}, 2},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct pieces pieces;
        int fd = pipe_with(rows[i].text);
        assert_int_equal(pieces_init(&pieces, fd, 8), 0);
        struct span piece;
        size_t n = 0;
        uint64_t lines = 0;
        for (int kind; (kind = pieces_next(&pieces, &piece)) != PIECE_END; n++) {
            assert_true(n < COUNT(rows[i].pieces) && rows[i].pieces[n]);
            assert_int_equal(kind, rows[i].pieces[n][0] ? PIECE_LINES : PIECE_OVERLONG);
            assert_true(span_is(piece, rows[i].pieces[n]));
            assert_int_equal(pieces.n_lines, lines);
            lines += pieces.n_given;
        }
        assert_true(n == COUNT(rows[i].pieces) || !rows[i].pieces[n]);
        assert_int_equal(lines, rows[i].n_lines);
        assert_int_equal(pieces.n_octets, strlen(rows[i].text));
        pieces_done(&pieces);
        close(fd);
    }
}

static void a_descriptor_that_cannot_be_read_is_said(void **state)
{
    (void)state;
    struct pieces pieces;
    assert_int_equal(pieces_init(&pieces, -1, 8), 0);
    struct span piece;
    assert_int_equal(pieces_next(&pieces, &piece), -EBADF);
    pieces_done(&pieces);
}

/* ---- progress */

static void progress_is_one_line(void **state)
{
    (void)state;
    static const struct {
        unsigned columns;
        const char *file;
        uint64_t done, size, rows;
        const char *line;
    } rows[] = {
        {79, "b.ndjson", 0, 100, 0, "b.ndjson: [                                        ] 0 %, 0 rows"},
        {79, "b.ndjson", 50, 100, 7, "b.ndjson: [####################                    ] 50 %, 7 rows"},
        {79, "b.ndjson", 200, 100, 9, "b.ndjson: [########################################] 100 %, 9 rows"},
        {79, "-", 12345, 0, 12, "-: 12 rows"},
        {79, "/srv/deliveries/2026/week-47/b.ndjson", 50, 100, 7,
         "...26/week-47/b.ndjson: [####################                    ] 50 %, 7 rows"},
        {30, "/srv/deliveries/b.ndjson", 50, 100, 7, "...ries/b.ndjson: 50 %, 7 rows"},
        {16, "b.ndjson", 50, 100, 7, "on: 50 %, 7 rows"},
        {2, "b.ndjson", 0, 0, 7, ": 7 rows"}, /* a row's number is not cut */
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char line[256];
        size_t n = progress_compose(line, sizeof(line), rows[i].columns, rows[i].file, rows[i].done,
                                    rows[i].size, rows[i].rows);
        if (strcmp(line, rows[i].line) != 0) {
            fail_msg("row %zu: \"%s\" (%zu)", i, line, n);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_read_or_refused),
        cmocka_unit_test(a_nul_in_a_head_is_no_http),
        cmocka_unit_test(a_head_without_end_is_bounded),
        cmocka_unit_test(what_is_sent_is_whole),
        cmocka_unit_test(an_early_refusal_is_heard),
        cmocka_unit_test(nobody_there_is_told_apart),
        cmocka_unit_test(lines_come_in_pieces),
        cmocka_unit_test(a_descriptor_that_cannot_be_read_is_said),
        cmocka_unit_test(progress_is_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
