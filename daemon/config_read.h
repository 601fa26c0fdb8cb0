/*
 * Reads tables of the configuration by the rows of config_options.h and collects what is wrong with them.
 * Knows nothing of what the options mean: config.c and config_product.c do.
 */
#ifndef CERTLINE_CONFIG_READ_H
#define CERTLINE_CONFIG_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "config_options.h"
#include "config_toml.h"

struct config_reader {
    struct config_errors *errors; /* borrowed */
    struct toml_tree *defaults;   /* one member an option that has a default */
    const struct toml_node *presets[CONFIG_OPTIONS];
};

/* One option as read. After a mistake it holds the default, if there is one, and says so: judgements that
 * need the file's own word look at is_bad first. */
struct config_value {
    const struct toml_node *node; /* the file's or the default's; NULL when there is neither */
    struct toml_place place;      /* in the file; the table's when it was left out */
    bool is_set;                  /* the file says it */
    bool is_bad;                  /* the file says something wrong; reported already */
    int64_t number;               /* TYPE_INT, TYPE_BOOL (0, 1), TYPE_WORD (index of the word) */
};

/* Zeroed and ready; 0 or -ENOMEM. `errors` is emptied. */
int config_reader_init(struct config_reader *reader, struct config_errors *errors);
void config_reader_done(struct config_reader *reader);

/* Adds a mistake, in the order of the file. `place` may be NULL: the file as a whole. */
void config_complain(struct config_reader *reader, const struct toml_place *place, int code,
                     const char *format, ...) __attribute__((format(printf, 4, 5)));

/*
 * The tables of `section` in `parent`: the first one, or NULL. Complains of too few, too many and of what is
 * no table. Go on with config_next_table. *ret_n takes how many there are.
 */
const struct toml_node *config_first_table(struct config_reader *reader, const struct toml_node *parent,
                                           enum config_section section, uint32_t *ret_n);
const struct toml_node *config_next_table(enum config_section section, const struct toml_node *table);

/* Fills values[] for every option of `section` from `table` (NULL: only defaults) and complains of everything
 * that the rows forbid, unknown keys included. Members of `values` that belong to other sections are left
 * alone. */
void config_read_table(struct config_reader *reader, enum config_section section,
                       const struct toml_node *table, struct config_value values[CONFIG_OPTIONS]);

/* The top table's keys: only sections stand there. */
void config_read_top(struct config_reader *reader, const struct toml_node *root);

/* The text of an option that is set or has a default; "" otherwise. */
const char *config_value_text(const struct config_value *value);

#endif
