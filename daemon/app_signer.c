/*
 * A passphrase is never an argument and never stands in the environment: both are visible to others. systemd
 * hands out credentials as files that only the unit can read; a person types it at a terminal that does not
 * echo.
 */
#include "app_signer.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/secret.h"

#define FILE_MAX 65536

/* ---- reading */

static int read_up_to(int fd, char *out, size_t size, size_t *ret_len)
{
    size_t len = 0;
    while (len < size) {
        ssize_t n = read(fd, out + len, size - len);
        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        if (n == 0) {
            break;
        }
        len += n > 0 ? (size_t)n : 0;
    }
    *ret_len = len;
    return 0;
}

/* The group may read it only where it is root's, as systemd hands out credentials. */
static int check_secret_file(int fd, const char *path, struct err_info *reterr)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        return err_set(reterr, ERR_REFUSED, "%s is no regular file", path);
    }
    bool is_roots = st.st_uid == 0 && st.st_gid == 0;
    bool is_ours = st.st_uid == geteuid() || st.st_uid == 0;
    if (!is_ours || (st.st_mode & (is_roots ? 0037 : 0077)) != 0) {
        return err_set(reterr, ERR_REFUSED, "others may read %s: it must be ours and have mode 0600", path);
    }
    return 0;
}

static int strip(char out[APP_PASSPHRASE_SIZE], size_t len, const char *where, struct err_info *reterr)
{
    while (len > 0 && (out[len - 1] == '\n' || out[len - 1] == '\r')) {
        len--;
    }
    out[len] = '\0';
    if (len == 0 || len > SIGNER_PASSPHRASE_MAX) {
        return err_set(reterr, ERR_RANGE, "%s must have 1 to %d characters", where, SIGNER_PASSPHRASE_MAX);
    }
    return (int)len;
}

static int read_from_file(const char *path, char out[APP_PASSPHRASE_SIZE], struct err_info *reterr)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        int err = -errno;
        return err_set(reterr, err, "%s cannot be opened: %s", path, err_text(err));
    }
    size_t len = 0;
    int err = check_secret_file(fd, path, reterr);
    if (err == 0) {
        err = read_up_to(fd, out, APP_PASSPHRASE_SIZE - 1, &len);
    }
    close(fd);
    return err < 0 ? err : strip(out, len, path, reterr);
}

static int ask(const struct app_passphrase *wanted, char out[APP_PASSPHRASE_SIZE], struct err_info *reterr)
{
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
    struct termios before, quiet;
    if (fd < 0 || tcgetattr(fd, &before) < 0) {
        if (fd >= 0) {
            close(fd);
        }
        return err_set(reterr, ERR_NOT_FOUND, "the %s is not known: give %s, or the systemd credential %s",
                       wanted->what, wanted->option, wanted->credential);
    }
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    (void)tcsetattr(fd, TCSAFLUSH, &quiet);
    ssize_t n = dprintf(fd, "%c%s: ", toupper((unsigned char)wanted->what[0]), wanted->what + 1);
    n = n < 0 ? n : read(fd, out, APP_PASSPHRASE_SIZE - 1);
    int err = n < 0 ? -errno : 0;
    (void)tcsetattr(fd, TCSAFLUSH, &before);
    (void)!write(fd, "\n", 1);
    close(fd);
    return err < 0 ? err_set(reterr, err, "the passphrase cannot be read")
                   : strip(out, (size_t)n, "it", reterr);
}

struct app_passphrase app_signer_passphrase(const struct config *config)
{
    return (struct app_passphrase){.file = config->signer.passphrase_file,
                                   .credential = "signer-passphrase",
                                   .what = "passphrase of the CA's key",
                                   .option = "passphrase_file in [signer]"};
}

struct app_passphrase app_key_pin(const struct config *config)
{
    return (struct app_passphrase){.file = config->key_pin_file,
                                   .credential = "wrapping-key-pin",
                                   .what = "PIN of the wrapping key's token",
                                   .option = "key_pin_file in [station]"};
}

int app_passphrase_read(const struct app_passphrase *wanted, char out[APP_PASSPHRASE_SIZE],
                        struct err_info *reterr)
{
    char path[PATH_MAX];
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    if (wanted->file) {
        return read_from_file(wanted->file, out, reterr);
    }
    if (folder && snprintf(path, sizeof(path), "%s/%s", folder, wanted->credential) < (int)sizeof(path) &&
        access(path, R_OK) == 0) {
        return read_from_file(path, out, reterr);
    }
    return ask(wanted, out, reterr);
}

/* A file that anybody may read: a certificate, or a key that is encrypted. The caller frees. */
static int read_text(const char *path, struct span *ret, struct err_info *reterr)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    size_t len = 0;
    char *text = fd < 0 ? NULL : malloc(FILE_MAX);
    int err = fd < 0 ? -errno : text == NULL ? -ENOMEM : read_up_to(fd, text, FILE_MAX, &len);
    if (fd >= 0) {
        close(fd);
    }
    if (err < 0) {
        free(text);
        return err_set(reterr, err, "%s cannot be read: %s", path, err_text(err));
    }
    *ret = span_of(text, len);
    return 0;
}

/* ---- opening */

static int open_with(const struct config_signer *config, struct span certificate, struct span passphrase,
                     struct signer **ret, struct err_info *reterr)
{
    if (config->module) {
        struct token_place place = {config->module, config->token, config->object};
        return signer_open_token(certificate, &place, passphrase, ret, reterr);
    }
    struct span key = {0};
    int err = read_text(config->key, &key, reterr);
    if (err == 0) {
        err = signer_open_file(certificate, key, passphrase, ret, reterr);
    }
    free((void *)(uintptr_t)key.at);
    return err;
}

int app_signer_open(const struct config *config, struct signer **ret, struct err_info *reterr)
{
    struct span certificate = {0};
    char *passphrase = secret_alloc(APP_PASSPHRASE_SIZE);
    int err = passphrase == NULL ? err_set(reterr, -ENOMEM, "no memory for the signer")
                                 : read_text(config->signer.certificate, &certificate, reterr);
    const struct app_passphrase wanted = app_signer_passphrase(config);
    int len = err < 0 ? err : app_passphrase_read(&wanted, passphrase, reterr);
    err = len < 0 ? len
                  : open_with(&config->signer, certificate, span_of(passphrase, (size_t)len), ret, reterr);
    secret_free(passphrase);
    free((void *)(uintptr_t)certificate.at);
    return err;
}
