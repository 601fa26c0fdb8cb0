/* A host for tests of the simulated board: sends, lets virtual time run until nothing is under way, keeps the
 * answer. */
#ifndef CERTLINE_TEST_SIM_HOST_H
#define CERTLINE_TEST_SIM_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/board.h"

#define HOST_START INT64_C(1000000)
#define AMAZON_CA  "/usr/share/ca-certificates/mozilla/Amazon_Root_CA_1.crt"
#define ISRG_CA    "/usr/share/ca-certificates/mozilla/ISRG_Root_X1.crt"

struct host {
    struct simboard *b;
    int64_t now_us;
    int64_t last_us; /* when the last octet arrived */
    size_t len;
    char answer[32768];
};

/* A board whose banner is over, with its port open. */
static inline struct host *host_new(const struct simboard_config *config)
{
    struct host *h = calloc(1, sizeof *h);
    assert_non_null(h);
    h->b = simboard_new(config);
    assert_non_null(h->b);
    h->now_us = HOST_START;
    assert_int_equal(simboard_port_open(h->b, h->now_us), 0);
    return h;
}

static inline struct host *host_new_family(enum sim_family family)
{
    struct simboard_config c = SIMBOARD_CONFIG_DEFAULT;
    c.family = family;
    return host_new(&c);
}

static inline void host_free(struct host *h)
{
    simboard_free(h->b);
    free(h);
}

static inline void host_read(struct host *h)
{
    size_t n = simboard_to_host(h->b, h->answer + h->len, sizeof h->answer - 1 - h->len, h->now_us);
    if (n > 0)
        h->last_us = h->now_us;
    h->len += n;
    h->answer[h->len] = '\0';
}

/* Lets everything happen that happens by itself. */
static inline void host_settle(struct host *h)
{
    int64_t next;

    simboard_run(h->b, h->now_us);
    host_read(h);
    while ((next = simboard_next_us(h->b)) != SIM_NEVER) {
        assert_true(next > h->now_us);
        h->now_us = next;
        host_read(h);
    }
}

static inline void host_write(struct host *h, const char *octets, size_t n)
{
    while (n > 0) {
        size_t taken = simboard_from_host(h->b, octets, n, h->now_us);
        octets += taken;
        n -= taken;
        if (n > 0) {
            int64_t next = simboard_next_us(h->b);
            if (next == SIM_NEVER)
                return; /* a board that takes no more; the rest stays with the host */
            h->now_us = next;
            host_read(h);
        }
    }
}

static inline void host_clear(struct host *h)
{
    h->len = 0;
    h->answer[0] = '\0';
}

/* The whole answer until silence; valid until the next call. */
static inline const char *host_ask(struct host *h, const char *text)
{
    host_clear(h);
    host_write(h, text, strlen(text));
    host_settle(h);
    return h->answer;
}

static inline void expect(struct host *h, const char *command, const char *answer)
{
    assert_string_equal(host_ask(h, command), answer);
}

/* AT%CMNG=0,<tag>,<type>,"<content>" and CR */
static inline const char *host_store(struct host *h, unsigned tag, unsigned type, const char *content)
{
    char *line = malloc(strlen(content) + 64);
    assert_non_null(line);
    sprintf(line, "AT%%CMNG=0,%u,%u,\"%s\"\r", tag, type, content);
    host_ask(h, line);
    free(line);
    return h->answer;
}

/* A file of Debian's ca-certificates; the caller frees. `crlf`: with its line ends rewritten; `final`: with
 * the last. */
static inline char *read_ca(const char *path, bool crlf, bool final)
{
    FILE *f = fopen(path, "re");
    char *text = calloc(1, 8192);
    size_t n = 0;
    int c;

    assert_non_null(f);
    assert_non_null(text);
    while ((c = fgetc(f)) != EOF) {
        if (c == '\n' && crlf)
            text[n++] = '\r';
        text[n++] = (char)c;
        assert_true(n < 8000);
    }
    fclose(f);
    if (!final)
        n -= crlf ? 2 : 1;
    text[n] = '\0';
    return text;
}

#endif
