/*
 * The real daemon with a rack of simulated boards on pseudo-terminals, each a process of its own, for
 * benchmarks. What cannot be started ends the program with what it said.
 *
 * CERTLINED and CERTLINE_SIM name the programs; otherwise they are looked for in the folder above the
 * benchmark's own.
 */
#ifndef CERTLINE_TESTS_PTYRACK_H
#define CERTLINE_TESTS_PTYRACK_H

#include <stdint.h>
#include <sys/types.h>

struct ptyrack {
    char dir[128]; /* with the configuration, the state and the links to the boards; removed at the end */
    char programs[512];
    pid_t daemon, boards;
    unsigned port;    /* of the API on 127.0.0.1 */
    unsigned n_waves; /* racks of boards that came so far */
};

/* A station with `bundles` bundles in the pool and an open order. */
void ptyrack_start(struct ptyrack *rack, unsigned bundles);

/* Plugs `n` boards in that were never seen before, and waits until all have passed. */
void ptyrack_wave(struct ptyrack *rack, unsigned n);

/* The boards leave, all at once. */
void ptyrack_leave(struct ptyrack *rack);

/* Ends both and removes the folder. */
void ptyrack_stop(struct ptyrack *rack);

/* What the daemon's threads have spent of the processors so far, all together or those of one name. */
double ptyrack_cpu_ms(const struct ptyrack *rack, const char *thread);

/* A line of the daemon's /proc/PID/status, "VmRSS" or "VmHWM". */
double ptyrack_memory_kib(const struct ptyrack *rack, const char *line);

/* Mean of what the jobs of a wave (1 for the first) took, as on record. */
double ptyrack_mean_job_ms(const struct ptyrack *rack, unsigned wave);

#endif
