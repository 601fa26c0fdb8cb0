/*
 * Memory for secrets: private keys, pre-shared keys, wrapping keys, tokens, and every body or text that
 * carries one. It is locked (never swapped), left out of core dumps, and wiped before it is given back.
 *
 * When the limit on locked memory is reached the memory is still given, unlocked, and
 * secret_unlocked_octets() counts it: a station that cannot lock must still provision; `readyz` and the log
 * tell.
 */
#ifndef CERTLINE_BASE_SECRET_H
#define CERTLINE_BASE_SECRET_H

#include <stddef.h>

/* Zeroed memory, or NULL when there is none. Thread-safe. */
void *secret_alloc(size_t size);

/* As realloc; the old place is wiped when the content moves. */
void *secret_realloc(void *old, size_t size);

/* Wipes and gives back. NULL is allowed. */
void secret_free(void *p);

/* Overwrites n octets in a way the compiler does not remove. */
void secret_wipe(void *p, size_t n);

/* The same for large memory of which little may have been used: what is zero already is left alone, so that
 * pages that were never touched do not come into being for this. */
void secret_wipe_used(void *p, size_t n);

/* Forbids core dumps, ptrace by the same user and dumpable pages for this process. Returns 0 or -errno. */
int secret_harden_process(void);

size_t secret_unlocked_octets(void);

#endif
