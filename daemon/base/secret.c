/*
 * Secret memory.
 *
 * Small blocks are cells: powers of two cut from arenas that are mapped, locked and kept for good, one list
 * of free cells per size. A page and three system calls for every 240-octet key would soon meet the limit on
 * locked memory (8 MiB by default) and make an import of ten thousand bundles crawl. Larger blocks are
 * mappings of their own and go back to the system.
 *
 * Whatever lies behind a block's asked-for size is zero at all times, and so is a free cell but for its link:
 * growing in place needs no clearing, and a wiped cell is a clean one. Under the address sanitizer what is
 * not handed out is poisoned, since a list of one's own would hide what malloc's would show.
 */
#include "base/secret.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/poison.h"

#define ARENA_SIZE    ((size_t)64 * 1024)
#define CELL_MIN_BITS 6  /* 64 octets, 32 of them the caller's */
#define CELL_MAX_BITS 12 /* 4,096; larger ones are mapped singly */
#define PAGE_SIZE     ((size_t)4096)

/* Stands before every block. Its size keeps what follows aligned for any type. */
struct head {
    size_t size; /* as asked for */
    size_t room; /* what may follow the head */
    bool is_cell;
    bool is_locked;
    char pad[32 - 2 * sizeof(size_t) - 2];
};

_Static_assert(sizeof(struct head) % _Alignof(max_align_t) == 0, "blocks would not be aligned");

struct cell {
    struct cell *next;
};

static pthread_mutex_t the_lock = PTHREAD_MUTEX_INITIALIZER;
static struct cell *free_cells[CELL_MAX_BITS + 1]; /* by size in bits; guarded by the_lock */
static atomic_size_t unlocked_octets;

/* Zeroed, locked if the limit allows, left out of dumps. */
static void *map(size_t size, bool *ret_is_locked)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        return NULL;
    }
    may_hold_pointers(p, size);
    madvise(p, size, MADV_DONTDUMP); /* cannot fail on a fresh private mapping */
    /* mlock2, since the sanitizers turn mlock into nothing. Each page is locked when it is first touched:
     * what a slot keeps for the largest contents takes no room until they come. */
    *ret_is_locked = mlock2(p, size, MLOCK_ONFAULT) == 0;
    if (!*ret_is_locked) {
        atomic_fetch_add_explicit(&unlocked_octets, size, memory_order_relaxed);
    }
    return p;
}

static void unmap(void *p, size_t size, bool is_locked)
{
    holds_none_now(p, size);
    munmap(p, size);
    if (!is_locked) {
        atomic_fetch_sub_explicit(&unlocked_octets, size, memory_order_relaxed);
    }
}

/* Cuts a new arena into cells of 2^bits. With the_lock held. */
static bool add_arena(unsigned bits)
{
    bool is_locked; /* of no further use: an arena is never given back */
    char *arena = map(ARENA_SIZE, &is_locked);
    if (!arena) {
        return false;
    }
    for (size_t at = 0; at < ARENA_SIZE; at += (size_t)1 << bits) {
        struct cell *cell = (struct cell *)(void *)(arena + at);
        cell->next = free_cells[bits];
        free_cells[bits] = cell;
    }
    poison(arena, ARENA_SIZE);
    return true;
}

static unsigned cell_bits(size_t total)
{
    unsigned bits = CELL_MIN_BITS;
    while (((size_t)1 << bits) < total) {
        bits++;
    }
    return bits;
}

static struct head *take_cell(unsigned bits)
{
    pthread_mutex_lock(&the_lock);
    struct cell *cell = free_cells[bits] || add_arena(bits) ? free_cells[bits] : NULL;
    if (cell) {
        unpoison(cell, (size_t)1 << bits);
        free_cells[bits] = cell->next;
    }
    pthread_mutex_unlock(&the_lock);
    if (!cell) {
        return NULL;
    }
    *cell = (struct cell){0};
    struct head *head = (struct head *)(void *)cell;
    head->room = ((size_t)1 << bits) - sizeof(*head);
    head->is_cell = true;
    return head;
}

static void give_cell(struct head *head)
{
    size_t total = sizeof(*head) + head->room;
    unsigned bits = cell_bits(total);
    secret_wipe(head, total);
    struct cell *cell = (struct cell *)(void *)head;
    pthread_mutex_lock(&the_lock);
    cell->next = free_cells[bits];
    free_cells[bits] = cell;
    poison(cell, total);
    pthread_mutex_unlock(&the_lock);
}

static struct head *map_block(size_t total)
{
    total = (total + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
    bool is_locked;
    struct head *head = map(total, &is_locked);
    if (head) {
        head->room = total - sizeof(*head);
        head->is_locked = is_locked;
    }
    return head;
}

static struct head *head_of(void *p)
{
    return (struct head *)p - 1;
}

void *secret_alloc(size_t size)
{
    if (size > SIZE_MAX / 2) {
        return NULL;
    }
    size_t total = sizeof(struct head) + size;
    struct head *head = total <= (size_t)1 << CELL_MAX_BITS ? take_cell(cell_bits(total)) : map_block(total);
    if (!head) {
        return NULL;
    }
    head->size = size;
    char *p = (char *)(head + 1);
    poison(p + size, head->room - size);
    return p;
}

void *secret_realloc(void *old, size_t size)
{
    if (!old) {
        return secret_alloc(size);
    }
    struct head *head = head_of(old);
    if (size <= head->room) {
        unpoison(old, head->room);
        if (size < head->size) {
            secret_wipe((char *)old + size, head->size - size);
        }
        head->size = size;
        poison((char *)old + size, head->room - size);
        return old;
    }
    void *fresh = secret_alloc(size);
    if (fresh) {
        memcpy(fresh, old, head->size);
        secret_free(old);
    }
    return fresh;
}

void secret_free(void *p)
{
    if (!p) {
        return;
    }
    struct head *head = head_of(p);
    unpoison(p, head->room);
    if (head->is_cell) {
        give_cell(head);
        return;
    }
    size_t total = sizeof(*head) + head->room;
    bool is_locked = head->is_locked;
    secret_wipe(head, total);
    unmap(head, total, is_locked);
}

void secret_wipe(void *p, size_t n)
{
    if (n > 0) {
        explicit_bzero(p, n);
    }
}

static bool is_zero(const char *p, size_t n)
{
    return n == 0 || (*p == 0 && memcmp(p, p + 1, n - 1) == 0);
}

void secret_wipe_used(void *p, size_t n)
{
    char *at = p;
    for (size_t piece; n > 0; at += piece, n -= piece) {
        piece = n < 512 ? n : 512;
        if (!is_zero(at, piece)) {
            secret_wipe(at, piece);
        }
    }
}

int secret_harden_process(void)
{
    if (setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}) < 0) {
        return -errno;
    }
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -errno : 0;
}

size_t secret_unlocked_octets(void)
{
    return atomic_load_explicit(&unlocked_octets, memory_order_relaxed);
}
