/*
 * A product: what goes onto a board, from where, and under which rules. Plain data, made by the
 * configuration, constant while the daemon runs; a version of a product is the digest of its canonical text.
 */
#ifndef CERTLINE_JOB_PRODUCT_H
#define CERTLINE_JOB_PRODUCT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "job/device_id.h"
#include "pki/cred.h"

#define PRODUCT_NAME_SIZE       64
#define PRODUCT_VERSION_SIZE    72 /* "sha256:" and 64 hex characters, NUL */
#define PRODUCT_ENTRIES_MAX     8
#define PRODUCT_RULES_MAX       8
#define PRODUCT_RULE_SIZE       40
#define PRODUCT_ATTRIBUTES_SIZE 128

enum product_source { SOURCE_BOUND, SOURCE_POOL, SOURCE_KEYGEN, SOURCE_MES };
enum product_on_existing { EXISTING_REPLACE, EXISTING_KEEP_EQUAL, EXISTING_REFUSE };
enum product_second_visit { SECOND_COMPARE, SECOND_REFUSE, SECOND_AGAIN };
enum product_equal { EQUAL_OCTETS, EQUAL_CONTENT };
enum product_proof { PROOF_DIGEST, PROOF_PRESENCE };
enum product_leave { LEAVE_CFUN0, LEAVE_CFUN4, LEAVE_CFUN1, LEAVE_AS_FOUND };

struct product_entry {
    uint32_t sec_tag;
    enum cred_type type;
    bool from_bundle; /* else from a file: the same for every board */
    struct span
        content; /* from a file: canonical octets as the modem gets them; lives as long as the product */
    struct digest sha256; /* of `content`; only when !from_bundle */
};

struct product {
    char name[PRODUCT_NAME_SIZE];
    char version[PRODUCT_VERSION_SIZE];
    enum product_source source;
    enum product_on_existing on_existing;
    enum product_second_visit second_visit;
    enum product_equal equal;
    bool is_crlf;        /* line_end */
    bool final_line_end; /* a line end behind the last line */
    enum product_proof proof;
    bool possession;
    bool native_tls;          /* boards run Serial LTE Modem with TLS of its own: job/place.h */
    bool signs_commands;      /* changes go as %XSUDO, signed by the station's key: job/rows_sudo.c */
    bool replaces_public_key; /* then: another's public key on the board gives way to the station's */
    bool attestation;         /* the board's attestation token is asked for and kept */
    enum product_leave leave;
    bool erases_keys; /* the station forgets private and pre-shared keys once a board has passed with them */
    uint32_t job_limit_s;
    uint32_t n_firmware_rules, n_model_rules;
    char firmware_rules[PRODUCT_RULES_MAX]
                       [PRODUCT_RULE_SIZE];                 /* ">=1.3.2", "==2.0.2", "ntn"; any may match */
    char model_rules[PRODUCT_RULES_MAX][PRODUCT_RULE_SIZE]; /* "nRF91*": `*` at the end only */
    char device_id[DEVICE_SCHEME_SIZE];                     /* the scheme of job/device_id.h; empty: any */
    enum device_cloud cloud;                                /* whose rules for names hold */
    char attributes[PRODUCT_ATTRIBUTES_SIZE]; /* source keygen: of the key's request, "O=Acme,C=no"; empty:
                                                 none */
    struct span issuer; /* PEM of the CAs that bundles' certificates must come from; empty: any. Lives as long
                           as the product */
    uint32_t n_entries;
    struct product_entry entries[PRODUCT_ENTRIES_MAX];
    const char *canonical; /* the text whose digest is `version`; lives as long as the product */
};

#endif
