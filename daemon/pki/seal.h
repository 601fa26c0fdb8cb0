/*
 * Sealing: a secret at rest as AES-256-GCM under a data key of its own, which is wrapped (AES-256-GCM again)
 * by the station's key-encryption key. So the wrapping key can be changed by rewriting 68 octets a secret,
 * and one leaked data key opens one secret.
 *
 * What is sealed is bound to its place: bundle id, credential type and tag are authenticated with it, so that
 * no row of the database can be put in the place of another.
 *
 *   offset  octets
 *        0       1  version, 1
 *        1       8  id of the key-encryption key
 *        9      12  nonce of the wrapping, random
 *       21      32  data key, encrypted; random
 *       53      16  its authentication tag
 *       69      12  nonce of the content, random
 *       81       n  content, encrypted
 *     81+n      16  its authentication tag
 *
 * Authenticated with both: a label with the version ("certline data key 1", "certline content 1"), the
 * bundle's id behind its length (4 octets, most significant first), the type (4) and the tag (4); with the
 * wrapping the key's id as well.
 */
#ifndef CERTLINE_PKI_SEAL_H
#define CERTLINE_PKI_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "pki/cred.h"

#define SEAL_KEY_SIZE    32
#define SEAL_KEY_ID_SIZE 8
#define SEAL_OVERHEAD    97 /* sealed octets - clear octets */

/* The key-encryption key, in secret memory. Constant once made: every thread may use it. */
struct seal_key;

/*
 * Reads the key file: 32 octets, which are the key, or "CLTOKEN1" and 32 octets of which `token` makes it
 * (pki/seal_token.h; NULL: there is none). A regular file of ours (or root's) that nobody else may read. The
 * group may read it only where it is root's, as systemd hands out credentials.
 *
 * With `is_made_if_absent` a missing file is made, if its directory belongs to us and nobody else may write
 * there: whole or not at all, never over an existing one, and on the disk before this returns. Ask for that
 * only where nothing was sealed yet: a new key opens no old secret.
 *
 * With a token a file that is made is made for it; one that holds the key itself is still read.
 *
 * Returns 0 (1 when the file was made); -ENOENT; ERR_REFUSED for owner, mode, type or directory, or a file
 * that takes a token where there is none; ERR_FORMAT for another size; ERR_CRYPTO from the token; -errno.
 * *reterr says what to do.
 */
struct seal_token;
int seal_key_load(const char *path, bool is_made_if_absent, struct seal_token *token, struct seal_key **ret,
                  struct err_info *reterr);

/* Whether it took a token to make it. */
bool seal_key_is_from_token(const struct seal_key *key);

/* From memory; NULL without any. The caller wipes its octets. */
struct seal_key *seal_key_new(const uint8_t octets[SEAL_KEY_SIZE]);
void seal_key_free(struct seal_key *key);

/* Tells keys apart without telling anything about them: the beginning of SHA-256 over HMAC-SHA-256 of a
 * label. */
const uint8_t *seal_key_id(const struct seal_key *key);

#define SEAL_NO_TAG UINT32_MAX /* the product decides on the tag when the bundle is claimed */

struct seal_place {
    struct span bundle; /* its id */
    enum cred_type type;
    uint32_t sec_tag; /* or SEAL_NO_TAG */
};

/* Writes clear.len + SEAL_OVERHEAD octets; `clear` is not empty. Returns 0, or ERR_CRYPTO (out is wiped
 * then). */
int seal_make(const struct seal_key *key, const struct seal_place *place, struct span clear, uint8_t *out,
              struct err_info *reterr);

/*
 * Writes sealed.len - SEAL_OVERHEAD octets, which are secret. `out` must not overlap `sealed`. Returns 0;
 * ERR_REFUSED when another key sealed it (its id is named); ERR_CORRUPT when it was changed or belongs to
 * another place; ERR_CRYPTO. On failure nothing of the secret is in `out`.
 */
int seal_open(const struct seal_key *key, const struct seal_place *place, struct span sealed, uint8_t *out,
              struct err_info *reterr);

/*
 * Changing the wrapping key: the same secret with its data key wrapped anew, into `out` (sealed.len octets).
 * Neither content nor data key change. Errors as seal_open.
 */
int seal_rewrap(const struct seal_key *from, const struct seal_key *to, const struct seal_place *place,
                struct span sealed, uint8_t *out, struct err_info *reterr);

/*
 * The keys under which seal_digest works for the labels that are in use. They follow from the wrapping key
 * that was the first; so that digests on record stay comparable, they are taken along to the next one.
 * Secret.
 */
#define SEAL_DIGEST_KEYS_SIZE (3 * SEAL_KEY_SIZE)
void seal_digest_keys_get(const struct seal_key *key, uint8_t out[SEAL_DIGEST_KEYS_SIZE]);
/* Before any other thread has the key. */
void seal_digest_keys_set(struct seal_key *key, const uint8_t octets[SEAL_DIGEST_KEYS_SIZE]);

/*
 * A new key file is made beside the old one as PATH.next, the database is rewritten, and only then it takes
 * the old one's place; whoever finds both asks the database which one counts. seal_key_make_next: 0;
 * ERR_DUPLICATE when there is a next one already; errors as seal_key_load. seal_key_take_next,
 * seal_key_drop_next: 0 or -errno.
 */
int seal_key_make_next(const char *path, struct seal_token *token, struct seal_key **ret,
                       struct err_info *reterr);
int seal_key_load_next(const char *path, struct seal_token *token, struct seal_key **ret,
                       struct err_info *reterr); /* -ENOENT: none */
int seal_key_take_next(const char *path);
int seal_key_drop_next(const char *path);

/* HMAC-SHA-256 over a text under a key derived from this one and the label: a digest that tells nobody else
 * anything, not even about a short pre-shared key. It changes with the key-encryption key, but for the labels
 * of seal_digest_keys_set. */
void seal_digest(const struct seal_key *key, const char *label, struct span text, struct digest *ret);

#endif
