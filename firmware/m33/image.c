/*
 * The provisioning image for the emulated board: UART0, the core, and the small modem behind it, so that the
 * real daemon can provision a Cortex-M33 over a pseudo-terminal. Also the shortest port to copy: fill in
 * board_ops, give the core its memory, and pass on what comes.
 */
#include "core/core.h"
#include "m33/minimodem.h"
#include "m33/sha256.h"
#include "m33/startup.h"
#include "m33/uart.h"

#define IMEI  "351465800000002"
#define AIRCR (*(volatile uint32_t *)0xe000ed0cu)

static struct core core;
static struct minimodem modem;
static char line[CORE_LINE_MAX + 1], reply[CORE_REPLY_SIZE], queue[CORE_QUEUE_SIZE];
static char slots[2][TRANSFER_SLOT_SIZE];

/* The modem's command under way. */
static struct {
    bool is_there;
    const char *line;
    size_t len;
    char *reply;
    size_t size;
    int64_t due_ms;
} call;

static size_t uart_write(struct board *board, const char *octets, size_t n)
{
    (void)board;
    return uart_put(octets, n);
}

static int modem_send(struct board *board, const char *command, size_t len, char *answer, size_t size)
{
    (void)board;
    call.is_there = true;
    call.line = command;
    call.len = len;
    call.reply = answer;
    call.size = size;
    call.due_ms = uart_now_ms() + minimodem_ms(&modem, command, len);
    return 0;
}

static void sha256(struct board *board, const void *octets, size_t n, uint8_t ret_digest[32])
{
    (void)board;
    sha256_of(octets, n, ret_digest);
}

static void restart(struct board *board)
{
    (void)board;
    AIRCR = 0x05fa0004u; /* SYSRESETREQ */
}

static const struct board_ops ops = {
    .uart_write = uart_write,
    .modem_send = modem_send,
    .sha256 = sha256,
    .restart = restart,
};

static struct board board = {&ops};

static void run_modem(void)
{
    if (!call.is_there || uart_now_ms() < call.due_ms)
        return;
    call.is_there = false;
    core_modem_done(&core, minimodem_run(&modem, call.line, call.len, call.reply, call.size), uart_now_ms());
}

int main(void)
{
    static const struct core_config config = {
        .board = &board,
        .line = line,
        .reply = reply,
        .queue = queue,
        .slots = {slots[0], slots[1]},
        .hardware = "mps2-an505",
    };
    char octets[64];

    uart_begin();
    minimodem_init(&modem, IMEI);
    core_init(&core, &config, uart_now_ms());
    core_notice(&core, CORE_READY, sizeof CORE_READY - 1, uart_now_ms());
    for (;;) {
        for (size_t n; (n = uart_get(octets, sizeof octets)) > 0;)
            core_rx(&core, octets, n, uart_now_ms());
        run_modem();
        core_tick(&core, uart_now_ms());
        core_tx_ready(&core, uart_now_ms());
        uart_wait();
    }
}

void startup_main(void)
{
    main();
}
