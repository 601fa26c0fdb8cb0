#include "support/softhsm.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const modules[] = {"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so"};

static void must(bool is_good, const char *what)
{
    if (!is_good) {
        fprintf(stderr, "softhsm: %s\n", what);
        abort();
    }
}

static void put(const char *dir, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *file = fopen(path, "we");
    must(file && fputs(text, file) >= 0 && fclose(file) == 0, path);
}

/* The util is a program of its own: under a sanitizer this process would be one too heavy to fork for it. */
static void run(const char *dir, const char *command)
{
    char line[640];
    snprintf(line, sizeof(line), "SOFTHSM2_CONF=%s/conf softhsm2-util %s >/dev/null", dir, command);
    must(system(line) == 0, line);
}

bool softhsm_begin(struct softhsm *hsm, const char *token, const char *object, const char *key_pem)
{
    *hsm = (struct softhsm){.dir = "/tmp/certline-softhsm-XXXXXX"};
    for (size_t i = 0; i < sizeof(modules) / sizeof(*modules) && !hsm->module; i++) {
        hsm->module = access(modules[i], R_OK) == 0 ? modules[i] : NULL;
    }
    if (!hsm->module || system("command -v softhsm2-util >/dev/null") != 0) {
        return false;
    }
    must(mkdtemp(hsm->dir) != NULL, "no folder");
    char text[256], path[128];
    snprintf(text, sizeof(text), "directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n",
             hsm->dir);
    put(hsm->dir, "conf", text);
    put(hsm->dir, "key.pem", key_pem);
    snprintf(path, sizeof(path), "%s/conf", hsm->dir);
    setenv("SOFTHSM2_CONF", path, 1);
    snprintf(text, sizeof(text), "--init-token --free --label %s --so-pin %s --pin %s", token, SOFTHSM_PIN,
             SOFTHSM_PIN);
    run(hsm->dir, text);
    snprintf(text, sizeof(text), "--import %s/key.pem --token %s --label %s --id 01 --pin %s", hsm->dir,
             token, object, SOFTHSM_PIN);
    run(hsm->dir, text);
    return true;
}

void softhsm_add_aes(struct softhsm *hsm, const char *token, const char *object,
                     const unsigned char key[SOFTHSM_AES_SIZE])
{
    char path[128], text[256];
    snprintf(path, sizeof(path), "%s/aes", hsm->dir);
    FILE *file = fopen(path, "we");
    must(file && fwrite(key, 1, SOFTHSM_AES_SIZE, file) == SOFTHSM_AES_SIZE && fclose(file) == 0, path);
    snprintf(text, sizeof(text), "--import %s --aes --token %s --label %s --id 02 --pin %s", path, token,
             object, SOFTHSM_PIN);
    run(hsm->dir, text);
    must(unlink(path) == 0, path);
}

CK_FUNCTION_LIST *softhsm_calls(const struct softhsm *hsm)
{
    static void *library; /* stays: others have it open and closed */
    CK_FUNCTION_LIST *calls = NULL;
    CK_C_GetFunctionList get = NULL;
    library = library ? library : dlopen(hsm->module, RTLD_NOW | RTLD_LOCAL);
    must(library != NULL, "the module cannot be loaded");
    *(void **)&get = dlsym(library, "C_GetFunctionList");
    must(get && get(&calls) == CKR_OK, "the module has no calls");
    return calls;
}

static CK_SLOT_ID slot_of(CK_FUNCTION_LIST *calls, const char *token)
{
    CK_SLOT_ID slots[16];
    CK_ULONG n = 16;
    must(calls->C_GetSlotList(CK_TRUE, slots, &n) == CKR_OK, "no slots");
    for (CK_ULONG i = 0; i < n; i++) {
        CK_TOKEN_INFO info;
        if (calls->C_GetTokenInfo(slots[i], &info) == CKR_OK &&
            memcmp(info.label, token, strlen(token)) == 0) {
            return slots[i];
        }
    }
    must(false, "no such token");
    return 0;
}

void softhsm_add_secret(struct softhsm *hsm, const char *token, const char *object, const unsigned char *key,
                        size_t len)
{
    CK_FUNCTION_LIST *calls = softhsm_calls(hsm);
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_GENERIC_SECRET;
    CK_BBOOL yes = CK_TRUE;
    CK_ATTRIBUTE attributes[] = {
        {CKA_CLASS, &class, sizeof(class)},
        {CKA_KEY_TYPE, &type, sizeof(type)},
        {CKA_TOKEN, &yes, sizeof(yes)},
        {CKA_SIGN, &yes, sizeof(yes)},
        {CKA_LABEL, (void *)(uintptr_t)object, strlen(object)},
        {CKA_VALUE, (void *)(uintptr_t)key, len},
    };
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE made;
    must(calls->C_Initialize(NULL) == CKR_OK, "the module does not start");
    must(calls->C_OpenSession(slot_of(calls, token), CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
                              &session) == CKR_OK,
         "no session");
    must(calls->C_Login(session, CKU_USER, (CK_UTF8CHAR *)(uintptr_t)SOFTHSM_PIN, strlen(SOFTHSM_PIN)) ==
             CKR_OK,
         "no login");
    must(calls->C_CreateObject(session, attributes, sizeof(attributes) / sizeof(*attributes), &made) ==
             CKR_OK,
         "no secret key");
    must(calls->C_Finalize(NULL) == CKR_OK, "the module does not end");
}

void softhsm_end(struct softhsm *hsm)
{
    char line[128];
    snprintf(line, sizeof(line), "rm -rf %s", hsm->dir);
    must(system(line) == 0, line);
}
