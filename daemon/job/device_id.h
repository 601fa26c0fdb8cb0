/*
 * A board's name towards its cloud: how a product makes it of what the board is, and what the cloud allows.
 * The name is the subject's common name of the client certificate, or the identity beside a pre-shared key.
 *
 * A scheme is a text of the product (option device_id):
 *
 *   any                  whatever the certificate says
 *   uuid, imei           the same as {uuid}, {imei}
 *   nrf-imei             the same as nrf-{imei}, which nRF Cloud's own tools use
 *   acme-*               a prefix, and anything behind it
 *   acme-{imei}-x        a template: {imei} and {uuid} at most once each; `*` only at its end
 *
 * Pure: no memory, no clock.
 */
#ifndef CERTLINE_JOB_DEVICE_ID_H
#define CERTLINE_JOB_DEVICE_ID_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

#define DEVICE_ID_SIZE     129 /* of a name, with its NUL: no cloud takes more */
#define DEVICE_SCHEME_SIZE 64  /* of a scheme's text, with its NUL */

/* X(ENUM, name, characters, most of them, what it says of the characters). nRF Cloud: its import's rule, and
 * the 64 that its tools take. AWS IoT: a thing's name. Azure DPS: a registration id. */
#define DEVICE_CLOUD_LIST(X)                                                                                 \
    X(CLOUD_NONE, "none", "", DEVICE_ID_SIZE - 1, "printable ASCII")                                         \
    X(CLOUD_NRFCLOUD, "nrfcloud", DEVICE_UPPER DEVICE_LOWER ":_-", 64, "letters, digits and :_-")            \
    X(CLOUD_AWS, "aws", DEVICE_UPPER DEVICE_LOWER ":_-", 128, "letters, digits and :_-")                     \
    X(CLOUD_AZURE, "azure", DEVICE_LOWER "-", 128, "lower-case letters, digits and -")

#define DEVICE_LOWER "abcdefghijklmnopqrstuvwxyz0123456789"
#define DEVICE_UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

enum device_cloud {
#define X(name, text, characters, most, words) name,
    DEVICE_CLOUD_LIST(X)
#undef X
};
#define DEVICE_CLOUDS (CLOUD_AZURE + 1)
const char *device_cloud_name(enum device_cloud cloud);

/* Whether this is a scheme as above, and may give names that the cloud takes. */
bool device_scheme_is_valid(const char *scheme, enum device_cloud cloud);

/* Whether a name can be made only when the IMEI is known. */
bool device_scheme_needs_imei(const char *scheme);
bool device_scheme_is_open(const char *scheme); /* "any", or a `*` at its end: many names fit one board */

/*
 * The name of the board with this IMEI and UUID (NULL or empty: not known), for schemes that are not open;
 * for open ones `rest` stands for what is open (empty: the scheme cannot make a name). Returns its length, or
 * 0 when something is missing or too long.
 */
size_t device_id_make(const char *scheme, const char *imei, const char *uuid, const char *rest,
                      char out[DEVICE_ID_SIZE]);

enum device_fault {
    DEVICE_GOOD,
    DEVICE_MISSING,   /* the name is empty */
    DEVICE_LENGTH,    /* longer than the cloud takes */
    DEVICE_CHARACTER, /* one that the cloud does not take */
    DEVICE_SCHEME,    /* it is not of the scheme's form */
    DEVICE_OTHER,     /* of its form, but another board's */
};

/* Judges a name. NULL or empty `imei` and `uuid`: only the form of what stands there is looked at. */
enum device_fault device_id_check(const char *scheme, enum device_cloud cloud, const char *imei,
                                  const char *uuid, struct span name);

/* What a fault is, for people; "" for DEVICE_GOOD. */
const char *device_fault_text(enum device_fault fault);

/* The IMEI inside a name that follows the scheme (for "any" a name that is one, or nrf- and one). Returns
 * false when there is none. */
bool device_id_imei(const char *scheme, struct span name, struct span *ret);

#endif
