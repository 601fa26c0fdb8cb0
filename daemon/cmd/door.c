#include "cmd/door.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/api.h"
#include "app.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/secret.h"
#include "cmd/http_client.h"
#include "config.h"
#include "store/store.h"

#define ANSWER_MAX ((size_t)16 * 1024 * 1024) /* a result for each of a piece's rows */

int door_open(const struct config *config, struct door *ret, struct err_info *reterr)
{
    *ret = (struct door){.socket_path = config->socket_path};
    struct err_info why = {0};
    int fd = http_connect(config->socket_path, &why);
    if (fd >= 0) {
        close(fd);
        return 0;
    }
    if (fd != -ENOENT && fd != -ECONNREFUSED) {
        return err_set(reterr, fd, "%s", why.text);
    }
    ret->socket_path = NULL;
    return app_direct_open(config, &ret->direct, reterr);
}

void door_close(struct door *door)
{
    app_direct_close(door->direct);
    *door = (struct door){0};
}

int door_problem(const struct http_answer *answer, struct err_info *reterr)
{
    struct json *tree = NULL;
    const char *detail = NULL, *title = NULL, *reason = NULL, *remedy = NULL;
    if (json_parse(span_of(answer->body, answer->body_len), JSON_DEPTH_USUAL, &tree, NULL) == 0) {
        detail = json_as_text(json_get(tree, "detail"));
        title = json_as_text(json_get(tree, "title"));
        reason = json_as_text(json_get(tree, "reason"));
        remedy = json_as_text(json_get(tree, "remedy"));
    }
    bool needs_person = reason && (strcmp(reason, "mark_ahead") == 0 || strcmp(reason, "key_locked") == 0);
    int code = needs_person ? ERR_MARK : ERR_REFUSED;
    err_set(reterr, code, "the daemon answered %d: %s%s%s%s%s", answer->status, title ? title : "no reason",
            detail ? "; " : "", detail ? detail : "", remedy && *remedy ? ". " : "", remedy ? remedy : "");
    json_free(tree);
    return code;
}

/* *ret may be NULL when the answer's body is of no interest. */
static int post(const struct door *door, const struct http_request *request, int wanted, struct json **ret,
                struct err_info *reterr)
{
    int fd = http_connect(door->socket_path, reterr);
    if (fd < 0) {
        return fd;
    }
    struct http_answer answer = {0};
    int r = http_call(fd, request, &answer, reterr);
    close(fd);
    if (r == 0 && answer.status != wanted) {
        r = door_problem(&answer, reterr);
    } else if (r == 0 && ret != NULL) {
        r = json_parse(span_of(answer.body, answer.body_len), JSON_DEPTH_USUAL, ret, reterr);
    }
    http_answer_done(&answer);
    return r;
}

int door_import(const struct door *door, struct span piece, bool is_dry_run, struct json **ret,
                struct err_info *reterr)
{
    if (!door->socket_path) {
        return app_direct_import(door->direct, piece, is_dry_run, ret, reterr);
    }
    const struct http_request request = {.method = "POST",
                                         .target =
                                             is_dry_run ? "/api/v1/bundles?dry_run=true" : "/api/v1/bundles",
                                         .content_type = "application/x-ndjson",
                                         .body = piece,
                                         .answer_max = ANSWER_MAX};
    return post(door, &request, 200, ret, reterr);
}

int door_record(const struct door *door, const struct store_import_file *file, struct err_info *reterr)
{
    if (!door->socket_path) {
        return app_direct_record(door->direct, file, reterr);
    }
    char hex[2 * DIGEST_SIZE + 1];
    hex_encode(file->sha256.octets, DIGEST_SIZE, hex);
    struct json *tree = json_new_object();
    int r = json_put_text(tree, "file", file->name);
    r |= json_put_text(tree, "format", file->format);
    r |= json_put_text(tree, "sha256", hex);
    r |= json_put_i64(tree, "taken", file->taken);
    r |= json_put_i64(tree, "duplicate", file->duplicate);
    r |= json_put_i64(tree, "refused", file->refused);
    r |= json_put_text(tree, "operator", file->who);
    char *body = r == 0 ? json_dump(tree, JSON_FORM_COMPACT) : NULL;
    json_free(tree);
    if (!body) {
        return err_set(reterr, -ENOMEM, "no memory for the file's record");
    }
    const struct http_request request = {.method = "POST",
                                         .target = "/api/v1/imports",
                                         .content_type = "application/json",
                                         .body = span_str(body),
                                         .answer_max = 65536};
    r = post(door, &request, 201, NULL, reterr);
    free(body);
    return r;
}

/* ---- exports */

/* Adds a query parameter, every octet but letters and digits escaped. */
static void add_param(struct buf *target, const char *name, const char *value)
{
    if (value == NULL || *value == '\0') {
        return;
    }
    buf_add_char(target, strchr(target->at, '?') != NULL ? '&' : '?');
    buf_add_str(target, name);
    buf_add_char(target, '=');
    for (; *value != '\0'; value++) {
        if (isalnum((unsigned char)*value)) {
            buf_add_char(target, *value);
        } else {
            buf_add_char(target, '%');
            buf_add_hex(target, (const uint8_t *)value, 1);
        }
    }
}

static void add_time(struct buf *target, const char *name, int64_t wall_ms)
{
    char text[CLOCK_RFC3339_SIZE] = "";
    if (wall_ms > 0) {
        clock_rfc3339(wall_ms, text);
    }
    add_param(target, name, text);
}

static char *template_body(struct span template)
{
    struct json *tree = json_new_object();
    char *body = json_put_span(tree, "template", template) == 0 ? json_dump(tree, JSON_FORM_COMPACT) : NULL;
    json_free(tree);
    return body;
}

static int call_export(const struct door *door, const struct http_request *request,
                       struct api_export_part *ret, struct err_info *reterr)
{
    int fd = http_connect(door->socket_path, reterr);
    if (fd < 0) {
        return fd;
    }
    struct http_answer answer = {0};
    int r = http_call(fd, request, &answer, reterr);
    close(fd);
    if (r == 0 && answer.status != 200) {
        r = answer.status == 404 ? ERR_NOT_FOUND : ERR_REFUSED;
        struct err_info why = {0};
        (void)door_problem(&answer, &why);
        err_set(reterr, r, "%s", why.text);
    }
    if (r == 0) {
        *ret = (struct api_export_part){.body = answer.body,
                                        .is_secret = answer.is_secret,
                                        .body_len = answer.body_len,
                                        .rows = answer.rows,
                                        .n_skipped = answer.skipped};
        memcpy(ret->next, answer.next, sizeof(ret->next));
        answer.body = NULL;
    }
    http_answer_done(&answer);
    return r;
}

void door_part_done(struct api_export_part *part)
{
    if (part->is_secret) {
        secret_free(part->body);
    } else {
        free(part->body);
    }
    part->body = NULL;
    part->is_secret = false;
}

int door_export(const struct door *door, const struct api_export *what, bool wants_skipped,
                struct api_export_part *ret, struct err_info *reterr)
{
    if (!door->socket_path) {
        int r = app_direct_export(door->direct, what, ret, reterr);
        if (r == 0) {
            if (wants_skipped) {
                door_part_done(ret);
                ret->body = ret->skipped;
                ret->body_len = ret->skipped_len;
            } else {
                free(ret->skipped);
            }
            ret->skipped = NULL;
        }
        return r;
    }
    char memory[1024];
    struct buf target;
    buf_init(&target, memory, sizeof(memory));
    buf_add_str(&target, "/api/v1/exports/");
    buf_add_str(&target, what->format);
    add_param(&target, "work_order", what->work_order);
    add_param(&target, "product", what->product);
    add_param(&target, "cursor", what->cursor);
    add_time(&target, "from", what->from_wall_ms);
    add_time(&target, "to", what->to_wall_ms);
    add_param(&target, "skipped", wants_skipped ? "true" : "");
    bool has_template = what->template.len > 0;
    char *body = has_template ? template_body(what->template) : NULL;
    if (target.is_cut || (has_template && !body)) {
        free(body);
        return err_set(reterr, ERR_RANGE, "the question is too long");
    }
    const struct http_request request = {.method = has_template ? "POST" : "GET",
                                         .target = memory,
                                         .content_type = has_template ? "application/json" : NULL,
                                         .body = body ? span_str(body) : span_of(NULL, 0),
                                         .answer_max = (size_t)64 * 1024 * 1024,
                                         .is_secret = true}; /* it may have tokens in it */
    int r = call_export(door, &request, ret, reterr);
    free(body);
    return r;
}
