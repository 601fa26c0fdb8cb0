/*
 * The firmware's AT host over any octets.
 *
 * The first octet seeds the pauses between pieces, the rest is what the host says. Properties: the answers
 * are the same whether a piece comes at once or octet by octet; nothing is written that no whole command
 * asked for (the store's entries have contents without quotes); and whatever was said, a pause and `AT` give
 * OK, with nothing left behind.
 */
#include <assert.h>
#include <string.h>

#include "support/corekit.h"
#include "support/fuzz.h"

#define CALM_MS 4000 /* longer than an open quote lives */

static struct corekit whole, single;

static uint32_t draw(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 16;
}

/* Mostly none, else around the limits that the core knows. */
static int64_t pause_ms(uint32_t *seed)
{
    static const int64_t pauses[] = {0, 0, 0, 1, 40, 99, 100, 101, 260, 3001};
    return pauses[draw(seed) % (sizeof pauses / sizeof *pauses)];
}

static void play(struct corekit *k, const uint8_t *data, size_t size, uint32_t seed, bool is_single)
{
    corekit_init(k, 115200, 1);
    while (size > 0) {
        size_t n = 1 + draw(&seed) % 60;
        n = n < size ? n : size;
        for (size_t i = 0; i < n; i += is_single ? 1 : n)
            core_rx(&k->core, (const char *)data + i, is_single ? 1 : n, k->now_ns / COREKIT_MS);
        corekit_run_ms(k, pause_ms(&seed));
        data += n;
        size -= n;
    }
    corekit_run_ms(k, CALM_MS);
}

static void check_answers(struct corekit *k)
{
    char lines[256];

    k->heard_len = 0;
    /* Behind half a command it is that one's end, and the answer is to both. */
    if (corekit_ask(k, "AT", lines, sizeof lines, 1000) != 0 || lines[0] != '\0') {
        corekit_run_ms(k, CALM_MS);
        k->heard_len = 0;
        assert(corekit_ask(k, "AT", lines, sizeof lines, 1000) == 0);
    }
    assert(strlen(lines) == 0);
    for (size_t i = 0; i < k->modem.n_entries; i++)
        assert(!memchr(k->modem.store + k->modem.entries[i].at, '"', k->modem.entries[i].len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    play(&whole, data + 1, size - 1, data[0], false);
    play(&single, data + 1, size - 1, data[0], true);
    assert(whole.heard_len == single.heard_len);
    assert(memcmp(whole.heard, single.heard, whole.heard_len) == 0);
    assert(whole.modem.writes == single.modem.writes);
    check_answers(&whole);
    return 0;
}
