/*
 * A checked transfer whose octets are spoilt on the way.
 *
 * The first two octets choose content and frame size, the following triples (distance, kind, octet) say which
 * octets of what the host sends are lost, doubled, changed or preceded by another one. Properties: the modem
 * holds exactly the content, or nothing; when the spoiling ends, the same host finishes the transfer; and
 * `AT` gives OK.
 */
#include <assert.h>
#include <string.h>

#include "support/corekit.h"
#include "support/framed_host.h"
#include "support/fuzz.h"

#define TAG 42

static struct corekit kit;
static struct framed host;
static char content[3000], burst[FRAMED_BURST_MAX], spoilt[2 * FRAMED_BURST_MAX];

struct edits {
    const uint8_t *at;
    size_t len;
    size_t until; /* octets up to the next edit */
};

static void next_edit(struct edits *e)
{
    e->until = e->len >= 3 ? e->at[0] : SIZE_MAX;
}

/* Applies one edit to an octet; returns how many octets come of it. */
static size_t edit(struct edits *e, char octet, char out[2])
{
    uint8_t kind = e->at[1];
    char other = (char)e->at[2];

    e->at += 3;
    e->len -= 3;
    next_edit(e);
    out[0] = kind % 4 == 2 || kind % 4 == 3 ? other : octet;
    out[1] = octet;
    return kind % 4 == 0 ? 0 : kind % 4 == 2 ? 1 : 2;
}

static size_t spoil(struct edits *e, size_t n)
{
    size_t len = 0;

    for (size_t i = 0; i < n; i++) {
        if (e->until-- > 0)
            spoilt[len++] = burst[i];
        else
            len += edit(e, burst[i], spoilt + len);
    }
    return len;
}

static void take_line(void *arg, const char *line)
{
    (void)arg;
    framed_line(&host, line);
}

static void exchange(struct edits *e)
{
    size_t n = spoil(e, framed_next(&host, burst));

    framed_end(&host, corekit_exchange(&kit, spoilt, n, take_line, NULL, 5000));
}

static void check(size_t size)
{
    const struct minimodem_entry *entry = minimodem_find(&kit.modem, TAG, 1);

    assert(kit.modem.n_entries == (entry ? 1 : 0));
    assert(!entry || (entry->len == size && memcmp(kit.modem.store + entry->at, content, size) == 0));
    assert(host.state != FRAMED_DONE || entry);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char lines[256];

    if (size < 2)
        return 0;
    size_t n = 1 + (size_t)data[0] * 11;
    for (size_t i = 0; i < n; i++)
        content[i] = (char)(i % 65 == 64 ? '\n' : '#' + (i * data[0] + i / 7) % 90);
    struct edits edits = {data + 2, size - 2, 0};
    next_edit(&edits);

    corekit_init(&kit, 1000000, 1);
    host = (struct framed){.frame_units = data[1] % 64 + 1};
    framed_start(&host, TAG, 1, content, n);
    while (host.state != FRAMED_DONE && host.state != FRAMED_FAILED) {
        if (edits.until == SIZE_MAX)
            host.tries = 0; /* the link is good from here on */
        exchange(&edits);
        check(n);
    }
    assert(host.state == FRAMED_DONE || edits.until != SIZE_MAX);
    assert(kit.modem.writes <= 1 || host.state == FRAMED_DONE);
    corekit_run_ms(&kit, 4000);
    kit.heard_len = 0;
    assert(corekit_ask(&kit, "AT", lines, sizeof lines, 1000) == 0);
    return 0;
}
