/*
 * The content is judged even where the form of the text is wrong, since somebody who mends line ends wants to
 * know at once that the key is the wrong one as well. The other way round a content is only ever written anew
 * (lint_canonical) when every fault of its form is one that loses nothing: escaped or missing line ends,
 * blanks, text around it. A text that was cut off or has bad characters is not repaired by leaving them out.
 */
#include "exchange/lint.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "exchange/seen.h"
#include "job/place.h"
#include "pki/chain.h"
#include "pki/content.h"
#include "pki/digest.h"
#include "pki/init.h"

#define COMMAND_AROUND 15 /* AT%CMNG=0,,0,"" without tag and content */
#define TAG_DIGITS     8  /* of a tag that is not known: as many as the usual ones have */

struct lint {
    struct lint_config config;
    bool clock_is_sane, has_told_clock;
    struct seen keys, identities;
    char **owners; /* by their number in `keys` and `identities`, from 1 */
    size_t n_owners, room;
    char *canonical; /* secret; CRED_CONTENT_MAX octets */
};

static const struct fault_text {
    const char *name;
    enum lint_level level;
    const char *why, *remedy;
} fault_texts[] = {
#define X(id, name, level, why, remedy) [id] = {name, level, why, remedy},
    LINT_FAULT_LIST(X)
#undef X
};

const char *lint_level_name(enum lint_level level)
{
    static const char *const names[] = {
        [LINT_NOTE] = "note", [LINT_WARNING] = "warning", [LINT_REFUSED] = "refused"};
    return names[level];
}

const char *lint_fault_name(enum lint_fault fault)
{
    return fault_texts[fault].name;
}

const char *lint_fault_why(enum lint_fault fault)
{
    return fault_texts[fault].why;
}

const char *lint_fault_remedy(enum lint_fault fault)
{
    return fault_texts[fault].remedy;
}

size_t lint_command_length(const struct product *product, uint32_t sec_tag, size_t content_len)
{
    size_t digits = 1, native = product != NULL && product->native_tls; /* AT#XCMNG has a letter more */
    for (uint32_t rest = sec_tag; rest > 9; rest /= 10) {
        digits++;
    }
    return COMMAND_AROUND + native + (sec_tag == LINT_TAG_UNKNOWN ? TAG_DIGITS : digits) + content_len;
}

struct lint *lint_new(const struct lint_config *config)
{
    struct lint *lint = calloc(1, sizeof(*lint));
    if (lint == NULL) {
        return NULL;
    }
    lint->config = *config;
    lint->clock_is_sane = config->now_s >= LINT_CLOCK_SANE;
    lint->canonical = secret_alloc(CRED_CONTENT_MAX);
    if (lint->canonical == NULL) {
        lint_free(lint);
        return NULL;
    }
    return lint;
}

void lint_free(struct lint *lint)
{
    if (lint == NULL) {
        return;
    }
    for (size_t i = 0; i < lint->n_owners; i++) {
        free(lint->owners[i]);
    }
    free(lint->owners);
    seen_done(&lint->keys);
    seen_done(&lint->identities);
    secret_free(lint->canonical);
    free(lint);
}

void lint_credential_done(struct lint_credential *credential)
{
    pem_done(&credential->pem);
    key_free(credential->key);
    *credential = (struct lint_credential){0};
}

/* ---- the report */

static struct lint_finding *next_finding(struct lint_report *report)
{
    if (report->n == LINT_FINDINGS_MAX) {
        report->is_cut = true;
        return NULL;
    }
    return &report->findings[report->n++];
}

void lint_add(struct lint_report *report, enum lint_fault fault, int type, int line, const char *format, ...)
{
    struct lint_finding *finding = next_finding(report);
    if (finding == NULL) {
        return;
    }
    const struct fault_text *text = &fault_texts[fault];
    *finding = (struct lint_finding){.name = text->name,
                                     .level = text->level,
                                     .type = type,
                                     .line = line,
                                     .column = line > 0 ? 1 : 0,
                                     .why = text->why,
                                     .remedy = text->remedy};
    va_list args;
    va_start(args, format);
    (void)vsnprintf(finding->what, sizeof(finding->what), format, args);
    va_end(args);
}

static void add_form(struct lint_report *report, enum cred_type type, const struct pem_finding *form)
{
    struct lint_finding *finding = next_finding(report);
    if (finding == NULL) {
        return;
    }
    const struct pem_fault_text *text = pem_fault_text(form->fault);
    *finding = (struct lint_finding){.name = text->name,
                                     .level = text->is_refused ? LINT_REFUSED : LINT_NOTE,
                                     .type = (int)type,
                                     .line = form->line,
                                     .column = form->column,
                                     .why = text->why,
                                     .remedy = text->remedy};
    (void)snprintf(finding->what, sizeof(finding->what), "%s", text->what);
}

bool lint_is_refused(const struct lint_report *report)
{
    for (size_t i = 0; i < report->n; i++) {
        if (report->findings[i].level == LINT_REFUSED) {
            return true;
        }
    }
    return false;
}

/* ---- what a text is */

static bool is_key_label(enum pem_label label)
{
    return label == PEM_PKCS8 || label == PEM_PKCS1 || label == PEM_SEC1 || label == PEM_PKCS8_ENCRYPTED;
}

static bool is_psk(struct span text)
{
    struct content content;
    bool is_good = content_read(CRED_PSK, text, CONTENT_TIME_UNKNOWN, &content, NULL) == CONTENT_GOOD;
    content_done(&content);
    return is_good;
}

int lint_guess(struct span text)
{
    struct pem pem;
    struct cert cert;
    int type = -1;
    if (pem_parse(text, &pem) != 0) {
        return -1;
    }
    for (size_t i = 0; i < pem.n_blocks && type < 0; i++) {
        const struct pem_block *block = &pem.blocks[i];
        if (is_key_label(block->label)) {
            type = CRED_PRIVATE_KEY;
        } else if (block->label == PEM_CERTIFICATE) {
            bool is_ca = cert_parse(block->der, &cert, NULL) == 0 && cert.is_ca;
            type = is_ca ? CRED_CA : CRED_CLIENT_CERT;
        }
    }
    pem_done(&pem);
    while (text.len > 0 && (text.at[text.len - 1] == '\n' || text.at[text.len - 1] == '\r')) {
        text.len--;
    }
    return type >= 0 ? type : is_psk(text) ? (int)CRED_PSK : -1;
}

/* ---- one certificate */

static void judge_dates(struct lint *lint, const struct cert *cert, enum cred_type type, int line,
                        struct lint_report *report)
{
    if (cert->not_after_s < cert->not_before_s) {
        lint_add(report, LINT_CERT_DATES, (int)type, line, "its validity ends before it begins");
        return;
    }
    if (!lint->clock_is_sane) {
        if (!lint->has_told_clock) {
            lint_add(report, LINT_CLOCK, (int)type, 0,
                     "this machine's clock is before 2025: no date was held against it");
            lint->has_told_clock = true;
        }
        return;
    }
    if (cert->not_after_s < lint->config.now_s) {
        lint_add(report, LINT_CERT_EXPIRED, (int)type, line, "the certificate's validity has ended");
    } else if (cert->not_before_s > lint->config.now_s) {
        lint_add(report, LINT_CERT_EARLY, (int)type, line, "the certificate is not valid yet");
    }
}

static const char *unusable(enum key_kind kind, unsigned bits)
{
    if (!key_kind_is_usable(kind)) {
        return "the key is of a kind that the modem cannot use";
    }
    bool is_size_wrong = kind == KEY_RSA && (bits < CONTENT_RSA_BITS_MIN || bits > CONTENT_RSA_BITS_MAX);
    return is_size_wrong ? "the RSA key has fewer than 2,048 or more than 4,096 bits" : NULL;
}

/* Returns whether it could be read. */
static bool judge_certificate(struct lint *lint, const struct pem_block *block, bool is_first,
                              struct lint_report *report, struct lint_credential *ret)
{
    struct err_info why = {0};
    struct cert cert;
    if (cert_parse(block->der, &cert, &why) != 0) {
        lint_add(report, LINT_CERT_INVALID, (int)ret->type, block->line, "%s", why.text);
        return false;
    }
    judge_dates(lint, &cert, ret->type, block->line, report);
    if (ret->type == CRED_CA && !cert.is_ca) {
        lint_add(report, LINT_NO_CA, (int)ret->type, block->line, "the certificate is not a CA's");
    }
    if (!is_first) {
        return true;
    }
    ret->cert = cert;
    ret->has_cert = true;
    if (ret->type != CRED_CLIENT_CERT) {
        return true;
    }
    if (cert.is_ca) {
        lint_add(report, LINT_CA_AS_CLIENT, (int)ret->type, block->line, "the certificate is a CA's");
    }
    const char *what = unusable(cert.kind, cert.key_bits);
    if (what != NULL) {
        lint_add(report, LINT_KEY_KIND, (int)ret->type, block->line, "%s (%s, %u bits)", what,
                 key_kind_name(cert.kind), cert.key_bits);
    }
    return true;
}

static void judge_chain(const struct lint *lint, const struct lint_credential *credential,
                        struct lint_report *report)
{
    struct err_info why = {0};
    if (lint->config.chain == NULL || credential->type != CRED_CLIENT_CERT || !credential->is_sound) {
        return;
    }
    /* Dates have findings of their own. */
    if (chain_check(lint->config.chain, &credential->pem, CONTENT_TIME_UNKNOWN, &why) != 0) {
        lint_add(report, LINT_CHAIN, CRED_CLIENT_CERT, credential->pem.blocks[0].line, "%s", why.text);
    }
}

/* ---- one key */

static bool judge_key(const struct pem_block *block, struct lint_report *report, struct lint_credential *ret)
{
    struct err_info why = {0};
    if (block->is_encrypted) {
        lint_add(report, LINT_KEY_ENCRYPTED, CRED_PRIVATE_KEY, block->line, "the private key is encrypted");
        return false;
    }
    if (ret->key != NULL) {
        lint_add(report, LINT_KEYS_MANY, CRED_PRIVATE_KEY, block->line, "another private key stands here");
        return false;
    }
    if (key_parse(block, &ret->key, &why) != 0) {
        ret->key = NULL;
        lint_add(report, LINT_KEY_INVALID, CRED_PRIVATE_KEY, block->line, "%s", why.text);
        return false;
    }
    const char *what = unusable(key_kind(ret->key), key_bits(ret->key));
    if (what != NULL) {
        lint_add(report, LINT_KEY_KIND, CRED_PRIVATE_KEY, block->line, "%s (%s, %u bits)", what,
                 key_kind_name(key_kind(ret->key)), key_bits(ret->key));
    }
    return true;
}

/* ---- a text */

static bool judge_block(struct lint *lint, size_t i, struct lint_report *report, struct lint_credential *ret)
{
    const struct pem_block *block = &ret->pem.blocks[i];
    bool wants_key = ret->type == CRED_PRIVATE_KEY, is_key = is_key_label(block->label);
    if (!is_key && block->label != PEM_CERTIFICATE) {
        lint_add(report, LINT_NOT_CREDENTIAL, (int)ret->type, block->line,
                 "the block is neither certificate nor private key");
        return false;
    }
    if (is_key != wants_key) {
        bool is_alone = ret->pem.n_blocks == 1;
        lint_add(report, is_alone ? LINT_WRONG_TYPE : LINT_MIXED, (int)ret->type, block->line,
                 is_key ? "a private key stands in a certificate's place"
                        : "a certificate stands in a private key's place");
        return false;
    }
    if (block->der.len == 0 && !block->is_encrypted) {
        return false; /* the form's findings say why */
    }
    return is_key ? judge_key(block, report, ret) : judge_certificate(lint, block, i == 0, report, ret);
}

static uint32_t tag_of(const struct lint *lint, enum cred_type type)
{
    const struct product *product = lint->config.product;
    for (uint32_t i = 0; product != NULL && i < product->n_entries; i++) {
        if (product->entries[i].type == type) {
            return product->entries[i].sec_tag;
        }
    }
    return LINT_TAG_UNKNOWN;
}

static void judge_length(const struct lint *lint, const struct lint_credential *credential,
                         struct lint_report *report)
{
    int64_t len = lint_canonical(lint, credential, lint->canonical, CRED_CONTENT_MAX);
    secret_wipe(lint->canonical, CRED_CONTENT_MAX);
    if (len == ERR_FULL) {
        lint_add(report, LINT_TOO_LONG, (int)credential->type, 0, "it is longer than %d octets",
                 CRED_CONTENT_MAX);
        return;
    }
    size_t command =
        len > 0 ? lint_command_length(lint->config.product, tag_of(lint, credential->type), (size_t)len) : 0;
    if (command > LINT_HOST_COMMAND_MAX) {
        lint_add(report, LINT_HOST_LENGTH, (int)credential->type, 0,
                 "the command that writes it has %zu characters", command);
    }
}

static int read_pem(struct lint *lint, struct lint_report *report, struct lint_credential *ret)
{
    int err = pem_parse(ret->text, &ret->pem);
    if (err != 0) {
        return err;
    }
    for (size_t i = 0; i < ret->pem.n_findings; i++) {
        add_form(report, ret->type, &ret->pem.findings[i]);
    }
    ret->is_sound = ret->pem.n_blocks > 0;
    for (size_t i = 0; i < ret->pem.n_blocks; i++) {
        ret->is_sound = judge_block(lint, i, report, ret) && ret->is_sound;
    }
    judge_chain(lint, ret, report);
    return 0;
}

static void read_psk(struct lint_report *report, struct lint_credential *ret)
{
    ret->is_sound = is_psk(ret->text);
    if (!ret->is_sound) {
        lint_add(report, LINT_PSK, CRED_PSK, 0, "the pre-shared key is not hexadecimal text of whole octets");
    } else if (ret->text.len < 2 * LINT_PSK_OCTETS_MIN) {
        lint_add(report, LINT_PSK_SHORT, CRED_PSK, 0, "the pre-shared key has %zu octets", ret->text.len / 2);
    }
}

static void read_identity(struct lint_report *report, struct lint_credential *ret)
{
    struct content content;
    struct err_info why = {0};
    ret->is_sound =
        content_read(CRED_PSK_IDENTITY, ret->text, CONTENT_TIME_UNKNOWN, &content, &why) == CONTENT_GOOD;
    content_done(&content);
    if (!ret->is_sound) {
        lint_add(report, LINT_IDENTITY, CRED_PSK_IDENTITY, 0,
                 "the identity is empty, too long, or has a character that is not printable ASCII");
    }
}

/* 0 for what cannot be written: other findings say why. */
static size_t written_len(const struct lint *lint, const struct lint_credential *credential)
{
    int64_t len = lint_canonical(lint, credential, lint->canonical, CRED_CONTENT_MAX);
    secret_wipe(lint->canonical, CRED_CONTENT_MAX);
    return len > 0 ? (size_t)len : 0;
}

void lint_room(struct lint *lint, const struct lint_owner *owner,
               const struct lint_credential *const all[CRED_TYPES], struct lint_report *report)
{
    const struct product *p = lint->config.product;
    for (uint32_t i = 0; p != NULL && p->native_tls && i < p->n_entries; i++) {
        size_t need = 0;
        for (uint32_t k = 0; k < p->n_entries; k++) {
            const struct product_entry *e = &p->entries[k];
            if (e->sec_tag == p->entries[i].sec_tag) {
                size_t len = all[e->type] != NULL ? written_len(lint, all[e->type]) : e->content.len;
                need += place_native_need(e->type, len);
            }
        }
        if (need > PLACE_NATIVE_ROOM) {
            lint_add(report, LINT_NATIVE_ROOM, -1, 0,
                     "%s: tag %u is to hold %zu octets, and native TLS loads %d", owner->id,
                     (unsigned)p->entries[i].sec_tag, need, PLACE_NATIVE_ROOM);
            return;
        }
    }
}

int lint_text(struct lint *lint, enum cred_type type, struct span text, struct lint_report *report,
              struct lint_credential *ret)
{
    *ret = (struct lint_credential){.type = type, .text = text};
    int err = 0;
    switch (type) {
    case CRED_CA:
    case CRED_CLIENT_CERT:
    case CRED_PRIVATE_KEY:
        err = read_pem(lint, report, ret);
        break;
    case CRED_PSK:
        read_psk(report, ret);
        break;
    case CRED_PSK_IDENTITY:
        read_identity(report, ret);
        break;
    }
    if (err == 0 && ret->is_sound) {
        judge_length(lint, ret, report);
    }
    pki_scrub_stack();
    return err;
}

void lint_tag(int64_t sec_tag, struct lint_report *report)
{
    uint32_t tag = sec_tag < 0 || sec_tag > UINT32_MAX ? UINT32_MAX : (uint32_t)sec_tag;
    if (sec_tag_is_test(tag)) {
        lint_add(report, LINT_TAG_TEST, -1, 0, "%u is a test tag", (unsigned)tag);
    } else if (sec_tag_is_reserved(tag)) {
        lint_add(report, LINT_TAG_RESERVED, -1, 0, "%lld is no tag of a user's", (long long)sec_tag);
    }
}

/* ---- together */

/* The number under which this owner is known from now on; 0 without memory. */
static uint32_t number_of(struct lint *lint, const struct lint_owner *owner)
{
    const char *id = owner->id != NULL ? owner->id : "?";
    if (lint->n_owners > 0 && strcmp(lint->owners[lint->n_owners - 1], id) == 0) {
        return (uint32_t)lint->n_owners;
    }
    if (lint->n_owners == lint->room) {
        size_t room = lint->room > 0 ? 2 * lint->room : 64;
        char **owners = realloc(lint->owners, room * sizeof(*owners));
        if (owners == NULL) {
            return 0;
        }
        lint->owners = owners;
        lint->room = room;
    }
    char *copy = strdup(id);
    if (copy == NULL) {
        return 0;
    }
    lint->owners[lint->n_owners++] = copy;
    return (uint32_t)lint->n_owners;
}

static int see(struct lint *lint, struct seen *seen, const struct digest *digest,
               const struct lint_owner *owner, enum lint_fault fault, int type, struct lint_report *report)
{
    struct digest row;
    uint32_t number = number_of(lint, owner);
    sha256(span_str(owner->id != NULL ? owner->id : "?"), &row);
    int64_t other = number > 0 ? seen_add(seen, digest, &row, number) : -ENOMEM;
    if (other > 0) {
        lint_add(report, fault, type, 0,
                 fault == LINT_KEY_TWICE ? "the same key is in %s" : "the same one is in %s",
                 lint->owners[other - 1]);
    }
    return other < 0 ? (int)other : 0;
}

static void judge_name(const struct lint *lint, const struct lint_owner *owner, const char *name, int type,
                       struct lint_report *report)
{
    const struct product *product = lint->config.product;
    if (product == NULL) {
        return;
    }
    enum device_fault fault =
        device_id_check(product->device_id, product->cloud, owner->imei, NULL, span_str(name));
    if (fault != DEVICE_GOOD) {
        lint_add(report, LINT_NAME, type, 0, "%s", device_fault_text(fault));
    }
}

int lint_pair(struct lint *lint, const struct lint_owner *owner, const struct lint_credential *cert,
              const struct lint_credential *key, struct lint_report *report)
{
    bool has_cert = cert != NULL && cert->has_cert && cert->type == CRED_CLIENT_CERT;
    bool has_key = key != NULL && key->key != NULL;
    int err = 0;
    if (has_cert && has_key && !key_belongs_to(key->key, &cert->cert, cert->pem.blocks[0].der)) {
        lint_add(report, LINT_KEY_MISMATCH, CRED_PRIVATE_KEY, key->pem.blocks[0].line,
                 "the private key does not belong to the certificate");
    }
    if (has_cert) {
        judge_name(lint, owner, cert->cert.subject_cn, CRED_CLIENT_CERT, report);
        err = see(lint, &lint->identities, &cert->cert.identity, owner, LINT_IDENTITY_TWICE, CRED_CLIENT_CERT,
                  report);
    }
    if (err == 0 && (has_cert || has_key)) {
        const struct digest *digest = has_key ? key_fingerprint(key->key) : &cert->cert.fingerprint;
        err = see(lint, &lint->keys, digest, owner, LINT_KEY_TWICE,
                  has_key ? CRED_PRIVATE_KEY : CRED_CLIENT_CERT, report);
    }
    pki_scrub_stack();
    return err;
}

int lint_identity(struct lint *lint, const struct lint_owner *owner, const struct lint_credential *psk,
                  const struct lint_credential *identity, struct lint_report *report)
{
    struct digest digest;
    int err = 0;
    if (identity != NULL && identity->is_sound) {
        char name[CONTENT_IDENTITY_MAX + 1];
        memcpy(name, identity->text.at, identity->text.len);
        name[identity->text.len] = '\0';
        judge_name(lint, owner, name, CRED_PSK_IDENTITY, report);
        sha256(identity->text, &digest);
        err = see(lint, &lint->identities, &digest, owner, LINT_IDENTITY_TWICE, CRED_PSK_IDENTITY, report);
    }
    if (err == 0 && psk != NULL && psk->is_sound) {
        sha256(psk->text, &digest); /* wiped with the others: see seen_done */
        err = see(lint, &lint->keys, &digest, owner, LINT_KEY_TWICE, CRED_PSK, report);
    }
    return err;
}

/* ---- canonical form */

/* Whether writing the blocks anew loses nothing that the text had. */
static bool is_mendable(enum pem_fault fault)
{
    switch (fault) {
    case PEM_BOM:
    case PEM_LITERAL_N:
    case PEM_CR_ONLY:
    case PEM_BLANKS_FOR_BREAKS:
    case PEM_NO_BREAKS:
    case PEM_LEADING_BLANK:
    case PEM_LEADING_TEXT:
    case PEM_TEXT_BETWEEN:
    case PEM_TRAILING_TEXT:
    case PEM_LEADING_BREAK:
    case PEM_TRAILING_BLANK:
    case PEM_EMPTY_LINE:
    case PEM_LINE_WIDTH:
    case PEM_PARAMETERS:
        return true;
    case PEM_NOT_PEM:
    case PEM_BAD_BOUNDARY:
    case PEM_NO_END:
    case PEM_LABELS_DIFFER:
    case PEM_BAD_BASE64:
    case PEM_EMPTY:
    case PEM_TOO_MANY:
    case PEM_TOO_LARGE:
        return false;
    }
    return false;
}

int64_t lint_canonical(const struct lint *lint, const struct lint_credential *credential, char *out,
                       size_t size)
{
    const struct product *product = lint->config.product;
    struct pem_style style = {.is_crlf = product != NULL && product->is_crlf,
                              .final_line_end = product == NULL || product->final_line_end};
    bool is_pem = credential->type != CRED_PSK && credential->type != CRED_PSK_IDENTITY;
    if (!credential->is_sound) {
        return ERR_FORMAT;
    }
    for (size_t i = 0; i < credential->pem.n_findings; i++) {
        if (!is_mendable(credential->pem.findings[i].fault)) {
            return ERR_FORMAT;
        }
    }
    if (is_pem) {
        return pem_write(&credential->pem, style, out, size);
    }
    if (credential->text.len > size) {
        return ERR_FULL;
    }
    memcpy(out, credential->text.at, credential->text.len);
    return (int64_t)credential->text.len;
}
