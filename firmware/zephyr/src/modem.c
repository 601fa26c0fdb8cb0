/* nrf_modem_at_cmd_async and not nrf_modem_at_cmd: the core goes on receiving while the modem works, and the
 * watchdog is fed. The command goes through "%s", since every second one has a "%" of its own. */
#include "modem.h"

#include <modem/nrf_modem_lib.h>
#include <nrf_modem.h>
#include <nrf_modem_at.h>
#include <zephyr/kernel.h>
#include <zephyr/sys/atomic.h>
#include <zephyr/sys/reboot.h>
#include <zephyr/sys/ring_buffer.h>

#include <string.h>

#include "wake.h"

#define NOTICES    2048
#define NOTICE_MAX 512

RING_BUF_DECLARE(notices, NOTICES);
static char *reply;
static size_t reply_size, reply_len;
static atomic_t has_ended;

/* In an interrupt. */
static void on_answer(const char *text)
{
    reply_len = strlen(text);
    memcpy(reply, text, MIN(reply_len, reply_size));
    atomic_set(&has_ended, 1);
    wake_main();
}

/* In an interrupt. Each text lies behind its length; one that does not fit is left out. */
static void on_notice(const char *text)
{
    uint16_t len = (uint16_t)MIN(strlen(text), NOTICE_MAX);

    if (ring_buf_space_get(&notices) < sizeof len + len)
        return;
    ring_buf_put(&notices, (const uint8_t *)&len, sizeof len);
    ring_buf_put(&notices, (const uint8_t *)text, len);
    wake_main();
}

/* In an interrupt. The library calls it; without a modem there is nothing left to do here. */
void nrf_modem_fault_handler(struct nrf_modem_fault_info *fault)
{
    ARG_UNUSED(fault);
    sys_reboot(SYS_REBOOT_COLD);
}

int modem_begin(void)
{
    int r = nrf_modem_lib_init();

    return r != 0 ? r : nrf_modem_at_notif_handler_set(on_notice);
}

int modem_start(const char *line, char *answer, size_t size)
{
    reply = answer;
    reply_size = size;
    atomic_set(&has_ended, 0);
    return nrf_modem_at_cmd_async(on_answer, "%s", line) == 0 ? 0 : -1;
}

bool modem_has_ended(size_t *ret_len)
{
    if (atomic_set(&has_ended, 0) == 0)
        return false;
    *ret_len = reply_len;
    return true;
}

size_t modem_notice(char *text, size_t max)
{
    uint16_t len;

    if (ring_buf_get(&notices, (uint8_t *)&len, sizeof len) < sizeof len)
        return 0;
    size_t n = ring_buf_get(&notices, (uint8_t *)text, MIN(len, max));
    ring_buf_get(&notices, NULL, len - (uint32_t)n);
    return n;
}
