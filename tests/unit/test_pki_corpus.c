/*
 * A generated corpus of damaged certificates, keys and texts: every element of the DER with every kind of
 * damage, every line of the PEM with every kind of damage. Our reading is held against OpenSSL's own, which
 * takes another way (its decoders): what we take, it takes, and it sees the same key. Nothing of the corpus
 * is ever taken for the certificate or the key that was damaged, but where the damage is one of those that
 * the signature covers and nobody else can see.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "pki/content.h"
#include "pki/digest.h"
#include "pki/x509.h"
#include "support/testpki.h"

#define DER_MAX 4096

static struct testpki *pki;

static int make_pki(void **state)
{
    (void)state;
    pki = testpki_new(8);
    return 0;
}

static int free_pki(void **state)
{
    (void)state;
    testpki_free(pki);
    return 0;
}

/* ---- damage to one element of a DER */

struct element {
    size_t at, head, len; /* tag and length octets; content */
};

/* Reads the element at `at`; false beyond the end. */
static bool read_element(const uint8_t *der, size_t size, size_t at, struct element *ret)
{
    if (at + 2 > size) {
        return false;
    }
    size_t n = der[at + 1], octets = 0;
    if (n & 0x80) {
        octets = n & 0x7F;
        n = 0;
        for (size_t i = 0; i < octets; i++) {
            n = n << 8 | der[at + 2 + i];
        }
    }
    *ret = (struct element){.at = at, .head = 2 + octets, .len = n};
    return at + ret->head + n <= size;
}

/* All elements, inner ones behind the outer one. Returns how many. */
static size_t list_elements(const uint8_t *der, size_t from, size_t to, struct element *out, size_t n,
                            size_t max)
{
    struct element e;
    for (size_t at = from; at < to && n < max && read_element(der, to, at, &e); at += e.head + e.len) {
        out[n++] = e;
        if (der[at] & 0x20) {
            n = list_elements(der, at + e.head, at + e.head + e.len, out, n, max);
        }
    }
    return n;
}

enum damage {
    DAMAGE_TAG,        /* another type */
    DAMAGE_LONGER,     /* says that it is longer */
    DAMAGE_SHORTER,    /* says that it is shorter */
    DAMAGE_INDEFINITE, /* BER, not DER */
    DAMAGE_HUGE,       /* four octets of length, all ones */
    DAMAGE_CUT,        /* the text ends here */
    DAMAGE_EMPTY,      /* no content, the rest moved up, lengths around it as they were */
    DAMAGES,
};

static size_t damage_der(const uint8_t *der, size_t len, const struct element *e, enum damage damage,
                         uint8_t *out)
{
    size_t at = e->at, behind = at + e->head + e->len;
    memcpy(out, der, len);
    switch (damage) {
    case DAMAGE_TAG:
        out[at] ^= 0x1F;
        return len;
    case DAMAGE_LONGER:
        out[at + e->head - 1]++;
        return len;
    case DAMAGE_SHORTER:
        out[at + e->head - 1]--;
        return len;
    case DAMAGE_INDEFINITE:
        out[at + 1] = 0x80;
        return len;
    case DAMAGE_HUGE:
        out[at + 1] = 0x84;
        memset(out + at + 2, 0xFF, len - at - 2 < 4 ? len - at - 2 : 4);
        return len;
    case DAMAGE_CUT:
        return at;
    case DAMAGE_EMPTY:
        memmove(out + at + e->head, der + behind, len - behind);
        return len - e->len;
    case DAMAGES:
        break;
    }
    return len;
}

/* ---- OpenSSL's opinion */

static bool fingerprint_of(EVP_PKEY *pkey, struct digest *ret)
{
    unsigned char *spki = NULL;
    int len = pkey != NULL ? i2d_PUBKEY(pkey, &spki) : -1;
    if (len > 0) {
        sha256(span_of((const char *)spki, (size_t)len), ret);
    }
    OPENSSL_free(spki);
    return len > 0;
}

static bool openssl_takes_cert(struct span der, struct digest *ret)
{
    const unsigned char *at = (const unsigned char *)der.at;
    X509 *x509 = d2i_X509(NULL, &at, (long)der.len);
    bool is_whole = x509 != NULL && at == (const unsigned char *)der.at + der.len;
    bool is_good = is_whole && fingerprint_of(X509_get0_pubkey(x509), ret);
    X509_free(x509);
    ERR_clear_error();
    return is_good;
}

static bool openssl_takes_key(struct span der, struct digest *ret)
{
    const unsigned char *at = (const unsigned char *)der.at;
    EVP_PKEY *pkey = d2i_AutoPrivateKey(NULL, &at, (long)der.len);
    bool is_good = fingerprint_of(pkey, ret);
    EVP_PKEY_free(pkey);
    ERR_clear_error();
    return is_good;
}

static void damaged_certificates(void **state)
{
    (void)state;
    static const enum testpki_key kinds[] = {TESTPKI_P256, TESTPKI_RSA2048, TESTPKI_P384};
    static struct element elements[128];
    size_t n_made = 0, n_refused = 0;
    for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
        struct testpki_bundle bundle;
        struct pem pem;
        testpki_bundle(pki, 1, kinds[k], &bundle);
        assert_int_equal(pem_parse(span_str(bundle.client_cert), &pem), 0);
        const uint8_t *der = (const uint8_t *)pem.blocks[0].der.at;
        size_t len = pem.blocks[0].der.len, n = list_elements(der, 0, len, elements, 0, 128);
        assert_true(n > 40);
        for (size_t i = 0; i < n; i++) {
            for (int damage = 0; damage < DAMAGES; damage++) {
                uint8_t made[DER_MAX];
                struct cert cert;
                struct digest theirs;
                struct span text = span_of((const char *)made,
                                           damage_der(der, len, &elements[i], (enum damage)damage, made));
                bool is_taken = cert_parse(text, &cert, NULL) == 0;
                n_made++;
                n_refused += !is_taken;
                if (is_taken &&
                    !(openssl_takes_cert(text, &theirs) && digest_eq(&cert.fingerprint, &theirs))) {
                    fail_msg("key %zu, element %zu, damage %d", k, i, damage);
                }
            }
        }
        pem_done(&pem);
        testpki_bundle_done(&bundle);
    }
    assert_true(n_made >= 800 && n_refused * 10 >= n_made * 8);
}

/* A damaged key is none, or is another key: never the certificate's. */
static void damaged_keys(void **state)
{
    (void)state;
    static const enum testpki_key kinds[] = {TESTPKI_P256, TESTPKI_P256_SEC1, TESTPKI_P384,
                                             TESTPKI_RSA2048_PKCS1};
    static struct element elements[64];
    size_t n_made = 0;
    for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
        struct testpki_bundle bundle;
        struct pem pem;
        testpki_bundle(pki, 1, kinds[k], &bundle);
        assert_int_equal(pem_parse(span_str(bundle.private_key), &pem), 0);
        const uint8_t *der = (const uint8_t *)pem.blocks[0].der.at;
        size_t len = pem.blocks[0].der.len, n = list_elements(der, 0, len, elements, 0, 64);
        for (size_t i = 0; i < n; i++) {
            for (int damage = 0; damage < DAMAGES; damage++) {
                uint8_t made[DER_MAX];
                struct pem_block block = pem.blocks[0];
                struct key *key = NULL;
                struct digest theirs;
                block.der = span_of((const char *)made,
                                    damage_der(der, len, &elements[i], (enum damage)damage, made));
                n_made++;
                if (key_parse(&block, &key, NULL) == 0 &&
                    !(openssl_takes_key(block.der, &theirs) && digest_eq(key_fingerprint(key), &theirs))) {
                    fail_msg("key %zu, element %zu, damage %d", k, i, damage);
                }
                key_free(key);
                secret_wipe(made, sizeof(made));
            }
        }
        pem_done(&pem);
        testpki_bundle_done(&bundle);
    }
    assert_true(n_made >= 150);
}

/* ---- damage to one line of a PEM */

enum line_damage {
    LINE_DROPPED,
    LINE_DOUBLED,
    LINE_WITHOUT_END,
    LINE_SHORTER,   /* its last character is lost */
    LINE_LONGER,    /* a base64 character too many */
    LINE_CHARACTER, /* one that base64 does not have */
    LINE_PADDED,    /* "=" in the middle */
    LINE_LAST,      /* the text ends behind it */
    LINE_LITERAL,   /* backslash and n for its end */
    LINE_DAMAGES,
};

static size_t damage_line(const char *text, size_t begin, size_t end, enum line_damage damage, char *out)
{
    size_t len = strlen(text), n = 0;
#define PUT(from, to) (memcpy(out + n, text + (from), (to) - (from)), n += (to) - (from))
    PUT(0, begin);
    switch (damage) {
    case LINE_DROPPED:
        break;
    case LINE_DOUBLED:
        PUT(begin, end + 1);
        PUT(begin, end + 1);
        break;
    case LINE_WITHOUT_END:
        PUT(begin, end);
        break;
    case LINE_SHORTER:
        PUT(begin, end - 1);
        out[n++] = '\n';
        break;
    case LINE_LONGER:
        PUT(begin, end);
        out[n++] = 'A';
        out[n++] = '\n';
        break;
    case LINE_CHARACTER:
    case LINE_PADDED:
        PUT(begin, begin + 5);
        out[n++] = damage == LINE_PADDED ? '=' : '~';
        PUT(begin + 6, end + 1);
        break;
    case LINE_LAST:
        PUT(begin, end + 1);
        return n;
    case LINE_LITERAL:
        PUT(begin, end);
        out[n++] = '\\';
        out[n++] = 'n';
        break;
    case LINE_DAMAGES:
        break;
    }
    PUT(end + 1, len);
#undef PUT
    return n;
}

/* What is taken is, in its canonical form, what it was before; all else is refused and says why. */
static void damaged_texts(void **state)
{
    (void)state;
    struct testpki_bundle bundle;
    testpki_bundle(pki, 1, TESTPKI_P256, &bundle);
    const struct {
        enum cred_type type;
        const char *text;
    } texts[] = {{CRED_CLIENT_CERT, bundle.client_cert}, {CRED_PRIVATE_KEY, bundle.private_key}};
    size_t n_made = 0, n_refused = 0;
    for (size_t k = 0; k < 2; k++) {
        const char *text = texts[k].text;
        for (size_t begin = 0, end; text[begin] != '\0'; begin = end + 1) {
            end = begin + strcspn(text + begin, "\n");
            for (int damage = 0; damage < LINE_DAMAGES; damage++) {
                char made[DER_MAX], canonical[DER_MAX];
                struct content content;
                struct err_info why = {0};
                size_t len = damage_line(text, begin, end, (enum line_damage)damage, made);
                enum content_fault fault =
                    content_read(texts[k].type, span_of(made, len), CONTENT_TIME_UNKNOWN, &content, &why);
                n_made++;
                n_refused += fault != CONTENT_GOOD && why.text[0] != '\0';
                if (fault == CONTENT_GOOD) {
                    int64_t n = content_write(&content, (struct pem_style){.final_line_end = true}, canonical,
                                              sizeof(canonical));
                    if (n != (int64_t)strlen(text) || memcmp(canonical, text, (size_t)n) != 0) {
                        fail_msg("text %zu, octet %zu, damage %d", k, begin, damage);
                    }
                }
                content_done(&content);
                secret_wipe(made, sizeof(made));
                secret_wipe(canonical, sizeof(canonical));
            }
        }
    }
    assert_true(n_made >= 150 && n_refused * 10 >= n_made * 7);
    testpki_bundle_done(&bundle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_certificates),
        cmocka_unit_test(damaged_keys),
        cmocka_unit_test(damaged_texts),
    };
    return cmocka_run_group_tests(tests, make_pki, free_pki);
}
