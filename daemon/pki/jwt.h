/*
 * %JWT: a token that a modem signs with the key under a tag. Asked for with a nonce as its audience it proves
 * that the board has, now, the private key of a certificate (RFC 7519; ES256 of RFC 7518).
 */
#ifndef CERTLINE_PKI_JWT_H
#define CERTLINE_PKI_JWT_H

#include "base/err.h"
#include "base/span.h"

#define JWT_MAX 1024 /* characters */

/*
 * Whether `token` was signed by the key of this certificate (DER, P-256) and says this audience. 0;
 * ERR_FORMAT when it is no such token; ERR_REFUSED when the signature is not the key's; ERR_CONFLICT when it
 * is about something else; -ENOMEM. *reterr says what.
 */
int jwt_verify(struct span token, struct span cert_der, const char *audience, struct err_info *reterr);

#endif
