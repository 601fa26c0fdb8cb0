/*
 * pki/csr, pki/base64url and pki/jwt: octets as an answer to %KEYGEN, as a request in DER, and as a token.
 * Properties: a request that is good stays good without its NULL, for the same key; an answer that is good is
 * so for one tag only; a token that no key of ours signed is never good.
 */
#include <assert.h>
#include <string.h>

#include "pki/base64url.h"
#include "pki/csr.h"
#include "pki/jwt.h"
#include "support/fuzz.h"

static void check_request(struct span der)
{
    struct csr csr, again;
    uint8_t normal[CSR_DER_MAX];
    int64_t len = csr_normalise(der, normal, sizeof(normal));
    if (csr_parse(der, &csr, NULL) != 0) {
        return;
    }
    assert(csr.spki_len > 0 && csr.spki_len <= CSR_SPKI_MAX && strlen(csr.subject_cn) < CSR_CN_SIZE);
    if (len > 0) {
        assert((size_t)len <= der.len);
        assert(csr_parse(span_of((const char *)normal, (size_t)len), &again, NULL) == 0);
        assert(digest_eq(&csr.fingerprint, &again.fingerprint));
    }
}

static void check_answer(struct span text)
{
    struct csr_reply reply, other;
    struct err_info why = {0};
    int r = csr_read_reply(text, 16842753, NULL, &reply, &why);
    assert((r == 0) == (why.code == 0));
    if (r == 0) {
        assert(reply.der_len <= CSR_DER_MAX && strlen(reply.uuid) == COSE_UUID_TEXT - 1);
        assert(csr_read_reply(text, 17, NULL, &other, NULL) == ERR_CONFLICT);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char no_certificate[] = "0";
    struct span text = span_of((const char *)data, size);
    uint8_t out[2048];
    int64_t len = base64url_decode(text, out, sizeof(out));
    assert(len < 0 || (size_t)len == size / 4 * 3 + (size % 4 ? size % 4 - 1 : 0));
    check_answer(text);
    check_request(text);
    if (len > 0) {
        check_request(span_of((const char *)out, (size_t)len));
    }
    assert(jwt_verify(text, span_of(no_certificate, 1), "nonce", NULL) != 0);
    return 0;
}
