/* "Active" as the devicetree means it: some boards light it with a low pin. */
#include "light.h"

#include <zephyr/drivers/gpio.h>

static const struct gpio_dt_spec light = GPIO_DT_SPEC_GET_OR(DT_ALIAS(led0), gpios, {0});

void light_begin(void)
{
    if (light.port && gpio_is_ready_dt(&light))
        gpio_pin_configure_dt(&light, GPIO_OUTPUT_INACTIVE);
}

void light_set(bool is_on)
{
    if (light.port)
        gpio_pin_set_dt(&light, is_on);
}
