/* Any octets as a configuration: read whole or refused with at least one mistake, always the same, nothing
 * left over. */
#include "support/fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

static void check_errors(const struct config_errors *errors)
{
    assert(errors->n > 0 && errors->n <= CONFIG_ERRORS_MAX);
    for (uint32_t i = 0; i < errors->n; i++) {
        assert(errors->items[i].code < 0 && errors->items[i].text[0] != '\0');
        assert(i == 0 || errors->items[i].line >= errors->items[i - 1].line);
    }
}

static void check_config(const struct config *config)
{
    assert(config->station[0] != '\0' && config->state_dir[0] == '/' && config->key_file[0] == '/');
    assert(config->n_fixtures > 0);
    for (uint32_t i = 0; i < config->n_fixtures; i++) {
        const struct config_fixture *fixture = &config->fixtures[i];
        assert((fixture->ports != NULL) == (fixture->n_slots == 0));
        for (uint32_t k = 0; k < fixture->n_slots; k++) {
            assert((fixture->slots[k].usb == NULL) != (fixture->slots[k].port == NULL));
        }
    }
    for (uint32_t i = 0; i < config->n_products; i++) {
        const struct product *product = &config->products[i];
        assert(strlen(product->version) == strlen("sha256:") + 2 * DIGEST_SIZE);
        assert(!product->possession && product->n_entries > 0);
        for (uint32_t k = 0; k < product->n_entries; k++) {
            assert(!sec_tag_is_reserved(product->entries[k].sec_tag));
            assert(product->entries[k].from_bundle || product->entries[k].content.len > 0);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config_errors errors, again;
    struct span text = span_of((const char *)data, size);
    struct config *config = NULL, *second = NULL;
    int r = config_parse(text, "/nowhere/config.toml", &config, &errors);
    assert((r == 0) == (config != NULL));
    if (config) {
        assert(errors.n == 0);
        check_config(config);
    } else {
        check_errors(&errors);
    }

    assert(config_parse(text, "/nowhere/config.toml", &second, &again) == r);
    assert(again.n == errors.n);
    for (uint32_t i = 0; i < errors.n; i++) {
        assert(strcmp(errors.items[i].text, again.items[i].text) == 0);
    }
    config_free(config);
    config_free(second);
    return 0;
}
