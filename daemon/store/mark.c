/*
 * Overwriting in place costs one write and one fdatasync for each commit, without the directory's journal
 * that a rename would add, and cannot fail for want of space. 512 octets are a sector, so that two records
 * never share one that tears. A text line rather than a struct, so that a person can read it with `head`.
 */
#include "store/mark.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"
#include "pki/digest.h"

#define RECORD_SIZE 512
#define HEX_SIZE    (2 * DIGEST_SIZE + 1)

/* "certline-mark 1 <turn> <database> <seq> <hash> <SHA-256 of all before it>", blanks, line feed. */
static void compose(char record[RECORD_SIZE], const struct mark *mark, uint64_t turn)
{
    char hash[HEX_SIZE], sum[HEX_SIZE];
    hex_encode(mark->hash.octets, DIGEST_SIZE, hash);
    int n = snprintf(record, RECORD_SIZE, "certline-mark 1 %" PRIu64 " %s %" PRId64 " %s ", turn,
                     mark->database, mark->seq, hash);

    struct digest digest;
    sha256(span_of(record, (size_t)n), &digest);
    hex_encode(digest.octets, DIGEST_SIZE, sum);
    n += snprintf(record + n, RECORD_SIZE - (size_t)n, "%s", sum);
    memset(record + n, ' ', RECORD_SIZE - 1 - (size_t)n);
    record[RECORD_SIZE - 1] = '\n';
}

/* A record is good when composing what was read from it gives the same octets. */
static bool understand(const char record[RECORD_SIZE], struct mark *ret, uint64_t *ret_turn)
{
    char text[RECORD_SIZE], hash[HEX_SIZE];
    memcpy(text, record, RECORD_SIZE);
    text[RECORD_SIZE - 1] = '\0';

    struct mark mark = {0};
    uint64_t turn = 0;
    if (sscanf(text, "certline-mark 1 %" SCNu64 " %32[0-9A-F] %" SCNd64 " %64[0-9A-F]", &turn, mark.database,
               &mark.seq, hash) != 4 ||
        hex_decode(span_str(hash), mark.hash.octets, DIGEST_SIZE) != 0) {
        return false;
    }

    char again[RECORD_SIZE];
    compose(again, &mark, turn);
    if (memcmp(record, again, RECORD_SIZE) != 0) {
        return false;
    }
    *ret = mark;
    *ret_turn = turn;
    return true;
}

static int write_whole(int fd, const char *octets, size_t n, off_t at)
{
    while (n > 0) {
        ssize_t done = pwrite(fd, octets, n, at);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return done < 0 ? -errno : -EIO;
        }
        octets += done;
        n -= (size_t)done;
        at += done;
    }
    return 0;
}

static int open_as(struct mark_file *file, int dir_fd, int flags, struct mark *ret)
{
    *file = (struct mark_file){.fd = openat(dir_fd, MARK_NAME, flags | O_CLOEXEC)};
    if (file->fd < 0) {
        return errno == ENOENT ? ERR_NOT_FOUND : -errno;
    }

    bool found = false;
    for (int i = 0; i < 2; i++) {
        char record[RECORD_SIZE];
        struct mark mark;
        uint64_t turn;
        ssize_t n = pread(file->fd, record, RECORD_SIZE, (off_t)i * RECORD_SIZE);
        if (n < 0) {
            return -errno;
        }
        if (n == RECORD_SIZE && understand(record, &mark, &turn) && (!found || turn > file->turn)) {
            found = true;
            file->turn = turn;
            *ret = mark;
        }
    }
    return found ? 0 : ERR_CORRUPT;
}

int mark_open(struct mark_file *file, int dir_fd, struct mark *ret)
{
    return open_as(file, dir_fd, O_RDWR, ret);
}

int mark_look(int dir_fd, struct mark *ret)
{
    struct mark_file file;
    int r = open_as(&file, dir_fd, O_RDONLY, ret);
    mark_close(&file);
    return r;
}

int mark_create(struct mark_file *file, int dir_fd, const struct mark *mark)
{
    char records[2 * RECORD_SIZE];
    compose(records, mark, 0);
    compose(records + RECORD_SIZE, mark, 1);

    int fd = openat(dir_fd, MARK_NAME ".new", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return -errno;
    }
    int r = write_whole(fd, records, sizeof(records), 0);
    if (r == 0 && (fsync(fd) != 0 || renameat(dir_fd, MARK_NAME ".new", dir_fd, MARK_NAME) != 0 ||
                   fsync(dir_fd) != 0)) {
        r = -errno;
    }
    if (r < 0) {
        close(fd);
        return r;
    }
    mark_close(file);
    *file = (struct mark_file){.fd = fd, .turn = 1};
    return 0;
}

int mark_write(struct mark_file *file, const struct mark *mark)
{
    char record[RECORD_SIZE];
    compose(record, mark, file->turn + 1);

    int r = write_whole(file->fd, record, RECORD_SIZE, (off_t)((file->turn + 1) % 2) * RECORD_SIZE);
    if (r == 0 && fdatasync(file->fd) != 0) {
        r = -errno;
    }
    if (r == 0) {
        file->turn++;
    }
    return r;
}

void mark_close(struct mark_file *file)
{
    if (file->fd >= 0) {
        close(file->fd);
    }
    file->fd = -1;
}
