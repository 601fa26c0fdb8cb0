#include "exchange/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"

static int fail(struct outfile *out, int code, const char *what, struct err_info *reterr)
{
    (void)err_set(reterr, code, "%s cannot be %s: %s", out->path != NULL ? out->path : "the file", what,
                  strerror(-code));
    outfile_abort(out);
    return code;
}

int outfile_open(struct outfile *out, const char *path, mode_t mode, bool is_new_only,
                 struct err_info *reterr)
{
    *out = (struct outfile){.fd = -1, .is_new_only = is_new_only};
    out->path = strdup(path);
    out->buffer = secret_alloc(OUTFILE_BUFFER);
    if (out->path == NULL || out->buffer == NULL || asprintf(&out->temp, "%s.XXXXXX", path) < 0) {
        out->temp = NULL;
        return fail(out, -ENOMEM, "written", reterr);
    }
    out->fd = mkostemp(out->temp, O_CLOEXEC);
    if (out->fd < 0) {
        int code = -errno;
        free(out->temp); /* there is nothing to remove */
        out->temp = NULL;
        return fail(out, code, "written", reterr);
    }
    return fchmod(out->fd, mode) == 0 ? 0 : fail(out, -errno, "written", reterr);
}

static void flush(struct outfile *out)
{
    size_t done = 0;
    while (done < out->len && out->failure == 0) {
        ssize_t n = write(out->fd, out->buffer + done, out->len - done);
        if (n >= 0) {
            done += (size_t)n;
        } else if (errno != EINTR) {
            out->failure = -errno;
        }
    }
    secret_wipe(out->buffer, out->len);
    out->len = 0;
}

void outfile_add(struct outfile *out, struct span octets)
{
    while (octets.len > 0 && out->failure == 0) {
        size_t room = OUTFILE_BUFFER - out->len, n = octets.len < room ? octets.len : room;
        memcpy(out->buffer + out->len, octets.at, n);
        out->len += n;
        octets = span_skip(octets, n);
        if (out->len == OUTFILE_BUFFER) {
            flush(out);
        }
    }
}

/* The new name must survive a power cut as well. */
static int sync_folder(const char *path)
{
    char *folder = strdup(path);
    char *slash = folder != NULL ? strrchr(folder, '/') : NULL;
    if (folder == NULL) {
        return -ENOMEM;
    }
    if (slash != NULL) {
        slash[slash == folder ? 1 : 0] = '\0';
    }
    int fd = open(slash != NULL ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd >= 0 && fsync(fd) == 0 ? 0 : -errno;
    if (fd >= 0) {
        close(fd);
    }
    free(folder);
    return rc;
}

int outfile_commit(struct outfile *out, struct err_info *reterr)
{
    flush(out);
    if (out->failure == 0 && fsync(out->fd) != 0) {
        out->failure = -errno;
    }
    if (out->failure != 0) {
        return fail(out, out->failure, "written", reterr);
    }
    if (renameat2(AT_FDCWD, out->temp, AT_FDCWD, out->path, out->is_new_only ? RENAME_NOREPLACE : 0) != 0) {
        return fail(out, -errno, "given its name", reterr);
    }
    free(out->temp);
    out->temp = NULL;
    int rc = sync_folder(out->path);
    if (rc != 0) {
        return fail(out, rc, "made durable", reterr);
    }
    outfile_abort(out);
    return 0;
}

void outfile_abort(struct outfile *out)
{
    if (out->temp != NULL) {
        (void)unlink(out->temp);
    }
    if (out->fd >= 0) {
        close(out->fd);
    }
    secret_free(out->buffer);
    free(out->temp);
    free(out->path);
    *out = (struct outfile){.fd = -1};
}

int outfile_write(const char *path, mode_t mode, bool is_new_only, struct span octets,
                  struct err_info *reterr)
{
    struct outfile out;
    int rc = outfile_open(&out, path, mode, is_new_only, reterr);
    if (rc != 0) {
        return rc;
    }
    outfile_add(&out, octets);
    return outfile_commit(&out, reterr);
}
