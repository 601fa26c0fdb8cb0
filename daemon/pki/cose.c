#include "pki/cose.h"

#include <string.h>

#include "pki/cbor.h"

#define TAG_SELF_DESCRIBED 55799
#define TAG_SIGN1          18
#define HEADER_ALGORITHM   1
#define HEADER_KEY         4
#define ES256              (-7)
#define KEY_IDENTITY       (-2)

/* One number under one label in a map, nothing else. */
static bool read_header(struct cbor_reader *r, int64_t label, int64_t *ret)
{
    int64_t found = 0;
    bool is_read = cbor_read_map(r, 1) && cbor_read_int(r, &found) && cbor_read_int(r, ret);
    return is_read && found == label;
}

static bool is_es256(struct span header)
{
    struct cbor_reader r = cbor_read_begin(header);
    int64_t algorithm = 0;
    return read_header(&r, HEADER_ALGORITHM, &algorithm) && algorithm == ES256 && cbor_read_end(&r);
}

/* { 4: h'21' }: the key's id is CBOR inside a byte string. */
static bool read_key_id(struct cbor_reader *r)
{
    int64_t label = 0, key = 0;
    struct span id = {0};
    if (!cbor_read_map(r, 1) || !cbor_read_int(r, &label) || !cbor_read_bytes(r, &id) ||
        label != HEADER_KEY) {
        return false;
    }
    struct cbor_reader inner = cbor_read_begin(id);
    return cbor_read_int(&inner, &key) && cbor_read_end(&inner) && key == KEY_IDENTITY;
}

int cose_parse(struct span octets, struct cose_sign1 *ret, struct err_info *reterr)
{
    struct cbor_reader r = cbor_read_begin(octets);
    struct cose_sign1 sign1 = {0};
    struct span header = {0};
    if (!cbor_read_tag(&r, TAG_SIGN1) || !cbor_read_array(&r, 4) || !cbor_read_bytes(&r, &header)) {
        return err_set(reterr, ERR_FORMAT, "the signed message is no COSE_Sign1");
    }
    if (!is_es256(header)) {
        return err_set(reterr, ERR_FORMAT, "the signed message does not say ES256");
    }
    if (!read_key_id(&r)) {
        return err_set(reterr, ERR_FORMAT, "the signed message does not name the identity key");
    }
    sign1.is_detached = cbor_next_is_null(&r);
    bool has_payload = sign1.is_detached ? cbor_read_null(&r) : cbor_read_bytes(&r, &sign1.payload);
    if (!has_payload || !cbor_read_bytes(&r, &sign1.signature) || !cbor_read_end(&r) ||
        sign1.signature.len != COSE_SIGN_SIZE) {
        return err_set(reterr, ERR_FORMAT, "the signed message has no payload and signature of 64 octets");
    }
    *ret = sign1;
    return 0;
}

/* A message up to its UUID, which all of them begin with. */
static bool begin_message(struct cbor_reader *r, uint64_t *ret_number, uint8_t uuid[COSE_UUID_SIZE])
{
    return cbor_read_tag(r, TAG_SELF_DESCRIBED) && cbor_read_array(r, 5) && cbor_read_uint(r, ret_number) &&
           cbor_read_bytes_of(r, uuid, COSE_UUID_SIZE);
}

int cose_read_key(struct span message, struct cose_key *ret, struct err_info *reterr)
{
    struct cbor_reader r = cbor_read_begin(message);
    struct cose_key key = {0};
    struct span tag_octets = {0};
    uint64_t number = 0, tag = 0;
    if (!begin_message(&r, &number, key.uuid) || (number != COSE_CSR && number != COSE_PUBLIC_KEY)) {
        return err_set(reterr, ERR_FORMAT, "the signed message is not about a new key");
    }
    (void)cbor_read_bytes(&r, &tag_octets);
    struct cbor_reader inner = cbor_read_begin(tag_octets);
    if (r.is_bad || !cbor_read_uint(&inner, &tag) || !cbor_read_end(&inner) || tag > UINT32_MAX) {
        return err_set(reterr, ERR_FORMAT, "the signed message names no security tag");
    }
    if (!cbor_read_bytes_of(&r, key.sha256.octets, DIGEST_SIZE) ||
        !cbor_read_bytes_of(&r, key.nonce, COSE_NONCE_SIZE) || !cbor_read_end(&r)) {
        return err_set(reterr, ERR_FORMAT, "the signed message has no digest and nonce");
    }
    key.number = (enum cose_message)number;
    key.sec_tag = (uint32_t)tag;
    *ret = key;
    return 0;
}

int cose_read_identity(struct span message, struct cose_identity *ret, struct err_info *reterr)
{
    struct cbor_reader r = cbor_read_begin(message);
    struct cose_identity identity = {0};
    uint64_t number = 0, type = 0;
    if (!begin_message(&r, &number, identity.uuid) || number != COSE_DEVICE_IDENTITY) {
        return err_set(reterr, ERR_FORMAT, "the message is not about the device's identity");
    }
    if (!cbor_read_uint(&r, &type) || type > UINT32_MAX ||
        !cbor_read_bytes_of(&r, identity.firmware, COSE_UUID_SIZE) ||
        !cbor_read_bytes_of(&r, identity.nonce, COSE_NONCE_SIZE) || !cbor_read_end(&r)) {
        return err_set(reterr, ERR_FORMAT, "the message has no type, firmware and nonce");
    }
    identity.device_type = (uint32_t)type;
    *ret = identity;
    return 0;
}

void cose_uuid_text(const uint8_t uuid[COSE_UUID_SIZE], char out[COSE_UUID_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    size_t n = 0;
    for (size_t i = 0; i < COSE_UUID_SIZE; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            out[n++] = '-';
        }
        out[n++] = digits[uuid[i] >> 4];
        out[n++] = digits[uuid[i] & 15];
    }
    out[n] = '\0';
}
