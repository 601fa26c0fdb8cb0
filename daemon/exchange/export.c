/*
 * A board is left out, and named, rather than written in a way that its cloud refuses: one bad row of a
 * thousand refuses the whole file there.
 *
 * An attestation token is a secret, and these files are what it was taken for: it is opened only for a file
 * that names it, such a file lies in secret memory and says that it is one, and whoever delivers it has put
 * that on record first (app_export.c).
 */
#include "exchange/export.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/secret.h"
#include "exchange/template.h"
#include "job/device_id.h"
#include "keys/keys.h"
#include "pki/content.h"
#include "pki/x509.h"

enum need { NEED_NAME = 1, NEED_CERTIFICATE = 2, NEED_P256 = 4, NEED_TOKEN = 8, NEED_UUID = 16 };

static const struct format {
    const char *name, *file, *ending, *content_type;
    uint32_t most; /* boards in one file: what the cloud takes at a time */
    unsigned needs;
    enum device_cloud cloud;
    const char *template; /* NULL: written by a function, or given */
} formats[] = {
    [EXPORT_ONBOARDING] = {"onboarding", "onboarding", "csv", "text/csv", 1000,
                           NEED_NAME | NEED_CERTIFICATE | NEED_P256, CLOUD_NRFCLOUD,
                           "{deviceId|csv},,,APP|MODEM,{certificate|csv}\n"},
    [EXPORT_DEVINFO] = {"devinfo", "devinfo", "csv", "text/csv", 1000, NEED_NAME, CLOUD_NONE,
                        "{deviceId|csv},{modemFirmware|csv},{imei|csv}\n"},
    [EXPORT_ATTESTATION_TOKENS] = {"attestation_tokens", "attestation_tokens", "csv", "text/csv", 1000,
                                   NEED_TOKEN, CLOUD_NONE,
                                   "{imei|csv},{uuid|csv},{attestationToken|csv},{passed|csv}\n"},
    [EXPORT_CLAIM] = {"claim", "claim", "csv", "text/csv", 1000, NEED_TOKEN, CLOUD_NONE,
                      "{attestationToken|quoted}\n"},
    [EXPORT_MANAGER] = {"manager", "", "json", "application/json", 1, NEED_NAME | NEED_CERTIFICATE,
                        CLOUD_NONE, NULL},
    [EXPORT_AWS] = {"aws", "aws", "json", "application/x-ndjson", 1000, NEED_NAME | NEED_CERTIFICATE,
                    CLOUD_AWS,
                    "{{\"ThingName\":\"{deviceId|json}\",\"SerialNumber\":\"{unitSerial|json}\","
                    "\"CertificatePem\":\"{certificate|json}\"}\n"},
    [EXPORT_AZURE] = {"azure", "azure", "json", "application/json", 10, NEED_NAME | NEED_CERTIFICATE,
                      CLOUD_AZURE,
                      "{{\"mode\":\"create\",\"enrollments\":[\n%%\n"
                      "{comma}{{\"registrationId\":\"{deviceId|json}\",\"deviceId\":\"{deviceId|json}\","
                      "\"attestation\":{{\"type\":\"x509\",\"x509\":{{\"clientCertificates\":{{\"primary\":"
                      "{{\"certificate\":\"{certificate|json}\"}}}}}\n%%\n]}\n"},
    [EXPORT_TEMPLATE] = {"template", "export", "txt", "text/plain; charset=utf-8", 1000, 0, CLOUD_NONE, NULL},
};

const char *export_format_name(enum export_format format)
{
    return formats[format].name;
}

int export_format_from_name(const char *name)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
        if (strcmp(formats[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

const char *export_content_type(enum export_format format)
{
    return formats[format].content_type;
}

static bool names_token(const struct template *template)
{
    return (template->fields & (UINT32_C(1) << FIELD_ATTESTATION_TOKEN)) != 0;
}

bool export_has_secrets(enum export_format format, struct span template)
{
    struct template read;
    const char *own = formats[format].template;
    return template_read(own != NULL ? span_str(own) : template, &read, NULL) == 0 && names_token(&read);
}

void export_file_name(enum export_format format, uint32_t n, const char *device_id,
                      char out[EXPORT_NAME_SIZE])
{
    const struct format *row = &formats[format];
    if (format == EXPORT_MANAGER) {
        (void)snprintf(out, EXPORT_NAME_SIZE, "%s.%s", device_id, row->ending);
        for (char *c = out; *c != '\0'; c++) {
            *c = *c == '/' || (c == out && *c == '.') ? '_' : *c; /* a name is no path */
        }
    } else if (n <= 1) {
        (void)snprintf(out, EXPORT_NAME_SIZE, "%s.%s", row->file, row->ending);
    } else {
        (void)snprintf(out, EXPORT_NAME_SIZE, "%s-%03u.%s", row->file, (unsigned)n, row->ending);
    }
}

void export_part_done(struct export_part *part)
{
    text_done(&part->text);
    text_done(&part->skipped);
}

/* ---- one board */

/* What a row's values point into. */
struct board {
    char certificate[CRED_CONTENT_MAX], ca[CRED_CONTENT_MAX], identity[CRED_CONTENT_MAX];
    char token[LEDGER_TOKEN_SIZE]; /* of attestation: the one secret among these */
    size_t certificate_len, ca_len, identity_len, token_len;
    struct cert cert;
    bool has_cert;
    char name[DEVICE_ID_SIZE], passed[CLOCK_RFC3339_SIZE], sec_tag[12];
};

struct writer {
    const struct export_config *config;
    const struct format *format;
    enum export_format id;
    struct template template;
    struct export_part *part;
    struct err_info *reterr;
    struct board *board;
};

static int skip(struct writer *w, const struct store_export_row *row, const char *why)
{
    text_add_str(&w->part->skipped, row->imei);
    text_add_str(&w->part->skipped, ": ");
    text_add_str(&w->part->skipped, why);
    text_add_str(&w->part->skipped, "\n");
    w->part->n_skipped++;
    return 0;
}

/* Opens one credential that is no secret; *ret_len stays 0 when the bundle has none. */
static int open_one(struct writer *w, const struct store_export_row *row, enum cred_type type, char *out,
                    size_t *ret_len)
{
    if (row->sealed[type].len == 0) {
        return 0;
    }
    int64_t len = keys_open_public(w->config->keys, span_str(row->bundle), type, row->sealed[type], out,
                                   CRED_CONTENT_MAX, w->reterr);
    if (len < 0) {
        return (int)len;
    }
    *ret_len = (size_t)len;
    return 0;
}

/* The board's own certificate is the first one; those behind it are its CA's, which the clouds have. */
static int read_certificate(struct board *board, struct err_info *reterr)
{
    struct pem pem;
    if (board->certificate_len == 0) {
        return 0;
    }
    int rc = pem_parse(span_of(board->certificate, board->certificate_len), &pem);
    if (rc != 0) {
        return err_set(reterr, rc, "no memory to read a certificate");
    }
    rc = pem.n_blocks > 0 ? cert_parse(pem.blocks[0].der, &board->cert, NULL) : ERR_FORMAT;
    if (rc == -ENOMEM) { /* the board must not be left out for that */
        pem_done(&pem);
        return err_set(reterr, rc, "no memory to read a certificate");
    }
    board->has_cert = rc == 0;
    if (board->has_cert) {
        pem.n_blocks = 1;
        int64_t len = pem_write(&pem, KEYS_STYLE, board->certificate, sizeof(board->certificate));
        board->certificate_len = len > 0 ? (size_t)len : 0;
    }
    pem_done(&pem);
    return 0;
}

/* The certificate's name, or the identity, or what the product's scheme makes. */
static void name_board(const struct store_export_row *row, const struct product *product, struct board *board)
{
    board->name[0] = '\0';
    if (board->has_cert && board->cert.subject_cn[0] != '\0') {
        (void)snprintf(board->name, sizeof(board->name), "%.128s", board->cert.subject_cn);
    } else if (board->identity_len > 0 && board->identity_len < sizeof(board->name)) {
        memcpy(board->name, board->identity, board->identity_len);
        board->name[board->identity_len] = '\0';
    } else if (product != NULL && !device_scheme_is_open(product->device_id)) {
        (void)device_id_make(product->device_id, row->imei, row->uuid, NULL, board->name);
    }
}

/* The CA and the tag stand in the product; a bundle's own CA goes before. */
static void read_product(const struct product *product, struct board *board)
{
    board->sec_tag[0] = '\0';
    for (uint32_t i = 0; product != NULL && i < product->n_entries; i++) {
        const struct product_entry *entry = &product->entries[i];
        if (entry->type == CRED_CA && !entry->from_bundle && board->ca_len == 0 &&
            entry->content.len <= sizeof(board->ca)) {
            memcpy(board->ca, entry->content.at, entry->content.len);
            board->ca_len = entry->content.len;
        }
        if (entry->from_bundle && board->sec_tag[0] == '\0') {
            (void)snprintf(board->sec_tag, sizeof(board->sec_tag), "%u", (unsigned)entry->sec_tag);
        }
    }
}

/* Opened only where it is written. */
static int read_token(struct writer *w, const struct store_export_row *row)
{
    struct board *board = w->board;
    if (!w->part->text.is_secret || row->token.len == 0) {
        return 0;
    }
    int64_t len = keys_open_token(w->config->keys, row->imei, row->token, board->token, sizeof(board->token),
                                  w->reterr);
    board->token_len = len > 0 ? (size_t)len : 0;
    return len < 0 ? (int)len : 0;
}

static int read_board(struct writer *w, const struct store_export_row *row)
{
    struct board *board = w->board;
    const struct product *product = w->config->find_product(w->config->ctx, row->product);
    board->certificate_len = board->ca_len = board->identity_len = board->token_len = 0;
    board->has_cert = false;
    int rc = open_one(w, row, CRED_CLIENT_CERT, board->certificate, &board->certificate_len);
    rc = rc != 0 ? rc : open_one(w, row, CRED_CA, board->ca, &board->ca_len);
    rc = rc != 0 ? rc : open_one(w, row, CRED_PSK_IDENTITY, board->identity, &board->identity_len);
    rc = rc != 0 ? rc : read_token(w, row);
    rc = rc != 0 ? rc : read_certificate(board, w->reterr);
    if (rc == 0) {
        name_board(row, product, board);
        read_product(product, board);
        clock_rfc3339(row->passed_wall_ms, board->passed);
    }
    return rc;
}

/* Why this board cannot be in this file, or NULL. */
static const char *lacks(const struct writer *w, const struct store_export_row *row)
{
    const struct board *board = w->board;
    unsigned needs = w->format->needs;
    (void)row;
    if ((needs & NEED_TOKEN) != 0 && board->token_len == 0) {
        return "no attestation token of it is on record";
    }
    if ((needs & NEED_NAME) != 0 && board->name[0] == '\0') {
        return "it has no name: neither certificate nor identity nor the product's device_id says one";
    }
    if ((needs & NEED_CERTIFICATE) != 0 && !board->has_cert) {
        return "it has no certificate of its own";
    }
    if ((needs & NEED_P256) != 0 && board->cert.kind != KEY_P256) {
        return "its certificate is not for a P-256 key, and the cloud takes ES256 only";
    }
    if (w->format->cloud != CLOUD_NONE) {
        enum device_fault fault = device_id_check("any", w->format->cloud, NULL, NULL, span_str(board->name));
        return fault != DEVICE_GOOD ? device_fault_text(fault) : NULL;
    }
    return NULL;
}

static void fill_values(const struct writer *w, const struct store_export_row *row,
                        struct span values[TEMPLATE_FIELDS])
{
    const struct board *board = w->board;
    const char *serial = row->unit_serial[0] != '\0' ? row->unit_serial : row->imei;
    const struct {
        enum template_field field;
        struct span value;
    } all[] = {
        {FIELD_DEVICE_ID, span_str(board->name)},
        {FIELD_IMEI, span_str(row->imei)},
        {FIELD_UUID, span_str(row->uuid)},
        {FIELD_MODEL, span_str(row->model)},
        {FIELD_MODEM_FIRMWARE, span_str(row->modem_firmware)},
        {FIELD_UNIT_SERIAL, span_str(serial)},
        {FIELD_WORK_ORDER, span_str(row->work_order)},
        {FIELD_PRODUCT, span_str(row->product)},
        {FIELD_LOT, span_str(row->lot)},
        {FIELD_BUNDLE, span_str(row->bundle)},
        {FIELD_PASSED, span_str(board->passed)},
        {FIELD_CERTIFICATE, span_of(board->certificate, board->has_cert ? board->certificate_len : 0)},
        {FIELD_CA, span_of(board->ca, board->ca_len)},
        {FIELD_PSK_IDENTITY, span_of(board->identity, board->identity_len)},
        {FIELD_ATTESTATION_TOKEN, span_of(board->token, board->token_len)},
        {FIELD_SEC_TAG, span_str(board->sec_tag)},
        {FIELD_COMMA, span_str(w->part->n_rows > 0 ? "," : "")},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
        values[all[i].field] = all[i].value;
    }
}

static void add_member(struct text *out, const char *name, struct span value)
{
    if (value.len > 0) {
        text_add_str(out, ",\n  \"");
        text_add_str(out, name);
        text_add_str(out, "\": \"");
        text_add_json(out, value);
        text_add_str(out, "\"");
    }
}

/* A member that is not there is left out, and a private key is never there. */
static void write_manager(const struct span values[TEMPLATE_FIELDS], struct text *out)
{
    text_add_str(out, "{\n  \"clientId\": \"");
    text_add_json(out, values[FIELD_DEVICE_ID]);
    text_add_str(out, "\"");
    add_member(out, "caCert", values[FIELD_CA]);
    add_member(out, "clientCert", values[FIELD_CERTIFICATE]);
    if (values[FIELD_SEC_TAG].len > 0) {
        text_add_str(out, ",\n  \"secTag\": ");
        text_add(out, values[FIELD_SEC_TAG]);
    }
    text_add_str(out, "\n}\n");
}

static int take_row(void *ctx, const struct store_export_row *row)
{
    struct writer *w = ctx;
    struct span values[TEMPLATE_FIELDS] = {{0}};
    struct err_info why = {0};
    int rc = read_board(w, row);
    if (rc != 0) {
        return rc;
    }
    const char *missing = lacks(w, row);
    if (missing != NULL) {
        return skip(w, row, missing);
    }
    fill_values(w, row, values);
    size_t before = w->part->text.len;
    if (w->id == EXPORT_MANAGER) {
        write_manager(values, &w->part->text);
    } else if (template_write(w->template.row, values, &w->part->text, &why) != 0) {
        w->part->text.len = before; /* without half a row */
        return skip(w, row, why.text);
    }
    if (w->part->n_rows == 0) {
        memcpy(w->part->device_id, w->board->name, sizeof(w->part->device_id));
        (void)snprintf(w->part->first, sizeof(w->part->first), "%s", row->imei);
    }
    (void)snprintf(w->part->last, sizeof(w->part->last), "%s", row->imei);
    w->part->n_rows++;
    return w->part->text.has_failed ? -ENOMEM : 0;
}

/* ---- one part */

static int read_template(struct writer *w, const struct export_request *request)
{
    if (request->format == EXPORT_MANAGER) {
        return 0;
    }
    return template_read(request->format == EXPORT_TEMPLATE ? request->template
                                                            : span_str(w->format->template),
                         &w->template, w->reterr);
}

int export_part(const struct export_config *config, struct store_reader *reader,
                const struct export_request *request, struct export_part *ret, struct err_info *reterr)
{
    *ret = (struct export_part){0};
    struct writer w = {.config = config,
                       .format = &formats[request->format],
                       .id = request->format,
                       .part = ret,
                       .reterr = reterr};
    struct store_export_filter filter = request->filter;
    filter.limit = filter.limit == 0 || filter.limit > w.format->most ? w.format->most : filter.limit;
    int rc = read_template(&w, request);
    if (rc != 0) {
        return rc;
    }
    ret->text.is_secret = names_token(&w.template);
    if (ret->text.is_secret && !request->may_have_secrets) {
        return err_set(reterr, -EACCES, "attestation tokens are secrets, which your role is not given");
    }
    w.board = secret_alloc(sizeof(*w.board)); /* too large for a stack, and a token may be in it */
    if (w.board == NULL) {
        return err_set(reterr, -ENOMEM, "no memory for an export");
    }
    rc = template_write(w.template.before, NULL, &ret->text, reterr);
    rc = rc != 0 ? rc : store_read_export(reader, &filter, take_row, &w, ret->next, reterr);
    rc = rc != 0 ? rc : template_write(w.template.after, NULL, &ret->text, reterr);
    secret_free(w.board);
    if (rc == 0 && (ret->text.has_failed || ret->skipped.has_failed)) {
        rc = -ENOMEM;
    }
    return rc == 0 ? 0 : err_set(reterr, rc, "%s", err_text(rc));
}
