/*
 * Tells the address sanitizer which octets of a private allocator are in nobody's hands, and the leak
 * sanitizer that pointers may lie in its memory (only malloc's own is searched otherwise). Nothing in other
 * builds.
 */
#ifndef CERTLINE_BASE_POISON_H
#define CERTLINE_BASE_POISON_H

#include <stddef.h>

#if defined(__has_feature)
#define POISON_HAS_FEATURE(x) __has_feature(x)
#else
#define POISON_HAS_FEATURE(x) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || POISON_HAS_FEATURE(address_sanitizer)

#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>

static inline void poison(const void *p, size_t n)
{
    __asan_poison_memory_region(p, n);
}

static inline void unpoison(const void *p, size_t n)
{
    __asan_unpoison_memory_region(p, n);
}

static inline void may_hold_pointers(const void *p, size_t n)
{
    __lsan_register_root_region(p, n);
}

static inline void holds_none_now(const void *p, size_t n)
{
    __lsan_unregister_root_region(p, n);
}

#else

static inline void poison(const void *p, size_t n)
{
    (void)p, (void)n;
}

static inline void unpoison(const void *p, size_t n)
{
    (void)p, (void)n;
}

static inline void may_hold_pointers(const void *p, size_t n)
{
    (void)p, (void)n;
}

static inline void holds_none_now(const void *p, size_t n)
{
    (void)p, (void)n;
}

#endif
#endif
