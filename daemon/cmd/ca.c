/*
 * certlined ca create: a CA for those who have none. It makes the two files that the configuration names
 * under [signer], and never writes over one. The passphrase comes from where the station will look for it; at
 * a terminal it is asked for twice.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app_signer.h"
#include "base/clock.h"
#include "base/secret.h"
#include "cmd/cmd.h"
#include "config.h"

#define CA_DAYS (20 * 365)

/* A new file, on the disk before this returns. */
static int write_new(const char *path, const char *text, mode_t mode, struct err_info *reterr)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0) {
        int err = -errno;
        return err_set(reterr, err, "%s cannot be made: %s", path, err_text(err));
    }
    size_t len = strlen(text);
    int err = write(fd, text, len) == (ssize_t)len && fsync(fd) == 0 ? 0 : -EIO;
    close(fd);
    if (err < 0) {
        unlink(path);
        return err_set(reterr, err, "%s cannot be written", path);
    }
    return 0;
}

/* 0, or ERR_REFUSED when the second one differs. */
static int confirm(const struct app_passphrase *wanted, const char *passphrase, struct err_info *reterr)
{
    char *again = secret_alloc(APP_PASSPHRASE_SIZE);
    int r = again == NULL ? -ENOMEM : app_passphrase_read(wanted, again, reterr);
    if (r >= 0) {
        r = strcmp(again, passphrase) == 0
                ? 0
                : err_set(reterr, ERR_REFUSED, "the two passphrases differ; nothing was made");
    }
    secret_free(again);
    return r;
}

static int create_with(const struct config *config, const char *passphrase, size_t len,
                       struct err_info *reterr)
{
    static char certificate[SIGNER_PEM_MAX], key[SIGNER_PEM_MAX];
    char name[CONFIG_NAME_SIZE + 16];
    snprintf(name, sizeof(name), "%.50s CA", config->station);
    struct signer_new_ca wanted = {.name = name,
                                   .kind = KEY_P256,
                                   .days = CA_DAYS,
                                   .now_s = clock_system.wall_ms(&clock_system) / 1000,
                                   .passphrase = span_of(passphrase, len)};
    int r = signer_make_ca(&wanted, certificate, key, reterr);
    if (r == 0) {
        r = write_new(config->signer.key, key, 0600, reterr);
    }
    if (r == 0) {
        r = write_new(config->signer.certificate, certificate, 0644, reterr);
        if (r < 0) {
            unlink(config->signer.key); /* of no use to anybody without its certificate */
        }
    }
    return r;
}

static int create(const struct config *config, struct err_info *reterr)
{
    const struct config_signer *signer = &config->signer;
    if (!signer->is_there || !signer->key) {
        return err_set(reterr, ERR_NOT_FOUND,
                       "the configuration names no files for a CA: give certificate and key in [signer]");
    }
    if (access(signer->key, F_OK) == 0 || access(signer->certificate, F_OK) == 0) {
        return err_set(reterr, ERR_DUPLICATE, "there is a CA already: %s", signer->certificate);
    }
    const struct app_passphrase wanted = app_signer_passphrase(config);
    char *passphrase = secret_alloc(APP_PASSPHRASE_SIZE);
    int len = passphrase == NULL ? -ENOMEM : app_passphrase_read(&wanted, passphrase, reterr);
    int r = len < 0 ? len : confirm(&wanted, passphrase, reterr);
    if (r >= 0) {
        r = create_with(config, passphrase, (size_t)len, reterr);
    }
    secret_free(passphrase);
    return r;
}

int cmd_ca(const struct cmd_args *args)
{
    struct config *config = NULL;
    struct err_info info = {0};
    if (args->n_files != 1 || strcmp(args->files[0], "create") != 0) {
        fprintf(stderr, "certlined: ca knows one thing to do: certlined ca create\n");
        return CMD_USAGE;
    }
    int r = cmd_load(args, &config);
    if (r != CMD_DONE) {
        return r;
    }
    int code = create(config, &info);
    if (code < 0) {
        info.code = code;
        r = info.code == ERR_NOT_FOUND ? CMD_CONFIG : CMD_FAILED;
        (void)cmd_complain(&info);
    } else {
        printf("%s\n%s\n", config->signer.certificate, config->signer.key);
    }
    config_free(config);
    return r;
}
