/*
 * The core on an nRF91: memory, the board_ops, and a loop that sleeps until an interrupt or the core's own
 * clock wants it. Nothing here knows the protocol, nothing in the core knows Zephyr.
 */
#include <psa/crypto.h>
#include <zephyr/kernel.h>
#include <zephyr/sys/reboot.h>

#include <string.h>

#include "core/core.h"
#include "light.h"
#include "modem.h"
#include "serial.h"
#include "wake.h"
#include "watchdog.h"

#define SLEEP_MAX_MS (CONFIG_CERTLINE_WATCHDOG_MS / 4)

K_SEM_DEFINE(wake, 0, 1);

static struct core core;
static char line[CORE_LINE_MAX + 1], reply[CORE_REPLY_SIZE], queue[CORE_QUEUE_SIZE];
static char slots[2][TRANSFER_SLOT_SIZE];

void wake_main(void)
{
    k_sem_give(&wake);
}

/* -- The board under the core -- */

static size_t uart_write(struct board *board, const char *octets, size_t n)
{
    ARG_UNUSED(board);
    return serial_write(octets, n);
}

static void uart_hold(struct board *board, bool is_held)
{
    ARG_UNUSED(board);
    serial_hold(is_held);
}

static int modem_send(struct board *board, const char *command, size_t len, char *answer, size_t size)
{
    ARG_UNUSED(board);
    ARG_UNUSED(len);
    return modem_start(command, answer, size);
}

/* A failure leaves a digest that nothing matches: the transfer is refused, and nothing is written. */
static void sha256(struct board *board, const void *octets, size_t n, uint8_t ret_digest[32])
{
    size_t len;

    ARG_UNUSED(board);
    if (psa_hash_compute(PSA_ALG_SHA_256, octets, n, ret_digest, 32, &len) != PSA_SUCCESS)
        memset(ret_digest, 0, 32);
}

static void led(struct board *board, bool is_on)
{
    ARG_UNUSED(board);
    light_set(is_on);
}

static void restart(struct board *board)
{
    ARG_UNUSED(board);
    sys_reboot(SYS_REBOOT_COLD);
}

static const struct board_ops ops = {
    .uart_write = uart_write,
    .uart_hold = uart_hold,
    .modem_send = modem_send,
    .sha256 = sha256,
    .led = led,
    .restart = restart,
};

static struct board board = {&ops};

/* -- The loop -- */

static void read_serial(void)
{
    char octets[256];
    size_t n;

    if (serial_has_lost())
        core_rx_lost(&core, k_uptime_get());
    while ((n = serial_read(octets, sizeof octets)) > 0)
        core_rx(&core, octets, n, k_uptime_get());
    memset(octets, 0, sizeof octets);
    serial_resume();
}

static void read_modem(void)
{
    char text[512];
    size_t n;

    if (modem_has_ended(&n))
        core_modem_done(&core, n, k_uptime_get());
    while ((n = modem_notice(text, sizeof text)) > 0)
        core_notice(&core, text, n, k_uptime_get());
}

static void sleep(void)
{
    int64_t wait = core_next_ms(&core) - k_uptime_get();

    if (wait > 0)
        k_sem_take(&wake, K_MSEC(MIN(wait, SLEEP_MAX_MS)));
}

int main(void)
{
    static const struct core_config config = {
        .board = &board,
        .line = line,
        .reply = reply,
        .queue = queue,
        .slots = {slots[0], slots[1]},
        .hardware = CONFIG_BOARD,
    };

    watchdog_begin();
    light_begin();
    core_init(&core, &config, k_uptime_get());
    if (psa_crypto_init() != PSA_SUCCESS || modem_begin() != 0 || serial_begin() != 0) {
        k_sleep(K_MSEC(CONFIG_CERTLINE_WATCHDOG_MS /
                       2)); /* no faster than that, so that a debugger can come in */
        sys_reboot(SYS_REBOOT_COLD);
    }
    core_notice(&core, CORE_READY, sizeof CORE_READY - 1, k_uptime_get());
    for (;;) {
        read_serial();
        read_modem();
        core_tick(&core, k_uptime_get());
        core_tx_ready(&core, k_uptime_get());
        watchdog_feed();
        sleep();
    }
}
