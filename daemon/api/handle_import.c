/*
 * A file whose bundles were imported, for the record: whoever took it apart (certlined import, the MES) says
 * what it was called and what its octets were, since the rows came here in pieces.
 */
#include <string.h>

#include "api/handle.h"
#include "base/buf.h"
#include "base/hex.h"
#include "base/json.h"
#include "store/store.h"

static const char *const members[] = {"file",      "format",  "sha256",   "taken",
                                      "duplicate", "refused", "operator", NULL};

static int read_digest(const struct json *body, struct digest *ret, struct err_info *reterr)
{
    const char *text = NULL;
    int rc = json_get_text(body, "sha256", &text, reterr);
    if (rc < 0) {
        return rc;
    }
    return hex_decode(span_str(text), ret->octets, DIGEST_SIZE) == 0
               ? 0
               : err_set(reterr, ERR_FORMAT, "sha256 is not 64 hexadecimal characters");
}

static int read_file(const struct json *body, const struct request *r, struct store_import_file *file,
                     struct err_info *reterr)
{
    int rc = body_text(body, "file", file->name, sizeof(file->name), reterr);
    if (rc == 0 && *file->name == '\0') {
        return err_set(reterr, ERR_NOT_FOUND, "file is missing: what was it called?");
    }
    rc = rc < 0 ? rc : body_text(body, "format", file->format, sizeof(file->format), reterr);
    rc = rc < 0 ? rc : read_digest(body, &file->sha256, reterr);
    rc = rc < 0 ? rc : json_get_i64(body, "taken", 0, INT32_MAX, &file->taken, reterr);
    rc = rc < 0 ? rc : json_get_i64(body, "duplicate", 0, INT32_MAX, &file->duplicate, reterr);
    rc = rc < 0 ? rc : json_get_i64(body, "refused", 0, INT32_MAX, &file->refused, reterr);
    rc = rc < 0 ? rc : body_text(body, "operator", file->who, sizeof(file->who), reterr);
    if (rc == 0 && *file->who == '\0') {
        buf_copy(file->who, sizeof(file->who), span_str(who_of(r)));
    }
    return rc;
}

void handle_import_file(const struct env *env, const struct request *r, struct response *out)
{
    struct store_op op = {.kind = STORE_IMPORT_FILE};
    struct err_info err = {0};
    struct json *body = body_object(r, members, out);

    if (body == NULL) {
        return;
    }
    int rc = read_file(body, r, &op.import_file, &err);
    json_free(body);
    if (rc < 0) {
        response_problem(out, PROBLEM_BAD_BODY, err.text);
        return;
    }
    if (submit(env, &op, out)) {
        struct json *tree = json_new_object();
        if (json_put_text(tree, "file", op.import_file.name) != 0) {
            json_free(tree);
            tree = NULL;
        }
        response_json(out, 201, tree);
    }
}
