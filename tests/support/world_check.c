/*
 * What must hold, in one place. The truth is asked of three witnesses that know nothing of one another: the
 * database (through a reading connection of its own), the simulated modems' memory, and what was shown.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pki/pem.h"
#include "support/keygenkit.h"
#include "support/world_internal.h"

#define KEY_MARK "BEGIN PRIVATE KEY"

/* ---- the database */

/* What the events of ended jobs say of their credentials, one row each. */
static const char entries_view[] =
    "CREATE TEMP VIEW job_entry AS SELECT j.id AS job, s.value ->> 'proof' AS proof, s.value ->> 'written' "
    "AS "
    "written FROM job AS j JOIN event AS e ON e.seq = j.ending, json_each(e.data, '$.entries') AS s";

void world_reader_open(struct world *w)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/life-%u/" STORE_DB_NAME, w->dir, w->life);
    if (sqlite3_open_v2(path, &w->reader, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
        sqlite3_exec(w->reader, entries_view, NULL, NULL, NULL) != SQLITE_OK) {
        fprintf(stderr, "world: %s: %s\n", path, sqlite3_errmsg(w->reader));
        abort();
    }
}

void world_reader_close(struct world *w)
{
    sqlite3_close(w->reader);
    w->reader = NULL;
}

static sqlite3_stmt *ask(struct world *w, const char *sql, const char *arg)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(w->reader, sql, -1, &s, NULL) != SQLITE_OK) {
        fprintf(stderr, "world: %s: %s\n", sql, sqlite3_errmsg(w->reader));
        abort();
    }
    if (arg) {
        sqlite3_bind_text(s, 1, arg, -1, SQLITE_STATIC);
    }
    return s;
}

int64_t world_ask(struct world *w, const char *sql, const char *arg)
{
    sqlite3_stmt *s = ask(w, sql, arg);
    int64_t n = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int64(s, 0) : -1;
    sqlite3_finalize(s);
    return n;
}

const char *world_ask_text(struct world *w, const char *sql, const char *arg)
{
    sqlite3_stmt *s = ask(w, sql, arg);
    w->answer[0] = '\0';
    if (sqlite3_step(s) == SQLITE_ROW && sqlite3_column_text(s, 0)) {
        snprintf(w->answer, sizeof(w->answer), "%s", (const char *)sqlite3_column_text(s, 0));
    }
    sqlite3_finalize(s);
    return w->answer;
}

void world_keep_dialogue(struct world *w, const char *job)
{
    sqlite3_stmt *s =
        ask(w, "SELECT d.text FROM dialogue AS d JOIN job ON job.dialogue = d.sha256 WHERE job.id = ?", job);
    if (sqlite3_step(s) == SQLITE_ROW) {
        snprintf(w->dialogue, sizeof(w->dialogue), "%.*s", sqlite3_column_bytes(s, 0),
                 (const char *)sqlite3_column_blob(s, 0));
    }
    sqlite3_finalize(s);
}

const char *world_dialogue(const struct world *w)
{
    return w->dialogue;
}

struct text {
    char *at;
    size_t len, size;
};

static void text_add(struct text *t, const char *what, size_t n)
{
    while (t->len + n + 1 > t->size) {
        t->size = t->size ? 2 * t->size : 65536;
        t->at = realloc(t->at, t->size);
        if (!t->at) {
            abort();
        }
    }
    memcpy(t->at + t->len, what, n);
    t->len += n;
    t->at[t->len] = '\0';
}

/* A row as text, octets as hexadecimal. */
static void text_add_row(struct text *t, sqlite3_stmt *s)
{
    for (int i = 0; i < sqlite3_column_count(s); i++) {
        const char *octets = sqlite3_column_blob(s, i);
        int n = sqlite3_column_bytes(s, i);
        bool is_blob = sqlite3_column_type(s, i) == SQLITE_BLOB;
        for (int k = 0; k < n; k++) {
            char hex[3];
            snprintf(hex, sizeof(hex), "%02x", (unsigned char)octets[k]);
            text_add(t, is_blob ? hex : &octets[k], is_blob ? 2 : 1);
        }
        text_add(t, "|", 1);
    }
    text_add(t, "\n", 1);
}

char *world_events(struct world *w, size_t *ret_len)
{
    struct text t = {0};
    sqlite3_stmt *s = ask(w, "SELECT * FROM event ORDER BY seq", NULL);
    while (sqlite3_step(s) == SQLITE_ROW) {
        text_add_row(&t, s);
    }
    sqlite3_finalize(s);
    *ret_len = t.len;
    return t.at;
}

static uint64_t mix(uint64_t hash, const char *octets, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        hash = (hash ^ (unsigned char)octets[i]) * UINT64_C(1099511628211);
    }
    return hash;
}

static uint64_t sum_of_row(sqlite3_stmt *s)
{
    uint64_t hash = UINT64_C(1469598103934665603);
    for (int i = 0; i < sqlite3_column_count(s); i++) {
        const char *octets = sqlite3_column_blob(s, i);
        hash = mix(hash, octets, octets ? (size_t)sqlite3_column_bytes(s, i) : 0);
        hash = mix(hash, "|", 1);
    }
    return hash;
}

/* A sum over all rows of all tables but the record itself, in whatever order they stand. Dialogues are their
 * own digests. */
static uint64_t sum_of_projections(struct world *w)
{
    uint64_t sum = 0;
    sqlite3_stmt *names = ask(
        w, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('event', 'dialogue')", NULL);
    while (sqlite3_step(names) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(names, 0);
        char sql[128];
        /* A state that no bundle is in is as well without a row. */
        const char *which = strcmp(name, "bundle_stock") == 0 ? " WHERE n <> 0" : "";
        snprintf(sql, sizeof(sql), "SELECT '%s', * FROM %s%s", name, name, which);
        sqlite3_stmt *rows = ask(w, sql, NULL);
        while (sqlite3_step(rows) == SQLITE_ROW) {
            sum += sum_of_row(rows);
        }
        sqlite3_finalize(rows);
    }
    sqlite3_finalize(names);
    return sum;
}

/* ---- boards */

/* A key of the board's own making, and the certificate in its memory is for it. */
static bool holds_own_key(struct world *w, uint32_t board)
{
    struct simboard_entry key, cert;
    char public[SIM_PUBLIC_MAX];
    struct simboard *sim = w->boards[board].sim;
    if (!simboard_entry_find(sim, WORLD_TAG, CRED_PRIVATE_KEY, &key) || !key.is_generated ||
        !simboard_entry_find(sim, WORLD_TAG, CRED_CLIENT_CERT, &cert) ||
        simboard_public_key(sim, WORLD_TAG, CRED_PRIVATE_KEY, public) == 0) {
        return false;
    }
    struct pem pem;
    bool is_for_it = pem_parse(span_of(cert.content, cert.len), &pem) == 0 && pem.n_blocks == 1 &&
                     keygenkit_is_key_of(pem.blocks[0].der, public);
    pem_done(&pem);
    return is_for_it;
}

/* A shell's board stores CR LF for each line end, whatever it is sent. */
static bool is_stored_as(struct span stored, const char *content, bool has_shell)
{
    size_t at = 0;
    for (; *content; content++) {
        bool is_made = has_shell && *content == '\n' && (at == 0 || stored.at[at - 1] != '\r');
        if ((is_made && (at == stored.len || stored.at[at++] != '\r')) || at == stored.len ||
            stored.at[at++] != *content) {
            return false;
        }
    }
    return at == stored.len;
}

static bool holds(struct world *w, uint32_t board, uint32_t rack, const char *bundle, enum cred_type type)
{
    if (type == CRED_PRIVATE_KEY && w->products[rack].product.source == SOURCE_KEYGEN) {
        return holds_own_key(w, board);
    }
    char *content = world_content(w, rack, bundle, type);
    struct simboard_entry e;
    struct simboard *sim = w->boards[board].sim;
    bool has_shell = simboard_info(sim).config->front == SIM_FRONT_SHELL;
    bool is_same = content && simboard_entry_find(sim, WORLD_TAG, (unsigned)type, &e) &&
                   is_stored_as(span_of(e.content, e.len), content, has_shell);
    free(content);
    return is_same;
}

static void check_content(struct world *w, uint32_t board, uint32_t rack, const char *bundle,
                          const char *when)
{
    static const enum cred_type types[] = {CRED_CA, CRED_CLIENT_CERT, CRED_PRIVATE_KEY};
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        if (!holds(w, board, rack, bundle, types[i])) {
            world_blame(w, "%s board %s does not hold the %s of its bundle '%s'", when, w->boards[board].imei,
                        cred_type_name(types[i]), bundle);
        }
    }
}

static int compare_imei(const void *imei, const void *board)
{
    return strcmp(imei, ((const struct world_board *)board)->imei);
}

/* Boards stand in the order of their IMEIs. */
static uint32_t board_of(const struct world *w, const char *imei)
{
    const struct world_board *b = bsearch(imei, w->boards, w->n_boards, sizeof(*w->boards), compare_imei);
    return b ? (uint32_t)(b - w->boards) : WORLD_NOWHERE;
}

bool world_check_board(struct world *w, uint32_t board, const char *when)
{
    uint32_t rack = w->boards[board].rack;
    char sql[200], bundle[BUNDLE_ID_SIZE];
    snprintf(sql, sizeof(sql),
             "SELECT id FROM bundle WHERE imei = ? AND product = '%s' AND state = 'installed'",
             w->products[rack].product.name);
    snprintf(bundle, sizeof(bundle), "%.127s", world_ask_text(w, sql, w->boards[board].imei));
    check_content(w, board, rack, bundle, when);
    return !w->violation[0];
}

/* ---- at the moment */

/* Nothing that was written under a fault that spoils every write is right. */
static void check_fatal(struct world *w, const struct world_board *b, const char *job)
{
    int64_t since_ms = w->clock.wall_ms(&w->clock) - (w->now_us - b->must_fail_us) / US_PER_MS;
    int64_t started_ms = world_ask(w, "SELECT started FROM job WHERE id = ?", job);
    if (b->must_fail && started_ms > since_ms &&
        world_ask(w, "SELECT sum(written) FROM job_entry WHERE job = ?", job) > 0) {
        world_blame(w, "board %s passed in job %s with %s", b->imei, job, b->must_fail);
        world_keep_dialogue(w, job);
    }
}

/* A PASS that anybody sees is stored, and true. */
void world_check_told(struct world *w, uint32_t slot, const struct slot_view *view)
{
    struct world_slot *s = &w->slots[slot];
    if (view->verdict.outcome != OUTCOME_PASS || strcmp(s->told_job, view->job) == 0) {
        return;
    }
    memcpy(s->told_job, view->job, sizeof(s->told_job));
    w->numbers.passes++;
    if (strcmp(world_ask_text(w, "SELECT outcome FROM job WHERE id = ?", view->job), "PASS") != 0) {
        world_blame(w, "slot %s shows a PASS of job %s that is not stored (%s)", view->id, view->job,
                    w->answer);
        return;
    }
    uint32_t board = board_of(w, view->imei);
    char bundle[BUNDLE_ID_SIZE];
    snprintf(bundle, sizeof(bundle), "%.127s",
             world_ask_text(w, "SELECT bundle FROM job WHERE id = ?", view->job));
    if (board == WORLD_NOWHERE) {
        world_blame(w, "slot %s shows a PASS of an unknown board %s", view->id, view->imei);
    } else {
        check_content(w, board, s->rack, bundle, "when its PASS was told");
        check_fatal(w, &w->boards[board], view->job);
    }
}

/* No octet of a key leaves before its bundle is EXPOSED on record. */
void world_check_sent(struct world *w, uint32_t slot, struct span octets)
{
    struct world_slot *s = &w->slots[slot];
    char window[sizeof(s->tail) + 4096];
    size_t kept = sizeof(KEY_MARK) - 2, n = octets.len < 4096 ? octets.len : 4096;
    memcpy(window, s->tail, kept);
    memcpy(window + kept, octets.at, n);
    bool has_key = memmem(window, kept + n, KEY_MARK, sizeof(KEY_MARK) - 1) != NULL;
    memcpy(s->tail, window + n, kept);
    if (!has_key) {
        return;
    }
    const char *state =
        world_ask_text(w,
                       "SELECT b.state FROM job j JOIN bundle b ON b.id = j.bundle WHERE j.slot = ? AND "
                       "j.outcome IS NULL",
                       w->slot_configs[slot].id);
    if (strcmp(state, "exposed") != 0 && strcmp(state, "installed") != 0) {
        world_blame(w, "a key leaves for slot %s while its bundle is '%s'", w->slot_configs[slot].id, state);
    }
}

/* ---- the whole */

/* Each must answer 0. `final`: only when the calm has come to its end. */
static const struct {
    const char *what, *sql;
    bool is_final;
} questions[] = {
    {"jobs with more than one start or ending",
     "SELECT count(*) FROM (SELECT json_extract(data, '$.job') AS j, sum(kind = 'job_started') AS s, "
     "sum(kind = 'job_ended') AS e FROM event WHERE kind IN ('job_started', 'job_ended') GROUP BY j "
     "HAVING s > 1 OR e > 1)",
     false},
    {"jobs without an ending", "SELECT count(*) FROM job WHERE outcome IS NULL", true},
    {"events of endings without their job",
     "SELECT count(*) FROM event WHERE kind = 'job_ended' AND json_extract(data, '$.job') NOT IN (SELECT id "
     "FROM job WHERE outcome IS NOT NULL)",
     false},
    {"passes without a bundle, or without a start",
     "SELECT count(*) FROM job WHERE outcome = 'PASS' AND (bundle IS NULL OR was_exposed = 0 AND NOT EXISTS "
     "(SELECT 1 FROM job AS e WHERE e.imei = job.imei AND e.product = job.product AND e.was_exposed = 1))",
     false},
    {"passes without an entry each",
     "SELECT count(*) FROM job WHERE outcome = 'PASS' AND (SELECT count(*) FROM job_entry WHERE job = id) <> "
     "3",
     false},
    {"credentials written more than twice in a job", "SELECT count(*) FROM job_entry WHERE written > 2",
     false},
    {"bundles of a board twice",
     "SELECT count(*) FROM (SELECT imei FROM bundle WHERE imei IS NOT NULL AND state <> 'retired' GROUP BY "
     "imei, product HAVING "
     "count(*) > 1)",
     false},
    {"bundles installed without a pass",
     "SELECT count(*) FROM bundle AS b WHERE state = 'installed' AND NOT EXISTS (SELECT 1 FROM job WHERE "
     "+outcome = 'PASS' AND bundle = b.id AND imei = b.imei)",
     false},
    {"passes whose bundle is not installed",
     "SELECT count(*) FROM job JOIN bundle AS b ON b.id = job.bundle WHERE outcome = 'PASS' AND b.state <> "
     "'installed'",
     false},
    {"stock that differs from the bundles",
     "SELECT (SELECT coalesce(sum(n), 0) FROM bundle_stock) <> (SELECT count(*) FROM bundle) OR EXISTS "
     "(SELECT "
     "1 FROM bundle_stock AS s WHERE n <> (SELECT count(*) FROM bundle AS b WHERE b.product = s.product AND "
     "b.lot = s.lot AND b.state = s.state))",
     false},
    {"bundles imported that are not there",
     "SELECT (SELECT count(*) FROM event WHERE kind IN ('bundle_imported', 'bundle_made')) <> (SELECT "
     "count(*) FROM "
     "bundle)",
     false},
    {"bundles with two certificates that count",
     "SELECT count(*) FROM (SELECT bundle FROM certificate WHERE superseded IS NULL GROUP BY bundle HAVING "
     "count(*) "
     "> 1)",
     false},
    {"keys with two certificates",
     "SELECT count(*) FROM (SELECT key_sha256 FROM certificate GROUP BY key_sha256 HAVING count(*) > 1)",
     false},
    {"certificates whose serial number was not kept for them before",
     "SELECT count(*) FROM event AS i LEFT JOIN (SELECT json_extract(data, '$.serial') AS serial, min(seq) "
     "AS "
     "seq FROM event WHERE kind = 'keygen_intended' GROUP BY 1) AS k ON k.serial = json_extract(i.data, "
     "'$.serial') WHERE i.kind = 'certificate_issued' AND (k.seq IS NULL OR k.seq > i.seq)",
     false},
    {"orders over their quantity", "SELECT count(*) FROM work_order WHERE passed > quantity", false},
    {"orders whose count differs from their boards",
     "SELECT count(*) FROM work_order AS o WHERE passed <> (SELECT count(*) FROM order_board WHERE "
     "work_order = "
     "o.id AND result = 'passed')",
     false},
};

static void ask_questions(struct world *w, bool is_final)
{
    for (size_t i = 0; i < sizeof(questions) / sizeof(*questions); i++) {
        int64_t n = questions[i].is_final && !is_final ? 0 : world_ask(w, questions[i].sql, NULL);
        if (n != 0) {
            world_blame(w, "%s: %lld", questions[i].what, (long long)n);
        }
    }
}

static void check_retired(struct world *w)
{
    int64_t n = world_ask(w, "SELECT count(*) FROM bundle WHERE state = 'retired'", NULL);
    if (n > 0 && !w->config.may_retire) {
        world_blame(w, "%lld bundles are retired", (long long)n);
    }
}

/* A product that asks for digests gets them on every entry. */
static void check_proofs(struct world *w)
{
    for (uint32_t r = 0; r < w->config.n_racks; r++) {
        bool is_presence = w->config.racks[r].proof == PROOF_PRESENCE;
        const char *sql =
            is_presence ? "SELECT count(*) FROM job JOIN job_entry ON job = id WHERE outcome = 'PASS' AND "
                          "product = ? AND job_entry.proof NOT IN ('presence', 'digest')"
                        : "SELECT count(*) FROM job JOIN job_entry ON job = id WHERE outcome = 'PASS' AND "
                          "product = ? AND job_entry.proof <> 'digest'";
        if (world_ask(w, sql, w->products[r].product.name) != 0) {
            world_blame(w, "a PASS of %s without the proof it asks for", w->products[r].product.name);
        }
    }
}

struct held {
    uint8_t sha256[SIM_SHA256_SIZE];
    uint32_t board;
};

static int compare_held(const void *a, const void *b)
{
    return memcmp(((const struct held *)a)->sha256, ((const struct held *)b)->sha256, SIM_SHA256_SIZE);
}

/* No private key and no client certificate stands in two modems, under whatever tag. */
static void check_unique(struct world *w)
{
    struct held *held = calloc((size_t)w->n_boards * SIM_ENTRY_MAX, sizeof(*held));
    size_t n = 0;
    for (uint32_t i = 0; held && i < w->n_boards; i++) {
        for (size_t k = 0; k < simboard_entry_count(w->boards[i].sim); k++) {
            struct simboard_entry e = simboard_entry_at(w->boards[i].sim, k);
            if (e.type == CRED_PRIVATE_KEY || e.type == CRED_CLIENT_CERT) {
                held[n].board = i;
                memcpy(held[n++].sha256, e.sha256, SIM_SHA256_SIZE);
            }
        }
    }
    if (n > 0) {
        qsort(held, n, sizeof(*held), compare_held);
    }
    for (size_t i = 1; i < n; i++) {
        if (held[i].board != held[i - 1].board && compare_held(&held[i], &held[i - 1]) == 0) {
            world_blame(w, "boards %s and %s hold the same key or certificate", w->boards[held[i].board].imei,
                        w->boards[held[i - 1].board].imei);
        }
    }
    free(held);
}

static void count_jobs(struct world *w)
{
    for (uint32_t i = 0; i < w->n_boards; i++) {
        w->boards[i].n_jobs = 0;
    }
    sqlite3_stmt *s =
        ask(w, "SELECT imei, count(*) FROM event WHERE kind = 'job_started' GROUP BY imei", NULL);
    while (sqlite3_step(s) == SQLITE_ROW) {
        const char *imei = (const char *)sqlite3_column_text(s, 0);
        uint32_t board = imei ? board_of(w, imei) : WORLD_NOWHERE;
        if (board != WORLD_NOWHERE) {
            w->boards[board].n_jobs = (uint32_t)sqlite3_column_int(s, 1);
        }
    }
    sqlite3_finalize(s);
}

/* The modem's own count of writes against the jobs that may have made them. */
static void check_wear(struct world *w, uint32_t board)
{
    const struct world_board *b = &w->boards[board];
    int64_t most = 2 * (int64_t)b->n_jobs;
    uint32_t sum = 0;
    for (size_t i = 0; i < simboard_wear_count(b->sim); i++) {
        struct simboard_wear wear = simboard_wear_at(b->sim, i);
        sum += wear.writes;
        if (!b->has_noise && wear.writes > most) {
            world_blame(w, "entry %u,%u of board %s was written %u times in %lld jobs", wear.sec_tag,
                        wear.type, b->imei, wear.writes, (long long)most / 2);
        }
    }
    if (sum > 3 * most) { /* a changed octet may turn a write into one of another entry, but not into two */
        world_blame(w, "board %s was written %u times in %lld jobs", b->imei, sum, (long long)most / 2);
    }
}

/* What the record says of each slot is what the station does. */
static void check_quarantine(struct world *w)
{
    for (uint32_t i = 0; i < w->n_slots; i++) {
        int64_t on_record =
            world_ask(w, "SELECT count(*) FROM slot_quarantine WHERE slot = ?", w->slot_configs[i].id);
        bool is_shown = strstr(world_view(w, i)->warning, "release it") != NULL;
        if (on_record != is_shown) {
            world_blame(w, "slot %s is%s in quarantine, and on record it is%s", w->slot_configs[i].id,
                        is_shown ? "" : " not", on_record ? "" : " not");
        }
    }
}

static void check_record(struct world *w)
{
    struct err_info why = {0};
    if (store_verify(w->store, &why) < 0) {
        world_blame(w, "the chain does not verify: %s", why.text);
    }
    uint64_t before = sum_of_projections(w);
    if (store_rebuild(w->store, &why) < 0) {
        world_blame(w, "the projections cannot be made again: %s", why.text);
    } else if (sum_of_projections(w) != before) {
        world_blame(w, "the projections made again are others");
    }
}

static void check_end(struct world *w)
{
    for (uint32_t i = 0; i < w->n_boards && !w->violation[0]; i++) {
        world_check_board(w, i, "at the end");
    }
    const struct world_actor *actors[] = {&w->to_store, &w->to_keys, &w->to_issuer};
    bool is_quiet = true;
    for (size_t i = 0; i < sizeof(actors) / sizeof(*actors); i++) {
        is_quiet = is_quiet && actors[i]->n_waiting + actors[i]->n_answered == 0;
    }
    if (!station_is_idle(w->station) || !is_quiet) {
        world_blame(w, "something is under way though every rack is empty");
    } else if (station_deadline(w->station) != TIME_NEVER) {
        world_blame(w, "a timer is left though every rack is empty");
    }
    check_quarantine(w);
    check_record(w);
}

const char *world_check(struct world *w, bool is_final)
{
    if (w->is_up && !w->violation[0]) {
        ask_questions(w, is_final);
        check_retired(w);
        check_proofs(w);
        check_unique(w);
        count_jobs(w);
        for (uint32_t i = 0; i < w->n_boards; i++) {
            check_wear(w, i);
        }
        if (is_final) {
            check_end(w);
        }
        w->numbers.jobs = (uint64_t)world_ask(w, "SELECT count(*) FROM job", NULL);
    }
    if (world_numbers(w).allocations > 0) {
        world_blame(w, "the line allocated %llu times", (unsigned long long)w->numbers.allocations);
    }
    return w->violation[0] ? w->violation : NULL;
}
