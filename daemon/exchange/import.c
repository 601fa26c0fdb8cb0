/*
 * Lines are gathered in one buffer; what does not fit into it is a row that is refused, and its rest is
 * skipped up to the line end. Rows wait in a batch, the refused ones too, so that results come in the order
 * of the rows.
 *
 * That a key stands twice in one import is found here and not by the store's unique indexes alone: the
 * sentence can name the other row then. A row that comes a second time, octet for octet the same bundle, is
 * left to the store, which calls it a duplicate as it does on the next import.
 */
#include "exchange/import.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/secret.h"
#include "exchange/seen.h"
#include "pki/digest.h"

/* One row on its way to a result. */
struct item {
    uint32_t number;
    bool is_refused; /* before the store saw it */
    struct row_refusal refusal;
    struct row_warnings warnings;
    struct store_op op;
    uint8_t *sealed; /* ROW_SEALED_MAX octets */
};

struct import {
    struct import_config config;
    struct row_reader *reader;
    struct seen keys, identities;

    uint32_t number;  /* of the line in hand, from 1 */
    bool is_too_long; /* the line's rest is skipped */
    size_t line_len;
    char *line; /* secret, IMPORT_LINE_MAX octets */

    struct batch {
        size_t n;
        struct item items[IMPORT_BATCH];
        size_t n_ops; /* of those that are not refused */
        struct store_op *ops[IMPORT_BATCH];
        void *ticket;
        bool is_begun; /* lent to the store */
    } batches[2];
    struct batch *filling;

    struct json *rows;
    uint32_t n_good_listed, n_refused_listed;
    int64_t taken, duplicate, refused, omitted;

    struct err_info failure; /* code 0: none */
};

struct import *import_new(const struct import_config *config)
{
    struct import *import = calloc(1, sizeof(*import));
    if (import == NULL) {
        return NULL;
    }
    import->config = *config;
    import->number = 1;
    import->reader = row_reader_new(&config->rows);
    import->line = secret_alloc(IMPORT_LINE_MAX);
    import->rows = json_new_array();
    bool is_good = import->reader != NULL && import->line != NULL && import->rows != NULL;
    import->filling = &import->batches[0];
    for (size_t i = 0; i < 2 * IMPORT_BATCH && is_good; i++) {
        struct item *item = &import->batches[i / IMPORT_BATCH].items[i % IMPORT_BATCH];
        item->sealed = malloc(ROW_SEALED_MAX);
        is_good = item->sealed != NULL;
    }
    if (!is_good) {
        import_free(import);
        return NULL;
    }
    return import;
}

static void wait_for(struct import *import, struct batch *batch)
{
    if (batch->is_begun) {
        import->config.wait(import->config.ctx, batch->ticket);
    }
    batch->is_begun = false;
}

void import_free(struct import *import)
{
    if (import == NULL) {
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        wait_for(import, &import->batches[i]);
        for (size_t k = 0; k < IMPORT_BATCH; k++) {
            free(import->batches[i].items[k].sealed);
        }
    }
    json_free(import->rows);
    seen_done(&import->keys);
    seen_done(&import->identities);
    secret_free(import->line);
    row_reader_free(import->reader);
    free(import);
}

/* The first failure stays. Returns its code. */
static int fail(struct import *import, int code, const char *text)
{
    if (import->failure.code == 0) {
        (void)err_set(&import->failure, code, "%s", text);
    }
    return import->failure.code;
}

/* ---- results */

/* A result takes about a kilobyte of memory, and an import may have a million rows: beyond a limit they are
 * counted only. Refused ones have a limit of their own, so that no flood of good rows hides them. */
static bool is_listed(struct import *import, bool is_refused)
{
    uint32_t *n = is_refused ? &import->n_refused_listed : &import->n_good_listed;
    if (*n < IMPORT_LISTED_MAX) {
        (*n)++;
        return true;
    }
    import->omitted++;
    return false;
}

static int put_warnings(struct json *row, const struct row_warnings *warnings)
{
    struct json *list = warnings->n > 0 ? json_new_array() : NULL;
    int rc = 0;
    for (uint32_t i = 0; i < warnings->n; i++) {
        const struct row_warning *warning = &warnings->at[i];
        char detail[ROW_DETAIL_SIZE];
        (void)snprintf(detail, sizeof(detail), "%s. %s", lint_fault_why(warning->fault),
                       lint_fault_remedy(warning->fault));
        struct json *one = json_new_object();
        rc |= json_put_text(one, "name", lint_fault_name(warning->fault));
        rc |= warning->member != NULL ? json_put_text(one, "member", warning->member) : 0;
        rc |= json_put_text(one, "detail", detail);
        rc |= json_append(list, one);
    }
    return rc != 0 || list == NULL ? rc : json_put(row, "warnings", list);
}

static int add_result(struct import *import, const struct item *item, const char *result, const char *reason,
                      const char *detail)
{
    if (!is_listed(import, reason != NULL)) {
        return 0;
    }
    struct json *row = json_new_object();
    int rc = json_put_i64(row, "row", item->number);
    if (item->op.import.id[0] != '\0') {
        rc |= json_put_text(row, "id", item->op.import.id);
    }
    rc |= json_put_text(row, "result", result);
    if (reason != NULL) {
        rc |= json_put_text(row, "reason", reason);
    }
    if (detail != NULL) {
        rc |= json_put_text(row, "detail", detail);
    }
    rc |= reason == NULL ? put_warnings(row, &item->warnings) : 0;
    if (rc != 0) {
        json_free(row);
    } else {
        rc = json_append(import->rows, row);
    }
    return rc == 0 ? 0 : fail(import, -ENOMEM, "no memory for the import's result");
}

static int add_refused(struct import *import, const struct item *item, enum reason reason, const char *detail)
{
    import->refused++;
    return add_result(import, item, "refused", reason_text(reason)->name, detail);
}

/* What the store said. Its own trouble ends the import: the rows that follow would meet it too. */
static int add_answer(struct import *import, const struct item *item)
{
    const struct store_op *op = &item->op;
    bool is_errno = op->result < 0 && op->result > ERR_FIRST; /* no memory, above all */
    if (is_errno || op->result == ERR_STORE || op->result == ERR_CORRUPT) {
        return fail(import, op->result, op->detail);
    }
    if (op->result == 0 && op->import.outcome == STORE_TAKEN) {
        import->taken++;
        return add_result(import, item, "taken", NULL, NULL);
    }
    if (op->result == 0 && op->import.outcome == STORE_DUPLICATE) {
        import->duplicate++;
        return add_result(import, item, "duplicate", NULL, "same content as already stored");
    }
    char detail[ROW_DETAIL_SIZE];
    (void)snprintf(detail, sizeof(detail), "%s (row %u)", op->detail, (unsigned)item->number);
    return add_refused(import, item, op->reason == REASON_NONE ? REASON_row_invalid : op->reason, detail);
}

/* What became of a batch that the store has answered, or that had nothing for it. */
static int settle(struct import *import, struct batch *batch)
{
    int rc = 0;
    wait_for(import, batch);
    for (size_t i = 0; i < batch->n && rc == 0; i++) {
        const struct item *item = &batch->items[i];
        rc = item->is_refused ? add_refused(import, item, item->refusal.reason, item->refusal.detail)
                              : add_answer(import, item);
    }
    batch->n = 0;
    return rc;
}

static int lend(struct import *import, struct batch *batch)
{
    const struct import_config *config = &import->config;
    batch->n_ops = 0;
    for (size_t i = 0; i < batch->n; i++) {
        if (!batch->items[i].is_refused) {
            batch->ops[batch->n_ops++] = &batch->items[i].op;
        }
    }
    if (batch->n_ops == 0) {
        return 0;
    }
    int rc = config->begin ? config->begin(config->ctx, batch->ops, batch->n_ops, &batch->ticket)
                           : config->submit(config->ctx, batch->ops, batch->n_ops);
    batch->is_begun = rc == 0 && config->begin;
    return rc == 0 ? 0 : fail(import, rc, "the database takes no bundles now: try again later");
}

/* The batch that was filled goes to the store once the one before it has come back. */
static int flush(struct import *import)
{
    struct batch *full = import->filling;
    struct batch *other = &import->batches[full == &import->batches[0]];
    int rc = settle(import, other);
    rc = rc != 0 ? rc : lend(import, full);
    import->filling = other;
    return rc == 0 && !full->is_begun ? settle(import, full) : rc;
}

/* ---- rows */

static void refuse_twin(struct item *item, enum reason reason, const char *what, int64_t other)
{
    item->is_refused = true;
    item->refusal.reason = reason;
    (void)snprintf(item->refusal.detail, sizeof(item->refusal.detail),
                   "%s stands in row %lld as well (row %u)", what, (long long)other, (unsigned)item->number);
}

static int64_t see_identity(struct import *import, const struct store_credential *credential,
                            const struct item *item)
{
    const struct digest *row = &item->op.import.content;
    struct digest digest = credential->identity_sha256;
    if (credential->serial[0] != '\0') {
        struct sha256 h;
        sha256_init(&h);
        sha256_add(&h, span_of(credential->serial, strlen(credential->serial) + 1));
        sha256_add(&h, span_str(credential->issuer));
        sha256_finish(&h, &digest);
    } else if (!credential->has_identity) {
        return 0;
    }
    return seen_add(&import->identities, &digest, row, item->number);
}

/* Refuses the row if another row of this import has its key or identity. Returns 0 or negative. */
static int check_twins(struct import *import, struct item *item)
{
    struct store_import *bundle = &item->op.import;
    for (uint32_t i = 0; i < bundle->n_credentials && !item->is_refused; i++) {
        const struct store_credential *credential = &bundle->credentials[i];
        int64_t other = credential->has_key
                            ? seen_add(&import->keys, &credential->key_sha256, &bundle->content, item->number)
                            : 0;
        if (other > 0) {
            refuse_twin(item, REASON_duplicate_key, "the same key", other);
        }
        int64_t twin = other == 0 ? see_identity(import, credential, item) : 0;
        if (twin > 0) {
            refuse_twin(item, REASON_duplicate_identity, "the same serial number or identity", twin);
        }
        if (other < 0 || twin < 0) {
            return fail(import, -ENOMEM, "no memory for the import's keys");
        }
    }
    return 0;
}

static int take_row(struct import *import, struct item *item, struct span text)
{
    struct err_info why = {0};
    item->op = (struct store_op){.kind = STORE_IMPORT};
    item->is_refused = false;
    if (import->is_too_long) {
        item->is_refused = true;
        item->refusal.reason = REASON_row_invalid;
        (void)snprintf(item->refusal.detail, sizeof(item->refusal.detail),
                       "a row has at most %zu octets (row %u)", IMPORT_LINE_MAX, (unsigned)item->number);
        return 0;
    }
    int rc =
        row_read(import->reader, text, item->number, &item->op.import, item->sealed, &item->refusal, &why);
    if (rc < 0) {
        return fail(import, rc, why.text);
    }
    item->is_refused = rc == 1;
    item->warnings = *row_warnings(import->reader);
    item->op.import.is_dry_run = import->config.is_dry_run;
    return item->is_refused ? 0 : check_twins(import, item);
}

static bool is_blank(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] != ' ' && text.at[i] != '\t' && text.at[i] != '\r') {
            return false;
        }
    }
    return true;
}

/* The line in hand is complete. */
static int end_line(struct import *import)
{
    int rc = 0;
    struct span text = span_of(import->line, import->line_len);
    if (import->is_too_long || !is_blank(text)) {
        struct item *item = &import->filling->items[import->filling->n];
        item->number = import->number;
        rc = import->number > IMPORT_ROWS_MAX
                 ? fail(import, ERR_RANGE, "an import has at most 1,000,000 rows: split the file")
                 : take_row(import, item, text);
        import->filling->n += rc == 0;
    }
    secret_wipe(import->line, import->line_len);
    import->line_len = 0;
    import->is_too_long = false;
    import->number++;
    return rc == 0 && import->filling->n == IMPORT_BATCH ? flush(import) : rc;
}

/* A part of a line, without a line feed. */
static void add_part(struct import *import, struct span part)
{
    if (import->is_too_long || part.len > IMPORT_LINE_MAX - import->line_len) {
        import->is_too_long = true;
        return;
    }
    if (part.len > 0) {
        memcpy(import->line + import->line_len, part.at, part.len);
        import->line_len += part.len;
    }
}

static int report(const struct import *import, struct err_info *reterr)
{
    const struct err_info *failure = &import->failure;
    return failure->code == 0 ? 0 : err_set(reterr, failure->code, "%s", failure->text);
}

int import_feed(struct import *import, struct span octets, struct err_info *reterr)
{
    while (octets.len > 0 && import->failure.code == 0) {
        const char *end = memchr(octets.at, '\n', octets.len);
        size_t n = end != NULL ? (size_t)(end - octets.at) : octets.len;
        add_part(import, span_of(octets.at, n));
        octets = span_skip(octets, end != NULL ? n + 1 : n);
        if (end != NULL) {
            (void)end_line(import); /* a failure stays in the session */
        }
    }
    return report(import, reterr);
}

int import_finish(struct import *import, struct json **ret, struct err_info *reterr)
{
    if (import->failure.code == 0 && (import->line_len > 0 || import->is_too_long)) {
        (void)end_line(import);
    }
    for (int i = 0; i < 2 && import->failure.code == 0; i++) { /* the last batch, and what it left behind */
        (void)flush(import);
    }
    int rc = report(import, reterr);
    if (rc != 0) {
        return rc;
    }
    struct json *result = json_new_object();
    rc |= json_put_i64(result, "taken", import->taken);
    rc |= json_put_i64(result, "duplicate", import->duplicate);
    rc |= json_put_i64(result, "refused", import->refused);
    rc |= json_put(result, "rows", import->rows);
    rc |= json_put_i64(result, "omitted", import->omitted);
    import->rows = NULL;
    if (rc != 0) {
        json_free(result);
        return err_set(reterr, -ENOMEM, "no memory for the import's result");
    }
    *ret = result;
    return 0;
}
