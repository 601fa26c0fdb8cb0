/* What the store's own files share. Nobody outside of this folder includes it. */
#ifndef CERTLINE_STORE_INTERNAL_H
#define CERTLINE_STORE_INTERNAL_H

#include "base/json.h"
#include "store/mark.h"
#include "store/sql.h"
#include "store/statement.h"
#include "store/store.h"

/* The end of the chain. */
struct chain_head {
    int64_t seq; /* 0: no event yet */
    struct digest hash;
    int64_t wall_ms;
};

struct store {
    const struct clock *clock;
    char *path;                              /* of the database */
    char *vfs;                               /* or NULL */
    char *station, *program, *config_digest; /* for the record; config_digest may be NULL */
    int dir_fd, lock_fd;

    struct sql db;
    bool is_open;      /* the connection */
    int upgraded_from; /* version of the database when it was opened first; 0: today's */
    bool must_probe;   /* something failed: the next transaction writes even when it has nothing to say */

    char database[DATABASE_ID_SIZE];
    struct chain_head head; /* of what is committed */
    struct chain_head tail; /* of the transaction under way */
    int64_t leap_to;        /* the next event's number is above this one: a lost database had as many */

    /* How many jobs of an order are open, counted once for a run of claims in one transaction: each of them
     * adds one, and whatever else happens to a job or takes one back makes it unknown. */
    struct {
        bool is_known;
        char order[ORDER_ID_SIZE];
        int64_t n;
    } open_jobs;

    struct mark_file mark_file;
    struct mark mark; /* as it stands in the file, when it could be read */
    enum store_mark_state mark_state;
    bool mark_is_told;     /* a mark_behind event of this run stands in the chain */
    bool mark_is_accepted; /* RECONCILE in the transaction under way */

    struct err_info failure; /* of the last batch as a whole */

    void (*random)(void *ctx, uint8_t *out, size_t n);
    void *random_ctx;
    uint32_t spare_certificates; /* per order, beyond its quantity */
};

/* ---- event.c: the chain */

/* One event as it is written and as it is read back for a projection. `data` is borrowed. */
struct event {
    int64_t seq;
    int64_t wall_ms;
    const char *kind;
    const char *slot; /* NULL or empty: none */
    const char *imei; /* NULL or empty: none */
    const struct json *data;
};

/*
 * Appends an event to the transaction and projects it. Takes `data` over, also when it fails; `trouble` is
 * what the json_put_* calls that filled it said, so that callers need not check them apart.
 */
int event_emit(struct store *st, const char *kind, const char *slot, const char *imei, struct json *data,
               int trouble);

/* Reads the chain's end from the database into st->head. */
int event_read_head(struct store *st);

/* 1: the event is there with this hash; 0: it is not; negative. */
int event_is_there(struct store *st, int64_t seq, const struct digest *hash);

/* Whether the current row (seq, at, kind, slot, imei, data, prev_hash, hash) follows upon *head, and is what
 * its hash says: 1 or 0; negative when that could not be told. Moves *head there in the first two cases. */
int event_row_fits(const struct query *q, struct chain_head *head);

/* ---- project.c: events into rows */

int project(struct store *st, const struct event *event);

/* ---- operations; each returns 0, a refusal's code after op_no, or negative with st->db.failure */

/* Notes a refusal in the operation and returns `code`. */
int op_no(struct store_op *op, int code, enum reason reason, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

int op_claim(struct store *st, struct store_op *op);
int op_expose(struct store *st, struct store_op *op);
int op_record(struct store *st, struct store_op *op);
int op_intend(struct store *st, struct store_op *op);
int op_issue(struct store *st, struct store_op *op);
int op_slot(struct store *st, struct store_op *op);
int op_station_started(struct store *st, struct store_op *op);
int op_product(struct store *st, struct store_op *op);
int op_order_put(struct store *st, struct store_op *op);
int op_order_close(struct store *st, struct store_op *op);
int op_import_file(struct store *st, struct store_op *op);
int op_export(struct store *st, struct store_op *op);
int op_import(struct store *st, struct store_op *op);
int op_bundle_release(struct store *st, struct store_op *op);
int op_bundle_retire(struct store *st, struct store_op *op);
int op_reconcile(struct store *st, struct store_op *op);
int op_rotate(struct store *st, struct store_op *op);

/* ---- open.c */

/* The connection: made anew after it has seen trouble. A database that is not there is made with this id.
 * 0, or negative with *reterr. */
int store_connect(struct store *st, const char *new_id, struct err_info *reterr);
void store_disconnect(struct store *st);

/* The mark's own contents against the database: 0, or negative with st->db.failure. */
int store_judge_mark(struct store *st, enum store_mark_state *ret);
void store_set_mark_state(struct store *st, enum store_mark_state state);
/* Brings the mark up to the database; nothing to do while a person must decide first. 0 or -errno. */
int store_advance_mark(struct store *st);

/* A fact about the file: 1, 0: none, negative. And putting one. */
int meta_get(struct store *st, const char *key, char *to, size_t size);
int meta_put(struct store *st, const char *key, const char *value);

/* What the store knows of a job; 1: there is one, 0: there is none, negative. */
struct known_job {
    char imei[IMEI_SIZE];
    char bundle[BUNDLE_ID_SIZE];
    char outcome[16]; /* empty: open */
    char reason[32];
    bool was_exposed;
};
int job_find(struct store *st, const char *id, struct known_job *ret);

/* ---- keygen.c: products whose boards make their own keys */

/* A bundle for this board of which nothing is there yet, BOUND to it. */
int keygen_make_bundle(struct store *st, const struct ledger_msg *msg, const char *bundle, const char *lot);
/* What the bundle's key has come to, as a claim tells it; KEYGEN_ISSUED: *ret_listed takes the key's digest
 * as the modem lists it. */
int keygen_state_of(struct store *st, const char *bundle, int64_t bundle_no, struct ledger_keygen *ret,
                    struct digest *ret_listed);
int keygen_project_intended(struct store *st, const struct event *event);
int keygen_project_issued(struct store *st, const struct event *event);

/* slot.c: its events into rows. */
int slot_project_quarantined(struct store *st, const struct event *event);
int slot_project_released(struct store *st, const struct event *event);

/* What the store knows of a bundle; 1, 0 or negative. */
struct known_bundle {
    int64_t no;
    enum bundle_state state;
    char imei[IMEI_SIZE];
    bool is_made_for;
    struct digest content;
};
int bundle_find(struct store *st, const char *id, struct known_bundle *ret);

/* Puts a job's identity (all but verdict, steps and entries) into an event's data; what json_put_* say,
 * OR-ed. */
int job_identity_put(const struct store *st, struct json *data, const struct ledger_msg *msg);

/* {"sec_tag","type","from_bundle","sha256","proof","written"} of each entry; `only_bundle` leaves the shared
 * ones out. */
struct json *job_entries_json(const struct ledger_msg *msg, bool only_bundle);

/* Puts a digest as hexadecimal text. */
int put_digest(struct json *object, const char *key, const struct digest *digest);
int put_time(struct json *object, const char *key, int64_t wall_ms);

#endif
