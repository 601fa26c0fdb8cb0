/*
 * The station's configuration: one TOML file, read whole at start and constant afterwards. What it may hold
 * is the table in config_options.h; what examples there are is config.example.toml.
 *
 * All mistakes of a file are collected with line and column, not only the first: an engineer mends them in
 * one go. Only what is not TOML at all ends the search, since nothing after it has a meaning.
 */
#ifndef CERTLINE_CONFIG_H
#define CERTLINE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "config_options.h"
#include "job/ledger.h"
#include "job/product.h"
#include "station/station.h"

#define CONFIG_PATH_DEFAULT "/etc/certline/config.toml"
#define CONFIG_SOCKET_NAME  "api.sock" /* in state_dir */

struct config_slot {
    char name[FIXTURE_SIZE];
    char id[SLOT_ID_SIZE]; /* "rack1/07" */
    const char *usb;       /* "1-1.2:1.0", or NULL */
    const char *port;      /* absolute path, or NULL; exactly one of the two is there */
    uint32_t baud;
    enum config_flow flow;
};

struct config_fixture {
    char name[FIXTURE_SIZE];
    uint32_t columns;
    enum slot_start start;
    enum config_presence presence;
    const char *
        ports; /* absolute glob with wildcards in its last part, or NULL: then `slots` are named one by one */
    uint32_t baud; /* of the glob's slots, and of those that do not say */
    enum config_flow flow;
    uint32_t n_slots;
    struct config_slot *slots; /* in the order of the file */
};

/* The CA for keys made on boards. What its files hold is read when the station starts. */
struct config_signer {
    bool is_there;                       /* the section */
    const char *certificate;             /* absolute */
    const char *key;                     /* absolute; NULL: on a token */
    const char *passphrase_file;         /* absolute, or NULL */
    const char *module, *token, *object; /* of a token; object may be NULL */
    uint32_t validity_days;
    uint32_t spare;
};

/* Owns everything that it points to. Constant, so every thread may read it. */
struct config {
    const char *path; /* as it was given */
    char station[CONFIG_NAME_SIZE];
    const char *state_dir;                           /* absolute */
    const char *key_file;                            /* absolute */
    const char *key_module, *key_token, *key_object; /* of a token that the key takes; NULL: none */
    const char *key_pin_file;                        /* absolute, or NULL */
    const char *socket_path;                         /* absolute; fits a sockaddr_un */
    uint32_t n_listen;
    const char *listen[CONFIG_LISTEN_MAX]; /* as written; all of them loopback */
    struct config_signer signer;
    uint32_t n_fixtures;
    struct config_fixture *fixtures;
    uint32_t n_products;
    struct product *products;          /* with file contents, digests and versions */
    char digest[PRODUCT_VERSION_SIZE]; /* "sha256:…" of the file's octets, for every job's record */

    struct config_block *blocks; /* all memory of it, the list's own included */
};

#define CONFIG_ERRORS_MAX 100

/* What is wrong, in the order of the file. `code` is negative; `line` 0 stands for the file as a whole. */
struct config_errors {
    uint32_t n;
    uint32_t more; /* those beyond CONFIG_ERRORS_MAX, only counted */
    struct err_info items[CONFIG_ERRORS_MAX];
};

/*
 * Reads and checks the file at `path`, and the credential files that its products name. Returns 0 and a
 * configuration for config_free; or negative with at least one item in *errors: -errno or ERR_RANGE when the
 * file cannot be read, ERR_FORMAT when it holds mistakes, -ENOMEM.
 */
int config_load(const char *path, struct config **ret, struct config_errors *errors);

/* The same for a text; relative paths start at the folder of `path`, which need not exist. */
int config_parse(struct span text, const char *path, struct config **ret, struct config_errors *errors);

/* NULL is allowed. */
void config_free(struct config *config);

/* The product of that name, or NULL. */
const struct product *config_find_product(const struct config *config, const char *name);

#endif
