/* An event loop over four things that may be due: an octet in each direction, the modem, the core's own
 * clock. */
#include "support/corekit.h"

#include <string.h>

#include "m33/sha256.h"

uint32_t corekit_random(struct corekit *k, uint32_t below)
{
    k->dice ^= k->dice << 13;
    k->dice ^= k->dice >> 7;
    k->dice ^= k->dice << 17;
    return (uint32_t)((k->dice >> 32) * below >> 32);
}

static bool strikes(struct corekit *k, uint32_t per_million)
{
    return per_million > 0 && corekit_random(k, 1000000) < per_million;
}

static int64_t now_ms(const struct corekit *k)
{
    return k->now_ns / COREKIT_MS;
}

/* -- The board -- */

static struct corekit *kit_of(struct board *board)
{
    return (struct corekit *)(void *)board;
}

static size_t uart_write(struct board *board, const char *octets, size_t n)
{
    struct corekit *k = kit_of(board);
    size_t room = k->tx_max - k->tx_len;

    if (n > room)
        n = room;
    if (n == 0)
        return 0;
    if (k->tx_len == 0) {
        k->tx_at = 0;
        k->out_due_ns = k->now_ns + k->octet_ns;
    }
    for (size_t i = 0; i < n; i++)
        k->tx[(k->tx_at + k->tx_len++) % sizeof k->tx] = octets[i];
    return n;
}

static void uart_hold(struct board *board, bool is_held)
{
    struct corekit *k = kit_of(board);

    k->is_held = is_held;
    k->holds += is_held;
}

static int modem_send(struct board *board, const char *line, size_t len, char *reply, size_t size)
{
    struct corekit *k = kit_of(board);

    if (k->line || k->is_modem_away)
        return -1;
    k->line = line;
    k->line_len = len;
    k->reply = reply;
    k->reply_size = size;
    k->modem_due_ns =
        k->is_modem_dead ? INT64_MAX : k->now_ns + minimodem_ms(&k->modem, line, len) * COREKIT_MS;
    return 0;
}

static void sha256(struct board *board, const void *octets, size_t n, uint8_t ret_digest[32])
{
    (void)board;
    sha256_of(octets, n, ret_digest);
}

static void led(struct board *board, bool is_on)
{
    struct corekit *k = kit_of(board);

    k->blinks += is_on && !k->is_lit;
    k->is_lit = is_on;
}

static void restart(struct board *board)
{
    kit_of(board)->restarts++;
}

static const struct board_ops ops = {
    .uart_write = uart_write,
    .uart_hold = uart_hold,
    .modem_send = modem_send,
    .sha256 = sha256,
    .led = led,
    .restart = restart,
};

void corekit_init(struct corekit *k, uint32_t baud, uint64_t seed)
{
    memset(k, 0, sizeof *k);
    k->board.ops = &ops;
    k->octet_ns = INT64_C(10000000000) / baud;
    k->dice = seed * UINT64_C(0x9E3779B97F4A7C15) | 1;
    k->tx_max = sizeof k->tx;
    k->in_due_ns = k->out_due_ns = k->modem_due_ns = INT64_MAX;
    minimodem_init(&k->modem, COREKIT_IMEI);
    struct core_config config = {
        .board = &k->board,
        .line = k->memory_line,
        .reply = k->memory_reply,
        .queue = k->memory_queue,
        .slots = {k->memory_slots[0], k->memory_slots[1]},
        .hardware = "corekit",
    };
    core_init(&k->core, &config, 0);
}

/* -- The wires -- */

void corekit_send(struct corekit *k, const void *octets, size_t n)
{
    if (k->wire_len == 0)
        k->in_due_ns = k->now_ns + k->octet_ns;
    for (size_t i = 0; i < n && k->wire_len < sizeof k->wire; i++)
        k->wire[(k->wire_at + k->wire_len++) % sizeof k->wire] = ((const char *)octets)[i];
}

void corekit_say(struct corekit *k, const char *words)
{
    corekit_send(k, words, strlen(words));
}

/* What becomes of an octet: none, one or two of them. */
static size_t spoil(struct corekit *k, const struct corekit_faults *faults, char octet, char out[2])
{
    if (strikes(k, faults->lose))
        return 0;
    if (strikes(k, faults->garble))
        octet = (char)(octet ^ 1 << corekit_random(k, 8));
    out[0] = out[1] = octet;
    return strikes(k, faults->twice) ? 2 : 1;
}

static void octet_in(struct corekit *k)
{
    char octets[2];
    size_t n = spoil(k, &k->to_board, k->wire[k->wire_at], octets);

    k->wire_at = (k->wire_at + 1) % sizeof k->wire;
    k->in_due_ns = --k->wire_len > 0 ? k->in_due_ns + k->octet_ns : INT64_MAX;
    k->octets_in++;
    core_rx(&k->core, octets, n, now_ms(k));
}

static void octet_out(struct corekit *k)
{
    char octets[2];
    size_t n = spoil(k, &k->to_host, k->tx[k->tx_at], octets);

    k->tx_at = (k->tx_at + 1) % sizeof k->tx;
    k->out_due_ns = --k->tx_len > 0 ? k->out_due_ns + k->octet_ns : INT64_MAX;
    k->octets_out++;
    for (size_t i = 0; i < n && k->heard_len < sizeof k->heard; i++)
        k->heard[k->heard_len++] = octets[i];
    core_tx_ready(&k->core, now_ms(k));
}

static void modem_done(struct corekit *k)
{
    size_t n = minimodem_run(&k->modem, k->line, k->line_len, k->reply, k->reply_size);

    k->line = NULL;
    k->modem_due_ns = INT64_MAX;
    core_modem_done(&k->core, n, now_ms(k));
}

static int64_t core_due_ns(const struct corekit *k)
{
    int64_t ms = core_next_ms(&k->core);
    return ms >= INT64_MAX / COREKIT_MS ? INT64_MAX : ms * COREKIT_MS;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

bool corekit_step(struct corekit *k, int64_t until_ns)
{
    int64_t core_ns = core_due_ns(k);
    int64_t next = least(least(k->out_due_ns, k->modem_due_ns), least(k->in_due_ns, core_ns));

    if (next > until_ns) {
        k->now_ns = until_ns > k->now_ns ? until_ns : k->now_ns;
        return false;
    }
    k->now_ns = next > k->now_ns ? next : k->now_ns;
    if (next == k->out_due_ns)
        octet_out(k);
    else if (next == k->modem_due_ns)
        modem_done(k);
    else if (next == k->in_due_ns)
        octet_in(k);
    else
        core_tick(&k->core, now_ms(k));
    return true;
}

void corekit_run_ms(struct corekit *k, int64_t ms)
{
    int64_t until_ns = k->now_ns + ms * COREKIT_MS;

    while (corekit_step(k, until_ns)) {
    }
}

/* -- The host's ear -- */

bool corekit_line(struct corekit *k, char *line, size_t size)
{
    size_t at = 0, end;

    while (at < k->heard_len && (k->heard[at] == '\r' || k->heard[at] == '\n'))
        at++;
    for (end = at; end < k->heard_len && k->heard[end] != '\n' && k->heard[end] != '\r'; end++) {
    }
    if (end == k->heard_len)
        return false;
    size_t n = end - at < size - 1 ? end - at : size - 1;
    memcpy(line, k->heard + at, n);
    line[n] = '\0';
    k->heard_len -= end;
    memmove(k->heard, k->heard + end, k->heard_len);
    return true;
}

bool corekit_is_final(const char *line, int *ret_code)
{
    static const char cme[] = "+CME ERROR: ";

    if (strcmp(line, "OK") == 0)
        *ret_code = 0;
    else if (strcmp(line, "ERROR") == 0)
        *ret_code = -1;
    else if (strncmp(line, cme, sizeof cme - 1) == 0) {
        struct cursor c = {line + sizeof cme - 1, strlen(line) - (sizeof cme - 1), false};
        *ret_code = (int)cursor_uint(&c, 9999);
        return cursor_ends(&c);
    } else
        return false;
    return true;
}

int corekit_exchange(struct corekit *k, const char *octets, size_t n,
                     void (*take)(void *arg, const char *line), void *arg, int64_t timeout_ms)
{
    char line[1024];
    int code;

    corekit_send(k, octets, n);
    while (k->wire_len > 0)
        corekit_step(k, INT64_MAX);
    while (corekit_line(k, line, sizeof line)) {
    }
    for (int64_t until_ns = k->now_ns + timeout_ms * COREKIT_MS; corekit_step(k, until_ns);) {
        while (corekit_line(k, line, sizeof line)) {
            if (corekit_is_final(line, &code))
                return code;
            take(arg, line);
        }
    }
    return -2;
}

static void add_line(void *arg, const char *line)
{
    struct words *text = arg;

    words_add(text, line);
    words_add(text, "\n");
}

int corekit_ask(struct corekit *k, const char *words, char *lines, size_t size, int64_t timeout_ms)
{
    struct words text = {lines, size - 1, 0, false};

    corekit_say(k, words);
    int code = corekit_exchange(k, "\r", 1, add_line, &text, timeout_ms);
    lines[text.len] = '\0';
    return code;
}
