/*
 * The host's side of the checked transfer, as a reference: which octets to send next, and what an answer
 * means. Pure, one exchange at a time, as the daemon's job table works: framed_next gives the octets of an
 * exchange, framed_line and framed_end take what the board says to it.
 *
 * The size of frames follows the link: one frame while nothing is lost, smaller ones as soon as something is.
 */
#ifndef CERTLINE_TESTS_FRAMED_HOST_H
#define CERTLINE_TESTS_FRAMED_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAMED_UNITS     256
#define FRAMED_TRIES_MAX 60 /* exchanges for one credential, before the link is called dead */
#define FRAMED_BURST_MAX 12288
#define FRAMED_COMMIT    17 /* octets of the line behind the frames, CR included; 2 more with is_behind */

enum framed_state {
    FRAMED_BEGIN,  /* to announce */
    FRAMED_BURST,  /* to send what is missing, and commit */
    FRAMED_ASK,    /* to ask what has become of it */
    FRAMED_DONE,   /* written, or, with is_behind, being written */
    FRAMED_FAILED, /* `code` */
};

struct framed {
    enum framed_state state;
    uint32_t sec_tag, type;
    const char *content;
    size_t size;
    uint8_t sha256[32];
    bool is_behind;       /* the commit is answered when the write begins */
    uint32_t frame_units; /* 2 to 64; kept from one credential to the next */
    uint32_t key;
    bool missing[FRAMED_UNITS];
    bool is_known; /* `missing` is what the board said */
    unsigned tries, sent_frames;
    int code;
    /* What the lines of the exchange under way said. */
    bool saw_missing, saw_open, saw_writing, saw_written;
    int written_code;
};

/* `content` must outlive the transfer. */
void framed_start(struct framed *f, uint32_t sec_tag, uint32_t type, const char *content, size_t size);

/* The octets of the next exchange, at most FRAMED_BURST_MAX; 0 once it is done or has failed. */
size_t framed_next(struct framed *f, char *octets);

/* An information line of the answer, and its end: 0 OK, a code, -1 ERROR, -2 none in time. */
void framed_line(struct framed *f, const char *line);
void framed_end(struct framed *f, int code);

/* AT#CRED=4: deletes. Writes the line with its CR and returns its length. */
size_t framed_delete_line(char *octets, uint32_t sec_tag, uint32_t type);

#endif
