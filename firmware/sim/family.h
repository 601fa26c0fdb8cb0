/* What the modem firmware families differ in, as data. Facts: Nordic's AT command references of the nRF9160
 * and the nRF91x1, and dialogues that people published; what no source settles is a member of simboard_config
 * instead. */
#ifndef CERTLINE_SIM_FAMILY_H
#define CERTLINE_SIM_FAMILY_H

#include "sim/board.h"

struct family {
    const char *name;
    const char *firmware; /* +CGMR */
    const char *short_version;
    const char *model;
    const char *hardware;
    const char *modem_uuid;   /* of the build, not of the device */
    const char *banner;       /* before the sample's own line */
    uint32_t line_max;        /* of the AT host built with it */
    unsigned type_max;        /* highest type that %CMNG knows */
    unsigned device_type;     /* in %ATTESTTOKEN */
    bool has_real_digest;     /* else the type number 32 times */
    bool checks_certificates; /* 527 */
    bool has_power_warning;   /* 528 */
    bool has_reserved_rows;   /* 4294967292 … 94 */
    bool has_receive_only;    /* +CFUN=2 */
    bool has_exists;          /* 519 of %CMNG; without it 514 */
    bool has_denied;          /* 520; without it 514 */
};

const struct family *sim_family_get(enum sim_family family);

#endif
