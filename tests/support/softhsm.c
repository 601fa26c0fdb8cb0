#include "support/softhsm.h"

#include <stdio.h>
#include <stdlib.h>
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

void softhsm_end(struct softhsm *hsm)
{
    char line[128];
    snprintf(line, sizeof(line), "rm -rf %s", hsm->dir);
    must(system(line) == 0, line);
}
