/* Between config.c and config_product.c only: a configuration in the making. */
#ifndef CERTLINE_CONFIG_BUILD_H
#define CERTLINE_CONFIG_BUILD_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"
#include "config_read.h"

struct config_builder {
    struct config *config;
    struct config_reader reader;
    const char *folder;    /* absolute, where relative paths start; no slash at its end */
    bool is_out_of_memory; /* sticks; the result is thrown away then */
};

/* Zeroed memory that lives as long as the configuration; NULL (and is_out_of_memory) when there is none. */
void *config_alloc(struct config_builder *builder, size_t size);

/* Copies that live as long as the configuration; "" without memory. */
const char *config_keep(struct config_builder *builder, const char *text);
/* `path` as it is when absolute, otherwise below the file's folder. */
const char *config_resolve(struct config_builder *builder, const char *path);

/* All products below `root`, into config->products. */
void config_build_products(struct config_builder *builder, const struct toml_node *root);

/* "sha256:" and 64 lower-case characters, as versions and digests stand in records. */
void config_digest_text(struct span text, char ret[PRODUCT_VERSION_SIZE]);

/* Reads a regular file of at most `max` octets: 0 and memory for free(), or negative with a text that goes on
 * after the file's name ("does not exist"). */
int config_read_file(const char *path, size_t max, struct span *ret, struct err_info *reterr);

#endif
