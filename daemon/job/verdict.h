/*
 * Verdict: how a job ended, whose hands are needed, and why. One list of reasons serves the database, the
 * API, the dashboard and the documents; each has a title, a cause and a remedy, and is never renamed.
 */
#ifndef CERTLINE_JOB_VERDICT_H
#define CERTLINE_JOB_VERDICT_H

#include <stdbool.h>

/* X(ENUM, stable name). Only FAIL counts against yield. */
#define OUTCOME_LIST(X)                                                                                      \
    X(OUTCOME_NONE, "NONE") /* not ended yet */                                                              \
    X(OUTCOME_PASS, "PASS")                                                                                  \
    X(OUTCOME_FAIL, "FAIL")       /* the board, its fixture or its credential is not as it must be */        \
    X(OUTCOME_ERROR, "ERROR")     /* our own trouble: database, keys, station */                             \
    X(OUTCOME_TIMEOUT, "TIMEOUT") /* the job's own limit */                                                  \
    X(OUTCOME_ABORTED, "ABORTED") /* a person said so */                                                     \
    X(OUTCOME_LOST, "LOST")       /* the board left */

enum outcome {
#define X(name, text) name,
    OUTCOME_LIST(X)
#undef X
};
#define OUTCOMES 7

/* X(ENUM, stable name): whose hands. */
#define FAULT_LIST(X)                                                                                        \
    X(FAULT_NONE, "none")                                                                                    \
    X(FAULT_BOARD, "board")                                                                                  \
    X(FAULT_FIXTURE, "fixture")                                                                              \
    X(FAULT_CREDENTIAL, "credential")                                                                        \
    X(FAULT_STATION, "station")                                                                              \
    X(FAULT_OPERATOR, "operator")                                                                            \
    X(FAULT_UNKNOWN, "unknown")

enum fault {
#define X(name, text) name,
    FAULT_LIST(X)
#undef X
};

/* X(name, usual fault): the stable name is the lower-case word; enum members are REASON_<name>. */
#define REASON_LIST(X)                                                                                       \
    X(ok, NONE)                                                                                              \
    X(already_right, NONE)                                                                                   \
    X(presence_only, NONE)                                                                                   \
    X(leave_failed, NONE)                                                                                    \
    X(no_answer, BOARD)                                                                                      \
    X(wrong_front_end, BOARD)                                                                                \
    X(identity_missing, BOARD)                                                                               \
    X(imei_invalid, BOARD)                                                                                   \
    X(firmware_not_allowed, BOARD)                                                                           \
    X(model_not_allowed, BOARD)                                                                              \
    X(modem_crashed, BOARD)                                                                                  \
    X(memory_full, BOARD)                                                                                    \
    X(foreign_key, BOARD)                                                                                    \
    X(foreign_entry, BOARD)                                                                                  \
    X(authentication_failed, BOARD)                                                                          \
    X(entry_protected, BOARD)                                                                                \
    X(content_refused, BOARD)                                                                                \
    X(digest_mismatch, BOARD)                                                                                \
    X(keygen_failed, BOARD)                                                                                  \
    X(csr_invalid, BOARD)                                                                                    \
    X(possession_failed, BOARD)                                                                              \
    X(rebooted, BOARD)                                                                                       \
    X(bytes_lost, FIXTURE)                                                                                   \
    X(line_wedged, FIXTURE)                                                                                  \
    X(supply_low, FIXTURE)                                                                                   \
    X(port_open_failed, FIXTURE)                                                                             \
    X(flow_control_missing, FIXTURE)                                                                         \
    X(wrong_port, FIXTURE)                                                                                   \
    X(no_bundle, CREDENTIAL)                                                                                 \
    X(bundle_not_for_board, CREDENTIAL)                                                                      \
    X(key_mismatch, CREDENTIAL)                                                                              \
    X(key_invalid, CREDENTIAL)                                                                               \
    X(certificate_invalid, CREDENTIAL)                                                                       \
    X(certificate_expired, CREDENTIAL)                                                                       \
    X(pem_form, CREDENTIAL)                                                                                  \
    X(too_long, CREDENTIAL)                                                                                  \
    X(reserved_tag, CREDENTIAL)                                                                              \
    X(duplicate_identity, CREDENTIAL)                                                                        \
    X(duplicate_key, CREDENTIAL)                                                                             \
    X(row_invalid, CREDENTIAL)                                                                               \
    X(store_failed, STATION)                                                                                 \
    X(key_locked, STATION)                                                                                   \
    X(signer_failed, STATION)                                                                                \
    X(station_restarted, STATION)                                                                            \
    X(mark_ahead, STATION)                                                                                   \
    X(clock_wrong, STATION)                                                                                  \
    X(internal, STATION)                                                                                     \
    X(aborted, OPERATOR)                                                                                     \
    X(unplugged, OPERATOR)                                                                                   \
    X(no_order, OPERATOR)                                                                                    \
    X(order_full, OPERATOR)                                                                                  \
    X(order_conflict, OPERATOR)                                                                              \
    X(already_passed, OPERATOR)                                                                              \
    X(duplicate_imei, OPERATOR)                                                                              \
    X(quarantined, OPERATOR)                                                                                 \
    X(timeout, UNKNOWN)                                                                                      \
    X(unexpected_answer, UNKNOWN)

enum reason {
#define X(name, fault) REASON_##name,
    REASON_LIST(X)
#undef X
};
#define REASON_NONE         ((enum reason) - 1) /* no reason yet */
#define REASON_COUNT        (REASON_unexpected_answer + 1)

#define VERDICT_DETAIL_SIZE 200

struct verdict {
    enum outcome outcome; /* OUTCOME_NONE until the job has ended */
    enum fault fault;
    enum reason reason;
    char detail[VERDICT_DETAIL_SIZE]; /* what was seen, for people; may be empty; never a secret */
};

struct reason_text {
    const char *name;   /* "bytes_lost" */
    enum fault fault;   /* where it usually lies; a verdict may say otherwise */
    const char *title;  /* a few words for a tile */
    const char *cause;  /* one sentence */
    const char *remedy; /* one sentence: what to do now */
};

/* Never NULL for a member of the enum. */
const struct reason_text *reason_text(enum reason reason);
/* -1 for an unknown name. */
int reason_from_name(const char *name);
const char *outcome_name(enum outcome outcome);
int outcome_from_name(const char *name);
const char *fault_name(enum fault fault);

#endif
