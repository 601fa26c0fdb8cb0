/*
 * The mark: how far the database has ever been, in a small file of its own beside it. A database that does
 * not hold the event which the mark names is an older copy or another one, and what it calls free may have
 * been given out.
 *
 * The file has two records of 512 octets, written in turn, each one line of text with a checksum at its end:
 * whatever a killed process or a power cut leaves of the one being written, the other one is whole.
 */
#ifndef CERTLINE_STORE_MARK_H
#define CERTLINE_STORE_MARK_H

#include <stdint.h>

#include "base/err.h"
#include "pki/cred.h"

#define MARK_NAME        "mark"
#define DATABASE_ID_SIZE 33 /* 32 hexadecimal characters and NUL */

struct mark {
    char database[DATABASE_ID_SIZE];
    int64_t seq;        /* last event on record; 0: none yet */
    struct digest hash; /* of that event; zeros for seq 0 */
};

struct mark_file {
    int fd;        /* -1: not there */
    uint64_t turn; /* of the record written last */
};

/* Looks into the directory. 0 and *ret; ERR_NOT_FOUND: there is none; ERR_CORRUPT: neither record is whole;
 * -errno. `file` is set in any case and belongs to mark_close. */
int mark_open(struct mark_file *file, int dir_fd, struct mark *ret);

/* The same without the right or the wish to write. */
int mark_look(int dir_fd, struct mark *ret);

/* Puts a new file in the place of whatever is there: written, synced, renamed, the directory synced. 0 or
 * -errno. */
int mark_create(struct mark_file *file, int dir_fd, const struct mark *mark);

/* Overwrites the older record and waits until it is on the disk. 0 or -errno; then the other record still
 * stands. */
int mark_write(struct mark_file *file, const struct mark *mark);

void mark_close(struct mark_file *file);

#endif
