/*
 * A sequence lock per record. Its number is odd while the record is being written; a reader that saw an odd
 * number, or another one afterwards than before, reads again.
 *
 * The record's words are atomics themselves, so that a torn read is no data race, and they carry the order:
 * the writer stores each with release, the reader loads each with acquire. A reader that got a word of a
 * newer record therefore also sees that record's odd number when it looks again. The usual form with two
 * fences would do the same with plainer stores, but the thread sanitizer does not follow fences, and on x86
 * these are plain moves either way.
 */
#include "base/snapshot.h"

#include <assert.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define WORD sizeof(uint64_t)
#define LINE_WORDS                                                                                           \
    8 /* records start on a cache line each, so that a reader of one does not slow the writer of another */
#define SPINS_TO_YIELD 100

typedef _Atomic uint64_t word;

struct snapshot {
    size_t records;
    size_t record_size;
    size_t stride; /* words from record to record: the number, the content, filling */
    word changes;
    word *at;
    void *memory; /* in which `at` lies */
};

struct snapshot *snapshot_new(size_t records, size_t record_size)
{
    if (records == 0 || record_size == 0 || record_size > SIZE_MAX / 2) {
        return NULL;
    }
    size_t stride = 1 + (record_size + WORD - 1) / WORD;
    stride = (stride + LINE_WORDS - 1) / LINE_WORDS * LINE_WORDS;
    size_t size;
    if (__builtin_mul_overflow(records, stride * WORD, &size) ||
        __builtin_add_overflow(size, LINE_WORDS * WORD, &size)) {
        return NULL;
    }
    struct snapshot *s = calloc(1, sizeof(*s));
    void *memory =
        s ? calloc(1, size) : NULL; /* not written: pages of records that never come take no room */
    if (!memory) {
        free(s);
        return NULL;
    }
    size_t line = LINE_WORDS * WORD, over = (uintptr_t)memory % line;
    s->memory = memory;
    s->at = (word *)(void *)((char *)memory + (over ? line - over : 0));
    s->records = records;
    s->record_size = record_size;
    s->stride = stride;
    return s;
}

void snapshot_free(struct snapshot *s)
{
    if (s) {
        free(s->memory);
        free(s);
    }
}

size_t snapshot_count(const struct snapshot *s)
{
    return s->records;
}

static word *number_of(const struct snapshot *s, size_t i)
{
    assert(i < s->records);
    return s->at + i * s->stride;
}

static size_t piece(size_t record_size, size_t at)
{
    return record_size - at < WORD ? record_size - at : WORD;
}

void snapshot_publish(struct snapshot *s, size_t i, const void *record)
{
    word *number = number_of(s, i), *to = number + 1;
    uint64_t before = atomic_load_explicit(number, memory_order_relaxed);
    atomic_store_explicit(number, before + 1, memory_order_relaxed);
    for (size_t at = 0; at < s->record_size; at += WORD, to++) {
        uint64_t value = 0;
        memcpy(&value, (const char *)record + at, piece(s->record_size, at));
        atomic_store_explicit(to, value, memory_order_release);
    }
    atomic_store_explicit(number, before + 2, memory_order_release);
    uint64_t changes = atomic_load_explicit(&s->changes, memory_order_relaxed);
    atomic_store_explicit(&s->changes, changes + 1,
                          memory_order_release); /* one writer: no read-modify-write needed */
}

/* One attempt: whether what was copied is whole. */
static int try_read(const struct snapshot *s, size_t i, void *out, uint64_t *ret_number)
{
    const word *number = number_of(s, i), *from = number + 1;
    uint64_t before = atomic_load_explicit(number, memory_order_acquire);
    if (before & 1) {
        return 0;
    }
    for (size_t at = 0; at < s->record_size; at += WORD, from++) {
        uint64_t value = atomic_load_explicit(from, memory_order_acquire);
        memcpy((char *)out + at, &value, piece(s->record_size, at));
    }
    *ret_number = before;
    return atomic_load_explicit(number, memory_order_relaxed) == before;
}

uint64_t snapshot_read(const struct snapshot *s, size_t i, void *out)
{
    uint64_t number;
    for (unsigned spins = 1; !try_read(s, i, out, &number); spins++) {
        if (spins % SPINS_TO_YIELD == 0) {
            sched_yield(); /* the writer may have lost its processor in mid-record */
        }
    }
    return number / 2;
}

uint64_t snapshot_changes(const struct snapshot *s)
{
    return atomic_load_explicit(&s->changes, memory_order_acquire);
}
