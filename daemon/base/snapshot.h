/*
 * An array of fixed-size records that one thread writes and any number reads: how the line shows its slots to
 * HTTP. Publishing never waits and takes no lock; a reader that meets a record in mid-write reads it again.
 * Each record is whole in itself; two records may come from different moments.
 *
 * A record is copied as octets: it must hold no pointers to what may go away.
 */
#ifndef CERTLINE_BASE_SNAPSHOT_H
#define CERTLINE_BASE_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

struct snapshot;

/* All records start as zeroes. NULL without memory, or when either number is 0. */
struct snapshot *snapshot_new(size_t records, size_t record_size);

/* Once neither writer nor readers are left. NULL is allowed. */
void snapshot_free(struct snapshot *s);

size_t snapshot_count(const struct snapshot *s);

/* Makes `record` (record_size octets) what readers see as record i. The writing thread only; i < count. */
void snapshot_publish(struct snapshot *s, size_t i, const void *record);

/* Copies record i into `out` (record_size octets). Returns how often it was published; 0 = never, `out` is
 * zeroes. */
uint64_t snapshot_read(const struct snapshot *s, size_t i, void *out);

/* How many publications there were in all. Whoever sees a number here also sees the records that made it up.
 */
uint64_t snapshot_changes(const struct snapshot *s);

#endif
