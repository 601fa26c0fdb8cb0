/*
 * The order of the checks is that of what a person would mend first: is it JSON, whose is it, for which
 * product, are the credentials there, does each stand up for itself, do they belong together. The first that
 * fails is told.
 *
 * The digest of the whole row is made over the canonical contents, so that the same bundle from another tool,
 * with other line ends, is recognised as the one that is stored. It is keyed: a pre-shared key may be short
 * enough to be guessed.
 */
#include "exchange/row.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/secret.h"
#include "job/check.h"
#include "job/device_id.h"
#include "job/place.h"
#include "keys/keys.h"
#include "pki/chain.h"
#include "pki/content.h"
#include "pki/init.h"

#define ROW_DEPTH      4
#define CANONICAL_SIZE ((size_t)CRED_TYPES * CRED_CONTENT_MAX + 1024)

struct row_reader {
    struct row_config config;

    /* The CAs of the product that came last: an import is of one product as a rule. */
    const struct product *chain_of;
    struct chain *chain;

    /* Of the row in hand. */
    uint32_t number;
    struct json *json;
    const struct product *product;
    struct store_import *out;
    struct row_refusal *refusal;
    struct row_warnings warnings;
    struct content contents[CRED_TYPES];
    bool has[CRED_TYPES];

    /* Everything that the row's digest is made over: id, imei, product, lot, then the canonical contents. */
    size_t canonical_len;
    char canonical[CANONICAL_SIZE];
};

struct row_reader *row_reader_new(const struct row_config *config)
{
    struct row_reader *reader = secret_alloc(sizeof(*reader));
    if (reader != NULL) {
        reader->config = *config;
    }
    return reader;
}

void row_reader_free(struct row_reader *reader)
{
    if (reader != NULL) {
        chain_free(reader->chain);
    }
    secret_free(reader);
}

/* ---- refusing */

/* Always 1. `member` may be NULL: the row as a whole. `remedy` may be NULL. */
static int refuse_at(struct row_reader *r, enum reason reason, const char *member,
                     const struct err_info *place, const char *what, const char *remedy)
{
    struct buf b;
    r->refusal->reason = reason;
    buf_init(&b, r->refusal->detail, sizeof(r->refusal->detail));
    buf_add_str(&b, what);
    buf_add_str(&b, " (row ");
    buf_add_u64(&b, r->number);
    if (member != NULL) {
        buf_add_str(&b, ", ");
        buf_add_str(&b, member);
    }
    if (place != NULL && place->line > 0) {
        buf_add_str(&b, ", line ");
        buf_add_u64(&b, (uint64_t)place->line);
        buf_add_str(&b, ", column ");
        buf_add_u64(&b, (uint64_t)place->column);
    }
    buf_add_char(&b, ')');
    if (remedy != NULL) {
        buf_add_str(&b, ". ");
        buf_add_str(&b, remedy);
    }
    return 1;
}

static int refuse(struct row_reader *r, enum reason reason, const char *member, const char *what)
{
    return refuse_at(r, reason, member, NULL, what, NULL);
}

static int refuse_content(struct row_reader *r, const struct content *content, enum content_fault fault,
                          const struct err_info *why)
{
    static const enum reason reasons[] = {
        [CONTENT_GOOD] = REASON_internal, /* never asked for */
        [CONTENT_PEM_FORM] = REASON_pem_form,
        [CONTENT_CERTIFICATE_INVALID] = REASON_certificate_invalid,
        [CONTENT_CERTIFICATE_EXPIRED] = REASON_certificate_expired,
        [CONTENT_KEY_INVALID] = REASON_key_invalid,
        [CONTENT_KEY_MISMATCH] = REASON_key_mismatch,
        [CONTENT_TEXT_INVALID] = REASON_row_invalid,
        [CONTENT_TOO_LONG] = REASON_too_long,
        [CONTENT_TROUBLE] = REASON_internal, /* is no refusal: see read_content */
    };
    const struct pem_finding *finding = fault == CONTENT_PEM_FORM ? pem_refusal(&content->pem) : NULL;
    return refuse_at(r, reasons[fault], cred_type_name(content->type), why, why->text,
                     finding != NULL ? pem_fault_text(finding->fault)->remedy : NULL);
}

const struct row_warnings *row_warnings(const struct row_reader *reader)
{
    return &reader->warnings;
}

/* ---- whose it is */

/* Ids stand in paths, file names and AT dialogues. */
static bool is_id(const char *text)
{
    size_t n = strlen(text);
    static const char fit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._:@+=";
    return n > 0 && n < BUNDLE_ID_SIZE && strspn(text, fit) == n;
}

static bool is_printable(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7F) {
            return false;
        }
    }
    return true;
}

/* A text member that may be missing: then *ret is NULL. */
static int take_text(struct row_reader *r, const char *member, const char **ret)
{
    const struct json *value = json_get(r->json, member);
    *ret = json_as_text(value);
    return value != NULL && *ret == NULL ? refuse(r, REASON_row_invalid, member, "the member is no text") : 0;
}

static int read_id(struct row_reader *r)
{
    const char *id;
    int rc = take_text(r, "id", &id);
    if (rc != 0) {
        return rc;
    }
    if (id == NULL || !is_id(id)) {
        return refuse(r, REASON_row_invalid, "id",
                      "every bundle has an id of 1 to 127 letters, digits and -._:@+= of its own");
    }
    buf_copy(r->out->id, sizeof(r->out->id), span_str(id));
    return 0;
}

static int read_imei(struct row_reader *r)
{
    const char *imei;
    int rc = take_text(r, "imei", &imei);
    if (rc != 0 || imei == NULL) {
        return rc;
    }
    if (!check_imei(span_str(imei))) {
        return refuse(r, REASON_imei_invalid, "imei",
                      "an IMEI has 15 digits, and the last one checks the others");
    }
    buf_copy(r->out->imei, sizeof(r->out->imei), span_str(imei));
    return 0;
}

static int read_lot(struct row_reader *r)
{
    const char *lot;
    int rc = take_text(r, "lot", &lot);
    if (rc != 0 || lot == NULL) {
        return rc;
    }
    if (strlen(lot) >= STORE_LOT_SIZE || !is_printable(lot)) {
        return refuse(r, REASON_row_invalid, "lot", "a lot has at most 63 octets and no control characters");
    }
    buf_copy(r->out->lot, sizeof(r->out->lot), span_str(lot));
    return 0;
}

static int read_product(struct row_reader *r)
{
    const char *name;
    int rc = take_text(r, "product", &name);
    if (rc != 0) {
        return rc;
    }
    r->product = name != NULL ? r->config.find_product(r->config.ctx, name) : NULL;
    if (r->product == NULL) {
        return refuse(r, REASON_row_invalid, "product",
                      name == NULL ? "every bundle names its product"
                                   : "the configuration has no product of this name");
    }
    buf_copy(r->out->product, sizeof(r->out->product), span_str(r->product->name));

    if (r->product->source == SOURCE_KEYGEN) {
        return refuse(r, REASON_bundle_not_for_board, "product",
                      "boards of this product make their own keys, so that no bundle can be for them");
    }
    for (uint32_t i = 0; i < r->product->n_entries; i++) {
        if (sec_tag_is_reserved(r->product->entries[i].sec_tag)) { /* test tags among them */
            return refuse(r, REASON_reserved_tag, "product",
                          "the product writes to a tag that is the modem's own or for tests only");
        }
    }
    if (r->product->source == SOURCE_BOUND && r->out->imei[0] == '\0') {
        return refuse(r, REASON_row_invalid, "imei",
                      "the product binds each bundle to a board, so its IMEI is needed");
    }
    return 0;
}

/* A row may say which tag it is for; the product says which tags there are. In CSV a number is text. */
static int read_sec_tag(struct row_reader *r)
{
    const struct json *value = json_get(r->json, "sec_tag");
    const char *text = json_as_text(value);
    int64_t tag = -1;
    char *end = NULL;
    if (value == NULL) {
        return 0;
    }
    if (text != NULL && *text >= '0' && *text <= '9') {
        tag = strtoll(text, &end, 10);
    }
    if (text != NULL ? end == NULL || *end != '\0' : !json_as_i64(value, &tag)) {
        return refuse(r, REASON_row_invalid, "sec_tag", "a tag is a whole number");
    }
    if (tag < 0 || tag > SEC_TAG_MAX) {
        return refuse(r, REASON_reserved_tag, "sec_tag",
                      tag > UINT32_MAX || tag < 0 || !sec_tag_is_test((uint32_t)tag)
                          ? "tags are 0 to 2147483647: others are the modem's own"
                          : "it is a test tag: what is sent under it can be decrypted with Nordic's tools");
    }
    for (uint32_t i = 0; i < r->product->n_entries; i++) {
        if (r->product->entries[i].from_bundle && r->product->entries[i].sec_tag == (uint32_t)tag) {
            return 0;
        }
    }
    return refuse(r, REASON_row_invalid, "sec_tag", "the product writes nothing of a bundle to this tag");
}

/* ---- credentials */

/* Whether the product has an entry of this type at all, and whether a bundle must bring it. */
static void ask_product(const struct product *product, enum cred_type type, bool *ret_known, bool *ret_needed)
{
    *ret_known = *ret_needed = false;
    for (uint32_t i = 0; i < product->n_entries; i++) {
        if (product->entries[i].type == type) {
            *ret_known = true;
            *ret_needed = *ret_needed || product->entries[i].from_bundle;
        }
    }
}

/* 0, 1 refused, or negative. */
static int read_content(struct row_reader *r, enum cred_type type, const char *text, struct err_info *reterr)
{
    struct err_info why = {0};
    enum content_fault fault = content_read(type, span_str(text), r->config.now_s, &r->contents[type], &why);
    if (fault == CONTENT_TROUBLE) {
        return err_set(reterr, -ENOMEM, "%s", why.text);
    }
    r->has[type] = fault == CONTENT_GOOD;
    if (fault == CONTENT_GOOD) {
        row_warn_content(&r->warnings, &r->contents[type], r->config.now_s);
    }
    return fault == CONTENT_GOOD ? 0 : refuse_content(r, &r->contents[type], fault, &why);
}

static int read_credential(struct row_reader *r, enum cred_type type, struct err_info *reterr)
{
    const char *member = cred_type_name(type), *text;
    bool is_known, is_needed;
    int rc = take_text(r, member, &text);
    if (rc != 0) {
        return rc;
    }
    ask_product(r->product, type, &is_known, &is_needed);
    if (text == NULL) {
        return is_needed ? refuse(r, REASON_row_invalid, member, "the product takes this from each bundle")
                         : 0;
    }
    if (!is_known) {
        return refuse(r, REASON_row_invalid, member, "the product has no entry of this type");
    }
    return read_content(r, type, text, reterr);
}

/* Towards its cloud a board is called by its certificate, or else by the identity beside its key. */
static int check_name(struct row_reader *r)
{
    enum cred_type type = r->has[CRED_CLIENT_CERT] ? CRED_CLIENT_CERT : CRED_PSK_IDENTITY;
    if (!r->has[type]) {
        return 0;
    }
    struct span name =
        type == CRED_CLIENT_CERT ? span_str(r->contents[type].cert.subject_cn) : r->contents[type].text;
    enum device_fault fault =
        device_id_check(r->product->device_id, r->product->cloud, r->out->imei, NULL, name);
    if (fault == DEVICE_GOOD) {
        return 0;
    }
    return refuse_at(r, type == CRED_CLIENT_CERT ? REASON_certificate_invalid : REASON_row_invalid,
                     cred_type_name(type), NULL, device_fault_text(fault),
                     type == CRED_CLIENT_CERT ? "Have the certificate issued for the board's own name."
                                              : "Give the board's own name as identity.");
}

/* 0, 1 refused, or negative. */
static int check_issuer(struct row_reader *r, struct err_info *reterr)
{
    struct err_info why = {0};
    if (r->product->issuer.len == 0 || !r->has[CRED_CLIENT_CERT]) {
        return 0;
    }
    if (r->chain_of != r->product) {
        chain_free(r->chain);
        r->chain = NULL;
        r->chain_of = NULL;
        int rc = chain_new(r->product->issuer, &r->chain, reterr);
        if (rc != 0) {
            return rc;
        }
        r->chain_of = r->product;
    }
    int rc = chain_check(r->chain, &r->contents[CRED_CLIENT_CERT].pem, CONTENT_TIME_UNKNOWN, &why);
    if (rc == -ENOMEM) {
        return err_set(reterr, rc, "%s", why.text);
    }
    return rc == 0 ? 0
                   : refuse_at(r, REASON_certificate_invalid, cred_type_name(CRED_CLIENT_CERT), NULL,
                               why.text, "Take certificates of the product's issuer, or correct its option.");
}

/* Octets of a content as the product has it written; what is not in the row comes from the product's file.
 * Negative: it is longer than any AT host takes. */
static int64_t length_of(struct row_reader *r, const struct product_entry *entry)
{
    if (!r->has[entry->type]) {
        return (int64_t)entry->content.len;
    }
    struct pem_style style = {.is_crlf = r->product->is_crlf, .final_line_end = r->product->final_line_end};
    int64_t len = content_write(&r->contents[entry->type], style, r->canonical, sizeof(r->canonical));
    secret_wipe(r->canonical, sizeof(r->canonical));
    return len;
}

/* What native TLS would store and never load: all of one tag go into one buffer there. */
static int check_native_room(struct row_reader *r)
{
    const struct product *p = r->product;
    for (uint32_t i = 0; p->native_tls && i < p->n_entries; i++) {
        size_t need = 0;
        for (uint32_t k = 0; k < p->n_entries; k++) {
            bool is_same_tag = p->entries[k].sec_tag == p->entries[i].sec_tag;
            int64_t len = is_same_tag ? length_of(r, &p->entries[k]) : 0;
            need +=
                is_same_tag ? place_native_need(p->entries[k].type, len < 0 ? SIZE_MAX / 2 : (size_t)len) : 0;
            if (need > PLACE_NATIVE_ROOM) {
                return refuse_at(
                    r, REASON_too_long, cred_type_name(p->entries[k].type), NULL,
                    "native TLS loads at most 4,096 octets of one tag, and these are more together",
                    "Leave out certificates that the board does not need, or use smaller keys.");
            }
        }
    }
    return 0;
}

static int check_together(struct row_reader *r, struct err_info *reterr)
{
    if (r->has[CRED_PRIVATE_KEY] && r->has[CRED_CLIENT_CERT]) {
        struct err_info why = {0};
        enum content_fault fault =
            content_match(&r->contents[CRED_PRIVATE_KEY], &r->contents[CRED_CLIENT_CERT], &why);
        if (fault == CONTENT_TROUBLE) {
            return err_set(reterr, -ENOMEM, "%s", why.text);
        }
        if (fault != CONTENT_GOOD) {
            return refuse_content(r, &r->contents[CRED_PRIVATE_KEY], fault, &why);
        }
    }
    int rc = check_name(r);
    rc = rc != 0 ? rc : check_native_room(r);
    return rc != 0 ? rc : check_issuer(r, reterr);
}

static int read_credentials(struct row_reader *r, struct err_info *reterr)
{
    int n = 0;
    for (int type = 0; type < CRED_TYPES; type++) {
        int rc = read_credential(r, (enum cred_type)type, reterr);
        if (rc != 0) {
            return rc;
        }
        n += r->has[type];
    }
    if (n == 0) {
        return refuse(r, REASON_row_invalid, NULL, "there is no credential in it");
    }
    return check_together(r, reterr);
}

/* ---- what the store indexes */

/* A pre-shared key by its octets, whatever the case of its digits. */
static int digest_psk(struct row_reader *r, struct span text, struct digest *ret)
{
    uint8_t octets[CONTENT_PSK_MAX];
    int rc = hex_decode(text, octets, text.len / 2);
    if (rc == 0) {
        rc = keys_digest(r->config.keys, "certline psk 1", span_of((const char *)octets, text.len / 2), ret);
    }
    secret_wipe(octets, sizeof(octets));
    return rc;
}

static int describe(struct row_reader *r, struct store_credential *out)
{
    const struct content *content = &r->contents[out->type];
    switch (out->type) {
    case CRED_CA:
        return 0;
    case CRED_CLIENT_CERT:
        out->has_key = true;
        out->key_sha256 = content->cert.fingerprint;
        buf_copy(out->serial, sizeof(out->serial), span_str(content->cert.serial));
        buf_copy(out->issuer, sizeof(out->issuer), span_str(content->cert.issuer));
        return 0;
    case CRED_PRIVATE_KEY:
        out->has_key = true;
        out->key_sha256 = *key_fingerprint(content->key);
        return 0;
    case CRED_PSK:
        out->has_key = true;
        return digest_psk(r, content->text, &out->key_sha256);
    case CRED_PSK_IDENTITY:
        out->has_identity = true;
        return keys_digest(r->config.keys, "certline psk identity 1", content->text, &out->identity_sha256);
    }
    return ERR_INTERNAL;
}

/* ---- sealing */

/* Adds a text behind its length. */
static void add_canonical(struct row_reader *r, const char *text)
{
    size_t n = strlen(text) + 1; /* the NUL tells where it ends */
    assert(n <= sizeof(r->canonical) - r->canonical_len);
    memcpy(r->canonical + r->canonical_len, text, n);
    r->canonical_len += n;
}

/* The canonical form of one content, behind its type. Returns 0, or 1: refused. */
static int add_content(struct row_reader *r, enum cred_type type, struct span *ret)
{
    add_canonical(r, cred_type_name(type));
    char *at = r->canonical + r->canonical_len;
    int64_t len = content_write(&r->contents[type], KEYS_STYLE, at, sizeof(r->canonical) - r->canonical_len);
    if (len < 0) {
        return refuse(r, REASON_too_long, cred_type_name(type),
                      "the content is longer than any AT host takes");
    }
    *ret = span_of(at, (size_t)len);
    r->canonical_len += (size_t)len;
    add_canonical(r, "");
    return 0;
}

static int seal_row(struct row_reader *r, uint8_t *sealed, struct err_info *reterr)
{
    struct store_import *out = r->out;
    struct keys_item items[CRED_TYPES] = {0};
    uint32_t n = 0;
    const char *const fields[] = {out->id, out->imei, out->product, out->lot};
    for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
        add_canonical(r, fields[i]);
    }
    for (int i = 0; i < CRED_TYPES; i++) {
        enum cred_type type = (enum cred_type)i;
        if (!r->has[type]) {
            continue;
        }
        out->credentials[n] = (struct store_credential){.type = type};
        items[n].type = type;
        int rc = add_content(r, type, &items[n].clear);
        if (rc == 0) {
            row_warn_length(&r->warnings, r->product, type, items[n].clear);
        }
        rc = rc != 0 ? rc : describe(r, &out->credentials[n]);
        if (rc != 0) {
            return rc < 0 ? err_set(reterr, rc, "the station has no wrapping key") : rc;
        }
        n++;
    }
    int rc = keys_seal_bundle(r->config.keys, span_str(out->id), items, n, sealed, ROW_SEALED_MAX, reterr);
    for (uint32_t i = 0; i < n; i++) {
        out->credentials[i].sealed = items[i].sealed;
    }
    out->n_credentials = n;
    return rc != 0 ? rc
                   : keys_digest(r->config.keys, "certline row 1", span_of(r->canonical, r->canonical_len),
                                 &out->content);
}

/* ---- one row */

static int parse(struct row_reader *r, struct span text)
{
    static const char *const members[] = {"id",      "imei",         "product",     "lot",
                                          "sec_tag", "ca",           "client_cert", "private_key",
                                          "psk",     "psk_identity", NULL};
    struct err_info why = {0};
    int rc = json_parse(text, ROW_DEPTH, &r->json, &why);
    if (rc == -ENOMEM) {
        return rc;
    }
    if (rc != 0) {
        return refuse_at(r, REASON_row_invalid, NULL, NULL, why.text, NULL);
    }
    rc = json_check_members(r->json, members, &why);
    if (rc == 0) {
        return 0;
    }
    (void)read_id(r); /* so that the refusal has a name */
    return refuse_at(r, REASON_row_invalid, NULL, NULL, why.text, NULL);
}

static int read_all(struct row_reader *r, struct span text, uint8_t *sealed, struct err_info *reterr)
{
    int rc = parse(r, text);
    rc = rc != 0 ? rc : read_id(r);
    rc = rc != 0 ? rc : read_imei(r);
    rc = rc != 0 ? rc : read_lot(r);
    rc = rc != 0 ? rc : read_product(r);
    rc = rc != 0 ? rc : read_sec_tag(r);
    rc = rc != 0 ? rc : read_credentials(r, reterr);
    return rc != 0 ? rc : seal_row(r, sealed, reterr);
}

static void forget(struct row_reader *r)
{
    for (int type = 0; type < CRED_TYPES; type++) {
        content_done(&r->contents[type]);
        r->has[type] = false;
    }
    json_free(r->json);
    r->json = NULL;
    secret_wipe(r->canonical, r->canonical_len);
    r->canonical_len = 0;
}

int row_read(struct row_reader *reader, struct span text, uint32_t number, struct store_import *ret,
             uint8_t *sealed, struct row_refusal *refusal, struct err_info *reterr)
{
    *ret = (struct store_import){0};
    reader->number = number;
    reader->out = ret;
    reader->refusal = refusal;
    reader->warnings.n = 0;
    int rc = read_all(reader, text, sealed, reterr);
    forget(reader);
    pki_scrub_stack();
    return rc < 0 ? err_set(reterr, rc, "row %u cannot be read now: %s", (unsigned)number, err_text(rc)) : rc;
}
