/*
 * The options of the configuration file as const rows: what there is, of which type, in which range, with
 * which default, in one sentence. Reading, `check` and config.example.toml all follow these rows; a new
 * option is one row, one line in the example and its use in config.c or config_product.c.
 */
#ifndef CERTLINE_CONFIG_OPTIONS_H
#define CERTLINE_CONFIG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "config_toml.h"

#define CONFIG_NAME_SIZE    64
#define CONFIG_LISTEN_MAX   8
#define CONFIG_FIXTURES_MAX 256
#define CONFIG_PRODUCTS_MAX 256

enum config_presence { PRESENCE_USB, PRESENCE_POLL };
enum config_flow { FLOW_AUTO, FLOW_RTSCTS, FLOW_XONXOFF, FLOW_NONE };
enum config_from { FROM_FILE, FROM_BUNDLE };

enum config_section {
    SECTION_STATION,
    SECTION_HTTP,
    SECTION_SIGNER,
    SECTION_FIXTURE,
    SECTION_SLOT,
    SECTION_PRODUCT,
    SECTION_ENTRY,
    SECTION_TOP, /* the file itself: no row, only a parent */
};
#define CONFIG_SECTIONS SECTION_TOP

struct config_section_row {
    const char *name;   /* "slot" */
    const char *header; /* "[[fixture.slot]]" */
    bool is_many;       /* an array of tables */
    enum config_section parent;
    uint32_t min, max; /* how many one parent may have */
};

/* In the order of the example. */
enum config_option_id {
    OPT_STATION_NAME,
    OPT_STATION_STATE_DIR,
    OPT_STATION_KEY_FILE,
    OPT_STATION_KEY_MODULE,
    OPT_STATION_KEY_TOKEN,
    OPT_STATION_KEY_OBJECT,
    OPT_STATION_KEY_PIN_FILE,
    OPT_HTTP_LISTEN,
    OPT_SIGNER_CERTIFICATE,
    OPT_SIGNER_KEY,
    OPT_SIGNER_PASSPHRASE_FILE,
    OPT_SIGNER_MODULE,
    OPT_SIGNER_TOKEN,
    OPT_SIGNER_OBJECT,
    OPT_SIGNER_VALIDITY_DAYS,
    OPT_SIGNER_SPARE,
    OPT_FIXTURE_NAME,
    OPT_FIXTURE_COLUMNS,
    OPT_FIXTURE_START,
    OPT_FIXTURE_PRESENCE,
    OPT_FIXTURE_PORTS,
    OPT_FIXTURE_BAUD,
    OPT_FIXTURE_FLOW,
    OPT_SLOT_NAME,
    OPT_SLOT_USB,
    OPT_SLOT_PORT,
    OPT_SLOT_BAUD,
    OPT_SLOT_FLOW,
    OPT_PRODUCT_NAME,
    OPT_PRODUCT_SOURCE,
    OPT_PRODUCT_ON_EXISTING,
    OPT_PRODUCT_SECOND_VISIT,
    OPT_PRODUCT_EQUAL,
    OPT_PRODUCT_LINE_END,
    OPT_PRODUCT_FINAL_LINE_END,
    OPT_PRODUCT_PROOF,
    OPT_PRODUCT_POSSESSION,
    OPT_PRODUCT_ATTRIBUTES,
    OPT_PRODUCT_NATIVE_TLS,
    OPT_PRODUCT_SIGNED_COMMANDS,
    OPT_PRODUCT_ON_PUBLIC_KEY,
    OPT_PRODUCT_ATTESTATION,
    OPT_PRODUCT_KEEP_KEYS,
    OPT_PRODUCT_LEAVE,
    OPT_PRODUCT_MODEM_FIRMWARE,
    OPT_PRODUCT_MODEL,
    OPT_PRODUCT_DEVICE_ID,
    OPT_PRODUCT_CLOUD,
    OPT_PRODUCT_ISSUER,
    OPT_PRODUCT_JOB_LIMIT_S,
    OPT_ENTRY_SEC_TAG,
    OPT_ENTRY_TYPE,
    OPT_ENTRY_FROM,
    OPT_ENTRY_FILE,
    CONFIG_OPTIONS,
};

enum config_type {
    TYPE_TEXT, /* `min` to `max` octets */
    TYPE_PATH, /* relative to the file's folder */
    TYPE_INT,  /* `min` to `max` */
    TYPE_BOOL,
    TYPE_WORD,  /* one of `words`; the value is its index */
    TYPE_TEXTS, /* a list of `min` to `max` texts */
};

#define CONFIG_LIST_TEXT_MAX 200 /* octets of one text of a list */

struct config_option {
    enum config_section section;
    const char *name;
    enum config_type type;
    int64_t min, max;
    const char *const *words; /* TYPE_WORD: NULL-terminated */
    bool is_required;
    const char
        *preset; /* the default as TOML text; NULL: none, the option may be left out unless it is required */
    const char *example; /* what the example shows when there is no default */
    /* What type and range cannot say: 0, or negative with a text that goes on after the
     * option's name and value: "is no name; use letters". One text of a list at a time. May be NULL. */
    int (*check)(const struct toml_node *value, struct err_info *reterr);
    const char *sentence;
};

extern const struct config_section_row config_sections[CONFIG_SECTIONS];
extern const struct config_option config_options[CONFIG_OPTIONS];

/* "127.0.0.1:8080" or "[::1]:8080" in its parts, for the row's check and for config.c. */
struct config_address {
    char host[46];
    uint16_t port;
    bool is_v6;
};
/* Returns 0; ERR_FORMAT; ERR_REFUSED for an address beyond loopback. */
int config_parse_address(const char *text, struct config_address *ret, struct err_info *reterr);

#endif
