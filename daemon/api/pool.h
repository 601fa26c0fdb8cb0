/*
 * The workers: threads for whatever may block (the store, the line's answer, SQL), each with a reader of its
 * own. Work goes in from the HTTP thread and comes back to it; a piece of work belongs to the pool in
 * between.
 */
#ifndef CERTLINE_API_POOL_H
#define CERTLINE_API_POOL_H

#include "api/api.h"

/* Embedded in what is to be done. */
struct work {
    struct work *next; /* the pool's */
    void (*run)(struct work *work, struct store_reader *reader);
};

struct pool; /* opaque */

/* Starts the threads, each with a reader of its own unless `sources` is NULL, which is borrowed for the
 * pool's life. NULL with *reterr. */
struct pool *pool_new(size_t n_workers, const struct api_sources *sources, struct err_info *reterr);

/* Queues; never fails and never waits. How much there can be is bounded by the connections. */
void pool_post(struct pool *pool, struct work *work);

/* One piece that is done, in the order they ended, or NULL. */
struct work *pool_take_done(struct pool *pool);

/* One piece that no worker has begun, or NULL: for a stop. */
struct work *pool_take_back(struct pool *pool);

/* Readable when something is done. Owned by the pool. */
int pool_fd(const struct pool *pool);

/* Waits for what is running or queued, then ends threads and readers. What is done must have been taken or is
 * dropped without a word. NULL is allowed. */
void pool_free(struct pool *pool);

#endif
