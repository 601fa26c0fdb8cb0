#include "support/memsearch.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FRAGMENT      16
#define FRAGMENTS_MAX 1024
#define MASK          0xA5
#define PAGE          ((size_t)512)
#define CHUNK         ((size_t)1 << 20)
#define MAPPING_MAX   ((uint64_t)1 << 30) /* larger ones are the address sanitizer's shadow */
#define HITS_PRINTED  10

struct fragment {
    uint8_t masked[FRAGMENT];
};

struct memsearch {
    size_t n;
    struct fragment fragments[FRAGMENTS_MAX];
    uint8_t chunk[CHUNK + FRAGMENT];
    uint8_t begins[1 << 16]; /* by a fragment's first two octets: it may begin here */
};

static void must(bool ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "memsearch: %s\n", what);
        abort();
    }
}

struct memsearch *memsearch_new(void)
{
    struct memsearch *search =
        mmap(NULL, sizeof(*search), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(search != MAP_FAILED, "no memory");
    return search;
}

void memsearch_free(struct memsearch *search)
{
    munmap(search, sizeof(*search));
}

static void add_fragment(struct memsearch *search, const uint8_t *at, int step)
{
    must(search->n < FRAGMENTS_MAX, "too many fragments");
    struct fragment *fragment = &search->fragments[search->n++];
    for (int i = 0; i < FRAGMENT; i++) {
        fragment->masked[i] = (uint8_t)(at[i * step] ^ MASK);
    }
    search->begins[at[0] << 8 | at[step]] = 1;
}

void memsearch_add(struct memsearch *search, const void *text, size_t len, const void *known,
                   size_t known_len)
{
    const uint8_t *octets = text;
    for (size_t at = 0; at + FRAGMENT <= len; at += FRAGMENT) {
        if (known == NULL || memmem(known, known_len, octets + at, FRAGMENT) == NULL) {
            add_fragment(search, octets + at, 1);
            add_fragment(search, octets + at + FRAGMENT - 1, -1);
        }
    }
}

size_t memsearch_fragments(const struct memsearch *search)
{
    return search->n;
}

static bool matches(const struct memsearch *search, const uint8_t *at)
{
    for (size_t i = 0; i < search->n; i++) {
        int k = 0;
        while (k < FRAGMENT && (at[k] ^ MASK) == search->fragments[i].masked[k]) {
            k++;
        }
        if (k == FRAGMENT) {
            return true;
        }
    }
    return false;
}

/* Most of a process is empty pages: comparing them with themselves, one octet on, is what libc does fastest.
 */
static size_t skip_zeros(const uint8_t *at, size_t len)
{
    size_t skipped = 0;
    while (skipped + PAGE <= len && at[skipped] == 0 &&
           memcmp(at + skipped, at + skipped + 1, PAGE - 1) == 0) {
        skipped += PAGE - FRAGMENT; /* one that begins in the last zeros is seen */
    }
    return skipped;
}

static size_t search_chunk(const struct memsearch *search, size_t len, uint64_t address, const char *mapping,
                           size_t hits)
{
    size_t found = 0;
    for (size_t i = 0; i + FRAGMENT <= len; i++) {
        i += search->chunk[i] == 0 ? skip_zeros(search->chunk + i, len - i) : 0;
        const uint8_t *at = search->chunk + i;
        if (i + FRAGMENT > len) {
            break;
        }
        if (search->begins[at[0] << 8 | at[1]] != 0 && matches(search, at)) {
            if (hits + found < HITS_PRINTED) {
                (void)fprintf(stderr, "memsearch: a fragment at %" PRIx64 " in %s", address + i, mapping);
            }
            found++;
        }
    }
    return found;
}

static size_t search_mapping(struct memsearch *search, int mem, uint64_t from, uint64_t to,
                             const char *mapping, size_t hits)
{
    size_t found = 0;
    while (from < to) {
        size_t want = to - from < CHUNK + FRAGMENT ? (size_t)(to - from) : CHUNK + FRAGMENT;
        ssize_t got = pread(mem, search->chunk, want, (off_t)from);
        if (got <= 0) { /* special mappings cannot be read */
            break;
        }
        size_t step =
            (size_t)got < CHUNK ? (size_t)got : CHUNK; /* a fragment across two chunks is seen in the first */
        found += search_chunk(search, (size_t)got, from, mapping, hits + found);
        from += step;
    }
    return found;
}

size_t memsearch_run(struct memsearch *search)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    must(maps != NULL && mem >= 0, "no /proc/self");
    char line[512];
    size_t hits = 0;
    while (fgets(line, sizeof(line), maps) != NULL) {
        uint64_t from, to;
        char access[8];
        must(sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s", &from, &to, access) == 3, "odd mapping");
        if (access[0] == 'r' && access[1] == 'w' && to - from <= MAPPING_MAX) {
            hits += search_mapping(search, mem, from, to, line, hits);
        }
    }
    close(mem);
    (void)fclose(maps);
    return hits;
}
