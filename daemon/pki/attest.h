/*
 * The answer to %ATTESTTOKEN: "<message>.<signed message>", both base64url without padding; the signature's
 * payload is detached, it is the first part. It names the device to Nordic's cloud, and whoever holds it can
 * claim the device there: a secret.
 */
#ifndef CERTLINE_PKI_ATTEST_H
#define CERTLINE_PKI_ATTEST_H

#include "base/err.h"
#include "base/span.h"
#include "pki/cose.h"

#define ATTEST_TOKEN_MAX 512 /* characters; Nordic's own library keeps 200 for it */

struct attest {
    char uuid[COSE_UUID_TEXT];
    char firmware_uuid[COSE_UUID_TEXT];
    uint32_t device_type;
    uint8_t nonce[COSE_NONCE_SIZE];
};

/* 0, or ERR_FORMAT with what is wrong; never a quotation. `uuid` (NULL or "": not known) must be the
 * device's: ERR_CONFLICT. */
int attest_parse(struct span token, const char *uuid, struct attest *ret, struct err_info *reterr);

/* "nRF9151 LACA", or "unknown". */
const char *attest_device_name(uint32_t device_type);

#endif
