#include "support/malloc_count.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1
#endif

static _Thread_local bool is_on;
static _Thread_local uint64_t count;

#ifdef IS_SANITIZED

/* sanitizer/allocator_interface.h, which gcc does not always bring along. */
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *));

static void on_malloc(const volatile void *p, size_t size)
{
    (void)p;
    (void)size;
    count += is_on;
}

static void on_free(const volatile void *p)
{
    (void)p;
}

static void install(void)
{
    static bool is_installed;
    if (!is_installed && __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) == 0) {
        fputs("the sanitizer takes no hook for malloc\n", stderr);
        abort();
    }
    is_installed = true;
}

#else

/* glibc's own functions under the names that it keeps for those who interpose. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size)
{
    count += is_on;
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    count += is_on;
    return __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
    count += is_on;
    return __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    count += is_on;
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **ret, size_t alignment, size_t size)
{
    count += is_on;
    *ret = __libc_memalign(alignment, size);
    return *ret ? 0 : ENOMEM;
}

static void install(void)
{
}

#endif

bool malloc_count_switch(bool on)
{
    bool was_on = is_on;
    install();
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
