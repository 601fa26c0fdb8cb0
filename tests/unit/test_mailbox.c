/* base/mailbox: order, bounds, the descriptor as state, and many senders against one receiver. */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mailbox.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static char letters[26]; /* messages are their addresses */

static bool is_readable(const struct mailbox *box)
{
    struct pollfd p = {.fd = mailbox_fd(box), .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static void keeps_order_and_bounds(void **state)
{
    (void)state;
    struct mailbox *box = mailbox_new(3);
    void *out[4];
    size_t sent = 0, taken = 0;
    for (int round = 0; round < 7; round++) { /* the ring's seam comes to lie everywhere */
        while (mailbox_send(box, &letters[sent % 26]) == 0) {
            sent++;
        }
        assert_int_equal(sent - taken, 3);
        assert_int_equal(mailbox_send(box, &letters[0]), ERR_FULL);
        size_t n = mailbox_take(box, out, round % 2 ? 4 : 2);
        assert_int_equal(n, round % 2 ? 3 : 2);
        for (size_t i = 0; i < n; i++) {
            assert_ptr_equal(out[i], &letters[taken++ % 26]);
        }
    }
    assert_int_equal(mailbox_take(box, out, 0), 0);
    mailbox_free(box);
    mailbox_free(NULL);
}

static void refuses_senseless_capacities(void **state)
{
    (void)state;
    assert_null(mailbox_new(0));
    assert_null(mailbox_new(1000001));
    struct mailbox *box = mailbox_new(1000000);
    assert_non_null(box);
    mailbox_free(box);
}

static void is_readable_while_messages_wait(void **state)
{
    (void)state;
    struct mailbox *box = mailbox_new(4);
    void *out[4];
    assert_false(is_readable(box));
    mailbox_send(box, &letters[0]);
    mailbox_send(box, &letters[1]);
    assert_true(is_readable(box));
    assert_true(is_readable(box));
    mailbox_take(box, out, 1);
    assert_true(is_readable(box));
    mailbox_take(box, out, 4);
    assert_false(is_readable(box));
    assert_int_equal(mailbox_take(box, out, 4), 0);
    mailbox_send(box, &letters[2]);
    assert_true(is_readable(box));
    mailbox_wait(box, -1); /* does not wait */
    mailbox_free(box);
}

static void close_stops_senders_not_the_receiver(void **state)
{
    (void)state;
    struct mailbox *box = mailbox_new(4);
    void *out[4];
    mailbox_send(box, &letters[0]);
    assert_false(mailbox_is_closed(box));
    mailbox_close(box);
    mailbox_close(box);
    assert_true(mailbox_is_closed(box));
    assert_int_equal(mailbox_send(box, &letters[1]), ERR_CLOSED);
    assert_int_equal(mailbox_take(box, out, 4), 1);
    assert_ptr_equal(out[0], &letters[0]);
    assert_true(is_readable(box));
    mailbox_wait(box, -1);
    assert_int_equal(mailbox_take(box, out, 4), 0);
    mailbox_free(box);
}

static void waits_no_longer_than_told(void **state)
{
    (void)state;
    struct mailbox *box = mailbox_new(1);
    mailbox_wait(box, 0);
    mailbox_wait(box, 1);
    assert_false(is_readable(box));
    mailbox_free(box);
}

/* ---- many senders */

enum { SENDERS = 4, EACH = 5000 };

struct letter {
    int sender, number;
};

struct post {
    struct mailbox *box;
    int sender;
    struct letter letters[EACH]; /* written by the sender without a lock: handing over must order it */
};

static void *send_all(void *ctx)
{
    struct post *post = ctx;
    for (int i = 0; i < EACH; i++) {
        post->letters[i] = (struct letter){post->sender, i};
        while (mailbox_send(post->box, &post->letters[i]) == ERR_FULL) {
            sched_yield();
        }
    }
    return NULL;
}

/* Takes until all have come: each sender's letters in their order, none lost, none twice. */
static void receive_all(struct mailbox *box)
{
    int next[SENDERS] = {0};
    void *out[7];
    for (int got = 0; got < SENDERS * EACH;) {
        mailbox_wait(box, -1);
        size_t n = mailbox_take(box, out, 1 + (size_t)got % COUNT(out));
        for (size_t i = 0; i < n; i++, got++) {
            const struct letter *letter = out[i];
            assert_int_equal(letter->number, next[letter->sender]);
            next[letter->sender]++;
        }
    }
    assert_int_equal(mailbox_take(box, out, 1), 0);
    assert_false(is_readable(box));
}

static void many_senders_lose_nothing(void **state)
{
    (void)state;
    static struct post posts[SENDERS];
    static const size_t capacities[] = {1, 2, 64, 100000};
    for (size_t c = 0; c < COUNT(capacities); c++) {
        struct mailbox *box = mailbox_new(capacities[c]);
        pthread_t threads[SENDERS];
        for (int i = 0; i < SENDERS; i++) {
            posts[i].box = box;
            posts[i].sender = i;
            assert_int_equal(pthread_create(&threads[i], NULL, send_all, &posts[i]), 0);
        }
        receive_all(box);
        for (int i = 0; i < SENDERS; i++) {
            pthread_join(threads[i], NULL);
        }
        mailbox_free(box);
    }
}

static void *send_until_closed(void *ctx)
{
    uintptr_t sent = 0;
    for (int r = 0; r != ERR_CLOSED;) {
        r = mailbox_send(ctx, &letters[0]);
        sent += r == 0;
        if (r == ERR_FULL) {
            sched_yield();
        }
    }
    return (void *)sent;
}

/* What was accepted before the close can be taken after it, to the last one. */
static void close_races_with_senders(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct mailbox *box = mailbox_new(16);
        pthread_t threads[SENDERS];
        for (int i = 0; i < SENDERS; i++) {
            assert_int_equal(pthread_create(&threads[i], NULL, send_until_closed, box), 0);
        }
        uintptr_t taken = 0, sent = 0;
        void *out[8];
        while (taken < 200) {
            mailbox_wait(box, -1);
            taken += mailbox_take(box, out, COUNT(out));
        }
        mailbox_close(box);
        for (int i = 0; i < SENDERS; i++) {
            void *result;
            pthread_join(threads[i], &result);
            sent += (uintptr_t)result;
        }
        for (size_t n; (n = mailbox_take(box, out, COUNT(out))) > 0;) {
            taken += n;
        }
        assert_int_equal(taken, sent);
        mailbox_free(box);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_order_and_bounds),
        cmocka_unit_test(refuses_senseless_capacities),
        cmocka_unit_test(is_readable_while_messages_wait),
        cmocka_unit_test(close_stops_senders_not_the_receiver),
        cmocka_unit_test(waits_no_longer_than_told),
        cmocka_unit_test(many_senders_lose_nothing),
        cmocka_unit_test(close_races_with_senders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
