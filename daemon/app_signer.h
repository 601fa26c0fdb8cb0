/* Opening the CA that the configuration names. */
#ifndef CERTLINE_APP_SIGNER_H
#define CERTLINE_APP_SIGNER_H

#include "base/err.h"
#include "config.h"
#include "pki/signer.h"

#define APP_PASSPHRASE_SIZE (SIGNER_PASSPHRASE_MAX + 2) /* a line end and NUL */

/* What is asked for: the passphrase of the CA's key or its token's PIN, or the PIN of the wrapping key's. */
struct app_passphrase {
    const char *file;       /* configured; may be NULL */
    const char *credential; /* systemd's */
    const char *what;       /* in a sentence: "passphrase of the CA's key" */
    const char *option;     /* that names the file: "passphrase_file in [signer]" */
};
struct app_passphrase app_signer_passphrase(const struct config *config);
struct app_passphrase app_key_pin(const struct config *config);

/*
 * From the configured file (of ours or root's, readable by nobody else), else from systemd's credential, else
 * asked for at the terminal. Its line end is left out. `out` is secret memory. Returns the length;
 * ERR_NOT_FOUND when there is none of them; ERR_REFUSED for owner or mode; ERR_RANGE; -errno.
 */
int app_passphrase_read(const struct app_passphrase *wanted, char out[APP_PASSPHRASE_SIZE],
                        struct err_info *reterr);

/* Opens the CA with it. 0, or negative with what to do; never holds a secret. */
int app_signer_open(const struct config *config, struct signer **ret, struct err_info *reterr);

#endif
