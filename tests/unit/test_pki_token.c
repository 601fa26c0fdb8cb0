/*
 * A token that fails in the middle: its sessions closed behind our back, pulled and put back, its PIN
 * changed; and one that takes its time, on the threads of the daemon. The token is SoftHSM's, with calls of
 * ours in its table. Skips where it is not installed.
 */
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app_actors.h"
#include "base/clock.h"
#include "keys/issuer.h"
#include "keys/keys.h"
#include "pki/init.h"
#include "pki/signer.h"
#include "support/softhsm.h"

static const char text[] = "%CMNG=0,1,0,\"TEST ROOT CERTIFICATE\"";

static struct {
    char certificate[SIGNER_PEM_MAX], key[SIGNER_PEM_MAX], clear[SIGNER_PEM_MAX]; /* the CA's */
    struct softhsm hsm;
    CK_FUNCTION_LIST *calls, kept; /* the module's table, and what stood in it */
    struct signer *signer;
    unsigned logins;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    bool is_shut;        /* C_Sign waits until it is not */
    unsigned n_signing;  /* of those that wait */
    unsigned n_answered; /* messages that came back */
} t = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* As a factory would have made it, and imported into its token. */
static void make_ca(void)
{
    static char passphrase[] = "a passphrase on the way";
    struct signer_new_ca wanted = {.name = "Token CA",
                                   .kind = KEY_P256,
                                   .days = 3650,
                                   .now_s = 1794000000,
                                   .passphrase = span_str(passphrase)};
    assert_int_equal(signer_make_ca(&wanted, t.certificate, t.key, NULL), 0);
    BIO *in = BIO_new_mem_buf(t.key, -1), *out = BIO_new(BIO_s_mem());
    EVP_PKEY *key = PEM_read_bio_PrivateKey(in, NULL, NULL, passphrase);
    assert_non_null(key);
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(out, key, NULL, NULL, 0, NULL, NULL), 1);
    assert_true(BIO_read(out, t.clear, sizeof(t.clear) - 1) > 0);
    EVP_PKEY_free(key);
    BIO_free(in);
    BIO_free(out);
}

static int set_up(void **state)
{
    (void)state;
    make_ca();
    if (softhsm_begin(&t.hsm, "factory", "ca", t.clear)) {
        t.calls = softhsm_calls(&t.hsm);
        t.kept = *t.calls;
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (t.hsm.module) {
        softhsm_end(&t.hsm);
    }
    return 0;
}

static int open_signer(void **state)
{
    (void)state;
    struct token_place place = {.module = t.hsm.module, .token = "factory", .object = "ca"};
    struct err_info why = {0};
    if (t.hsm.module &&
        signer_open_token(span_str(t.certificate), &place, span_str(SOFTHSM_PIN), &t.signer, &why) < 0) {
        fail_msg("%s", why.text);
    }
    t.logins = 0;
    return 0;
}

static int close_signer(void **state)
{
    (void)state;
    if (t.hsm.module) {
        *t.calls = t.kept;
        signer_close(t.signer);
    }
    return 0;
}

static void expect_sign(int wanted, const char *word)
{
    char signature[SIGNER_COMMAND_SIZE];
    struct err_info why = {0};
    int r = signer_sign_command(t.signer, span_str(text), signature, &why);
    if (r != wanted || !strstr(why.text, word)) {
        fail_msg("%d \"%s\" and not %d \"%s\"", r, why.text, wanted, word);
    }
}

/* ---- in the middle */

static void closed_sessions_are_opened_again(void **state)
{
    (void)state;
    if (!t.hsm.module) {
        skip();
    }
    CK_SLOT_ID slots[4];
    CK_ULONG n = 4;
    expect_sign(0, "");
    assert_int_equal(t.calls->C_GetSlotList(CK_TRUE, slots, &n), CKR_OK);
    for (CK_ULONG i = 0; i < n; i++) {
        assert_int_equal(t.calls->C_CloseAllSessions(slots[i]), CKR_OK);
    }
    expect_sign(0, "");
    expect_sign(0, "");
}

static CK_RV no_slots(CK_BBOOL present, CK_SLOT_ID *slots, CK_ULONG *n)
{
    (void)present, (void)slots;
    *n = 0;
    return CKR_OK;
}

static CK_RV removed(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    (void)session, (void)mechanism, (void)key;
    return CKR_DEVICE_REMOVED;
}

static CK_RV breaks(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG len, CK_BYTE *out, CK_ULONG *out_len)
{
    (void)session, (void)data, (void)len, (void)out, (void)out_len;
    return CKR_DEVICE_ERROR;
}

/* ERR_CRYPTO: whoever asks may ask again. */
static void a_token_that_was_pulled_is_missed_and_found_again(void **state)
{
    (void)state;
    if (!t.hsm.module) {
        skip();
    }
    t.calls->C_SignInit = removed;
    expect_sign(ERR_CRYPTO, "the token is gone");
    t.calls->C_GetSlotList = no_slots;
    expect_sign(ERR_CRYPTO, "there is no token with the label \"factory");
    expect_sign(ERR_CRYPTO, "there is no token with the label \"factory");
    *t.calls = t.kept;
    expect_sign(0, "");
    t.calls->C_Sign = breaks;
    expect_sign(ERR_CRYPTO, "signing on the token");
    *t.calls = t.kept;
    expect_sign(0, "");
}

static CK_RV wrong_pin(CK_SESSION_HANDLE session, CK_USER_TYPE who, CK_UTF8CHAR *pin, CK_ULONG len)
{
    (void)session, (void)who, (void)pin, (void)len;
    t.logins++;
    return CKR_PIN_INCORRECT;
}

/* Three wrong ones lock most tokens, and every board would be one. */
static void a_refused_pin_is_not_tried_again(void **state)
{
    (void)state;
    if (!t.hsm.module) {
        skip();
    }
    t.calls->C_SignInit = removed;
    t.calls->C_Login = wrong_pin;
    expect_sign(ERR_REFUSED, "the PIN is wrong");
    expect_sign(ERR_REFUSED, "not asked again before a restart");
    assert_int_equal(t.logins, 1);
    t.calls->C_SignInit = t.kept.C_SignInit;
    expect_sign(ERR_REFUSED, "not asked again before a restart");
    assert_int_equal(t.logins, 1);
}

/* ---- on threads */

static CK_RV waits(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG len, CK_BYTE *out, CK_ULONG *out_len)
{
    pthread_mutex_lock(&t.lock);
    t.n_signing++;
    pthread_cond_broadcast(&t.changed);
    while (t.is_shut) {
        pthread_cond_wait(&t.changed, &t.lock);
    }
    t.n_signing--;
    pthread_mutex_unlock(&t.lock);
    return t.kept.C_Sign(session, data, len, out, out_len);
}

static void note_answer(struct app_errand *errand)
{
    (void)errand;
    pthread_mutex_lock(&t.lock);
    t.n_answered++;
    pthread_cond_broadcast(&t.changed);
    pthread_mutex_unlock(&t.lock);
}

static void await(const unsigned *count, unsigned n)
{
    pthread_mutex_lock(&t.lock);
    while (*count != n) {
        pthread_cond_wait(&t.changed, &t.lock);
    }
    pthread_mutex_unlock(&t.lock);
}

static void shut(bool is_shut)
{
    pthread_mutex_lock(&t.lock);
    t.is_shut = is_shut;
    pthread_cond_broadcast(&t.changed);
    pthread_mutex_unlock(&t.lock);
}

/* While the token has one message, keys answer theirs; the issuer takes more, and answers all of them. */
static void a_slow_token_holds_up_nobody_else(void **state)
{
    (void)state;
    if (!t.hsm.module) {
        skip();
    }
    static const uint8_t octets[SEAL_KEY_SIZE] = "a wrapping key beside the token";
    static struct product product;
    static struct ledger_msg msgs[3];
    struct app_errand errands[3];
    struct seal_key *key = seal_key_new(octets);
    struct keys *core = keys_new(&(struct keys_config){.wrapping_key = key});
    struct issuer *issuer =
        issuer_new(&(struct issuer_config){.signer = t.signer, .keys = core, .clock = &clock_system});
    struct app_keys keys, tokens;
    t.calls->C_Sign = waits;
    shut(true);
    assert_int_equal(app_keys_start(&keys, core, NULL), 0);
    assert_int_equal(app_issuer_start(&tokens, issuer, NULL), 0);
    for (unsigned i = 0; i < 3; i++) {
        msgs[i] = (struct ledger_msg){.kind = i < 2 ? LEDGER_AUTHORIZE : LEDGER_DIGEST, .product = &product};
        msgs[i].n_commands = 1;
        strcpy(msgs[i].commands[0].head, "%CMNG=3,1,0");
        errands[i] = (struct app_errand){.msg = &msgs[i], .done = note_answer};
    }
    assert_int_equal(app_keys_send(&tokens, &errands[0]), 0);
    await(&t.n_signing, 1);
    assert_int_equal(app_keys_send(&tokens, &errands[1]), 0);
    assert_int_equal(app_keys_send(&keys, &errands[2]), 0);
    await(&t.n_answered, 1);
    assert_int_not_equal(msgs[2].status, LEDGER_PENDING);
    shut(false);
    await(&t.n_answered, 3);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(msgs[i].status, LEDGER_OK);
        assert_int_not_equal(msgs[i].commands[0].signature[0], '\0');
    }
    shut(true);
    msgs[0].status = LEDGER_PENDING;
    assert_int_equal(app_keys_send(&tokens, &errands[0]), 0);
    await(&t.n_signing, 1);
    assert_false(app_keys_stop(&tokens, 0)); /* the daemon would end without it */
    shut(false);
    assert_true(app_keys_stop(&tokens, 60));
    assert_int_equal(msgs[0].status, LEDGER_OK);
    assert_true(app_keys_stop(&keys, 60));
    issuer_free(issuer);
    keys_free(core);
    seal_key_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(closed_sessions_are_opened_again, open_signer, close_signer),
        cmocka_unit_test_setup_teardown(a_token_that_was_pulled_is_missed_and_found_again, open_signer,
                                        close_signer),
        cmocka_unit_test_setup_teardown(a_refused_pin_is_not_tried_again, open_signer, close_signer),
        cmocka_unit_test_setup_teardown(a_slow_token_holds_up_nobody_else, open_signer, close_signer),
    };
    return pki_init() < 0 ? 1 : cmocka_run_group_tests(tests, set_up, tear_down);
}
