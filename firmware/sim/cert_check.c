/*
 * How strict a validating modem is, is known from what people were refused: everything on one line, a blank
 * before the first dash, backslash and n typed for a line break, a body that is no certificate. Accepted were
 * LF and CRLF inside, with and without a final line break, a line break after the opening quote by Nordic's
 * own advice, and two certificates in one entry. Whether dates or signatures are looked at is unknown; they
 * are not here.
 */
#include "sim/cert_check.h"

#include <stdint.h>
#include <string.h>

#include <openssl/x509.h>

#define BEGIN_MARK "-----BEGIN CERTIFICATE-----"
#define END_MARK   "-----END CERTIFICATE-----"
#define DER_MAX    4096

struct cursor {
    const char *at;
    const char *end;
};

static bool skip_mark(struct cursor *c, const char *mark)
{
    size_t len = strlen(mark);
    if ((size_t)(c->end - c->at) < len || memcmp(c->at, mark, len) != 0)
        return false;
    c->at += len;
    return true;
}

static bool skip_break(struct cursor *c)
{
    const char *start = c->at;
    if (c->at < c->end && *c->at == '\r')
        c->at++;
    if (c->at < c->end && *c->at == '\n')
        c->at++;
    return c->at > start;
}

static int digit_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* Base64 lines up to the next dash. Returns the number of octets, or -1. */
static int decode_body(struct cursor *c, uint8_t out[DER_MAX])
{
    uint32_t bits = 0;
    size_t digits = 0, pads = 0, len = 0;

    while (c->at < c->end && *c->at != '-') {
        if (skip_break(c))
            continue;
        int value = *c->at == '=' ? 0 : digit_of(*c->at);
        if (value < 0 || (pads > 0 && *c->at != '='))
            return -1;
        pads += *c->at++ == '=';
        bits = bits << 6 | (uint32_t)value;
        if (++digits % 4 == 0) {
            if (len + 3 > DER_MAX)
                return -1;
            out[len++] = (uint8_t)(bits >> 16);
            out[len++] = (uint8_t)(bits >> 8);
            out[len++] = (uint8_t)bits;
        }
    }
    return digits % 4 != 0 || pads > 2 || len < pads ? -1 : (int)(len - pads);
}

static bool is_certificate(const uint8_t *der, long len)
{
    const uint8_t *at = der;
    X509 *x509 = d2i_X509(NULL, &at, len);
    bool is_whole = x509 && at == der + len;

    X509_free(x509);
    return is_whole;
}

static bool check_one(struct cursor *c)
{
    uint8_t der[DER_MAX];

    if (!skip_mark(c, BEGIN_MARK) || !skip_break(c))
        return false;
    int len = decode_body(c, der);
    return len > 0 && (c->at[-1] == '\n' || c->at[-1] == '\r') && skip_mark(c, END_MARK) &&
           is_certificate(der, len);
}

bool sim_cert_check(const char *content, size_t len)
{
    struct cursor c = {content, content + len};

    skip_break(&c);
    do {
        if (!check_one(&c))
            return false;
        while (skip_break(&c))
            ;
    } while (c.at < c.end);
    return true;
}
