/* The live stream without sockets: a store that grows, slots that change, viewers that read as they like.
 * ctest: tsan */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "api/pool.h"
#include "api/stream.h"
#include "http/fake.h"
#include "store/read.h"
#include "support/storekit.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TEXT_MAX     (512 * 1024)

static struct fake fake;
static struct kit kit;
static struct api_sources sources;
static struct pool *pool;
static struct stream *stream;
static int64_t now;
static char text[TEXT_MAX];

static struct store_reader *open_reader(void *ctx, struct err_info *reterr)
{
    struct store_reader *reader = NULL;

    (void)ctx;
    return store_reader_open(&reader, kit.dir, NULL, reterr) == 0 ? reader : NULL;
}

static void close_reader(void *ctx, struct store_reader *reader)
{
    (void)ctx;
    store_reader_close(reader);
}

static int begin(void **state)
{
    struct err_info err = {0};

    (void)state;
    fake_init(&fake);
    kit_init(&kit);
    assert_int_equal(kit_open(&kit), 0);
    kit_register(&kit, KIT_POOL);
    sources = fake_sources(&fake);
    sources.reader_open = open_reader;
    sources.reader_close = close_reader;
    fake.event_seq = store_last_seq(kit.store);
    pool = pool_new(1, &sources, &err);
    assert_non_null(pool);
    struct stream_config config = {.sources = &sources, .clock = &clock_system, .pool = pool};
    stream = stream_new(&config);
    assert_non_null(stream);
    now = 1000 * US_PER_S;
    return 0;
}

/* Until no reading is under way. */
static void settle(void)
{
    do {
        stream_turn(stream, now);
        if (stream_busy(stream) > 0) {
            struct pollfd fd = {.fd = pool_fd(pool), .events = POLLIN};
            assert_int_equal(poll(&fd, 1, 60000), 1);
        }
    } while (stream_busy(stream) > 0);
    stream_turn(stream, now);
}

static int end(void **state)
{
    (void)state;
    while (stream_viewers(stream) != NULL) {
        stream_leave(stream, stream_viewers(stream));
    }
    settle();
    pool_free(pool);
    stream_free(stream);
    kit_done(&kit);
    return 0;
}

/* After a pause, and after what that brought has been read. */
static void pass(void)
{
    now += US_PER_S;
    settle();
}

/* An order that is opened or closed: one event. */
static void record(const char *id, bool is_close)
{
    struct store_op op = {.kind = is_close ? STORE_ORDER_CLOSE : STORE_ORDER_PUT};

    if (is_close) {
        snprintf(op.named.id, sizeof(op.named.id), "%s", id);
    } else {
        struct store_order_put *put = &op.order_put;
        snprintf(put->id, sizeof(put->id), "%s", id);
        snprintf(put->product, sizeof(put->product), "%s", kit.products[KIT_POOL].name);
        snprintf(put->version, sizeof(put->version), "%s", kit.products[KIT_POOL].version);
        snprintf(put->fixtures[0], sizeof(put->fixtures[0]), "rack1");
        put->n_fixtures = 1;
        put->quantity = 1;
    }
    kit_run(&kit, &op);
    assert_int_equal(op.result, 0);
    pthread_mutex_lock(&fake.lock);
    fake.event_seq = store_last_seq(kit.store);
    pthread_mutex_unlock(&fake.lock);
    bell_ring(fake.bell);
}

static void record_orders(int from, int to)
{
    for (int i = from; i < to; i++) {
        char id[16];
        snprintf(id, sizeof(id), "o-%d", i);
        record(id, false);
        record(id, true);
    }
}

/* All that there is for the viewer now, `step` octets at a time; replays are waited for. */
static const char *read_by(struct viewer *v, size_t step)
{
    size_t n = 0;

    for (;;) {
        size_t got = stream_fill(stream, v, text + n, step < TEXT_MAX - 1 - n ? step : TEXT_MAX - 1 - n);
        n += got;
        if (got == 0 && stream_busy(stream) == 0 && !v->is_woken) {
            break;
        }
        if (got == 0) {
            settle();
        }
    }
    text[n] = '\0';
    return text;
}

static const char *read_all(struct viewer *v)
{
    return read_by(v, TEXT_MAX);
}

static int count(const char *in, const char *what)
{
    int n = 0;

    for (const char *at = in; (at = strstr(at, what)) != NULL; at += strlen(what)) {
        n++;
    }
    return n;
}

static void join(struct viewer *v, int64_t last_id)
{
    assert_true(stream_join(stream, v, last_id));
    settle();
}

static void a_newcomer_is_told_everything(void **state)
{
    static struct viewer v;
    char expected[64];

    (void)state;
    join(&v, -1);
    read_all(&v);
    assert_memory_equal(text, "retry: 1000\n\n", 13);
    snprintf(expected, sizeof(expected), "id: %lld\nevent: resync\ndata: {\"seq\":%lld}\n\n",
             (long long)fake.event_seq, (long long)fake.event_seq);
    assert_memory_equal(text + 13, expected, strlen(expected));
    assert_int_equal(count(text, "event: slot\ndata: {"), FAKE_SLOTS);
    assert_string_equal(text + strlen(text) - 4, ": \n\n");
    assert_string_equal(read_all(&v), "");
}

static void pieces_make_the_same_whole(void **state)
{
    static char whole[TEXT_MAX];
    static struct viewer v, w;

    (void)state;
    join(&v, -1);
    strcpy(whole, read_all(&v));
    for (size_t step = 1; step < 8; step++) {
        join(&w, -1);
        assert_string_equal(read_by(&w, step), whole);
        stream_leave(stream, &w);
    }
}

static void only_what_changed_is_told_and_only_its_last_state(void **state)
{
    static struct viewer v, late;

    (void)state;
    join(&v, -1);
    join(&late, -1);
    read_all(&v);
    read_all(&late);
    for (int i = 0; i < 50; i++) {
        char step[16];
        snprintf(step, sizeof(step), "step-%d", i);
        fake_change(&fake, 1, step);
        if (i % 10 == 9) {
            pass();
            assert_int_equal(count(read_all(&v), "event: slot"), 1);
            assert_non_null(strstr(text, step));
        }
    }
    fake_change(&fake, 0, "other");
    pass();
    read_all(&v);
    assert_int_equal(count(text, "event: slot"), 1);

    read_all(&late); /* it has slept through all of it */
    assert_int_equal(count(text, "event: slot"), 2);
    assert_non_null(strstr(text, "step-49"));
    assert_non_null(strstr(text, "other"));
    assert_true(strstr(text, "step-49") < strstr(text, "other"));
}

static void a_pause_follows_each_look(void **state)
{
    static struct viewer v;

    (void)state;
    join(&v, -1);
    pass();
    read_all(&v);
    fake_change(&fake, 0, "a");
    assert_true(stream_listens(stream));
    stream_turn(stream, now);
    assert_non_null(strstr(read_all(&v), "\"a\""));

    fake_change(&fake, 0, "b");
    assert_false(stream_listens(stream));
    stream_spend(stream, 100 * US_PER_MS); /* telling it was dear */
    assert_int_equal(stream_deadline(stream), now + 50 * US_PER_MS);
    now += 50 * US_PER_MS;
    stream_turn(stream, now);
    assert_non_null(strstr(read_all(&v), "\"b\""));
    assert_int_equal(stream_deadline(stream), now + 800 * US_PER_MS);
    fake_change(&fake, 0, "c");
    now += 799 * US_PER_MS;
    stream_turn(stream, now);
    assert_null(strstr(read_all(&v), "\"c\""));
    now += US_PER_MS;
    stream_turn(stream, now);
    assert_non_null(strstr(read_all(&v), "\"c\""));

    stream_spend(stream, 60 * US_PER_S);
    fake_change(&fake, 0, "d");
    now += US_PER_S;
    stream_turn(stream, now);
    assert_int_equal(stream_deadline(stream), now + US_PER_S); /* a second at most */
}

static void records_are_told_with_their_numbers(void **state)
{
    static struct viewer v;
    char id[32];

    (void)state;
    join(&v, -1);
    read_all(&v);
    record("A", false);
    pass();
    read_all(&v);
    snprintf(id, sizeof(id), "id: %lld\nevent: order\n", (long long)fake.event_seq);
    assert_non_null(strstr(text, id));
    assert_non_null(strstr(text, "\"state\":\"open\""));
    assert_int_equal(count(text, "event: "), 1);

    record("A", true);
    record("B", false);
    record("B", true);
    pass();
    read_all(&v); /* each as it is now, once */
    assert_int_equal(count(text, "event: order"), 2);
    assert_int_equal(count(text, "\"state\":\"closed\""), 2);
}

static void who_comes_back_gets_the_rest(void **state)
{
    static char missed[TEXT_MAX];
    static struct viewer v, w;

    (void)state;
    join(&v, -1);
    read_all(&v);
    int64_t before = fake.event_seq;
    record_orders(0, 5);
    pass();
    strcpy(missed, read_all(&v));
    assert_int_equal(count(missed, "event: order"), 5);

    join(&w, before); /* from memory */
    read_all(&w);
    assert_int_equal(count(text, "event: resync"), 0);
    assert_memory_equal(text + 13, missed, strlen(missed));
    stream_leave(stream, &w);

    stream_leave(stream, &v); /* nobody there: memory is given up */
    join(&w, before);
    read_all(&w);
    assert_int_equal(count(text, "event: resync"), 0);
    assert_non_null(strstr(text, missed));
    assert_string_equal(text + strlen(text) - 4, ": \n\n"); /* behind the last of it */
    stream_leave(stream, &w);

    join(&w, fake.event_seq); /* it missed nothing */
    read_all(&w);
    assert_int_equal(count(text, "event: order"), 0);
    assert_int_equal(count(text, "event: resync"), 0);
    stream_leave(stream, &w);

    join(&w, fake.event_seq + 1); /* of another database */
    assert_int_equal(count(read_all(&w), "event: resync"), 1);
}

static void many_pages_are_replayed(void **state)
{
    static struct viewer w;

    (void)state;
    int64_t before = fake.event_seq;
    record_orders(0, 2 * STORE_CHANGES_EVENTS_MAX);
    join(&w, before);
    read_all(&w);
    assert_int_equal(count(text, "event: resync"), 0);
    assert_int_equal(count(text, "event: order"), 2 * STORE_CHANGES_EVENTS_MAX);
}

static void who_is_too_late_is_told_so(void **state)
{
    static struct viewer w;

    (void)state;
    int64_t before = fake.event_seq;
    record_orders(0, STREAM_REPLAY_MAX / 2 + 1);
    join(&w, before);
    read_all(&w);
    assert_int_equal(count(text, "event: resync"), 1);
    assert_int_equal(count(text, "event: order"), 0);
}

static void who_does_not_read_falls_out_alone(void **state)
{
    static struct viewer v, lazy;

    (void)state;
    join(&v, -1);
    join(&lazy, -1);
    read_all(&v);
    read_all(&lazy);
    for (int i = 0; i < 6; i++) {
        record_orders(i * 100, (i + 1) * 100);
        pass();
        assert_int_equal(count(read_all(&v), "event: order"), 100);
        assert_int_equal(count(text, "event: resync"), 0);
    }
    assert_true(lazy.is_woken);
    read_all(&lazy);
    assert_int_equal(count(text, "event: resync"), 1);
    assert_int_equal(count(text, "event: order"), 0);
    record("A", false);
    pass();
    assert_int_equal(count(read_all(&lazy), "event: order"), 1);
    assert_int_equal(count(read_all(&v), "event: order"), 1);
}

static void a_burst_that_nobody_could_read_is_a_resync(void **state)
{
    static struct viewer v;

    (void)state;
    join(&v, -1);
    read_all(&v);
    record_orders(0, STREAM_REPLAY_MAX / 2 + 1);
    pass();
    read_all(&v);
    assert_int_equal(count(text, "event: resync"), 1);
    assert_int_equal(count(text, "event: order"), 0);
}

static void a_viewer_may_leave_at_any_time(void **state)
{
    static struct viewer v, w;

    (void)state;
    join(&v, -1);
    record("A", false);
    assert_true(stream_join(stream, &w, 1));
    (void)stream_fill(stream, &w, text, 20); /* its page is being read, and its first frame half told */
    stream_leave(stream, &w);
    stream_leave(stream, &v);
    settle();
    assert_int_equal(stream_count(stream), 0);
}

static void silence_is_broken_by_comments(void **state)
{
    static struct viewer v;

    (void)state;
    join(&v, -1);
    read_all(&v);
    pass();
    read_all(&v);
    for (int i = 0; i < 3; i++) {
        now = stream_deadline(stream);
        stream_turn(stream, now);
        assert_true(v.is_woken);
        assert_string_equal(read_all(&v), ": \n\n");
    }
    assert_true(STREAM_BEAT_US < 15 * US_PER_S);
}

static void there_is_a_limit(void **state)
{
    static struct viewer viewers[STREAM_VIEWERS_MAX + 1];

    (void)state;
    for (int i = 0; i < STREAM_VIEWERS_MAX; i++) {
        assert_true(stream_join(stream, &viewers[i], -1));
    }
    assert_false(stream_join(stream, &viewers[STREAM_VIEWERS_MAX], -1));
    stream_leave(stream, &viewers[7]);
    assert_true(stream_join(stream, &viewers[STREAM_VIEWERS_MAX], -1));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_newcomer_is_told_everything),
        TEST(pieces_make_the_same_whole),
        TEST(only_what_changed_is_told_and_only_its_last_state),
        TEST(a_pause_follows_each_look),
        TEST(records_are_told_with_their_numbers),
        TEST(who_comes_back_gets_the_rest),
        TEST(many_pages_are_replayed),
        TEST(who_is_too_late_is_told_so),
        TEST(who_does_not_read_falls_out_alone),
        TEST(a_burst_that_nobody_could_read_is_a_resync),
        TEST(a_viewer_may_leave_at_any_time),
        TEST(silence_is_broken_by_comments),
        TEST(there_is_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
