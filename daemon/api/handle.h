/* The handlers that the route table names, by kind of resource, and what they share. */
#ifndef CERTLINE_API_HANDLE_H
#define CERTLINE_API_HANDLE_H

#include "api/route.h"

struct asset;
struct json;
struct store_op;

/* handle_station.c */
handler handle_healthz, handle_readyz, handle_station, handle_slots, handle_slot;

/* handle_catalog.c */
handler handle_products, handle_reasons, handle_problem, handle_openapi;

/* handle_metrics.c */
handler handle_metrics;

/* handle_audit.c */
handler handle_audit, handle_audit_verify;

/* handle_asset.c */
handler handle_asset;

/* handle_command.c */
handler handle_slot_start, handle_slot_abort, handle_slot_release, handle_slot_retry, handle_fixture_start;

/* handle_order.c */
handler handle_order_put, handle_order_close, handle_order, handle_order_yield, handle_orders;

/* handle_bundle.c */
handler handle_stock, handle_bundle_release, handle_bundle_retire;

/* handle_import.c */
handler handle_import_file;

/* handle_export.c */
handler handle_export, handle_export_template;

/* handle_record.c */
handler handle_jobs, handle_yield, handle_job, handle_board, handle_events;

/* The slot with this id: its index, and its view in *out; -1 when there is none. */
int64_t find_slot(const struct api_sources *s, const char *id, struct slot_view *out);

/* The configured product of this name, or NULL. */
const struct api_product *find_product(const struct api_station *station, const char *name);

/* The embedded file that r's path names, or NULL. */
const struct asset *asset_of(const struct request *r);

/*
 * r's body as an object with no members but those of the NULL-terminated list; an empty body is an empty
 * object. NULL when it is none: `out` is answered then. The tree is the caller's.
 */
struct json *body_object(const struct request *r, const char *const *known, struct response *out);

/* Copies an optional text member into a fixed array: 0, or negative with *reterr when it is no text or too
 * long. */
int body_text(const struct json *body, const char *key, char *to, size_t size, struct err_info *reterr);

/* Runs the operation. True when it succeeded; otherwise `out` is answered. */
bool submit(const struct env *env, struct store_op *op, struct response *out);

/* Answers 200 with what a reader returned, or the failure. Takes `tree` over. */
void answer_read(struct response *out, int rc, struct json *tree, const struct err_info *err);
/* The same for one thing that may not be there; `missing` says so. */
void answer_one(struct response *out, int rc, struct json *tree, const struct err_info *err,
                const char *missing);

/* "operator", "engineer" …: who is written into the record when nobody gave a name. */
const char *who_of(const struct request *r);

#endif
