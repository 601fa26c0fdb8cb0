/*
 * The clock. Its wall time is compared with two things that it cannot move: the last event on record, which
 * it must not be before, and the monotonic clock since the start, with which it must have kept pace. A jump
 * is not forgiven by waiting: somebody has set the clock, and a person says by a restart that it is right
 * now.
 */
#include "keys/issuer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/secret.h"
#include "job/device_id.h"
#include "pki/certify.h"
#include "pki/pem.h"

struct issuer {
    struct issuer_config config;
    int64_t wall_ms, mono_us; /* at the start */
};

struct issuer *issuer_new(const struct issuer_config *config)
{
    struct issuer *issuer = calloc(1, sizeof(*issuer));
    if (issuer != NULL) {
        issuer->config = *config;
        issuer->wall_ms = config->clock->wall_ms(config->clock);
        issuer->mono_us = config->clock->mono_us(config->clock);
    }
    return issuer;
}

void issuer_free(struct issuer *issuer)
{
    free(issuer);
}

static void answer(struct ledger_msg *msg, enum ledger_status status, enum reason reason, const char *detail)
{
    msg->status = status;
    msg->reason = reason;
    buf_copy(msg->detail, sizeof(msg->detail), span_str(detail));
}

/* True when the time can be written into a certificate; else the message is answered. */
static bool check_clock(const struct issuer *issuer, struct ledger_msg *msg, int64_t wall_ms)
{
    char detail[VERDICT_DETAIL_SIZE];
    const struct clock *clock = issuer->config.clock;
    int64_t passed_ms = (clock->mono_us(clock) - issuer->mono_us) / US_PER_MS;
    int64_t jump_ms = wall_ms - issuer->wall_ms - passed_ms;
    int64_t slack_ms = ISSUER_CLOCK_SLACK_MS + passed_ms / 1000; /* clocks are slewed by at most 500 ppm */
    if (wall_ms < issuer->config.last_wall_ms) {
        answer(msg, LEDGER_NO, REASON_clock_wrong, "the clock is before the last event on record");
        return false;
    }
    if (jump_ms > slack_ms || jump_ms < -slack_ms) {
        (void)snprintf(detail, sizeof(detail), "the clock has jumped by %lld s since the station started",
                       (long long)(jump_ms / 1000));
        answer(msg, LEDGER_NO, REASON_clock_wrong, detail);
        return false;
    }
    return true;
}

static struct ledger_entry *find_certificate(struct ledger_msg *msg)
{
    for (uint32_t i = 0; i < msg->n_entries && i < PRODUCT_ENTRIES_MAX; i++) {
        if (msg->entries[i].from_bundle && msg->entries[i].type == CRED_CLIENT_CERT) {
            return &msg->entries[i];
        }
    }
    return NULL;
}

/* What the store keeps of it in clear. */
static int describe(struct span pem_text, struct ledger_keygen *keygen, struct err_info *reterr)
{
    struct pem pem;
    struct cert cert;
    int err = pem_parse(pem_text, &pem);
    if (err == 0 && pem.n_blocks != 1) {
        err = err_set(reterr, ERR_INTERNAL, "what was signed is no certificate");
    }
    if (err == 0) {
        err = cert_parse(pem.blocks[0].der, &cert, reterr);
    }
    pem_done(&pem);
    if (err == 0) {
        buf_copy(keygen->issuer, sizeof(keygen->issuer), span_str(cert.issuer));
        keygen->not_after_ms = cert.not_after_s * 1000;
    }
    return err;
}

static int64_t make(struct issuer *issuer, const struct ledger_msg *msg, int64_t wall_ms,
                    char out[CERTIFY_PEM_MAX], struct err_info *reterr)
{
    char name[DEVICE_ID_SIZE];
    const struct product *product = msg->product;
    if (device_id_make(product->device_id, msg->imei, msg->uuid, NULL, name) == 0) {
        return err_set(reterr, ERR_RANGE, "scheme %s gives this board no name", product->device_id);
    }
    const struct certify_request request = {
        .spki = span_of((const char *)msg->keygen.spki, msg->keygen.spki_len),
        .serial = msg->keygen.serial,
        .subject_cn = name,
        .attributes = product->attributes,
        .now_s = wall_ms / 1000,
        .validity_days = issuer->config.validity_days,
    };
    return certify(issuer->config.signer, &request, out, reterr);
}

/* Seals into the message's content, which holds nothing yet: the key is decided on before anything is
 * unsealed.
 */
static int seal(const struct issuer *issuer, struct ledger_msg *msg, struct ledger_entry *entry,
                struct span pem, struct err_info *reterr)
{
    struct keys_item item = {.type = CRED_CLIENT_CERT, .clear = pem};
    int err = keys_seal_bundle(issuer->config.keys, span_str(msg->bundle), &item, 1, msg->content,
                               msg->content_size, reterr);
    if (err == 0) {
        entry->sealed_at = 0;
        entry->sealed_len = (uint32_t)item.sealed.len;
        msg->content_len = entry->sealed_len;
    }
    return err;
}

static void answer_sign(struct issuer *issuer, struct ledger_msg *msg)
{
    char pem[CERTIFY_PEM_MAX];
    struct err_info why = {0};
    struct ledger_entry *entry = find_certificate(msg);
    int64_t wall_ms = issuer->config.clock->wall_ms(issuer->config.clock);
    if (entry == NULL || msg->keygen.spki_len > sizeof(msg->keygen.spki)) {
        answer(msg, LEDGER_FAILED, REASON_internal, "the message has no certificate to make");
        return;
    }
    if (!check_clock(issuer, msg, wall_ms)) {
        return;
    }
    int64_t len = make(issuer, msg, wall_ms, pem, &why);
    int err = len < 0 ? (int)len : describe(span_of(pem, (size_t)len), &msg->keygen, &why);
    if (err == 0) {
        err = seal(issuer, msg, entry, span_of(pem, (size_t)len), &why);
        if (err == ERR_REFUSED) {
            answer(msg, LEDGER_NO, REASON_key_locked, why.text);
            return;
        }
    }
    if (err == 0) {
        answer(msg, LEDGER_OK, REASON_NONE, "");
        return;
    }
    bool is_passing = err == ERR_CRYPTO || err == -ENOMEM; /* a token that is busy or gone for a moment */
    answer(msg, is_passing ? LEDGER_FAILED : LEDGER_NO, REASON_signer_failed, why.text);
}

/* What is signed holds keys in clear: it is put together in secret memory. */
static int sign_command(struct signer *signer, struct ledger_command *command, char *text,
                        struct err_info *reterr)
{
    size_t n = strlen(command->head);
    memcpy(text, command->head, n);
    if (command->content.len > 0) {
        memcpy(text + n, command->content.at, command->content.len);
        n += command->content.len;
        text[n++] = '"';
    }
    int err = signer_sign_command(signer, span_of(text, n), command->signature, reterr);
    secret_wipe(text, n);
    return err;
}

static void answer_authorize(struct issuer *issuer, struct ledger_msg *msg)
{
    _Static_assert(LEDGER_SIGNATURE_SIZE == SIGNER_COMMAND_SIZE && LEDGER_PUBLIC_SIZE == SIGNER_PUBLIC_SIZE,
                   "the message has room for what the signer gives");
    struct err_info why = {0};
    char *text = secret_alloc(LEDGER_COMMAND_SIZE + CRED_CONTENT_MAX + 1);
    int err = text != NULL ? signer_public_pem(issuer->config.signer, msg->public_key, &why) : -ENOMEM;
    for (uint32_t i = 0; err == 0 && i < msg->n_commands && i < LEDGER_COMMANDS_MAX; i++) {
        bool fits = msg->commands[i].content.len <= CRED_CONTENT_MAX;
        err = fits ? sign_command(issuer->config.signer, &msg->commands[i], text, &why) : ERR_RANGE;
    }
    secret_free(text);
    bool is_passing = err == ERR_CRYPTO || err == -ENOMEM;
    answer(msg,
           err == 0     ? LEDGER_OK
           : is_passing ? LEDGER_FAILED
                        : LEDGER_NO,
           err == 0 ? REASON_NONE : REASON_signer_failed, why.text);
}

void issuer_answer(struct issuer *issuer, struct ledger_msg *msg)
{
    if (ledger_actor_of(msg->kind) != LEDGER_TO_ISSUER || msg->product == NULL) {
        answer(msg, LEDGER_FAILED, REASON_internal, "this message is not for the signer");
        return;
    }
    if (issuer->config.signer == NULL) {
        answer(msg, LEDGER_NO, REASON_signer_failed,
               issuer->config.why ? issuer->config.why : "there is no CA");
        return;
    }
    if (msg->kind == LEDGER_AUTHORIZE) {
        answer_authorize(issuer, msg);
    } else {
        answer_sign(issuer, msg);
    }
}
