/* Who answers which message, and names of the ledger's enums, as the database, the API and the pages use
 * them. */
#include "job/ledger.h"

#include <string.h>

enum ledger_actor ledger_actor_of(enum ledger_kind kind)
{
    switch (kind) {
    case LEDGER_CLAIM:
    case LEDGER_EXPOSE:
    case LEDGER_INTEND:
    case LEDGER_ISSUE:
    case LEDGER_RECORD:
        break;
    case LEDGER_DIGEST:
    case LEDGER_EXPLAIN:
    case LEDGER_CSR:
    case LEDGER_POSSESSION:
    case LEDGER_ATTEST:
        return LEDGER_TO_KEYS;
    case LEDGER_SIGN:
    case LEDGER_AUTHORIZE:
        return LEDGER_TO_ISSUER;
    }
    return LEDGER_TO_STORE;
}

static const char *const state_names[] = {
    [BUNDLE_FREE] = "free",       [BUNDLE_BOUND] = "bound",
    [BUNDLE_EXPOSED] = "exposed", [BUNDLE_INSTALLED_STATE] = "installed",
    [BUNDLE_RETIRED] = "retired",
};

const char *bundle_state_name(enum bundle_state state)
{
    return state_names[state];
}

int bundle_state_from_name(const char *name)
{
    for (int i = 0; i <= BUNDLE_RETIRED; i++) {
        if (strcmp(state_names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

const char *entry_proof_name(enum entry_proof proof)
{
    static const char *const names[] = {
        [ENTRY_UNPROVEN] = "",     [ENTRY_PRESENCE] = "presence",     [ENTRY_READBACK] = "readback",
        [ENTRY_DIGEST] = "digest", [ENTRY_POSSESSION] = "possession",
    };
    return names[proof];
}
