/*
 * What a job asks of the outside world, as messages: the store claims, exposes and records; keys unseals,
 * digests and explains. A message is part of the job's own memory and is lent while it is under way: the job
 * does not touch it between sending and answer, so nothing is copied or allocated once a board is admitted.
 *
 * The answering actor fills `status` and what its kind lists as "out", and hands the message back. It never
 * keeps a pointer into it.
 */
#ifndef CERTLINE_JOB_LEDGER_H
#define CERTLINE_JOB_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "job/product.h"
#include "job/verdict.h"
#include "pki/cred.h"

#define IMEI_SIZE        16 /* 15 digits and NUL */
#define UUID_SIZE        37
#define JOB_ID_SIZE      27 /* 26 characters of Crockford base32 (time and random bits), NUL: sorts by time */
#define BUNDLE_ID_SIZE   128
#define ORDER_ID_SIZE    64
#define SLOT_ID_SIZE     64 /* "rack1/001" */
#define FIXTURE_SIZE     32
#define ID_TEXT_SIZE     48 /* model, firmware, hardware */
#define LEDGER_ROWS_MAX  96 /* list rows of one board */
#define LEDGER_STEPS_MAX 64

enum ledger_kind {
    LEDGER_CLAIM,   /* store: this board's bundle, bound durably; the job exists from here on */
    LEDGER_DIGEST,  /* keys: unseal, canonical form, expected digests */
    LEDGER_EXPLAIN, /* keys: a digest that was not expected */
    LEDGER_EXPOSE,  /* store: octets of a per-board credential may leave from now on */
    LEDGER_INTEND,  /* store: the board is about to make a key; its certificate's serial number is kept for it
                     */
    LEDGER_CSR,     /* keys: is what the board said of its new key whole, and about that key? */
    LEDGER_SIGN,    /* signer: the certificate for it, sealed */
    LEDGER_AUTHORIZE,  /* signer: signatures for commands that are about to change the board */
    LEDGER_ISSUE,      /* store: that certificate is the bundle's; durable before it is written */
    LEDGER_POSSESSION, /* keys: did the board sign the nonce with the certificate's key? */
    LEDGER_ATTEST,     /* keys: the board's attestation token, checked and sealed */
    LEDGER_RECORD,     /* store: the job has ended */
};

/* Who answers. */
enum ledger_actor { LEDGER_TO_STORE, LEDGER_TO_KEYS, LEDGER_TO_ISSUER };

enum ledger_status {
    LEDGER_PENDING,
    LEDGER_OK,
    LEDGER_NO,     /* refused: `reason` and `detail` say why; nothing was changed */
    LEDGER_FAILED, /* our own trouble; nothing was changed, the same message may be sent again */
};

/* One row of the modem's list (%CMNG=1). */
struct cmng_row {
    uint32_t sec_tag;
    uint32_t type; /* 0 to 11, as listed */
    bool has_digest;
    struct digest sha256;
};

enum entry_proof { ENTRY_UNPROVEN, ENTRY_PRESENCE, ENTRY_READBACK, ENTRY_DIGEST, ENTRY_POSSESSION };

/* One credential of this board. CLAIM fills type, sealed_at/_len for the bundle's own; DIGEST fills the rest.
 */
struct ledger_entry {
    uint32_t sec_tag;
    enum cred_type type;
    bool from_bundle;      /* per-board: exposing it spends the bundle */
    bool is_made_on_board; /* a private key of %KEYGEN: nothing is sent, and `expected` is what the modem
                              listed of it when its certificate was issued; zeros: none was yet */
    bool is_erased; /* CLAIM: the station has it no more, since a board passed with it; `expected` is what is
                       left */
    uint32_t sealed_at; /* place in `content` while sealed (from_bundle only) */
    uint32_t sealed_len;
    uint32_t clear_at; /* place in `content` once canonical (from_bundle, or all of them with stores_crlf) */
    uint32_t clear_len;
    struct digest expected; /* of the octets the modem should store */
    enum entry_proof proof; /* RECORD */
    uint8_t writes;         /* RECORD: how often it was written in this job */
};

/* How far the key of a product with source keygen is, on record. */
enum keygen_state {
    KEYGEN_NONE,     /* the station never had the board make one: what stands there is of unknown origin */
    KEYGEN_INTENDED, /* it had, and has issued no certificate for it: what stands there is ours, and useless
                      */
    KEYGEN_ISSUED,   /* the bundle has the certificate of the key whose digest is expected */
};

#define LEDGER_TOKEN_SIZE  640  /* a sealed attestation token: some 190 characters and 97 octets */
#define KEYGEN_REPLY_SIZE  1024 /* %KEYGEN's answer has some 570 characters, %JWT's some 450 */
#define KEYGEN_SERIAL_SIZE 16
#define KEYGEN_SPKI_SIZE   128
#define KEYGEN_NONCE_SIZE  33 /* 32 hexadecimal characters and NUL */
#define KEYGEN_ISSUER_SIZE 256

struct ledger_keygen {
    enum keygen_state state; /* CLAIM, INTEND, ISSUE out */
    uint8_t
        serial[KEYGEN_SERIAL_SIZE]; /* INTEND out, SIGN and ISSUE in: 128 random bits, never used before */
    char reply[KEYGEN_REPLY_SIZE];  /* CSR, POSSESSION, ATTEST in: what stood between the quotes */
    uint32_t reply_len;
    bool is_good;                   /* CSR, POSSESSION out; when it is not, `detail` says why */
    struct digest csr_sha256;       /* CSR out: of the request as the board sent it */
    struct digest key_sha256;       /* CSR out: of the public key, as pki has it */
    uint8_t spki[KEYGEN_SPKI_SIZE]; /* CSR out, SIGN in: the public key in DER */
    uint32_t spki_len;
    char issuer[KEYGEN_ISSUER_SIZE]; /* SIGN out, ISSUE in */
    int64_t not_after_ms;            /* SIGN out, ISSUE in */
    char nonce[KEYGEN_NONCE_SIZE];   /* DIGEST out, when the product asks for possession; POSSESSION in */
};

/* A command that needs its owner's signature: what is signed is head, content, and a quotation mark behind a
 * content. */
#define LEDGER_COMMANDS_MAX   24
#define LEDGER_COMMAND_SIZE   48
#define LEDGER_SIGNATURE_SIZE 100
#define LEDGER_PUBLIC_SIZE    200
struct ledger_command {
    char head[LEDGER_COMMAND_SIZE];        /* `%CMNG=0,16842753,2,"` or `%CMNG=3,16842753,4` */
    struct span content;                   /* the job's or the product's; empty: none */
    char signature[LEDGER_SIGNATURE_SIZE]; /* AUTHORIZE out: base64 */
};

/* One step of a job for its record and waterfall. */
struct ledger_step {
    const char *name;    /* static: the plan row's */
    uint32_t started_ms; /* since the job's start */
    uint32_t duration_ms;
    uint16_t tries;
    int16_t code;       /* CME number, 0 when none */
    const char *result; /* static: "ok", "error", "cme", "timeout", "no", "skipped" */
};

enum bundle_effect { BUNDLE_UNCHANGED, BUNDLE_INSTALLED };

enum bundle_state { BUNDLE_FREE, BUNDLE_BOUND, BUNDLE_EXPOSED, BUNDLE_INSTALLED_STATE, BUNDLE_RETIRED };

struct ledger_msg {
    enum ledger_kind kind;
    enum ledger_status status;
    enum reason reason;               /* with LEDGER_NO */
    char detail[VERDICT_DETAIL_SIZE]; /* with LEDGER_NO and LEDGER_FAILED */

    /* Who asks: filled by station/, handed back untouched. */
    uint32_t slot_index;
    uint32_t generation;

    /* The job, constant over its life. */
    char job[JOB_ID_SIZE];
    char slot[SLOT_ID_SIZE];
    char fixture[FIXTURE_SIZE];
    char order[ORDER_ID_SIZE]; /* empty: none was open (RECORD of a board that was never admitted) */
    char operator_name[64];
    char unit_serial[64];
    const struct product *product; /* NULL before admission */
    char imei[IMEI_SIZE];          /* empty when it never said */
    char uuid[UUID_SIZE];
    char model[ID_TEXT_SIZE];
    char modem_firmware[ID_TEXT_SIZE];
    char hardware[ID_TEXT_SIZE];
    uint32_t supply_mv; /* 0: not known */

    /* CLAIM in: what the board holds (`rows`: clone alarm). PROVE refreshes it. */
    uint32_t n_rows;

    /* CLAIM out. */
    char bundle[BUNDLE_ID_SIZE]; /* empty: none claimed */
    enum bundle_state bundle_state;
    bool is_other_device; /* with LEDGER_NO: what this IMEI was given is on another device */
    bool passed_before;   /* this IMEI has a PASS of this product; `earlier_job` names it */
    char earlier_job[JOB_ID_SIZE];

    /* CLAIM out (sealed), DIGEST in/out, EXPOSE in, RECORD in. */
    uint32_t n_entries;
    struct ledger_entry entries[PRODUCT_ENTRIES_MAX];
    bool stores_crlf; /* DIGEST in: this front end makes CR LF of every line end. Then the contents of all
                         entries, those from files too, come out with CR LF in `content` */
    uint8_t *content; /* the job's locked memory: sealed after CLAIM, canonical after DIGEST */
    uint32_t content_size;
    uint32_t content_len;

    /* ATTEST in: keygen.reply, uuid; out: `token` as keys sealed it, empty when it was none. RECORD in. */
    uint32_t token_len;

    /* Of a key made on the board: products with source keygen only. */
    struct ledger_keygen keygen;

    /* AUTHORIZE in: `commands`; out: their signatures, and the public key in PEM. */
    uint32_t n_commands;
    char public_key[LEDGER_PUBLIC_SIZE];

    /* EXPLAIN in: entry index and the digest seen; out: which mangling, and for MANGLING_CUT where. */
    uint32_t explain_entry;
    struct digest explain_seen;
    enum mangling explain_mangling;
    uint32_t explain_cut_at;

    /* RECORD in. */
    struct verdict verdict;
    enum bundle_effect bundle_effect;
    enum entry_proof proof;                 /* the weakest of the entries', for the job as a whole */
    int64_t started_wall_ms, ended_wall_ms; /* stamped by station/ */
    uint32_t duration_ms, wire_ms, modem_ms;
    uint32_t n_steps;     /* in `steps` */
    struct span dialogue; /* the job's memory; lines "<ms> > text", secrets already cut */

    /* For whoever carries the message (mailboxes); not the job's. */
    void *carrier;

    /* Long, and on most boards hardly used. A job does not clear these when it starts, since what nobody
     * writes to takes no memory: only as many mean something as the counter above says. */
    struct ledger_step steps[LEDGER_STEPS_MAX];
    struct cmng_row rows[LEDGER_ROWS_MAX];
    uint8_t token[LEDGER_TOKEN_SIZE];
    struct ledger_command commands[LEDGER_COMMANDS_MAX];
};

/* Nothing of it can be sent: it is known by its digest alone. */
static inline bool ledger_entry_is_bare(const struct ledger_entry *entry)
{
    return entry->is_made_on_board || entry->is_erased;
}

enum ledger_actor ledger_actor_of(enum ledger_kind kind);

const char *bundle_state_name(enum bundle_state state);
int bundle_state_from_name(const char *name);
const char *
entry_proof_name(enum entry_proof proof); /* "presence", "readback", "digest", "possession"; "" unproven */

#endif
