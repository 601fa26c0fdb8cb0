/*
 * Files as a power cut sees them: what was written and not synced is in this process's memory only, so that a
 * SIGKILL loses it, or keeps some sectors of it in no order. A SQLite VFS, "lossy", over the default one, and
 * the calls that files outside of SQLite make (the store's mark). The process counts its writes and syncs,
 * and kills itself in place of the k-th.
 *
 * Not modelled: that a new file's name, a rename or a removal is lost. Not for threads. Nothing is ever
 * freed: the process dies young.
 */
#ifndef CERTLINE_TESTS_VFS_LOSSY_H
#define CERTLINE_TESTS_VFS_LOSSY_H

#include <stdint.h>
#include <sys/types.h>

#define LOSSY_VFS_NAME "lossy"

/* X(ENUM, name): what is counted. A truncation counts as a write. */
#define LOSSY_KIND_LIST(X)                                                                                   \
    X(LOSSY_DB_WRITE, "write")                                                                               \
    X(LOSSY_DB_SYNC, "sync")                                                                                 \
    X(LOSSY_MARK_WRITE, "mark write")                                                                        \
    X(LOSSY_MARK_SYNC, "mark sync")

enum lossy_kind {
#define X(name, text) name,
    LOSSY_KIND_LIST(X)
#undef X
        LOSSY_KINDS,
};

enum lossy_fate { LOSSY_ALL_LOST, LOSSY_SOME_KEPT, LOSSY_FATES };

/* Once for the process, before any database is opened. */
void lossy_register(void);

/* The process kills itself in place of the k-th call of this kind, counted from now on; k = 0 counts only. */
void lossy_arm(enum lossy_kind kind, uint64_t k, enum lossy_fate fate);
uint64_t lossy_calls(enum lossy_kind kind);
const char *lossy_name(enum lossy_kind kind);

/* As the calls that they are named after. A file is known by its inode, so that it may be closed and opened
 * again. */
ssize_t lossy_pwrite(int fd, const void *from, size_t n, off_t at);
ssize_t lossy_pread(int fd, void *to, size_t n, off_t at);
int lossy_sync(int fd);

#endif
