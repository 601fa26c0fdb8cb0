/*
 * A client that sends exactly what it is told, byte for byte, and reads whole answers. With ANSWERS=<file> in
 * the environment every question of client_ask is noted there with its answer, as JSON lines, for openapi.py.
 */
#ifndef CERTLINE_TESTS_HTTP_CLIENT_H
#define CERTLINE_TESTS_HTTP_CLIENT_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CLIENT_MAX 65536

struct client {
    int fd;
    uint16_t port;
    char asked[256]; /* method and target of the question that is open; empty: none, or not by client_ask */
    char in[CLIENT_MAX]; /* read, not yet taken */
    size_t n;
};

struct answer {
    int status; /* 0: the connection ended without one */
    char head[4096];
    char body[CLIENT_MAX];
    size_t len;
};

static inline void client_open(struct client *c, uint16_t port)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};

    c->n = 0;
    c->asked[0] = '\0';
    c->port = port;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
        perror("connect");
        abort();
    }
}

static inline void client_open_unix(struct client *c, const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};

    c->n = 0;
    c->asked[0] = '\0';
    c->port = 0;
    snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
        perror("connect");
        abort();
    }
}

static inline void client_close(struct client *c)
{
    close(c->fd);
    c->fd = -1;
}

/* False when the server has closed: not every octet needs to find a reader. */
static inline bool client_send(struct client *c, const char *octets, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(c->fd, octets, n, MSG_NOSIGNAL);
        if (sent < 0) {
            return false;
        }
        octets += sent;
        n -= (size_t)sent;
    }
    return true;
}

static inline void client_say(struct client *c, const char *text)
{
    client_send(c, text, strlen(text));
}

/* A request with our Host and these further header lines (each with its CRLF), and a body when that is not
 * NULL. */
static inline void client_ask(struct client *c, const char *method, const char *target, const char *headers,
                              const char *body)
{
    char text[8192], length[64] = "";

    if (body != NULL) {
        snprintf(length, sizeof(length), "Content-Length: %zu\r\n", strlen(body));
    }
    snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: localhost:%u\r\n%s%s\r\n%s", method, target,
             c->port, headers, length, body != NULL ? body : "");
    snprintf(c->asked, sizeof(c->asked), "%s %s", method, target);
    client_say(c, text);
}

/* Reads more; false at the end of the connection. */
static inline bool client_read_more(struct client *c)
{
    ssize_t n;

    if (c->n == sizeof(c->in)) {
        return false;
    }
    do {
        n = recv(c->fd, c->in + c->n, sizeof(c->in) - c->n, 0);
    } while (n < 0 && errno == EINTR);
    c->n += n > 0 ? (size_t)n : 0;
    return n > 0;
}

/* The value of a header, up to its line's end, copied to `out`; empty when it is not there. */
static inline const char *answer_header(const struct answer *a, const char *name, char out[256])
{
    const char *line = strstr(a->head, "\r\n");

    out[0] = '\0';
    for (; line != NULL; line = strstr(line + 2, "\r\n")) {
        size_t n = strlen(name);
        if (strncasecmp(line + 2, name, n) == 0 && line[2 + n] == ':') {
            const char *value = line + 2 + n + 1;
            value += strspn(value, " ");
            snprintf(out, 256, "%.*s", (int)strcspn(value, "\r"), value);
        }
    }
    return out;
}

static inline void note_octets(FILE *file, const char *octets, size_t n)
{
    fputc('"', file);
    for (size_t i = 0; i < n; i++) {
        fprintf(file, octets[i] < ' ' || strchr("\"\\", octets[i]) ? "\\u%04x" : "%c",
                (unsigned char)octets[i]);
    }
    fputc('"', file);
}

/* Notes the answer to the open question, if it was read whole. */
static inline void client_note(struct client *c, const struct answer *a, bool has_body)
{
    const char *path = getenv("ANSWERS");
    FILE *file = path != NULL && *c->asked != '\0' && has_body && a->status != 0 ? fopen(path, "ae") : NULL;
    char type[256];

    if (file != NULL) {
        fprintf(file, "{\"asked\":");
        note_octets(file, c->asked, strlen(c->asked));
        fprintf(file, ",\"status\":%d,\"type\":", a->status);
        answer_header(a, "Content-Type", type);
        note_octets(file, type, strlen(type));
        fprintf(file, ",\"body\":");
        note_octets(file, a->body, a->len);
        fprintf(file, "}\n");
        fclose(file);
    }
    c->asked[0] = '\0';
}

/* One answer; has_body false for one to HEAD. Interim answers (100) are skipped. */
static inline void client_take(struct client *c, struct answer *a, bool has_body)
{
    char value[256];
    const char *end;

    do {
        *a = (struct answer){0};
        while ((end = memmem(c->in, c->n, "\r\n\r\n", 4)) == NULL) {
            if (!client_read_more(c)) {
                return;
            }
        }
        size_t head = (size_t)(end - c->in) + 4;
        snprintf(a->head, sizeof(a->head), "%.*s", (int)head, c->in);
        sscanf(a->head, "HTTP/1.1 %d", &a->status);
        memmove(c->in, c->in + head, c->n - head);
        c->n -= head;
    } while (a->status == 100);

    a->len = has_body ? strtoul(answer_header(a, "Content-Length", value), NULL, 10) : 0;
    while (c->n < a->len && client_read_more(c)) {
    }
    memcpy(a->body, c->in, a->len);
    memmove(c->in, c->in + a->len, c->n - a->len);
    c->n -= a->len;
    client_note(c, a, has_body);
}

/* Whether the server ends the connection without another octet. */
static inline bool client_is_ended(struct client *c)
{
    return c->n == 0 && !client_read_more(c);
}

#endif
