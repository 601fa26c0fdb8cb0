/*
 * A PKCS#11 token in software, for tests: SoftHSM with its files in a folder of the test's own. Tests skip
 * when it is not installed.
 */
#ifndef CERTLINE_TESTS_SOFTHSM_H
#define CERTLINE_TESTS_SOFTHSM_H

#include <p11-kit/pkcs11.h>
#include <stdbool.h>
#include <stddef.h>

#define SOFTHSM_PIN "123456"

struct softhsm {
    char dir[64];
    const char *module; /* the library's path */
};

/* Makes a token with this label and puts a private key (PKCS#8 in clear, PEM) on it under that label. False:
 * SoftHSM is not installed. Ends the process when it is and does not work. */
bool softhsm_begin(struct softhsm *hsm, const char *token, const char *object, const char *key_pem);
/* Puts an AES-256 key on the token that softhsm_begin made; no octet may be 0, since the util reads text. */
#define SOFTHSM_AES_SIZE 32
void softhsm_add_aes(struct softhsm *hsm, const char *token, const char *object,
                     const unsigned char key[SOFTHSM_AES_SIZE]);
/* Puts a generic secret on it, as a key for HMAC. */
void softhsm_add_secret(struct softhsm *hsm, const char *token, const char *object, const unsigned char *key,
                        size_t len);
/* The module's own table of calls, the one that everybody in the process calls by: a test may put its own
 * functions into it, and must put back what was there. Valid until the end of the process. */
CK_FUNCTION_LIST *softhsm_calls(const struct softhsm *hsm);
void softhsm_end(struct softhsm *hsm);

#endif
