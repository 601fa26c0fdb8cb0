/*
 * Exports: the boards that passed, as the clouds and their tools take them, byte for byte. A format is a row
 * of a table: a template (exchange/template.h), what a board must have for it, and how many boards go into
 * one file. Certificates are sealed in the store like everything else and are opened here, off the line's
 * thread; private keys and pre-shared keys are never written. Files with attestation tokens are secret.
 *
 *   onboarding           nRF Cloud, before the first connection: deviceId,subType,tags,fwTypes,"certPem"
 *   devinfo              nrfcloud-utils: deviceId,modemFirmware,imei
 *   attestation_tokens   nrfcloud-utils: imei,uuid,attestationToken,isoDateTime
 *   claim                nRF Cloud provisioning service: "attestationToken"
 *   manager              Certificate Manager's JSON, one file a board, without the private key
 *   aws                  AWS IoT bulk registration: one JSON object a line
 *   azure                Azure DPS: enrolments, ten a call
 *   template             one's own
 */
#ifndef CERTLINE_EXCHANGE_EXPORT_H
#define CERTLINE_EXCHANGE_EXPORT_H

#include <stdint.h>

#include "base/err.h"
#include "exchange/text.h"
#include "job/product.h"
#include "store/read.h"

struct keys;

#define EXPORT_FORMAT_LIST(X)                                                                                \
    X(EXPORT_ONBOARDING, "onboarding")                                                                       \
    X(EXPORT_DEVINFO, "devinfo")                                                                             \
    X(EXPORT_ATTESTATION_TOKENS, "attestation_tokens")                                                       \
    X(EXPORT_CLAIM, "claim")                                                                                 \
    X(EXPORT_MANAGER, "manager")                                                                             \
    X(EXPORT_AWS, "aws")                                                                                     \
    X(EXPORT_AZURE, "azure")                                                                                 \
    X(EXPORT_TEMPLATE, "template")

enum export_format {
#define X(name, text) name,
    EXPORT_FORMAT_LIST(X)
#undef X
};
const char *export_format_name(enum export_format format);
int export_format_from_name(const char *name); /* or -1 */
const char *export_content_type(enum export_format format);

/* Whether attestation tokens stand in such a file; `template` is that of EXPORT_TEMPLATE. */
bool export_has_secrets(enum export_format format, struct span template);

/* What a part's file is called: "onboarding-001.csv". `n` from 1; `only` when there is one part: no number.
 */
#define EXPORT_NAME_SIZE 192
void export_file_name(enum export_format format, uint32_t n, const char *device_id,
                      char out[EXPORT_NAME_SIZE]);

struct export_config {
    const struct keys *keys;
    const struct product *(*find_product)(void *ctx, const char *name); /* NULL: there is none any more */
    void *ctx;
};

struct export_request {
    enum export_format format;
    struct store_export_filter filter; /* its limit: 0 or more than the format's counts as the format's */
    struct span template;              /* EXPORT_TEMPLATE: its text */
    bool may_have_secrets;             /* whoever asks may be given attestation tokens */
};

/* One file. Ended with export_part_done. */
struct export_part {
    struct text text; /* its is_secret: attestation tokens may stand in it */
    uint32_t n_rows, n_skipped;
    struct text skipped;            /* a line for each: "351465800000002: why it is not in it" */
    char device_id[DEVICE_ID_SIZE]; /* of its first board */
    char first[IMEI_SIZE], last[IMEI_SIZE];
    char next[STORE_CURSOR_SIZE]; /* where the next part begins; empty: this is the last one */
};
void export_part_done(struct export_part *part);

/*
 * Reads and writes one part, in one moment of the database. Returns 0; ERR_FORMAT for a cursor or a template
 * that is none; ERR_REFUSED when the wrapping key is missing; -EACCES for secrets that the caller may not
 * have; the reader's failures. A board that lacks what the format needs is left out and named in `skipped`.
 */
int export_part(const struct export_config *config, struct store_reader *reader,
                const struct export_request *request, struct export_part *ret, struct err_info *reterr);

#endif
