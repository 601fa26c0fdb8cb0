/*
 * Commands are rows: a word, how many parameters it takes, a function. Answers are "ok", "error: …", or for
 * "state" the JSON on one line, so that a script needs nothing but a line reader.
 */
#include "sim/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define WORDS_MAX 4

struct request {
    struct sim_server *server;
    char *words[WORDS_MAX];
    size_t count;
};

/* NULL-terminated number from 1 on; 0 for anything else, which no slot has. */
static unsigned number(const char *text)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    return *text < '0' || *text > '9' || *end != '\0' || value > SIM_BOARDS_MAX ? 0 : (unsigned)value;
}

static const char *run_unplug(const struct request *r)
{
    return sim_server_unplug(r->server, number(r->words[1]));
}

static const char *run_plug(const struct request *r)
{
    return sim_server_plug(r->server, number(r->words[1]));
}

static const char *run_move(const struct request *r)
{
    return sim_server_move(r->server, number(r->words[1]), number(r->words[2]));
}

static const char *run_fault(const struct request *r)
{
    return sim_server_fault(r->server, r->words[1]);
}

static const char *run_clear(const struct request *r)
{
    if (r->count == 1)
        return sim_server_clear(r->server, 0);
    return number(r->words[1]) == 0 ? "there is no such slot"
                                    : sim_server_clear(r->server, number(r->words[1]));
}

static const char *run_reboot(const struct request *r)
{
    return sim_server_reboot(r->server, number(r->words[1]));
}

static const char *run_quit(const struct request *r)
{
    sim_server_quit(r->server);
    return NULL;
}

static const struct {
    const char *word;
    size_t min, max; /* words, the command itself included */
    const char *(*run)(const struct request *r);
} commands[] = {
    {"unplug", 2, 2, run_unplug}, {"plug", 2, 2, run_plug},   {"move", 3, 3, run_move},
    {"fault", 2, 2, run_fault},   {"clear", 1, 2, run_clear}, {"reboot", 2, 2, run_reboot},
    {"quit", 1, 1, run_quit},
};

static const char *run(const struct request *r)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].word, r->words[0]) != 0)
            continue;
        if (r->count < commands[i].min || r->count > commands[i].max)
            return "wrong number of parameters";
        return commands[i].run(r);
    }
    return "commands are state, unplug, plug, move, fault, clear, reboot, quit";
}

static char *answer_line(struct sim_server *v, char *line)
{
    struct request r = {.server = v};
    char *rest = NULL, *text = NULL;

    for (char *word = strtok_r(line, " \t\r", &rest); word; word = strtok_r(NULL, " \t\r", &rest)) {
        if (r.count == WORDS_MAX)
            return strdup("error: too many words");
        r.words[r.count++] = word;
    }
    if (r.count == 0)
        return strdup("error: empty line");
    if (strcmp(r.words[0], "state") == 0 && r.count == 1)
        return sim_server_state(v);

    const char *wrong = run(&r);
    if (!wrong)
        return strdup("ok");
    return asprintf(&text, "error: %s", wrong) < 0 ? NULL : text;
}

static void drop(struct control_client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    free(client->answer);
    *client = (struct control_client){.fd = -1};
}

/* Adds the text and a line break to what the client has not read yet. */
static int queue(struct control_client *client, const char *text)
{
    size_t left = client->answer_len - client->answer_at, len = strlen(text);
    char *joined = malloc(left + len + 1);

    if (!joined)
        return -1;
    if (left > 0)
        memcpy(joined, client->answer + client->answer_at, left);
    memcpy(joined + left, text, len);
    joined[left + len] = '\n';
    free(client->answer);
    client->answer = joined;
    client->answer_at = 0;
    client->answer_len = left + len + 1;
    return 0;
}

/* Returns -1 when the client is gone. */
static int send_answer(struct control_client *client)
{
    while (client->answer_at < client->answer_len) {
        ssize_t n = send(client->fd, client->answer + client->answer_at,
                         client->answer_len - client->answer_at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? 0 : -1;
        client->answer_at += (size_t)n;
    }
    return 0;
}

/* Runs the whole lines that are there. Returns -1 when the client must go. */
static int run_lines(struct control_client *client, struct sim_server *v)
{
    char *end;

    while ((end = memchr(client->line, '\n', client->line_len))) {
        *end = '\0';
        char *text = answer_line(v, client->line);
        int failed = text ? queue(client, text) : -1;
        free(text);
        if (failed || send_answer(client) < 0)
            return -1;
        size_t used = (size_t)(end + 1 - client->line);
        client->line_len -= used;
        memmove(client->line, end + 1, client->line_len);
    }
    return client->line_len == sizeof client->line ? -1 : 0;
}

/* A client that has closed its writing side still gets its answers. */
static int serve(struct control_client *client, struct sim_server *v)
{
    for (;;) {
        ssize_t n = recv(client->fd, client->line + client->line_len, sizeof client->line - client->line_len,
                         MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return send_answer(client);
        if (n < 0)
            return -1;
        if (n == 0)
            return send_answer(client) < 0 || client->answer_at == client->answer_len ? -1 : 0;
        client->line_len += (size_t)n;
        if (run_lines(client, v) < 0)
            return -1;
    }
}

static void take_client(struct control *c)
{
    int fd = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    for (size_t i = 0; fd >= 0 && i < CONTROL_CLIENTS; i++) {
        if (c->clients[i].fd >= 0)
            continue;
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.u64 = c->first_id + 1 + i};
        if (epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
            break;
        c->clients[i].fd = fd;
        return;
    }
    if (fd >= 0)
        close(fd);
}

void control_event(struct control *c, struct sim_server *v, uint64_t id)
{
    if (id == c->first_id) {
        take_client(c);
        return;
    }
    struct control_client *client = &c->clients[id - c->first_id - 1];
    if (client->fd >= 0 && serve(client, v) < 0)
        drop(client);
}

/* A file that is left over from a program that died is a socket to which nobody listens. */
static bool is_left_over(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool is_refused =
        connect(fd, (const struct sockaddr *)address, sizeof *address) < 0 && errno == ECONNREFUSED;
    close(fd);
    return is_refused;
}

static int listen_at(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (bind(fd, (const struct sockaddr *)address, sizeof *address) < 0 || listen(fd, CONTROL_CLIENTS) < 0) {
        int result = -errno;
        close(fd);
        return result;
    }
    return fd;
}

int control_open(struct control *c, const char *path, int epoll_fd, uint64_t first_id)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    *c = (struct control){.listen_fd = -1, .path = path, .epoll_fd = epoll_fd, .first_id = first_id};
    for (size_t i = 0; i < CONTROL_CLIENTS; i++)
        c->clients[i].fd = -1;
    if (!path)
        return 0;
    if (strlen(path) >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path));

    int fd = listen_at(&address);
    if (fd == -EADDRINUSE && is_left_over(&address)) {
        unlink(path);
        fd = listen_at(&address);
    }
    if (fd < 0)
        return fd;
    c->listen_fd = fd;
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = first_id};
    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

void control_close(struct control *c)
{
    if (c->listen_fd < 0)
        return;
    for (size_t i = 0; i < CONTROL_CLIENTS; i++)
        drop(&c->clients[i]);
    close(c->listen_fd);
    unlink(c->path);
    c->listen_fd = -1;
}
