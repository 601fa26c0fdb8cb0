/*
 * The checked transfer against plain AT%CMNG writes, in virtual time at 115,200 baud: the credentials of one
 * board, from the first octet to the last answer. The modem takes 30 ms for a write in both.
 *
 * On a clean link framed may take 3 % longer at most. It takes less: while the modem writes one credential
 * the next one travels, which a plain write cannot do. What the frames cost in octets is printed beside it.
 *
 * On links that lose octets on the way to the board: boards a minute, one after the other, each identified,
 * put offline, given its credentials and listed. A board is only counted when the modem holds exactly what
 * was sent.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/corekit.h"
#include "support/framed_host.h"

#define BAUD   115200
#define BOARDS 200
#define TAG    16842753

struct bundle {
    const char *name;
    size_t sizes[3]; /* types 0, 1, 2 */
};

static const struct bundle bundles[] = {
    {"ec", {1188, 591, 241}},    /* a P-256 key and its certificate */
    {"rsa", {1188, 1220, 1704}}, /* RSA 2048 */
};

static struct corekit kit;
static struct framed host;
static char contents[3][4096], line[16384], burst[FRAMED_BURST_MAX];
static uint32_t frame_units; /* of the station: what it knows of the link from the boards before */

static void make_contents(const struct bundle *bundle, uint32_t seed)
{
    for (uint32_t type = 0; type < 3; type++)
        for (size_t i = 0; i < bundle->sizes[type]; i++)
            contents[type][i] = i % 65 == 64 ? '\n' : words_digit64((uint32_t)(i * 7 + i / 13) + seed + type);
}

static void take_line(void *arg, const char *said)
{
    (void)arg;
    framed_line(&host, said);
}

static void plain_write(const struct bundle *bundle, uint32_t type)
{
    char answer[256];

    snprintf(line, sizeof line, "AT%%CMNG=0,%d,%u,\"%.*s\"", TAG, type, (int)bundle->sizes[type],
             contents[type]);
    corekit_ask(&kit, line, answer, sizeof answer, 5000);
}

static bool framed_write(const struct bundle *bundle, uint32_t type, bool is_behind)
{
    host.frame_units = frame_units;
    framed_start(&host, TAG, type, contents[type], bundle->sizes[type]);
    host.is_behind = is_behind;
    while (host.state != FRAMED_DONE && host.state != FRAMED_FAILED) {
        size_t n = framed_next(&host, burst);
        framed_end(&host, corekit_exchange(&kit, burst, n, take_line, NULL, 1000));
    }
    frame_units = host.frame_units;
    return host.state == FRAMED_DONE;
}

static bool holds_all(const struct bundle *bundle)
{
    for (uint32_t type = 0; type < 3; type++) {
        const struct minimodem_entry *entry = minimodem_find(&kit.modem, TAG, type);
        if (!entry || entry->len != bundle->sizes[type] ||
            memcmp(kit.modem.store + entry->at, contents[type], entry->len) != 0)
            return false;
    }
    return true;
}

static void must_hold_all(const struct bundle *bundle)
{
    if (holds_all(bundle))
        return;
    fprintf(stderr, "bench_frames: the modem does not hold what was sent\n");
    exit(1);
}

/* -- Clean -- */

static int64_t clean_ns(const struct bundle *bundle, bool is_framed, bool is_behind, uint64_t *ret_octets)
{
    corekit_init(&kit, BAUD, 1);
    frame_units = 0;
    for (uint32_t type = 0; type < 3; type++) {
        if (is_framed)
            framed_write(bundle, type, is_behind && type < 2);
        else
            plain_write(bundle, type);
    }
    must_hold_all(bundle);
    *ret_octets = kit.octets_in;
    return kit.now_ns;
}

static void compare(const struct bundle *bundle)
{
    uint64_t plain_octets, octets;

    make_contents(bundle, 1);
    double plain = (double)clean_ns(bundle, false, false, &plain_octets);
    double framed = (double)clean_ns(bundle, true, true, &octets);
    double one_by_one = (double)clean_ns(bundle, true, false, &octets);
    printf("ratio framed_to_plain_%s %.3f 1.03\n", bundle->name, framed / plain);
    printf("count framed_one_by_one_to_plain_%s %.3f ratio\n", bundle->name, one_by_one / plain);
    printf("count framed_octets_to_plain_%s %.3f ratio\n", bundle->name,
           (double)octets / (double)plain_octets);
    printf("count transfer_plain_%s %.1f ms\n", bundle->name, plain / 1e6);
    printf("count transfer_framed_%s %.1f ms\n", bundle->name, framed / 1e6);
}

/* -- Lossy -- */

/* A command that changes nothing is asked again until it is answered as it should be. */
static bool insist(const char *command)
{
    char answer[1024];

    for (int tries = 0; tries < 20; tries++)
        if (corekit_ask(&kit, command, answer, sizeof answer, 1000) == 0)
            return true;
    return false;
}

static bool provision(const struct bundle *bundle, bool is_framed)
{
    bool is_done = insist("AT+CMEE=1") && insist("AT#IDENT") && insist("AT+CFUN=4") && insist("AT%CMNG=1");

    for (uint32_t type = 0; type < 3 && is_done; type++) {
        if (is_framed)
            is_done = framed_write(bundle, type, type < 2);
        else
            plain_write(bundle, type);
    }
    return insist("AT%CMNG=1") && is_done && holds_all(bundle);
}

static void measure(const struct bundle *bundle, uint32_t one_in, bool is_framed)
{
    unsigned right = 0;
    int64_t ns = 0;

    frame_units = 0;
    for (unsigned board = 0; board < BOARDS; board++) {
        make_contents(bundle, board);
        corekit_init(&kit, BAUD, board + 1);
        kit.to_board.lose = one_in ? 1000000 / one_in : 0;
        right += provision(bundle, is_framed);
        ns += kit.now_ns;
    }
    const char *way = is_framed ? "framed" : "plain";
    char link[32];

    snprintf(link, sizeof link, "1_in_%u", one_in);
    if (one_in == 0)
        strcpy(link, "clean");
    if (is_framed)
        printf("count boards_per_minute_%s %.0f boards\n", link, right * 60e9 / (double)ns);
    printf("count first_attempt_%s_%s %.1f percent\n", way, link, 100.0 * right / BOARDS);
    if (is_framed)
        printf("ratio boards_right_%s %.3f 1\n", link, (double)right / BOARDS);
}

int main(void)
{
    static const uint32_t losses[] = {0, 10000, 1000, 200};

    for (size_t i = 0; i < sizeof bundles / sizeof *bundles; i++)
        compare(&bundles[i]);
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++) {
        measure(&bundles[0], losses[i], false);
        measure(&bundles[0], losses[i], true);
    }
    return 0;
}
