/*
 * No memory. One life of the daemon's parts in one thread: a database is made, bundles are imported, an order
 * is opened, a board is provisioned over the real store and keys, everything is read back through the API's
 * handlers and exported, and the database is opened again; and three short ones beside it: a configuration is
 * read, a state directory with its wrapping key is opened, a board makes its own key. In each phase in turn
 * the k-th allocation of whatever library fails, once, and from then on until somebody makes room.
 *
 * It is our own trouble and nobody's verdict: whoever asked hears a sentence, or a failure that is tried
 * again; the board passes at the first attempt; no answer of the API differs from what it is with memory
 * unless it is a 5xx; and at the end nothing is lost, doubled or made anew.
 *
 * A phase that allocates more than CASES times is thinned: each n-th allocation, beginning at another one
 * every day. "all" takes each of them, "phase:k" and "phase:k:until" repeat one case.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/audit.h"
#include "api/route.h"
#include "app_state.h"
#include "base/json.h"
#include "exchange/export.h"
#include "exchange/import.h"
#include "http/fake.h"
#include "keys/keys.h"
#include "pki/content.h"
#include "pki/digest.h"
#include "pki/init.h"
#include "pki/seal.h"
#include "store/read.h"
#include "support/malloc_count.h"
#include "support/rig.h"
#include "support/storekit.h"
#include "support/sweep.h"
#include "support/testpki.h"

#define CASES        24
#define PATIENCE     2  /* failures in a row until somebody makes room */
#define FAILURES_MAX 50 /* of one thing: it will never come right */
#define BUNDLES      2

enum phase {
    PHASE_OPEN,
    PHASE_IMPORT,
    PHASE_ORDER,
    PHASE_JOB,
    PHASE_READ,
    PHASE_EXPORT,
    PHASE_REOPEN,
    PHASE_CONFIG,
    PHASE_STATE,
    PHASE_KEYGEN,
};
#define PHASES (PHASE_KEYGEN + 1)

static const char *const phase_names[PHASES] = {
    [PHASE_OPEN] = "open",   [PHASE_IMPORT] = "import", [PHASE_ORDER] = "order",   [PHASE_JOB] = "job",
    [PHASE_READ] = "read",   [PHASE_EXPORT] = "export", [PHASE_REOPEN] = "reopen", [PHASE_CONFIG] = "config",
    [PHASE_STATE] = "state", [PHASE_KEYGEN] = "keygen",
};

static struct {
    enum phase phase;
    uint64_t k;
    bool for_good;
    unsigned failures; /* in a row */
    uint64_t calls;    /* allocations of the phase */
} run;

static struct testpki *pki;

/* ---- where memory fails */

static void blame(const char *what, const char *detail)
{
    malloc_count_switch(false);
    fail_msg("%s:%llu%s: %s: %s", phase_names[run.phase], (unsigned long long)run.k,
             run.for_good ? ":until" : "", what, detail);
}

static void begin_phase(enum phase phase)
{
    if (phase == run.phase) {
        malloc_fail_at(run.k, run.for_good);
    }
}

static uint64_t counted_from;

/* Only between these two the phase's allocations count. */
static void in(enum phase phase)
{
    if (phase == run.phase) {
        counted_from = malloc_count();
        malloc_count_switch(true);
    }
}

static void out_of(void)
{
    if (malloc_count_switch(false)) {
        run.calls += malloc_count() - counted_from;
    }
}

/* Something failed; after a while somebody makes room. Without a word it would help nobody. */
static void fail_once(const char *what, const char *why)
{
    out_of();
    if (*why == '\0') {
        blame(what, "it failed without a word");
    }
    if (malloc_failed() == 0) {
        blame(what, why);
    }
    if (++run.failures == PATIENCE) {
        malloc_fail_at(0, false);
    }
    if (run.failures > FAILURES_MAX) {
        blame(what, why);
    }
}

/* ---- the whole life */

struct life {
    struct rig rig; /* first: the ledger finds the life by it */
    struct kit kit;
    struct seal_key *wrapping_key;
    struct keys *keys;
    struct testpki_bundle bundle; /* of the board */
};

static void open_store(struct life *life, enum phase phase)
{
    for (run.failures = 0;;) {
        in(phase);
        int r = kit_open(&life->kit);
        out_of();
        if (r == 0) {
            return;
        }
        fail_once("open", life->kit.err.text);
    }
}

static void insist(struct life *life, enum phase phase, const struct store_op *wanted, const char *what)
{
    for (run.failures = 0;;) {
        struct store_op op = *wanted, *ops[] = {&op};
        in(phase);
        int r = store_batch(life->kit.store, ops, 1);
        out_of();
        if (r == 0 && op.result == 0) {
            return;
        }
        fail_once(what, r < 0 ? store_failure(life->kit.store) : op.detail);
    }
}

static const struct product *find_product(void *ctx, const char *name)
{
    struct life *life = ctx;
    return strcmp(name, life->rig.product.name) == 0 ? &life->rig.product : NULL;
}

static int submit_batch(void *ctx, struct store_op **ops, size_t n)
{
    struct life *life = ctx;
    return store_batch(life->kit.store, ops, n);
}

/* One attempt at the file. 0, or negative with a sentence. */
static int import_once(struct life *life, struct span rows, int64_t *ret_new, struct err_info *why)
{
    struct import_config config = {.rows = {.keys = life->keys,
                                            .find_product = find_product,
                                            .ctx = life,
                                            .now_s = CONTENT_TIME_UNKNOWN},
                                   .submit = submit_batch,
                                   .ctx = life};
    struct json *result = NULL;
    int64_t n[3] = {-1, -1, -1};
    struct import *import = import_new(&config);
    int r = import ? import_feed(import, rows, why) : err_set(why, -ENOMEM, "no memory for the import");
    if (r == 0) {
        r = import_finish(import, &result, why);
    }
    import_free(import);
    out_of();
    static const char *const names[] = {"taken", "duplicate", "refused"};
    for (size_t i = 0; r == 0 && i < 3; i++) {
        assert_int_equal(json_get_i64(result, names[i], 0, 1, &n[i], NULL), 0);
    }
    if (r == 0 && (n[2] != 0 || n[0] + n[1] != 1)) {
        char *text = json_dump(result, JSON_FORM_COMPACT);
        blame("a good row was refused", text);
    }
    json_free(result);
    *ret_new += r == 0 ? n[0] : 0;
    return r;
}

/* One file a bundle, so that their order is the same however often each is imported. */
static void import_bundle(struct life *life, unsigned i)
{
    char id[16];
    int64_t n_new = 0;
    snprintf(id, sizeof(id), "b-%u", i);
    char *row = testpki_row(pki, i, TESTPKI_P256, id, NULL, "tracker", NULL);
    for (run.failures = 0;;) {
        struct err_info why = {0};
        in(PHASE_IMPORT);
        if (import_once(life, span_str(row), &n_new, &why) == 0) {
            break;
        }
        fail_once("import", why.text);
    }
    testpki_text_free(row);
}

static void open_order(struct life *life)
{
    begin_phase(PHASE_ORDER);
    struct store_op op = {.kind = STORE_STATION_STARTED};
    insist(life, PHASE_ORDER, &op, "station started");
    op = (struct store_op){.kind = STORE_ORDER_PUT,
                           .order_put = {.id = "WO-1",
                                         .product = "tracker",
                                         .version = "sha256:tracker-1",
                                         .quantity = 1,
                                         .n_fixtures = 1,
                                         .fixtures = {"rack1"}}};
    insist(life, PHASE_ORDER, &op, "order");
}

static void register_product(struct life *life)
{
    struct store_op op = {.kind = STORE_PRODUCT, .product = &life->rig.product};
    insist(life, PHASE_OPEN, &op, "product");
}

/* As the line's couriers do it. */
static void answer_really(struct rig *rig, struct ledger_msg *msg)
{
    struct life *life = (struct life *)rig;
    msg->status = LEDGER_PENDING;
    in(PHASE_JOB);
    if (msg->kind == LEDGER_DIGEST || msg->kind == LEDGER_EXPLAIN) {
        keys_answer(life->keys, msg);
    } else {
        struct store_op op = {.kind = STORE_LEDGER, .ledger = msg}, *ops[] = {&op};
        if (store_batch(life->kit.store, ops, 1) < 0 && msg->status == LEDGER_PENDING) {
            msg->status = LEDGER_FAILED;
            snprintf(msg->detail, sizeof(msg->detail), "%s", op.detail);
        }
    }
    out_of();
    rig->records += msg->kind == LEDGER_RECORD && msg->status == LEDGER_OK;
    if (msg->kind == LEDGER_RECORD) {
        snprintf(rig->dialogue, sizeof(rig->dialogue), "%.*s", (int)msg->dialogue.len, msg->dialogue.at);
    }
    if (msg->status == LEDGER_FAILED) {
        fail_once("a message of the job", msg->detail);
    } else {
        run.failures = 0;
    }
}

static void provision(struct life *life)
{
    struct rig *rig = &life->rig;
    begin_phase(PHASE_JOB);
    run.failures = 0;
    rig->answer = answer_really;
    rig_provision(rig, true);
    const struct verdict *v = &rig->job.verdict;
    if (v->outcome != OUTCOME_PASS || rig->records != 1 || !rig_board_is_right(rig)) {
        print_error("%s\n", rig->dialogue);
        blame("the board does not pass", reason_text(v->reason)->name);
    }
    assert_null(strstr(rig->dialogue, life->bundle.private_key + 40));
}

/* ---- reading back */

static struct fake fake;
static struct api_sources sources;

static int submit_one(void *ctx, struct store_op *op)
{
    (void)ctx;
    struct life *life = sources.ctx;
    struct store_op *ops[] = {op};
    (void)store_batch(life->kit.store, ops, 1);
    return 0;
}

static int give_export(void *ctx, struct store_reader *reader, const struct api_export *what,
                       struct api_export_part *ret, struct err_info *reterr)
{
    (void)ctx;
    struct life *life = sources.ctx;
    struct export_config config = {.keys = life->keys, .find_product = find_product, .ctx = life};
    int format = export_format_from_name(what->format);
    struct export_request request = {.format = (enum export_format)format, .filter.work_order = "WO-1"};
    struct export_part part;
    int r = export_part(&config, reader, &request, &part, reterr);
    if (r < 0) {
        export_part_done(&part);
        return r;
    }
    *ret = (struct api_export_part){.body = part.text.at,
                                    .body_len = part.text.len,
                                    .skipped = part.skipped.at,
                                    .skipped_len = part.skipped.len,
                                    .content_type = export_content_type((enum export_format)format),
                                    .rows = part.n_rows,
                                    .n_skipped = part.n_skipped};
    return 0;
}

#define FAKE(name, args, call)                                                                               \
    static name args                                                                                         \
    {                                                                                                        \
        (void)ctx;                                                                                           \
        call;                                                                                                \
    }
FAKE(uint32_t slots_of_fake, (void *ctx), return fake_slot_count(&fake))
FAKE(uint64_t read_of_fake, (void *ctx, uint32_t i, struct slot_view *out),
     return fake_slot_read(&fake, i, out))
FAKE(uint64_t seq_of_fake, (void *ctx), return fake_slot_seq(&fake))
FAKE(void counters_of_fake, (void *ctx, struct api_counters *out), fake_counters(&fake, out))
FAKE(void ready_of_fake, (void *ctx, struct api_ready *out), fake_ready(&fake, out))
FAKE(int command_of_fake, (void *ctx, const struct api_command *c, struct err_info *e),
     return fake_command(&fake, c, e))

static void wire_sources(struct life *life)
{
    fake_init(&fake);
    sources = fake_sources(&fake);
    sources.ctx = life;
    sources.slot_count = slots_of_fake;
    sources.slot_read = read_of_fake;
    sources.slot_seq = seq_of_fake;
    sources.counters = counters_of_fake;
    sources.ready = ready_of_fake;
    sources.command = command_of_fake;
    sources.submit = submit_one;
    sources.export_part = give_export;
}

static const struct question {
    enum method method;
    const char *target, *body;
} questions[] = {
    {METHOD_GET, "/healthz", NULL},
    {METHOD_GET, "/readyz", NULL},
    {METHOD_GET, "/metrics", NULL},
    {METHOD_GET, "/problems/busy", NULL},
    {METHOD_GET, "/api/v1/openapi.json", NULL},
    {METHOD_GET, "/api/v1/station", NULL},
    {METHOD_GET, "/api/v1/products", NULL},
    {METHOD_GET, "/api/v1/reasons", NULL},
    {METHOD_GET, "/api/v1/slots", NULL},
    {METHOD_GET, "/api/v1/slots/rack1/001", NULL},
    {METHOD_GET, "/api/v1/slots/rack9/001", NULL},
    {METHOD_POST, "/api/v1/slots/rack1/001/start", "{\"operator\":\"eve\",\"unit_serial\":\"SN-1\"}"},
    {METHOD_POST, "/api/v1/slots/rack1/001/abort", "{}"},
    {METHOD_GET, "/api/v1/work-orders", NULL},
    {METHOD_GET, "/api/v1/work-orders/WO-1", NULL},
    {METHOD_GET, "/api/v1/work-orders/WO-1/yield", NULL},
    {METHOD_GET, "/api/v1/work-orders/WO-9", NULL},
    {METHOD_GET, "/api/v1/bundles/stock", NULL},
    {METHOD_GET, "/api/v1/jobs", NULL},
    {METHOD_GET, "/api/v1/jobs/01TESTJOB", NULL},
    {METHOD_GET, "/api/v1/jobs/unknown", NULL},
    {METHOD_GET, "/api/v1/boards/351465800000002", NULL},
    {METHOD_GET, "/api/v1/events", NULL},
    {METHOD_GET, "/api/v1/audit", NULL},
    {METHOD_POST, "/api/v1/audit/verify", NULL},
    {METHOD_GET, "/api/v1/audit", NULL},
    {METHOD_POST, "/api/v1/bundles/b-1/retire", "{\"operator\":\"eve\",\"reason\":\"test\"}"},
    {METHOD_POST, "/api/v1/bundles/b-1/retire", "no json"},
};
#define QUESTIONS (sizeof(questions) / sizeof(*questions))

static const struct question exports[] = {
    {METHOD_GET, "/api/v1/exports/onboarding", NULL}, {METHOD_GET, "/api/v1/exports/devinfo", NULL},
    {METHOD_GET, "/api/v1/exports/manager", NULL},    {METHOD_GET, "/api/v1/exports/aws", NULL},
    {METHOD_GET, "/api/v1/exports/azure", NULL},
};
#define EXPORTS (sizeof(exports) / sizeof(*exports))

/* What was answered with memory. */
static struct answer {
    int status;
    char *body;
} known_answers[QUESTIONS], known_exports[EXPORTS];

/* Asked as a request comes in. Returns the status; the body is the caller's. */
static int ask(const struct env *env, enum phase phase, const struct question *q, char **ret_body)
{
    static struct request request;
    struct response out = {0};
    enum problem problem;
    char allow[40];
    request.method = q->method;
    request.roles = ROLE_ENGINEER;
    request.body = q->body ? span_str(q->body) : span_of(NULL, 0);
    assert_int_equal(request_set_target(&request, span_str(q->target), NULL), 0);
    const struct route *route = route_find(&request, &problem, allow);
    assert_non_null(route);
    in(phase);
    route->handle(env, &request, &out);
    out_of();
    const char *octets = out.text ? out.text : out.body;
    *ret_body = strndup(octets ? octets : "", octets ? out.len : 0);
    int status = out.status;
    response_done(&out);
    return status;
}

static size_t lines_of(const char *text)
{
    size_t n = 0;
    for (; (text = strchr(text, '\n')); text++) {
        n++;
    }
    return n;
}

/* Figures of the process change, and those of a job that had to wait for its messages; a bundle that is
 * retired already, by a try whose answer failed, is a conflict. */
static bool is_same(const struct question *q, int status, const char *body, const struct answer *known)
{
    if (q->method == METHOD_POST && status == 409) {
        return true;
    }
    if (status != known->status) {
        return false;
    }
    if (strcmp(q->target, "/metrics") == 0) { /* what cannot be read is left out */
        return lines_of(body) <= lines_of(known->body);
    }
    return run.phase == PHASE_JOB ? lines_of(body) == lines_of(known->body) : strcmp(body, known->body) == 0;
}

/* Until it is answered as it is with memory. What is no failure of ours must be that at once. */
static void ask_until_answered(const struct env *env, enum phase phase, const struct question *q,
                               struct answer *known)
{
    for (run.failures = 0;;) {
        char *body;
        int status = ask(env, phase, q, &body);
        if (run.k == 0 && !known->body) {
            *known = (struct answer){status, body};
            return;
        }
        bool is_known = is_same(q, status, body, known);
        if (!is_known && status < 500) {
            fprintf(stderr, "%d %s\nand not\n%d %s\n", status, body, known->status,
                    known->body); /* cmocka would cut it */
            blame(q->target, "another answer");
        }
        if (!is_known) {
            fail_once(q->target, body);
        }
        free(body);
        if (is_known) {
            return;
        }
    }
}

static void read_back(struct life *life)
{
    struct store_reader *reader = NULL;
    struct audit *audit = audit_new();
    assert_non_null(audit);
    wire_sources(life);
    begin_phase(PHASE_READ);
    for (run.failures = 0;;) {
        struct err_info why = {0};
        in(PHASE_READ);
        int r = store_reader_open(&reader, life->kit.dir, NULL, &why);
        out_of();
        if (r == 0) {
            break;
        }
        fail_once("reader", why.text);
    }
    struct env env = {.sources = &sources, .clock = &life->kit.clock, .reader = reader, .audit = audit};
    for (size_t i = 0; i < QUESTIONS; i++) {
        ask_until_answered(&env, PHASE_READ, &questions[i], &known_answers[i]);
    }
    begin_phase(PHASE_EXPORT);
    for (size_t i = 0; i < EXPORTS; i++) {
        ask_until_answered(&env, PHASE_EXPORT, &exports[i], &known_exports[i]);
    }
    store_reader_close(reader);
    audit_free(audit);
    bell_free(fake.bell);
    fake.bell = NULL;
}

/* ---- the life's ends */

static void make_product(struct life *life)
{
    struct product *p = &life->rig.product;
    p->source = SOURCE_POOL;
    p->canonical = "{}";
    snprintf(p->version, sizeof(p->version), "sha256:tracker-1");
    p->entries[0].content = span_str(testpki_ca(pki));
    sha256(p->entries[0].content, &p->entries[0].sha256);
    testpki_bundle(pki, 0, TESTPKI_P256, &life->bundle);
    life->rig.contents[1] = life->bundle.client_cert;
    life->rig.contents[2] = life->bundle.private_key;
}

static void expect(struct life *life, const char *sql, const char *answer)
{
    const char *found = kit_query(&life->kit, "%s", sql);
    if (strcmp(found, answer) != 0) {
        print_error("\"%s\" and not \"%s\"\n", found, answer);
        blame(sql, "another answer");
    }
}

static void check_life(struct life *life)
{
    expect(life, "SELECT group_concat(id || ' ' || coalesce(imei, '-') || ' ' || state, ', ') FROM bundle",
           "b-0 351465800000002 installed, b-1 - retired");
    expect(life, "SELECT group_concat(outcome) FROM job", "PASS");
    expect(life, "SELECT group_concat(kind) FROM event",
           "store_created,product_registered,bundle_imported,bundle_imported,station_started,order_opened,"
           "bundle_bound,job_started,bundle_exposed,bundle_installed,job_ended,bundle_retired");
    expect(life, "SELECT count(*) FROM credential", "4");
    assert_int_equal(store_mark_state(life->kit.store), STORE_MARK_GOOD);
    kit_check(&life->kit);
}

static void live_wholly(void)
{
    static struct life life;
    static const uint8_t octets[SEAL_KEY_SIZE] = "a wrapping key without memory";
    life = (struct life){.wrapping_key = seal_key_new(octets)};
    rig_init(&life.rig, SIM_F2B, SIM_TERM_CR);
    kit_init(&life.kit);
    life.keys = keys_new(&(struct keys_config){.wrapping_key = life.wrapping_key});
    assert_true(life.wrapping_key && life.keys);
    make_product(&life);

    begin_phase(PHASE_OPEN);
    open_store(&life, PHASE_OPEN);
    register_product(&life);
    begin_phase(PHASE_IMPORT);
    for (unsigned i = 0; i < BUNDLES; i++) {
        import_bundle(&life, i);
    }
    open_order(&life);
    provision(&life);
    read_back(&life);
    kit_close(&life.kit);
    begin_phase(PHASE_REOPEN);
    open_store(&life, PHASE_REOPEN);
    check_life(&life);

    kit_done(&life.kit);
    keys_free(life.keys);
    seal_key_free(life.wrapping_key);
    testpki_bundle_done(&life.bundle);
    rig_done(&life.rig);
}

/* ---- a configuration, and a state directory with its key */

static char state_dir[64];

static struct config *read_config(enum phase phase)
{
    static struct config_errors errors;
    char text[1024], path[128];
    snprintf(text, sizeof(text),
             "[station]\nname = \"s\"\nstate_dir = \"%s/state\"\n[[fixture]]\nname = \"r\"\nports = "
             "\"/nowhere/s*\"\n"
             "[[product]]\nname = \"p\"\nsource = \"pool\"\n[[product.entry]]\nsec_tag = 1\ntype = "
             "\"client_cert\"\n"
             "from = \"bundle\"\n[[product.entry]]\nsec_tag = 1\ntype = \"private_key\"\nfrom = \"bundle\"\n",
             state_dir);
    snprintf(path, sizeof(path), "%s/config.toml", state_dir);
    for (run.failures = 0;;) {
        struct config *config = NULL;
        in(phase);
        int r = config_parse(span_str(text), path, &config, &errors);
        out_of();
        if (r == 0) {
            return config;
        }
        assert_true(errors.n > 0);
        if (r != -ENOMEM) {
            blame("a good configuration is refused", errors.items[0].text);
        }
        fail_once("configuration", errors.items[0].text);
    }
}

static void live_config(void)
{
    begin_phase(PHASE_CONFIG);
    config_free(read_config(PHASE_CONFIG));
}

static size_t read_key(char octets[512])
{
    char path[128];
    snprintf(path, sizeof(path), "%s/state/wrapping.key", state_dir);
    FILE *file = fopen(path, "re");
    size_t n = file ? fread(octets, 1, 512, file) : 0;
    if (file) {
        fclose(file);
    }
    return n;
}

/* A state that has its key, or is about to make it. */
static void open_state(const struct config *config)
{
    for (run.failures = 0;;) {
        struct app_state state;
        struct err_info why = {0};
        in(PHASE_STATE);
        int r = app_state_open(&state, config, &why);
        out_of();
        bool is_locked = r == 0 && !state.key;
        if (is_locked) {
            snprintf(why.text, sizeof(why.text), "%s", state.key_why.text);
        }
        if (r == 0) {
            app_state_close(&state);
        }
        if (r == 0 && !is_locked) {
            return;
        }
        fail_once("state", why.text);
    }
}

static void live_state(void)
{
    char first[512], second[512], command[128];
    struct config *config = read_config(PHASE_STATE + PHASES); /* no phase: it only reads */
    begin_phase(PHASE_STATE);
    open_state(config);
    size_t n = read_key(first);
    assert_true(n > 0);
    malloc_fail_at(run.phase == PHASE_STATE && run.k > run.calls ? run.k - run.calls : 0, run.for_good);
    open_state(config);
    assert_int_equal(read_key(second), n);
    assert_memory_equal(first, second, n);
    config_free(config);
    snprintf(command, sizeof(command), "rm -rf %s/state", state_dir);
    assert_int_equal(system(command), 0);
}

/* ---- a key of the board's own */

static void answer_for_key(struct rig *rig, struct ledger_msg *msg)
{
    in(PHASE_KEYGEN);
    rig_play(rig, msg);
    out_of();
    if (msg->status == LEDGER_FAILED) {
        fail_once("a message of the job", msg->detail);
    } else {
        run.failures = 0;
    }
}

static void live_keygen(void)
{
    struct rig rig;
    rig_init_keygen(&rig, SIM_F2B);
    rig.product.possession = true;
    rig.answer = answer_for_key;
    begin_phase(PHASE_KEYGEN);
    run.failures = 0;
    rig_provision(&rig, true);
    if (rig.job.verdict.outcome != OUTCOME_PASS || rig.records != 1 || rig.issues != 1 || rig.intents != 1 ||
        !rig_key_is_right(&rig)) {
        print_error("%s\n", rig.dialogue);
        blame("the board does not pass, or not with one key", reason_text(rig.job.verdict.reason)->name);
    }
    rig_done(&rig);
}

/* ---- the sweep */

static void live(void)
{
    run.calls = 0;
    switch (run.phase) {
    case PHASE_OPEN:
    case PHASE_IMPORT:
    case PHASE_ORDER:
    case PHASE_JOB:
    case PHASE_READ:
    case PHASE_EXPORT:
    case PHASE_REOPEN:
        live_wholly();
        break;
    case PHASE_CONFIG:
        live_config();
        break;
    case PHASE_STATE:
        live_state();
        break;
    case PHASE_KEYGEN:
        live_keygen();
        break;
    }
}

static bool live_with(enum phase phase, uint64_t k, bool for_good)
{
    run.phase = phase;
    run.k = k;
    run.for_good = for_good;
    live();
    bool fired = k == 0 || run.calls >= k;
    malloc_fail_at(0, false);
    return fired;
}

static void sweep(size_t which)
{
    enum phase phase = (enum phase)which;
    live_with(phase, 0, false); /* whatever is made once in a process is made now */
    live_with(phase, 0, false);
    uint64_t n = run.calls, taken = 0, fired = 0;
    struct sweep_thinned thinned = sweep_thin(n, CASES);
    for (int for_good = 0; for_good < 2; for_good++) {
        for (uint64_t k = thinned.first; k <= n; k += thinned.stride) {
            taken++;
            fired += live_with(phase, k, for_good);
        }
    }
    print_message("%-6s opportunities %6llu taken %5llu fired %5llu\n", phase_names[phase],
                  (unsigned long long)n, (unsigned long long)taken, (unsigned long long)fired);
    assert_true(n > 0);
    assert_int_equal(fired, taken);
}

static void repeat(const char *wanted)
{
    const char *colon = strchr(wanted, ':');
    for (int i = 0; colon && i < PHASES; i++) {
        if (strncmp(wanted, phase_names[i], (size_t)(colon - wanted)) == 0 &&
            phase_names[i][colon - wanted] == '\0') {
            live_with((enum phase)i, 0, false);
            live_with((enum phase)i, 0, false);
            assert_true(live_with((enum phase)i, strtoull(colon + 1, NULL, 10), strstr(colon, ":until")));
            return;
        }
    }
    fail_msg("no such case: %s", wanted);
}

static int set_up(void **state)
{
    (void)state;
    pki = testpki_new(1);
    snprintf(state_dir, sizeof(state_dir), "%s/certline-alloc-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    return pki && mkdtemp(state_dir) && malloc_count_works() ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < QUESTIONS; i++) {
        free(known_answers[i].body);
    }
    for (size_t i = 0; i < EXPORTS; i++) {
        free(known_exports[i].body);
    }
    testpki_free(pki);
    return rmdir(state_dir);
}

int main(int argc, char **argv)
{
    const struct sweep all = {.names = phase_names,
                              .n = PHASES,
                              .run = sweep,
                              .repeat = repeat,
                              .set_up = set_up,
                              .tear_down = tear_down};
    return pki_init() < 0 ? 1 : sweep_main(argc, argv, &all);
}
