#include "cmd/rows.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/secret.h"
#include "cmd/pieces.h"
#include "cmd/progress.h"

void rows_clear_progress(const struct rows *rows)
{
    if (rows->shows_progress) {
        progress_clear();
    }
}

/* ---- answers */

/* "(row 2, private_key)" → "(row 1002, private_key)" for a piece that begins behind row 1,000. */
static void print_detail(const char *detail, uint64_t rows_before)
{
    const char *at = detail;
    for (const char *row; (row = strstr(at, "row ")) != NULL;) {
        const char *number = row + 4;
        printf("%.*s", (int)(number - at), at);
        at = number;
        if (isdigit((unsigned char)*number)) {
            char *rest;
            unsigned long long n = strtoull(number, &rest, 10);
            printf("%llu", n + rows_before);
            at = rest;
        }
    }
    printf("%s\n", at);
}

static void print_refused(const struct rows *rows, uint64_t rows_before, const struct json *row)
{
    int64_t number = 0;
    const char *reason = json_as_text(json_get(row, "reason")),
               *detail = json_as_text(json_get(row, "detail"));
    json_as_i64(json_get(row, "row"), &number);
    rows_clear_progress(rows);
    printf("%s:%" PRIu64 ": %s: ", rows->file, rows_before + (uint64_t)number, reason ? reason : "refused");
    print_detail(detail ? detail : "no detail was given", rows_before);
}

static void print_warnings(const struct rows *rows, uint64_t rows_before, const struct json *row)
{
    const struct json *list = json_get(row, "warnings");
    int64_t number = 0;
    json_as_i64(json_get(row, "row"), &number);
    for (size_t i = 0; i < json_count(list); i++) {
        const struct json *one = json_at(list, i);
        const char *name = json_as_text(json_get(one, "name")),
                   *member = json_as_text(json_get(one, "member")),
                   *detail = json_as_text(json_get(one, "detail"));
        rows_clear_progress(rows);
        printf("%s:%" PRIu64 ": warning: %s%s%s: %s\n", rows->file, rows_before + (uint64_t)number,
               name ? name : "", member ? " in " : "", member ? member : "", detail ? detail : "");
    }
}

static int take_answer(struct rows *rows, uint64_t rows_before, const struct json *answer,
                       struct err_info *reterr)
{
    struct rows_totals n = {0};
    const struct json *results = NULL;
    int64_t omitted = 0;
    int r = json_get_i64(answer, "taken", 0, INT32_MAX, &n.taken, reterr);
    r = r < 0 ? r : json_get_i64(answer, "duplicate", 0, INT32_MAX, &n.duplicate, reterr);
    r = r < 0 ? r : json_get_i64(answer, "refused", 0, INT32_MAX, &n.refused, reterr);
    r = r < 0 ? r : json_get_array(answer, "rows", &results, reterr);
    r = r < 0 ? r : json_opt_i64(answer, "omitted", 0, INT32_MAX, &omitted, reterr);
    if (r < 0) {
        return r;
    }
    rows->totals.taken += n.taken;
    rows->totals.duplicate += n.duplicate;
    rows->totals.refused += n.refused;
    for (size_t i = 0; i < json_count(results); i++) {
        const struct json *row = json_at(results, i);
        const char *result = json_as_text(json_get(row, "result"));
        if (result && strcmp(result, "refused") == 0) {
            print_refused(rows, rows_before, row);
        }
        print_warnings(rows, rows_before, row);
    }
    if (omitted > 0 && n.refused > (int64_t)json_count(results)) {
        rows_clear_progress(rows);
        printf("%s: more rows from here on were refused than are listed\n", rows->file);
    }
    return 0;
}

int rows_send(struct rows *rows, struct span lines, uint64_t rows_before, struct err_info *reterr)
{
    struct json *answer = NULL;
    int r = door_import(rows->door, lines, rows->is_dry_run, &answer, reterr);
    r = r < 0 ? r : take_answer(rows, rows_before, answer, reterr);
    json_free(answer);
    return r;
}

void rows_refuse(struct rows *rows, uint64_t number, const char *reason, const char *detail)
{
    rows->totals.refused++;
    rows_clear_progress(rows);
    printf("%s:%" PRIu64 ": %s: %s\n", rows->file, number, reason, detail);
}

/* ---- gathering */

static int send_piece(struct rows *rows)
{
    int r =
        rows->len > 0 ? rows_send(rows, span_of(rows->memory, rows->len), rows->before, &rows->failure) : 0;
    if (rows->memory != NULL) {
        secret_wipe(rows->memory, rows->len);
    }
    rows->len = 0;
    return r;
}

int rows_add(struct rows *rows, uint32_t number, struct span json)
{
    if (rows->memory == NULL) {
        rows->memory = secret_alloc(PIECE_MAX);
        if (rows->memory == NULL) {
            return err_set(&rows->failure, -ENOMEM, "there is no memory for the rows");
        }
    }
    if (json.len >= PIECE_MAX) {
        rows_refuse(rows, number, "row_invalid", "the row is longer than any bundle");
        return 0;
    }
    uint64_t gap = rows->len > 0 ? number - rows->last - 1 : 0; /* rows that are missing keep their lines */
    if (gap + json.len + 1 > PIECE_MAX - rows->len) {
        int r = send_piece(rows);
        if (r < 0) {
            return r;
        }
        gap = 0;
    }
    if (rows->len == 0) {
        rows->before = number - 1;
    }
    memset(rows->memory + rows->len, '\n', gap);
    rows->len += gap;
    memcpy(rows->memory + rows->len, json.at, json.len);
    rows->len += json.len;
    rows->memory[rows->len++] = '\n';
    rows->last = number;
    return 0;
}

int rows_flush(struct rows *rows)
{
    int r = send_piece(rows);
    rows->last = 0;
    return r;
}

void rows_done(struct rows *rows)
{
    secret_free(rows->memory);
    rows->memory = NULL;
}
