/*
 * OpenSSL wipes what it knows to be a key, but not what it takes for ordinary: the DER text of a key while it
 * is parsed, BIO buffers, copies made by a decoder on the way. So all is wiped. A head before each block
 * remembers its size, since OpenSSL does not say it when it frees; malloc_usable_size would tell the
 * allocator's rounding instead.
 */
#include "pki/init.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/err.h"
#include "base/secret.h"

struct head {
    _Alignas(max_align_t) size_t size; /* without the head */
};

static _Thread_local uint64_t shortages;

uint64_t pki_shortages(void)
{
    return shortages;
}

/* The signatures are OpenSSL's: file and line are of its sources, for debugging. */
static void *wiping_malloc(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    if (size == 0 || size > SIZE_MAX - sizeof(struct head)) {
        return NULL;
    }
    struct head *head = malloc(sizeof(*head) + size);
    if (head == NULL) {
        shortages++;
        return NULL;
    }
    head->size = size;
    return head + 1;
}

static void wiping_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    if (p != NULL) {
        struct head *head = (struct head *)p - 1;
        secret_wipe(p, head->size);
        free(head);
    }
}

static void *wiping_realloc(void *old, size_t size, const char *file, int line)
{
    if (old == NULL) {
        return wiping_malloc(size, file, line);
    }
    if (size == 0) {
        wiping_free(old, file, line);
        return NULL;
    }
    void *new = wiping_malloc(size, file, line);
    if (new != NULL) {
        size_t had = ((struct head *)old - 1)->size;
        memcpy(new, old, had < size ? had : size);
        wiping_free(old, file, line);
    }
    return new;
}

int pki_init(void)
{
    static bool is_done; /* before the first thread starts, as OpenSSL demands */
    if (!is_done && CRYPTO_set_mem_functions(wiping_malloc, wiping_realloc, wiping_free) != 1) {
        return ERR_INTERNAL;
    }
    is_done = true;
    return 0;
}

/* From the kernel, which needs no memory of ours for it, as OpenSSL's generator does on a thread's first
 * call. */
void pki_random(uint8_t *out, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t got = getrandom(out + done, n - done, 0);
        if (got < 0 && errno != EINTR) {
            abort(); /* a nonce that somebody knows must never be taken for one that nobody does */
        }
        done += got > 0 ? (size_t)got : 0;
    }
}

/* Without the address sanitizer, which would put the array somewhere else than on the stack. The copies of
 * zeros, one of each size class of memcpy, take the place of what its registers hold: the dynamic linker
 * saves them to the stack when some function is called for the first time, whenever that is. */
__attribute__((noinline, no_sanitize("address"))) void pki_scrub_stack(void)
{
    char below[PKI_STACK_SIZE];
    secret_wipe(below, sizeof(below));
    for (size_t n = 16; n <= 1024; n *= 2) {
        memcpy(below, below + 2048, n);
        __asm__ volatile("" : : "r"(below) : "memory"); /* so that no copy is left out */
    }
}
