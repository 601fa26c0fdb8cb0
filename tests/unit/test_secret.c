/* base/secret: content, alignment, wiping, the limit on locked memory, dumps, and threads at once. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/secret.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* Around the cells' edges (their heads take 32 octets), a page, and beyond. */
static const size_t sizes[] = {0,    1,    31,   32,   33,   96,   97,   240,   1704,
                               2016, 2017, 4064, 4065, 4096, 8160, 8161, 100000};

static bool is_filled(const char *p, size_t from, size_t to, char with)
{
    for (size_t i = from; i < to; i++) {
        if (p[i] != with) {
            return false;
        }
    }
    return true;
}

static void gives_zeroed_aligned_memory(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) { /* from the second on from cells that were used */
        char *blocks[COUNT(sizes)];
        for (size_t i = 0; i < COUNT(sizes); i++) {
            blocks[i] = secret_alloc(sizes[i]);
            assert_non_null(blocks[i]);
            assert_int_equal((uintptr_t)blocks[i] % _Alignof(max_align_t), 0);
            assert_true(is_filled(blocks[i], 0, sizes[i], 0));
            memset(blocks[i], 'a' + (int)i, sizes[i]);
        }
        for (size_t i = 0; i < COUNT(sizes); i++) {
            assert_true(is_filled(blocks[i], 0, sizes[i], (char)('a' + (int)i)));
            secret_free(blocks[i]);
        }
    }
    secret_free(NULL);
}

static void realloc_keeps_content_and_zeroes_the_rest(void **state)
{
    (void)state;
    for (size_t from = 0; from < COUNT(sizes); from++) {
        for (size_t to = 0; to < COUNT(sizes); to++) {
            char *p = secret_realloc(NULL, sizes[from]);
            memset(p, 'k', sizes[from]);
            p = secret_realloc(p, sizes[to]);
            size_t kept = sizes[from] < sizes[to] ? sizes[from] : sizes[to];
            assert_true(is_filled(p, 0, kept, 'k'));
            p = secret_realloc(p, 100000); /* what a smaller size cut off must not come back */
            assert_true(is_filled(p, 0, kept, 'k'));
            assert_true(is_filled(p, kept, 100000, 0));
            secret_free(p);
        }
    }
}

static void an_absurd_size_is_refused(void **state)
{
    (void)state;
    assert_null(secret_alloc(SIZE_MAX));
    assert_null(secret_alloc(SIZE_MAX - 8));
    char *p = secret_alloc(3);
    memcpy(p, "abc", 3);
    assert_null(secret_realloc(p, SIZE_MAX / 2 + 1));
    assert_memory_equal(p, "abc", 3);
    secret_free(p);
}

enum { CHUNK = 65536 };

/* How often `mark` stands in the process's private anonymous memory. Reads through the kernel, which no
 * poisoning stops, into a shared mapping, so as not to find what it has read before. */
static int count_in_memory(const char *mark, size_t n)
{
    FILE *maps = fopen("/proc/self/maps", "r"), *mem = fopen("/proc/self/mem", "r");
    char *chunk = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(maps && mem && chunk != MAP_FAILED);
    setvbuf(mem, NULL, _IONBF, 0);
    char line[512];
    int count = 0;
    while (fgets(line, sizeof(line), maps)) {
        unsigned long from, to;
        char rights[8], path[256] = "";
        sscanf(line, "%lx-%lx %7s %*s %*s %*s %255s", &from, &to, rights, path);
        if (strcmp(rights, "rw-p") != 0 || path[0] || to - from > (64ul << 20)) {
            continue; /* named mappings, and the sanitizers' own shadows */
        }
        for (; from < to; from += CHUNK) {
            fseek(mem, (long)from, SEEK_SET);
            size_t got = fread(chunk, 1, to - from < CHUNK ? to - from : CHUNK, mem);
            for (char *at = chunk; (at = memmem(at, got - (size_t)(at - chunk), mark, n)); at++) {
                count++;
            }
        }
    }
    munmap(chunk, CHUNK);
    fclose(mem);
    fclose(maps);
    return count;
}

static void what_was_freed_is_gone(void **state)
{
    (void)state;
    char mark[16]; /* made here, so that it does not stand in the program itself */
    for (size_t i = 0; i < sizeof(mark); i++) {
        mark[i] = (char)(0xE1 + 7 * i);
    }
    static const size_t kinds[] = {16, 240, 4000, 20000};
    char *blocks[COUNT(kinds)];
    for (size_t i = 0; i < COUNT(kinds); i++) {
        blocks[i] = secret_alloc(kinds[i]);
        memcpy(blocks[i], mark, sizeof(mark));
    }
    int before = count_in_memory(mark, sizeof(mark));
    assert_true(before >= (int)COUNT(kinds));    /* the mark itself may lie in such memory too */
    blocks[0] = secret_realloc(blocks[0], 3000); /* moves */
    assert_int_equal(count_in_memory(mark, sizeof(mark)), before);
    for (size_t i = 0; i < COUNT(kinds); i++) {
        secret_free(blocks[i]);
    }
    assert_int_equal(count_in_memory(mark, sizeof(mark)), before - (int)COUNT(kinds));
}

/* Runs a check in a child, since what it changes cannot be taken back. */
static void in_child(int (*check)(void))
{
    pid_t child = fork();
    if (child == 0) {
        _exit(check());
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* A limit of nothing, without the right to pass it: memory still comes, and is counted. */
static int without_lockable_memory(void)
{
    if (setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){0, 0}) < 0 || (getuid() == 0 && setuid(65534) < 0)) {
        return 1;
    }
    size_t before = secret_unlocked_octets();
    char *p = secret_alloc(50000);
    if (!p || secret_unlocked_octets() < before + 50000) {
        return 2;
    }
    memset(p, 1, 50000);
    secret_free(p);
    return secret_unlocked_octets() == before ? 0 : 3;
}

static void unlocked_memory_is_given_and_counted(void **state)
{
    (void)state;
    in_child(without_lockable_memory);
}

static int is_hardened(void)
{
    struct rlimit limit;
    if (secret_harden_process() != 0 || secret_harden_process() != 0) {
        return 1;
    }
    if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0 || getrlimit(RLIMIT_CORE, &limit) < 0) {
        return 2;
    }
    return limit.rlim_cur == 0 && limit.rlim_max == 0 ? 0 : 3;
}

static void a_hardened_process_does_not_dump(void **state)
{
    (void)state;
    in_child(is_hardened);
}

static void *take_and_give(void *ctx)
{
    unsigned seed = (unsigned)(uintptr_t)ctx;
    char *held[16] = {0};
    size_t len[16] = {0};
    for (int i = 0; i < 4000; i++) {
        seed = seed * 1103515245u + 12345u;
        size_t at = (seed >> 16) % COUNT(held);
        if (held[at] && !is_filled(held[at], 0, len[at], (char)(uintptr_t)ctx)) {
            return "mixed up";
        }
        secret_free(held[at]);
        len[at] = sizes[(seed >> 20) % COUNT(sizes)] % 5000;
        held[at] = secret_alloc(len[at]);
        if (!held[at] || !is_filled(held[at], 0, len[at], 0)) {
            return "not clean";
        }
        memset(held[at], (int)(uintptr_t)ctx, len[at]);
    }
    for (size_t at = 0; at < COUNT(held); at++) {
        secret_free(held[at]);
    }
    return NULL;
}

static void threads_do_not_meet(void **state)
{
    (void)state;
    pthread_t threads[4];
    for (uintptr_t i = 0; i < COUNT(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, (void *)(i + 1)), 0);
    }
    for (size_t i = 0; i < COUNT(threads); i++) {
        void *complaint;
        pthread_join(threads[i], &complaint);
        assert_null(complaint);
    }
}

/* The leak sanitizer, at the end of this program, is the judge. */
static void may_hold_pointers_to_the_heap(void **state)
{
    (void)state;
    static char **kept[2];
    kept[0] = secret_alloc(sizeof(char *));
    kept[1] = secret_alloc(10000);
    *kept[0] = strdup("reached from a cell");
    *kept[1] = strdup("reached from a mapping");
    assert_true(*kept[0] && *kept[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_zeroed_aligned_memory),
        cmocka_unit_test(realloc_keeps_content_and_zeroes_the_rest),
        cmocka_unit_test(an_absurd_size_is_refused),
        cmocka_unit_test(what_was_freed_is_gone),
        cmocka_unit_test(unlocked_memory_is_given_and_counted),
        cmocka_unit_test(a_hardened_process_does_not_dump),
        cmocka_unit_test(threads_do_not_meet),
        cmocka_unit_test(may_hold_pointers_to_the_heap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
