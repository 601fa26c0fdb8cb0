/* io/loop: order within a turn, fairness, removal from callbacks, signals, and waking from another thread. */
#include "test_io.h"

#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "base/mailbox.h"

static char trace[256]; /* more than one turn of a descriptor that is always ready */

static void note(char c)
{
    size_t n = strlen(trace);
    assert_true(n < sizeof(trace) - 1);
    trace[n] = c;
    trace[n + 1] = '\0';
}

/* A callback that notes a letter and may do one thing to the loop. */
struct actor {
    char letter;
    struct loop *loop;
    struct loop_timer timer;
    struct loop_deferred deferred;
    struct loop_fd watch;
    struct actor *cancels, *defers;
    int64_t rearm_us; /* 0: not */
    bool quits;
};

static void act(void *ctx)
{
    struct actor *a = ctx;
    note(a->letter);
    if (a->cancels) {
        loop_timer_cancel(&a->cancels->timer);
        loop_defer_cancel(&a->cancels->deferred);
        loop_fd_remove(&a->cancels->watch);
    }
    if (a->defers) {
        loop_defer(a->loop, &a->defers->deferred);
    }
    if (a->rearm_us) {
        loop_timer_set(a->loop, &a->timer, a->rearm_us);
    }
    if (a->quits) {
        loop_quit(a->loop);
    }
}

static void act_on_fd(void *ctx, unsigned ready)
{
    assert_true(ready & LOOP_READ);
    act(ctx);
}

static struct actor make(struct loop *loop, char letter)
{
    return (struct actor){.letter = letter, .loop = loop};
}

static void bind_actor(struct actor *a)
{
    a->timer = (struct loop_timer){.fn = act, .ctx = a};
    a->deferred = (struct loop_deferred){.fn = act, .ctx = a};
}

static int setup(void **state)
{
    trace[0] = '\0';
    *state = loop_new();
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    loop_free(*state);
    return 0;
}

static void timers_run_by_deadline_whatever_the_order_of_setting(void **state)
{
    struct loop *loop = *state;
    static const struct {
        char letter;
        int64_t deadline_us;
    } rows[] = {{'c', 30}, {'a', 10}, {'d', 30}, {'b', 20}, {'z', TIME_NEVER}, {'e', 30}, {'x', 15}};
    struct actor actors[COUNT(rows)];
    for (size_t i = 0; i < COUNT(rows); i++) {
        actors[i] = make(loop, rows[i].letter);
        bind_actor(&actors[i]);
        loop_timer_set(loop, &actors[i].timer, rows[i].deadline_us);
    }
    loop_timer_cancel(&actors[6].timer); /* x */
    RUN_UNTIL(loop, strlen(trace) == 5);
    run_dry(loop);
    assert_string_equal(trace, "abcde");
}

static int64_t seen_now_us;

static void read_now(void *ctx)
{
    seen_now_us = loop_now_us(ctx);
}

static void now_is_never_behind_a_deadline_that_fired(void **state)
{
    struct loop *loop = *state;
    int64_t deadline_us = loop_now_us(loop) + 2000;
    struct loop_timer timer = {.fn = read_now, .ctx = loop};
    seen_now_us = 0;
    loop_timer_set(loop, &timer, deadline_us);
    RUN_UNTIL(loop, seen_now_us != 0);
    assert_true(seen_now_us >= deadline_us);
}

static void moving_the_first_timer_moves_the_alarm(void **state)
{
    struct loop *loop = *state;
    struct actor a = make(loop, 'a'), b = make(loop, 'b');
    bind_actor(&a);
    bind_actor(&b);
    loop_timer_set(loop, &a.timer, 1);
    loop_timer_set(loop, &b.timer, 2);
    loop_timer_set(loop, &a.timer, TIME_NEVER);
    RUN_UNTIL(loop, trace[0]);
    loop_timer_set(loop, &b.timer, loop_now_us(loop) + BOUND_US * 10);
    run_dry(loop);
    loop_timer_set(loop, &a.timer, 1); /* earlier than what the alarm is set to */
    RUN_UNTIL(loop, strlen(trace) == 2);
    assert_string_equal(trace, "ba");
    loop_timer_cancel(&b.timer);
}

static void a_due_timer_can_be_cancelled_by_one_before_it(void **state)
{
    struct loop *loop = *state;
    struct actor a = make(loop, 'a'), b = make(loop, 'b'), c = make(loop, 'c');
    bind_actor(&a);
    bind_actor(&b);
    bind_actor(&c);
    a.cancels = &b;
    loop_timer_set(loop, &a.timer, 1);
    loop_timer_set(loop, &b.timer, 2);
    loop_timer_set(loop, &c.timer, 3);
    RUN_UNTIL(loop, strlen(trace) == 2);
    run_dry(loop);
    assert_string_equal(trace, "ac");
}

/* A timer that re-arms itself for the past takes one call a turn: what else is due gets its turn. */
static void rearming_for_the_past_waits_for_the_next_turn(void **state)
{
    struct loop *loop = *state;
    struct actor a = make(loop, 'a'), b = make(loop, 'b');
    bind_actor(&a);
    bind_actor(&b);
    a.rearm_us = 1;
    loop_timer_set(loop, &a.timer, 1);
    loop_timer_set(loop, &b.timer, 2);
    RUN_UNTIL(loop, strlen(trace) >= 4);
    assert_memory_equal(trace, "abaa", 4);
    loop_timer_cancel(&a.timer);
}

static void deferred_calls_run_after_what_was_ready_and_once(void **state)
{
    struct loop *loop = *state;
    struct actor t = make(loop, 't'), d = make(loop, 'd'), e = make(loop, 'e'), f = make(loop, 'f'),
                 g = make(loop, 'g');
    struct actor *all[] = {&t, &d, &e, &f, &g};
    for (size_t i = 0; i < COUNT(all); i++) {
        bind_actor(all[i]);
    }
    d.defers = &e; /* runs in the next turn */
    d.cancels = &g;
    loop_defer(loop, &d.deferred);
    loop_defer(loop, &f.deferred);
    loop_defer(loop, &d.deferred);
    loop_defer(loop, &g.deferred);
    loop_timer_set(loop, &t.timer, 1);
    int r = loop_turn(loop, US_PER_S);
    assert_true(r == 1);
    assert_string_equal(trace, "tdf");
    run_dry(loop);
    assert_string_equal(trace, "tdfe");
}

static void read_nothing(void *ctx, unsigned ready)
{
    (void)ctx;
    assert_int_equal(ready, LOOP_READ);
}

/* An event that is always ready cannot keep the deferred calls waiting, nor the timers. */
static void nothing_starves_behind_a_chatty_descriptor(void **state)
{
    struct loop *loop = *state;
    int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    struct actor d = make(loop, 'd'), t = make(loop, 't');
    bind_actor(&d);
    bind_actor(&t);
    struct loop_fd chatty = {0};
    assert_int_equal(loop_fd_add(loop, &chatty, fd, LOOP_READ, read_nothing, loop), 0);
    loop_defer(loop, &d.deferred);
    loop_timer_set(loop, &t.timer, 1);
    assert_true(loop_turn(loop, US_PER_S) > 1);
    assert_int_equal(strlen(trace), 2);
    assert_non_null(strchr(trace, 'd'));
    assert_non_null(strchr(trace, 't'));
    loop_fd_remove(&chatty);
    close(fd);
}

static void a_ready_descriptor_can_be_removed_by_the_one_before_it(void **state)
{
    struct loop *loop = *state;
    int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    struct actor a = make(loop, 'a'), b = make(loop, 'a');
    a.cancels = &b; /* whichever runs first removes the other */
    b.cancels = &a;
    bind_actor(&a);
    bind_actor(&b);
    int other = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_int_equal(loop_fd_add(loop, &a.watch, fd, LOOP_READ, act_on_fd, &a), 0);
    assert_int_equal(loop_fd_add(loop, &b.watch, other, LOOP_READ, act_on_fd, &b), 0);
    assert_true(loop_turn(loop, US_PER_S) > 0);
    size_t n = strlen(trace);
    assert_true(n > 0);
    assert_true(!a.watch.source != !b.watch.source);
    loop_fd_remove(&a.watch);
    loop_fd_remove(&b.watch);
    run_dry(loop);
    assert_int_equal(strlen(trace), n);
    close(fd);
    close(other);
}

static unsigned last_ready, n_ready;

static void note_ready(void *ctx, unsigned ready)
{
    (void)ctx;
    last_ready = ready;
    n_ready++;
}

static void interest_and_hang_up(void **state)
{
    struct loop *loop = *state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    struct loop_fd watch = {0};
    n_ready = 0;
    assert_int_equal(loop_fd_add(loop, &watch, pair[0], LOOP_READ, note_ready, NULL), 0);
    run_dry(loop);
    assert_int_equal(n_ready, 0);
    assert_int_equal(loop_fd_set(&watch, LOOP_READ | LOOP_WRITE), 0);
    RUN_UNTIL(loop, n_ready > 0);
    assert_int_equal(last_ready, LOOP_WRITE);
    assert_int_equal(loop_fd_set(&watch, 0), 0);
    close(pair[1]);
    n_ready = 0;
    RUN_UNTIL(loop, n_ready > 0);
    assert_int_equal(last_ready, LOOP_HANGUP);
    loop_fd_remove(&watch);
    loop_fd_remove(&watch);
    close(pair[0]);
}

static void a_plain_file_cannot_be_waited_for(void **state)
{
    char path[] = "/tmp/certline-test-XXXXXX";
    int fd = mkstemp(path);
    struct loop_fd watch = {0};
    assert_int_equal(loop_fd_add(*state, &watch, fd, LOOP_READ, note_ready, NULL), -EPERM);
    assert_null(watch.source);
    close(fd);
    unlink(path);
}

static void quitting_finishes_the_turn(void **state)
{
    struct loop *loop = *state;
    struct actor a = make(loop, 'a'), b = make(loop, 'b'), c = make(loop, 'c'), d = make(loop, 'd');
    bind_actor(&a);
    bind_actor(&b);
    bind_actor(&c);
    bind_actor(&d);
    a.quits = true;
    a.defers = &c;
    loop_timer_set(loop, &a.timer, 1);
    loop_timer_set(loop, &b.timer, 2);
    loop_timer_set(loop, &d.timer, loop_now_us(loop) + BOUND_US * 10);
    assert_int_equal(loop_run(loop), 0);
    assert_string_equal(trace, "abc");
    loop_timer_cancel(&d.timer);
}

static void signals_arrive_in_the_loop(void **state)
{
    struct loop *loop = *state;
    sigset_t before;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    struct actor a = make(loop, 'T'), b = make(loop, 'I');
    assert_int_equal(loop_on_signal(loop, SIGTERM, act, &a), 0);
    assert_int_equal(loop_on_signal(loop, SIGINT, act, &b), 0);
    raise(SIGTERM);
    RUN_UNTIL(loop, strlen(trace) == 1);
    raise(SIGINT);
    RUN_UNTIL(loop, strlen(trace) == 2);
    assert_string_equal(trace, "TI");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

#define MESSAGES 10000

static void *send_all(void *ctx)
{
    static int message;
    for (int i = 0; i < MESSAGES;) {
        i += mailbox_send(ctx, &message) == 0;
    }
    return NULL;
}

struct receiver {
    struct mailbox *box;
    int n;
};

static void receive(void *ctx, unsigned ready)
{
    (void)ready;
    struct receiver *r = ctx;
    void *messages[7];
    r->n += (int)mailbox_take(r->box, messages, COUNT(messages));
}

static void another_thread_wakes_it_through_a_mailbox(void **state)
{
    struct loop *loop = *state;
    struct receiver r = {.box = mailbox_new(16)};
    struct loop_fd watch = {0};
    assert_int_equal(loop_fd_add(loop, &watch, mailbox_fd(r.box), LOOP_READ, receive, &r), 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, send_all, r.box), 0);
    RUN_UNTIL(loop, r.n == MESSAGES);
    pthread_join(thread, NULL);
    loop_fd_remove(&watch);
    mailbox_free(r.box);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(timers_run_by_deadline_whatever_the_order_of_setting),
        T(now_is_never_behind_a_deadline_that_fired),
        T(moving_the_first_timer_moves_the_alarm),
        T(a_due_timer_can_be_cancelled_by_one_before_it),
        T(rearming_for_the_past_waits_for_the_next_turn),
        T(deferred_calls_run_after_what_was_ready_and_once),
        T(nothing_starves_behind_a_chatty_descriptor),
        T(a_ready_descriptor_can_be_removed_by_the_one_before_it),
        T(interest_and_hang_up),
        T(a_plain_file_cannot_be_waited_for),
        T(quitting_finishes_the_turn),
        T(signals_arrive_in_the_loop),
        T(another_thread_wakes_it_through_a_mailbox),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
