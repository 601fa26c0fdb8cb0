/*
 * The plan: what is done with one board, as a const table of rows, one row an exchange. And what a board's
 * "no" means, as a table too: (group of rows, code) → action, how often, and the verdict then. No "no" ever
 * frees a bundle: what may have left stays this board's.
 *
 * Rows know nothing at run time; what changes stands in struct job. The functions of a row read and write
 * struct job, and send nothing themselves: the interpreter (run.h) does.
 */
#ifndef CERTLINE_JOB_PLAN_H
#define CERTLINE_JOB_PLAN_H

#include "job/job.h"

enum plan_row {
    PLAN_CONTACT,
    PLAN_CMEE,
    PLAN_IDENT,
    PLAN_CLEAR,
    PLAN_IMEI,
    PLAN_FIRMWARE,
    PLAN_MODEL,
    PLAN_HARDWARE,
    PLAN_UUID,
    PLAN_SUPPLY,
    PLAN_ADMIT,
    PLAN_ALLOW,
    PLAN_FOUND,
    PLAN_REARM,
    PLAN_SUPPLY_AGAIN,
    PLAN_STILL_THERE,
    PLAN_OFFLINE,
    PLAN_LIST,
    PLAN_LIST_TAG,
    PLAN_CLAIM,
    PLAN_KEY_DECIDE,
    PLAN_DELETE_KEY,
    PLAN_KEY_GONE,
    PLAN_KEY_ABSENT,
    PLAN_INTEND,
    PLAN_KEYGEN,
    PLAN_KEY_SEEN,
    PLAN_KEY_UUID,
    PLAN_CSR,
    PLAN_SIGN,
    PLAN_ISSUE,
    PLAN_KEY_READY,
    PLAN_DIGEST,
    PLAN_EXPLAIN,
    PLAN_DECIDE,
    PLAN_AUTHORIZE,
    PLAN_OWNER,
    PLAN_OWNER_DELETE,
    PLAN_OWNER_WRITE,
    PLAN_OWNER_PROVE,
    PLAN_EXPOSE,
    PLAN_DELETE_STRAY,
    PLAN_DELETE_ENTRY,
    PLAN_SEE_GONE,
    PLAN_WRITE_CA,
    PLAN_EXPOSE_LATE,
    PLAN_EXPOSED,
    PLAN_STILL_HERE,
    PLAN_WRITE_BUNDLE_CA,
    PLAN_WRITE_CLIENT_CERT,
    PLAN_WRITE_PSK_IDENTITY,
    PLAN_WRITE_PSK,
    PLAN_WRITE_PRIVATE_KEY,
    PLAN_PROVE,
    PLAN_PROVE_TAG,
    PLAN_PROVE_IMEI,
    PLAN_POSSESS,
    PLAN_POSSESSED,
    PLAN_ATTEST,
    PLAN_ATTESTED,
    PLAN_JUDGE,
    PLAN_LEAVE,
    PLAN_RECORD,
    PLAN_ROWS,
};

enum row_kind {
    ROW_CONTACT, /* the contact table */
    ROW_AT,      /* one exchange with the board */
    ROW_ADMIT,   /* waits for the station */
    ROW_HOST,    /* a message to the ledger and its answer */
    ROW_ASK,     /* a message whose answer is waited for in a later row */
    ROW_AWAIT,   /* that later row */
    ROW_CHECK,   /* a judgement on what is known; nothing is sent */
};

/* Rows that understand a "no" alike. */
enum row_group {
    GROUP_NONE,
    GROUP_SETUP,
    GROUP_IDENTITY,
    GROUP_OPTIONAL,
    GROUP_LIST,
    GROUP_DELETE,
    GROUP_WRITE,
    GROUP_NATIVE_WRITE, /* of products with native TLS, in place of WRITE and DELETE */
    GROUP_NATIVE_DELETE,
    GROUP_OWNER, /* the public key for authenticated commands */
    GROUP_PROVE_OWNER,
    GROUP_SIGNED, /* a signature that was refused after others were taken */
    GROUP_KEYGEN,
    GROUP_TOKEN,
    GROUP_LEAVE
};

enum row_next {
    ROW_NEXT,
    ROW_SAME, /* the same row for another entry, if its run_if finds one */
    ROW_ODD,  /* the answer is not as it should be */
    ROW_JUMP, /* to job->row, which the function has set */
    ROW_END,  /* job->verdict stands now */
};

struct row {
    const char *name; /* stable: database, logs, pages */
    enum row_kind kind;
    enum job_phase phase;
    enum row_group group;
    bool (*run_if)(struct job *job); /* NULL: always. Picks the entry that the row works on */
    const char *text;                /* the command, or */
    void (*send)(struct job *job, struct chat_command *command);
    const char *prefix;
    void (*line)(struct job *job, struct span line); /* each information line */
    enum row_next (*end)(struct job *job);           /* after OK, or the ledger's answer; NULL: next */
    enum ledger_kind message;                        /* of HOST, ASK and AWAIT */
    uint32_t timeout_ms;
    uint8_t tries;     /* for an answer that is not understood */
    enum reason odd;   /* the verdict when it stays so */
    bool is_secret;    /* what is sent must not be shown */
    bool hides_answer; /* nor what comes back: a token is worth something to whoever has it */
};

const struct row *plan_row(enum plan_row row);

/* The one row (HOST or AWAIT) that takes the answer to this message. */
const struct row *plan_answer_row(enum ledger_kind kind);

/* Codes beside the modem's own numbers (0 and up). */
#define CODE_ERROR   (-1) /* ERROR without a number */
#define CODE_TEXT    (-2) /* a text where the number belongs */
#define CODE_TIMEOUT (-3)
#define CODE_ANY     (-4) /* in a rule: every other code */

enum no_action {
    NO_IGNORE,  /* as good as OK */
    NO_REPEAT,  /* the same row again */
    NO_SETUP,   /* +CMEE=1 was lost, or never taken: from there again */
    NO_OFFLINE, /* +CFUN=4, then list and go on from there */
    NO_POWER,   /* arm the supply's warning anew and measure, then offline, list, and go on from there */
    NO_RECOVER, /* purge the line, find out who is there, list, and go on from there */
    NO_END,     /* the verdict */
};

struct no_rule {
    enum row_group group;
    int code;
    enum no_action action;
    uint8_t times; /* the action is taken so often for a row; after that the verdict stands */
    enum outcome outcome;
    enum fault fault;
    enum reason reason;
    const char *detail; /* or NULL */
};

/* The first rule that fits; never NULL. */
const struct no_rule *plan_no_rule(enum row_group group, int code);

/* NULL when the tables are sound, else what is wrong: names unique, AT rows have a time-out and something to
 * send, the answer to each message has one row that takes it, groups have a rule for every code. For a test:
 * tables do not change. */
const char *plan_check(void);

#endif
