/*
 * What the plant's monitoring reads, as Prometheus text. Counters count from the program's start, as such
 * counters do; gauges are taken from the published slots and from the database, whose totals are kept by it
 * and need no counting.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "api/handle.h"
#include "base/buf.h"
#include "base/json.h"
#include "store/read.h"

#define TYPE_METRICS "text/plain; version=0.0.4; charset=utf-8"

/* Text that grows; the first failure sticks. */
struct page {
    FILE *file;
    char *text;
    size_t len;
};

__attribute__((format(printf, 2, 3))) static void add(struct page *p, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vfprintf(p->file, format, args); /* a failure is seen by ferror, at the end */
    va_end(args);
}

static void head(struct page *p, const char *name, const char *type, const char *help)
{
    add(p, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* The format's escapes in a label's value. */
static void add_label(struct page *p, const char *key, const char *value)
{
    add(p, "%s=\"", key);
    for (; *value != '\0'; value++) {
        if (*value == '\n') {
            add(p, "\\n");
        } else {
            add(p, "%s%c", *value == '"' || *value == '\\' ? "\\" : "", *value);
        }
    }
    add(p, "\"");
}

static void add_station(struct page *p, const struct api_sources *s)
{
    struct api_ready ready = {0};
    const struct api_station *station = s->station;

    head(p, "certline_info", "gauge", "The station and its program.");
    add(p, "certline_info{");
    add_label(p, "station", station->name);
    add(p, ",");
    add_label(p, "version", station->version);
    add(p, ",");
    add_label(p, "config", station->config_digest);
    add(p, "} 1\n");
    head(p, "certline_start_time_seconds", "gauge", "When the program started, since 1970 UTC.");
    add(p, "certline_start_time_seconds %.3f\n", (double)station->started_wall_ms / 1000.0);

    s->ready(s->ctx, &ready);
    const struct {
        const char *name;
        bool is_so;
    } rows[] = {
        {"store_failed", ready.store_failed}, {"mark_ahead", ready.mark_ahead},
        {"key_locked", ready.key_locked},     {"clock_wrong", ready.clock_wrong},
        {"stopping", ready.draining},
    };
    head(p, "certline_not_ready", "gauge", "1 while new boards are refused for this reason.");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        add(p, "certline_not_ready{reason=\"%s\"} %d\n", rows[i].name, rows[i].is_so);
    }
}

static void add_slots(struct page *p, const struct api_sources *s)
{
    enum { STATES = SLOT_QUARANTINED + 1 };
    uint32_t count = s->slot_count(s->ctx);
    struct slot_view view;

    head(p, "certline_slots", "gauge", "Slots by what they show.");
    for (size_t f = 0; f < s->station->n_fixtures; f++) {
        unsigned n[STATES] = {0};
        for (uint32_t i = 0; i < count; i++) {
            s->slot_read(s->ctx, i, &view);
            n[view.state] += strcmp(view.fixture, s->station->fixtures[f].name) == 0;
        }
        for (int state = 0; state < STATES; state++) {
            add(p, "certline_slots{");
            add_label(p, "fixture", s->station->fixtures[f].name);
            add(p, ",state=\"%s\"} %u\n", slot_state_name((enum slot_state)state), n[state]);
        }
    }
}

static void add_jobs(struct page *p, const struct api_counters *c)
{
    head(p, "certline_jobs_total", "counter", "Jobs that went on record, by how they ended.");
    for (int outcome = 0; outcome < OUTCOMES; outcome++) {
        for (int reason = 0; reason < REASON_COUNT; reason++) {
            if (c->jobs[outcome][reason] > 0) {
                add(p, "certline_jobs_total{outcome=\"%s\",reason=\"%s\"} %" PRIu64 "\n",
                    outcome_name((enum outcome)outcome), reason_text((enum reason)reason)->name,
                    c->jobs[outcome][reason]);
            }
        }
    }
    head(p, "certline_job_seconds_total", "counter", "How long these jobs took.");
    add(p, "certline_job_seconds_total %.3f\n", (double)c->duration_ms / 1000.0);
    head(p, "certline_wire_seconds_total", "counter", "For how long of it the lines were busy.");
    add(p, "certline_wire_seconds_total %.3f\n", (double)c->wire_ms / 1000.0);
    head(p, "certline_modem_seconds_total", "counter", "For how long of it modems were awaited.");
    add(p, "certline_modem_seconds_total %.3f\n", (double)c->modem_ms / 1000.0);
}

static void add_total(struct page *p, const struct json *totals, const char *key, const char *name,
                      const char *help)
{
    int64_t value = 0;

    if (json_get_i64(totals, key, 0, INT64_MAX, &value, NULL) == 0) {
        head(p, name, "gauge", help);
        add(p, "%s %" PRId64 "\n", name, value);
    }
}

static void add_totals(struct page *p, const struct json *totals)
{
    static const char *const states[] = {"free", "bound", "exposed", "installed", "retired"};
    const struct json *bundles = json_get(totals, "bundles");

    add_total(p, totals, "last_seq", "certline_event_seq", "Number of the last event on record.");
    add_total(p, totals, "open_orders", "certline_open_orders", "Work orders that are open.");
    add_total(p, totals, "open_jobs", "certline_open_jobs", "Jobs that have not ended.");
    head(p, "certline_bundles", "gauge", "Bundles by state.");
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        int64_t n = 0;
        if (json_get_i64(bundles, states[i], 0, INT64_MAX, &n, NULL) == 0) {
            add(p, "certline_bundles{state=\"%s\"} %" PRId64 "\n", states[i], n);
        }
    }
}

static void add_process(struct page *p)
{
    struct rusage usage;
    unsigned long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "re");

    if (statm != NULL) {
        if (fscanf(statm, "%*u %lu", &pages) == 1) {
            head(p, "process_resident_memory_bytes", "gauge", "Resident memory.");
            add(p, "process_resident_memory_bytes %lu\n", pages * (unsigned long)sysconf(_SC_PAGESIZE));
        }
        (void)fclose(statm);
    }
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        head(p, "process_cpu_seconds_total", "counter", "Processor time.");
        add(p, "process_cpu_seconds_total %.3f\n",
            (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    }
}

void handle_metrics(const struct env *env, const struct request *r, struct response *out)
{
    const struct api_sources *s = env->sources;
    struct api_counters counters = {0};
    struct json *totals = NULL;
    struct page p = {0};

    (void)r;
    p.file = open_memstream(&p.text, &p.len);
    if (p.file == NULL) {
        response_problem(out, PROBLEM_INTERNAL, "out of memory");
        return;
    }
    s->counters(s->ctx, &counters);
    add_station(&p, s);
    add_slots(&p, s);
    add_jobs(&p, &counters);
    if (store_read_totals(env->reader, &totals, NULL) ==
        0) { /* without them the rest is still worth telling */
        add_totals(&p, totals);
    }
    json_free(totals);
    add_process(&p);
    bool has_failed = ferror(p.file) != 0;
    if (fclose(p.file) != 0 || has_failed) {
        free(p.text);
        response_problem(out, PROBLEM_INTERNAL, "out of memory");
        return;
    }
    response_text(out, 200, TYPE_METRICS, p.text, p.len);
}
