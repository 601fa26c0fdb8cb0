/*
 * A CA's key behind PKCS#11 (OASIS, version 2.40; the interface's names come from p11-kit's header, the
 * module is loaded at run time). The text is digested here and only the digest goes to the token, since
 * hashing on the token would be one more mechanism that not all of them have.
 *
 * A token that was pulled or restarted loses its session. So a signature that fails is tried a second time in
 * a session of its own; the PIN is kept for that, in locked memory.
 */
#include <dlfcn.h>
#include <errno.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <p11-kit/pkcs11.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "pki/signer_impl.h"

#define SLOTS_MAX   64
#define LABEL_SIZE  32 /* of a token: padded with blanks, no NUL */
#define OBJECT_SIZE 128
#define ECDSA_MAX   132 /* r and s on P-521, more than is let in */

struct token_signer {
    struct signer signer;
    void *library;
    CK_FUNCTION_LIST *call;
    bool is_initialised, has_session;
    CK_SLOT_ID slot;
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE key;
    char token[LABEL_SIZE];
    char object[OBJECT_SIZE];
    char *pin; /* secret memory */
    size_t pin_len;
};

/* ---- what a token says */

static const char *what(CK_RV rv)
{
    switch (rv) {
    case CKR_PIN_INCORRECT:
        return "the PIN is wrong";
    case CKR_PIN_LOCKED:
        return "the PIN is locked";
    case CKR_PIN_LEN_RANGE:
        return "the PIN has an impossible length";
    case CKR_TOKEN_NOT_PRESENT:
    case CKR_DEVICE_REMOVED:
        return "the token is gone";
    case CKR_DEVICE_MEMORY:
    case CKR_HOST_MEMORY:
        return "memory is short";
    case CKR_KEY_FUNCTION_NOT_PERMITTED:
    case CKR_KEY_TYPE_INCONSISTENT:
    case CKR_MECHANISM_INVALID:
        return "the key cannot sign in this way";
    case CKR_USER_NOT_LOGGED_IN:
        return "nobody is logged in";
    default: /* of some hundred numbers, most are for programmers */
        return "it refuses";
    }
}

static int refuse(CK_RV rv, const char *doing, struct err_info *reterr)
{
    bool is_pin = rv == CKR_PIN_INCORRECT || rv == CKR_PIN_LOCKED || rv == CKR_PIN_LEN_RANGE;
    return err_set(reterr, is_pin ? ERR_REFUSED : ERR_CRYPTO, "%s on the token: %s (PKCS#11 0x%lx)", doing,
                   what(rv), (unsigned long)rv);
}

/* ---- module, slot, session */

static int load(struct token_signer *t, const char *module, struct err_info *reterr)
{
    t->library = dlopen(module, RTLD_NOW | RTLD_LOCAL);
    if (t->library == NULL) {
        return err_set(reterr, ERR_NOT_FOUND, "the PKCS#11 module cannot be loaded: %s", dlerror());
    }
    CK_C_GetFunctionList get = NULL;
    void *symbol = dlsym(t->library, "C_GetFunctionList");
    memcpy(&get, &symbol, sizeof(get)); /* ISO C knows no conversion between the two kinds of pointer */
    if (get == NULL || get(&t->call) != CKR_OK || t->call == NULL) {
        return err_set(reterr, ERR_NOT_FOUND, "%s is no PKCS#11 module", module);
    }
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
    CK_RV rv = t->call->C_Initialize(&args);
    t->is_initialised = rv == CKR_OK;
    return rv == CKR_OK || rv == CKR_CRYPTOKI_ALREADY_INITIALIZED ? 0 : refuse(rv, "starting", reterr);
}

static int find_slot(struct token_signer *t, struct err_info *reterr)
{
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_ULONG n = SLOTS_MAX;
    CK_RV rv = t->call->C_GetSlotList(CK_TRUE, slots, &n);
    for (CK_ULONG i = 0; rv == CKR_OK && i < n; i++) {
        CK_TOKEN_INFO info;
        if (t->call->C_GetTokenInfo(slots[i], &info) == CKR_OK &&
            memcmp(info.label, t->token, LABEL_SIZE) == 0) {
            t->slot = slots[i];
            return 0;
        }
    }
    return err_set(reterr, ERR_NOT_FOUND, "there is no token with the label \"%.*s\"", LABEL_SIZE, t->token);
}

static int find_key(struct token_signer *t, struct err_info *reterr)
{
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE wanted[] = {
        {CKA_CLASS, &class, sizeof(class)},
        {CKA_LABEL, t->object, strlen(t->object)},
    };
    CK_OBJECT_HANDLE found[2];
    CK_ULONG n = 0;
    CK_RV rv = t->call->C_FindObjectsInit(t->session, wanted, t->object[0] ? 2 : 1);
    if (rv == CKR_OK) {
        rv = t->call->C_FindObjects(t->session, found, 2, &n);
        (void)t->call->C_FindObjectsFinal(t->session);
    }
    if (rv != CKR_OK) {
        return refuse(rv, "looking for the key", reterr);
    }
    if (n != 1) {
        return err_set(reterr, ERR_NOT_FOUND,
                       n == 0 ? "there is no private key \"%s\" on the token"
                              : "there are several private keys \"%s\" on the token",
                       t->object);
    }
    t->key = found[0];
    return 0;
}

static void end_session(struct token_signer *t)
{
    if (t->has_session) {
        (void)t->call->C_CloseSession(t->session); /* of the last one: logs out as well */
    }
    t->has_session = false;
}

static int begin_session(struct token_signer *t, struct err_info *reterr)
{
    end_session(t);
    int err = find_slot(t, reterr);
    if (err != 0) {
        return err;
    }
    CK_RV rv = t->call->C_OpenSession(t->slot, CKF_SERIAL_SESSION, NULL, NULL, &t->session);
    if (rv != CKR_OK) {
        return refuse(rv, "a session", reterr);
    }
    t->has_session = true;
    rv = t->call->C_Login(t->session, CKU_USER, (CK_UTF8CHAR *)t->pin, t->pin_len);
    if (rv != CKR_OK && rv != CKR_USER_ALREADY_LOGGED_IN) {
        return refuse(rv, "logging in", reterr);
    }
    return find_key(t, reterr);
}

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
    CK_RV rv =
        t->has_session ? t->call->C_SignInit(t->session, &mechanism, t->key) : CKR_SESSION_HANDLE_INVALID;
    if (rv == CKR_OK) {
        rv = t->call->C_Sign(t->session, (CK_BYTE *)(uintptr_t)digest, digest_len, raw, &len);
    }
    if (rv != CKR_OK) {
        return refuse(rv, "signing", reterr);
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
        int err = begin_session(t, reterr);
        n = err == 0 ? sign_once(t, digest, len, out, reterr) : ERR_CRYPTO;
    }
    return n;
}

/* ---- opening and closing */

static void token_close(struct signer *signer)
{
    struct token_signer *t = (struct token_signer *)signer;
    end_session(t);
    if (t->is_initialised) {
        (void)t->call->C_Finalize(NULL);
    }
    if (t->library != NULL) {
        dlclose(t->library);
    }
    secret_free(t->pin);
}

static const struct signer_kind token_kind = {.sign = token_sign, .close = token_close};

static int keep_place(struct token_signer *t, const struct signer_token *place, struct span pin,
                      struct err_info *reterr)
{
    size_t len = strlen(place->token);
    if (len == 0 || len > LABEL_SIZE || (place->object != NULL && strlen(place->object) >= OBJECT_SIZE)) {
        return err_set(reterr, ERR_RANGE, "the label of a token has 1 to %d characters", LABEL_SIZE);
    }
    memset(t->token, ' ', LABEL_SIZE);
    memcpy(t->token, place->token, len);
    (void)snprintf(t->object, sizeof(t->object), "%s", place->object != NULL ? place->object : "");
    t->pin = secret_alloc(pin.len + 1);
    if (t->pin == NULL) {
        return err_set(reterr, -ENOMEM, "no memory for the signer");
    }
    memcpy(t->pin, pin.at, pin.len);
    t->pin_len = pin.len;
    return 0;
}

int signer_open_token(struct span certificate, const struct signer_token *place, struct span pin,
                      struct signer **ret, struct err_info *reterr)
{
    struct token_signer *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        return err_set(reterr, -ENOMEM, "no memory for the signer");
    }
    int err = signer_init(&t->signer, &token_kind, certificate, reterr);
    if (err == 0) {
        err = keep_place(t, place, pin, reterr);
    }
    if (err == 0) {
        err = load(t, place->module, reterr);
    }
    if (err == 0) {
        err = begin_session(t, reterr);
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
