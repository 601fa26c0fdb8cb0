/*
 * One pass over a table for what stands in it (unknown keys), one over the rows for what should (types,
 * ranges, words, required options). A value that is wrong is reported once and replaced by its default, so
 * that the judgements that follow do not report its consequences.
 *
 * Defaults are TOML texts in the rows. They go through the same reader as the file: one small document, made
 * of all of them, stands in for whatever the file leaves out.
 */
#include "config_read.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "config_hint.h"

/* ---- mistakes */

static bool stands_behind(const struct err_info *item, const struct toml_place *place)
{
    return item->line != place->line ? item->line > place->line : item->column > place->column;
}

/* Into the order of the file; what is said of one place stays in the order in which it was found. */
void config_complain(struct config_reader *reader, const struct toml_place *place, int code,
                     const char *format, ...)
{
    struct config_errors *errors = reader->errors;
    if (errors->n == CONFIG_ERRORS_MAX) {
        errors->more++;
        return;
    }
    struct toml_place at = place ? *place : (struct toml_place){0, 0};
    uint32_t i = errors->n++;
    for (; i > 0 && stands_behind(&errors->items[i - 1], &at); i--) {
        errors->items[i] = errors->items[i - 1];
    }
    char text[sizeof(errors->items[0].text) + 80]; /* err_set_at cuts it cleanly */
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    errors->items[i] = (struct err_info){0};
    err_set_at(&errors->items[i], code, at.line, at.column, "%s", text);
}

/* ---- defaults */

int config_reader_init(struct config_reader *reader, struct config_errors *errors)
{
    *reader = (struct config_reader){.errors = errors};
    *errors = (struct config_errors){0};

    char memory[4096];
    struct buf text;
    buf_init(&text, memory, sizeof(memory));
    for (uint32_t i = 0; i < CONFIG_OPTIONS; i++) {
        if (config_options[i].preset) {
            buf_add_u64(&text, i);
            buf_add_str(&text, " = ");
            buf_add_str(&text, config_options[i].preset);
            buf_add_char(&text, '\n');
        }
    }
    struct err_info info = {0};
    int r = text.is_cut ? ERR_FULL : toml_read(buf_span(&text), &reader->defaults, &info);
    if (r < 0) {
        config_complain(reader, NULL, r, "the defaults cannot be read: %s", info.text);
        return r;
    }
    for (const struct toml_node *node = toml_root(reader->defaults)->child; node; node = node->next) {
        reader->presets[strtoul(node->key, NULL, 10)] = node;
    }
    return 0;
}

void config_reader_done(struct config_reader *reader)
{
    toml_free(reader->defaults);
    reader->defaults = NULL;
}

/* ---- one value */

/* For a message: a value's text without control characters, not too long, in quotes. */
struct shown {
    char text[72];
};

static struct shown show(const struct toml_node *value)
{
    struct shown shown;
    if (value->kind == TOML_BOOLEAN) {
        snprintf(shown.text, sizeof(shown.text), "%s", value->boolean ? "true" : "false");
        return shown;
    }
    if (value->kind != TOML_STRING) {
        snprintf(shown.text, sizeof(shown.text), "%lld", (long long)value->integer);
        return shown;
    }
    size_t n = 0;
    shown.text[n++] = '"';
    for (const char *c = value->string; *c && n < 60; c++) {
        shown.text[n++] = (unsigned char)*c < 0x20 || *c == 0x7F ? '?' : *c;
    }
    while (n > 1 && n >= 60 && ((unsigned char)shown.text[n - 1] & 0x80)) {
        n--; /* no cut character at the end */
    }
    strcpy(shown.text + n, n >= 55 && strlen(value->string) > n ? "…\"" : "\"");
    return shown;
}

static enum toml_kind kind_of(enum config_type type)
{
    switch (type) {
    case TYPE_TEXT:
    case TYPE_PATH:
    case TYPE_WORD:
        return TOML_STRING;
    case TYPE_INT:
        return TOML_INTEGER;
    case TYPE_BOOL:
        return TOML_BOOLEAN;
    case TYPE_TEXTS:
        return TOML_ARRAY;
    }
    return TOML_TABLE;
}

static bool check_kind(struct config_reader *reader, const struct config_option *row,
                       const struct toml_node *node, enum toml_kind wanted)
{
    if (node->kind == wanted) {
        return true;
    }
    config_complain(reader, &node->place, ERR_FORMAT, "%s%s is %s; it must be %s%s",
                    node->key ? "" : "a member of ", row->name, toml_kind_text(node->kind),
                    toml_kind_text(wanted), wanted == TOML_ARRAY ? " of strings" : "");
    return false;
}

/* The row's own check, on one text or number. */
static bool run_check(struct config_reader *reader, const struct config_option *row,
                      const struct toml_node *node)
{
    struct err_info info = {0};
    int r = row->check ? row->check(node, &info) : 0;
    if (r < 0) {
        config_complain(reader, &node->place, r, "%s %s %s", row->name, show(node).text, info.text);
    }
    return r >= 0;
}

static bool check_length(struct config_reader *reader, const struct config_option *row,
                         const struct toml_node *node, size_t min, size_t max)
{
    size_t len = strlen(node->string);
    if (len >= min && len <= max) {
        return true;
    }
    if (len == 0) {
        config_complain(reader, &node->place, ERR_RANGE, "%s is empty", row->name);
    } else {
        config_complain(reader, &node->place, ERR_RANGE, "%s has %zu octets; at most %zu are allowed",
                        row->name, len, max);
    }
    return false;
}

static bool read_int(struct config_reader *reader, const struct config_option *row,
                     struct config_value *value)
{
    value->number = value->node->integer;
    if (value->number >= row->min && value->number <= row->max) {
        return true;
    }
    if (row->max == INT64_MAX) {
        config_complain(reader, &value->node->place, ERR_RANGE, "%s is %lld; it must be %lld or more",
                        row->name, (long long)value->number, (long long)row->min);
    } else {
        config_complain(reader, &value->node->place, ERR_RANGE, "%s is %lld; it must be from %lld to %lld",
                        row->name, (long long)value->number, (long long)row->min, (long long)row->max);
    }
    return false;
}

static bool read_word(struct config_reader *reader, const struct config_option *row,
                      struct config_value *value)
{
    char memory[160];
    struct buf known;
    buf_init(&known, memory, sizeof(memory));
    struct config_hint hint = config_hint_begin(value->node->string);
    for (uint32_t i = 0; row->words[i]; i++) {
        if (strcmp(value->node->string, row->words[i]) == 0) {
            value->number = i;
            return true;
        }
        config_hint_offer(&hint, row->words[i]);
        buf_add_str(&known, i == 0 ? "" : row->words[i + 1] ? ", " : " or ");
        buf_add_str(&known, row->words[i]);
    }
    config_complain(reader, &value->node->place, ERR_RANGE, "%s is %s; it must be %s%s%s%s", row->name,
                    show(value->node).text, known.at, hint.best ? "; did you mean \"" : "",
                    hint.best ? hint.best : "", hint.best ? "\"?" : "");
    return false;
}

static bool read_texts(struct config_reader *reader, const struct config_option *row,
                       struct config_value *value)
{
    bool is_good = true;
    if (value->node->n_children < row->min || value->node->n_children > row->max) {
        config_complain(reader, &value->node->place, ERR_RANGE,
                        "%s has %u members; it must have from %lld to %lld", row->name,
                        value->node->n_children, (long long)row->min, (long long)row->max);
        is_good = false;
    }
    for (const struct toml_node *text = value->node->child; text; text = text->next) {
        is_good = check_kind(reader, row, text, TOML_STRING) &&
                  check_length(reader, row, text, 1, CONFIG_LIST_TEXT_MAX) && run_check(reader, row, text) &&
                  is_good;
    }
    return is_good;
}

static bool read_value(struct config_reader *reader, const struct config_option *row,
                       struct config_value *value)
{
    if (!check_kind(reader, row, value->node, kind_of(row->type))) {
        return false;
    }
    switch (row->type) {
    case TYPE_TEXT:
    case TYPE_PATH:
        return check_length(reader, row, value->node, (size_t)row->min, (size_t)row->max) &&
               run_check(reader, row, value->node);
    case TYPE_INT:
        return read_int(reader, row, value) && run_check(reader, row, value->node);
    case TYPE_BOOL:
        value->number = value->node->boolean;
        return run_check(reader, row, value->node);
    case TYPE_WORD:
        return read_word(reader, row, value) && run_check(reader, row, value->node);
    case TYPE_TEXTS:
        return read_texts(reader, row, value);
    }
    return false;
}

/* ---- tables */

static const struct toml_node *find(const struct toml_node *table, const char *key)
{
    const struct toml_node *node = table ? table->child : NULL;
    while (node && strcmp(node->key, key) != 0) {
        node = node->next;
    }
    return node;
}

static bool is_known(enum config_section section, const char *key, struct config_hint *hint)
{
    bool found = false;
    for (int i = 0; i < CONFIG_OPTIONS; i++) {
        if (config_options[i].section == section) {
            config_hint_offer(hint, config_options[i].name);
            found = found || strcmp(config_options[i].name, key) == 0;
        }
    }
    for (int i = 0; i < CONFIG_SECTIONS; i++) {
        if (config_sections[i].parent == section) {
            config_hint_offer(hint, config_sections[i].name);
            found = found || strcmp(config_sections[i].name, key) == 0;
        }
    }
    return found;
}

/* The header under which `key` would be right, or NULL. */
static const char *home_of(const char *key)
{
    for (int i = 0; i < CONFIG_OPTIONS; i++) {
        if (strcmp(config_options[i].name, key) == 0) {
            return config_sections[config_options[i].section].header;
        }
    }
    for (int i = 0; i < CONFIG_SECTIONS; i++) {
        if (strcmp(config_sections[i].name, key) == 0) {
            return config_sections[i].header;
        }
    }
    return NULL;
}

static void check_keys(struct config_reader *reader, enum config_section section,
                       const struct toml_node *table)
{
    const char *where = section == SECTION_TOP ? "the file" : config_sections[section].header;
    for (const struct toml_node *node = table->child; node; node = node->next) {
        struct config_hint hint = config_hint_begin(node->key);
        if (is_known(section, node->key, &hint)) {
            continue;
        }
        struct shown key = show(&(struct toml_node){.kind = TOML_STRING, .string = node->key});
        const char *home = home_of(node->key);
        if (home) {
            config_complain(reader, &node->key_place, ERR_NOT_FOUND,
                            "%s does not belong into %s, but into %s", key.text, where, home);
        } else if (hint.best) {
            config_complain(reader, &node->key_place, ERR_NOT_FOUND,
                            "%s is unknown in %s; did you mean \"%s\"?", key.text, where, hint.best);
        } else {
            config_complain(reader, &node->key_place, ERR_NOT_FOUND,
                            "%s is unknown in %s; remove it, or see config.example.toml for what there is",
                            key.text, where);
        }
    }
}

void config_read_top(struct config_reader *reader, const struct toml_node *root)
{
    check_keys(reader, SECTION_TOP, root);
}

void config_read_table(struct config_reader *reader, enum config_section section,
                       const struct toml_node *table, struct config_value values[CONFIG_OPTIONS])
{
    if (table) {
        check_keys(reader, section, table);
    }
    for (int i = 0; i < CONFIG_OPTIONS; i++) {
        const struct config_option *row = &config_options[i];
        if (row->section != section) {
            continue;
        }
        values[i] = (struct config_value){.node = find(table, row->name)};
        values[i].is_set = values[i].node != NULL;
        values[i].place = values[i].node ? values[i].node->place
                          : table        ? table->place
                                         : (struct toml_place){1, 1};
        values[i].is_bad = values[i].is_set && !read_value(reader, row, &values[i]);
        if (table && !values[i].is_set && row->is_required) {
            config_complain(reader, &table->place, ERR_NOT_FOUND, "%s has no %s; add a line such as: %s = %s",
                            config_sections[section].header, row->name, row->name, row->example);
            values[i].is_bad = true;
        }
        if (!values[i].is_set || values[i].is_bad) {
            values[i].node = reader->presets[i];
            values[i].number = 0;
            if (values[i].node) {
                read_value(reader, row, &values[i]);
            }
        }
    }
}

static bool check_shape(struct config_reader *reader, const struct config_section_row *row,
                        const struct toml_node *node)
{
    if (node->kind != (row->is_many ? TOML_ARRAY : TOML_TABLE)) {
        config_complain(reader, &node->key_place, ERR_FORMAT, "%s is %s; begin it with the line %s",
                        row->name, toml_kind_text(node->kind), row->header);
        return false;
    }
    for (const struct toml_node *child = row->is_many ? node->child : NULL; child; child = child->next) {
        if (child->kind != TOML_TABLE) {
            config_complain(reader, &child->place, ERR_FORMAT,
                            "a member of %s is %s; begin each one with the line %s", row->name,
                            toml_kind_text(child->kind), row->header);
            return false;
        }
    }
    return true;
}

const struct toml_node *config_first_table(struct config_reader *reader, const struct toml_node *parent,
                                           enum config_section section, uint32_t *ret_n)
{
    const struct config_section_row *row = &config_sections[section];
    const struct toml_node *node = find(parent, row->name);
    *ret_n = 0;
    if (node && !check_shape(reader, row, node)) {
        return NULL;
    }
    uint32_t n = !node ? 0 : row->is_many ? node->n_children : 1;
    if (n < row->min) {
        config_complain(reader, &parent->place, ERR_NOT_FOUND,
                        "there is no %s; add one, see config.example.toml", row->header);
    }
    if (n > row->max) {
        config_complain(reader, &node->key_place, ERR_RANGE, "there are %u of %s; at most %u are allowed", n,
                        row->header, row->max);
        return NULL;
    }
    *ret_n = n;
    return !node ? NULL : row->is_many ? node->child : node;
}

const struct toml_node *config_next_table(enum config_section section, const struct toml_node *table)
{
    return config_sections[section].is_many ? table->next : NULL;
}

const char *config_value_text(const struct config_value *value)
{
    return value->node && value->node->string ? value->node->string : "";
}
