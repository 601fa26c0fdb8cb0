/*
 * Tokens: %ATTESTTOKEN, %CLAIMTOKEN, %JWT; and %KEYINJECT, which is for the vendor's own service and is
 * always refused here.
 *
 *   > AT%ATTESTTOKEN                  < %ATTESTTOKEN: "<message>.<COSE, payload detached>"  < OK
 *   > AT%JWT=0,0,"","",16842753,2     < %JWT: "<header>.<payload>.<signature>"  < OK
 *
 * A modem that was never in a network knows no time, so a %JWT that shall expire is refused with 525.
 */
#include <stdio.h>

#include "sim/cose.h"

#define CLAIM_MAX   128
#define JWT_BAD     50
#define JWT_OFF     51
#define KEY_CLIENT  2
#define KEY_OWN     6
#define KEY_OWNER   9
#define TOKEN_SPAN  (7 * 24 * 3600)
#define NONCE_CHARS (2 * NONCE_SIZE)

/* A nonce given in hexadecimal, or one of the modem's. Returns false for anything else. */
static bool take_nonce(struct sim_args *a, struct rng *rng, uint8_t out[NONCE_SIZE])
{
    size_t len = 0;

    if (!sim_args_more(a)) {
        cose_nonce(rng, out);
        return true;
    }
    const char *text = sim_args_string(a, &len);
    if (len != NONCE_CHARS)
        return false;
    char copy[NONCE_CHARS + 1];
    memcpy(copy, text, len);
    copy[len] = '\0';
    cose_uuid(copy, out);
    return strspn(copy, "0123456789abcdefABCDEF") == NONCE_CHARS;
}

/* The device identity message, followed by its signature with the payload left out. */
static int reply_identity(struct modem *m, struct modem_reply *reply, const char *name,
                          const uint8_t nonce[NONCE_SIZE], const struct p256_key *key)
{
    struct octets message, proof;
    uint8_t firmware[UUID_SIZE];

    cose_uuid(m->family->modem_uuid, firmware);
    cose_message(&message, m, COSE_DEVICE_IDENTITY);
    octets_cbor(&message, 0, m->family->device_type);
    octets_bstr(&message, firmware, sizeof firmware);
    octets_bstr(&message, nonce, NONCE_SIZE);
    if (cose_sign(&proof, &message, true, key, m->rng) < 0)
        return CME_SYSTEM_FAILURE;
    modem_reply_printf(reply, "%s: \"", name);
    cose_reply(reply, message.at, message.len);
    modem_reply_printf(reply, ".");
    cose_reply(reply, proof.at, proof.len);
    modem_reply_printf(reply, "\"\r\n");
    return CME_OK;
}

int attesttoken_end(struct modem *m, struct modem_call *call, struct modem_reply *reply)
{
    uint8_t nonce[NONCE_SIZE];
    struct p256_key key;

    if (!take_nonce(&call->args, m->rng, nonce) || !sim_args_end(&call->args))
        return modem_bad_parameter(m);
    if (cose_identity_key(m, &key) < 0)
        return CME_SYSTEM_FAILURE;
    return reply_identity(m, reply, "%ATTESTTOKEN", nonce, &key);
}

/* Signed by the ownership key of the tag. Its message is not documented; the identity's is given. */
int claimtoken_end(struct modem *m, struct modem_call *call, struct modem_reply *reply)
{
    uint8_t nonce[NONCE_SIZE];
    struct p256_key key;

    uint32_t tag = sim_args_number(&call->args, INT32_MAX);
    if (!take_nonce(&call->args, m->rng, nonce) || !sim_args_end(&call->args))
        return modem_bad_parameter(m);
    int i = flash_find(&m->flash, tag, KEY_OWNER);
    if (i < 0 || p256_read(&key, m->flash.memory + m->flash.slots[i].at, m->flash.slots[i].len) < 0)
        return CME_CLAIM_FAILED;
    return reply_identity(m, reply, "%CLAIMTOKEN", nonce, &key);
}

/* -- %JWT -- */

struct claims {
    const char *subject, *audience;
    size_t subject_len, audience_len;
    uint32_t span; /* seconds until it expires; 0: never */
    uint32_t tag;
    unsigned type; /* KEY_OWN: the identity key */
};

static bool is_plain(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == '\\')
            return false;
    }
    return len <= CLAIM_MAX;
}

static const char *take_claim(struct sim_args *a, size_t *ret_len)
{
    *ret_len = 0;
    return !sim_args_more(a) || sim_args_empty(a) ? "" : sim_args_string(a, ret_len);
}

static uint32_t take_number(struct sim_args *a, uint32_t max)
{
    return !sim_args_more(a) || sim_args_empty(a) ? 0 : sim_args_number(a, max);
}

static bool parse_jwt(struct sim_args *a, struct claims *c)
{
    *c = (struct claims){.type = KEY_OWN};
    uint32_t algorithm = take_number(a, 0);
    c->span = take_number(a, TOKEN_SPAN);
    c->subject = take_claim(a, &c->subject_len);
    c->audience = take_claim(a, &c->audience_len);
    if (sim_args_more(a)) {
        c->tag = sim_args_number(a, INT32_MAX);
        c->type = sim_args_number(a, KEY_OWNER);
        if (c->type != KEY_CLIENT && c->type != KEY_OWN)
            return false;
    }
    return sim_args_end(a) && algorithm == 0 && is_plain(c->subject, c->subject_len) &&
           is_plain(c->audience, c->audience_len);
}

static int find_key(struct modem *m, const struct claims *c, struct p256_key *ret)
{
    if (c->type == KEY_OWN)
        return cose_identity_key(m, ret) < 0 ? CME_SYSTEM_FAILURE : CME_OK;
    int i = flash_find(&m->flash, c->tag, c->type);
    if (i < 0)
        return CME_NOT_FOUND;
    const struct flash_entry *slot = &m->flash.slots[i];
    return p256_read(ret, m->flash.memory + slot->at, slot->len) < 0 ? CME_NO_ACCESS : CME_OK;
}

static void hex(const uint8_t *at, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++)
        sprintf(out + 2 * i, "%02x", at[i]);
}

/* The two parts that are signed, as JSON. */
static void make_parts(struct modem *m, const struct claims *c, const struct p256_key *key, char header[160],
                       char payload[640])
{
    uint8_t spki[P256_SPKI], digest[SIM_SHA256_SIZE], nonce[NONCE_SIZE];
    char id[2 * SIM_SHA256_SIZE + 1], unique[2 * NONCE_SIZE + 1];
    int chip = (int)strcspn(m->family->model, "-");

    p256_spki(key, spki);
    flash_sha256(spki, sizeof spki, digest);
    hex(digest, sizeof digest, id);
    cose_nonce(m->rng, nonce);
    hex(nonce, sizeof nonce, unique);
    sprintf(header, "{\"typ\":\"JWT\",\"alg\":\"ES256\",\"kid\":\"%s\"}", id);
    int n = sprintf(payload, "{\"iss\":\"%.*s.%s\",\"jti\":\"%.*s.%s.%s\"", chip, m->family->model,
                    m->config->uuid, chip, m->family->model, m->family->modem_uuid, unique);
    if (c->subject_len > 0)
        n += sprintf(payload + n, ",\"sub\":\"%.*s\"", (int)c->subject_len, c->subject);
    if (c->audience_len > 0)
        n += sprintf(payload + n, ",\"aud\":\"%.*s\"", (int)c->audience_len, c->audience);
    sprintf(payload + n, "}");
}

int jwt_end(struct modem *m, struct modem_call *call, struct modem_reply *reply)
{
    char header[160], payload[640];
    uint8_t digest[SIM_SHA256_SIZE], sign[P256_SIGN];
    struct p256_key key;
    struct claims c;

    if (m->has_no_tokens)
        return m->no_tokens_fired++, JWT_OFF;
    if (!parse_jwt(&call->args, &c))
        return JWT_BAD;
    int code = find_key(m, &c, &key);
    if (code != CME_OK)
        return code;
    if (c.span > 0)
        return CME_JWT_FAILED;

    make_parts(m, &c, &key, header, payload);
    modem_reply_printf(reply, "%%JWT: \"");
    size_t start = reply->len;
    cose_reply(reply, (const uint8_t *)header, strlen(header));
    modem_reply_printf(reply, ".");
    cose_reply(reply, (const uint8_t *)payload, strlen(payload));
    flash_sha256(reply->text + start, reply->len - start, digest);
    if (p256_sign(&key, digest, m->rng, sign) < 0)
        return CME_JWT_FAILED;
    modem_reply_printf(reply, ".");
    cose_reply(reply, sign, sizeof sign);
    modem_reply_printf(reply, "\"\r\n");
    return CME_OK;
}

/* Two parts with a dot between them; whose sender no board here knows. */
void keyinject_begin(struct modem *m, struct modem_call *call)
{
    size_t len = 0;

    const char *text = sim_args_string(&call->args, &len);
    const char *dot = text ? memchr(text, '.', len) : NULL;
    if (m->has_no_tokens) {
        m->no_tokens_fired++;
        call->code = JWT_OFF;
    } else if (!sim_args_end(&call->args) || !dot || dot == text || dot == text + len - 1) {
        call->code = JWT_BAD;
    } else {
        call->code = modem_may_change(m);
        if (call->code == CME_OK) {
            m->refused_memory += m->is_memory_full;
            call->code = m->is_memory_full ? CME_MEMORY_FULL : CME_NOT_FOUND;
        }
    }
}
