/* Stands for zephyr/include/zephyr/drivers/gpio.h of Zephyr v3.7 (nRF Connect SDK v2.9.0). */
#ifndef ZEPHYR_DRIVERS_GPIO_H
#define ZEPHYR_DRIVERS_GPIO_H

#include <stdbool.h>
#include <stdint.h>

#include <zephyr/device.h>

typedef uint8_t gpio_pin_t;
typedef uint16_t gpio_dt_flags_t;
typedef uint32_t gpio_flags_t;

struct gpio_dt_spec {
    const struct device *port;
    gpio_pin_t pin;
    gpio_dt_flags_t dt_flags;
};

#define GPIO_OUTPUT_INACTIVE                           (1U << 18)
#define GPIO_DT_SPEC_GET_OR(node, property, otherwise) otherwise

bool gpio_is_ready_dt(const struct gpio_dt_spec *spec);
int gpio_pin_configure_dt(const struct gpio_dt_spec *spec, gpio_flags_t extra_flags);
int gpio_pin_set_dt(const struct gpio_dt_spec *spec, int value);

#endif
