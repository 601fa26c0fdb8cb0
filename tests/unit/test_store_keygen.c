/* store/keygen: how many certificates an order may have issued, whatever its boards do, and that a message
 * sent twice counts once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/storekit.h"

#define QUANTITY 2 /* the kit's stores have no spare ones */

static int setup(void **state)
{
    static struct kit kit;
    kit_init(&kit);
    kit.products[KIT_POOL].source = SOURCE_KEYGEN;
    kit_open_line(&kit, QUANTITY);
    *state = &kit;
    return 0;
}

static int teardown(void **state)
{
    kit_check(*state);
    kit_done(*state);
    return 0;
}

/* A certificate for the key that the board has now: the n-th that was made. */
static enum ledger_status issue(struct kit *kit, struct kit_job *job, uint8_t n)
{
    struct ledger_msg *msg = &job->msg;
    enum ledger_status status = kit_send(kit, job, LEDGER_INTEND);
    if (status != LEDGER_OK) {
        return status;
    }
    memset(&msg->keygen.key_sha256, n, sizeof(msg->keygen.key_sha256));
    strcpy(msg->keygen.issuer, "CN=test");
    for (uint32_t i = 0; i < msg->n_entries; i++) {
        struct ledger_entry *entry = &msg->entries[i];
        if (entry->is_made_on_board) {
            memset(&entry->expected, n, sizeof(entry->expected));
        } else if (entry->from_bundle) {
            entry->sealed_at = 0;
            entry->sealed_len = msg->content_len = 8;
            memcpy(msg->content, "a sealed", 8);
        }
    }
    return kit_send(kit, job, LEDGER_ISSUE);
}

/* A board whose key gets lost each time would have any number of certificates issued. */
static void an_order_has_a_quota_of_certificates(void **state)
{
    struct kit *kit = *state;
    struct kit_job job;
    kit_job(kit, &job, 1, kit_imei(1), "WO-1", KIT_POOL);
    assert_int_equal(kit_send(kit, &job, LEDGER_CLAIM), LEDGER_OK);
    for (uint8_t n = 1; n <= QUANTITY; n++) {
        assert_int_equal(issue(kit, &job, n), LEDGER_OK);
    }
    assert_int_equal(issue(kit, &job, QUANTITY + 1), LEDGER_NO);
    assert_int_equal(job.msg.reason, REASON_order_full);
    assert_string_equal(kit_query(kit, "SELECT count(*) FROM certificate WHERE work_order = 'WO-1'"), "2");
}

/* One that is being made counts as one that is issued; asked again, it stays the same one. */
static void an_intent_counts_once(void **state)
{
    struct kit *kit = *state;
    struct kit_job jobs[2];
    uint8_t serial[KEYGEN_SERIAL_SIZE];
    for (unsigned i = 0; i < 2; i++) {
        kit_job(kit, &jobs[i], i + 1, kit_imei(i + 1), "WO-1", KIT_POOL);
        strcpy(jobs[i].msg.slot, i == 0 ? "rack1/001" : "rack1/002");
        assert_int_equal(kit_send(kit, &jobs[i], LEDGER_CLAIM), LEDGER_OK);
    }
    assert_int_equal(kit_send(kit, &jobs[0], LEDGER_INTEND), LEDGER_OK);
    memcpy(serial, jobs[0].msg.keygen.serial, sizeof(serial));
    assert_int_equal(kit_send(kit, &jobs[0], LEDGER_INTEND), LEDGER_OK);
    assert_memory_equal(serial, jobs[0].msg.keygen.serial, sizeof(serial));
    assert_int_equal(issue(kit, &jobs[1], 7), LEDGER_OK);
    assert_int_equal(issue(kit, &jobs[1], 8), LEDGER_NO); /* the first board's is the last one */
    assert_int_equal(jobs[1].msg.reason, REASON_order_full);
    assert_int_equal(issue(kit, &jobs[0], 9), LEDGER_OK);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(an_order_has_a_quota_of_certificates),
        CASE(an_intent_counts_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
