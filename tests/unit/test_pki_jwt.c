/* Tokens of possession: what the simulated board signs, and everything that is not that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pki/certify.h"
#include "pki/csr.h"
#include "pki/init.h"
#include "pki/jwt.h"
#include "pki/pem.h"
#include "support/keygenkit.h"
#include "support/testpki.h"

#define TAG   16842753u
#define NONCE "00112233445566778899AABBCCDDEEFF"

struct fixture {
    struct simboard *board;
    int64_t now_us;
    struct testpki *pki;
    struct signer *signer;
    struct pem cert, other; /* of the key under the tag, and of another one */
};

/* Has the board make a key and gets a certificate for it. */
static void make(struct fixture *f, uint32_t tag, struct pem *ret)
{
    char command[64], text[2048], pem[CERTIFY_PEM_MAX];
    struct csr_reply reply;
    static const uint8_t serial[CERTIFY_SERIAL_SIZE] = {1};
    snprintf(command, sizeof(command), "AT%%KEYGEN=%u,2,0", tag);
    assert_true(keygenkit_ask(f->board, &f->now_us, command, "%KEYGEN:", text, sizeof(text)));
    assert_int_equal(csr_read_reply(span_str(text), tag, NULL, &reply, NULL), 0);
    struct certify_request request = {.spki = span_of((const char *)reply.csr.spki, reply.csr.spki_len),
                                      .serial = serial,
                                      .subject_cn = "board",
                                      .attributes = "",
                                      .now_s = 1795000000,
                                      .validity_days = 1};
    int64_t len = certify(f->signer, &request, pem, NULL);
    assert_true(len > 0);
    assert_int_equal(pem_parse(span_of(pem, (size_t)len), ret), 0);
}

static void begin(struct fixture *f)
{
    f->board = keygenkit_board(SIM_F2B, &f->now_us);
    f->pki = testpki_new(1);
    f->signer = testpki_signer(f->pki);
    make(f, TAG, &f->cert);
    make(f, 18, &f->other);
}

static void end(struct fixture *f)
{
    pem_done(&f->cert);
    pem_done(&f->other);
    signer_close(f->signer);
    testpki_free(f->pki);
    simboard_free(f->board);
}

static void ask(struct fixture *f, const char *command, char *out, size_t size)
{
    assert_true(keygenkit_ask(f->board, &f->now_us, command, "%JWT:", out, size));
}

static void test_possession(void **state)
{
    (void)state;
    struct fixture f;
    char token[1024], stranger[1024];
    begin(&f);
    ask(&f, "AT%JWT=0,0,\"\",\"" NONCE "\",16842753,2", token, sizeof(token));
    struct span der = f.cert.blocks[0].der;
    assert_int_equal(jwt_verify(span_str(token), der, NONCE, NULL), 0);
    assert_int_equal(jwt_verify(span_str(token), der, "another", NULL), ERR_CONFLICT);
    assert_int_equal(jwt_verify(span_str(token), f.other.blocks[0].der, NONCE, NULL), ERR_REFUSED);

    ask(&f, "AT%JWT=0,0,\"\",\"" NONCE "\"", stranger, sizeof(stranger)); /* by the identity key */
    assert_int_equal(jwt_verify(span_str(stranger), der, NONCE, NULL), ERR_REFUSED);
    ask(&f, "AT%JWT=0,0,\"" NONCE "\",\"\",16842753,2", stranger, sizeof(stranger)); /* the nonce elsewhere */
    assert_int_equal(jwt_verify(span_str(stranger), der, NONCE, NULL), ERR_CONFLICT);
    end(&f);
}

static void test_damage(void **state)
{
    (void)state;
    struct fixture f;
    char token[1024];
    begin(&f);
    ask(&f, "AT%JWT=0,0,\"\",\"" NONCE "\",16842753,2", token, sizeof(token));
    struct span der = f.cert.blocks[0].der;
    size_t len = strlen(token);
    for (size_t i = 0; i < len; i++) {
        char was = token[i];
        token[i] = was == 'A' ? 'E' : 'A'; /* another bit than those that base64 leaves over at the end */
        assert_true(jwt_verify(span_str(token), der, NONCE, NULL) != 0);
        token[i] = was;
    }
    for (size_t cut = 0; cut < len; cut++) {
        assert_true(jwt_verify(span_of(token, cut), der, NONCE, NULL) != 0);
    }
    static const char *const others[] = {
        "", ".", "..", "...", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "eyJhbGciOiJFUzI1NiJ9.e30.AAAA"};
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        assert_int_equal(jwt_verify(span_str(others[i]), der, NONCE, NULL), ERR_FORMAT);
    }
    assert_int_equal(jwt_verify(span_str(token), span_str("no certificate"), NONCE, NULL), ERR_FORMAT);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_possession),
        cmocka_unit_test(test_damage),
    };
    return pki_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
