/*
 * Templates of one's own for exports: text with names in braces, nothing that computes. What cannot be
 * written safely is refused, so that a name with a comma never shifts a column.
 *
 *   deviceId,attestationToken
 *   %%
 *   {deviceId},{attestationToken}
 *
 * Lines of "%%" alone part a template into what stands before the boards, what stands for each board, and
 * what stands behind them; with one part it is that for each board, with two those before and for each.
 *
 *   {name}        the value; a board whose value has a comma, quotation mark, backslash or control character
 * is an error {name|csv}    in quotation marks where RFC 4180 asks for them {name|quoted} always in quotation
 * marks, inner ones doubled {name|json}   as the inside of a JSON string {comma}       a comma before every
 * board but the first
 *   {{            an opening brace
 */
#ifndef CERTLINE_EXCHANGE_TEMPLATE_H
#define CERTLINE_EXCHANGE_TEMPLATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "exchange/text.h"

#define TEMPLATE_SIZE_MAX ((size_t)64 * 1024)

/* X(ENUM, name) */
#define TEMPLATE_FIELD_LIST(X)                                                                               \
    X(FIELD_DEVICE_ID, "deviceId")                                                                           \
    X(FIELD_IMEI, "imei")                                                                                    \
    X(FIELD_UUID, "uuid")                                                                                    \
    X(FIELD_MODEL, "model")                                                                                  \
    X(FIELD_MODEM_FIRMWARE, "modemFirmware")                                                                 \
    X(FIELD_UNIT_SERIAL, "unitSerial")                                                                       \
    X(FIELD_WORK_ORDER, "workOrder")                                                                         \
    X(FIELD_PRODUCT, "product")                                                                              \
    X(FIELD_LOT, "lot")                                                                                      \
    X(FIELD_BUNDLE, "bundle")                                                                                \
    X(FIELD_PASSED, "passed")                                                                                \
    X(FIELD_CERTIFICATE, "certificate")                                                                      \
    X(FIELD_CA, "ca")                                                                                        \
    X(FIELD_PSK_IDENTITY, "pskIdentity")                                                                     \
    X(FIELD_ATTESTATION_TOKEN, "attestationToken")                                                           \
    X(FIELD_SEC_TAG, "secTag")                                                                               \
    X(FIELD_COMMA, "comma")

enum template_field {
#define X(name, text) name,
    TEMPLATE_FIELD_LIST(X)
#undef X
};
#define TEMPLATE_FIELDS (FIELD_COMMA + 1)

struct template
{
    struct span before, row, after; /* in the text that was given */
    uint32_t fields;                /* a bit for each enum template_field that the row names */
};

/* Checks a whole template: 0, or ERR_FORMAT with line, column and what is wrong. `text` must live as long. */
int template_read(struct span text, struct template *ret, struct err_info *reterr);

/* Writes one of its parts. `values` are by enum template_field, NULL for before and after, where no names may
 * stand. 0, or ERR_REFUSED when a value cannot be written as it is. */
int template_write(struct span part, const struct span *values, struct text *out, struct err_info *reterr);

#endif
