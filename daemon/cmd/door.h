/*
 * The way to the station's state: over its socket when a daemon runs, since it alone writes its database
 * then, and directly under the state's lock when none does.
 */
#ifndef CERTLINE_CMD_DOOR_H
#define CERTLINE_CMD_DOOR_H

#include <stdbool.h>

#include "base/err.h"
#include "base/span.h"

struct api_export;
struct api_export_part;
struct app_direct;
struct config;
struct http_answer;
struct json;
struct store_import_file;

/* One of the two is open. */
struct door {
    const char *socket_path;   /* a daemon listens here; NULL: none does. The configuration's */
    struct app_direct *direct; /* the state itself */
};

/* 0 or negative with *reterr. door_close is harmless on a zeroed one. */
int door_open(const struct config *config, struct door *ret, struct err_info *reterr);
void door_close(struct door *door);

/* A piece of whole lines of NDJSON, of at most 1 MiB; *ret as POST /api/v1/bundles answers. */
int door_import(const struct door *door, struct span piece, bool is_dry_run, struct json **ret,
                struct err_info *reterr);

/* A file that was imported goes on record. */
int door_record(const struct door *door, const struct store_import_file *file, struct err_info *reterr);

/* One part of an export; with `wants_skipped` its body holds the boards that were left out. The caller gives
 * the body back with door_part_done. ERR_NOT_FOUND for a format that is none. */
int door_export(const struct door *door, const struct api_export *what, bool wants_skipped,
                struct api_export_part *ret, struct err_info *reterr);
void door_part_done(struct api_export_part *part);

/* What a daemon's answer of another status than the wanted one says, with the exit code that belongs to it.
 */
int door_problem(const struct http_answer *answer, struct err_info *reterr);

#endif
