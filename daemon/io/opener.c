/*
 * One lock, two queues, detached threads. What makes it more than a textbook pool is that a thread may hang
 * where nothing can wake it: in open() or close() of a wedged tty. So
 *
 * - growth goes by "work waits and nobody is idle", without a clock: a burst of healthy opens grows the pool
 * as well, which costs a few short-lived threads and nothing else;
 * - a thread copies what it needs from its job before it calls, and looks at the pool again before it touches
 * the job afterwards: after opener_free the job's memory is no longer ours;
 * - the pool is freed by whoever leaves last, opener_free or a thread that was hanging.
 *
 * Joining with pthread_cancel was rejected: a thread in an uninterruptible sleep does not see it, and one
 * that does would leave the descriptor open.
 */
#include "io/opener.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mailbox.h"

struct queue {
    struct opener_job *first;
    struct opener_job **end; /* where the next one is linked */
};

struct opener {
    struct opener_config config; /* constant */
    struct mailbox *done;

    pthread_mutex_t lock; /* guards what follows, and is_cancelled and next of lent jobs */
    pthread_cond_t work;  /* something was queued, or it is stopping */
    pthread_cond_t ended; /* a thread has ended */
    struct queue closes, opens;
    unsigned n_queued, n_threads, n_idle;
    bool is_stopping;  /* no answers any more, but queued closes are carried out */
    bool is_abandoned; /* opener_free has returned: no job may be touched */
};

/* --- queues: with the lock held
 * ------------------------------------------------------------------------------------ */

static void put(struct queue *q, struct opener_job *job)
{
    job->next = NULL;
    *q->end = job;
    q->end = &job->next;
}

static struct opener_job *take(struct queue *q)
{
    struct opener_job *job = q->first;
    if (job) {
        q->first = job->next;
        if (!q->first) {
            q->end = &q->first;
        }
    }
    return job;
}

/* Whether it was in the queue. */
static bool take_out(struct queue *q, struct opener_job *job)
{
    struct opener_job **at = &q->first;
    while (*at && *at != job) {
        at = &(*at)->next;
    }
    if (!*at) {
        return false;
    }
    *at = job->next;
    if (!*at) {
        q->end = at;
    }
    return true;
}

/* --- threads
 * ------------------------------------------------------------------------------------------------------- */

/* The mailbox has room for every job that can be lent, and a job is in it once at most. */
static void answer(struct opener *opener, struct opener_job *job, int fd)
{
    job->fd = fd;
    int r = mailbox_send(opener->done, job);
    assert(r == 0);
    (void)r;
}

static void close_unlocked(struct opener *opener, int fd)
{
    pthread_mutex_unlock(&opener->lock);
    opener->config.close(opener->config.ctx, fd);
    pthread_mutex_lock(&opener->lock);
}

static void run_close(struct opener *opener, struct opener_job *job)
{
    close_unlocked(opener, job->fd);
    if (!opener->is_abandoned) {
        answer(opener, job, -1);
    }
}

static void run_open(struct opener *opener, struct opener_job *job)
{
    struct port_config config = job->config;
    struct err_info why = {0};
    pthread_mutex_unlock(&opener->lock);
    int fd = opener->config.open(opener->config.ctx, &config, &why);
    pthread_mutex_lock(&opener->lock);

    /* In this order: abandoned implies stopping, and an abandoned job may be gone. */
    bool is_unwanted = opener->is_stopping || job->is_cancelled;
    if (is_unwanted && fd >= 0) {
        close_unlocked(opener, fd);
    }
    if (!opener->is_abandoned) {
        job->why = why;
        answer(opener, job, is_unwanted ? -ECANCELED : fd);
    }
}

/* Closes first: a tty that is still open keeps a board that comes back from getting its old number again. */
static bool run_next(struct opener *opener)
{
    struct opener_job *job = take(&opener->closes);
    if (job) {
        opener->n_queued--;
        run_close(opener, job);
        return true;
    }
    job = take(&opener->opens);
    if (job) {
        opener->n_queued--;
        run_open(opener, job);
        return true;
    }
    return false;
}

/* Without anything that could still be queued or running. */
static void destroy(struct opener *opener)
{
    pthread_cond_destroy(&opener->ended);
    pthread_cond_destroy(&opener->work);
    pthread_mutex_destroy(&opener->lock);
    mailbox_free(opener->done);
    free(opener);
}

static void *worker(void *ctx)
{
    struct opener *opener = ctx;
    pthread_mutex_lock(&opener->lock);
    for (;;) {
        if (run_next(opener)) {
            continue;
        }
        if (opener->is_stopping || opener->n_threads > opener->config.threads) {
            break;
        }
        opener->n_idle++;
        pthread_cond_wait(&opener->work, &opener->lock);
        opener->n_idle--;
    }
    opener->n_threads--;
    bool is_last = opener->is_abandoned && opener->n_threads == 0;
    pthread_cond_broadcast(&opener->ended);
    pthread_mutex_unlock(&opener->lock);
    if (is_last) {
        destroy(opener);
    }
    return NULL;
}

/* With the lock held, or before anybody else knows the pool. Signals are the loop's: a worker must not catch
 * one. */
static int start_thread(struct opener *opener)
{
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    pthread_t thread;
    int r = pthread_create(&thread, &attr, worker, opener);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (r == 0) {
        opener->n_threads++;
    }
    return -r;
}

/* --- life
 * ----------------------------------------------------------------------------------------------------------
 */

static int real_open(void *ctx, const struct port_config *config, struct err_info *reterr)
{
    (void)ctx;
    return port_open(config, reterr);
}

static void real_close(void *ctx, int fd)
{
    (void)ctx;
    port_discard(fd);
}

static struct opener_config with_defaults(struct opener_config config)
{
    if (!config.open) {
        config.open = real_open;
    }
    if (!config.close) {
        config.close = real_close;
    }
    if (config.threads == 0) {
        config.threads = OPENER_THREADS;
    }
    if (config.threads_max == 0) {
        config.threads_max = OPENER_THREADS_MAX;
    }
    if (config.threads_max < config.threads) {
        config.threads_max = config.threads;
    }
    return config;
}

/* The condition that opener_free waits on with a bound must not follow the wall clock. */
static void init_monotonic(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

struct opener *opener_new(const struct opener_config *config, struct err_info *reterr)
{
    struct opener *opener = calloc(1, sizeof(*opener));
    if (!opener) {
        err_set(reterr, -ENOMEM, "no memory for the pool of openers");
        return NULL;
    }
    opener->config = with_defaults(*config);
    opener->closes.end = &opener->closes.first;
    opener->opens.end = &opener->opens.first;
    pthread_mutex_init(&opener->lock, NULL);
    pthread_cond_init(&opener->work, NULL);
    init_monotonic(&opener->ended);

    int r = -ENOMEM;
    opener->done = mailbox_new(config->jobs_max);
    if (opener->done) {
        pthread_mutex_lock(&opener->lock);
        do {
            r = start_thread(opener);
        } while (r == 0 && opener->n_threads < opener->config.threads);
        pthread_mutex_unlock(&opener->lock);
    }
    if (r < 0) {
        err_set(reterr, r, "the pool of openers cannot be started: %s", strerror(-r));
        opener_free(opener, OPENER_STOP_MS);
        return NULL;
    }
    return opener;
}

static void wait_for_threads(struct opener *opener, int stop_ms)
{
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += stop_ms / 1000;
    end.tv_nsec += (long)(stop_ms % 1000) * 1000000;
    if (end.tv_nsec >= 1000000000) {
        end.tv_sec++;
        end.tv_nsec -= 1000000000;
    }
    int r = 0;
    while (opener->n_threads > 0 && r != ETIMEDOUT) {
        r = pthread_cond_timedwait(&opener->ended, &opener->lock, &end);
    }
}

/* Opens that were answered and that nobody took. */
static void close_answers(struct opener *opener)
{
    struct opener_job *job;
    while (opener->done && opener_take(opener, &job, 1) == 1) {
        if (job->kind == OPENER_OPEN && job->fd >= 0) {
            close_unlocked(opener, job->fd);
        }
    }
}

void opener_free(struct opener *opener, int stop_ms)
{
    if (!opener) {
        return;
    }
    pthread_mutex_lock(&opener->lock);
    opener->is_stopping = true;
    while (take(&opener->opens)) {
        opener->n_queued--;
    }
    pthread_cond_broadcast(&opener->work);
    wait_for_threads(opener, stop_ms);
    close_answers(opener);

    /* Closes that no thread came to are left to the end of the process: nobody may hang here for them. */
    while (take(&opener->closes)) {
        opener->n_queued--;
    }
    opener->is_abandoned = true;
    bool is_last = opener->n_threads == 0;
    pthread_mutex_unlock(&opener->lock);
    if (is_last) {
        destroy(opener);
    }
}

/* --- the sender's side
 * --------------------------------------------------------------------------------------------- */

void opener_post(struct opener *opener, struct opener_job *job)
{
    pthread_mutex_lock(&opener->lock);
    job->is_cancelled = false;
    put(job->kind == OPENER_CLOSE ? &opener->closes : &opener->opens, job);
    opener->n_queued++;
    if (opener->n_queued > opener->n_idle && opener->n_threads < opener->config.threads_max) {
        (void)start_thread(opener); /* without another thread the job waits for one of those there are */
    }
    pthread_cond_signal(&opener->work);
    pthread_mutex_unlock(&opener->lock);
}

void opener_cancel(struct opener *opener, struct opener_job *job)
{
    pthread_mutex_lock(&opener->lock);
    if (take_out(&opener->opens, job)) {
        opener->n_queued--;
        answer(opener, job, -ECANCELED);
    } else {
        job->is_cancelled = true;
    }
    pthread_mutex_unlock(&opener->lock);
}

int opener_fd(const struct opener *opener)
{
    return mailbox_fd(opener->done);
}

size_t opener_take(struct opener *opener, struct opener_job **out, size_t max)
{
    size_t n = 0;
    void *job;
    while (n < max && mailbox_take(opener->done, &job, 1) == 1) {
        out[n++] = job;
    }
    return n;
}

unsigned opener_threads(struct opener *opener)
{
    pthread_mutex_lock(&opener->lock);
    unsigned n = opener->n_threads;
    pthread_mutex_unlock(&opener->lock);
    return n;
}
