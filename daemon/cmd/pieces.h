/*
 * A file of lines in pieces: each is whole lines, as many as fit. What is read may hold private keys, so it
 * lies in secret memory, is read straight into it, and is wiped with it.
 */
#ifndef CERTLINE_CMD_PIECES_H
#define CERTLINE_CMD_PIECES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct sha256;

#define PIECE_MAX ((size_t)1024 * 1024)

struct pieces {
    int fd;       /* borrowed */
    char *memory; /* secret; `size` octets */
    size_t size;
    size_t len;            /* octets in it */
    size_t given;          /* of them, the piece that was handed out last */
    bool is_at_end;        /* the file is */
    uint64_t n_lines;      /* before the piece that was handed out last */
    uint64_t n_given;      /* lines of that piece */
    uint64_t n_octets;     /* read so far */
    struct sha256 *digest; /* of all that was read; NULL: nobody asks. Set behind pieces_init */
};

enum piece_kind {
    PIECE_END,
    PIECE_LINES,
    PIECE_OVERLONG, /* one line larger than `size`; it was skipped and no octets are handed out */
};

/* 0 or -ENOMEM. `size` is the most of one piece, and so of one line. */
int pieces_init(struct pieces *p, int fd, size_t size);
void pieces_done(struct pieces *p); /* harmless on a zeroed one */

/* The next piece, which lives until the next call: an enum piece_kind, or -errno of reading. */
int pieces_next(struct pieces *p, struct span *ret);

#endif
