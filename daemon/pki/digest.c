/*
 * OpenSSL 3 looks an algorithm up by name at each EVP_sha256() use, under a lock shared by all threads:
 * several times the cost of digesting a credential. So it is fetched once for the life of the process.
 */
#include "pki/digest.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>

static EVP_MD *algorithm;

static void fetch(void)
{
    algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
}

static const EVP_MD *sha256_algorithm(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fetch);
    return algorithm;
}

static void must(int ok)
{
    if (ok != 1) {
        abort();
    }
}

void sha256(struct span text, struct digest *ret)
{
    must(EVP_Digest(text.len > 0 ? text.at : "", text.len, ret->octets, NULL, sha256_algorithm(), NULL));
}

void sha256_init(struct sha256 *h)
{
    h->state = EVP_MD_CTX_new();
    must(h->state != NULL);
    must(EVP_DigestInit_ex2(h->state, sha256_algorithm(), NULL));
}

void sha256_add(struct sha256 *h, struct span text)
{
    if (text.len > 0) {
        must(EVP_DigestUpdate(h->state, text.at, text.len));
    }
}

void sha256_peek(const struct sha256 *h, struct digest *ret)
{
    EVP_MD_CTX *copy = EVP_MD_CTX_new();
    must(copy != NULL);
    must(EVP_MD_CTX_copy_ex(copy, h->state));
    must(EVP_DigestFinal_ex(copy, ret->octets, NULL));
    EVP_MD_CTX_free(copy);
}

void sha256_finish(struct sha256 *h, struct digest *ret)
{
    must(EVP_DigestFinal_ex(h->state, ret->octets, NULL));
    sha256_done(h);
}

void sha256_done(struct sha256 *h)
{
    EVP_MD_CTX_free(h->state);
    h->state = NULL;
}
