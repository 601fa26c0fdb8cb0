/* Which known way of being changed turns one content into another, when only the other's digest is known. */
#ifndef CERTLINE_KEYS_MANGLE_H
#define CERTLINE_KEYS_MANGLE_H

#include <stdint.h>

#include "base/span.h"
#include "pki/cred.h"

/* The mangling that makes `seen` out of `content`, or MANGLING_OTHER. With MANGLING_CUT *ret_cut_at is the
 * number of octets that are left, at least 1; else it is 0. Takes about a microsecond for each octet of the
 * content at worst. */
enum mangling mangle_explain(struct span content, const struct digest *seen, uint32_t *ret_cut_at);

#endif
