/*
 * Keys and tokens of the simulated modem, read with OpenSSL and a reader of CBOR of the test's own; and held,
 * member by member, against what real modems answered. Those recordings lie where CERTLINE_VECTORS says, or
 * in
 * ../shared/vectors beside the project; without them that test reports that it was skipped.
 */
#include "unit/test_sim_host.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#define UUID "50363154-3931-44f0-8022-121b6401627d"

struct blob {
    uint8_t at[1024];
    size_t len;
};

static struct host *keys_host(enum sim_family family)
{
    struct simboard_config c = SIMBOARD_CONFIG_DEFAULT;
    c.family = family;
    c.seed = 5;
    memcpy(c.uuid, UUID, sizeof c.uuid);
    struct host *h = host_new(&c);
    host_settle(h);
    expect(h, "AT+CMEE=1\r", "OK\r\n");
    return h;
}

static struct blob unbase64(const char *text, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    struct blob b = {0};
    uint32_t bits = 0;
    unsigned have = 0;

    for (size_t i = 0; i < len; i++) {
        const char *digit = strchr(digits, text[i]);
        if (!digit || text[i] == '\0')
            fail_msg("«%c» is no base64url", text[i]);
        bits = bits << 6 | (uint32_t)(digit - digits);
        if ((have += 6) >= 8) {
            assert_true(b.len < sizeof b.at);
            b.at[b.len++] = (uint8_t)(bits >> (have -= 8));
        }
    }
    return b;
}

/* "<A>.<B>" between the first two quotes of the text, or the whole of it. */
static void split(const char *text, struct blob *a, struct blob *b)
{
    const char *from = strchr(text, '"');
    from = from ? from + 1 : text;
    size_t len = strcspn(from, "\"\r\n");
    const char *dot = memchr(from, '.', len);
    assert_non_null(dot);
    *a = unbase64(from, (size_t)(dot - from));
    *b = unbase64(dot + 1, len - (size_t)(dot - from) - 1);
}

/* -- Skeletons: everything that may not differ between two devices, as text -- */

struct text {
    char at[4096];
    size_t len;
};

static void put(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct text *t, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    t->len += (size_t)vsnprintf(t->at + t->len, sizeof t->at - t->len, format, list);
    va_end(list);
    assert_true(t->len < sizeof t->at);
}

static size_t der_head(const uint8_t *at, size_t *ret_len)
{
    if (at[1] < 0x80) {
        *ret_len = at[1];
        return 2;
    }
    size_t n = at[1] & 0x7f;
    *ret_len = 0;
    for (size_t i = 0; i < n; i++)
        *ret_len = *ret_len << 8 | at[2 + i];
    return 2 + n;
}

/* Tags in order, lengths of what has a fixed length, contents of names and usages. A signature's length and
 * with it that of the whole vary by chance. */
static void der_skeleton(struct text *t, const uint8_t *at, size_t len, int depth)
{
    for (size_t i = 0; i < len;) {
        size_t inner;
        size_t head = der_head(at + i, &inner);
        const uint8_t *content = at + i + head;
        assert_true(i + head + inner <= len);
        put(t, "%*s%02x", depth, "", at[i]);
        bool is_fixed = at[i] == 0x06 || at[i] == 0x01 || at[i] == 0x05 || (at[i] == 0x02 && inner == 1);
        for (size_t k = 0; is_fixed && k < inner; k++)
            put(t, "%02x", content[k]);
        bool is_signature = at[i] == 0x03 && depth == 1;
        if (at[i] & 0x20 || (at[i] == 0x04 && depth > 4)) {
            put(t, "\n");
            der_skeleton(t, content, inner, depth + 1);
        } else if (is_signature) {
            put(t, " signature\n");
            der_skeleton(t, content + 1, inner - 1, depth + 9);
        } else {
            if (at[i] == 0x0c || (at[i] == 0x03 && inner < 8)) /* text; usage */
                put(t, " %.*s", (int)inner, (const char *)content);
            put(t, at[i] == 0x02 && inner > 1 ? " number\n" : " %zu\n", inner);
        }
        i += head + inner;
    }
}

/* One item of CBOR; returns its length. Numbers and short strings with their content. */
static size_t cbor_skeleton(struct text *t, const uint8_t *at, int depth)
{
    unsigned major = at[0] >> 5, more = at[0] & 31;
    size_t n = 1, extra = more < 24 ? 0 : (size_t)1 << (more - 24);
    uint64_t number = more < 24 ? more : 0;

    for (size_t i = 0; i < extra; i++)
        number = number << 8 | at[n++];
    put(t, "%*s%u:%llu", depth, "", major, (unsigned long long)number);
    if (major == 2 || major == 3) {
        if (number <= 6) {
            for (size_t i = 0; i < number; i++)
                put(t, " %02x", at[n + i]);
        } else if (number > 64) {
            put(t, "\n");
            cbor_skeleton(t, at + n, depth + 1);
        }
        n += number;
    }
    put(t, "\n");
    size_t items = major == 4 ? number : major == 5 ? 2 * number : major == 6;
    for (size_t i = 0; i < items; i++)
        n += cbor_skeleton(t, at + n, depth + 1);
    return n;
}

static char *read_vector(const char *name)
{
    char path[512];
    const char *dir = getenv("CERTLINE_VECTORS");
    char *text = calloc(1, 2048);

    assert_non_null(text);
    snprintf(path, sizeof path, "%s/%s", dir ? dir : SOURCE_DIR "/../shared/vectors", name);
    FILE *f = fopen(path, "re");
    if (!f) {
        free(text);
        print_message("%s is not here\n", path);
        return NULL;
    }
    assert_true(fread(text, 1, 2047, f) > 0);
    fclose(f);
    return text;
}

/* -- %KEYGEN -- */

/* Payload of a proof: what the host must check. Offsets are those of the vectors for a tag of `tag_len`
 * octets. */
static void check_proof(const struct blob *document, const struct blob *proof, const uint8_t *tag,
                        size_t tag_len, unsigned number)
{
    static const uint8_t head[] = {0xd2, 0x84, 0x43, 0xa1, 0x01, 0x26, 0xa1, 0x04, 0x41, 0x21, 0x58};
    uint8_t digest[32];

    assert_memory_equal(proof->at, head, sizeof head);
    size_t payload_len = proof->at[11];
    const uint8_t *p = proof->at + 12;
    assert_int_equal(payload_len, 4 + 1 + 17 + 1 + tag_len + 34 + 17);
    assert_int_equal(proof->len, 12 + payload_len + 2 + 64);
    assert_memory_equal(p, "\xd9\xd9\xf7\x85", 4);
    assert_int_equal(p[4], number);
    assert_memory_equal(p + 5, "\x50\x50\x36\x31\x54\x39\x31\x44\xf0\x80\x22\x12\x1b\x64\x01\x62\x7d", 17);
    assert_int_equal(p[22], 0x40 + tag_len);
    assert_memory_equal(p + 23, tag, tag_len);
    assert_memory_equal(p + 23 + tag_len, "\x58\x20", 2);
    SHA256(document->at, document->len, digest);
    assert_memory_equal(p + 25 + tag_len, digest, 32);
    assert_int_equal(p[57 + tag_len], 0x50);
    assert_memory_equal(p + payload_len, "\x58\x40", 2);
}

static EVP_PKEY *public_key(struct host *h, unsigned tag, unsigned type)
{
    char pem[SIM_PUBLIC_MAX];
    size_t len = simboard_public_key(h->b, tag, type, pem);
    BIO *bio = BIO_new_mem_buf(pem, (int)len);
    EVP_PKEY *key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    BIO_free(bio);
    assert_non_null(key);
    return key;
}

static bool verifies(EVP_PKEY *key, const void *octets, size_t len, const uint8_t *sign, size_t sign_len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool is_good = EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
                   EVP_DigestVerify(ctx, sign, sign_len, octets, len) == 1;
    EVP_MD_CTX_free(ctx);
    return is_good;
}

/* r and s side by side as OpenSSL wants them. */
static bool verifies_raw(EVP_PKEY *key, const void *octets, size_t len, const uint8_t sign[64])
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    uint8_t *der = NULL;

    ECDSA_SIG_set0(sig, BN_bin2bn(sign, 32, NULL), BN_bin2bn(sign + 32, 32, NULL));
    int n = i2d_ECDSA_SIG(sig, &der);
    bool is_good = verifies(key, octets, len, der, (size_t)n);
    OPENSSL_free(der);
    ECDSA_SIG_free(sig);
    return is_good;
}

static void subject_of(const struct blob *csr, char *out, size_t size)
{
    const uint8_t *at = csr->at;
    X509_REQ *req = d2i_X509_REQ(NULL, &at, (long)csr->len);
    assert_non_null(req);
    assert_ptr_equal(at, csr->at + csr->len);
    EVP_PKEY *key = X509_REQ_get0_pubkey(req);
    assert_int_equal(X509_REQ_verify(req, key), 1);
    X509_NAME_oneline(X509_REQ_get_subject_name(req), out, (int)size);
    X509_REQ_free(req);
}

static void test_keygen(void **state)
{
    (void)state;
    static const struct {
        const char *command;
        const uint8_t *tag;
        size_t tag_len;
        const char *subject;
    } rows[] = {
        {"AT%KEYGEN=16842753,2,0\r", (const uint8_t *)"\x1a\x01\x01\x00\x01", 5, "/CN=" UUID},
        {"at%keygen=17,2,0\r", (const uint8_t *)"\x11", 1, "/CN=" UUID},
        {"AT%KEYGEN=1235,2\r", (const uint8_t *)"\x19\x04\xd3", 3, "/CN=" UUID},
        {"AT%KEYGEN=200,2,0,\"CN=my device\"\r", (const uint8_t *)"\x18\xc8", 2, "/CN=my device"},
        {"AT%KEYGEN=201,2,0,\"O=Nordic Semiconductor,L=Trondheim,C=no\"\r", (const uint8_t *)"\x18\xc9", 2,
         "/CN=" UUID "/O=Nordic Semiconductor/L=Trondheim/C=no"},
        {"AT%KEYGEN=202,2,0,,\"101010000\"\r", (const uint8_t *)"\x18\xca", 2, "/CN=" UUID},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct host *h = keys_host(SIM_F2B);
        struct blob csr, proof;
        char subject[256];
        assert_int_equal(strncmp(host_ask(h, rows[i].command), "%KEYGEN: \"", 10), 0);
        assert_null(strchr(h->answer, '='));
        assert_non_null(strstr(h->answer, "\"\r\nOK\r\n"));
        split(h->answer, &csr, &proof);
        subject_of(&csr, subject, sizeof subject);
        assert_string_equal(subject, rows[i].subject);
        check_proof(&csr, &proof, rows[i].tag, rows[i].tag_len, 9);
        static const uint8_t usage[] = {0x03, 0x02, 0x03, 0xa8};
        assert_int_equal(memmem(csr.at, csr.len, usage, sizeof usage) != NULL, i == 5);
        host_free(h);
    }
}

/* The proof is signed by the device's key, the same for every one of its tags. */
static void test_identity(void **state)
{
    (void)state;
    struct host *h = keys_host(SIM_F2B);
    struct blob csr, proof;
    uint8_t text[256] = "\x84\x6aSignature1\x43\xa1\x01\x26\x40";
    EVP_PKEY *identity = public_key(h, SIM_IDENTITY_TAG, 6);

    for (unsigned tag = 17; tag < 20; tag++) {
        char command[64];
        snprintf(command, sizeof command, "AT%%KEYGEN=%u,2,0\r", tag);
        split(host_ask(h, command), &csr, &proof);
        size_t n = 2u + proof.at[11];
        memcpy(text + 17, proof.at + 10, n);
        assert_true(verifies_raw(identity, text, 17 + n, proof.at + proof.len - 64));
        text[20] ^= 1;
        assert_false(verifies_raw(identity, text, 17 + n, proof.at + proof.len - 64));
    }
    EVP_PKEY_free(identity);
    host_free(h);
}

/* The pair in the store is that of the request; possession can be shown; the private half stays inside. */
static void test_key_stays(void **state)
{
    (void)state;
    struct host *h = keys_host(SIM_F2B);
    struct blob csr, proof;
    struct simboard_entry e;
    uint8_t sign[SIM_SIGN_MAX];

    split(host_ask(h, "AT%KEYGEN=17,2,0\r"), &csr, &proof);
    const uint8_t *at = csr.at;
    X509_REQ *req = d2i_X509_REQ(NULL, &at, (long)csr.len);
    size_t n = simboard_sign(h->b, 17, 2, "a challenge", 11, sign);
    assert_true(n >= 68);
    assert_true(verifies(X509_REQ_get0_pubkey(req), "a challenge", 11, sign, n));
    X509_REQ_free(req);
    assert_true(simboard_entry_find(h->b, 17, 2, &e));
    assert_true(e.is_generated);
    assert_int_equal(simboard_nvm_writes(h->b, 17, 2), 1);

    expect(h, "AT%CMNG=2,17,2\r", "+CME ERROR: 514\r\n");
    char *listed = strdup(host_ask(h, "AT%CMNG=1,17,2\r"));
    assert_int_equal(strlen(listed), strlen("%CMNG: 17,2,\"\"\r\nOK\r\n") + 64);
    simboard_reboot(h->b, h->now_us);
    host_settle(h);
    assert_string_equal(host_ask(h, "AT%CMNG=1,17,2\r"), listed); /* random but stable */
    assert_int_equal(simboard_sign(h->b, 18, 2, "x", 1, sign), 0);
    assert_int_equal(simboard_entry_put(h->b, 18, 2, "no key", 6), 0);
    assert_int_equal(simboard_sign(h->b, 18, 2, "x", 1, sign), 0);
    free(listed);
    host_free(h);
}

/* response_content 1: the public key in place of a request, and another number in the proof. */
static void test_public_response(void **state)
{
    (void)state;
    struct host *h = keys_host(SIM_F2B);
    struct blob spki, proof;

    split(host_ask(h, "AT%KEYGEN=17,2,1\r"), &spki, &proof);
    const uint8_t *at = spki.at;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)spki.len), *own = public_key(h, 17, 2);
    assert_non_null(key);
    assert_int_equal(EVP_PKEY_eq(key, own), 1);
    check_proof(&spki, &proof, (const uint8_t *)"\x11", 1, 8);
    EVP_PKEY_free(key);
    EVP_PKEY_free(own);
    host_free(h);
}

static void test_keygen_refusals(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "AT%KEYGEN=17\r",
        "AT%KEYGEN=17,1\r",
        "AT%KEYGEN=17,2,2\r",
        "AT%KEYGEN=17,2,0,CN=x\r",
        "AT%KEYGEN=17,2,0,\"CN\"\r",
        "AT%KEYGEN=17,2,0,\"CN=\"\r",
        "AT%KEYGEN=17,2,0,\"X=y\"\r",
        "AT%KEYGEN=17,2,0,\"\"\r",
        "AT%KEYGEN=17,2,0,\"CN=a,\"\r",
        "AT%KEYGEN=17,2,0,,\"2\"\r",
        "AT%KEYGEN=17,2,0,,\"1111111111\"\r",
        "AT%KEYGEN=17,2,0,\"CN=a\",\"1\",3\r",
        "AT%KEYGEN\r",
        "AT%KEYGEN?\r",
    };
    struct host *h = keys_host(SIM_F2B);

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        expect(h, wrong[i], "ERROR\r\n");
    expect(h, "AT%KEYGEN=4294967294,2,0\r", "+CME ERROR: 514\r\n");
    expect(h, "AT+CFUN=1\r", "OK\r\n");
    expect(h, "AT%KEYGEN=17,2,0\r", "+CME ERROR: 518\r\n");
    expect(h, "AT+CFUN=4\r", "OK\r\n");
    simboard_add_fault(h->b, "supply_low", NULL, 0);
    expect(h, "AT%KEYGEN=17,2,0\r", "+CME ERROR: 528\r\n");
    simboard_clear_faults(h->b);
    expect(h, "AT%XPOFWARN=1,30\r", "OK\r\n");
    simboard_add_fault(h->b, "memory_full", NULL, 0);
    expect(h, "AT%KEYGEN=17,2,0\r", "+CME ERROR: 515\r\n");
    simboard_clear_faults(h->b);
    simboard_add_fault(h->b, "keygen_failed", NULL, 0);
    expect(h, "AT%KEYGEN=17,2,0\r", "+CME ERROR: 523\r\n");
    assert_int_equal(simboard_fault_fired(h->b, "keygen_failed"), 1);
    assert_int_equal(simboard_entry_count(h->b), 0);
    simboard_clear_faults(h->b);

    assert_non_null(strstr(host_ask(h, "AT%KEYGEN=17,2,0\r"), "OK\r\n"));
    expect(h, "AT%KEYGEN=17,2,0\r", "+CME ERROR: 519\r\n");
    expect(h, "AT%CMNG=3,17,2\r", "OK\r\n");
    assert_non_null(strstr(host_ask(h, "AT%KEYGEN=17,2,0\r"), "OK\r\n"));
    host_free(h);

    h = host_new_family(SIM_F1);
    expect(h, "AT%KEYGEN=17,2,0\r", "ERROR\r\n");
    host_free(h);
}

/* It takes its time; a lost answer leaves the key; power lost leaves nothing. */
static void test_keygen_time(void **state)
{
    (void)state;
    struct host *h = keys_host(SIM_F2B);

    int64_t before = simboard_info(h->b).modem_us;
    host_ask(h, "AT%KEYGEN=17,2,0\r");
    assert_int_equal(simboard_info(h->b).modem_us - before, 400000);
    simboard_add_fault(h->b, "lost_reply@keygen", NULL, 0);
    expect(h, "AT%KEYGEN=18,2,0\r", "");
    simboard_clear_faults(h->b);
    assert_int_equal(strncmp(host_ask(h, "AT%CMNG=1,18\r"), "%CMNG: 18,2,\"", 13), 0);
    host_write(h, "AT%KEYGEN=19,2,0\r", 17);
    simboard_unplug(h->b, h->now_us + 200000);
    assert_int_equal(simboard_entry_count(h->b), 2);
    host_free(h);
}

/* The same seed gives the same key and the same octets, whatever OpenSSL's own dice do. */
static void test_repeatable(void **state)
{
    (void)state;
    char *first = NULL;

    for (int i = 0; i < 3; i++) {
        struct host *h = keys_host(SIM_F2B);
        host_ask(h, "AT%KEYGEN=17,2,0\r");
        if (!first)
            first = strdup(h->answer);
        assert_string_equal(h->answer, first);
        host_free(h);
    }
    free(first);
}

/* Type 8 is made once and used again, shows its public half and stays; 9 is made once. */
static void test_other_pairs(void **state)
{
    (void)state;
    struct host *h = keys_host(SIM_F2B);

    expect(h, "AT%CLAIMTOKEN=5\r", "+CME ERROR: 529\r\n");
    assert_non_null(strstr(host_ask(h, "AT%KEYGEN=5,8,1\r"), "OK\r\n"));
    assert_non_null(strstr(host_ask(h, "AT%KEYGEN=5,8,1\r"), "OK\r\n"));
    assert_int_equal(simboard_nvm_writes(h->b, 5, 8), 1);
    assert_non_null(strstr(host_ask(h, "AT%CMNG=2,5,8\r"), ",\r\n\"-----BEGIN PUBLIC KEY-----\n"));
    assert_null(strstr(h->answer, "PRIVATE"));
    expect(h, "AT%CMNG=0,5,8,\"x\"\r", "+CME ERROR: 514\r\n");
    expect(h, "AT%CMNG=3,5,8\r", "+CME ERROR: 514\r\n");
    assert_non_null(strstr(host_ask(h, "AT%KEYGEN=5,9,1\r"), "OK\r\n"));
    expect(h, "AT%KEYGEN=5,9,1\r", "+CME ERROR: 519\r\n");
    expect(h, "AT%CMNG=3,5,9\r", "+CME ERROR: 514\r\n");
    assert_int_equal(strncmp(host_ask(h, "AT%CLAIMTOKEN=5\r"), "%CLAIMTOKEN: \"2dn3", 18), 0);
    expect(h, "AT%CLAIMTOKEN=5,\"12\"\r", "ERROR\r\n");
    host_free(h);
}

/* What is written over a generated key: replaced, or refused where the quirk says so. */
static void test_written_over(void **state)
{
    (void)state;
    for (int is_kept = 0; is_kept < 2; is_kept++) {
        struct simboard_config c = SIMBOARD_CONFIG_DEFAULT;
        struct simboard_entry e;
        c.keeps_generated = is_kept;
        struct host *h = host_new(&c);
        expect(h, "AT+CMEE=1\r", "OK\r\n");
        host_ask(h, "AT%KEYGEN=17,2,0\r");
        assert_string_equal(host_store(h, 17, 2, "mine"), is_kept ? "+CME ERROR: 519\r\n" : "OK\r\n");
        assert_true(simboard_entry_find(h->b, 17, 2, &e));
        assert_int_equal(e.is_generated, is_kept);
        host_free(h);
    }
}

/* -- Tokens -- */

static void test_attesttoken(void **state)
{
    (void)state;
    static const struct {
        enum sim_family family;
        unsigned device_type;
    } rows[] = {{SIM_F1_3A, 3}, {SIM_F1_3B, 3}, {SIM_F2A, 4}, {SIM_F2B, 6}, {SIM_FN, 6}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct host *h = keys_host(rows[i].family);
        struct blob message, proof;
        uint8_t text[128] = "\x84\x6aSignature1\x43\xa1\x01\x26\x40\x58\x39";
        split(host_ask(h, "AT%ATTESTTOKEN=\"000102030405060708090A0b0c0d0e0f\"\r"), &message, &proof);
        assert_int_equal(strcspn(strchr(h->answer, '"') + 1, "\""), 180);
        assert_int_equal(message.len, 57);
        assert_int_equal(proof.len, 77);
        assert_memory_equal(message.at, "\xd9\xd9\xf7\x85\x01\x50\x50\x36\x31\x54", 10);
        assert_int_equal(message.at[22], rows[i].device_type);
        assert_memory_equal(message.at + 40, "\x50\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a", 12);
        assert_int_equal(proof.at[10], 0xf6);
        memcpy(text + 19, message.at, 57);
        EVP_PKEY *identity = public_key(h, SIM_IDENTITY_TAG, 6);
        assert_true(verifies_raw(identity, text, 76, proof.at + 13));
        EVP_PKEY_free(identity);
        expect(h, "AT%ATTESTTOKEN=\"00\"\r", "ERROR\r\n");
        expect(h, "AT%ATTESTTOKEN=\"0001020304050607080910111213141x\"\r", "ERROR\r\n");
        host_free(h);
    }
    struct host *h = host_new_family(SIM_F1);
    expect(h, "AT%ATTESTTOKEN\r", "ERROR\r\n");
    host_free(h);
}

static void check_jwt(struct host *h, const char *command, unsigned tag, unsigned type, const char *holds)
{
    assert_int_equal(strncmp(host_ask(h, command), "%JWT: \"", 7), 0);
    const char *jwt = h->answer + 7;
    size_t header = strcspn(jwt, "."), payload = strcspn(jwt + header + 1, ".");
    struct blob claims = unbase64(jwt + header + 1, payload);
    const char *last = jwt + header + payload + 2;
    struct blob sign = unbase64(last, strcspn(last, "\""));

    claims.at[claims.len] = '\0';
    if (!strstr((const char *)claims.at, holds))
        fail_msg("no %s in %s", holds, (const char *)claims.at);
    assert_non_null(strstr((const char *)claims.at, "\"iss\":\"nRF9151." UUID "\""));
    assert_int_equal(sign.len, 64);
    EVP_PKEY *key = public_key(h, tag, type);
    assert_true(verifies_raw(key, jwt, header + payload + 1, sign.at));
    EVP_PKEY_free(key);
}

static void test_jwt(void **state)
{
    (void)state;
    struct host *h = keys_host(SIM_F2B);

    check_jwt(h, "AT%JWT\r", SIM_IDENTITY_TAG, 6, "\"jti\":\"nRF9151.d2a7c58e-");
    check_jwt(h, "AT%JWT=0,0,\"sensor\",\"cloud\"\r", SIM_IDENTITY_TAG, 6,
              "\"sub\":\"sensor\",\"aud\":\"cloud\"");
    expect(h, "AT%JWT=0,0,\"\",\"\",17,2\r", "+CME ERROR: 513\r\n");
    host_ask(h, "AT%KEYGEN=17,2,0\r");
    check_jwt(h, "AT%JWT=0,0,\"\",\"\",17,2\r", 17, 2, "\"jti\":");
    check_jwt(h, "AT%JWT=,,\"a\",,17,2\r", 17, 2, "\"sub\":\"a\"}");
    host_store(h, 18, 2, "no key at all");
    expect(h, "AT%JWT=0,0,\"\",\"\",18,2\r", "+CME ERROR: 514\r\n");
    expect(h, "AT%JWT=1\r", "+CME ERROR: 50\r\n");
    expect(h, "AT%JWT=0,0,\"\",\"\",17,1\r", "+CME ERROR: 50\r\n");
    expect(h, "AT%JWT=0,0,\"a\\\"\r", "+CME ERROR: 50\r\n");
    expect(h, "AT%JWT=0,600\r", "+CME ERROR: 525\r\n"); /* no network, no time */
    simboard_add_fault(h->b, "no_tokens", NULL, 0);
    expect(h, "AT%JWT\r", "+CME ERROR: 51\r\n");
    expect(h, "AT%KEYINJECT=\"a.b\"\r", "+CME ERROR: 51\r\n");
    assert_int_equal(simboard_fault_fired(h->b, "no_tokens"), 2);
    host_free(h);
}

static void test_keyinject(void **state)
{
    (void)state;
    struct host *h = keys_host(SIM_F2B);

    expect(h, "AT%KEYINJECT=\"ab.cd\"\r", "+CME ERROR: 513\r\n");
    expect(h, "AT%KEYINJECT=\"abcd\"\r", "+CME ERROR: 50\r\n");
    expect(h, "AT%KEYINJECT=\"abcd.\"\r", "+CME ERROR: 50\r\n");
    expect(h, "AT%KEYINJECT=5\r", "+CME ERROR: 50\r\n");
    simboard_add_fault(h->b, "memory_full", NULL, 0);
    expect(h, "AT%KEYINJECT=\"ab.cd\"\r", "+CME ERROR: 515\r\n");
    simboard_clear_faults(h->b);
    expect(h, "AT+CFUN=1\r", "OK\r\n");
    expect(h, "AT%KEYINJECT=\"ab.cd\"\r", "+CME ERROR: 518\r\n");
    expect(h, "AT+CFUN=4\r", "OK\r\n");
    simboard_add_fault(h->b, "supply_low", NULL, 0);
    expect(h, "AT%KEYINJECT=\"ab.cd\"\r", "+CME ERROR: 528\r\n");
    host_free(h);
}

/* -- Signed commands -- */

static const char *sudo(struct host *h, const char *command, size_t announced, const uint8_t *sign,
                        size_t len)
{
    char base64[128], line[512];

    EVP_EncodeBlock((unsigned char *)base64, sign, (int)len);
    snprintf(line, sizeof line, "AT%%XSUDO=%zu,\"%s\";%s\r", announced, base64, command);
    return host_ask(h, line);
}

static void test_xsudo(void **state)
{
    (void)state;
    static const char command[] = "%CMNG=0,1,0,\"TEST ROOT CERTIFICATE\"";
    struct host *h = keys_host(SIM_F2A), *owner = keys_host(SIM_F2A);
    char pem[SIM_PUBLIC_MAX], line[512];
    uint8_t sign[SIM_SIGN_MAX];

    host_ask(owner, "AT%KEYGEN=1,2,0\r");
    size_t pem_len = simboard_public_key(owner->b, 1, 2, pem);
    size_t n = simboard_sign(owner->b, 1, 2, command, 35, sign);
    assert_int_equal(strlen(command), 35);
    assert_string_equal(sudo(h, command, 35, sign, n), "+CME ERROR: 513\r\n");
    snprintf(line, sizeof line, "AT%%XPMNG=0,\"%.*s\"\r", (int)pem_len, pem);
    expect(h, line, "OK\r\n");
    assert_string_equal(sudo(h, command, 35, sign, n), "OK\r\n");
    assert_memory_equal(simboard_entry_at(h->b, 1).content, "TEST ROOT CERTIFICATE", 21);
    assert_string_equal(sudo(h, command, 34, sign, n), "+CME ERROR: 520\r\n");
    assert_string_equal(sudo(h, command, 36, sign, n), "+CME ERROR: 520\r\n");
    assert_string_equal(sudo(h, command, 0, sign, n), "+CME ERROR: 520\r\n");
    sign[n - 1] ^= 1;
    assert_string_equal(sudo(h, command, 35, sign, n), "+CME ERROR: 520\r\n");
    expect(h, "AT%XSUDO=3,\"AAAA\"\r", "ERROR\r\n");
    expect(h, "AT%XSUDO=3,\"?\";%XX\r", "+CME ERROR: 520\r\n");

    /* What lies behind the announced length is not looked at. */
    char more[128];
    snprintf(more, sizeof more, "%s tail", command);
    sign[n - 1] ^= 1;
    assert_string_equal(sudo(h, more, 35, sign, n), "OK\r\n");

    /* One line, as the manual has it, and no key at all. */
    expect(h, "AT%CMNG=3,0,5\r", "OK\r\n");
    for (char *at = pem; (at = strchr(at, '\n'));)
        memmove(at, at + 1, strlen(at));
    snprintf(line, sizeof line, "AT%%XPMNG=0,\"%s\",4\r", pem);
    expect(h, line, "OK\r\n");
    assert_string_equal(sudo(h, command, 35, sign, n), "OK\r\n");
    expect(h, "AT%CMNG=3,4,5\r", "OK\r\n");
    expect(h, "AT%XPMNG=0,\"junk\"\r", "OK\r\n");
    assert_string_equal(sudo(h, command, 35, sign, n), "+CME ERROR: 514\r\n");
    host_free(h);

    /* The oldest family has no numbers above 518 for it. */
    h = keys_host(SIM_F0);
    expect(h, line, "OK\r\n");
    assert_string_equal(sudo(h, command, 35, sign, n), "OK\r\n");
    assert_string_equal(sudo(h, command, 34, sign, n), "+CME ERROR: 514\r\n");
    host_free(owner);
    host_free(h);
}

static void test_certexpiry(void **state)
{
    (void)state;
    static const char amazon[] =
        "%CERTEXPIRY: 066C9FCF99BF8C0A39E2F0788A43E696365BCA,20150526000000Z,20380117000000Z\r\nOK\r\n";
    struct host *h = keys_host(SIM_F2A);
    char *ca = read_ca(AMAZON_CA, true, false);

    expect(h, "AT%CERTEXPIRY=5,0\r", "+CME ERROR: 513\r\n");
    host_store(h, 5, 0, ca);
    expect(h, "AT%CERTEXPIRY=5,0\r", amazon);
    expect(h, "AT%CERTEXPIRY=4294967293,10\r", amazon);
    host_store(h, 5, 1, "HONKHONK"); /* stored unchecked by this family, found out here */
    expect(h, "AT%CERTEXPIRY=5,1\r", "+CME ERROR: 527\r\n");
    expect(h, "AT%CERTEXPIRY=5,2\r", "ERROR\r\n");
    free(ca);
    host_free(h);
}

/* -- Against real modems -- */

static void test_keygen_vector(void **state)
{
    (void)state;
    char *recorded = read_vector("keygen-tag17.txt");
    struct blob csr, proof;
    struct text real = {0}, ours = {0};

    if (!recorded) {
        skip();
        return;
    }
    split(recorded, &csr, &proof);
    check_proof(&csr, &proof, (const uint8_t *)"\x11", 1, 9);
    der_skeleton(&real, csr.at, csr.len, 0);
    cbor_skeleton(&real, proof.at, 0);
    assert_int_equal(csr.len, 270);

    struct host *h = keys_host(SIM_F1_3B);
    split(host_ask(h, "AT%KEYGEN=17,2,0\r"), &csr, &proof);
    der_skeleton(&ours, csr.at, csr.len, 0);
    cbor_skeleton(&ours, proof.at, 0);
    assert_string_equal(ours.at, real.at);
    host_free(h);
    free(recorded);
}

static void test_attesttoken_vector(void **state)
{
    (void)state;
    char *recorded = read_vector("attesttoken.txt");
    struct blob message, proof, our_message, our_proof;
    struct text real = {0}, ours = {0};

    if (!recorded) {
        skip();
        return;
    }
    split(recorded, &message, &proof);
    struct host *h = keys_host(SIM_F1_3B);
    split(host_ask(h, "AT%ATTESTTOKEN\r"), &our_message, &our_proof);
    assert_int_equal(our_message.len, message.len);
    assert_int_equal(our_proof.len, proof.len);
    cbor_skeleton(&real, message.at, 0);
    cbor_skeleton(&real, proof.at, 0);
    cbor_skeleton(&ours, our_message.at, 0);
    cbor_skeleton(&ours, our_proof.at, 0);
    assert_string_equal(ours.at, real.at);
    host_free(h);
    free(recorded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keygen),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_key_stays),
        cmocka_unit_test(test_public_response),
        cmocka_unit_test(test_keygen_refusals),
        cmocka_unit_test(test_keygen_time),
        cmocka_unit_test(test_repeatable),
        cmocka_unit_test(test_other_pairs),
        cmocka_unit_test(test_written_over),
        cmocka_unit_test(test_attesttoken),
        cmocka_unit_test(test_jwt),
        cmocka_unit_test(test_keyinject),
        cmocka_unit_test(test_xsudo),
        cmocka_unit_test(test_certexpiry),
        cmocka_unit_test(test_keygen_vector),
        cmocka_unit_test(test_attesttoken_vector),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
