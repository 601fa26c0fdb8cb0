/* Work on the state without a server: the same cores, called directly under the state's lock. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "app_export.h"
#include "app_state.h"
#include "base/buf.h"
#include "exchange/import.h"
#include "pki/init.h"
#include "store/read.h"
#include "store/store.h"

struct app_direct {
    struct app_state state;
    struct store_reader *reader; /* of exports; NULL until the first one */
};

int app_direct_open(const struct config *config, struct app_direct **ret, struct err_info *reterr)
{
    int r = pki_init();
    if (r < 0) {
        return err_set(reterr, r, "OpenSSL was used before its memory could be made to wipe");
    }
    struct app_direct *direct = calloc(1, sizeof(*direct));
    if (!direct) {
        return err_set(reterr, -ENOMEM, "no memory");
    }
    r = app_state_open(&direct->state, config, reterr);
    if (r == 0 && !direct->state.key) {
        r = err_set(reterr, ERR_NOT_FOUND, "%s", direct->state.key_why.text);
    }
    if (r == 0 && store_mark_state(direct->state.store) != STORE_MARK_GOOD) {
        r = err_set(reterr, ERR_MARK, "%s: reconcile it first (certlined reconcile)",
                    store_mark_text(store_mark_state(direct->state.store)));
    }
    if (r < 0) {
        app_direct_close(direct);
        return r;
    }
    *ret = direct;
    return 0;
}

static int submit(void *ctx, struct store_op **ops, size_t n)
{
    return store_batch(ctx, ops, n);
}

static int submit_one(void *ctx, struct store_op *op)
{
    return store_batch(ctx, &op, 1);
}

static const struct product *find_product(void *ctx, const char *name)
{
    return config_find_product(ctx, name);
}

int app_direct_import(struct app_direct *direct, struct span piece, bool is_dry_run, struct json **ret,
                      struct err_info *reterr)
{
    struct import_config config = {
        .rows = {.keys = direct->state.keys,
                 .find_product = find_product,
                 .ctx = (void *)(uintptr_t)direct->state.config,
                 .now_s = clock_system.wall_ms(&clock_system) / 1000},
        .is_dry_run = is_dry_run,
        .submit = submit,
        .ctx = direct->state.store,
    };
    struct import *import = import_new(&config);
    if (!import) {
        return err_set(reterr, -ENOMEM, "no memory for the import");
    }
    struct err_info why = {0};
    int r = import_feed(import, piece, &why);
    if (r == 0) {
        r = import_finish(import, ret, &why);
    }
    if (r < 0) { /* of the database the import only knows that it failed */
        const char *failure = store_failure(direct->state.store);
        err_set(reterr, r, "%s", *failure ? failure : why.text);
    }
    import_free(import);
    return r;
}

int app_direct_record(struct app_direct *direct, const struct store_import_file *file,
                      struct err_info *reterr)
{
    struct store_op op = {.kind = STORE_IMPORT_FILE, .import_file = *file};
    struct store_op *ops[] = {&op};
    int r = store_batch(direct->state.store, ops, 1);
    r = r < 0 ? r : op.result;
    return r < 0 ? err_set(reterr, r, "%s", op.detail[0] ? op.detail : store_failure(direct->state.store))
                 : 0;
}

int app_direct_export(struct app_direct *direct, const struct api_export *what, struct api_export_part *ret,
                      struct err_info *reterr)
{
    int r = direct->reader
                ? 0
                : store_reader_open(&direct->reader, direct->state.config->state_dir, NULL, reterr);
    const struct app_export_door door = {.submit = submit_one, .ctx = direct->state.store};
    return r < 0 ? r : app_export_part(&direct->state, &door, direct->reader, what, ret, reterr);
}

void app_direct_close(struct app_direct *direct)
{
    if (direct) {
        store_reader_close(direct->reader);
        app_state_close(&direct->state);
        free(direct);
    }
}

int app_reconcile(const struct config *config, const char *who, const char *why, bool retire_unused,
                  uint32_t *ret_retired, struct err_info *reterr)
{
    struct app_state state;
    int r = app_state_open(&state, config, reterr);
    if (r < 0) {
        return r;
    }
    if (store_mark_state(state.store) == STORE_MARK_GOOD) {
        app_state_close(&state);
        return err_set(reterr, ERR_CONFLICT,
                       "the database agrees with its mark: there is nothing to reconcile");
    }
    struct store_op op = {.kind = STORE_RECONCILE, .reconcile.retire_unspent = retire_unused};
    buf_copy(op.reconcile.who, sizeof(op.reconcile.who), span_str(who));
    buf_copy(op.reconcile.why, sizeof(op.reconcile.why), span_str(why));
    struct store_op *ops[] = {&op};
    r = store_batch(state.store, ops, 1);
    r = r < 0 ? r : op.result;
    if (r < 0) {
        err_set(reterr, r, "%s", op.detail[0] ? op.detail : store_failure(state.store));
    } else {
        *ret_retired = op.reconcile.retired;
    }
    app_state_close(&state);
    return r;
}
