#include "pki/csr.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "pki/base64url.h"
#include "pki/digest.h"
#include "pki/ec.h"
#include "pki/init.h"

#define COSE_MAX 512

static X509_REQ *read_der(struct span der)
{
    const unsigned char *at = (const unsigned char *)der.at;
    X509_REQ *req = der.len <= CSR_DER_MAX ? d2i_X509_REQ(NULL, &at, (long)der.len) : NULL;
    if (req != NULL && at != (const unsigned char *)der.at + der.len) {
        X509_REQ_free(req);
        return NULL;
    }
    return req;
}

static void copy_cn(const X509_REQ *req, char out[CSR_CN_SIZE])
{
    const X509_NAME *name = X509_REQ_get_subject_name(req);
    int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    const ASN1_STRING *value = at < 0 ? NULL : X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
    out[0] = '\0';
    if (value == NULL) {
        return;
    }
    buf_copy(out, CSR_CN_SIZE,
             span_of((const char *)ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value)));
    for (char *c = out; *c != '\0'; c++) {
        *c = *c >= ' ' && *c < 0x7F ? *c : '?';
    }
}

static int take_key(X509_REQ *req, struct csr *ret, struct err_info *reterr)
{
    X509_PUBKEY *pubkey = X509_REQ_get_X509_PUBKEY(req);
    X509_ALGOR *algor = NULL;
    const unsigned char *octets = NULL;
    int len = 0;
    struct ec_point point;
    if (pubkey == NULL || X509_PUBKEY_get0_param(NULL, &octets, &len, &algor, pubkey) != 1 || len <= 0 ||
        ec_kind_of(algor) != KEY_P256 ||
        ec_point_read(KEY_P256, span_of((const char *)octets, (size_t)len), &point) != 0) {
        return err_set(reterr, ERR_FORMAT, "the request's key is not one of P-256");
    }
    ec_fingerprint(KEY_P256, &point, &ret->fingerprint);
    int size = i2d_X509_PUBKEY(pubkey, NULL);
    if (size <= 0 || size > CSR_SPKI_MAX) {
        return err_set(reterr, ERR_FORMAT, "the request's key has an unusual form");
    }
    unsigned char *out = ret->spki;
    ret->spki_len = (size_t)i2d_X509_PUBKEY(pubkey, &out);
    return 0;
}

int csr_parse(struct span der, struct csr *ret, struct err_info *reterr)
{
    struct csr csr = {0};
    X509_REQ *req = read_der(der);
    int err = req == NULL ? err_set(reterr, ERR_FORMAT, "the certificate request is damaged") : 0;
    if (err == 0) {
        err = take_key(req, &csr, reterr);
    }
    EVP_PKEY *key = err == 0 ? X509_REQ_get0_pubkey(req) : NULL;
    if (err == 0 && (key == NULL || X509_REQ_verify(req, key) != 1)) {
        err = err_set(reterr, ERR_FORMAT, "the certificate request is not signed by its own key");
    }
    if (err == 0) {
        copy_cn(req, csr.subject_cn);
        *ret = csr;
    }
    X509_REQ_free(req);
    ERR_clear_error();
    return err;
}

/* What was signed is kept as it was read, so that only the algorithm behind it is written anew. */
int64_t csr_normalise(struct span der, uint8_t *out, size_t size)
{
    X509_REQ *req = read_der(der);
    const ASN1_BIT_STRING *signature = NULL;
    const X509_ALGOR *algor = NULL;
    int64_t len = ERR_FORMAT;
    if (req != NULL) {
        X509_REQ_get0_signature(req, &signature, &algor);
        int nid = OBJ_obj2nid(algor->algorithm);
        bool is_set =
            nid == NID_ecdsa_with_SHA256 &&
            X509_ALGOR_set0((X509_ALGOR *)(uintptr_t)algor, OBJ_nid2obj(nid), V_ASN1_UNDEF, NULL) == 1;
        len = is_set ? i2d_X509_REQ(req, NULL) : ERR_FORMAT;
    }
    if (len > 0 && (uint64_t)len > size) {
        len = ERR_FULL;
    }
    if (len > 0) {
        len = i2d_X509_REQ(req, &out);
    }
    X509_REQ_free(req);
    ERR_clear_error();
    return len;
}

/* ---- the whole answer */

static int read_parts(struct span text, struct csr_reply *ret, struct err_info *reterr)
{
    const char *dot = text.len > 0 ? memchr(text.at, '.', text.len) : NULL;
    if (dot == NULL) {
        return err_set(reterr, ERR_FORMAT, "the answer has no two parts");
    }
    size_t first = (size_t)(dot - text.at);
    uint8_t octets[COSE_MAX];
    int64_t len = base64url_decode(span_of(text.at, first), ret->der, sizeof(ret->der));
    int64_t cose_len = base64url_decode(span_skip(text, first + 1), octets, sizeof(octets));
    if (len <= 0 || cose_len <= 0) {
        return err_set(reterr, ERR_FORMAT, "the answer is no base64url of a usual length");
    }
    ret->der_len = (size_t)len;
    struct cose_sign1 sign1;
    int err = cose_parse(span_of((const char *)octets, (size_t)cose_len), &sign1, reterr);
    if (err == 0 && sign1.is_detached) {
        err = err_set(reterr, ERR_FORMAT, "the signed message has no payload");
    }
    return err == 0 ? cose_read_key(sign1.payload, &ret->key, reterr) : err;
}

static int check_digest(const struct csr_reply *reply, struct err_info *reterr)
{
    struct digest seen;
    sha256(span_of((const char *)reply->der, reply->der_len), &seen);
    return digest_eq(&seen, &reply->key.sha256)
               ? 0
               : err_set(reterr, ERR_FORMAT, "the request is not the one whose digest the modem signed");
}

static int read_reply(struct span text, uint32_t sec_tag, const char *uuid, struct csr_reply *ret,
                      struct err_info *reterr)
{
    struct csr_reply reply = {0};
    int err = read_parts(text, &reply, reterr);
    if (err == 0) {
        err = check_digest(&reply, reterr);
    }
    if (err == 0 && reply.key.number != COSE_CSR) {
        err = err_set(reterr, ERR_CONFLICT, "the modem answered with a public key in place of a request");
    }
    if (err == 0) {
        err = csr_parse(span_of((const char *)reply.der, reply.der_len), &reply.csr, reterr);
    }
    if (err == 0 && reply.key.sec_tag != sec_tag) {
        err = err_set(reterr, ERR_CONFLICT, "the key was made under tag %u, not %u", reply.key.sec_tag,
                      sec_tag);
    }
    cose_uuid_text(reply.key.uuid, reply.uuid);
    if (err == 0 && uuid != NULL && uuid[0] != '\0' && strcasecmp(uuid, reply.uuid) != 0) {
        err = err_set(reterr, ERR_CONFLICT, "the key was made by device %s, not %s", reply.uuid, uuid);
    }
    if (err == 0) {
        *ret = reply;
    }
    return err;
}

int csr_read_reply(struct span text, uint32_t sec_tag, const char *uuid, struct csr_reply *ret,
                   struct err_info *reterr)
{
    uint64_t shortages = pki_shortages();
    struct err_info why = {0};
    int err = read_reply(text, sec_tag, uuid, ret, &why);
    if (pki_shortages() != shortages) {
        return err_set(reterr, -ENOMEM, "no memory to read a certificate request");
    }
    return err == 0 ? 0 : err_set(reterr, err, "%s", why.text);
}
