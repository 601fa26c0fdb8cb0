/*
 * pki/cose and pki/attest over pki/cbor: octets as a signed message and as either message. Properties: what
 * is handed out lies in the text; what was read cannot be read with an octet more or less; a message is about
 * a key or about an identity, never both.
 */
#include <assert.h>
#include <string.h>

#include "pki/attest.h"
#include "pki/cose.h"
#include "support/fuzz.h"

static void check_inside(struct span part, const uint8_t *data, size_t size)
{
    const uint8_t *at = (const uint8_t *)part.at;
    assert(part.len == 0 || (at >= data && part.len <= size && at <= data + size - part.len));
}

static void check_sign1(const uint8_t *data, size_t size)
{
    struct cose_sign1 sign1;
    struct err_info why = {0};
    int r = cose_parse(span_of((const char *)data, size), &sign1, &why);
    assert((r == 0) == (why.code == 0));
    if (r != 0) {
        return;
    }
    check_inside(sign1.payload, data, size);
    check_inside(sign1.signature, data, size);
    assert(sign1.signature.len == COSE_SIGN_SIZE && (!sign1.is_detached || sign1.payload.len == 0));
    assert(cose_parse(span_of((const char *)data, size - 1), &sign1, NULL) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_of((const char *)data, size);
    struct cose_key key;
    struct cose_identity identity;
    struct attest attest;
    check_sign1(data, size);
    int is_key = cose_read_key(text, &key, NULL) == 0,
        is_identity = cose_read_identity(text, &identity, NULL) == 0;
    assert(!(is_key && is_identity));
    if (is_key) {
        assert(key.number == COSE_CSR || key.number == COSE_PUBLIC_KEY);
        assert(cose_read_key(span_of(text.at, size - 1), &key, NULL) != 0);
    }
    if (attest_parse(text, NULL, &attest, NULL) == 0) {
        assert(strlen(attest.uuid) == COSE_UUID_TEXT - 1 && attest_device_name(attest.device_type) != NULL);
    }
    return 0;
}
