/* Opening the CA that the configuration names. */
#ifndef CERTLINE_APP_SIGNER_H
#define CERTLINE_APP_SIGNER_H

#include "base/err.h"
#include "config.h"
#include "pki/signer.h"

#define APP_PASSPHRASE_SIZE (SIGNER_PASSPHRASE_MAX + 2) /* a line end and NUL */

/*
 * The passphrase of the CA's key, or the token's PIN: from the configured file (of ours or root's, readable
 * by nobody else), else from systemd's credential "signer-passphrase", else asked for at the terminal. Its
 * line end is left out. `out` is secret memory. Returns the length; ERR_NOT_FOUND when there is none of them;
 * ERR_REFUSED for owner or mode; ERR_RANGE; -errno.
 */
int app_passphrase_read(const struct config_signer *config, char out[APP_PASSPHRASE_SIZE],
                        struct err_info *reterr);

/* Opens the CA with it. 0, or negative with what to do; never holds a secret. */
int app_signer_open(const struct config *config, struct signer **ret, struct err_info *reterr);

#endif
