/* What readers answer, in the shapes the API promises; and that no question reads a whole large table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/json.h"
#include "store/read.h"
#include "store/reader.h"
#include "store/statement.h"
#include "support/storekit.h"
#include "support/vfs_fault.h"

struct fixture {
    struct kit kit;
    struct store_reader *reader;
};

static int setup(void **state)
{
    static struct fixture f;
    struct kit *kit = &f.kit;
    kit_init(kit);
    kit_open_line(kit, 16);
    for (unsigned i = 1; i <= 4; i++) {
        char id[32];
        snprintf(id, sizeof(id), "pool-%03u", i);
        assert_int_equal(kit_import(kit, id, KIT_POOL, NULL, i == 4 ? "L1" : NULL), 0);
    }
    assert_int_equal(kit_import(kit, "made-for", KIT_POOL, kit_imei(9), NULL), 0);
    assert_int_equal(store_reader_open(&f.reader, kit->dir, NULL, NULL), 0);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    store_reader_close(f->reader);
    kit_done(&f->kit);
    return 0;
}

/* Compares with JSON written with single quotes; "*" as a text stands for anything that is there. */
static void blank_out(struct json *found, const struct json *expected)
{
    struct json_member member = {0};
    while (json_next(expected, &member)) {
        const char *text = json_as_text(member.value);
        if (text && strcmp(text, "*") == 0 && json_as_text(json_get(found, member.key))) {
            json_put_text(found, member.key, "*");
        }
    }
}

static void expect_json(struct json *found, const char *expected_text)
{
    char *text = strdup(expected_text);
    for (char *c = text; *c; c++) {
        *c = *c == '\'' ? '"' : *c;
    }
    struct json *expected = NULL;
    struct err_info err = {0};
    if (json_parse(span_str(text), 16, &expected, &err) != 0) {
        fail_msg("%s in %s", err.text, text);
    }
    blank_out(found, expected);
    if (!json_is_equal(found, expected)) {
        char *is = json_dump(found, JSON_FORM_CANONICAL), *should = json_dump(expected, JSON_FORM_CANONICAL);
        fail_msg("\n%s\nand not\n%s", is, should);
    }
    free(text);
    json_free(expected);
    json_free(found);
}

static void run_job(struct kit *kit, unsigned n, const char *imei, enum outcome outcome, enum reason reason)
{
    struct kit_job job;
    kit_job(kit, &job, n, imei, "WO-1", KIT_POOL);
    snprintf(job.msg.slot, sizeof(job.msg.slot), "rack1/%03u", n % 3);
    snprintf(job.msg.operator_name, sizeof(job.msg.operator_name), "lin");
    assert_int_equal(kit_send(kit, &job, LEDGER_CLAIM), LEDGER_OK);
    if (outcome != OUTCOME_NONE) {
        assert_int_equal(kit_send(kit, &job, LEDGER_EXPOSE), LEDGER_OK);
        assert_int_equal(kit_record(kit, &job, outcome, reason), LEDGER_OK);
    }
}

static void a_job_has_all_there_is(void **state)
{
    struct fixture *f = *state;
    run_job(&f->kit, 1, kit_imei(1), OUTCOME_PASS, REASON_ok);
    struct json *job = NULL;
    assert_int_equal(store_read_job(f->reader, kit_job_id(1), &job, NULL), 0);

    const struct json *entries = json_get(job, "entries");
    assert_int_equal(json_count(entries), 3);
    struct json *key = json_clone(json_at(entries, 2));
    expect_json(key, "{'sec_tag':16842753,'type':'private_key','sha256':'*','proof':'digest','written':1,"
                     "'from_bundle':true}");
    expect_json(json_clone(json_get(job, "dialogue")),
                "[{'ms':0,'direction':'>','text':'AT'},{'ms':3,'direction':'<','text':'OK'},"
                "{'ms':12,'direction':'>','text':'AT%CMNG=0,16842753,2,«private_key 241 octets»'}]");
    json_drop(job, "entries");
    json_drop(job, "dialogue");
    expect_json(
        job,
        "{'id':'01JTEST0000000000000000001','slot':'rack1/001','imei':'351465800000001','uuid':null,"
        "'unit_serial':null,'operator':'lin','work_order':'WO-1','product':'tracker',"
        "'product_version':'sha256:tracker-1','bundle':'pool-001','bundle_state':'installed','started':'*',"
        "'ended':'*','duration_ms':900,'wire_ms':700,'modem_ms':150,'outcome':'PASS','fault':'none','reason':"
        "'ok',"
        "'detail':null,'remedy':'*','proof':'digest',"
        "'station':{'version':'0.0.1','config_digest':'sha256:config'},"
        "'steps':[{'name':'contact','started_ms':0,'duration_ms':40,'tries':1,'code':0,'result':'ok'},"
        "{'name':'write_private_key','started_ms':300,'duration_ms':260,'tries':2,'code':513,'result':'cme'}]"
        "}");

    assert_int_equal(kit_meddle(&f->kit, "DELETE FROM dialogue"), 0);
    assert_int_equal(store_read_job(f->reader, kit_job_id(1), &job, NULL), 0);
    assert_int_equal(json_kind_of(json_get(job, "dialogue")), JSON_KIND_NULL);
    json_free(job);
    assert_int_equal(store_read_job(f->reader, "nobody", &job, NULL), ERR_NOT_FOUND);
}

/* Up to version 3 of the database an event gave each step's members their names. */
static void steps_of_older_records_read_the_same(void **state)
{
    struct fixture *f = *state;
    run_job(&f->kit, 1, kit_imei(1), OUTCOME_PASS, REASON_ok);
    assert_int_equal(
        kit_meddle(
            &f->kit,
            "INSERT INTO event SELECT max(seq) + 1, at, kind, slot, imei, '{\"steps\":[{\"code\":513,"
            "\"duration_ms\":260,\"name\":\"contact\",\"result\":\"cme\",\"started_ms\":7,\"tries\":2}]}',"
            " prev_hash, hash FROM event;"
            "UPDATE job SET ending = (SELECT max(seq) FROM event)"),
        0);
    struct json *job = NULL;
    assert_int_equal(store_read_job(f->reader, kit_job_id(1), &job, NULL), 0);
    expect_json(json_clone(json_get(job, "steps")),
                "[{'name':'contact','started_ms':7,'duration_ms':260,'tries':2,'code':513,'result':'cme'}]");
    expect_json(json_clone(json_get(job, "entries")), "[]");
    json_free(job);
}

static void a_job_under_way_has_no_ending(void **state)
{
    struct fixture *f = *state;
    run_job(&f->kit, 1, kit_imei(1), OUTCOME_NONE, REASON_ok);
    struct json *job = NULL;
    assert_int_equal(store_read_job(f->reader, kit_job_id(1), &job, NULL), 0);
    static const char *const nulls[] = {"outcome", "ended", "reason", "remedy", "proof", "duration_ms"};
    for (size_t i = 0; i < sizeof(nulls) / sizeof(*nulls); i++) {
        assert_int_equal(json_kind_of(json_get(job, nulls[i])), JSON_KIND_NULL);
    }
    json_free(job);
}

/* ---- lists */

/* "n n n" of the jobs' numbers, following the cursors with pages of `limit`. */
static const char *list(struct fixture *f, struct store_job_filter filter, uint32_t limit)
{
    static char text[256];
    char cursor[128] = "";
    size_t n = 0;
    text[0] = '\0';
    filter.limit = limit;
    for (;;) {
        struct json *page = NULL;
        filter.cursor = cursor;
        assert_int_equal(store_read_jobs(f->reader, &filter, &page, NULL), 0);
        const struct json *jobs = json_get(page, "jobs");
        assert_true(json_count(jobs) <= limit);
        for (size_t i = 0; i < json_count(jobs); i++) {
            const char *id = json_as_text(json_get(json_at(jobs, i), "id"));
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%d", n ? " " : "", atoi(id + 20));
        }
        const char *next = json_as_text(json_get(page, "next"));
        snprintf(cursor, sizeof(cursor), "%s", next ? next : "");
        json_free(page);
        if (!*cursor) {
            return text;
        }
    }
}

static void lists_filter_and_page(void **state)
{
    struct fixture *f = *state;
    struct kit *kit = &f->kit;
    int64_t times[7];
    for (unsigned i = 1; i <= 6; i++) {
        times[i] = kit->wall_ms;
        static const enum outcome outcomes[] = {OUTCOME_PASS, OUTCOME_FAIL, OUTCOME_LOST};
        static const enum reason reasons[] = {REASON_ok, REASON_memory_full, REASON_unplugged};
        run_job(kit, i, kit_imei(i % 2), i == 6 ? OUTCOME_NONE : outcomes[i % 3], reasons[i % 3]);
    }
    const struct {
        struct store_job_filter filter;
        const char *found;
    } rows[] = {
        {{0}, "6 5 4 3 2 1"},
        {{.imei = kit_imei(1)}, "5 3 1"},
        {{.slot = "rack1/001"}, "4 1"},
        {{.outcome = "FAIL"}, "4 1"},
        {{.outcome = "NONE"}, "6"},
        {{.reason = "unplugged"}, "5 2"},
        {{.work_order = "WO-1"}, "6 5 4 3 2 1"},
        {{.work_order = "WO-2"}, ""},
        {{.work_order = "WO-1", .imei = kit_imei(1), .outcome = "LOST"}, "5"},
        {{.imei = kit_imei(0), .slot = "rack1/000"}, "6"},
        {{.from_wall_ms = times[3]}, "6 5 4 3"},
        {{.to_wall_ms = times[3]}, "2 1"},
        {{.from_wall_ms = times[2], .to_wall_ms = times[5], .outcome = "PASS"}, "3"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        for (uint32_t limit = 1; limit < 8; limit++) {
            const char *found = list(f, rows[i].filter, limit);
            if (strcmp(found, rows[i].found) != 0) {
                fail_msg("row %zu by %u: \"%s\" and not \"%s\"", i, limit, found, rows[i].found);
            }
        }
    }
    static const char *const cursors[] = {"x", "12", "12.", ".x", "99999999999999999999999.x"};
    for (size_t i = 0; i < sizeof(cursors) / sizeof(*cursors); i++) {
        struct json *page = NULL;
        assert_int_equal(
            store_read_jobs(f->reader, &(struct store_job_filter){.cursor = cursors[i]}, &page, NULL),
            ERR_FORMAT);
    }
}

/* ---- orders, stock, boards, events */

/* A board's first result counts for the first pass, any for the last; jobs that are nobody's failure for
 * neither. */
static void an_order_has_a_yield(void **state)
{
    struct fixture *f = *state;
    run_job(&f->kit, 1, kit_imei(1), OUTCOME_FAIL, REASON_memory_full);
    run_job(&f->kit, 2, kit_imei(2), OUTCOME_PASS, REASON_ok);
    run_job(&f->kit, 3, kit_imei(1), OUTCOME_PASS, REASON_ok);
    run_job(&f->kit, 4, kit_imei(3), OUTCOME_LOST, REASON_unplugged);
    run_job(&f->kit, 5, kit_imei(3), OUTCOME_LOST, REASON_unplugged);
    run_job(&f->kit, 6, kit_imei(2), OUTCOME_NONE, REASON_ok);
    struct json *yield = NULL;
    assert_int_equal(store_read_yield(f->reader, "WO-1", &yield, NULL), 0);
    expect_json(yield, "{'work_order':'WO-1','boards':2,'first_pass':1,'last_pass':2,"
                       "'stopped':[{'outcome':'LOST','reason':'unplugged','jobs':2},"
                       "{'outcome':'FAIL','reason':'memory_full','jobs':1}]}");
    assert_int_equal(store_read_yield(f->reader, "WO-9", &yield, NULL), ERR_NOT_FOUND);

    assert_int_equal(kit_order(&f->kit, "WO-2", KIT_BOUND, 1, "rack2", "L1"), 0);
    assert_int_equal(store_read_yield(f->reader, "WO-2", &yield, NULL), 0);
    expect_json(yield, "{'work_order':'WO-2','boards':0,'first_pass':0,'last_pass':0,'stopped':[]}");
}

static void a_time_has_a_yield(void **state)
{
    struct fixture *f = *state;
    run_job(&f->kit, 1, kit_imei(1), OUTCOME_FAIL, REASON_memory_full);
    int64_t second = f->kit.wall_ms;
    run_job(&f->kit, 2, kit_imei(1), OUTCOME_PASS, REASON_ok);
    run_job(&f->kit, 3, kit_imei(2), OUTCOME_PASS, REASON_ok);
    struct json *yield = NULL;
    assert_int_equal(store_read_yield_between(f->reader, 0, 0, &yield, NULL), 0);
    expect_json(yield, "{'work_order':null,'boards':2,'first_pass':1,'last_pass':2,"
                       "'stopped':[{'outcome':'FAIL','reason':'memory_full','jobs':1}]}");
    assert_int_equal(store_read_yield_between(f->reader, second, 0, &yield, NULL), 0);
    expect_json(yield, "{'work_order':null,'boards':2,'first_pass':2,'last_pass':2,'stopped':[]}");
    assert_int_equal(store_read_yield_between(f->reader, 0, second, &yield, NULL), 0);
    expect_json(yield, "{'work_order':null,'boards':1,'first_pass':0,'last_pass':0,"
                       "'stopped':[{'outcome':'FAIL','reason':'memory_full','jobs':1}]}");
}

static void an_order_counts(void **state)
{
    struct fixture *f = *state;
    run_job(&f->kit, 1, kit_imei(1), OUTCOME_PASS, REASON_ok);
    run_job(&f->kit, 2, kit_imei(2), OUTCOME_FAIL, REASON_memory_full);
    run_job(&f->kit, 3, kit_imei(3), OUTCOME_NONE, REASON_ok);
    struct json *order = NULL;
    assert_int_equal(store_read_order(f->reader, "WO-1", &order, NULL), 0);
    expect_json(order,
                "{'id':'WO-1','product':'tracker','product_version':'sha256:tracker-1','quantity':16,"
                "'fixtures':['rack1'],'lot':null,'state':'open','opened':'*','closed':null,"
                "'counts':{'passed':1,'failed':1,'in_flight':1,'free':1,'bound':2,'exposed':1,'installed':1,"
                "'retired':0}}");
    assert_int_equal(store_read_order(f->reader, "WO-9", &order, NULL), ERR_NOT_FOUND);

    assert_int_equal(kit_order(&f->kit, "WO-2", KIT_BOUND, 1, "rack2", "L1"), 0);
    struct store_op op = {.kind = STORE_ORDER_CLOSE, .named = {.id = "WO-1"}};
    assert_int_equal(kit_run(&f->kit, &op), 0);
    static const struct {
        const char *state;
        size_t n;
    } rows[] = {{NULL, 2}, {"open", 1}, {"closed", 1}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct json *orders = NULL;
        assert_int_equal(store_read_orders(f->reader, rows[i].state, 0, NULL, &orders, NULL), 0);
        assert_int_equal(json_count(json_get(orders, "work_orders")), rows[i].n);
        json_free(orders);
    }
    struct json *page = NULL;
    assert_int_equal(store_read_orders(f->reader, NULL, 1, NULL, &page, NULL), 0);
    assert_string_equal(json_as_text(json_get(json_at(json_get(page, "work_orders"), 0), "id")), "WO-2");
    struct json *second = NULL;
    assert_int_equal(
        store_read_orders(f->reader, NULL, 1, json_as_text(json_get(page, "next")), &second, NULL), 0);
    assert_string_equal(json_as_text(json_get(json_at(json_get(second, "work_orders"), 0), "id")), "WO-1");
    assert_int_equal(json_kind_of(json_get(second, "next")), JSON_KIND_NULL);
    json_free(page);
    json_free(second);
}

static void the_line_learns_its_open_orders(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(kit_order(&f->kit, "WO-2", KIT_BOUND, 1, "rack2", "L1"), 0);
    struct store_open_order orders[2];
    assert_int_equal(store_read_open_orders(f->reader, orders, 2, NULL), 2);
    assert_string_equal(orders[1].id, "WO-2");
    assert_string_equal(orders[1].fixture, "rack2");
    assert_string_equal(orders[1].product, "meter");
    assert_string_equal(orders[1].version, "sha256:meter-1");
    assert_int_equal(store_read_open_orders(f->reader, orders, 1, NULL), 2); /* says how many there are */
}

static void stock_and_totals_count(void **state)
{
    struct fixture *f = *state;
    run_job(&f->kit, 1, kit_imei(1), OUTCOME_PASS, REASON_ok);
    static const struct {
        const char *product, *lot, *expected;
    } rows[] = {
        {NULL, NULL, "{'product':null,'lot':null,'free':3,'bound':1,'exposed':0,'installed':1,'retired':0}"},
        {"tracker", "L1",
         "{'product':'tracker','lot':'L1','free':1,'bound':0,'exposed':0,'installed':0,'retired':0}"},
        {"meter", "",
         "{'product':'meter','lot':null,'free':0,'bound':0,'exposed':0,'installed':0,'retired':0}"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct json *stock = NULL;
        assert_int_equal(store_read_stock(f->reader, rows[i].product, rows[i].lot, &stock, NULL), 0);
        expect_json(stock, rows[i].expected);
    }
    struct json *totals = NULL;
    assert_int_equal(store_read_totals(f->reader, &totals, NULL), 0);
    int64_t last = 0;
    json_as_i64(json_get(totals, "last_seq"), &last);
    assert_int_equal(last, store_last_seq(f->kit.store));
    json_drop(totals, "last_seq");
    expect_json(totals, "{'open_orders':1,'open_jobs':0,"
                        "'bundles':{'free':3,'bound':1,'exposed':0,'installed':1,'retired':0}}");
}

static void a_board_shows_its_bundle_and_its_jobs(void **state)
{
    struct fixture *f = *state;
    run_job(&f->kit, 1, kit_imei(1), OUTCOME_FAIL, REASON_memory_full);
    run_job(&f->kit, 2, kit_imei(1), OUTCOME_PASS, REASON_ok);
    struct json *board = NULL;
    assert_int_equal(store_read_board(f->reader, kit_imei(1), &board, NULL), 0);
    assert_int_equal(json_count(json_get(board, "jobs")), 2);
    const struct json *bundle = json_at(json_get(board, "bundles"), 0);
    assert_string_equal(json_as_text(json_get(bundle, "state")), "installed");
    struct json *certificate = json_clone(json_at(json_get(bundle, "credentials"), 0));
    expect_json(certificate, "{'type':'client_cert','sha256':'*','serial':'pool-001','issuer':'CN=test'}");
    json_drop(board, "jobs");
    json_drop(board, "bundles");
    expect_json(board,
                "{'imei':'351465800000001','uuid':null,'model':'nRF9151-LACA',"
                "'modem_firmware':'mfw_nrf91x1_2.0.2','hardware':null,'first_seen':'*','last_seen':'*'}");

    assert_int_equal(store_read_board(f->reader, kit_imei(9), &board, NULL), 0); /* expected, never came */
    assert_int_equal(json_count(json_get(board, "bundles")), 1);
    json_free(board);
    assert_int_equal(store_read_board(f->reader, kit_imei(8), &board, NULL), ERR_NOT_FOUND);
}

static void events_are_pulled_in_order_and_none_is_missed(void **state)
{
    struct fixture *f = *state;
    int64_t after = 0, n = 0;
    for (;;) {
        struct json *page = NULL;
        assert_int_equal(store_read_events(f->reader, after, 2, &page, NULL), 0);
        const struct json *events = json_get(page, "events");
        for (size_t i = 0; i < json_count(events); i++) {
            int64_t seq = 0;
            assert_true(json_as_i64(json_get(json_at(events, i), "seq"), &seq));
            assert_int_equal(seq, ++n);
        }
        size_t count = json_count(events);
        assert_true(json_as_i64(json_get(page, "last"), &after));
        json_free(page);
        if (count == 0) {
            break;
        }
    }
    assert_int_equal(n, store_last_seq(f->kit.store));
    assert_int_equal(after, n);

    struct json *page = NULL;
    assert_int_equal(store_read_events(f->reader, n - 1, 10, &page, NULL), 0);
    struct json *event = json_clone(json_at(json_get(page, "events"), 0));
    json_drop(event, "seq");
    expect_json(event, "{'at':'*','kind':'bundle_imported','slot':null,'imei':'351465800000009',"
                       "'data':{'bundle':'made-for','lot':null,'product':'tracker'},'hash':'*'}");
    json_free(page);
}

/* A reader sees one moment, holds nobody up and comes back after the database was away. */
static void a_reader_stands_in_nobodys_way(void **state)
{
    struct fixture *f = *state;
    run_job(&f->kit, 1, kit_imei(1), OUTCOME_PASS, REASON_ok);
    kit_close(&f->kit);
    assert_int_equal(kit_open(&f->kit), 0);
    run_job(&f->kit, 2, kit_imei(2), OUTCOME_PASS, REASON_ok);
    struct json *totals = NULL;
    assert_int_equal(store_read_totals(f->reader, &totals, NULL), 0);
    int64_t last = 0;
    json_as_i64(json_get(totals, "last_seq"), &last);
    assert_int_equal(last, store_last_seq(f->kit.store));
    json_free(totals);
}

static void a_reader_survives_a_failing_disk(void **state)
{
    struct fixture *f = *state;
    run_job(&f->kit, 1, kit_imei(1), OUTCOME_PASS, REASON_ok);
    vfs_fault_register();
    vfs_fault_disarm();
    struct store_reader *reader = NULL;
    assert_int_equal(store_reader_open(&reader, f->kit.dir, VFS_FAULT_NAME, NULL), 0);

    static const enum vfs_fault kinds[] = {VFS_READ, VFS_SHM_MAP, VFS_OPEN};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        run_job(&f->kit, 2 + (unsigned)i, kit_imei(1), OUTCOME_PASS,
                REASON_ok); /* nothing may come from a cache */
        store_reader_close(reader);
        assert_int_equal(store_reader_open(&reader, f->kit.dir, VFS_FAULT_NAME, NULL), 0);
        vfs_fault_arm(VFS_READ, 1, true); /* breaks the connection that is open */
        struct json *job = NULL;
        struct err_info err = {0};
        assert_int_equal(store_read_job(reader, kit_job_id(1), &job, &err), ERR_STORE);
        assert_true(vfs_fault_fired() > 0 && *err.text);

        vfs_fault_arm(kinds[i], 1, true); /* and then the new one, on its way */
        assert_int_equal(store_read_job(reader, kit_job_id(1), &job, NULL), ERR_STORE);
        assert_true(vfs_fault_fired() > 0);
        vfs_fault_disarm();
        assert_int_equal(store_read_job(reader, kit_job_id(1), &job, NULL), 0);
        json_free(job);
    }
    store_reader_close(reader);

    char nowhere[160];
    snprintf(nowhere, sizeof(nowhere), "%s/nowhere", f->kit.dir);
    struct err_info err = {0};
    assert_int_equal(store_reader_open(&reader, nowhere, NULL, &err), ERR_STORE);
    assert_true(*err.text);
}

/* ---- plans */

/* Tables that stay small, or are read whole on purpose. */
static bool may_scan(const char *plan, const char *statement)
{
    static const char *const small[] = {"work_order", "order_fixture", "bundle_stock", "slot_quarantine",
                                        "CONSTANT ROW"};
    for (size_t i = 0; i < sizeof(small) / sizeof(*small); i++) {
        if (strstr(plan, small[i])) {
            return true;
        }
    }
    return strstr(statement, "FROM order_fixture WHERE work_order") ||
           strstr(statement, "FROM event ORDER BY seq") || strstr(statement, "retired_why = NULL") ||
           strstr(statement, "sha256 IS NOT NULL") || /* rebuild and audit read everything */
           strstr(plan, "SCAN (subquery") ||          /* what another row of the plan has found */
           strstr(statement, "json_each(e.data") ||   /* one event's array */
           strstr(statement, "IN (SELECT id FROM job INDEXED BY job_open_of_order") || /* open jobs are few */
           strstr(statement, "GROUP BY outcome, reason ORDER") || /* sorts as many as there are reasons */
           strstr(plan, "USING INDEX job_open") || strstr(plan, "USING COVERING INDEX job_open") ||
           strstr(plan, "USING INDEX job_by_time"); /* in its order, by LIMIT */
}

static int check_plan(sqlite3 *db, const char *statement)
{
    char *sql = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", statement);
    sqlite3_stmt *plan;
    int n_bad = 0;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &plan, NULL), SQLITE_OK);
    while (sqlite3_step(plan) == SQLITE_ROW) {
        const char *detail = (const char *)sqlite3_column_text(plan, 3);
        bool is_bad = (strncmp(detail, "SCAN", 4) == 0 || strstr(detail, "AUTOMATIC") ||
                       strstr(detail, "USE TEMP B-TREE FOR ORDER BY")) &&
                      !may_scan(detail, statement);
        if (is_bad) {
            print_error("%s\n  %s\n", statement, detail);
            n_bad++;
        }
    }
    sqlite3_finalize(plan);
    sqlite3_free(sql);
    return n_bad;
}

static void no_statement_reads_a_whole_large_table(void **state)
{
    struct fixture *f = *state;
    char path[192];
    snprintf(path, sizeof(path), "%s/%s", f->kit.dir, STORE_DB_NAME);
    sqlite3 *db;
    int n_bad = 0;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    for (int i = 0; i < STATEMENTS; i++) {
        if (i > Q_ROLLBACK_TO && i != Q_BUNDLES_RETIRE_UNSPENT) {
            n_bad += check_plan(db, statement_texts[i]);
        }
    }
    for (int i = R_JOB; i < READER_STATEMENTS; i++) {
        n_bad += check_plan(db, reader_texts[i]);
    }
    sqlite3_close(db);
    assert_int_equal(n_bad, 0);
}

/* A search in an index may read as much as a scan: of all that ever passed, or of all that an order had. */
static void each_question_goes_by_the_narrowest_index(void **state)
{
    static const struct {
        const char *const *statement;
        const char *wanted;
    } rows[] = {
        {&statement_texts[Q_ORDER_OPEN_JOBS], "job_open_of_order (work_order=?)"},
        {&statement_texts[Q_ORDER_IN_FLIGHT], "job_open_of_order (work_order=?)"},
        {&statement_texts[Q_JOB_PASSED], "job_of_board (imei=?)"},
        {&statement_texts[Q_DEVICES_OF_IMEI], "job_of_board (imei=?)"},
        {&statement_texts[Q_JOB_OPEN_OF_BOARD], "job_open (imei=?)"},
        {&reader_texts[R_ORDER_IN_FLIGHT], "job_open_of_order (work_order=?)"},
        {&reader_texts[R_JOBS_BY_OUTCOME], "job_by_outcome (outcome=? AND started>? AND started<?)"},
        {&reader_texts[R_JOBS_BY_REASON], "job_by_reason (reason=? AND started>? AND started<?)"},
        {&reader_texts[R_EXPORT], "SEARCH j USING INDEX job_by_outcome (outcome=? AND (started,id)>(?,?))"},
        {&reader_texts[R_EXPORT], "SEARCH k USING INDEX job_of_board (imei=? AND started>?)"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char *sql = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", *rows[i].statement), plan[1024] = "";
        sqlite3_stmt *step;
        (void)kit_query(&f->kit, "SELECT 1"); /* opens the connection to look through */
        assert_int_equal(sqlite3_prepare_v2(f->kit.look, sql, -1, &step, NULL), SQLITE_OK);
        while (sqlite3_step(step) == SQLITE_ROW) {
            size_t len = strlen(plan);
            (void)snprintf(plan + len, sizeof(plan) - len, "%s\n", sqlite3_column_text(step, 3));
        }
        sqlite3_finalize(step);
        sqlite3_free(sql);
        if (!strstr(plan, rows[i].wanted)) {
            fail_msg("%s\n%swithout %s", *rows[i].statement, plan, rows[i].wanted);
        }
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_job_has_all_there_is),
        CASE(steps_of_older_records_read_the_same),
        CASE(a_job_under_way_has_no_ending),
        CASE(lists_filter_and_page),
        CASE(an_order_counts),
        CASE(an_order_has_a_yield),
        CASE(a_time_has_a_yield),
        CASE(the_line_learns_its_open_orders),
        CASE(stock_and_totals_count),
        CASE(a_board_shows_its_bundle_and_its_jobs),
        CASE(events_are_pulled_in_order_and_none_is_missed),
        CASE(a_reader_stands_in_nobodys_way),
        CASE(a_reader_survives_a_failing_disk),
        CASE(no_statement_reads_a_whole_large_table),
        CASE(each_question_goes_by_the_narrowest_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
