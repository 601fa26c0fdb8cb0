/*
 * One credential's content, read and judged before it comes near a line: what is refused here would be
 * refused by the modem (527), or stored without a word and never work. The lint's checks of a single
 * credential belong here; checks across credentials are the importer's.
 *
 * What is kept is the canonical form of the same thing: certificates and keys written anew from their DER,
 * pre-shared keys and identities as they were typed.
 */
#ifndef CERTLINE_PKI_CONTENT_H
#define CERTLINE_PKI_CONTENT_H

#include <stdint.h>

#include "base/err.h"
#include "pki/cred.h"
#include "pki/pem.h"
#include "pki/x509.h"

/* Why a content is refused. Named as the reasons of job/verdict.h, which pki does not see. */
enum content_fault {
    CONTENT_GOOD,
    CONTENT_PEM_FORM,
    CONTENT_CERTIFICATE_INVALID,
    CONTENT_CERTIFICATE_EXPIRED,
    CONTENT_KEY_INVALID,
    CONTENT_KEY_MISMATCH,
    CONTENT_TEXT_INVALID, /* a pre-shared key's identity */
    CONTENT_TOO_LONG,
    CONTENT_TROUBLE, /* our own: no memory */
};

#define CONTENT_RSA_BITS_MIN 2048
#define CONTENT_RSA_BITS_MAX 4096
#define CONTENT_PSK_MAX      64  /* octets, two characters each */
#define CONTENT_IDENTITY_MAX 128 /* characters (RFC 4279 5.3 asks for at least as many) */
#define CONTENT_TIME_UNKNOWN INT64_MIN

struct content {
    enum cred_type type;
    struct pem pem;   /* certificates and private key */
    struct cert cert; /* the first certificate: client_cert and ca */
    struct key *key;  /* private_key; owned */
    struct span text; /* psk and psk_identity: the caller's own octets */
};

/*
 * Reads a content of this type. `now_s` (since 1970) is held against the certificates' end of validity,
 * unless it is CONTENT_TIME_UNKNOWN. Returns CONTENT_GOOD, or a fault and in *reterr what it is, with line
 * and column where that helps, and never a quotation. After CONTENT_PEM_FORM pem_refusal(&ret->pem) knows
 * more: why, and what to do. `ret` is always valid afterwards and is given back with content_done; `text`
 * must live as long.
 */
enum content_fault content_read(enum cred_type type, struct span text, int64_t now_s, struct content *ret,
                                struct err_info *reterr);
void content_done(struct content *content);

/* CONTENT_GOOD, CONTENT_KEY_MISMATCH or CONTENT_TROUBLE: contents of the types private_key and client_cert.
 */
enum content_fault content_match(const struct content *private_key, const struct content *client_cert,
                                 struct err_info *reterr);

/* The canonical form (pem_write for those that are PEM, else as typed: no line end is added). Returns its
 * length, at most CRED_CONTENT_MAX, or ERR_FULL. */
int64_t content_write(const struct content *content, struct pem_style style, char *out, size_t size);

#endif
