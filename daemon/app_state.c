/*
 * Opening the state. The order matters: the lock comes with the store, so a second process is refused before
 * it touches the key; and a key is only ever made where the database holds no bundle yet, since a new key
 * opens nothing old.
 */
#include "app_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app_signer.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/log.h"
#include "base/secret.h"
#include "keys/keys.h"
#include "pki/seal.h"
#include "pki/seal_token.h"
#include "store/read.h"
#include "store/store.h"
#include "version.h"

static void fill_random(void *ctx, uint8_t *out, size_t n)
{
    (void)ctx;
    for (size_t done = 0; done < n;) {
        ssize_t got = getrandom(out + done, n - done, 0);
        if (got > 0) {
            done += (size_t)got;
        }
    }
}

static int open_store(struct app_state *state, struct err_info *reterr)
{
    const struct config *config = state->config;
    if (mkdir(config->state_dir, 0700) < 0 && errno != EEXIST) {
        int r = -errno;
        return err_set(reterr, r, "cannot make the state directory %s: %s", config->state_dir, err_text(r));
    }
    struct store_config store = {
        .dir = config->state_dir,
        .clock = &clock_system,
        .random = fill_random,
        .station = config->station,
        .program = CERTLINE_VERSION,
        .config_digest = config->digest,
        .spare_certificates = config->signer.spare,
    };
    int r = store_open(&state->store, &store, reterr);
    if (r == 0 && store_upgraded_from(state->store) != 0) {
        log_sys("store", LOG_LEVEL_NOTICE,
                "the database was upgraded from version %d: no older program reads it",
                store_upgraded_from(state->store));
    }
    return r;
}

/* Whether anything sealed may stand in the database. When that cannot be told, it may. */
static bool has_bundles(const struct app_state *state)
{
    struct store_reader *reader = NULL;
    struct json *totals = NULL;
    bool has = true;
    if (store_reader_open(&reader, state->config->state_dir, NULL, NULL) == 0 &&
        store_read_totals(reader, &totals, NULL) == 0) {
        static const char *const states[] = {"free", "bound", "exposed", "installed", "retired"};
        const struct json *bundles = json_get(totals, "bundles");
        int64_t sum = 0;
        for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
            int64_t n = 0;
            sum += json_get_i64(bundles, states[i], 0, INT64_MAX, &n, NULL) == 0 ? n : 1;
        }
        has = sum > 0;
    }
    json_free(totals);
    store_reader_close(reader);
    return has;
}

/* The key that the service manager hands out goes before the configured file, which a service that runs under
 * a user of its own cannot read. NULL: there is none. The caller frees it. */
static char *credential_path(void)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    char *path = NULL;
    if (!dir || asprintf(&path, "%s/wrapping.key", dir) < 0) {
        return NULL;
    }
    if (access(path, F_OK) < 0) {
        free(path);
        return NULL;
    }
    return path;
}

/* A change of the key that was interrupted: the database says which of the two files counts. */
static int settle_next_key(struct app_state *state, const char *path, struct seal_token *token,
                           struct err_info *reterr)
{
    struct seal_key *next = NULL;
    char noted[STORE_NOTE_SIZE] = "", id[2 * SEAL_KEY_ID_SIZE + 1] = "";
    int r = seal_key_load_next(path, token, &next, NULL);
    if (r == -ENOENT) {
        return 0;
    }
    if (r == 0) {
        hex_encode(seal_key_id(next), SEAL_KEY_ID_SIZE, id);
        r = store_note(state->store, STORE_NOTE_KEY, noted);
        seal_key_free(next);
    } else if (r == ERR_FORMAT) {
        r = 0; /* it was never finished, so that nothing can be under it */
    }
    if (r >= 0) {
        r = strcmp(noted, id) == 0 && noted[0] ? seal_key_take_next(path) : seal_key_drop_next(path);
    }
    return r < 0 ? err_set(reterr, r, "%s.next is left of a change of the key and cannot be settled: %s",
                           path, err_text(r))
                 : 0;
}

/* Digests on record were made under the first key; a later one has what they need with it, sealed. */
static int take_digest_keys(struct app_state *state, struct err_info *reterr)
{
    char text[STORE_NOTE_SIZE];
    uint8_t sealed[SEAL_DIGEST_KEYS_SIZE + SEAL_OVERHEAD], octets[SEAL_DIGEST_KEYS_SIZE];
    int r = store_note(state->store, STORE_NOTE_DIGEST_KEYS, text);
    if (r <= 0) {
        return r;
    }
    const struct seal_place place = {.bundle = span_str(APP_DIGEST_KEYS_PLACE), .sec_tag = SEAL_NO_TAG};
    r = hex_decode(span_str(text), sealed, sizeof(sealed));
    if (r == 0) {
        r = seal_open(state->key, &place, span_of((const char *)sealed, sizeof(sealed)), octets, reterr);
    }
    if (r == 0) {
        seal_digest_keys_set(state->key, octets);
    }
    secret_wipe(octets, sizeof(octets));
    return r;
}

int app_state_token(const struct config *config, struct seal_token **ret, struct err_info *reterr)
{
    const struct token_place place = {config->key_module, config->key_token, config->key_object};
    const struct app_passphrase wanted = app_key_pin(config);
    *ret = NULL;
    if (!config->key_module) {
        return 0;
    }
    char *pin = secret_alloc(APP_PASSPHRASE_SIZE);
    int len =
        pin ? app_passphrase_read(&wanted, pin, reterr) : err_set(reterr, -ENOMEM, "no memory for a PIN");
    int r = len < 0 ? len : seal_token_open(&place, span_of(pin, (size_t)len), ret, reterr);
    secret_free(pin);
    return r;
}

static int load_key(struct app_state *state, const char *path, bool is_made_if_absent)
{
    struct seal_token *token = NULL;
    int r = app_state_token(state->config, &token, &state->key_why);
    if (r >= 0) {
        r = settle_next_key(state, path, token, &state->key_why);
    }
    if (r >= 0) {
        r = seal_key_load(path, is_made_if_absent, token, &state->key, &state->key_why);
    }
    seal_token_close(token);
    if (r >= 0 && state->config->key_module && !seal_key_is_from_token(state->key)) {
        log_sys("keys", LOG_LEVEL_WARNING,
                "%s is the wrapping key itself although a token is named for it: certlined key rotate makes "
                "another one with the token",
                path);
    }
    if (r >= 0) {
        r = take_digest_keys(state, &state->key_why);
    }
    if (r < 0) {
        seal_key_free(state->key);
        state->key = NULL;
    }
    return r;
}

static int open_keys(struct app_state *state, struct err_info *reterr)
{
    char *credential = credential_path();
    const char *path = credential ? credential : state->config->key_file;
    int r = load_key(state, path, !credential && !has_bundles(state));
    if (r >= 0) {
        state->key_why = (struct err_info){0};
    } else if (state->key_why.code == 0) {
        err_set(&state->key_why, r, "wrapping key %s: %s", path, err_text(r));
    }
    state->key_is_credential = credential != NULL;
    free(credential);
    struct keys_config config = {.wrapping_key = state->key};
    state->keys = keys_new(&config);
    return state->keys ? 0 : err_set(reterr, -ENOMEM, "no memory for the keys");
}

static int register_products(struct app_state *state, struct err_info *reterr)
{
    for (uint32_t i = 0; i < state->config->n_products; i++) {
        struct store_op op = {.kind = STORE_PRODUCT, .product = &state->config->products[i]};
        struct store_op *ops[] = {&op};
        int r = store_batch(state->store, ops, 1);
        if (r < 0 || op.result < 0) {
            r = r < 0 ? r : op.result;
            return err_set(reterr, r, "product %s cannot be recorded: %s", op.product->name,
                           op.detail[0] ? op.detail : store_failure(state->store));
        }
    }
    return 0;
}

int app_state_open(struct app_state *state, const struct config *config, struct err_info *reterr)
{
    *state = (struct app_state){.config = config};
    int r = open_store(state, reterr);
    if (r == 0) {
        r = open_keys(state, reterr);
    }
    if (r == 0) {
        r = register_products(state, reterr);
    }
    if (r < 0) {
        app_state_close(state);
    }
    return r;
}

void app_state_close(struct app_state *state)
{
    keys_free(state->keys);
    seal_key_free(state->key);
    store_close(state->store);
    *state = (struct app_state){0};
}
