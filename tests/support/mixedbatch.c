#include "support/mixedbatch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

void mixed_make(struct mixed *m, unsigned twin)
{
    struct kit *kit = &m->kit;
    memset(m, 0, sizeof(*m));
    kit_init(kit);
    kit_open_line(kit, 10);
    for (unsigned i = 1; i <= 4; i++) {
        char id[32];
        (void)snprintf(id, sizeof(id), "pool-%u", i);
        assert_int_equal(kit_import(kit, id, KIT_POOL, NULL, NULL), 0);
    }
    for (unsigned i = 1; i <= 4; i++) {
        kit_job(kit, &m->jobs[i], i, kit_imei(i == 2 ? twin : i), "WO-1", KIT_POOL);
    }
    assert_int_equal(kit_send(kit, &m->jobs[3], LEDGER_CLAIM), LEDGER_OK);
    assert_int_equal(kit_send(kit, &m->jobs[4], LEDGER_CLAIM), LEDGER_OK);
    assert_int_equal(kit_send(kit, &m->jobs[4], LEDGER_EXPOSE), LEDGER_OK);
    kit_prepare(&m->jobs[1], LEDGER_CLAIM, OUTCOME_NONE, REASON_NONE);
    kit_prepare(&m->jobs[2], LEDGER_CLAIM, OUTCOME_NONE, REASON_NONE);
    kit_prepare(&m->jobs[3], LEDGER_EXPOSE, OUTCOME_NONE, REASON_NONE);
    kit_prepare(&m->jobs[4], LEDGER_RECORD, OUTCOME_PASS, REASON_ok);

    kit_bundle(kit, &m->ops[0], "pool-1", KIT_POOL, NULL, NULL); /* is there */
    kit_bundle(kit, &m->ops[1], "new", KIT_POOL, NULL, NULL);
    m->ops[2] = (struct store_op){.kind = STORE_ORDER_PUT,
                                  .order_put = {.id = "WO-2", .quantity = 3, .n_fixtures = 1}};
    snprintf(m->ops[2].order_put.product, PRODUCT_NAME_SIZE, "%s", kit->products[KIT_POOL].name);
    snprintf(m->ops[2].order_put.version, PRODUCT_VERSION_SIZE, "%s", kit->products[KIT_POOL].version);
    snprintf(m->ops[2].order_put.fixtures[0], FIXTURE_SIZE, "rack2");
    for (unsigned i = 1; i <= 4; i++) {
        m->ops[2 + i] = (struct store_op){.kind = STORE_LEDGER, .ledger = &m->jobs[i].msg};
    }
    m->ops[7] = (struct store_op){.kind = STORE_SLOT, .slot = {.slot = "rack1/002", .is_quarantined = true}};
    m->ops[8] = (struct store_op){.kind = STORE_STATION_STARTED};
}
