/*
 * certlined key rotate. The order makes it safe to kill: the new key is on the disk before anything is under
 * it; the database changes over in one transaction that notes the key's id; the new file takes the old one's
 * place last, and whoever finds both files asks the database (app_state.c).
 */
#include <errno.h>
#include <string.h>

#include "app.h"
#include "app_state.h"
#include "base/buf.h"
#include "base/hex.h"
#include "base/secret.h"
#include "keys/keys.h"
#include "pki/init.h"
#include "pki/seal.h"
#include "pki/seal_token.h"
#include "store/store.h"

#define DIGEST_KEYS_SEALED (SEAL_DIGEST_KEYS_SIZE + SEAL_OVERHEAD)

struct change {
    const struct seal_key *from;
    struct seal_key *to;
    char from_id[2 * SEAL_KEY_ID_SIZE + 1], to_id[2 * SEAL_KEY_ID_SIZE + 1];
    char digest_keys[2 * DIGEST_KEYS_SEALED + 1];
};

static int rewrap(void *ctx, const char *bundle, int type, struct span sealed, uint8_t *out,
                  struct err_info *reterr)
{
    const struct change *change = ctx;
    const struct seal_place place = {span_str(bundle), (enum cred_type)type, SEAL_NO_TAG};
    return seal_rewrap(change->from, change->to, &place, sealed, out, reterr);
}

static int seal_digest_keys(struct change *change, struct err_info *reterr)
{
    uint8_t octets[SEAL_DIGEST_KEYS_SIZE], sealed[DIGEST_KEYS_SEALED];
    const struct seal_place place = {.bundle = span_str(APP_DIGEST_KEYS_PLACE), .sec_tag = SEAL_NO_TAG};
    seal_digest_keys_get(change->from, octets);
    int r = seal_make(change->to, &place, span_of((const char *)octets, sizeof(octets)), sealed, reterr);
    hex_encode(sealed, sizeof(sealed), change->digest_keys);
    secret_wipe(octets, sizeof(octets));
    return r;
}

static int rewrite(struct app_state *state, struct change *change, const char *who, uint32_t *ret_n,
                   struct err_info *reterr)
{
    hex_encode(seal_key_id(change->from), SEAL_KEY_ID_SIZE, change->from_id);
    hex_encode(seal_key_id(change->to), SEAL_KEY_ID_SIZE, change->to_id);
    int r = seal_digest_keys(change, reterr);
    if (r < 0) {
        return r;
    }
    struct store_rotation rotation = {.rewrap = rewrap,
                                      .ctx = change,
                                      .from = change->from_id,
                                      .to = change->to_id,
                                      .token_place = KEYS_TOKEN_PLACE,
                                      .digest_keys = change->digest_keys};
    buf_copy(rotation.who, sizeof(rotation.who), span_str(who));
    struct store_op op = {.kind = STORE_ROTATE, .rotation = &rotation};
    struct store_op *ops[] = {&op};
    r = store_batch(state->store, ops, 1);
    r = r < 0 ? r : op.result;
    if (r < 0) {
        return err_set(reterr, r, "nothing was changed: %s",
                       op.detail[0] ? op.detail : store_failure(state->store));
    }
    *ret_n = rotation.rewritten;
    return 0;
}

static int rotate(struct app_state *state, const char *who, uint32_t *ret_n, struct err_info *reterr)
{
    const char *path = state->config->key_file;
    struct change change = {.from = state->key};
    if (!state->key) {
        return err_set(reterr, ERR_NOT_FOUND, "%s", state->key_why.text);
    }
    if (state->key_is_credential) {
        return err_set(reterr, ERR_REFUSED,
                       "the wrapping key is a credential of systemd, which only systemd can change");
    }
    if (store_mark_state(state->store) != STORE_MARK_GOOD) {
        return err_set(reterr, ERR_MARK, "%s: reconcile it first (certlined reconcile)",
                       store_mark_text(store_mark_state(state->store)));
    }
    struct seal_token *token = NULL;
    int r = app_state_token(state->config, &token, reterr);
    r = r < 0 ? r : seal_key_make_next(path, token, &change.to, reterr);
    seal_token_close(token);
    if (r < 0) {
        return r;
    }
    r = rewrite(state, &change, who, ret_n, reterr);
    if (r == 0) {
        r = seal_key_take_next(path);
        if (r < 0) {
            err_set(reterr, r, "%s.next could not be put in place: the next start does it", path);
        }
    }
    /* When it is not known what became of the transaction, the next start finds out. */
    seal_key_free(change.to);
    return r;
}

int app_key_rotate(const struct config *config, const char *who, uint32_t *ret_n, struct err_info *reterr)
{
    struct app_state state;
    int r = pki_init();
    if (r < 0) {
        return err_set(reterr, r, "OpenSSL was used before its memory could be made to wipe");
    }
    r = app_state_open(&state, config, reterr);
    if (r < 0) {
        return r;
    }
    r = rotate(&state, who, ret_n, reterr);
    app_state_close(&state);
    return r;
}
