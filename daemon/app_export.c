#include "app_export.h"

#include <stdio.h>
#include <string.h>

#include "exchange/export.h"

static const struct product *find_product(void *ctx, const char *name)
{
    return config_find_product(ctx, name);
}

int app_export_part(const struct app_state *state, struct store_reader *reader, const struct api_export *what,
                    struct api_export_part *ret, struct err_info *reterr)
{
    int format = export_format_from_name(what->format);
    if (format < 0) {
        return err_set(reterr, ERR_NOT_FOUND, "there is no export %.40s", what->format);
    }
    const struct export_config config = {
        .keys = state->keys, .find_product = find_product, .ctx = (void *)(uintptr_t)state->config};
    const struct export_request request = {.format = (enum export_format)format,
                                           .filter = {.work_order = what->work_order,
                                                      .product = what->product,
                                                      .from_wall_ms = what->from_wall_ms,
                                                      .to_wall_ms = what->to_wall_ms,
                                                      .limit = what->limit,
                                                      .cursor = what->cursor},
                                           .template = what->template};
    struct export_part part;
    int rc = export_part(&config, reader, &request, &part, reterr);
    if (rc < 0) {
        export_part_done(&part);
        return rc;
    }
    *ret = (struct api_export_part){.body = part.text.at,
                                    .body_len = part.text.len,
                                    .skipped = part.skipped.at,
                                    .skipped_len = part.skipped.len,
                                    .content_type = export_content_type((enum export_format)format),
                                    .rows = part.n_rows,
                                    .n_skipped = part.n_skipped};
    (void)snprintf(ret->next, sizeof(ret->next), "%s", part.next);
    return 0;
}
