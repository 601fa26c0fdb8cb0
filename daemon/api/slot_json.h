/* The slot resource of the API: one published view as JSON, whichever answer or stream carries it. */
#ifndef CERTLINE_API_SLOT_JSON_H
#define CERTLINE_API_SLOT_JSON_H

#include "station/view.h"

struct json;

/* A new tree, the caller's; NULL without memory. Empty texts become null, `board` is null until it said who
 * it is. */
struct json *slot_json(const struct slot_view *view);

/* A verdict as it stands in slots; `proof` and `at` belong to it there. */
struct json *slot_json_verdict(const struct verdict *verdict, enum entry_proof proof, int64_t wall_ms);

#endif
