/*
 * certlined check: every mistake of the configuration, or what it comes to. Needs no server, no lock and no
 * key, so it can run beside a station that works, before the file is put in place.
 *
 * The mistakes are this command's result: they go to standard output.
 */
#include <stdio.h>

#include "base/json.h"
#include "cmd/cmd.h"
#include "config.h"

/* ---- mistakes */

static void print_mistakes(const char *path, const struct config_errors *errors)
{
    for (uint32_t i = 0; i < errors->n; i++) {
        const struct err_info *item = &errors->items[i];
        if (item->line > 0) {
            printf("%s:%d:%d: %s\n", path, item->line, item->column, item->text);
        } else {
            printf("%s: %s\n", path, item->text);
        }
    }
    if (errors->more > 0) {
        printf("%s: %u more mistakes are not shown\n", path, errors->more);
    }
}

static struct json *mistakes_json(const char *path, const struct config_errors *errors)
{
    struct json *list = json_new_array();
    int r = 0;
    for (uint32_t i = 0; i < errors->n; i++) {
        const struct err_info *item = &errors->items[i];
        struct json *one = json_new_object();
        r |= json_put_i64(one, "line", item->line) | json_put_i64(one, "column", item->column) |
             json_put_text(one, "text", item->text);
        r |= json_append(list, one);
    }
    struct json *object = json_new_object();
    r |= json_put_text(object, "file", path) | json_put_bool(object, "valid", false) |
         json_put_i64(object, "mistakes", (int64_t)errors->n + errors->more) |
         json_put(object, "errors", list);
    if (r < 0) {
        json_free(object);
        return NULL;
    }
    return object;
}

/* ---- summary */

static const char *plural(uint32_t n)
{
    return n == 1 ? "" : "s";
}

static void print_fixture(const struct config_fixture *fixture)
{
    if (fixture->ports) {
        printf("  %s: slots by %s\n", fixture->name, fixture->ports);
    } else {
        printf("  %s: %u slot%s\n", fixture->name, fixture->n_slots, plural(fixture->n_slots));
    }
}

static void print_summary(const char *path, const struct config *config)
{
    printf("%s: no mistakes\n", path);
    printf("station %s, state in %s\n", config->station, config->state_dir);
    for (uint32_t i = 0; i < config->n_listen; i++) {
        printf("dashboard and API on http://%s/\n", config->listen[i]);
    }
    printf("%u fixture%s\n", config->n_fixtures, plural(config->n_fixtures));
    for (uint32_t i = 0; i < config->n_fixtures; i++) {
        print_fixture(&config->fixtures[i]);
    }
    printf("%u product%s\n", config->n_products, plural(config->n_products));
    for (uint32_t i = 0; i < config->n_products; i++) {
        printf("  %s %s\n", config->products[i].name, config->products[i].version);
    }
}

static struct json *fixture_json(const struct config_fixture *fixture)
{
    struct json *slots = json_new_array(), *object = json_new_object();
    int r = json_put_text(object, "name", fixture->name);
    if (fixture->ports) {
        r |= json_put_text(object, "ports", fixture->ports);
    }
    for (uint32_t i = 0; i < fixture->n_slots; i++) {
        r |= json_append_text(slots, fixture->slots[i].id);
    }
    r |= json_put(object, "slots", slots);
    if (r < 0) {
        json_free(object);
        return NULL;
    }
    return object;
}

static struct json *product_json(const struct product *product)
{
    struct json *object = json_new_object();
    if ((json_put_text(object, "name", product->name) | json_put_text(object, "version", product->version)) <
        0) {
        json_free(object);
        return NULL;
    }
    return object;
}

static struct json *summary_json(const char *path, const struct config *config)
{
    struct json *object = json_new_object(), *fixtures = json_new_array(), *products = json_new_array();
    struct json *listen = json_new_array();
    int r = json_put_text(object, "file", path) | json_put_bool(object, "valid", true) |
            json_put_text(object, "digest", config->digest) |
            json_put_text(object, "station", config->station) |
            json_put_text(object, "state_dir", config->state_dir);
    for (uint32_t i = 0; i < config->n_fixtures; i++) {
        r |= json_append(fixtures, fixture_json(&config->fixtures[i]));
    }
    for (uint32_t i = 0; i < config->n_products; i++) {
        r |= json_append(products, product_json(&config->products[i]));
    }
    for (uint32_t i = 0; i < config->n_listen; i++) {
        r |= json_append_text(listen, config->listen[i]);
    }
    r |= json_put(object, "listen", listen);
    r |= json_put(object, "fixtures", fixtures);
    r |= json_put(object, "products", products);
    if (r < 0) {
        json_free(object);
        return NULL;
    }
    return object;
}

int cmd_check(const struct cmd_args *args)
{
    static struct config_errors errors; /* 34 KB, once a process */
    struct config *config = NULL;
    int r = CMD_CONFIG;
    if (config_load(args->config_path, &config, &errors) == 0) {
        r = CMD_DONE;
    }
    if (args->json) {
        struct json *result =
            config ? summary_json(args->config_path, config) : mistakes_json(args->config_path, &errors);
        int printed = cmd_print_json(result);
        r = printed != CMD_DONE ? printed : r;
    } else if (config) {
        print_summary(args->config_path, config);
    } else {
        print_mistakes(args->config_path, &errors);
    }
    config_free(config);
    return r;
}
