/*
 * One row of an import: a JSON object becomes a bundle that is checked, sealed and ready for the store, or is
 * refused with a reason and a sentence that says where.
 *
 *   {"id":"nrf-351465800000002","imei":"351465800000002","product":"tracker","lot":"2026-W47",
 *    "client_cert":"-----BEGIN CERTIFICATE-----\n…","private_key":"-----BEGIN PRIVATE KEY-----\n…"}
 *
 * `imei` and `lot` may be missing; the credentials are those that the product takes from a bundle, and may be
 * a `ca` that goes before the product's own. A `sec_tag` is held against the product's tags.
 */
#ifndef CERTLINE_EXCHANGE_ROW_H
#define CERTLINE_EXCHANGE_ROW_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "exchange/row_warn.h"
#include "job/product.h"
#include "job/verdict.h"
#include "pki/seal.h"
#include "store/store.h"

struct keys;

/* Octets that a row's sealed credentials may take. */
#define ROW_SEALED_MAX  ((size_t)CRED_TYPES * (CRED_CONTENT_MAX + SEAL_OVERHEAD))
#define ROW_DETAIL_SIZE 400

struct row_config {
    const struct keys *keys;
    const struct product *(*find_product)(void *ctx, const char *name); /* NULL: there is none */
    void *ctx;
    int64_t now_s; /* since 1970, or CONTENT_TIME_UNKNOWN: nobody asks for the end of validity */
};

/* Scratch in secret memory, used for one row after the other. */
struct row_reader;

struct row_reader *
row_reader_new(const struct row_config *config); /* NULL without memory; config is copied */
void row_reader_free(struct row_reader *reader);

struct row_refusal {
    enum reason reason;
    char detail[ROW_DETAIL_SIZE]; /* ends with the place, "(row 2, private_key)"; a remedy may follow */
};

/*
 * Reads the row with this number (from 1). Returns 0: `ret` is filled, its sealed spans lie in `sealed`
 * (ROW_SEALED_MAX octets). 1: refused, `refusal` says why; ret->id is set if it could be read, else empty.
 * Negative with *reterr: our own trouble (no wrapping key, no memory), no row can be read now.
 */
int row_read(struct row_reader *reader, struct span text, uint32_t number, struct store_import *ret,
             uint8_t *sealed, struct row_refusal *refusal, struct err_info *reterr);

/* Of the row that was read last, until the next one. */
const struct row_warnings *row_warnings(const struct row_reader *reader);

#endif
