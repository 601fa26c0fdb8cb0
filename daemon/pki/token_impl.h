/*
 * A session with a PKCS#11 token. Private to pki/. One thread at a time. A module is a thing of the whole
 * process: whoever initialised it ends it for all, so two tokens of one module may be open one after the
 * other, and not the first one closed while the second one is in use.
 */
#ifndef CERTLINE_PKI_TOKEN_IMPL_H
#define CERTLINE_PKI_TOKEN_IMPL_H

#include <p11-kit/pkcs11.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/span.h"
#include "pki/token.h"

#define TOKEN_LABEL_SIZE  32 /* of a token: padded with blanks, no NUL */
#define TOKEN_OBJECT_SIZE 128

struct token {
    void *library;
    CK_FUNCTION_LIST *call;
    bool is_initialised, has_session;
    bool is_pin_refused; /* asked again and again, a token locks its PIN */
    CK_SLOT_ID slot;
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE key; /* found by token_begin */
    CK_OBJECT_CLASS class;
    char label[TOKEN_LABEL_SIZE];
    char object[TOKEN_OBJECT_SIZE];
    char *pin; /* secret memory; kept, since a token that was pulled loses its session */
    size_t pin_len;
};

/* Loads the module and begins the first session. `token` is zeroed before and given back with token_end
 * whatever is returned: 0; ERR_NOT_FOUND when module, token or key are not there; ERR_REFUSED for the PIN;
 * ERR_RANGE; ERR_CRYPTO when the token refuses otherwise. */
int token_open(struct token *token, const struct token_place *place, struct span pin, CK_OBJECT_CLASS class,
               struct err_info *reterr);

/* A new session in place of the one there was, logged in, with the key found. Errors as token_open; once the
 * PIN was refused it is ERR_REFUSED for good, and the token is not asked. */
int token_begin(struct token *token, struct err_info *reterr);

void token_end(struct token *token);

/* What a token's refusal means, in words. */
int token_refuse(CK_RV rv, const char *doing, struct err_info *reterr);

#endif
