/* One buffer: filled from the end of what is left over, cut at its last line end. */
#include "cmd/pieces.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "pki/digest.h"

int pieces_init(struct pieces *p, int fd, size_t size)
{
    *p = (struct pieces){.fd = fd, .size = size, .memory = secret_alloc(size)};
    return p->memory ? 0 : -ENOMEM;
}

void pieces_done(struct pieces *p)
{
    secret_free(p->memory);
    *p = (struct pieces){.fd = -1};
}

static void drop(struct pieces *p, size_t n)
{
    memmove(p->memory, p->memory + n, p->len - n);
    secret_wipe(p->memory + p->len - n, n);
    p->len -= n;
}

/* Until the buffer is full or the file ends. */
static int fill(struct pieces *p)
{
    while (p->len < p->size && !p->is_at_end) {
        ssize_t n = read(p->fd, p->memory + p->len, p->size - p->len);
        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        if (n > 0 && p->digest) {
            sha256_add(p->digest, span_of(p->memory + p->len, (size_t)n));
        }
        p->is_at_end = n == 0;
        p->len += n > 0 ? (size_t)n : 0;
        p->n_octets += n > 0 ? (uint64_t)n : 0;
    }
    return 0;
}

static uint64_t count_lines(struct span text)
{
    uint64_t n = 0;
    for (const char *at = text.at, *end = text.at + text.len; at < end; n++) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        at = line_end ? line_end + 1 : end;
    }
    return n;
}

/* The buffer is full of one line: drops it up to its end. */
static int skip_line(struct pieces *p)
{
    for (;;) {
        const char *line_end = memchr(p->memory, '\n', p->len);
        drop(p, line_end ? (size_t)(line_end - p->memory) + 1 : p->len);
        if (line_end || p->is_at_end) {
            return PIECE_OVERLONG;
        }
        int r = fill(p);
        if (r < 0) {
            return r;
        }
    }
}

int pieces_next(struct pieces *p, struct span *ret)
{
    drop(p, p->given);
    p->given = 0;
    p->n_lines += p->n_given;
    p->n_given = 0;
    *ret = span_of(NULL, 0);
    int r = fill(p);
    if (r < 0 || p->len == 0) {
        return r < 0 ? r : PIECE_END;
    }
    const char *last = memrchr(p->memory, '\n', p->len);
    if (!last && !p->is_at_end) {
        p->n_given = 1;
        return skip_line(p);
    }
    p->given = p->is_at_end ? p->len : (size_t)(last - p->memory) + 1;
    *ret = span_of(p->memory, p->given);
    p->n_given = count_lines(*ret);
    return PIECE_LINES;
}
