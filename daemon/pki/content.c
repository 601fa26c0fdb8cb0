/* The rules are Nordic's where a modem enforces them (types 0 and 1, since 2.0.2), and ours where it does
 * not: a private key is stored unread, so nobody else would notice before the board is in the field. */
#include "pki/content.h"

#include <errno.h>

#include "pki/init.h"

static enum content_fault fault_at(struct err_info *reterr, enum content_fault fault, int line,
                                   const char *what)
{
    (void)err_set_at(reterr, ERR_FORMAT, line, line > 0 ? 1 : 0, "%s", what);
    return fault;
}

static enum content_fault refuse_form(const struct pem_finding *finding, struct err_info *reterr)
{
    const struct pem_fault_text *text = pem_fault_text(finding->fault);
    (void)err_set_at(reterr, ERR_FORMAT, finding->line, finding->column, "%s", text->what);
    return CONTENT_PEM_FORM;
}

static enum content_fault read_pem(struct span text, struct content *ret, struct err_info *reterr)
{
    if (pem_parse(text, &ret->pem) != 0) {
        (void)err_set(reterr, -ENOMEM, "no memory to read a PEM text");
        return CONTENT_TROUBLE;
    }
    const struct pem_finding *refusal = pem_refusal(&ret->pem);
    if (refusal != NULL) {
        return refuse_form(refusal, reterr);
    }
    return ret->pem.n_blocks > 0
               ? CONTENT_GOOD
               : fault_at(reterr, CONTENT_PEM_FORM, 1, "there is nothing but parameters in it");
}

/* Whether an nRF91 can use a key of this kind and size; in words if not. */
static const char *unusable(enum key_kind kind, unsigned bits)
{
    if (!key_kind_is_usable(kind)) {
        return "the key is of a kind that the modem cannot use: take P-256, P-384 or RSA";
    }
    if (kind == KEY_RSA && (bits < CONTENT_RSA_BITS_MIN || bits > CONTENT_RSA_BITS_MAX)) {
        return "the RSA key has fewer than 2,048 or more than 4,096 bits";
    }
    return NULL;
}

static enum content_fault read_certificate(const struct pem_block *block, int64_t now_s, struct cert *ret,
                                           struct err_info *reterr)
{
    struct err_info why = {0};
    if (block->label != PEM_CERTIFICATE) {
        return fault_at(reterr, CONTENT_CERTIFICATE_INVALID, block->line,
                        "a certificate belongs here, but the block is something else");
    }
    int err = cert_parse(block->der, ret, &why);
    if (err == -ENOMEM) {
        return fault_at(reterr, CONTENT_TROUBLE, 0, "no memory to read a certificate");
    }
    if (err != 0) {
        return fault_at(reterr, CONTENT_CERTIFICATE_INVALID, block->line, why.text);
    }
    if (ret->not_after_s < ret->not_before_s) {
        return fault_at(reterr, CONTENT_CERTIFICATE_INVALID, block->line,
                        "its validity ends before it begins: have it issued again");
    }
    if (now_s != CONTENT_TIME_UNKNOWN && ret->not_after_s < now_s) {
        return fault_at(
            reterr, CONTENT_CERTIFICATE_EXPIRED, block->line,
            "the certificate's validity has ended: have it issued again, or set the station's clock");
    }
    return CONTENT_GOOD;
}

/* One certificate or several, the board's own first. */
static enum content_fault read_certificates(int64_t now_s, struct content *ret, struct err_info *reterr)
{
    enum content_fault fault = CONTENT_GOOD;
    for (size_t i = 0; i < ret->pem.n_blocks && fault == CONTENT_GOOD; i++) {
        struct cert other;
        fault = read_certificate(&ret->pem.blocks[i], now_s, i == 0 ? &ret->cert : &other, reterr);
    }
    const char *why = ret->type == CRED_CLIENT_CERT && fault == CONTENT_GOOD
                          ? unusable(ret->cert.kind, ret->cert.key_bits)
                          : NULL;
    return why != NULL ? fault_at(reterr, CONTENT_CERTIFICATE_INVALID, ret->pem.blocks[0].line, why) : fault;
}

static enum content_fault read_private_key(struct content *ret, struct err_info *reterr)
{
    if (ret->pem.n_blocks != 1) {
        return fault_at(reterr, CONTENT_KEY_INVALID, 1, "exactly one private key belongs here");
    }
    struct err_info why = {0};
    const struct pem_block *block = &ret->pem.blocks[0];
    int err = key_parse(block, &ret->key, &why);
    if (err == -ENOMEM) {
        return fault_at(reterr, CONTENT_TROUBLE, 0, why.text);
    }
    const char *what = err != 0 ? why.text : unusable(key_kind(ret->key), key_bits(ret->key));
    return what != NULL ? fault_at(reterr, CONTENT_KEY_INVALID, block->line, what) : CONTENT_GOOD;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* nRF91 AT reference, %CMNG: a pre-shared key is hexadecimal text, two characters an octet. */
static enum content_fault read_psk(struct span text, struct err_info *reterr)
{
    bool is_good = text.len >= 2 && text.len % 2 == 0 && text.len <= 2 * CONTENT_PSK_MAX;
    for (size_t i = 0; is_good && i < text.len; i++) {
        is_good = is_hex(text.at[i]);
    }
    return is_good ? CONTENT_GOOD
                   : fault_at(reterr, CONTENT_KEY_INVALID, 0,
                              "a pre-shared key is 1 to 64 octets as hexadecimal text, two characters each, "
                              "and nothing "
                              "else");
}

static enum content_fault read_identity(struct span text, struct err_info *reterr)
{
    bool is_good = text.len >= 1 && text.len <= CONTENT_IDENTITY_MAX;
    for (size_t i = 0; is_good && i < text.len; i++) {
        is_good = text.at[i] >= ' ' && text.at[i] <= '~' && text.at[i] != '"';
    }
    return is_good
               ? CONTENT_GOOD
               : fault_at(
                     reterr, CONTENT_TEXT_INVALID, 0,
                     "an identity is 1 to 128 printable ASCII characters without quotation marks: the modem "
                     "has no way to escape one");
}

/* The longest form that a product may ask for must fit. */
static enum content_fault check_length(const struct content *content, struct err_info *reterr)
{
    size_t len = 2;
    for (size_t i = 0; i < content->pem.n_blocks; i++) {
        size_t text = (content->pem.blocks[i].der.len + 2) / 3 * 4;
        len += text + 2 * (text / 64 + 1) + 80; /* line ends, BEGIN and END line */
    }
    return len <= CRED_CONTENT_MAX
               ? CONTENT_GOOD
               : fault_at(reterr, CONTENT_TOO_LONG, 0,
                          "the content is longer than any AT host takes: leave out certificates that "
                          "the board does not need");
}

enum content_fault content_read(enum cred_type type, struct span text, int64_t now_s, struct content *ret,
                                struct err_info *reterr)
{
    *ret = (struct content){.type = type};
    bool is_pem = type != CRED_PSK && type != CRED_PSK_IDENTITY;
    enum content_fault fault = is_pem ? read_pem(text, ret, reterr) : CONTENT_GOOD;
    if (fault == CONTENT_GOOD) {
        fault = check_length(ret, reterr);
    }
    if (fault != CONTENT_GOOD) {
        return fault;
    }
    switch (type) {
    case CRED_CA:
    case CRED_CLIENT_CERT:
        return read_certificates(now_s, ret, reterr);
    case CRED_PRIVATE_KEY:
        return read_private_key(ret, reterr);
    case CRED_PSK:
        ret->text = text;
        return read_psk(text, reterr);
    case CRED_PSK_IDENTITY:
        ret->text = text;
        return read_identity(text, reterr);
    }
    return CONTENT_TROUBLE;
}

void content_done(struct content *content)
{
    pem_done(&content->pem);
    key_free(content->key);
    *content = (struct content){0};
}

enum content_fault content_match(const struct content *private_key, const struct content *client_cert,
                                 struct err_info *reterr)
{
    uint64_t shortages = pki_shortages();
    if (key_belongs_to(private_key->key, &client_cert->cert, client_cert->pem.blocks[0].der)) {
        return CONTENT_GOOD;
    }
    if (pki_shortages() != shortages) {
        return fault_at(reterr, CONTENT_TROUBLE, 0, "no memory to hold a key against its certificate");
    }
    return fault_at(reterr, CONTENT_KEY_MISMATCH, 0, "the private key does not belong to the certificate");
}

int64_t content_write(const struct content *content, struct pem_style style, char *out, size_t size)
{
    if (content->type != CRED_PSK && content->type != CRED_PSK_IDENTITY) {
        int64_t len = pem_write(&content->pem, style, out, size);
        return len > CRED_CONTENT_MAX ? ERR_FULL : len;
    }
    if (content->text.len > size) {
        return ERR_FULL;
    }
    memcpy(out, content->text.at, content->text.len);
    return (int64_t)content->text.len;
}
