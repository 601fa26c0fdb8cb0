/*
 * The station's HTTP face: starts and stops the server and names everything it may ask of the rest of the
 * daemon. The rest is wired in through callbacks, so that api/ knows no other actor's thread.
 *
 * Threads: one HTTP thread owns every connection; workers run what may block: two for questions to the
 * database and operations of the store, one for commands to the line, one for imports, one that reads the
 * record for the live stream. A callback marked
 * [inline] is called on the HTTP thread and on workers, at the same time, and must return at once, without a
 * lock that others hold for long; one marked [worker] is called on workers only, several at the same time,
 * and may block. None may call api_stop.
 *
 * Times: `…_ms` are milliseconds; wall times count from 1970 UTC.
 */
#ifndef CERTLINE_API_API_H
#define CERTLINE_API_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/span.h"
#include "job/ledger.h"
#include "station/view.h"

struct bell; /* base/bell.h */
struct json;
struct store_op;     /* store/store.h */
struct store_reader; /* store/read.h */

#define API_LISTEN_MAX 8

/* Whether new work would succeed: what /readyz tells. Every member false and `detail` empty: ready. */
struct api_ready {
    bool store_failed; /* the last commit failed and has not been made good */
    bool mark_ahead;   /* the database is behind its mark: a person must reconcile */
    bool key_locked;   /* the wrapping key is missing or does not fit */
    bool clock_wrong;  /* the wall clock is behind what is on record */
    bool draining;     /* shutting down */
    char detail[200];  /* for people; may be empty */
};

/* What the station is, constant while it runs. Borrowed by api_start for the server's life. */
struct api_fixture {
    const char *name;
    uint32_t columns;  /* of the rack as the dashboard draws it; 0: not said */
    const char *start; /* "plug", "scan", "manual" */
    const char *const
        *named; /* slots that the configuration names, in its order; NULL: they come by a glob */
    size_t n_named;
};

struct api_product {
    const char *name;
    const char *version;   /* "sha256:…" */
    const char *canonical; /* the text that it is the digest of: a JSON object */
};

struct api_station {
    const char *name;
    const char *version;       /* of the program */
    const char *config_digest; /* "sha256:…" */
    int64_t started_wall_ms;
    const struct api_fixture *fixtures;
    size_t n_fixtures;
    const struct api_product *products;
    size_t n_products;
};

/* What has happened since the program started. */
struct api_counters {
    uint64_t jobs[OUTCOMES][REASON_COUNT];   /* that went on record, by how they ended */
    uint64_t duration_ms, wire_ms, modem_ms; /* of them together */
};

enum api_command_kind { API_START, API_ABORT, API_RELEASE, API_RETRY };

/* A person's or the MES's word to one slot: station_start and its kin. */
struct api_command {
    enum api_command_kind kind;
    uint32_t slot;          /* index, as in `slot_read` */
    uint32_t generation;    /* of the board that is meant; 0: whatever is there now */
    char operator_name[64]; /* API_START, API_RELEASE; may be empty */
    char unit_serial[64];   /* API_START; may be empty */
};

/* One part of an export, as it is asked for and as it is given (exchange/export.h). */
struct api_export {
    const char *format;
    const char *work_order, *product, *cursor; /* NULL: not given */
    int64_t from_wall_ms, to_wall_ms;          /* 0: any */
    uint32_t limit;                            /* 0: what the format's cloud takes */
    struct span template;                      /* of the format "template" */
    bool may_have_secrets; /* the caller may be given attestation tokens; that is put on record */
    bool is_for_skipped;   /* only `skipped` will be told: nothing is delivered */
    const char *who;       /* for the record */
};

struct api_export_part {
    char *body, *skipped; /* malloc'ed, the caller's; may be NULL when empty */
    bool is_secret;       /* `body` is secret memory */
    size_t body_len, skipped_len;
    const char *content_type; /* static */
    uint32_t rows, n_skipped;
    char next[96]; /* empty: there is no more */
};

struct api_sources {
    void *ctx; /* first argument of every callback */

    const struct api_station *station;

    /* [inline] How many slots there are, and slot i (0 ≤ i < count) as it was published last; returns how
     * often that was, so that an unchanged one is known by its number. */
    uint32_t (*slot_count)(void *ctx);
    uint64_t (*slot_read)(void *ctx, uint32_t i, struct slot_view *out);
    /* [inline] Counts up with every published change; read before the slots, so that whoever asks for what
     * came after it misses nothing. */
    uint64_t (*slot_seq)(void *ctx);
    /* [inline] Number of the last event that is on record: durable, and to be seen by every reader. */
    int64_t (*event_seq)(void *ctx);
    /* Rings after slot_seq or event_seq has counted up. Borrowed for the server's life. */
    struct bell *bell;
    /* [inline] */
    void (*counters)(void *ctx, struct api_counters *out);
    /* [inline] */
    void (*ready)(void *ctx, struct api_ready *out);

    /* [worker] Posts the command to the line and waits for its result: 0, ERR_NOT_FOUND, ERR_CONFLICT
     * (*reterr says what state the slot is in), ERR_FULL or ERR_CLOSED when the line takes none now. */
    int (*command)(void *ctx, const struct api_command *command, struct err_info *reterr);

    /* [worker] Lends the operation to the store and waits until it was answered; the outcome is in the
     * operation. Returns 0, or ERR_FULL / ERR_CLOSED when the store takes none now and the operation was not
     * run. */
    int (*submit)(void *ctx, struct store_op *op);

    /* A read-only view of the database, one for each worker that asks questions, opened by api_start on the
     * caller's thread and used by one thread at a time. NULL with *reterr on failure. */
    struct store_reader *(*reader_open)(void *ctx, struct err_info *reterr);
    void (*reader_close)(void *ctx, struct store_reader *reader);

    /*
     * [worker] Import of bundles, as the octets of the body arrive: open, feed any number of times, then
     * finish or cancel, which both free the session. One session's calls come one after the other, from
     * either worker. `octets` are borrowed for the call and wiped after it.
     *
     * A bad row is no failure but a row of the result. feed and finish fail (negative, *reterr) when nothing
     * more can be taken: the database, the key, memory. finish gives the result's tree (`taken`, `duplicate`,
     * `refused`, `rows`) to the caller. With `is_dry_run` every row gets the result that it would have, and
     * nothing is stored.
     */
    void *(*import_open)(void *ctx, bool is_dry_run, struct err_info *reterr);
    int (*import_feed)(void *ctx, void *session, struct span octets, struct err_info *reterr);
    int (*import_finish)(void *ctx, void *session, struct json **ret, struct err_info *reterr);
    void (*import_cancel)(void *ctx, void *session);

    /* [worker] One part of an export. 0; ERR_NOT_FOUND for a format that is none, ERR_FORMAT for a cursor or
     * template that is none, ERR_REFUSED when the wrapping key is missing, -EACCES for secrets that the
     * caller may not have, ERR_STORE or ERR_FULL when their delivery cannot be put on record, or the reader's
     * failure. */
    int (*export_part)(void *ctx, struct store_reader *reader, const struct api_export *what,
                       struct api_export_part *ret, struct err_info *reterr);
};

struct api_config {
    const char
        *listen[API_LISTEN_MAX]; /* "127.0.0.1:8080", "[::1]:8080"; port 0: any free one. Loopback only */
    size_t n_listen;
    int given[API_LISTEN_MAX]; /* listening sockets that the service manager holds open across restarts. Ours
                                  once the server has started; loopback or Unix only */
    size_t n_given;            /* when there is one, `listen` is not bound */
    const char *unix_path; /* socket for the command line, mode 0660; NULL: none. One that is left over there
                              is removed, so the caller holds the state's lock */
    uint32_t request_ms;   /* for all of a request, headers and body; 0: 15,000. */
    uint32_t idle_ms;      /* between two requests of a connection; 0: 60,000 */
    uint32_t connections_max; /* for each listen address; 0: 512 */
    uint32_t per_address_max; /* from one client address; 0: 384, which leaves room for others */
    const struct clock *clock;
    struct api_sources sources;
};

struct api; /* opaque */

/*
 * Binds every address, then starts the threads. `config` is copied, what it points to is borrowed until
 * api_stop. NULL with *reterr: ERR_REFUSED for an address that is not loopback, ERR_FORMAT for one that is
 * none, -errno of bind.
 */
struct api *api_start(const struct api_config *config, struct err_info *reterr);

/* The port that listen[i] got, or given[i] has (0: a Unix socket), in host order. */
uint16_t api_port(const struct api *api, size_t i);

/*
 * No more connections; requests that wait for a worker are answered 503, those in a worker are waited for (so
 * store and line must still answer), then all connections and threads end and the Unix socket is removed.
 * NULL is allowed.
 */
void api_stop(struct api *api);

#endif
