/*
 * A SQLite VFS, "fault", over the default one, that fails on demand: the k-th call of a kind returns an
 * error, once or from then on until told otherwise. Not for threads.
 */
#ifndef CERTLINE_TESTS_VFS_FAULT_H
#define CERTLINE_TESTS_VFS_FAULT_H

#include <stdbool.h>
#include <stdint.h>

/* X(ENUM, name, SQLite's code): one row for each kind of failure. */
#define VFS_FAULT_LIST(X)                                                                                    \
    X(VFS_WRITE_FULL, "write_full", SQLITE_FULL)                                                             \
    X(VFS_WRITE_TORN, "write_torn", SQLITE_IOERR_WRITE) /* half of it is written before the error */         \
    X(VFS_WRITE_DONE, "write_done", SQLITE_IOERR_WRITE) /* all of it is: the outcome is unknown */           \
    X(VFS_SYNC, "sync", SQLITE_IOERR_FSYNC)                                                                  \
    X(VFS_READ, "read", SQLITE_IOERR_READ)                                                                   \
    X(VFS_TRUNCATE, "truncate", SQLITE_IOERR_TRUNCATE)                                                       \
    X(VFS_OPEN, "open", SQLITE_CANTOPEN)                                                                     \
    X(VFS_LOCK, "lock", SQLITE_BUSY)                                                                         \
    X(VFS_SHM_LOCK, "shm_lock", SQLITE_BUSY)                                                                 \
    X(VFS_SHM_MAP, "shm_map", SQLITE_IOERR_SHMMAP)

enum vfs_fault {
#define X(name, text, code) name,
    VFS_FAULT_LIST(X)
#undef X
        VFS_FAULTS,
};

#define VFS_FAULT_NAME "fault"

/* Once for the process. */
void vfs_fault_register(void);

const char *vfs_fault_name(enum vfs_fault fault);

/* From now on calls are counted from 1 and the k-th of this kind fails; with `for_good` every later one as
 * well. k = 0 counts only. */
void vfs_fault_arm(enum vfs_fault fault, uint64_t k, bool for_good);

/* No more failures; counting goes on. */
void vfs_fault_disarm(void);

/* Calls of the armed kind since it was armed, and how many of them failed. */
uint64_t vfs_fault_calls(void);
uint64_t vfs_fault_fired(void);

#endif
