/*
 * A store in a directory of its own, for tests: virtual wall clock, products, and short ways to say "import
 * this", "claim that". What can fail in the test itself (no directory, no memory) ends the test.
 */
#ifndef CERTLINE_TESTS_STOREKIT_H
#define CERTLINE_TESTS_STOREKIT_H

#include "store/store.h"

#define KIT_CONTENT_SIZE 2048

enum kit_product {
    KIT_POOL,  /* "tracker", from the pool: ca from a file, client_cert and private_key from the bundle */
    KIT_BOUND, /* "meter", bound bundles, the same entries */
    KIT_FILES, /* "plain": nothing but a CA from a file */
    KIT_ONCE,  /* "once": as KIT_POOL, second_visit refuse */
    KIT_PRODUCTS,
};

struct kit {
    char dir[128];
    const char *vfs;
    struct clock clock; /* first, so that the functions find `wall_ms` */
    int64_t wall_ms;
    uint64_t random_state;
    struct product products[KIT_PRODUCTS];
    struct store *store;  /* NULL while closed */
    struct err_info err;  /* of the last call that can fail */
    struct sqlite3 *look; /* the test's own connection, from the first look until kit_close */
};

/* A job's message with its memory. */
struct kit_job {
    struct ledger_msg msg;
    uint8_t content[KIT_CONTENT_SIZE];
};

/* Makes the directory and the products; opens nothing. */
void kit_init(struct kit *kit);
/* Closes and removes everything. */
void kit_done(struct kit *kit);

int kit_open(struct kit *kit);
void kit_close(struct kit *kit);
/* Open, with products registered, station started, one open order "WO-1" on rack1 of KIT_POOL over
 * `quantity`. */
void kit_open_line(struct kit *kit, uint32_t quantity);

/* Runs one operation in a batch of its own; what store_batch said is asserted to be 0. Returns op->result. */
int kit_run(struct kit *kit, struct store_op *op);

void kit_register(struct kit *kit, enum kit_product product);
int kit_order(struct kit *kit, const char *id, enum kit_product product, uint32_t quantity,
              const char *fixture, const char *lot);
/* Fills a bundle whose contents, keys and serial follow from its id; imei and lot may be NULL. */
void kit_bundle(struct kit *kit, struct store_op *op, const char *id, enum kit_product product,
                const char *imei, const char *lot);
int kit_import(struct kit *kit, const char *id, enum kit_product product, const char *imei, const char *lot);

/* An operation that has changed something when it fails, so that its batch is run again: a change of the
 * wrapping key that is refused at every second secret. At least two must be stored. */
struct kit_half {
    struct store_op op;
    struct store_rotation rotation;
    int asked; /* secrets, in all runs */
};
void kit_half_done(struct kit_half *half);

/* The n-th board's IMEI and job id, valid until the fourth call from now. */
const char *kit_imei(unsigned n);
const char *kit_job_id(unsigned n);

/* A job as the station would start it: job n, board `imei`, in slot rack1/001. */
void kit_job(struct kit *kit, struct kit_job *job, unsigned n, const char *imei, const char *order,
             enum kit_product product);

/* Sends the job's message as this kind. CLAIM fills the digests as keys would, so that EXPOSE can follow. */
enum ledger_status kit_send(struct kit *kit, struct kit_job *job, enum ledger_kind kind);
/* The message made ready for a kind, without sending it: digests before EXPOSE, a verdict before RECORD. */
void kit_prepare(struct kit_job *job, enum ledger_kind kind, enum outcome outcome, enum reason reason);
enum ledger_status kit_record(struct kit *kit, struct kit_job *job, enum outcome outcome, enum reason reason);
/* Claim, expose, record PASS; each asserted. */
void kit_pass(struct kit *kit, struct kit_job *job);

/* One text over all rows of the projections, for comparison; free it. */
char *kit_dump(struct kit *kit);
/* First column of the first row of a query on a fresh connection, as text; "" when there is none. Static
 * memory. */
const char *kit_query(struct kit *kit, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Chain verified, projections rebuilt and found equal, stock counted. */
void kit_check(struct kit *kit);
/* Runs statements on a connection of the test's own, as somebody with sqlite3(1) would. Returns SQLite's
 * code. */
int kit_meddle(struct kit *kit, const char *sql);

#endif
