/*
 * CSV by libcsv, in its strict mode and with memory that is wiped. The header says what the columns are; a
 * column that we do not know refuses the file, since what stands in it was meant for something.
 *
 * libcsv counts nothing and allows everything between records, so that number of record and number of fields
 * are kept and judged here.
 */
#include <csv.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/secret.h"
#include "exchange/convert_row.h"

#define COLUMNS_MAX 16
#define BLOCK_SIZE  ((size_t)64 * 1024)
#define RECORD_MAX                                                                                           \
    ((size_t)4 * 1024 * 1024) /* octets: a quotation mark without its end must not take all that follows */

static const char *const members[] = {"id",      "imei",         "product",     "lot",
                                      "sec_tag", "ca",           "client_cert", "private_key",
                                      "psk",     "psk_identity", NULL};

struct reader {
    const struct convert_config *config;
    const char *columns[COLUMNS_MAX]; /* static texts */
    size_t n_columns;

    uint32_t number; /* of the record in hand, from 1 */
    size_t len;      /* octets of it so far, or a few more */
    size_t n_fields;
    struct json *row;
    bool is_too_wide, is_too_long;

    int rc; /* the first thing that ends it */
    struct err_info *reterr;
};

static const char *find_member(struct span name)
{
    for (size_t i = 0; members[i] != NULL; i++) {
        if (span_is(name, members[i])) {
            return members[i];
        }
    }
    return NULL;
}

static int take_column(struct reader *r, struct span name)
{
    const char *member = find_member(name);
    if (member == NULL || r->n_columns == COLUMNS_MAX) {
        return err_set_at(
            r->reterr, ERR_FORMAT, 1, 0,
            "column %zu of the header is none of id, imei, product, lot, sec_tag, ca, client_cert, "
            "private_key, psk and psk_identity",
            r->n_columns + 1);
    }
    for (size_t i = 0; i < r->n_columns; i++) {
        if (r->columns[i] == member) {
            return err_set_at(r->reterr, ERR_FORMAT, 1, 0, "the header has two columns %s", member);
        }
    }
    r->columns[r->n_columns++] = member;
    return 0;
}

/* An empty field is a member that is not there. */
static int take_value(struct reader *r, struct span text)
{
    size_t i = r->n_fields++;
    if (i >= r->n_columns) {
        r->is_too_wide = true;
        return 0;
    }
    if (text.len > CONVERT_FIELD_MAX) {
        r->is_too_long = true;
        return 0;
    }
    if (r->row == NULL) {
        r->row = json_new_object();
    }
    return text.len > 0 ? json_put_span(r->row, r->columns[i], text) : r->row != NULL ? 0 : -ENOMEM;
}

static void on_field(void *octets, size_t len, void *ctx)
{
    struct reader *r = ctx;
    struct span text = span_of(octets, len);
    if (r->rc == 0) {
        r->rc = r->number == 1 ? take_column(r, text) : take_value(r, text);
    }
}

static int end_record(struct reader *r)
{
    char why[120];
    struct json *row = r->row;
    r->row = NULL;
    if (r->is_too_long) {
        json_free(row);
        return r->config->refuse(r->config->ctx, r->number, "a field is longer than any credential");
    }
    if (r->is_too_wide || r->n_fields != r->n_columns) {
        json_free(row);
        (void)snprintf(why, sizeof(why), "it has %zu fields, and the header has %zu", r->n_fields,
                       r->n_columns);
        return r->config->refuse(r->config->ctx, r->number, why);
    }
    return convert_give(r->config, r->number, row);
}

static void on_record(int end, void *ctx)
{
    struct reader *r = ctx;
    (void)end;
    if (r->rc == 0 && r->number > 1) {
        r->rc = end_record(r);
    }
    r->number++;
    r->len = 0;
    r->n_fields = 0;
    r->is_too_wide = r->is_too_long = false;
}

static int refuse_form(struct reader *r, int code, const char *why)
{
    return err_set_at(r->reterr, code, (int)r->number, 0, "%s", why);
}

static int feed(struct reader *r, struct csv_parser *parser, struct span text)
{
    for (size_t at = 0; at < text.len && r->rc == 0;) {
        size_t n = text.len - at < 4096 ? text.len - at : 4096;
        r->len += n;
        if (csv_parse(parser, text.at + at, n, on_field, on_record, r) != n) {
            bool is_form = csv_error(parser) == CSV_EPARSE;
            return r->rc != 0 ? r->rc
                   : is_form  ? refuse_form(
                                    r, ERR_FORMAT,
                                    "a quotation mark stands inside of a field that is not quoted, or behind "
                                     "one that is")
                             : refuse_form(r, -ENOMEM, "there is no memory to read it");
        }
        if (r->rc == 0 && r->len > RECORD_MAX) {
            return refuse_form(r, ERR_FORMAT, "the record has no end: is a quotation mark missing?");
        }
        at += n;
    }
    return r->rc;
}

static int finish(struct reader *r, struct csv_parser *parser)
{
    if (csv_fini(parser, on_field, on_record, r) != 0) {
        return refuse_form(r, ERR_FORMAT, "the last quoted field has no end");
    }
    if (r->rc == 0 && r->n_columns == 0) {
        return err_set(r->reterr, ERR_FORMAT, "there is no header row");
    }
    return r->rc;
}

static int begin(struct csv_parser *parser, struct err_info *reterr)
{
    if (csv_init(parser, CSV_STRICT | CSV_STRICT_FINI) != 0) {
        return err_set(reterr, -ENOMEM, "there is no memory to read it");
    }
    csv_set_realloc_func(parser, secret_realloc);
    csv_set_free_func(parser, secret_free);
    return 0;
}

/* Spreadsheets write one. */
static struct span skip_mark(struct span text)
{
    return span_starts(text, "\xEF\xBB\xBF") ? span_skip(text, 3) : text;
}

int convert_csv(const struct convert_config *config, struct span text, struct err_info *reterr)
{
    struct reader r = {.config = config, .number = 1, .reterr = reterr};
    struct csv_parser parser;
    int rc = begin(&parser, reterr);
    if (rc < 0) {
        return rc;
    }
    rc = feed(&r, &parser, skip_mark(text));
    rc = rc == 0 ? finish(&r, &parser) : rc;
    csv_free(&parser);
    json_free(r.row);
    return rc;
}

/* Until the block is full or the file ends: how many octets, or -errno. */
static ssize_t read_block(int fd, char *block)
{
    size_t len = 0;
    while (len < BLOCK_SIZE) {
        ssize_t n = read(fd, block + len, BLOCK_SIZE - len);
        if (n == 0) {
            break;
        }
        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        len += n > 0 ? (size_t)n : 0;
    }
    return (ssize_t)len;
}

static int read_blocks(struct reader *r, struct csv_parser *parser, int fd, char *block,
                       void (*took)(void *ctx, struct span octets))
{
    int rc = 0;
    ssize_t n = 1;
    for (bool is_first = true; rc == 0 && (n = read_block(fd, block)) > 0; is_first = false) {
        struct span octets = span_of(block, (size_t)n);
        rc = feed(r, parser, is_first ? skip_mark(octets) : octets);
        took(r->config->ctx, octets);
    }
    if (n < 0) {
        return err_set(r->reterr, (int)n, "it cannot be read: %s", err_text((int)n));
    }
    return rc == 0 ? finish(r, parser) : rc;
}

int convert_csv_file(const struct convert_config *config, int fd, void (*took)(void *ctx, struct span octets),
                     struct err_info *reterr)
{
    struct reader r = {.config = config, .number = 1, .reterr = reterr};
    struct csv_parser parser;
    int rc = begin(&parser, reterr);
    if (rc < 0) {
        return rc;
    }
    char *block = secret_alloc(BLOCK_SIZE);
    rc = block != NULL ? read_blocks(&r, &parser, fd, block, took)
                       : err_set(reterr, -ENOMEM, "there is no memory to read it");
    secret_free(block);
    csv_free(&parser);
    json_free(r.row);
    return rc;
}
