/*
 * Searches this process's own memory for fragments of secrets, as somebody with a core dump would. What is
 * looked for is kept masked, so that the search does not find itself.
 */
#ifndef CERTLINE_TESTS_MEMSEARCH_H
#define CERTLINE_TESTS_MEMSEARCH_H

#include <stddef.h>

struct memsearch;

struct memsearch *memsearch_new(void);
void memsearch_free(struct memsearch *search);

/* Adds every fragment of 16 octets (in steps of 16) of this text, forwards and backwards, since OpenSSL keeps
 * numbers least significant octet first. Fragments that also stand in `known` are left out: a key's public
 * part is no secret. `known` may be NULL. The caller wipes its texts. */
void memsearch_add(struct memsearch *search, const void *text, size_t len, const void *known,
                   size_t known_len);

size_t memsearch_fragments(const struct memsearch *search);

/* Reads every writable mapping through /proc/self/mem (but the sanitizer's shadow, which holds no content).
 * Returns how many times a fragment was found; the first hits are printed with address and mapping, never
 * with content. */
size_t memsearch_run(struct memsearch *search);

#endif
