/*
 * io/ports: generations, a close that hangs, a hang-up, and a full rack on one thread that allocates nothing
 * while it reads and writes. ctest: tsan, since the opener's threads are behind it.
 */
#include "test_io.h"

#include <pthread.h>
#include <sys/resource.h>

#include "base/err.h"
#include "io/ports.h"

#if defined(__has_feature)
#define HAS_FEATURE(x) __has_feature(x)
#else
#define HAS_FEATURE(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || HAS_FEATURE(address_sanitizer) ||       \
    HAS_FEATURE(thread_sanitizer)
#define COUNTS_ALLOCATIONS 1
/* Of the sanitizers' run-time library; gcc does not install its header. */
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *));
#else
#define COUNTS_ALLOCATIONS 0
#endif

#define SLOTS 256

/* The real open and close, behind a gate. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_shut_to_open, is_shut_to_close;
    int n_waiting;
    char path[PORT_PATH_SIZE]; /* whose opens wait; every close does */
};

static void gate_wait(struct gate *g, const bool *is_shut)
{
    pthread_mutex_lock(&g->lock);
    g->n_waiting++;
    pthread_cond_broadcast(&g->changed);
    while (*is_shut) {
        pthread_cond_wait(&g->changed, &g->lock);
    }
    g->n_waiting--;
    pthread_mutex_unlock(&g->lock);
}

static int gated_open(void *ctx, const struct port_config *config, struct err_info *reterr)
{
    struct gate *g = ctx;
    if (strcmp(config->path, g->path) == 0) {
        gate_wait(g, &g->is_shut_to_open);
    }
    return port_open(config, reterr);
}

static void gated_close(void *ctx, int fd)
{
    struct gate *g = ctx;
    pthread_mutex_lock(&g->lock);
    bool is_waiting = g->is_shut_to_close;
    pthread_mutex_unlock(&g->lock);
    if (is_waiting) {
        gate_wait(g, &g->is_shut_to_close);
    }
    port_discard(fd);
}

static void gate_set(struct gate *g, bool *what, bool is_shut)
{
    pthread_mutex_lock(&g->lock);
    *what = is_shut;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
}

static void gate_until_waiting(struct gate *g)
{
    pthread_mutex_lock(&g->lock);
    while (g->n_waiting == 0) {
        pthread_cond_wait(&g->changed, &g->lock);
    }
    pthread_mutex_unlock(&g->lock);
}

struct slot {
    int board;
    char path[PORT_PATH_SIZE];
    int n_opened, n_closed, n_writable, result;
    uint32_t generation; /* of the last event */
    char heard[256], detail[320];
    size_t n_heard;
};

struct bench {
    struct loop *loop;
    struct ports *ports;
    struct gate gate;
    uint32_t close_on_bytes, reopen_on_closed; /* generation, 0: not */
    int n_opened;
    struct slot slots[SLOTS];
};

static struct slot *at(void *ctx, uint32_t slot, uint32_t generation)
{
    struct bench *b = ctx;
    b->slots[slot].generation = generation;
    return &b->slots[slot];
}

static void on_opened(void *ctx, uint32_t slot, uint32_t generation, int result, const char *detail)
{
    struct slot *s = at(ctx, slot, generation);
    s->n_opened++;
    s->result = result;
    snprintf(s->detail, sizeof(s->detail), "%s", detail);
    ((struct bench *)ctx)->n_opened++;
}

static void on_bytes(void *ctx, uint32_t slot, uint32_t generation, struct span octets)
{
    struct slot *s = at(ctx, slot, generation);
    struct bench *b = ctx;
    for (size_t i = 0; i < octets.len; i++) {
        s->heard[s->n_heard++ % sizeof(s->heard)] = octets.at[i];
    }
    if (b->close_on_bytes) {
        ports_close(b->ports, slot, b->close_on_bytes);
    }
}

static void on_writable(void *ctx, uint32_t slot, uint32_t generation)
{
    at(ctx, slot, generation)->n_writable++;
}

static void on_closed(void *ctx, uint32_t slot, uint32_t generation)
{
    struct bench *b = ctx;
    at(ctx, slot, generation)->n_closed++;
    ports_close(b->ports, slot, generation); /* not needed, allowed */
    if (b->reopen_on_closed) {
        ports_open(b->ports, slot, b->reopen_on_closed);
    }
}

static void plug(struct bench *b, uint32_t slot)
{
    struct slot *s = &b->slots[slot];
    if (s->board >= 0) {
        close(s->board);
    }
    s->board = open_board(s->path, sizeof(s->path));
    struct port_config config = {0};
    strcpy(config.path, s->path);
    assert_int_equal(ports_set(b->ports, slot, &config), 0);
}

static void pull(struct bench *b, uint32_t slot)
{
    if (b->slots[slot].board >= 0) {
        close(b->slots[slot].board);
        b->slots[slot].board = -1;
    }
}

/* `threads`: of the opener; 0 for its usual number. */
static void start_ports(struct bench *b, unsigned threads)
{
    struct opener_config opener = {.open = gated_open,
                                   .close = gated_close,
                                   .ctx = &b->gate,
                                   .threads = threads,
                                   .threads_max = threads};
    struct ports_events events = {
        .ctx = b, .opened = on_opened, .bytes = on_bytes, .writable = on_writable, .closed = on_closed};
    b->ports = ports_new(b->loop, &opener, &events, NULL);
    assert_non_null(b->ports);
}

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));
    pthread_mutex_init(&b->gate.lock, NULL);
    pthread_cond_init(&b->gate.changed, NULL);
    for (uint32_t i = 0; i < SLOTS; i++) {
        b->slots[i].board = -1;
    }
    b->loop = loop_new();
    start_ports(b, 0);
    plug(b, 0);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    gate_set(&b->gate, &b->gate.is_shut_to_open, false);
    gate_set(&b->gate, &b->gate.is_shut_to_close, false);
    ports_free(b->ports, (int)(BOUND_US / US_PER_MS));
    for (uint32_t i = 0; i < SLOTS; i++) {
        pull(b, i);
    }
    loop_free(b->loop);
    free(b);
    return 0;
}

static void open_slot(struct bench *b, uint32_t slot, uint32_t generation)
{
    int before = b->slots[slot].n_opened;
    ports_open(b->ports, slot, generation);
    RUN_UNTIL(b->loop, b->slots[slot].n_opened > before);
    assert_int_equal(b->slots[slot].result, 0);
    assert_int_equal(b->slots[slot].generation, generation);
}

static void talks_with_the_right_generation_only(void **state)
{
    struct bench *b = *state;
    struct slot *s = &b->slots[0];
    assert_int_equal(ports_write(b->ports, 0, 5, span_str("AT\r")), ERR_CLOSED);
    open_slot(b, 0, 5);
    assert_int_equal(ports_open_count(b->ports), 1);
    assert_int_equal(ports_write(b->ports, 0, 4, span_str("AT\r")), ERR_CLOSED);
    assert_int_equal(ports_write(b->ports, 9, 5, span_str("AT\r")), ERR_CLOSED);
    assert_int_equal(ports_write(b->ports, UINT32_MAX, 5, span_str("AT\r")), ERR_CLOSED);
    assert_int_equal(ports_write(b->ports, 0, 5, span_str("AT\r")), 3);
    char text[3];
    read_all(s->board, text, 3);
    assert_memory_equal(text, "AT\r", 3);
    write_all(s->board, "OK\r\n", 4);
    RUN_UNTIL(b->loop, s->n_heard == 4);
    assert_int_equal(s->generation, 5);
    ports_close(b->ports, 0, 4);
    assert_int_equal(ports_open_count(b->ports), 1);
    ports_close(b->ports, 0, 5);
    assert_int_equal(ports_open_count(b->ports), 0);
    assert_int_equal(ports_write(b->ports, 0, 5, span_str("AT\r")), ERR_CLOSED);
    open_slot(b, 0, 6);
    assert_int_equal(s->n_closed, 0); /* closing is no news to who asked for it */
}

static void a_failed_open_says_why_and_can_be_tried_again(void **state)
{
    struct bench *b = *state;
    struct port_config config = {.path = "/dev/pts/nowhere"};
    assert_int_equal(ports_set(b->ports, 1, &config), 0);
    assert_int_equal(ports_set(b->ports, PORTS_SLOTS_MAX, &config), ERR_RANGE);
    for (int i = 1; i <= 2; i++) {
        ports_open(b->ports, 1, (uint32_t)i);
        RUN_UNTIL(b->loop, b->slots[1].n_opened == i);
        assert_int_equal(b->slots[1].result, -ENOENT);
        assert_non_null(strstr(b->slots[1].detail, "/dev/pts/nowhere"));
    }
    strcpy(config.path, b->slots[0].path);
    assert_int_equal(ports_set(b->ports, 1, &config), 0);
    open_slot(b, 1, 3);
}

static void a_hang_up_is_told_once_and_leaves_the_slot_ready(void **state)
{
    struct bench *b = *state;
    open_slot(b, 0, 1);
    pull(b, 0);
    RUN_UNTIL(b->loop, b->slots[0].n_closed > 0);
    assert_int_equal(b->slots[0].generation, 1);
    assert_int_equal(ports_write(b->ports, 0, 1, span_str("AT\r")), ERR_CLOSED);
    assert_int_equal(ports_open_count(b->ports), 0);
    plug(b, 0);
    open_slot(b, 0, 2);
    assert_int_equal(b->slots[0].n_closed, 1);
}

static void reopening_from_the_callback_waits_for_the_close(void **state)
{
    struct bench *b = *state;
    open_slot(b, 0, 1);
    b->reopen_on_closed = 2;
    close(b->slots[0].board); /* its path is gone when the open comes: an answer, not a mishap */
    b->slots[0].board = -1;
    RUN_UNTIL(b->loop, b->slots[0].n_opened == 2);
    assert_int_equal(b->slots[0].generation, 2);
    assert_int_equal(b->slots[0].result, -ENOENT);
}

static void closing_from_bytes_ends_them(void **state)
{
    struct bench *b = *state;
    open_slot(b, 0, 1);
    b->close_on_bytes = 1;
    char text[16384] = {0};
    ssize_t n = write(b->slots[0].board, text, sizeof(text));
    assert_true(n > 4096);
    RUN_UNTIL(b->loop, b->slots[0].n_heard > 0);
    size_t heard = b->slots[0].n_heard;
    open_slot(b, 0, 2);
    run_dry(b->loop);
    assert_int_equal(b->slots[0].n_heard, heard);
    assert_int_equal(b->slots[0].n_closed, 0);
}

/* An open that hangs: its slot waits, with the newest wish; others go on; what it yields at last is nobody's.
 */
static void a_hanging_open_holds_its_own_slot_only(void **state)
{
    struct bench *b = *state;
    struct slot *s = &b->slots[0];
    plug(b, 1);
    strcpy(b->gate.path, s->path);
    b->gate.is_shut_to_open = true;
    ports_open(b->ports, 0, 1);
    gate_until_waiting(&b->gate);
    ports_close(b->ports, 0, 1);
    ports_open(b->ports, 0, 2);
    ports_close(b->ports, 0, 2);
    ports_open(b->ports, 0, 3);
    ports_open(b->ports, 0, 4);
    open_slot(b, 1, 1);
    write_all(b->slots[1].board, "OK", 2);
    RUN_UNTIL(b->loop, b->slots[1].n_heard == 2);
    assert_int_equal(s->n_opened, 0);
    gate_set(&b->gate, &b->gate.is_shut_to_open, false);
    RUN_UNTIL(b->loop, s->n_opened > 0);
    assert_int_equal(s->result, 0);
    assert_int_equal(s->generation, 4);
    run_dry(b->loop);
    assert_int_equal(s->n_opened, 1);
}

/* With one thread, slot 1's reopening is behind everything that slot 0 has asked for. */
static void fence(struct bench *b, uint32_t generation)
{
    open_slot(b, 1, 2 * generation);
    open_slot(b, 1, 2 * generation + 1);
    run_dry(b->loop);
}

static void a_wish_is_forgotten_when_it_is_closed_or_granted(void **state)
{
    struct bench *b = *state;
    struct slot *s = &b->slots[0];
    ports_free(b->ports, (int)(BOUND_US / US_PER_MS));
    start_ports(b, 1);
    plug(b, 0);
    plug(b, 1);
    strcpy(b->gate.path, s->path);
    b->gate.is_shut_to_open = true;
    ports_open(b->ports, 0, 1);
    gate_until_waiting(&b->gate);
    ports_close(b->ports, 0, 1);
    ports_open(b->ports, 0, 2);
    ports_close(b->ports, 0, 2);
    gate_set(&b->gate, &b->gate.is_shut_to_open, false);
    fence(b, 1);
    assert_int_equal(s->n_opened, 0);
    assert_int_equal(ports_open_count(b->ports), 1);

    ports_open(b->ports, 0, 3);
    ports_open(b->ports, 0, 4);
    RUN_UNTIL(b->loop, s->n_opened == 1);
    assert_int_equal(s->generation, 4);
    ports_close(b->ports, 0, 4);
    fence(b, 2);
    assert_int_equal(s->n_opened, 1);
    assert_int_equal(ports_open_count(b->ports), 1);
}

static void a_hanging_close_holds_its_own_slot_only(void **state)
{
    struct bench *b = *state;
    struct slot *s = &b->slots[0];
    plug(b, 1);
    open_slot(b, 0, 1);
    gate_set(&b->gate, &b->gate.is_shut_to_close, true);
    ports_open(b->ports, 0, 2); /* closes first */
    gate_until_waiting(&b->gate);
    open_slot(b, 1, 1);
    run_dry(b->loop);
    assert_int_equal(s->n_opened, 1);
    gate_set(&b->gate, &b->gate.is_shut_to_close, false);
    RUN_UNTIL(b->loop, s->n_opened == 2);
    assert_int_equal(s->result, 0);
    assert_int_equal(s->generation, 2);
}

/* The answer lies in the mailbox when the slot is closed: it must not come up as opened, nor leak. The pool's
 * only thread hangs in the second open when it has answered the first. */
static void an_answer_under_way_is_dropped(void **state)
{
    struct bench *b = *state;
    ports_free(b->ports, (int)(BOUND_US / US_PER_MS));
    start_ports(b, 1);
    plug(b, 0);
    plug(b, 1);
    strcpy(b->gate.path, b->slots[1].path);
    b->gate.is_shut_to_open = true;
    ports_open(b->ports, 0, 1);
    ports_open(b->ports, 1, 1);
    gate_until_waiting(&b->gate);
    ports_close(b->ports, 0, 1);
    ports_open(b->ports, 0, 2);
    gate_set(&b->gate, &b->gate.is_shut_to_open, false);
    RUN_UNTIL(b->loop, b->n_opened == 2);
    assert_int_equal(b->slots[0].n_opened, 1);
    assert_int_equal(b->slots[0].generation, 2);
    assert_int_equal(b->slots[0].result, 0); /* the lock is free, so the first descriptor was closed */
}

/* The same by chance, many times. */
static void many_answers_that_cross_a_close_are_dropped(void **state)
{
    struct bench *b = *state;
    for (uint32_t generation = 1; generation <= 50; generation++) {
        ports_open(b->ports, 0, 2 * generation);
        if (generation % 2) {
            loop_turn(b->loop, 0);
        }
        ports_close(b->ports, 0, 2 * generation);
    }
    int before = b->slots[0].n_opened;
    ports_open(b->ports, 0, 1001); /* the lock is free only when every earlier descriptor was closed */
    RUN_UNTIL(b->loop, b->slots[0].generation == 1001);
    assert_int_equal(b->slots[0].result, 0);
    assert_int_equal(b->slots[0].n_opened, before + 1);
}

static void a_full_queue_is_told_when_it_has_room(void **state)
{
    struct bench *b = *state;
    open_slot(b, 0, 1);
    char text[4096] = {0};
    size_t sent = 0;
    for (int n = 1; n > 0; sent += (size_t)n) {
        n = ports_write(b->ports, 0, 1, span_of(text, sizeof(text)));
        assert_true(n >= 0);
    }
    for (size_t got = 0; got < sent; got += sent - got < sizeof(text) ? sent - got : sizeof(text)) {
        read_all(b->slots[0].board, text, sent - got < sizeof(text) ? sent - got : sizeof(text));
    }
    RUN_UNTIL(b->loop, b->slots[0].n_writable == 1);
    assert_int_equal(ports_write(b->ports, 0, 1, span_of(text, 10)), 10);
}

/* --- a full rack
 * --------------------------------------------------------------------------------------------------- */

static pthread_t counted_thread;
static bool is_counting;
static size_t n_allocations;

#if COUNTS_ALLOCATIONS
static void count_allocation(const volatile void *p, size_t size)
{
    (void)p, (void)size;
    if (__atomic_load_n(&is_counting, __ATOMIC_RELAXED) && pthread_equal(counted_thread, pthread_self())) {
        n_allocations++;
    }
}

static void count_nothing(const volatile void *p)
{
    (void)p;
}
#endif

static void count_allocations(bool on)
{
    counted_thread = pthread_self();
    __atomic_store_n(&is_counting, on, __ATOMIC_RELAXED);
}

/* Every board says its number, every slot answers, `rounds` times; all in this one thread. */
static void talk(struct bench *b, int rounds)
{
    for (int round = 0; round < rounds; round++) {
        for (uint32_t i = 0; i < SLOTS; i++) {
            char line[8] = {'s', (char)i, (char)round, 'x', 'y', 'z', '\r', '\n'};
            assert_int_equal(write(b->slots[i].board, line, sizeof(line)), sizeof(line));
            assert_int_equal(ports_write(b->ports, i, i + 1, span_of(line, sizeof(line))), sizeof(line));
        }
        for (uint32_t i = 0; i < SLOTS; i++) {
            size_t expected = (size_t)(round + 1) * 8;
            RUN_UNTIL(b->loop, b->slots[i].n_heard == expected);
            const char *last = b->slots[i].heard + (expected - 8) % sizeof(b->slots[i].heard);
            assert_int_equal(last[1], (char)i);
            assert_int_equal(last[2], (char)round);
            char line[8];
            read_all(b->slots[i].board, line, sizeof(line));
            assert_int_equal(line[1], (char)i);
            assert_int_equal(line[2], (char)round);
        }
    }
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max < 2048 ? limit.rlim_max : 2048;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void a_full_rack_talks_without_allocating(void **state)
{
    struct bench *b = *state;
    raise_descriptor_limit();
    for (uint32_t i = 1; i < SLOTS; i++) {
        plug(b, i);
    }
    for (uint32_t i = 0; i < SLOTS; i++) {
        ports_open(b->ports, i, i + 1);
    }
    RUN_UNTIL(b->loop, b->n_opened == SLOTS);
    for (uint32_t i = 0; i < SLOTS; i++) {
        assert_int_equal(b->slots[i].result, 0);
    }
    assert_int_equal(ports_open_count(b->ports), SLOTS);

    talk(b, 2);
    for (uint32_t i = 0; i < SLOTS; i++) {
        b->slots[i].n_heard = 0;
    }
    count_allocations(true);
    void *volatile proof = malloc(1); /* that the counter counts */
    free(proof);
    assert_int_equal(n_allocations, COUNTS_ALLOCATIONS);
    talk(b, 16);
    count_allocations(false);
    assert_int_equal(n_allocations, COUNTS_ALLOCATIONS);

    for (uint32_t i = 0; i < SLOTS; i++) {
        pull(b, i);
    }
    RUN_UNTIL(b->loop, ports_open_count(b->ports) == 0);
    for (uint32_t i = 0; i < SLOTS; i++) {
        assert_int_equal(b->slots[i].n_closed, 1);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
#if COUNTS_ALLOCATIONS
    __sanitizer_install_malloc_and_free_hooks(count_allocation, count_nothing);
#endif
    const struct CMUnitTest tests[] = {
        T(talks_with_the_right_generation_only),
        T(a_failed_open_says_why_and_can_be_tried_again),
        T(a_hang_up_is_told_once_and_leaves_the_slot_ready),
        T(reopening_from_the_callback_waits_for_the_close),
        T(closing_from_bytes_ends_them),
        T(a_hanging_open_holds_its_own_slot_only),
        T(a_wish_is_forgotten_when_it_is_closed_or_granted),
        T(a_hanging_close_holds_its_own_slot_only),
        T(an_answer_under_way_is_dropped),
        T(many_answers_that_cross_a_close_are_dropped),
        T(a_full_queue_is_told_when_it_has_room),
        T(a_full_rack_talks_without_allocating),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
