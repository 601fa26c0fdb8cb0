/*
 * A file that appears whole or not at all: written under another name in the same folder, synced, renamed.
 * Whoever watches the folder never sees half of it, and a full disk leaves what was there.
 */
#ifndef CERTLINE_EXCHANGE_OUTFILE_H
#define CERTLINE_EXCHANGE_OUTFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/span.h"

#define OUTFILE_BUFFER ((size_t)64 * 1024)

struct outfile {
    int fd;       /* -1: not open */
    char *path;   /* owned */
    char *temp;   /* owned */
    char *buffer; /* secret memory: what goes through may be a key */
    size_t len;
    int failure; /* the first one: later writes do nothing */
    bool is_new_only;
};

/* Begins a file that will be called `path` with this mode, whatever the umask. With `is_new_only` a file that
 * is there by then is not replaced. 0, or -errno with *reterr; outfile_abort is harmless then. */
int outfile_open(struct outfile *out, const char *path, mode_t mode, bool is_new_only,
                 struct err_info *reterr);

/* Adds octets. A failure shows at the end. */
void outfile_add(struct outfile *out, struct span octets);

/* Makes it durable and gives it its name: 0, or negative with *reterr, and nothing is left of it. */
int outfile_commit(struct outfile *out, struct err_info *reterr);

/* Leaves nothing behind. Harmless on one that was committed or never opened (zeroed with fd -1). */
void outfile_abort(struct outfile *out);

/* All of it at once. */
int outfile_write(const char *path, mode_t mode, bool is_new_only, struct span octets,
                  struct err_info *reterr);

#endif
