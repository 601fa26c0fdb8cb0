#include "pki/jwt.h"

#include <errno.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/json.h"
#include "pki/base64url.h"
#include "pki/init.h"

#define SIGN_SIZE 64 /* r and s of 32 octets each, RFC 7518 3.4 */

struct parts {
    struct span header, payload, signature;
    struct span signed_text; /* the first two with their dot */
};

static bool split(struct span token, struct parts *ret)
{
    const char *end = token.at + token.len;
    const char *first = token.len > 0 && token.len <= JWT_MAX ? memchr(token.at, '.', token.len) : NULL;
    const char *second = first != NULL ? memchr(first + 1, '.', (size_t)(end - first - 1)) : NULL;
    if (second == NULL) {
        return false;
    }
    ret->header = span_of(token.at, (size_t)(first - token.at));
    ret->payload = span_of(first + 1, (size_t)(second - first - 1));
    ret->signature = span_of(second + 1, (size_t)(end - second - 1));
    ret->signed_text = span_of(token.at, (size_t)(second - token.at));
    return true;
}

/* Whether a part is an object in which `key` is `value`. ERR_FORMAT when it is no object at all. */
static int says(struct span part, const char *key, const char *value)
{
    uint8_t octets[JWT_MAX];
    int64_t len = base64url_decode(part, octets, sizeof(octets));
    struct json *object = NULL;
    if (len <= 0 ||
        json_parse(span_of((const char *)octets, (size_t)len), JSON_DEPTH_USUAL, &object, NULL) != 0) {
        return ERR_FORMAT;
    }
    const char *text = json_as_text(json_get(object, key));
    int r = text != NULL && strcmp(text, value) == 0 ? 0 : ERR_CONFLICT;
    json_free(object);
    return r;
}

static unsigned char *signature_der(const uint8_t raw[SIGN_SIZE], int *ret_len)
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, SIGN_SIZE / 2, NULL), *s = BN_bin2bn(raw + SIGN_SIZE / 2, SIGN_SIZE / 2, NULL);
    unsigned char *der = NULL;
    *ret_len = -1;
    if (sig != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(sig, r, s) == 1) {
        r = s = NULL; /* they are its own now */
        *ret_len = i2d_ECDSA_SIG(sig, &der);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(sig);
    return der;
}

static int check_signature(const struct parts *parts, EVP_PKEY *key, struct err_info *reterr)
{
    uint8_t raw[SIGN_SIZE];
    if (base64url_decode(parts->signature, raw, sizeof(raw)) != SIGN_SIZE) {
        return err_set(reterr, ERR_FORMAT, "the token's signature has not 64 octets");
    }
    int len = 0;
    unsigned char *der = signature_der(raw, &len);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int err = der == NULL || ctx == NULL ? -ENOMEM : 0;
    if (err == 0 && (EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) != 1 ||
                     EVP_DigestVerify(ctx, der, (size_t)len, (const unsigned char *)parts->signed_text.at,
                                      parts->signed_text.len) != 1)) {
        err = err_set(reterr, ERR_REFUSED, "the token is not signed by the key of the certificate");
    }
    EVP_MD_CTX_free(ctx);
    OPENSSL_free(der);
    return err;
}

static int verify_with(const struct parts *parts, EVP_PKEY *key, const char *audience,
                       struct err_info *reterr)
{
    char group[32] = "";
    if (key == NULL || !EVP_PKEY_is_a(key, "EC") ||
        EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) != 1 || strcmp(group, "prime256v1") != 0) {
        return err_set(reterr, ERR_FORMAT, "the certificate's key is not one of P-256");
    }
    if (says(parts->header, "alg", "ES256") != 0) {
        return err_set(reterr, ERR_FORMAT, "the token does not say ES256");
    }
    int err = check_signature(parts, key, reterr);
    if (err == 0 && says(parts->payload, "aud", audience) != 0) {
        err = err_set(reterr, ERR_CONFLICT, "the token is not an answer to this nonce");
    }
    return err;
}

static int verify(struct span token, struct span cert_der, const char *audience, struct err_info *reterr)
{
    struct parts parts;
    if (!split(token, &parts)) {
        return err_set(reterr, ERR_FORMAT, "the answer is no token of three parts");
    }
    const unsigned char *at = (const unsigned char *)cert_der.at;
    X509 *cert = d2i_X509(NULL, &at, (long)cert_der.len);
    int err = cert == NULL ? err_set(reterr, ERR_FORMAT, "the certificate cannot be read")
                           : verify_with(&parts, X509_get0_pubkey(cert), audience, reterr);
    X509_free(cert);
    ERR_clear_error();
    return err;
}

int jwt_verify(struct span token, struct span cert_der, const char *audience, struct err_info *reterr)
{
    uint64_t shortages = pki_shortages();
    struct err_info why = {0};
    int err = verify(token, cert_der, audience, &why);
    if (pki_shortages() != shortages) {
        return err_set(reterr, -ENOMEM, "no memory to verify a token");
    }
    return err == 0 ? 0 : err_set(reterr, err, "%s", why.text);
}
