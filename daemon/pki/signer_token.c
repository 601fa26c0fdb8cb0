/*
 * A CA's key behind PKCS#11. The text is digested here and only the digest goes to the token, since hashing
 * on the token would be one more mechanism that not all of them have. A signature that fails is tried a
 * second time in a session of its own.
 */
#include <errno.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "pki/signer_impl.h"
#include "pki/token_impl.h"

#define ECDSA_MAX 132 /* r and s on P-521, more than is let in */

struct token_signer {
    struct signer signer;
    struct token token;
};

/* ---- signing */

/* DigestInfo of PKCS#1 up to SHA-256's digest (RFC 8017, 9.2). */
static const uint8_t sha256_info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                      0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};

/* What the token signs: a digest, for RSA with its name. Returns its length, or 0. */
static size_t digest_text(const struct signer *signer, struct span text, uint8_t out[128])
{
    bool is_rsa = signer->algorithm == SIGNER_RSA_SHA256;
    size_t at = is_rsa ? sizeof(sha256_info) : 0;
    unsigned len = 0;
    memcpy(out, sha256_info, at);
    return EVP_Digest(text.at, text.len, out + at, &len, signer_digest(signer->algorithm), NULL) == 1
               ? at + len
               : 0;
}

/* r and s behind one another → DER. Returns the length, or ERR_CRYPTO. */
static int64_t ecdsa_der(const uint8_t *raw, size_t len, uint8_t out[SIGNER_SIGNATURE_MAX])
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, (int)(len / 2), NULL), *s = BN_bin2bn(raw + len / 2, (int)(len / 2), NULL);
    int64_t n = ERR_CRYPTO;
    if (sig != NULL && r != NULL && s != NULL && len > 0 && len % 2 == 0 && ECDSA_SIG_set0(sig, r, s) == 1) {
        r = s = NULL; /* they are its own now */
        n = i2d_ECDSA_SIG(sig, NULL) <= SIGNER_SIGNATURE_MAX ? i2d_ECDSA_SIG(sig, &out) : ERR_CRYPTO;
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(sig);
    return n;
}

static int64_t sign_once(struct token_signer *t, const uint8_t *digest, size_t digest_len,
                         uint8_t out[SIGNER_SIGNATURE_MAX], struct err_info *reterr)
{
    bool is_rsa = t->signer.algorithm == SIGNER_RSA_SHA256;
    CK_MECHANISM mechanism = {.mechanism = is_rsa ? CKM_RSA_PKCS : CKM_ECDSA};
    uint8_t raw[SIGNER_SIGNATURE_MAX];
    CK_ULONG len = is_rsa ? sizeof(raw) : ECDSA_MAX;
    CK_RV rv = t->token.has_session ? t->token.call->C_SignInit(t->token.session, &mechanism, t->token.key)
                                    : CKR_SESSION_HANDLE_INVALID;
    if (rv == CKR_OK) {
        rv = t->token.call->C_Sign(t->token.session, (CK_BYTE *)(uintptr_t)digest, digest_len, raw, &len);
    }
    if (rv != CKR_OK) {
        return token_refuse(rv, "signing", reterr);
    }
    if (!is_rsa) {
        return ecdsa_der(raw, len, out);
    }
    memcpy(out, raw, len);
    return (int64_t)len;
}

static int64_t token_sign(struct signer *signer, struct span text, uint8_t out[SIGNER_SIGNATURE_MAX],
                          struct err_info *reterr)
{
    struct token_signer *t = (struct token_signer *)signer;
    uint8_t digest[128];
    size_t len = digest_text(signer, text, digest);
    if (len == 0) {
        return err_set(reterr, ERR_CRYPTO, "OpenSSL cannot digest");
    }
    int64_t n = sign_once(t, digest, len, out, NULL);
    if (n < 0) {
        int err = token_begin(&t->token, reterr);
        n = err == 0             ? sign_once(t, digest, len, out, reterr)
            : err == ERR_REFUSED ? ERR_REFUSED /* the PIN: trying again would lock it */
                                 : ERR_CRYPTO;
    }
    return n;
}

/* ---- opening and closing */

static void token_close(struct signer *signer)
{
    token_end(&((struct token_signer *)signer)->token);
}

static const struct signer_kind token_kind = {.sign = token_sign, .close = token_close};

int signer_open_token(struct span certificate, const struct token_place *place, struct span pin,
                      struct signer **ret, struct err_info *reterr)
{
    struct token_signer *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        return err_set(reterr, -ENOMEM, "no memory for the signer");
    }
    int err = signer_init(&t->signer, &token_kind, certificate, reterr);
    if (err == 0) {
        err = token_open(&t->token, place, pin, CKO_PRIVATE_KEY, reterr);
    }
    if (err == 0) {
        err = signer_check_key(&t->signer, reterr);
    }
    if (err != 0) {
        signer_close(&t->signer);
        return err;
    }
    *ret = &t->signer;
    return 0;
}
