/*
 * The CA that issues boards' certificates: its certificate, and a private key that signs and never leaves
 * where it lies, which is an encrypted PEM opened at start, or a token behind PKCS#11. A key in clear is
 * refused.
 *
 * A signer belongs to one thread at a time. Signing may take as long as a token does, so it is called by
 * nobody but the signer's own actor.
 */
#ifndef CERTLINE_PKI_SIGNER_H
#define CERTLINE_PKI_SIGNER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "pki/token.h"
#include "pki/x509.h"

#define SIGNER_PASSPHRASE_MAX 255 /* octets */
#define SIGNER_SIGNATURE_MAX  1024

struct signer;

/*
 * Opens a CA from its certificate and its private key as PEM (PKCS#8 "ENCRYPTED PRIVATE KEY", or the older
 * form with a Proc-Type header). The caller wipes the passphrase. Returns 0; ERR_REFUSED for a passphrase
 * that does not fit, a key in clear, a key that is not the certificate's, or a certificate that may not
 * issue; ERR_FORMAT; -ENOMEM.
 */
int signer_open_file(struct span certificate, struct span key, struct span passphrase, struct signer **ret,
                     struct err_info *reterr);

/* The same with a key on a token, and its PIN. Further: ERR_NOT_FOUND when module, token or key are not
 * there; ERR_CRYPTO when the token refuses otherwise. */
int signer_open_token(struct span certificate, const struct token_place *place, struct span pin,
                      struct signer **ret, struct err_info *reterr);

void signer_close(struct signer *signer); /* NULL is allowed */

/* The CA's certificate. Lives as long as the signer. */
const struct cert *signer_cert(const struct signer *signer);

/* How the CA's key signs. X(ENUM, name for OpenSSL's digests) */
#define SIGNER_ALGORITHM_LIST(X)                                                                             \
    X(SIGNER_RSA_SHA256, "SHA256")                                                                           \
    X(SIGNER_ECDSA_SHA256, "SHA256")                                                                         \
    X(SIGNER_ECDSA_SHA384, "SHA384")

enum signer_algorithm {
#define X(name, digest) name,
    SIGNER_ALGORITHM_LIST(X)
#undef X
};

/* Signs a text as X.509 wants it: PKCS#1 v1.5, or ECDSA in DER. Returns the length, or ERR_CRYPTO: try again
 * later. What a token gives is not verified here. */
int64_t signer_sign(struct signer *signer, struct span text, uint8_t out[SIGNER_SIGNATURE_MAX],
                    struct err_info *reterr);

/* For AT commands that ask for their owner's signature (%XSUDO): base64 of an ECDSA signature in DER over the
 * text's SHA-256. Verified before it is given out. 0; ERR_REFUSED for a CA whose key is not P-256;
 * ERR_CRYPTO: try again later. */
#define SIGNER_COMMAND_SIZE 100 /* 96 characters and NUL */
int signer_sign_command(struct signer *signer, struct span text, char out[SIGNER_COMMAND_SIZE],
                        struct err_info *reterr);

/* The public key that such a signature is checked with, as PEM on one line, which is how the manual of %XPMNG
 * shows it and passes every front end. The same errors. */
#define SIGNER_PUBLIC_SIZE 200
int signer_public_pem(const struct signer *signer, char out[SIGNER_PUBLIC_SIZE], struct err_info *reterr);

/* A new CA: a P-256 or P-384 key, self-signed for `days` from `now_s` (since 1970) under this common name.
 * Both texts are PEM and the caller's; the key is encrypted (AES-256-CBC, PBKDF2). Returns 0; ERR_RANGE for a
 * passphrase shorter than SIGNER_PASSPHRASE_MIN; ERR_CRYPTO. */
#define SIGNER_PASSPHRASE_MIN 8
#define SIGNER_PEM_MAX        4096
struct signer_new_ca {
    const char *name;
    enum key_kind kind; /* KEY_P256 or KEY_P384 */
    uint32_t days;
    int64_t now_s;
    struct span passphrase;
};
int signer_make_ca(const struct signer_new_ca *wanted, char certificate[SIGNER_PEM_MAX],
                   char key[SIGNER_PEM_MAX], struct err_info *reterr);

#endif
