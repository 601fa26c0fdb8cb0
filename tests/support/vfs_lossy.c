/*
 * What is pending of a file is a list of changes in their order: octets at a place, or a new size. A read is
 * the file's octets with the changes over them; a sync carries them out. Syncs are not passed on: a SIGKILL
 * does not lose what the kernel has.
 *
 * The engine writes through a descriptor of its own, which stays open: closing any descriptor of a file would
 * drop the locks that SQLite holds on it. A file of this VFS is the default one's with other methods, and a
 * pointer behind it.
 */
#include "support/vfs_lossy.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR 512

struct change {
    struct change *next;
    off_t at; /* TRUNCATE: the size */
    size_t n;
    bool is_truncation;
    uint8_t octets[];
};

struct lossy {
    struct lossy *next;
    dev_t device;
    ino_t inode;
    int fd;
    struct change *first, **last;
};

static struct lossy *files;
static uint64_t calls[LOSSY_KINDS], kill_at;
static enum lossy_kind armed;
static enum lossy_fate fate;

/* ---- pending changes */

static struct lossy *find(dev_t device, ino_t inode)
{
    struct lossy *f = files;
    while (f && (f->device != device || f->inode != inode)) {
        f = f->next;
    }
    return f;
}

/* The file behind a path of which `st` is the status. */
static struct lossy *know(const char *path, const struct stat *st)
{
    struct lossy *f = find(st->st_dev, st->st_ino);
    if (!f) {
        f = calloc(1, sizeof(*f));
        assert(f);
        *f = (struct lossy){.next = files, .device = st->st_dev, .inode = st->st_ino};
        f->last = &f->first;
        f->fd = open(path, O_RDWR | O_CLOEXEC);
        assert(f->fd >= 0);
        files = f;
    }
    return f;
}

static struct lossy *of_descriptor(int fd)
{
    struct stat st;
    char path[32];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return fstat(fd, &st) == 0 ? know(path, &st) : NULL;
}

static void forget_changes(struct lossy *f)
{
    for (struct change *c = f->first; c;) {
        struct change *next = c->next;
        free(c);
        c = next;
    }
    f->first = NULL;
    f->last = &f->first;
}

static void add(struct lossy *f, const void *from, size_t n, off_t at)
{
    struct change *c = malloc(sizeof(*c) + n);
    assert(c);
    *c = (struct change){.at = at, .n = n, .is_truncation = from == NULL};
    if (from) {
        memcpy(c->octets, from, n);
    }
    *f->last = c;
    f->last = &c->next;
}

static void put(int fd, const uint8_t *octets, size_t n, off_t at)
{
    ssize_t done = pwrite(fd, octets, n, at);
    assert(done == (ssize_t)n);
}

static void carry_out(struct lossy *f)
{
    for (const struct change *c = f->first; c; c = c->next) {
        if (c->is_truncation) {
            int r = ftruncate(f->fd, c->at);
            assert(r == 0);
        } else {
            put(f->fd, c->octets, c->n, c->at);
        }
    }
    forget_changes(f);
}

static off_t size_of(const struct lossy *f)
{
    struct stat st;
    int r = fstat(f->fd, &st);
    assert(r == 0);
    off_t size = st.st_size;
    for (const struct change *c = f->first; c; c = c->next) {
        off_t end = c->at + (off_t)c->n;
        size = c->is_truncation ? c->at : end > size ? end : size;
    }
    return size;
}

static void lay_over(const struct change *c, uint8_t *to, size_t n, off_t at)
{
    off_t end = at + (off_t)n;
    if (c->is_truncation) {
        if (c->at < end) {
            off_t from = c->at > at ? c->at : at;
            memset(to + (from - at), 0, (size_t)(end - from));
        }
        return;
    }
    off_t from = c->at > at ? c->at : at;
    off_t until = c->at + (off_t)c->n < end ? c->at + (off_t)c->n : end;
    if (from < until) {
        memcpy(to + (from - at), c->octets + (from - c->at), (size_t)(until - from));
    }
}

/* Returns how many octets there are; the rest is zeros. */
static size_t get(const struct lossy *f, void *to, size_t n, off_t at)
{
    memset(to, 0, n);
    ssize_t got = pread(f->fd, to, n, at);
    assert(got >= 0);
    for (const struct change *c = f->first; c; c = c->next) {
        lay_over(c, to, n, at);
    }
    off_t size = size_of(f);
    return size <= at ? 0 : size - at < (off_t)n ? (size_t)(size - at) : n;
}

/* ---- death */

/* A disk writes what it holds in its own order: some sectors made it. SplitMix64 on the place of death, so
 * that a run can be repeated. */
static void keep_some(const struct lossy *f, uint64_t seed)
{
    for (const struct change *c = f->first; c; c = c->next) {
        for (size_t i = 0; !c->is_truncation && i < c->n; i += SECTOR) {
            uint64_t z = (seed += UINT64_C(0x9E3779B97F4A7C15));
            z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
            if (z >> 63) {
                put(f->fd, c->octets + i, c->n - i < SECTOR ? c->n - i : SECTOR, c->at + (off_t)i);
            }
        }
    }
}

static void count(enum lossy_kind kind)
{
    calls[kind]++;
    if (kind != armed || calls[kind] != kill_at) {
        return;
    }
    for (const struct lossy *f = files; fate == LOSSY_SOME_KEPT && f; f = f->next) {
        keep_some(f, kill_at * 1000003 + kind);
    }
    kill(getpid(), SIGKILL);
    pause();
}

void lossy_arm(enum lossy_kind kind, uint64_t k, enum lossy_fate its_fate)
{
    armed = kind;
    kill_at = k;
    fate = its_fate;
    memset(calls, 0, sizeof(calls));
}

uint64_t lossy_calls(enum lossy_kind kind)
{
    return calls[kind];
}

const char *lossy_name(enum lossy_kind kind)
{
    static const char *const names[] = {
#define X(name, text) [name] = text,
        LOSSY_KIND_LIST(X)
#undef X
    };
    return names[kind];
}

/* ---- files outside of SQLite */

ssize_t lossy_pwrite(int fd, const void *from, size_t n, off_t at)
{
    count(LOSSY_MARK_WRITE);
    struct lossy *f = of_descriptor(fd);
    if (!f) {
        return -1;
    }
    add(f, from, n, at);
    return (ssize_t)n;
}

ssize_t lossy_pread(int fd, void *to, size_t n, off_t at)
{
    const struct lossy *f = of_descriptor(fd);
    return f ? (ssize_t)get(f, to, n, at) : -1;
}

/* Of a folder as well, in which nothing is pending. */
int lossy_sync(int fd)
{
    struct stat st;
    count(LOSSY_MARK_SYNC);
    struct lossy *f = fstat(fd, &st) == 0 ? find(st.st_dev, st.st_ino) : NULL;
    if (f) {
        carry_out(f);
    }
    return 0;
}

/* ---- SQLite's */

static sqlite3_vfs *real_vfs, vfs;

struct behind {
    struct lossy *lossy;
    sqlite3_io_methods methods;
};

static struct behind *behind(sqlite3_file *file)
{
    return (struct behind *)(void *)((char *)file + real_vfs->szOsFile);
}

static struct lossy *lossy_of(sqlite3_file *file)
{
    return behind(file)->lossy;
}

static int file_read(sqlite3_file *file, void *to, int n, sqlite3_int64 at)
{
    return get(lossy_of(file), to, (size_t)n, at) < (size_t)n ? SQLITE_IOERR_SHORT_READ : SQLITE_OK;
}

static int file_write(sqlite3_file *file, const void *from, int n, sqlite3_int64 at)
{
    count(LOSSY_DB_WRITE);
    add(lossy_of(file), from, (size_t)n, at);
    return SQLITE_OK;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    count(LOSSY_DB_WRITE);
    add(lossy_of(file), NULL, 0, size);
    return SQLITE_OK;
}

static int file_sync(sqlite3_file *file, int flags)
{
    (void)flags;
    count(LOSSY_DB_SYNC);
    carry_out(lossy_of(file));
    return SQLITE_OK;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    *size = size_of(lossy_of(file));
    return SQLITE_OK;
}

/* Every file that has a name; those without hold nothing that is to outlive the process. */
static int vfs_open(sqlite3_vfs *self, sqlite3_filename name, sqlite3_file *file, int flags, int *ret_flags)
{
    struct stat st;
    (void)self;
    int code = real_vfs->xOpen(real_vfs, name, file, flags, ret_flags);
    if (code != SQLITE_OK || !name) {
        return code;
    }
    int r = stat(name, &st);
    assert(r == 0);
    struct behind *own = behind(file);
    own->lossy = know(name, &st);
    own->methods = *file->pMethods;
    own->methods.iVersion = 2; /* without xFetch: every read passes through xRead */
    own->methods.xRead = file_read;
    own->methods.xWrite = file_write;
    own->methods.xTruncate = file_truncate;
    own->methods.xSync = file_sync;
    own->methods.xFileSize = file_size;
    file->pMethods = &own->methods;
    return SQLITE_OK;
}

/* Its inode may be another file's soon. */
static int vfs_delete(sqlite3_vfs *self, const char *name, int sync_dir)
{
    struct stat st;
    (void)self;
    struct lossy *f = stat(name, &st) == 0 ? find(st.st_dev, st.st_ino) : NULL;
    if (f) {
        forget_changes(f);
        f->inode = 0;
    }
    return real_vfs->xDelete(real_vfs, name, sync_dir);
}

void lossy_register(void)
{
    real_vfs = sqlite3_vfs_find(NULL);
    assert(real_vfs);
    vfs = *real_vfs;
    vfs.pNext = NULL;
    vfs.zName = LOSSY_VFS_NAME;
    vfs.szOsFile = real_vfs->szOsFile + (int)sizeof(struct behind);
    vfs.xOpen = vfs_open;
    vfs.xDelete = vfs_delete;
    assert(real_vfs->szOsFile % (int)sizeof(void *) == 0);
    sqlite3_vfs_register(&vfs, 0);
}
