/*
 * A job: one attempt to provision one board, from contact to record. An interpreter over a const table of
 * rows (job/plan.h); pure: octets, answers of the ledger and `now` go in; octets, ledger messages, a deadline
 * and a verdict come out. It never logs, allocates, blocks or asks a clock.
 *
 * Life: job_init once for a slot; for each board job_start … until job_phase is JOB_ENDED and the RECORD
 * message has been answered; then job_start again. Everything a board needs stands in `struct job` and the
 * memory of its config.
 */
#ifndef CERTLINE_JOB_JOB_H
#define CERTLINE_JOB_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "at/chat.h"
#include "job/contact.h"
#include "job/dialogue.h"
#include "job/frames.h"
#include "job/ledger.h"
#include "job/product.h"
#include "job/verdict.h"

#define JOB_LINE_SIZE     8704 /* a read's quoted content (8,000) and its row */
#define JOB_SPLICE_SIZE   192
#define JOB_HEAD_SIZE     256   /* a command without content: %KEYGEN has attributes */
#define JOB_CONTENT_SIZE  16352 /* sealed or canonical contents of one board, all entries */
#define JOB_DIALOGUE_SIZE 12288
#define JOB_ROWS_MAX      64

struct job_config {
    uint8_t *content; /* JOB_CONTENT_SIZE octets of secret memory (base/secret.h), the job's alone */
    char *line;       /* JOB_LINE_SIZE */
    char
        *frames; /* FRAMES_BURST_SIZE octets of secret memory: what of a credential is on its way in frames */
    char *splice;   /* JOB_SPLICE_SIZE */
    char *dialogue; /* JOB_DIALOGUE_SIZE */
};

enum job_phase {
    JOB_IDLE,       /* job_start not called */
    JOB_CONTACTING, /* finding out who is there */
    JOB_IDENTIFYING,
    JOB_ADMITTING, /* identified; station decides when and under which order it goes on (job_admit) */
    JOB_RUNNING,
    JOB_LEAVING,   /* verdict known, the board is being left as the product says */
    JOB_RECORDING, /* RECORD is wanted or under way */
    JOB_ENDED,     /* recorded, or given up by job_forget */
};

/* Everything a job is told before its first octet. */
struct job_begin {
    char id[JOB_ID_SIZE];
    char slot[SLOT_ID_SIZE];
    char fixture[FIXTURE_SIZE];
    bool is_fresh; /* a fresh plug-in or our own clean close: the line holds nothing of ours or others' */
    uint32_t baud;
    bool is_polled;            /* the port says nothing about the board: its silence is its absence */
    bool is_chunked;           /* this slot is known to lose octets: write in chunks from the start */
    uint32_t contact_limit_ms; /* verdict no_answer after this; 0 = default */
    char wrong_port[VERDICT_DETAIL_SIZE]; /* not empty: by its USB identity the board takes AT commands at
                                             another port, and this says at which. It is probed all the same:
                                             custom firmware may differ */
    int64_t started_wall_ms;
};

/* What the station grants at admission. */
struct job_grant {
    char order[ORDER_ID_SIZE];
    const struct product *product; /* lives longer than the job */
    char operator_name[64];
    char unit_serial[64];
};

/* Asking a board that is done, or waits, whether it is still the same (fixtures whose USB bridge stays in
 * place). */
enum job_watch {
    WATCH_NONE,
    WATCH_OUT,    /* asked */
    WATCH_SAME,   /* it answered with its IMEI */
    WATCH_OTHER,  /* another IMEI, or a boot message: it is not known any more who is there */
    WATCH_SILENT, /* no answer */
};

/* Whose public key the modem keeps for authenticated commands. */
enum job_owner { OWNER_UNKNOWN, OWNER_ABSENT, OWNER_OURS, OWNER_OTHER };

/* What is known of one entry of the product on this board. */
struct job_entry {
    bool is_present;   /* the last list has a row for it */
    bool has_digest;   /* and shows a real digest, not a placeholder */
    bool is_right;     /* judged by the last list: nothing is to be done */
    bool was_absent;   /* a list of this job showed it absent before it was written: what stands there now is
                          ours */
    bool is_explained; /* `mangling` belongs to `seen` */
    uint8_t writes, refusals, timeouts;
    struct digest seen;  /* by the last list */
    struct digest wrong; /* an earlier wrong one: two different ones mean loss, not bad content */
    bool has_wrong;
    enum mangling mangling;
};

struct job {
    struct job_config config;
    struct job_begin begin;
    struct chat chat;
    struct contact contact;
    struct dialogue dialogue;
    struct frames frames;
    bool msg_is_wanted; /* to be fetched by the station */
    bool msg_is_out;    /* lent */
    uint8_t msg_failures;
    int64_t msg_resume_us; /* a message that could not be served is offered again then */

    enum job_phase phase;
    uint8_t row;                    /* enum plan_row */
    uint8_t tries;                  /* of the current row, this one included */
    uint8_t odds;                   /* answers to the current row that were not understood, in a row */
    uint8_t no_taken[JOB_ROWS_MAX]; /* how often a rule was used for each row since it last went well */
    uint8_t entry;                  /* which entry the current row works on */
    uint8_t stray;                  /* which list row a deletion works on */
    int64_t row_started_us;
    int64_t
        resume_us; /* a pause: the row, or its message, starts again then; TIME_NEVER when there is none */
    int64_t started_us;
    int64_t waited_us; /* for admission: no part of the job's duration */
    int64_t contact_until_us;
    int64_t limit_us; /* TIME_NEVER before admission and once a verdict stands */

    /* About the answer to the row under way. */
    uint16_t lines_seen;
    bool is_odd; /* a line could not be read as it should */

    int64_t now_us;   /* of the present call, for the rows */
    int64_t heard_us; /* the board's last octet */
    enum job_watch watch;
    char watched_imei[IMEI_SIZE];
    uint8_t family; /* enum modem_family */
    uint8_t front;  /* enum contact_front */
    uint8_t reboots, recoveries, rounds, rereads;
    int8_t cfun_found;  /* -1: not known */
    bool has_heard;     /* any octet came */
    bool has_heard_log; /* of TF-M, which has a port of its own */
    bool has_asked;     /* who the firmware is */
    bool has_transfer;  /* it is ours: credentials go in checked frames */
    bool has_ident;     /* it said everything at once in this contact */
    bool is_framing;    /* the present row is such a transfer */
    bool has_framed;    /* the memory for frames is to be wiped */
    bool is_clean;      /* contact was made: what the board prints is known not to be a dead session's rest */
    bool is_deaf;       /* it no longer answers: nothing more is sent */
    bool is_lost;       /* the port is gone */
    bool is_swapped;    /* another IMEI answers than the one this job began with */
    bool is_admitted, is_offline, is_claimed, is_digested, is_exposed, expose_is_out;
    bool lists_by_tag; /* the whole list does not fit the board's reply buffer */
    bool is_dirty;     /* something was written or deleted since the last list */
    bool wrote_anything, has_before;
    bool is_power_warned;  /* the modem said 528: the warning is to be armed anew */
    uint32_t warned_mv;    /* the supply then; 0: not known */
    bool is_identity_sure; /* firmware and model were read twice */
    bool is_device_sure;   /* UUID and hardware version were */
    bool key_is_intended;  /* in this job: the intent is on record */
    bool key_is_unlisted;  /* one may have been made since the last list */
    bool key_has_reply;    /* what the board said of the key that stands there */
    bool key_is_spoilt;    /* what stands in its place is our own writing, gone astray */
    bool uuid_is_sure;     /* read twice alike */
    bool key_is_missing;   /* the list behind %KEYGEN did not show it, once */
    bool key_has_listing;  /* key_listing is the digest as last read since %KEYGEN */
    struct digest key_listing;
    uint8_t key_deletions, uuid_tries;
    bool key_is_issued;                /* in this job */
    bool key_was_deleted;              /* and was not seen gone yet */
    bool key_is_sure;                  /* a list that says something odd about the key was read twice */
    char key_why[VERDICT_DETAIL_SIZE]; /* what was wrong with the last answer about a key */
    bool native_took;                  /* AT#XCMNG has said OK in this job */
    enum job_owner owner, owner_seen;  /* of the public key; owner_seen: by the answer under way */
    bool owner_is_sure;                /* another's key was read once already */
    bool owner_was_absent;             /* what is there now is our writing */
    bool owner_is_proven;              /* a signed command was taken */
    bool is_authorized;                /* the commands of this round are signed */
    uint8_t owner_tag, owner_tries;
    uint32_t signatures_hidden; /* so many of msg.commands are cut out of the dialogue */
    bool has_possession;        /* proven in this job */
    bool has_token;             /* of attestation, in keygen.reply, not checked yet */
    uint8_t possess_tries, attest_tries;
    uint8_t lists_read; /* until `before` is believed */
    uint8_t list_tag;   /* which of the product's tags is listed, with lists_by_tag */

    struct job_entry entries[PRODUCT_ENTRIES_MAX];
    uint32_t n_before; /* in `before` */
    char head[JOB_HEAD_SIZE];
    struct verdict stop;    /* asked for from outside (abort, limit): taken at the next safe point */
    struct verdict verdict; /* once it stands */
    uint32_t tx_octets, rx_octets;
    int64_t modem_us;

    /* Loss on the link: seen as damage that differs, or that goes away when written in chunks. */
    bool is_chunked;        /* contents go in chunks with pauses from now on */
    uint16_t damaged;       /* writes that arrived damaged or were never answered */
    uint16_t written;       /* writes in all */
    size_t command_len;     /* octets of the command under way */
    size_t longest_done;    /* octets of the longest command that was answered, */
    size_t shortest_hung;   /* and of the shortest that was not; 0: none */
    size_t chunk_sent;      /* of the present chunk */
    int64_t chunk_until_us; /* the pause behind a chunk; TIME_NEVER: none */

    /* Last, since a start clears neither `before` nor the message's own long parts: see struct ledger_msg. */
    struct ledger_msg msg;
    struct cmng_row before[LEDGER_ROWS_MAX]; /* as found */
};

/* A chunk fits the smallest UART FIFO (6 octets hold on an nRF91 whose host is busy), and the pause behind it
 * is three times its wire time and at least 2 ms: more than an interrupt handler is ever late. */
#define JOB_CHUNK_OCTETS   6
#define JOB_CHUNK_PAUSE_US 2000

void job_init(struct job *job, const struct job_config *config);
void job_start(struct job *job, const struct job_begin *begin, int64_t now_us);

/* Octets that came from the board. */
void job_rx(struct job *job, struct span octets, int64_t now_us);

/* Octets for the board (empty: none now), valid until the next call on the job; then how many the port took.
 */
struct span job_tx(struct job *job, int64_t now_us);
void job_tx_done(struct job *job, size_t n, int64_t now_us);

/* The ledger message to send now, or NULL. It is lent from this call on until job_answer. */
struct ledger_msg *job_take_msg(struct job *job);
void job_answer(struct job *job, int64_t now_us);
/* It could not be sent at all (a full mailbox): job_take_msg will offer it again. */
void job_give_back_msg(struct job *job);

/* JOB_ADMITTING only. */
void job_admit(struct job *job, const struct job_grant *grant, int64_t now_us);

/* JOB_ENDED or JOB_ADMITTING, with a board that has an identity: asks for its IMEI; job->watch says what came
 * of it. */
void job_watch(struct job *job, int64_t now_us);

/* A person's abort: brought to a safe point (the command under way is finished or recovered), then CFUN and
 * record. */
void job_abort(struct job *job, enum reason reason, const char *detail, int64_t now_us);

/* The port is gone. Ends at once with LOST, unless a verdict stands already. */
void job_lost(struct job *job, int64_t now_us);

/* When the job ended, for the record; called by the station before it sends a RECORD message. */
void job_stamp_end(struct job *job, int64_t ended_wall_ms, int64_t now_us);

int64_t job_deadline(const struct job *job);
void job_tick(struct job *job, int64_t now_us);

static inline enum job_phase job_phase(const struct job *job)
{
    return job->phase;
}

/* Name of the current step ("write_private_key"), never NULL; and how far the job is, 0 to 1 in thousandths.
 */
const char *job_step(const struct job *job);
uint32_t job_progress_permille(const struct job *job);

/* True when contact has had no answer for 3 s: the slot shows "silent" and the job goes on listening. */
bool job_is_silent(const struct job *job, int64_t now_us);

/* True once the board said anything at all in this job. */
bool job_has_identity(const struct job *job);

#endif
