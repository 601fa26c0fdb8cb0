/* Both directions of the one mapping there is. */
#include "job/place.h"

#define TYPES_PER_TAG 10

struct place place_of(const struct product *product, uint32_t sec_tag, uint32_t type)
{
    if (!product->native_tls) {
        return (struct place){.sec_tag = sec_tag, .type = type};
    }
    return (struct place){.sec_tag = sec_tag * TYPES_PER_TAG + type, .type = CRED_CA};
}

bool place_origin(const struct product *product, struct place listed, struct place *ret_origin)
{
    if (!product->native_tls) {
        *ret_origin = listed;
        return true;
    }
    if (listed.type != CRED_CA || listed.sec_tag > SEC_TAG_MAX ||
        listed.sec_tag % TYPES_PER_TAG >= CRED_TYPES) {
        return false;
    }
    *ret_origin =
        (struct place){.sec_tag = listed.sec_tag / TYPES_PER_TAG, .type = listed.sec_tag % TYPES_PER_TAG};
    return true;
}

size_t place_native_need(enum cred_type type, size_t len)
{
    bool has_nul = type == CRED_CA || type == CRED_CLIENT_CERT || type == CRED_PRIVATE_KEY;
    return len + (has_nul ? 1 : 0);
}
