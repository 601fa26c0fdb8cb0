/* Stands for zephyr/include/zephyr/device.h and devicetree.h of Zephyr v3.7 (nRF Connect SDK v2.9.0). Nodes
 * are only names here: the devicetree itself is checked with dtc. */
#ifndef ZEPHYR_DEVICE_H
#define ZEPHYR_DEVICE_H

#include <stdbool.h>

struct device {
    const char *name;
};

#define DT_CHOSEN(name)     chosen_##name
#define DT_NODELABEL(name)  label_##name
#define DT_ALIAS(name)      alias_##name
#define DEVICE_OF(node)     (&device_##node)
#define DEVICE_DT_GET(node) DEVICE_OF(node)

extern const struct device device_chosen_certline_uart, device_label_wdt0;

bool device_is_ready(const struct device *dev);

#endif
