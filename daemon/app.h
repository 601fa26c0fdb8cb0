/*
 * The daemon as a whole: what the commands ask of it. app builds the parts from a configuration, wires them,
 * and takes them down in order; it prints nothing but its log.
 *
 * All of these take the lock of the state directory for as long as they run or are open. Failures are
 * negative with a sentence in *reterr; three of them have an exit code of their own: ERR_LOCKED (another
 * process holds the state), and ERR_MARK and ERR_NOT_FOUND, which need a person (the database is behind its
 * mark; the wrapping key of what is sealed in the database is missing).
 */
#ifndef CERTLINE_APP_H
#define CERTLINE_APP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

struct config;     /* config.h */
struct json;       /* base/json.h */
struct api_export; /* api/api.h */
struct api_export_part;
struct store_import_file; /* store/store.h */

/* Runs the station until SIGTERM or SIGINT. Returns 0 after an ordered end. The configuration is borrowed. */
int app_serve(const struct config *config, struct err_info *reterr);

/*
 * Import without a server: open, import any number of pieces, close. A piece is whole lines of NDJSON, of at
 * most 1 MiB; it is borrowed for the call, and the caller wipes it. *ret takes the same tree that POST
 * /api/v1/bundles answers with
 * (`taken`, `duplicate`, `refused`, `rows`, where a row is a line of this piece, from 1); the caller frees
 * it. When a piece fails, what was taken before stays taken.
 */
struct app_direct;
int app_direct_open(const struct config *config, struct app_direct **ret, struct err_info *reterr);
int app_direct_import(struct app_direct *direct, struct span piece, bool is_dry_run, struct json **ret,
                      struct err_info *reterr);

/* A file whose bundles were imported goes on record. */
int app_direct_record(struct app_direct *direct, const struct store_import_file *file,
                      struct err_info *reterr);
/* One part of an export, as the API gives it. */
int app_direct_export(struct app_direct *direct, const struct api_export *what, struct api_export_part *ret,
                      struct err_info *reterr);
void app_direct_close(struct app_direct *direct); /* NULL is allowed */

/*
 * A person accepts the database although its mark says that it is an older one. `who` and `why` go into the
 * record and are not empty. With `retire_unused` every bundle that is free or bound is retired, since the
 * lost days may have used it; *ret_retired says how many. ERR_CONFLICT when the mark agrees with the
 * database: there is nothing to reconcile.
 */
int app_reconcile(const struct config *config, const char *who, const char *why, bool retire_unused,
                  uint32_t *ret_retired, struct err_info *reterr);

/*
 * Another wrapping key: a new file, every secret rewritten under it in one transaction, and the file put in
 * the old one's place. Killed anywhere, the next start finds one key and what is sealed under it. *ret_n says
 * how many secrets that were. The old file is gone then: backups of the database from before need a backup of
 * it.
 */
int app_key_rotate(const struct config *config, const char *who, uint32_t *ret_n, struct err_info *reterr);

#endif
