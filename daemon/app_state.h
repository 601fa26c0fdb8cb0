/*
 * The state of a station as it lies on the disk: directory, database under its lock, wrapping key. What
 * `serve` runs on, and what the commands that work without a server open for themselves.
 */
#ifndef CERTLINE_APP_STATE_H
#define CERTLINE_APP_STATE_H

#include <stdbool.h>

#include "base/err.h"
#include "config.h"

struct keys;
struct seal_key;
struct store;

struct app_state {
    const struct config *config; /* borrowed */
    struct store *store;
    struct seal_key *key; /* NULL: locked, with the reason in key_why */
    struct keys *keys;
    struct err_info key_why;
    bool key_is_credential; /* handed out by systemd, not a file of ours */
};

#define APP_DIGEST_KEYS_PLACE "digest keys" /* what they are sealed as */

/*
 * Makes the directory if need be, opens the database (ERR_LOCKED, ERR_NEWER, …), loads the wrapping key, and
 * makes the configured products known. A missing or unreadable key is no failure here: nothing sealed can be
 * opened then, and key_why says what to do. On failure everything is given back.
 */
int app_state_open(struct app_state *state, const struct config *config, struct err_info *reterr);
void app_state_close(struct app_state *state);

/* The token that the wrapping key takes; *ret is NULL where none is configured. 0, or negative with what to
 * do. To be closed before another token of the same module is opened. */
struct seal_token;
int app_state_token(const struct config *config, struct seal_token **ret, struct err_info *reterr);

#endif
