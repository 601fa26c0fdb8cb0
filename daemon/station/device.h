/*
 * One slot and the board in it: its port's life, its job, the pace of its wire. Private to station/.
 *
 * All inputs end in device_settle, which pumps octets, lends messages, moves on and publishes; so there is
 * one place where a slot's state follows from what it knows.
 */
#ifndef CERTLINE_STATION_DEVICE_H
#define CERTLINE_STATION_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "job/job.h"
#include "station/health.h"
#include "station/station.h"

enum port_state {
    PORT_ABSENT,
    PORT_OPENING,
    PORT_OPEN,
    PORT_FAILED, /* could not be opened, or hung up while its node still exists: tried again later */
};

struct device {
    struct slot_config config;
    uint32_t index;
    uint32_t generation; /* of the port: what arrives late is dropped by it */
    uint32_t board;      /* of the board: counts arrivals, also those that only polling sees */
    char port_name[128];
    char usb[64];
    char wrong_port[VERDICT_DETAIL_SIZE]; /* empty: the port is right, or nobody knows */
    enum port_state port;
    bool is_fresh;               /* the next contact may take the line as clean */
    int64_t reopen_us;           /* PORT_FAILED */
    struct verdict port_verdict; /* PORT_FAILED: why */

    bool has_job;       /* a job was started for the board that is here, or was here */
    bool is_noted;      /* the end of this job was counted for the slot's health */
    bool wants_job;     /* one is to be started as soon as the last one is recorded and the port is open */
    bool is_started;    /* the operator said start (start = manual or scan), or retry */
    bool is_held;       /* its IMEI is in another slot as well */
    bool hold_released; /* a person has looked at that */
    char operator_name[64];
    char unit_serial[64];

    int64_t wire_free_us; /* when everything handed to the port will be on the wire */
    int64_t pace_us;      /* when to hand out more; TIME_NEVER: nothing waits for the wire */
    bool is_blocked;      /* the port took nothing: wait for writable */
    int64_t poll_us;      /* polled slots: when to ask who is there; TIME_NEVER: a job is under way */
    uint8_t silences;     /* of polling, in a row */
    int64_t post_us;      /* a message that found no room is offered again then */

    struct health health; /* of the slot, over its boards */
    char why[160];        /* of the quarantine, also when it has just been released */
    char released_by[64];
    bool is_on_record; /* in quarantine, on record */
    bool note_is_out;  /* to change that */
    int64_t note_us;   /* it failed and is offered again then */

    struct slot_view view;
    uint64_t shown; /* what the view was made of: unchanged means nothing to publish */

    struct job job; /* last: its long parts are not cleared */
};

struct device_memory {
    uint8_t *content;
    char *frames, *line, *splice, *dialogue;
};

/* What a device needs of its station. */
struct device_host {
    const struct station_env *env;
    const struct clock *clock;
    /* A job of this device has just been put on record, or given up. */
    void (*ended)(void *ctx, struct device *d);
    void *ctx;
    enum reason waiting_for; /* set by the station before device_settle: why a slot in admission waits */
};

/* `d` may hold anything; what is not written to takes no memory. */
void device_init(struct device *d, uint32_t index, const struct slot_config *config,
                 const struct device_memory *memory);

void device_arrived(struct device *d, struct device_host *host, const struct station_port *port);
void device_left(struct device *d, struct device_host *host, int64_t now_us);
void device_opened(struct device *d, int result, const char *detail, int64_t now_us);
void device_bytes(struct device *d, struct span octets, int64_t now_us);
void device_closed(struct device *d, struct device_host *host, int64_t now_us);
void device_tick(struct device *d, struct device_host *host, int64_t now_us);

/* What env->note took about the quarantine is on record, or (negative) is not. */
void device_noted(struct device *d, int result, int64_t now_us);

/* A new attempt with the board that is there. */
void device_retry(struct device *d);

/* After every input: starts what can start, sends what can be sent, publishes what changed. */
void device_settle(struct device *d, struct device_host *host, int64_t now_us);
int64_t device_deadline(const struct device *d);

/* A board with a known IMEI is in the slot. */
bool device_has_board(const struct device *d);
/* Its job waits for the station's word. */
bool device_is_admitting(const struct device *d);
/* Nothing under way: no job, or one that has ended on record. */
bool device_is_idle(const struct device *d);
enum slot_state device_state(const struct device *d, int64_t now_us);

#endif
