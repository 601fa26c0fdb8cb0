/* Exports, for the API and for the command without a server: exchange/export.h over the station's state. */
#ifndef CERTLINE_APP_EXPORT_H
#define CERTLINE_APP_EXPORT_H

#include "api/api.h"
#include "app_state.h"

struct store_reader;

/* As export_part of struct api_sources. Any thread with a reader of its own. */
int app_export_part(const struct app_state *state, struct store_reader *reader, const struct api_export *what,
                    struct api_export_part *ret, struct err_info *reterr);

#endif
