/* Only one text of OpenSSL's reaches people from here, X509_verify_cert_error_string: it is exact, and there
 * is one for each of some eighty reasons. */
#include "pki/chain.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <stdlib.h>

#include "pki/content.h"
#include "pki/init.h"
#include "pki/x509.h"

struct chain {
    X509_STORE *store;
};

static X509 *read_x509(struct span der)
{
    const unsigned char *at = (const unsigned char *)der.at;
    return der.len > 0 ? d2i_X509(NULL, &at, (long)der.len) : NULL;
}

static int add_ca(struct chain *chain, const struct pem_block *block, struct err_info *reterr)
{
    struct cert cert;
    struct err_info why = {0};
    if (block->label != PEM_CERTIFICATE) {
        return err_set_at(reterr, ERR_FORMAT, block->line, 1, "this is no certificate (%s)",
                          pem_label_text(block->label));
    }
    if (cert_parse(block->der, &cert, &why) != 0) {
        return err_set_at(reterr, ERR_FORMAT, block->line, 1, "%s", why.text);
    }
    if (!cert.is_ca) {
        return err_set_at(reterr, ERR_FORMAT, block->line, 1,
                          "this certificate may not issue others: it is no CA");
    }
    X509 *x509 = read_x509(block->der);
    bool is_good = x509 != NULL && X509_STORE_add_cert(chain->store, x509) == 1;
    X509_free(x509);
    return is_good ? 0 : err_set(reterr, -ENOMEM, "no memory for a CA");
}

static int add_all(struct chain *chain, const struct pem *pem, struct err_info *reterr)
{
    const struct pem_finding *refusal = pem_refusal(pem);
    if (refusal != NULL) {
        return err_set_at(reterr, ERR_FORMAT, refusal->line, refusal->column, "%s",
                          pem_fault_text(refusal->fault)->what);
    }
    int err = 0;
    for (size_t i = 0; i < pem->n_blocks && err == 0; i++) {
        err = add_ca(chain, &pem->blocks[i], reterr);
    }
    return err;
}

int chain_new(struct span text, struct chain **ret, struct err_info *reterr)
{
    struct pem pem = {0};
    struct chain *chain = calloc(1, sizeof(*chain));
    int err = chain == NULL || pem_parse(text, &pem) != 0 ? -ENOMEM : 0;
    if (err == 0) {
        chain->store = X509_STORE_new();
        err = chain->store == NULL ? -ENOMEM : add_all(chain, &pem, reterr);
    }
    pem_done(&pem);
    ERR_clear_error();
    if (err != 0) {
        chain_free(chain);
        return err == -ENOMEM ? err_set(reterr, err, "no memory for the CAs") : err;
    }
    (void)X509_STORE_set_flags(chain->store, X509_V_FLAG_PARTIAL_CHAIN);
    *ret = chain;
    return 0;
}

void chain_free(struct chain *chain)
{
    if (chain != NULL) {
        X509_STORE_free(chain->store);
        free(chain);
    }
}

/* The certificates behind the first one. NULL without memory. */
static STACK_OF(X509) * read_others(const struct pem *pem)
{
    STACK_OF(X509) *others = sk_X509_new_null();
    for (size_t i = 1; i < pem->n_blocks && others != NULL; i++) {
        X509 *x509 = read_x509(pem->blocks[i].der);
        if (x509 != NULL && sk_X509_push(others, x509) == 0) {
            X509_free(x509);
        }
    }
    return others;
}

static int verify(X509_STORE_CTX *ctx, int64_t now_s, struct err_info *reterr)
{
    if (now_s == CONTENT_TIME_UNKNOWN) {
        X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_NO_CHECK_TIME);
    } else {
        X509_STORE_CTX_set_time(ctx, 0, (time_t)now_s);
    }
    if (X509_verify_cert(ctx) == 1) {
        return 0;
    }
    int error = X509_STORE_CTX_get_error(ctx);
    if (error == X509_V_ERR_OUT_OF_MEM) {
        return err_set(reterr, -ENOMEM, "no memory to check a chain");
    }
    bool is_unknown = error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
                      error == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT ||
                      error == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE;
    return is_unknown ? err_set(reterr, ERR_REFUSED, "the certificate was issued by none of the given CAs")
                      : err_set(reterr, ERR_REFUSED, "the certificate does not chain to the given CAs: %s",
                                X509_verify_cert_error_string(error));
}

static int check(const struct chain *chain, const struct pem *certificates, int64_t now_s,
                 struct err_info *reterr)
{
    X509 *leaf = certificates->n_blocks > 0 ? read_x509(certificates->blocks[0].der) : NULL;
    if (leaf == NULL) {
        ERR_clear_error();
        return err_set(reterr, ERR_FORMAT, "there is no certificate to check");
    }
    STACK_OF(X509) *others = read_others(certificates);
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    int err = others != NULL && ctx != NULL && X509_STORE_CTX_init(ctx, chain->store, leaf, others) == 1
                  ? verify(ctx, now_s, reterr)
                  : err_set(reterr, -ENOMEM, "no memory to check a chain");
    X509_STORE_CTX_free(ctx);
    sk_X509_pop_free(others, X509_free);
    X509_free(leaf);
    ERR_clear_error();
    return err;
}

int chain_check(const struct chain *chain, const struct pem *certificates, int64_t now_s,
                struct err_info *reterr)
{
    uint64_t shortages = pki_shortages();
    struct err_info why = {0};
    int err = check(chain, certificates, now_s, &why);
    if (pki_shortages() != shortages) {
        return err_set(reterr, -ENOMEM, "no memory to check a chain");
    }
    return err == 0 ? 0 : err_set(reterr, err, "%s", why.text);
}
