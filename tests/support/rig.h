/*
 * A rig for one job: the job itself, one simulated board, a link in memory and virtual time. The ledger is
 * played by the rig: it claims, "unseals" and explains from contents given in the clear, so that a test of
 * the job needs neither database nor keys. Everything is deterministic.
 */
#ifndef CERTLINE_TESTS_RIG_H
#define CERTLINE_TESTS_RIG_H

#include "job/job.h"
#include "keys/issuer.h"
#include "pki/seal.h"
#include "sim/board.h"

#define RIG_TAG 16842753u

struct rig {
    int64_t now_us;
    struct simboard *board;
    struct job job;
    struct product product;
    struct job_config memory;
    const char
        *contents[PRODUCT_ENTRIES_MAX]; /* of the bundle's entries, by entry index; static or the test's */

    bool is_chunked;        /* the next job begins in chunks, */
    const char *wrong_port; /* and at a port of which this is known; NULL: nothing is */

    /* What has left for the board: octets in all, of those the ones of commands that left whole, and whether
     * the last one was content. */
    uint64_t sent, whole;
    bool was_content;
    uint64_t dies_at; /* it dies when it would send more octets than this; 0: it lives */
    bool is_dead;

    /* Answers in place of the played ledger; may call rig_play. NULL: none. */
    void (*answer)(struct rig *rig, struct ledger_msg *msg);

    /* What the played ledger does. */
    enum bundle_state state;
    bool passed_before;
    bool is_erased;           /* the private key: its digest is all that the station has */
    enum reason refuse_claim; /* REASON_NONE: grants it */
    const char *known_uuid;   /* of the device that this IMEI was before; NULL: none was */
    uint32_t other_devices;   /* claims refused for it */
    int failures;             /* so many messages are answered FAILED first */
    int64_t ledger_us;        /* how long an answer takes */
    /* Sees each message before it is answered; NULL: nobody does. */
    void (*on_message)(void *ctx, const struct ledger_msg *msg);
    void *on_message_ctx;

    /* Products whose boards make their own key: what is on record, and who answers beside the store. */
    struct ledger_keygen keygen;
    struct digest listed; /* of the key, as of the certificate's issue */
    uint8_t sealed[8192]; /* the certificate */
    uint32_t sealed_len;
    struct seal_key *wrapping_key;
    struct keys *keys;
    struct signer *signer;
    struct issuer *issuer;
    struct clock clock;
    uint32_t intents, issues;

    struct ledger_msg *out;
    int64_t answer_us;
    uint32_t claims, exposes, records; /* answered well */
    uint32_t exposed_at_write;         /* the board held the bundle's key before EXPOSED was answered */
    bool stores_crlf;                  /* as the last DIGEST said of the front end */
    struct ledger_msg recorded;        /* copy of the last RECORD; its dialogue is copied as well */
    char dialogue[JOB_DIALOGUE_SIZE];
};

/* A board of this family, plugged and booted; a product with Amazon's root as CA, a certificate and a key
 * from the bundle. rig_done frees. */
void rig_init(struct rig *rig, enum sim_family family, enum sim_terminator term);
/* The same with any board: start from SIMBOARD_CONFIG_DEFAULT. */
void rig_init_board(struct rig *rig, const struct simboard_config *config);
/* A board with Serial LTE Modem and its native TLS, and the same product with that option. */
void rig_init_native(struct rig *rig, enum sim_family family);
void rig_done(struct rig *rig);

/* The same board for a product with source keygen: a CA from a file, the board's own key and a certificate
 * from a CA of the rig's own, with the real keys and issuer behind the played store. */
void rig_init_keygen(struct rig *rig, enum sim_family family);

/* The same with any board. */
void rig_init_keygen_board(struct rig *rig, const struct simboard_config *config);

/* The station died: another one, with the same ledger, at the same board, whose port was closed and is open
 * again. What the board had begun is done by then. */
void rig_restart(struct rig *rig);

/* A product that signs its commands, with the real issuer and a CA of the rig's own (rig->signer). */
void rig_init_signed(struct rig *rig, enum sim_family family);
void rig_init_signed_board(struct rig *rig, const struct simboard_config *config);

/* The board holds a key of its own making, and the certificate issued last is the one for it. */
bool rig_key_is_right(const struct rig *rig);

/* Starts a job; `is_fresh` as in struct job_begin. */
void rig_start(struct rig *rig, bool is_fresh);

/* Runs until the job has ended, at most `limit_s` of virtual time. Returns false when it has not. */
bool rig_run(struct rig *rig, int limit_s);
/* One event. False: nothing is going to happen any more. */
bool rig_step(struct rig *rig);

/* Starts and runs, and returns the verdict recorded. Fails the test when the job does not end in 10 minutes.
 */
const struct verdict *rig_provision(struct rig *rig, bool is_fresh);

/* The played ledger's answer to a message, for tests that have a station around the job. */
void rig_play(struct rig *rig, struct ledger_msg *msg);

/* How often the modem stored an entry of the product under RIG_TAG. */
unsigned rig_writes(const struct rig *rig, enum cred_type type);

/* The board holds exactly what the product asks for. */
bool rig_board_is_right(const struct rig *rig);

#endif
