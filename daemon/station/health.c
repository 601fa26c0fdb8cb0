/*
 * Judging slots. Only endings that a slot can be blamed for count: FAIL with the fault at the fixture, the
 * board or nobody. A wrong credential, a full order or a pulled cable says nothing about the place where it
 * happened. And a slot is judged against its neighbours: when all of them fail, it is the lot of boards and
 * not the slot.
 */
#include "station/health.h"

#include <string.h>

#include "base/buf.h"

static void explain(struct health *h, uint32_t n, const char *text)
{
    struct buf b;
    buf_init(&b, h->why, sizeof(h->why));
    buf_add_u64(&b, n);
    buf_add_str(&b, text);
}

static void note_loss(struct health *h, const struct health_run *run)
{
    if (run->damaged > 0) {
        h->lossy = h->lossy < HEALTH_LOSSY_BOARDS ? (uint8_t)(h->lossy + 1) : h->lossy;
        h->chunked = 0;
    } else if (run->wrote && !run->was_chunked) {
        h->lossy = 0;
    }
}

static bool is_slots_doing(const struct verdict *v)
{
    return v->outcome == OUTCOME_FAIL && v->fault != FAULT_CREDENTIAL && v->fault != FAULT_STATION &&
           v->fault != FAULT_OPERATOR;
}

static void note_failure(struct health *h, const struct health_run *run)
{
    if (run->verdict->outcome == OUTCOME_PASS) {
        h->failed = 0;
        h->failed_imei[0] = '\0';
        return;
    }
    bool is_same_board = run->imei[0] != '\0' && strcmp(run->imei, h->failed_imei) == 0;
    if (!is_slots_doing(run->verdict) || is_same_board) {
        return;
    }
    if (h->failed == 0) {
        h->passed_around = 0;
    }
    h->failed = h->failed < UINT8_MAX ? (uint8_t)(h->failed + 1) : h->failed;
    buf_copy(h->failed_imei, sizeof(h->failed_imei), span_str(run->imei));
}

static void judge(struct health *h)
{
    if (h->failed >= HEALTH_FAILED_BOARDS && h->passed_around >= HEALTH_PASSED_AROUND) {
        h->is_quarantined = true;
    }
    h->why[0] = '\0';
    if (h->is_quarantined) {
        explain(h, h->failed,
                " boards in a row failed here while they pass in other slots: repair it, then release it");
    } else if (h->lossy >= HEALTH_LOSSY_BOARDS) {
        explain(
            h, h->lossy,
            " boards in a row lost octets here, so it writes in chunks: RTS/CTS suspected, check its wiring");
    }
}

void health_note(struct health *h, const struct health_run *run)
{
    note_loss(h, run);
    note_failure(h, run);
    judge(h);
}

void health_note_neighbour(struct health *h)
{
    if (h->failed > 0) {
        h->passed_around++;
        judge(h);
    }
}

bool health_wants_chunks(struct health *h)
{
    if (h->lossy < HEALTH_LOSSY_BOARDS) {
        return false;
    }
    h->chunked++;
    if (h->chunked >= HEALTH_TRIAL_EVERY) {
        h->chunked = 0;
        return false;
    }
    return true;
}

void health_restore(struct health *h, const char *why)
{
    *h = (struct health){.is_quarantined = true};
    buf_copy(h->why, sizeof(h->why), span_str(why));
}

void health_release(struct health *h)
{
    *h = (struct health){0};
}
