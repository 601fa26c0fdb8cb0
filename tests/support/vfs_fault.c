/*
 * Each file is SQLite's own behind a header of ours. Syncs are not passed on: nothing here outlives the
 * process, and a sweep makes many thousands. xFetch is left out (version 2), so that reads pass through
 * xRead.
 */
#include "support/vfs_fault.h"

#include <assert.h>
#include <sqlite3.h>
#include <string.h>

struct file {
    sqlite3_file base;
    sqlite3_file *real; /* behind this struct */
};

static const struct {
    const char *name;
    int code;
} kinds[] = {
#define X(id, text, error) [id] = {text, error},
    VFS_FAULT_LIST(X)
#undef X
};

static sqlite3_vfs *real_vfs;
static enum vfs_fault armed;
static uint64_t fail_at, calls, fired;
static bool is_for_good;

void vfs_fault_arm(enum vfs_fault fault, uint64_t k, bool for_good)
{
    armed = fault;
    fail_at = k;
    is_for_good = for_good;
    calls = fired = 0;
}

void vfs_fault_disarm(void)
{
    fail_at = 0;
}

uint64_t vfs_fault_calls(void)
{
    return calls;
}

uint64_t vfs_fault_fired(void)
{
    return fired;
}

const char *vfs_fault_name(enum vfs_fault fault)
{
    return kinds[fault].name;
}

/* The error of this call, or SQLITE_OK. */
static int strike(enum vfs_fault kind)
{
    if (kind != armed) {
        return SQLITE_OK;
    }
    calls++;
    if (fail_at == 0 || calls < fail_at || (calls > fail_at && !is_for_good)) {
        return SQLITE_OK;
    }
    fired++;
    return kinds[kind].code;
}

static sqlite3_file *real(sqlite3_file *file)
{
    return ((struct file *)file)->real;
}

static int file_close(sqlite3_file *file)
{
    return real(file)->pMethods->xClose(real(file));
}

static int file_read(sqlite3_file *file, void *to, int n, sqlite3_int64 at)
{
    int code = strike(VFS_READ);
    return code ? code : real(file)->pMethods->xRead(real(file), to, n, at);
}

static int file_write(sqlite3_file *file, const void *from, int n, sqlite3_int64 at)
{
    int code = strike(VFS_WRITE_FULL);
    if (code) {
        return code;
    }
    int torn = strike(VFS_WRITE_TORN);
    code = real(file)->pMethods->xWrite(real(file), from, torn ? n / 2 : n, at);
    int done = strike(VFS_WRITE_DONE);
    return torn ? torn : done ? done : code;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    int code = strike(VFS_TRUNCATE);
    return code ? code : real(file)->pMethods->xTruncate(real(file), size);
}

static int file_sync(sqlite3_file *file, int flags)
{
    (void)file;
    (void)flags;
    return strike(VFS_SYNC);
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return real(file)->pMethods->xFileSize(real(file), size);
}

static int file_lock(sqlite3_file *file, int level)
{
    int code = strike(VFS_LOCK);
    return code ? code : real(file)->pMethods->xLock(real(file), level);
}

static int file_unlock(sqlite3_file *file, int level)
{
    return real(file)->pMethods->xUnlock(real(file), level);
}

static int file_check_lock(sqlite3_file *file, int *out)
{
    return real(file)->pMethods->xCheckReservedLock(real(file), out);
}

static int file_control(sqlite3_file *file, int op, void *argument)
{
    return real(file)->pMethods->xFileControl(real(file), op, argument);
}

static int file_sector(sqlite3_file *file)
{
    return real(file)->pMethods->xSectorSize(real(file));
}

static int file_device(sqlite3_file *file)
{
    return real(file)->pMethods->xDeviceCharacteristics(real(file));
}

static int file_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **out)
{
    int code = strike(VFS_SHM_MAP);
    return code ? code : real(file)->pMethods->xShmMap(real(file), region, size, extend, out);
}

/* Only taking a lock can find it taken. */
static int file_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    int code = flags & SQLITE_SHM_LOCK ? strike(VFS_SHM_LOCK) : SQLITE_OK;
    return code ? code : real(file)->pMethods->xShmLock(real(file), offset, n, flags);
}

static void file_shm_barrier(sqlite3_file *file)
{
    real(file)->pMethods->xShmBarrier(real(file));
}

static int file_shm_unmap(sqlite3_file *file, int is_deleted)
{
    return real(file)->pMethods->xShmUnmap(real(file), is_deleted);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_lock,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_device,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

static int vfs_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *base, int flags, int *ret_flags)
{
    (void)vfs;
    struct file *file = (struct file *)base;
    memset(file, 0, sizeof(*file));
    int code = strike(VFS_OPEN);
    if (code) {
        return code;
    }
    file->real = (sqlite3_file *)&file[1];
    code = real_vfs->xOpen(real_vfs, name, file->real, flags, ret_flags);
    if (code == SQLITE_OK) {
        file->base.pMethods = &methods;
    }
    return code;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_dir)
{
    (void)vfs;
    (void)sync_dir;
    return real_vfs->xDelete(real_vfs, name, 0);
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    (void)vfs;
    return real_vfs->xAccess(real_vfs, name, flags, out);
}

static int vfs_path(sqlite3_vfs *vfs, const char *name, int n, char *out)
{
    (void)vfs;
    return real_vfs->xFullPathname(real_vfs, name, n, out);
}

static int vfs_random(sqlite3_vfs *vfs, int n, char *out)
{
    (void)vfs;
    return real_vfs->xRandomness(real_vfs, n, out);
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    return us; /* nobody waits in a test */
}

static int vfs_time(sqlite3_vfs *vfs, double *out)
{
    (void)vfs;
    return real_vfs->xCurrentTime(real_vfs, out);
}

static int vfs_error(sqlite3_vfs *vfs, int n, char *out)
{
    (void)vfs;
    return real_vfs->xGetLastError(real_vfs, n, out);
}

void vfs_fault_register(void)
{
    static sqlite3_vfs vfs = {
        .iVersion = 1,
        .zName = VFS_FAULT_NAME,
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_path,
        .xRandomness = vfs_random,
        .xSleep = vfs_sleep,
        .xCurrentTime = vfs_time,
        .xGetLastError = vfs_error,
    };
    if (!real_vfs) {
        real_vfs = sqlite3_vfs_find(NULL);
        assert(real_vfs);
        vfs.szOsFile = (int)sizeof(struct file) + real_vfs->szOsFile;
        vfs.mxPathname = real_vfs->mxPathname;
        sqlite3_vfs_register(&vfs, 0);
    }
}
