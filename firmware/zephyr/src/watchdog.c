/* One channel of the SoC's watchdog; it rests while a debugger has halted the core. */
#include "watchdog.h"

#include <zephyr/device.h>
#include <zephyr/drivers/watchdog.h>
#include <zephyr/kernel.h>

static const struct device *const device = DEVICE_DT_GET(DT_NODELABEL(wdt0));
static int channel = -1;

int watchdog_begin(void)
{
    static const struct wdt_timeout_cfg config = {
        .window.max = CONFIG_CERTLINE_WATCHDOG_MS,
        .flags = WDT_FLAG_RESET_SOC,
    };

    if (!device_is_ready(device))
        return -ENODEV;
    channel = wdt_install_timeout(device, &config);
    return channel < 0 ? channel : wdt_setup(device, WDT_OPT_PAUSE_HALTED_BY_DBG);
}

void watchdog_feed(void)
{
    if (channel >= 0)
        wdt_feed(device, channel);
}
