#define _GNU_SOURCE
#include "support/malloc_count.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1
#endif

#ifdef IS_SANITIZED
#define REAL(name) __interceptor_##name
#else
#define REAL(name) __libc_##name
#endif

/* The C library's own, under the names that it keeps for those who interpose; or the sanitizer's. */
void *REAL(malloc)(size_t size);
void *REAL(calloc)(size_t n, size_t size);
void *REAL(realloc)(void *old, size_t size);
void *REAL(memalign)(size_t alignment, size_t size);

static _Thread_local bool is_on;
static _Thread_local uint64_t count;
static _Thread_local uint64_t seen, fail_from, failed; /* since malloc_fail_at */
static _Thread_local bool is_for_good;

/* These run before the sanitizers are ready. */
#define PLAIN __attribute__((no_sanitize("address", "undefined", "thread")))

PLAIN static bool must_fail(void)
{
    if (!is_on) {
        return false;
    }
    count++;
    seen++;
    bool fails = fail_from > 0 && (seen == fail_from || (seen > fail_from && is_for_good));
    failed += fails;
    if (fails) {
        errno = ENOMEM;
    }
    return fails;
}

PLAIN void *malloc(size_t size)
{
    return must_fail() ? NULL : REAL(malloc)(size);
}

PLAIN void *calloc(size_t n, size_t size)
{
    return must_fail() ? NULL : REAL(calloc)(n, size);
}

PLAIN void *realloc(void *old, size_t size)
{
    return must_fail() ? NULL : REAL(realloc)(old, size);
}

PLAIN void *aligned_alloc(size_t alignment, size_t size)
{
    return must_fail() ? NULL : REAL(memalign)(alignment, size);
}

PLAIN int posix_memalign(void **ret, size_t alignment, size_t size)
{
    void *p = must_fail() ? NULL : REAL(memalign)(alignment, size);
    *ret = p ? p : *ret;
    return p ? 0 : ENOMEM;
}

/* A sanitizer's would allocate past us. */
PLAIN char *strndup(const char *text, size_t n)
{
    size_t len = strnlen(text, n);
    char *copy = malloc(len + 1);
    if (copy) {
        memcpy(copy, text, len);
        copy[len] = '\0';
    }
    return copy;
}

PLAIN char *strdup(const char *text)
{
    return strndup(text, strlen(text));
}

PLAIN void *mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
    return must_fail() ? MAP_FAILED : (void *)syscall(SYS_mmap, at, len, protection, flags, fd, offset);
}

bool malloc_count_switch(bool on)
{
    bool was_on = is_on;
    is_on = on;
    return was_on;
}

uint64_t malloc_count(void)
{
    return count;
}

bool malloc_count_works(void)
{
    uint64_t before = count;
    bool was_on = malloc_count_switch(true);
    void *volatile p = malloc(1); /* volatile: the pair must not be optimised away */
    (void)malloc_count_switch(was_on);
    bool saw_one = count == before + 1;
    free(p);
    count = before;
    return saw_one;
}

void malloc_fail_at(uint64_t k, bool for_good)
{
    seen = failed = 0;
    fail_from = k;
    is_for_good = for_good;
}

uint64_t malloc_failed(void)
{
    return failed;
}
