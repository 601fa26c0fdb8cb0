/*
 * A client for one server, our own, which speaks all of HTTP/1.1 and is still not trusted: heads, lines,
 * chunks and bodies have their limits, numbers are parsed by hand, and two answers to "how long is the body"
 * are none.
 *
 * A server may answer before it has read the request (413, 503) and close. Sending then fails, but the answer
 * is there to be read, so a failure to send is reported only when there is none.
 */
#include "cmd/http_client.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/secret.h"

int http_connect(const char *socket_path, struct err_info *reterr)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(socket_path) >= sizeof(address.sun_path)) {
        return err_set(reterr, ERR_RANGE, "%s is too long for a socket's path", socket_path);
    }
    strcpy(address.sun_path, socket_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        int code = -errno;
        if (fd >= 0) {
            close(fd);
        }
        return err_set(reterr, code,
                       "no daemon answers at %s (%s); is certlined serve running with this configuration?",
                       socket_path, err_text(code));
    }
    return fd;
}

/* ---- sending */

static int wait_for(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    int r;
    do {
        r = poll(&p, 1, HTTP_SILENCE_MS);
    } while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : r == 0 ? -ETIMEDOUT : 0;
}

static int send_all(int fd, struct span octets)
{
    while (octets.len > 0) {
        int r = wait_for(fd, POLLOUT);
        ssize_t n = r < 0 ? 0 : send(fd, octets.at, octets.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (r < 0) {
            return r;
        }
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            return -errno;
        }
        octets = span_skip(octets, n > 0 ? (size_t)n : 0);
    }
    return 0;
}

static int send_request(int fd, const struct http_request *request)
{
    char head[1024], type[256] = "";
    if (request->content_type) {
        snprintf(type, sizeof(type), "Content-Type: %s\r\nContent-Length: %zu\r\n", request->content_type,
                 request->body.len);
    }
    int n = snprintf(
        head, sizeof(head),
        "%s %s HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\nConnection: close\r\n%s\r\n",
        request->method, request->target, type);
    if (n < 0 || (size_t)n >= sizeof(head)) {
        return ERR_RANGE;
    }
    int r = send_all(fd, span_of(head, (size_t)n));
    return r < 0 || !request->content_type ? r : send_all(fd, request->body);
}

/* ---- receiving: octets, then lines */

struct stream {
    int fd;
    size_t at, len;
    char octets[4096];
};

/* The next octets, at least one. 0 at the end of the connection. */
static int fill(struct stream *s)
{
    if (s->at < s->len) {
        return 1;
    }
    ssize_t n;
    do {
        int r = wait_for(s->fd, POLLIN);
        if (r < 0) {
            return r;
        }
        n = recv(s->fd, s->octets, sizeof(s->octets), MSG_DONTWAIT);
    } while (n < 0 && (errno == EINTR || errno == EAGAIN));
    if (n < 0) {
        return -errno;
    }
    s->at = 0;
    s->len = (size_t)n;
    return n > 0;
}

/* A line without its end into `line`; *budget counts what a head may still take. */
static int take_line(struct stream *s, char *line, size_t size, size_t *budget)
{
    size_t n = 0;
    for (;;) {
        int r = fill(s);
        if (r <= 0) {
            return r < 0 ? r : ERR_CLOSED;
        }
        char c = s->octets[s->at++];
        if (*budget == 0 || n + 1 == size) {
            return ERR_RANGE;
        }
        (*budget)--;
        if (c == '\n') {
            break;
        }
        line[n++] = c;
    }
    n -= n > 0 && line[n - 1] == '\r';
    line[n] = '\0';
    return strlen(line) == n ? 0 : ERR_FORMAT;
}

/* ---- the head */

struct head {
    int status;
    bool has_length, is_chunked;
    size_t length;
    char content_type[64];
    char next[96];
    uint32_t rows, skipped;
};

/* Digits of `base` and nothing else, within `max`. */
static int parse_size(const char *text, int base, size_t max, size_t *ret)
{
    size_t value = 0, n = 0;
    for (; text[n]; n++) {
        int digit = isdigit((unsigned char)text[n])    ? text[n] - '0'
                    : isxdigit((unsigned char)text[n]) ? tolower((unsigned char)text[n]) - 'a' + 10
                                                       : base;
        if (digit >= base) {
            return ERR_FORMAT;
        }
        if (value > max / (size_t)base) {
            return ERR_RANGE;
        }
        value = value * (size_t)base + (size_t)digit;
    }
    if (n == 0) {
        return ERR_FORMAT;
    }
    *ret = value;
    return value > max ? ERR_RANGE : 0;
}

static int parse_status(const char *line, int *ret)
{
    if (strncmp(line, "HTTP/1.", 7) != 0 || !isdigit((unsigned char)line[7]) || line[8] != ' ') {
        return ERR_FORMAT;
    }
    const char *digits = line + 9;
    size_t n = strspn(digits, "0123456789");
    if (n != 3 || (digits[3] != ' ' && digits[3] != '\0')) {
        return ERR_FORMAT;
    }
    *ret = atoi(digits);
    return *ret >= 100 ? 0 : ERR_FORMAT;
}

static int take_header(struct head *head, const char *line, size_t body_max)
{
    const char *colon = strchr(line, ':');
    if (!colon) {
        return ERR_FORMAT;
    }
    size_t name = (size_t)(colon - line);
    const char *value = colon + 1 + strspn(colon + 1, " \t");
    if (name == 14 && strncasecmp(line, "Content-Length", name) == 0) {
        int r = head->has_length ? ERR_FORMAT : parse_size(value, 10, body_max, &head->length);
        head->has_length = true;
        return r;
    }
    if (name == 17 && strncasecmp(line, "Transfer-Encoding", name) == 0) {
        if (head->is_chunked || strcasecmp(value, "chunked") != 0) {
            return ERR_FORMAT;
        }
        head->is_chunked = true;
    }
    if (name == 13 && strncasecmp(line, "Certline-Next", name) == 0) {
        (void)snprintf(head->next, sizeof(head->next), "%.95s", value);
    }
    if (name == 13 && strncasecmp(line, "Certline-Rows", name) == 0) {
        head->rows = (uint32_t)strtoul(value, NULL, 10);
    }
    if (name == 16 && strncasecmp(line, "Certline-Skipped", name) == 0) {
        head->skipped = (uint32_t)strtoul(value, NULL, 10);
    }
    if (name == 12 && strncasecmp(line, "Content-Type", name) == 0) {
        size_t len = strcspn(value, "; \t");
        for (size_t i = 0; i < len && i + 1 < sizeof(head->content_type); i++) {
            head->content_type[i] = (char)tolower((unsigned char)value[i]);
            head->content_type[i + 1] = '\0';
        }
    }
    return 0;
}

static int take_head(struct stream *s, size_t body_max, struct head *ret)
{
    char line[2048];
    size_t budget = HTTP_HEAD_MAX;
    struct head head;
    do { /* an interim answer (100) is followed by the real one */
        head = (struct head){0};
        int r = take_line(s, line, sizeof(line), &budget);
        r = r < 0 ? r : parse_status(line, &head.status);
        while (r == 0 && (r = take_line(s, line, sizeof(line), &budget)) == 0 && line[0] != '\0') {
            r = take_header(&head, line, body_max);
        }
        if (r < 0) {
            return r;
        }
    } while (head.status < 200);
    if (head.is_chunked && head.has_length) {
        return ERR_FORMAT;
    }
    *ret = head;
    return 0;
}

/* ---- the body */

struct body {
    char *at;
    size_t len, size, max;
    bool is_secret;
};

static void drop(char *at, bool is_secret)
{
    if (is_secret) {
        secret_free(at);
    } else {
        free(at);
    }
}

static int grow(struct body *body, size_t need)
{
    if (need > body->max - body->len) {
        return ERR_RANGE;
    }
    if (body->len + need + 1 <= body->size) {
        return 0;
    }
    size_t size = 2 * (body->len + need) + 1;
    char *at = body->is_secret ? secret_realloc(body->at, size) : realloc(body->at, size);
    if (!at) {
        return -ENOMEM;
    }
    body->at = at;
    body->size = size;
    return 0;
}

/* Exactly `n` octets; SIZE_MAX: all until the end of the connection. */
static int take_octets(struct stream *s, struct body *body, size_t n)
{
    bool to_the_end = n == SIZE_MAX;
    while (n > 0) {
        int r = fill(s);
        if (r <= 0) {
            return r == 0 && to_the_end ? 0 : r < 0 ? r : ERR_CLOSED;
        }
        size_t some = s->len - s->at < n ? s->len - s->at : n;
        r = grow(body, some);
        if (r < 0) {
            return r;
        }
        memcpy(body->at + body->len, s->octets + s->at, some);
        body->len += some;
        s->at += some;
        n -= to_the_end ? 0 : some;
    }
    return 0;
}

static int take_chunks(struct stream *s, struct body *body)
{
    char line[256];
    for (;;) {
        size_t size = 0, budget = sizeof(line);
        int r = take_line(s, line, sizeof(line), &budget);
        line[r == 0 ? strcspn(line, "; \t") : 0] = '\0'; /* extensions are allowed and mean nothing to us */
        r = r < 0 ? r : parse_size(line, 16, body->max, &size);
        if (r < 0 || size == 0) {
            return r;
        }
        budget = 2;
        r = take_octets(s, body, size);
        r = r < 0 ? r : take_line(s, line, sizeof(line), &budget);
        if (r < 0 || line[0] != '\0') {
            return r < 0 ? r : ERR_FORMAT;
        }
    }
}

static int take_body(struct stream *s, const struct head *head, struct body *body)
{
    int r = grow(body, 0);
    if (r < 0 || head->status == 204 || head->status == 304) {
        return r;
    }
    if (head->is_chunked) {
        return take_chunks(s, body); /* trailers go with the connection */
    }
    return take_octets(s, body, head->has_length ? head->length : SIZE_MAX);
}

int http_call(int fd, const struct http_request *request, struct http_answer *ret, struct err_info *reterr)
{
    int sent = send_request(fd, request);
    struct stream stream = {.fd = fd};
    struct head head = {0};
    struct body body = {.max = request->answer_max, .is_secret = request->is_secret};
    int r = sent == ERR_RANGE || sent == -ETIMEDOUT ? sent : take_head(&stream, request->answer_max, &head);
    r = r < 0 ? r : take_body(&stream, &head, &body);
    secret_wipe(stream.octets, sizeof(stream.octets));
    if (r < 0) {
        drop(body.at, body.is_secret);
        int code = sent < 0 && r == ERR_CLOSED ? sent : r;
        return err_set(reterr, code, "%s %s got no answer from the daemon: %s", request->method,
                       request->target, err_text(code));
    }
    body.at[body.len] = '\0';
    *ret = (struct http_answer){
        .status = head.status, .body = body.at, .body_len = body.len, .is_secret = body.is_secret};
    memcpy(ret->content_type, head.content_type, sizeof(ret->content_type));
    memcpy(ret->next, head.next, sizeof(ret->next));
    ret->rows = head.rows;
    ret->skipped = head.skipped;
    return 0;
}

void http_answer_done(struct http_answer *answer)
{
    drop(answer->body, answer->is_secret);
    *answer = (struct http_answer){0};
}
