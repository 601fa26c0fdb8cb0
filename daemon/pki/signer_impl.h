/* Between the signer's kinds only. Private to pki/. */
#ifndef CERTLINE_PKI_SIGNER_IMPL_H
#define CERTLINE_PKI_SIGNER_IMPL_H

#include <openssl/x509.h>

#include "pki/signer.h"

/* A kind of key. `signer` is the first member of the kind's own struct. */
struct signer_kind {
    int64_t (*sign)(struct signer *signer, struct span text, uint8_t out[SIGNER_SIGNATURE_MAX],
                    struct err_info *reterr);
    void (*close)(struct signer *signer); /* gives back the kind's own, not the certificate */
};

struct signer {
    const struct signer_kind *kind;
    X509 *x509;
    struct cert cert;
    enum signer_algorithm algorithm;
};

/* Reads the CA's certificate and judges whether it may issue. What it took is given back by signer_done. */
int signer_init(struct signer *signer, const struct signer_kind *kind, struct span certificate,
                struct err_info *reterr);
void signer_done(struct signer *signer);

/* Signs something and verifies it with the certificate: 0, or ERR_REFUSED when the key is another one. */
int signer_check_key(struct signer *signer, struct err_info *reterr);

/* The signature is that of the certificate's key over the text. */
bool signer_verifies(const struct signer *signer, struct span text, struct span signature);

/* The digest of the algorithm. */
const EVP_MD *signer_digest(enum signer_algorithm algorithm);

#endif
