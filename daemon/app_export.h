/* Exports, for the API and for the command without a server: exchange/export.h over the station's state. */
#ifndef CERTLINE_APP_EXPORT_H
#define CERTLINE_APP_EXPORT_H

#include "api/api.h"
#include "app_state.h"

struct store_reader;

/* As export_part of struct api_sources. Any thread with a reader of its own. `submit` gives the store one
 * operation and waits for it (0, or negative when it was not run): a file with secrets is delivered only
 * after that is on record. */
struct store_op;
struct app_export_door {
    int (*submit)(void *ctx, struct store_op *op);
    void *ctx;
};
int app_export_part(const struct app_state *state, const struct app_export_door *door,
                    struct store_reader *reader, const struct api_export *what, struct api_export_part *ret,
                    struct err_info *reterr);

#endif
