/*
 * Certificates and private keys, parsed: what the store indexes, what the lint judges, and whether the two
 * belong together. DER comes from pki/pem.h; nothing here keeps a pointer into it.
 *
 * A key's fingerprint is SHA-256 over its SubjectPublicKeyInfo in one form (an EC point uncompressed), so
 * that the same key has one fingerprint however its file was written. Two bundles with one fingerprint would
 * be two boards with one identity.
 */
#ifndef CERTLINE_PKI_X509_H
#define CERTLINE_PKI_X509_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "pki/cred.h"
#include "pki/pem.h"

/* X(ENUM, name, can an nRF91 authenticate with it). Its TLS knows ECDSA on the NIST curves and RSA, not
 * EdDSA. */
#define KEY_KIND_LIST(X)                                                                                     \
    X(KEY_OTHER, "other", false)                                                                             \
    X(KEY_RSA, "RSA", true)                                                                                  \
    X(KEY_P256, "P-256", true)                                                                               \
    X(KEY_P384, "P-384", true)                                                                               \
    X(KEY_ED25519, "Ed25519", false)

enum key_kind {
#define X(name, text, usable) name,
    KEY_KIND_LIST(X)
#undef X
};
const char *key_kind_name(enum key_kind kind);
bool key_kind_is_usable(enum key_kind kind);

#define CERT_NAME_SIZE   256
#define CERT_SERIAL_SIZE 48 /* 20 octets as upper-case hex by RFC 5280, some more in the wild, NUL */

struct cert {
    enum key_kind kind;
    unsigned key_bits;
    struct digest fingerprint;       /* of its public key */
    struct digest identity;          /* over issuer and serial number: what one CA must never give twice */
    char subject_cn[CERT_NAME_SIZE]; /* UTF-8, control characters as '?'; empty when it has none */
    char issuer[CERT_NAME_SIZE];     /* RFC 2253 */
    char serial[CERT_SERIAL_SIZE];
    int64_t not_before_s, not_after_s; /* since 1970 UTC */
    bool is_ca;
};

/* Returns 0; ERR_FORMAT with what is wrong; -ENOMEM. */
int cert_parse(struct span der, struct cert *ret, struct err_info *reterr);

/* A private key in memory that OpenSSL wipes (pki/init.h). One thread at a time. */
struct key;

/* Reads a block PEM_PKCS8, PEM_PKCS1 or PEM_SEC1 that is not encrypted. Returns 0; ERR_FORMAT with what is
 * wrong. */
int key_parse(const struct pem_block *block, struct key **ret, struct err_info *reterr);
void key_free(struct key *key);

enum key_kind key_kind(const struct key *key);
unsigned key_bits(const struct key *key);
const struct digest *key_fingerprint(const struct key *key);

/*
 * Whether the key can sign what the certificate's key verifies; `cert` is what cert_parse made of `cert_der`.
 * For EC and RSA keys the public part was computed from the private one or checked against it, so that equal
 * fingerprints say it; other kinds make a signature, since a key file may carry a public part that is not its
 * own.
 */
bool key_belongs_to(const struct key *key, const struct cert *cert, struct span cert_der);

#endif
