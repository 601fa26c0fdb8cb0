/* PEM texts for tests: real certificates of the system's collection, and what people and programs do to them.
 */
#ifndef CERTLINE_TESTS_PEMTEXT_H
#define CERTLINE_TESTS_PEMTEXT_H

#include <stddef.h>

#define PEMTEXT_SIZE 16384

/* Amazon Root CA 1 and ISRG Root X1 as ca-certificates installs them: line feeds, the last one included.
 * NUL-terminated; read once and kept. A system without them fails the test. */
const char *pemtext_amazon(void);
const char *pemtext_isrg(void);

/* How a text is changed. NULL members change nothing. */
struct pemtext_change {
    const char *before;     /* put in front */
    const char *line_end;   /* in place of every line feed */
    int drops_final;        /* without its last line end */
    const char *behind;     /* put behind */
    const char *find, *put; /* the first `find` becomes `put`, before everything else */
};

/* Writes the changed text and a NUL to `out` (PEMTEXT_SIZE octets); returns its length. */
size_t pemtext_make(const char *text, const struct pemtext_change *change, char *out);

/* The first block with octets of its content replaced by as many others, where they stand first: dates of a
 * certificate, say. Returns the length. */
size_t pemtext_patch(const char *pem, const char *find, const char *put, char out[PEMTEXT_SIZE]);

#endif
