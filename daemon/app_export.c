#include "app_export.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "exchange/export.h"
#include "pki/digest.h"
#include "store/store.h"

static const struct product *find_product(void *ctx, const char *name)
{
    return config_find_product(ctx, name);
}

/* Before anybody has it; an empty file is nobody's secret. */
static int record(const struct app_export_door *door, const struct api_export *what,
                  const struct export_part *part, struct err_info *reterr)
{
    if (!part->text.is_secret || what->is_for_skipped || part->n_rows == 0) {
        return 0;
    }
    struct store_op op = {.kind = STORE_EXPORT, .export_file.boards = part->n_rows};
    struct store_export *file = &op.export_file;
    buf_copy(file->format, sizeof(file->format), span_str(what->format));
    buf_copy(file->first, sizeof(file->first), span_str(part->first));
    buf_copy(file->last, sizeof(file->last), span_str(part->last));
    buf_copy(file->who, sizeof(file->who), span_str(what->who ? what->who : ""));
    sha256(span_of(part->text.at, part->text.len), &file->sha256);
    int rc = door->submit(door->ctx, &op);
    rc = rc < 0 ? rc : op.result;
    return rc < 0 ? err_set(reterr, rc, "the export cannot be put on record, and is not given without that")
                  : 0;
}

int app_export_part(const struct app_state *state, const struct app_export_door *door,
                    struct store_reader *reader, const struct api_export *what, struct api_export_part *ret,
                    struct err_info *reterr)
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
                                           .template = what->template,
                                           .may_have_secrets = what->may_have_secrets};
    struct export_part part;
    int rc = export_part(&config, reader, &request, &part, reterr);
    rc = rc < 0 ? rc : record(door, what, &part, reterr);
    if (rc < 0) {
        export_part_done(&part);
        return rc;
    }
    *ret = (struct api_export_part){.body = part.text.at,
                                    .is_secret = part.text.is_secret,
                                    .body_len = part.text.len,
                                    .skipped = part.skipped.at,
                                    .skipped_len = part.skipped.len,
                                    .content_type = export_content_type((enum export_format)format),
                                    .rows = part.n_rows,
                                    .n_skipped = part.n_skipped};
    (void)snprintf(ret->next, sizeof(ret->next), "%s", part.next);
    return 0;
}
