/*
 * Whether those who look on slow those who work: racks of simulated boards on pseudo-terminals that come in
 * waves, every other wave before 200 viewers of the live stream, 20 of whom never read.
 *
 * usage: bench_viewers [PAIRS [BOARDS]]    5 pairs of waves of 32 boards unless given
 *
 * What counts is how long the station says its jobs took, from contact to verdict. Waves without and with
 * viewers take turns, so that a machine that is slow for a while is slow for both; the ratio is that of the
 * medians of their means, and how far waves of one kind lie apart is printed beside it: a ratio within that
 * says nothing.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/ptyrack.h"

#define VIEWERS   200
#define DEAF      20 /* the first ones never read */
#define PAIRS     5
#define PAIRS_MAX 100
#define BOARDS    32

struct audience {
    pthread_t thread;
    struct pollfd fds[VIEWERS];
    atomic_bool is_over;
    atomic_ullong octets;
};

static void must(bool is_good, const char *what)
{
    if (!is_good) {
        (void)fprintf(stderr, "bench_viewers: %s\n", what);
        exit(1);
    }
}

static int join(unsigned port, bool is_deaf)
{
    char request[96], head[16] = "";
    int len =
        snprintf(request, sizeof(request), "GET /api/v1/stream HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n\r\n", port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), room = 4096;
    if (is_deaf) { /* as little as there can be, so that the station is the one that has to keep it */
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    }
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    must(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0, "the station takes no viewer");
    must(send(fd, request, (size_t)len, 0) == len, "a viewer cannot ask");
    must(recv(fd, head, 12, MSG_WAITALL) == 12 && strcmp(head, "HTTP/1.1 200") == 0, "a viewer is refused");
    return fd;
}

static void *look_on(void *ctx)
{
    struct audience *a = ctx;
    char octets[65536];
    while (!atomic_load(&a->is_over)) {
        if (poll(a->fds + DEAF, VIEWERS - DEAF, 100) <= 0) {
            continue;
        }
        for (size_t i = DEAF; i < VIEWERS; i++) {
            if (a->fds[i].revents) {
                ssize_t n = recv(a->fds[i].fd, octets, sizeof(octets), MSG_DONTWAIT);
                must(n != 0, "a viewer that reads was cut off");
                atomic_fetch_add(&a->octets, n > 0 ? (unsigned long long)n : 0);
            }
        }
    }
    return NULL;
}

static void enter(struct audience *a, unsigned port)
{
    atomic_store(&a->is_over, false);
    for (size_t i = 0; i < VIEWERS; i++) {
        a->fds[i] = (struct pollfd){.fd = join(port, i < DEAF), .events = POLLIN};
    }
    must(pthread_create(&a->thread, NULL, look_on, a) == 0, "no thread");
}

static void go(struct audience *a)
{
    atomic_store(&a->is_over, true);
    (void)pthread_join(a->thread, NULL);
    for (size_t i = 0; i < VIEWERS; i++) {
        (void)close(a->fds[i].fd);
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The spread is that of the middle half. */
static double median(double *values, unsigned n, double *ret_spread)
{
    qsort(values, n, sizeof(values[0]), by_value);
    *ret_spread = (values[n - 1 - n / 4] - values[n / 4]) / values[n / 2];
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

int main(int argc, char **argv)
{
    static struct audience audience;
    static double took[2][PAIRS_MAX], cpu[2];
    unsigned pairs = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : PAIRS;
    unsigned boards = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : BOARDS;
    if (pairs == 0 || pairs > PAIRS_MAX || boards == 0 || boards > 999) {
        (void)fprintf(stderr, "usage: bench_viewers [PAIRS [BOARDS]]   1 to %d, 1 to 999\n", PAIRS_MAX);
        return 2;
    }
    struct ptyrack rack;
    ptyrack_start(&rack, (2 * pairs + 1) * boards);
    ptyrack_wave(&rack, boards); /* not counted: everything is touched once */
    ptyrack_leave(&rack);
    for (unsigned i = 0; i < 2 * pairs; i++) {
        bool is_watched = (i + i / 2) % 2 == 1; /* neither kind is always the earlier one */
        if (is_watched) {
            enter(&audience, rack.port);
        }
        double start = ptyrack_cpu_ms(&rack, NULL);
        ptyrack_wave(&rack, boards);
        cpu[is_watched] += (ptyrack_cpu_ms(&rack, NULL) - start) / boards / pairs;
        ptyrack_leave(&rack);
        if (is_watched) {
            go(&audience);
        }
        took[is_watched][i / 2] = ptyrack_mean_job_ms(&rack, rack.n_waves);
    }
    double spread[2];
    double alone = median(took[0], pairs, &spread[0]), watched = median(took[1], pairs, &spread[1]);
    printf("count job_unwatched %.2f ms\n", alone);
    printf("count job_watched_by_%d %.2f ms\n", VIEWERS, watched);
    printf("count spread_unwatched %.4f ratio\n", spread[0]);
    printf("count spread_watched %.4f ratio\n", spread[1]);
    printf("count cpu_a_board_unwatched %.2f ms\n", cpu[0]);
    printf("count cpu_a_board_watched %.2f ms\n", cpu[1]);
    printf("count octets_to_viewers %.1f MB\n", (double)atomic_load(&audience.octets) / 1e6);
    printf("ratio job_watched_by_%d_to_unwatched %.4f 1.01\n", VIEWERS, watched / alone);
    ptyrack_stop(&rack);
    return 0;
}
