#include "pki/attest.h"

#include <string.h>
#include <strings.h>

#include "base/secret.h"
#include "pki/base64url.h"

static int read_token(struct span token, struct cose_identity *ret, struct err_info *reterr)
{
    uint8_t message[ATTEST_TOKEN_MAX], proof[ATTEST_TOKEN_MAX];
    const char *dot =
        token.len > 0 && token.len <= ATTEST_TOKEN_MAX ? memchr(token.at, '.', token.len) : NULL;
    if (dot == NULL) {
        return err_set(reterr, ERR_FORMAT, "the token has no two parts");
    }
    size_t first = (size_t)(dot - token.at);
    int64_t len = base64url_decode(span_of(token.at, first), message, sizeof(message));
    int64_t proof_len = base64url_decode(span_skip(token, first + 1), proof, sizeof(proof));
    struct cose_sign1 sign1 = {0};
    int err = len <= 0 || proof_len <= 0 ? err_set(reterr, ERR_FORMAT, "the token is no base64url") : 0;
    if (err == 0) {
        err = cose_parse(span_of((const char *)proof, (size_t)proof_len), &sign1, reterr);
    }
    if (err == 0 && !sign1.is_detached) {
        err = err_set(reterr, ERR_FORMAT, "the token's signature is not over its first part");
    }
    if (err == 0) {
        err = cose_read_identity(span_of((const char *)message, (size_t)len), ret, reterr);
    }
    secret_wipe(message, sizeof(message));
    secret_wipe(proof, sizeof(proof));
    return err;
}

int attest_parse(struct span token, const char *uuid, struct attest *ret, struct err_info *reterr)
{
    struct cose_identity identity;
    struct attest attest = {0};
    int err = read_token(token, &identity, reterr);
    if (err != 0) {
        return err;
    }
    cose_uuid_text(identity.uuid, attest.uuid);
    cose_uuid_text(identity.firmware, attest.firmware_uuid);
    attest.device_type = identity.device_type;
    memcpy(attest.nonce, identity.nonce, sizeof(attest.nonce));
    if (uuid != NULL && uuid[0] != '\0' && strcasecmp(uuid, attest.uuid) != 0) {
        return err_set(reterr, ERR_CONFLICT, "the token is of device %s, not %s", attest.uuid, uuid);
    }
    *ret = attest;
    return 0;
}

const char *attest_device_name(uint32_t device_type)
{
    static const char *const names[] = {[1] = "nRF9160 SIAA", [2] = "nRF9160 SIBA", [3] = "nRF9160",
                                        [4] = "nRF9161 LACA", [5] = "nRF9131 LACA", [6] = "nRF9151 LACA"};
    bool is_known = device_type >= 1 && device_type < sizeof(names) / sizeof(*names);
    return is_known ? names[device_type] : "unknown";
}
