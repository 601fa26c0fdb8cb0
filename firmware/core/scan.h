/*
 * Finds frames and AT#CRED lines in octets of which any may be missing, doubled or wrong. Used while a
 * checked transfer is open; the line editor (core/input.h) is for everything else.
 *
 *   frame = "#" first(2) count(1) check(1) crc(6) octets
 *
 *   first    number of the first unit of SCAN_UNIT octets that the frame carries
 *   count    how many units, less one; the content's last unit may be short
 *   check    low six bits of the CRC-32 of the three digits before it: a false "#" is not believed long
 *   crc      CRC-32 of the four digits "first count check" and the octets, started from the transfer's key
 *
 * All in digits of 64 (core/words.h). What is neither frame nor line is passed over without a word. A frame
 * that turns out wrong is searched again from its second octet on, so that a lost octet costs one frame, not
 * the next one or the line behind it as well.
 */
#ifndef CERTLINE_CORE_SCAN_H
#define CERTLINE_CORE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCAN_UNIT        32
#define SCAN_COUNT_MAX   64 /* units in a frame */
#define SCAN_HEADER      11
#define SCAN_FRAME_MAX   (SCAN_HEADER + SCAN_COUNT_MAX * SCAN_UNIT)
#define SCAN_LINE_MAX    128
#define SCAN_LINE_PREFIX "AT#CRED="

enum scan_kind {
    SCAN_MORE,  /* nothing whole yet */
    SCAN_FRAME, /* `octets`, `n` of them, for unit `first` on */
    SCAN_LINE,  /* `octets`, `n` of them: an AT#CRED line without its end */
    SCAN_OTHER, /* it begins as another command does, where one may begin: `octets` are all of it so far */
};

struct scan_event {
    enum scan_kind kind;
    const char *octets; /* until the next scan_feed */
    size_t n;
    uint32_t first;
};

struct scan {
    char window[SCAN_FRAME_MAX];
    size_t at, len;    /* what is not decided yet */
    uint32_t key;      /* of the open transfer */
    size_t size;       /* of its content */
    bool may_be_other; /* nothing came since a pause or an answer: a command may begin here */
    bool is_ended;     /* a pause: what is not whole never will be */
};

/* A transfer was opened. Octets that were not decided stay. */
void scan_start(struct scan *s, uint32_t key, size_t size);

/* Forgets everything, the secret that passed included. */
void scan_wipe(struct scan *s);

/* An answer was given, or a pause is over: the next octet may begin any command. */
void scan_may_be_other(struct scan *s);

/* A pause: scan_next waits for nothing more and leaves the window empty. */
void scan_end(struct scan *s);

/* One octet; then scan_next, or the window could overflow. */
void scan_feed(struct scan *s, char octet);

/* What has been found. After SCAN_OTHER the window is empty; else call again until SCAN_MORE. */
struct scan_event scan_next(struct scan *s);

/* Octets that are not decided yet, when the transfer was closed before they were. */
size_t scan_rest(const struct scan *s);
char scan_take(struct scan *s);

#endif
