/*
 * A PKCS#11 token: where it is and what is meant on it. What is done there is its users' (pki/signer.h,
 * pki/seal_token.h).
 */
#ifndef CERTLINE_PKI_TOKEN_H
#define CERTLINE_PKI_TOKEN_H

struct token_place {
    const char *module; /* the library's path */
    const char *token;  /* the token's label */
    const char *object; /* the key's label; NULL or "": the only one of its kind */
};

#endif
