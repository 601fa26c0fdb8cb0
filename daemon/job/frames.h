/*
 * The checked transfer of Certline's own firmware (AT#CRED, firmware/README.md), the host's side: one
 * credential in frames that carry a CRC each. The board writes only when the SHA-256 of all that arrived is
 * the one announced; what was damaged on the way is sent again and nothing else.
 *
 * Pure, one exchange at a time: frames_next gives the octets, frames_line and frames_end take what the board
 * says to them.
 */
#ifndef CERTLINE_JOB_FRAMES_H
#define CERTLINE_JOB_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "pki/cred.h"

#define FRAMES_UNIT      32  /* octets that the board counts by */
#define FRAMES_UNITS_MAX 256 /* of one credential: 8,192 octets */
#define FRAMES_BURST_SIZE                                                                                    \
    9216 /* a credential in frames of full size, and the commit; smaller frames go in several bursts */
#define FRAMES_CONTENT_MAX (FRAMES_UNIT * FRAMES_UNITS_MAX)
#define FRAMES_PREFIX      "#CRED:"

enum frames_state {
    FRAMES_BEGIN,  /* to announce */
    FRAMES_BURST,  /* to send what is missing, and commit */
    FRAMES_ASK,    /* to ask what has become of it */
    FRAMES_DONE,   /* written; with `is_behind`, being written */
    FRAMES_FAILED, /* `code` */
};

struct frames {
    enum frames_state state;
    uint32_t sec_tag;
    enum cred_type type;
    struct span content; /* borrowed until done or failed */
    struct digest sha256;
    bool is_behind; /* the commit is answered when the write begins: the next credential travels meanwhile */
    uint8_t frame_units; /* 2, 8 or 64 in a frame; kept from one credential to the next */
    uint32_t key;        /* names this transfer */
    bool missing[FRAMES_UNITS_MAX];
    uint16_t tries, sent_frames;
    uint8_t silent; /* exchanges without an end since it last said something of ours */
    bool saw_missing, saw_open, saw_writing, saw_written; /* in the present answer */
    int written_code;
    int code; /* FRAMES_FAILED: the modem's or the firmware's; -1 bare ERROR, -2 no answer */
};

/* Announces anew. `frame_units` of an earlier transfer stays when it is one of the three. */
void frames_start(struct frames *f, uint32_t sec_tag, enum cred_type type, struct span content,
                  const struct digest *sha256, bool is_behind);

/* Writes the octets of the next exchange into `out` (FRAMES_BURST_SIZE); they are secret if the content is. 0
 * once done. */
size_t frames_next(struct frames *f, char *out);

/* An information line of the answer; and its end: 0, a code, -1 for ERROR, -2 for none in time. Fails with -2
 * when the board stays silent for several exchanges, or when there were too many of any kind. */
void frames_line(struct frames *f, struct span line);
void frames_end(struct frames *f, int code);

#endif
