/*
 * The certificate is built with OpenSSL's own structures, but signed by whatever holds the key: the part to
 * be signed is encoded, given to the signer, and its signature put behind it.
 */
#include "pki/certify.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "pki/digest.h"
#include "pki/init.h"
#include "pki/signer_impl.h"

#define KEY_ID_SIZE 20 /* the leftmost 160 bits */
#define CN_MAX      64

/* ---- subject */

static const struct attribute {
    const char *name;
    int nid;
} attributes[] = {
    {"C", NID_countryName},
    {"ST", NID_stateOrProvinceName},
    {"L", NID_localityName},
    {"O", NID_organizationName},
    {"OU", NID_organizationalUnitName},
    {"CN", NID_commonName},
    {"T", NID_title},
    {"SN", NID_surname},
    {"serialNumber", NID_serialNumber},
};

struct item {
    int nid;
    struct span value;
};

/* One "ID=value" off the front of the text. False: there is none in this form. */
static bool next_item(struct span *rest, struct item *ret)
{
    const char *comma = memchr(rest->at, ',', rest->len);
    size_t len = comma ? (size_t)(comma - rest->at) : rest->len;
    const char *equals = memchr(rest->at, '=', len);
    if (!equals) {
        return false;
    }
    struct span name = span_of(rest->at, (size_t)(equals - rest->at));
    ret->value = span_of(equals + 1, len - name.len - 1);
    *rest = span_skip(*rest, comma ? len + 1 : len);
    bool is_followed = !comma || rest->len > 0;
    for (size_t i = 0; i < sizeof(attributes) / sizeof(*attributes); i++) {
        if (span_is(name, attributes[i].name)) {
            ret->nid = attributes[i].nid;
            return is_followed && ret->value.len > 0 && ret->value.len <= CN_MAX;
        }
    }
    return false;
}

bool certify_attributes_are_valid(const char *text)
{
    for (const char *c = text; *c; c++) {
        if (*c < ' ' || *c == '"' || *c == '\\' || *c == 0x7F) {
            return false;
        }
    }
    for (struct span rest = span_str(text); rest.len > 0;) {
        struct item item;
        if (!next_item(&rest, &item) || (item.nid == NID_countryName && item.value.len != 2)) {
            return false;
        }
    }
    return true;
}

static bool add_name(X509_NAME *name, int nid, struct span value)
{
    return X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8, (const unsigned char *)value.at,
                                      (int)value.len, -1, 0) == 1;
}

static int put_subject(X509 *cert, const struct certify_request *request, struct err_info *reterr)
{
    X509_NAME *name = X509_get_subject_name(cert);
    struct span cn = span_str(request->subject_cn);
    bool is_good = cn.len > 0 && cn.len <= CN_MAX && certify_attributes_are_valid(request->attributes);
    for (struct span rest = span_str(request->attributes); is_good && rest.len > 0;) {
        struct item item = {0};
        is_good =
            next_item(&rest, &item) && (item.nid == NID_commonName || add_name(name, item.nid, item.value));
    }
    is_good = is_good && add_name(name, NID_commonName, cn);
    return is_good ? 0
                   : err_set(reterr, ERR_RANGE, "no certificate can have the subject \"%s\"",
                             request->subject_cn);
}

/* ---- validity */

static int put_validity(X509 *cert, const struct signer *signer, const struct certify_request *request,
                        struct err_info *reterr)
{
    int64_t from = request->now_s - CERTIFY_BACKDATE_S;
    int64_t to = request->now_s + (int64_t)request->validity_days * 86400;
    from = from > signer->cert.not_before_s ? from : signer->cert.not_before_s;
    to = to < signer->cert.not_after_s ? to : signer->cert.not_after_s;
    if (request->now_s < signer->cert.not_before_s || request->now_s >= signer->cert.not_after_s) {
        return err_set(reterr, ERR_REFUSED, "the CA's own certificate is not valid at this time");
    }
    bool is_good = ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)from) != NULL &&
                   ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)to) != NULL;
    return is_good ? 0 : -ENOMEM;
}

/* ---- extensions */

static bool add_constraints(X509 *cert)
{
    BASIC_CONSTRAINTS *value = BASIC_CONSTRAINTS_new();
    bool is_good = value != NULL && X509_add1_ext_i2d(cert, NID_basic_constraints, value, 1, 0) == 1;
    BASIC_CONSTRAINTS_free(value);
    return is_good;
}

static bool add_usage(X509 *cert)
{
    ASN1_BIT_STRING *value = ASN1_BIT_STRING_new();
    bool is_good = value != NULL && ASN1_BIT_STRING_set_bit(value, 0, 1) == 1 && /* digitalSignature */
                   X509_add1_ext_i2d(cert, NID_key_usage, value, 1, 0) == 1;
    ASN1_BIT_STRING_free(value);
    return is_good;
}

static bool add_extended_usage(X509 *cert)
{
    EXTENDED_KEY_USAGE *value = sk_ASN1_OBJECT_new_null();
    bool is_good = value != NULL && sk_ASN1_OBJECT_push(value, OBJ_nid2obj(NID_client_auth)) > 0 &&
                   X509_add1_ext_i2d(cert, NID_ext_key_usage, value, 0, 0) == 1;
    sk_ASN1_OBJECT_free(value); /* the object is OpenSSL's own constant */
    return is_good;
}

/* RFC 7093: the beginning of SHA-256 over the bits of the public key. */
static bool key_id_of(const X509 *cert, struct digest *ret)
{
    const ASN1_BIT_STRING *bits = X509_get0_pubkey_bitstr(cert);
    if (bits == NULL) {
        return false;
    }
    sha256(span_of((const char *)ASN1_STRING_get0_data(bits), (size_t)ASN1_STRING_length(bits)), ret);
    return true;
}

static bool add_subject_key_id(X509 *cert)
{
    struct digest id;
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    bool is_good = value != NULL && key_id_of(cert, &id) &&
                   ASN1_OCTET_STRING_set(value, id.octets, KEY_ID_SIZE) == 1 &&
                   X509_add1_ext_i2d(cert, NID_subject_key_identifier, value, 0, 0) == 1;
    ASN1_OCTET_STRING_free(value);
    return is_good;
}

/* The CA's own key id, as its certificate says it; computed where it does not. */
static bool add_authority_key_id(X509 *cert, X509 *ca)
{
    struct digest id;
    const ASN1_OCTET_STRING *own = X509_get0_subject_key_id(ca);
    AUTHORITY_KEYID *value = AUTHORITY_KEYID_new();
    if (value != NULL) {
        value->keyid = own != NULL ? ASN1_OCTET_STRING_dup(own) : ASN1_OCTET_STRING_new();
    }
    bool is_good = value != NULL && value->keyid != NULL;
    if (is_good && own == NULL) {
        is_good = key_id_of(ca, &id) && ASN1_OCTET_STRING_set(value->keyid, id.octets, KEY_ID_SIZE) == 1;
    }
    is_good = is_good && X509_add1_ext_i2d(cert, NID_authority_key_identifier, value, 0, 0) == 1;
    AUTHORITY_KEYID_free(value);
    return is_good;
}

/* ---- signing */

static bool set_algorithm(X509 *cert, enum signer_algorithm algorithm)
{
    static const struct {
        int nid, parameter;
    } rows[] = {
        [SIGNER_RSA_SHA256] = {NID_sha256WithRSAEncryption, V_ASN1_NULL},
        [SIGNER_ECDSA_SHA256] = {NID_ecdsa_with_SHA256, V_ASN1_UNDEF},
        [SIGNER_ECDSA_SHA384] = {NID_ecdsa_with_SHA384, V_ASN1_UNDEF},
    };
    const ASN1_BIT_STRING *signature;
    const X509_ALGOR *outer, *inner = X509_get0_tbs_sigalg(cert);
    X509_get0_signature(&signature, &outer, cert);
    ASN1_OBJECT *object = OBJ_nid2obj(rows[algorithm].nid);
    /* OpenSSL sets these only while it signs with a key of its own; a certificate in the making is ours. */
    return X509_ALGOR_set0((X509_ALGOR *)(uintptr_t)inner, object, rows[algorithm].parameter, NULL) == 1 &&
           X509_ALGOR_set0((X509_ALGOR *)(uintptr_t)outer, object, rows[algorithm].parameter, NULL) == 1;
}

static bool set_signature(X509 *cert, const uint8_t *octets, int64_t len)
{
    const ASN1_BIT_STRING *const_bits;
    X509_get0_signature(&const_bits, NULL, cert);
    ASN1_BIT_STRING *bits = (ASN1_BIT_STRING *)(uintptr_t)const_bits;
    if (ASN1_STRING_set(bits, octets, (int)len) != 1) {
        return false;
    }
    bits->flags &= ~(ASN1_STRING_FLAG_BITS_LEFT | 0x07); /* all bits of the last octet count */
    bits->flags |= ASN1_STRING_FLAG_BITS_LEFT;
    return true;
}

static int sign(X509 *cert, struct signer *signer, struct err_info *reterr)
{
    unsigned char *tbs = NULL;
    uint8_t signature[SIGNER_SIGNATURE_MAX];
    int len = set_algorithm(cert, signer->algorithm) ? i2d_re_X509_tbs(cert, &tbs) : -1;
    if (len <= 0) {
        return err_set(reterr, ERR_CRYPTO, "the certificate cannot be encoded");
    }
    int64_t signature_len = signer_sign(signer, span_of((const char *)tbs, (size_t)len), signature, reterr);
    OPENSSL_free(tbs);
    if (signature_len < 0) {
        return (int)signature_len;
    }
    bool is_good = set_signature(cert, signature, signature_len) &&
                   X509_verify(cert, X509_get0_pubkey(signer->x509)) == 1;
    return is_good ? 0 : err_set(reterr, ERR_CRYPTO, "the CA's key gave a signature that does not verify");
}

/* ---- the whole */

static bool put_key_and_serial(X509 *cert, const struct signer *signer, const struct certify_request *request)
{
    const unsigned char *at = (const unsigned char *)request->spki.at;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)request->spki.len);
    BIGNUM *serial = BN_bin2bn(request->serial, CERTIFY_SERIAL_SIZE, NULL);
    bool is_good = key != NULL && serial != NULL && !BN_is_zero(serial) && X509_set_version(cert, 2) == 1 &&
                   BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(cert)) != NULL &&
                   X509_set_pubkey(cert, key) == 1 &&
                   X509_set_issuer_name(cert, X509_get_subject_name(signer->x509)) == 1;
    BN_free(serial);
    EVP_PKEY_free(key);
    return is_good;
}

static int build(X509 *cert, struct signer *signer, const struct certify_request *request,
                 struct err_info *reterr)
{
    if (!put_key_and_serial(cert, signer, request)) {
        return err_set(reterr, ERR_CRYPTO, "the certificate cannot be made of this key");
    }
    int err = put_subject(cert, request, reterr);
    if (err == 0) {
        err = put_validity(cert, signer, request, reterr);
    }
    if (err == 0 && !(add_constraints(cert) && add_usage(cert) && add_extended_usage(cert) &&
                      add_subject_key_id(cert) && add_authority_key_id(cert, signer->x509))) {
        err = -ENOMEM;
    }
    return err == 0 ? sign(cert, signer, reterr) : err;
}

static int64_t write_pem(X509 *cert, char out[CERTIFY_PEM_MAX])
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    long len = bio != NULL && PEM_write_bio_X509(bio, cert) == 1 ? BIO_get_mem_data(bio, &text) : -1;
    if (len > 0 && len < CERTIFY_PEM_MAX) {
        memcpy(out, text, (size_t)len);
        out[len] = '\0';
    }
    BIO_free(bio);
    return len > 0 && len < CERTIFY_PEM_MAX ? len : ERR_FULL;
}

int64_t certify(struct signer *signer, const struct certify_request *request, char out[CERTIFY_PEM_MAX],
                struct err_info *reterr)
{
    uint64_t shortages = pki_shortages();
    X509 *cert = X509_new();
    int64_t r = cert == NULL ? -ENOMEM : build(cert, signer, request, reterr);
    if (r == 0) {
        r = write_pem(cert, out);
    }
    X509_free(cert);
    ERR_clear_error();
    if (r < 0 && pki_shortages() != shortages) { /* whatever it was called */
        r = -ENOMEM;
    }
    return r >= 0 ? r : err_set(reterr, (int)r, "no certificate: %s", err_text((int)r));
}
