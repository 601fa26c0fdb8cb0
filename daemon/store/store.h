/*
 * The store: the one writing connection to the station's database. A synchronous core: operations go in by
 * the batch, each gets its answer, and an answer is given only once it is durable (commit, then tell).
 * Whoever runs it does so on one thread; reading is apart (store/read.h).
 *
 * State directory: `certline.db` (with its -wal and -shm), `mark` (how far the database has ever been, kept
 * outside of it: store/mark.h) and `lock` (held while the store is open).
 *
 * Every operation is idempotent: when its outcome could not be told (a failed disk, a killed process) the
 * same one may be sent again and nothing happens twice.
 */
#ifndef CERTLINE_STORE_STORE_H
#define CERTLINE_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "job/ledger.h"
#include "job/product.h"
#include "job/verdict.h"
#include "pki/cred.h"

#define STORE_DB_NAME      "certline.db"
#define STORE_LOT_SIZE     64
#define STORE_WHO_SIZE     64
#define STORE_WHY_SIZE     256
#define STORE_SERIAL_SIZE  64  /* a certificate's serial number, hexadecimal */
#define STORE_ISSUER_SIZE  256 /* its issuer as text */
#define STORE_FIXTURES_MAX 16
#define STORE_QUANTITY_MAX 100000000

struct store; /* opaque */

struct store_config {
    const char *dir;           /* exists already */
    const char *vfs;           /* name of a registered SQLite VFS; NULL: the default one */
    const struct clock *clock; /* wall time of events; borrowed for the store's life */
    /* Random octets, for the database's id and for serial numbers of certificates. */
    void (*random)(void *ctx, uint8_t *out, size_t n);
    void *random_ctx;
    const char *station;         /* the station's name, for the record */
    const char *program;         /* the program's version, for the record */
    const char *config_digest;   /* "sha256:…" of the configuration, for the record; NULL: not known */
    uint32_t spare_certificates; /* that one order may have issued beyond its quantity */
};

enum store_op_kind {
    STORE_LEDGER,      /* a job's message: LEDGER_CLAIM, _EXPOSE, _INTEND, _ISSUE or _RECORD */
    STORE_IMPORT,      /* one bundle, checked and sealed by keys */
    STORE_IMPORT_FILE, /* for the record: a file whose bundles were imported */
    STORE_EXPORT,      /* for the record: secrets that are about to be delivered */
    STORE_ORDER_PUT,
    STORE_ORDER_CLOSE,
    STORE_BUNDLE_RELEASE,  /* BOUND → FREE, by a person */
    STORE_BUNDLE_RETIRE,   /* any state → RETIRED, by a person, with a reason */
    STORE_PRODUCT,         /* makes a version of a product known; before the first order for it */
    STORE_SLOT,            /* a slot is put into quarantine, or released from it */
    STORE_STATION_STARTED, /* once, before the first claim: open jobs of an earlier run get their one ending
                            */
    STORE_ROTATE,          /* every sealed secret is rewritten under another wrapping key */
    STORE_RECONCILE,       /* a person accepts the database although its mark says otherwise */
};

/* One credential of a bundle that comes in. Digests of zero length are not there (`has_…`). */
struct store_credential {
    enum cred_type type;
    struct span sealed;             /* what keys made of it; opaque here */
    bool has_key;                   /* client_cert, private_key */
    struct digest key_sha256;       /* of the public key: once in the store for each of the two types */
    char serial[STORE_SERIAL_SIZE]; /* client_cert: once in the store together with its issuer; empty: no
                                       certificate */
    char issuer[STORE_ISSUER_SIZE];
    bool has_identity;             /* psk_identity */
    struct digest identity_sha256; /* of the identity: once in the store */
};

enum store_import_result { STORE_TAKEN, STORE_DUPLICATE, STORE_REFUSED };

struct store_import {
    char id[BUNDLE_ID_SIZE];
    char imei[IMEI_SIZE]; /* empty: for the pool */
    char product[PRODUCT_NAME_SIZE];
    char lot[STORE_LOT_SIZE]; /* empty: none */
    struct digest
        content; /* over the whole row; the same id with the same digest is a duplicate, not an error. Made
                    by keys in such a way that it tells nothing about a low-entropy PSK */
    bool is_dry_run; /* only says what the outcome would be */
    uint32_t n_credentials;
    struct store_credential credentials[CRED_TYPES]; /* at most one of each type */
    enum store_import_result outcome; /* out, when `result` is 0; REFUSED with reason and detail */
};

/* A file that was imported: what an auditor compares with the one that was handed over. */
struct store_import_file {
    char name[STORE_WHY_SIZE]; /* as it was called; not empty */
    char format[16];
    struct digest sha256; /* of all its octets; of a folder: of the rows that were made of its files */
    int64_t taken, duplicate, refused;
    char who[STORE_WHO_SIZE];
};

/* A file with secrets, put on record before anybody is given it. */
struct store_export {
    char format[24];
    struct digest sha256; /* of the file */
    int64_t boards;       /* whose secrets stand in it */
    char first[IMEI_SIZE], last[IMEI_SIZE];
    char who[STORE_WHO_SIZE];
};

enum store_put_result { STORE_CREATED, STORE_UNCHANGED };

struct store_order_put {
    char id[ORDER_ID_SIZE];
    char product[PRODUCT_NAME_SIZE];
    char version[PRODUCT_VERSION_SIZE]; /* the product's current one: the order keeps it */
    uint32_t quantity;                  /* 1 to STORE_QUANTITY_MAX */
    char lot[STORE_LOT_SIZE];           /* empty: bundles of any lot */
    uint32_t n_fixtures;                /* at least 1 */
    char fixtures[STORE_FIXTURES_MAX][FIXTURE_SIZE];
    char who[STORE_WHO_SIZE];
    enum store_put_result outcome; /* out, when `result` is 0 */
};

/* ORDER_CLOSE, BUNDLE_RELEASE, BUNDLE_RETIRE: what, who, why. */
struct store_named {
    char id[BUNDLE_ID_SIZE]; /* of the order or the bundle */
    char who[STORE_WHO_SIZE];
    char why[STORE_WHY_SIZE]; /* must not be empty for BUNDLE_RETIRE */
};

/* STORE_SLOT; what is so already is left alone. */
struct store_slot {
    char slot[SLOT_ID_SIZE];
    bool is_quarantined;
    char who[STORE_WHO_SIZE]; /* empty: the station itself */
    char why[STORE_WHY_SIZE]; /* the evidence; of a release, that of the quarantine */
};

struct store_reconcile {
    char who[STORE_WHO_SIZE];
    char why[STORE_WHY_SIZE]; /* must not be empty */
    bool retire_unspent;      /* every FREE and BOUND bundle is retired: the lost days may have used them */
    uint32_t retired;         /* out */
};

/* The wrapping key changes. What is sealed stays opaque here: `rewrap` writes the same secret under the new
 * key into `out`, sealed.len octets; 0, or negative with *reterr, and then nothing is changed at all. */
struct store_rotation {
    int (*rewrap)(void *ctx, const char *bundle, int type, struct span sealed, uint8_t *out,
                  struct err_info *reterr);
    void *ctx;
    const char *from, *to;   /* ids of the keys, for the record */
    const char *token_place; /* what a token belongs to, before the board's IMEI */
    const char *digest_keys; /* sealed under the new key, as text: store_note gives it back */
    char who[STORE_WHO_SIZE];
    uint32_t rewritten; /* out */
};

struct store_op {
    enum store_op_kind kind;

    /* Out. 0; or ERR_NOT_FOUND, ERR_CONFLICT, ERR_REFUSED, ERR_RANGE: the answer is no, `reason` (or
     * REASON_NONE) and `detail` say why, nothing was changed; or ERR_STORE, ERR_CORRUPT: our own trouble,
     * `detail` says what to do, the same operation may be sent again. For STORE_LEDGER the message's own
     * status, reason and detail are filled as well, and agree: LEDGER_OK 0, LEDGER_NO ERR_REFUSED,
     * LEDGER_FAILED anything else. */
    int result;
    enum reason reason;
    char detail[VERDICT_DETAIL_SIZE];

    union {
        struct ledger_msg *ledger; /* lent for the batch */
        struct store_import import;
        struct store_import_file import_file;
        struct store_export export_file;
        struct store_order_put order_put;
        struct store_named named;      /* ORDER_CLOSE, BUNDLE_RELEASE, BUNDLE_RETIRE */
        const struct product *product; /* PRODUCT */
        struct store_slot slot;        /* SLOT */
        struct store_reconcile reconcile;
        struct store_rotation *rotation;
        uint32_t ended; /* STATION_STARTED, out: how many jobs were ended */
    };
};

/*
 * Opens the state directory, makes the database if there is none, upgrades an older one. 0, or negative with
 * *reterr: ERR_LOCKED (another process has it), ERR_NEWER (a newer program wrote it), ERR_CORRUPT, ERR_STORE,
 * -errno. A database behind its mark opens: store_mark_state tells, claims are refused until STORE_RECONCILE.
 */
int store_open(struct store **ret, const struct store_config *config, struct err_info *reterr);

/* The version that the database had before store_open brought it to today's, from which no older program
 * reads it; 0: it was today's. */
int store_upgraded_from(const struct store *store);

/* Closes and gives the lock back. NULL is allowed. */
void store_close(struct store *store);

/*
 * Runs the operations in their order in one transaction: one that is refused or fails leaves the others
 * alone. An operation may be run twice to that end, so it says nothing to anybody and leaves in `ops` only
 * what the second run puts there as well. Returns when all that was answered 0 is on the disk and the mark is
 * synced. The return value is 0, or negative when the transaction as a whole failed (then every operation
 * says so); store_failure tells why.
 *
 * After trouble with the disk the next call opens the database anew by itself: call again, with the
 * operations that failed or with n = 0, and see whether it returns 0.
 */
int store_batch(struct store *store, struct store_op **ops, size_t n);

/* Why the last batch failed as a whole, or an empty text. Valid until the next call on the store. */
const char *store_failure(const struct store *store);

/* How the database stands to its mark. X(ENUM, what a person reads) */
#define STORE_MARK_LIST(X)                                                                                   \
    X(STORE_MARK_GOOD, "the database is as far as its mark")                                                 \
    X(STORE_MARK_BEHIND, "the database is behind its mark: an older copy was put in its place")              \
    X(STORE_MARK_OTHER, "the mark belongs to another database: this one was put in its place, or made anew") \
    X(STORE_MARK_MISSING, "the mark is missing: the database was copied without it, or the file was lost")   \
    X(STORE_MARK_DAMAGED, "the mark cannot be read")

enum store_mark_state {
#define X(name, text) name,
    STORE_MARK_LIST(X)
#undef X
};

enum store_mark_state store_mark_state(const struct store *store);
const char *store_mark_text(enum store_mark_state state);

/* A text that STORE_ROTATE left: STORE_NOTE_KEY, the id of the wrapping key, or STORE_NOTE_DIGEST_KEYS. 1, 0:
 * none was left, negative. */
#define STORE_NOTE_KEY         "wrapping_key"
#define STORE_NOTE_DIGEST_KEYS "digest_keys"
#define STORE_NOTE_SIZE        1024
int store_note(struct store *store, const char *name, char out[STORE_NOTE_SIZE]);

/* The slots that are in quarantine, in the order of their ids: what a station that starts must know. 0, or
 * negative. */
int store_quarantined(struct store *store, void (*each)(void *ctx, const char *slot, const char *why),
                      void *ctx);

/* The kinds of events that there are, in the order of daemon/api/openapi.json; NULL behind the last one. */
const char *store_event_kind(size_t i);

/* Number of the last event on record (0: none), and its wall time. */
int64_t store_last_seq(const struct store *store);
int64_t store_last_wall_ms(const struct store *store);

/*
 * Makes the projections (jobs, boards, orders' counts, states of bundles and slots) again from the events
 * alone, in one transaction. What it leaves equals what was there, or the record was changed
 * behind the chain.
 */
int store_rebuild(struct store *store, struct err_info *reterr);

/* Recomputes the chain from the first event on. 0, or ERR_CORRUPT with the number of the first event that
 * does not fit in *reterr. Reads everything: for `audit verify` and for tests. */
int store_verify(struct store *store, struct err_info *reterr);

#endif
