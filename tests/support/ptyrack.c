/*
 * Nobody asks the daemon while it is measured: that boards have passed is read from its log.
 */
#define _GNU_SOURCE
#include "support/ptyrack.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cmd/http_client.h"
#include "pki/init.h"
#include "support/testpki.h"

#define WAIT_S   300 /* whatever is waited for longer does not come */
#define TEXT_MAX 4096

static const struct ptyrack
    *running; /* to be ended when the program fails; its folder stays to be looked at */

/* However the program ends. */
static void kill_running(void)
{
    for (int i = 0; running && i < 2; i++) {
        pid_t pid = i ? running->boards : running->daemon;
        if (pid > 0) {
            (void)kill(pid, SIGKILL);
        }
    }
}

static void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
static void fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    exit(1);
}

static void path_of(const struct ptyrack *rack, char path[TEXT_MAX], const char *name)
{
    (void)snprintf(path, TEXT_MAX, "%s/%s", rack->dir, name);
}

static FILE *open_file(const struct ptyrack *rack, const char *name, const char *mode)
{
    char path[TEXT_MAX];
    path_of(rack, path, name);
    FILE *file = fopen(path, mode);
    if (!file) {
        fail("%s cannot be opened", path);
    }
    return file;
}

static void pause_ms(long ms)
{
    (void)nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* ---- processes */

static pid_t start(const struct ptyrack *rack, const char *variable, const char *name, const char *output,
                   char **args)
{
    char path[TEXT_MAX], out[TEXT_MAX];
    const char *named = getenv(variable);
    (void)snprintf(path, sizeof(path), "%s%s%s", named ? named : rack->programs, named ? "" : "/",
                   named ? "" : name);
    path_of(rack, out, output);
    args[0] = path;
    int fd =
        open(out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600); /* here, so that it is there to read */
    pid_t pid = fork();
    if (pid == 0) {
        (void)dup2(fd, STDOUT_FILENO);
        (void)dup2(fd, STDERR_FILENO);
        (void)execv(path, args);
        _exit(127);
    }
    if (pid < 0) {
        fail("%s cannot be started", path);
    }
    (void)close(fd);
    return pid;
}

static void end(pid_t *pid, const char *name)
{
    int status = 0;
    if (*pid > 0 && (kill(*pid, SIGTERM) != 0 || waitpid(*pid, &status, 0) != *pid || status != 0)) {
        fail("%s ended with %d", name, status);
    }
    *pid = 0;
}

/* How many lines of an output hold the text; the last of them in `line`, which may be NULL. */
static unsigned count_lines(const struct ptyrack *rack, const char *output, const char *text, char *line)
{
    FILE *file = open_file(rack, output, "r");
    char read[TEXT_MAX];
    unsigned n = 0;
    while (fgets(read, sizeof(read), file)) {
        if (strstr(read, text)) {
            n++;
            if (line) {
                memcpy(line, read, sizeof(read));
            }
        }
    }
    (void)fclose(file);
    return n;
}

/* A board that fails is a warning in the daemon's log: then no more need be waited for. */
static void await(const struct ptyrack *rack, const char *output, const char *text, unsigned n, char *line)
{
    for (int waited_ms = 0; count_lines(rack, output, text, line) < n; waited_ms += 50) {
        int status;
        pid_t gone = waitpid(-1, &status, WNOHANG);
        if (gone > 0 || waited_ms > WAIT_S * 1000 || count_lines(rack, output, "warning: line:", line) > 0) {
            fail("%u of %u lines with \"%s\" in %s/%s%s", count_lines(rack, output, text, NULL), n, text,
                 rack->dir, output, gone > 0 ? ", and a program has ended" : "");
        }
        pause_ms(50);
    }
}

/* ---- the station */

static void write_config(const struct ptyrack *rack, const char *ca)
{
    FILE *file = open_file(rack, "ca.pem", "w");
    (void)fputs(ca, file);
    (void)fclose(file);
    file = open_file(rack, "config.toml", "w");
    (void)fprintf(file,
                  "[station]\nname = \"BENCH\"\nstate_dir = \"%s/state\"\n"
                  "[http]\nlisten = [\"127.0.0.1:0\"]\n"
                  "[[fixture]]\nname = \"rack\"\nports = \"%s/rack/slot*\"\nbaud = 115200\n"
                  "[[product]]\nname = \"tracker\"\nsource = \"pool\"\n"
                  "[[product.entry]]\nsec_tag = 16842753\ntype = \"ca\"\nfrom = \"file\"\nfile = "
                  "\"%s/ca.pem\"\n"
                  "[[product.entry]]\nsec_tag = 16842753\ntype = \"client_cert\"\nfrom = \"bundle\"\n"
                  "[[product.entry]]\nsec_tag = 16842753\ntype = \"private_key\"\nfrom = \"bundle\"\n",
                  rack->dir, rack->dir, rack->dir);
    (void)fclose(file);
}

static void write_bundles(const struct ptyrack *rack, unsigned n)
{
    struct testpki *pki = testpki_new(1);
    write_config(rack, testpki_ca(pki));
    FILE *file = open_file(rack, "bundles.ndjson", "w");
    for (unsigned i = 0; i < n; i++) {
        char id[32];
        (void)snprintf(id, sizeof(id), "b-%06u", i);
        char *row = testpki_row(pki, i, TESTPKI_P256, id, NULL, "tracker", NULL);
        (void)fputs(row, file);
        testpki_text_free(row);
    }
    (void)fclose(file);
    testpki_free(pki);
}

static void put_order(const struct ptyrack *rack, unsigned quantity)
{
    char socket[TEXT_MAX], body[128];
    path_of(rack, socket, "state/api.sock");
    int n = snprintf(body, sizeof(body), "{\"product\":\"tracker\",\"quantity\":%u,\"fixtures\":[\"rack\"]}",
                     quantity);
    struct err_info why = {0};
    struct http_answer answer = {0};
    struct http_request request = {.method = "PUT",
                                   .target = "/api/v1/work-orders/WO-1",
                                   .content_type = "application/json",
                                   .body = span_of(body, (size_t)n),
                                   .answer_max = 65536};
    int fd = http_connect(socket, &why);
    if (fd < 0 || http_call(fd, &request, &answer, &why) != 0 || answer.status != 201) {
        fail("the order is answered %d %s %s", answer.status, why.text, answer.body ? answer.body : "");
    }
    (void)close(fd);
    http_answer_done(&answer);
}

static void import(struct ptyrack *rack)
{
    char config[TEXT_MAX], rows[TEXT_MAX];
    path_of(rack, config, "config.toml");
    path_of(rack, rows, "bundles.ndjson");
    char *args[] = {NULL, "import", "-c", config, rows, NULL};
    int status = 0;
    pid_t pid = start(rack, "CERTLINED", "certlined", "import.log", args);
    if (waitpid(pid, &status, 0) != pid || status != 0) {
        fail("the import ended with %d", status);
    }
}

static void make_folder(struct ptyrack *rack)
{
    const char *base = getenv("TMPDIR");
    (void)snprintf(rack->dir, sizeof(rack->dir), "%s/certline-rack-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(rack->dir)) {
        fail("no folder below %s", base ? base : "/tmp");
    }
    char path[TEXT_MAX];
    path_of(rack, path, "rack");
    (void)mkdir(path, 0700);
    path_of(rack, path, "state");
    (void)mkdir(path, 0700);
    ssize_t n = readlink("/proc/self/exe", rack->programs, sizeof(rack->programs) - 1);
    for (int i = 0; n > 0 && i < 2; i++) { /* …/tests/bench_x: the programs lie beside tests */
        rack->programs[n] = '\0';
        char *slash = strrchr(rack->programs, '/');
        n = slash ? slash - rack->programs : 0;
    }
    rack->programs[n > 0 ? n : 0] = '\0';
}

void ptyrack_start(struct ptyrack *rack, unsigned bundles)
{
    static bool is_registered;
    *rack = (struct ptyrack){0};
    running = rack;
    if (!is_registered && atexit(kill_running) != 0) {
        fail("no memory");
    }
    is_registered = true;
    if (pki_init() != 0) {
        fail("OpenSSL does not start");
    }
    make_folder(rack);
    write_bundles(rack, bundles);
    char config[TEXT_MAX], line[TEXT_MAX];
    path_of(rack, config, "config.toml");
    char *args[] = {NULL, "serve", "-c", config, NULL};
    rack->daemon = start(rack, "CERTLINED", "certlined", "daemon.log", args);
    await(rack, "daemon.log", "dashboard and API on", 1, line);
    const char *port = strstr(line, "(port ");
    rack->port = port ? (unsigned)strtoul(port + strlen("(port "), NULL, 10) : 0;
    import(rack);
    put_order(rack, bundles);
}

/* ---- boards */

void ptyrack_wave(struct ptyrack *rack, unsigned n)
{
    char folder[TEXT_MAX], number[16], imei0[16];
    path_of(rack, folder, "rack");
    (void)snprintf(number, sizeof(number), "%u", n);
    (void)snprintf(imei0, sizeof(imei0), "351465%08u", rack->n_waves++ * 1000);
    unsigned passed = count_lines(rack, "daemon.log", "PASS", NULL);
    char *args[] = {NULL, "--dir", folder, "--boards", number, "--imei0", imei0, NULL};
    rack->boards = start(rack, "CERTLINE_SIM", "certline-sim", "boards.log", args);
    await(rack, "daemon.log", "PASS", passed + n, NULL);
}

void ptyrack_leave(struct ptyrack *rack)
{
    end(&rack->boards, "the boards");
}

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *place)
{
    (void)status, (void)flag, (void)place;
    return remove(path);
}

void ptyrack_stop(struct ptyrack *rack)
{
    end(&rack->boards, "the boards");
    end(&rack->daemon, "the station");
    running = NULL;
    (void)nftw(rack->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- figures */

static bool has_name(const char *task, const char *thread)
{
    char path[TEXT_MAX + 16], name[64] = "";
    (void)snprintf(path, sizeof(path), "%s/comm", task);
    FILE *file = fopen(path, "r");
    if (file) {
        (void)!fgets(name, sizeof(name), file);
        (void)fclose(file);
    }
    name[strcspn(name, "\n")] = '\0';
    return strcmp(name, thread) == 0;
}

/* /proc's own ticks are 10 ms long; the scheduler's statistics count nanoseconds. */
static double task_cpu_ms(const char *task)
{
    char path[TEXT_MAX + 16];
    unsigned long long ns = 0;
    (void)snprintf(path, sizeof(path), "%s/schedstat", task);
    FILE *file = fopen(path, "r");
    if (file) {
        (void)!fscanf(file, "%llu", &ns);
        (void)fclose(file);
    }
    return (double)ns / 1e6;
}

double ptyrack_cpu_ms(const struct ptyrack *rack, const char *thread)
{
    char folder[64], task[TEXT_MAX];
    double ms = 0;
    (void)snprintf(folder, sizeof(folder), "/proc/%d/task", rack->daemon);
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        (void)snprintf(task, sizeof(task), "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.' && (!thread || has_name(task, thread))) {
            ms += task_cpu_ms(task);
        }
    }
    if (dir) {
        (void)closedir(dir);
    }
    return ms;
}

double ptyrack_memory_kib(const struct ptyrack *rack, const char *line)
{
    char path[64], read[256];
    double kib = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/status", rack->daemon);
    FILE *file = fopen(path, "r");
    while (file && fgets(read, sizeof(read), file)) {
        if (strncmp(read, line, strlen(line)) == 0) {
            kib = strtod(read + strlen(line) + 1, NULL);
        }
    }
    if (file) {
        (void)fclose(file);
    }
    return kib;
}

double ptyrack_mean_job_ms(const struct ptyrack *rack, unsigned wave)
{
    char path[TEXT_MAX], sql[160];
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    path_of(rack, path, "state/certline.db");
    (void)snprintf(sql, sizeof(sql),
                   "SELECT avg(duration_ms) FROM job WHERE imei LIKE '351465%05u%%' AND outcome = 'PASS'",
                   wave - 1);
    bool is_good = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
                   sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
                   sqlite3_step(statement) == SQLITE_ROW;
    double ms = is_good ? sqlite3_column_double(statement, 0) : 0;
    (void)sqlite3_finalize(statement);
    (void)sqlite3_close(db);
    return ms;
}
