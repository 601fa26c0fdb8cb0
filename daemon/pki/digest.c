/*
 * OpenSSL's general way of digesting takes memory for each digest, which may not be there, and looks the
 * algorithm up by name under a lock shared by all threads. Its older functions work in the caller's memory
 * and cannot fail; OpenSSL 3 only wishes that they were not used.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "pki/digest.h"

#include <openssl/sha.h>

#include "base/secret.h"

_Static_assert(sizeof(SHA256_CTX) <= sizeof(((struct sha256 *)NULL)->state), "the state has its place");
_Static_assert(_Alignof(SHA256_CTX) <= _Alignof(struct sha256), "and stands well there");

#define HMAC_BLOCK 64

static SHA256_CTX *ctx_of(struct sha256 *h)
{
    return (SHA256_CTX *)(void *)h->state;
}

void sha256(struct span text, struct digest *ret)
{
    struct sha256 h;
    sha256_init(&h);
    sha256_add(&h, text);
    sha256_finish(&h, ret);
}

void sha256_init(struct sha256 *h)
{
    SHA256_Init(ctx_of(h));
}

void sha256_add(struct sha256 *h, struct span text)
{
    if (text.len > 0) {
        SHA256_Update(ctx_of(h), text.at, text.len);
    }
}

void sha256_peek(const struct sha256 *h, struct digest *ret)
{
    struct sha256 copy = *h;
    sha256_finish(&copy, ret);
}

void sha256_finish(struct sha256 *h, struct digest *ret)
{
    SHA256_Final(ret->octets, ctx_of(h));
    sha256_done(h);
}

void sha256_done(struct sha256 *h)
{
    secret_wipe(h, sizeof(*h));
}

/* RFC 2104. */
void sha256_hmac(const uint8_t key[DIGEST_SIZE], struct span text, struct digest *ret)
{
    uint8_t inner[HMAC_BLOCK], outer[HMAC_BLOCK];
    for (size_t i = 0; i < HMAC_BLOCK; i++) {
        uint8_t octet = i < DIGEST_SIZE ? key[i] : 0;
        inner[i] = octet ^ 0x36;
        outer[i] = octet ^ 0x5C;
    }
    struct sha256 h;
    sha256_init(&h);
    sha256_add(&h, span_of((const char *)inner, sizeof(inner)));
    sha256_add(&h, text);
    sha256_finish(&h, ret);
    sha256_init(&h);
    sha256_add(&h, span_of((const char *)outer, sizeof(outer)));
    sha256_add(&h, span_of((const char *)ret->octets, DIGEST_SIZE));
    sha256_finish(&h, ret);
    secret_wipe(inner, sizeof(inner));
    secret_wipe(outer, sizeof(outer));
}
