/*
 * Private keys under a password: "ENCRYPTED PRIVATE KEY" (PKCS#8) and OpenSSL's older form with a Proc-Type
 * header. A modem takes neither, so the key is decrypted here, once, and goes on as an ordinary "PRIVATE
 * KEY".
 */
#ifndef CERTLINE_PKI_DECRYPT_H
#define CERTLINE_PKI_DECRYPT_H

#include "base/err.h"
#include "base/span.h"
#include "pki/pem.h"

#define DECRYPT_PASSWORD_MAX 1024 /* octets: PEM_BUFSIZE of OpenSSL */

/*
 * Decrypts the first private key in a PEM text. `ret` is one block "PRIVATE KEY" in secret memory, for
 * pem_write and pem_done; it is valid on failure as well. Returns 0; ERR_REFUSED for a password that does not
 * fit (or a damaged key, which cannot be told apart); ERR_FORMAT when there is no key; -ENOMEM. The caller
 * wipes the password.
 */
int key_decrypt(struct span text, struct span password, struct pem *ret, struct err_info *reterr);

#endif
