/*
 * From tables to a configuration: station, addresses, fixtures with their slots, and what must hold between
 * them. All memory hangs on one list of blocks, so that giving a half-built configuration back needs no
 * cases.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/hex.h"
#include "config_build.h"
#include "io/port.h"
#include "pki/digest.h"

/* ---- memory */

struct config_block {
    struct config_block *next;
    max_align_t content[];
};

void *config_alloc(struct config_builder *builder, size_t size)
{
    struct config_block *block = calloc(1, sizeof(*block) + size);
    if (!block) {
        builder->is_out_of_memory = true;
        return NULL;
    }
    block->next = builder->config->blocks;
    builder->config->blocks = block;
    return block->content;
}

static const char *join(struct config_builder *builder, const char *a, const char *between, const char *b)
{
    size_t size = strlen(a) + strlen(between) + strlen(b) + 1;
    char *text = config_alloc(builder, size);
    if (!text) {
        return "";
    }
    snprintf(text, size, "%s%s%s", a, between, b);
    return text;
}

const char *config_keep(struct config_builder *builder, const char *text)
{
    return join(builder, text, "", "");
}

const char *config_resolve(struct config_builder *builder, const char *path)
{
    return path[0] == '/' ? config_keep(builder, path) : join(builder, builder->folder, "/", path);
}

/* A port's path, which must fit where ports are opened. */
static const char *resolve_port(struct config_builder *builder, const struct config_value *value)
{
    if (!value->is_set || value->is_bad) {
        return NULL;
    }
    const char *path = config_resolve(builder, value->node->string);
    if (strlen(path) >= PORT_PATH_SIZE) {
        config_complain(&builder->reader, &value->place, ERR_RANGE,
                        "the port's path has %zu octets; at most %d are possible", strlen(path),
                        PORT_PATH_SIZE - 1);
    }
    return path;
}

void config_free(struct config *config)
{
    struct config_block *block = config ? config->blocks : NULL;
    while (block) {
        struct config_block *next = block->next;
        free(block);
        block = next;
    }
    free(config);
}

/* ---- files */

static int read_all(int fd, char *to, size_t size, size_t *ret_len)
{
    size_t len = 0;
    while (len < size) {
        ssize_t n = read(fd, to + len, size - len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -errno;
        }
        if (n == 0) {
            break;
        }
        len += (size_t)n;
    }
    *ret_len = len;
    return 0;
}

/* Not blocking: a path may lead to a pipe without a writer. */
static int open_regular(const char *path, size_t max, struct err_info *reterr)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno == ENOENT) {
        return err_set(reterr, -ENOENT, "does not exist; correct the name or put the file there");
    }
    if (fd < 0) {
        int code = -errno;
        return err_set(reterr, code, "cannot be opened: %s", err_text(code));
    }
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return err_set(reterr, ERR_FORMAT, "is no regular file");
    }
    if ((uint64_t)st.st_size > max) {
        close(fd);
        return err_set(reterr, ERR_RANGE, "has %lld octets; at most %zu are read", (long long)st.st_size,
                       max);
    }
    return fd;
}

int config_read_file(const char *path, size_t max, struct span *ret, struct err_info *reterr)
{
    int fd = open_regular(path, max, reterr);
    if (fd < 0) {
        return fd;
    }
    char *text = malloc(max);
    size_t len = 0;
    int r = text ? read_all(fd, text, max, &len) : -ENOMEM;
    close(fd);
    if (r < 0) {
        free(text);
        return err_set(reterr, r, "cannot be read: %s", err_text(r));
    }
    *ret = span_of(text, len);
    return 0;
}

void config_digest_text(struct span text, char ret[PRODUCT_VERSION_SIZE])
{
    struct digest digest;
    sha256(text, &digest);
    char hex[2 * DIGEST_SIZE + 1];
    hex_encode(digest.octets, DIGEST_SIZE, hex);
    for (char *c = hex; *c; c++) {
        *c = (char)(*c >= 'A' && *c <= 'F' ? *c - 'A' + 'a' : *c);
    }
    snprintf(ret, PRODUCT_VERSION_SIZE, "sha256:%s", hex);
}

/* ---- [station] and [http] */

static const char *resolve_if_set(struct config_builder *builder, const struct config_value *value)
{
    return value->is_set && !value->is_bad ? config_resolve(builder, value->node->string) : NULL;
}

static const char *text_if_set(struct config_builder *builder, const struct config_value *value)
{
    return value->is_set && !value->is_bad ? config_keep(builder, value->node->string) : NULL;
}

static void build_key_token(struct config_builder *builder, const struct config_value *values)
{
    struct config *config = builder->config;
    const struct config_value *module = &values[OPT_STATION_KEY_MODULE],
                              *token = &values[OPT_STATION_KEY_TOKEN];
    config->key_module = resolve_if_set(builder, module);
    config->key_token = text_if_set(builder, token);
    config->key_object = text_if_set(builder, &values[OPT_STATION_KEY_OBJECT]);
    config->key_pin_file = resolve_if_set(builder, &values[OPT_STATION_KEY_PIN_FILE]);
    if (module->is_set != token->is_set) {
        config_complain(&builder->reader, module->is_set ? &module->place : &token->place, ERR_CONFLICT,
                        "a token is named by key_module and key_token together; give both");
    }
}

static void build_station(struct config_builder *builder, const struct toml_node *root)
{
    struct config *config = builder->config;
    uint32_t n;
    const struct toml_node *table = config_first_table(&builder->reader, root, SECTION_STATION, &n);
    struct config_value values[CONFIG_OPTIONS] = {{0}};
    config_read_table(&builder->reader, SECTION_STATION, table, values);

    const struct config_value *state_dir = &values[OPT_STATION_STATE_DIR],
                              *key = &values[OPT_STATION_KEY_FILE];
    buf_copy(config->station, sizeof(config->station),
             span_str(config_value_text(&values[OPT_STATION_NAME])));
    config->state_dir = config_resolve(builder, config_value_text(state_dir));
    config->key_file = key->is_set && !key->is_bad ? config_resolve(builder, key->node->string)
                                                   : join(builder, config->state_dir, "/", "wrapping.key");
    config->socket_path = join(builder, config->state_dir, "/", CONFIG_SOCKET_NAME);
    build_key_token(builder, values);

    size_t room = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
    if (strlen(config->socket_path) > room) {
        config_complain(
            &builder->reader, &state_dir->place, ERR_RANGE,
            "state_dir is too long: %s in it would have %zu octets, and a socket's path at most %zu",
            CONFIG_SOCKET_NAME, strlen(config->socket_path), room);
    }
}

static bool is_listed(const struct config *config, const char *address)
{
    for (uint32_t i = 0; i < config->n_listen; i++) {
        if (strcmp(config->listen[i], address) == 0) {
            return true;
        }
    }
    return false;
}

static void build_http(struct config_builder *builder, const struct toml_node *root)
{
    struct config *config = builder->config;
    uint32_t n;
    const struct toml_node *table = config_first_table(&builder->reader, root, SECTION_HTTP, &n);
    struct config_value values[CONFIG_OPTIONS] = {{0}};
    config_read_table(&builder->reader, SECTION_HTTP, table, values);
    for (const struct toml_node *text = values[OPT_HTTP_LISTEN].node->child; text; text = text->next) {
        struct config_address address;
        bool is_any = config_parse_address(text->string, &address, NULL) == 0 && address.port == 0;
        if (!is_any && is_listed(config, text->string)) {
            config_complain(&builder->reader, &text->place, ERR_DUPLICATE,
                            "listen names %s twice; remove one", text->string);
            continue;
        }
        config->listen[config->n_listen++] = config_keep(builder, text->string);
    }
}

/* ---- [signer] */

static void build_signer(struct config_builder *builder, const struct toml_node *root)
{
    struct config_signer *signer = &builder->config->signer;
    uint32_t n;
    const struct toml_node *table = config_first_table(&builder->reader, root, SECTION_SIGNER, &n);
    struct config_value values[CONFIG_OPTIONS] = {{0}};
    if (!table) {
        return;
    }
    config_read_table(&builder->reader, SECTION_SIGNER, table, values);
    const struct config_value *key = &values[OPT_SIGNER_KEY], *module = &values[OPT_SIGNER_MODULE],
                              *token = &values[OPT_SIGNER_TOKEN];
    *signer = (struct config_signer){
        .is_there = true,
        .certificate = resolve_if_set(builder, &values[OPT_SIGNER_CERTIFICATE]),
        .key = resolve_if_set(builder, key),
        .passphrase_file = resolve_if_set(builder, &values[OPT_SIGNER_PASSPHRASE_FILE]),
        .module = resolve_if_set(builder, module),
        .token = text_if_set(builder, token),
        .object = text_if_set(builder, &values[OPT_SIGNER_OBJECT]),
        .validity_days = (uint32_t)values[OPT_SIGNER_VALIDITY_DAYS].number,
        .spare = (uint32_t)values[OPT_SIGNER_SPARE].number,
    };
    if (key->is_set == module->is_set) {
        config_complain(&builder->reader, &table->place, ERR_CONFLICT,
                        "the CA's private key is %s; give key for a file, or module and token for PKCS#11",
                        key->is_set ? "named twice" : "not named");
    } else if (module->is_set != token->is_set) {
        config_complain(&builder->reader, &table->place, ERR_CONFLICT,
                        "a token is named by module and token together; give both");
    }
}

/* ---- [[fixture]] and [[fixture.slot]] */

static void build_slot(struct config_builder *builder, const struct toml_node *table,
                       struct config_fixture *fixture, struct config_slot *slot, struct toml_place *ret_place)
{
    struct config_value values[CONFIG_OPTIONS] = {{0}};
    config_read_table(&builder->reader, SECTION_SLOT, table, values);
    const struct config_value *name = &values[OPT_SLOT_NAME], *baud = &values[OPT_SLOT_BAUD];
    const struct config_value *usb = &values[OPT_SLOT_USB], *port = &values[OPT_SLOT_PORT];
    const struct config_value *flow = &values[OPT_SLOT_FLOW];

    buf_copy(slot->name, sizeof(slot->name), span_str(config_value_text(name)));
    snprintf(slot->id, sizeof(slot->id), "%s/%s", fixture->name, slot->name);
    slot->usb = usb->is_set && !usb->is_bad ? config_keep(builder, usb->node->string) : NULL;
    slot->port = resolve_port(builder, port);
    slot->baud = baud->is_set && !baud->is_bad ? (uint32_t)baud->number : fixture->baud;
    slot->flow = flow->is_set && !flow->is_bad ? (enum config_flow)flow->number : fixture->flow;
    *ret_place = slot->usb ? usb->place : slot->port ? port->place : table->place;

    for (uint32_t i = 0; !name->is_bad && i < fixture->n_slots; i++) {
        if (strcmp(fixture->slots[i].name, slot->name) == 0) {
            config_complain(&builder->reader, &name->place, ERR_DUPLICATE,
                            "another slot of this fixture is called \"%s\"; give each one its own name",
                            slot->name);
            break;
        }
    }
    if (usb->is_set && port->is_set) {
        config_complain(&builder->reader, &port->place, ERR_CONFLICT,
                        "port and usb are both given; a slot has one of them, remove the other");
    } else if (!usb->is_set && !port->is_set) {
        config_complain(&builder->reader, &table->place, ERR_NOT_FOUND,
                        "the slot has neither port nor usb; say where its board is plugged in");
    }
}

/* Which slots are where, to find what is given twice. */
struct port_use {
    const struct config_fixture *fixture;
    const struct config_slot *slot; /* NULL: the fixture's glob */
    struct toml_place place;
};

struct port_uses {
    uint32_t n, size;
    struct port_use *items;
};

static const char *use_name(const struct port_use *use)
{
    return use->slot ? use->slot->id : use->fixture->name;
}

/* Two globs are compared as texts; whatever they both match besides shows when the port appears. */
static bool is_same_port(const struct port_use *a, const struct port_use *b)
{
    if (a->slot && b->slot) {
        return (a->slot->port && b->slot->port && strcmp(a->slot->port, b->slot->port) == 0) ||
               (a->slot->usb && b->slot->usb && strcmp(a->slot->usb, b->slot->usb) == 0);
    }
    if (!a->slot && !b->slot) {
        return strcmp(a->fixture->ports, b->fixture->ports) == 0;
    }
    const char *glob = a->slot ? b->fixture->ports : a->fixture->ports;
    const char *port = a->slot ? a->slot->port : b->slot->port;
    return port && fnmatch(glob, port, FNM_PATHNAME) == 0;
}

static void add_use(struct config_builder *builder, struct port_uses *uses, const struct port_use *use)
{
    for (uint32_t i = 0; i < uses->n; i++) {
        if (is_same_port(&uses->items[i], use)) {
            config_complain(&builder->reader, &use->place, ERR_DUPLICATE,
                            "this port belongs to %s already; a port has one slot",
                            use_name(&uses->items[i]));
            return;
        }
    }
    if (uses->n < uses->size) {
        uses->items[uses->n++] = *use;
    }
}

static void build_slots(struct config_builder *builder, const struct toml_node *table,
                        struct config_fixture *fixture, struct port_uses *uses)
{
    uint32_t n;
    const struct toml_node *slot = config_first_table(&builder->reader, table, SECTION_SLOT, &n);
    if (n > uses->size - uses->n) {
        config_complain(&builder->reader, &slot->place, ERR_RANGE, "there are more than %u slots in all",
                        STATION_SLOTS_MAX);
        return;
    }
    fixture->slots = n > 0 ? config_alloc(builder, n * sizeof(struct config_slot)) : NULL;
    for (; slot && fixture->slots; slot = config_next_table(SECTION_SLOT, slot)) {
        struct port_use use = {.fixture = fixture, .slot = &fixture->slots[fixture->n_slots]};
        build_slot(builder, slot, fixture, &fixture->slots[fixture->n_slots], &use.place);
        fixture->n_slots++;
        add_use(builder, uses, &use);
    }
}

static void check_ports_or_slots(struct config_builder *builder, const struct toml_node *table,
                                 const struct config_value *ports, uint32_t n_slots)
{
    if (ports->is_set && n_slots > 0) {
        config_complain(
            &builder->reader, &ports->place, ERR_CONFLICT,
            "ports and [[fixture.slot]] are both given; a fixture has one of them, remove the other");
    } else if (!ports->is_set && n_slots == 0) {
        config_complain(&builder->reader, &table->place, ERR_NOT_FOUND,
                        "the fixture has no slots; give ports = %s or a [[fixture.slot]] for each",
                        config_options[OPT_FIXTURE_PORTS].example);
    }
}

static void check_fixture_name(struct config_builder *builder, const struct config_value *name)
{
    const struct config *config = builder->config;
    const struct config_fixture *fixture = &config->fixtures[config->n_fixtures];
    for (uint32_t i = 0; !name->is_bad && i < config->n_fixtures; i++) {
        if (strcmp(config->fixtures[i].name, fixture->name) == 0) {
            config_complain(&builder->reader, &name->place, ERR_DUPLICATE,
                            "another fixture is called \"%s\"; give each one its own name", fixture->name);
            return;
        }
    }
}

static void build_fixture(struct config_builder *builder, const struct toml_node *table,
                          struct config_fixture *fixture, struct port_uses *uses)
{
    struct config_value values[CONFIG_OPTIONS] = {{0}};
    config_read_table(&builder->reader, SECTION_FIXTURE, table, values);
    buf_copy(fixture->name, sizeof(fixture->name), span_str(config_value_text(&values[OPT_FIXTURE_NAME])));
    fixture->columns = (uint32_t)values[OPT_FIXTURE_COLUMNS].number;
    fixture->start = (enum slot_start)values[OPT_FIXTURE_START].number;
    fixture->presence = (enum config_presence)values[OPT_FIXTURE_PRESENCE].number;
    fixture->baud = (uint32_t)values[OPT_FIXTURE_BAUD].number;
    fixture->flow = (enum config_flow)values[OPT_FIXTURE_FLOW].number;
    check_fixture_name(builder, &values[OPT_FIXTURE_NAME]);

    const struct config_value *ports = &values[OPT_FIXTURE_PORTS];
    fixture->ports = resolve_port(builder, ports);
    if (fixture->ports) {
        add_use(builder, uses, &(struct port_use){.fixture = fixture, .place = ports->place});
    }
    build_slots(builder, table, fixture, uses);
    check_ports_or_slots(builder, table, ports, fixture->n_slots);
}

static void build_fixtures(struct config_builder *builder, const struct toml_node *root)
{
    struct config *config = builder->config;
    uint32_t n;
    const struct toml_node *table = config_first_table(&builder->reader, root, SECTION_FIXTURE, &n);
    struct port_uses uses = {.size = STATION_SLOTS_MAX};
    uses.items = calloc(uses.size, sizeof(*uses.items));
    config->fixtures = n > 0 ? config_alloc(builder, n * sizeof(struct config_fixture)) : NULL;
    builder->is_out_of_memory = builder->is_out_of_memory || !uses.items;
    for (; table && config->fixtures && uses.items; table = config_next_table(SECTION_FIXTURE, table)) {
        build_fixture(builder, table, &config->fixtures[config->n_fixtures], &uses);
        config->n_fixtures++;
    }
    free(uses.items);
}

/* ---- the whole */

/* Absolute, since the daemon may leave the folder in which it was started. */
static const char *folder_of(struct config_builder *builder, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = config_alloc(builder, strlen(path) + 1);
    if (!folder) {
        return "";
    }
    memcpy(folder, path,
           slash ? (size_t)(slash - path) : 0); /* of "/config.toml": empty, "/" and a name follow */
    if (path[0] == '/') {
        return folder;
    }
    char *here = realpath(".", NULL);
    const char *whole = join(builder, here ? here : ".", slash ? "/" : "", folder);
    free(here);
    return whole;
}

static void build(struct config_builder *builder, const char *path, struct span text,
                  const struct toml_node *root)
{
    builder->config->path = config_keep(builder, path);
    builder->folder = folder_of(builder, path);
    config_digest_text(text, builder->config->digest);
    config_read_top(&builder->reader, root);
    build_station(builder, root);
    build_http(builder, root);
    build_signer(builder, root);
    build_fixtures(builder, root);
    config_build_products(builder, root);
}

static int parse_with(struct config_reader *reader, struct span text, const char *path, struct config **ret)
{
    struct toml_tree *tree;
    struct err_info info = {0};
    int r = toml_read(text, &tree, &info);
    if (r < 0) {
        config_complain(reader, info.line > 0 ? &(struct toml_place){info.line, info.column} : NULL, r, "%s",
                        info.text);
        return r;
    }
    struct config_builder builder = {.config = calloc(1, sizeof(struct config)), .reader = *reader};
    builder.is_out_of_memory = !builder.config;
    if (builder.config) {
        build(&builder, path, text, toml_root(tree));
    }
    toml_free(tree);
    if (builder.is_out_of_memory) {
        config_complain(reader, NULL, -ENOMEM, "there is no memory for this configuration");
    }
    if (reader->errors->n > 0) {
        config_free(builder.config);
        return builder.is_out_of_memory ? -ENOMEM : ERR_FORMAT;
    }
    *ret = builder.config;
    return 0;
}

int config_parse(struct span text, const char *path, struct config **ret, struct config_errors *errors)
{
    struct config_reader reader;
    int r = config_reader_init(&reader, errors);
    if (r == 0) {
        r = parse_with(&reader, text, path, ret);
    }
    config_reader_done(&reader);
    return r;
}

int config_load(const char *path, struct config **ret, struct config_errors *errors)
{
    struct span text;
    struct err_info info = {0};
    int r = config_read_file(path, TOML_SIZE_MAX, &text, &info);
    if (r < 0) {
        *errors = (struct config_errors){.n = 1, .items = {info}};
        return r;
    }
    r = config_parse(text, path, ret, errors);
    free((void *)text.at);
    return r;
}

const struct product *config_find_product(const struct config *config, const char *name)
{
    for (uint32_t i = 0; i < config->n_products; i++) {
        if (strcmp(config->products[i].name, name) == 0) {
            return &config->products[i];
        }
    }
    return NULL;
}
