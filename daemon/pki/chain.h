/*
 * Trust: whether a certificate was issued by one of some CAs. OpenSSL builds and checks the chain (RFC 5280:
 * signatures, constraints, key usage, dates); certificates that stand behind the board's own are used as
 * intermediates.
 */
#ifndef CERTLINE_PKI_CHAIN_H
#define CERTLINE_PKI_CHAIN_H

#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "pki/pem.h"

struct chain; /* the trusted CAs; constant once made: one thread at a time checks with it */

/*
 * One or several CAs as PEM. A CA need not be a root: what it issued is trusted. Returns 0; ERR_FORMAT with
 * what is wrong and where (form, no certificate, no CA); -ENOMEM.
 */
int chain_new(struct span pem, struct chain **ret, struct err_info *reterr);
void chain_free(struct chain *chain); /* NULL is allowed */

/*
 * Whether blocks[0] chains to one of the CAs at `now_s` (since 1970; CONTENT_TIME_UNKNOWN of pki/content.h:
 * at no time in particular). Returns 0; ERR_REFUSED with why not; ERR_FORMAT when it is no certificate;
 * -ENOMEM.
 */
int chain_check(const struct chain *chain, const struct pem *certificates, int64_t now_s,
                struct err_info *reterr);

#endif
