/*
 * Modem firmware families: what a version can and cannot do (at-commands, family table). Unknown versions are
 * taken as the newest family of their line, since Nordic has never taken an ability back.
 */
#ifndef CERTLINE_JOB_FAMILY_H
#define CERTLINE_JOB_FAMILY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "job/product.h"

enum modem_family {
    FAMILY_UNKNOWN, /* no version could be read */
    FAMILY_0,       /* nRF9160 0.7 alpha */
    FAMILY_1,       /* nRF9160 1.0 to 1.2 */
    FAMILY_1_3A,    /* 1.3.0, 1.3.1 */
    FAMILY_1_3B,    /* 1.3.2 and later */
    FAMILY_2A,      /* nRF91x1 2.0.0, 2.0.1 */
    FAMILY_2B,      /* 2.0.2 and later */
    FAMILY_NTN,     /* nRF9151 NTN builds */
};

struct family_traits {
    const char *name;     /* "F2b" */
    bool lists_digests;   /* else a placeholder: the type's octet 32 times */
    bool checks_content;  /* 527 for types 0 and 1 */
    bool has_device_uuid; /* %DEVICEUUID */
};

/* From the answer to +CGMR ("mfw_nrf91x1_2.0.2", "mfw_nrf9151-ntn_1.0.0-1.alpha"). */
enum modem_family family_of(struct span firmware);
const struct family_traits *family_traits(enum modem_family family);

/* True when any rule matches, or there are none. Rules: ">=1.3.2", ">", "<=", "<", "==" and a version, "ntn",
 * or a name with a trailing `*`. A version is the first d.d.d of the text. */
bool family_firmware_allowed(const struct product *product, struct span firmware);
bool family_model_allowed(const struct product *product, struct span model);

/* True for a rule that family_firmware_allowed understands; the configuration checks with it. */
bool family_rule_is_valid(const char *rule);

#endif
