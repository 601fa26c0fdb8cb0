/*
 * A public key infrastructure for tests: a CA and as many bundles as wanted, quickly and always the same.
 *
 * Everything follows from the seed and the index, octet for octet, so that a world that runs twice from one
 * seed imports the same rows: keys are derived, the CA signs with RSA (PKCS#1 v1.5 has no random part), dates
 * are fixed. RSA-2048 bundles pair primes of a small pool, which makes thousands of distinct moduli for the
 * price of a few primes and would be a grave fault anywhere but in a test.
 *
 * Call pki_init() (pki/init.h) before the first testpki_new() where a test looks for secrets in its own
 * memory. Failures end the process: a test that cannot make its keys has nothing to say.
 */
#ifndef CERTLINE_TESTS_TESTPKI_H
#define CERTLINE_TESTS_TESTPKI_H

#include <stdbool.h>
#include <stddef.h>

struct testpki; /* one thread at a time */

struct testpki *testpki_new(unsigned seed);
void testpki_free(struct testpki *pki);

/* The CA's certificate: RSA-2048, PEM with line feeds and a final one. Lives as long as `pki`. */
const char *testpki_ca(const struct testpki *pki);

/* The CA as a signer (pki/signer.h): what it issues follows from the seed and the request, octet for octet.
 * The caller closes it. */
struct signer *testpki_signer(const struct testpki *pki);

enum testpki_key {
    TESTPKI_P256,          /* "BEGIN PRIVATE KEY" */
    TESTPKI_RSA2048,       /* "BEGIN PRIVATE KEY" */
    TESTPKI_P256_SEC1,     /* the key of TESTPKI_P256 as "BEGIN EC PRIVATE KEY" */
    TESTPKI_RSA2048_PKCS1, /* the key of TESTPKI_RSA2048 as "BEGIN RSA PRIVATE KEY" */
    TESTPKI_P384,          /* random: these two are not derived from the seed */
    TESTPKI_ED25519,
};

/* PEM with line feeds and a final one, NUL-terminated. */
struct testpki_bundle {
    char *client_cert; /* CN "nrf-<seed>-<index>", issued by the CA, 2024-01-01 to 2049-12-31 */
    char *private_key;
};

/* The bundle with this index (0 to 100,000); an index has one P-256 and one RSA identity. The caller ends it.
 */
void testpki_bundle(struct testpki *pki, unsigned index, enum testpki_key key, struct testpki_bundle *ret);
void testpki_bundle_done(struct testpki_bundle *bundle); /* wipes */

/* The same bundle as one NDJSON row with its line feed, as POST /api/v1/bundles takes it. `imei` and `lot`
 * may be NULL: the member is left out. The caller ends it with testpki_text_free. */
char *testpki_row(struct testpki *pki, unsigned index, enum testpki_key key, const char *id, const char *imei,
                  const char *product, const char *lot);
void testpki_text_free(char *text); /* wipes */

#endif
