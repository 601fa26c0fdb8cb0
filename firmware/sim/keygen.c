/*
 * %KEYGEN.
 *
 *   > AT%KEYGEN=16842753,2,0,"CN=device"   < %KEYGEN: "<CSR>.<COSE>"  < OK
 *
 * The private key goes to the store and never comes out of it; the answer is the request in DER and a message
 * signed by the device's identity key: its UUID, the tag as CBOR inside a byte string, the SHA-256 of the
 * request and a nonce. response_content 1 gives the public key in place of the request.
 *
 * Type 2 in use is 519: it must be deleted first. An endorsement key (8) in use is used again, an ownership
 * key (9) is made once. The order of refusals is that of a write.
 */
#include "sim/cose.h"
#include "sim/csr.h"

enum { KEY_CLIENT = 2, KEY_ENDORSEMENT = 8, KEY_OWNERSHIP = 9 };

#define TAG_MAX 2147483647u

static bool parse(struct modem_call *call)
{
    struct sim_args *a = &call->args;

    call->class = MODEM_KEYGEN;
    call->sec_tag = sim_args_number(a, UINT32_MAX);
    call->type = sim_args_number(a, KEY_OWNERSHIP);
    if (sim_args_more(a) && !sim_args_empty(a))
        call->mode = sim_args_number(a, 1);
    if (sim_args_more(a) && !sim_args_empty(a)) {
        call->content = sim_args_string(a, &call->content_len);
        if (call->content && !csr_is_subject(call->content, call->content_len))
            return false;
    }
    if (sim_args_more(a)) {
        call->extra = sim_args_string(a, &call->extra_len);
        if (call->extra && !csr_is_usage(call->extra, call->extra_len))
            return false;
    }
    return sim_args_end(a) &&
           (call->type == KEY_CLIENT || call->type == KEY_ENDORSEMENT || call->type == KEY_OWNERSHIP);
}

static int check(struct modem *m, const struct modem_call *call)
{
    int code = modem_may_change(m);
    if (code != CME_OK)
        return code;
    if (call->sec_tag > TAG_MAX)
        return CME_NO_ACCESS; /* the modem's own */
    bool is_there = flash_find(&m->flash, call->sec_tag, call->type) >= 0;
    if (is_there && call->type != KEY_ENDORSEMENT)
        return CME_EXISTS;
    m->refused_memory += m->is_memory_full;
    bool fits = flash_fits(&m->flash, call->sec_tag, call->type, P256_PEM_SIZE);
    return is_there || (fits && !m->is_memory_full) ? CME_OK : CME_MEMORY_FULL;
}

void keygen_begin(struct modem *m, struct modem_call *call)
{
    call->code = parse(call) ? check(m, call) : modem_bad_parameter(m);
    if (call->code == CME_OK)
        call->us = m->config->keygen_ms * 1000;
}

/* The key of the pair: the one that is there, or a new one, stored. */
static int take_key(struct modem *m, const struct modem_call *call, struct p256_key *ret)
{
    char pem[P256_PEM_SIZE];
    int old = flash_find(&m->flash, call->sec_tag, call->type);

    if (old >= 0)
        return p256_read(ret, m->flash.memory + m->flash.slots[old].at, m->flash.slots[old].len);
    if (p256_make(ret, m->rng) < 0 ||
        flash_put(&m->flash, call->sec_tag, call->type, pem, p256_private_pem(ret, pem)) < 0)
        return -1;
    m->flash.slots[m->flash.count - 1].is_generated = true;
    struct simboard_wear *wear = flash_wear(&m->flash, call->sec_tag, call->type);
    if (wear)
        wear->writes++;
    return 0;
}

/* What the host asked for, in DER. */
static int make_document(struct modem *m, const struct modem_call *call, const struct p256_key *key,
                         struct octets *ret)
{
    uint8_t spki[P256_SPKI];

    if (call->mode == 0)
        return csr_make(ret, key, m->config->uuid, call->content ? call->content : "", call->content_len,
                        call->extra, call->extra_len, m->rng);
    p256_spki(key, spki);
    *ret = (struct octets){0};
    octets_add(ret, spki, sizeof spki);
    return 0;
}

static int make_proof(struct modem *m, const struct modem_call *call, const struct octets *document,
                      struct octets *ret)
{
    struct octets message, tag = {0};
    uint8_t digest[SIM_SHA256_SIZE], nonce[NONCE_SIZE];
    struct p256_key identity;

    octets_cbor(&tag, 0, call->sec_tag);
    flash_sha256(document->at, document->len, digest);
    cose_nonce(m->rng, nonce);
    cose_message(&message, m, call->mode == 0 ? COSE_CSR : COSE_PUBLIC_KEY);
    octets_bstr(&message, tag.at, tag.len);
    octets_bstr(&message, digest, sizeof digest);
    octets_bstr(&message, nonce, sizeof nonce);
    return cose_identity_key(m, &identity) < 0 ? -1 : cose_sign(ret, &message, false, &identity, m->rng);
}

int keygen_end(struct modem *m, struct modem_call *call, struct modem_reply *reply)
{
    struct octets document, proof;
    struct p256_key key;

    if (rng_hit(m->rng, m->keygen_failed)) {
        m->keygen_failed_fired++;
        return CME_KEYGEN_FAILED;
    }
    if (take_key(m, call, &key) < 0 || make_document(m, call, &key, &document) < 0 ||
        make_proof(m, call, &document, &proof) < 0)
        return CME_KEYGEN_FAILED;
    modem_reply_printf(reply, "%%KEYGEN: \"");
    cose_reply(reply, document.at, document.len);
    modem_reply_printf(reply, ".");
    cose_reply(reply, proof.at, proof.len);
    modem_reply_printf(reply, "\"\r\n");
    return CME_OK;
}
