/* io/notify against a socket of our own in place of the service manager's. */
#include "test_io.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "io/notify.h"

static int manager; /* what the service manager would listen on */
static char path[64];

static int setup(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(path, sizeof(path), "/tmp/certline-test-%ld.sock", (long)getpid());
    strcpy(address.sun_path, path);
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    unlink(path);
    assert_int_equal(bind(manager, (struct sockaddr *)&address, sizeof(address)), 0);
    setenv("NOTIFY_SOCKET", path, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close(manager);
    unlink(path);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("JOURNAL_STREAM");
    unsetenv("WATCHDOG_USEC");
    return 0;
}

static void expect(const char *text)
{
    char got[1024];
    ssize_t n = recv(manager, got, sizeof(got) - 1, 0);
    assert_true(n >= 0);
    got[n] = '\0';
    assert_string_equal(got, text);
}

static void says_how_it_is(void **state)
{
    (void)state;
    notify_ready("16 slots");
    expect("READY=1\nSTATUS=16 slots");
    notify_status("3 boards running");
    expect("STATUS=3 boards running");
    notify_watchdog();
    expect("WATCHDOG=1");
    notify_stopping("2 jobs to end");
    expect("STOPPING=1\nSTATUS=2 jobs to end");
    notify_status("a name\nMAINPID=1\x7f");
    expect("STATUS=a name MAINPID=1 ");
}

static void without_a_manager_nothing_happens(void **state)
{
    (void)state;
    unsetenv("NOTIFY_SOCKET");
    notify_ready("");
    notify_watchdog();
    notify_status("x");
    notify_stopping("");
    assert_int_equal(notify_watchdog_us(), 0);
    assert_true(recv(manager, path, 1, 0) < 0);
    int none[1];
    assert_int_equal(notify_take_sockets(none, 1), 0);
}

static void knows_the_watchdogs_limit(void **state)
{
    (void)state;
    setenv("WATCHDOG_USEC", "30000000", 1);
    assert_int_equal(notify_watchdog_us(), 30000000);
}

static void tells_whether_the_journal_listens(void **state)
{
    (void)state;
    assert_true(notify_has_journal()); /* a service manager does */
    unsetenv("NOTIFY_SOCKET");
    assert_false(notify_has_journal());
    struct stat st;
    char stream[64];
    assert_int_equal(fstat(STDERR_FILENO, &st), 0);
    snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    assert_true(notify_has_journal());
    snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino + 1);
    setenv("JOURNAL_STREAM", stream, 1); /* inherited, but standard error goes elsewhere */
    assert_false(notify_has_journal());
    setenv("JOURNAL_STREAM", "nonsense", 1);
    assert_false(notify_has_journal());
}

static void a_line_becomes_fields(void **state)
{
    (void)state;
    static char fields[NOTIFY_FIELDS][NOTIFY_FIELD_SIZE];
    struct log_subject subject = {.module = "station",
                                  .slot = "rack1/007",
                                  .imei = "351465800000002",
                                  .job = "01J",
                                  .reason = "bytes_lost"};
    assert_int_equal(notify_journal_fields(fields, LOG_LEVEL_WARNING, &subject, "gave up"), 7);
    static const char *const all[] = {
        "MESSAGE=rack1/007: gave up", "PRIORITY=4", "MODULE=station",   "SLOT=rack1/007",
        "IMEI=351465800000002",       "JOB=01J",    "REASON=bytes_lost"};
    for (size_t i = 0; i < COUNT(all); i++) {
        assert_string_equal(fields[i], all[i]);
    }
    subject = (struct log_subject){.module = "http", .slot = ""};
    assert_int_equal(notify_journal_fields(fields, LOG_LEVEL_ERROR, &subject, "x"), 3);
    assert_string_equal(fields[0], "MESSAGE=x");
    assert_string_equal(fields[2], "MODULE=http");
    assert_int_equal(notify_journal_fields(fields, LOG_LEVEL_ERROR, NULL, "x"), 2);

    static char longest[NOTIFY_FIELD_SIZE * 2];
    memset(longest, 'a', sizeof(longest) - 1);
    assert_int_equal(notify_journal_fields(fields, LOG_LEVEL_ERROR, NULL, longest), 2);
    assert_int_equal(strlen(fields[0]), NOTIFY_FIELD_SIZE - 1);
    notify_journal_sink(NULL, LOG_LEVEL_DEBUG, &subject, "into a journal or nowhere");
}

/* In a child, whose descriptors from 3 on can be laid out as the service manager does. Its exit status is its
 * verdict. */
static int take_in_child(void)
{
    int listening = socket(AF_UNIX, SOCK_STREAM, 0), plain = socket(AF_UNIX, SOCK_DGRAM, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (bind(listening, (struct sockaddr *)&address, sizeof(sa_family_t)) < 0 || listen(listening, 1) < 0) {
        return 2;
    }
    int high = fcntl(listening, F_DUPFD, 100), high_plain = fcntl(plain, F_DUPFD, 100);
    dup2(high_plain, 3);
    dup2(high, 4);
    dup2(high, 5);
    char pid[32];
    snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "3", 1);
    int out[1];
    if (notify_take_sockets(out, 1) != 1 || out[0] != 4 || !(fcntl(4, F_GETFD) & FD_CLOEXEC)) {
        return 3;
    }
    if (fcntl(3, F_GETFD) >= 0 || fcntl(5, F_GETFD) >= 0) { /* not listening; one more than asked for */
        return 4;
    }
    return getenv("LISTEN_FDS") ? 5 : 0;
}

static void takes_over_listening_sockets(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        _exit(take_in_child());
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(says_how_it_is),
        T(without_a_manager_nothing_happens),
        T(knows_the_watchdogs_limit),
        T(tells_whether_the_journal_listens),
        T(a_line_becomes_fields),
        T(takes_over_listening_sockets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
