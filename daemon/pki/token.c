/*
 * Modules are loaded at run time (OASIS PKCS#11 2.40; the interface's names come from p11-kit's header). A
 * token that was pulled or restarted loses its session, so the place and the PIN are kept, the PIN in locked
 * memory.
 */
#include "pki/token_impl.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/secret.h"

#define SLOTS_MAX 64

/* ---- what a token says */

static const char *what(CK_RV rv)
{
    switch (rv) {
    case CKR_PIN_INCORRECT:
        return "the PIN is wrong";
    case CKR_PIN_LOCKED:
        return "the PIN is locked";
    case CKR_PIN_LEN_RANGE:
        return "the PIN has an impossible length";
    case CKR_TOKEN_NOT_PRESENT:
    case CKR_DEVICE_REMOVED:
        return "the token is gone";
    case CKR_DEVICE_MEMORY:
    case CKR_HOST_MEMORY:
        return "memory is short";
    case CKR_KEY_FUNCTION_NOT_PERMITTED:
    case CKR_KEY_TYPE_INCONSISTENT:
    case CKR_MECHANISM_INVALID:
        return "the key cannot be used in this way";
    case CKR_USER_NOT_LOGGED_IN:
        return "nobody is logged in";
    default: /* of some hundred numbers, most are for programmers */
        return "it refuses";
    }
}

int token_refuse(CK_RV rv, const char *doing, struct err_info *reterr)
{
    bool is_pin = rv == CKR_PIN_INCORRECT || rv == CKR_PIN_LOCKED || rv == CKR_PIN_LEN_RANGE;
    return err_set(reterr, is_pin ? ERR_REFUSED : ERR_CRYPTO, "%s on the token: %s (PKCS#11 0x%lx)", doing,
                   what(rv), (unsigned long)rv);
}

/* ---- module, slot, session */

static int load(struct token *t, const char *module, struct err_info *reterr)
{
    t->library = dlopen(module, RTLD_NOW | RTLD_LOCAL);
    if (t->library == NULL) {
        return err_set(reterr, ERR_NOT_FOUND, "the PKCS#11 module cannot be loaded: %s", dlerror());
    }
    CK_C_GetFunctionList get = NULL;
    void *symbol = dlsym(t->library, "C_GetFunctionList");
    memcpy(&get, &symbol, sizeof(get)); /* ISO C knows no conversion between the two kinds of pointer */
    if (get == NULL || get(&t->call) != CKR_OK || t->call == NULL) {
        return err_set(reterr, ERR_NOT_FOUND, "%s is no PKCS#11 module", module);
    }
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
    CK_RV rv = t->call->C_Initialize(&args);
    t->is_initialised = rv == CKR_OK;
    return rv == CKR_OK || rv == CKR_CRYPTOKI_ALREADY_INITIALIZED ? 0 : token_refuse(rv, "starting", reterr);
}

static int find_slot(struct token *t, struct err_info *reterr)
{
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_ULONG n = SLOTS_MAX;
    CK_RV rv = t->call->C_GetSlotList(CK_TRUE, slots, &n);
    for (CK_ULONG i = 0; rv == CKR_OK && i < n; i++) {
        CK_TOKEN_INFO info;
        if (t->call->C_GetTokenInfo(slots[i], &info) == CKR_OK &&
            memcmp(info.label, t->label, TOKEN_LABEL_SIZE) == 0) {
            t->slot = slots[i];
            return 0;
        }
    }
    return err_set(reterr, ERR_NOT_FOUND, "there is no token with the label \"%.*s\"", TOKEN_LABEL_SIZE,
                   t->label);
}

static int find_key(struct token *t, struct err_info *reterr)
{
    CK_ATTRIBUTE wanted[] = {
        {CKA_CLASS, &t->class, sizeof(t->class)},
        {CKA_LABEL, t->object, strlen(t->object)},
    };
    CK_OBJECT_HANDLE found[2];
    CK_ULONG n = 0;
    CK_RV rv = t->call->C_FindObjectsInit(t->session, wanted, t->object[0] ? 2 : 1);
    if (rv == CKR_OK) {
        rv = t->call->C_FindObjects(t->session, found, 2, &n);
        (void)t->call->C_FindObjectsFinal(t->session);
    }
    if (rv != CKR_OK) {
        return token_refuse(rv, "looking for the key", reterr);
    }
    if (n != 1) {
        return err_set(reterr, ERR_NOT_FOUND,
                       n == 0 ? "there is no %s key \"%s\" on the token"
                              : "there are several %s keys \"%s\" on the token",
                       t->class == CKO_PRIVATE_KEY ? "private" : "secret", t->object);
    }
    t->key = found[0];
    return 0;
}

static void end_session(struct token *t)
{
    if (t->has_session) {
        (void)t->call->C_CloseSession(t->session); /* of the last one: logs out as well */
    }
    t->has_session = false;
}

int token_begin(struct token *t, struct err_info *reterr)
{
    end_session(t);
    if (t->is_pin_refused) {
        return err_set(reterr, ERR_REFUSED,
                       "the token refused the PIN, and is not asked again before a restart");
    }
    int err = find_slot(t, reterr);
    if (err != 0) {
        return err;
    }
    CK_RV rv = t->call->C_OpenSession(t->slot, CKF_SERIAL_SESSION, NULL, NULL, &t->session);
    if (rv != CKR_OK) {
        return token_refuse(rv, "a session", reterr);
    }
    t->has_session = true;
    rv = t->call->C_Login(t->session, CKU_USER, (CK_UTF8CHAR *)t->pin, t->pin_len);
    if (rv != CKR_OK && rv != CKR_USER_ALREADY_LOGGED_IN) {
        err = token_refuse(rv, "logging in", reterr);
        t->is_pin_refused = err == ERR_REFUSED;
        return err;
    }
    return find_key(t, reterr);
}

/* ---- opening and closing */

static int keep_place(struct token *t, const struct token_place *place, struct span pin,
                      struct err_info *reterr)
{
    size_t len = strlen(place->token);
    if (len == 0 || len > TOKEN_LABEL_SIZE ||
        (place->object != NULL && strlen(place->object) >= TOKEN_OBJECT_SIZE)) {
        return err_set(reterr, ERR_RANGE, "the label of a token has 1 to %d characters", TOKEN_LABEL_SIZE);
    }
    memset(t->label, ' ', TOKEN_LABEL_SIZE);
    memcpy(t->label, place->token, len);
    (void)snprintf(t->object, sizeof(t->object), "%s", place->object != NULL ? place->object : "");
    t->pin = secret_alloc(pin.len + 1);
    if (t->pin == NULL) {
        return err_set(reterr, -ENOMEM, "no memory for the PIN");
    }
    memcpy(t->pin, pin.at, pin.len);
    t->pin_len = pin.len;
    return 0;
}

int token_open(struct token *t, const struct token_place *place, struct span pin, CK_OBJECT_CLASS class,
               struct err_info *reterr)
{
    t->class = class;
    int err = keep_place(t, place, pin, reterr);
    err = err != 0 ? err : load(t, place->module, reterr);
    return err != 0 ? err : token_begin(t, reterr);
}

void token_end(struct token *t)
{
    end_session(t);
    if (t->is_initialised) {
        (void)t->call->C_Finalize(NULL);
    }
    if (t->library != NULL) {
        dlclose(t->library);
    }
    secret_free(t->pin);
    *t = (struct token){0};
}
