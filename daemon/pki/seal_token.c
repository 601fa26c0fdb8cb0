#include "pki/seal_token.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "pki/token_impl.h"

static const char label[] = "certline wrapping key 1"; /* with its NUL */
#define TEXT_SIZE (4 + sizeof(label) + SEAL_KEY_SIZE + 4)

struct seal_token {
    struct token token;
};

int seal_token_open(const struct token_place *place, struct span pin, struct seal_token **ret,
                    struct err_info *reterr)
{
    struct seal_token *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        return err_set(reterr, -ENOMEM, "no memory for the token");
    }
    int err = token_open(&t->token, place, pin, CKO_SECRET_KEY, reterr);
    if (err != 0) {
        seal_token_close(t);
        return err;
    }
    *ret = t;
    return 0;
}

void seal_token_close(struct seal_token *token)
{
    if (token != NULL) {
        token_end(&token->token);
        free(token);
    }
}

/* Block i of the key, from 1. */
static CK_RV make_block(struct token *t, CK_MECHANISM_TYPE type, const uint8_t *seed, uint8_t i, uint8_t *out,
                        size_t size)
{
    uint8_t text[TEXT_SIZE] = {0, 0, 0, i};
    CK_MECHANISM mechanism = {.mechanism = type};
    CK_ULONG len = size;
    memcpy(text + 4, label, sizeof(label));
    memcpy(text + 4 + sizeof(label), seed, SEAL_KEY_SIZE);
    text[TEXT_SIZE - 2] = 1; /* 256 */
    CK_RV rv = t->call->C_SignInit(t->session, &mechanism, t->key);
    rv = rv == CKR_OK ? t->call->C_Sign(t->session, text, sizeof(text), out, &len) : rv;
    return rv == CKR_OK && len != size ? CKR_FUNCTION_FAILED : rv;
}

int seal_token_make(struct seal_token *token, const uint8_t seed[SEAL_KEY_SIZE], uint8_t out[SEAL_KEY_SIZE],
                    struct err_info *reterr)
{
    struct token *t = &token->token;
    CK_KEY_TYPE kind = 0;
    CK_ATTRIBUTE asked = {CKA_KEY_TYPE, &kind, sizeof(kind)};
    CK_RV rv = t->call->C_GetAttributeValue(t->session, t->key, &asked, 1);
    bool is_aes = kind == CKK_AES;
    if (rv == CKR_OK && !is_aes && kind != CKK_GENERIC_SECRET && kind != CKK_SHA256_HMAC) {
        return err_set(reterr, ERR_REFUSED,
                       "the secret key \"%s\" on the token is neither AES nor a generic secret", t->object);
    }
    size_t size = is_aes ? SEAL_KEY_SIZE / 2 : SEAL_KEY_SIZE;
    for (size_t at = 0; rv == CKR_OK && at < SEAL_KEY_SIZE; at += size) {
        rv = make_block(t, is_aes ? CKM_AES_CMAC : CKM_SHA256_HMAC, seed, (uint8_t)(at / size + 1), out + at,
                        size);
    }
    if (rv != CKR_OK) {
        secret_wipe(out, SEAL_KEY_SIZE);
        return token_refuse(rv, "making the wrapping key", reterr);
    }
    return 0;
}
