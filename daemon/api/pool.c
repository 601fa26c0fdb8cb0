/*
 * One queue for all workers, under one mutex: a long query keeps one worker and the next request goes to the
 * other. The queues are lists through the work itself, so that nothing is allocated and nothing can be full.
 */
#include "api/pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define WORKERS_MAX 8

struct queue {
    struct work *first, *last;
};

struct worker {
    struct pool *pool;
    struct store_reader *reader;
    pthread_t thread;
};

struct pool {
    const struct api_sources *sources;
    pthread_mutex_t lock;
    pthread_cond_t has_work;
    struct queue waiting, done; /* under `lock`, as is_ending */
    bool is_ending;
    int fd;
    size_t n_threads, n_readers;
    struct worker workers[WORKERS_MAX];
};

static void put(struct queue *q, struct work *work)
{
    work->next = NULL;
    if (q->last != NULL) {
        q->last->next = work;
    } else {
        q->first = work;
    }
    q->last = work;
}

static struct work *take(struct queue *q)
{
    struct work *work = q->first;

    if (work != NULL) {
        q->first = work->next;
        q->last = q->first != NULL ? q->last : NULL;
    }
    return work;
}

static struct work *wait_for_work(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    while (pool->waiting.first == NULL && !pool->is_ending) {
        pthread_cond_wait(&pool->has_work, &pool->lock);
    }
    struct work *work = take(&pool->waiting);
    pthread_mutex_unlock(&pool->lock);
    return work;
}

static void *run_worker(void *arg)
{
    struct worker *w = arg;
    struct pool *pool = w->pool;
    struct work *work;

    while ((work = wait_for_work(pool)) != NULL) {
        work->run(work, w->reader);
        pthread_mutex_lock(&pool->lock);
        put(&pool->done, work);
        pthread_mutex_unlock(&pool->lock);
        uint64_t one = 1;
        /* An eventfd refuses only when it counts 2^64 - 2, and then it is readable anyway. */
        ssize_t n = write(pool->fd, &one, sizeof(one));
        (void)n;
    }
    return NULL;
}

static int start_worker(struct pool *pool, struct err_info *reterr)
{
    struct worker *w = &pool->workers[pool->n_threads];

    w->pool = pool;
    if (pool->sources != NULL) {
        w->reader = pool->sources->reader_open(pool->sources->ctx, reterr);
        if (w->reader == NULL) {
            return err_set(reterr, ERR_STORE, "cannot open the database for reading");
        }
        pool->n_readers++;
    }
    int rc = pthread_create(&w->thread, NULL, run_worker, w);
    if (rc != 0) {
        return err_set(reterr, -rc, "cannot start a thread: %s", strerror(rc));
    }
    pool->n_threads++;
    return 0;
}

struct pool *pool_new(size_t n_workers, const struct api_sources *sources, struct err_info *reterr)
{
    struct pool *pool = calloc(1, sizeof(*pool));

    if (pool == NULL) {
        err_set(reterr, -ENOMEM, "out of memory");
        return NULL;
    }
    pool->sources = sources;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->has_work, NULL);
    pool->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pool->fd < 0) {
        err_set(reterr, -errno, "cannot make an eventfd: %s", strerror(errno));
        pool_free(pool);
        return NULL;
    }
    for (size_t i = 0; i < n_workers && i < WORKERS_MAX; i++) {
        if (start_worker(pool, reterr) < 0) {
            pool_free(pool);
            return NULL;
        }
    }
    return pool;
}

void pool_post(struct pool *pool, struct work *work)
{
    pthread_mutex_lock(&pool->lock);
    put(&pool->waiting, work);
    pthread_cond_signal(&pool->has_work);
    pthread_mutex_unlock(&pool->lock);
}

struct work *pool_take_done(struct pool *pool)
{
    uint64_t count;

    /* Before the queue is looked at: what ends in between is signalled again. */
    ssize_t n = read(pool->fd, &count, sizeof(count));
    (void)n;
    pthread_mutex_lock(&pool->lock);
    struct work *work = take(&pool->done);
    pthread_mutex_unlock(&pool->lock);
    return work;
}

struct work *pool_take_back(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    struct work *work = take(&pool->waiting);
    pthread_mutex_unlock(&pool->lock);
    return work;
}

int pool_fd(const struct pool *pool)
{
    return pool->fd;
}

void pool_free(struct pool *pool)
{
    if (pool == NULL) {
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->is_ending = true;
    pthread_cond_broadcast(&pool->has_work);
    pthread_mutex_unlock(&pool->lock);
    for (size_t i = 0; i < pool->n_threads; i++) {
        pthread_join(pool->workers[i].thread, NULL);
    }
    for (size_t i = 0; i < pool->n_readers; i++) {
        pool->sources->reader_close(pool->sources->ctx, pool->workers[i].reader);
    }
    if (pool->fd >= 0) {
        close(pool->fd);
    }
    pthread_cond_destroy(&pool->has_work);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}
