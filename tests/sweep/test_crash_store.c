/*
 * The power goes: a real process lives a short day of the store (open, order, import, claims, exposures,
 * records, a restart in between) on files that lose what was not synced, and kills itself in place of every
 * single write and every single sync, of the database and of the mark. Whatever it had answered before, which
 * it told through a pipe, must be there; the chain must hold; the mark is never ahead; and the day can be
 * lived to its end, with every board on its own bundle.
 *
 * Whether the test could notice a loss is tested as well: with SQLite's weaker settings it must.
 *
 * One line for each kind: opportunities and fired must be equal.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/buf.h"
#include "store/internal.h"
#include "support/storekit.h"
#include "support/vfs_lossy.h"

/* The mark's own code, on files of the same kind: this copy takes the place of the library's. */
#define pwrite    lossy_pwrite
#define pread     lossy_pread
#define fsync     lossy_sync
#define fdatasync lossy_sync
#include "store/mark.c"
#undef pwrite
#undef pread
#undef fsync
#undef fdatasync

#define BOARDS      3
#define STEPS_MAX   64
#define FINDING_MAX 256

/* What the day consists of. X(ENUM, name) */
#define DEED_LIST(X)                                                                                         \
    X(OPENED, "open")                                                                                        \
    X(ORDERED, "order")                                                                                      \
    X(IMPORTED, "import")                                                                                    \
    X(CLAIMED, "claim")                                                                                      \
    X(EXPOSED, "expose")                                                                                     \
    X(RECORDED, "record")

enum deed {
#define X(name, text) name,
    DEED_LIST(X)
#undef X
};

/* One answer, as the process tells it. A deed that fails is told with `result` and ends the process. */
struct answer {
    enum deed deed;
    int result;
    unsigned board;
    int64_t seq; /* the last event on record then */
    char bundle[16];
    char detail[128];
};

struct death {
    enum lossy_kind kind;
    uint64_t k; /* 0: nobody dies, calls are counted */
    enum lossy_fate fate;
    const char *weaker; /* a setting of the connection, or NULL */
};

/* ---- the process that dies: no assertion of the framework may run in it */

static struct {
    struct kit *kit;
    int out;
    const char *weaker;
} day;

static void tell(struct answer *answer)
{
    answer->seq = day.kit->store ? store_last_seq(day.kit->store) : 0;
    if (write(day.out, answer, sizeof(*answer)) != sizeof(*answer) || answer->result != 0) {
        _exit(1);
    }
}

static void open_day(void)
{
    struct answer answer = {.deed = OPENED};
    answer.result = kit_open(day.kit);
    if (answer.result == 0 && day.weaker) {
        answer.result = sqlite3_exec(day.kit->store->db.handle, day.weaker, NULL, NULL, NULL);
    }
    buf_copy(answer.detail, sizeof(answer.detail), span_str(day.kit->err.text));
    tell(&answer);
}

static void do_deed(enum deed deed, unsigned board, struct store_op **ops, size_t n, const char *bundle)
{
    struct answer answer = {.deed = deed, .board = board};
    day.kit->wall_ms += 7;
    answer.result = store_batch(day.kit->store, ops, n);
    for (size_t i = 0; i < n && answer.result == 0; i++) {
        answer.result = ops[i]->result;
        buf_copy(answer.detail, sizeof(answer.detail), span_str(ops[i]->detail));
    }
    buf_copy(answer.bundle, sizeof(answer.bundle), span_str(bundle ? bundle : ""));
    tell(&answer);
}

static void ask(enum deed deed, unsigned board, struct kit_job *job, enum ledger_kind kind)
{
    kit_prepare(job, kind, OUTCOME_PASS, REASON_ok);
    struct store_op op = {.kind = STORE_LEDGER, .ledger = &job->msg}, *ops[] = {&op};
    do_deed(deed, board, ops, 1, job->msg.bundle);
}

/* Products, the start and the order in one batch; then the pool. */
static void prepare_day(void)
{
    struct store_op ops[4], *list[4];
    for (int i = 0; i < 4; i++) {
        ops[i] = (struct store_op){0};
        list[i] = &ops[i];
    }
    ops[0].kind = ops[1].kind = STORE_PRODUCT;
    ops[0].product = &day.kit->products[KIT_POOL];
    ops[1].product = &day.kit->products[KIT_BOUND];
    ops[2].kind = STORE_STATION_STARTED;
    ops[3].kind = STORE_ORDER_PUT;
    struct store_order_put *order = &ops[3].order_put;
    *order =
        (struct store_order_put){.id = "WO-1", .quantity = BOARDS, .n_fixtures = 1, .fixtures = {"rack1"}};
    buf_copy(order->product, sizeof(order->product), span_str(day.kit->products[KIT_POOL].name));
    buf_copy(order->version, sizeof(order->version), span_str(day.kit->products[KIT_POOL].version));
    do_deed(ORDERED, 0, list, 4, NULL);
    for (unsigned i = 0; i < BOARDS; i++) {
        char id[16];
        snprintf(id, sizeof(id), "pool-%u", i);
        kit_bundle(day.kit, &ops[0], id, KIT_POOL, NULL, NULL);
        do_deed(IMPORTED, i, list, 1, id);
    }
}

static void pass_board(unsigned board, unsigned job_number)
{
    static struct kit_job job;
    kit_job(day.kit, &job, job_number, kit_imei(board), "WO-1", KIT_POOL);
    ask(CLAIMED, board, &job, LEDGER_CLAIM);
    ask(EXPOSED, board, &job, LEDGER_EXPOSE);
    ask(RECORDED, board, &job, LEDGER_RECORD);
}

/* Closing in between makes the database file take over what stands in the WAL. */
static void live_day(unsigned first_job)
{
    open_day();
    prepare_day();
    for (unsigned i = 0; i < BOARDS; i++) {
        pass_board(i, first_job + i);
        if (i == 0) {
            kit_close(day.kit);
            open_day();
        }
    }
    kit_close(day.kit);
}

static void die(struct kit *kit, const struct death *death, int out, int counts)
{
    uint64_t calls[LOSSY_KINDS];
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
        signal(faults[i], SIG_DFL); /* the framework's would go on with the tests in here */
    }
    day.kit = kit;
    day.out = out;
    day.weaker = death->weaker;
    kit->vfs = LOSSY_VFS_NAME;
    lossy_register();
    lossy_arm(death->kind, death->k, death->fate);
    live_day(1);
    for (int i = 0; i < LOSSY_KINDS; i++) {
        calls[i] = lossy_calls((enum lossy_kind)i);
    }
    _exit(write(counts, calls, sizeof(calls)) == sizeof(calls) ? 0 : 1);
}

/* ---- the one that looks afterwards */

static struct {
    struct answer answers[STEPS_MAX];
    unsigned n;
    int status;
    uint64_t calls[LOSSY_KINDS];
} told;

static void run_day(struct kit *kit, const struct death *death)
{
    int out[2], counts[2];
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(counts, O_CLOEXEC), 0);
    memset(&told, 0, sizeof(told));
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        die(kit, death, out[1], counts[1]);
    }
    close(out[1]);
    close(counts[1]);
    while (told.n < STEPS_MAX && read(out[0], &told.answers[told.n], sizeof(*told.answers)) > 0) {
        told.n++;
    }
    (void)!read(counts[0], told.calls, sizeof(told.calls));
    close(out[0]);
    close(counts[0]);
    assert_int_equal(waitpid(pid, &told.status, 0), pid);
}

static const char *name_of(enum deed deed)
{
    static const char *const names[] = {
#define X(name, text) [name] = text,
        DEED_LIST(X)
#undef X
    };
    return names[deed];
}

static bool is_there(struct kit *kit, const struct answer *a)
{
    const char *imei = kit_imei(a->board);
    const char *found = "";
    switch (a->deed) {
    case OPENED:
        found = kit_query(kit, "SELECT 1 FROM meta WHERE key = 'database'");
        break;
    case ORDERED:
        found = kit_query(kit, "SELECT 1 FROM work_order WHERE id = 'WO-1' AND state = 'open'");
        break;
    case IMPORTED:
        found = kit_query(kit, "SELECT 1 FROM bundle WHERE id = '%s'", a->bundle);
        break;
    case CLAIMED:
        found =
            kit_query(kit,
                      "SELECT 1 FROM bundle JOIN job ON job.imei = bundle.imei AND job.bundle = bundle.id "
                      "WHERE bundle.id = '%s' AND bundle.imei = '%s' AND bundle.state <> 'free'",
                      a->bundle, imei);
        break;
    case EXPOSED:
        found = kit_query(kit, "SELECT 1 FROM bundle WHERE id = '%s' AND state IN ('exposed', 'installed')",
                          a->bundle);
        break;
    case RECORDED:
        found =
            kit_query(kit,
                      "SELECT 1 FROM job JOIN bundle ON bundle.id = job.bundle WHERE bundle.id = '%s' AND "
                      "job.imei = '%s' AND job.outcome = 'PASS' AND bundle.state = 'installed'",
                      a->bundle, imei);
        break;
    }
    return *found != '\0';
}

struct finding {
    char lost[FINDING_MAX]; /* what is missing of what was answered, or empty */
    bool mark_knows;        /* the mark says that something is missing */
};

static void look_for_loss(struct kit *kit, struct finding *finding)
{
    finding->mark_knows = store_mark_state(kit->store) != STORE_MARK_GOOD;
    for (unsigned i = 0; i < told.n; i++) {
        const struct answer *a = &told.answers[i];
        if (!is_there(kit, a) || a->seq > store_last_seq(kit->store)) {
            snprintf(finding->lost, FINDING_MAX, "answer %u (%s, board %u, %s, event %lld) is lost", i,
                     name_of(a->deed), a->board, a->bundle, (long long)a->seq);
            return;
        }
    }
}

/* The same day again, by the same code, in a process that lives: what was done is found done. */
static void finish_day(struct kit *kit)
{
    const char *open_jobs = kit_query(kit, "SELECT count(*) FROM job WHERE outcome IS NULL");
    unsigned left_open = (unsigned)strtoul(open_jobs, NULL, 10);
    struct store_op op = {.kind = STORE_STATION_STARTED};
    assert_int_equal(kit_run(kit, &op), 0);
    assert_int_equal(op.ended, left_open);
    assert_true(left_open <= 1);
    assert_string_equal(kit_query(kit, "SELECT count(*) FROM job WHERE outcome IS NULL"), "0");

    kit_register(kit, KIT_POOL);
    assert_int_equal(kit_order(kit, "WO-1", KIT_POOL, BOARDS, "rack1", NULL), 0);
    for (unsigned i = 0; i < BOARDS; i++) {
        char id[16];
        snprintf(id, sizeof(id), "pool-%u", i);
        assert_int_equal(kit_import(kit, id, KIT_POOL, NULL, NULL), 0);
    }
    for (unsigned i = 0; i < BOARDS; i++) {
        static struct kit_job job;
        kit_job(kit, &job, 100 + i, kit_imei(i), "WO-1", KIT_POOL);
        kit_pass(kit, &job);
    }
    assert_string_equal(kit_query(kit,
                                  "SELECT count(*) || ' ' || count(DISTINCT imei) FROM bundle WHERE state = "
                                  "'installed'"),
                        "3 3");
    assert_string_equal(kit_query(kit, "SELECT count(*) FROM bundle"), "3");
    assert_string_equal(
        kit_query(kit, "SELECT max(n) FROM (SELECT count(DISTINCT bundle) AS n FROM job WHERE bundle "
                       "<> '' GROUP BY imei)"),
        "1");
    assert_string_equal(
        kit_query(kit, "SELECT max(n) FROM (SELECT count(DISTINCT imei) AS n FROM job WHERE bundle "
                       "<> '' GROUP BY bundle)"),
        "1");
    kit_check(kit);
}

static void judge_answers(const struct death *death)
{
    for (unsigned i = 0; i < told.n; i++) {
        const struct answer *a = &told.answers[i];
        if (a->result != 0) {
            fail_msg("%s:%llu:%d: %s failed: %d %s", lossy_name(death->kind), (unsigned long long)death->k,
                     death->fate, name_of(a->deed), a->result, a->detail);
        }
    }
}

/* One death and what comes after it, up to the day's end unless something was lost. True when it died of what
 * it was to die of. */
static bool try_death(const struct death *death, struct finding *finding)
{
    struct kit kit;
    kit_init(&kit);
    run_day(&kit, death);
    bool has_died = WIFSIGNALED(told.status) && WTERMSIG(told.status) == SIGKILL;
    judge_answers(death);
    assert_true(has_died || (WIFEXITED(told.status) && WEXITSTATUS(told.status) == 0));
    *finding = (struct finding){0};
    if (has_died) {
        kit.wall_ms += 60000;
        if (kit_open(&kit) != 0) {
            snprintf(finding->lost, FINDING_MAX, "the store does not open: %.200s", kit.err.text);
        } else {
            look_for_loss(&kit, finding);
        }
    }
    if (has_died && !*finding->lost && !finding->mark_knows) {
        finish_day(&kit);
    }
    kit_done(&kit);
    return has_died;
}

static void count_calls(uint64_t calls[LOSSY_KINDS])
{
    struct death nobody = {.k = 0};
    struct finding finding;
    assert_false(try_death(&nobody, &finding));
    assert_int_equal(told.n, 2 + 1 + BOARDS + 3 * BOARDS);
    memcpy(calls, told.calls, sizeof(told.calls));
}

/* Losing all since the last sync is the same at each write up to the next one: there it is tried once. */
static const struct {
    enum lossy_kind kind;
    enum lossy_fate fate;
    const char *name;
} sweeps[] = {
    {LOSSY_DB_WRITE, LOSSY_SOME_KEPT, "some kept"}, {LOSSY_DB_SYNC, LOSSY_SOME_KEPT, "some kept"},
    {LOSSY_DB_SYNC, LOSSY_ALL_LOST, "all lost"},    {LOSSY_MARK_WRITE, LOSSY_SOME_KEPT, "some kept"},
    {LOSSY_MARK_WRITE, LOSSY_ALL_LOST, "all lost"}, {LOSSY_MARK_SYNC, LOSSY_SOME_KEPT, "some kept"},
    {LOSSY_MARK_SYNC, LOSSY_ALL_LOST, "all lost"},
};

static void what_was_answered_survives(void **state)
{
    (void)state;
    uint64_t calls[LOSSY_KINDS];
    count_calls(calls);
    for (size_t i = 0; i < sizeof(sweeps) / sizeof(*sweeps); i++) {
        uint64_t fired = 0, opportunities = calls[sweeps[i].kind];
        for (uint64_t k = 1; k <= opportunities; k++) {
            struct death death = {sweeps[i].kind, k, sweeps[i].fate, NULL};
            struct finding finding;
            fired += try_death(&death, &finding);
            if (*finding.lost || finding.mark_knows) {
                fail_msg("%s:%llu:%s: %s", lossy_name(death.kind), (unsigned long long)k, sweeps[i].name,
                         *finding.lost ? finding.lost : "the mark is ahead");
            }
        }
        print_message("%-10s %-9s opportunities %llu, fired %llu\n", lossy_name(sweeps[i].kind),
                      sweeps[i].name, (unsigned long long)opportunities, (unsigned long long)fired);
        assert_true(opportunities > 0);
        assert_int_equal(fired, opportunities);
    }
}

/* With this setting some death loses what was answered, else the sweep above would prove nothing; and the
 * mark knows, as it would of a disk that lies. */
static void expect_loss(const char *setting)
{
    uint64_t calls[LOSSY_KINDS];
    count_calls(calls);
    for (uint64_t k = calls[LOSSY_DB_WRITE]; k > 0; k--) {
        struct death death = {LOSSY_DB_WRITE, k, LOSSY_ALL_LOST, setting};
        struct finding finding;
        try_death(&death, &finding);
        if (*finding.lost) {
            print_message("%s: write %llu: %s\n", setting, (unsigned long long)k, finding.lost);
            assert_true(finding.mark_knows);
            return;
        }
    }
    fail_msg("nothing is ever lost with %s: the sweep sees nothing", setting);
}

static void a_weaker_setting_is_noticed(void **state)
{
    (void)state;
    expect_loss("PRAGMA synchronous = NORMAL");
    expect_loss("PRAGMA synchronous = OFF");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_answered_survives),
        cmocka_unit_test(a_weaker_setting_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
