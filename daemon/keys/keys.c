/*
 * A message's memory holds sealed octets when it comes and clear ones when it goes, and must be as it came if
 * anything fails on the way. So all of the work is done in scratch memory, and the message is changed in one
 * go at the end.
 *
 * What was sealed passed the import's checks, yet it is parsed again: a content that does not read as what
 * its type says must never reach a line, whatever the database went through.
 */
#include "keys/keys.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/hex.h"
#include "base/secret.h"
#include "keys/mangle.h"
#include "pki/attest.h"
#include "pki/content.h"
#include "pki/csr.h"
#include "pki/digest.h"
#include "pki/init.h"
#include "pki/jwt.h"

#define CLEAR_MAX ((size_t)PRODUCT_ENTRIES_MAX * CRED_CONTENT_MAX)

struct keys {
    const struct seal_key *wrapping_key;
    char opened[CRED_CONTENT_MAX]; /* one content as it was sealed */
    char clear[CLEAR_MAX];         /* canonical contents, one behind the other */
};

struct keys *keys_new(const struct keys_config *config)
{
    struct keys *keys = secret_alloc(sizeof(*keys));
    if (keys != NULL) {
        keys->wrapping_key = config->wrapping_key;
    }
    return keys;
}

void keys_free(struct keys *keys)
{
    secret_free(keys);
}

/* ---- answers */

static void answer_no(struct ledger_msg *msg, enum reason reason, const char *detail)
{
    msg->status = LEDGER_NO;
    msg->reason = reason;
    buf_copy(msg->detail, sizeof(msg->detail), span_str(detail));
}

static void answer_failed(struct ledger_msg *msg, const char *detail)
{
    msg->status = LEDGER_FAILED;
    msg->reason = REASON_internal;
    buf_copy(msg->detail, sizeof(msg->detail), span_str(detail));
}

static void answer_ok(struct ledger_msg *msg)
{
    msg->status = LEDGER_OK;
    msg->reason = REASON_NONE;
    msg->detail[0] = '\0';
}

/* ---- digest */

static const struct product_entry *find_file_entry(const struct product *product,
                                                   const struct ledger_entry *entry)
{
    for (uint32_t i = 0; i < product->n_entries; i++) {
        const struct product_entry *own = &product->entries[i];
        if (!own->from_bundle && own->sec_tag == entry->sec_tag && own->type == entry->type) {
            return own;
        }
    }
    return NULL;
}

/* Opens one sealed content into keys->opened. False: the message is answered. */
static bool open_entry(struct keys *keys, struct ledger_msg *msg, const struct ledger_entry *entry,
                       size_t *ret_len)
{
    if (keys->wrapping_key == NULL) {
        answer_no(msg, REASON_key_locked, "the station has no wrapping key");
        return false;
    }
    if (entry->sealed_len <= SEAL_OVERHEAD || entry->sealed_len - SEAL_OVERHEAD > sizeof(keys->opened) ||
        entry->sealed_at > msg->content_size || entry->sealed_len > msg->content_size - entry->sealed_at) {
        answer_failed(msg, "a sealed credential has an impossible size");
        return false;
    }
    const struct seal_place place = {
        .bundle = span_str(msg->bundle), .type = entry->type, .sec_tag = SEAL_NO_TAG};
    struct err_info why = {0};
    int err = seal_open(keys->wrapping_key, &place,
                        span_of((const char *)msg->content + entry->sealed_at, entry->sealed_len),
                        (uint8_t *)keys->opened, &why);
    if (err == ERR_REFUSED) {
        answer_no(msg, REASON_key_locked, why.text);
    } else if (err != 0) {
        answer_failed(msg, why.text);
    }
    *ret_len = entry->sealed_len - SEAL_OVERHEAD;
    return err == 0;
}

/* Writes an opened content in the product's style behind the others. Returns its length, or -1: answered. */
static int64_t write_entry(struct keys *keys, struct ledger_msg *msg, const struct ledger_entry *entry,
                           size_t opened_len, size_t at)
{
    const struct pem_style style = {.is_crlf = msg->product->is_crlf || msg->stores_crlf,
                                    .final_line_end = msg->product->final_line_end};
    struct content content;
    enum content_fault fault =
        content_read(entry->type, span_of(keys->opened, opened_len), CONTENT_TIME_UNKNOWN, &content, NULL);
    int64_t len = -1;
    if (fault != CONTENT_GOOD) {
        answer_failed(msg, "a sealed credential opens, but is not what its type says");
    } else {
        len = content_write(&content, style, keys->clear + at, sizeof(keys->clear) - at);
        if (len < 0 || (uint64_t)len > msg->content_size - at) {
            char detail[VERDICT_DETAIL_SIZE];
            (void)snprintf(detail, sizeof(detail), "the bundle's %s is too long in the product's form",
                           cred_type_name(entry->type));
            answer_no(msg, REASON_too_long, detail);
            len = -1;
        }
    }
    content_done(&content);
    secret_wipe(keys->opened, sizeof(keys->opened));
    return len;
}

/* One content's place in the answer: `len` octets of keys->clear behind those that stand there already. */
static void place_clear(struct keys *keys, struct ledger_entry *entry, size_t len, size_t *clear_len)
{
    sha256(span_of(keys->clear + *clear_len, len), &entry->expected);
    entry->clear_at = (uint32_t)*clear_len;
    entry->clear_len = (uint32_t)len;
    *clear_len += len;
}

/* Writes `text` with CR LF for every line end, however it ends its lines. Returns the length, or ERR_FULL. */
static int64_t write_crlf(struct span text, char *out, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        bool is_bare = text.at[i] == '\n' && (i == 0 || text.at[i - 1] != '\r');
        if (n + 1 + is_bare > size) {
            return ERR_FULL;
        }
        if (is_bare) {
            out[n++] = '\r';
        }
        out[n++] = text.at[i];
    }
    return (int64_t)n;
}

/* A content that is the same for every board: the product holds it in its own form and with its digest, and
 * the job sends it from there; only another form of it goes into the message. False: the message is answered.
 */
static bool digest_file_entry(struct keys *keys, struct ledger_msg *msg, struct ledger_entry *entry,
                              size_t *clear_len)
{
    const struct product_entry *own = find_file_entry(msg->product, entry);
    if (own == NULL) {
        answer_failed(msg, "the product has no such entry from a file");
        return false;
    }
    entry->expected = own->sha256;
    if (!msg->stores_crlf) {
        return true;
    }
    size_t room = sizeof(keys->clear) - *clear_len, room_there = msg->content_size - *clear_len;
    int64_t len = write_crlf(own->content, keys->clear + *clear_len, room < room_there ? room : room_there);
    if (len < 0) {
        char detail[VERDICT_DETAIL_SIZE];
        (void)snprintf(detail, sizeof(detail), "the product's %s is too long with the line ends of a shell",
                       cred_type_name(entry->type));
        answer_no(msg, REASON_too_long, detail);
        return false;
    }
    place_clear(keys, entry, (size_t)len, clear_len);
    return true;
}

/* One entry of the answer. False: the message is answered. */
static bool digest_entry(struct keys *keys, struct ledger_msg *msg, struct ledger_entry *entry,
                         size_t *clear_len)
{
    if (ledger_entry_is_bare(entry)) {
        return true; /* its digest is the modem's own, from when its certificate was issued */
    }
    if (!entry->from_bundle) {
        return digest_file_entry(keys, msg, entry, clear_len);
    }
    size_t opened_len;
    if (!open_entry(keys, msg, entry, &opened_len)) {
        return false;
    }
    int64_t len = write_entry(keys, msg, entry, opened_len, *clear_len);
    if (len < 0) {
        return false;
    }
    place_clear(keys, entry, (size_t)len, clear_len);
    entry->sealed_at = entry->sealed_len = 0;
    return true;
}

/* What the board is to sign: nobody could have known it before. */
static void make_nonce(char out[KEYGEN_NONCE_SIZE])
{
    uint8_t octets[(KEYGEN_NONCE_SIZE - 1) / 2];
    pki_random(octets, sizeof(octets));
    hex_encode(octets, sizeof(octets), out);
}

static void answer_digest(struct keys *keys, struct ledger_msg *msg)
{
    struct ledger_entry entries[PRODUCT_ENTRIES_MAX];
    size_t clear_len = 0;
    if (msg->product == NULL || msg->n_entries > PRODUCT_ENTRIES_MAX) {
        answer_failed(msg, "the message names no product or too many entries");
        return;
    }
    memcpy(entries, msg->entries, msg->n_entries * sizeof(*entries));
    bool is_good = true;
    for (uint32_t i = 0; i < msg->n_entries && is_good; i++) {
        is_good = digest_entry(keys, msg, &entries[i], &clear_len);
    }
    if (is_good) {
        if (msg->product->possession) {
            make_nonce(msg->keygen.nonce);
        }
        memcpy(msg->entries, entries, msg->n_entries * sizeof(*entries));
        if (msg->content_size > 0) {
            memcpy(msg->content, keys->clear, clear_len);
            secret_wipe_used(msg->content + clear_len, msg->content_size - clear_len);
        }
        msg->content_len = (uint32_t)clear_len;
        answer_ok(msg);
    }
    secret_wipe(keys->clear, sizeof(keys->clear));
}

/* ---- explain */

static void answer_explain(struct ledger_msg *msg)
{
    if (msg->product == NULL || msg->explain_entry >= msg->n_entries ||
        msg->n_entries > PRODUCT_ENTRIES_MAX) {
        answer_failed(msg, "the message names no such entry");
        return;
    }
    const struct ledger_entry *entry = &msg->entries[msg->explain_entry];
    struct span content;
    if (entry->from_bundle || entry->clear_len > 0) {
        if (entry->clear_at > msg->content_len || entry->clear_len > msg->content_len - entry->clear_at) {
            answer_failed(msg, "the message's contents are not there");
            return;
        }
        content = span_of((const char *)msg->content + entry->clear_at, entry->clear_len);
    } else {
        const struct product_entry *own = find_file_entry(msg->product, entry);
        if (own == NULL) {
            answer_failed(msg, "the product has no such entry from a file");
            return;
        }
        content = own->content;
    }
    msg->explain_mangling = mangle_explain(content, &msg->explain_seen, &msg->explain_cut_at);
    answer_ok(msg);
}

/* ---- keys that boards make */

static const struct ledger_entry *find_made(const struct ledger_msg *msg)
{
    for (uint32_t i = 0; i < msg->n_entries && i < PRODUCT_ENTRIES_MAX; i++) {
        if (msg->entries[i].is_made_on_board) {
            return &msg->entries[i];
        }
    }
    return NULL;
}

/* The answer is always LEDGER_OK when there is one: what a board says wrong is no trouble of the station's.
 */
static void judge(struct ledger_msg *msg, int err, const struct err_info *why)
{
    if (err == -ENOMEM) {
        answer_failed(msg, err_text(err));
        return;
    }
    answer_ok(msg);
    msg->keygen.is_good = err == 0;
    if (err != 0) {
        buf_copy(msg->detail, sizeof(msg->detail), span_str(why->text));
    }
}

static void answer_csr(struct ledger_msg *msg)
{
    struct ledger_keygen *keygen = &msg->keygen;
    const struct ledger_entry *entry = find_made(msg);
    struct csr_reply reply;
    struct err_info why = {0};
    if (entry == NULL || keygen->reply_len > sizeof(keygen->reply)) {
        answer_failed(msg, "the message names no key");
        return;
    }
    int err =
        csr_read_reply(span_of(keygen->reply, keygen->reply_len), entry->sec_tag, msg->uuid, &reply, &why);
    if (err == 0) {
        _Static_assert(sizeof(keygen->spki) == sizeof(reply.csr.spki), "one is copied into the other");
        keygen->csr_sha256 = reply.key.sha256;
        keygen->key_sha256 = reply.csr.fingerprint;
        memcpy(keygen->spki, reply.csr.spki, sizeof(keygen->spki));
        keygen->spki_len = (uint32_t)reply.csr.spki_len;
        if (msg->uuid[0] == '\0') { /* modems before the nRF91x1 say it nowhere else */
            memcpy(msg->uuid, reply.uuid, sizeof(reply.uuid));
        }
    }
    judge(msg, err, &why);
}

static void answer_possession(struct ledger_msg *msg)
{
    const struct ledger_keygen *keygen = &msg->keygen;
    const struct ledger_entry *cert = NULL;
    for (uint32_t i = 0; i < msg->n_entries && i < PRODUCT_ENTRIES_MAX; i++) {
        const struct ledger_entry *e = &msg->entries[i];
        cert = e->from_bundle && e->type == CRED_CLIENT_CERT ? e : cert;
    }
    if (cert == NULL || cert->clear_at > msg->content_len ||
        cert->clear_len > msg->content_len - cert->clear_at || keygen->reply_len > sizeof(keygen->reply)) {
        answer_failed(msg, "the message's certificate is not there");
        return;
    }
    struct pem pem;
    struct err_info why = {0};
    int err = pem_parse(span_of((const char *)msg->content + cert->clear_at, cert->clear_len), &pem);
    if (err == 0 && pem.n_blocks == 0) {
        err = err_set(&why, ERR_FORMAT, "the certificate cannot be read");
    }
    if (err == 0) {
        err = jwt_verify(span_of(keygen->reply, keygen->reply_len), pem.blocks[0].der, keygen->nonce, &why);
    }
    pem_done(&pem);
    judge(msg, err, &why);
}

/* ---- attestation tokens */

#define TOKEN_PLACE_SIZE 32

/* Bound to its board, as a credential is to its bundle. */
static struct seal_place token_place(const char *imei, char memory[TOKEN_PLACE_SIZE])
{
    (void)snprintf(memory, TOKEN_PLACE_SIZE, KEYS_TOKEN_PLACE "%s", imei);
    return (struct seal_place){.bundle = span_str(memory), .type = CRED_CA, .sec_tag = SEAL_NO_TAG};
}

static void answer_attest(struct keys *keys, struct ledger_msg *msg)
{
    char memory[TOKEN_PLACE_SIZE];
    const struct seal_place place = token_place(msg->imei, memory);
    struct span token = span_of(msg->keygen.reply, msg->keygen.reply_len);
    struct attest attest;
    struct err_info why = {0};
    msg->token_len = 0;
    if (keys->wrapping_key == NULL) {
        answer_no(msg, REASON_key_locked, "the station has no wrapping key");
        return;
    }
    int err = token.len + SEAL_OVERHEAD <= sizeof(msg->token)
                  ? attest_parse(token, msg->uuid, &attest, &why)
                  : err_set(&why, ERR_RANGE, "the token is too long");
    if (err == 0) {
        err = seal_make(keys->wrapping_key, &place, token, msg->token, &why);
        msg->token_len = err == 0 ? (uint32_t)(token.len + SEAL_OVERHEAD) : 0;
    }
    secret_wipe(msg->keygen.reply, sizeof(msg->keygen.reply));
    msg->keygen.reply_len = 0;
    judge(msg, err == ERR_CRYPTO ? -ENOMEM : err, &why);
}

int64_t keys_open_token(const struct keys *keys, const char *imei, struct span sealed, char *out, size_t size,
                        struct err_info *reterr)
{
    char memory[TOKEN_PLACE_SIZE];
    const struct seal_place place = token_place(imei, memory);
    if (keys->wrapping_key == NULL) {
        return err_set(reterr, ERR_REFUSED, "the station has no wrapping key");
    }
    if (sealed.len <= SEAL_OVERHEAD || sealed.len - SEAL_OVERHEAD > size) {
        return err_set(reterr, ERR_CORRUPT, "a sealed token has an impossible size");
    }
    int err = seal_open(keys->wrapping_key, &place, sealed, (uint8_t *)out, reterr);
    return err < 0 ? err : (int64_t)(sealed.len - SEAL_OVERHEAD);
}

void keys_answer(struct keys *keys, struct ledger_msg *msg)
{
    switch (msg->kind) {
    case LEDGER_DIGEST:
        answer_digest(keys, msg);
        pki_scrub_stack();
        return;
    case LEDGER_EXPLAIN:
        answer_explain(msg);
        pki_scrub_stack();
        return;
    case LEDGER_CSR:
        answer_csr(msg);
        pki_scrub_stack();
        return;
    case LEDGER_POSSESSION:
        answer_possession(msg);
        return;
    case LEDGER_ATTEST:
        answer_attest(keys, msg);
        pki_scrub_stack();
        return;
    case LEDGER_CLAIM:
    case LEDGER_EXPOSE:
    case LEDGER_INTEND:
    case LEDGER_SIGN:
    case LEDGER_AUTHORIZE:
    case LEDGER_ISSUE:
    case LEDGER_RECORD:
        break;
    }
    answer_failed(msg, "this message is not for keys");
}

/* ---- sealing */

int keys_seal_bundle(const struct keys *keys, struct span bundle, struct keys_item *items, size_t n,
                     uint8_t *out, size_t size, struct err_info *reterr)
{
    if (keys->wrapping_key == NULL) {
        return err_set(reterr, ERR_REFUSED, "the station has no wrapping key");
    }
    for (size_t i = 0; i < n; i++) {
        const struct seal_place place = {.bundle = bundle, .type = items[i].type, .sec_tag = SEAL_NO_TAG};
        size_t len = items[i].clear.len + SEAL_OVERHEAD;
        if (len > size) {
            return err_set(reterr, ERR_FULL, "a bundle's credentials are longer than there is room");
        }
        int err = seal_make(keys->wrapping_key, &place, items[i].clear, out, reterr);
        if (err != 0) {
            return err;
        }
        items[i].sealed = span_of((const char *)out, len);
        out += len;
        size -= len;
    }
    return 0;
}

int64_t keys_open_public(const struct keys *keys, struct span bundle, enum cred_type type, struct span sealed,
                         char *out, size_t size, struct err_info *reterr)
{
    if (cred_type_is_secret(type)) {
        return err_set(reterr, ERR_REFUSED, "a %s never leaves but to its board", cred_type_name(type));
    }
    if (keys->wrapping_key == NULL) {
        return err_set(reterr, ERR_REFUSED, "the station has no wrapping key");
    }
    if (sealed.len <= SEAL_OVERHEAD) {
        return err_set(reterr, ERR_CORRUPT, "a sealed credential has an impossible size");
    }
    size_t len = sealed.len - SEAL_OVERHEAD;
    if (len > size) {
        return err_set(reterr, ERR_FULL, "a credential is longer than there is room");
    }
    const struct seal_place place = {.bundle = bundle, .type = type, .sec_tag = SEAL_NO_TAG};
    int err = seal_open(keys->wrapping_key, &place, sealed, (uint8_t *)out, reterr);
    return err != 0 ? err : (int64_t)len;
}

int keys_digest(const struct keys *keys, const char *label, struct span text, struct digest *ret)
{
    if (keys->wrapping_key == NULL) {
        return ERR_REFUSED;
    }
    seal_digest(keys->wrapping_key, label, text, ret);
    return 0;
}
