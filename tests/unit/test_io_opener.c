/* io/opener: whoever hangs holds up nobody else, what is cancelled is closed, and nothing leaks when the pool
 * goes. */
#include "test_io.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>

#include "io/opener.h"

/* Opens and closes by the path's first letter: 'h' hangs until the gate opens, 'n' fails, all else opens. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_open, hangs_closing;
    int n_hanging, n_opened, n_closed;
};

static void gate_wait(struct gate *g)
{
    g->n_hanging++;
    pthread_cond_broadcast(&g->changed);
    while (!g->is_open) {
        pthread_cond_wait(&g->changed, &g->lock);
    }
    g->n_hanging--;
}

static int gate_opener(void *ctx, const struct port_config *config, struct err_info *reterr)
{
    struct gate *g = ctx;
    int fd = -1;
    pthread_mutex_lock(&g->lock);
    if (config->path[0] == 'h') {
        gate_wait(g);
    }
    if (config->path[0] == 'n') {
        fd = err_set(reterr, -ENOENT, "%s is not there", config->path);
    } else {
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        assert(fd >= 0); /* not cmocka's: this is a thread of the pool */
        g->n_opened++;
    }
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
    return fd;
}

static void gate_closer(void *ctx, int fd)
{
    struct gate *g = ctx;
    pthread_mutex_lock(&g->lock);
    if (g->hangs_closing) {
        gate_wait(g);
    }
    close(fd);
    g->n_closed++;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
}

static void gate_set(struct gate *g, bool is_open)
{
    pthread_mutex_lock(&g->lock);
    g->is_open = is_open;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
}

static void gate_until_hanging(struct gate *g, int n)
{
    pthread_mutex_lock(&g->lock);
    while (g->n_hanging < n) {
        pthread_cond_wait(&g->changed, &g->lock);
    }
    pthread_mutex_unlock(&g->lock);
}

static void gate_until_closed(struct gate *g, int n)
{
    pthread_mutex_lock(&g->lock);
    while (g->n_closed < n) {
        pthread_cond_wait(&g->changed, &g->lock);
    }
    pthread_mutex_unlock(&g->lock);
}

static int gate_count(struct gate *g, const int *what)
{
    pthread_mutex_lock(&g->lock);
    int n = *what;
    pthread_mutex_unlock(&g->lock);
    return n;
}

#define JOBS 300

struct bench {
    struct gate gate;
    struct opener *opener;
    struct opener_job jobs[JOBS];
};

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));
    pthread_mutex_init(&b->gate.lock, NULL);
    pthread_cond_init(&b->gate.changed, NULL);
    struct opener_config config = {
        .open = gate_opener, .close = gate_closer, .ctx = &b->gate, .jobs_max = JOBS};
    b->opener = opener_new(&config, NULL);
    assert_non_null(b->opener);
    *state = b;
    return 0;
}

/* Every descriptor that was opened has been closed by somebody, whatever the test did. */
static int teardown(void **state)
{
    struct bench *b = *state;
    gate_set(&b->gate, true);
    opener_free(b->opener, (int)(BOUND_US / US_PER_MS));
    assert_int_equal(b->gate.n_opened, b->gate.n_closed);
    free(b);
    return 0;
}

static struct opener_job *post_open(struct bench *b, uint32_t slot, const char *path)
{
    struct opener_job *job = &b->jobs[slot];
    *job = (struct opener_job){.kind = OPENER_OPEN, .slot = slot, .generation = slot + 1000};
    strcpy(job->config.path, path);
    opener_post(b->opener, job);
    return job;
}

static void post_close(struct bench *b, struct opener_job *job)
{
    job->kind = OPENER_CLOSE;
    opener_post(b->opener, job);
}

static struct opener_job *take_one(struct bench *b)
{
    struct pollfd p = {.fd = opener_fd(b->opener), .events = POLLIN};
    assert_int_equal(poll(&p, 1, (int)(BOUND_US / US_PER_MS)), 1);
    struct opener_job *job;
    assert_int_equal(opener_take(b->opener, &job, 1), 1);
    return job;
}

static void take_nothing(struct bench *b)
{
    struct opener_job *job;
    assert_int_equal(opener_take(b->opener, &job, 1), 0);
}

static void opens_and_closes(void **state)
{
    struct bench *b = *state;
    struct opener_job *job = post_open(b, 7, "a");
    assert_ptr_equal(take_one(b), job);
    assert_true(job->fd >= 0);
    assert_int_equal(job->slot, 7);
    assert_int_equal(job->generation, 1007);
    post_close(b, job);
    assert_ptr_equal(take_one(b), job);
    assert_int_equal(job->fd, -1);

    job = post_open(b, 8, "nowhere");
    assert_ptr_equal(take_one(b), job);
    assert_int_equal(job->fd, -ENOENT);
    assert_string_equal(job->why.text, "nowhere is not there");
    take_nothing(b);
}

/* One thread less than there may ever be hangs, and everybody else is served. */
static void hanging_opens_delay_nobody_else(void **state)
{
    struct bench *b = *state;
    enum { HANGING = OPENER_THREADS_MAX - 1, SERVED = 200 };
    for (uint32_t i = 0; i < HANGING; i++) {
        post_open(b, i, "hangs");
    }
    gate_until_hanging(&b->gate, HANGING);
    for (uint32_t i = 0; i < SERVED; i++) {
        post_open(b, HANGING + i, "a");
    }
    for (int n_served = 0; n_served < SERVED;) {
        struct opener_job *job = take_one(b);
        assert_true(job->slot >= HANGING);
        if (job->kind == OPENER_CLOSE) {
            n_served++;
        } else {
            assert_true(job->fd >= 0);
            post_close(b, job);
        }
    }
    assert_int_equal(gate_count(&b->gate, &b->gate.n_hanging), HANGING);
    assert_true(opener_threads(b->opener) <= OPENER_THREADS_MAX);
    gate_set(&b->gate, true);
    int64_t end_us = clock_system.mono_us(&clock_system) + BOUND_US;
    while (opener_threads(b->opener) > OPENER_THREADS) { /* the added ones go */
        assert_true(clock_system.mono_us(&clock_system) < end_us);
        sched_yield();
    }
    for (int n_left = 2 * HANGING; n_left > 0; n_left--) {
        struct opener_job *job = take_one(b);
        if (job->kind == OPENER_OPEN) {
            post_close(b, job);
        }
    }
}

/* With every thread that there may be hanging the rest waits, and is served as soon as one comes back. */
static void beyond_the_bound_the_rest_waits(void **state)
{
    struct bench *b = *state;
    for (uint32_t i = 0; i < OPENER_THREADS_MAX; i++) {
        post_open(b, i, "hangs");
    }
    gate_until_hanging(&b->gate, OPENER_THREADS_MAX);
    struct opener_job *late = post_open(b, 100, "a");
    assert_int_equal(opener_threads(b->opener), OPENER_THREADS_MAX);
    take_nothing(b);
    gate_set(&b->gate, true);
    bool is_served = false;
    for (int n_left = 2 * (OPENER_THREADS_MAX + 1); n_left > 0; n_left--) {
        struct opener_job *job = take_one(b);
        is_served |= job == late;
        if (job->kind == OPENER_OPEN) {
            post_close(b, job);
        }
    }
    assert_true(is_served);
}

/* Nobody has begun: it comes back although every thread hangs. */
static void a_waiting_open_is_cancelled_at_once(void **state)
{
    struct bench *b = *state;
    for (uint32_t i = 0; i < OPENER_THREADS_MAX; i++) {
        post_open(b, i, "hangs");
    }
    gate_until_hanging(&b->gate, OPENER_THREADS_MAX);
    struct opener_job *first = post_open(b, 100, "a"), *last = post_open(b, 101, "a");
    opener_cancel(b->opener, last);
    assert_ptr_equal(take_one(b), last);
    assert_int_equal(last->fd, -ECANCELED);
    opener_cancel(b->opener, first);
    assert_ptr_equal(take_one(b), first);
    take_nothing(b);
}

/* With one thread the order of answers is that of its work. */
static void closes_go_before_opens(void **state)
{
    struct bench *b = *state;
    struct opener_config config = {.open = gate_opener,
                                   .close = gate_closer,
                                   .ctx = &b->gate,
                                   .threads = 1,
                                   .threads_max = 1,
                                   .jobs_max = 4};
    opener_free(b->opener, (int)(BOUND_US / US_PER_MS));
    b->opener = opener_new(&config, NULL);
    struct opener_job *job = post_open(b, 0, "a");
    assert_ptr_equal(take_one(b), job);
    struct opener_job *hanging = post_open(b, 1, "hangs");
    gate_until_hanging(&b->gate, 1);
    struct opener_job *other = post_open(b, 2, "a");
    post_close(b, job);
    gate_set(&b->gate, true);
    struct opener_job *expected[] = {hanging, job, other};
    for (size_t i = 0; i < COUNT(expected); i++) {
        assert_ptr_equal(take_one(b), expected[i]);
    }
    post_close(b, hanging);
    post_close(b, other);
}

static void a_cancelled_open_is_closed_by_the_pool(void **state)
{
    struct bench *b = *state;
    struct opener_job *job = post_open(b, 3, "hangs");
    gate_until_hanging(&b->gate, 1);
    opener_cancel(b->opener, job);
    take_nothing(b); /* lent until its thread is back */
    gate_set(&b->gate, true);
    assert_ptr_equal(take_one(b), job);
    assert_int_equal(job->fd, -ECANCELED);
    assert_int_equal(gate_count(&b->gate, &b->gate.n_closed), 1);

    strcpy(job->config.path, "a"); /* the job can be lent again, and is not cancelled any more */
    opener_post(b->opener, job);
    assert_ptr_equal(take_one(b), job);
    assert_true(job->fd >= 0);
    post_close(b, job);
    assert_ptr_equal(take_one(b), job);
}

/* Too late: the answer is under way and comes as it is. */
static void cancelling_an_answered_open_changes_nothing(void **state)
{
    struct bench *b = *state;
    struct opener_job *job = post_open(b, 3, "a");
    struct pollfd p = {.fd = opener_fd(b->opener), .events = POLLIN};
    assert_int_equal(poll(&p, 1, (int)(BOUND_US / US_PER_MS)), 1);
    opener_cancel(b->opener, job);
    assert_ptr_equal(take_one(b), job);
    assert_true(job->fd >= 0);
    post_close(b, job);
    assert_ptr_equal(take_one(b), job);
}

/* The pool goes while a thread hangs in open: freeing it does not wait, the jobs are gone, and what the
 * thread gets later is closed all the same. */
static void freeing_does_not_wait_for_a_hanging_open(void **state)
{
    struct bench *b = *state;
    struct opener_config config = {.open = gate_opener, .close = gate_closer, .ctx = &b->gate, .jobs_max = 4};
    struct opener *opener = opener_new(&config, NULL);
    struct opener_job *jobs = calloc(4, sizeof(*jobs));
    for (uint32_t i = 0; i < 3; i++) {
        jobs[i] = (struct opener_job){.kind = OPENER_OPEN, .slot = i, .config = {.path = "hangs"}};
        opener_post(opener, &jobs[i]);
    }
    gate_until_hanging(&b->gate, 3);
    opener_free(opener, 0);
    free(jobs);
    gate_set(&b->gate, true);
    gate_until_closed(&b->gate, 3);
}

/* As above, with a thread that hangs in close and a close that nobody came to. */
static void freeing_does_not_wait_for_a_hanging_close(void **state)
{
    struct bench *b = *state;
    struct opener_config config = {.open = gate_opener,
                                   .close = gate_closer,
                                   .ctx = &b->gate,
                                   .threads = 1,
                                   .threads_max = 1,
                                   .jobs_max = 2};
    struct opener *opener = opener_new(&config, NULL);
    int left = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct opener_job *jobs = calloc(2, sizeof(*jobs));
    jobs[0] = (struct opener_job){.kind = OPENER_CLOSE, .fd = open("/dev/null", O_RDWR | O_CLOEXEC)};
    jobs[1] = (struct opener_job){.kind = OPENER_CLOSE, .slot = 1, .fd = left};
    pthread_mutex_lock(&b->gate.lock);
    b->gate.hangs_closing = true;
    b->gate.n_opened += 1; /* the first one, for the balance at the end */
    pthread_mutex_unlock(&b->gate.lock);
    opener_post(opener, &jobs[0]);
    gate_until_hanging(&b->gate, 1);
    opener_post(opener, &jobs[1]);
    opener_free(opener, 0);
    free(jobs);
    gate_set(&b->gate, true);
    gate_until_closed(&b->gate, 1);
    assert_int_equal(close(left), 0); /* was left alone */
}

static void freeing_carries_out_what_can_be(void **state)
{
    struct bench *b = *state;
    struct opener_config config = {
        .open = gate_opener, .close = gate_closer, .ctx = &b->gate, .jobs_max = 64};
    struct opener *opener = opener_new(&config, NULL);
    struct opener_job jobs[64];
    for (uint32_t i = 0; i < 64; i++) {
        jobs[i] = (struct opener_job){.kind = OPENER_OPEN, .slot = i, .config = {.path = "a"}};
        opener_post(opener, &jobs[i]);
    }
    for (int n_opens = 0; n_opens < 16;) { /* some are closed, some answered, some not begun */
        struct pollfd p = {.fd = opener_fd(opener), .events = POLLIN};
        assert_int_equal(poll(&p, 1, (int)(BOUND_US / US_PER_MS)), 1);
        struct opener_job *done;
        if (opener_take(opener, &done, 1) == 1 && done->kind == OPENER_OPEN) {
            done->kind = OPENER_CLOSE;
            opener_post(opener, done);
            n_opens++;
        }
    }
    opener_free(opener, (int)(BOUND_US / US_PER_MS));
    assert_int_equal(b->gate.n_opened, b->gate.n_closed);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(opens_and_closes),
        T(hanging_opens_delay_nobody_else),
        T(beyond_the_bound_the_rest_waits),
        T(a_waiting_open_is_cancelled_at_once),
        T(closes_go_before_opens),
        T(a_cancelled_open_is_closed_by_the_pool),
        T(cancelling_an_answered_open_changes_nothing),
        T(freeing_does_not_wait_for_a_hanging_open),
        T(freeing_does_not_wait_for_a_hanging_close),
        T(freeing_carries_out_what_can_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
