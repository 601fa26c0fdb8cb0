/*
 * What a dead session leaves behind never runs. For every front end and kind of product a clean job is taken,
 * and the station dies behind each octet of it that it sends, so that every prefix of every command stands in
 * the board's buffer once, over the store as it was at that moment. Another station then comes to the same
 * port.
 *
 * Whatever was left: the new job passes at the first attempt, the board is right, nothing was written more
 * often than the two jobs wanted; and the modem was given exactly the commands that it is given when the
 * station died with the last whole command, with nothing left behind (`AT` apart, which contact may ask more
 * or less often). Inside a checked transfer, whose credentials are written one by one while the next is on
 * its way, no two moments are alike: there the commands must be ones that a clean job gives.
 *
 * Each STRIDE-th octet is taken, and of those of a content, which are all alike to a front end, each
 * CONTENT_STRIDE-th; every day begins at another one. "all" takes each of them, "name:k" repeats one case.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "support/rig.h"
#include "support/sweep.h"

#define STRIDE         3
#define CONTENT_STRIDE 61
#define OCTETS_MAX     16384
#define STORY_SIZE     8192

enum goods { GOODS_BUNDLE, GOODS_PSK, GOODS_KEYGEN };

static const struct kind {
    const char *name;
    const char *front; /* as the simulator calls it */
    enum goods goods;
} kinds[] = {
    {"at_host", "at_host", GOODS_BUNDLE},
    {"at_host_lf", "at_host:lf", GOODS_BUNDLE},
    {"at_host_crlf", "at_host:crlf", GOODS_BUNDLE},
    {"at_host_nul", "at_host:nul", GOODS_BUNDLE},
    {"serial_modem", "serial_modem", GOODS_BUNDLE},
    {"serial_modem_crlf", "serial_modem:crlf", GOODS_BUNDLE},
    {"slm", "slm", GOODS_BUNDLE},
    {"slm_cr", "slm:cr", GOODS_BUNDLE},
    {"shell", "shell", GOODS_BUNDLE},
    {"certline", "certline", GOODS_BUNDLE},
    {"at_host_psk", "at_host", GOODS_PSK},
    {"slm_psk", "slm", GOODS_PSK},
    {"shell_psk", "shell", GOODS_PSK},
    {"at_host_keygen", "at_host", GOODS_KEYGEN},
    {"serial_modem_keygen", "serial_modem", GOODS_KEYGEN},
    {"shell_keygen", "shell", GOODS_KEYGEN},
    {"certline_keygen", "certline", GOODS_KEYGEN},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void make_psk(struct product *p, struct rig *rig)
{
    p->n_entries = 2;
    p->entries[0] =
        (struct product_entry){.sec_tag = RIG_TAG, .type = CRED_PSK_IDENTITY, .from_bundle = true};
    p->entries[1] = (struct product_entry){.sec_tag = RIG_TAG, .type = CRED_PSK, .from_bundle = true};
    rig->contents[0] = "nrf-351465800000002";
    rig->contents[1] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
}

static void begin(struct rig *rig, const struct kind *kind)
{
    struct simboard_config config = SIMBOARD_CONFIG_DEFAULT;
    assert_int_equal(sim_front_parse(kind->front, &config.front, &config.term), 0);
    if (kind->goods == GOODS_KEYGEN) {
        rig_init_keygen_board(rig, &config);
        return;
    }
    rig_init_board(rig, &config);
    if (kind->goods == GOODS_PSK) {
        make_psk(&rig->product, rig);
    }
}

static void require(bool holds, const struct rig *rig, const struct kind *kind, uint64_t k, const char *what,
                    const char *story)
{
    if (!holds) {
        const struct verdict *v = &rig->job.verdict;
        print_error("%s:%llu: %s; %s %s %s\n%s%s\n", kind->name, (unsigned long long)k, what,
                    outcome_name(v->outcome), v->outcome == OUTCOME_NONE ? "" : reason_text(v->reason)->name,
                    v->detail, rig->dialogue, story);
        fail();
    }
}

/* The commands given to the modem from the n-th on, a line each, without contact's own. */
static void tell_executed(const struct rig *rig, uint64_t n, char story[STORY_SIZE])
{
    size_t at = 0, count = simboard_executed_count(rig->board);
    assert_true(simboard_executed_total(rig->board) == count); /* none has given way */
    story[0] = '\0';
    for (size_t i = (size_t)n; i < count; i++) {
        const char *command = simboard_executed_at(rig->board, i);
        if (strspn(command, "AT\r\n") < strlen(command)) {
            at += (size_t)snprintf(story + at, STORY_SIZE - at, "%s\n", command);
            assert_true(at < STORY_SIZE);
        }
    }
}

static bool is_right(const struct rig *rig, const struct kind *kind)
{
    return kind->goods == GOODS_KEYGEN ? rig_key_is_right(rig) : rig_board_is_right(rig);
}

/* The station dies behind octet k (0: before the first) and comes again: what the modem is given then.
 * Returns how many of the k octets belong to whole commands. */
static uint64_t die_and_come(const struct kind *kind, uint64_t k, char story[STORY_SIZE],
                             bool *ret_is_framing)
{
    struct rig rig;
    begin(&rig, kind);
    if (k > 0) {
        rig.dies_at = k;
        rig_start(&rig, true);
        while (!rig.is_dead && job_phase(&rig.job) != JOB_ENDED && rig_step(&rig)) {
        }
        require(rig.sent == k, &rig, kind, k, "it does not send so much", "");
    }
    uint64_t whole = rig.whole;
    *ret_is_framing = rig.job.is_framing;
    rig_restart(&rig);
    uint64_t executed = simboard_executed_total(rig.board);
    uint32_t issues = rig.issues;
    rig_provision(&rig, false);
    tell_executed(&rig, executed, story);
    require(rig.job.verdict.outcome == OUTCOME_PASS, &rig, kind, k, "did not pass", story);
    require(rig.records == 1, &rig, kind, k, "not told once", story);
    require(is_right(&rig, kind), &rig, kind, k, "the board is not right", story);
    require(rig.issues - issues <= 1, &rig, kind, k, "a second certificate", story);
    for (size_t i = 0; i < simboard_wear_count(rig.board); i++) {
        require(simboard_wear_at(rig.board, i).writes <= 2, &rig, kind, k, "written more than twice", story);
    }
    rig_done(&rig);
    return whole;
}

/* Each line of `story` is one of `all`. */
static bool is_within(const char *story, const char *all)
{
    for (const char *end; (end = strchr(story, '\n')); story = end + 1) {
        size_t len = (size_t)(end - story) + 1;
        const char *hit = all;
        while (hit && strncmp(hit, story, len) != 0) {
            hit = strchr(hit, '\n');
            hit = hit && hit[1] ? hit + 1 : NULL;
        }
        if (!hit) {
            return false;
        }
    }
    return true;
}

/* One case against what it is without anything left behind. `clean`: of the job that nobody disturbs. */
static void run(const struct kind *kind, uint64_t k, const char *clean)
{
    static char found[STORY_SIZE], wanted[STORY_SIZE];
    static const struct kind *known_kind;
    static uint64_t known = UINT64_MAX;
    bool is_framing, ignored;
    uint64_t whole = die_and_come(kind, k, found, &is_framing);
    if (is_framing) {
        if (!is_within(found, clean)) {
            fail_msg("%s:%llu: given to the modem:\n%s", kind->name, (unsigned long long)k, found);
        }
        return;
    }
    if (known_kind != kind || known != whole) {
        die_and_come(kind, whole, wanted, &ignored);
        known_kind = kind;
        known = whole;
    }
    if (strcmp(found, wanted) != 0) {
        fail_msg("%s:%llu: given to the modem:\n%sand without what was left:\n%s", kind->name,
                 (unsigned long long)k, found, wanted);
    }
}

/* How many octets a clean job sends, which of them are content, and what it gives to the modem. */
static uint64_t live_cleanly(const struct kind *kind, bool is_content[OCTETS_MAX], char story[STORY_SIZE])
{
    struct rig rig;
    uint64_t told = 0;
    begin(&rig, kind);
    rig.dies_at = 1;
    rig_start(&rig, true);
    while (job_phase(&rig.job) != JOB_ENDED && rig_step(&rig)) {
        while (told < rig.sent) {
            is_content[told++] = rig.was_content;
        }
        rig.dies_at = rig.sent + 1;
        rig.is_dead = false;
    }
    tell_executed(&rig, 0, story);
    require(rig.job.verdict.outcome == OUTCOME_PASS, &rig, kind, 0, "a clean job does not pass", story);
    rig_done(&rig);
    assert_true(told < OCTETS_MAX);
    return told;
}

static void sweep(size_t which)
{
    static bool is_content[OCTETS_MAX];
    static char clean[STORY_SIZE];
    const struct kind *kind = &kinds[which];
    uint64_t n = live_cleanly(kind, is_content, clean), fired = 0, contents = 0;
    uint64_t turn = (uint64_t)time(NULL) / 86400 + which;
    for (uint64_t k = 1; k <= n; k++) {
        contents += is_content[k - 1];
        if (sweep_takes_all() || (k + turn) % (is_content[k - 1] ? CONTENT_STRIDE : STRIDE) == 0) {
            run(kind, k, clean); /* which sees to it that it died there */
            fired++;
        }
    }
    print_message("%s: %llu opportunities (%llu of them content), %llu fired\n", kind->name,
                  (unsigned long long)n, (unsigned long long)contents, (unsigned long long)fired);
    assert_true(sweep_takes_all() ? fired == n : fired > 0);
}

static void repeat(const char *id)
{
    static bool is_content[OCTETS_MAX];
    static char clean[STORY_SIZE];
    const char *colon = strchr(id, ':');
    for (size_t i = 0; colon && i < KINDS; i++) {
        if (strlen(kinds[i].name) == (size_t)(colon - id) &&
            strncmp(kinds[i].name, id, (size_t)(colon - id)) == 0) {
            live_cleanly(&kinds[i], is_content, clean);
            run(&kinds[i], strtoull(colon + 1, NULL, 10), clean);
            return;
        }
    }
    fail_msg("no such case: %s", id);
}

int main(int argc, char **argv)
{
    const char *names[KINDS];
    for (size_t i = 0; i < KINDS; i++) {
        names[i] = kinds[i].name;
    }
    return sweep_main(argc, argv,
                      &(struct sweep){.names = names, .n = KINDS, .run = sweep, .repeat = repeat});
}
