/*
 * Where the modem keeps a product's entries. As a rule under their own tag and type; products with native TLS
 * have another place for each.
 *
 * Builds of Serial LTE Modem with TLS of their own must read keys back, which the modem allows of type 0
 * only. Their AT#XCMNG therefore stores tag and type as modem tag tag * 10 + type, always of type 0, and
 * AT%CMNG=1 lists them so (slm_at_cmng.c, slm_native_tls.c; recorded with nRF Connect SDK 2.1.2). What stands
 * under the same tag in the modem's own way, a key of %KEYGEN for instance, is no part of it. Builds since
 * 2024 keep them in flash of their own instead, where no digest of the modem's proves anything.
 */
#ifndef CERTLINE_JOB_PLACE_H
#define CERTLINE_JOB_PLACE_H

#include "job/product.h"

/* A tag above it has no place (MAX_SLM_SEC_TAG). */
#define PLACE_NATIVE_TAG_MAX (SEC_TAG_MAX / 10)

/* What native TLS loads of one tag into one buffer: CA, certificate and key, each with a NUL behind it
 * (MAX_CRDL_LEN, later CONFIG_SLM_NATIVE_TLS_CREDENTIAL_BUFFER_SIZE). */
#define PLACE_NATIVE_ROOM    4096

/* A row of the modem's list, without its digest. */
struct place {
    uint32_t sec_tag;
    uint32_t type;
};

/* Where an entry of this product is listed. With native TLS its tag is at most PLACE_NATIVE_TAG_MAX. */
struct place place_of(const struct product *product, uint32_t sec_tag, uint32_t type);

/* The other way: the tag and type, in the product's terms, of what is listed there. False: no entry of such a
 * product is ever listed there. */
bool place_origin(const struct product *product, struct place listed, struct place *ret_origin);

/* Octets of PLACE_NATIVE_ROOM that a content of this type and length takes. */
size_t place_native_need(enum cred_type type, size_t len);

#endif
