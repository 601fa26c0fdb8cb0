/*
 * What a rack costs the machine: the real daemon, 16 and then 256 simulated boards on pseudo-terminals that
 * are plugged in at once and get everything written, at 115,200 baud.
 *
 * usage: bench_pty [BOARDS]...    16 and 256 unless given
 *
 * The processors' time is that of the daemon's threads alone, from before the boards come until the last one
 * has passed. Memory is what is resident: before the boards, with them, and for one more board, since the
 * first ones bring the database's cache and much else with them. All of it has the program and its libraries
 * in it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "support/ptyrack.h"

#define SIZES_MAX     8
#define CPU_AIM_MS    5.0
#define BOARD_AIM_KIB 64.0
#define ALL_AIM_KIB   32768.0

/* Returns the daemon's memory with the boards. */
static double measure(unsigned n)
{
    static const char *const threads[] = {"certlined", "store", "keys", "http"};
    double before[sizeof(threads) / sizeof(*threads)];
    struct ptyrack rack;
    ptyrack_start(&rack, n);
    for (size_t i = 0; i < sizeof(threads) / sizeof(*threads); i++) {
        before[i] = ptyrack_cpu_ms(&rack, threads[i]);
    }
    double empty = ptyrack_memory_kib(&rack, "VmRSS"), start = ptyrack_cpu_ms(&rack, NULL);
    ptyrack_wave(&rack, n);
    double cpu = (ptyrack_cpu_ms(&rack, NULL) - start) / n;
    double full = ptyrack_memory_kib(&rack, "VmRSS"), peak = ptyrack_memory_kib(&rack, "VmHWM");
    for (size_t i = 0; i < sizeof(threads) / sizeof(*threads); i++) {
        printf("count cpu_a_board_of_%u_%s %.2f ms\n", n, threads[i],
               (ptyrack_cpu_ms(&rack, threads[i]) - before[i]) / n);
    }
    printf("count cpu_a_board_of_%u %.2f ms\n", n, cpu);
    printf("count memory_a_board_of_%u %.1f KiB\n", n, (full - empty) / n);
    printf("count memory_with_%u %.0f KiB\n", n, full);
    printf("count memory_peak_with_%u %.0f KiB\n", n, peak);
    printf("count job_of_%u_mean %.1f ms\n", n, ptyrack_mean_job_ms(&rack, 1));
    printf("ratio cpu_a_board_of_%u_to_5_ms %.3f 1.00\n", n, cpu / CPU_AIM_MS);
    printf("ratio memory_with_%u_to_32_mib %.3f 1.00\n", n, full / ALL_AIM_KIB);
    (void)fflush(stdout);
    ptyrack_stop(&rack);
    return full;
}

int main(int argc, char **argv)
{
    unsigned sizes[SIZES_MAX] = {16, 256}, n = 2;
    for (int i = 1; i < argc && i <= SIZES_MAX; i++) {
        sizes[i - 1] = (unsigned)strtoul(argv[i], NULL, 10);
        n = (unsigned)i;
    }
    double memory = 0;
    for (unsigned i = 0; i < n; i++) {
        if (sizes[i] == 0 || sizes[i] > 999 || argc > SIZES_MAX + 1) {
            (void)fprintf(stderr, "usage: bench_pty [BOARDS]...   1 to 999, %d times\n", SIZES_MAX);
            return 2;
        }
        double before = memory;
        memory = measure(sizes[i]);
        if (i > 0 && sizes[i] > sizes[i - 1]) {
            printf("ratio memory_of_one_more_board_to_64_kib %.3f 1.00\n",
                   (memory - before) / (sizes[i] - sizes[i - 1]) / BOARD_AIM_KIB);
        }
    }
    return 0;
}
